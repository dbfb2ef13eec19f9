//! Dose and response of lesions: the planned dose of a lesion beside its change at best.

use crate::AnalysisError;
use crate::data::Trial;
use crate::share::Share;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Most bytes of a plan.
const MAX_BYTES: u64 = 64 << 20;
/// Most plans of a folder.
const MAX_PLANS: usize = 10_000;
/// Decrease that is a response of a lesion, %: that of partial response in RECIST 1.1.
const RESPONSE_PERCENT: f64 = -30.0;

/// What is read of a plan.
#[derive(Debug, Deserialize)]
struct PlanFile {
    schema: String,
    patient: Patient,
    sessions: Vec<SessionPlan>,
}
#[derive(Debug, Deserialize)]
struct Patient {
    id: String,
}
#[derive(Debug, Deserialize)]
struct SessionPlan {
    compartments: Vec<Compartment>,
}
#[derive(Debug, Deserialize)]
struct Compartment {
    name: String,
    role: String,
    dose_gy: Dose,
}
#[derive(Debug, Clone, Copy, Deserialize)]
struct Dose {
    mean: f64,
    mean_interval: [f64; 2],
}

/// Planned doses of lesions by patient and lesion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plans(BTreeMap<String, (PathBuf, BTreeMap<String, [f64; 3]>)>);

impl Plans {
    /// Reads every `plan.json` in a folder, and in the folders in it, and other `.json` in it.
    ///
    /// # Errors
    /// When one cannot be read, two are of one patient, or there is none.
    pub fn read(folder: &Path) -> Result<Self, AnalysisError> {
        let mut files = Vec::new();
        let refused = |path: &Path, why: String| AnalysisError::Plan { path: path.to_owned(), why };
        let list = |path: &Path| -> Result<Vec<PathBuf>, AnalysisError> {
            let failed = |e: std::io::Error| refused(path, format!("cannot be read ({e})"));
            let entries = fs::read_dir(path).map_err(failed)?.take(MAX_PLANS);
            let paths = entries.map(|e| e.map(|e| e.path()).map_err(failed));
            let mut all = paths.collect::<Result<Vec<_>, _>>()?;
            all.sort();
            Ok(all)
        };
        for path in list(folder)? {
            if path.is_dir() {
                files.extend(Some(path.join("plan.json")).filter(|p| p.is_file()));
            } else if path.extension().is_some_and(|e| e == "json") {
                files.push(path);
            }
        }
        let mut plans = Self::default();
        for path in files {
            let length = fs::metadata(&path).map_or(0, |m| m.len());
            if length > MAX_BYTES {
                return Err(refused(
                    &path,
                    format!("{length} bytes is no plan (at most {MAX_BYTES})"),
                ));
            }
            let text = fs::read_to_string(&path)
                .map_err(|e| refused(&path, format!("cannot be read ({e})")))?;
            let plan: PlanFile = serde_json::from_str(&text).map_err(|e| {
                refused(&path, format!("is no plan ({e}); expected plan.json of `hepatica plan`"))
            })?;
            if plan.schema != "hepatica-plan/1" {
                let why = format!("schema is {}, expected hepatica-plan/1", plan.schema);
                return Err(refused(&path, why));
            }
            let mut doses: BTreeMap<String, [f64; 3]> = BTreeMap::new();
            for c in plan.sessions.iter().flat_map(|s| &s.compartments) {
                if c.role != "tumour" {
                    continue;
                }
                let Dose { mean, mean_interval: [low, high] } = c.dose_gy;
                if ![mean, low, high].iter().all(|d| d.is_finite() && *d >= 0.0) {
                    return Err(refused(
                        &path,
                        format!("the dose of {} is no number from 0 on", c.name),
                    ));
                }
                let sum = doses.entry(c.name.clone()).or_default();
                // Ends of intervals are added: sessions of one lesion err together.
                for (s, d) in sum.iter_mut().zip([mean, low, high]) {
                    *s += d;
                }
            }
            let patient = plan.patient.id.clone();
            if let Some((other, _)) = plans.0.insert(patient.clone(), (path.clone(), doses)) {
                let why = format!(
                    "a second plan of patient {patient} (the first: {}); keep the one that was given",
                    other.display()
                );
                return Err(refused(&path, why));
            }
        }
        if plans.0.is_empty() {
            return Err(refused(folder, "holds no plan.json".to_owned()));
        }
        Ok(plans)
    }
}

