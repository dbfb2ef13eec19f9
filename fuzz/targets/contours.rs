//! Any contours onto any grid: every fraction of a voxel is between none and all, and no more is
//! inside than the box around the contours holds.
#![no_main]

use arbitrary::Arbitrary;
use hepatica_imaging::contour::Contour;
use hepatica_imaging::solid::Solid;
use hepatica_imaging::{Grid, Structure};
use libfuzzer_sys::fuzz_target;
use nalgebra::Point3;

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
    // A contour that crosses itself or goes round twice has no one area.
    if !contours.iter().all(|c| crosses_nowhere(&c.points)) {
        return;
    }
    // Between its planes a body may bulge by some millimetres.
    let room = Solid::new(&contours, slice).bounds_mm().map_or(0.0, |[low, high]| {
        let bulge = |a: usize| if a < 2 { 8.0 + 2.0 * spacing[a] } else { 0.0 };
        (0..3).map(|a| (high[a] - low[a]).max(0.0) + bulge(a)).product::<f64>() / 1000.0
    });
    let on_grid = mask.volume().ml();
    assert!(on_grid <= room * 1.001 + 1e-6, "{on_grid} mL on the grid in a box of {room} mL");
});

/// Whether no two sides that are not neighbours touch.
fn crosses_nowhere(points: &[Point3<f64>]) -> bool {
    let n = points.len();
    let side = |a: usize| (points[a], points[(a + 1) % n]);
    let turn = |a: Point3<f64>, b: Point3<f64>, c: Point3<f64>| {
        (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
    };
    let touch = |(a, b), (c, d)| {
        turn(a, b, c) * turn(a, b, d) <= 0.0 && turn(c, d, a) * turn(c, d, b) <= 0.0
    };
    n < 3 || (0..n).all(|i| (i + 2..n).all(|j| (i == 0 && j == n - 1) || !touch(side(i), side(j))))
}
