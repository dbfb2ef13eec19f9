//! The Monte Carlo engine against laws, and against an independent program where its results are
//! there.

use hepatica_dosimetry::monte_carlo::{MonteCarlo, Until};
use hepatica_dosimetry::transport::voxel_walk::Tissue;
use hepatica_dosimetry::{ActivityMap, Medium};
use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::Nuclide;
use hepatica_physics::constants::JOULE_PER_MEV;
use hepatica_physics::material::{CORTICAL_BONE, LIVER, LUNG, MIRD_SOFT_TISSUE, Material, WATER};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

mod support;
use support::Block;

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
        let mut engine = MonteCarlo::new(
            Nuclide::Y90.energy_per_activity(),
            Nuclide::Y90,
            Until::Histories(1_000_000),
            7,
        );
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

// ---- the walk alone ----------------------------------------------------------------------------

fn uniform(material: &Material, mm: f64, n: usize) -> Block<'_> {
    let density = material.density as f32;
    Block {
        size: [n; 3],
        spacing_mm: [mm; 3],
        materials: vec![material],
        tissue: vec![Tissue { density, material: 0 }],
    }
}

/// All energy is somewhere: in a voxel, gone as radiation or over the edge.
#[test]
fn energy_is_conserved() {
    for mm in [0.5, 3.0] {
        let (_, _, totals) = uniform(&WATER, mm, 9).betas(&[[4, 4, 4]], 5_000, 3);
        let sum = totals.deposited + totals.left;
        assert!((sum / totals.emitted - 1.0).abs() < 1e-5, "{mm} mm: {sum} {}", totals.emitted);
    }
}

/// Voxel S values at every size of the reference, in water and in soft tissue.
#[test]
fn voxel_s_values_as_the_reference() {
    let water: &[&str] = &["2", "2.21", "3", "4", "4.42", "4.8"];
    let tissue: &[&str] = &["2.21", "3", "4", "4.42", "4.8"];
    for (medium, material, sizes) in
        [("water", &WATER, water), ("tissue104", &MIRD_SOFT_TISSUE, tissue)]
    {
        for mm in sizes {
            let Some(path) = reference(&format!("vsv_y90_{medium}_{mm}mm.csv")) else { return };
            let voxel: f64 = mm.parse().expect("a number");
            let (mean, error, _) = uniform(material, voxel, 13).betas(&[[6, 6, 6]], 600_000, 11);
            let kg = material.density * voxel.powi(3) * 1e-6;
            // Mean and error over the voxels that symmetry makes equal.
            let mut groups: BTreeMap<[usize; 3], (f64, f64, f64)> = BTreeMap::new();
            for (n, (m, e)) in mean.iter().zip(&error).enumerate() {
                let mut d = [n % 13, n / 13 % 13, n / 169].map(|v| v.abs_diff(6));
                d.sort_unstable_by(|a, b| b.cmp(a));
                let g = groups.entry(d).or_default();
                *g = (g.0 + m, g.1 + (m * e).powi(2), g.2 + 1.0);
            }
            let text = std::fs::read_to_string(&path).expect("the reference");
            let mut line = format!("{medium} {mm} mm");
            let mut own = 0.0;
            for row in text.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_digit())) {
                let f: Vec<f64> = row.split(',').map(|x| x.parse().expect("a number")).collect();
                let offset = [f[0] as usize, f[1] as usize, f[2] as usize];
                own = f64::max(own, f[3]);
                // Below a hundredth of the self dose the reference is itself only good to 5 %: elastic
                // scattering and the end of the spectrum decide there (and photons, farther out).
                let limit = match offset {
                    [0, 0, 0] => 0.005,
                    _ if f[3] < 1e-2 * own => 0.05,
                    [1, ..] => 0.01,
                    [2, ..] => 0.02,
                    [3, ..] => 0.04,
                    _ => continue,
                };
                if f[3] < 1e-3 * own {
                    continue;
                }
                let (sum, squares, count) = groups[&offset];
                let ours = sum / count * JOULE_PER_MEV / kg * 1e9;
                let off = ours / f[3] - 1.0;
                let sigma = (squares.sqrt() / sum).hypot(f[4]);
                if offset[1..] == [0, 0] || offset == [1, 1, 1] {
                    line += &format!(
                        "  {}{}{} {:+.2} ({:.2}) %",
                        f[0],
                        f[1],
                        f[2],
                        100.0 * off,
                        100.0 * sigma
                    );
                }
                assert!(
                    off.abs() < f64::max(limit, 3.0 * sigma),
                    "{medium} {mm} mm {offset:?}: {ours} {}, {:.2} % of {:.2} %",
                    f[3],
                    100.0 * off,
                    100.0 * sigma
                );
            }
            println!("{line}");
        }
    }
}

