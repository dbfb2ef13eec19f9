//! The beta spectrum of 90Y: a unique first-forbidden transition.
//!
//! `N(T) = p W q² F0 [q² + (F1/F0) p²]` with W, p the electron's energy and momentum and q the
//! neutrino's, in units of the electron mass; Fermi functions of a point charge with
//! finite-size radius, no screening. The allowed shape would have a mean 6 keV lower.

use crate::constants::{ELECTRON_REST_MEV, FINE_STRUCTURE};
use std::f64::consts::PI;

/// Endpoint of 90Y in MeV (ENSDF and DDEP agree within 0.2 keV).
pub const Y90_ENDPOINT_MEV: f64 = 2.2785;
/// Charge of the daughter, zirconium.
const Z: f64 = 40.0;
/// Mass number.
const A: f64 = 90.0;
/// Reduced Compton wavelength of the electron in fm.
const COMPTON_FM: f64 = 386.16;

/// Relative number of betas per energy at kinetic energy `t_mev`, for an endpoint.
#[must_use]
pub fn y90_shape(t_mev: f64, endpoint_mev: f64) -> f64 {
    if !(t_mev > 0.0 && t_mev < endpoint_mev) {
        return 0.0;
    }
    let w = 1.0 + t_mev / ELECTRON_REST_MEV;
    let p = (w * w - 1.0).sqrt();
    let q = (endpoint_mev - t_mev) / ELECTRON_REST_MEV;
    let (f0, f1) = (fermi(1.0, p, w), fermi(2.0, p, w));
    p * w * q * q * (q * q * f0 + p * p * f1)
}

/// Fermi function of order k - 1.
fn fermi(k: f64, p: f64, w: f64) -> f64 {
    let az = FINE_STRUCTURE * Z;
    let g = (k * k - az * az).sqrt();
    let y = az * w / p;
    let radius = 1.2 * A.cbrt() / COMPTON_FM;
    let odd = if k == 1.0 { 1.0 } else { 3.0 };
    let ln = 2.0 * ln_gamma_modulus(g, y) - 2.0 * ln_gamma_modulus(1.0 + 2.0 * g, 0.0)
        + PI * y
        + 2.0 * (g - k) * (2.0 * p * radius).ln();
    4.0_f64.powf(k - 1.0) * 2.0 * k * (k + g) * odd * odd * ln.exp()
}

/// `ln |Gamma(x + iy)|` by Stirling's series after shifting x upwards.
fn ln_gamma_modulus(mut x: f64, y: f64) -> f64 {
    let mut shift = 0.0;
    while x < 12.0 {
        shift += 0.5 * (x * x + y * y).ln();
        x += 1.0;
    }
    // Real part of (z - 1/2) ln z - z + ln(2 pi)/2 + 1/(12 z) - 1/(360 z^3).
    let r2 = x * x + y * y;
    let (ln_r, arg) = (0.5 * r2.ln(), y.atan2(x));
    let inverse = x / r2;
    let cubed = (x * x * x - 3.0 * x * y * y) / (r2 * r2 * r2);
    (x - 0.5) * ln_r - y * arg - x + 0.5 * (2.0 * PI).ln() + inverse / 12.0 - cubed / 360.0 - shift
}

/// The spectrum in bins of equal width: energies of the middles in MeV, and fractions of the betas
/// (sum 1).
#[must_use]
pub fn y90_bins(count: usize) -> Vec<(f64, f64)> {
    let width = Y90_ENDPOINT_MEV / count as f64;
    let raw: Vec<(f64, f64)> = (0..count)
        .map(|n| {
            let t = (n as f64 + 0.5) * width;
            (t, y90_shape(t, Y90_ENDPOINT_MEV))
        })
        .collect();
    let sum: f64 = raw.iter().map(|b| b.1).sum();
    raw.into_iter().map(|(t, n)| (t, n / sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nuclide;

    #[test]
    fn the_mean_is_that_of_the_nuclide() {
        let mean: f64 = y90_bins(2000).iter().map(|(t, f)| t * f).sum();
        assert!((mean - 0.93292).abs() < 1e-4, "{mean}");
        assert!((mean - Nuclide::Y90.electron_energy.mev()).abs() < 1e-4);
    }

    #[test]
    fn the_gamma_function_of_real_numbers() {
        assert!((ln_gamma_modulus(5.0, 0.0) - 24.0_f64.ln()).abs() < 1e-8);
        // |Gamma(iy + 1)|^2 = pi y / sinh(pi y)
        let y = 0.7_f64;
        let expected = 0.5 * (PI * y / (PI * y).sinh()).ln();
        assert!((ln_gamma_modulus(1.0, y) - expected).abs() < 1e-8);
    }
}
