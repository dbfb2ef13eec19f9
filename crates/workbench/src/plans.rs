//! Planning as a job, and what a browser needs to show a plan: images on grids small enough to be
//! sent, dose per GBq, curves.
//!
//! A case is a folder under `cases/` of the data folder; `built-in` is made when it is first asked for.
//! A plan is a folder under `plans/`, named by its job, there whole or not at all.

use crate::folders::{self, plain, unwritable};
use crate::opened::Opened;
use crate::problem::Problem;
use crate::server::App;
use crate::store::Job;
use hepatica_imaging::{Grid, Image, Mask, nifti, resample};
use hepatica_phantom::{Options as PhantomOptions, write_case};
use hepatica_planning::views::DvhCurve;
use hepatica_planning::{Options, Plan, Planned, plan_case};
use hepatica_regimen::Protocol;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Kind of the jobs that plan.
pub const KIND: &str = "plan";
/// The case that comes with the program.
pub const BUILT_IN: &str = "built-in";
/// Side of the voxels that a browser gets of a CT.
const CT_MM: f64 = 2.0;
/// What is shown around the liver.
const MARGIN_MM: f64 = 45.0;
/// Dose per GBq of every session on the grid it was computed on: what a verification starts from.
pub(crate) const DOSES: &str = "dose_per_gbq.nii.gz";
/// What to do about a plan that cannot be read.
const AGAIN: &str = "plan again";
/// Files of a plan that may be asked for.
const FILES: [&str; 7] = [
    "plan.json",
    "dvh.json",
    "lesions.json",
    "report.pdf",
    "ct.nii.gz",
    "spect.nii.gz",
    "labels.nii.gz",
];

/// What a plan is asked with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Name of the case: `built-in`, or a folder under `cases/` of the data folder.
    pub case: String,
    /// The case is of the patient of the course although its identifier differs.
    #[serde(default)]
    pub same_patient: bool,
}

/// A plan to be made.
#[derive(Debug)]
pub struct Order {
    case: PathBuf,
    phantom: Option<PhantomOptions>,
    course: String,
    out: PathBuf,
    same_patient: bool,
}

/// A curve: dose in Gy at the prescribed activity, and the fraction of the volume with at least that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Curve {
    /// Session; none for the sum of all.
    pub session: Option<u32>,
    /// The compartment.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Dose in Gy, fraction 0 to 1.
    pub points: Vec<[f64; 2]>,
}

/// Names of cases that can be planned.
#[must_use]
pub fn cases(data: &Path) -> Vec<String> {
    let mut names = folders::names(&data.join("cases"));
    names.push(BUILT_IN.to_owned());
    names.sort();
    names.dedup();
    names
}

impl From<&DvhCurve> for Curve {
    fn from(c: &DvhCurve) -> Self {
        let (name, role) = (c.name.clone(), c.role.clone());
        Self { session: c.session, name, role, points: c.points.clone() }
    }
}

impl Order {
    /// What a job asks for.
    ///
    /// # Errors
    /// When it asks for what cannot be.
    pub async fn read(app: &App, job: &Job) -> Result<Self, String> {
        let asked: Asked = serde_json::from_str(&job.asked)
            .map_err(|e| format!("the job cannot be read ({e})"))?;
        check(app, &asked).map_err(|p| p.detail)?;
        let course = Opened::read(&*app.store, &job.patient, None).await;
        let course = course.map_err(|e| e.to_string())?.log.text().to_owned();
        let case = case(app, &asked);
        Ok(Self {
            phantom: (asked.case == BUILT_IN && !case.is_dir()).then(|| app.phantom.clone()),
            case,
            course,
            out: folder(app, &job.id),
            same_patient: asked.same_patient,
        })
    }
}

/// Whether a case is there.
///
/// # Errors
/// When it is not, or is named by a path.
pub fn check(app: &App, asked: &Asked) -> Result<(), Problem> {
    let known = cases(&app.data);
    if plain(&asked.case) && known.contains(&asked.case) {
        return Ok(());
    }
    Err(Problem::refused(format!(
        "no case is named `{}`; there are: {} (put a folder into {})",
        asked.case,
        known.join(", "),
        app.data.join("cases").display()
    )))
}

