//! What an electron loses and how it scatters in a material, by energy.

use hepatica_physics::material::Material;
use hepatica_physics::random::Random;
use hepatica_physics::scattering::{inverse_transport_paths, moller_per_transfer};
use hepatica_physics::stopping::Stopping;

/// Least energy of the tables, MeV: a power of two, so that rows go by the bits of a number.
const LOWEST_MEV: f32 = 1.0 / 256.0;
/// Octaves: up to 4 MeV.
const OCTAVES: u32 = 10;
/// Rows of an octave, as bits: 64.
const ROW_BITS: u32 = 6;
const SHIFT: u32 = 23 - ROW_BITS;

/// What happens to an electron of an energy, per mass length (g/cm²).
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub struct Row {
    /// Loss by collisions that transfer less than the cut, MeV cm²/g.
    pub soft: f32,
    /// Loss by radiation, MeV cm²/g.
    pub radiation: f32,
    /// Inverse first transport mean free path, cm²/g.
    pub first: f32,
    /// Second over first inverse transport mean free path.
    pub second_over_first: f32,
    /// Variance of the soft loss, MeV² cm²/g.
    pub straggling: f32,
    /// Inverse mean free path to a transfer above the cut, cm²/g.
    pub hard: f32,
    unused: [f32; 2],
}

/// Interactions in a material at energies from 4 keV to 4 MeV.
#[derive(Debug, Clone)]
pub struct Interactions {
    /// Transfers above this are for the caller to sample one by one, MeV.
    pub cut: f32,
    rows: Vec<Row>,
}

impl Interactions {
    /// Tables of a material, with transfers below `cut_mev` in the continuous part.
    #[must_use]
    pub fn new(material: &Material, cut_mev: f64) -> Self {
        let stopping = Stopping::new(material);
        let electrons = material.electrons_per_gram();
        let count = (OCTAVES << ROW_BITS) + 1;
        let rows = (0..count)
            .map(|n| {
                let t = f64::from(energy_of(n));
                let cut = cut_mev.min(t / 2.0);
                let moment = |from: f64, to: f64, power: i32| {
                    electrons * transfer_moment(t, from, to, power)
                };
                let [first, second] = inverse_transport_paths(material, t, cut_mev);
                Row {
                    soft: (stopping.collision(t) - moment(cut, t / 2.0, 1)) as f32,
                    radiation: stopping.radiative(t) as f32,
                    first: first as f32,
                    second_over_first: (second / first) as f32,
                    straggling: moment(1e-5, cut, 2) as f32,
                    hard: moment(cut, t / 2.0, 0) as f32,
                    unused: [0.0; 2],
                }
            })
            .collect();
        Self { cut: cut_mev as f32, rows }
    }

    /// Interactions at an energy in MeV, linear between rows.
    #[inline]
    #[must_use]
    pub fn at(&self, t: f32) -> Row {
        let bits = t.to_bits().saturating_sub(LOWEST_MEV.to_bits());
        let n = ((bits >> SHIFT) as usize).min(self.rows.len() - 2);
        let f = (bits & ((1 << SHIFT) - 1)) as f32 / (1_u32 << SHIFT) as f32;
        let (a, b) = (&self.rows[n], &self.rows[n + 1]);
        let mix = |x: f32, y: f32| x + f * (y - x);
        Row {
            soft: mix(a.soft, b.soft),
            radiation: mix(a.radiation, b.radiation),
            first: mix(a.first, b.first),
            second_over_first: mix(a.second_over_first, b.second_over_first),
            straggling: mix(a.straggling, b.straggling),
            hard: mix(a.hard, b.hard),
            unused: [0.0; 2],
        }
    }

    /// Soft loss over a mass length, at random: mean and variance are exact, and it is never
    /// negative. `uniform` is between 0 and 1.
    #[inline]
    #[must_use]
    pub fn straggled(row: &Row, mass_length: f32, uniform: f32) -> f32 {
        let mean = row.soft * mass_length;
        let ratio = row.straggling / (row.soft * mean);
        if ratio < 1.0 / 3.0 {
            mean * (1.0 + (3.0 * ratio).sqrt() * (2.0 * uniform - 1.0))
        } else if uniform * (1.0 + ratio) < 1.0 {
            mean * (1.0 + ratio)
        } else {
            0.0
        }
    }
}

fn energy_of(row: u32) -> f32 {
    f32::from_bits(LOWEST_MEV.to_bits() + (row << SHIFT))
}

/// Moment of the transfers of one atomic electron, cm² MeV^power.
fn transfer_moment(t: f64, from: f64, to: f64, power: i32) -> f64 {
    if to <= from {
        return 0.0;
    }
    let steps = 200;
    let step = (to / from).ln() / f64::from(steps);
    (0..steps)
        .map(|n| {
            let w = from * (step * (f64::from(n) + 0.5)).exp();
            w.powi(power) * moller_per_transfer(t, w) * w * step
        })
        .sum()
}

/// A transfer between `cut` and half the energy, by rejection from `1 / w²`.
#[must_use]
pub fn sample_transfer(t: f64, cut: f64, random: &mut Random) -> f64 {
    let (low, high) = (cut, t / 2.0);
    // The shape over 1/w² is largest at one of the ends.
    let shape = |w: f64| moller_per_transfer(t, w) * w * w;
    let most = shape(low).max(shape(high)) * 1.0001;
    loop {
        let w = 1.0 / (1.0 / low + random.uniform() * (1.0 / high - 1.0 / low));
        if random.uniform() * most <= shape(w) {
            return w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::material::WATER;

    #[test]
    fn rows_are_found_by_energy() {
        let water = Interactions::new(&WATER, 0.05);
        let stopping = Stopping::new(&WATER);
        for t in [0.004_f32, 0.0123, 0.09] {
            // Nothing is above the cut: the whole collision loss is soft.
            let exact = stopping.collision(f64::from(t)) as f32;
            assert!((water.at(t).soft / exact - 1.0).abs() < 3e-4, "{t} MeV");
        }
        assert!(water.at(1e-6).soft.is_finite() && water.at(1e6).soft.is_finite());
    }

    #[test]
    fn straggling_has_its_mean_and_variance() {
        let water = Interactions::new(&WATER, 0.1);
        let row = water.at(1.0);
        for mass_length in [0.05_f32, 0.002] {
            let n = 40_000;
            let all: Vec<f64> = (0..n)
                .map(|i| {
                    f64::from(Interactions::straggled(
                        &row,
                        mass_length,
                        (i as f32 + 0.5) / n as f32,
                    ))
                })
                .collect();
            let mean = all.iter().sum::<f64>() / f64::from(n);
            let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
            assert!((mean / f64::from(row.soft * mass_length) - 1.0).abs() < 1e-3);
            assert!((variance / f64::from(row.straggling * mass_length) - 1.0).abs() < 5e-3);
            assert!(all.iter().all(|x| *x >= 0.0));
        }
    }

    #[test]
    fn transfers_have_the_mean_of_the_cross_section() {
        let (t, cut) = (1.0, 0.1);
        let mut random = Random::new(3);
        let n = 40_000;
        let mean = (0..n).map(|_| sample_transfer(t, cut, &mut random)).sum::<f64>() / f64::from(n);
        let expected = transfer_moment(t, cut, t / 2.0, 1) / transfer_moment(t, cut, t / 2.0, 0);
        assert!((mean / expected - 1.0).abs() < 0.01, "{mean} {expected}");
    }
}
