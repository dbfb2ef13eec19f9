//! The answer of a verification, as it is written to `verify.json`. Field names carry their unit, as in
//! [`crate::plan`]. The JSON Schema of [`Verification`] is published as `docs/schema/verify.schema.json`.

use crate::plan::{Constant, Effect, Input, Software};
use hepatica_regimen::gate::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of this format.
pub const SCHEMA: &str = "hepatica-verify/1";

/// What was given in one session, beside what was planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Version of this format, `hepatica-verify/1`.
    pub schema: String,
    /// What this may be used for.
    pub notice: String,
    /// The program that verified.
    pub software: Software,
    /// Identifier of the patient.
    pub patient: String,
    /// The answer in one word and one sentence.
    pub decision: Decision,
    /// The session.
    pub session: Session,
    /// What was given: assay, residual, delivered.
    pub delivery: Delivery,
    /// The scan after treatment.
    pub scan: Scan,
    /// How the scan was brought to the planning CT.
    pub registration: Registration,
    /// Activity that the scan shows, and how it became dose.
    pub activity: SeenActivity,
    /// The lungs.
    pub lungs: Lungs,
    /// Planned against delivered, a row a compartment.
    pub compartments: Vec<Compared>,
    /// Normal liver of every territory of the case, treated in this session or not: what a plan of the
    /// next session starts from.
    pub territories: Vec<TerritoryDose>,
    /// Planned against delivered, voxel by voxel.
    pub voxels: Voxels,
    /// What is held against a limit.
    pub checks: Vec<Check>,
    /// Constants behind every number, with their sources.
    pub constants: Vec<Constant>,
    /// Every file read, with its checksum.
    pub inputs: Vec<Input>,
    /// What a reader must know before trusting a number.
    pub warnings: Vec<String>,
    /// In words: calibration, registration, resampling.
    pub notes: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The worst of all checks.
    pub status: Status,
    /// For the head of the report.
    pub sentence: String,
}

/// The session that is verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its number in the plan.
    pub id: u32,
    /// The territory treated.
    pub territory: String,
    /// Its name for people.
    pub territory_name: String,
    /// Device.
    pub device: String,
    /// Date in the plan, ISO 8601.
    pub planned_date: String,
    /// SHA-256 of the `plan.json` it is compared with.
    pub plan_sha256: String,
}

/// What was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Moment of the instillation, RFC 3339 with the zone in brackets.
    pub instant: String,
    /// Activity of all vials at that moment.
    pub assayed_gbq: f64,
    /// Left in vials and lines, at that moment.
    pub residual_gbq: f64,
    /// Over the activity of the vials.
    pub residual_fraction: f64,
    /// How the residual was found: `activity` or `survey`.
    pub residual_by: String,
    /// In the patient: assayed less residual.
    pub delivered_gbq: f64,
    /// 95 % interval of that.
    pub delivered_interval_gbq: [f64; 2],
    /// Prescribed in the plan.
    pub planned_gbq: f64,
    /// Delivered over planned, less one.
    pub deviation_percent: f64,
}

/// The scan after treatment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scan {
    /// `pet` or `spect`.
    pub modality: String,
    /// `Bq/mL` or `counts`.
    pub unit: String,
    /// When it began, RFC 3339, if the file says.
    pub start: Option<String>,
    /// From the instillation to that moment.
    pub hours_after_treatment: Option<f64>,
    /// Moment its values are of, in words.
    pub values_of: String,
    /// Activity at the instillation over activity at the moment the values are of; one where only
    /// proportions are used.
    pub decay_factor: f64,
    /// Voxels along i, j, k.
    pub grid_size: [usize; 3],
    /// Distance between voxel centres.
    pub grid_spacing_mm: [f64; 3],
}

/// How the scan was brought to the planning CT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// `same_frame`, `images`, `file` or `assumed`.
    pub by: String,
    /// Carries points of the planning CT to the scan: homogeneous matrix, row by row, LPS mm.
    pub matrix: [f64; 16],
    /// By how many mm the middle of the liver moves, along x, y, z.
    pub shift_mm: [f64; 3],
    /// Turn about x, y and z.
    pub turn_degrees: [f64; 3],
    /// What is left: the larger of the two distances below, where images were registered.
    pub residual_mm: Option<f64>,
    /// Root mean square distance at the corners of the liver's box between what two halves of the image points find.
    pub repeatability_mm: Option<f64>,
    /// The same between the way there and the way back.
    pub inverse_mm: Option<f64>,
    /// Normalised mutual information: 1 says nothing, 2 all.
    pub information: Option<f64>,
    /// Share of the region that both images show.
    pub overlap: Option<f64>,
}

/// Activity that the scan shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeenActivity {
    /// `absolute` (the scan's Bq/mL) or `relative` (proportions, scaled to what was delivered).
    pub calibration: String,
    /// Dose engine: `local` or `kernel`.
    pub engine: String,
    /// In the whole field of view at the instillation; only of a calibrated scan.
    pub field_of_view_gbq: Option<f64>,
    /// In the liver at the instillation: as measured, or after scaling.
    pub liver_gbq: f64,
    /// In the territory treated.
    pub territory_gbq: f64,
    /// Field of view over delivered; only of a calibrated scan.
    pub recovery: Option<f64>,
    /// Liver over delivered less the lungs' share, as measured; only of a calibrated scan.
    pub liver_recovery: Option<f64>,
    /// Territory over liver.
    pub territory_share: f64,
}

