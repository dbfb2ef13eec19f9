//! Beta spectra.
//!
//! Allowed: `N(T) = p W q² F0`; unique first-forbidden: times `q² + (F1/F0) p²`, with W, p the
//! electron's energy and momentum and q the neutrino's, in units of the electron mass; Fermi
//! functions of a point charge with finite-size radius, no screening. For 90Y the allowed shape would
//! have a mean 6 keV lower.

use crate::Nuclide;
use crate::constants::{ELECTRON_REST_MEV, FINE_STRUCTURE};
use std::f64::consts::PI;

/// Reduced Compton wavelength of the electron in fm.
const COMPTON_FM: f64 = 386.16;

/// A beta branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Branch {
    /// Largest energy, MeV.
    pub endpoint_mev: f64,
    /// Betas of it per decay.
    pub per_decay: f64,
    /// Whether the transition is unique first-forbidden; others are taken as allowed.
    pub unique: bool,
}

/// What electrons a decay emits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaSpectrum {
    /// Charge of the daughter.
    pub z: f64,
    /// Mass number.
    pub a: f64,
    /// Its branches.
    pub branches: &'static [Branch],
    /// Energy per decay of conversion and Auger electrons, MeV: they stop within 0.2 mm.
    pub local_mev: f64,
    /// Where the numbers are from.
    pub source: &'static str,
}

const fn branch(endpoint_mev: f64, per_decay: f64, unique: bool) -> Branch {
    Branch { endpoint_mev, per_decay, unique }
}

/// 90Y: one unique transition (the 0.01 % to the excited state left out).
pub const Y90: BetaSpectrum = BetaSpectrum {
    z: 40.0,
    a: 90.0,
    branches: &[branch(2.2785, 1.0, true)],
    local_mev: 0.0,
    source: "endpoint: ENSDF and DDEP agree within 0.2 keV",
};

/// 166Ho: to the ground state (0- to 0+) and the first excited state (0- to 2+, unique) of 166Er.
pub const HO166: BetaSpectrum = BetaSpectrum {
    z: 68.0,
    a: 166.0,
    branches: &[
        branch(1.8547, 0.501, false),
        branch(1.7741, 0.487, true),
        branch(0.3945, 0.0095, false),
        branch(0.1930, 0.0030, false),
    ],
    local_mev: 0.0313,
    source: "branches: ENSDF (recalled); conversion and Auger electrons: ICRP 107",
};

/// 177Lu.
pub const LU177: BetaSpectrum = BetaSpectrum {
    z: 72.0,
    a: 177.0,
    branches: &[
        branch(0.4983, 0.7944, false),
        branch(0.3854, 0.0889, false),
        branch(0.1770, 0.1158, false),
    ],
    local_mev: 0.0146,
    source: "branches: ENSDF (recalled); conversion and Auger electrons: ICRP 107",
};

