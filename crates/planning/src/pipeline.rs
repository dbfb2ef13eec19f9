//! From a case to a plan: every step in order. Each step's work is in a module of its own.

use crate::activity;
use crate::case::{Case, ExtrahepaticStatus, SessionEntry};
use crate::course::{CourseInput, CourseInputError};
use crate::delivered::{self, Delivered, DeliveredError, NotBefore};
use crate::explain::{self, Facts};
use crate::fused;
use crate::inputs::{self, InputError, Inputs, Knowingly};
use crate::look;
use crate::lung::{self, LungView, ShuntError};
use crate::models::ModelCase;
use crate::optimise::{self, Aim, OptimiseError};
use crate::order::{self, OrderError};
use crate::perfusion::{self, Perfusion, PerfusionError};
use crate::plan::{
    self, Compartment, Constant, Constants, Cumulative, CycleDate, Decision, Lesion, Liver,
    LungShunt, Method, ModelAnswer, Models, Order, Plan, Prescription, Schedule, Session, Status,
};
use crate::propose;
use crate::setting::{Setting, SettingError, gate_of};
use crate::tissue::{Named, Tissue, TissueError, ratio, union_of};
use crate::uncertainty::sources::Id as DoubtId;
use crate::uncertainty::{self as doubt, Doubts, Sources};
use crate::views::{DvhCurve, FusedView};
use hepatica_biology::{ParameterSets, eud, ntcp, tcp};
use hepatica_dosimetry::dvh::Dvh;
use hepatica_dosimetry::monte_carlo::{MonteCarlo, Progress, Region, Statistics, Until};
use hepatica_dosimetry::{
    ActivityMap, DoseEngine, EngineError, KernelConvolution, LocalDeposition, Medium,
};
use hepatica_imaging::dicom::write::{SegmentKind, SeriesReference};
use hepatica_imaging::{Grid, Image, Mask, Structure, resample};
use hepatica_physics::{
    Activity, Density, Dose, EnergyPerActivity, Length, Mass, Volume, material,
};
use hepatica_regimen::ProcedureKind;
use hepatica_regimen::dose::SurfaceFormula;
use hepatica_regimen::exposure::{self, ExposureError};
use hepatica_regimen::gate::{self, Measures};
use jiff::ZonedDateTime;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// Dose constant of partition, voxel and lung doses.
const K_DOSE_J_PER_GBQ: (f64, &str) =
    (49.67, "0.9313 MeV a decay, 64.1 h (ICRP 107); the value most software uses (Gulec 2006)");
/// Density of liver and tumour.
const LIVER_G_PER_ML: (f64, &str) = (1.05, "EANM 2022; ICRU 46 has 1.06");
/// What the grid of the dose keeps around the liver when it is the CT's.
const MARGIN_MM: f64 = 20.0;
/// Points of a plotted curve.
const CURVE_POINTS: usize = 400;
/// V-doses that are listed, in Gy.
const V_DOSES_GY: [f64; 8] = [20.0, 30.0, 40.0, 50.0, 70.0, 100.0, 150.0, 205.0];
/// A lung whose section on the first or last slice is no larger than this ends there.
const LUNG_TIP_MM2: f64 = 200.0;
/// Below this many voxels across, a lesion's mean is blurred beyond use.
const SMALL_LESION_MM: f64 = 20.0;

/// What overrides the case file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Dose engine.
    pub engine: EngineChoice,
    /// Grid of the dose.
    pub grid: GridChoice,
    /// What the energy is divided by; when left out, what suits the engine.
    pub density: Option<DensityChoice>,
    /// Histories of the Monte Carlo.
    pub histories: Histories,
    /// Device name or file.
    pub device: Option<String>,
    /// First day of the first cycle.
    pub c1d1: Option<String>,
    /// Protocol name or file.
    pub protocol: Option<String>,
    /// IANA time zone.
    pub time_zone: Option<String>,
    /// Local time of the instillation.
    pub treatment_time: Option<String>,
    /// `spect`, `planar` or `stated`.
    pub shunt: Option<String>,
    /// `mird`, `bsa`, `partition` or `voxel`.
    pub model: Option<String>,
    /// Prescribes the best activities within the limits; with what is best, unless the case says it.
    pub optimise: Option<Option<Aim>>,
    /// Members of the ensemble behind the intervals.
    pub members: Option<usize>,
    /// The course that dates and laboratory values are taken from.
    pub course: Option<PathBuf>,
    /// The course is of this patient although its identifier differs.
    pub same_patient: bool,
    /// Verifications (`verify.json`) of the sessions that were given: they are planned no more, and what
    /// they gave counts.
    pub delivered: Vec<PathBuf>,
    /// What the person says to be right.
    pub knowingly: Knowingly,
}

/// How long the Monte Carlo goes on.
#[derive(Debug, Clone)]
pub struct Histories {
    /// When it is enough.
    pub until: Until,
    /// Names the random numbers.
    pub seed: u64,
    /// Set by someone who wants what is there by now.
    pub stop: Arc<AtomicBool>,
}

/// Histories at most when a precision decides.
const MOST_HISTORIES: u64 = 1_000_000_000;

impl Histories {
    /// Until the median relative standard error of the tumours' voxels is `target`.
    #[must_use]
    pub fn to_precision(target: f64) -> Self {
        Self {
            until: Until::Precision { target, most: MOST_HISTORIES },
            seed: 1,
            stop: Arc::default(),
        }
    }
}

impl Default for Histories {
    fn default() -> Self {
        Self::to_precision(0.02)
    }
}

/// A choice among words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $name { #[default] $($(#[$variant_doc])* $variant),+ }

        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("expected one of: {}", [$($word),+].join(", "))),
                }
            }
        }

        impl $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// Dose engine.
    EngineChoice {
        /// Every decay's energy stays in its voxel.
        Local = "local",
        /// Convolution with a voxel kernel.
        Kernel = "kernel",
        /// Betas followed through the tissues of the CT.
        MonteCarlo = "monte-carlo"
    }
}
words! {
    /// Grid of the dose.
    GridChoice {
        /// The emission image's own.
        Spect = "spect",
        /// The CT's.
        Ct = "ct"
    }
}
words! {
    /// What the energy is divided by.
    DensityChoice {
        /// The density of liver everywhere.
        Uniform = "uniform",
        /// The density from CT.
        Ct = "ct",
        /// The density of liver in the liver, whatever contrast medium does there, and from CT around it.
        Tissue = "tissue"
    }
}

/// How far the histories are, in words.
fn reached(p: &Progress) -> String {
    let millions = p.histories as f64 / 1e6;
    let error = p.error.map_or("?".to_owned(), |e| format!("{:.2} %", 100.0 * e));
    match p.until {
        Until::Precision { target, .. } => format!(
            "following betas: {millions:.1} million, error of tumour voxels {error} (until {:.2} %)",
            100.0 * target
        ),
        Until::Histories(n) => format!(
            "following betas: {millions:.1} of {:.1} million, error of tumour voxels {error}",
            n as f64 / 1e6
        ),
    }
}

/// A plan and the numbers behind its figures and dose files.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Planes through the lesions.
    pub views: Vec<FusedView>,
    /// Dose-volume curves.
    pub curves: Vec<DvhCurve>,
    /// Dose of all prescribed activities in Gy, on the grid of the dose.
    pub dose: Image<f32>,
    /// Dose per GBq of every session in Gy, on the same grid.
    pub dose_per_gbq: Vec<Image<f32>>,
    /// Who was imaged.
    pub patient: hepatica_imaging::dicom::Patient,
    /// Frame of reference of the dose.
    pub frame_of_reference: Option<String>,
    /// Study the images belong to.
    pub study_uid: Option<String>,
    /// Moment of the first treatment.
    pub first_treatment: ZonedDateTime,
    /// Structures that nobody drew as a map of labels (1, 2, ... in the order of [`Plan::proposed`]), and
    /// which label is what in a line of text.
    pub proposed: Option<(Image<f32>, String)>,
    /// Images and structures as they were read; the list of files is the plan's.
    pub inputs: Inputs,
}

