//! The plan: every number a tumour board or another program may want, as it is written to `plan.json`.
//!
//! This is the border between those who compute and those who show. Field names carry their unit
//! (`dose_gy`, `activity_gbq`), because beyond this border there are no Rust types to carry it.
//! The JSON Schema of [`Plan`] is published as `docs/schema/plan.schema.json`.

pub use crate::propose::Proposal;
use hepatica_physics::{Activity, TimeSpan};
pub use hepatica_regimen::gate::{Criterion, Gate, Status};
use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this format.
pub const SCHEMA: &str = "hepatica-plan/1";

/// Said by every report and page.
pub const RESEARCH_USE_ONLY: &str =
    "Research use only. Not a cleared medical device. A qualified person must check every number.";

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Version of this format, `hepatica-plan/1`.
    pub schema: String,
    /// What this may be used for.
    pub notice: String,
    /// The program that made the plan.
    pub software: Software,
    /// The patient, as far as a plan needs to know.
    pub patient: Patient,
    /// The answer in one word and one sentence.
    pub decision: Decision,
    /// Constants behind every number, with their sources.
    pub constants: Constants,
    /// Every file read, with its checksum.
    pub inputs: Vec<Input>,
    /// The method: engine, grid, how counts became activity.
    pub method: Method,
    /// Lung shunt by each method, and the one used.
    pub lung_shunt: LungShunt,
    /// Volumes and masses of the liver and its tumours.
    pub liver: Liver,
    /// Structures that nobody drew; the gate holds until they are accepted. Left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposed: Vec<Proposal>,
    /// Sessions that were given and verified, which this plan starts from and plans no more. Left out where
    /// there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delivered: Vec<DeliveredSession>,
    /// One radioembolization each, in the order of treatment.
    pub sessions: Vec<Session>,
    /// The best activities within the limits, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimisation: Option<Optimisation>,
    /// Sums over all sessions, delivered ones and earlier treatments.
    pub cumulative: Cumulative,
    /// May it be done? Each gate with its criteria.
    pub gates: Vec<Gate>,
    /// Dates: simulation window, sessions, drugs.
    pub schedule: Schedule,
    /// Fraction of the first session's absorbed dose delivered while each drug is taken, by drug.
    pub overlap: BTreeMap<String, f64>,
    /// Where the intervals are from, and which source of doubt matters for what. Not in plans of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// What a reader must know before trusting a number.
    pub warnings: Vec<String>,
    /// How measures came to be, by measure: what `--explain` prints.
    pub explanations: BTreeMap<String, Explanation>,
}

impl Plan {
    /// Half-life of the nuclide of the therapy.
    #[must_use]
    pub fn half_life(&self) -> TimeSpan {
        TimeSpan::from_h(self.constants.half_life_h)
    }
}

/// The program that made the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// `hepatica`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Patient {
    /// Identifier as in the case file.
    pub id: String,
    /// Height, if given.
    pub height_cm: Option<f64>,
    /// Weight, if given.
    pub weight_kg: Option<f64>,
    /// Body surface area (Du Bois 1916), if height and weight are given.
    pub bsa_m2: Option<f64>,
}

/// The answer in one word and one sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The worst of all gates.
    pub status: Status,
    /// For the head of the report.
    pub sentence: String,
}

/// Constants behind every number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constants {
    /// Nuclide of the therapy.
    pub nuclide: String,
    /// Its half-life.
    pub half_life_h: f64,
    /// Dose constant of the device label, for the MIRD model (Gy kg/GBq).
    pub k_prescription_j_per_gbq: f64,
    /// Dose constant of partition, voxel and lung doses (Gy kg/GBq).
    pub k_dose_j_per_gbq: f64,
    /// Density of liver and tumour.
    pub liver_density_g_per_ml: f64,
    /// Further constants: name, value with unit, source.
    pub others: Vec<Constant>,
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constant {
    /// What it is.
    pub name: String,
    /// Value, in `unit`.
    pub value: f64,
    /// Unit, empty for a pure number.
    pub unit: String,
    /// Where it is from.
    pub source: String,
}

