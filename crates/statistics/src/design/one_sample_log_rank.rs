//! How many subjects for a one-sample log-rank test (Wu 2015, with the exact variance).

use crate::distribution::normal;
use crate::error::{Error, Result, not_negative, open_unit};
use crate::integrate::double_exponential;
use crate::survival::Weibull;

/// When subjects come and how long they are followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conduct {
    /// Subjects come evenly over so long a time; 0: all at once.
    pub accrual: f64,
    /// Follow-up after the last has come.
    pub follow_up: f64,
    /// Constant hazard of being lost; 0: nobody is lost.
    pub loss_hazard: f64,
}

/// Moments of the test statistic for one subject under the alternative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSampleDesign {
    alpha: f64,
    /// Probability that a subject has the event under observation.
    pub event_probability: f64,
    /// Mean cumulative null hazard that a subject passes through.
    pub expected_per_subject: f64,
    /// Variance of observed less expected of a subject under the alternative.
    pub variance_per_subject: f64,
}

/// Prepares a one-sided test, of size `alpha`, that fewer events happen than under `null`.
///
/// With `G(t)` the share still followed at t and S1 the alternative:
/// `p1 = int G S1 dL1`, `p0 = int G S1 dL0`, `p00 = int G S1 L0 dL0`, `p01 = int G S1 L0 dL1`;
/// the difference of a subject has mean `p1 - p0` and variance
/// `p1 - p1^2 + 2 p00 - p0^2 - 2 p01 + 2 p0 p1`.
///
/// # Errors
/// When the alternative's median is not above the null's, times are negative or both zero, or
/// alpha is outside (0, 1).
pub fn design(
    null: Weibull,
    alternative: Weibull,
    conduct: Conduct,
    alpha: f64,
) -> Result<OneSampleDesign> {
    open_unit("alpha", alpha)?;
    let Conduct { accrual, follow_up, loss_hazard } = conduct;
    not_negative("the accrual time", accrual)?;
    not_negative("the follow-up time", follow_up)?;
    not_negative("the hazard of being lost", loss_hazard)?;
    let end = accrual + follow_up;
    if !(end > 0.0) {
        let expected = "more than 0 together with the accrual time";
        return Err(Error::Parameter { name: "the follow-up time", value: follow_up, expected });
    }
    if !(null.median() < alternative.median()) {
        let (null, alternative) = (null.median(), alternative.median());
        return Err(Error::NotBelow { null, alternative });
    }
    let followed = |t: f64| {
        let admitted = if t <= follow_up { 1.0 } else { (end - t) / accrual };
        admitted * (-loss_hazard * t).exp()
    };
    let integral = |h: &dyn Fn(f64) -> f64| {
        let f = |t: f64| followed(t) * alternative.survival(t) * h(t);
        // In two parts: G has a corner at the end of the common follow-up.
        double_exponential(f, 0.0, follow_up) + double_exponential(f, follow_up, end)
    };
    let p0 = integral(&|t| null.hazard(t));
    let p1 = integral(&|t| alternative.hazard(t));
    let p00 = integral(&|t| null.cumulative_hazard(t) * null.hazard(t));
    let p01 = integral(&|t| null.cumulative_hazard(t) * alternative.hazard(t));
    let difference = p0 - p1;
    if !(difference > 0.0) {
        // Only with unlike shapes: later on average, yet more events within the study.
        return Err(Error::NotBelow { null: p1, alternative: p0 });
    }
    Ok(OneSampleDesign {
        alpha,
        event_probability: p1,
        expected_per_subject: p0,
        variance_per_subject: p1 - p1 * p1 + 2.0 * p00 - p0 * p0 - 2.0 * p01 + 2.0 * p0 * p1,
    })
}

impl OneSampleDesign {
    /// Deviation of the statistic as the test scales it: `sqrt((p0 + p1)/2)`.
    fn scale(&self) -> f64 {
        (0.5 * (self.expected_per_subject + self.event_probability)).sqrt()
    }

    /// Subjects for power `1 - beta`, not rounded:
    /// `((z_alpha sqrt((p0 + p1)/2) + z_beta s)/(p0 - p1))^2`.
    ///
    /// # Errors
    /// When beta is outside (0, 1), or so great that no subject is needed.
    pub fn subjects_exactly(&self, beta: f64) -> Result<f64> {
        open_unit("beta", beta)?;
        let (z_alpha, z_beta) = (-normal::quantile(self.alpha), -normal::quantile(beta));
        let sum = z_alpha * self.scale() + z_beta * self.variance_per_subject.sqrt();
        if !(sum > 0.0) {
            let expected = "small enough that subjects are needed";
            return Err(Error::Parameter { name: "beta", value: beta, expected });
        }
        Ok((sum / (self.expected_per_subject - self.event_probability)).powi(2))
    }

