//! Where a course stands: its cycles, doses and procedures on real dates, as far as its events
//! say, and beyond as the protocol foresees.
//!
//! A cycle has begun on the day its drugs were first taken. Where that was not recorded, it begins
//! on the first day from its planned one on which its gate passes; while the gate does not, it
//! waits as the protocol says. What is still to come is put where it is planned.

use crate::course::{Course, days_between, plus};
use crate::evidence::{Known, selects};
use crate::gate::{GateRule, Step, Truth};
use crate::outcome::Scans;
use crate::protocol::{
    Drug, End, IfMissed, MAX_CYCLE, Modification, Procedure, ProcedureKind, Protocol, Window,
};
use crate::response::Scope;
use jiff::civil::Date;

/// Cycles to come that are laid out beyond the running one, where nothing asks for more.
const AHEAD: usize = 2;
/// Days a cycle may begin before its planned day and still be that cycle.
const EARLY_DAYS: i64 = 7;
/// Days on which a cycle's gate is asked at most: nobody waits ten years.
const MAX_ASKED: usize = 3660;

/// Where a course stands on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct State<'e> {
    /// The day.
    pub today: Date,
    /// Cycles, those to come too.
    pub cycles: Vec<Cycle>,
    /// Doses, in the order of the protocol's drugs.
    pub drugs: Vec<DrugState<'e>>,
    /// Procedures, in the order of the protocol's.
    pub procedures: Vec<ProcedureState>,
    /// When and why it ended.
    pub ended: Option<(Date, End)>,
}

/// A cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// Which, the first being 1.
    pub number: u32,
    /// Where it would be if the one before was on time to its end.
    pub planned: Date,
    /// Its first day, or where it is expected.
    pub start: Date,
    /// What that is known from.
    pub begun: Begun,
    /// How many times it waited.
    pub waits: u32,
}

/// What a cycle's first day is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Drugs were taken.
    Recorded,
    /// Nothing says that drugs were taken; its gate passed, or it is the first.
    Taken,
    /// Its gate does not pass yet.
    Waiting,
    /// Its gate did not pass in all the time there was.
    Exhausted,
    /// Its day is still to come.
    ToCome,
}

impl Cycle {
    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        matches!(self.begun, Begun::Recorded | Begun::Taken)
    }
}

/// What has become of the dose of a drug.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DrugState<'e> {
    /// Changes of the level by day.
    pub changes: Vec<Change<'e>>,
    /// Days on which it is not taken.
    pub holds: Vec<Hold<'e>>,
}

/// A change of the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'e> {
    /// From this day on.
    pub on: Date,
    /// Levels below the starting one; `None`: stopped for good.
    pub below_start: Option<i32>,
    /// Why.
    pub because: Cause<'e>,
}

/// Why a level changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause<'e> {
    /// A toxicity called for it: the protocol's modification of that place in its list.
    Toxicity {
        /// The modification.
        modification: usize,
        /// The term.
        term: &'e str,
        /// Its grade.
        grade: u8,
        /// Version of CTCAE.
        ctcae: u8,
        /// When.
        on: Date,
        /// Which appearance, the first being 1.
        appearance: usize,
    },
    /// A value called for it.
    Value {
        /// The modification.
        modification: usize,
        /// The value.
        value: f64,
        /// When.
        on: Date,
    },
    /// The cycle had to wait.
    Waited {
        /// The cycle.
        cycle: u32,
        /// How many times.
        times: u32,
    },
    /// The cycle waited in vain.
    Exhausted {
        /// The cycle.
        cycle: u32,
    },
    /// It was tolerated well enough to go up.
    Escalation {
        /// The cycle.
        cycle: u32,
    },
}

/// Days on which a drug is not taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hold<'e> {
    /// First day.
    pub from: Date,
    /// The day it is taken again; `None`: not known yet.
    pub until: Option<Date>,
    /// Why.
    pub because: HoldCause<'e>,
}

