//! Dose by convolution beside what it cannot do without: the transforms, and the memory they touch.

use criterion::{Criterion, criterion_group, criterion_main};
use hepatica_dosimetry::convolution::transform_size;
use hepatica_dosimetry::point_kernel::PointKernel;
use hepatica_dosimetry::voxel_kernel::VoxelKernel;
use hepatica_dosimetry::{ActivityMap, DoseEngine, KernelConvolution, LocalDeposition, Medium};
use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::{Density, EnergyPerActivity, Nuclide};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use rustfft::FftPlanner;
use std::hint::black_box;

/// A liver of 1.9 L, the size of the peers' case.
fn activity(grid: Grid) -> ActivityMap {
    let half = [105.0, 70.0, 62.0];
    let liver = Mask::from_fn(grid.clone(), |ijk| {
        let p = grid.world(ijk.map(|n| n as f64));
        let r: f64 = (0..3).map(|a| (p[a] / half[a]).powi(2)).sum();
        if r < 1.0 { 1.0 } else { 0.0 }
    });
    let uneven = (0..grid.len()).map(|n| 1.0 + (n * 7919 % 251) as f32).collect();
    ActivityMap::new(Image::new(grid, uneven), liver).expect("a map")
}

/// What any convolution by FFT of this size has to do: three real transforms, every line once along
/// each axis. Lines are taken where they lie, as if turning the data cost nothing.
fn transforms([x, y, z]: [usize; 3], real: &mut [f32], complex: &mut [Complex<f32>]) {
    let (mut planner, mut lines) = (RealFftPlanner::<f32>::new(), FftPlanner::new());
    let (there, back) = (planner.plan_fft_forward(x), planner.plan_fft_inverse(x));
    let half = x / 2 + 1;
    for pass in 0..3 {
        real.par_chunks_mut(x).zip(complex.par_chunks_mut(half)).for_each(|(r, c)| {
            if pass < 2 {
                there.process(r, c).expect("lengths fit");
            } else {
                c[0].im = 0.0;
                c[half - 1].im = 0.0;
                back.process(c, r).expect("lengths fit");
            }
        });
        for length in [y, z] {
            let plan = lines.plan_fft_forward(length);
            complex.par_chunks_exact_mut(length).for_each(|line| plan.process(line));
        }
    }
}

fn convolution(c: &mut Criterion) {
    let spect = Grid::axial([128; 3], [4.42; 3], [-280.0; 3]).expect("a grid");
    let ct = Grid::axial([300, 250, 70], [0.977, 0.977, 2.5], [-146.0, -122.0, -87.0]);
    for (name, grid) in [("SPECT grid", spect), ("CT grid", ct.expect("a grid"))] {
        let activity = activity(grid);
        let k = EnergyPerActivity::from_j_per_gbq(49.67);
        let density = Density::from_g_per_ml(1.05);
        let medium = Medium::Uniform(density);
        let engine = KernelConvolution::new(k, &Nuclide::Y90).expect("a kernel");
        let local = LocalDeposition { k };
        let spacing = activity.support.grid().spacing_mm();
        let point = PointKernel::in_liver(&Nuclide::Y90).expect("shipped");
        let kernel = || VoxelKernel::new(&point, spacing, density).expect("a kernel");

        let mut group = c.benchmark_group(name);
        group.sample_size(20);
        group.bench_function("dose by kernel", |b| {
            b.iter(|| engine.dose(black_box(&activity), &medium));
        });
        group.bench_function("of which the kernel of this voxel size", |b| {
            b.iter(|| black_box(kernel()));
        });
        group.bench_function("dose by local deposition", |b| {
            b.iter(|| local.dose(black_box(&activity), &medium));
        });
        let size = transform_size(activity.support.bounds().size(), kernel().reach());
        let mut real = vec![1.0_f32; size.iter().product()];
        let mut complex = vec![Complex::default(); (size[0] / 2 + 1) * size[1] * size[2]];
        group.bench_function("limit: three transforms of that size", |b| {
            b.iter(|| transforms(size, black_box(&mut real), &mut complex));
        });
        // Two fields and their two spectra, each of about the same size.
        let from = vec![1.0_f32; 4 * real.len()];
        let mut to = vec![0.0_f32; from.len()];
        group.bench_function("limit: their memory copied once", |b| {
            b.iter(|| to.copy_from_slice(black_box(&from)));
        });
        group.finish();
    }
}

criterion_group!(benches, convolution);
criterion_main!(benches);