/// The folder of a case that was checked.
pub(crate) fn case(app: &App, asked: &Asked) -> PathBuf {
    app.data.join("cases").join(&asked.case)
}

/// The folder of a plan.
pub(crate) fn folder(app: &App, id: &str) -> PathBuf {
    app.data.join("plans").join(id)
}

/// Makes a plan and gives its decision in a sentence.
///
/// # Errors
/// One sentence.
pub fn make(order: &Order, tell: &dyn Fn(&str, f64)) -> Result<String, String> {
    let said = |e: &dyn std::fmt::Display| e.to_string();
    let mut from = 0.0;
    if let Some(options) = &order.phantom {
        from = 0.4;
        let making = folders::beside(&order.case)?;
        write_case(making.path(), options, &|what, done| tell(what, 0.4 * done))
            .map_err(|e| said(&e))?;
        folders::put(making, &order.case)?;
    }
    let making = folders::beside(&order.out)?;
    let course = making.path().join("course");
    fs::write(&course, &order.course).map_err(unwritable(&course))?;
    let options =
        Options { course: Some(course), same_patient: order.same_patient, ..Options::default() };
    let span = 0.85 - from;
    let planned = plan_case(&order.case, &options, &|what, done| tell(what, from + span * done))
        .map_err(|e| said(&e))?;
    tell("making images for the browser", 0.86);
    write_images(making.path(), &planned)?;
    let write = |name: &str, bytes: Vec<u8>| {
        let path = making.path().join(name);
        fs::write(&path, bytes).map_err(unwritable(&path))
    };
    tell("setting the report", 0.93);
    let report = hepatica_report::Report::new(&planned.plan, &planned.views, &planned.curves)
        .and_then(|r| r.pdf());
    write("report.pdf", report.map_err(|e| said(&e))?)?;
    let curves: Vec<_> = planned.curves.iter().map(Curve::from).collect();
    write("dvh.json", serde_json::to_vec(&curves).map_err(|e| said(&e))?)?;
    write("plan.json", serde_json::to_vec_pretty(&planned.plan).map_err(|e| said(&e))?)?;
    folders::put(making, &order.out)?;
    Ok(planned.plan.decision.sentence.clone())
}

/// The part of a grid around the liver.
pub(crate) fn around(grid: &Grid, liver: &Mask) -> Grid {
    let margin = grid.spacing_mm().map(|d| (MARGIN_MM / d).ceil() as usize);
    grid.crop(liver.bounds().grown(margin, &grid.bounds()))
}

/// The same place with voxels of another size.
fn coarse(grid: &Grid, mm: f64) -> Result<Grid, String> {
    let spacing = grid.spacing_mm().map(|d| d.max(mm));
    let (old, size) = (grid.spacing_mm(), grid.size());
    let size = [0, 1, 2].map(|k| ((size[k] as f64 * old[k] / spacing[k]).floor() as usize).max(1));
    grid.with_voxels(size, spacing).map_err(|e| e.to_string())
}

/// Where a structure is, in mm as NIfTI has them: to the right, to the front, up.
fn centre(mask: &Mask) -> Option<[f64; 3]> {
    let [nx, ny, _] = mask.grid().size();
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for (n, part) in mask.voxels() {
        let part = f64::from(part);
        let place = [n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64);
        let p = mask.grid().world(place);
        sum = [sum[0] - part * p.x, sum[1] - part * p.y, sum[2] + part * p.z];
        weight += part;
    }
    (weight > 0.0).then(|| sum.map(|s| (s / weight * 10.0).round() / 10.0))
}