/// Why a drug is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HoldCause<'e> {
    /// A toxicity, by the protocol's modification of that place in its list.
    Toxicity {
        /// The modification.
        modification: usize,
        /// The term.
        term: &'e str,
        /// Its grade.
        grade: u8,
    },
    /// Somebody decided.
    Decision {
        /// Why.
        why: Option<&'e str>,
    },
}

impl DrugState<'_> {
    /// Levels below the starting one on a day; `None`: stopped.
    #[must_use]
    pub fn below_start(&self, day: Date) -> Option<i32> {
        self.changes.iter().rfind(|c| c.on <= day).map_or(Some(0), |c| c.below_start)
    }

    /// The hold that holds on a day.
    #[must_use]
    pub fn hold(&self, day: Date) -> Option<&Hold<'_>> {
        self.holds.iter().find(|h| h.from <= day && h.until.is_none_or(|u| day < u))
    }

    /// When it was stopped for good.
    #[must_use]
    pub fn stopped(&self) -> Option<Date> {
        self.changes.iter().find(|c| c.below_start.is_none()).map(|c| c.on)
    }
}

/// What has become of a procedure.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcedureState {
    /// What.
    pub status: ProcedureStatus,
    /// The window it was or will be done in: cycle, first, aimed at, and last date.
    pub window: Option<DatedWindow>,
    /// Windows that have passed.
    pub missed: Vec<DatedWindow>,
}

/// Whether a procedure was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcedureStatus {
    /// On this day.
    Done(Date),
    /// To come.
    Planned,
    /// Not known whether it is needed.
    Undecided,
    /// Not needed.
    NotNeeded,
    /// No window is left.
    Missed,
    /// The course ended before.
    Cancelled,
}

/// A window on real dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedWindow {
    /// The cycle.
    pub cycle: u32,
    /// Day of the cycle aimed at.
    pub day: u32,
    /// First day.
    pub earliest: Date,
    /// Day aimed at.
    pub target: Date,
    /// Last day.
    pub latest: Date,
}

impl<'e> State<'e> {
    /// Where a course stands on a day, with at least so many cycles laid out.
    #[must_use]
    pub fn of(protocol: &Protocol, course: &Course<'e>, today: Date, cycles: usize) -> Self {
        let layout = Layout { protocol, course, today };
        let cycles = layout.cycles(cycles);
        let mut drugs = layout.drugs(&cycles);
        let ended = layout.ended(&cycles, &drugs);
        if let Some((on, _)) = ended {
            for drug in &mut drugs {
                drug.changes.retain(|c| c.on <= on);
            }
        }
        let procedures = layout.procedures(&cycles, ended);
        Self { today, cycles, drugs, procedures, ended }
    }

    /// The cycle that runs on a day, and which day of it that is.
    #[must_use]
    pub fn cycle_day(&self, day: Date) -> Option<(&Cycle, u32)> {
        let cycle = self.cycles.iter().rev().find(|c| c.start <= day)?;
        u32::try_from(days_between(cycle.start, day) + 1).ok().map(|d| (cycle, d))
    }

    /// First days of the cycles.
    #[must_use]
    pub fn starts(&self) -> Vec<Date> {
        self.cycles.iter().map(|c| c.start).collect()
    }

    /// The cycle of that number.
    #[must_use]
    pub fn cycle(&self, number: u32) -> Option<&Cycle> {
        self.cycles.get(number.checked_sub(1)? as usize)
    }
}

/// What everything is laid out from.
struct Layout<'a, 'e> {
    protocol: &'a Protocol,
    course: &'a Course<'e>,
    today: Date,
}

