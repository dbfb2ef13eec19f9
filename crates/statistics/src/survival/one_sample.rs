//! One group against a hazard fixed in advance (Breslow 1975).

use crate::Interval;
use crate::distribution::{chi_squared, normal};
use crate::error::{Error, Result, length, open_unit, positive};

/// Time to event with cumulative hazard `ln 2 (t/median)^shape`; shape 1 is exponential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weibull {
    median: f64,
    shape: f64,
}

impl Weibull {
    /// By median and shape.
    ///
    /// # Errors
    /// Unless both are finite and positive.
    pub fn new(median: f64, shape: f64) -> Result<Self> {
        positive("the median", median)?;
        positive("the shape", shape)?;
        Ok(Self { median, shape })
    }

    /// Constant hazard.
    ///
    /// # Errors
    /// Unless the median is finite and positive.
    pub fn exponential(median: f64) -> Result<Self> {
        Self::new(median, 1.0)
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.median
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> f64 {
        self.shape
    }

    /// `ln 2 (t/median)^shape`.
    #[must_use]
    pub fn cumulative_hazard(&self, t: f64) -> f64 {
        let time = t / self.median;
        std::f64::consts::LN_2 * if self.shape == 1.0 { time } else { time.powf(self.shape) }
    }

    /// Its derivative.
    #[must_use]
    pub fn hazard(&self, t: f64) -> f64 {
        let rate = std::f64::consts::LN_2 * self.shape / self.median;
        if self.shape == 1.0 { rate } else { rate * (t / self.median).powf(self.shape - 1.0) }
    }

    /// Share free of the event at t.
    #[must_use]
    pub fn survival(&self, t: f64) -> f64 {
        (-self.cumulative_hazard(t)).exp()
    }
}

/// Events, and those that the fixed hazard would have brought in the same follow-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSample {
    /// Events.
    pub observed: f64,
    /// `sum Lambda_0(t_i)`.
    pub expected: f64,
}

/// One-sample log-rank sums, without storing anything: fit for simulations.
///
/// # Errors
/// When the lists are empty or differ in length, or a cumulative hazard is negative or not finite
/// (as of a negative or missing time).
pub fn one_sample_log_rank(
    times: &[f64],
    events: &[bool],
    cumulative_hazard: impl Fn(f64) -> f64,
) -> Result<OneSample> {
    length("the list of events", times.len(), events.len())?;
    if times.is_empty() {
        return Err(Error::Empty { what: "the list of times" });
    }
    let (mut observed, mut expected) = (0_usize, 0.0);
    for (row, (&time, &event)) in times.iter().zip(events).enumerate() {
        let hazard = cumulative_hazard(time);
        if !(time >= 0.0 && hazard >= 0.0 && hazard.is_finite()) {
            let (what, expected) = ("time", "0 or later, with a finite cumulative hazard");
            return Err(Error::Value { what, row, value: time, expected });
        }
        observed += usize::from(event);
        expected += hazard;
    }
    Ok(OneSample { observed: observed as f64, expected })
}

impl OneSample {
    /// `(O - E)/sqrt(E)` (Breslow 1975): conservative, as E is the variance under the null only
    /// when nobody is censored by the end of the study. Negative: fewer events than under the
    /// null. `None` when E is zero.
    #[must_use]
    pub fn z_breslow(&self) -> Option<f64> {
        (self.expected > 0.0).then(|| (self.observed - self.expected) / self.expected.sqrt())
    }

    /// `(O - E)/sqrt((O + E)/2)` (Wu 2014): nearer to its size in small samples. `None` when both
    /// are zero.
    #[must_use]
    pub fn z_wu(&self) -> Option<f64> {
        let variance = 0.5 * (self.observed + self.expected);
        (variance > 0.0).then(|| (self.observed - self.expected) / variance.sqrt())
    }

    /// One-sided p-value of [`z_wu`](Self::z_wu) for fewer events than under the null.
    #[must_use]
    pub fn p_fewer(&self) -> Option<f64> {
        self.z_wu().map(normal::cdf)
    }

    /// Observed over expected with exact Poisson limits (quantiles of chi-square with `2 O` and
    /// `2 O + 2` degrees of freedom); the lower one is 0 without events.
    ///
    /// # Errors
    /// When nothing was expected, or on a level outside (0, 1).
    pub fn ratio(&self, level: f64) -> Result<(f64, Interval)> {
        let tail = 0.5 * (1.0 - open_unit("the confidence level", level)?);
        positive("the expected number of events", self.expected)?;
        let limit = |p: f64, df: f64| 0.5 * chi_squared::quantile(p, df) / self.expected;
        let lower = if self.observed > 0.0 { limit(tail, 2.0 * self.observed) } else { 0.0 };
        let upper = limit(1.0 - tail, 2.0 * self.observed + 2.0);
        Ok((self.observed / self.expected, Interval { lower, upper }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_limits_of_a_textbook() {
        // Breslow and Day 1987, section 2.3: exact limits of a count of 10 are 4.80 and 18.4.
        let ten = OneSample { observed: 10.0, expected: 1.0 };
        let (ratio, limits) = ten.ratio(0.95).expect("valid");
        assert_eq!(ratio, 10.0);
        assert!((limits.lower - 4.795).abs() < 5e-4 && (limits.upper - 18.39).abs() < 5e-3);
        let none = OneSample { observed: 0.0, expected: 2.0 };
        let limits = none.ratio(0.95).expect("valid").1;
        assert!(limits.lower == 0.0 && (limits.upper - 3.689 / 2.0).abs() < 5e-4);
    }

    #[test]
    fn nothing_seen_and_nothing_expected_is_no_number() {
        let nothing = one_sample_log_rank(&[0.0], &[false], |t| t).expect("valid");
        assert_eq!((nothing.z_breslow(), nothing.z_wu(), nothing.p_fewer()), (None, None, None));
        assert!(nothing.ratio(0.95).is_err());
        assert!(one_sample_log_rank(&[], &[], |t| t).is_err());
        assert!(one_sample_log_rank(&[1.0], &[], |t| t).is_err());
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(one_sample_log_rank(&[bad], &[true], |t| t.abs()).is_err());
        }
        assert!(Weibull::new(0.0, 1.0).is_err() && Weibull::new(1.0, f64::NAN).is_err());
    }
}
