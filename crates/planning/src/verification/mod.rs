//! What was really given: from the scan after treatment to doses beside those of the plan.
//!
//! | module | holds |
//! |---|---|
//! | `treatment` | assay and residual: what reached the patient |
//! | `scan` | which files the scan is, and when it was |
//! | `place` | where the scan is in the planning CT |
//! | `compare` | planned against delivered, by compartment and by voxel |
//! | [`record`] | the answer, as it is written to `verify.json` |
//!
//! The scan is never interpolated to find a dose: its grid is carried to the planning CT as a whole, turned
//! as the patient was, and the structures are laid on it there. Only what is compared voxel by voxel, and
//! the dose written for other systems, is interpolated, once.

mod compare;
mod place;
pub mod record;
mod scan;
mod treatment;

pub use hepatica_dosimetry::gamma::Criterion;
pub use record::Verification;
pub use treatment::{Given, TreatmentError};

use crate::delivered::Delivered as Earlier;
use crate::fused;
use crate::inputs::{self, InputError, Inputs, Knowingly};
use crate::perfusion::{self, Perfusion, PerfusionError};
use crate::pipeline::centre;
use crate::plan::{self, Constant, Input, Plan};
use crate::tissue::{Tissue, TissueError, ratio};
use crate::views::{DvhCurve, FusedView};
use hepatica_biology::ParameterSets;
use hepatica_dosimetry::dvh::Dvh;
use hepatica_dosimetry::gamma::GammaError;
use hepatica_dosimetry::{
    ActivityMap, DoseEngine, EngineError, KernelConvolution, LocalDeposition, Medium,
};
use hepatica_imaging::registration::{RegistrationError, Rigid};
use hepatica_imaging::{EmissionUnit, Image, Mask, ReadError, nifti, resample};
use hepatica_physics::{Activity, Density, Dose, EnergyPerActivity, Nuclide, TimeSpan};
use hepatica_regimen::gate::Status;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use record::{Check, Decision, Delivery, Lungs, SCHEMA, SeenActivity};
use scan::Scan;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// Points of a plotted curve.
const CURVE_POINTS: usize = 400;
/// What the grid of the scan keeps around the liver.
const MARGIN_MM: f64 = 30.0;
/// Longest plan file.
const MAX_PLAN_BYTES: u64 = 1 << 28;
/// What reaches the patient may differ from what was prescribed by this.
const TOLERANCE_PERCENT: (f64, &str) =
    (20.0, "written directive, US: delivered within 20 % of prescribed (facts 10, recalled)");
/// A calibrated scan that shows less than this share of what was delivered, or more than its inverse.
const RECOVERY_EXPECTED: [f64; 2] = [0.75, 1.2];
/// Territory's share of the liver's activity below which the spheres went elsewhere.
const SHARE_EXPECTED: f64 = 0.8;

/// Parts of the doubt of a mean dose, as relative standard uncertainties, with their sources.
const SCANNER: (f64, &str) =
    (0.10, "Bq/mL of 90Y PET: background within about 10 % over 47 sites (QUEST, recalled)");
const CONTOURS: (f64, &str) = (0.054, "HCC on MRI: mean dose CV 5.4 % between readers");
const POSITION_TUMOUR: (f64, &str) =
    (0.07, "registration and breathing, tumours: 5-10 % (facts 9)");
const POSITION_LIVER: (f64, &str) = (0.03, "registration and breathing, normal liver");

/// How the scan becomes activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calibration {
    /// Its Bq/mL are taken.
    Absolute,
    /// Its proportions are taken and scaled to the activity delivered.
    Relative,
}

impl FromStr for Calibration {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "absolute" => Ok(Self::Absolute),
            "relative" => Ok(Self::Relative),
            _ => Err("expected one of: absolute, relative".to_owned()),
        }
    }
}

/// Dose engine of the delivered dose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Every decay's energy stays in its voxel.
    Local,
    /// Convolution with a voxel kernel.
    Kernel,
}

impl FromStr for Engine {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "local" => Ok(Self::Local),
            "kernel" => Ok(Self::Kernel),
            _ => Err("expected one of: local, kernel".to_owned()),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folder of the scan after treatment.
    pub scan: PathBuf,
    /// Folder of the plan.
    pub plan: PathBuf,
    /// What was given; `treatment.toml` in the folder of the scan when left out.
    pub treatment: Option<PathBuf>,
    /// A spatial registration object, in place of registering images.
    pub registration: Option<PathBuf>,
    /// The scan is in register although its frame of reference differs.
    pub assume_aligned: bool,
    /// Absolute for a scan in Bq/mL and relative for counts when left out.
    pub calibration: Option<Calibration>,
    /// The plan's when left out, if it is local or kernel, else local.
    pub engine: Option<Engine>,
    /// Criteria of gamma; 3 %, 3 mm global when there is none.
    pub gamma: Vec<Criterion>,
}

