//! Looks at the data of a comparison as it grows: upper bounds for Z that keep the size
//! (Lan and DeMets 1983; Wang and Tsiatis 1987).
//!
//! `Z_k` has independent increments: `Z_k sqrt(t_k)` is Brownian motion with drift at the
//! information fraction `t_k`. The distribution of a trial that goes on is carried from look to
//! look by numerical integration (Armitage, McPherson and Rowe 1969) on Gauss-Legendre panels.

use crate::distribution::{invert, normal};
use crate::error::{Error, Result, open_unit, positive};
use crate::integrate::gauss_legendre;

/// How much of the size may be spent by an information fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spending {
    /// `2 - 2 Phi(z_{alpha/2}/sqrt(t))`: almost nothing early, like O'Brien and Fleming.
    OBrienFleming,
    /// `alpha ln(1 + (e - 1) t)`: nearly equal bounds, like Pocock.
    Pocock,
    /// `alpha t^rho` (Kim and DeMets 1987).
    Power(f64),
}

impl Spending {
    /// Size spent by the fraction t of the information, up to `alpha` at 1.
    #[must_use]
    pub fn spent(&self, alpha: f64, t: f64) -> f64 {
        if t >= 1.0 {
            return alpha;
        }
        match self {
            Self::OBrienFleming => 2.0 * normal::sf(-normal::quantile(0.5 * alpha) / t.sqrt()),
            Self::Pocock => alpha * ((std::f64::consts::E - 1.0) * t).ln_1p(),
            Self::Power(rho) => alpha * t.powf(*rho),
        }
    }
}

/// A one-sided design: stop and reject at the first look where Z is at least its bound.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSequential {
    /// Information fractions of the looks, the last 1.
    pub fractions: Vec<f64>,
    /// Bound of Z at each look.
    pub bounds: Vec<f64>,
    /// Size.
    pub alpha: f64,
}

/// How far from its mean a normal variable is followed.
const REACH: f64 = 9.0;

/// Most looks; the work grows with a power of their number.
const LOOKS: usize = 50;

fn checked(fractions: &[f64], alpha: f64) -> Result<()> {
    open_unit("alpha", alpha)?;
    if !(alpha < 0.5) {
        return Err(Error::Parameter { name: "alpha", value: alpha, expected: "below 0.5" });
    }
    if fractions.is_empty() {
        return Err(Error::Empty { what: "the list of looks" });
    }
    if fractions.len() > LOOKS {
        let (found, highest) = (fractions.len() as u64, LOOKS as u64);
        return Err(Error::Count { what: "the number of looks", found, lowest: 1, highest });
    }
    let mut last = 0.0;
    for (row, &value) in fractions.iter().enumerate() {
        if !(value > last && value <= 1.0) {
            let expected = "more than the one before and at most 1";
            return Err(Error::Value { what: "an information fraction", row, value, expected });
        }
        last = value;
    }
    if last != 1.0 {
        let (row, expected) = (fractions.len() - 1, "1 at the last look");
        return Err(Error::Value { what: "an information fraction", row, value: last, expected });
    }
    Ok(())
}

/// `k` looks at equal steps of information.
#[must_use]
pub fn equal_looks(k: usize) -> Vec<f64> {
    (1..=k).map(|i| i as f64 / k as f64).collect()
}

/// Bounds that spend a one-sided `alpha` along a function of information.
///
/// # Errors
/// Unless fractions rise to 1, alpha is in (0, 1/2), and a power is positive.
pub fn spending_bounds(
    fractions: &[f64],
    alpha: f64,
    spending: Spending,
) -> Result<GroupSequential> {
    checked(fractions, alpha)?;
    if let Spending::Power(rho) = spending {
        positive("the power of the spending function", rho)?;
    }
    let mut bounds = Vec::with_capacity(fractions.len());
    let mut going = Going::new(0.0);
    let mut spent = 0.0;
    for (k, &t) in fractions.iter().enumerate() {
        let until = spending.spent(alpha, t);
        let bound = going.bound(t, until - spent);
        spent = until;
        bounds.push(bound);
        going.go_on(t, fractions.get(k + 1).copied(), bound);
    }
    Ok(GroupSequential { fractions: fractions.to_vec(), bounds, alpha })
}

