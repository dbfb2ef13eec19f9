//! Verification as a job: what was given in a session of a plan, by the scan after treatment, and what a
//! browser needs to show it beside the plan.
//!
//! A scan is a folder under `scans/` of the data folder; `built-in-pet` and `built-in-spect` are made when
//! they are first asked for, of the synthetic patient treated as planned. A verification is a folder under
//! `verifications/`, named by its job, there whole or not at all.

use crate::folders::{self, plain, unwritable};
use crate::plans::{self, Curve, around};
use crate::problem::Problem;
use crate::server::App;
use crate::store::Job;
use hepatica_imaging::{Image, nifti, resample};
use hepatica_phantom::{Kind, Options as PhantomOptions, ScanOptions, write_scan};
use hepatica_planning::plan::Session;
use hepatica_planning::verification::{Calibration, Criterion, Given, Options};
use hepatica_planning::{Plan, Verification, Verified, verify_case};
use hepatica_report::verification::VerificationReport;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Kind of the jobs that verify.
pub const KIND: &str = "verify";
/// The scans that come with the program.
const BUILT_IN: [(&str, Kind); 2] = [("built-in-pet", Kind::Pet), ("built-in-spect", Kind::Spect)];
/// The record of the treatment, beside a scan and in a verification.
const RECORD: &str = "treatment.toml";
/// Version of its format.
const RECORD_SCHEMA: u32 = 1;
/// Criteria of gamma: dose difference in percent of the highest dose planned, distance in mm.
const GAMMA: [(f64, f64); 2] = [(3.0, 3.0), (10.0, 5.0)];
/// Files of a verification that may be asked for.
const FILES: [&str; 10] = [
    "verify.json",
    RECORD,
    "dvh.json",
    "lesions.json",
    "report.pdf",
    "ct.nii.gz",
    "labels.nii.gz",
    "planned.nii.gz",
    "delivered.nii.gz",
    "difference.nii.gz",
];
/// Those of them that are the plan's: the images of the simulation procedure around the liver.
const OF_PLAN: [&str; 3] = ["ct.nii.gz", "labels.nii.gz", "lesions.json"];
/// What to do about a verification that cannot be read.
const AGAIN: &str = "verify again";

/// What a verification is asked with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationAsked)]
pub struct Asked {
    /// Name of the scan: `built-in-pet`, `built-in-spect`, or a folder under `scans/` of the data folder.
    pub scan: String,
    /// Session of the plan that was treated.
    pub session: u32,
    /// `absolute` (the scan's Bq/mL; what PET takes when left out) or `relative` (its proportions, scaled to
    /// the activity delivered; what counts take).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// What was given; the `treatment.toml` in the folder of the scan when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// The record of a treatment, as in `treatment.toml` (docs/verify.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Moment of the instillation, local time: `2027-01-05 13:00`.
    pub instant: String,
    /// IANA name of the time zone; the plan's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Every vial before.
    pub assay: Vec<Measured>,
    /// Vials, lines and waste after; 0 if nothing stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<Measured>,
    /// Readings of a survey meter in place of residual activities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
}

/// An activity at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// In GBq.
    pub activity_gbq: f64,
    /// Local time.
    pub instant: String,
    /// Relative standard uncertainty in percent; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty_percent: Option<f64>,
}

/// Readings of a survey meter around the jar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Readings before, in any unit.
    pub before: Vec<f64>,
    /// Local time of these.
    pub before_instant: String,
    /// Readings after, in the same unit.
    pub after: Vec<f64>,
    /// Local time of these.
    pub after_instant: String,
}

impl Record {
    /// As `treatment.toml`.
    fn text(&self, session: u32) -> Result<String, Problem> {
        #[derive(Serialize)]
        struct File<'r> {
            schema: u32,
            session: u32,
            #[serde(flatten)]
            record: &'r Record,
        }
        let file = File { schema: RECORD_SCHEMA, session, record: self };
        toml::to_string(&file)
            .map_err(|e| Problem::refused(format!("record: cannot be written down ({e})")))
    }
}

/// What a job that verifies is kept with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The plan it is held against.
    pub plan: String,
    /// What was asked.
    pub asked: Asked,
}

impl Stored {
    /// What a job was asked with; none: it does not verify.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        (job.kind == KIND).then(|| serde_json::from_str(&job.asked).ok())?
    }
}

