//! When toxicity stops a trial: tables to print, with what they do at any true rate, exactly.

use super::size;
use crate::distribution::{beta, binomial};
use crate::error::{Error, Result, open_unit, positive};

/// Largest number of subjects of a table.
pub const LARGEST: u32 = 1_000;

/// A look: after `n` subjects, stop when at least `stop_at` had a toxicity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Subjects observed.
    pub n: u32,
    /// Fewest toxicities that stop the trial; `None` when none of `n` can.
    pub stop_at: Option<u32>,
}

/// Looks in order of their number of subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    looks: Vec<Look>,
    n_max: u32,
}

/// What a boundary does at a true toxicity rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundaryAt {
    /// The true rate.
    pub rate: f64,
    /// Probability that the boundary is reached, at the last look included.
    pub stop: f64,
    /// Probability that it is reached before the last subject.
    pub stop_early: f64,
    /// Expected number of subjects.
    pub expected_n: f64,
}

impl Boundary {
    /// Checks looks: `n` rising, `stop_at` at most `n`, none after `n_max`.
    ///
    /// # Errors
    /// On looks that do not.
    pub fn new(looks: Vec<Look>, n_max: u32) -> Result<Self> {
        size("the largest number of subjects", n_max, 1, LARGEST)?;
        if looks.is_empty() {
            return Err(Error::Empty { what: "the list of looks" });
        }
        let mut last = 0;
        for look in &looks {
            size("the subjects of a look", look.n, last + 1, n_max)?;
            if let Some(x) = look.stop_at {
                size("the toxicities that stop", x, 0, look.n)?;
            }
            last = look.n;
        }
        Ok(Self { looks, n_max })
    }

    /// The table.
    #[must_use]
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Whether `x` toxicities in `n` subjects stop; `None` when there is no look at `n`.
    #[must_use]
    pub fn stops(&self, x: u32, n: u32) -> Option<bool> {
        let i = self.looks.binary_search_by_key(&n, |look| look.n).ok()?;
        Some(self.looks[i].stop_at.is_some_and(|least| x >= least))
    }

    /// Operating characteristics at a true rate in [0, 1], by the exact distribution of the count
    /// among trials still going (each look adds a binomial number).
    #[must_use]
    pub fn at(&self, rate: f64) -> BoundaryAt {
        let mut going = vec![1.0];
        let mut step = Vec::new();
        let (mut stop, mut stop_early, mut expected_n, mut seen) = (0.0, 0.0, 0.0, 0);
        for look in &self.looks {
            binomial::row_into(look.n - seen, rate, &mut step);
            let mut next = vec![0.0; look.n as usize + 1];
            for (x, mass) in going.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
                for (more, p) in step.iter().enumerate() {
                    next[x + more] += mass * p;
                }
            }
            if let Some(least) = look.stop_at {
                let out: f64 = next[least as usize..].iter().sum();
                next.truncate(least as usize);
                stop += out;
                expected_n += f64::from(look.n) * out;
                if look.n < self.n_max {
                    stop_early += out;
                }
            }
            going = next;
            seen = look.n;
        }
        expected_n += f64::from(self.n_max) * going.iter().sum::<f64>();
        if rate.is_nan() || !(0.0..=1.0).contains(&rate) {
            (stop, stop_early, expected_n) = (f64::NAN, f64::NAN, f64::NAN);
        }
        BoundaryAt { rate, stop, stop_early, expected_n }
    }
}

/// Stops when the posterior says that the rate is too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BayesianRule {
    /// Prior Beta(a, b).
    pub prior: (f64, f64),
    /// Rate that is too high.
    pub limit: f64,
    /// Stop when `P(rate > limit | data)` is above this.
    pub certainty: f64,
    /// First number of subjects at which to look.
    pub n_first: u32,
    /// Last.
    pub n_max: u32,
}

impl BayesianRule {
    /// Posterior probability that the rate is above the limit after `x` toxicities in `n`.
    ///
    /// # Errors
    /// When `x > n` or the rule is none.
    pub fn posterior(&self, x: u32, n: u32) -> Result<f64> {
        self.check()?;
        size("toxicities", x, 0, n)?;
        Ok(self.above(x, n))
    }

    fn above(&self, x: u32, n: u32) -> f64 {
        let (a, b) = self.prior;
        beta::sf(self.limit, a + f64::from(x), b + f64::from(n - x))
    }

    fn check(&self) -> Result<()> {
        positive("the prior's a", self.prior.0)?;
        positive("the prior's b", self.prior.1)?;
        open_unit("the toxicity limit", self.limit)?;
        open_unit("the certainty", self.certainty)?;
        size("the largest number of subjects", self.n_max, 1, LARGEST)?;
        size("the first look", self.n_first, 1, self.n_max)
    }

    /// The table: a look after every subject from `n_first` on.
    ///
    /// # Errors
    /// When the rule is none.
    pub fn boundary(&self) -> Result<Boundary> {
        self.check()?;
        let mut looks: Vec<Look> = Vec::new();
        for n in self.n_first..=self.n_max {
            // The boundary never falls: one more subject without toxicity only reassures.
            let from = looks.last().and_then(|look| look.stop_at).unwrap_or(0);
            let stop_at = (from..=n).find(|x| self.above(*x, n) > self.certainty);
            looks.push(Look { n, stop_at });
        }
        Boundary::new(looks, self.n_max)
    }
}

