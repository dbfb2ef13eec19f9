//! Electrons from a point in a uniform medium, in fine steps: what point kernels are made with.
//!
//! Transfers above 50 keV are sampled one by one. Electrons below 10 keV stop where they are: their
//! range is 2.5 µm of water.

use super::direction::{deflect, turn, turn_at};
use super::interaction::{Interactions, sample_transfer};
use hepatica_physics::material::Material;
use hepatica_physics::random::Random;
use hepatica_physics::scattering::moller_cosine;
use hepatica_physics::spectrum::BetaSpectrum;
use rayon::prelude::*;

/// Width of the shells energy is counted in.
pub const SHELL_MM: f64 = 0.1;
/// Shells: the range of the most energetic beta is 11.3 mm.
const SHELLS: usize = 120;
/// Transfers above this are sampled one by one.
const CUT_MEV: f64 = 0.05;
/// Electrons below this stop.
const STOP_MEV: f64 = 0.01;
/// Longest step in first transport mean free paths.
const STEP_TRANSPORT: f64 = 0.05;
/// Largest loss of a step over the energy.
const STEP_LOSS: f64 = 0.05;
/// Betas of one parcel of work; parcels are summed in order.
const PARCEL: u64 = 10_000;

/// Energy in MeV per decay in shells of [`SHELL_MM`] of unit density (0.01 g/cm²) around a point
/// source in a material; `histories` betas. The same for any number of threads.
#[must_use]
pub fn decays(spectrum: &BetaSpectrum, material: &Material, histories: u64, seed: u64) -> Vec<f64> {
    let bins = spectrum.bins(400);
    let mut sum = 0.0;
    let cumulative: Vec<f64> = bins
        .iter()
        .map(|b| {
            sum += b.1;
            sum
        })
        .collect();
    let width = spectrum.endpoint_mev() / bins.len() as f64;
    let mut shells = run(material, histories, seed, |random| {
        let u = random.uniform() * sum;
        let n = cumulative.partition_point(|c| *c < u).min(bins.len() - 1);
        bins[n].0 + (random.uniform() - 0.5) * width
    });
    // Betas a decay, and what never leaves.
    shells.iter_mut().for_each(|s| *s *= sum);
    shells[0] += spectrum.local_mev;
    shells
}

/// The same for electrons of one energy.
#[must_use]
pub fn mono(material: &Material, t_mev: f64, electrons: u64, seed: u64) -> Vec<f64> {
    run(material, electrons, seed, |_| t_mev)
}

fn run(
    material: &Material,
    count: u64,
    seed: u64,
    energy: impl Fn(&mut Random) -> f64 + Sync,
) -> Vec<f64> {
    let tables = Interactions::new(material, CUT_MEV);
    let parcels: Vec<Vec<f64>> = (0..count.div_ceil(PARCEL))
        .into_par_iter()
        .map(|parcel| {
            let mut shells = vec![0.0; SHELLS];
            for n in parcel * PARCEL..((parcel + 1) * PARCEL).min(count) {
                let mut random = random_of(seed, n);
                let t = energy(&mut random);
                follow(&tables, t, &mut random, &mut shells);
            }
            shells
        })
        .collect();
    let mut total = vec![0.0; SHELLS];
    for parcel in parcels {
        for (t, s) in total.iter_mut().zip(parcel) {
            *t += s / count as f64;
        }
    }
    total
}

/// Random numbers of one history.
fn random_of(seed: u64, history: u64) -> Random {
    let mut r = Random::new(seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ history);
    r.bits();
    Random::new(r.bits() ^ history.rotate_left(32))
}

/// Follows an electron from the origin along z, and those it sets free.
fn follow(tables: &Interactions, t_mev: f64, random: &mut Random, shells: &mut [f64]) {
    let mut waiting = vec![(t_mev, [0.0; 3], [0.0, 0.0, 1.0])];
    while let Some((mut t, mut at, mut along)) = waiting.pop() {
        while t > STOP_MEV {
            let row = tables.at(t as f32);
            let loss = f64::from(row.soft + row.radiation);
            let (first, hard) = (f64::from(row.first), f64::from(row.hard));
            let longest = (STEP_TRANSPORT / first).min(STEP_LOSS * t / loss);
            let to_hard = if hard > 0.0 { -random.uniform().ln() / hard } else { f64::INFINITY };
            let step = longest.min(to_hard);
            // Energy at the middle of the step decides, so that the loss is right to second order.
            let row = tables.at((t - 0.5 * step * loss).max(STOP_MEV * 0.5) as f32);
            let radiated = f64::from(row.radiation) * step;
            let given = Interactions::straggled(&row, step as f32, random.uniform() as f32);
            let given = f64::from(given).clamp(0.0, t - radiated);
            // A piece before and a piece after the hinge; the energy falls anywhere on them.
            let hinge = random.uniform() * step;
            let place = random.uniform() * step;
            let paths = (step * first) as f32;
            let turned = deflect(along, paths, paths * row.second_over_first, random);
            let on = |s: f64| -> [f64; 3] {
                std::array::from_fn(|a| {
                    at[a]
                        + s.min(hinge) * f64::from(along[a])
                        + (s - hinge).max(0.0) * f64::from(turned[a])
                })
            };
            score(shells, on(place), given);
            at = on(step);
            along = turned;
            t -= given + radiated;
            if to_hard <= longest && t > 2.0 * CUT_MEV {
                let w = sample_transfer(t, CUT_MEV, random);
                let (kept, (s, c)) = turn(along, moller_cosine(t, w) as f32, random);
                // The one set free leaves in the plane, on the other side.
                waiting.push((w, at, turn_at(along, moller_cosine(t, t - w) as f32, -s, -c)));
                along = kept;
                t -= w;
            }
        }
        score(shells, at, t);
    }
}

fn score(shells: &mut [f64], at: [f64; 3], mev: f64) {
    let mm = 10.0 * (at[0] * at[0] + at[1] * at[1] + at[2] * at[2]).sqrt();
    if let Some(shell) = shells.get_mut((mm / SHELL_MM) as usize) {
        *shell += mev;
    }
}