/// Bounds `C t^(delta - 1/2)`: delta 0 is O'Brien and Fleming (1979), 1/2 is Pocock (1977).
///
/// # Errors
/// Unless fractions rise to 1, alpha is in (0, 1/2), and delta is finite.
pub fn wang_tsiatis(fractions: &[f64], alpha: f64, delta: f64) -> Result<GroupSequential> {
    checked(fractions, alpha)?;
    if !delta.is_finite() {
        return Err(Error::Parameter { name: "delta", value: delta, expected: "finite" });
    }
    let design = |c: f64| GroupSequential {
        fractions: fractions.to_vec(),
        bounds: fractions.iter().map(|t| c * t.powf(delta - 0.5)).collect(),
        alpha,
    };
    // Between no correction for looks and Bonferroni's at the look with the least bound, the
    // size falls through alpha; a secant within the bracket finds where.
    let size = |c: f64| design(c).power(0.0);
    let lowest = fractions.iter().map(|t| t.powf(delta - 0.5)).fold(f64::INFINITY, f64::min);
    let mut low = -normal::quantile(alpha)
        / fractions.iter().map(|t| t.powf(delta - 0.5)).fold(0.0, f64::max);
    let mut high = -normal::quantile(alpha / fractions.len() as f64) / lowest;
    let (mut over, mut under) = ((size(low) / alpha).ln(), (size(high) / alpha).ln());
    for _ in 0..200 {
        if over == 0.0 || high - low <= 1e-14 * high {
            break;
        }
        // Regula falsi after Illinois: the logarithm of the size is nearly straight.
        let c = (low * under - high * over) / (under - over);
        let c = if c > low && c < high { c } else { 0.5 * (low + high) };
        let there = (size(c) / alpha).ln();
        if there.abs() < 1e-12 {
            low = c;
            break;
        }
        if there > 0.0 {
            (low, over) = (c, there);
            under *= 0.5;
        } else {
            (high, under) = (c, there);
            over *= 0.5;
        }
    }
    Ok(design(low))
}

impl GroupSequential {
    /// Probability of crossing the bound for the first time at each look, when the mean of the
    /// last Z (without stopping) is `drift`.
    #[must_use]
    pub fn crossing(&self, drift: f64) -> Vec<f64> {
        let mut going = Going::new(drift);
        let looks = self.fractions.iter().zip(&self.bounds).enumerate();
        looks
            .map(|(k, (&t, &bound))| {
                let out = going.beyond(t, bound);
                going.go_on(t, self.fractions.get(k + 1).copied(), bound);
                out
            })
            .collect()
    }

    /// Probability of rejecting.
    #[must_use]
    pub fn power(&self, drift: f64) -> f64 {
        self.crossing(drift).iter().sum()
    }

    /// Expected share of the largest information that is used.
    #[must_use]
    pub fn expected_information(&self, drift: f64) -> f64 {
        let out = self.crossing(drift);
        let stopped: f64 = out.iter().zip(&self.fractions).map(|(p, t)| p * t).sum();
        stopped + 1.0 - out.iter().sum::<f64>()
    }

    /// Mean of the last Z with which the power is `1 - beta`.
    ///
    /// # Errors
    /// Unless beta is in (0, 1 - alpha).
    pub fn drift(&self, beta: f64) -> Result<f64> {
        open_unit("beta", beta)?;
        if !(beta < 1.0 - self.alpha) {
            return Err(Error::Parameter {
                name: "beta",
                value: beta,
                expected: "below 1 - alpha",
            });
        }
        let fixed = -normal::quantile(self.alpha) - normal::quantile(beta);
        // The power is nearly that of one look, whose slope serves Newton's method.
        let slope = |x: f64| normal::pdf(x + normal::quantile(self.alpha));
        Ok(invert(|x| self.power(x) - (1.0 - beta), slope, fixed, 0.0, fixed + 10.0))
    }

    /// Largest information against that of a trial with one look and the same power.
    ///
    /// # Errors
    /// As [`drift`](Self::drift).
    pub fn inflation(&self, beta: f64) -> Result<f64> {
        let fixed = -normal::quantile(self.alpha) - normal::quantile(beta);
        Ok((self.drift(beta)? / fixed).powi(2))
    }
}

/// The distribution of Z at the last look among trials that go on, as weighted points.
struct Going {
    drift: f64,
    last: f64,
    points: Vec<(f64, f64)>,
    rule: [(f64, f64); 16],
}

impl Going {
    fn new(drift: f64) -> Self {
        Self { drift, last: 0.0, points: Vec::new(), rule: gauss_legendre() }
    }

    /// Mean of Z at t given a point, and its deviation.
    fn step(&self, z: f64, t: f64) -> (f64, f64) {
        let more = t - self.last;
        let mean = (z * self.last.sqrt() + self.drift * more) / t.sqrt();
        (mean, (more / t).sqrt())
    }

    /// Probability of going on until t and being beyond a bound there.
    fn beyond(&self, t: f64, bound: f64) -> f64 {
        if self.last == 0.0 {
            return normal::sf(bound - self.drift * t.sqrt());
        }
        let part = |(z, weight): &(f64, f64)| {
            let (mean, deviation) = self.step(*z, t);
            weight * normal::sf((bound - mean) / deviation)
        };
        self.points.iter().map(part).sum()
    }

