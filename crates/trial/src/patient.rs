//! One virtual patient: a body that the drugs and the dose act on, and a clinic that follows the program.
//!
//! A day begins in the clinic (toxicities, blood, the gate of a cycle, a session, a scan) and ends in the
//! body (drugs, dose, growth). The clinic knows what was measured, not what is true.

use crate::model::{MONTH_D, Model};
use crate::outcome::{End, Endpoint, Outcome};
use crate::program::{
    Call, DrugKind, MODIFICATIONS, ProcedureProgram, Program, Signal, Terms, Test,
};
use crate::recist::{Best, Region};
use hepatica_biology::lesion::{Day, Each, LESIONS, Lesions};
use hepatica_biology::liver::REILD_DAYS;
use hepatica_biology::population::Parameter as P;
use hepatica_physics::Dose;
use hepatica_physics::random::Keyed;
use hepatica_regimen::gate::{Over, Step};

/// Lanes of the liver; the rest is elsewhere.
const LIVER: usize = 12;
/// Most targets: two in the liver, two elsewhere.
const TARGETS: usize = 4;
/// So small a share of a dose, after more than two weeks, is given at once.
const LAST: f64 = 0.02;
/// Normal bilirubin, and that of liver toxicity, mg/dL.
const BILIRUBIN: [f64; 2] = [0.7, 3.5];
/// Days for which it lasts where it passes, and the share where it stays.
const LIVER_DAYS: i32 = 60;
const LIVER_STAYS: f64 = 0.2;
/// Days after which e times fewer of the lymphocytes lost to temozolomide are missing.
const LYMPHOCYTES_D: f64 = 90.0;
/// Never.
const NEVER: i32 = i32::MAX;

/// What random numbers are for: the second key of each.
mod purpose {
    pub const NORMAL: u32 = 1;
    pub const UNIFORM: u32 = 2;
    pub const EXPONENTIAL: u32 = 3;
    pub const LESION_SIZE: u32 = 4;
    pub const LESION_GROWTH: u32 = 5;
    pub const LESION_DOSE: u32 = 6;
    pub const LESION_INERT: u32 = 7;
    pub const LESION_PLACE: u32 = 8;
    pub const CYCLE: u32 = 9;
    pub const SCAN: u32 = 10;
    pub const READER: u32 = 11;
    pub const LESION_PLAN: u32 = 12;
}

/// What of a course is written down, day by day. A fact that a real clinic would record.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// Blood: neutrophils, platelets, lymphocytes, bilirubin.
    Blood([f64; 4]),
    /// A toxicity has this grade from now on.
    Toxicity {
        /// Of the liver, else of drugs.
        liver: bool,
        /// Grade.
        grade: u8,
    },
    /// A cycle began. No clinic writes it down; it follows from the rest.
    Cycle(u16),
    /// A drug was due and taken or not, at so many levels below the starting one.
    Dose(DrugKind, bool, i32),
    /// The simulation procedure, and whether it allows radioembolization.
    Simulation(bool),
    /// Whether disease is left that the first session did not reach.
    FurtherNeeded(bool),
    /// A session, the first being 0.
    Session(usize),
    /// A scan: diameters of targets in mm (liver, elsewhere), new lesions and growth of others in the
    /// liver, new lesions elsewhere.
    Scan {
        /// Targets of the liver.
        liver: Vec<f64>,
        /// Targets elsewhere.
        elsewhere: Vec<f64>,
        /// A new lesion in the liver.
        new_liver: bool,
        /// Other lesions of the liver have grown unequivocally.
        others_grown: bool,
        /// A new lesion elsewhere.
        new_elsewhere: bool,
    },
    /// The drugs are stopped for a reason that no rule names.
    Stopped,
    /// The patient leaves.
    Withdrew,
    /// Death.
    Died,
}

/// Someone who writes it down.
pub trait Recorder {
    /// Takes a fact of a day.
    fn record(&mut self, day: i32, fact: impl FnOnce() -> Recorded);
}

/// Nobody.
impl Recorder for () {
    #[inline(always)]
    fn record(&mut self, _: i32, _: impl FnOnce() -> Recorded) {}
}

impl Recorder for Vec<(i32, Recorded)> {
    fn record(&mut self, day: i32, fact: impl FnOnce() -> Recorded) {
        self.push((day, fact()));
    }
}

/// A radioembolization of a patient.
#[derive(Debug, Clone, Copy)]
struct Session {
    day: i32,
    /// Share of the dose still to come.
    left: f64,
    /// Dose to the whole normal liver.
    liver_gy: f64,
}

/// Days on which the same is done, decided on the first of them.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from: i32,
    until: i32,
    /// Doses taken, relative to their reference.
    doses: [f64; 2],
    /// Of a drug that is due: whether it is taken, and the level.
    due: [Option<(bool, i32)>; 2],
    effect: MarrowEffect,
}

/// The state of a drug.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// Levels below the starting one; none: stopped for good.
    level: Option<i32>,
    reduced: bool,
    taken: f64,
    planned: f64,
    /// The lowest level that anything calls for today.
    lowered: Option<Option<i32>>,
    /// Whether it may go up today.
    raised: bool,
}

/// A virtual patient.
#[derive(Debug, Clone)]
pub struct Patient<'a> {
    model: &'a Model,
    program: &'a Program,
    keyed: Keyed,
    horizon: i32,
    day: i32,
    segment: Segment,
    lowest: [f32; 2],

    // ---- the body
    lesions: Lesions,
    liver_weight: Each,
    elsewhere_weight: Each,
    diameter_mm: Each,
    kill_temozolomide: f64,
    kill_capecitabine: f64,
    repair: f64,
    exposure: f64,
    mgmt: f64,
    tail: f64,
    marrow_slope: [f64; 2],
    base: [f64; 3],
    lymphocytes_lost: f64,
    hazard: [f64; 2],
    burden: [f64; 2],
    spread: [f64; 2],
    threshold: [f64; 2],
    death_per_d: f64,
    dying: f64,
    dies: f64,
    liver_gy: f64,
    liver_draw: [f64; 2],
    liver_from: i32,
    liver_until: i32,
    liver_lasts: i32,
    late: f64,

    // ---- the clinic
    on_treatment: bool,
    over: bool,
    treatment_end: i32,
    cycle: i32,
    cycle_start: i32,
    next_asked: i32,
    waits: u8,
    drugs: [Course; 2],
    /// Held for a toxicity: of drugs, of the liver.
    held: [[bool; 2]; 2],
    /// What becomes of the dose when it is over.
    open: [[[Option<Step>; 2]; 2]; 2],
    grade: [u8; 2],
    cycle_grade: u8,
    first_grade: [u8; 2],
    toxic_from: i32,
    toxic_until: i32,
    toxic_grade: u8,
    appearances: [u8; MODIFICATIONS],
    cycle_lowest: [f64; 2],
    blood: [f64; 4],
    first_due: [u8; 2],
    first_taken: [u8; 2],
    stop_cycle: i32,
    stop_day: i32,
    stops: i32,
    simulated: i32,
    suitable: bool,
    bilobar: bool,
    sessions: [Option<Session>; 2],

    // ---- scans
    targets: [u8; TARGETS],
    liver_targets: usize,
    elsewhere_targets: usize,
    others: Each,
    others_least: f64,
    regions: [Region; 3],
    reader: [f64; TARGETS],
    new_lesion: [bool; 2],
    withdraws: i32,
    out: Outcome,
}

