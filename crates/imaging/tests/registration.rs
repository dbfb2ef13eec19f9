//! Two CTs of one made patient, the second moved: the motion is found again, or refused in a sentence.

use hepatica_imaging::registration::{Bounds, RegistrationError, Rigid, register};
use hepatica_imaging::{Grid, Image};
use hepatica_physics::random::Random;
use nalgebra::{Matrix3, Point3};
use proptest::prelude::*;

/// The liver and what is around it.
const REGION: [[f64; 3]; 2] = [[-140.0, -90.0, 90.0], [70.0, 80.0, 250.0]];

fn inside(p: Point3<f64>, centre: [f64; 3], axes: [f64; 3]) -> bool {
    (0..3).map(|a| ((p[a] - centre[a]) / axes[a]).powi(2)).sum::<f64>() < 1.0
}

/// Tissue: 0 air, 1 fat, 2 muscle, 3 lung, 4 liver, 5 bone, 6 kidney and spleen, 7 heart.
fn tissue(p: Point3<f64>) -> usize {
    let wall = |inset: f64| inside(p, [0.0, 0.0, p.z], [172.0 - inset, 118.0 - inset, 1.0]);
    if !wall(0.0) {
        0
    } else if !wall(14.0) {
        1
    } else if inside(p, [0.0, 72.0, p.z], [21.0, 21.0, 1.0]) {
        5
    } else if inside(p, [-70.0, -2.0, 160.0], [68.0, 76.0, 72.0])
        || inside(p, [8.0, -42.0, 175.0], [74.0, 34.0, 38.0])
    {
        4
    } else if inside(p, [104.0, 32.0, 185.0], [30.0, 44.0, 52.0])
        || inside(p, [-62.0, 48.0, 96.0], [24.0, 28.0, 50.0])
        || inside(p, [62.0, 48.0, 110.0], [24.0, 28.0, 50.0])
    {
        6
    } else if inside(p, [28.0, -42.0, 262.0], [52.0, 44.0, 52.0]) {
        7
    } else if p.z > 196.0
        && (inside(p, [-78.0, 12.0, 288.0], [66.0, 86.0, 108.0])
            || inside(p, [80.0, 14.0, 288.0], [62.0, 84.0, 108.0]))
    {
        3
    } else {
        2
    }
}

/// Portal venous phase, and a low-dose CT without contrast medium.
const CONTRAST: [f64; 8] = [-1000.0, -100.0, 55.0, -740.0, 112.0, 260.0, 160.0, 140.0];
const PLAIN: [f64; 8] = [-1000.0, -110.0, 45.0, -800.0, 58.0, 220.0, 32.0, 40.0];

/// A CT on a grid; `place` says which point of the patient lies at a point of the grid.
fn ct(
    grid: &Grid,
    values: &[f64; 8],
    noise: f64,
    seed: u64,
    place: impl Fn(Point3<f64>) -> Point3<f64>,
) -> Image<i16> {
    let [nx, ny, _] = grid.size();
    let mut random = Random::new(seed);
    let data = (0..grid.len())
        .map(|n| {
            let index = [n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64);
            let hu = values[tissue(place(grid.world(index)))];
            (hu + noise * random.gauss()).round() as i16
        })
        .collect();
    Image::new(grid.clone(), data)
}

fn planning() -> Image<i16> {
    let grid = Grid::axial([96, 72, 80], [4.0, 4.0, 5.0], [-190.0, -142.0, 2.5]).expect("valid");
    ct(&grid, &CONTRAST, 12.0, 1, |p| p)
}

