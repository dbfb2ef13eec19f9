//! Plans on images of real patients (`../shared/data`, or the folder of `HEPATICA_DATA`). A mapping
//! SPECT of a real patient is not to be had: activity is placed on real CTs by the phantom's camera,
//! and a 177Lu SPECT stands in. Skipped, and said so, where the data are not there.

use assert_cmd::Command;
use hepatica_imaging::dicom::Patient;
use hepatica_imaging::dicom::write::Context;
use hepatica_imaging::dicom::write::nm::{self, Acquisition, TECHNETIUM_99M};
use hepatica_imaging::{
    Grid, Image, Mask, SpacingPolicy, Structure, inventory, nifti, read_emission, structure,
};
use hepatica_phantom::Spect;
use hepatica_planning::lung::away_from;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Concentration in tumours over that in normal liver.
const RATIO: f64 = 4.0;
const RADII_MM: [f64; 2] = [20.0, 12.0];

fn data(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is not there");
    None
}

fn unpacked(name: &str) -> Option<TempDir> {
    let file = fs::File::open(data(name)?).expect("readable");
    let home = tempfile::tempdir().expect("a folder");
    zip::ZipArchive::new(file).expect("a zip").extract(home.path()).expect("unpacked");
    Some(home)
}

/// Plans a case and returns the plan; the gate may hold.
fn plan(case: &Path) -> Value {
    let out = case.join("plan");
    let done = Command::cargo_bin("hepatica")
        .expect("the program is built")
        .args(["plan", "--quiet"])
        .arg(case)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(matches!(done.status.code(), Some(0 | 2)), "{said}");
    assert!(out.join("report.pdf").is_file());
    if let Some(keep) = std::env::var_os("HEPATICA_KEEP") {
        fs::copy(out.join("report.pdf"), Path::new(&keep).join("report.pdf")).expect("kept");
    }
    let text = fs::read_to_string(out.join("plan.json")).expect("plan.json");
    serde_json::from_str(&text).expect("JSON")
}