/// Planned and delivered curves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Curves {
    /// As planned.
    pub planned: Vec<Curve>,
    /// As delivered.
    pub delivered: Vec<Curve>,
}

/// A verification to be made.
#[derive(Debug)]
pub struct Order {
    case: PathBuf,
    plan: PathBuf,
    scan: PathBuf,
    /// How the scan is made, if it comes with the program.
    made: Option<ScanOptions>,
    /// The record of the treatment as text; none: beside the scan.
    record: Option<String>,
    calibration: Option<Calibration>,
    out: PathBuf,
}

/// Names of scans that can be verified with.
#[must_use]
pub fn scans(data: &Path) -> Vec<String> {
    let mut names = folders::names(&data.join("scans"));
    // Those that were made are named after the plan that they follow.
    let made = |n: &str| BUILT_IN.iter().any(|(b, _)| n.split('.').next() == Some(b));
    names.retain(|n| !made(n));
    names.extend(BUILT_IN.map(|(name, _)| name.to_owned()));
    names.sort();
    names
}

fn folder(app: &App, id: &str) -> PathBuf {
    app.data.join("verifications").join(id)
}

/// The synthetic patient after a session, treated as planned.
fn synthetic(phantom: &PhantomOptions, kind: Kind, session: &Session) -> Option<ScanOptions> {
    Some(ScanOptions {
        kind,
        seed: phantom.seed,
        noise: phantom.noise,
        small: phantom.spect < PhantomOptions::default().spect,
        session: session.id,
        assayed_gbq: session.dispensed().gbq(),
        lung_shunt: phantom.lung_shunt,
        instant: session.instant()?,
        ..ScanOptions::default()
    })
}

/// Looks up what is asked and gives what is to be made; `job` is the plan's, `out` where it is to be.
fn order(app: &App, job: &Job, asked: &Asked, out: PathBuf) -> Result<Order, Problem> {
    let refused = |what: String| Err(Problem::refused(what));
    let known = scans(&app.data);
    if !plain(&asked.scan) || !known.contains(&asked.scan) {
        return refused(format!(
            "no scan is named `{}`; there are: {} (put a folder into {})",
            asked.scan,
            known.join(", "),
            app.data.join("scans").display()
        ));
    }
    let (plan, _) = plans::plan(app, &job.id)?;
    let place = plans::folder(app, &job.id);
    if !place.join(plans::DOSES).is_file() {
        return refused(format!(
            "plan {} was made by an earlier version and holds no dose to compare with; plan the case again",
            job.id
        ));
    }
    let of_plan: plans::Asked = serde_json::from_str(&job.asked)?;
    let case = plans::case(app, &of_plan);
    if !case.is_dir() {
        return refused(format!(
            "the case `{}` of this plan is not in {} any more; put it there again",
            of_plan.case,
            app.data.join("cases").display()
        ));
    }
    let Some(session) = plan.sessions.iter().find(|s| s.id == asked.session) else {
        let ids: Vec<_> = plan.sessions.iter().map(|s| s.id.to_string()).collect();
        return refused(format!(
            "session: the plan has no session {}; there are: {}",
            asked.session,
            ids.join(", ")
        ));
    };
    let calibration = asked.calibration.as_deref().map(str::parse::<Calibration>).transpose();
    let calibration = calibration.map_err(|e| Problem::refused(format!("calibration: {e}")))?;
    let mut scan = app.data.join("scans").join(&asked.scan);
    let mut made = None;
    if let Some((name, kind)) = BUILT_IN.into_iter().find(|(name, _)| *name == asked.scan) {
        if of_plan.case != plans::BUILT_IN {
            return refused(format!(
                "scan {name}: is of the synthetic patient, but the plan is of the case `{}`; put the scan into {}",
                of_plan.case,
                app.data.join("scans").display()
            ));
        }
        scan = app.data.join("scans").join(format!("{name}.{}.{}", job.id, session.id));
        let options = synthetic(&app.phantom, kind, session);
        made = Some(options.ok_or_else(|| {
            Problem::refused("the plan's moment of treatment cannot be read; plan the case again")
        })?);
    }
    let record = record(&plan, asked, made.is_none().then_some(scan.as_path()))?;
    Ok(Order { case, plan: place, scan, made, record, calibration, out })
}