impl Planned {
    /// The images that structures are written on: the CT, else the emission image; `None` where they
    /// are no DICOM.
    #[must_use]
    pub fn drawn_on(&self) -> Option<DrawnOn<'_>> {
        let Inputs { ct, emission, .. } = &self.inputs;
        let (grid, series) = match ct {
            Some(ct) => (ct.image.grid(), ct.reference.as_ref()),
            None => (emission.image.grid(), emission.reference.as_ref()),
        };
        series.map(|series| DrawnOn { grid, series })
    }

    /// The structures of the plan: the liver first, then tumours, cold tumours, territories, lungs and
    /// organs.
    #[must_use]
    pub fn drawn(&self) -> Vec<Drawn<'_>> {
        let roles = &self.inputs.structures;
        let of = |kind| move |structure| Drawn { kind, structure };
        let territories = roles.territories.iter().filter_map(|(_, structure)| structure.as_ref());
        std::iter::once(Drawn { kind: SegmentKind::Liver, structure: &roles.liver })
            .chain(roles.tumours.iter().map(of(SegmentKind::Tumour)))
            .chain(roles.cold.iter().map(of(SegmentKind::Necrosis)))
            .chain(territories.map(of(SegmentKind::Territory)))
            .chain(roles.lungs.iter().map(of(SegmentKind::Lung)))
            .chain(roles.organs.iter().map(of(SegmentKind::Organ)))
            .collect()
    }
}

/// Images that structures are written on.
#[derive(Clone, Copy, Debug)]
pub struct DrawnOn<'a> {
    /// Where their voxels are.
    pub grid: &'a Grid,
    /// Their instances.
    pub series: &'a SeriesReference,
}

/// A structure of a plan and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// What it is.
    pub kind: SegmentKind,
    /// Where it is.
    pub structure: &'a Structure,
}