fn write_images(folder: &Path, planned: &Planned) -> Result<(), String> {
    let write = |name: &str, image: &Image<f32>, what: &str| {
        nifti::write(&folder.join(name), &[image], what).map_err(|e| e.to_string())
    };
    let inputs = &planned.inputs;
    let emission = &inputs.emission.image;
    let liver = &inputs.structures.liver;
    let seen = around(emission.grid(), &liver.on(emission.grid()));
    write("spect.nii.gz", &resample::trilinear(emission, &seen, 0.0), "emission image")?;
    let whole: Vec<_> = planned.dose_per_gbq.iter().collect();
    nifti::write(&folder.join(DOSES), &whole, "Gy per GBq administered, a volume a session")
        .map_err(|e| e.to_string())?;
    for (n, dose) in planned.dose_per_gbq.iter().enumerate() {
        let grid = around(dose.grid(), &liver.on(dose.grid()));
        let part = resample::trilinear(dose, &grid, 0.0);
        write(&format!("dose-{}.nii.gz", n + 1), &part, "Gy per GBq administered")?;
    }
    let shown = match &inputs.ct {
        Some(ct) => {
            let grid = coarse(&around(ct.image.grid(), &liver.on(ct.image.grid())), CT_MM)?;
            // Whole HU: what is finer is noise, and would be sent.
            let hu = resample::box_average(&ct.image, &grid, -1000.0).map(|h| h.round());
            write("ct.nii.gz", &hu, "HU")?;
            grid
        }
        None => seen,
    };
    let mut labels = Image::filled(shown.clone(), 0.0_f32);
    let mut draw = |mask: &Mask, value: f32| {
        for (n, part) in mask.voxels() {
            if part >= 0.5 {
                labels.data_mut()[n] = value;
            }
        }
    };
    draw(&liver.on(&shown), 1.0);
    let mut centres = BTreeMap::new();
    for t in &inputs.structures.tumours {
        let mask = t.on(&shown);
        draw(&mask, 2.0);
        centres.extend(centre(&mask).map(|c| (t.name.clone(), c)));
    }
    let bytes = serde_json::to_vec(&centres).map_err(|e| e.to_string())?;
    fs::write(folder.join("lesions.json"), bytes).map_err(|e| format!("lesions.json: {e}"))?;
    write("labels.nii.gz", &labels, "1 liver, 2 tumour")
}

/// A file of a plan.
///
/// # Errors
/// When there is no such plan, or it has no such file.
pub fn file(app: &App, id: &str, name: &str) -> Result<PathBuf, Problem> {
    let missing = || Problem::not_found(format!("plan {id} has no file {name}"));
    let dose = name.strip_prefix("dose-").and_then(|n| n.strip_suffix(".nii.gz"));
    let known = FILES.contains(&name) || dose.is_some_and(|n| n.parse::<u8>().is_ok());
    if uuid::Uuid::parse_str(id).is_err() || !known {
        return Err(missing());
    }
    let path = folder(app, id).join(name);
    if path.is_file() { Ok(path) } else { Err(missing()) }
}

/// A plan, with the bytes it is kept in.
///
/// # Errors
/// When there is none.
pub fn plan(app: &App, id: &str) -> Result<(Plan, Vec<u8>), Problem> {
    folders::read(&file(app, id, "plan.json")?, AGAIN)
}

/// Its dose-volume curves at the prescribed activities.
///
/// # Errors
/// When there is no such plan.
pub fn curves(app: &App, id: &str) -> Result<Vec<Curve>, Problem> {
    Ok(folders::read(&file(app, id, "dvh.json")?, AGAIN)?.0)
}

/// Where its lesions are, in mm to the right, to the front, up.
///
/// # Errors
/// When there is no such plan.
pub fn lesions(app: &App, id: &str) -> Result<BTreeMap<String, [f64; 3]>, Problem> {
    Ok(folders::read(&file(app, id, "lesions.json")?, AGAIN)?.0)
}

/// The protocol a plan was made with: that of the course it was made for.
///
/// # Errors
/// When the plan's course cannot be read.
pub fn protocol(app: &App, id: &str) -> Result<Protocol, Problem> {
    let path = file(app, id, "plan.json")?.with_file_name("course");
    let wrong = |e: &dyn std::fmt::Display| Problem::not_found(format!("plan {id}: {e}"));
    let text = fs::read_to_string(&path).map_err(|e| wrong(&e))?;
    Ok(Opened::parse("the plan", text, None).map_err(|e| wrong(&e))?.protocol)
}
