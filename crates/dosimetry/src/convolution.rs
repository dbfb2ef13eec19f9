//! Dose by convolution of the activity with a voxel kernel of energy.
//!
//! Energy is conserved; in a medium of several densities the energy in a voxel is divided by its
//! own mass (local density scaling), the kernel being that of the tissue that holds the activity.
//! A kernel of soft tissue is not valid in lung, where betas go three to four times as far.

use crate::activity_map::ActivityMap;
use crate::engine::{DoseEngine, DoseMap, EngineError, Medium, check_constant};
use crate::point_kernel::PointKernel;
use crate::voxel_kernel::VoxelKernel;
use hepatica_imaging::{Image, IndexBox, Mask};
use hepatica_physics::{Density, EnergyPerActivity, Nuclide};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Voxels of working memory at most: 2^28 of 4 bytes are 1 GiB.
const MAX_WORK: usize = 1 << 28;

/// Convolution with the kernel of a nuclide in liver.
#[derive(Debug, Clone)]
pub struct KernelConvolution {
    k: EnergyPerActivity,
    point: PointKernel,
}

impl KernelConvolution {
    /// An engine with a dose constant, the energy of full decay per activity.
    ///
    /// # Errors
    /// [`EngineError::Nuclide`] for a nuclide that has no kernel.
    pub fn new(k: EnergyPerActivity, nuclide: &Nuclide) -> Result<Self, EngineError> {
        let point = PointKernel::in_liver(nuclide).ok_or(EngineError::Nuclide(nuclide.name))?;
        Ok(Self { k, point })
    }
}

impl DoseEngine for KernelConvolution {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn dose(&self, activity: &ActivityMap, medium: &Medium) -> Result<DoseMap, EngineError> {
        check_constant(self.k)?;
        activity.check()?;
        let grid = activity.concentration.grid();
        medium.check(grid)?;
        let mut dose = Image::filled(grid.clone(), 0.0_f32);
        let tissue = mean_density(activity, medium);
        let spacing = grid.spacing_mm();
        let kernel =
            VoxelKernel::new(&self.point, spacing, tissue).ok_or(EngineError::Spacing(spacing))?;
        let source = activity.support.bounds();
        if source.is_empty() {
            return Ok(DoseMap(dose));
        }
        let target = source.grown(kernel.reach(), &grid.bounds());
        let energy = convolve(activity, &kernel, target)?;
        let voxel_ml = grid.voxel_volume().ml();
        let [nx, ny, nz] = target.size();
        let gy = |gbq: f64, n: usize| {
            let kg = medium.g_per_ml(n) * voxel_ml * 1e-3;
            (self.k.j_per_gbq() * gbq / kg) as f32
        };
        for k in 0..nz {
            for j in 0..ny {
                let row = grid.offset([target.start[0], target.start[1] + j, target.start[2] + k]);
                for i in 0..nx {
                    let e = f64::from(energy[i + nx * (j + ny * k)]);
                    dose.data_mut()[row + i] = gy(e, row + i);
                }
            }
        }
        Ok(DoseMap(dose))
    }

    fn validity(&self, medium: &Medium, tissue: &Mask) -> Vec<String> {
        if tissue.is_empty() {
            return Vec::new();
        }
        let uniform = matches!(medium, Medium::Uniform(_));
        if uniform || medium.lung_like_share(tissue) > 0.05 {
            vec![
                "the soft-tissue kernel is not valid in lung: dose near the dome is wrong by tens of percent, use the lung dose of the shunt".to_owned(),
            ]
        } else {
            Vec::new()
        }
    }
}