/// How a patient's day ends for the marrow: what the drugs take of the division of each lineage.
pub type MarrowEffect = [f32; 2];

impl<'a> Patient<'a> {
    /// Patient number `n` under a seed, before C1D1.
    #[must_use]
    pub fn new(model: &'a Model, program: &'a Program, seed: u64, n: u64, horizon: u16) -> Self {
        let t = &model.theta;
        let k = Keyed::new(seed, n);
        let [z_growth, z_drug, z_resistant, z_alpha] = k.gauss(purpose::NORMAL, 0);
        let [z_mgmt, z_area, z_dose, z_inert] = k.gauss(purpose::NORMAL, 1);
        let [z_anc, z_plt, z_anc_slope, z_plt_slope] = k.gauss(purpose::NORMAL, 2);
        let [z_alc, z_liver, z_spread, _] = k.gauss(purpose::NORMAL, 3);
        let [u_grade, u_pancreas, u_female, u_elsewhere] = k.uniform(purpose::UNIFORM, 0);
        let [u_bilobar, u_fast, u_suitable, u_stop] = k.uniform(purpose::UNIFORM, 1);
        let [u_liver, u_onset, u_number, u_number_elsewhere] = k.uniform(purpose::UNIFORM, 2);
        let [u_stays, u_stop_day, u_stop_later, _] = k.uniform(purpose::UNIFORM, 3);
        let [e_liver, e_elsewhere, e_death, e_withdrawal] = k.exponential(purpose::EXPONENTIAL, 0);
        let [e_late, ..] = k.exponential(purpose::EXPONENTIAL, 1);

        let s = &model.setting;
        let grade =
            1 + u8::from(u_grade >= s.grades[0]) + u8::from(u_grade >= s.grades[0] + s.grades[1]);
        let (pancreatic, female) = (u_pancreas < s.pancreatic, u_female < s.female);
        let (elsewhere, bilobar) = (u_elsewhere < s.elsewhere, u_bilobar < s.bilobar);
        let by_grade = match grade {
            1 => t[P::GrowthRatioG1],
            2 => 1.0,
            _ => t[P::GrowthRatioG3],
        };
        let fast = if u_fast < t[P::FastShare] { t[P::FastFactor] } else { 1.0 };
        let growth = t[P::GrowthMedian] * by_grade * fast * libm::exp(t[P::GrowthSd] * z_growth);
        let site = if pancreatic { 1.0 } else { t[P::NonpancreaticRatio] };
        let sensitivity = site * libm::exp(t[P::DrugSd] * z_drug);
        let resistant =
            (t[P::ResistantMedian] * libm::exp(t[P::ResistantSd] * z_resistant)).min(0.9);
        let alpha = t[P::AlphaMedian] * libm::exp(t[P::AlphaSd] * z_alpha);
        let repair = libm::exp(t[P::MgmtSd] * z_mgmt);
        let dose_gy = t[P::DoseMedianGy] * libm::exp(t[P::DosePatientSd] * z_dose);

        let each = |purpose: u32| -> [f64; LESIONS] {
            let blocks = [0, 1, 2, 3].map(|b| k.gauss(purpose, b));
            std::array::from_fn(|l| blocks[l / 4][l % 4])
        };
        let place: [[f64; 2]; LESIONS] = {
            let blocks = [0, 1, 2, 3, 4, 5, 6, 7].map(|b| k.uniform(purpose::LESION_PLACE, b));
            std::array::from_fn(|l| [blocks[l / 4][l % 4], blocks[4 + l / 4][l % 4]])
        };
        let (size, faster) = (each(purpose::LESION_SIZE), each(purpose::LESION_GROWTH));
        let (dosed, stroma) = (each(purpose::LESION_DOSE), each(purpose::LESION_INERT));
        let fewest = (2.0 * t[P::LiverLesionsMean] - LIVER as f64).round().max(1.0);
        let most = (2.0 * t[P::LiverLesionsMean] - fewest).round();
        let liver_count = (fewest + ((most - fewest + 1.0) * u_number).floor()).min(LIVER as f64);
        let elsewhere_count = 1.0 + (u_number_elsewhere * (LESIONS - LIVER) as f64).floor();

        let mut lesions = Lesions::NONE;
        let mut diameter_mm = [0.0_f32; LESIONS];
        let (mut liver_weight, mut elsewhere_weight) = ([0.0_f32; LESIONS], [0.0_f32; LESIONS]);
        for l in 0..LESIONS {
            let in_liver = l < LIVER;
            let place_of = if in_liver { l } else { l - LIVER };
            let count = if in_liver { liver_count } else { elsewhere_count };
            if place_of as f64 >= count {
                continue;
            }
            let mm = (t[P::DiameterMedianMm] * libm::exp(t[P::DiameterSd] * size[l])).max(10.5);
            let inert = t[P::InertMean] * libm::exp(0.35 * z_inert + 0.25 * stroma[l]);
            let inert = inert.clamp(0.02, 0.7);
            let (gy, uneven) = if model.lesion_doses.is_empty() {
                (dose_gy * libm::exp(t[P::DoseLesionSd] * dosed[l]), t[P::DoseSpread])
            } else {
                let share = f64::from(k.bits(purpose::LESION_PLAN, l as u32)[0]) / 4_294_967_296.0;
                let taken = (share * model.lesion_doses.len() as f64) as usize;
                (model.lesion_doses[taken].mean_gy, model.lesion_doses[taken].spread.max(0.02))
            };
            let missed = place[l][1] < t[P::MissedShare];
            let other_lobe = bilobar && place[l][0] >= s.dominant;
            let g = growth * libm::exp(t[P::GrowthLesionSd] * faster[l]);
            diameter_mm[l] = mm as f32;
            lesions.spread[l] = (uneven * uneven) as f32;
            lesions.inert[l] = inert as f32;
            lesions.sensitive[l] = ((1.0 - inert) * (1.0 - resistant)) as f32;
            lesions.resistant[l] = ((1.0 - inert) * resistant) as f32;
            lesions.growth[l] = libm::exp(g) as f32;
            if in_liver && !missed {
                lesions.effect[l] = (alpha * gy * (1.0 + model.quadratic_per_gy * gy)) as f32;
                lesions.reached[usize::from(other_lobe)][l] = 1.0;
            }
            let volume = (mm * mm * mm) as f32;
            if in_liver { liver_weight[l] = volume } else { elsewhere_weight[l] = volume }
        }
        for weight in [&mut liver_weight, &mut elsewhere_weight] {
            let all = lesions.viable(weight);
            for w in weight.iter_mut() {
                *w /= all;
            }
        }

        let base = [
            (t[P::NeutrophilsBase] * libm::exp(t[P::NeutrophilsBaseSd] * z_anc)).max(1.6),
            // Fewer than 100 are not enrolled.
            (t[P::PlateletsBase] * libm::exp(t[P::PlateletsBaseSd] * z_plt)).max(105.0),
            (t[P::LymphocytesBase] * libm::exp(t[P::LymphocytesBaseSd] * z_alc)).max(0.3),
        ];
        let by_sex = if female { t[P::FemaleSlopeRatio] } else { 1.0 };
        let marrow_slope = [
            by_sex * t[P::NeutrophilsSlope] * libm::exp(t[P::NeutrophilsSlopeSd] * z_anc_slope),
            by_sex * t[P::PlateletsSlope] * libm::exp(t[P::PlateletsSlopeSd] * z_plt_slope),
        ];
        let spread = libm::exp(t[P::NewLesionSd] * z_spread);
        let hazard =
            [P::NewLiverPerMonth, P::NewElsewherePerMonth].map(|p| spread * t[p] / MONTH_D);
        let day_of = |e: f64, per_month: f64| {
            if per_month > 0.0 { (e / per_month * MONTH_D).min(1e6).ceil() as i32 } else { NEVER }
        };
        let stop_cycle = if u_stop < t[P::IntoleranceCycle1] {
            1
        } else if t[P::StopPerCycle] > 0.0 {
            2 + (libm::log(u_stop_later) / libm::log1p(-t[P::StopPerCycle])).min(1e4) as i32
        } else {
            NEVER
        };
        let has_drugs = program.drugs.iter().any(Option::is_some);
        let horizon = i32::from(horizon);
        let out = Outcome {
            patient: n,
            grade,
            pancreatic,
            female,
            elsewhere,
            bilobar,
            mgmt_low: repair < 1.0,
            pfs: Endpoint { day: 0, event: false },
            hepatic_pfs: Endpoint { day: 0, event: false },
            first: (0, 0),
            best: [Best::None; 3],
            confirmed: [false; 3],
            liver_change_percent: 0,
            response_day: 0,
            blood_grade: [0; 3],
            other_grade: 0,
            liver_toxicity: [false; 2],
            suitable: u_suitable >= t[P::UnsuitableShare],
            sessions: 0,
            session_day: 0,
            session_cycle: 0,
            session_platelets: 0,
            overlap: [0; 2],
            cycles: 0,
            waits: 0,
            reductions: 0,
            intensity_percent: [0; 2],
            ended: 0,
            end: End::Goes,
        };
        let mut patient = Self {
            model,
            program,
            keyed: k,
            horizon,
            day: 0,
            segment: Segment {
                from: 0,
                until: 0,
                doses: [0.0; 2],
                due: [None; 2],
                effect: [0.0; 2],
            },
            lowest: [1.0; 2],
            lesions,
            liver_weight,
            elsewhere_weight,
            diameter_mm,
            kill_temozolomide: t[P::TemozolomideKill] * sensitivity,
            kill_capecitabine: t[P::CapecitabineKill] * sensitivity,
            repair,
            exposure: libm::exp(t[P::ExposureSd] * z_area),
            mgmt: 1.0,
            tail: 0.0,
            marrow_slope,
            base,
            lymphocytes_lost: 0.0,
            hazard,
            burden: [1.0; 2],
            spread: [0.0; 2],
            threshold: [e_liver, e_elsewhere],
            death_per_d: t[P::DeathPerMonth] / MONTH_D,
            dying: 0.0,
            dies: e_death,
            liver_gy: t[P::LiverDoseMedianGy] * libm::exp(t[P::LiverDoseSd] * z_liver),
            liver_draw: [u_liver, u_onset],
            liver_from: NEVER,
            liver_until: NEVER,
            liver_lasts: if u_stays < LIVER_STAYS { NEVER } else { LIVER_DAYS },
            late: e_late,
            on_treatment: true,
            over: false,
            treatment_end: horizon,
            cycle: 0,
            cycle_start: 0,
            next_asked: 0,
            waits: 0,
            drugs: [Course {
                level: Some(0),
                reduced: false,
                taken: 0.0,
                planned: 0.0,
                lowered: None,
                raised: false,
            }; 2],
            held: [[false; 2]; 2],
            open: [[[None; 2]; 2]; 2],
            grade: [0; 2],
            cycle_grade: 0,
            first_grade: [0; 2],
            toxic_from: NEVER,
            toxic_until: NEVER,
            toxic_grade: 0,
            appearances: [0; MODIFICATIONS],
            cycle_lowest: [f64::MAX; 2],
            blood: [base[0], base[1], base[2], BILIRUBIN[0]],
            first_due: [0; 2],
            first_taken: [0; 2],
            stop_cycle: if has_drugs { stop_cycle } else { NEVER },
            stop_day: 4 + (u_stop_day * 10.0) as i32,
            stops: NEVER,
            simulated: NEVER,
            suitable: u_suitable >= t[P::UnsuitableShare],
            bilobar,
            sessions: [None; 2],
            targets: [0; TARGETS],
            liver_targets: 0,
            elsewhere_targets: 0,
            others: [0.0; LESIONS],
            others_least: 0.0,
            regions: [Region::new(None); 3],
            reader: [0.0; TARGETS],
            new_lesion: [false; 2],
            withdraws: day_of(e_withdrawal, t[P::WithdrawalPerMonth]),
            out,
        };
        patient.baseline();
        patient
    }

