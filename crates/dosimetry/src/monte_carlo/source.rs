//! Where histories start: voxels by activity, energies by the spectrum, both stratified.

use crate::activity_map::ActivityMap;
use hepatica_physics::spectrum::BetaSpectrum;

/// Share of a golden section: multiples of it fill the unit interval evenly from any start.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Voxels with activity, as a running sum.
#[derive(Debug, Clone)]
pub struct Source {
    voxels: Vec<u32>,
    /// Activity (GBq per GBq administered) up to and with each voxel.
    cumulative: Vec<f64>,
    /// Energy in MeV below which so many parts of the betas are, in equal parts.
    quantiles: Vec<f32>,
}

impl Source {
    /// Betas of a spectrum from the voxels of a map for which `wanted` is true.
    #[must_use]
    pub fn new(
        spectrum: &BetaSpectrum,
        activity: &ActivityMap,
        wanted: impl Fn(usize) -> bool,
    ) -> Self {
        let (mut voxels, mut cumulative, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (n, a) in activity.voxels().filter(|(n, a)| *a > 0.0 && wanted(*n)) {
            sum += a;
            voxels.push(n as u32);
            cumulative.push(sum);
        }
        Self { voxels, cumulative, quantiles: spectrum.quantiles(4096) }
    }

    /// Activity of all its voxels, GBq per GBq administered.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// The voxel and the energy of history `n` of `count`, of a batch that shifts places and
    /// energies by shares of a stratum: a voxel with so much activity starts so many histories, give
    /// or take one, and their energies fill the spectrum evenly.
    #[must_use]
    pub fn start(&self, n: u64, count: u64, shift: [f64; 2]) -> (usize, f32) {
        let at = (n as f64 + shift[0]) / count as f64 * self.total();
        let place = self.cumulative.partition_point(|c| *c <= at).min(self.voxels.len() - 1);
        let u = (n as f64).mul_add(GOLDEN, shift[1]).fract() * (self.quantiles.len() - 1) as f64;
        let (q, f) = (u as usize, u.fract() as f32);
        let energy = self.quantiles[q] + f * (self.quantiles[q + 1] - self.quantiles[q]);
        (self.voxels[place] as usize, energy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::{Grid, Image, Mask};
    use hepatica_physics::{Nuclide, spectrum};

    fn two_voxels() -> ActivityMap {
        let grid = Grid::axial([4, 1, 1], [1.0; 3], [0.0; 3]).expect("valid");
        let mut c = Image::filled(grid.clone(), 0.0_f32);
        c.data_mut()[1] = 1.0;
        c.data_mut()[3] = 3.0;
        ActivityMap::new(c, Mask::from_fn(grid, |_| 1.0)).expect("valid")
    }

    #[test]
    fn a_voxel_starts_as_many_as_its_activity() {
        let source = Source::new(&spectrum::Y90, &two_voxels(), |_| true);
        let count = 4000;
        let starts: Vec<_> = (0..count).map(|n| source.start(n, count, [0.4, 0.9])).collect();
        assert_eq!(starts.iter().filter(|s| s.0 == 1).count(), 1000);
        assert_eq!(starts.iter().filter(|s| s.0 == 3).count(), 3000);
        let mean = starts.iter().map(|s| f64::from(s.1)).sum::<f64>() / count as f64;
        assert!((mean / Nuclide::Y90.electron_energy.mev() - 1.0).abs() < 1e-3, "{mean}");
        assert!(starts.iter().all(|s| s.1 >= 0.0 && s.1 < 2.2786));
    }
}