/// Why nothing is verified: one sentence.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Images and structures of the case.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file of the scan.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was given.
    #[error(transparent)]
    Treatment(#[from] TreatmentError),
    /// Structures that cannot be.
    #[error(transparent)]
    Tissue(#[from] TissueError),
    /// Values of the scan.
    #[error(transparent)]
    Perfusion(#[from] PerfusionError),
    /// Dose.
    #[error("dose: {0}")]
    Engine(#[from] EngineError),
    /// Gamma.
    #[error(transparent)]
    Gamma(#[from] GammaError),
    /// Parameter sets of the program.
    #[error("parameter sets: {0}")]
    Parameters(#[from] toml::de::Error),
    /// The scan.
    #[error("{}: {what}", .scan.display())]
    Scan {
        /// The folder.
        scan: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Somebody else.
    #[error("{}: the scan is of patient {found}, expected {expected} as the case; keep each patient in a folder of its own", .scan.display())]
    OtherPatient {
        /// The folder.
        scan: PathBuf,
        /// Who it is of.
        found: String,
        /// The case's.
        expected: String,
    },
    /// The images do not fit.
    #[error("{}: the scan's CT cannot be registered with the planning CT: {source}; check that both are of this patient and lie the same way, or give --registration FILE", .scan.display())]
    Registration {
        /// The folder.
        scan: PathBuf,
        /// Why.
        source: RegistrationError,
    },
    /// A registration of other images.
    #[error("{}: says nothing of the frames of reference {planning} (planning CT) and {scan} (scan), expected both; export the registration of these two", .file.display())]
    RegistrationFile {
        /// The file.
        file: PathBuf,
        /// The planning CT's.
        planning: String,
        /// The scan's.
        scan: String,
    },
    /// The plan.
    #[error("{}: {what}", .plan.display())]
    Plan {
        /// The file.
        plan: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// A verification and the numbers behind its figures and dose files.
#[derive(Debug)]
pub struct Verified {
    /// The answer.
    pub verification: Verification,
    /// Planes through the lesions with the dose planned for the session.
    pub planned_views: Vec<FusedView>,
    /// The same planes with the dose delivered.
    pub delivered_views: Vec<FusedView>,
    /// Curves as planned.
    pub planned_curves: Vec<DvhCurve>,
    /// Curves as delivered.
    pub delivered_curves: Vec<DvhCurve>,
    /// Planned and delivered dose of every voxel compared, in Gy.
    pub scatter: Vec<[f32; 2]>,
    /// Dose delivered in the liver in Gy, on the grid of the plan's dose.
    pub dose: Image<f32>,
    /// Dose planned for the session in Gy, on the same grid.
    pub planned_dose: Image<f32>,
    /// The liver on that grid.
    pub liver: Mask,
    /// From the planning CT to the scan.
    pub motion: Rigid,
    /// Who was imaged.
    pub patient: hepatica_imaging::dicom::Patient,
    /// Frame of reference of the plan.
    pub frame_of_reference: Option<String>,
    /// Frame of reference of the scan.
    pub scan_frame_of_reference: Option<String>,
    /// Study of the planning images.
    pub study_uid: Option<String>,
    /// Moment of the treatment.
    pub instant: ZonedDateTime,
}

/// Verifies a session of the case in `folder`. `progress` is told what is being done and how much of the
/// whole (0 to 1) is done.
///
/// # Errors
/// One sentence on the first thing that is missing or cannot be.
pub fn verify_case(
    folder: &Path,
    options: &Options,
    progress: &dyn Fn(&str, f64),
) -> Result<Verified, VerifyError> {
    progress("reading the plan", 0.0);
    let planned = Planned::read(&options.plan)?;
    let half_life = planned.plan.half_life();
    let record = options.treatment.clone().unwrap_or_else(|| beside(&options.scan));
    let given = Given::read(&record, &planned.plan.schedule.time_zone, half_life)?;
    let number = planned.session(given.session)?;
    progress("reading the case", 0.05);
    let case = inputs::read_case(folder)?;
    let inputs =
        inputs::load(folder, case, Knowingly { accept_proposed: true, ..Knowingly::default() })?;
    planned.check_inputs(&inputs)?;
    progress("reading the scan", 0.3);
    let scan = Scan::read(&options.scan, &inputs.patient_id)?;
    Verifier { folder, options, planned, number, given, record, inputs, half_life }
        .verify(scan, progress)
}

/// The record of the treatment beside a scan.
fn beside(scan: &Path) -> PathBuf {
    let folder = if scan.is_file() { scan.parent().unwrap_or(scan) } else { scan };
    folder.join("treatment.toml")
}

/// The plan as it was written.
struct Planned {
    path: PathBuf,
    plan: Plan,
    sha256: String,
    /// Dose per GBq of every session.
    per_gbq: Vec<Image<f32>>,
}

impl Planned {
    fn read(folder: &Path) -> Result<Self, VerifyError> {
        let path = folder.join("plan.json");
        let wrong = |what: String| VerifyError::Plan { plan: path.clone(), what };
        let length = std::fs::metadata(&path).map_err(|e| {
            wrong(format!(
                "cannot be read ({e}); give the folder that hepatica plan wrote with --plan"
            ))
        })?;
        if length.len() > MAX_PLAN_BYTES {
            return Err(wrong(format!("{} bytes is no plan", length.len())));
        }
        let text =
            std::fs::read_to_string(&path).map_err(|e| wrong(format!("cannot be read ({e})")))?;
        let plan: Plan = serde_json::from_str(&text)
            .map_err(|e| wrong(format!("is no plan of this version ({e}); plan the case again")))?;
        let sha256 = hex(&inputs::digest(&path)?);
        let per_gbq = nifti::read_volumes(&folder.join("dose_per_gbq.nii.gz"))?;
        if per_gbq.len() != plan.sessions.len() {
            return Err(wrong(format!(
                "has {} sessions and {} doses in dose_per_gbq.nii.gz, expected as many; plan the case again",
                plan.sessions.len(),
                per_gbq.len()
            )));
        }
        Ok(Self { path, plan, sha256, per_gbq })
    }

    /// Place of a session in the plan.
    fn session(&self, id: u32) -> Result<usize, VerifyError> {
        self.plan.sessions.iter().position(|s| s.id == id).ok_or_else(|| {
            let known: Vec<_> = self.plan.sessions.iter().map(|s| s.id.to_string()).collect();
            VerifyError::Plan {
                plan: self.path.clone(),
                what: format!(
                    "has no session {id}, which treatment.toml names; there are: {}",
                    known.join(", ")
                ),
            }
        })
    }

    /// A plan of other images is no plan of this case.
    fn check_inputs(&self, inputs: &Inputs) -> Result<(), VerifyError> {
        for role in ["ct", "spect", "structures"] {
            let of = |list: &[Input]| {
                let mut sums: Vec<String> =
                    list.iter().filter(|i| i.role == role).map(|i| i.sha256.clone()).collect();
                sums.sort();
                sums
            };
            if of(&self.plan.inputs) != of(&inputs.files) {
                return Err(VerifyError::Plan {
                    plan: self.path.clone(),
                    what: format!(
                        "was made from other files of the role {role} than {} holds, expected the same; plan the case again, or give the plan that belongs to it",
                        inputs.folder.display()
                    ),
                });
            }
        }
        Ok(())
    }
}

struct Verifier<'a> {
    folder: &'a Path,
    options: &'a Options,
    planned: Planned,
    number: usize,
    given: Given,
    record: PathBuf,
    inputs: Inputs,
    half_life: TimeSpan,
}

/// The dose of the scan, on its own grid carried to the planning CT.
struct Delivered {
    /// In Gy; of a local engine also outside the liver, so that it can be interpolated.
    dose: Image<f32>,
    tissue: Tissue,
    seen: SeenActivity,
    perfusion: Perfusion,
}

impl Verifier<'_> {
    fn wrong(&self, what: String) -> VerifyError {
        VerifyError::Scan { scan: self.options.scan.clone(), what }
    }

    fn session(&self) -> &plan::Session {
        &self.planned.plan.sessions[self.number]
    }

    fn verify(
        mut self,
        mut scan: Scan,
        progress: &dyn Fn(&str, f64),
    ) -> Result<Verified, VerifyError> {
        let calibration = self.calibration(&scan)?;
        let zone = TimeZone::get(&self.planned.plan.schedule.time_zone)
            .map_err(|e| self.wrong(format!("the plan's time zone is none ({e})")))?;
        let timing =
            scan.timing(&self.options.scan, &self.given, &zone, self.half_life, calibration)?;
        progress("finding the scan in the planning CT", 0.45);
        let placed = place::place(
            &self.inputs,
            &scan,
            &place::Said {
                scan: &self.options.scan,
                file: self.options.registration.as_deref(),
                assume_aligned: self.options.assume_aligned,
            },
        )?;
        progress("computing the dose delivered", 0.7);
        let mut warnings = std::mem::take(&mut scan.warnings);
        warnings.extend(placed.warnings.iter().cloned());
        let delivered =
            self.delivered(&scan, &placed.motion, calibration, timing.decay_factor, &mut warnings)?;
        progress("comparing", 0.8);
        let sets = ParameterSets::shipped()?;
        let session = self.session().clone();
        let delivered_gbq = self.given.delivered().gbq();
        let planned_gbq = session.prescription.activity_gbq;
        let activity_doubt = match calibration {
            Calibration::Absolute => SCANNER.0,
            Calibration::Relative => self.given.uncertainty / self.given.delivered(),
        };
        let total =
            |position: f64| (activity_doubt.powi(2) + CONTOURS.0.powi(2) + position.powi(2)).sqrt();
        let context = compare::Context {
            sets: &sets,
            half_life: self.half_life,
            device: &session.device,
            planned_gbq,
            delivered_gbq,
            uncertainty: [total(POSITION_TUMOUR.0), total(POSITION_LIVER.0)],
        };
        let outside = delivered.tissue.normal.minus(&delivered.perfusion.territory);
        let wanted = wanted(&delivered.perfusion, &delivered.tissue, &outside);
        let (compartments, delivered_curves): (Vec<_>, Vec<_>) = wanted
            .iter()
            .filter_map(|(name, role, mask)| {
                let (compared, dvh) =
                    context.compartment(name, role, &delivered.dose, mask, &session)?;
                Some((compared, curve(session.id, name, role, &dvh)))
            })
            .unzip();

        let territories = self.territories(&delivered, &sets);

        let before = self.before(&session)?;
        let on_plan = resample::trilinear(&delivered.dose, before.dose.grid(), 0.0);
        let pair = compare::Pair {
            planned: &before.dose,
            delivered: &delivered.dose,
            delivered_on_plan: &on_plan,
            territory: &before.perfusion.territory,
            liver: &before.tissue.liver,
            tumours: &before.perfusion.tumours.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>(),
        };
        let default = [Criterion::global(3.0, 3.0)];
        let criteria: &[Criterion] =
            if self.options.gamma.is_empty() { &default } else { &self.options.gamma };
        let Some((voxels, scatter)) = compare::voxels(&pair, criteria)? else {
            return Err(self.wrong(
                "fewer than three voxels of the plan lie in the territory, nothing can be compared"
                    .to_owned(),
            ));
        };
        let lesions: Vec<(String, [f64; 3])> = before
            .perfusion
            .tumours
            .iter()
            .filter_map(|(t, _)| Some((t.name.clone(), centre(&t.mask)?)))
            .collect();
        let [planned_views, delivered_views] = [&before.dose, &delivered.dose].map(|dose| {
            self.inputs.ct.as_ref().map_or_else(Vec::new, |ct| {
                fused::views(
                    &ct.image,
                    dose,
                    &self.inputs.structures,
                    &before.tissue.liver,
                    &lesions,
                )
            })
        });
        let mut dose = on_plan.map(|_| 0.0_f32);
        for (n, f) in before.tissue.liver.voxels() {
            if f > 0.0 {
                dose.data_mut()[n] = on_plan.data()[n].max(0.0);
            }
        }

        progress("summing up", 0.95);
        let delivery = self.delivery(planned_gbq);
        let lungs = self.lungs(&session, planned_gbq);
        self.look(&delivered.seen, &mut warnings);
        let checks = self.checks(&delivery, &lungs, &compartments, &sets);
        let mut seen = std::collections::BTreeSet::new();
        warnings.retain(|w| seen.insert(w.clone()));
        let mut files = std::mem::take(&mut self.inputs.files);
        files.extend(scan.files.iter().cloned());
        for (path, role) in [(&self.planned.path, "plan"), (&self.record, "treatment")] {
            files.push(input(path, role)?);
        }
        if let Some(path) = &self.options.registration {
            files.push(input(path, "registration")?);
        }
        let grid = scan.emission.image.grid();
        let unit = match scan.emission.unit {
            EmissionUnit::BqPerMl => "Bq/mL",
            EmissionUnit::Counts => "counts",
        };
        let scan_record = record::Scan {
            modality: scan.modality.to_owned(),
            unit: unit.to_owned(),
            start: timing.start.map(|s| s.to_string()),
            hours_after_treatment: timing.hours_after,
            values_of: timing.values_of,
            decay_factor: timing.decay_factor,
            grid_size: grid.size(),
            grid_spacing_mm: grid.spacing_mm(),
        };
        let decision = decision(&checks, &delivery, &session, &compartments);
        let verification = Verification {
            schema: SCHEMA.to_owned(),
            notice: plan::RESEARCH_USE_ONLY.to_owned(),
            software: plan::Software {
                name: "hepatica".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            patient: self.inputs.patient_id.clone(),
            decision,
            session: record::Session {
                id: session.id,
                territory: session.territory.clone(),
                territory_name: session.territory_name.clone(),
                device: session.device.clone(),
                planned_date: session.date.clone(),
                plan_sha256: self.planned.sha256.clone(),
            },
            delivery,
            scan: scan_record,
            registration: placed.record,
            activity: delivered.seen,
            lungs,
            compartments,
            territories,
            voxels,
            checks,
            constants: self.constants(calibration),
            inputs: files,
            warnings,
            notes: self.notes(calibration),
        };
        let Inputs { ct, emission, .. } = &self.inputs;
        progress("done", 1.0);
        Ok(Verified {
            verification,
            planned_views,
            delivered_views,
            planned_curves: before.curves,
            delivered_curves,
            scatter,
            dose,
            planned_dose: before.dose,
            liver: before.tissue.liver,
            motion: placed.motion,
            patient: emission.patient.clone(),
            frame_of_reference: place::planning_frame(&self.inputs).clone(),
            scan_frame_of_reference: scan.emission.frame_of_reference.clone(),
            study_uid: ct
                .as_ref()
                .and_then(|c| c.study_uid.clone())
                .or_else(|| emission.study_uid.clone()),
            instant: self.given.instant.clone(),
        })
    }

    fn calibration(&self, scan: &Scan) -> Result<Calibration, VerifyError> {
        let calibrated = scan.emission.unit == EmissionUnit::BqPerMl;
        match (self.options.calibration, calibrated) {
            (Some(Calibration::Absolute), false) => Err(self.wrong(
                "its values are counts, expected Bq/mL for --calibration absolute; use --calibration relative, which scales them to the activity delivered".to_owned(),
            )),
            (Some(said), _) => Ok(said),
            (None, true) => Ok(Calibration::Absolute),
            (None, false) => Ok(Calibration::Relative),
        }
    }

    fn engine(&self) -> Engine {
        self.options.engine.unwrap_or(match self.planned.plan.method.engine.as_str() {
            "kernel" => Engine::Kernel,
            _ => Engine::Local,
        })
    }

    fn k(&self) -> EnergyPerActivity {
        EnergyPerActivity::from_j_per_gbq(self.planned.plan.constants.k_dose_j_per_gbq)
    }

    /// The territory among the structures.
    fn territory(&self) -> Result<usize, VerifyError> {
        let id = &self.session().territory;
        let list = &self.inputs.structures.territories;
        list.iter().position(|(t, _)| t.id == *id).ok_or_else(|| VerifyError::Plan {
            plan: self.planned.path.clone(),
            what: format!(
                "treats the territory `{id}`, which the case does not have; plan the case again"
            ),
        })
    }

    fn delivered(
        &self,
        scan: &Scan,
        motion: &Rigid,
        calibration: Calibration,
        decay_factor: f64,
        warnings: &mut Vec<String>,
    ) -> Result<Delivered, VerifyError> {
        let image = &scan.emission.image;
        let values = perfusion::counts(image, image.grid(), &self.options.scan)?;
        let moved = motion.inverse().grid(image.grid());
        let bounds = self.inputs.structures.liver.on(&moved).bounds();
        if bounds.is_empty() {
            return Err(self.wrong("the liver is outside its field of view, expected it inside; check the scan and its registration".to_owned()));
        }
        let margin = moved.spacing_mm().map(|d| (MARGIN_MM / d).ceil() as usize);
        let bounds = bounds.grown(margin, &moved.bounds());
        let in_view: f64 = values.data().iter().map(|v| f64::from(*v)).sum();
        let values = Image::new(moved, values.into_data()).crop(bounds);
        let grid = values.grid().clone();
        let tissue = Tissue::on(&grid, &self.inputs.structures, self.folder, warnings)?;
        let perfusion = Perfusion::of(&values, &tissue, self.territory()?, &self.options.scan)?;

        let ml = grid.voxel_volume().ml();
        let delivered = self.given.delivered();
        let in_liver = perfusion::sum(&values, &tissue.liver);
        let to_liver = delivered * (1.0 - self.planned.plan.lung_shunt.fraction);
        // GBq/mL at the instillation in a value of the scan.
        let scale = match calibration {
            Calibration::Absolute => 1e-9 * decay_factor,
            Calibration::Relative => to_liver.gbq() / (in_liver * ml),
        };
        let gbq = |values: f64| values * ml * scale;
        let absolute = calibration == Calibration::Absolute;
        let seen = SeenActivity {
            calibration: if absolute { "absolute" } else { "relative" }.to_owned(),
            engine: match self.engine() {
                Engine::Local => "local",
                Engine::Kernel => "kernel",
            }
            .to_owned(),
            field_of_view_gbq: absolute.then(|| gbq(in_view)),
            liver_gbq: gbq(in_liver),
            territory_gbq: gbq(perfusion.counts),
            recovery: absolute.then(|| ratio(gbq(in_view), delivered.gbq())),
            liver_recovery: absolute.then(|| ratio(gbq(in_liver), to_liver.gbq())),
            territory_share: perfusion.fraction_of_liver,
        };
        let density = Density::from_g_per_ml(self.planned.plan.constants.liver_density_g_per_ml);
        let medium = Medium::Uniform(density);
        let concentration = values.map(|v| (f64::from(*v) * scale) as f32);
        let dose = match self.engine() {
            Engine::Local => {
                let everywhere = Mask::from_fn(grid, |_| 1.0);
                let map = ActivityMap::new(concentration, everywhere)?;
                LocalDeposition { k: self.k() }.dose(&map, &medium)?.0
            }
            Engine::Kernel => {
                let name = &self.planned.plan.constants.nuclide;
                let nuclide = Nuclide::by_name(name).ok_or_else(|| {
                    self.wrong(format!("the plan's nuclide `{name}` is not known"))
                })?;
                let map = ActivityMap::new(concentration, tissue.liver.clone())?;
                KernelConvolution::new(self.k(), &nuclide)?.dose(&map, &medium)?.0
            }
        };
        Ok(Delivered { dose, tissue, seen, perfusion })
    }

    /// What the normal liver of every territory received, also of those that other sessions treat.
    fn territories(
        &self,
        delivered: &Delivered,
        sets: &ParameterSets,
    ) -> Vec<record::TerritoryDose> {
        let Some(set) = sets.bed_for("perfused_normal_liver") else { return Vec::new() };
        let model = set.model();
        let bed = |d: f64| model.bed(Dose::from_gy(d), self.half_life).gy();
        let list = self.inputs.structures.territories.iter().zip(&delivered.tissue.territories);
        list.filter_map(|((entry, _), named)| {
            let dvh = Dvh::new(&delivered.dose, &delivered.tissue.normal.and(&named.mask))?;
            Some(record::TerritoryDose {
                id: entry.id.clone(),
                name: named.name.clone(),
                normal_ml: dvh.volume().ml(),
                mean_gy: dvh.mean(),
                bed_mean_gy: dvh.mean_of(bed),
            })
        })
        .collect()
    }

    /// The dose planned for the session, and its compartments, on the plan's grid.
    fn before(&self, session: &plan::Session) -> Result<Before, VerifyError> {
        let per_gbq = &self.planned.per_gbq[self.number];
        let grid = per_gbq.grid().clone();
        let gbq = session.prescription.activity_gbq as f32;
        let mut dose = per_gbq.map(|d| d * gbq);
        let tissue = Tissue::on(&grid, &self.inputs.structures, self.folder, &mut Vec::new())?;
        let counts = perfusion::counts(&self.inputs.emission.image, &grid, self.folder)?;
        let perfusion = Perfusion::of(&counts, &tissue, self.territory()?, self.folder)?;
        let mut curves = Vec::new();
        let nobody = Mask::empty(grid.clone());
        let mut put = |dose: &Image<f32>, whole: bool| {
            for (name, role, mask) in wanted(&perfusion, &tissue, &nobody) {
                if (role == "whole_normal_liver") == whole
                    && let Some(dvh) = Dvh::new(dose, &mask)
                {
                    curves.push(curve(session.id, &name, role, &dvh));
                }
            }
        };
        // The plan writes the mean over the liver in every voxel; the territory's own tissue has more where
        // it shares a voxel.
        put(&dose, true);
        if self.planned.plan.method.engine == "local" {
            let [nx, ny, _] = grid.size();
            for (n, part) in perfusion.territory.voxels() {
                let whole = tissue.liver.at([n % nx, n / nx % ny, n / (nx * ny)]);
                if part > 0.0 && whole > part {
                    dose.data_mut()[n] *= whole / part;
                }
            }
        }
        put(&dose, false);
        Ok(Before { dose, tissue, perfusion, curves })
    }

    fn delivery(&self, planned_gbq: f64) -> Delivery {
        let given = &self.given;
        let delivered = given.delivered();
        let gbq = delivered.gbq();
        Delivery {
            instant: given.instant.to_string(),
            assayed_gbq: given.assayed.gbq(),
            residual_gbq: given.residual.gbq(),
            residual_fraction: given.residual / given.assayed,
            residual_by: given.residual_by.to_owned(),
            delivered_gbq: gbq,
            delivered_interval_gbq: compare::interval(gbq, given.uncertainty / delivered),
            planned_gbq,
            deviation_percent: 100.0 * (gbq / planned_gbq - 1.0),
        }
    }

    fn lungs(&self, session: &plan::Session, planned_gbq: f64) -> Lungs {
        let plan = &self.planned.plan;
        let by = self.given.delivered() / Activity::from_gbq(planned_gbq);
        let of_plan = plan.sessions.iter().take(self.number).map(|s| s.lung_dose_gy).sum::<f64>();
        Lungs {
            shunt_fraction: plan.lung_shunt.fraction,
            mass_kg: plan.lung_shunt.lung_mass_kg,
            planned_gy: session.lung_dose_gy,
            delivered_gy: session.lung_dose_gy * by,
            delivered_interval_gy: session.lung_dose_interval_gy.map(|d| d * by),
            prior_gy: plan.cumulative.prior_lung_dose_gy + of_plan,
        }
    }

    /// What is doubtful about the activity seen.
    fn look(&self, seen: &SeenActivity, warnings: &mut Vec<String>) {
        let [low, high] = RECOVERY_EXPECTED;
        if let Some(recovery) = seen.recovery.filter(|r| !(low..=high).contains(r)) {
            warnings.push(format!(
                "the scan shows {:.0} % of the activity delivered, expected {:.0} to {:.0} %: check assay, residual, times and the scanner's calibration, or use --calibration relative",
                100.0 * recovery,
                100.0 * low,
                100.0 * high
            ));
        }
        if seen.territory_share < SHARE_EXPECTED {
            warnings.push(format!(
                "only {:.0} % of the liver's activity is in the territory treated, expected nearly all: the spheres went elsewhere, or the scan is not in register",
                100.0 * seen.territory_share
            ));
        }
        if self.planned.plan.method.engine == "monte-carlo" && self.options.engine.is_none() {
            warnings.push("the plan's doses are by monte-carlo, those delivered by local deposition: in and beside lung they differ by their methods alone".to_owned());
        }
    }

    fn checks(
        &self,
        delivery: &Delivery,
        lungs: &Lungs,
        compartments: &[record::Compared],
        sets: &ParameterSets,
    ) -> Vec<Check> {
        let limit = |measure: &str| {
            let criteria = self.planned.plan.gates.iter().flat_map(|g| &g.criteria);
            let found = criteria.into_iter().find(|c| c.measure == measure)?;
            Some((found.limit.as_f64()?, found.source.clone()))
        };
        let check =
            |id: &str, name: &str, found: f64, limit: f64, unit: &str, source: String| Check {
                id: id.to_owned(),
                name: name.to_owned(),
                status: if found <= limit { Status::Pass } else { Status::Hold },
                found,
                limit,
                unit: unit.to_owned(),
                source,
            };
        let mut checks = vec![check(
            "delivered_activity",
            "Delivered against prescribed activity",
            delivery.deviation_percent.abs(),
            TOLERANCE_PERCENT.0,
            "%",
            TOLERANCE_PERCENT.1.to_owned(),
        )];
        let normal = compartments.iter().find(|c| c.role == "perfused_normal_liver");
        let earlier = Earlier::new(self.planned.plan.delivered.clone(), sets, self.half_life);
        for (id, name, measure, found) in [
            (
                "lung_dose_session",
                "Lung dose of this session",
                "lung_dose_session_gy",
                Some(lungs.delivered_gy),
            ),
            (
                "lung_dose_cumulative",
                "Lung dose up to this session",
                "lung_dose_cumulative_gy",
                Some(lungs.prior_gy + lungs.delivered_gy),
            ),
            (
                "normal_liver_dose",
                "Mean dose of the perfused normal liver",
                "normal_liver_dose_gy",
                normal.map(|c| earlier.with_before(&self.session().territory, c.delivered.mean)),
            ),
        ] {
            if let (Some((limit, source)), Some(found)) = (limit(measure), found) {
                checks.push(check(id, name, found, limit, "Gy", source));
            }
        }
        checks
    }

    fn constants(&self, calibration: Calibration) -> Vec<Constant> {
        let c = &self.planned.plan.constants;
        let constant = |name: &str, value: f64, unit: &str, source: &str| Constant {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            source: source.to_owned(),
        };
        let activity = match calibration {
            Calibration::Absolute => {
                constant("relative uncertainty of the scanner", SCANNER.0, "", SCANNER.1)
            }
            Calibration::Relative => {
                let u = self.given.uncertainty / self.given.delivered();
                constant(
                    "relative uncertainty of the activity delivered",
                    u,
                    "",
                    treatment::ASSAY_UNCERTAINTY.1,
                )
            }
        };
        vec![
            constant("half-life", c.half_life_h, "h", "the plan's"),
            constant("k of doses", c.k_dose_j_per_gbq, "J/GBq", "the plan's"),
            constant("density of liver and tumour", c.liver_density_g_per_ml, "g/mL", "the plan's"),
            activity,
            constant("relative uncertainty by contours", CONTOURS.0, "", CONTOURS.1),
            constant(
                "relative uncertainty by position, tumours",
                POSITION_TUMOUR.0,
                "",
                POSITION_TUMOUR.1,
            ),
            constant(
                "relative uncertainty by position, normal liver",
                POSITION_LIVER.0,
                "",
                POSITION_LIVER.1,
            ),
        ]
    }

    fn notes(&self, calibration: Calibration) -> Vec<String> {
        let mut notes = vec![match calibration {
            Calibration::Absolute => "the scan's Bq/mL are taken, brought to the instillation by the nuclide's decay; spheres do not move".to_owned(),
            Calibration::Relative => "what does not reach the lungs is spread over the liver in proportion to the scan; counts outside the liver are left out".to_owned(),
        }];
        notes.push("lung dose: the plan's shunt with the activity delivered; a scan after treatment is biased in cold tissue".to_owned());
        notes.push("compartments are read on the scan's own grid, carried to the planning CT; voxels are compared on the plan's grid, the delivered dose interpolated".to_owned());
        notes.push("no correction for the scan's resolution: small lesions read too low in plan and scan alike, by different amounts".to_owned());
        notes
    }
}

struct Before {
    dose: Image<f32>,
    tissue: Tissue,
    perfusion: Perfusion,
    curves: Vec<DvhCurve>,
}

/// Name, role and place of the compartments; names and roles as in the plan.
fn wanted(p: &Perfusion, tissue: &Tissue, outside: &Mask) -> Vec<(String, &'static str, Mask)> {
    let mut list: Vec<(String, &'static str, Mask)> =
        p.tumours.iter().map(|(t, _)| (t.name.clone(), "tumour", t.mask.clone())).collect();
    list.extend(p.cold.iter().map(|c| (c.name.clone(), "cold", c.mask.clone())));
    list.push(("perfused normal liver".to_owned(), "perfused_normal_liver", p.normal.clone()));
    list.push(("perfused volume".to_owned(), "perfused", p.territory.clone()));
    list.push(("whole normal liver".to_owned(), "whole_normal_liver", tissue.normal.clone()));
    list.push((
        "normal liver outside the territory".to_owned(),
        "outside_territory",
        outside.clone(),
    ));
    list
}

fn curve(session: u32, name: &str, role: &str, dvh: &Dvh) -> DvhCurve {
    DvhCurve {
        session: Some(session),
        name: name.to_owned(),
        role: role.to_owned(),
        points: dvh.curve(CURVE_POINTS),
    }
}

fn input(path: &Path, role: &str) -> Result<Input, VerifyError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(Input {
        path: name.to_string_lossy().into_owned(),
        sha256: hex(&inputs::digest(path)?),
        role: role.to_owned(),
        files: 1,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn decision(
    checks: &[Check],
    delivery: &Delivery,
    session: &plan::Session,
    compartments: &[record::Compared],
) -> Decision {
    let status = checks.iter().map(|c| c.status).max().unwrap_or(Status::Pass);
    let given = format!(
        "{:.2} GBq reached the {} ({:+.1} % of the {:.2} GBq prescribed, {:.1} % stayed behind)",
        delivery.delivered_gbq,
        session.territory_name.to_lowercase(),
        delivery.deviation_percent,
        delivery.planned_gbq,
        100.0 * delivery.residual_fraction
    );
    let normal = compartments.iter().find(|c| c.role == "perfused_normal_liver");
    let normal = normal.map_or_else(String::new, |c| {
        let planned =
            c.planned.as_ref().map_or(String::new(), |p| format!(", planned {:.0} Gy", p.mean));
        format!("; perfused normal liver {:.0} Gy{planned}", c.delivered.mean)
    });
    let open: Vec<String> = checks
        .iter()
        .filter(|c| c.status != Status::Pass)
        .map(|c| {
            format!("{} {:.1} {}, limit {:.1}", c.name.to_lowercase(), c.found, c.unit, c.limit)
        })
        .collect();
    let sentence = if open.is_empty() {
        format!("{given}{normal}.")
    } else {
        format!("{given}{normal}. To be looked at: {}.", open.join("; "))
    };
    Decision { status, sentence }
}
