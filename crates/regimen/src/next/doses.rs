//! Which dose on which days, from height and weight to tablets, with the reason on every line.

use super::{Asking, words};
use crate::course::plus;
use crate::dose::{Body, DoseError, Intake, Line};
use crate::measure::Measure;
use crate::protocol::{Drug, level_name};
use hepatica_physics::{Length, Mass};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The gate's name under which a missing adjustment may be waived.
const DOSE_GATE: &str = "dose";

/// What is taken of a drug on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DoseAnswer {
    /// The drug.
    pub drug: String,
    /// For people.
    pub name: String,
    /// The day.
    #[schemars(with = "String")]
    pub on: Date,
    /// Whether it is one of the drug's days.
    pub due: bool,
    /// The level: `0` is the starting one, `-1` the next below.
    pub level: String,
    /// Stopped for good.
    pub stopped: bool,
    /// Why it is not taken, if it is held.
    pub held: Option<String>,
    /// Intakes a day.
    pub times_a_day: u32,
    /// Each intake in mg; none where it cannot be told.
    pub mg_per_intake: Option<f64>,
    /// Each intake in tablets; none where it cannot be told, and for infusions.
    pub intake: Option<Intake>,
    /// The same in words.
    pub words: Option<String>,
    /// The way from height and weight to there.
    pub lines: Vec<Line>,
    /// Why the level is what it is.
    pub because: Vec<String>,
    /// What must be known before the dose may be given.
    pub needs: Vec<String>,
}

/// Days of a cycle on which a drug has the same dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DosePeriod {
    /// The cycle.
    pub cycle: u32,
    /// Day of the cycle of its first day.
    pub from_day: u32,
    /// First day.
    #[schemars(with = "String")]
    pub from: Date,
    /// Last day.
    #[schemars(with = "String")]
    pub to: Date,
    /// Dose of the level as a share of the starting one; none where no variant is chosen.
    pub share_of_start: Option<f64>,
    /// What is taken, as of the first day.
    pub dose: DoseAnswer,
}

