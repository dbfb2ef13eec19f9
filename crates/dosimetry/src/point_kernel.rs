//! The point kernel of 90Y in water: where the energy of a decay goes, by distance.
//!
//! The table `data/point_kernel_y90_water.csv` is made by our own transport of electrons,
//! `cargo run --release -p hepatica-dosimetry --example point_kernel`.

use crate::transport::point_source;
use hepatica_physics::Energy;

const WATER_TABLE: &str = include_str!("../data/point_kernel_y90_water.csv");
const LIVER_TABLE: &str = include_str!("../data/point_kernel_y90_liver.csv");

/// Energy by distance from a point source in water of unit density; energy that leaves as
/// bremsstrahlung is not in it, and the fractions sum to one.
#[derive(Debug, Clone, PartialEq)]
pub struct PointKernel {
    /// Fraction of the energy in each shell.
    fractions: Vec<f64>,
    /// Energy of all shells in MeV a beta.
    energy_mev: f64,
}

impl PointKernel {
    /// The kernel of 90Y in water that comes with the program.
    #[must_use]
    pub fn y90() -> Self {
        Self::parse(WATER_TABLE)
    }

    /// The kernel of 90Y in liver, distances again in mm of unit density.
    #[must_use]
    pub fn y90_in_liver() -> Self {
        Self::parse(LIVER_TABLE)
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

    /// Energy that stays within reach, per beta; the rest leaves as bremsstrahlung.
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

    #[test]
    fn the_shipped_kernel_is_whole() {
        let k = PointKernel::y90();
        assert!((k.within(100.0) - 1.0).abs() < 1e-12);
        assert!((k.within(k.distance(0.9)) - 0.9).abs() < 1e-9);
        assert!(k.reach_mm() > 9.0 && k.reach_mm() <= 12.0);
    }

    #[test]
    fn a_short_run_of_the_transport_gives_the_shipped_kernel() {
        let run = PointKernel::normalised(point_source::y90(&WATER, 20_000, 7));
        let shipped = PointKernel::y90();
        for mm in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0] {
            let (a, b) = (run.within(mm), shipped.within(mm));
            // Twenty thousand betas: about half a percent.
            assert!((a - b).abs() < 0.012, "{mm} mm: {a} {b}");
        }
    }
}