/// Why there is no plan: one sentence.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Images and structures.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Protocol, device, dates.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Structures that cannot be.
    #[error(transparent)]
    Tissue(#[from] TissueError),
    /// Counts.
    #[error(transparent)]
    Perfusion(#[from] PerfusionError),
    /// Planar shunt.
    #[error(transparent)]
    Shunt(#[from] ShuntError),
    /// Dose.
    #[error("dose: {0}")]
    Engine(#[from] EngineError),
    /// Vials.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Dates of drugs.
    #[error(transparent)]
    Exposure(#[from] ExposureError),
    /// The best activities.
    #[error(transparent)]
    Optimise(#[from] OptimiseError),
    /// Dates.
    #[error(transparent)]
    Calendar(#[from] hepatica_regimen::calendar::CalendarError),
    /// Parameter sets of the program.
    #[error("parameter sets: {0}")]
    Parameters(#[from] toml::de::Error),
    /// The course.
    #[error(transparent)]
    Course(#[from] CourseInputError),
    /// A verification of an earlier session.
    #[error(transparent)]
    Delivered(#[from] DeliveredError),
    /// Days in the wrong order.
    #[error(transparent)]
    NotBefore(#[from] NotBefore),
    /// A course of somebody else.
    #[error("{}: the course of patient {found}, but the case is of {expected}; say --same-patient if they are one", .course.display())]
    OtherPatient {
        /// The course.
        course: PathBuf,
        /// Its patient.
        found: String,
        /// The case's.
        expected: String,
    },
    /// Something a plan needs and the case lacks.
    #[error("{}: {what}", .case.display())]
    Needs {
        /// The case.
        case: PathBuf,
        /// What, and what to do.
        what: String,
    },
}

/// Plans the case in `folder`. `progress` is told what is being done and how much of the whole
/// (0 to 1) is done.
///
/// # Errors
/// One sentence on the first thing that is missing or cannot be.
pub fn plan_case(
    folder: &Path,
    options: &Options,
    progress: &dyn Fn(&str, f64),
) -> Result<Planned, PlanError> {
    progress("reading the case", 0.0);
    let mut case = inputs::read_case(folder)?;
    let course = options.course.as_deref().map(CourseInput::read).transpose()?;
    if let Some(course) = &course {
        course.fill(&mut case);
    }
    let setting = Setting::of(&case, options, folder, course.as_ref())?;
    progress("reading images and structures", 0.05);
    let mut inputs = inputs::load(folder, case, options.knowingly)?;
    if let Some(course) = &course {
        if inputs.patient_id != course.patient && !options.same_patient {
            return Err(PlanError::OtherPatient {
                course: course.path.clone(),
                found: course.patient.clone(),
                expected: inputs.patient_id,
            });
        }
        inputs.add_file(&course.path, "course")?;
    }
    let delivered = read_delivered(options, &setting, &mut inputs)?;
    Planner { folder, options, setting, inputs, delivered }.plan(progress)
}

/// What earlier sessions gave, by their verifications.
fn read_delivered(
    options: &Options,
    setting: &Setting,
    inputs: &mut Inputs,
) -> Result<Delivered, PlanError> {
    let territories: Vec<_> = inputs
        .structures
        .territories
        .iter()
        .map(|(entry, _)| (entry.id.as_str(), entry.session))
        .collect();
    let sessions = delivered::read(&options.delivered, &inputs.patient_id, &territories)?;
    for path in &options.delivered {
        inputs.add_file(path, "delivered")?;
    }
    let sets = ParameterSets::shipped()?;
    Ok(Delivered::new(sessions, &sets, setting.device.nuclide().half_life))
}

struct Planner<'a> {
    folder: &'a Path,
    options: &'a Options,
    setting: Setting,
    inputs: Inputs,
    delivered: Delivered,
}

/// One session, before what depends on all of them.
struct SessionWork {
    session: Session,
    /// Mean over the liver in every voxel, so that the maps of sessions add.
    per_gbq: Image<f32>,
    curves: Vec<DvhCurve>,
    histories: Option<plan::Histories>,
    /// Where its counts are, on the grid of the dose.
    perfusion: Perfusion,
    /// Lung dose if all of the activity reached the lungs.
    all_in_lungs_gy: f64,
}

/// A territory and its dose, before anybody decides on an activity.
struct Dosed {
    /// Number of the territory.
    territory: usize,
    perfusion: Perfusion,
    per_gbq: Image<f32>,
    /// Mean over the liver in every voxel, so that the maps of sessions add.
    on_liver: Image<f32>,
    statistics: Option<Statistics>,
}

/// What an engine makes of an activity map.
struct Computed {
    per_gbq: Image<f32>,
    statistics: Option<Statistics>,
    notes: Vec<String>,
}

/// Names and masks whose doses are wanted in every session.
struct Wanted<'a> {
    name: &'a str,
    role: &'static str,
    mask: &'a Mask,
}

impl Planner<'_> {
    fn needs(&self, what: String) -> PlanError {
        PlanError::Needs { case: self.folder.to_owned(), what }
    }

    fn case(&self) -> &Case {
        &self.inputs.case
    }

    fn plan(mut self, progress: &dyn Fn(&str, f64)) -> Result<Planned, PlanError> {
        let mut warnings = std::mem::take(&mut self.inputs.warnings);
        progress("bringing structures onto the grid", 0.45);
        let grid = self.dose_grid()?;
        let tissue = Tissue::on(&grid, &self.inputs.structures, self.folder, &mut warnings)?;
        let counts = perfusion::counts(&self.inputs.emission.image, &grid, self.folder)?;
        self.check_sessions()?;

        progress("finding the lung shunt", 0.55);
        let k = EnergyPerActivity::from_j_per_gbq(self.k_dose().0);
        let mut lungs = self.lungs(&mut warnings)?;
        let roles = &self.inputs.structures;
        warnings.extend(look::of_regions(
            &self.inputs.emission.image,
            &roles.liver,
            &roles.lungs.iter().collect::<Vec<_>>(),
            &roles.organs.iter().collect::<Vec<_>>(),
        ));
        let medium = self.medium(&grid, &tissue, &mut warnings)?;

        progress("computing dose", 0.6);
        let sets = ParameterSets::shipped()?;
        let mut dosed = Vec::new();
        for t in self.still_to_treat()? {
            dosed.push(self.dosed(
                t,
                &tissue,
                &counts,
                &medium,
                lungs.fraction,
                k,
                &mut warnings,
                progress,
            )?);
        }
        let optimisation = self.optimised(&dosed, &tissue, &lungs, k, &sets)?;
        let mut works: Vec<SessionWork> = Vec::new();
        for d in dosed {
            let before =
                works.iter().map(|w| w.session.lung_dose_gy).sum::<f64>() + self.prior_lung_gy();
            let best = optimisation.as_ref();
            works.push(self.session(d, &tissue, &lungs, k, &sets, before, best, &mut warnings)?);
        }

        progress("summing up", 0.85);
        let dose = total_dose(&works, &grid);
        let liver = self.liver(&tissue, &works, &counts);
        let mut cumulative = self.cumulative(&works, &tissue, &dose, &liver);
        let mut curves: Vec<DvhCurve> =
            works.iter_mut().flat_map(|w| std::mem::take(&mut w.curves)).collect();
        if works.len() > 1 {
            curves.extend(self.curves_of_sum(&tissue, &dose));
        }
        progress("drawing what could be", 0.88);
        let doubts = self.doubts(&tissue, &counts, &works, &lungs)?;
        warnings.extend(doubts.note());
        let all_in_lungs_gy: Vec<f64> = works.iter().map(|w| w.all_in_lungs_gy).collect();
        let views = self.views(&tissue, &dose);
        let dose_per_gbq: Vec<_> = works.iter().map(|w| w.per_gbq.clone()).collect();
        let (mut sessions, histories): (Vec<Session>, Vec<_>) =
            works.into_iter().map(|w| (w.session, w.histories)).unzip();
        let histories = histories.into_iter().flatten().collect();
        let given = &self.delivered;
        let (uncertainty, samples) = doubts.tell(
            &mut sessions,
            &mut cumulative,
            &mut lungs,
            &doubt::Limits {
                all_in_lungs_gy: &all_in_lungs_gy,
                lung_before_gy: self.prior_lung_gy(),
                with_before: &|territory, gy| given.with_before(territory, gy),
                given: [
                    given.sum(|s| s.whole_normal_liver_dose_gy),
                    given.sum(|s| s.whole_normal_liver_bed_gy),
                ],
                given_tumour: &|name| given.tumour_gy(name),
                sets: &sets,
                curves: &curves,
            },
        );
        let measures = self.measures(&sessions, &lungs, &cumulative, &liver);
        let rule = gate_of(&self.setting.protocol, !self.inputs.structures.proposed.is_empty());
        let gate = rule.map_err(SettingError::from)?.evaluate(&gate::Setting {
            device: &self.setting.device.id,
            protocol: &self.setting.protocol.id,
            limits: self.limits(),
            measures: &measures,
            samples: &samples,
        });
        let first_treatment = self.treatment(&sessions)?;
        let overlap = sessions.first().map(|s| s.overlap.clone()).unwrap_or_default();
        let constants = self.constants();
        let explanations = explain::all(&Facts {
            delivered: self.delivered.sessions(),
            sessions: &sessions,
            lungs: &lungs,
            cumulative: &cumulative,
            constants: &constants,
            device: &self.setting.device,
        });
        warnings.extend(self.setting.device.notes.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        warnings.retain(|w| seen.insert(w.clone()));
        let plan = Plan {
            schema: plan::SCHEMA.to_owned(),
            notice: plan::RESEARCH_USE_ONLY.to_owned(),
            software: plan::Software {
                name: "hepatica".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            patient: self.patient(),
            decision: decision(&gate, &sessions),
            constants,
            inputs: std::mem::take(&mut self.inputs.files),
            method: self.method(&grid, histories),
            lung_shunt: lungs,
            liver,
            proposed: self.inputs.structures.proposed.clone(),
            delivered: self.delivered.sessions().to_vec(),
            schedule: self.schedule(&sessions)?,
            sessions,
            optimisation,
            cumulative,
            gates: vec![gate],
            overlap,
            uncertainty: Some(uncertainty),
            warnings,
            explanations,
        };
        let proposed = propose::label_map(&self.inputs.structures);
        progress("done", 1.0);
        let Inputs { ct, emission, .. } = &self.inputs;
        let ct = ct.as_ref();
        Ok(Planned {
            plan,
            views,
            curves,
            dose,
            dose_per_gbq,
            patient: emission.patient.clone(),
            frame_of_reference: emission
                .frame_of_reference
                .clone()
                .or_else(|| ct.and_then(|c| c.frame_of_reference.clone())),
            study_uid: emission.study_uid.clone().or_else(|| ct.and_then(|c| c.study_uid.clone())),
            first_treatment,
            proposed,
            inputs: self.inputs,
        })
    }

    /// The ensemble, from the emission image on its own grid.
    fn doubts(
        &self,
        tissue: &Tissue,
        counts: &Image<f32>,
        works: &[SessionWork],
        lungs: &LungShunt,
    ) -> Result<Doubts, PlanError> {
        let case = self.folder.join("case.toml").display().to_string();
        let mut entry = self.case().uncertainty.clone();
        entry.members = self.options.members.or(entry.members);
        let sources = Sources::of(&entry, &case).map_err(SettingError::from)?;
        let engine = match self.options.engine {
            EngineChoice::Local => DoubtId::EngineLocal,
            EngineChoice::Kernel => DoubtId::EngineKernel,
            EngineChoice::MonteCarlo => DoubtId::EngineMonteCarlo,
        };
        let roles = &self.inputs.structures;
        let ask = |counts, tissue, territories| {
            let ask = doubt::Ask { counts, tissue, roles, territories, lungs, sources, engine };
            Doubts::of(doubt::Basis::of(ask))
        };
        let image = &self.inputs.emission.image;
        if image.grid().matches(counts.grid()) {
            return Ok(ask(counts, tissue, works.iter().map(|w| w.perfusion.clone()).collect()));
        }
        let counts = perfusion::counts(image, image.grid(), self.folder)?;
        // What is worth a word was said of the grid of the dose.
        let tissue = Tissue::on(image.grid(), roles, self.folder, &mut Vec::new())?;
        let territories = self.still_to_treat()?.into_iter();
        let territories = territories
            .map(|t| Perfusion::of(&counts, &tissue, t, self.folder))
            .collect::<Result<_, _>>()?;
        Ok(ask(&counts, &tissue, territories))
    }

    // ---- images ------------------------------------------------------------------------------

    fn dose_grid(&self) -> Result<Grid, PlanError> {
        match (self.options.grid, &self.inputs.ct) {
            (GridChoice::Spect, _) => Ok(self.inputs.emission.image.grid().clone()),
            (GridChoice::Ct, Some(ct)) => {
                let grid = ct.image.grid();
                let bounds = self.inputs.structures.liver.on(grid).bounds();
                if bounds.is_empty() {
                    return Err(
                        self.needs("the liver is outside the CT; check the structures".into())
                    );
                }
                let margin = grid.spacing_mm().map(|d| (MARGIN_MM / d).ceil() as usize);
                Ok(grid.crop(bounds.grown(margin, &grid.bounds())))
            }
            (GridChoice::Ct, None) => {
                Err(self.needs("no CT, but --grid ct was asked for; leave it out".into()))
            }
        }
    }

    /// Density in g/mL on a grid, from CT.
    fn density_on(&self, grid: &Grid) -> Option<Image<f32>> {
        let ct = &self.inputs.ct.as_ref()?.image;
        let hu = resample::box_average(ct, grid, -1000.0);
        Some(hu.map(|h| material::density_from_hu(f64::from(*h)).g_per_ml() as f32))
    }

    fn medium(
        &self,
        grid: &Grid,
        tissue: &Tissue,
        warnings: &mut Vec<String>,
    ) -> Result<Medium, PlanError> {
        let choice = self.density();
        match choice {
            DensityChoice::Uniform => Ok(Medium::Uniform(self.liver_density())),
            DensityChoice::Ct | DensityChoice::Tissue => {
                let mut density = self.density_on(grid).ok_or_else(|| {
                    self.needs(format!(
                        "no CT, but --density {} was asked for; leave it out",
                        choice.word()
                    ))
                })?;
                if choice == DensityChoice::Tissue {
                    let liver = self.liver_density().g_per_ml() as f32;
                    for (n, part) in tissue.liver.voxels() {
                        let around = &mut density.data_mut()[n];
                        // A voxel that is liver by more than half is liver; the border is mixed.
                        *around =
                            if part > 0.5 { liver } else { part.mul_add(liver - *around, *around) };
                    }
                }
                // Air in a voxel would divide by nothing: no tissue here is thinner than lung.
                let medium = Medium::Map(density.map(|d| d.max(0.1)));
                let low = medium.lung_like_share(&tissue.liver);
                if low > 0.01 {
                    warnings.push(format!(
                        "{:.1} % of the liver has the density of lung on CT: breathing or misregistration at the dome; doses there are too high",
                        100.0 * low
                    ));
                }
                Ok(medium)
            }
        }
    }

    /// What the energy is divided by. Without anyone's choice: what the engine is made for.
    fn density(&self) -> DensityChoice {
        let for_engine = || match self.options.engine {
            EngineChoice::MonteCarlo if self.inputs.ct.is_some() => DensityChoice::Tissue,
            _ => DensityChoice::Uniform,
        };
        self.options.density.unwrap_or_else(for_engine)
    }

    /// Dose per GBq of an activity map, what histories leave of doubt, and what a reader must know of the
    /// engine's dose in the lungs.
    fn dose(
        &self,
        k: EnergyPerActivity,
        map: &ActivityMap,
        medium: &Medium,
        regions: Vec<Region>,
        lungs: &Mask,
        progress: &dyn Fn(&str, f64),
    ) -> Result<Computed, PlanError> {
        let nuclide = self.setting.device.nuclide();
        let by = |engine: &dyn DoseEngine| -> Result<Computed, PlanError> {
            let per_gbq = engine.dose(map, medium)?.0;
            Ok(Computed { per_gbq, statistics: None, notes: engine.validity(medium, lungs) })
        };
        match self.options.engine {
            EngineChoice::Local => by(&LocalDeposition { k }),
            EngineChoice::Kernel => by(&KernelConvolution::new(k, &nuclide)?),
            EngineChoice::MonteCarlo => {
                let Histories { until, seed, stop } = &self.options.histories;
                let mut engine = MonteCarlo::new(k, nuclide, *until, *seed);
                let tumours = regions.iter().filter(|r| r.tumour);
                engine.interest = tumours.map(|r| r.mask.clone()).reduce(|all, m| all.or(&m));
                engine.regions = regions;
                let watch = |p: &Progress| {
                    progress(&reached(p), 0.6);
                    if stop.load(Ordering::Relaxed) {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                };
                let (dose, statistics) = engine.run(map, medium, &watch)?;
                let notes = engine.validity(medium, lungs);
                Ok(Computed { per_gbq: dose.0, statistics: Some(statistics), notes })
            }
        }
    }

    fn k_dose(&self) -> (f64, String) {
        let nuclide = self.setting.device.nuclide();
        if nuclide == hepatica_physics::Nuclide::Y90 {
            (K_DOSE_J_PER_GBQ.0, K_DOSE_J_PER_GBQ.1.to_owned())
        } else {
            let k = nuclide.energy_per_activity().j_per_gbq();
            (
                k,
                format!(
                    "energy of the electrons and half-life of {}: {}",
                    nuclide.name, nuclide.source
                ),
            )
        }
    }

    fn liver_density(&self) -> Density {
        Density::from_g_per_ml(LIVER_G_PER_ML.0)
    }

    fn mass(&self, volume: Volume) -> Mass {
        self.liver_density() * volume
    }

    // ---- lungs -------------------------------------------------------------------------------

    fn lungs(&self, warnings: &mut Vec<String>) -> Result<LungShunt, PlanError> {
        let entry = &self.case().lung;
        let ct = self.inputs.ct.as_ref();
        let lungs = &self.inputs.structures.lungs;
        let from_ct = ct.filter(|_| !lungs.is_empty()).map(|ct| {
            let grid = ct.image.grid();
            let union = union_of(lungs, grid);
            // Lungs on the first or last slice go on beyond it: their mass on CT is not their mass.
            let [dx, dy, _] = grid.spacing_mm();
            let cut = [0, grid.size()[2] - 1].into_iter().any(|k| {
                let voxels: f64 = union.slice(k).iter().map(|f| f64::from(*f)).sum();
                voxels * dx * dy > LUNG_TIP_MM2
            });
            (lung::mass_from_ct(&ct.image, &union), cut)
        });
        let stated = entry.mass_kg.map(Mass::from_kg);
        let (mass, mass_source) = match (stated, from_ct) {
            (Some(m), _) => (m, "stated in case.toml".to_owned()),
            (None, Some((m, false))) => {
                (m, "CT: sum of volume times (1 + HU/1000) in the lungs".to_owned())
            }
            (None, Some((m, true))) => {
                return Err(self.needs(format!(
                    "the lungs are cut off by the CT ({:.2} kg of them are seen), expected whole lungs; state [lung] mass_kg in case.toml",
                    m.kg()
                )));
            }
            (None, None) => {
                return Err(self.needs(
                    "no lung mass: draw the lungs on a CT, or state [lung] mass_kg".to_owned(),
                ));
            }
        };
        // The shunt is looked at on the emission image's own grid, whatever the dose's is.
        let image = &self.inputs.emission.image;
        let counts = perfusion::counts(image, image.grid(), self.folder)?;
        let liver = self.inputs.structures.liver.on(image.grid());
        let lung_mask = union_of(lungs, image.grid()).minus(&liver);
        let density = self.density_on(image.grid());
        let strip = entry.dome_strip_mm.unwrap_or(0.0);
        let spect = if lung_mask.is_empty() {
            None
        } else {
            lung::spect(
                &LungView {
                    counts: &counts,
                    liver: &liver,
                    lungs: &lung_mask,
                    density: density.as_ref(),
                    whole_mass: Some(mass),
                },
                strip,
            )
        };
        let planar = match (&self.inputs.planar, &self.case().planar_roi) {
            (Some(image), Some(roi)) => Some(lung::planar(image, roi)?),
            (Some(_), None) => {
                warnings.push(
                    "planar views are there, but no [planar_roi]: no planar lung shunt".to_owned(),
                );
                None
            }
            _ => None,
        };
        if let Some(s) = spect.as_ref().filter(|s| s.dome_strip_mm == 0.0)
            && s.lung_mass_seen_fraction < 0.98
        {
            warnings.push(format!(
                "the field of view holds {:.0} % of the lungs; their counts are extrapolated by mass",
                100.0 * s.lung_mass_seen_fraction
            ));
        }
        let wanted = self.options.shunt.clone().or_else(|| entry.shunt.clone());
        let used = wanted.unwrap_or_else(|| {
            let first = if spect.is_some() {
                "spect"
            } else if planar.is_some() {
                "planar"
            } else {
                "stated"
            };
            first.to_owned()
        });
        let fraction = match used.as_str() {
            "spect" => spect.as_ref().map(|s| s.fraction),
            "planar" => planar.as_ref().map(|s| s.fraction),
            "stated" => entry.stated_fraction,
            other => {
                return Err(self
                    .needs(format!("lung shunt by `{other}`, expected spect, planar or stated")));
            }
        };
        let fraction = fraction.ok_or_else(|| {
            self.needs(format!(
                "no lung shunt by {used}: SPECT needs lungs and liver in the field of view, planar needs both views and [planar_roi], stated needs [lung] stated_fraction"
            ))
        })?;
        Ok(LungShunt {
            used,
            fraction,
            // The ensemble comes when doses are known.
            interval: [fraction; 2],
            interval_source: String::new(),
            difference_points: spect
                .as_ref()
                .zip(planar.as_ref())
                .map(|(s, p)| 100.0 * (p.fraction - s.fraction)),
            spect,
            planar,
            lung_mass_kg: mass.kg(),
            lung_mass_source: mass_source,
        })
    }

    // ---- sessions ----------------------------------------------------------------------------

    fn order_of_territories(&self) -> Vec<usize> {
        let list = &self.inputs.structures.territories;
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|t| list[*t].0.session);
        order
    }

    /// The territories whose session was not given yet, in the order of treatment.
    fn still_to_treat(&self) -> Result<Vec<usize>, PlanError> {
        let list = &self.inputs.structures.territories;
        let mut order = self.order_of_territories();
        order.retain(|t| !self.delivered.holds(list[*t].0.session));
        if order.is_empty() {
            return Err(self.needs(
                "every session was given, so that none is left to plan; leave out --delivered, or add a territory with a session of its own".to_owned(),
            ));
        }
        Ok(order)
    }

    /// Lung dose of all that was before the sessions planned.
    fn prior_lung_gy(&self) -> f64 {
        self.case().prior.lung_dose_gy.unwrap_or(0.0) + self.delivered.lung_gy()
    }

    fn check_sessions(&self) -> Result<(), PlanError> {
        let list = &self.inputs.structures.territories;
        for (n, (t, _)) in list.iter().enumerate() {
            if let Some((other, _)) = list[..n].iter().find(|(o, _)| o.session == t.session) {
                return Err(self.needs(format!(
                    "territories `{}` and `{}` are both in session {}, expected one a session; join them, or give them sessions of their own",
                    other.id, t.id, t.session
                )));
            }
        }
        Ok(())
    }

    fn entry(&self, session: u32) -> Option<&SessionEntry> {
        self.case().session.iter().find(|s| s.id == session)
    }

    /// The dose of territory `t` per GBq.
    #[allow(clippy::too_many_arguments)]
    fn dosed(
        &self,
        t: usize,
        tissue: &Tissue,
        counts: &Image<f32>,
        medium: &Medium,
        lung_shunt: f64,
        k: EnergyPerActivity,
        warnings: &mut Vec<String>,
        progress: &dyn Fn(&str, f64),
    ) -> Result<Dosed, PlanError> {
        let (territory, _) = &self.inputs.structures.territories[t];
        let perfusion = Perfusion::of(counts, tissue, t, self.folder)?;
        let map = perfusion.activity(counts, lung_shunt)?;
        let regions = self.regions(&perfusion, tissue);
        let Computed { per_gbq, statistics, notes } =
            self.dose(k, &map, medium, regions, &tissue.lungs, progress)?;
        warnings.extend(notes);
        if let Some(s) = statistics.as_ref().filter(|s| s.stopped) {
            warnings.push(format!(
                "session {}: the Monte Carlo was stopped after {} histories; the median error of the tumours' voxels is {:.1} %",
                territory.session,
                s.histories,
                100.0 * s.median_error
            ));
        }
        let on_liver = self.over_the_liver(&per_gbq, &perfusion.territory, &tissue.liver);
        Ok(Dosed { territory: t, perfusion, per_gbq, on_liver, statistics })
    }

    /// The best activities, where somebody asks for them.
    fn optimised(
        &self,
        dosed: &[Dosed],
        tissue: &Tissue,
        lungs: &LungShunt,
        k: EnergyPerActivity,
        sets: &ParameterSets,
    ) -> Result<Option<plan::Optimisation>, PlanError> {
        let Some(aim) = self.options.optimise else { return Ok(None) };
        let said = &self.case().optimise;
        let aim = aim.or(said.aim).unwrap_or_default();
        let list = &self.inputs.structures.territories;
        let sessions: Vec<u32> = dosed.iter().map(|d| list[d.territory].0.session).collect();
        if let Some(id) =
            sessions.iter().find(|id| self.entry(**id).is_some_and(|e| e.activity_gbq.is_some()))
        {
            return Err(self.needs(format!(
                "session {id} states activity_gbq, but --optimise was asked for; leave one of them out"
            )));
        }
        let mean = |dose: &Image<f32>, mask: &Mask| Dvh::new(dose, mask).map_or(0.0, |d| d.mean());
        let over = |mask: &Mask| dosed.iter().map(|d| mean(&d.on_liver, mask)).collect::<Vec<_>>();
        let mut lesions: Vec<optimise::Lesion> = tissue
            .tumours
            .par_iter()
            .map(|t| {
                let (weight, goal_gy) = said.of(&t.name);
                optimise::Lesion {
                    name: t.name.clone(),
                    gy_per_gbq: over(&t.mask),
                    before_gy: self.delivered.tumour_gy(&t.name),
                    weight,
                    goal_gy,
                }
            })
            .collect();
        lesions.retain(|l| l.gy_per_gbq.iter().any(|d| *d > 0.0));
        let names: Vec<String> = lesions.iter().map(|l| l.name.clone()).collect();
        said.check(&names)?;
        let whole_normal = over(&tissue.normal);
        let whole_normal_before_gy = self.delivered.sum(|s| s.whole_normal_liver_dose_gy);
        let mass = Mass::from_kg(lungs.lung_mass_kg);
        let lung_gy = activity::lung_dose(k, Activity::from_gbq(1.0), lungs.fraction, mass).gy();
        let of_all = vec![lung_gy; dosed.len()];
        let device = &self.setting.device;
        let mut limits = Vec::new();
        for (s, d) in dosed.iter().enumerate() {
            let alone = |value: f64| -> Vec<f64> {
                (0..dosed.len()).map(|o| if o == s { value } else { 0.0 }).collect()
            };
            let territory = &list[d.territory].0;
            let normal = self.delivered.left_of(&device.limit.normal_liver_gy, &territory.id);
            let lung = &device.limit.lung_session_gy;
            let mut put = |id, per_gbq: f64, limit: f64, unit, source: String| {
                let (session, per_gbq) = (Some(territory.session), alone(per_gbq));
                limits.push(optimise::Limit { id, session, per_gbq, limit, unit, source });
            };
            let dose = mean(&d.per_gbq, &d.perfusion.normal);
            put("normal_liver_dose", dose, normal.value, "Gy", normal.cited());
            put("lung_dose_session", lung_gy, lung.value, "Gy", lung.cited());
            for c in self.activity_to_lungs()? {
                put("lung_activity", lungs.fraction, c.0, "GBq", c.1);
            }
        }
        let all = &device.limit.lung_cumulative_gy;
        let left = all.value - self.prior_lung_gy();
        let mut shared = |id, per_gbq, limit, source| {
            limits.push(optimise::Limit { id, session: None, per_gbq, limit, unit: "Gy", source });
        };
        shared("lung_dose_cumulative", of_all, left, all.cited());
        if let Some(gy) = said.whole_normal_liver_limit_gy {
            shared(
                "whole_normal_liver_dose",
                whole_normal.clone(),
                gy - whole_normal_before_gy,
                "case.toml".to_owned(),
            );
        }
        let problem = optimise::Problem {
            aim,
            sessions,
            lesions,
            limits,
            whole_normal,
            whole_normal_before_gy,
            control: sets.tcp_for(&device.id).map(|s| (s.d50().gy(), 4.0 * s.gamma50)),
        };
        Ok(Some(problem.solve()?))
    }

    /// Limits of the gate on the activity that reaches the lungs, for this device: GBq and source.
    fn activity_to_lungs(&self) -> Result<Vec<(f64, String)>, PlanError> {
        let rule = gate_of(&self.setting.protocol, false).map_err(SettingError::from)?;
        let device = &self.setting.device.id;
        let own = |c: &&gate::CriterionRule| {
            c.measure == "lung_activity_gbq"
                && c.devices.as_ref().is_none_or(|list| list.contains(device))
        };
        let limits = rule.criterion.iter().filter(own);
        Ok(limits.filter_map(|c| Some((c.limit?, c.source.clone()))).collect())
    }

    #[allow(clippy::too_many_arguments)]
    fn session(
        &self,
        dosed: Dosed,
        tissue: &Tissue,
        lungs: &LungShunt,
        k: EnergyPerActivity,
        sets: &ParameterSets,
        lung_dose_before_gy: f64,
        optimisation: Option<&plan::Optimisation>,
        warnings: &mut Vec<String>,
    ) -> Result<SessionWork, PlanError> {
        let Dosed { territory: t, perfusion, per_gbq, on_liver, statistics } = dosed;
        let device = &self.setting.device;
        let (territory, _) = &self.inputs.structures.territories[t];
        let name = tissue.territories[t].name.clone();
        let errors = statistics.as_ref().map_or(&[][..], |s| &s.regions);

        let model_case = ModelCase {
            device,
            perfusion: &perfusion,
            per_gbq: &per_gbq,
            lung_shunt: lungs.fraction,
            lung_mass: Mass::from_kg(lungs.lung_mass_kg),
            lung_dose_before_gy,
            normal_limit: self.delivered.left_of(&device.limit.normal_liver_gy, &territory.id),
            k,
            density: self.liver_density(),
            whole_liver: tissue.liver.volume(),
            surface_m2: self.surface_m2(),
        };
        let models = model_case.all();
        let entry = self.entry(territory.session);
        let (prescription, answer) =
            self.prescription(&models, entry, territory.session, optimisation)?;
        let ceiling = answer
            .and_then(ModelAnswer::least_limit)
            .map(|b| (Activity::from_gbq(b.activity_gbq), b.id.as_str()));
        let activity = Activity::from_gbq(prescription.activity_gbq);

        let window = self.setting.window(territory.session, entry.and_then(|e| e.cycle))?;
        let date = self.setting.date(window)?;
        let instant = self.setting.instant(date)?;
        self.delivered.all_before(territory.session, &instant)?;
        let lung_per_gbq =
            activity::lung_dose(k, Activity::from_gbq(1.0), lungs.fraction, model_case.lung_mass);
        let perfused_dvh = Dvh::new(&per_gbq, &perfusion.territory);
        let need = order::Need {
            prescribed: activity,
            ceiling,
            treatment: &instant,
            perfused_per_gbq: Dose::from_gy(perfused_dvh.map_or(0.0, |d| d.mean())),
            lungs_per_gbq: lung_per_gbq,
        };
        let order: Option<Order> = match order::order(device, &need)? {
            Ok(order) => Some(order),
            Err(why) => {
                warnings.push(format!("session {}: {why}", territory.session));
                None
            }
        };
        for (tumour, _) in &perfusion.tumours {
            let across =
                2.0 * (3.0 * tumour.mask.volume().mm3() / (4.0 * std::f64::consts::PI)).cbrt();
            if across < SMALL_LESION_MM {
                warnings.push(format!(
                    "{} is {across:.0} mm across, no more than the resolution of the image: its dose is underestimated",
                    tumour.name
                ));
            }
        }
        let (compartments, curves) = self.compartments(
            &self.wanted(&perfusion, tissue),
            [&per_gbq, &on_liver],
            activity,
            territory.session,
            sets,
            errors,
        );
        let lung_dose = lung_per_gbq.gy() * activity.gbq();
        let all_in_lungs_gy = activity::lung_dose(k, activity, 1.0, model_case.lung_mass).gy();
        let overlap = exposure::overlap(
            &self.setting.protocol,
            &self.setting.calendar,
            &instant,
            device.nuclide().half_life,
        )?;
        let alternatives = self
            .setting
            .windows(territory.session)
            .iter()
            .filter(|w| **w != window)
            .map(|w| {
                Ok(CycleDate {
                    what: format!("radioembolization {}", territory.session),
                    cycle: w.cycle,
                    cycle_day: w.target,
                    date: self.setting.date(*w)?.to_string(),
                })
            })
            .collect::<Result<_, SettingError>>()?;
        let session = Session {
            id: territory.session,
            territory: territory.id.clone(),
            territory_name: name,
            cycle: window.cycle,
            cycle_day: window.target,
            date: date.to_string(),
            alternatives,
            device: device.id.clone(),
            models,
            prescription,
            order,
            compartments,
            lung_dose_gy: lung_dose,
            lung_dose_interval_gy: [lung_dose; 2],
            counts_fraction: perfusion.fraction_of_liver,
            overlap,
        };
        let histories = statistics.map(|s| plan::Histories {
            session: territory.session,
            histories: s.histories,
            batches: s.batches,
            seed: self.options.histories.seed,
            median_error: s.median_error,
            stopped: s.stopped,
            followed_share: s.followed_share,
            radiated_share: s.radiated_share,
        });
        Ok(SessionWork {
            session,
            per_gbq: on_liver,
            curves,
            histories,
            perfusion,
            all_in_lungs_gy,
        })
    }

    /// Local deposition gives the dose of the territory's own tissue in a voxel. Where the territory
    /// has a part of the liver in a voxel, the mean over that liver is less by that part.
    fn over_the_liver(&self, per_gbq: &Image<f32>, territory: &Mask, liver: &Mask) -> Image<f32> {
        let mut mean = per_gbq.clone();
        if self.options.engine == EngineChoice::Local {
            let [nx, ny, _] = mean.grid().size();
            for (n, part) in territory.voxels() {
                let whole = liver.at([n % nx, n / nx % ny, n / (nx * ny)]);
                if whole > part {
                    mean.data_mut()[n] *= part / whole;
                }
            }
        }
        mean
    }

    /// What is prescribed, and the model it follows; no model for a person's decision.
    fn prescription<'m>(
        &self,
        models: &'m Models,
        entry: Option<&SessionEntry>,
        session: u32,
        optimisation: Option<&plan::Optimisation>,
    ) -> Result<(Prescription, Option<&'m ModelAnswer>), PlanError> {
        if let Some(best) = optimisation
            && let Some(own) = best.sessions.iter().find(|s| s.session == session)
        {
            let concerns = |l: &&plan::OptimisedLimit| {
                l.binds && l.session.is_none_or(|other| other == session)
            };
            let binding: Vec<_> =
                best.limits.iter().filter(concerns).map(|l| l.id.as_str()).collect();
            let prescription = Prescription {
                model: "optimised".to_owned(),
                activity_gbq: own.activity_gbq,
                bound_by: binding.join(", "),
            };
            // The limits of the session alone are those that the voxel model looks at.
            return Ok((prescription, Some(&models.voxel)));
        }
        if let Some(gbq) = entry.and_then(|e| e.activity_gbq) {
            let prescription = Prescription {
                model: "stated".to_owned(),
                activity_gbq: gbq,
                bound_by: "a person's decision (case.toml)".to_owned(),
            };
            return Ok((prescription, None));
        }
        let model = self
            .options
            .model
            .clone()
            .or_else(|| entry.and_then(|e| e.model.clone()))
            .or_else(|| self.case().prescription.model.clone())
            .unwrap_or_else(|| self.setting.device.model.clone());
        let answer = match model.as_str() {
            "mird" => &models.mird,
            "bsa" => &models.bsa,
            "partition" => &models.partition,
            "voxel" => &models.voxel,
            other => {
                return Err(
                    self.needs(format!("model `{other}`, expected mird, bsa, partition or voxel"))
                );
            }
        };
        match answer.activity_gbq.filter(|a| *a > 0.0 && a.is_finite()) {
            Some(activity_gbq) => {
                let bound_by = answer.bound_by.clone();
                Ok((Prescription { model, activity_gbq, bound_by }, Some(answer)))
            }
            None if answer.activity_gbq == Some(0.0) && !self.delivered.sessions().is_empty() => {
                Err(self.needs(format!(
                    "earlier sessions left nothing of the limit {} (by their verifications): no activity can be given; a person who decides otherwise states [[session]] activity_gbq",
                    answer.bound_by
                )))
            }
            None => Err(self.needs(format!(
                "the model {model} gives no activity (bound by {}; {}); choose another with --model, or state [[session]] activity_gbq",
                answer.bound_by,
                answer.notes.join("; ")
            ))),
        }
    }

    fn compartments(
        &self,
        wanted: &[Wanted<'_>],
        [per_gbq, on_liver]: [&Image<f32>; 2],
        activity: Activity,
        session: u32,
        sets: &ParameterSets,
        errors: &[(String, f64)],
    ) -> (Vec<Compartment>, Vec<DvhCurve>) {
        let made: Vec<_> = wanted
            .par_iter()
            .filter_map(|w| {
                let map = if w.role == "whole_normal_liver" { on_liver } else { per_gbq };
                let dvh = Dvh::new(map, w.mask)?.scaled(activity.gbq());
                let curve = DvhCurve {
                    session: Some(session),
                    name: w.name.to_owned(),
                    role: w.role.to_owned(),
                    points: dvh.curve(CURVE_POINTS),
                };
                let error = errors.iter().find(|(name, _)| name == w.name).map(|e| e.1);
                Some((self.compartment(w, &dvh, sets, error)?, curve))
            })
            .collect();
        made.into_iter().unzip()
    }

    /// Parts whose mean gets an error of its own, where histories are followed.
    fn regions(&self, perfusion: &Perfusion, tissue: &Tissue) -> Vec<Region> {
        if self.options.engine != EngineChoice::MonteCarlo {
            return Vec::new();
        }
        let region = |w: Wanted<'_>| Region {
            name: w.name.to_owned(),
            mask: w.mask.clone(),
            tumour: w.role == "tumour",
        };
        self.wanted(perfusion, tissue).into_iter().map(region).collect()
    }

    fn wanted<'t>(&self, perfusion: &'t Perfusion, tissue: &'t Tissue) -> Vec<Wanted<'t>> {
        let mut wanted: Vec<Wanted<'t>> = perfusion
            .tumours
            .iter()
            .map(|(n, _)| Wanted { name: &n.name, role: "tumour", mask: &n.mask })
            .collect();
        let cold = perfusion.cold.iter();
        wanted.extend(cold.map(|n| Wanted { name: &n.name, role: "cold", mask: &n.mask }));
        wanted.push(Wanted {
            name: "perfused normal liver",
            role: "perfused_normal_liver",
            mask: &perfusion.normal,
        });
        wanted.push(Wanted {
            name: "perfused volume",
            role: "perfused",
            mask: &perfusion.territory,
        });
        wanted.push(Wanted {
            name: "whole normal liver",
            role: "whole_normal_liver",
            mask: &tissue.normal,
        });
        // With local deposition there is no dose outside the territory: an organ's would be zero.
        if self.options.engine != EngineChoice::Local {
            let organs = tissue.organs.iter();
            wanted.extend(organs.map(|n| Wanted { name: &n.name, role: "organ", mask: &n.mask }));
        }
        wanted
    }

    fn compartment(
        &self,
        w: &Wanted<'_>,
        dvh: &Dvh,
        sets: &ParameterSets,
        histories: Option<f64>,
    ) -> Option<Compartment> {
        let set = sets.bed_for(w.role)?;
        let model = set.model();
        let half_life = self.setting.device.nuclide().half_life;
        let bed = |d: f64| model.bed(Dose::from_gy(d), half_life);
        let mean = dvh.mean();
        let device = &self.setting.device.id;
        let mut effect = Vec::new();
        if let Some(set) = sets.tcp_for(device).filter(|_| w.role == "tumour") {
            effect.push(plan::Effect {
                kind: "tcp".to_owned(),
                probability: tcp::log_logistic(set.d50(), set.gamma50, Dose::from_gy(mean)),
                set: set.id.clone(),
                endpoint: set.endpoint.clone(),
                source: set.cited(),
            });
        }
        if let Some(set) = sets.ntcp_for(device).filter(|_| w.role == "whole_normal_liver") {
            effect.push(plan::Effect {
                kind: "ntcp".to_owned(),
                probability: ntcp::lkb(set.td50(), set.m, set.n, Dose::from_gy(mean), 1.0),
                set: set.id.clone(),
                endpoint: set.endpoint.clone(),
                source: set.cited(),
            });
        }
        // Tumours are decided by their cold parts, organs by their mean.
        let exponent = if w.role == "tumour" { -10.0 } else { 1.0 };
        Some(Compartment {
            name: w.name.to_owned(),
            role: w.role.to_owned(),
            volume_ml: dvh.volume().ml(),
            mass_g: self.mass(dvh.volume()).g(),
            dose_gy: plan::DoseMeasures {
                mean,
                mean_interval: [mean; 2],
                mean_monte_carlo_error: histories,
                min: dvh.min(),
                max: dvh.max(),
                d2: dvh.d(2.0),
                d50: dvh.d(50.0),
                d70: dvh.d(70.0),
                d95: dvh.d(95.0),
                d98: dvh.d(98.0),
                v: V_DOSES_GY.iter().map(|d| (d.to_string(), dvh.v(*d))).collect(),
            },
            bed_gy: plan::BedMeasures {
                mean: dvh.mean_of(|d| bed(d).gy()),
                eubed: None,
                alpha_beta_gy: model.alpha_beta.gy(),
                repair_half_time_h: model.repair_half_time.h(),
                set: set.id.clone(),
            },
            eud_gy: eud::geud(dvh.samples().map(|(d, w)| (d.max(1e-6), w)), exponent)
                .map(|d| d.gy()),
            effect,
            doubt: None,
        })
    }

    fn curves_of_sum(&self, tissue: &Tissue, dose: &Image<f32>) -> Vec<DvhCurve> {
        let curve = |name: &str, role: &str, mask: &Mask| {
            Some(DvhCurve {
                session: None,
                name: name.to_owned(),
                role: role.to_owned(),
                points: Dvh::new(dose, mask)?.curve(CURVE_POINTS),
            })
        };
        let tumours = tissue.tumours.iter().map(|t| curve(&t.name, "tumour", &t.mask));
        tumours
            .chain([curve("whole normal liver", "whole_normal_liver", &tissue.normal)])
            .flatten()
            .collect()
    }

    // ---- sums --------------------------------------------------------------------------------

    fn liver(&self, tissue: &Tissue, works: &[SessionWork], counts: &Image<f32>) -> Liver {
        let volume = tissue.liver.volume();
        let tumours: Vec<Lesion> = tissue
            .tumours
            .iter()
            .map(|t| {
                // The territory that holds most of it.
                let share = |z: &crate::tissue::Named| z.mask.and(&t.mask).volume().ml();
                let most = self
                    .order_of_territories()
                    .into_iter()
                    .map(|n| (n, share(&tissue.territories[n])))
                    .filter(|(_, ml)| *ml > 0.0)
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .map(|(n, _)| n);
                let to_normal = most.and_then(|n| {
                    let p = Perfusion::of(counts, tissue, n, self.folder).ok()?;
                    p.tumours.iter().find(|(named, _)| named.name == t.name)?.1
                });
                Lesion {
                    name: t.name.clone(),
                    volume_ml: t.mask.volume().ml(),
                    tumour_to_normal: to_normal,
                    territory: most.map(|n| self.inputs.structures.territories[n].0.id.clone()),
                }
            })
            .collect();
        debug_assert!(!works.is_empty());
        let tumour_ml: f64 = tumours.iter().map(|t| t.volume_ml).sum();
        Liver {
            volume_ml: volume.ml(),
            mass_g: self.mass(volume).g(),
            tumour_volume_ml: tumour_ml,
            tumour_burden: ratio(tumour_ml, volume.ml()),
            tumours,
        }
    }

    fn cumulative(
        &self,
        works: &[SessionWork],
        tissue: &Tissue,
        dose: &Image<f32>,
        liver: &Liver,
    ) -> Cumulative {
        let prior = self.prior_lung_gy();
        let given = &self.delivered;
        let whole = |s: &Session| {
            s.compartments
                .iter()
                .find(|c| c.role == "whole_normal_liver")
                .map_or(0.0, |c| c.bed_gy.mean)
        };
        let mean = |mask: &Mask| Dvh::new(dose, mask).map_or(0.0, |d| d.mean());
        let tumours = tissue
            .tumours
            .iter()
            .map(|t| (t.name.clone(), mean(&t.mask) + given.tumour_gy(&t.name)));
        debug_assert_eq!(liver.tumours.len(), tissue.tumours.len());
        Cumulative {
            lung_dose_gy: prior + works.iter().map(|w| w.session.lung_dose_gy).sum::<f64>(),
            prior_lung_dose_gy: prior,
            activity_gbq: works.iter().map(|w| w.session.prescription.activity_gbq).sum(),
            whole_normal_liver_dose_gy: mean(&tissue.normal)
                + given.sum(|s| s.whole_normal_liver_dose_gy),
            whole_normal_liver_bed_gy: works.iter().map(|w| whole(&w.session)).sum::<f64>()
                + given.sum(|s| s.whole_normal_liver_bed_gy),
            tumour_dose_gy: tumours.collect(),
            lung_dose_interval_gy: None,
            whole_normal_liver_dose_interval_gy: None,
            whole_normal_liver_bed_interval_gy: None,
            tumour_dose_interval_gy: BTreeMap::new(),
        }
    }

    fn views(&self, tissue: &Tissue, dose: &Image<f32>) -> Vec<FusedView> {
        let Some(ct) = &self.inputs.ct else { return Vec::new() };
        // A lesion of a session that was given has no dose in this plan to look at.
        let dosed = |t: &&Named| {
            self.delivered.sessions().is_empty()
                || Dvh::new(dose, &t.mask).is_some_and(|d| d.mean() > 0.0)
        };
        let lesions: Vec<(String, [f64; 3])> = tissue
            .tumours
            .iter()
            .filter(dosed)
            .filter_map(|t| Some((t.name.clone(), centre(&t.mask)?)))
            .collect();
        fused::views(&ct.image, dose, &self.inputs.structures, &tissue.liver, &lesions)
    }

    // ---- gate --------------------------------------------------------------------------------

    fn limits(&self) -> BTreeMap<&'static str, (f64, String)> {
        let l = &self.setting.device.limit;
        [
            ("lung_session_gy", &l.lung_session_gy),
            ("lung_cumulative_gy", &l.lung_cumulative_gy),
            ("normal_liver_gy", &l.normal_liver_gy),
        ]
        .into_iter()
        .map(|(name, s)| (name, (s.value, s.cited())))
        .collect()
    }

    fn measures(
        &self,
        sessions: &[Session],
        lungs: &LungShunt,
        cumulative: &Cumulative,
        liver: &Liver,
    ) -> Measures {
        let highest = |f: &dyn Fn(&Session) -> f64| sessions.iter().map(f).fold(0.0, f64::max);
        let activity = cumulative.activity_gbq;
        let normal = |s: &Session| {
            let own = s.compartments.iter().find(|c| c.role == "perfused_normal_liver");
            own.map_or(0.0, |c| self.delivered.with_before(&s.territory, c.dose_gy.mean))
        };
        let truth = |b: bool| if b { 1.0 } else { 0.0 };
        let mut m = Measures::new();
        let mut put = |name: &str, value: Option<f64>| {
            if let Some(v) = value {
                m.insert(name.to_owned(), v);
            }
        };
        put("lung_shunt_percent", Some(100.0 * lungs.fraction));
        put("lung_activity_gbq", Some(lungs.fraction * highest(&|s| s.prescription.activity_gbq)));
        put("activity_gbq", Some(activity));
        put("lung_dose_session_gy", Some(highest(&|s| s.lung_dose_gy)));
        put("lung_dose_cumulative_gy", Some(cumulative.lung_dose_gy));
        put("normal_liver_dose_gy", Some(highest(&normal)));
        put("activity_orderable", Some(truth(sessions.iter().all(|s| s.order.is_some()))));
        put("tumour_burden_percent", Some(100.0 * liver.tumour_burden));
        let open = self.inputs.structures.proposed.iter().filter(|p| !p.accepted).count();
        if !self.inputs.structures.proposed.is_empty() {
            put("structures_not_accepted", Some(open as f64));
        }
        let e = &self.case().extrahepatic;
        let count = |correctable: bool| match e.status {
            ExtrahepaticStatus::Unknown => None,
            ExtrahepaticStatus::None => Some(0.0),
            ExtrahepaticStatus::Found => {
                Some(e.finding.iter().filter(|f| f.correctable == correctable).count() as f64)
            }
        };
        put("extrahepatic_uncorrectable", count(false));
        put("extrahepatic_correctable", count(true));
        let l = &self.case().labs;
        put("bilirubin", l.bilirubin_mg_dl);
        put("albumin", l.albumin_g_dl);
        put("platelets", l.platelets_1e9_l);
        put("anc", l.anc_1e9_l);
        put("creatinine", l.creatinine_mg_dl);
        put("inr", l.inr);
        let over = |v: Option<f64>, uln: Option<f64>| Some(v? / uln.filter(|u| *u > 0.0)?);
        put("alt_uln", over(l.alt_u_l, l.alt_uln_u_l));
        put("ast_uln", over(l.ast_u_l, l.ast_uln_u_l));
        put("ecog", l.ecog.map(f64::from));
        put("portal_vein_patent", l.portal_vein_patent.map(truth));
        put("ascites", l.ascites.map(truth));
        let takes = self.setting.protocol.drug.iter().any(|d| d.id == "capecitabine");
        put("capecitabine", Some(truth(takes)));
        m
    }

    // ---- the rest of the plan ----------------------------------------------------------------

    fn surface_m2(&self) -> Option<f64> {
        let p = &self.case().patient;
        let (height, weight) = (Length::from_cm(p.height_cm?), Mass::from_kg(p.weight_kg?));
        Some(SurfaceFormula::DuBois.body_surface_m2(height, weight))
    }

    fn patient(&self) -> plan::Patient {
        let p = &self.case().patient;
        plan::Patient {
            id: self.inputs.patient_id.clone(),
            height_cm: p.height_cm,
            weight_kg: p.weight_kg,
            bsa_m2: self.surface_m2(),
        }
    }

    fn constants(&self) -> Constants {
        let device = &self.setting.device;
        let nuclide = device.nuclide();
        let (k_dose, k_source) = self.k_dose();
        let constant = |name: &str, value: f64, unit: &str, source: String| Constant {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            source,
        };
        Constants {
            nuclide: nuclide.name.to_owned(),
            half_life_h: nuclide.half_life.h(),
            k_prescription_j_per_gbq: device.k_prescription().j_per_gbq(),
            k_dose_j_per_gbq: k_dose,
            liver_density_g_per_ml: LIVER_G_PER_ML.0,
            others: vec![
                constant("half-life", nuclide.half_life.h(), "h", nuclide.source.to_owned()),
                constant(
                    "k of the label",
                    device.k_prescription().j_per_gbq(),
                    "J/GBq",
                    device.k_prescription_source(),
                ),
                constant("k of doses", k_dose, "J/GBq", k_source),
                constant(
                    "density of liver and tumour",
                    LIVER_G_PER_ML.0,
                    "g/mL",
                    LIVER_G_PER_ML.1.to_owned(),
                ),
            ],
        }
    }

    fn method(&self, grid: &Grid, monte_carlo: Vec<plan::Histories>) -> Method {
        let emission = &self.inputs.emission;
        let mut notes = vec![
            "activity in proportion to the counts in each territory; what the lungs take is subtracted first".to_owned(),
            "lung dose: all of the shunted activity in the whole lung mass".to_owned(),
        ];
        if emission.unit == hepatica_imaging::EmissionUnit::BqPerMl {
            notes.push("the emission image is in Bq/mL; only its proportions are used".to_owned());
        }
        if self.options.grid == GridChoice::Ct {
            notes.push("counts interpolated onto the CT's grid".to_owned());
        }
        if let Some(worst) = monte_carlo.iter().map(|m| m.radiated_share).reduce(f64::max) {
            notes.push(format!(
                "betas were followed; the {:.2} % of the energy that leaves as bremsstrahlung is in no dose",
                100.0 * worst
            ));
        }
        Method {
            engine: self.options.engine.word().to_owned(),
            grid: self.options.grid.word().to_owned(),
            grid_size: grid.size(),
            grid_spacing_mm: grid.spacing_mm(),
            density: self.density().word().to_owned(),
            monte_carlo,
            notes,
        }
    }

    fn treatment(&self, sessions: &[Session]) -> Result<ZonedDateTime, PlanError> {
        let first = sessions.first().map_or(1, |s| s.id);
        let cycle = self.entry(first).and_then(|e| e.cycle);
        let window = self.setting.window(first, cycle)?;
        Ok(self.setting.instant(self.setting.date(window)?)?)
    }

    fn schedule(&self, sessions: &[Session]) -> Result<Schedule, PlanError> {
        let calendar = &self.setting.calendar;
        let last_cycle = sessions.iter().map(|s| s.cycle).max().unwrap_or(1);
        let mut days = Vec::new();
        let mut earliest = calendar.c1d1();
        let mut latest = earliest;
        for p in self.setting.protocol.procedures(ProcedureKind::Simulation) {
            for w in p.window.iter().take(1) {
                let [from, _, to] = calendar.window(*w)?;
                (earliest, latest) = (from, to);
                days.push(CycleDate {
                    what: format!("{}: from this day, at the latest {to}", p.name),
                    cycle: w.cycle,
                    cycle_day: w.earliest,
                    date: from.to_string(),
                });
            }
        }
        for cycle in 1..=last_cycle {
            for drug in &self.setting.protocol.drug {
                let [from, to] = calendar.drug(drug, cycle)?;
                for (what, day, date) in [
                    (format!("{} begins", drug.name), drug.first_day, from),
                    (format!("{}, last day", drug.name), drug.last_day, to),
                ] {
                    days.push(CycleDate { what, cycle, cycle_day: day, date: date.to_string() });
                }
            }
        }
        for s in sessions {
            days.push(CycleDate {
                what: format!("Radioembolization {}: {}", s.id, s.territory_name),
                cycle: s.cycle,
                cycle_day: s.cycle_day,
                date: s.date.clone(),
            });
        }
        days.sort_by(|a, b| (&a.date, &a.what).cmp(&(&b.date, &b.what)));
        Ok(Schedule {
            protocol: self.setting.protocol.name.clone(),
            c1d1: calendar.c1d1().to_string(),
            simulation_earliest: earliest.to_string(),
            simulation_latest: latest.to_string(),
            days,
            time_zone: self.setting.zone_name.clone(),
        })
    }
}

/// Centre of mass of a mask, LPS mm.
pub(crate) fn centre(mask: &Mask) -> Option<[f64; 3]> {
    let [nx, ny, _] = mask.grid().size();
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for (n, f) in mask.voxels() {
        let at = [n % nx, n / nx % ny, n / (nx * ny)];
        for a in 0..3 {
            sum[a] += f64::from(f) * at[a] as f64;
        }
        weight += f64::from(f);
    }
    (weight > 0.0).then(|| mask.grid().world(sum.map(|s| s / weight)).into())
}

fn total_dose(works: &[SessionWork], grid: &Grid) -> Image<f32> {
    let mut total = Image::filled(grid.clone(), 0.0_f32);
    for w in works {
        let gbq = w.session.prescription.activity_gbq as f32;
        for (t, d) in total.data_mut().iter_mut().zip(w.per_gbq.data()) {
            *t += gbq * d;
        }
    }
    total
}

fn decision(gate: &plan::Gate, sessions: &[Session]) -> Decision {
    let order: Vec<_> = sessions
        .iter()
        .map(|s| {
            format!(
                "{:.2} GBq to the {} on {} (C{}D{})",
                s.prescription.activity_gbq,
                lower_first(&s.territory_name),
                s.date,
                s.cycle,
                s.cycle_day
            )
        })
        .collect();
    let sentence = match gate.status {
        Status::Pass => format!("{}.", order.join(", then ")),
        Status::Overridden => format!("{}. {}.", order.join(", then "), upper_first(&gate.reason)),
        Status::Hold => format!("Wait: {}.", gate.reason),
        Status::Fail => format!("Do not treat: {}.", gate.reason),
    };
    Decision { status: gate.status, sentence }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