/// The lungs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lungs {
    /// Shunt of the plan: a scan after treatment is biased in cold tissue and is not asked for it.
    pub shunt_fraction: f64,
    /// Mass of the plan.
    pub mass_kg: f64,
    /// Dose planned for this session.
    pub planned_gy: f64,
    /// Dose with the activity delivered.
    pub delivered_gy: f64,
    /// 95 % interval of that.
    pub delivered_interval_gy: [f64; 2],
    /// Of earlier treatments, as the plan counts them.
    pub prior_gy: f64,
}

/// A compartment, planned and delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// Name of the structure.
    pub name: String,
    /// Role as in the plan.
    pub role: String,
    /// Volume on the grid of the scan.
    pub volume_ml: f64,
    /// At the prescribed activity; `None` where the plan has no such compartment.
    pub planned: Option<Measures>,
    /// As delivered.
    pub delivered: Measures,
    /// Delivered less planned mean dose.
    pub difference_gy: Option<f64>,
    /// Delivered over planned mean dose.
    pub ratio: Option<f64>,
    /// The same at equal activity: what the distribution alone changed.
    pub ratio_at_equal_activity: Option<f64>,
    /// Tumour control or complication with the dose delivered, with the set it is from.
    pub effect: Vec<Effect>,
}

/// What the normal liver of a territory received in this session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TerritoryDose {
    /// The territory.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Volume of its normal liver on the grid of the scan.
    pub normal_ml: f64,
    /// Mean dose.
    pub mean_gy: f64,
    /// Mean biologically effective dose.
    pub bed_mean_gy: f64,
}

/// Doses of a compartment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measures {
    /// Volume mean.
    pub mean: f64,
    /// 95 % interval of the mean.
    pub mean_interval: [f64; 2],
    /// Dose that 95 % receive at least.
    pub d95: f64,
    /// Dose that 70 % receive at least.
    pub d70: f64,
    /// Median.
    pub d50: f64,
    /// Dose that the hottest 2 % receive at least.
    pub d2: f64,
    /// Mean biologically effective dose.
    pub bed_mean: f64,
    /// The set of that.
    pub bed_set: String,
}

/// Planned against delivered, voxel by voxel of the plan's grid in the territory treated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Voxels {
    /// Voxels compared.
    pub count: usize,
    /// Lin's concordance correlation (1989): 1 is the line of identity.
    pub concordance: f64,
    /// 95 % interval by Fisher's transformation. Neighbouring voxels are not independent: too narrow.
    pub concordance_interval: [f64; 2],
    /// Pearson's correlation.
    pub correlation: f64,
    /// Mean of delivered less planned.
    pub mean_difference_gy: f64,
    /// Where 95 % of the differences lie, by mean and standard deviation.
    pub limits_of_agreement_gy: [f64; 2],
    /// Gamma by criterion.
    pub gamma: Vec<GammaResult>,
    /// Delivered over planned in every voxel.
    pub quality: Quality,
    /// Overlap of isodoses.
    pub isodoses: Vec<Isodose>,
}

/// Gamma with one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GammaResult {
    /// Dose difference.
    pub dose_percent: f64,
    /// Distance to agreement.
    pub distance_mm: f64,
    /// `global` (of the highest planned dose) or `local`.
    pub kind: String,
    /// Planned doses below this share of the highest are left out.
    pub cutoff_percent: f64,
    /// The dose that a global difference is a share of.
    pub reference_gy: f64,
    /// Voxels looked at.
    pub count: usize,
    /// Share of them with gamma of at most one.
    pub pass_rate: f64,
    /// Mean gamma.
    pub mean: f64,
}

/// The Q-volume histogram: `Q` is delivered over planned dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Mean of `|Q - 1|`: 0 is perfect (Vanderstraeten 2006).
    pub factor: f64,
    /// Median of `Q`.
    pub median: f64,
    /// Share of the volume with `Q` from 0.9 to 1.1.
    pub within_10_percent: f64,
    /// Share below 0.9.
    pub below: f64,
    /// Share above 1.1.
    pub above: f64,
    /// The histogram: `Q` and the share of the volume of at least that.
    pub curve: Vec<[f64; 2]>,
    /// Factor of every tumour.
    pub tumours: Vec<TumourQuality>,
}

/// Q-factor of a tumour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TumourQuality {
    /// Its name.
    pub name: String,
    /// Mean of `|Q - 1|` in it.
    pub factor: f64,
}

/// An isodose of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Isodose {
    /// The dose.
    pub dose_gy: f64,
    /// Volume with at least that dose as planned.
    pub planned_ml: f64,
    /// As delivered.
    pub delivered_ml: f64,
    /// Twice the common volume over the sum; `None` where neither has any.
    pub dice: Option<f64>,
}

/// A limit and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Pass, or hold: somebody must look.
    pub status: Status,
    /// What was found.
    pub found: f64,
    /// The limit.
    pub limit: f64,
    /// Unit of both.
    pub unit: String,
    /// Where the limit is from.
    pub source: String,
}
