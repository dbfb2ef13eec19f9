//! The Monte Carlo engine against laws, and against an independent program where its results are
//! there.

use hepatica_dosimetry::monte_carlo::{MonteCarlo, Until};
use hepatica_dosimetry::{ActivityMap, Medium};
use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::Nuclide;
use hepatica_physics::constants::JOULE_PER_MEV;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Gy per decay of a dose that was computed per GBq of full decay.
fn per_decay(gy_per_gbq: f32) -> f64 {
    let decays = 1e9 / Nuclide::Y90.decay_constant_per_s();
    f64::from(gy_per_gbq) / decays
}

fn reference(name: &str) -> Option<PathBuf> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference").join(name);
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Lung, liver and bone in layers of 20, 40 and 20 mm, voxels of 2 mm, and `margin` voxels around it
/// of what is outermost; activity in a cube of 10 mm from the given voxel on.
fn layers(margin: usize, source_z: usize) -> (ActivityMap, Image<f32>) {
    let size = [25 + 2 * margin, 25 + 2 * margin, 40 + 2 * margin];
    let grid = Grid::axial(size, [2.0; 3], [0.0; 3]).expect("valid");
    let inside = |v: usize, from: usize| (from..from + 5).contains(&v);
    let cube = Mask::from_fn(grid.clone(), |[i, j, k]| {
        let [i, j, k] = [i, j, k].map(|v| v.wrapping_sub(margin));
        if inside(i, 10) && inside(j, 10) && inside(k, source_z) { 1.0 } else { 0.0 }
    });
    let density = (0..grid.len()).map(|n| match (n / (size[0] * size[1])).saturating_sub(margin) {
        0..=9 => 0.26,
        10..=29 => 1.06,
        _ => 1.92,
    });
    let density = Image::new(grid.clone(), density.collect());
    let activity = ActivityMap::new(Image::filled(grid, 1.0), cube).expect("valid");
    (activity, density)
}

/// One voxel of the reference: index, dose per decay, relative error.
type Row = ([usize; 3], f64, f64);

fn rows(path: &PathBuf) -> Vec<Row> {
    let text = std::fs::read_to_string(path).expect("the reference");
    text.lines()
        .filter(|l| l.starts_with(|c: char| c.is_ascii_digit()))
        .map(|l| {
            let f: Vec<f64> = l.split(',').map(|x| x.parse().expect("a number")).collect();
            ([f[0] as usize, f[1] as usize, f[2] as usize], f[5], f[6])
        })
        .collect()
}

/// Two percent of the most or three standard deviations in 98 % of the voxels, as is asked of us.
fn against_the_reference(name: &str, source_z: usize) {
    let Some(path) = reference(name) else { return };
    let margin = 10;
    let (activity, density) = layers(margin, source_z);
    let size = activity.concentration.grid().size();
    for control in [false, true] {
        let mut engine =
            MonteCarlo::new(Nuclide::Y90.energy_per_activity(), Until::Histories(1_000_000), 7);
        engine.control = control;
        let started = std::time::Instant::now();
        let (dose, statistics) = engine
            .run(&activity, &Medium::Map(density.clone()), &|_| ControlFlow::Continue(()))
            .expect("a dose");
        let took = started.elapsed().as_secs_f64();
        let rows = rows(&path);
        let most = rows.iter().map(|r| r.1).fold(0.0, f64::max);
        let total = activity.total();
        let (mut within, mut energy) = (0, [[0.0; 2]; 3]);
        let mut source = [0.0; 2];
        for ([i, j, k], theirs, error) in &rows {
            let n = i + margin + size[0] * (j + margin + size[1] * (k + margin));
            let ours = per_decay(dose.0.data()[n]) / total;
            let sigma =
                (error * theirs).hypot(f64::from(statistics.standard_error.data()[n]) * ours);
            if (ours - theirs).abs() <= (0.02 * most).max(3.0 * sigma) {
                within += 1;
            }
            let medium = match k {
                0..=9 => 0,
                10..=29 => 1,
                _ => 2,
            };
            let kg = f64::from(density.data()[n]) * 8e-6;
            for (sum, gy) in energy[medium].iter_mut().zip([ours, *theirs]) {
                *sum += gy * kg / JOULE_PER_MEV;
            }
            if (10..15).contains(i) && (10..15).contains(j) && (source_z..source_z + 5).contains(k)
            {
                source[0] += ours / 125.0;
                source[1] += theirs / 125.0;
            }
        }
        let share = f64::from(within) / rows.len() as f64;
        println!(
            "{name} control {control}: {:.2} % of {} voxels; lung {:.4} {:.4}, liver {:.4} {:.4}, bone {:.5} {:.5} MeV; source {:+.2} %; {:.0} histories/s, {statistics:?}",
            100.0 * share,
            rows.len(),
            energy[0][0],
            energy[0][1],
            energy[1][0],
            energy[1][1],
            energy[2][0],
            energy[2][1],
            100.0 * (source[0] / source[1] - 1.0),
            statistics.histories as f64 / took,
            statistics =
                (statistics.median_error, statistics.radiated_share, statistics.followed_share)
        );
        assert!(share > 0.98, "{name}: {share}");
    }
}

#[test]
fn beside_lung_as_the_reference() {
    against_the_reference("het_lung_side.csv", 10);
}

#[test]
fn beside_bone_as_the_reference() {
    against_the_reference("het_bone_side.csv", 25);
}
