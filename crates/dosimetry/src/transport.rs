//! Transport of electrons from a point source in water: what the point kernel is made with.
//!
//! Electrons slow down continuously by collisions that transfer less than 50 keV, with Gaussian
//! straggling, and deflect at a random point of each step (random hinge) by an angle whose first
//! two moments are those of Goudsmit and Saunderson. Transfers above 50 keV are sampled one by one
//! (Møller); the electrons they set free are followed, too. Energy lost to bremsstrahlung (0.3 % of
//! the whole) is not followed. Electrons below 10 keV stop where they are: their range is 2.5 µm.

use hepatica_physics::random::Random;
use hepatica_physics::scattering::{
    self, electrons_per_gram, inverse_transport_paths, moller_cosine, moller_per_transfer,
};
use hepatica_physics::spectrum;
use hepatica_physics::stopping;
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

/// Energy in MeV per beta in shells of [`SHELL_MM`] around a point source of 90Y in water of unit
/// density. The same for any number of threads.
#[must_use]
pub fn y90_in_water(betas: u64, seed: u64) -> Vec<f64> {
    let bins = spectrum::y90_bins(400);
    let mut sum = 0.0;
    let cumulative: Vec<f64> = bins
        .iter()
        .map(|b| {
            sum += b.1;
            sum
        })
        .collect();
    let width = spectrum::Y90_ENDPOINT_MEV / bins.len() as f64;
    run(betas, seed, |random| {
        let u = random.uniform();
        let n = cumulative.partition_point(|c| *c < u).min(bins.len() - 1);
        bins[n].0 + (random.uniform() - 0.5) * width
    })
}

/// The same for electrons of one energy.
#[must_use]
pub fn mono_in_water(t_mev: f64, electrons: u64, seed: u64) -> Vec<f64> {
    run(electrons, seed, |_| t_mev)
}