    /// Whether nothing more is to be learnt.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    // ---- a day -----------------------------------------------------------------------------------

    /// A day: what it takes of the division of the two lineages. `circulating` is what of each circulates
    /// this morning, relative to its base.
    #[inline(always)]
    pub fn day(&mut self, circulating: [f32; 2], recorder: &mut impl Recorder) -> MarrowEffect {
        let t = self.day;
        for (lowest, now) in self.lowest.iter_mut().zip(circulating) {
            *lowest = lowest.min(now);
        }
        if t >= self.segment.until {
            self.catch_up(t);
            self.decide(t, circulating, recorder);
        }
        for kind in DrugKind::ALL {
            if let Some((taken, level)) = self.segment.due[kind as usize] {
                recorder.record(t, || Recorded::Dose(kind, taken, level));
            }
        }
        self.day += 1;
        if self.day >= self.horizon {
            self.over = true;
        }
        self.segment.effect
    }

    // ---- the body --------------------------------------------------------------------------------

    /// The body lives through the days that were decided on, to the morning of a day.
    #[inline(always)]
    fn catch_up(&mut self, to: i32) {
        let Segment { from, doses: [capecitabine, temozolomide], due, .. } = self.segment;
        let days = to - from;
        if days <= 0 {
            return;
        }
        let m = self.model;
        let n = f64::from(days);
        for kind in DrugKind::ALL {
            let place = kind as usize;
            let Some(p) = self.program.drugs[place].as_ref() else { continue };
            let day = from - self.cycle_start + 1;
            if self.cycle == 0 || !(p.first_day..=p.last_day).contains(&day) || !self.in_cycle(from)
            {
                continue;
            }
            let state = &mut self.drugs[place];
            state.planned += n * f64::from(p.relative[p.start_level as usize]);
            state.taken += n * self.segment.doses[place];
            if self.cycle == 1 {
                self.first_due[place] += days as u8;
                if due[place].is_some_and(|(taken, _)| taken) {
                    self.first_taken[place] += days as u8;
                }
            }
        }
        let (mut sensitive_left, mut resistant_left) = (1.0, 1.0);
        if temozolomide > 0.0 || self.mgmt < 0.999 {
            self.mgmt = m.mgmt.after_days(self.mgmt, temozolomide, days as u16);
        }
        if capecitabine > 0.0 || temozolomide > 0.0 {
            let by_capecitabine = self.kill_capecitabine / 14.0 * capecitabine;
            let by_temozolomide = if temozolomide > 0.0 {
                let repair = 2.0 / (1.0 + self.repair * self.mgmt);
                self.kill_temozolomide / 5.0 * repair * temozolomide * self.exposure
            } else {
                0.0
            };
            sensitive_left = libm::exp(-(by_capecitabine + by_temozolomide));
            let spared = m.theta[P::ResistantKill];
            resistant_left = libm::exp(-(by_capecitabine + spared * by_temozolomide));
        }
        if temozolomide > 0.0 {
            self.tail = 1.0;
        } else if self.tail > 0.0 {
            self.tail =
                if self.tail < 1e-6 { 0.0 } else { self.tail * libm::exp(-m.tail_per_d * n) };
        }
        let mut step = Day {
            sensitive_left: sensitive_left as f32,
            resistant_left: resistant_left as f32,
            doomed_left: m.doomed_left,
            delivered: [0.0; 2],
        };
        if self.is_radiating() {
            self.deliver(&mut step, from, capecitabine > 0.0, temozolomide > 0.0);
            self.lesions.irradiated(&step);
        } else if days == 1 {
            self.lesions.unirradiated(&step);
        } else {
            self.lesions.many(days as u16, &step);
        }
        let burden = [
            f64::from(self.lesions.viable(&self.liver_weight)),
            f64::from(self.lesions.viable(&self.elsewhere_weight)),
        ];
        for (k, burden) in burden.into_iter().enumerate() {
            // The mean of both ends: what grows or shrinks by a few percent needs no better.
            self.spread[k] += n * self.hazard[k] * 0.5 * (burden + self.burden[k]);
            self.new_lesion[k] |= self.spread[k] > self.threshold[k];
        }
        self.dying += n * self.death_per_d * self.burden[0];
        self.burden = burden;
        if self.lymphocytes_lost > 0.0 || temozolomide > 0.0 {
            self.lymphocytes_lost = self.lymphocytes_lost * libm::exp(-n / LYMPHOCYTES_D)
                + m.theta[P::LymphocytesTemozolomide] / 5.0 * temozolomide;
        }
    }