/// A file read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Path, relative to the case where it lies inside.
    pub path: String,
    /// SHA-256 of the file; of a series of files, of their checksums in order of file name.
    pub sha256: String,
    /// `ct`, `spect`, `planar`, `structures`, `case`, `protocol`, `device`, `gate`.
    pub role: String,
    /// How many files stand behind this row.
    pub files: usize,
}

/// How counts became dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    /// Dose engine: `local`, `kernel` or `monte-carlo`.
    pub engine: String,
    /// Grid of the dose: `spect` or `ct`.
    pub grid: String,
    /// Voxels along i, j, k.
    pub grid_size: [usize; 3],
    /// Distance between voxel centres.
    pub grid_spacing_mm: [f64; 3],
    /// `uniform`, `ct` or `tissue`: what the energy is divided by, and what betas go through.
    pub density: String,
    /// How the histories of each session went; empty for the other engines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monte_carlo: Vec<Histories>,
    /// In words: calibration, registration, resampling.
    pub notes: Vec<String>,
}

/// How the Monte Carlo of a session went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Histories {
    /// The session.
    pub session: u32,
    /// Betas that were followed.
    pub histories: u64,
    /// Batches they were in: the spread between these gives the errors.
    pub batches: u32,
    /// What names the random numbers.
    pub seed: u64,
    /// Median relative standard error of the dose of the tumours' voxels (of all perfused voxels
    /// where there is no tumour).
    pub median_error: f64,
    /// Whether the run ended before the precision or number that was asked for.
    pub stopped: bool,
    /// Share of the activity from which a beta may leave uniform liver. The rest is convolved, which
    /// is exact there.
    pub followed_share: f64,
    /// Share of the energy that leaves as bremsstrahlung and is in no dose.
    pub radiated_share: f64,
}

/// Lung shunt by each method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LungShunt {
    /// The method the plan uses: `spect`, `planar` or `stated`.
    pub used: String,
    /// The fraction the plan uses.
    pub fraction: f64,
    /// 95 % interval of that fraction.
    pub interval: [f64; 2],
    /// Where the interval is from.
    pub interval_source: String,
    /// SPECT/CT, if there is one.
    pub spect: Option<SpectShunt>,
    /// Planar geometric mean, if there is one.
    pub planar: Option<PlanarShunt>,
    /// Planar minus SPECT, in percentage points, if there are both.
    pub difference_points: Option<f64>,
    /// Lung mass the lung dose is computed with.
    pub lung_mass_kg: f64,
    /// Where that mass is from.
    pub lung_mass_source: String,
}

/// Lung shunt on SPECT/CT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpectShunt {
    /// Lung counts over lung and liver counts, extrapolated to the whole lungs.
    pub fraction: f64,
    /// The same with the counts as measured, nothing left out, nothing extrapolated.
    pub fraction_as_measured: f64,
    /// Counts in the lungs as used.
    pub lung_counts: f64,
    /// Counts in the liver.
    pub liver_counts: f64,
    /// Width of the strip next to the liver that is left out of the lungs.
    pub dome_strip_mm: f64,
    /// Fraction of the lung mass inside both the field of view and outside the strip.
    pub lung_mass_seen_fraction: f64,
}

/// Lung shunt on planar views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanarShunt {
    /// Geometric mean of both views: lungs over lungs and liver.
    pub fraction: f64,
    /// Geometric mean counts of the lungs.
    pub lung_counts: f64,
    /// Geometric mean counts of the liver.
    pub liver_counts: f64,
}

/// The liver as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Liver {
    /// Whole liver with tumours.
    pub volume_ml: f64,
    /// Whole liver with tumours.
    pub mass_g: f64,
    /// All tumours.
    pub tumour_volume_ml: f64,
    /// Tumours over whole liver.
    pub tumour_burden: f64,
    /// Every lesion.
    pub tumours: Vec<Lesion>,
}