/// The record of the treatment as text, checked; none: it is beside the scan, and was checked there if
/// the scan is there.
fn record(plan: &Plan, asked: &Asked, scan: Option<&Path>) -> Result<Option<String>, Problem> {
    let (zone, half_life) = (&plan.schedule.time_zone, plan.half_life());
    let wrong = |e: &dyn std::fmt::Display| Problem::refused(e.to_string());
    if let Some(record) = &asked.record {
        let text = record.text(asked.session)?;
        Given::parse(&text, Path::new("record"), zone, half_life).map_err(|e| wrong(&e))?;
        return Ok(Some(text));
    }
    let Some(scan) = scan else { return Ok(None) };
    let path = scan.join(RECORD);
    if !path.is_file() {
        return Err(Problem::refused(format!(
            "record: what was given? scan {} has no {RECORD} with it; say the vials' activity before and what stayed after",
            asked.scan
        )));
    }
    let given = Given::read(&path, zone, half_life).map_err(|e| wrong(&e))?;
    if given.session != asked.session {
        return Err(Problem::refused(format!(
            "session: {} of scan {} is of session {}, expected {}; choose the other session, or say what was given",
            RECORD, asked.scan, given.session, asked.session
        )));
    }
    Ok(None)
}

/// Whether a verification of a plan can be made as asked; `job` is the plan's.
///
/// # Errors
/// When scan, session, record or plan cannot be.
pub fn check(app: &App, job: &Job, asked: &Asked) -> Result<(), Problem> {
    order(app, job, asked, PathBuf::new()).map(drop)
}

impl Order {
    /// What a job asks for.
    ///
    /// # Errors
    /// When it asks for what cannot be.
    pub async fn read(app: &App, job: &Job) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(&job.asked)
            .map_err(|e| format!("the job cannot be read ({e})"))?;
        let plan = app.store.job(&stored.plan).await.map_err(|e| e.to_string())?;
        let plan = plan.ok_or_else(|| format!("no plan {}", stored.plan))?;
        order(app, &plan, &stored.asked, folder(app, &job.id)).map_err(|p| p.detail)
    }
}

/// Makes a verification and gives its decision in a sentence.
///
/// # Errors
/// One sentence.
pub fn make(order: &Order, tell: &dyn Fn(&str, f64)) -> Result<String, String> {
    let said = |e: &dyn std::fmt::Display| e.to_string();
    let mut from = 0.0;
    if let Some(options) = order.made.as_ref().filter(|_| !order.scan.is_dir()) {
        from = 0.3;
        let making = folders::beside(&order.scan)?;
        write_scan(making.path(), options, &|what, done| tell(what, 0.3 * done))
            .map_err(|e| said(&e))?;
        folders::put(making, &order.scan)?;
    }
    let making = folders::beside(&order.out)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = making.path().join(name);
        fs::write(&path, bytes).map_err(unwritable(&path))
    };
    let copy = |from: &Path, name: &str| {
        let path = making.path().join(name);
        fs::copy(from, &path).map(drop).map_err(unwritable(&path))
    };
    match &order.record {
        Some(text) => write(RECORD, text.as_bytes())?,
        None => copy(&order.scan.join(RECORD), RECORD)?,
    }
    let options = Options {
        scan: order.scan.clone(),
        plan: order.plan.clone(),
        treatment: Some(making.path().join(RECORD)),
        calibration: order.calibration,
        gamma: GAMMA.map(|(percent, mm)| Criterion::global(percent, mm)).to_vec(),
        ..Options::default()
    };
    let span = 0.85 - from;
    let verified = verify_case(&order.case, &options, &|what, done| tell(what, from + span * done))
        .map_err(|e| said(&e))?;
    tell("making images for the browser", 0.86);
    for name in OF_PLAN {
        let path = order.plan.join(name);
        if path.is_file() {
            copy(&path, name)?;
        }
    }
    write_images(making.path(), &verified)?;
    tell("setting the report", 0.9);
    let report = VerificationReport::new(&verified).and_then(|r| r.pdf()).map_err(|e| said(&e))?;
    write("report.pdf", &report)?;
    let curves = |list: &[_]| list.iter().map(Curve::from).collect();
    let curves = Curves {
        planned: curves(&verified.planned_curves),
        delivered: curves(&verified.delivered_curves),
    };
    write("dvh.json", &serde_json::to_vec(&curves).map_err(|e| said(&e))?)?;
    let json = serde_json::to_vec_pretty(&verified.verification).map_err(|e| said(&e))?;
    write("verify.json", &json)?;
    folders::put(making, &order.out)?;
    Ok(verified.verification.decision.sentence)
}