    /// Whether a day belongs to the running cycle and treatment.
    fn in_cycle(&self, t: i32) -> bool {
        t >= self.cycle_start && t < self.treatment_end
    }

    fn is_radiating(&self) -> bool {
        self.sessions.iter().flatten().any(|s| s.left > 0.0)
    }

    /// What of the dose of each session comes on a day.
    #[inline(always)]
    fn deliver(&mut self, step: &mut Day, t: i32, capecitabine: bool, temozolomide: bool) {
        let m = self.model;
        for (n, session) in self.sessions.iter_mut().enumerate() {
            let Some(s) = session.as_mut().filter(|s| s.left > 0.0) else { continue };
            let part = if s.day == t { 1.0 - m.instilled } else { 1.0 };
            let share =
                if s.left > LAST { s.left * -libm::expm1(-m.decay_per_d * part) } else { s.left };
            s.left -= share;
            let mut sensitiser = 1.0 + m.theta[P::TemozolomideSensitiser] * self.tail;
            if capecitabine {
                sensitiser += m.theta[P::CapecitabineSensitiser];
            }
            step.delivered[n] = (share * sensitiser) as f32;
            if n == 0 {
                let thousandths = (share * 1000.0).round() as u16;
                if capecitabine {
                    self.out.overlap[0] += thousandths;
                }
                if temozolomide {
                    self.out.overlap[1] += thousandths;
                }
            }
        }
    }

    // ---- the clinic ------------------------------------------------------------------------------

    /// Decides on a day what is done until something else happens.
    #[inline(always)]
    fn decide(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        let mut due = [None; 2];
        self.clinic(t, circulating, recorder);
        let mut doses = [0.0; 2];
        if self.on_treatment && self.cycle > 0 {
            let day = t - self.cycle_start + 1;
            for kind in DrugKind::ALL {
                let place = kind as usize;
                due[place] = self.due(kind, day);
                if let (Some((true, level)), Some(p)) = (due[place], &self.program.drugs[place]) {
                    doses[place] = f64::from(p.relative[(p.start_level + level) as usize]);
                }
            }
        }
        let [capecitabine, temozolomide] = doses;
        let marrow =
            temozolomide * self.exposure + self.model.theta[P::CapecitabineMarrow] * capecitabine;
        // Above one dividing cells are killed, not only kept from dividing.
        let effect = self.marrow_slope.map(|slope| (slope * marrow).min(6.0) as f32);
        let until =
            if temozolomide > 0.0 || self.is_radiating() { t + 1 } else { self.next_event(t) };
        self.segment = Segment { from: t, until, doses, due, effect };
    }

    /// The next day on which anything is decided or may change.
    #[inline(always)]
    fn next_event(&self, t: i32) -> i32 {
        let every = i32::from(self.program.scan_every);
        let mut next = (t / every + 1) * every;
        let mut at = |day: i32| {
            if day > t && day < next {
                next = day;
            }
        };
        at(self.withdraws);
        at(self.toxic_from);
        at(self.toxic_until);
        at(self.liver_from);
        at(self.liver_until);
        let rate = self.death_per_d * self.burden[0];
        if rate > 0.0 {
            at(t + 1 + ((self.dies - self.dying) / rate).clamp(0.0, 1e6) as i32);
        }
        if !self.on_treatment {
            at(self.treatment_end + 42);
            return next;
        }
        at(self.next_asked);
        at(self.stops);
        let start = self.cycle_start;
        for p in self.program.drugs.iter().flatten() {
            at(start + p.first_day - 1);
            at(start + p.last_day);
        }
        for [from, to, day] in &self.program.counts {
            if (*from..=*to).contains(&(self.cycle as u16)) {
                at(start + i32::from(*day) - 1);
            }
        }
        let done = self.sessions.iter().flatten().count();
        if done < self.program.sessions.len() {
            let procedures = self.program.simulation.iter().chain(self.program.sessions.get(done));
            for [_, _, target, latest] in procedures.filter_map(|p| window(p, self.cycle)) {
                let (first, last) = (start + target - 1, start + latest - 1);
                at(first.max(t + 1).min(last));
            }
        }
        next
    }

