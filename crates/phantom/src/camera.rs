//! The cameras: a reconstructed SPECT, and planar views through the patient.

use crate::anatomy;
use crate::random;
use crate::truth::Activity;
use hepatica_imaging::blur::{FWHM_TO_SIGMA, gaussian, sigma_in_voxels};
use hepatica_imaging::{Grid, Image, Planar, PlanarView};
use rayon::prelude::*;

/// A reconstructed SPECT: what scatter- and attenuation-corrected reconstruction leaves is blur and
/// noise. The blur has two parts, before and after the noise, so that noise is correlated as by
/// the filter after reconstruction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spect {
    /// Resolution of the whole, in mm.
    pub fwhm_mm: f64,
    /// Filter after reconstruction, part of it, in mm.
    pub filter_mm: f64,
    /// Counts of the whole volume.
    pub counts: f64,
    /// Seed of the noise; none for no noise.
    pub seed: Option<u64>,
}

/// Mean of a function of the patient over every voxel, by `n` points along each axis.
pub(crate) fn mean_over(
    grid: &Grid,
    n: usize,
    f: impl Fn(anatomy::Place) -> f64 + Sync,
) -> Vec<f32> {
    let [nx, ny, _] = grid.size();
    let offset = |m: usize| (m as f64 + 0.5) / n as f64 - 0.5;
    (0..grid.len())
        .into_par_iter()
        .map(|v| {
            let at = [v % nx, v / nx % ny, v / (nx * ny)].map(|x| x as f64);
            let mut sum = 0.0;
            for m in 0..n * n * n {
                let p =
                    [at[0] + offset(m % n), at[1] + offset(m / n % n), at[2] + offset(m / (n * n))];
                sum += f(anatomy::at(grid.world(p)));
            }
            (sum / (n * n * n) as f64) as f32
        })
        .collect()
}

impl Spect {
    /// The image of the synthetic patient on a grid, in counts.
    #[must_use]
    pub fn image(&self, activity: &Activity, grid: &Grid) -> Image<f32> {
        self.of(Image::new(grid.clone(), mean_over(grid, 3, |p| activity.at(p))))
    }

    /// The image, in counts, of any activity: its mean concentration in every voxel, in any unit.
    #[must_use]
    pub fn of(&self, concentration: Image<f32>) -> Image<f32> {
        let grid = concentration.grid().clone();
        let mut data = concentration.into_data();
        let before = (self.fwhm_mm.powi(2) - self.filter_mm.powi(2)).max(0.0).sqrt();
        gaussian(&mut data, grid.size(), sigma_in_voxels(&grid, before));
        let sum: f64 = data.iter().map(|v| f64::from(*v)).sum();
        let scale = if sum > 0.0 { self.counts / sum } else { 0.0 };
        data.par_iter_mut().enumerate().for_each(|(n, v)| {
            let mean = f64::from(*v) * scale;
            *v = match self.seed {
                Some(seed) => random::of_voxel(seed, 1, n as u64).poisson(mean) as f32,
                None => mean as f32,
            };
        });
        gaussian(&mut data, grid.size(), sigma_in_voxels(&grid, self.filter_mm));
        Image::new(grid, data)
    }
}

/// A whole-body camera with two heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanarCamera {
    /// Side of a pixel in mm.
    pub pixel_mm: f64,
    /// Pixels on a side.
    pub pixels: usize,
    /// Counts of the anterior view.
    pub counts: f64,
    /// Length of the acquisition.
    pub duration_s: f64,
    /// Seed of the noise; none for no noise.
    pub seed: Option<u64>,
}

/// Resolution at the collimator's face and its growth with distance.
const COLLIMATOR: (f64, f64) = (4.0, 0.045);
/// From the collimator to the skin.
const GAP_MM: f64 = 20.0;

impl PlanarCamera {
    /// The grid whose columns are projected: x across, y along the view, z up.
    #[must_use]
    pub fn grid(&self) -> Option<Grid> {
        let [low, high] = anatomy::BOX_MM;
        let deep = ((high[1] - low[1]) / self.pixel_mm).ceil() as usize;
        let half = 0.5 * (self.pixels as f64 - 1.0) * self.pixel_mm;
        let middle = 0.5 * (low[2] + high[2]);
        let start = [-half, low[1] + 0.5 * self.pixel_mm, middle - half];
        Grid::axial([self.pixels, deep, self.pixels], [self.pixel_mm; 3], start).ok()
    }

    /// Both views, the posterior as acquired (seen from behind). Attenuated along the view, blurred
    /// by the distance to each head.
    #[must_use]
    pub fn views(&self, activity: &Activity) -> Option<Planar> {
        let grid = self.grid()?;
        let source = mean_over(&grid, 2, |p| activity.at(p));
        let attenuation = mean_over(&grid, 2, anatomy::attenuation_per_mm);
        let [n, deep, _] = grid.size();
        let project = |from_front: bool| -> Vec<f32> {
            let mut left = vec![1.0_f64; n * n];
            let mut view = vec![0.0_f32; n * n];
            for step in 0..deep {
                let j = if from_front { step } else { deep - 1 - step };
                let mut slab = vec![0.0_f32; n * n];
                for k in 0..n {
                    for i in 0..n {
                        let v = i + n * (j + deep * k);
                        let half = (-0.5 * f64::from(attenuation[v]) * self.pixel_mm).exp();
                        let through = &mut left[i + n * k];
                        slab[i + n * k] = (f64::from(source[v]) * *through * half) as f32;
                        *through *= half * half;
                    }
                }
                let distance = GAP_MM + (step as f64 + 0.5) * self.pixel_mm;
                let sigma =
                    (COLLIMATOR.0 + COLLIMATOR.1 * distance) / FWHM_TO_SIGMA / self.pixel_mm;
                gaussian(&mut slab, [n, n, 1], [sigma, sigma, 0.0]);
                view.iter_mut().zip(slab).for_each(|(v, s)| *v += s);
            }
            view
        };
        let (front, back) = (project(true), project(false));
        let sum: f64 = front.iter().map(|v| f64::from(*v)).sum();
        let scale = self.counts / sum;
        // Rows from the head down; from behind the patient's left is on the left.
        let view = |data: &[f32], mirrored: bool, stream: u64| PlanarView {
            columns: n,
            rows: n,
            pixel_mm: [self.pixel_mm; 2],
            counts: (0..n * n)
                .map(|p| {
                    let (column, row) = (p % n, p / n);
                    let i = if mirrored { n - 1 - column } else { column };
                    let mean = f64::from(data[i + n * (n - 1 - row)]) * scale;
                    match self.seed {
                        Some(seed) => random::of_voxel(seed, stream, p as u64).poisson(mean) as f32,
                        None => mean as f32,
                    }
                })
                .collect(),
            duration_s: Some(self.duration_s),
        };
        Some(Planar {
            anterior: view(&front, false, 2),
            posterior: view(&back, true, 3),
            patient: hepatica_imaging::dicom::Patient::default(),
            notes: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_with_any_number_of_threads() {
        let activity = Activity::new(0.06).unwrap();
        let grid = Grid::axial([20; 3], [16.0; 3], [-152.0, -152.0, 40.0]).expect("valid");
        let spect = Spect { fwhm_mm: 14.0, filter_mm: 8.0, counts: 1e5, seed: Some(3) };
        let run = |threads| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| spect.image(&activity, &grid))
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(7));
    }
}