/// Dose and response of lesions.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DoseResponse {
    /// Lesions with a dose and a change.
    pub lesions: Vec<LesionDose>,
    /// Patients they are of.
    pub patients: u64,
    /// Responses by dose: lesions below the median dose, and from it on.
    pub halves: Vec<Half>,
    /// Lesions of plans that no row of TR is of, and plans of nobody.
    pub unmatched: Vec<String>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// A lesion.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LesionDose {
    /// Of whom.
    pub subject: String,
    /// Which.
    pub lesion: String,
    /// Planned mean dose of all sessions.
    pub dose_gy: f64,
    /// Its interval.
    pub dose_interval_gy: [f64; 2],
    /// Smallest diameter after the baseline against that at baseline, %.
    pub change_percent: f64,
    /// Whether that is a response.
    pub responded: bool,
}

/// Lesions of a range of dose.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Half {
    /// Lowest and highest dose.
    pub dose_gy: [f64; 2],
    /// Lesions that responded.
    pub responded: Share,
}

pub(crate) fn dose_response(
    trial: &Trial,
    plans: &Plans,
    level: f64,
) -> Result<DoseResponse, AnalysisError> {
    let mut lesions = Vec::new();
    let mut unmatched = Vec::new();
    for (patient, (path, doses)) in &plans.0 {
        let of = |s: &&crate::data::Subject| s.label == *patient || s.id == *patient;
        let Some(s) = trial.subjects.iter().find(of) else {
            unmatched.push(format!("{}: patient {patient} is not in the data", path.display()));
            continue;
        };
        for (name, [dose, low, high]) in doses {
            let sizes = s.lesions.get(name).or_else(|| s.lesions.get(&format!("T-{name}")));
            let Some(change) = sizes.and_then(|sizes| change(sizes, s.c1d1)) else {
                unmatched.push(format!("{patient}: lesion {name} has no two sizes in TR"));
                continue;
            };
            lesions.push(LesionDose {
                subject: s.label.clone(),
                lesion: name.clone(),
                dose_gy: *dose,
                dose_interval_gy: [*low, *high],
                change_percent: change,
                responded: change <= RESPONSE_PERCENT,
            });
        }
    }
    let mut sorted: Vec<&LesionDose> = lesions.iter().collect();
    sorted.sort_by(|a, b| a.dose_gy.total_cmp(&b.dose_gy));
    let mut halves = Vec::new();
    if sorted.len() >= 2 {
        // Lesions of one dose are in one half.
        let middle = sorted[sorted.len() / 2].dose_gy;
        let place = sorted.partition_point(|l| l.dose_gy < middle);
        for half in [&sorted[..place], &sorted[place..]] {
            let (Some(first), Some(last)) = (half.first(), half.last()) else { continue };
            let yes = half.iter().filter(|l| l.responded).count();
            halves.push(Half {
                dose_gy: [first.dose_gy, last.dose_gy],
                responded: Share::of(yes, half.len(), level)?,
            });
        }
    }
    let patients: std::collections::BTreeSet<_> = lesions.iter().map(|l| &l.subject).collect();
    let patients = patients.len() as u64;
    Ok(DoseResponse {
        patients,
        halves,
        unmatched,
        notes: vec![
            "doses are planned, not measured after treatment".to_owned(),
            "lesions of one patient are alike: the intervals of the halves take them as independent and are too narrow".to_owned(),
            "response of a lesion: 30 % less diameter at best, whatever other lesions do; drugs act on it too".to_owned(),
        ],
        lesions,
    })
}

/// Change at best from the last size until the first day (or the first there is), %.
fn change(sizes: &BTreeMap<Date, f64>, first_day: Option<Date>) -> Option<f64> {
    let before = first_day.and_then(|day| sizes.range(..=day).next_back());
    let (baseline_on, baseline) = before.or_else(|| sizes.iter().next())?;
    let later = sizes.iter().filter(|(on, _)| *on > baseline_on).map(|(_, mm)| *mm);
    let best = later.fold(f64::INFINITY, f64::min);
    (*baseline > 0.0 && best.is_finite()).then(|| 100.0 * (best - baseline) / baseline)
}