/// The scan's CT, the patient moved: other voxels, another field of view, another phase, more noise.
fn moved(motion: &Rigid) -> Image<i16> {
    let grid = Grid::axial([80, 80, 90], [5.1, 5.1, 3.3], [-200.0, -200.0, 40.0]).expect("valid");
    let back = motion.inverse();
    ct(&grid, &PLAIN, 25.0, 2, |p| back.apply(p))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_known_motion_is_found_within_a_millimetre_and_a_degree(
        turn in prop::array::uniform3(-0.12_f64..0.12),
        shift in prop::array::uniform3(-30.0_f64..30.0),
    ) {
        let truth = Rigid::about(Point3::new(-20.0, 0.0, 170.0), turn, shift);
        let found = register(&planning(), &moved(&truth), Some(REGION), &Bounds::default()).expect("registered");
        let off = found.motion.distance(&truth, REGION);
        let turned = found.motion.inverse().then(&truth).angle_degrees();
        prop_assert!(off < 1.0 && turned < 1.0, "{off:.2} mm, {turned:.2} degrees; {found:?}");
        let q = found.quality;
        prop_assert!(q.information > q.information_at_start && q.overlap > 0.95, "{q:?}");
        prop_assert!(q.repeatability_mm < 1.5 && q.inverse_mm < 1.5, "{q:?}");
    }
}

#[test]
fn the_same_with_any_number_of_threads() {
    let truth = Rigid::about(Point3::new(0.0, 0.0, 170.0), [0.05, -0.03, 0.08], [12.0, -8.0, 15.0]);
    let (fixed, moving) = (planning(), moved(&truth));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| register(&fixed, &moving, Some(REGION), &Bounds::default()))
    };
    let one = run(1);
    assert!(one.is_ok());
    assert_eq!(one, run(3));
}

fn refused(moving: &Image<i16>) -> RegistrationError {
    register(&planning(), moving, Some(REGION), &Bounds::default()).expect_err("refused")
}

/// Said to lie one way, lying the other: the axes of the file are wrong.
fn relabelled(signs: [f64; 3]) -> Image<i16> {
    let straight = moved(&Rigid::identity());
    let grid = straight.grid();
    let axes = Matrix3::from_diagonal(&signs.into());
    let last = grid.size().map(|n| (n - 1) as f64);
    let end = grid.world(last);
    let origin = std::array::from_fn(|a| if signs[a] < 0.0 { end[a] } else { grid.origin_mm()[a] });
    let grid = Grid::new(grid.size(), grid.spacing_mm(), origin, axes).expect("valid");
    Image::new(grid, straight.data().to_vec())
}

#[test]
fn a_scan_that_lies_the_other_way_is_refused() {
    for (signs, how) in [
        ([1.0, 1.0, -1.0], "head and feet exchanged"),
        ([1.0, -1.0, 1.0], "front and back exchanged"),
        // A body is nearly its own mirror image: which of two ways it lies may not be told.
        ([-1.0, -1.0, 1.0], "fit"),
        ([-1.0, 1.0, 1.0], "fit"),
    ] {
        let why = refused(&relabelled(signs)).to_string();
        println!("{signs:?}: {why}");
        assert!(why.contains(how) || why.contains("turns by"), "{signs:?}: {why}");
    }
}

#[test]
fn a_turn_that_no_couch_allows_is_refused() {
    let truth = Rigid::about(Point3::new(0.0, 0.0, 170.0), [0.0, 0.0, 0.6], [0.0; 3]);
    let why = refused(&moved(&truth));
    assert!(
        matches!(why, RegistrationError::Turned { found, .. } if (found - 34.4).abs() < 3.0),
        "{why}"
    );
}

#[test]
fn what_says_nothing_of_the_patient_is_refused() {
    let air = planning().map(|_| -1000);
    assert_eq!(refused(&air), RegistrationError::NoBody("scan's CT"));
    let mut random = Random::new(3);
    let noise = planning().map(|_| (300.0 * random.gauss()) as i16);
    let why = refused(&noise);
    assert!(matches!(why, RegistrationError::NoPeak { .. }), "{why}");
    // The thighs of somebody: a cylinder.
    let legs = planning();
    let grid = legs.grid().clone();
    let [nx, ny, _] = grid.size();
    let data = (0..grid.len())
        .map(|n| {
            let p = grid.world([n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64));
            if p.x.hypot(p.y) < 80.0 { 50 } else { -1000 }
        })
        .collect();
    let why = refused(&Image::new(grid, data));
    assert!(!why.to_string().is_empty());
    println!("{why}");
}
