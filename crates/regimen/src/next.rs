//! What is due: one pure function from a protocol, where a course stands, and what was observed.
//! The calendar, the exports and the virtual patients all call it.
//!
//! Every obligation has the five facts of a window (what it is reckoned from, the first day, the
//! day aimed at, the last day, what follows if it is missed), and says why it is as it is.

mod doses;
mod words;

pub use doses::{DoseAnswer, DosePeriod};

use crate::course::{Course, days_between, plus};
use crate::ctcae::{Graded, Laboratory, Limits, Version};
use crate::evidence::Known;
use crate::gate::{Gate, Status as GateStatus};
use crate::measure::Measure;
use crate::outcome::{Outcomes, outcomes};
use crate::protocol::{
    Assessment, AssessmentKind, End, IfMissed, Procedure, Protocol, Requirement, Timing,
};
use crate::state::{Begun, Cycle, DatedWindow, ProcedureStatus, State};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Days of one record of doses that are looked at.
const MAX_RECORD_DAYS: i64 = 366;
/// Days after its window within which what should be done as soon as possible still counts.
const LATE_DAYS: i64 = 28;

/// Where a course stands, what is due, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agenda {
    /// Identifier of the patient.
    pub patient: String,
    /// Identifier of the protocol.
    pub protocol: String,
    /// Its version.
    pub protocol_version: String,
    /// The dose variant, if one was chosen.
    pub variant: Option<String>,
    /// The day in question.
    #[schemars(with = "String")]
    pub today: Date,
    /// The cycle that runs; none before the first.
    pub cycle: Option<u32>,
    /// The day of it.
    pub cycle_day: Option<u32>,
    /// When and why the course ended.
    pub ended: Option<Ended>,
    /// All obligations, by day.
    pub obligations: Vec<Obligation>,
    /// What is taken today, by drug.
    pub doses: Vec<DoseAnswer>,
    /// Every stretch of days with the same dose, by drug and day.
    pub periods: Vec<DosePeriod>,
    /// Gates before what comes next.
    pub gates: Vec<GateBefore>,
    /// Last values with their grades.
    pub values: Vec<GradedValue>,
    /// Response and endpoints.
    pub outcomes: Outcomes,
    /// What was done otherwise than the protocol says.
    pub deviations: Vec<String>,
    /// Values that contradict each other.
    pub conflicts: Vec<String>,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

/// The end of a course.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// When.
    #[schemars(with = "String")]
    pub on: Date,
    /// Why.
    pub because: End,
}

/// What an obligation is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A cycle begins.
    Cycle,
    /// Something is looked at.
    Assessment,
    /// Something is done to the patient.
    Procedure,
    /// A drug is taken.
    Drug,
}

/// How an obligation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is done.
    Done,
    /// It may be done today.
    Due,
    /// Its window has passed and it still should be done.
    Overdue,
    /// Its window is still to come.
    Upcoming,
    /// Its window has passed.
    Missed,
    /// A gate or a toxicity stands before it.
    Held,
    /// Not known whether it is needed.
    Undecided,
    /// Not needed.
    NotNeeded,
    /// The course ended before.
    Cancelled,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Due => "due",
            Self::Overdue => "overdue",
            Self::Upcoming => "upcoming",
            Self::Missed => "missed",
            Self::Held => "held",
            Self::Undecided => "undecided",
            Self::NotNeeded => "not needed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// Something due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Obligation {
    /// Identifier within the course, stable as long as the protocol is: `c2/counts-day-1`.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// Identifier of the protocol's entry.
    pub what: String,
    /// For people.
    pub name: String,
    /// The cycle it belongs to, if it belongs to one.
    pub cycle: Option<u32>,
    /// What its window is reckoned from, in words.
    pub reference: String,
    /// First day.
    #[schemars(with = "String")]
    pub earliest: Date,
    /// Day aimed at.
    #[schemars(with = "String")]
    pub target: Date,
    /// Last day.
    #[schemars(with = "String")]
    pub latest: Date,
    /// What follows if it is missed, in words.
    pub if_missed: String,
    /// How it stands.
    pub status: Status,
    /// When it was done.
    #[schemars(with = "Option<String>")]
    pub done: Option<Date>,
    /// Why it stands so.
    pub because: Vec<String>,
    /// Where it is from.
    pub source: String,
}