    /// What happens and is decided on a day.
    #[inline(always)]
    fn clinic(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        if self.dying > self.dies {
            recorder.record(t, || Recorded::Died);
            self.leave(End::Death, t);
            return;
        }
        if t == self.withdraws {
            recorder.record(t, || Recorded::Withdrew);
            self.leave(End::Withdrawal, t);
            return;
        }
        self.toxicities(t, recorder);
        if self.on_treatment {
            if t == self.next_asked {
                self.ask_cycle(t, circulating, recorder);
            }
            if t == self.cycle_start + 1 {
                self.cycle_grade = self.grade[0].max(self.grade[1]);
            }
            if t == self.stops {
                recorder.record(t, || Recorded::Stopped);
                let first = self.cycle == 1;
                self.end_treatment(if first { End::IntoleranceFirst } else { End::Intolerance }, t);
            }
        }
        if self.on_treatment {
            self.counts(t, circulating, recorder);
            self.procedures(t, circulating, recorder);
        }
        let every = i32::from(self.program.scan_every);
        if t > 0 && t % every == 0 {
            self.scan(t, recorder);
        }
        if self.on_treatment {
            self.change_doses(t);
        }
        if !self.on_treatment
            && self.regions[0].progressed.is_some()
            && self.regions[2].progressed.is_some()
            && t >= self.treatment_end + 42
        {
            self.over = true;
        }
    }

    fn end_treatment(&mut self, why: End, t: i32) {
        if self.on_treatment {
            self.on_treatment = false;
            self.treatment_end = t;
            self.out.end = why;
        }
    }

    fn leave(&mut self, why: End, t: i32) {
        self.end_treatment(why, t);
        self.over = true;
        if why == End::Death {
            self.out.first = if self.out.first.1 == 0 { (t as u16, 3) } else { self.out.first };
            for (region, endpoint) in [(2, &mut self.out.pfs), (0, &mut self.out.hepatic_pfs)] {
                if self.regions[region].progressed.is_none() {
                    *endpoint = Endpoint { day: t as u16, event: true };
                }
            }
        }
    }

    fn lymphocytes(&self, t: i32) -> f64 {
        let done = self.sessions.iter().flatten().map(|s| (f64::from(t - s.day), s.liver_gy));
        self.base[2] * self.model.lymphocytes.left(done) * libm::exp(-self.lymphocytes_lost)
    }

    /// Blood is drawn.
    fn draw_blood(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        let sick = (self.liver_from..self.liver_until).contains(&t);
        let lymphocytes = self.lymphocytes(t);
        let tenth = |x: f64| (x * 100.0).round() / 100.0;
        self.blood = [
            tenth(f64::from(circulating[0]) * self.base[0]),
            (f64::from(circulating[1]) * self.base[1]).round(),
            tenth(lymphocytes),
            BILIRUBIN[usize::from(sick)],
        ];
        for n in 0..2 {
            self.cycle_lowest[n] = self.cycle_lowest[n].min(self.blood[n]);
        }
        const LIMITS: [f64; 3] = [0.8, 0.5, 0.2];
        let grade = LIMITS.iter().filter(|l| lymphocytes < **l).count() as u8;
        let grade = if grade > 0 { grade + 1 } else { 0 };
        self.out.blood_grade[2] = self.out.blood_grade[2].max(grade);
        let blood = self.blood;
        recorder.record(t, || Recorded::Blood(blood));
    }

    fn counts(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        let day = (t - self.cycle_start + 1) as u16;
        let cycle = self.cycle as u16;
        for n in 0..self.program.counts.len() {
            let [from, to, on] = self.program.counts[n];
            if day == on && (from..=to).contains(&cycle) {
                self.draw_blood(t, circulating, recorder);
            }
        }
    }

    // ---- toxicities ------------------------------------------------------------------------------

    fn toxicities(&mut self, t: i32, recorder: &mut impl Recorder) {
        if t == self.toxic_until {
            self.recover(0, 1, t, recorder);
        }
        if t == self.liver_until {
            self.recover(1, 0, t, recorder);
        }
        if t == self.toxic_from && self.on_treatment {
            self.toxic_from = NEVER;
            self.out.other_grade = self.out.other_grade.max(self.toxic_grade);
            self.fall_ill(0, self.toxic_grade, t, recorder);
        }
        if t == self.liver_from {
            self.out.liver_toxicity[0] = true;
            self.fall_ill(1, 2, t, recorder);
        }
    }

    fn fall_ill(&mut self, source: usize, grade: u8, t: i32, recorder: &mut impl Recorder) {
        self.grade[source] = grade;
        self.cycle_grade = self.cycle_grade.max(grade);
        if self.cycle == 1 {
            self.first_grade[source] = self.first_grade[source].max(grade);
        }
        recorder.record(t, || Recorded::Toxicity { liver: source == 1, grade });
        let program = self.program;
        for (n, m) in program.modifications.iter().enumerate() {
            let Call::Toxicity { terms, grades, hold } = m.call else { continue };
            if grades & (1 << grade) == 0 || (terms == Terms::Liver && source == 0) {
                continue;
            }
            let step = m.then[usize::from(self.appearances[n]).min(m.then.len() - 1)];
            self.appearances[n] = self.appearances[n].saturating_add(1);
            for drug in 0..2 {
                if !m.drugs[drug] {
                    continue;
                }
                self.held[source][drug] |= hold;
                if step == Step::Stop {
                    self.call(drug, step);
                } else {
                    let open = &mut self.open[source][drug];
                    let place = usize::from(open[0].is_some());
                    open[place] = Some(step);
                }
            }
        }
    }

    fn recover(&mut self, source: usize, grade: u8, t: i32, recorder: &mut impl Recorder) {
        self.grade[source] = grade;
        recorder.record(t, || Recorded::Toxicity { liver: source == 1, grade });
        for drug in 0..2 {
            self.held[source][drug] = false;
            for step in std::mem::take(&mut self.open[source][drug]).into_iter().flatten() {
                self.call(drug, step);
            }
        }
    }

    // ---- cycles and doses ------------------------------------------------------------------------

    fn ask_cycle(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        let program = self.program;
        if self.cycle >= i32::from(program.cycles) {
            self.end_treatment(End::Complete, t);
            return;
        }
        if self.cycle > 0 && !program.cycle_gate.is_empty() {
            self.draw_blood(t, circulating, recorder);
            if !program.cycle_gate.iter().all(|test| self.meets(test, t)) {
                let Some(wait) = &program.wait else { return };
                if self.waits == wait.at_most {
                    for drug in 0..2 {
                        if wait.drugs[drug] {
                            self.call(drug, wait.exhausted);
                        }
                    }
                    if wait.exhausted == Step::Stop {
                        self.end_treatment(End::Intolerance, t);
                    }
                    return;
                }
                self.waits += 1;
                self.out.waits += 1;
                self.next_asked = t + wait.days;
                return;
            }
        }
        self.begin_cycle(t);
        let cycle = self.cycle as u16;
        recorder.record(t, || Recorded::Cycle(cycle));
    }

