//! The parts of a voxel dosimetry on the peers' case, each timed, and the whole from DICOM to RTDOSE:
//! `cargo run --release -p hepatica-dosimetry --example chain -- CASE [ROUNDS]`, CASE as `make_case.py` makes it.

use hepatica_dosimetry::dvh::Dvh;
use hepatica_dosimetry::{ActivityMap, DoseEngine, KernelConvolution, Medium};
use hepatica_imaging::dicom::write::Context;
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::dicom::{Patient, SpacingPolicy, ct};
use hepatica_imaging::{Image, Mask, read_emission, resample, structure};
use hepatica_physics::{Density, EnergyPerActivity, Nuclide};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// The same dose model as the peers' baseline: 2.4 GBq, 6.2 % to the lungs, 1.05 g/mL.
const GBQ: f32 = 2.4;
const SHUNT: f64 = 0.062;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let case = PathBuf::from(args.next().ok_or("chain CASE [ROUNDS]")?);
    let rounds: usize = args.next().map_or(Ok(5), |n| n.parse())?;
    let out = std::env::temp_dir().join("hepatica-chain.dcm");
    let mut table: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for _ in 0..rounds {
        for (n, (name, s)) in chain(&case, &out)?.into_iter().enumerate() {
            if table.len() == n {
                table.push((name, Vec::new()));
            }
            table[n].1.push(s);
        }
    }
    std::fs::remove_file(&out)?;
    println!("| part | least s | median s |\n|---|---|---|");
    for (name, mut times) in table {
        times.sort_by(f64::total_cmp);
        println!("| {name} | {:.3} | {:.3} |", times[0], times[times.len() / 2]);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown");
    println!("peak of memory: {}; load: {}", peak.trim(), load.trim());
    Ok(())
}

fn chain(case: &Path, out: &Path) -> Result<Vec<(&'static str, f64)>, Failure> {
    let begin = Instant::now();
    let mut times = Vec::new();
    let mut last = Instant::now();
    let mut lap = |name| {
        times.push((name, last.elapsed().as_secs_f64()));
        last = Instant::now();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(case.join("CT"))?
        .map(|e| Ok(e?.path()))
        .collect::<Result<_, Failure>>()?;
    files.sort();
    let series = ct::read(&files, SpacingPolicy::Refuse)?;
    lap("CT, 200 files");
    let spect = read_emission(&[case.join("NM/spect.dcm")])?;
    lap("SPECT, one file");
    let set = structure::read(&case.join("RTSTRUCT/rtstruct.dcm"))?;
    lap("RTSTRUCT, ten structures, 175,532 points: read, made simple and joined");
    let grid = series.image.grid();
    let masks: Vec<Arc<Mask>> = set.structures.par_iter().map(|s| s.on(grid)).collect();
    lap("ten structures to fractions of CT voxels");
    let own = spect.image.grid();
    let named = |name: &str| set.structures.iter().find(|s| s.name == name).ok_or("no liver");
    let liver = (*named("Liver")?.on(own)).clone();
    let counts: f64 =
        liver.voxels().map(|(n, f)| f64::from(f) * f64::from(spect.image.data()[n])).sum();
    let scale = ((1.0 - SHUNT) / (counts * own.voxel_volume().ml())) as f32;
    let map = ActivityMap::new(spect.image.map(|c| c.max(0.0) * scale), liver)?;
    let engine = KernelConvolution::new(EnergyPerActivity::from_j_per_gbq(49.67), &Nuclide::Y90)?;
    let medium = Medium::Uniform(Density::from_g_per_ml(1.05));
    let dose = engine.dose(&map, &medium)?.0.map(|d| d * GBQ);
    lap("dose by kernel, SPECT grid");
    let dose: Image<f32> = resample::trilinear(&dose, grid, 0.0);
    lap("SPECT grid to CT grid");
    // What is asked of a histogram is taken from it; the samples need not be kept.
    let asked = |d: Dvh| -> [f64; 5] { [d.mean(), d.d(98.0), d.d(70.0), d.d(50.0), d.d(2.0)] };
    let dvhs: Vec<[f64; 5]> =
        masks.par_iter().filter_map(|m| Dvh::new(&dose, m).map(asked)).collect();
    lap("ten DVHs, CT grid, every voxel a sample");
    let small = ["T1", "T2", "T3", "T4", "T5"];
    let inner: Vec<[f64; 5]> = small
        .par_iter()
        .filter_map(|name| Dvh::of_structure(&dose, named(name).ok()?).map(asked))
        .collect();
    lap("five tumours within voxels besides");
    let at = jiff::civil::date(2026, 1, 28).at(12, 0, 0, 0);
    let mut context = Context::new("chain", Patient::default(), at, "chain");
    context.study_uid.clone_from(&series.study_uid);
    if let Some(uid) = &series.frame_of_reference {
        context.frame_of_reference.clone_from(uid);
    }
    let info = DoseInfo {
        series_number: 40,
        description: "chain",
        dose_type: DoseType::Physical,
        comment: "",
        heterogeneity: false,
    };
    rtdose::write(out, &dose, &info, &context)?;
    lap("RTDOSE on the CT grid, 210 MB");
    times.push(("whole chain", begin.elapsed().as_secs_f64()));
    let means: Vec<String> = dvhs.iter().map(|d| format!("{:.1}", d[0])).collect();
    let d98: Vec<String> = inner.iter().map(|d| format!("{:.1}", d[1])).collect();
    eprintln!("means {} Gy; D98 of tumours {} Gy", means.join(" "), d98.join(" "));
    Ok(times)
}