fn mean_dose(plan: &Value, name: &str) -> f64 {
    let compartments = plan["sessions"][0]["compartments"].as_array().expect("compartments");
    let found = compartments.iter().find(|c| c["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))["dose_gy"]["mean"].as_f64().expect("a number")
}

/// Balls in the liver, as deep as they are wide: nowhere near its surface.
fn balls(liver: &Mask) -> Vec<Mask> {
    let grid = liver.grid();
    let outside = Mask::from_fn(grid.clone(), |ijk| if liver.at(ijk) < 0.5 { 1.0 } else { 0.0 });
    let mut taken: Vec<([f64; 3], f64)> = Vec::new();
    for radius in RADII_MM {
        let [nx, ny, _] = grid.size();
        let deep = away_from(liver, &outside, radius + 4.0);
        let centre = deep
            .voxels()
            .map(|(n, _)| {
                let at = [n % nx, n / nx % ny, n / (nx * ny)];
                <[f64; 3]>::from(grid.world(at.map(|x| x as f64)))
            })
            .find(|c| taken.iter().all(|(t, r)| distance(*t, *c) > r + radius + 20.0));
        taken.push((centre.expect("room for a ball"), radius));
    }
    taken
        .into_iter()
        .map(|(centre, radius)| {
            Mask::from_fn(grid.clone(), |ijk| {
                let p = grid.world(ijk.map(|n| n as f64)).into();
                if distance(centre, p) < radius { 1.0 } else { 0.0 }
            })
        })
        .collect()
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt()
}

fn write_mask(path: &Path, mask: &Mask) {
    let mut image = Image::filled(mask.grid().clone(), 0.0_f32);
    mask.voxels().for_each(|(n, f)| image.data_mut()[n] = f);
    nifti::write(path, &[&image], "").expect("written");
}

/// Writes balls and a SPECT of liver and balls beside the CT, and plans.
fn plan_with_placed_activity(case: &Path, liver: &Mask, frame: Option<&str>, toml: &str) {
    let mut files = Vec::new();
    let mut tumours = Vec::new();
    for (n, ball) in balls(liver).into_iter().enumerate() {
        let name = format!("T{}", n + 1);
        write_mask(&case.join(format!("{name}.nii.gz")), &ball);
        files.push(format!("\"{name}.nii.gz\""));
        tumours.push(Structure::of_voxels(&name, 1, ball));
    }
    // A SPECT around the liver.
    let whole = liver.grid().crop(liver.bounds());
    let (low, size) = (whole.world([0.0; 3]), whole.size());
    let high = whole.world(size.map(|n| (n - 1) as f64));
    let (mm, margin) = (4.8, 60.0);
    let start = std::array::from_fn(|a| low[a].min(high[a]) - margin);
    let voxels = std::array::from_fn(|a| (((high[a] - low[a]).abs() + 2.0 * margin) / mm) as usize);
    let grid = Grid::axial(voxels, [mm; 3], start).expect("a grid");
    let mut concentration = Image::filled(grid.clone(), 0.0_f32);
    let liver = Structure::of_voxels("liver", 1, liver.clone());
    for (structure, more) in
        std::iter::once((&liver, 1.0)).chain(tumours.iter().map(|t| (t, RATIO - 1.0)))
    {
        for (n, f) in structure.on(&grid).voxels() {
            concentration.data_mut()[n] += f * more as f32;
        }
    }
    let camera = Spect { fwhm_mm: 12.0, filter_mm: 7.0, counts: 6e6, seed: Some(5) };
    let at = jiff::civil::date(2026, 12, 10).at(9, 0, 0, 0);
    let mut context = Context::new("placed", Patient::default(), at, "placed");
    if let Some(frame) = frame {
        context.frame_of_reference = frame.to_owned();
    }
    let acquisition = Acquisition {
        series_number: 3,
        description: "SPECT of placed activity",
        start: at,
        duration_s: 1200.0,
        window_kev: [126.5, 154.5],
        nuclide: TECHNETIUM_99M,
        radiopharmaceutical: "99mTc-MAA",
        injected_mbq: None,
        injected: None,
        corrected: &["ATTN"],
    };
    nm::spect(&case.join("spect.dcm"), &camera.of(concentration), &acquisition, &context)
        .expect("written");
    fs::write(case.join("case.toml"), toml.replace("TUMOURS", &files.join(", "))).expect("written");

    let plan = plan(case);
    // What was placed: RATIO in the tumours, one in the rest of the liver, nothing elsewhere.
    let ml = |s: &Structure| s.volume().ml();
    let in_tumours: f64 = tumours.iter().map(ml).sum();
    let kg = (ml(&liver) + (RATIO - 1.0) * in_tumours) * 1.05e-3;
    let gbq = plan["sessions"][0]["prescription"]["activity_gbq"].as_f64().expect("GBq");
    let normal = 49.67 * gbq * (1.0 - 0.05) / kg;
    println!("{:.0} mL of liver, {gbq:.2} GBq", ml(&liver));
    for (name, truth, low, high) in [
        ("perfused normal liver", normal, 0.97, 1.05),
        ("T1", RATIO * normal, 0.80, 0.95),
        ("T2", RATIO * normal, 0.60, 0.85),
    ] {
        let found = mean_dose(&plan, name);
        println!("{name}: {found:.1} Gy of {truth:.1} Gy");
        assert!((low..high).contains(&(found / truth)), "{name}: {found} Gy of {truth} Gy");
    }
}

const COMMON: &str = r#"schema = 1
[patient]
id = "REAL"
[protocol]
name = "captemy90"
c1d1 = "2026-12-02"
[site]
time_zone = "America/New_York"
treatment_time = "13:00"
[device]
name = "glass"
[lung]
shunt = "stated"
stated_fraction = 0.05
mass_kg = 0.9
[extrahepatic]
status = "none"
"#;

#[test]
fn activity_placed_on_a_real_ct_with_its_organs_comes_back() {
    let Some(folder) = data("totalsegmentator_ct_3mm") else { return };
    let case = tempfile::tempdir().expect("a folder");
    fs::copy(folder.join("ct.nii.gz"), case.path().join("ct.nii.gz")).expect("a copy");
    let labels = case.path().join("organs.nii.gz");
    fs::copy(folder.join("seg.nii.gz"), &labels).expect("a copy");
    let organs = structure::read(&labels).expect("labels").structures;
    let liver = organs.iter().find(|s| s.number == 5).and_then(Structure::voxels).expect("a liver");
    let toml = format!(
        "{COMMON}[images]\nct = \"ct.nii.gz\"\nspect = \"spect.dcm\"\nstructures = [\"organs.nii.gz\", TUMOURS]\n[structures]\nliver = \"organs.nii.gz#5\"\nlungs = [\"organs.nii.gz#10\", \"organs.nii.gz#11\", \"organs.nii.gz#14\"]\ntumours = [\"T1\", \"T2\"]\norgans = [\"organs.nii.gz#2\", \"organs.nii.gz#6\"]\n"
    );
    plan_with_placed_activity(case.path(), liver, None, &toml);
}

#[test]
fn activity_placed_on_a_real_ct_with_metastases_comes_back() {
    let Some(home) = unpacked("crlm_ct_1004.zip") else { return };
    let mut found = inventory::scan(home.path()).expect("a folder").series;
    let slices = found.pop().expect("a series").files;
    let ct = hepatica_imaging::dicom::ct::read(&slices, SpacingPolicy::Refuse).expect("a CT");
    let case = tempfile::tempdir().expect("a folder");
    fs::create_dir(case.path().join("ct")).expect("a folder");
    for slice in &slices {
        let name = slice.file_name().expect("a name");
        fs::copy(slice, case.path().join("ct").join(name)).expect("a copy");
    }
    // The segmentation of this CT is not to be had: an ellipsoid within the right lobe stands for
    // the liver.
    let grid = ct.image.grid();
    let bounds = grid.world(grid.size().map(|n| 0.5 * (n - 1) as f64));
    let centre = [bounds[0] - 75.0, bounds[1] - 5.0, bounds[2] + 15.0];
    let half = [60.0, 65.0, 60.0];
    let liver = Mask::from_fn(grid.clone(), |ijk| {
        let p = grid.world(ijk.map(|n| n as f64));
        let r: f64 = (0..3).map(|a| ((p[a] - centre[a]) / half[a]).powi(2)).sum();
        if r < 1.0 { 1.0 } else { 0.0 }
    });
    write_mask(&case.path().join("liver.nii.gz"), &liver);
    let toml = format!(
        "{COMMON}[images]\nct = \"ct\"\nspect = \"spect.dcm\"\nstructures = [\"liver.nii.gz\", TUMOURS]\n[structures]\nliver = \"liver\"\ntumours = [\"T1\", \"T2\"]\n"
    );
    plan_with_placed_activity(case.path(), &liver, ct.frame_of_reference.as_deref(), &toml);
}

#[test]
fn a_real_quantitative_spect_is_planned_as_if_it_were_the_mapping_scan() {
    let Some(home) = unpacked("noncommercial_checks_only/lu177_xspect_scan1.zip") else { return };
    let case = home.path();
    let mut slices: Vec<PathBuf> = fs::read_dir(case.join("image"))
        .expect("slices")
        .map(|e| e.expect("an entry").path())
        .collect();
    slices.sort();
    let spect = read_emission(&slices).expect("a SPECT").image;
    // There is no CT and no liver contour: what holds a tenth of the lesions' concentration within
    // a box around them stands for the liver.
    let grid = spect.grid();
    let liver = spect.data().iter().enumerate().map(|(n, v)| {
        let [nx, ny, _] = grid.size();
        let p = grid.world([n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64));
        let near = (-190.0..-20.0).contains(&p[0])
            && (-320.0..-130.0).contains(&p[1])
            && (1360.0..1520.0).contains(&p[2]);
        if near && *v > 150_000.0 { 1.0 } else { 0.0 }
    });
    let liver = Image::new(grid.clone(), liver.collect());
    nifti::write(&case.join("Liver.nii.gz"), &[&liver], "").expect("written");
    let mask = fs::read_dir(case.join("mask"))
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .next()
        .expect("contours");
    let toml = format!(
        "{COMMON}[images]\nspect = \"image\"\nstructures = [\"Liver.nii.gz\", \"mask/{mask}\"]\n[structures]\nliver = \"Liver\"\ntumours = [\"lesion1 liver R lobe\", \"lesion2 liver L lateral\"]\n"
    );
    fs::write(case.join("case.toml"), toml).expect("written");
    let plan = plan(case);
    let tumour = mean_dose(&plan, "lesion1 liver R lobe");
    let normal = mean_dose(&plan, "perfused normal liver");
    println!("lesion 1 {tumour:.0} Gy, normal liver {normal:.0} Gy");
    assert!(tumour > 2.0 * normal);
}
