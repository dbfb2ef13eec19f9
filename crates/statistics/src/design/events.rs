//! Events for a comparison of two arms by the log-rank test (Schoenfeld 1981).

use crate::distribution::normal;
use crate::error::{Error, Result, open_unit, positive};

/// Events so that a one-sided log-rank test of size `alpha` finds the hazard ratio with
/// probability `1 - beta`: `(z_alpha + z_beta)^2/(q (1 - q) ln^2 HR)`, `q` the share of subjects
/// in the first arm. Not rounded.
///
/// # Errors
/// When the ratio is not positive or is 1, or a rate or the share is outside (0, 1).
pub fn schoenfeld(hazard_ratio: f64, alpha: f64, beta: f64, share: f64) -> Result<f64> {
    positive("the hazard ratio", hazard_ratio)?;
    open_unit("alpha", alpha)?;
    open_unit("beta", beta)?;
    open_unit("the share in the first arm", share)?;
    if hazard_ratio == 1.0 {
        let expected = "not 1: no number of events shows that nothing differs";
        return Err(Error::Parameter { name: "the hazard ratio", value: hazard_ratio, expected });
    }
    let z = upper(alpha) + upper(beta);
    if !(z > 0.0) {
        return Err(Error::Parameter { name: "beta", value: beta, expected: "below 1 - alpha" });
    }
    Ok((z / hazard_ratio.ln()).powi(2) / (share * (1.0 - share)))
}

/// Power of the same test with a number of events.
///
/// # Errors
/// As [`schoenfeld`], and when the number of events is not positive.
pub fn power(hazard_ratio: f64, alpha: f64, events: f64, share: f64) -> Result<f64> {
    positive("the hazard ratio", hazard_ratio)?;
    positive("the number of events", events)?;
    open_unit("alpha", alpha)?;
    open_unit("the share in the first arm", share)?;
    let drift = hazard_ratio.ln().abs() * (events * share * (1.0 - share)).sqrt();
    Ok(normal::cdf(drift - upper(alpha)))
}

/// `z` with `P(Z > z) = tail`.
fn upper(tail: f64) -> f64 {
    -normal::quantile(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schoenfeld_1983() {
        // Collett, section 10: hazard ratio 0.5729, two-sided 0.05, power 0.9: 136 deaths
        // (with his rounded normal points).
        let events = schoenfeld(0.5729, 0.025, 0.1, 0.5).expect("valid");
        assert!((events - 135.5).abs() < 0.6, "{events}");
        let power = power(0.5729, 0.025, events, 0.5).expect("valid");
        assert!((power - 0.9).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        assert!(schoenfeld(1.0, 0.05, 0.2, 0.5).is_err());
        assert!(schoenfeld(0.0, 0.05, 0.2, 0.5).is_err());
        assert!(schoenfeld(0.6, 0.0, 0.2, 0.5).is_err());
        assert!(schoenfeld(0.6, 0.5, 0.5, 0.5).is_err());
        assert!(schoenfeld(0.6, 0.05, 0.2, 1.0).is_err());
        assert!(power(0.6, 0.05, -1.0, 0.5).is_err());
    }
}