/// A lesion, whatever session treats it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lesion {
    /// Name of the structure.
    pub name: String,
    /// Volume.
    pub volume_ml: f64,
    /// Mean concentration over that of the perfused normal liver of its territory.
    pub tumour_to_normal: Option<f64>,
    /// Territory that perfuses most of it.
    pub territory: Option<String>,
}

/// One radioembolization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// First, second, ...
    pub id: u32,
    /// The territory treated.
    pub territory: String,
    /// Its name for people.
    pub territory_name: String,
    /// Cycle of the regimen.
    pub cycle: u32,
    /// Day of that cycle, the first day being 1.
    pub cycle_day: u32,
    /// Date of treatment, ISO 8601.
    pub date: String,
    /// Other dates the protocol allows: cycle, day, date.
    pub alternatives: Vec<CycleDate>,
    /// Device.
    pub device: String,
    /// What each model of activity says.
    pub models: Models,
    /// What is prescribed.
    pub prescription: Prescription,
    /// What is ordered; `None` if the device has no vial that serves (see the warnings).
    pub order: Option<Order>,
    /// Doses at the prescribed activity.
    pub compartments: Vec<Compartment>,
    /// Lung dose of this session at the prescribed activity.
    pub lung_dose_gy: f64,
    /// 95 % interval of the lung dose.
    pub lung_dose_interval_gy: [f64; 2],
    /// Fraction of counts of the whole liver that lie in this territory.
    pub counts_fraction: f64,
    /// Fraction of the absorbed dose delivered while each drug is taken.
    pub overlap: BTreeMap<String, f64>,
}

impl Session {
    /// What is to be dispensed at the moment of treatment: what is drawn from the vials, or all of them;
    /// as prescribed where no vial serves.
    #[must_use]
    pub fn dispensed(&self) -> Activity {
        Activity::from_gbq(self.order.as_ref().map_or(self.prescription.activity_gbq, |order| {
            order.proposed.delivered_gbq / (1.0 - order.planned_residual_fraction)
        }))
    }

    /// Moment of treatment, local time of the site: that of the order, or 13:00 on the day planned. None:
    /// what is written is no moment.
    #[must_use]
    pub fn instant(&self) -> Option<DateTime> {
        match &self.order {
            Some(order) => order.treatment_instant.get(..16)?.parse().ok(),
            None => format!("{} 13:00", self.date).parse().ok(),
        }
    }
}

/// A day of the regimen and its date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CycleDate {
    /// What happens.
    pub what: String,
    /// Cycle.
    pub cycle: u32,
    /// Day of the cycle, the first day being 1.
    pub cycle_day: u32,
    /// Date, ISO 8601.
    pub date: String,
}

/// The four models side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Models {
    /// Single compartment (glass label).
    pub mird: ModelAnswer,
    /// Body surface area (resin label).
    pub bsa: ModelAnswer,
    /// Partition with one compartment a tumour.
    pub partition: ModelAnswer,
    /// Voxel doses.
    pub voxel: ModelAnswer,
}

/// What one model says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelAnswer {
    /// Activity in the patient at the moment of injection; `None` if the model cannot say.
    pub activity_gbq: Option<f64>,
    /// What set the activity: a goal or the limit that binds.
    pub bound_by: String,
    /// Every limit and goal looked at, with the activity it allows or asks for.
    pub bounds: Vec<Bound>,
    /// Mean dose by compartment at that activity, by this model.
    pub doses_gy: BTreeMap<String, f64>,
    /// Caveats, or why it cannot say.
    pub notes: Vec<String>,
}

/// A limit or a goal, as an activity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// `normal_liver_dose`, `lung_dose_session`, `tumour_dose_goal`, ...
    pub id: String,
    /// `limit` or `goal`.
    pub kind: String,
    /// Its value.
    pub value: f64,
    /// Unit of the value.
    pub unit: String,
    /// The activity at which it is just met.
    pub activity_gbq: f64,
    /// Where it is from.
    pub source: String,
}

