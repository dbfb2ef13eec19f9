//! Histories of the Monte Carlo engine: 2 mm voxels of lung, liver and bone, a 10 mm cube of activity
//! in liver beside lung. The general code's figures for the same case are in docs/performance.md.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hepatica_dosimetry::monte_carlo::{MonteCarlo, Until};
use hepatica_dosimetry::{ActivityMap, Medium};
use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::Nuclide;
use std::hint::black_box;
use std::ops::ControlFlow;

const HISTORIES: u64 = 100_000;

fn monte_carlo(c: &mut Criterion) {
    let grid = Grid::axial([45, 45, 60], [2.0; 3], [0.0; 3]).expect("a grid");
    let inside = |v: usize| (20..25).contains(&v);
    let cube =
        Mask::from_fn(
            grid.clone(),
            |[i, j, k]| {
                if [i, j, k].into_iter().all(inside) { 1.0 } else { 0.0 }
            },
        );
    let density = (0..grid.len()).map(|n| match n / (45 * 45) {
        0..20 => 0.26_f32,
        20..40 => 1.06,
        _ => 1.92,
    });
    let medium = Medium::Map(Image::new(grid.clone(), density.collect()));
    let activity = ActivityMap::new(Image::filled(grid, 1.0), cube).expect("activity");
    let mut group = c.benchmark_group("monte carlo");
    group.throughput(Throughput::Elements(HISTORIES)).sample_size(10);
    for (name, threads, control) in
        [("one core", 1, false), ("two cores", 2, false), ("one core, with control", 1, true)]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut engine = MonteCarlo::new(
            Nuclide::Y90.energy_per_activity(),
            Nuclide::Y90,
            Until::Histories(HISTORIES),
            1,
        );
        engine.control = control;
        group.bench_function(name, |b| {
            b.iter(|| {
                pool.install(|| {
                    black_box(engine.run(&activity, &medium, &|_| ControlFlow::Continue(())))
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, monte_carlo);
criterion_main!(benches);