/// Repeated significance tests of the acceptable rate, all at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct RepeatedTest {
    /// Probability of stopping at the acceptable rate just above what was asked for: the next
    /// boundary in the family. `None` when every boundary keeps it.
    pub looser: Option<Boundary>,
    /// The boundary with the greatest probability not above what was asked for.
    pub boundary: Boundary,
    /// Every level from the first up to, but not including, the second gives this boundary.
    pub levels: (f64, f64),
}

/// The boundary that rejects `rate <= acceptable` at looks after `looks` subjects, each by the
/// exact test at one common level, the greatest with which the boundary is reached at the
/// acceptable rate with probability at most `crossing` (the idea of `toxbdry` of the R package
/// clinfun, whose bisection is replaced by the finite list of levels that make a difference).
///
/// # Errors
/// On looks that do not rise, or rates outside (0, 1).
pub fn repeated_test(looks: &[u32], acceptable: f64, crossing: f64) -> Result<RepeatedTest> {
    open_unit("the acceptable rate", acceptable)?;
    open_unit("the probability of stopping", crossing)?;
    let n_max = looks.last().copied().unwrap_or(0);
    let empty = looks.iter().map(|&n| Look { n, stop_at: None }).collect();
    let mut best = Boundary::new(empty, n_max.clamp(1, LARGEST))?;
    // P(X >= x) at each look, for each x: the levels at which a look's limit changes.
    let tails: Vec<Vec<f64>> = looks
        .iter()
        .map(|&n| {
            let mut tail = binomial::row(n, acceptable);
            for x in (0..n as usize).rev() {
                tail[x] += tail[x + 1];
            }
            tail
        })
        .collect();
    let mut levels: Vec<f64> = tails.iter().flatten().copied().collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let at = |level: f64| {
        let table = looks.iter().zip(&tails).map(|(&n, tail)| {
            // Tails fall with x: the first that is small enough.
            let x = tail.partition_point(|p| *p > level) as u32;
            Look { n, stop_at: (x <= n).then_some(x) }
        });
        Boundary { looks: table.collect(), n_max }
    };
    // The probability of reaching the boundary rises with the level.
    let (mut low, mut high) = (0, levels.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if at(levels[middle]).at(acceptable).stop <= crossing {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let from = match low.checked_sub(1) {
        Some(i) => {
            best = at(levels[i]);
            levels[i]
        }
        None => 0.0,
    };
    let next = levels.get(low).copied();
    Ok(RepeatedTest { looser: next.map(at), boundary: best, levels: (from, next.unwrap_or(1.0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sequence of toxicities, one by one.
    fn brute(boundary: &Boundary, n_max: u32, rate: f64) -> (f64, f64) {
        let (mut stop, mut expected) = (0.0, 0.0);
        for outcome in 0..1_u32 << n_max {
            let total = outcome.count_ones();
            let mass = rate.powi(total as i32) * (1.0 - rate).powi((n_max - total) as i32);
            let end = boundary.looks().iter().find(|look| {
                let x = (outcome & ((1 << look.n) - 1)).count_ones();
                look.stop_at.is_some_and(|least| x >= least)
            });
            stop += if end.is_some() { mass } else { 0.0 };
            expected += mass * f64::from(end.map_or(n_max, |look| look.n));
        }
        (stop, expected)
    }

    #[test]
    fn operating_characteristics_are_those_of_enumeration() {
        let rule =
            BayesianRule { prior: (1.0, 1.0), limit: 0.3, certainty: 0.9, n_first: 3, n_max: 12 };
        let bayes = rule.boundary().expect("a rule");
        let tests = repeated_test(&[4, 8, 12], 0.2, 0.1).expect("looks").boundary;
        for boundary in [bayes, tests] {
            for rate in [0.0, 0.1, 0.35, 0.8, 1.0] {
                let (stop, expected) = brute(&boundary, 12, rate);
                let at = boundary.at(rate);
                assert!((at.stop - stop).abs() < 1e-12 && (at.expected_n - expected).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn the_table_is_the_posterior() {
        let rule =
            BayesianRule { prior: (0.3, 0.7), limit: 0.3, certainty: 0.9, n_first: 1, n_max: 40 };
        for look in rule.boundary().expect("a rule").looks() {
            for x in 0..=look.n {
                let stops = rule.posterior(x, look.n).expect("valid") > 0.9;
                assert_eq!(stops, look.stop_at.is_some_and(|least| x >= least));
            }
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let good =
            BayesianRule { prior: (1.0, 1.0), limit: 0.3, certainty: 0.9, n_first: 3, n_max: 12 };
        for bad in [
            BayesianRule { prior: (0.0, 1.0), ..good },
            BayesianRule { limit: 1.0, ..good },
            BayesianRule { certainty: f64::NAN, ..good },
            BayesianRule { n_first: 13, ..good },
            BayesianRule { n_max: 0, ..good },
        ] {
            assert!(bad.boundary().is_err(), "{bad:?}");
        }
        assert!(good.posterior(4, 3).is_err());
        assert!(repeated_test(&[10, 10], 0.2, 0.1).is_err());
        assert!(repeated_test(&[], 0.2, 0.1).is_err());
        assert!(good.boundary().expect("a rule").at(1.5).stop.is_nan());
    }
}