impl ModelAnswer {
    /// The limit that the least activity meets; `None` if there is no limit.
    #[must_use]
    pub fn least_limit(&self) -> Option<&Bound> {
        let limits = self.bounds.iter().filter(|b| b.kind == "limit");
        limits.min_by(|a, b| a.activity_gbq.total_cmp(&b.activity_gbq))
    }
}

/// What is prescribed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prescription {
    /// The model it follows: `mird`, `bsa`, `partition`, `voxel`, `optimised` or `stated`.
    pub model: String,
    /// Activity in the patient at the moment of injection.
    pub activity_gbq: f64,
    /// What set it.
    pub bound_by: String,
}

/// What is ordered, and the other choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Moment of treatment, RFC 3339 with the zone in brackets.
    pub treatment_instant: String,
    /// Expected to stay in vial and lines.
    pub planned_residual_fraction: f64,
    /// Activity to dispense at the moment of treatment: prescription over one minus residual.
    pub activity_to_dispense_gbq: f64,
    /// The choice proposed.
    pub proposed: OrderChoice,
    /// Why this one.
    pub why: String,
    /// All choices looked at, best first.
    pub choices: Vec<OrderChoice>,
}

/// One way to order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderChoice {
    /// Activity of one vial at calibration.
    pub vial_gbq: f64,
    /// How many vials.
    pub vials: u32,
    /// Moment of calibration, RFC 3339 with the zone in brackets.
    pub calibration_instant: String,
    /// From calibration to treatment.
    pub decay_h: f64,
    /// Activity of the vials at the moment of treatment.
    pub activity_at_treatment_gbq: f64,
    /// Activity that reaches the patient: all of a vial that cannot be apportioned, else as prescribed.
    pub delivered_gbq: f64,
    /// Delivered against prescribed.
    pub deviation_percent: f64,
    /// Mean dose of the perfused volume with the delivered activity.
    pub perfused_dose_gy: f64,
    /// Dose of the lungs with the delivered activity.
    pub lung_dose_gy: f64,
    /// Number of spheres that are instilled, in millions.
    pub spheres_millions: Option<f64>,
    /// Activity of one sphere at the moment of treatment.
    pub bq_per_sphere: Option<f64>,
    /// Within the device's life, tolerance and sphere band.
    pub acceptable: bool,
    /// Why not, or what to know.
    pub note: String,
}

/// A compartment or lesion and its dose in one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compartment {
    /// Name of the structure.
    pub name: String,
    /// `tumour`, `cold`, `perfused_normal_liver`, `whole_normal_liver`, `perfused`, `lungs`, `organ`.
    pub role: String,
    /// Volume (inside the dose grid).
    pub volume_ml: f64,
    /// Mass.
    pub mass_g: f64,
    /// Physical dose.
    pub dose_gy: DoseMeasures,
    /// Biologically effective dose.
    pub bed_gy: BedMeasures,
    /// Generalised equivalent uniform dose, where a parameter set for the role exists.
    pub eud_gy: Option<f64>,
    /// Tumour control or complication probability, with the set it is from.
    pub effect: Vec<Effect>,
    /// How sure its measures are. Not in plans of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<CompartmentDoubt>,
}

/// How sure the measures of a compartment are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompartmentDoubt {
    /// Median of the mean dose over the ensemble: what it is expected to be, once resolution is undone and
    /// biases are taken off.
    pub median_gy: f64,
    /// Relative standard uncertainty of the mean dose by first-order propagation: what each source does
    /// alone, added in squares.
    pub relative: f64,
    /// Interval of each measure: `mean`, `min`, `max`, `d2`, `d50`, `d70`, `d95`, `d98`, `v70` and the like,
    /// `eud`, `bed_mean`, `tcp`, `ntcp`, `volume_ml`.
    pub intervals: BTreeMap<String, [f64; 2]>,
}

