//! Probability of tumour control.

use hepatica_physics::{Bed, Dose};

/// Poisson: no clonogen of `clonogens` survives an equivalent uniform BED.
#[must_use]
pub fn poisson(clonogens: f64, alpha_per_gy: f64, eubed: Bed) -> f64 {
    (-clonogens * (-alpha_per_gy * eubed.gy()).exp()).exp()
}

/// Log-logistic `1 / (1 + (D50 / D)^(4 gamma50))`.
#[must_use]
pub fn log_logistic(d50: Dose, gamma50: f64, dose: Dose) -> f64 {
    if dose.is_positive() { 1.0 / (1.0 + (d50 / dose).powf(4.0 * gamma50)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_points() {
        for (bed, p) in [(140.0, 2.447e-4), (160.0, 0.32454), (180.0, 0.85873), (200.0, 0.97960)] {
            assert!((poisson(1e7, 0.1, Bed::from_gy(bed)) / p - 1.0).abs() < 1e-3);
        }
        for (d, p) in [(50.0, 0.0588), (100.0, 0.5), (150.0, 0.8351), (200.0, 0.9412)] {
            let got = log_logistic(Dose::from_gy(100.0), 1.0, Dose::from_gy(d));
            assert!((got - p).abs() < 1e-4);
        }
    }
}