/// Doses in the liver, and how they differ, on the part of the plan's grid around it.
fn write_images(folder: &Path, verified: &Verified) -> Result<(), String> {
    let (planned, delivered) = (&verified.planned_dose, &verified.dose);
    let bounds = around(delivered.grid(), &verified.liver);
    let mut in_liver = planned.map(|_| 0.0_f32);
    let mut difference = in_liver.clone();
    for (n, part) in verified.liver.voxels() {
        if part > 0.0 {
            in_liver.data_mut()[n] = planned.data()[n];
            difference.data_mut()[n] = delivered.data()[n] - planned.data()[n];
        }
    }
    let write = |name: &str, image: &Image<f32>, what: &str| {
        let part = resample::trilinear(image, &bounds, 0.0);
        nifti::write(&folder.join(name), &[&part], what).map_err(|e| e.to_string())
    };
    write("planned.nii.gz", &in_liver, "Gy planned in the liver")?;
    write("delivered.nii.gz", delivered, "Gy delivered in the liver")?;
    write("difference.nii.gz", &difference, "Gy delivered less planned in the liver")
}

/// A file of a verification.
///
/// # Errors
/// When there is no such verification, or it has no such file.
pub fn file(app: &App, id: &str, name: &str) -> Result<PathBuf, Problem> {
    let missing = || Problem::not_found(format!("verification {id} has no file {name}"));
    if uuid::Uuid::parse_str(id).is_err() || !FILES.contains(&name) {
        return Err(missing());
    }
    let path = folder(app, id).join(name);
    if path.is_file() { Ok(path) } else { Err(missing()) }
}

/// A verification.
///
/// # Errors
/// When there is none.
pub fn verification(app: &App, id: &str) -> Result<Verification, Problem> {
    Ok(folders::read(&file(app, id, "verify.json")?, AGAIN)?.0)
}

/// Its dose-volume curves.
///
/// # Errors
/// When there is no such verification.
pub fn curves(app: &App, id: &str) -> Result<Curves, Problem> {
    Ok(folders::read(&file(app, id, "dvh.json")?, AGAIN)?.0)
}

/// Where its lesions are, in mm to the right, to the front, up.
///
/// # Errors
/// When there is no such verification.
pub fn lesions(app: &App, id: &str) -> Result<BTreeMap<String, [f64; 3]>, Problem> {
    Ok(folders::read(&file(app, id, "lesions.json")?, AGAIN)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_down_as_the_command_line_reads_it() {
        let at = |hm: &str| format!("2027-01-05 {hm}");
        let vial = |activity_gbq, hm| Measured {
            activity_gbq,
            instant: at(hm),
            uncertainty_percent: None,
        };
        let mut record = Record {
            instant: at("13:00"),
            time_zone: Some("Europe/Zurich".to_owned()),
            assay: vec![vial(2.0, "12:00"), vial(1.0, "12:05")],
            residual: vec![vial(0.1, "17:00")],
            survey: None,
        };
        let half_life = hepatica_physics::Nuclide::Y90.half_life;
        let read = |r: &Record| {
            let text = r.text(2).expect("text");
            Given::parse(&text, Path::new("record"), "UTC", half_life).map_err(|e| e.to_string())
        };
        let given = read(&record).expect("given");
        assert_eq!((given.session, given.residual_by), (2, "activity"));
        assert_eq!(given.instant.time_zone().iana_name(), Some("Europe/Zurich"));
        record.residual.clear();
        record.survey = Some(Survey {
            before: vec![200.0, 210.0],
            before_instant: at("12:00"),
            after: vec![4.0],
            after_instant: at("16:00"),
        });
        assert_eq!(read(&record).expect("given").residual_by, "survey");
        record.assay[0].activity_gbq = 2000.0;
        let said = read(&record).expect_err("MBq");
        assert!(said.starts_with("record: assay.activity_gbq = 2000"), "{said}");
    }
}