    fn begin_cycle(&mut self, t: i32) {
        let program = self.program;
        if self.cycle > 0 {
            for (n, m) in program.modifications.iter().enumerate() {
                let Call::Value(test) = m.call else { continue };
                if !self.called_by_value(&test) {
                    continue;
                }
                let step = m.then[usize::from(self.appearances[n]).min(m.then.len() - 1)];
                self.appearances[n] = self.appearances[n].saturating_add(1);
                for drug in 0..2 {
                    if m.drugs[drug] {
                        self.call(drug, step);
                    }
                }
            }
            if let Some(wait) = program.wait.as_ref().filter(|_| self.waits > 0) {
                for drug in 0..2 {
                    if wait.drugs[drug] {
                        self.call(drug, wait.then);
                    }
                }
            }
            for drug in 0..2 {
                let tests = program.drugs[drug].as_ref().and_then(|d| d.escalation.as_ref());
                if let Some(tests) = tests {
                    self.drugs[drug].raised = tests.iter().all(|test| self.meets(test, t));
                }
            }
        }
        self.cycle += 1;
        self.cycle_start = t;
        self.next_asked = t + program.cycle_days;
        self.waits = 0;
        self.cycle_lowest = [f64::MAX; 2];
        self.cycle_grade = self.grade[0].max(self.grade[1]);
        self.out.cycles += 1;
        if self.cycle == self.stop_cycle {
            self.stops = t + self.stop_day - 1;
        }
        let capecitabine = DrugKind::Capecitabine as usize;
        let free = self.toxic_until <= t || self.toxic_until == NEVER;
        if program.drugs[capecitabine].is_some() && self.drugs[capecitabine].level.is_some() && free
        {
            let theta = &self.model.theta;
            let [u_grade, u_day, u_length, _] =
                self.keyed.uniform(purpose::CYCLE, self.cycle as u32);
            let chances =
                [theta[P::Grade4PerCycle], theta[P::Grade3PerCycle], theta[P::Grade2PerCycle]];
            let mut below = 0.0;
            let grade = chances.iter().zip([4, 3, 2]).find_map(|(chance, grade)| {
                below += chance;
                (u_grade < below).then_some(grade)
            });
            if let Some(grade) = grade {
                self.toxic_grade = grade;
                self.toxic_from = t + 2 + (u_day * 12.0) as i32;
                let length = theta[P::ToxicityDays] * (0.5 + u_length);
                self.toxic_until = self.toxic_from + (length.round() as i32).max(1);
            }
        }
    }

    fn called_by_value(&self, test: &Test) -> bool {
        let n = match test.signal {
            Signal::Neutrophils(_) => 0,
            Signal::Platelets(_) => 1,
            _ => return false,
        };
        self.cycle_lowest[n] < f64::MAX && test.comparison.holds(self.cycle_lowest[n], test.limit)
    }

    fn meets(&self, test: &Test, t: i32) -> bool {
        let of = |n: usize, over: Over| match over {
            Over::Latest => self.blood[n],
            _ => test.comparison.worse(self.cycle_lowest[n], self.blood[n]),
        };
        let value = match test.signal {
            Signal::Neutrophils(over) => of(0, over),
            Signal::Platelets(over) => of(1, over),
            Signal::Lymphocytes => self.blood[2],
            Signal::Bilirubin => self.blood[3],
            Signal::Grade(terms, over) => f64::from(match (over, terms) {
                (Over::Cycle1, Terms::Any) => self.first_grade[0].max(self.first_grade[1]),
                (Over::Cycle1, Terms::Liver) => self.first_grade[1],
                (Over::Cycle, _) => self.cycle_grade,
                (_, Terms::Any) => self.grade[0].max(self.grade[1]),
                (_, Terms::Liver) => self.grade[1],
            }),
            Signal::Taken(drugs) => {
                let sum = |of: &[u8; 2]| -> f64 {
                    (0..2).filter(|d| drugs[*d]).map(|d| f64::from(of[d])).sum()
                };
                let due = sum(&self.first_due);
                if due == 0.0 {
                    return false;
                }
                100.0 * sum(&self.first_taken) / due
            }
            Signal::DaysSinceSession => match self.sessions.iter().flatten().last() {
                Some(s) => f64::from(t - s.day),
                None => return false,
            },
            Signal::Suitable => return self.suitable,
        };
        test.comparison.holds(value, test.limit)
    }

    /// Something calls for a step of a drug's dose; of all calls of a day the lowest holds.
    fn call(&mut self, drug: usize, step: Step) {
        let Some(program) = self.program.drugs[drug].as_ref() else { return };
        let Some(level) = self.drugs[drug].level else { return };
        let lowest = program.relative.len() as i32 - 1 - program.start_level;
        let target = match step {
            Step::Same => Some(level),
            Step::Down => Some(level + 1),
            Step::Minus1 => Some(level.max(1)),
            Step::Minus2 => Some(level.max(2)),
            Step::Minus3 => Some(level.max(3)),
            Step::Stop => None,
        };
        let target = target.filter(|t| *t <= lowest);
        let rank = |t: Option<i32>| t.unwrap_or(i32::MAX);
        let lowered = &mut self.drugs[drug].lowered;
        if lowered.is_none_or(|l| rank(target) > rank(l)) {
            *lowered = Some(target);
        }
    }

    fn change_doses(&mut self, t: i32) {
        let program = self.program;
        for drug in 0..2 {
            let Some(p) = program.drugs[drug].as_ref() else { continue };
            let state = &mut self.drugs[drug];
            let (lowered, raised) = (state.lowered.take(), std::mem::take(&mut state.raised));
            let Some(level) = state.level else { continue };
            match lowered {
                Some(None) => {
                    state.level = None;
                    self.out.reductions = self.out.reductions.saturating_add(1);
                }
                Some(Some(target)) if target != level => {
                    state.level = Some(target);
                    state.reduced = true;
                    self.out.reductions = self.out.reductions.saturating_add(1);
                }
                _ if raised && level > -p.start_level && (!state.reduced || p.again) => {
                    state.level = Some(level - 1);
                }
                _ => {}
            }
        }
        let mut given = (0..2).filter(|d| program.drugs[*d].is_some()).peekable();
        if given.peek().is_some() && given.all(|d| self.drugs[d].level.is_none()) {
            let first = self.cycle == 1;
            self.end_treatment(if first { End::IntoleranceFirst } else { End::Intolerance }, t);
        }
    }

    /// Of a drug that is due on a day of the cycle: whether it is taken, and the level; none if it is not due
    /// or was stopped.
    fn due(&self, kind: DrugKind, day: i32) -> Option<(bool, i32)> {
        let n = kind as usize;
        let p = self.program.drugs[n].as_ref()?;
        if !(p.first_day..=p.last_day).contains(&day) {
            return None;
        }
        Some((!self.held[0][n] && !self.held[1][n], self.drugs[n].level?))
    }

