//! Point kernels: where the energy of a decay goes, by distance.
//!
//! The tables of `data/` are made by our own transport of electrons,
//! `cargo run --release -p hepatica-dosimetry --example point_kernel 90Y liver`.

use crate::transport::point_source;
use hepatica_physics::{Energy, Nuclide};

const Y90_WATER: &str = include_str!("../data/point_kernel_y90_water.csv");
const Y90_LIVER: &str = include_str!("../data/point_kernel_y90_liver.csv");
const HO166_WATER: &str = include_str!("../data/point_kernel_ho166_water.csv");
const HO166_LIVER: &str = include_str!("../data/point_kernel_ho166_liver.csv");

/// Energy by distance from a point source in a medium of unit density; energy that leaves as
/// bremsstrahlung is not in it, and the fractions sum to one.
#[derive(Debug, Clone, PartialEq)]
pub struct PointKernel {
    /// Fraction of the energy in each shell.
    fractions: Vec<f64>,
    /// Energy of all shells in MeV a decay.
    energy_mev: f64,
}

impl PointKernel {
    /// The kernel of a nuclide in water that comes with the program; none for a nuclide whose
    /// electrons we do not follow.
    #[must_use]
    pub fn in_water(nuclide: &Nuclide) -> Option<Self> {
        Self::shipped(nuclide, [Y90_WATER, HO166_WATER])
    }

    /// The kernel of a nuclide in liver, distances again in mm of unit density.
    #[must_use]
    pub fn in_liver(nuclide: &Nuclide) -> Option<Self> {
        Self::shipped(nuclide, [Y90_LIVER, HO166_LIVER])
    }

    fn shipped(nuclide: &Nuclide, tables: [&str; 2]) -> Option<Self> {
        let known = [Nuclide::Y90, Nuclide::HO166];
        let n = known.iter().position(|k| k.name == nuclide.name)?;
        Some(Self::parse(tables[n]))
    }

    fn parse(table: &str) -> Self {
        let lines = table.lines().filter(|l| !l.starts_with('#')).skip(1);
        let read = |l: &str| l.split(',').nth(1).and_then(|x| x.parse::<f64>().ok());
        Self::normalised(lines.filter_map(read).collect())
    }

    /// A kernel of energies in shells of [`point_source::SHELL_MM`].
    #[must_use]
    pub fn normalised(energies: Vec<f64>) -> Self {
        let sum: f64 = energies.iter().sum();
        Self { fractions: energies.into_iter().map(|e| e / sum).collect(), energy_mev: sum }
    }

    /// Energy that stays within reach, per decay; the rest leaves as bremsstrahlung.
    #[must_use]
    pub fn energy(&self) -> Energy {
        Energy::from_mev(self.energy_mev)
    }

    /// Middle of every shell in mm of unit density, and its fraction of the energy.
    pub fn shells(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let middle = |n: usize| (n as f64 + 0.5) * point_source::SHELL_MM;
        self.fractions.iter().enumerate().map(move |(n, f)| (middle(n), *f))
    }

    /// Fraction of the energy within a distance, in mm of unit density.
    #[must_use]
    pub fn within(&self, mm: f64) -> f64 {
        let at = (mm / point_source::SHELL_MM).max(0.0);
        let whole = (at as usize).min(self.fractions.len());
        let part = self.fractions.get(whole).map_or(0.0, |f| f * (at - whole as f64));
        self.fractions[..whole].iter().sum::<f64>() + part
    }

    /// The distance within which a fraction of the energy stays, in mm of unit density.
    #[must_use]
    pub fn distance(&self, fraction: f64) -> f64 {
        let mut sum = 0.0;
        for (n, f) in self.fractions.iter().enumerate() {
            if sum + f >= fraction && *f > 0.0 {
                return (n as f64 + (fraction - sum) / f) * point_source::SHELL_MM;
            }
            sum += f;
        }
        self.fractions.len() as f64 * point_source::SHELL_MM
    }

    /// Distance beyond which there is nothing, in mm of unit density.
    #[must_use]
    pub fn reach_mm(&self) -> f64 {
        let last = self.fractions.iter().rposition(|f| *f > 0.0).map_or(0, |n| n + 1);
        last as f64 * point_source::SHELL_MM
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::material::WATER;
    use hepatica_physics::spectrum::{HO166, Y90};

    #[test]
    fn the_shipped_kernels_are_whole() {
        for (nuclide, reach) in [(Nuclide::Y90, 9.0..=12.0), (Nuclide::HO166, 6.5..=9.5)] {
            for k in [PointKernel::in_water(&nuclide), PointKernel::in_liver(&nuclide)] {
                let k = k.expect("shipped");
                assert!((k.within(100.0) - 1.0).abs() < 1e-12);
                assert!((k.within(k.distance(0.9)) - 0.9).abs() < 1e-9);
                assert!(reach.contains(&k.reach_mm()), "{}: {}", nuclide.name, k.reach_mm());
                let local = k.energy() / nuclide.electron_energy;
                assert!((0.985..1.005).contains(&local), "{}: {local}", nuclide.name);
            }
        }
        assert_eq!(PointKernel::in_water(&Nuclide::TC99M), None);
    }

    #[test]
    fn a_short_run_of_the_transport_gives_the_shipped_kernel() {
        for (nuclide, spectrum) in [(Nuclide::Y90, &Y90), (Nuclide::HO166, &HO166)] {
            let run = PointKernel::normalised(point_source::decays(spectrum, &WATER, 20_000, 7));
            let shipped = PointKernel::in_water(&nuclide).expect("shipped");
            for mm in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0] {
                let (a, b) = (run.within(mm), shipped.within(mm));
                // Twenty thousand betas: about half a percent.
                assert!((a - b).abs() < 0.012, "{} {mm} mm: {a} {b}", nuclide.name);
            }
        }
    }
}
