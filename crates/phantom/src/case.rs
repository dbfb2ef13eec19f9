//! The patient and its images as a case folder.

use crate::anatomy::{self, Organ, Place, TUMOURS, is_right_lobe};
use crate::camera::{PlanarCamera, Spect};
use crate::random;
use crate::truth::{Activity, Truth};
use hepatica_imaging::dicom::Patient;
use hepatica_imaging::dicom::write::nm::{self, Acquisition, TECHNETIUM_99M};
use hepatica_imaging::dicom::write::rtstruct::{Roi, RoiKind, Shape};
use hepatica_imaging::dicom::write::{Context, ct, rtstruct};
use hepatica_imaging::isoline::isolines;
use hepatica_imaging::{Grid, Image, Mask, WriteError};
use rayon::prelude::*;
use std::fmt::Write as _;
use std::path::Path;
use thiserror::Error;

/// Noise of the CT in HU.
const CT_NOISE_HU: f64 = 12.0;
/// Points of a region on the planar views that are kept: one of so many.
const KEEP_EVERY: usize = 3;

/// How the phantom is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of all noise.
    pub seed: u64,
    /// Lung activity over lung and liver activity.
    pub lung_shunt: f64,
    /// Columns (and rows) and slices of the CT.
    pub ct: [usize; 2],
    /// Voxels on a side of the SPECT.
    pub spect: usize,
    /// Side of a SPECT voxel in mm.
    pub spect_mm: f64,
    /// Resolution of the SPECT in mm.
    pub fwhm_mm: f64,
    /// Whether there is noise.
    pub noise: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            lung_shunt: 0.06,
            ct: [512, 160],
            spect: 128,
            spect_mm: 4.42,
            fwhm_mm: 12.0,
            noise: true,
        }
    }
}

impl Options {
    /// Coarse images: made and planned in a second or two.
    #[must_use]
    pub fn small() -> Self {
        Self { ct: [128, 80], spect: 64, spect_mm: 6.8, ..Self::default() }
    }
}

