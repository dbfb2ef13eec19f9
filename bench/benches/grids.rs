//! From grid to grid and from contours to voxels, beside the memory that has to be read.

use criterion::{Criterion, criterion_group, criterion_main};
use hepatica_imaging::contour::Contour;
use hepatica_imaging::{Grid, Image, Structure, resample};
use std::f64::consts::TAU;
use std::hint::black_box;

fn grids(c: &mut Criterion) {
    let fine = Grid::axial([512, 512, 200], [0.977, 0.977, 2.5], [-250.0; 3]).expect("a grid");
    let coarse = Grid::axial([128; 3], [4.42; 3], [-281.0, -281.0, -280.0]).expect("a grid");
    let ct = Image::new(fine.clone(), (0..fine.len()).map(|n| (n * 31 % 2000) as i16).collect());
    let spect = Image::filled(coarse.clone(), 1.0_f32);
    let mut group = c.benchmark_group("grids");
    group.sample_size(20);
    group.bench_function("CT averaged over SPECT voxels", |b| {
        b.iter(|| resample::box_average(black_box(&ct), &coarse, -1000.0));
    });
    group.bench_function("SPECT onto CT", |b| {
        b.iter(|| resample::trilinear(black_box(&spect), &fine, 0.0));
    });
    let mut to = vec![0_i16; ct.data().len()];
    group.bench_function("limit: the CT copied once", |b| {
        b.iter(|| to.copy_from_slice(black_box(ct.data())));
    });

    // An oval of 60 slices, 400 points each: a liver as it is drawn.
    let contours: Vec<Contour> = (0..60)
        .map(|slice| {
            let z = -150.0 + 2.5 * f64::from(slice);
            let size = 1.0 - ((f64::from(slice) - 30.0) / 40.0).powi(2);
            let points = (0..400).map(|n| {
                let angle = TAU * f64::from(n) / 400.0;
                [105.0 * size * angle.cos(), 70.0 * size * angle.sin(), z].into()
            });
            Contour { points: points.collect() }
        })
        .collect();
    let liver = Structure::of_contours("Liver", 1, &contours, 2.5);
    group.bench_function("contours of a liver onto SPECT", |b| {
        b.iter(|| black_box(&liver).on(&coarse));
    });
    group.bench_function("contours of a liver onto CT", |b| b.iter(|| black_box(&liver).on(&fine)));
    group.finish();
}

criterion_group!(benches, grids);
criterion_main!(benches);