impl BetaSpectrum {
    /// The spectrum of a nuclide whose betas we know.
    #[must_use]
    pub fn of(nuclide: &Nuclide) -> Option<&'static Self> {
        [(&Nuclide::Y90, &Y90), (&Nuclide::HO166, &HO166), (&Nuclide::LU177, &LU177)]
            .into_iter()
            .find(|(n, _)| n.name == nuclide.name)
            .map(|(_, s)| s)
    }

    /// Largest energy of all branches, MeV.
    #[must_use]
    pub fn endpoint_mev(&self) -> f64 {
        self.branches.iter().map(|b| b.endpoint_mev).fold(0.0, f64::max)
    }

    /// The spectrum in bins of equal width: energies of the middles in MeV, and betas per decay in
    /// each.
    #[must_use]
    pub fn bins(&self, count: usize) -> Vec<(f64, f64)> {
        let width = self.endpoint_mev() / count as f64;
        let mut bins: Vec<(f64, f64)> =
            (0..count).map(|n| ((n as f64 + 0.5) * width, 0.0)).collect();
        for b in self.branches {
            let raw: Vec<f64> = bins.iter().map(|(t, _)| self.shape(b, *t)).collect();
            let scale = b.per_decay / raw.iter().sum::<f64>();
            for (bin, n) in bins.iter_mut().zip(raw) {
                bin.1 += n * scale;
            }
        }
        bins
    }

    /// Energies in MeV that part the betas in equal numbers: `parts + 1` of them, from the least to
    /// the largest.
    #[must_use]
    pub fn quantiles(&self, parts: usize) -> Vec<f32> {
        let bins = self.bins(8192);
        let width = self.endpoint_mev() / bins.len() as f64;
        let all: f64 = bins.iter().map(|b| b.1).sum();
        let (mut below, mut bin) = (0.0, 0);
        (0..=parts)
            .map(|n| {
                let wanted = all * n as f64 / parts as f64;
                while bin + 1 < bins.len() && below + bins[bin].1 < wanted {
                    below += bins[bin].1;
                    bin += 1;
                }
                let inside = ((wanted - below) / bins[bin].1).clamp(0.0, 1.0);
                ((bin as f64 + inside) * width) as f32
            })
            .collect()
    }

    /// Energy of all betas of a decay, MeV.
    #[must_use]
    pub fn beta_mev(&self) -> f64 {
        self.bins(4000).iter().map(|(t, n)| t * n).sum()
    }

    /// Relative number of betas of a branch per energy at kinetic energy `t_mev`.
    #[must_use]
    pub fn shape(&self, branch: &Branch, t_mev: f64) -> f64 {
        if !(t_mev > 0.0 && t_mev < branch.endpoint_mev) {
            return 0.0;
        }
        let w = 1.0 + t_mev / ELECTRON_REST_MEV;
        let p = (w * w - 1.0).sqrt();
        let q = (branch.endpoint_mev - t_mev) / ELECTRON_REST_MEV;
        let f0 = self.fermi(1.0, p, w);
        let factor = if branch.unique { q * q * f0 + p * p * self.fermi(2.0, p, w) } else { f0 };
        p * w * q * q * factor
    }

    /// Fermi function of order k - 1.
    fn fermi(&self, k: f64, p: f64, w: f64) -> f64 {
        let az = FINE_STRUCTURE * self.z;
        let g = (k * k - az * az).sqrt();
        let y = az * w / p;
        let radius = 1.2 * self.a.cbrt() / COMPTON_FM;
        let odd = if k == 1.0 { 1.0 } else { 3.0 };
        let ln = 2.0 * ln_gamma_modulus(g, y) - 2.0 * ln_gamma_modulus(1.0 + 2.0 * g, 0.0)
            + PI * y
            + 2.0 * (g - k) * (2.0 * p * radius).ln();
        4.0_f64.powf(k - 1.0) * 2.0 * k * (k + g) * odd * odd * ln.exp()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_the_nuclide() {
        assert!((Y90.beta_mev() - 0.93292).abs() < 1e-4, "{}", Y90.beta_mev());
        // ICRP 107: 0.6650 and 0.1333 MeV of betas a decay.
        assert!((HO166.beta_mev() / 0.6650 - 1.0).abs() < 0.01, "{}", HO166.beta_mev());
        assert!((LU177.beta_mev() / 0.1333 - 1.0).abs() < 0.01, "{}", LU177.beta_mev());
        for nuclide in [Nuclide::Y90, Nuclide::HO166, Nuclide::LU177] {
            let s = BetaSpectrum::of(&nuclide).expect("known");
            let all = s.beta_mev() + s.local_mev;
            assert!((all / nuclide.electron_energy.mev() - 1.0).abs() < 0.01, "{}", nuclide.name);
        }
        assert_eq!(BetaSpectrum::of(&Nuclide::TC99M), None);
    }

    #[test]
    fn quantiles_part_the_betas_in_equal_numbers() {
        let q = Y90.quantiles(1000);
        let mean: f64 = q.windows(2).map(|w| f64::from(w[0] + w[1]) / 2.0).sum::<f64>() / 1000.0;
        assert!((mean / 0.93292 - 1.0).abs() < 1e-3, "{mean}");
        assert!(q[0] >= 0.0 && q[1000] <= 2.2786 && q.is_sorted());
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