    /// Subjects for power `1 - beta`.
    ///
    /// # Errors
    /// As [`subjects_exactly`](Self::subjects_exactly), and when they are more than four thousand
    /// million.
    pub fn subjects(&self, beta: f64) -> Result<u32> {
        let exactly = self.subjects_exactly(beta)?;
        if exactly >= f64::from(u32::MAX) {
            return Err(Error::NoDesign { what: "one-sample log-rank design", n_max: u32::MAX });
        }
        Ok(exactly.ceil() as u32)
    }

    /// Power with a number of subjects.
    ///
    /// # Errors
    /// Unless there is a subject.
    pub fn power(&self, subjects: u32) -> Result<f64> {
        if subjects == 0 {
            return Err(Error::Empty { what: "the sample" });
        }
        let gain = self.expected_per_subject - self.event_probability;
        let shift = gain * f64::from(subjects).sqrt() + normal::quantile(self.alpha) * self.scale();
        Ok(normal::cdf(shift / self.variance_per_subject.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(median: f64) -> Weibull {
        Weibull::exponential(median).expect("positive")
    }

    #[test]
    fn closed_form_of_the_exponential() {
        // No follow-up beyond accrual: 1 - (1 - exp(-l a))/(l a) have the event.
        let conduct = Conduct { accrual: 30.0, follow_up: 0.0, loss_hazard: 0.0 };
        let d = design(exponential(10.0), exponential(20.0), conduct, 0.05).expect("valid");
        let x = std::f64::consts::LN_2 / 20.0 * 30.0;
        assert!((d.event_probability - (1.0 - (1.0 - (-x).exp()) / x)).abs() < 1e-13);
        assert!((d.expected_per_subject - 2.0 * d.event_probability).abs() < 1e-13);
        // All at once: the share that has the event within the follow-up, fewer when some are lost.
        let conduct = Conduct { accrual: 0.0, follow_up: 30.0, loss_hazard: 0.0 };
        let all = design(exponential(10.0), exponential(20.0), conduct, 0.05).expect("valid");
        assert!((all.event_probability - (1.0 - (-x).exp())).abs() < 1e-13);
        let conduct = Conduct { loss_hazard: 0.02, ..conduct };
        let lost = design(exponential(10.0), exponential(20.0), conduct, 0.05).expect("valid");
        let (h, c) = (std::f64::consts::LN_2 / 20.0, 0.02);
        let share = h / (h + c) * (1.0 - (-(h + c) * 30.0_f64).exp());
        assert!((lost.event_probability - share).abs() < 1e-13);
    }

    #[test]
    fn power_is_that_of_the_size() {
        let conduct = Conduct { accrual: 36.0, follow_up: 12.0, loss_hazard: 0.0 };
        let d = design(exponential(18.0), exponential(30.0), conduct, 0.05).expect("valid");
        let n = d.subjects(0.2).expect("valid");
        assert!(d.power(n).expect("some") >= 0.8 && d.power(n - 1).expect("some") < 0.8);
    }

    #[test]
    fn shapes_below_and_above_one_agree_with_a_change_of_time() {
        // With everybody followed to one horizon the test does not know the scale of time.
        let horizon = 24.0_f64;
        let at_once = |f| Conduct { accrual: 0.0, follow_up: f, loss_hazard: 0.0 };
        let plain = design(exponential(12.0), exponential(20.0), at_once(horizon), 0.05);
        for shape in [0.4, 0.8, 1.7, 3.0] {
            let change = |t: f64| t.powf(1.0 / shape);
            let w = |m: f64| Weibull::new(change(m), shape).expect("positive");
            let other = design(w(12.0), w(20.0), at_once(change(horizon)), 0.05).expect("valid");
            let (a, b) = (plain.as_ref().expect("valid"), other);
            assert!((a.variance_per_subject - b.variance_per_subject).abs() < 1e-12, "{shape}");
            assert!((a.event_probability - b.event_probability).abs() < 1e-12, "{shape}");
        }
    }

    #[test]
    fn what_is_no_design_is_refused() {
        let (m0, m1) = (exponential(18.0), exponential(30.0));
        let good = Conduct { accrual: 36.0, follow_up: 12.0, loss_hazard: 0.0 };
        assert!(matches!(design(m1, m0, good, 0.05), Err(Error::NotBelow { .. })));
        assert!(design(m0, m1, good, 0.0).is_err());
        for bad in [
            Conduct { accrual: -1.0, ..good },
            Conduct { follow_up: f64::NAN, ..good },
            Conduct { accrual: 0.0, follow_up: 0.0, ..good },
        ] {
            assert!(design(m0, m1, bad, 0.05).is_err());
        }
        let d = design(m0, m1, good, 0.05).expect("valid");
        assert!(d.subjects(1.0).is_err() && d.subjects(0.999).is_err() && d.power(0).is_err());
    }
}