/// A gate and what it stands before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateBefore {
    /// `start`, `cycle`, or a procedure.
    pub before: String,
    /// The same for people.
    pub what: String,
    /// The day it is asked for.
    #[schemars(with = "String")]
    pub day: Date,
    /// Its answer.
    pub gate: Gate,
}

/// A last value and its grade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradedValue {
    /// The measure.
    pub measure: String,
    /// For people.
    pub name: String,
    /// The value in the measure's unit.
    pub value: f64,
    /// That unit.
    pub unit: String,
    /// The day it is from.
    #[schemars(with = "String")]
    pub on: Date,
    /// Its grade with the version, or what is missing for one; none where there is no such term.
    pub grade: Option<Graded>,
    /// Limits that the grade rests on, where they are textbook values and not the site's.
    pub note: Option<String>,
}

/// What is due, allowed, held, and why.
#[must_use]
pub fn next(protocol: &Protocol, course: &Course<'_>, state: &State<'_>) -> Agenda {
    let starts = state.starts();
    let asking = Asking { protocol, course, state, starts: &starts };
    let periods = asking.periods();
    let mut obligations = asking.cycles();
    obligations.extend(asking.drugs(&periods));
    obligations.extend(asking.assessments());
    let (procedures, mut gates) = asking.procedures();
    obligations.extend(procedures);
    gates.splice(0..0, asking.gates_of_cycles());
    obligations.sort_by(|a, b| {
        (a.target, a.kind, a.latest).cmp(&(b.target, b.kind, b.latest)).then(a.id.cmp(&b.id))
    });
    let running = state.cycle_day(state.today).filter(|(c, _)| c.has_begun());
    let running = running.filter(|_| !asking.ended_before(state.today));
    Agenda {
        patient: course.patient.to_owned(),
        protocol: protocol.id.clone(),
        protocol_version: protocol.version.clone(),
        variant: course.variant.map(str::to_owned),
        today: state.today,
        cycle: running.map(|(c, _)| c.number),
        cycle_day: running.map(|(_, d)| d),
        ended: state.ended.map(|(on, because)| Ended { on, because }),
        obligations,
        doses: asking.doses_today(),
        periods,
        gates,
        values: asking.values(),
        outcomes: outcomes(protocol, course, state),
        deviations: asking.deviations(),
        conflicts: asking.conflicts(),
        warnings: asking.warnings(),
    }
}

/// What every question is asked with.
struct Asking<'a, 'e> {
    protocol: &'a Protocol,
    course: &'a Course<'e>,
    state: &'a State<'e>,
    starts: &'a [Date],
}

impl<'a, 'e> Asking<'a, 'e> {
    fn today(&self) -> Date {
        self.state.today
    }

    fn known(&self, day: Date) -> Known<'a, 'e> {
        Known {
            protocol: self.protocol,
            course: self.course,
            cycle_starts: self.starts,
            day,
            until: day.min(self.today()),
        }
    }

    fn ended_before(&self, day: Date) -> bool {
        self.state.ended.is_some_and(|(on, _)| on < day)
    }

    // ---- cycles ----------------------------------------------------------------------------------

    fn cycles(&self) -> Vec<Obligation> {
        self.state.cycles.iter().map(|c| self.cycle(c)).collect()
    }