/// Density of the tissue that holds the activity, weighted by activity.
fn mean_density(activity: &ActivityMap, medium: &Medium) -> Density {
    if let Medium::Uniform(density) = medium {
        return *density;
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for (n, a) in activity.voxels() {
        sum += a * medium.g_per_ml(n);
        weight += a;
    }
    Density::from_g_per_ml(if weight > 0.0 { sum / weight } else { 1.0 })
}

/// Activity (GBq per GBq) of every voxel of `target` after each voxel's energy has been spread by
/// the kernel. By FFT; padded so that nothing wraps around.
pub(crate) fn convolve(
    activity: &ActivityMap,
    kernel: &VoxelKernel,
    target: IndexBox,
) -> Result<Vec<f32>, EngineError> {
    let source = activity.support.bounds();
    let reach = kernel.reach();
    let size = transform_size(source.size(), reach);
    let work = size.iter().try_fold(1_usize, |n, s| n.checked_mul(*s));
    if work.is_none_or(|n| n > MAX_WORK) {
        return Err(EngineError::TooLarge(size, MAX_WORK));
    }
    let [sx, sy, sz] = size;
    let mut field = vec![0.0_f32; sx * sy * sz];
    let [gx, gy, _] = activity.concentration.grid().size();
    for (n, a) in activity.voxels() {
        let at = [n % gx, n / gx % gy, n / (gx * gy)];
        let [i, j, k] = std::array::from_fn(|d| at[d] - source.start[d]);
        field[i + sx * (j + sy * k)] = a as f32;
    }
    let mut taps = vec![0.0_f32; sx * sy * sz];
    let span = |a: usize| -(reach[a] as i64)..=reach[a] as i64;
    for k in span(2) {
        for j in span(1) {
            for i in span(0) {
                let at = |n: i64, s: usize| n.rem_euclid(s as i64) as usize;
                let f = kernel.at([i, j, k]) as f32;
                taps[at(i, sx) + sx * (at(j, sy) + sy * at(k, sz))] += f;
            }
        }
    }
    let fft = Fft3::new(size);
    let mut spectrum = fft.forward(field);
    let of_kernel = fft.forward(taps);
    spectrum.par_iter_mut().zip(&of_kernel).for_each(|(a, b)| *a *= b);
    drop(of_kernel);
    let spread = fft.inverse(spectrum);
    let scale = 1.0 / (sx * sy * sz) as f32;
    let [nx, ny, nz] = target.size();
    let mut out = Vec::with_capacity(nx * ny * nz);
    for k in 0..nz {
        for j in 0..ny {
            for i in 0..nx {
                let at = [i, j, k];
                let place: [usize; 3] = std::array::from_fn(|a| {
                    // Below the source's start it wrapped to the end.
                    (target.start[a] + at[a] + size[a] - source.start[a]) % size[a]
                });
                let value = spread[place[0] + sx * (place[1] + sy * place[2])] * scale;
                // Rounding of the transform leaves a little below zero.
                out.push(value.max(0.0));
            }
        }
    }
    Ok(out)
}

/// Voxels of the transforms that a source box and a kernel's reach ask for: the result is wanted
/// within reach of the source, so what wraps around must come from farther away.
#[must_use]
pub fn transform_size(source: [usize; 3], reach: [usize; 3]) -> [usize; 3] {
    std::array::from_fn(|a| good_size(source[a] + 2 * reach[a]))
}

/// The next size with no prime factor above five, even for the real transform.
fn good_size(at_least: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    (at_least.max(2)..).find(|n| n.is_multiple_of(2) && smooth(*n)).unwrap_or(at_least)
}

/// Three-dimensional real FFT, lines in parallel.
struct Fft3 {
    size: [usize; 3],
    /// Complex values along x.
    half: usize,
}

impl Fft3 {
    fn new(size: [usize; 3]) -> Self {
        Self { size, half: size[0] / 2 + 1 }
    }

    fn forward(&self, real: Vec<f32>) -> Vec<Complex<f32>> {
        let [sx, sy, sz] = self.size;
        let plan = RealFftPlanner::<f32>::new().plan_fft_forward(sx);
        let mut data = vec![Complex::default(); self.half * sy * sz];
        data.par_chunks_mut(self.half).zip(real.par_chunks(sx)).for_each(|(out, line)| {
            let mut line = line.to_vec();
            // Lengths are those the plan asks for.
            plan.process(&mut line, out).unwrap_or_else(|e| unreachable!("{e}"));
        });
        self.along_y(&mut data, false);
        self.along_z(&mut data, false);
        data
    }

    fn inverse(&self, mut data: Vec<Complex<f32>>) -> Vec<f32> {
        let [sx, sy, sz] = self.size;
        self.along_z(&mut data, true);
        self.along_y(&mut data, true);
        let plan = RealFftPlanner::<f32>::new().plan_fft_inverse(sx);
        let mut real = vec![0.0; sx * sy * sz];
        real.par_chunks_mut(sx).zip(data.par_chunks_mut(self.half)).for_each(|(out, line)| {
            // The ends of a real signal's spectrum are real; rounding says otherwise.
            line[0].im = 0.0;
            line[self.half - 1].im = 0.0;
            plan.process(line, out).unwrap_or_else(|e| unreachable!("{e}"));
        });
        real
    }

    fn plan(length: usize, inverse: bool) -> std::sync::Arc<dyn rustfft::Fft<f32>> {
        let mut planner = rustfft::FftPlanner::new();
        if inverse { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) }
    }

    fn along_y(&self, data: &mut [Complex<f32>], inverse: bool) {
        let (half, sy) = (self.half, self.size[1]);
        let plan = Self::plan(sy, inverse);
        data.par_chunks_mut(half * sy).for_each(|plane| {
            let mut line = vec![Complex::default(); sy];
            for i in 0..half {
                for j in 0..sy {
                    line[j] = plane[i + half * j];
                }
                plan.process(&mut line);
                for j in 0..sy {
                    plane[i + half * j] = line[j];
                }
            }
        });
    }

    fn along_z(&self, data: &mut [Complex<f32>], inverse: bool) {
        let (half, [_, sy, sz]) = (self.half, self.size);
        let plan = Self::plan(sz, inverse);
        // Gather lines of z side by side, transform, scatter: each thread owns whole rows.
        let plane = half * sy;
        let mut turned = vec![Complex::default(); data.len()];
        turned.par_chunks_mut(half * sz).enumerate().for_each(|(j, out)| {
            let mut line = vec![Complex::default(); sz];
            for i in 0..half {
                for (k, l) in line.iter_mut().enumerate() {
                    *l = data[i + half * j + plane * k];
                }
                plan.process(&mut line);
                for (k, l) in line.iter().enumerate() {
                    out[i + half * k] = *l;
                }
            }
        });
        data.par_chunks_mut(plane).enumerate().for_each(|(k, out)| {
            for j in 0..sy {
                out[half * j..half * (j + 1)]
                    .copy_from_slice(&turned[half * sz * j + half * k..][..half]);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;
    use proptest::prelude::*;

    fn engine() -> KernelConvolution {
        KernelConvolution::new(EnergyPerActivity::from_j_per_gbq(49.67), &Nuclide::Y90)
            .expect("a kernel")
    }

    fn block(n: usize, spacing: [f64; 3], from: usize, to: usize) -> ActivityMap {
        let grid = Grid::axial([n; 3], spacing, [0.0; 3]).expect("valid");
        let inside = |ijk: [usize; 3]| ijk.iter().all(|x| (from..to).contains(x));
        let support = Mask::from_fn(grid.clone(), |ijk| if inside(ijk) { 1.0 } else { 0.0 });
        let total = ((to - from) as f64).powi(3) * grid.voxel_volume().ml();
        ActivityMap::new(Image::filled(grid, (1.0 / total) as f32), support).expect("valid")
    }

    #[test]
    fn energy_is_conserved_away_from_the_border() {
        let medium = Medium::Uniform(Density::from_g_per_ml(1.05));
        for spacing in [[4.42; 3], [2.0, 3.0, 4.0]] {
            let dose = engine().dose(&block(24, spacing, 9, 14), &medium).unwrap().0;
            let kg = 1.05e-3 * dose.grid().voxel_volume().ml();
            let energy: f64 = dose.data().iter().map(|d| f64::from(*d) * kg).sum();
            assert!((energy / 49.67 - 1.0).abs() < 1e-4, "{energy}");
        }
    }

    #[test]
    fn deep_inside_it_is_local_deposition() {
        let medium = Medium::Uniform(Density::from_g_per_ml(1.0));
        let map = block(24, [4.0; 3], 4, 20);
        let dose = engine().dose(&map, &medium).unwrap().0;
        let expected = 49.67 / (16.0_f64.powi(3) * 0.064e-3);
        assert!((f64::from(*dose.at([12; 3])) / expected - 1.0).abs() < 1e-3);
        let edge = f64::from(*dose.at([4, 12, 12]));
        assert!(edge < 0.95 * expected && edge > 0.6 * expected);
    }

    #[test]
    fn the_same_with_any_number_of_threads() {
        let medium = Medium::Uniform(Density::from_g_per_ml(1.05));
        let map = block(20, [3.0; 3], 5, 12);
        let run = |threads| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| engine().dose(&map, &medium).unwrap())
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(7));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn dose_is_linear_in_activity(factor in 0.1_f32..8.0) {
            let medium = Medium::Uniform(Density::from_g_per_ml(1.05));
            let map = block(14, [3.0; 3], 4, 9);
            let mut more = map.clone();
            more.concentration = map.concentration.map(|c| c * factor);
            let (a, b) = (engine().dose(&map, &medium).unwrap().0, engine().dose(&more, &medium).unwrap().0);
            let top = a.data().iter().fold(0.0_f32, |m, v| m.max(*v));
            for (x, y) in a.data().iter().zip(b.data()) {
                prop_assert!((x * factor - y).abs() <= 1e-5 * top * factor);
            }
        }
    }
}
