//! Any contours onto any grid: every fraction of a voxel is between none and all, and no more is
//! inside than the box around the contours holds (a contour that crosses itself has no one area).
#![no_main]

use arbitrary::Arbitrary;
use hepatica_imaging::contour::{Contour, Slabs};
use hepatica_imaging::{Grid, Structure};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Drawn {
    contours: Vec<(i8, Vec<(i16, i16)>)>,
    size: [u8; 3],
    spacing: [u8; 3],
    slice: u8,
}

fuzz_target!(|drawn: Drawn| {
    let contours: Vec<Contour> = drawn
        .contours
        .iter()
        .map(|(z, points)| {
            let z = f64::from(*z) / 4.0;
            let at = |v: i16| f64::from(v) / 256.0;
            Contour { points: points.iter().map(|(x, y)| [at(*x), at(*y), z].into()).collect() }
        })
        .collect();
    let slice = 0.25 + f64::from(drawn.slice) / 32.0;
    let structure = Structure::of_contours("drawn", 1, &contours, slice);
    let size = drawn.size.map(|n| usize::from(n % 24) + 1);
    let spacing = drawn.spacing.map(|d| 0.25 + f64::from(d) / 16.0);
    let origin = std::array::from_fn(|a| -(size[a] as f64) * spacing[a] / 2.0);
    let grid = Grid::axial(size, spacing, origin).expect("a grid");
    let mask = structure.on(&grid);
    let inside = |f: &f32| (0.0..=1.0).contains(f);
    assert!(mask.fractions().iter().all(inside), "a fraction outside 0 to 1");
    let room = Slabs::new(&contours, slice).bounds_mm().map_or(0.0, |[low, high]| {
        (0..3).map(|a| (high[a] - low[a]).max(0.0)).product::<f64>() / 1000.0
    });
    let on_grid = mask.volume().ml();
    assert!(on_grid <= room * 1.001 + 1e-6, "{on_grid} mL on the grid in a box of {room} mL");
});
