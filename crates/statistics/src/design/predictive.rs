//! Predictive probability (Lee and Liu 2008): given what is seen, will the trial succeed at its end?

use super::size;
use crate::distribution::beta;
use crate::error::{Result, open_unit, positive};

/// Success at the end: the posterior probability that the rate is above `p0` is above `theta`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictiveRule {
    /// Prior Beta(a, b).
    pub prior: (f64, f64),
    /// Rate to be beaten.
    pub p0: f64,
    /// Certainty that success needs.
    pub theta: f64,
    /// Subjects at the end.
    pub n_max: u32,
}

impl PredictiveRule {
    fn check(&self, x: u32, n: u32) -> Result<()> {
        positive("the prior's a", self.prior.0)?;
        positive("the prior's b", self.prior.1)?;
        open_unit("p0", self.p0)?;
        open_unit("theta", self.theta)?;
        size("subjects at the end", self.n_max, 1, 5_000)?;
        size("subjects", n, 0, self.n_max)?;
        size("responders", x, 0, n)
    }

    fn above(&self, x: u32, n: u32) -> f64 {
        let (a, b) = self.prior;
        beta::sf(self.p0, a + f64::from(x), b + f64::from(n - x))
    }

    /// Posterior probability now that the rate is above `p0`.
    ///
    /// # Errors
    /// When `x > n > n_max` or the rule is none.
    pub fn posterior(&self, x: u32, n: u32) -> Result<f64> {
        self.check(x, n)?;
        Ok(self.above(x, n))
    }

    /// Fewest responders of `n_max` that are a success; `None` when even all are not enough.
    ///
    /// # Errors
    /// When the rule is none.
    pub fn success_at_least(&self) -> Result<Option<u32>> {
        self.check(0, 0)?;
        let (mut low, mut high) = (0, self.n_max + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.above(middle, self.n_max) > self.theta {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok((low <= self.n_max).then_some(low))
    }

    /// Probability of success at the end after `x` responders in `n`: the beta-binomial weight of
    /// the futures that end in success,
    /// `C(m, y) B(a + x + y, b + n_max - x - y)/B(a + x, b + n - x)` for `y` of the `m` to come.
    ///
    /// # Errors
    /// When `x > n > n_max` or the rule is none.
    pub fn probability(&self, x: u32, n: u32) -> Result<f64> {
        self.check(x, n)?;
        let Some(needed) = self.success_at_least()? else { return Ok(0.0) };
        let (a, b) = (self.prior.0 + f64::from(x), self.prior.1 + f64::from(n - x));
        let futures = beta_binomial(self.n_max - n, a, b);
        let from = needed.saturating_sub(x) as usize;
        Ok(futures.get(from..).map_or(0.0, |tail| tail.iter().sum::<f64>().min(1.0)))
    }

    /// Most responders of `n` with which the probability of success is below `futile`: the table
    /// of a rule that stops for futility. `None` when even none is not that few.
    ///
    /// # Errors
    /// When n is more than `n_max`, `futile` is outside (0, 1), or the rule is none.
    pub fn futile_at_most(&self, n: u32, futile: f64) -> Result<Option<u32>> {
        open_unit("the futility limit", futile)?;
        self.check(0, n)?;
        let mut last = None;
        for x in 0..=n {
            if self.probability(x, n)? >= futile {
                break;
            }
            last = Some(x);
        }
        Ok(last)
    }
}

/// Probabilities of `y = 0..=m` successes with a Beta(a, b) rate: ratios of neighbours outwards
/// from the largest, then scaled to sum to one.
fn beta_binomial(m: u32, a: f64, b: f64) -> Vec<f64> {
    let size = m as usize;
    let ratio = |y: usize| {
        let (y, m) = (y as f64, f64::from(m));
        (m - y) / (y + 1.0) * (a + y) / (b + m - y - 1.0)
    };
    // From the middle, as sums of logarithms would lose digits and a start at an end underflows.
    let start = ((a / (a + b)) * f64::from(m)) as usize;
    let mut row = vec![0.0; size + 1];
    row[start] = 1.0;
    for y in start..size {
        row[y + 1] = row[y] * ratio(y);
    }
    for y in (0..start).rev() {
        row[y] = row[y + 1] / ratio(y);
    }
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|p| *p /= total);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lee_and_liu_2008_example() {
        // Clinical Trials 5, 93: after 16 of 23, 12 or more of the 17 to come are success, and the
        // predictive probability is 0.5656.
        let rule = PredictiveRule { prior: (0.6, 0.4), p0: 0.6, theta: 0.9, n_max: 40 };
        let p = rule.probability(16, 23).expect("valid");
        assert!((p - 0.5656).abs() < 5e-5, "{p}");
        assert_eq!(rule.success_at_least(), Ok(Some(28)));
        assert!(rule.posterior(28, 40).expect("valid") > 0.9);
        assert!(rule.posterior(27, 40).expect("valid") <= 0.9);
        // At the end the future is known.
        assert_eq!(rule.probability(28, 40), Ok(1.0));
        assert_eq!(rule.probability(27, 40), Ok(0.0));
    }

    #[test]
    fn success_that_cannot_be_is_zero() {
        let rule = PredictiveRule { prior: (1.0, 1.0), p0: 0.99, theta: 0.99, n_max: 5 };
        assert_eq!(rule.success_at_least(), Ok(None));
        assert_eq!(rule.probability(5, 5), Ok(0.0));
        assert_eq!(rule.futile_at_most(5, 0.05), Ok(Some(5)));
        assert!(rule.probability(3, 2).is_err() && rule.probability(3, 6).is_err());
        assert!(PredictiveRule { theta: 1.0, ..rule }.probability(1, 2).is_err());
    }
}