    fn cycle(&self, c: &Cycle) -> Obligation {
        let before = if c.number == 1 { "start" } else { "cycle" };
        let wait = self.protocol.gates(before).find_map(|g| g.wait.as_ref());
        let mut because = Vec::new();
        if c.waits > 0 {
            because.push(words::waited(c));
        }
        let status = match c.begun {
            Begun::Recorded => Status::Done,
            _ if self.ended_before(c.start) => Status::Cancelled,
            Begun::Taken => {
                if !self.protocol.drug.is_empty() {
                    because.push("no dose of it is recorded".to_owned());
                }
                Status::Done
            }
            Begun::ToCome => Status::Upcoming,
            Begun::Waiting => {
                let days = wait.map_or(0, |w| i64::from(w.days));
                // While it waits, the reasons are those of the day it was last asked on.
                let asked =
                    if c.start > self.today() { plus(c.start, -days) } else { self.today() };
                because.extend(self.held_by(before, asked));
                if c.start > self.today() {
                    because.push(format!("asked again on {}", c.start));
                }
                Status::Held
            }
            Begun::Exhausted => {
                because.extend(self.held_by(before, c.start));
                Status::Missed
            }
        };
        let waited = wait.map_or(0, |w| i64::from(w.days) * i64::from(w.at_most));
        Obligation {
            id: format!("c{}", c.number),
            kind: Kind::Cycle,
            what: "cycle".to_owned(),
            name: format!("Cycle {} begins", c.number),
            cycle: Some(c.number),
            reference: match c.number {
                1 => "stated when the course began".to_owned(),
                n => format!("{} days after day 1 of cycle {}", self.protocol.cycle.days, n - 1),
            },
            earliest: c.planned.min(c.start),
            target: c.start,
            latest: plus(c.planned, waited).max(c.start),
            if_missed: wait.map_or_else(|| "it waits".to_owned(), words::wait),
            status,
            done: (status == Status::Done).then_some(c.start),
            because,
            source: self.protocol.cycle.source.clone(),
        }
    }

    /// Reasons why the gates before something do not pass.
    fn held_by(&self, before: &str, day: Date) -> Vec<String> {
        let known = self.known(day);
        self.protocol
            .gates(before)
            .map(|g| g.evaluate(&known))
            .filter(|g| !g.status.passes())
            .map(|g| format!("{}: {}", g.name, g.reason))
            .collect()
    }

    fn gates_of_cycles(&self) -> Vec<GateBefore> {
        let mut gates = Vec::new();
        let Some(first) = self.state.cycles.first() else { return gates };
        let at = |before: &str, what: String, day: Date| {
            let known = self.known(day);
            self.protocol
                .gates(before)
                .map(|g| GateBefore {
                    before: before.to_owned(),
                    what: what.clone(),
                    day,
                    gate: g.evaluate(&known),
                })
                .collect::<Vec<_>>()
        };
        gates.extend(at("start", "the course begins".to_owned(), first.start));
        if self.state.ended.is_none()
            && let Some(c) = self.state.cycles.iter().skip(1).find(|c| !c.has_begun())
        {
            gates.extend(at("cycle", format!("cycle {} begins", c.number), c.start));
        }
        gates
    }

    // ---- drugs -----------------------------------------------------------------------------------

    fn drugs(&self, periods: &[DosePeriod]) -> Vec<Obligation> {
        periods.iter().map(|p| self.drug(p)).collect()
    }