fn run(count: u64, seed: u64, energy: impl Fn(&mut Random) -> f64 + Sync) -> Vec<f64> {
    let tables = Tables::water();
    let parcels: Vec<Vec<f64>> = (0..count.div_ceil(PARCEL))
        .into_par_iter()
        .map(|parcel| {
            let mut shells = vec![0.0; SHELLS];
            for n in parcel * PARCEL..((parcel + 1) * PARCEL).min(count) {
                let mut random = random_of(seed, n);
                let t = energy(&mut random);
                tables.follow(t, &mut random, &mut shells);
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

/// What a step needs, by energy: logarithmic grid, linear in between.
struct Tables {
    low: f64,
    per_ln: f64,
    /// Loss by collisions below the cut, loss by radiation, both inverse transport paths, straggling
    /// variance, all per cm; inverse path to a transfer above the cut.
    rows: Vec<[f64; 6]>,
}

impl Tables {
    fn water() -> Self {
        let (low, high, count) = (STOP_MEV * 0.5, 2.4_f64, 400);
        let per_ln = f64::from(count - 1) / (high / low).ln();
        let electrons = electrons_per_gram(&scattering::WATER);
        let rows = (0..count)
            .map(|n| {
                let t = low * (f64::from(n) / per_ln).exp();
                let moment = |from: f64, to: f64, power: i32| -> f64 {
                    if to <= from {
                        return 0.0;
                    }
                    let step = (to / from).ln() / 200.0;
                    (0..200)
                        .map(|m| {
                            let w = from * (step * (f64::from(m) + 0.5)).exp();
                            w.powi(power) * moller_per_transfer(t, w) * w * step
                        })
                        .sum::<f64>()
                        * electrons
                };
                let cut = CUT_MEV.min(t / 2.0);
                let hard_loss = moment(cut, t / 2.0, 1);
                let [l1, l2] = inverse_transport_paths(&scattering::WATER, t, CUT_MEV);
                [
                    stopping::WATER.collision(t) - hard_loss,
                    stopping::WATER.radiative(t),
                    l1,
                    l2,
                    moment(1e-5, cut, 2),
                    moment(cut, t / 2.0, 0),
                ]
            })
            .collect();
        Self { low, per_ln, rows }
    }

    fn at(&self, t: f64) -> [f64; 6] {
        let x = ((t / self.low).ln() * self.per_ln).clamp(0.0, (self.rows.len() - 2) as f64);
        let n = x as usize;
        let f = x - n as f64;
        std::array::from_fn(|a| self.rows[n][a] * (1.0 - f) + self.rows[n + 1][a] * f)
    }

    /// Follows an electron from the origin along z, and those it sets free.
    fn follow(&self, t_mev: f64, random: &mut Random, shells: &mut [f64]) {
        let mut waiting = vec![(t_mev, [0.0; 3], [0.0, 0.0, 1.0])];
        while let Some((mut t, mut at, mut along)) = waiting.pop() {
            while t > STOP_MEV {
                let [soft, radiative, l1, l2, straggling, hard] = self.at(t);
                let loss = soft + radiative;
                let longest = (STEP_TRANSPORT / l1).min(STEP_LOSS * t / loss);
                let to_hard =
                    if hard > 0.0 { -random.uniform().ln() / hard } else { f64::INFINITY };
                let step = longest.min(to_hard);
                // Energy at the middle of the step decides, so that the loss is right to second order.
                let [soft, radiative, ..] = self.at((t - 0.5 * step * loss).max(STOP_MEV * 0.5));
                let spread = (straggling * step).sqrt() * random.gauss();
                let given = (soft * step + spread).clamp(0.0, t - radiative * step);
                // A piece before and a piece after the hinge; the energy falls anywhere on them.
                let hinge = random.uniform() * step;
                let place = random.uniform() * step;
                let turned = deflect(along, step * l1, step * l2, random);
                let on = |s: f64| -> [f64; 3] {
                    std::array::from_fn(|a| {
                        at[a] + s.min(hinge) * along[a] + (s - hinge).max(0.0) * turned[a]
                    })
                };
                score(shells, on(place), given);
                at = on(step);
                along = turned;
                t -= given + radiative * step;
                if to_hard <= longest && t > 2.0 * CUT_MEV {
                    let w = sample_moller(t, random);
                    let azimuth = std::f64::consts::TAU * random.uniform();
                    let cosine = moller_cosine(t, w);
                    // The one set free leaves in the plane, on the other side.
                    let freed = moller_cosine(t, t - w);
                    waiting.push((w, at, rotated(along, freed, azimuth + std::f64::consts::PI)));
                    along = rotated(along, cosine, azimuth);
                    t -= w;
                }
            }
            score(shells, at, t);
        }
    }
}

fn score(shells: &mut [f64], at: [f64; 3], mev: f64) {
    let mm = 10.0 * (at[0] * at[0] + at[1] * at[1] + at[2] * at[2]).sqrt();
    if let Some(shell) = shells.get_mut((mm / SHELL_MM) as usize) {
        *shell += mev;
    }
}

/// A transfer between the cut and half the energy, by rejection from `1 / w²`.
fn sample_moller(t: f64, random: &mut Random) -> f64 {
    let (low, high) = (CUT_MEV, t / 2.0);
    let top = moller_per_transfer(t, low) * low * low;
    // The shape over 1/w² is largest at one of the ends.
    let most = top.max(moller_per_transfer(t, high) * high * high) * 1.0001;
    loop {
        let w = 1.0 / (1.0 / low + random.uniform() * (1.0 / high - 1.0 / low));
        if random.uniform() * most <= moller_per_transfer(t, w) * w * w {
            return w;
        }
    }
}

/// A direction after a step of so many first and second transport paths: an angle from two uniform
/// pieces that have the right first two moments (Salvat's artificial distribution).
fn deflect(along: [f64; 3], first: f64, second: f64, random: &mut Random) -> [f64; 3] {
    let mean = 0.5 * (1.0 - (-first).exp());
    let square = mean - (1.0 - (-second).exp()) / 6.0;
    let b = ((2.0 * mean - 3.0 * square) / (1.0 - 2.0 * mean)).clamp(0.0, 1.0);
    let a = (1.0 - 2.0 * mean + b).clamp(0.0, 1.0);
    let u = random.uniform();
    let mu = if random.uniform() < a { b * u } else { b + (1.0 - b) * u };
    rotated(along, 1.0 - 2.0 * mu, std::f64::consts::TAU * random.uniform())
}

/// A direction turned by a polar angle of that cosine, and an azimuth.
fn rotated([x, y, z]: [f64; 3], cosine: f64, azimuth: f64) -> [f64; 3] {
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let (s, c) = azimuth.sin_cos();
    let across = (1.0 - z * z).max(0.0).sqrt();
    let turned = if across < 1e-9 {
        [sine * c, sine * s, cosine * z.signum()]
    } else {
        [
            x * cosine + sine * (x * z * c - y * s) / across,
            y * cosine + sine * (y * z * c + x * s) / across,
            z * cosine - sine * across * c,
        ]
    };
    let norm = (turned[0] * turned[0] + turned[1] * turned[1] + turned[2] * turned[2]).sqrt();
    turned.map(|v| v / norm)
}