    // ---- procedures ------------------------------------------------------------------------------

    fn procedures(&mut self, t: i32, circulating: [f32; 2], recorder: &mut impl Recorder) {
        let program = self.program;
        let (cycle, day) = (self.cycle, t - self.cycle_start + 1);
        let done = self.sessions.iter().flatten().count();
        if let Some(simulation) = &program.simulation {
            let wanted = done < program.sessions.len() && self.simulated == NEVER;
            if wanted && in_window(simulation, cycle, day, day == target(simulation, cycle)) {
                self.simulated = t;
                let suitable = self.suitable;
                recorder.record(t, || Recorded::Simulation(suitable));
            }
        }
        let Some(session) = program.sessions.get(done) else { return };
        if session.only_if_needed && !self.bilobar && done > 0 {
            return;
        }
        if !in_window(session, cycle, day, day >= target(session, cycle)) {
            return;
        }
        if let Some([least, most]) = session.after_simulation {
            if self.simulated == NEVER || t - self.simulated < least {
                return;
            }
            if t - self.simulated > most {
                // Too old: it is done again on its day of this cycle.
                self.simulated = NEVER;
                return;
            }
        }
        if let (Some(least), Some(before)) =
            (session.after_session, self.sessions.iter().flatten().last())
            && t - before.day < least
        {
            return;
        }
        self.draw_blood(t, circulating, recorder);
        if session.gate.iter().all(|test| self.meets(test, t)) {
            self.treat(done, t, recorder);
        }
    }

    fn treat(&mut self, n: usize, t: i32, recorder: &mut impl Recorder) {
        let share = match (self.bilobar, n) {
            (false, _) => 1.0,
            (true, 0) => self.model.setting.dominant,
            (true, _) => 1.0 - self.model.setting.dominant,
        };
        let liver_gy = self.liver_gy * share;
        self.sessions[n] = Some(Session { day: t, left: 1.0, liver_gy });
        recorder.record(t, || Recorded::Session(n));
        if n == 0 {
            let further = self.bilobar;
            recorder.record(t, || Recorded::FurtherNeeded(further));
            self.out.session_day = t as u16;
            self.out.session_cycle = self.cycle as u8;
            self.out.session_platelets = self.blood[1] as u16;
        }
        self.out.sessions += 1;
        let total: f64 = self.sessions.iter().flatten().map(|s| s.liver_gy).sum();
        let with_drug = self.cycle > 0 && self.program.drugs.iter().any(Option::is_some);
        let risk = self.model.liver.probability(Dose::from_gy(total), with_drug);
        if self.liver_from == NEVER && self.liver_draw[0] < risk {
            let [first, last] = REILD_DAYS.map(f64::from);
            self.liver_from = t + (first + self.liver_draw[1] * (last - first)) as i32;
            self.liver_until = self.liver_from.saturating_add(self.liver_lasts);
        }
        let both = n == 1 || !self.bilobar;
        let per_d = self.model.theta[P::LiverLatePerYear] / 365.25;
        if both && self.bilobar && per_d > 0.0 {
            let day = f64::from(t) + 365.25 + self.late / per_d;
            self.late = f64::NAN;
            self.out.liver_toxicity[1] = day < f64::from(self.horizon);
        }
    }

    // ---- scans -----------------------------------------------------------------------------------

    fn diameters(&self) -> [f64; LESIONS] {
        let relative = self.lesions.diameters();
        std::array::from_fn(|l| f64::from(self.diameter_mm[l] * relative[l]))
    }

    /// What a reader measures of the targets on scan number `n`, to a tenth of a millimetre.
    fn read(&mut self, n: u32, diameters: &[f64; LESIONS]) -> [f64; TARGETS] {
        let t = &self.model.theta;
        let new_reader =
            n > 0 && self.keyed.uniform(purpose::READER, 2 * n)[0] < t[P::ReaderChange];
        if new_reader {
            self.reader =
                self.keyed.gauss(purpose::READER, 2 * n + 1).map(|z| z * t[P::ReaderBetweenSd]);
        }
        let noise = self.keyed.gauss(purpose::SCAN, n);
        std::array::from_fn(|i| {
            let d = diameters[usize::from(self.targets[i])];
            let mm = d * libm::exp(t[P::ReaderSd] * noise[i] + self.reader[i]);
            ((mm * 10.0).round() / 10.0).max(0.1)
        })
    }

    /// The largest lesions become targets and are measured.
    fn baseline(&mut self) {
        let diameters = self.diameters();
        let rules = &self.program.response;
        let order = |from: usize, to: usize| {
            let mut lanes: Vec<usize> = (from..to).filter(|l| self.diameter_mm[*l] > 0.0).collect();
            lanes.sort_by(|a, b| diameters[*b].total_cmp(&diameters[*a]).then(a.cmp(b)));
            lanes.truncate(rules.targets[1].min(2));
            lanes
        };
        let (liver, elsewhere) = (order(0, LIVER), order(LIVER, LESIONS));
        self.liver_targets = liver.len();
        self.elsewhere_targets = if self.out.elsewhere { elsewhere.len() } else { 0 };
        for (place, lane) in liver.iter().enumerate() {
            self.targets[place] = *lane as u8;
        }
        for (place, lane) in elsewhere.iter().enumerate() {
            self.targets[2 + place] = *lane as u8;
        }
        for l in 0..LIVER {
            let is_target = liver.contains(&l);
            self.others[l] = if is_target || self.diameter_mm[l] == 0.0 { 0.0 } else { 1.0 };
        }
        let sizes = self.read(0, &diameters).map(|mm| mm.max(rules.target_min_mm));
        let [liver, elsewhere] = self.sums(&sizes);
        self.others_least = self.sum_of_others(&diameters);
        self.regions = [
            Region::new(Some(liver)),
            Region::new((self.elsewhere_targets > 0).then_some(elsewhere)),
            Region::new(Some(liver + elsewhere)),
        ];
    }

    fn sums(&self, sizes: &[f64; TARGETS]) -> [f64; 2] {
        [
            sizes[..self.liver_targets].iter().sum(),
            sizes[2..2 + self.elsewhere_targets].iter().sum(),
        ]
    }

    fn sum_of_others(&self, diameters: &[f64; LESIONS]) -> f64 {
        (0..LIVER).map(|l| f64::from(self.others[l]) * diameters[l]).sum()
    }

    /// The sizes at baseline, for whoever writes them down: of the liver, and elsewhere.
    #[must_use]
    pub fn baseline_sizes(&self) -> [Vec<f64>; 2] {
        let mut copy = self.clone();
        let sizes =
            copy.read(0, &self.diameters()).map(|mm| mm.max(self.program.response.target_min_mm));
        [sizes[..self.liver_targets].to_vec(), sizes[2..2 + self.elsewhere_targets].to_vec()]
    }