/// Measures of a dose-volume histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DoseMeasures {
    /// Volume mean.
    pub mean: f64,
    /// 95 % interval of the mean.
    pub mean_interval: [f64; 2],
    /// Relative standard error of the mean that the histories leave (part of the interval); none for
    /// the other engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_monte_carlo_error: Option<f64>,
    /// Coldest voxel.
    pub min: f64,
    /// Hottest voxel.
    pub max: f64,
    /// Dose that the hottest 2 % receive at least.
    pub d2: f64,
    /// Median.
    pub d50: f64,
    /// Dose that 70 % receive at least.
    pub d70: f64,
    /// Dose that 95 % receive at least.
    pub d95: f64,
    /// Dose that 98 % receive at least.
    pub d98: f64,
    /// Volume fraction with at least that dose: dose in Gy as text, fraction.
    pub v: BTreeMap<String, f64>,
}

/// Measures of biologically effective dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BedMeasures {
    /// Volume mean of the voxels' BED.
    pub mean: f64,
    /// Equivalent uniform BED, where alpha is known.
    pub eubed: Option<f64>,
    /// alpha/beta of the set used.
    pub alpha_beta_gy: f64,
    /// Repair half-time of the set used.
    pub repair_half_time_h: f64,
    /// The named parameter set.
    pub set: String,
}

/// A probability from a named parameter set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// `tcp` or `ntcp`.
    pub kind: String,
    /// Probability, 0 to 1.
    pub probability: f64,
    /// Named set.
    pub set: String,
    /// Endpoint of the set.
    pub endpoint: String,
    /// Source of the set, and how far to trust it.
    pub source: String,
}

/// A session that was given: what its verification says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveredSession {
    /// Its number.
    pub session: u32,
    /// The territory treated.
    pub territory: String,
    /// Its name for people.
    pub territory_name: String,
    /// Moment of the instillation, RFC 3339 with the zone in brackets.
    pub instant: String,
    /// Half-life of its nuclide.
    pub half_life_h: f64,
    /// Activity that reached the patient.
    pub activity_gbq: f64,
    /// Mean dose of the lungs.
    pub lung_dose_gy: f64,
    /// Mean dose of the whole normal liver.
    pub whole_normal_liver_dose_gy: f64,
    /// Its mean BED.
    pub whole_normal_liver_bed_gy: f64,
    /// Mean dose of the normal liver of every territory, by territory.
    pub normal_liver_dose_gy: BTreeMap<String, f64>,
    /// Mean dose of the tumours of the territory treated, by name.
    pub tumour_dose_gy: BTreeMap<String, f64>,
}

/// Sums over all sessions, planned and delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cumulative {
    /// Lung dose of all sessions and earlier treatments.
    pub lung_dose_gy: f64,
    /// Of that, from earlier treatments: as stated in the case, and of delivered sessions as verified.
    pub prior_lung_dose_gy: f64,
    /// Activity of the sessions planned.
    pub activity_gbq: f64,
    /// Mean dose of the whole normal liver over all sessions.
    pub whole_normal_liver_dose_gy: f64,
    /// Mean BED of the whole normal liver, summed over the sessions.
    pub whole_normal_liver_bed_gy: f64,
    /// Mean dose of every tumour over all sessions.
    pub tumour_dose_gy: BTreeMap<String, f64>,
    /// Interval of the lung dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lung_dose_interval_gy: Option<[f64; 2]>,
    /// Interval of the mean dose of the whole normal liver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_normal_liver_dose_interval_gy: Option<[f64; 2]>,
    /// Interval of its mean BED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_normal_liver_bed_interval_gy: Option<[f64; 2]>,
    /// Interval of the mean dose of every tumour.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tumour_dose_interval_gy: BTreeMap<String, [f64; 2]>,
}

/// The best activities within the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Optimisation {
    /// What was made best: `response` (weighted sum of the logarithms of the lesions' control) or
    /// `least-dosed` (the dose of the least-dosed lesion, over its goal).
    pub aim: String,
    /// The activity of each session.
    pub sessions: Vec<OptimisedSession>,
    /// Every limit, how near it is, and what it costs.
    pub limits: Vec<OptimisedLimit>,
    /// The lesion that is furthest from its goal.
    pub least_dosed: String,
    /// The best for less and less normal liver, from little to all that the limits allow.
    pub trade_off: Vec<TradeOff>,
}