    fn drug(&self, p: &DosePeriod) -> Obligation {
        let dose = &p.dose;
        let drug = self.protocol.drug(&dose.drug);
        let recorded = |date: Date| {
            let of = |r: &&crate::course::DoseRecord<'_>| {
                r.drug == dose.drug && (r.from..=r.to).contains(&date)
            };
            self.course.doses.iter().rev().find(of).map(|r| r.taken)
        };
        let mut because = dose.because.clone();
        because.extend(dose.held.clone());
        let until = p.to.min(self.today());
        let days = days_between(p.from, until) + 1;
        let known: Vec<_> = (0..days.max(0)).map(|n| recorded(plus(p.from, n))).collect();
        let missed = known.iter().filter(|t| **t == Some(false)).count();
        let open = known.iter().filter(|t| t.is_none()).count();
        if missed > 0 {
            because.push(format!("not taken on {missed} of {days} days"));
        }
        let begun = self.state.cycle(p.cycle).is_some_and(Cycle::has_begun);
        let status = if self.ended_before(p.from) {
            Status::Cancelled
        } else if dose.stopped {
            Status::NotNeeded
        } else if dose.held.is_some() || (!begun && self.today() >= p.from) {
            Status::Held
        } else if p.from > self.today() {
            Status::Upcoming
        } else if p.to >= self.today() {
            Status::Due
        } else {
            if open > 0 {
                because.push(format!("nothing is recorded for {open} days"));
            }
            Status::Done
        };
        Obligation {
            id: format!("c{}/{}/{}", p.cycle, dose.drug, p.from_day),
            kind: Kind::Drug,
            what: dose.drug.clone(),
            name: dose.name.clone(),
            cycle: Some(p.cycle),
            reference: format!("day {} of cycle {}", p.from_day, p.cycle),
            earliest: p.from,
            target: p.from,
            latest: p.to,
            if_missed: IfMissed::Skip.to_string(),
            status,
            done: (status == Status::Done).then_some(p.to),
            because,
            source: drug.map_or_else(String::new, |d| d.source.clone()),
        }
    }

    // ---- assessments -----------------------------------------------------------------------------

    fn assessments(&self) -> Vec<Obligation> {
        let mut all = Vec::new();
        for a in &self.protocol.assessment {
            for (n, t) in a.when.iter().enumerate() {
                self.assessment(a, n, t, &mut all);
            }
        }
        all
    }

    fn assessment(&self, a: &Assessment, n: usize, t: &Timing, all: &mut Vec<Obligation>) {
        let mut put = |id: String, cycle: Option<u32>, reference: String, day: Date| {
            let [from, target, to] =
                [t.earliest, t.target, t.latest].map(|d| plus(day, i64::from(d)));
            all.push(self.looked_at(a, id, cycle, reference, [from, target, to]));
        };
        if let Some(after) = &t.after {
            let (from, what) = match after.as_str() {
                "start" => (self.starts.first().copied(), "day 1 of cycle 1".to_owned()),
                id => {
                    let place = self.protocol.procedure.iter().position(|p| p.id == *id);
                    let state = place.and_then(|n| self.state.procedures.get(n));
                    let day = state.and_then(|s| match s.status {
                        ProcedureStatus::Done(on) => Some(on),
                        ProcedureStatus::Planned | ProcedureStatus::Undecided => {
                            s.window.map(|w| w.target)
                        }
                        _ => None,
                    });
                    let name = place.map_or(id, |n| &self.protocol.procedure[n].name);
                    (day, name.to_owned())
                }
            };
            let Some(from) = from else { return };
            match t.every_days {
                None => {
                    let reference = words::after(&what, t.target);
                    put(format!("{}/{}/{}", after, a.id, n + 1), None, reference, from);
                }
                Some(days) => {
                    let end = self
                        .state
                        .cycles
                        .last()
                        .map_or(from, |c| plus(c.start, i64::from(self.protocol.cycle.days)));
                    let mut k = 1;
                    loop {
                        let day = plus(from, i64::from(days) * k);
                        if day > end
                            || day == Date::MAX
                            || self.ended_before(plus(day, i64::from(t.earliest)))
                        {
                            break;
                        }
                        let days = i32::try_from(i64::from(days) * k).unwrap_or(i32::MAX);
                        let reference = words::after(&what, days.saturating_add(t.target));
                        let nth = if n == 0 { String::new() } else { format!("{}-", n + 1) };
                        put(format!("{}/{}/{nth}{k}", after, a.id), None, reference, day);
                        k += 1;
                    }
                }
            }
            return;
        }
        let first = t.cycle.or(t.from_cycle).unwrap_or(1);
        let last = t.cycle.or(t.to_cycle).unwrap_or(u32::MAX);
        for c in self.state.cycles.iter().filter(|c| (first..=last).contains(&c.number)) {
            let reference = format!("day {} of cycle {}", t.target, c.number);
            let nth = if n == 0 { String::new() } else { format!("/{}", n + 1) };
            let id = format!("c{}/{}{nth}", c.number, a.id);
            put(id, Some(c.number), reference, plus(c.start, -1));
        }
    }

    fn looked_at(
        &self,
        a: &Assessment,
        id: String,
        cycle: Option<u32>,
        reference: String,
        [earliest, target, latest]: [Date; 3],
    ) -> Obligation {
        let today = self.today();
        let asap = a.if_missed == IfMissed::AsSoonAsPossible;
        let until = if asap { plus(latest, LATE_DAYS) } else { latest };
        let (done, missing) = self.found(a, earliest, until.min(today));
        let mut because = Vec::new();
        if !missing.is_empty() && today >= earliest {
            because.push(format!("needs {}", missing.join(", ")));
        }
        let status = match done {
            Some(on) => {
                if on > latest {
                    because.push(format!("{} days late", days_between(latest, on)));
                }
                Status::Done
            }
            None if self.ended_before(earliest) => Status::Cancelled,
            None if today < earliest => Status::Upcoming,
            None if today <= latest => Status::Due,
            None if asap && today <= until => Status::Overdue,
            None => Status::Missed,
        };
        Obligation {
            id,
            kind: Kind::Assessment,
            what: a.id.clone(),
            name: a.name.clone(),
            cycle,
            reference,
            earliest,
            target,
            latest,
            if_missed: a.if_missed.to_string(),
            status,
            done,
            because,
            source: a.source.clone(),
        }
    }

    /// The day by which all that an assessment asks for was there, and what is missing.
    fn found(&self, a: &Assessment, from: Date, to: Date) -> (Option<Date>, Vec<String>) {
        if a.kind == AssessmentKind::Imaging {
            let on = self.course.scans.iter().map(|s| s.0).find(|d| (from..=to).contains(d));
            return (on, if on.is_none() { vec!["a scan".to_owned()] } else { Vec::new() });
        }
        let mut last: Option<Date> = None;
        let mut missing = Vec::new();
        for measure in &a.measures {
            let samples = self.course.samples_until(measure, to);
            match samples.iter().find(|s| s.on >= from) {
                Some(s) => last = last.max(Some(s.on)),
                None => {
                    missing
                        .push(Measure::find(measure).map_or(measure.clone(), |m| m.name.clone()));
                }
            }
        }
        (last.filter(|_| missing.is_empty()), missing)
    }

    // ---- procedures ------------------------------------------------------------------------------

    fn procedures(&self) -> (Vec<Obligation>, Vec<GateBefore>) {
        let (mut all, mut gates) = (Vec::new(), Vec::new());
        for (p, state) in self.protocol.procedure.iter().zip(&self.state.procedures) {
            for w in &state.missed {
                all.push(Obligation {
                    id: format!("c{}/{}", w.cycle, p.id),
                    kind: Kind::Procedure,
                    what: p.id.clone(),
                    name: p.name.clone(),
                    cycle: Some(w.cycle),
                    reference: format!("day {} of cycle {}", w.day, w.cycle),
                    earliest: w.earliest,
                    target: w.target,
                    latest: w.latest,
                    if_missed: p.if_missed.to_string(),
                    status: Status::Missed,
                    done: None,
                    because: self.held_by(&p.id, w.latest),
                    source: p.source.clone(),
                });
            }
            let done = match state.status {
                ProcedureStatus::Done(on) => Some(on),
                _ => None,
            };
            let Some(w) = state.window else { continue };
            let today = self.today();
            let mut because = Vec::new();
            let asked =
                matches!(state.status, ProcedureStatus::Planned | ProcedureStatus::Undecided);
            let day = w.target.max(today.min(w.latest));
            let mut passes = true;
            if asked {
                let known = self.known(day);
                for rule in self.protocol.gates(&p.id) {
                    let gate = rule.evaluate(&known);
                    passes &= gate.status.passes();
                    if !gate.status.passes() || gate.status == GateStatus::Overridden {
                        because.push(format!("{}: {}", gate.name, gate.reason));
                    }
                    let (before, what) = (p.id.clone(), p.name.clone());
                    gates.push(GateBefore { before, what, day, gate });
                }
                let lacking = self.lacking(p, day);
                passes &= lacking.is_empty();
                because.extend(lacking);
            }
            let late = self.last_day(p, &w).filter(|last| asked && *last < today);
            if let Some(last) = late {
                because.push(format!("its last day was {last}"));
            }
            if state.status == ProcedureStatus::Undecided
                && let Some(rule) = &p.only_if
            {
                because.insert(0, format!("{}: not known", rule.name));
            }
            let status = match state.status {
                ProcedureStatus::Done(_) => Status::Done,
                ProcedureStatus::NotNeeded => Status::NotNeeded,
                ProcedureStatus::Missed => Status::Missed,
                ProcedureStatus::Cancelled => Status::Cancelled,
                ProcedureStatus::Undecided => Status::Undecided,
                ProcedureStatus::Planned if today < w.earliest => Status::Upcoming,
                ProcedureStatus::Planned if passes && late.is_some() => Status::Overdue,
                ProcedureStatus::Planned if passes => Status::Due,
                ProcedureStatus::Planned => Status::Held,
            };
            if let Some(on) = done.filter(|on| !(w.earliest..=w.latest).contains(on)) {
                because.push(format!("done on {on}, outside its window"));
            }
            all.push(Obligation {
                id: format!("c{}/{}", w.cycle, p.id),
                kind: Kind::Procedure,
                what: p.id.clone(),
                name: p.name.clone(),
                cycle: Some(w.cycle),
                reference: format!("day {} of cycle {}", w.day, w.cycle),
                earliest: w.earliest,
                target: done.unwrap_or(w.target),
                latest: w.latest,
                if_missed: p.if_missed.to_string(),
                status,
                done,
                because,
                source: p.source.clone(),
            });
        }
        (all, gates)
    }

    /// What a procedure requires and does not have on a day, in words.
    fn lacking(&self, p: &Procedure, day: Date) -> Vec<String> {
        let of = |id: &str| {
            let states = self.protocol.procedure.iter().zip(&self.state.procedures);
            states.into_iter().find(|(other, _)| other.id == id)
        };
        let one = |r: &Requirement| {
            let Some((other, state)) = of(&r.procedure) else {
                return Some(format!("needs {} first", r.procedure));
            };
            let ProcedureStatus::Done(on) = state.status else {
                return Some(format!("needs {} first", other.name));
            };
            let days = days_between(on, day);
            match r.most_days {
                Some(most) if days > i64::from(most) => Some(format!(
                    "{} of {on} is more than {most} days before {day}: it must be done again",
                    other.name
                )),
                _ if days < i64::from(r.least_days) => Some(format!(
                    "must be at least {} days after {} of {on}",
                    r.least_days, other.name
                )),
                _ => None,
            }
        };
        p.requires.iter().filter_map(one).collect()
    }

    /// The last day that the protocol allows in a window, before it was moved.
    fn last_day(&self, p: &Procedure, w: &DatedWindow) -> Option<Date> {
        let window = p.window.iter().find(|x| x.cycle == w.cycle && x.target == w.day)?;
        let start = self.state.cycle(w.cycle)?.start;
        Some(plus(start, i64::from(window.latest) - 1))
    }

    // ---- what was observed -----------------------------------------------------------------------

    fn values(&self) -> Vec<GradedValue> {
        let known = self.known(self.today());
        let male = known.latest("sex").map(|s| s.value == 0.0);
        let start = self.starts.first().copied().unwrap_or(self.course.c1d1);
        let mut values = Vec::new();
        for (id, samples) in &self.course.series {
            let (Ok(measure), Some(last)) = (Measure::find(id), known.latest(id)) else { continue };
            let Some(term) = Laboratory::of_measure(id) else { continue };
            let usual = measure.usual_limits(male);
            let (lln, uln) = (self.course.lln.get(id).copied(), self.course.uln.get(id).copied());
            let baseline =
                samples.iter().rev().find(|s| s.on <= start.min(self.today())).map(|s| s.value);
            let limits = Limits {
                lln: lln.or(usual.lln),
                uln: uln.or(usual.uln),
                baseline,
                anticoagulated: false,
            };
            let version = Version::try_from(self.protocol.ctcae).ok();
            let grade = version.and_then(|v| term.grade(v, last.value, &limits).ok());
            let textbook =
                (lln.is_none() && usual.lln.is_some()) || (uln.is_none() && usual.uln.is_some());
            values.push(GradedValue {
                measure: (*id).to_owned(),
                name: measure.name.clone(),
                value: last.value,
                unit: measure.unit.clone(),
                on: last.on,
                grade,
                note: (textbook && grade.is_some())
                    .then(|| "limits of normal from a textbook, the site gave none".to_owned()),
            });
        }
        values
    }

    fn deviations(&self) -> Vec<String> {
        let mut all = Vec::new();
        for c in self.state.cycles.iter().filter(|c| c.begun == Begun::Recorded) {
            let before = if c.number == 1 { "start" } else { "cycle" };
            for reason in self.held_by(before, c.start) {
                all.push(format!(
                    "cycle {} was begun on {} all the same: {reason}",
                    c.number, c.start
                ));
            }
            let early = days_between(c.start, c.planned);
            if early > 0 && c.number > 1 {
                all.push(format!("cycle {} was begun {early} days early", c.number));
            }
        }
        for (p, state) in self.protocol.procedure.iter().zip(&self.state.procedures) {
            let ProcedureStatus::Done(on) = state.status else { continue };
            for reason in self.held_by(&p.id, on) {
                all.push(format!("{} was done on {on} all the same: {reason}", p.name));
            }
            if let Some(w) = state.window.filter(|w| !(w.earliest..=w.latest).contains(&on)) {
                let window = format!("{} to {}", w.earliest, w.latest);
                all.push(format!("{} was done on {on}, outside its window {window}", p.name));
            }
        }
        for (drug, state) in self.protocol.drug.iter().zip(&self.state.drugs) {
            let taken = self.course.doses.iter().filter(|r| r.taken && r.drug == drug.id);
            for r in taken.filter(|r| r.from <= self.today()) {
                let days = days_between(r.from, r.to.min(self.today())).min(MAX_RECORD_DAYS);
                let mut each = (0..=days).map(|n| plus(r.from, n));
                let held = |d: &Date| state.hold(*d).is_some() || state.below_start(*d).is_none();
                if let Some(day) = each.find(held) {
                    let name = &drug.name;
                    all.push(format!("{name} was taken on {day} although it was held or stopped"));
                }
            }
        }
        for r in self.course.doses.iter().filter(|r| r.taken && r.from <= self.today()) {
            if self.protocol.drug(r.drug).is_none() {
                all.push(format!(
                    "{} was taken on {}; the protocol does not have it",
                    r.drug, r.from
                ));
            }
        }
        all
    }

    fn conflicts(&self) -> Vec<String> {
        let show = |m: &str, v: f64| Measure::find(m).map_or(v.to_string(), |m| m.show(v));
        let one = |c: &crate::course::Conflict| {
            let name = Measure::find(c.measure).map_or(c.measure, |m| m.name.as_str());
            let [a, b] = c.values.map(|v| show(c.measure, v));
            format!("{name} of {}: {a} and {b} are both recorded; correct the wrong one", c.on)
        };
        self.course.conflicts.iter().filter(|c| c.on <= self.today()).map(one).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let mut all = self.course.problems.clone();
        let ahead = self.course.told_ahead().count();
        if ahead > 0 {
            all.push(format!(
                "{ahead} facts were recorded before the day they are true of: this is a rehearsal, treat nobody by it"
            ));
        }
        let choices: Vec<_> = self.protocol.variant.iter().map(|v| v.id.as_str()).collect();
        if self.course.variant.is_none() && choices.len() > 1 {
            all.push(format!(
                "no dose variant is chosen, so no dose can be said: record enrolment variant={}",
                choices.join(" or variant=")
            ));
        }
        all.extend(self.protocol.notes.iter().cloned());
        all
    }
}
