//! Restricted mean survival time: the area under the curve up to a horizon.

use super::kaplan_meier::KaplanMeier;
use crate::Interval;
use crate::distribution::normal;
use crate::error::{Error, Result, open_unit, positive};

/// Mean of the time to event cut at a horizon, in the unit of the times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMean {
    /// The horizon.
    pub tau: f64,
    /// The mean up to it.
    pub mean: f64,
    /// Standard error.
    pub std_error: f64,
}

/// What one arm has more than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMeanDifference {
    /// First less second.
    pub difference: f64,
    /// Standard error.
    pub std_error: f64,
    /// Two-sided p-value of no difference; `None` when the error is zero.
    pub p: Option<f64>,
}

/// `int_0^tau S(t) dt`, with variance `sum (int_{t_i}^tau S)^2 d_i/(n_i (n_i - d_i))`
/// (Irwin 1949; Klein and Moeschberger, section 4.5, without their factor m/(m - 1)).
///
/// # Errors
/// On a horizon that is not positive, or past the last observation while the curve is above zero:
/// the area there is not known.
pub fn restricted_mean(curve: &KaplanMeier, tau: f64) -> Result<RestrictedMean> {
    positive("the horizon", tau)?;
    let last = curve.last_time();
    if tau > last && curve.at(last).survival > 0.0 {
        return Err(Error::BeyondFollowUp { tau, last });
    }
    let falls: Vec<_> = curve.steps().filter(|(set, _)| set.events > 0 && set.time < tau).collect();
    let mut later = 0.0;
    let mut variance = 0.0;
    let mut end = tau;
    for (set, survival) in falls.iter().rev() {
        later += survival * (end - set.time);
        end = set.time;
        let (n, d) = (set.at_risk as f64, set.events as f64);
        // After the last event of a curve that comes to zero there is no area, so no variance.
        if set.at_risk > set.events {
            variance += later * later * d / (n * (n - d));
        }
    }
    Ok(RestrictedMean { tau, mean: later + end, std_error: variance.sqrt() })
}

impl RestrictedMean {
    /// `mean +- z se`.
    ///
    /// # Errors
    /// On a level outside (0, 1).
    pub fn limits(&self, level: f64) -> Result<Interval> {
        let z = normal::quantile(0.5 + 0.5 * open_unit("the confidence level", level)?);
        let half = z * self.std_error;
        Ok(Interval { lower: self.mean - half, upper: self.mean + half })
    }

    /// Difference from another, independent arm at the same horizon.
    ///
    /// # Errors
    /// When the horizons differ.
    pub fn minus(&self, other: &Self) -> Result<RestrictedMeanDifference> {
        if self.tau != other.tau {
            let expected = "the horizon of the other arm";
            return Err(Error::Parameter { name: "the horizon", value: other.tau, expected });
        }
        let difference = self.mean - other.mean;
        let std_error = self.std_error.hypot(other.std_error);
        let p = (std_error > 0.0).then(|| 2.0 * normal::sf((difference / std_error).abs()));
        Ok(RestrictedMeanDifference { difference, std_error, p })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Survival;
    use super::*;

    #[test]
    fn without_censoring_it_is_the_mean_of_the_cut_times() {
        let times = [1.0, 3.0, 3.0, 8.0];
        let data = Survival::new(times.to_vec(), vec![true; 4]).expect("valid");
        let curve = KaplanMeier::fit(&data);
        for tau in [0.5, 3.0, 5.0, 8.0, 20.0] {
            let cut: Vec<f64> = times.iter().map(|t: &f64| t.min(tau)).collect();
            let mean = cut.iter().sum::<f64>() / 4.0;
            let variance = cut.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / 16.0;
            let got = restricted_mean(&curve, tau).expect("known");
            assert!((got.mean - mean).abs() < 1e-12, "{tau}");
            assert!((got.std_error - variance.sqrt()).abs() < 1e-12, "{tau}");
        }
    }

    #[test]
    fn the_unknown_part_is_refused() {
        let data = Survival::new(vec![1.0, 4.0], vec![true, false]).expect("valid");
        let curve = KaplanMeier::fit(&data);
        assert!(restricted_mean(&curve, 4.0).is_ok());
        let e = restricted_mean(&curve, 4.1);
        assert_eq!(e, Err(Error::BeyondFollowUp { tau: 4.1, last: 4.0 }));
        assert!(restricted_mean(&curve, f64::NAN).is_err());
    }
}