/// A session of the best activities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OptimisedSession {
    /// Its number.
    pub session: u32,
    /// Its activity.
    pub activity_gbq: f64,
}

/// A limit of the best activities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OptimisedLimit {
    /// Which.
    pub id: String,
    /// The session it is of; none for all together.
    pub session: Option<u32>,
    /// What the best activities make of it.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Unit of both.
    pub unit: String,
    /// Whether it holds the activities down.
    pub binds: bool,
    /// How much the aim would gain for each unit the limit were higher.
    pub price: f64,
    /// Where it is from.
    pub source: String,
}

/// A point of the trade-off between normal liver and tumours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TradeOff {
    /// Mean dose of the whole normal liver over all sessions.
    pub whole_normal_liver_gy: f64,
    /// The best activities at that dose, in the order of the sessions.
    pub activity_gbq: Vec<f64>,
    /// The lesion that is furthest from its goal.
    pub least_dosed: String,
    /// Its dose.
    pub least_dosed_gy: f64,
    /// Probability that every lesion responds, by the control set of the device; none without one.
    pub all_respond: Option<f64>,
    /// Mean dose of every lesion.
    pub tumour_gy: BTreeMap<String, f64>,
}

/// Where the intervals are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Uncertainty {
    /// Two-sided level of every interval.
    pub level: f64,
    /// Members of the ensemble.
    pub members: usize,
    /// What names its random numbers.
    pub seed: u64,
    /// Every source of doubt, also those that do not act on this plan.
    pub sources: Vec<DoubtSource>,
    /// What each source does alone to what matters most.
    pub tornado: Vec<Tornado>,
    /// Distribution of each measure of the gate that depends on the activity: its values at evenly spread
    /// probabilities.
    pub gate_quantiles: BTreeMap<String, Vec<f64>>,
}

/// A source of doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DoubtSource {
    /// Which.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is in the intervals of this plan.
    pub acts: bool,
    /// The truth over what the plan takes it to be, or their difference in `unit`, on average; of the
    /// resolution, the resolution itself.
    pub bias: f64,
    /// One standard deviation, relative where there is no unit.
    pub spread: f64,
    /// Unit of both.
    pub unit: String,
    /// Where it is from.
    pub source: String,
}

/// A measure and what each source of doubt does to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tornado {
    /// `mean_dose_gy`, `lung_dose_gy`, `lung_shunt_percent`.
    pub measure: String,
    /// Of what: a tumour, the normal liver, the lungs.
    pub of: String,
    /// Session; none for the sum of all.
    pub session: Option<u32>,
    /// Unit of all its values.
    pub unit: String,
    /// What the plan says.
    pub planned: f64,
    /// Median of the ensemble.
    pub median: f64,
    /// Its interval with all sources.
    pub interval: [f64; 2],
    /// Its interval with one source alone and the others at their bias, the widest first.
    pub swings: Vec<Swing>,
}

/// What a source of doubt does alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Swing {
    /// Which.
    pub source: String,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

/// Dates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// Protocol.
    pub protocol: String,
    /// First day of the first cycle, ISO 8601.
    pub c1d1: String,
    /// First day on which the simulation procedure may be done.
    pub simulation_earliest: String,
    /// Last day on which the simulation procedure may be done.
    pub simulation_latest: String,
    /// What happens when, in order of date.
    pub days: Vec<CycleDate>,
    /// Time zone of the site.
    pub time_zone: String,
}

/// How a number came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// What it is.
    pub title: String,
    /// Its value.
    pub value: f64,
    /// Unit of the value.
    pub unit: String,
    /// The formula, in the symbols of `inputs`.
    pub formula: String,
    /// What went in: symbol, value with unit, where from.
    pub inputs: Vec<Constant>,
    /// Source of the formula.
    pub source: String,
}
