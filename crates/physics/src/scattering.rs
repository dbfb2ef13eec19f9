//! Angular scattering of electrons: transport mean free paths.
//!
//! Nuclei scatter by the Rutherford cross-section with Molière's screening and the
//! McKinley-Feshbach form of the Mott factor (good to a percent for light nuclei); without the Mott
//! factor ranges come out 2-3 % short. Atomic electrons scatter by Møller's cross-section up to a
//! given energy transfer; what is above is for the caller to sample, so that nothing counts twice.

use crate::constants::{ELECTRON_REST_MEV, FINE_STRUCTURE};
use crate::material::Material;
use std::f64::consts::PI;

/// Classical electron radius in cm.
const ELECTRON_RADIUS_CM: f64 = 2.817_940_3e-13;

/// Inverse first and second transport mean free paths in cm²/g at kinetic energy `t_mev`, of
/// nuclei, and of atomic electrons for energy transfers below `cut_mev`.
#[must_use]
pub fn inverse_transport_paths(material: &Material, t_mev: f64, cut_mev: f64) -> [f64; 2] {
    let electrons = moller(t_mev, cut_mev);
    let mut sum = electrons.map(|s| s * material.electrons_per_gram());
    for (e, per_gram) in material.atoms() {
        let nuclei = nuclear(f64::from(e.z), t_mev);
        for n in 0..2 {
            sum[n] += per_gram * nuclei[n];
        }
    }
    sum
}

/// Momentum squared (MeV²/c²) and velocity squared (c²).
fn kinematics(t_mev: f64) -> (f64, f64) {
    let p2 = t_mev * (t_mev + 2.0 * ELECTRON_REST_MEV);
    let total = t_mev + ELECTRON_REST_MEV;
    (p2, p2 / (total * total))
}

/// First and second transport cross-section of a nucleus in cm².
fn nuclear(z: f64, t_mev: f64) -> [f64; 2] {
    let (p2, beta2) = kinematics(t_mev);
    let beta = beta2.sqrt();
    let az = FINE_STRUCTURE * z;
    // Molière: (hbar / (2 p a))² (1.13 + 3.76 (alpha Z / beta)²), a the Thomas-Fermi radius.
    let thomas_fermi = 0.885 * ELECTRON_REST_MEV.recip() / FINE_STRUCTURE * z.powf(-1.0 / 3.0);
    let eta = (1.13 + 3.76 * (az / beta).powi(2)) / (4.0 * p2 * thomas_fermi * thomas_fermi);
    let scale = z * ELECTRON_RADIUS_CM * ELECTRON_REST_MEV / (p2.sqrt() * beta);
    // In u = (1 - cos)/2, logarithmically: the cross-section is 1 / (4 (u + eta)²) in units of
    // scale², the solid angle 4 pi du.
    integrate(eta, 1.0, |u| {
        let s = u.sqrt();
        let mott = 1.0 - beta2 * u + PI * az * beta * s * (1.0 - s);
        let sigma = scale * scale * mott / (4.0 * (u + eta) * (u + eta)) * 4.0 * PI;
        [2.0 * u * sigma, 6.0 * u * (1.0 - u) * sigma]
    })
}

/// First and second transport cross-section of an atomic electron in cm², for transfers from the
/// binding to `cut_mev`.
fn moller(t_mev: f64, cut_mev: f64) -> [f64; 2] {
    let top = cut_mev.min(t_mev / 2.0);
    // Below about the ionisation energy of water's electrons collisions are distant and deflect
    // like a screened nucleus; the logarithm makes the choice of little weight.
    let low = 15e-6;
    integrate_between(low, top, |w| {
        let sigma = moller_per_transfer(t_mev, w);
        let u = 0.5 * (1.0 - moller_cosine(t_mev, w));
        [2.0 * u * sigma, 6.0 * u * (1.0 - u) * sigma]
    })
}

/// Møller cross-section per energy transfer, cm²/MeV.
#[must_use]
pub fn moller_per_transfer(t_mev: f64, w_mev: f64) -> f64 {
    let (_, beta2) = kinematics(t_mev);
    let gamma = 1.0 + t_mev / ELECTRON_REST_MEV;
    let e = w_mev / t_mev;
    let c = (gamma - 1.0) / gamma;
    let shape = 1.0 / (e * e) + 1.0 / ((1.0 - e) * (1.0 - e)) + c * c
        - (2.0 * gamma - 1.0) / (gamma * gamma) / (e * (1.0 - e));
    2.0 * PI * ELECTRON_RADIUS_CM * ELECTRON_RADIUS_CM * ELECTRON_REST_MEV / beta2 * shape
        / (t_mev * t_mev)
}

/// Cosine of the primary's deflection at a transfer, from momentum and energy.
#[must_use]
pub fn moller_cosine(t_mev: f64, w_mev: f64) -> f64 {
    let m = 2.0 * ELECTRON_REST_MEV;
    let left = t_mev - w_mev;
    ((left * (t_mev + m)) / (t_mev * (left + m))).sqrt()
}

/// Integral from nothing to `high` of a function that bends at `scale`, by logarithmic steps.
fn integrate(scale: f64, high: f64, f: impl Fn(f64) -> [f64; 2]) -> [f64; 2] {
    integrate_between(scale * 1e-4, high, f)
}

fn integrate_between(low: f64, high: f64, f: impl Fn(f64) -> [f64; 2]) -> [f64; 2] {
    if !(high > low) {
        return [0.0; 2];
    }
    let steps = 600;
    let step = (high / low).ln() / f64::from(steps);
    let mut sum = [0.0; 2];
    for n in 0..steps {
        let x = low * (step * (f64::from(n) + 0.5)).exp();
        let y = f(x);
        for a in 0..2 {
            sum[a] += y[a] * x * step;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::material::WATER;

    #[test]
    fn nuclei_of_water_as_by_partial_waves() {
        let inverse = |t: f64, moment: usize| -> f64 {
            WATER.atoms().map(|(e, n)| n * nuclear(f64::from(e.z), t)[moment]).sum()
        };
        // Facts page 5.1: first and second transport mean free path in g/cm², nuclei alone.
        for (t, lambda) in [(0.1, 1.589e-2), (0.5, 0.2217), (1.0, 0.6395), (2.0, 1.872)] {
            let product = inverse(t, 0) * lambda;
            assert!((product - 1.0).abs() < 0.02, "{t} MeV: {product}");
        }
        for (t, lambda) in [(0.1, 6.01e-3), (0.5, 0.0798), (1.0, 0.227), (2.0, 0.658)] {
            let product = inverse(t, 1) * lambda;
            assert!((product - 1.0).abs() < 0.02, "{t} MeV: {product}");
        }
    }
}