    fn scan(&mut self, t: i32, recorder: &mut impl Recorder) {
        let number = (t / i32::from(self.program.scan_every)) as u32;
        let diameters = self.diameters();
        let sizes = self.read(number, &diameters);
        let [liver, elsewhere] = self.sums(&sizes);
        let others = self.sum_of_others(&diameters);
        let others_grown = self.others_least > 0.0
            && others >= self.model.theta[P::NonTargetGrowth] * self.others_least;
        self.others_least = self.others_least.min(others);
        let [new_liver, new_elsewhere] = self.new_lesion;
        let (l, e) = (self.liver_targets, self.elsewhere_targets);
        recorder.record(t, || Recorded::Scan {
            liver: sizes[..l].to_vec(),
            elsewhere: sizes[2..2 + e].to_vec(),
            new_liver,
            others_grown,
            new_elsewhere,
        });
        let rules = &self.program.response;
        let day = t as u16;
        let liver_other = new_liver || others_grown;
        let progressed_before = self.regions[2].progressed.is_some();
        if !progressed_before {
            self.regions[1].see(rules, day, elsewhere, new_elsewhere);
        }
        let was_responding = self.regions[0].best == Best::Response;
        self.regions[0].see(rules, day, liver, liver_other);
        self.regions[2].see(rules, day, liver + elsewhere, liver_other || new_elsewhere);
        if self.regions[0].progressed.is_none() {
            let change = (100.0 * self.regions[0].change(liver)).round().clamp(-100.0, 100.0) as i8;
            self.out.liver_change_percent = self.out.liver_change_percent.min(change);
            if !was_responding && self.regions[0].best == Best::Response {
                self.out.response_day = day;
            }
        }
        let at = Endpoint { day, event: true };
        if self.regions[0].progressed == Some(day) {
            self.out.hepatic_pfs = at;
            if self.out.first.1 == 0 {
                self.out.first = (day, 1);
            }
        }
        if self.regions[2].progressed == Some(day) {
            self.out.pfs = at;
            if self.out.first.1 == 0 {
                self.out.first = (day, 2);
            }
            if self.program.until_progression {
                self.end_treatment(End::Progression, t);
            }
        }
    }

    /// What became of the patient.
    #[must_use]
    pub fn outcome(mut self) -> Outcome {
        self.catch_up(self.day);
        // Grade 1 has no use here: below the lower limit of normal.
        const LIMITS: [[f64; 3]; 2] = [[1.5, 1.0, 0.5], [75.0, 50.0, 25.0]];
        for (n, limits) in LIMITS.iter().enumerate() {
            let count = f64::from(self.lowest[n]) * self.base[n];
            let grade = limits.iter().filter(|l| count < **l).count() as u8;
            self.out.blood_grade[n] = if grade > 0 { grade + 1 } else { 0 };
        }
        let last = self.day.min(self.horizon) as u16;
        for endpoint in [&mut self.out.pfs, &mut self.out.hepatic_pfs] {
            if !endpoint.event {
                *endpoint = Endpoint { day: last, event: false };
            }
        }
        if self.out.first.1 == 0 {
            self.out.first = (last, 0);
        }
        self.out.ended = if self.on_treatment { last } else { self.treatment_end as u16 };
        for n in 0..3 {
            self.out.best[n] = self.regions[n].best;
            self.out.confirmed[n] = self.regions[n].confirmed;
        }
        for n in 0..2 {
            let Course { taken, planned, .. } = self.drugs[n];
            if planned > 0.0 {
                self.out.intensity_percent[n] = (100.0 * taken / planned).round().min(255.0) as u8;
            }
        }
        self.out
    }
}

/// The day aimed at in the window of a cycle.
fn target(p: &ProcedureProgram, cycle: i32) -> i32 {
    window(p, cycle).map_or(NEVER, |w| w[2])
}

fn window(p: &ProcedureProgram, cycle: i32) -> Option<[i32; 4]> {
    let last = p.windows.iter().max_by_key(|w| w[0])?;
    let of = p.windows.iter().find(|w| w[0] == cycle);
    of.or((p.again && cycle > last[0]).then_some(last)).copied()
}

fn in_window(p: &ProcedureProgram, cycle: i32, day: i32, ready: bool) -> bool {
    ready
        && window(p, cycle)
            .is_some_and(|[_, earliest, _, latest]| (earliest..=latest).contains(&day))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ward::follow;
    use hepatica_biology::population::Population;
    use hepatica_physics::Nuclide;
    use hepatica_regimen::Protocol;

    /// Some patient's outcome, for tests that change parts of it.
    pub(crate) fn anybody() -> Outcome {
        let population = Population::named("net-liver").expect("shipped");
        let program =
            Program::compile(&Protocol::named("tare").expect("shipped"), None).expect("a program");
        let setting = population.setting("captemy90").expect("shipped").clone();
        let model = Model::new(population.middle(), setting, &Nuclide::Y90);
        follow(
            &crate::ward::Run { model: &model, program: &program, seed: 1, horizon: 400 },
            3,
            &mut (),
        )
    }

    /// Side by side or alone, a patient is the same.
    #[test]
    fn a_patient_does_not_depend_on_the_neighbours() {
        let population = Population::named("net-liver").expect("shipped");
        let protocol = Protocol::named("captemy90").expect("shipped");
        let program = Program::compile(&protocol, Some("g3-2024")).expect("a program");
        let setting = population.setting("captemy90").expect("shipped").clone();
        let model = Model::new(population.draw(3, 1), setting, &Nuclide::Y90);
        let run = crate::ward::Run { model: &model, program: &program, seed: 4, horizon: 1000 };
        let all = crate::ward::run(&run, 100..160);
        for (n, o) in all.iter().enumerate() {
            assert_eq!(*o, follow(&run, 100 + n as u64, &mut ()), "patient {n}");
        }
        assert_eq!(crate::ward::run(&run, 130..140), all[30..40]);
    }

    /// Drugs and dose help: on average nobody is worse off for a sensitiser.
    #[test]
    fn a_sensitiser_does_not_harm_response() {
        use hepatica_biology::population::Parameter;
        let population = Population::named("net-liver").expect("shipped");
        let protocol = Protocol::named("captemy90").expect("shipped");
        let program = Program::compile(&protocol, Some("g3-2024")).expect("a program");
        let setting = population.setting("captemy90").expect("shipped").clone();
        let responses = |sensitiser: f64| {
            let mut theta = population.middle();
            theta[Parameter::CapecitabineSensitiser] = sensitiser;
            theta[Parameter::TemozolomideSensitiser] = sensitiser;
            let model = Model::new(theta, setting.clone(), &Nuclide::Y90);
            let run = crate::ward::Run { model: &model, program: &program, seed: 4, horizon: 1000 };
            crate::ward::run(&run, 0..3000).iter().filter(|o| o.best[0] == Best::Response).count()
        };
        let (none, some, much) = (responses(0.0), responses(0.3), responses(1.0));
        assert!(none < some && some < much, "{none} {some} {much}");
    }
}