    fn density(&self, t: f64, z: f64) -> f64 {
        if self.last == 0.0 {
            return normal::pdf(z - self.drift * t.sqrt());
        }
        // Only points within reach of z count; they are in ascending order.
        let (more, root) = (t - self.last, t.sqrt());
        let deviation = (more / t).sqrt();
        let from =
            |reach: f64| ((z + reach * deviation) * root - self.drift * more) / self.last.sqrt();
        let first = self.points.partition_point(|(z, _)| *z < from(-REACH));
        let end = self.points.partition_point(|(z, _)| *z <= from(REACH));
        let part = |(from, weight): &(f64, f64)| {
            let (mean, deviation) = self.step(*from, t);
            weight * normal::pdf((z - mean) / deviation) / deviation
        };
        self.points[first..end].iter().map(part).sum()
    }

    /// The bound beyond which a given probability lies.
    fn bound(&self, t: f64, probability: f64) -> f64 {
        if !(probability > 0.0) {
            return f64::INFINITY;
        }
        if self.last == 0.0 {
            return -normal::quantile(probability);
        }
        // The logarithm makes small probabilities straight enough for Newton's method.
        let error = |z: f64| (probability / self.beyond(t, z)).ln();
        let slope = |z: f64| self.density(t, z) / self.beyond(t, z);
        invert(error, slope, -normal::quantile(probability), -REACH, 38.0)
    }

    /// Keeps what is below the bound.
    fn go_on(&mut self, t: f64, next: Option<f64>, bound: f64) {
        let Some(next) = next else { return };
        let mean = self.drift * t.sqrt();
        let (low, high) = (mean - REACH, bound.min(mean + REACH));
        let mut points = Vec::new();
        if high > low {
            // Panels no wider than what varies: the step that led here and the one to come.
            let narrow = ((t - self.last) / t).sqrt().min(((next - t) / t).sqrt());
            let panels = ((high - low) / (1.5 * narrow).min(1.0)).ceil();
            let half = 0.5 * (high - low) / panels;
            for panel in 0..panels as usize {
                let middle = low + (2 * panel + 1) as f64 * half;
                for (x, weight) in self.rule {
                    let z = middle + half * x;
                    points.push((z, half * weight * self.density(t, z)));
                }
            }
        }
        self.points = points;
        self.last = t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jennison_and_turnbull_2000() {
        // Tables 2.1 and 2.3: Pocock and O'Brien-Fleming constants, two-sided 0.05; one side of
        // each is 0.025 but for crossings of both, which are below these digits.
        for (k, pocock, obrien) in [
            (1, 1.960, 1.960),
            (2, 2.178, 1.977),
            (3, 2.289, 2.004),
            (5, 2.413, 2.040),
            (10, 2.555, 2.087),
        ] {
            let looks = equal_looks(k);
            let flat = wang_tsiatis(&looks, 0.025, 0.5).expect("looks");
            assert!((flat.bounds[0] - pocock).abs() < 1.1e-3, "{k} {:?}", flat.bounds);
            let steep = wang_tsiatis(&looks, 0.025, 0.0).expect("looks");
            assert!((steep.bounds[k - 1] - obrien).abs() < 1.1e-3, "{k} {:?}", steep.bounds);
        }
    }

    #[test]
    fn all_is_spent_and_no_more() {
        for spending in [Spending::OBrienFleming, Spending::Pocock, Spending::Power(3.0)] {
            for fractions in [vec![1.0], vec![0.3, 0.31, 0.9, 1.0], equal_looks(12)] {
                let d = spending_bounds(&fractions, 0.025, spending).expect("looks");
                let out = d.crossing(0.0);
                let mut sum = 0.0;
                for (p, t) in out.iter().zip(&fractions) {
                    sum += p;
                    assert!((sum - spending.spent(0.025, *t)).abs() < 1e-12, "{spending:?} {t}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let of = Spending::OBrienFleming;
        for bad in [vec![], vec![0.5], vec![0.5, 0.5, 1.0], vec![0.0, 1.0], vec![f64::NAN, 1.0]] {
            assert!(spending_bounds(&bad, 0.025, of).is_err(), "{bad:?}");
        }
        assert!(spending_bounds(&[1.0], 0.5, of).is_err());
        assert!(spending_bounds(&[1.0], 0.025, Spending::Power(0.0)).is_err());
        assert!(wang_tsiatis(&[1.0], 0.025, f64::NAN).is_err());
        let d = spending_bounds(&[0.5, 1.0], 0.025, of).expect("looks");
        assert!(d.drift(0.0).is_err() && d.drift(0.99).is_err());
    }
}