impl<'a> Asking<'a, '_> {
    pub(super) fn doses_today(&self) -> Vec<DoseAnswer> {
        self.protocol.drug.iter().map(|d| self.dose(d, self.today())).collect()
    }

    /// What is taken of a drug on a day.
    fn dose(&self, drug: &'a Drug, day: Date) -> DoseAnswer {
        let place = self.protocol.drug.iter().position(|d| d.id == drug.id);
        let state = place.and_then(|n| self.state.drugs.get(n));
        let below = state.map_or(Some(0), |s| s.below_start(day));
        let held = state.and_then(|s| s.hold(day)).map(|h| words::hold(self.protocol, &h.because));
        let variant = self.variant(drug);
        let (needs, lines) = (Vec::new(), Vec::new());
        let cycle_day =
            self.state.cycle_day(day).filter(|(c, _)| c.has_begun() || c.start > self.today());
        let due = cycle_day.is_some_and(|(_, d)| (drug.first_day..=drug.last_day).contains(&d))
            && !self.ended_before(day);
        let changes = state.map_or(&[][..], |s| s.changes.as_slice());
        let because = changes.iter().filter(|c| c.on <= day);
        let mut answer = DoseAnswer {
            drug: drug.id.clone(),
            name: drug.name.clone(),
            on: day,
            due,
            level: below.map_or_else(|| "stopped".to_owned(), named),
            stopped: below.is_none(),
            held,
            times_a_day: drug.times_a_day(self.protocol.variant_of(self.course)),
            mg_per_intake: None,
            intake: None,
            words: None,
            lines,
            because: because.map(|c| words::cause(self.protocol, &c.because)).collect(),
            needs,
        };
        let Some(below) = below else { return answer };
        let Some(variant) = variant else {
            answer.needs.push("the dose variant".to_owned());
            return answer;
        };
        let level = usize::try_from(variant.start_level as i64 + i64::from(below));
        let Some(level) = level.ok().filter(|n| *n < variant.levels()) else {
            answer.needs.push(format!("a decision: {} has no level {}", drug.name, answer.level));
            return answer;
        };
        self.reckon(drug, variant, level, day, &mut answer);
        answer
    }

    fn variant(&self, drug: &'a Drug) -> Option<&'a crate::protocol::DrugVariant> {
        drug.in_variant(self.protocol.variant_of(self.course)?)
    }

    fn reckon(
        &self,
        drug: &'a Drug,
        variant: &'a crate::protocol::DrugVariant,
        level: usize,
        day: Date,
        answer: &mut DoseAnswer,
    ) {
        // Weight of the day the cycle began: tablets do not change within a cycle.
        let at = self.state.cycle_day(day).map_or(day, |(c, _)| c.start);
        let known = self.known(at);
        let (height, weight) = (known.latest("height"), known.latest("weight"));
        let by_surface = !variant.levels_mg_per_m2.is_empty();
        for (measure, sample) in [("height", height), ("weight", weight)] {
            if sample.is_none() && by_surface {
                answer.needs.push(measure.to_owned());
            }
        }
        let mut adjustments = Vec::new();
        for table in &drug.adjustment {
            let value = match table.measure.as_str() {
                "creatinine_clearance" => known.creatinine_clearance(),
                measure => known.latest(measure),
            };
            let name = Measure::find(&table.measure).map_or(&table.measure, |m| &m.name);
            match value {
                Some(s) => match table.adjustment(s.value) {
                    Ok(a) => adjustments.extend(a),
                    Err(e) => {
                        answer.needs.push(match e {
                            DoseError::Contraindicated { .. } => format!("a decision: {e}"),
                            _ => e.to_string(),
                        });
                        return;
                    }
                },
                None => {
                    let waived = self.course.overrides.iter().rfind(|o| {
                        o.gate == DOSE_GATE
                            && o.criterion == table.measure
                            && o.from <= day.min(self.today())
                    });
                    match waived {
                        Some(o) => answer.because.push(format!("{name}: not known, {}", o.why)),
                        None => answer.needs.push(name.clone()),
                    }
                }
            }
        }
        let (Some(height), Some(weight)) =
            (height.or(weight.filter(|_| !by_surface)), weight.or(height.filter(|_| !by_surface)))
        else {
            return;
        };
        let body =
            Body { height: Length::from_cm(height.value), weight: Mass::from_kg(weight.value) };
        let Some(p) = drug.prescription(variant, self.protocol.body_surface) else {
            self.infuse(variant, level, &body, answer);
            return;
        };
        match p.prescribe(&body, &level_name(level, variant.start_level), &adjustments) {
            Ok(dose) => {
                let times = answer.times_a_day;
                answer.words = Some(match times {
                    1 => format!("{} once a day", dose.intake),
                    2 => format!("{} twice a day", dose.intake),
                    n => format!("{} {n} times a day", dose.intake),
                });
                answer.mg_per_intake = Some(dose.intake.achieved_mg);
                answer.lines = dose.lines;
                answer.intake = Some(dose.intake);
            }
            Err(e) => answer.needs.push(format!("a decision: {e}")),
        }
    }

    /// What comes in no tablets is given to the milligram.
    fn infuse(
        &self,
        variant: &crate::protocol::DrugVariant,
        level: usize,
        body: &Body,
        answer: &mut DoseAnswer,
    ) {
        let formula = self.protocol.body_surface;
        let surface = formula.body_surface_m2(body.height, body.weight);
        let mg = match variant.levels_mg_per_m2.get(level) {
            Some(dose) => dose * surface,
            None => variant.levels_mg.get(level).copied().unwrap_or(f64::NAN),
        };
        if mg.is_finite() {
            answer.mg_per_intake = Some(mg.round());
            answer.words = Some(format!("{mg:.0} mg by infusion"));
        }
    }

    // ---- days ------------------------------------------------------------------------------------

    /// Stretches of days with the same dose.
    pub(super) fn periods(&self) -> Vec<DosePeriod> {
        let mut all: Vec<DosePeriod> = Vec::new();
        for (drug, state) in self.protocol.drug.iter().zip(&self.state.drugs) {
            for c in &self.state.cycles {
                let mut open = None;
                for n in drug.first_day..=drug.last_day {
                    let day = plus(c.start, i64::from(n) - 1);
                    if self.ended_before(day) {
                        break;
                    }
                    let below = state.below_start(day);
                    let hold = state.hold(day);
                    let key = (below, hold.map(|h| h.from));
                    match (open, all.last_mut()) {
                        (Some(k), Some(p)) if k == key => p.to = day,
                        _ => {
                            open = Some(key);
                            all.push(self.period(drug, c.number, n, day, below));
                        }
                    }
                }
            }
        }
        all
    }

    fn period(
        &self,
        drug: &'a Drug,
        cycle: u32,
        from_day: u32,
        from: Date,
        below: Option<i32>,
    ) -> DosePeriod {
        let share = self.variant(drug).zip(below).and_then(|(v, below)| {
            let list = if v.levels_mg.is_empty() { &v.levels_mg_per_m2 } else { &v.levels_mg };
            let level = usize::try_from(v.start_level as i64 + i64::from(below)).ok()?;
            Some(list.get(level)? / list.get(v.start_level)?)
        });
        let dose = self.dose(drug, from);
        DosePeriod { cycle, from_day, from, to: from, share_of_start: share, dose }
    }
}

fn named(below: i32) -> String {
    match below {
        0 => "0".to_owned(),
        n if n > 0 => format!("-{n}"),
        n => format!("+{}", -n),
    }
}