impl<'a, 'e> Layout<'a, 'e> {
    fn known<'k>(&'k self, cycle_starts: &'k [Date], day: Date) -> Known<'k, 'e> {
        let (protocol, course) = (self.protocol, self.course);
        Known { protocol, course, cycle_starts, day, until: day.min(self.today) }
    }

    // ---- cycles ----------------------------------------------------------------------------------

    fn cycles(&self, at_least: usize) -> Vec<Cycle> {
        let p = self.protocol;
        let windows = p.procedure.iter().flat_map(|p| &p.window).map(|w| w.cycle);
        let wanted = windows.max().unwrap_or(1).max(at_least as u32);
        let most = p.cycle.at_most.unwrap_or(MAX_CYCLE).min(MAX_CYCLE);
        let gates: Vec<&GateRule> = p.gates("cycle").collect();
        let mut cycles: Vec<Cycle> = Vec::new();
        let mut starts: Vec<Date> = Vec::new();
        let mut beyond = 0;
        for number in 1..=most {
            let last = cycles.last().map(|c| c.start);
            let planned = last.map_or(self.course.c1d1, |s| plus(s, i64::from(p.cycle.days)));
            let recorded = self.recorded_start(last, planned);
            let cycle = self.cycle(number, planned, recorded, &gates, &starts);
            beyond = if cycle.start > self.today || !cycle.has_begun() { beyond + 1 } else { 0 };
            starts.push(cycle.start);
            let exhausted = cycle.begun == Begun::Exhausted;
            cycles.push(cycle);
            if exhausted || (beyond > AHEAD && number >= wanted) {
                break;
            }
        }
        cycles
    }

    /// The day the drugs of a cycle's first days were first taken.
    fn recorded_start(&self, last: Option<Date>, planned: Date) -> Option<Date> {
        let first_day = self.protocol.drug.iter().map(|d| d.first_day).min()?;
        let from = match last {
            Some(_) => plus(planned, -self.early()),
            None => plus(planned, -EARLY_DAYS * 4),
        };
        let opens = |drug: &str| self.protocol.drug(drug).is_some_and(|d| d.first_day == first_day);
        let of = |r: &&crate::course::DoseRecord<'_>| {
            r.taken && opens(r.drug) && r.to >= from && r.from <= self.today
        };
        let first = self.course.doses.iter().filter(of).map(|r| r.from.max(from)).min()?;
        Some(plus(first, 1 - i64::from(first_day)))
    }

    /// Days a cycle may begin early. The first half of the days without its drugs are for late
    /// doses of the cycle before.
    fn early(&self) -> i64 {
        let drugs = || self.protocol.drug.iter();
        let first_day = drugs().map(|d| d.first_day).min();
        let opening = drugs().filter(|d| Some(d.first_day) == first_day);
        let last_day = opening.map(|d| d.last_day).max().unwrap_or(0);
        let free = i64::from(self.protocol.cycle.days) - i64::from(last_day);
        (free / 2).clamp(0, EARLY_DAYS)
    }

    fn cycle(
        &self,
        number: u32,
        planned: Date,
        recorded: Option<Date>,
        gates: &[&GateRule],
        starts: &[Date],
    ) -> Cycle {
        let cycle = |start, begun, waits| Cycle { number, planned, start, begun, waits };
        // What was taken so late that the next cycle was due belongs to that one, if this could begin.
        let next_due = |start| plus(start, i64::from(self.protocol.cycle.days) - self.early());
        if number == 1 {
            let recorded = recorded.filter(|on| *on < next_due(planned));
            // Its day is a decision, not what a gate allows.
            let begun = match recorded {
                Some(_) => Begun::Recorded,
                None if planned > self.today => Begun::ToCome,
                None => Begun::Taken,
            };
            return cycle(recorded.unwrap_or(planned), begun, 0);
        }
        if recorded.is_none() && planned > self.today {
            return cycle(planned, Begun::ToCome, 0);
        }
        let limit = recorded.unwrap_or(self.today);
        let (mut at, mut waits) = (planned, 0);
        for _ in 0..MAX_ASKED {
            if at > limit {
                break;
            }
            let known = self.known(starts, at);
            let worst = gates.iter().map(|g| (g.status(&known), *g)).max_by_key(|(s, _)| *s);
            match worst {
                Some((status, gate)) if !status.passes() => match &gate.wait {
                    // Begun all the same: it did not wait.
                    Some(_) if recorded == Some(at) => break,
                    Some(wait) if gate.any_unmet(&known) => {
                        if waits == wait.at_most && recorded.is_none() {
                            return cycle(at, Begun::Exhausted, waits);
                        }
                        waits += 1;
                        at = plus(at, i64::from(wait.days));
                    }
                    _ => at = plus(at, 1),
                },
                _ if recorded.is_none_or(|on| on >= next_due(at)) => {
                    return cycle(at, Begun::Taken, waits);
                }
                _ => break,
            }
        }
        match recorded {
            Some(start) => cycle(start, Begun::Recorded, waits),
            None => cycle(at.max(self.today), Begun::Waiting, waits),
        }
    }

    // ---- doses -----------------------------------------------------------------------------------

    fn drugs(&self, cycles: &[Cycle]) -> Vec<DrugState<'e>> {
        self.protocol.drug.iter().map(|drug| self.drug(drug, cycles)).collect()
    }

    fn drug(&self, drug: &Drug, cycles: &[Cycle]) -> DrugState<'e> {
        let mut state = DrugState { changes: Vec::new(), holds: self.decided_holds(drug) };
        // What calls for a step, and when: on a day, or with the next cycle.
        let mut calls: Vec<(Date, Step, Cause<'e>)> = Vec::new();
        let modifications = self.protocol.modification.iter().enumerate();
        for (n, m) in modifications.filter(|(_, m)| m.drugs.contains(&drug.id)) {
            if m.measure.is_some() {
                self.by_value(n, m, cycles, &mut calls);
            } else {
                self.by_toxicity(n, m, &mut calls, &mut state.holds);
            }
        }
        for gate in self.protocol.gates("cycle") {
            let Some(wait) = gate.wait.as_ref().filter(|w| w.drugs.contains(&drug.id)) else {
                continue;
            };
            for c in cycles.iter().filter(|c| c.waits > 0) {
                let (cycle, times) = (c.number, c.waits);
                match c.begun {
                    Begun::Exhausted => {
                        calls.push((c.start, wait.exhausted, Cause::Exhausted { cycle }));
                    }
                    // A reduction counts from when the cycle is known to begin.
                    _ => calls.push((c.start, wait.then, Cause::Waited { cycle, times })),
                }
            }
        }
        let starts: Vec<Date> = cycles.iter().map(|c| c.start).collect();
        if let Some(e) = self.escalation(drug) {
            for c in cycles.iter().skip(1).filter(|c| c.has_begun() && c.start <= self.today) {
                let known = self.known(&starts[..c.number as usize - 1], c.start);
                if e.criterion.iter().all(|r| r.truth(&known) == Truth::Met) {
                    calls.push((c.start, Step::Same, Cause::Escalation { cycle: c.number }));
                }
            }
        }
        calls.sort_by_key(|(on, ..)| *on);
        state.holds.sort_by_key(|h| h.from);
        self.apply(drug, &calls, &mut state);
        state
    }

    fn escalation(&self, drug: &'a Drug) -> Option<&'a crate::protocol::Escalation> {
        let e = drug.escalation.as_ref()?;
        let variant = self.protocol.variant_of(self.course)?;
        e.variants.iter().any(|v| v == variant).then_some(e)
    }

    /// Steps of one day do not add up: the lowest level that any of them calls for holds.
    fn apply(&self, drug: &Drug, calls: &[(Date, Step, Cause<'e>)], state: &mut DrugState<'e>) {
        // Without a variant the ladder's length is not known, and nothing falls off its end.
        let variant = self.protocol.variant_of(self.course).and_then(|v| drug.in_variant(v));
        let lowest = variant.map_or(i32::MAX, |v| (v.levels() - 1 - v.start_level) as i32);
        let highest = variant.map_or(0, |v| -(v.start_level as i32));
        let (mut level, mut reduced) = (0, false);
        for day in calls.chunk_by(|a, b| a.0 == b.0) {
            let mut best: Option<(Option<i32>, Cause<'e>)> = None;
            for (_, step, because) in day {
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
                if matches!(because, Cause::Escalation { .. }) {
                    continue;
                }
                if best.is_none_or(|(b, _)| rank(target) > rank(b)) {
                    best = Some((target, *because));
                }
            }
            let on = day[0].0;
            match best {
                Some((None, because)) => {
                    state.changes.push(Change { on, below_start: None, because });
                    return;
                }
                Some((Some(target), because)) if target != level => {
                    (level, reduced) = (target, true);
                    state.changes.push(Change { on, below_start: Some(level), because });
                }
                // Nothing lowers it: it may go up.
                _ => {
                    let up = day.iter().find(|c| matches!(c.2, Cause::Escalation { .. }));
                    let again = drug.escalation.as_ref().is_some_and(|e| e.after_reduction);
                    if let Some((.., because)) = up
                        && level > highest
                        && (!reduced || again)
                    {
                        level -= 1;
                        let because = *because;
                        state.changes.push(Change { on, below_start: Some(level), because });
                    }
                }
            }
        }
    }

    /// The lowest value of a cycle changes the dose of the next one.
    fn by_value(
        &self,
        n: usize,
        m: &Modification,
        cycles: &[Cycle],
        calls: &mut Vec<(Date, Step, Cause<'e>)>,
    ) {
        let (Some(measure), Some(comparison), Some(limit)) = (&m.measure, m.comparison, m.limit)
        else {
            return;
        };
        let samples = self.course.samples_until(measure, self.today);
        let mut appearance = 0;
        for pair in cycles.windows(2) {
            let (from, to) = (pair[0].start, pair[1].start);
            if from > self.today {
                break;
            }
            let within = samples.iter().filter(|s| from < s.on && s.on <= to);
            let worst = within
                .filter(|s| comparison.holds(s.value, limit))
                .max_by(|a, b| (a.value - limit).abs().total_cmp(&(b.value - limit).abs()));
            if let Some(s) = worst {
                let step = m.then[appearance.min(m.then.len() - 1)];
                appearance += 1;
                let (value, on) = (s.value, s.on);
                calls.push((to, step, Cause::Value { modification: n, value, on }));
            }
        }
    }

    /// A toxicity holds the drug until it has passed, and the dose it is taken again with is lower.
    fn by_toxicity(
        &self,
        n: usize,
        m: &Modification,
        calls: &mut Vec<(Date, Step, Cause<'e>)>,
        holds: &mut Vec<Hold<'e>>,
    ) {
        let all = &self.course.toxicities;
        let until_grade = m.hold_until_grade.unwrap_or(0);
        let mut appearance = 0;
        for (place, t) in all.iter().enumerate() {
            let called = t.on <= self.today
                && m.grades.contains(&t.grade)
                && m.terms.iter().any(|s| selects(s, t));
            // The same episode, noted again or on its way down.
            let before = all[..place].iter().rfind(|b| b.id == t.id);
            let again = before.is_some_and(|b| {
                b.grade > until_grade && (m.grades.contains(&b.grade) || b.grade > t.grade)
            });
            if !called || again {
                continue;
            }
            appearance += 1;
            let step = m.then[(appearance - 1).min(m.then.len() - 1)];
            let (term, grade, ctcae, on) = (t.term, t.grade, t.ctcae, t.on);
            let over = all[place + 1..]
                .iter()
                .find(|l| l.id == t.id && l.grade <= until_grade && l.on <= self.today)
                .map(|l| l.on);
            let because = Cause::Toxicity { modification: n, term, grade, ctcae, on, appearance };
            // To stop needs no waiting.
            calls.push((if step == Step::Stop { on } else { over.unwrap_or(on) }, step, because));
            if m.hold_until_grade.is_some() {
                let because = HoldCause::Toxicity { modification: n, term, grade };
                holds.push(Hold { from: on, until: over, because });
            }
        }
    }

    fn decided_holds(&self, drug: &Drug) -> Vec<Hold<'e>> {
        let mut holds: Vec<Hold<'e>> = Vec::new();
        let about = |drugs: &[String]| drugs.is_empty() || drugs.contains(&drug.id);
        let until_now = |h: &&crate::course::HoldRecord<'e>| h.on <= self.today && about(h.drugs);
        for record in self.course.holds.iter().filter(until_now) {
            match (record.hold, holds.last_mut().filter(|h| h.until.is_none())) {
                (true, None) => {
                    let because = HoldCause::Decision { why: record.why };
                    holds.push(Hold { from: record.on, until: None, because });
                }
                (false, Some(open)) => open.until = Some(record.on),
                // Held twice, or taken again without having been held: as before.
                _ => {}
            }
        }
        holds
    }

    // ---- the end ---------------------------------------------------------------------------------

    fn ended(&self, cycles: &[Cycle], drugs: &[DrugState<'_>]) -> Option<(Date, End)> {
        let p = self.protocol;
        let by_reason = |end: &End| match end {
            End::Death => self.course.death,
            End::Withdrawal => self.course.withdrawal,
            End::Progression => self.progression(),
            End::Intolerance if drugs.is_empty() => None,
            End::Intolerance => {
                let all = drugs.iter().map(DrugState::stopped).collect::<Option<Vec<_>>>();
                let stops =
                    |g: &GateRule| g.wait.as_ref().is_some_and(|w| w.exhausted == Step::Stop);
                // Nothing follows a cycle that waited in vain, even if a drug has no rule for it.
                let last = cycles.last().filter(|c| c.begun == Begun::Exhausted);
                let in_vain = last.filter(|_| p.gates("cycle").any(stops)).map(|c| c.start);
                all.and_then(|days| days.into_iter().max()).or(in_vain)
            }
            End::Complete => {
                let last = cycles.last().filter(|c| Some(c.number) == p.cycle.at_most)?;
                last.has_begun().then(|| plus(last.start, i64::from(p.cycle.days) - 1))
            }
        };
        // A death or a withdrawal ends every course, whatever its protocol says.
        let always = [End::Death, End::Withdrawal, End::Complete];
        let reasons = p.cycle.until.iter().chain(&always);
        let dated = reasons.filter_map(|end| Some((by_reason(end)?, *end)));
        dated.filter(|(on, _)| *on <= self.today).min()
    }

    fn progression(&self) -> Option<Date> {
        let scans = Scans::of(self.course, self.today)?;
        scans.assess(self.course.c1d1, Scope::All, self.protocol)?.progression_date
    }

    // ---- procedures ------------------------------------------------------------------------------

    fn procedures(&self, cycles: &[Cycle], ended: Option<(Date, End)>) -> Vec<ProcedureState> {
        let all = &self.protocol.procedure;
        let mut states: Vec<Option<ProcedureState>> = vec![None; all.len()];
        // What is required may be written further down. What waits for itself is taken as it comes.
        for round in 0..=all.len() {
            for (n, procedure) in all.iter().enumerate() {
                let open =
                    |id: &str| all.iter().zip(&states).any(|(p, s)| p.id == id && s.is_none());
                let ready = !procedure.requires.iter().any(|r| open(&r.procedure));
                if states[n].is_none() && (ready || round == all.len()) {
                    states[n] = Some(self.procedure(procedure, cycles, ended, &states));
                }
            }
        }
        states.into_iter().flatten().collect()
    }

    fn done(&self, procedure: &Procedure) -> Option<Date> {
        let c = self.course;
        let now = |d: &Date| *d <= self.today;
        match procedure.kind {
            // A protocol with one simulation takes the last: it may have been repeated.
            ProcedureKind::Simulation => c.simulations.iter().map(|s| s.0).rfind(now),
            ProcedureKind::Radioembolization => {
                c.sessions.iter().find(|s| s.procedure == procedure.id).map(|s| s.on).filter(now)
            }
            ProcedureKind::Other => {
                c.procedures.iter().find(|p| p.1 == procedure.id).map(|p| p.0).filter(now)
            }
        }
    }

    fn procedure(
        &self,
        procedure: &Procedure,
        cycles: &[Cycle],
        ended: Option<(Date, End)>,
        before: &[Option<ProcedureState>],
    ) -> ProcedureState {
        let state = |status, window, missed| ProcedureState { status, window, missed };
        if let Some(on) = self.done(procedure) {
            let windows = procedure.window.iter().filter_map(|w| dated(w, cycles));
            let window = windows.min_by_key(|w| days_between(w.target, on).abs());
            return state(ProcedureStatus::Done(on), window, Vec::new());
        }
        let starts: Vec<Date> = cycles.iter().map(|c| c.start).collect();
        let needed = procedure.only_if.as_ref().map(|rule| {
            let known = self.known(&starts, self.today);
            rule.truth(&known)
        });
        let status = match needed {
            Some(Truth::NotMet) => ProcedureStatus::NotNeeded,
            Some(Truth::CannotTell) => ProcedureStatus::Undecided,
            _ => ProcedureStatus::Planned,
        };
        let mut missed = Vec::new();
        let window = self.window(procedure, cycles, before, &mut missed);
        match (ended, status, window) {
            (_, ProcedureStatus::NotNeeded, _) => state(status, window, Vec::new()),
            (Some((end, _)), ..) if window.is_none_or(|w| w.latest > end) => {
                state(ProcedureStatus::Cancelled, window, missed)
            }
            (_, _, None) => state(ProcedureStatus::Missed, None, missed),
            _ => state(status, window, missed),
        }
    }

    /// The first of its windows that has not passed and that what it requires allows.
    fn window(
        &self,
        procedure: &Procedure,
        cycles: &[Cycle],
        before: &[Option<ProcedureState>],
        missed: &mut Vec<DatedWindow>,
    ) -> Option<DatedWindow> {
        let mut earliest = Date::MIN;
        for r in &procedure.requires {
            let place = self.protocol.procedure.iter().position(|p| p.id == r.procedure);
            let state = place.and_then(|n| before.get(n)?.as_ref());
            let on = match state.map(|s| (s.status, s.window)) {
                Some((ProcedureStatus::Done(on), _)) => Some(on),
                Some((ProcedureStatus::Planned | ProcedureStatus::Undecided, Some(w))) => {
                    Some(w.target.max(self.today))
                }
                _ => None,
            };
            earliest = earliest.max(on.map_or(Date::MIN, |d| plus(d, i64::from(r.least_days))));
        }
        let days = i64::from(self.protocol.cycle.days);
        let last = *procedure.window.iter().max_by_key(|w| w.cycle)?;
        let most = self.protocol.cycle.at_most.unwrap_or(MAX_CYCLE);
        let again = (last.cycle + 1..=most).map(|cycle| Window { cycle, ..last });
        let again = again.filter(|_| procedure.if_missed == IfMissed::NextCycle);
        for window in procedure.window.iter().copied().chain(again) {
            let w = match dated(&window, cycles) {
                Some(w) => w,
                None => {
                    // Beyond what is laid out, cycles follow each other without a wait.
                    let end = cycles.last()?;
                    let ahead = i64::from(window.cycle) - i64::from(end.number);
                    on_dates(&window, plus(end.start, days * ahead))
                }
            };
            if w.latest < self.today {
                if procedure.if_missed == IfMissed::AsSoonAsPossible {
                    let target = self.today.max(earliest);
                    let earliest = w.earliest.max(earliest);
                    return Some(DatedWindow { earliest, target, latest: target, ..w });
                }
                missed.push(w);
            } else if w.latest >= earliest {
                let target = w.target.max(earliest);
                return Some(DatedWindow { earliest: w.earliest.max(earliest), target, ..w });
            }
        }
        None
    }
}

fn dated(window: &Window, cycles: &[Cycle]) -> Option<DatedWindow> {
    let cycle = cycles.get(window.cycle.checked_sub(1)? as usize)?;
    Some(on_dates(window, cycle.start))
}

fn on_dates(window: &Window, start: Date) -> DatedWindow {
    let on = |day: u32| plus(start, i64::from(day) - 1);
    DatedWindow {
        cycle: window.cycle,
        day: window.target,
        earliest: on(window.earliest),
        target: on(window.target),
        latest: on(window.latest),
    }
}
