//! Intervals: relative standard uncertainties of independent parts, added in squares.
//!
//! The plan looks ahead from particles of albumin to spheres, so the intervals of doses are
//! predictive: they hold what the mapping does not tell of the treatment.

use hepatica_physics::Length;

/// Two-sided 95 % of a normal distribution.
const Z95: f64 = 1.959_964;

/// A part of a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Relative standard uncertainty.
    pub relative: f64,
    /// Where it is from.
    pub source: &'static str,
}

/// Of every dose: what is in the syringe.
const ASSAY: Part = Part { name: "assay", relative: 0.05, source: "calibrator 3-5 % (facts 9)" };
/// Of every dose: what stays in the lines.
const RESIDUAL: Part =
    Part { name: "residual", relative: 0.02, source: "Hoang, 637 administrations" };
/// Of tumour and liver means: contours.
const CONTOURS: Part = Part {
    name: "contours",
    relative: 0.054,
    source: "HCC on MRI: mean dose CV 5.4 % between readers",
};
/// Of tumour means: albumin is not spheres.
const TUMOUR_MISMATCH: Part = Part {
    name: "mapping to treatment, tumour",
    relative: 0.25,
    source: "79 patients: simulation over-estimates tumour dose by 26 % on average; 20-30 %",
};
/// Of normal liver means.
const LIVER_MISMATCH: Part = Part {
    name: "mapping to treatment, normal liver",
    relative: 0.10,
    source: "glass, rho .91; about 10 %",
};

/// Lung shunt: standard deviation in fractions, SPECT/CT against what was realised.
pub const SHUNT_SD_SPECT: (f64, &str) =
    (0.036, "SPECT/CT minus realised shunt: +0.8 points, SD 3.6 (Young 2022, 83 treatments)");
/// Lung shunt: planar against what was realised.
pub const SHUNT_SD_PLANAR: (f64, &str) =
    (0.053, "planar minus realised shunt: +8.5 points, SD 5.3 (Young 2022, 83 treatments)");
/// Lung shunt stated by a person: as for SPECT/CT.
pub const SHUNT_SD_STATED: (f64, &str) =
    (0.036, "stated shunt, taken to be as uncertain as SPECT/CT (Young 2022)");

/// What histories leave of a mean dose.
#[must_use]
pub fn of_histories(relative: f64) -> Part {
    Part { name: "Monte Carlo", relative, source: "spread between batches of histories" }
}

/// Parts of the mean dose of a tumour.
#[must_use]
pub fn of_tumour() -> Vec<Part> {
    vec![ASSAY, RESIDUAL, CONTOURS, TUMOUR_MISMATCH]
}

/// Parts of the mean dose of normal liver.
#[must_use]
pub fn of_liver() -> Vec<Part> {
    vec![ASSAY, RESIDUAL, CONTOURS, LIVER_MISMATCH]
}

/// The parts together.
#[must_use]
pub fn relative(parts: &[Part]) -> f64 {
    parts.iter().map(|p| p.relative * p.relative).sum::<f64>().sqrt()
}

/// 95 % interval of a positive value with a relative standard uncertainty: log-normal, so that it
/// stays above zero.
#[must_use]
pub fn interval(value: f64, relative: f64) -> [f64; 2] {
    let sigma = (1.0 + relative * relative).ln().sqrt();
    [value * (-Z95 * sigma).exp(), value * (Z95 * sigma).exp()]
}

/// 95 % interval of a fraction with an absolute standard uncertainty, cut off at 0 and 1.
#[must_use]
pub fn fraction_interval(value: f64, sd: f64) -> [f64; 2] {
    [(value - Z95 * sd).max(0.0), (value + Z95 * sd).min(1.0)]
}

/// Standard uncertainty of a diameter by voxel size and resolution, and the relative one of the
/// volume it spans (EANM, Gear 2018): `u² = a²/6 + FWHM²/(4 ln 2)`, and three times that over the
/// diameter for the volume.
#[must_use]
pub fn of_volume(diameter: Length, voxel: Length, fwhm: Length) -> (Length, f64) {
    let (a, w) = (voxel.mm(), fwhm.mm());
    let u = (a * a / 6.0 + w * w / (4.0 * std::f64::consts::LN_2)).sqrt();
    (Length::from_mm(u), 3.0 * u / diameter.mm())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_parts_add_in_squares() {
        let part = |relative| Part { name: "", relative, source: "" };
        let sum = relative(&[part(0.05), part(0.10), part(0.08)]);
        assert!((sum - 0.13748).abs() < 1e-5);
    }

    #[test]
    fn intervals_hold_their_value_and_stay_where_they_can_be() {
        let [low, high] = interval(100.0, 0.27);
        assert!(0.0 < low && low < 100.0 && 100.0 < high);
        assert_eq!(fraction_interval(0.03, 0.036)[0], 0.0);
    }
}