/// Layers without end: lung, liver, bone; 0.5 mm bins, the dose beside every interface.
#[test]
fn layers_as_the_reference() {
    let Some(path) = reference("slab_lung_liver_bone_0.5mm.csv") else { return };
    let bins: Vec<Vec<f64>> = std::fs::read_to_string(&path)
        .expect("the reference")
        .lines()
        .filter(|l| l.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
        .map(|l| l.split(',').filter_map(|x| x.parse().ok()).collect())
        .collect();
    // Bins go from -20 mm on; 30 mm more on both sides.
    let (mm, margin) = (0.5, 60);
    let first = bins[0][0];
    let layers = bins.len() + 2 * margin;
    let z = |n: usize| first + (n as f64 - margin as f64 + 0.5) * mm;
    let tissue = (0..layers).map(|n| match z(n) {
        z if z < 0.0 => Tissue { density: 0.26, material: 0 },
        z if z < 20.0 => Tissue { density: 1.06, material: 1 },
        _ => Tissue { density: 1.92, material: 2 },
    });
    let block = Block {
        size: [1, 1, layers],
        spacing_mm: [1e6, 1e6, mm],
        materials: vec![&LUNG, &LIVER, &CORTICAL_BONE],
        tissue: tissue.collect(),
    };
    let source: Vec<[usize; 3]> =
        (0..layers).filter(|n| (0.0..10.0).contains(&z(*n))).map(|n| [0, 0, n]).collect();
    let (mean, error, _) = block.betas(&source, 1_000_000, 5);
    let most = bins.iter().map(|b| b[2]).fold(0.0, f64::max);
    let mut worst: f64 = 0.0;
    for (n, bin) in bins.iter().enumerate() {
        let at = n + margin;
        // Energy per area over mass per area: Gy cm².
        let g_per_cm2 = f64::from(block.tissue[at].density) * mm / 10.0;
        let ours = mean[at] * JOULE_PER_MEV / (g_per_cm2 * 1e-3);
        let sigma = error[at].hypot(bin[3]) * bin[2];
        let off = (ours - bin[2]).abs();
        if bin[2] > 0.01 * most {
            worst = worst.max((off - 3.0 * sigma) / bin[2]);
            assert!(
                off < f64::max(0.05 * bin[2], 3.0 * sigma),
                "{:.1} mm: {ours:.4e} {:.4e}",
                bin[0],
                bin[2]
            );
        }
    }
    println!("layers: at most {:.1} % beyond three standard deviations", 100.0 * worst);
}

/// The same bytes with one thread and with three, and the same dose for twice the activity.
#[test]
fn threads_leave_no_trace_and_dose_is_linear() {
    let (activity, density) = layers(2, 10);
    let engine = MonteCarlo::new(
        Nuclide::Y90.energy_per_activity(),
        Nuclide::Y90,
        Until::Histories(20_000),
        7,
    );
    let run = |threads: usize, activity: &ActivityMap| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            engine.run(activity, &Medium::Map(density.clone()), &|_| ControlFlow::Continue(()))
        })
        .expect("a dose")
    };
    let (one, three) = (run(1, &activity), run(3, &activity));
    assert!(one == three);
    let mut twice = activity;
    twice.concentration.data_mut().iter_mut().for_each(|c| *c *= 2.0);
    let twice = run(2, &twice);
    for (a, b) in one.0.0.data().iter().zip(twice.0.0.data()) {
        assert!((2.0 * a - b).abs() <= 1e-5 * b.abs().max(1e-6), "{a} {b}");
    }
}

/// In uniform liver nothing needs to be followed, and the dose is that of the kernel.
#[test]
fn in_uniform_liver_the_kernel_is_enough() {
    let (activity, density) = layers(2, 10);
    let liver = density.map(|_| 1.06_f32);
    let engine = MonteCarlo::new(
        Nuclide::Y90.energy_per_activity(),
        Nuclide::Y90,
        Until::Precision { target: 0.02, most: 10_000_000 },
        7,
    );
    let (dose, statistics) =
        engine.run(&activity, &Medium::Map(liver), &|_| ControlFlow::Continue(())).expect("a dose");
    assert_eq!((statistics.histories, statistics.followed_share), (0, 0.0));
    let grid = dose.0.grid();
    let kg = 1.06 * grid.voxel_volume().ml() * 1e-3;
    let joule: f64 = dose.0.data().iter().map(|d| f64::from(*d) * kg).sum();
    let emitted = Nuclide::Y90.energy_per_activity().j_per_gbq() * activity.total();
    assert!((joule / emitted + statistics.radiated_share - 1.0).abs() < 1e-3);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (activity, mut density) = layers(0, 10);
    let k = Nuclide::Y90.energy_per_activity();
    let said = |until, density: &Image<f32>| {
        MonteCarlo::new(k, Nuclide::Y90, until, 1)
            .run(&activity, &Medium::Map(density.clone()), &|_| ControlFlow::Continue(()))
            .map(|_| ())
            .expect_err("refused")
            .to_string()
    };
    assert!(said(Until::Histories(0), &density).contains("0 histories are too few"));
    let mapping = MonteCarlo::new(k, Nuclide::TC99M, Until::Histories(100), 1).run(
        &activity,
        &Medium::Map(density.clone()),
        &|_| ControlFlow::Continue(()),
    );
    assert!(mapping.expect_err("refused").to_string().contains("the electrons of 99mTc"));
    let none = Until::Precision { target: 0.0, most: 1 };
    assert!(said(none, &density).contains("must be above 0"));
    density.data_mut()[5] = 7.8;
    assert!(said(Until::Histories(1000), &density).contains("7.80 g/mL: tissue has at most 3"));
}

/// A watcher ends the run, and the result says so.
#[test]
fn a_stopped_run_says_so() {
    let (activity, density) = layers(0, 10);
    let engine = MonteCarlo::new(
        Nuclide::Y90.energy_per_activity(),
        Nuclide::Y90,
        Until::Histories(100_000),
        7,
    );
    let (dose, statistics) =
        engine.run(&activity, &Medium::Map(density), &|_| ControlFlow::Break(())).expect("a dose");
    assert!(statistics.stopped && statistics.batches == 2 && statistics.histories == 10_000);
    assert!(dose.0.data().iter().any(|d| *d > 0.0));
}