/// Why a phantom cannot be made.
#[derive(Debug, Error)]
pub enum PhantomError {
    /// An option that cannot be.
    #[error("{what} = {found}, expected {expected}")]
    Option {
        /// Which.
        what: &'static str,
        /// What it is.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A grid that cannot be.
    #[error("phantom: {0}")]
    Grid(String),
    /// A file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A folder or a text file.
    #[error("{path}: cannot be written ({source})")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The truth as text.
    #[error("truth.toml: {0}")]
    Toml(#[from] toml::ser::Error),
}

/// Writes the case into `dir`, which must exist: `ct/`, `spect/`, `planar/`, `structures.dcm`,
/// `case.toml`, and the truth beside it.
///
/// # Errors
/// When an option cannot be, or a file cannot be written.
pub fn write_case(
    dir: &Path,
    options: &Options,
    progress: &dyn Fn(&str, f64),
) -> Result<Truth, PhantomError> {
    check(options)?;
    progress("placing activity", 0.0);
    let activity = Activity::new(options.lung_shunt)?;
    let context = context(options);
    let folder = |name: &str| {
        let path = dir.join(name);
        let made = std::fs::create_dir_all(&path);
        made.map(|()| path.clone())
            .map_err(|source| PhantomError::Io { path: path.display().to_string(), source })
    };
    let grid = ct_grid(options, 1)?;
    progress("imaging: CT", 0.1);
    let image = ct_image(&grid, options);
    progress("writing CT", 0.3);
    let images = ct::series(&folder("ct")?, &image, "CT abdomen, portal venous", &context)?;
    drop(image);

    progress("drawing structures", 0.5);
    let drawn = structures(options)?;
    let rois: Vec<Roi<'_>> = drawn
        .iter()
        .map(|(name, mask, kind, colour)| Roi {
            name,
            shape: Shape::Mask(mask),
            colour: *colour,
            kind: *kind,
        })
        .collect();
    rtstruct::write(&dir.join("structures.dcm"), &rois, &images, &context)?;

    progress("imaging: SPECT", 0.7);
    let seed = options.noise.then_some(options.seed);
    let half = 0.5 * (options.spect as f64 - 1.0) * options.spect_mm;
    // The field of view is centred on the liver and cuts off the apices of the lungs.
    let start = [-half, -half, 175.0 - half.min(182.0)];
    let spect_grid = Grid::axial([options.spect; 3], [options.spect_mm; 3], start)
        .map_err(|e| PhantomError::Grid(e.to_string()))?;
    let spect =
        Spect { fwhm_mm: options.fwhm_mm, filter_mm: 0.6 * options.fwhm_mm, counts: 8e6, seed };
    let counts = spect.image(&activity, &spect_grid);
    let injected = context.date_time.date().at(9, 50, 0, 0);
    let acquisition = |number, description, minutes: f64, corrected| Acquisition {
        series_number: number,
        description,
        start: context.date_time,
        duration_s: 60.0 * minutes,
        window_kev: [126.5, 154.5],
        nuclide: TECHNETIUM_99M,
        radiopharmaceutical: "99mTc-MAA",
        injected_mbq: Some(150.0),
        injected: Some(injected),
        corrected,
    };
    nm::spect(
        &folder("spect")?.join("spect.dcm"),
        &counts,
        &acquisition(3, "SPECT MAA, AC SC", 20.0, &["ATTN", "SCAT"]),
        &context,
    )?;

    progress("imaging: planar views", 0.85);
    let camera = PlanarCamera { pixel_mm: 4.0, pixels: 128, counts: 8e5, duration_s: 300.0, seed };
    let views = camera.views(&activity).ok_or_else(|| PhantomError::Grid("planar".to_owned()))?;
    nm::planar(
        &folder("planar")?.join("planar.dcm"),
        &views,
        &acquisition(2, "Whole body MAA, anterior and posterior", 5.0, &[]),
        &context,
    )?;
    let text = case_toml(&camera)?;
    write_text(&dir.join("case.toml"), &text)?;
    let truth = toml::to_string_pretty(&activity.truth)?;
    write_text(&dir.join("truth.toml"), &truth)?;
    progress("done", 1.0);
    Ok(activity.truth)
}

fn check(o: &Options) -> Result<(), PhantomError> {
    let wrong = |what, found: String, expected| Err(PhantomError::Option { what, found, expected });
    if !(32..=1024).contains(&o.ct[0]) || !(20..=800).contains(&o.ct[1]) {
        return wrong("CT size", format!("{:?}", o.ct), "32 to 1024 columns, 20 to 800 slices");
    }
    if !(16..=256).contains(&o.spect) || !(1.0..=20.0).contains(&o.spect_mm) {
        return wrong(
            "SPECT size",
            format!("{} x {} mm", o.spect, o.spect_mm),
            "16 to 256 voxels of 1 to 20 mm",
        );
    }
    if !(0.0..=40.0).contains(&o.fwhm_mm) {
        return wrong("SPECT resolution", o.fwhm_mm.to_string(), "0 to 40 mm");
    }
    Ok(())
}

/// Who the phantom is.
pub(crate) fn patient() -> Patient {
    Patient {
        id: Some("PHANTOM".to_owned()),
        name: Some("Phantom^Hepatica".to_owned()),
        birth_date: Some(jiff::civil::date(1964, 5, 17)),
        sex: Some("O".to_owned()),
        size_cm: Some(172.0),
        weight_kg: Some(74.0),
    }
}

fn context(options: &Options) -> Context {
    let at = jiff::civil::date(2026, 12, 16).at(10, 30, 0, 0);
    Context::new(&format!("phantom {options:?}"), patient(), at, "Simulation procedure (synthetic)")
}

/// The CT's grid; `coarser` joins so many columns and rows into one.
fn ct_grid(options: &Options, coarser: usize) -> Result<Grid, PhantomError> {
    let [low, high] = anatomy::BOX_MM;
    let [columns, slices] = options.ct;
    let pixels = columns / coarser;
    let side = high[0] - low[0];
    let pixel = side / pixels as f64;
    let slice = (high[2] - low[2]) / slices as f64;
    let start = [low[0] + 0.5 * pixel, -0.5 * side + 0.5 * pixel, low[2] + 0.5 * slice];
    Grid::axial([pixels, pixels, slices], [pixel, pixel, slice], start)
        .map_err(|e| PhantomError::Grid(e.to_string()))
}

fn ct_image(grid: &Grid, options: &Options) -> Image<i16> {
    let [nx, ny, _] = grid.size();
    let mut data = vec![0_i16; grid.len()];
    data.par_chunks_mut(nx).enumerate().for_each(|(row, line)| {
        let (j, k) = (row % ny, row / ny);
        for (i, v) in line.iter_mut().enumerate() {
            let place = anatomy::at(grid.world([i as f64, j as f64, k as f64]));
            let mut hu = anatomy::hu(place);
            if options.noise && place.organ != Organ::Air {
                let n = (i + nx * row) as u64;
                hu += CT_NOISE_HU * random::of_voxel(options.seed, 4, n).gauss();
            }
            *v = hu.round() as i16;
        }
    });
    Image::new(grid.clone(), data)
}

type Drawn = (String, Mask, RoiKind, [u8; 3]);

/// All structures, on the slices of the CT.
fn structures(options: &Options) -> Result<Vec<Drawn>, PhantomError> {
    // Contours need no finer points than about a millimetre and a half.
    let grid = ct_grid(options, if options.ct[0] >= 400 { 2 } else { 1 })?;
    let [nx, ny, _] = grid.size();
    let places: Vec<Place> = (0..grid.len())
        .into_par_iter()
        .map(|n| {
            let index = [n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64);
            anatomy::at(grid.world(index))
        })
        .collect();
    let mask = |inside: &(dyn Fn(Place) -> bool + Sync)| {
        Mask::from_fn(grid.clone(), |ijk| if inside(places[grid.offset(ijk)]) { 1.0 } else { 0.0 })
    };
    type Test = Box<dyn Fn(Place) -> bool + Sync + Send>;
    let mut wanted: Vec<(String, Test, RoiKind, [u8; 3])> = Vec::new();
    let organ = |name: &str, organ: Organ, colour| -> (String, Test, RoiKind, [u8; 3]) {
        (name.to_owned(), Box::new(move |p: Place| p.organ == organ), RoiKind::Organ, colour)
    };
    wanted.push(organ("Liver", Organ::Liver, [170, 85, 45]));
    wanted.push(organ("Lung_R", Organ::LungRight, [90, 150, 220]));
    wanted.push(organ("Lung_L", Organ::LungLeft, [90, 150, 220]));
    wanted.push(organ("Spleen", Organ::Spleen, [150, 60, 120]));
    wanted.push(organ("Kidney_R", Organ::KidneyRight, [200, 140, 60]));
    wanted.push(organ("Kidney_L", Organ::KidneyLeft, [200, 140, 60]));
    for (name, right) in [("Territory_right", true), ("Territory_left", false)] {
        let test = move |p: Place| p.organ == Organ::Liver && is_right_lobe(p.segment) == right;
        wanted.push((name.to_owned(), Box::new(test), RoiKind::TreatedVolume, [60, 160, 130]));
    }
    for (n, t) in TUMOURS.iter().enumerate() {
        let number = n as u8;
        let test = move |p: Place| p.tumour == Some(number);
        wanted.push((t.name.to_owned(), Box::new(test), RoiKind::Gtv, [230, 60, 60]));
        if t.necrosis_mm > 0.0 {
            let test = move |p: Place| p.tumour == Some(number) && p.necrosis;
            let name = format!("Necrosis_{}", t.name);
            wanted.push((name, Box::new(test), RoiKind::Other, [120, 120, 120]));
        }
    }
    for segment in 1..=8_u8 {
        let test = move |p: Place| p.segment == segment;
        wanted.push((format!("Segment_{segment}"), Box::new(test), RoiKind::Other, [90, 170, 90]));
    }
    Ok(wanted
        .into_par_iter()
        .map(|(name, test, kind, colour)| {
            let mask = mask(&|p| test(p));
            (name, mask, kind, colour)
        })
        .collect())
}

/// Regions on the planar views: where lungs and liver are projected, lungs without liver.
fn case_toml(camera: &PlanarCamera) -> Result<String, PhantomError> {
    let grid = camera.grid().ok_or_else(|| PhantomError::Grid("planar".to_owned()))?;
    let [n, deep, _] = grid.size();
    let seen = |organs: &[Organ]| -> Vec<f32> {
        (0..n * n)
            .into_par_iter()
            .map(|p| {
                let (i, k) = (p % n, n - 1 - p / n);
                let hit = |j: usize| {
                    organs.contains(&anatomy::at(grid.world([i as f64, j as f64, k as f64])).organ)
                };
                if (0..deep).any(hit) { 1.0 } else { 0.0 }
            })
            .collect()
    };
    let liver = seen(&[Organ::Liver]);
    let mut lungs = seen(&[Organ::LungLeft, Organ::LungRight]);
    lungs.iter_mut().zip(&liver).for_each(|(l, v)| *l = if *v > 0.0 { 0.0 } else { *l });
    let region = |values: &[f32]| -> String {
        let mut text = String::from("[");
        for line in isolines(values, n, n, 0.5).iter().filter(|l| l.len() > 30) {
            let points: Vec<String> = line
                .iter()
                .step_by(KEEP_EVERY)
                .map(|p| format!("[{:.1}, {:.1}]", p[0], p[1]))
                .collect();
            let _ = write!(text, "\n  [{}],", points.join(", "));
        }
        text + "\n]"
    };
    Ok(format!(
        r#"# The built-in case: a synthetic patient. What is true of it is in truth.toml.
schema = 1

[patient]
id = "PHANTOM"
height_cm = 172
weight_kg = 74

[protocol]
name = "captemy90"
c1d1 = "2026-12-02"

[site]
time_zone = "America/New_York"
treatment_time = "13:00"

[device]
name = "glass"

[structures]
cold = ["Necrosis_T3"]
organs = ["Spleen", "Kidney_R", "Kidney_L"]

[[territory]]
id = "right"
name = "Right lobe"
structure = "Territory_right"
session = 1

[[territory]]
id = "left"
name = "Left lobe"
structure = "Territory_left"
session = 2

[lung]
shunt = "spect"
dome_strip_mm = 20

[labs]
date = "2026-12-14"
bilirubin_mg_dl = 0.7
albumin_g_dl = 4.0
platelets_1e9_l = 212
anc_1e9_l = 3.6
creatinine_mg_dl = 0.9
inr = 1.0
alt_u_l = 31
alt_uln_u_l = 40
ast_u_l = 29
ast_uln_u_l = 40
ecog = 0
portal_vein_patent = true
ascites = false

[extrahepatic]
status = "none"

[prescription]
model = "voxel"

[planar_roi]
lungs = {}
liver = {}
"#,
        region(&lungs),
        region(&liver)
    ))
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), PhantomError> {
    std::fs::write(path, text)
        .map_err(|source| PhantomError::Io { path: path.display().to_string(), source })
}
