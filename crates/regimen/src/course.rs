//! A course: what its events say, in the order in which they are true. Nothing of it is ever stored.
//!
//! The fold is pure and total. Any order of arrival gives the same course, an event that arrives
//! twice counts once, a correction stands in place of what it corrects, and two values that
//! contradict each other are both kept: what needs them waits.

use crate::ctcae::Term;
use crate::event::{Event, EventId, Fact, Pinned, Simulation};
use crate::measure::Measure;
use crate::response::Scan;
use jiff::civil::{Date, Time};
use jiff::{Span, Timestamp};
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// Why there is no course.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CourseError {
    /// No event says how it began.
    #[error("no event says on which protocol and when the course began")]
    NoBeginning,
}

/// A course.
#[derive(Debug, Clone, PartialEq)]
pub struct Course<'e> {
    /// Identifier of the patient.
    pub patient: &'e str,
    /// The protocol it is on.
    pub protocol: &'e Pinned,
    /// The dose variant, if one was chosen.
    pub variant: Option<&'e str>,
    /// Day 1 of cycle 1 as stated.
    pub c1d1: Date,
    /// Day of birth, if known.
    pub birth: Option<Date>,
    /// The device of the last simulation or session.
    pub device: Option<&'e str>,
    /// Facts as they stand after all corrections, by day.
    pub entries: Vec<Entry<'e>>,
    /// Values by measure, by day.
    pub series: BTreeMap<&'static str, Vec<Sample>>,
    /// Lower limits of normal that the site gave.
    pub lln: BTreeMap<&'static str, f64>,
    /// Upper limits of normal that the site gave.
    pub uln: BTreeMap<&'static str, f64>,
    /// Toxicities by day.
    pub toxicities: Vec<Toxicity<'e>>,
    /// Drugs taken or not, by day.
    pub doses: Vec<DoseRecord<'e>>,
    /// Simulation procedures by day.
    pub simulations: Vec<(Date, &'e Simulation)>,
    /// Radioembolizations by day.
    pub sessions: Vec<SessionRecord<'e>>,
    /// Other procedures by day.
    pub procedures: Vec<(Date, &'e str)>,
    /// Scans by day.
    pub scans: Vec<(Date, &'e Scan)>,
    /// Treatments that the protocol does not know.
    pub therapies: Vec<TherapyRecord<'e>>,
    /// Holds and resumptions by decision, by day.
    pub holds: Vec<HoldRecord<'e>>,
    /// Criteria waived by a person.
    pub overrides: Vec<OverrideRecord<'e>>,
    /// When the patient left the treatment.
    pub withdrawal: Option<Date>,
    /// When the patient died.
    pub death: Option<Date>,
    /// Values that contradict each other.
    pub conflicts: Vec<Conflict>,
    /// What cannot be understood, in words.
    pub problems: Vec<String>,
}

/// A fact as it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'e> {
    /// The event that first said so.
    pub id: &'e EventId,
    /// The day it is true of.
    pub on: Date,
    /// The local time, if that was said.
    pub at: Option<Time>,
    /// When what stands now was recorded.
    pub recorded: Timestamp,
    /// By whom.
    pub by: &'e str,
    /// Why, if that was said.
    pub why: Option<&'e str>,
    /// What.
    pub fact: &'e Fact,
    /// Whether a correction stands in place of what was said first.
    pub corrected: bool,
    /// Whether it was told before the day it is true of.
    pub ahead: bool,
}

/// A value of a measure, in its base unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The day.
    pub on: Date,
    /// The local time, if that was said.
    pub at: Option<Time>,
    /// The value.
    pub value: f64,
    /// Its interval, where one was given.
    pub interval: Option<[f64; 2]>,
}

/// A toxicity and its grade from a day on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Toxicity<'e> {
    /// The day.
    pub on: Date,
    /// CTCAE term as it was recorded.
    pub term: &'e str,
    /// The term's identifier, the same for all its names; as recorded where nobody knows it.
    pub id: &'e str,
    /// Whether it is a toxicity of the blood; what no table knows is not.
    pub haematologic: bool,
    /// Grade; 0 says that it is over.
    pub grade: u8,
    /// Version of CTCAE.
    pub ctcae: u8,
    /// What it is put down to.
    pub related: &'e [String],
}

/// A drug taken or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoseRecord<'e> {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// The drug.
    pub drug: &'e str,
    /// Whether it was taken.
    pub taken: bool,
    /// What each intake was, in mg, if not what was prescribed.
    pub mg_per_intake: Option<f64>,
}

/// A radioembolization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionRecord<'e> {
    /// The day.
    pub on: Date,
    /// The local time, if that was said.
    pub at: Option<Time>,
    /// The protocol's procedure.
    pub procedure: &'e str,
    /// What was treated.
    pub territory: Option<&'e str>,
    /// Activity that left the vial, in GBq.
    pub activity_gbq: f64,
    /// Activity that stayed behind, in GBq.
    pub residual_gbq: Option<f64>,
    /// The device, if that was said.
    pub device: Option<&'e str>,
}

/// A treatment that the protocol does not know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TherapyRecord<'e> {
    /// The day.
    pub on: Date,
    /// What.
    pub name: &'e str,
    /// Whether it was directed at the liver.
    pub liver: bool,
}

/// Drugs held or taken again, by decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldRecord<'e> {
    /// The day.
    pub on: Date,
    /// Which; none: all.
    pub drugs: &'e [String],
    /// Held, or taken again.
    pub hold: bool,
    /// Why.
    pub why: Option<&'e str>,
}

/// A criterion waived by a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverrideRecord<'e> {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// The gate.
    pub gate: &'e str,
    /// The criterion.
    pub criterion: &'e str,
    /// Why.
    pub why: &'e str,
}

/// Two values of a measure for the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conflict {
    /// The measure.
    pub measure: &'static str,
    /// When.
    pub on: Date,
    /// The two.
    pub values: [f64; 2],
}

impl<'e> Course<'e> {
    /// Folds events, each with its identifier, in any order. With `as_of`, only what was recorded
    /// by then: the course as it was known.
    ///
    /// # Errors
    /// [`CourseError::NoBeginning`].
    pub fn fold(
        events: impl IntoIterator<Item = (&'e EventId, &'e Event)>,
        as_of: Option<Timestamp>,
    ) -> Result<Self, CourseError> {
        let mut known: Vec<_> =
            events.into_iter().filter(|(_, e)| as_of.is_none_or(|t| e.recorded <= t)).collect();
        known.sort_by(|(a, x), (b, y)| x.recorded.cmp(&y.recorded).then_with(|| a.cmp(b)));
        known.dedup_by(|a, b| a.0 == b.0);
        let mut problems = Vec::new();
        let first = known.iter().find(|(_, e)| matches!(e.fact, Fact::Begin { .. }));
        let Some(patient) = first.map(|(_, e)| e.patient.as_str()) else {
            return Err(CourseError::NoBeginning);
        };
        // What is of somebody else is named, and counts for nothing.
        known.retain(|(id, e)| {
            let own = e.patient == patient;
            if !own {
                problems.push(format!("event {id} is of patient {}, not {patient}", e.patient));
            }
            own
        });
        let standing = standing(&known, &mut problems);
        let mut entries: Vec<_> = standing.into_iter().flatten().collect();
        // In the order of recording still: the first beginning stands.
        let mut beginnings = entries.iter().filter_map(|e| match e.fact {
            Fact::Begin { protocol, variant, c1d1 } => Some((e.id, protocol, variant, *c1d1)),
            _ => None,
        });
        let Some((_, protocol, variant, c1d1)) = beginnings.next() else {
            return Err(CourseError::NoBeginning);
        };
        for (id, ..) in beginnings {
            problems.push(format!("event {id} begins the course again; correct the first instead"));
        }
        entries.sort_by(|a, b| {
            (a.on, a.at, a.recorded).cmp(&(b.on, b.at, b.recorded)).then_with(|| a.id.cmp(b.id))
        });
        let mut course = Self {
            patient,
            protocol,
            variant: variant.as_deref(),
            c1d1,
            birth: None,
            device: None,
            entries: Vec::new(),
            series: BTreeMap::new(),
            lln: BTreeMap::new(),
            uln: BTreeMap::new(),
            toxicities: Vec::new(),
            doses: Vec::new(),
            simulations: Vec::new(),
            sessions: Vec::new(),
            procedures: Vec::new(),
            scans: Vec::new(),
            therapies: Vec::new(),
            holds: Vec::new(),
            overrides: Vec::new(),
            withdrawal: None,
            death: None,
            conflicts: Vec::new(),
            problems,
        };
        for entry in &entries {
            course.take(entry);
        }
        course.entries = entries;
        course.find_conflicts();
        Ok(course)
    }

    fn take(&mut self, entry: &Entry<'e>) {
        let on = entry.on;
        match entry.fact {
            Fact::Begin { .. } | Fact::Correction { .. } => {}
            Fact::Enrolment { birth, variant, values } => {
                self.birth = birth.or(self.birth);
                self.variant = variant.as_deref().or(self.variant);
                self.values(entry, values);
            }
            Fact::Labs { values } => self.values(entry, values),
            Fact::Normal { lln, uln } => {
                for (limits, into) in [(lln, &mut self.lln), (uln, &mut self.uln)] {
                    for (name, value) in limits {
                        match Measure::find(name) {
                            Ok(m) => drop(into.insert(&m.id, *value)),
                            Err(e) => self.problems.push(format!("event {}: {e}", entry.id)),
                        }
                    }
                }
            }
            Fact::Doses { drug, taken, until, mg_per_intake } => {
                let to = until.unwrap_or(on).max(on);
                let (taken, mg_per_intake) = (*taken, *mg_per_intake);
                self.doses.push(DoseRecord { from: on, to, drug, taken, mg_per_intake });
            }
            Fact::Toxicity { term, grade, ctcae, related } => {
                let (grade, ctcae) = (*grade, *ctcae);
                let known = Term::known(term);
                let (id, haematologic) =
                    known.map_or((term.as_str(), false), |t| (t.id(), t.is_haematologic()));
                self.toxicities.push(Toxicity {
                    on,
                    term,
                    id,
                    haematologic,
                    grade,
                    ctcae,
                    related,
                });
            }
            Fact::Simulation(simulation) => {
                self.device = simulation.device.as_deref().or(self.device);
                self.simulations.push((on, simulation));
                for (name, m) in &simulation.measures {
                    let (value, interval) = (m.value, m.interval);
                    self.sample(entry, name, Sample { on, at: entry.at, value, interval });
                }
            }
            Fact::Session { procedure, territory, activity_gbq, residual_gbq, device } => {
                self.device = device.as_deref().or(self.device);
                self.sessions.push(SessionRecord {
                    on,
                    at: entry.at,
                    procedure,
                    territory: territory.as_deref(),
                    activity_gbq: *activity_gbq,
                    residual_gbq: *residual_gbq,
                    device: device.as_deref(),
                });
            }
            Fact::Procedure { procedure } => self.procedures.push((on, procedure)),
            Fact::Scan { reading } => self.scans.push((on, reading)),
            Fact::Therapy { name, liver } => {
                self.therapies.push(TherapyRecord { on, name, liver: *liver });
            }
            Fact::Hold { drugs } => {
                self.holds.push(HoldRecord { on, drugs, hold: true, why: entry.why });
            }
            Fact::Resume { drugs } => {
                self.holds.push(HoldRecord { on, drugs, hold: false, why: entry.why });
            }
            Fact::Override { gate, criterion, until } => self.overrides.push(OverrideRecord {
                from: on,
                to: until.unwrap_or(on),
                gate,
                criterion,
                why: entry.why.unwrap_or("no reason was recorded"),
            }),
            Fact::Withdrawal {} => self.withdrawal = self.withdrawal.or(Some(on)),
            Fact::Death {} => self.death = self.death.or(Some(on)),
            Fact::Migration { protocol } => self.protocol = protocol,
        }
    }

    fn values(&mut self, entry: &Entry<'e>, values: &'e BTreeMap<String, f64>) {
        for (name, value) in values {
            let sample = Sample { on: entry.on, at: entry.at, value: *value, interval: None };
            self.sample(entry, name, sample);
        }
    }

    fn sample(&mut self, entry: &Entry<'e>, name: &str, sample: Sample) {
        match Measure::find(name) {
            Ok(m) => self.series.entry(&m.id).or_default().push(sample),
            Err(e) => self.problems.push(format!("event {}: {e}", entry.id)),
        }
    }

    fn find_conflicts(&mut self) {
        for (measure, samples) in &self.series {
            // Entries came by day and time, so what belongs together is side by side.
            for pair in samples.windows(2) {
                let same = (pair[0].on, pair[0].at) == (pair[1].on, pair[1].at);
                if same && pair[0].value != pair[1].value {
                    let values = [pair[0].value, pair[1].value];
                    self.conflicts.push(Conflict { measure, on: pair[0].on, values });
                }
            }
        }
    }

    /// Values of a measure up to and with a day.
    #[must_use]
    pub fn samples_until(&self, measure: &str, day: Date) -> &[Sample] {
        let all = self.series.get(measure).map_or(&[][..], Vec::as_slice);
        &all[..all.partition_point(|s| s.on <= day)]
    }

    /// Whether two values of a measure contradict each other for a day.
    #[must_use]
    pub fn conflict(&self, measure: &str, on: Date) -> Option<&Conflict> {
        self.conflicts.iter().find(|c| c.measure == measure && c.on == on)
    }

    /// Facts told before the day they are true of.
    pub fn told_ahead(&self) -> impl Iterator<Item = &Entry<'e>> {
        self.entries.iter().filter(|e| e.ahead)
    }
}

/// For every event in the order of its recording what stands of it; `None` for corrections, and
/// for what never was.
fn standing<'e>(
    known: &[(&'e EventId, &'e Event)],
    problems: &mut Vec<String>,
) -> Vec<Option<Entry<'e>>> {
    let mut entries: Vec<_> = known
        .iter()
        .map(|(id, e)| {
            Some(Entry {
                id,
                on: e.on,
                at: e.at,
                recorded: e.recorded,
                by: &e.by,
                why: e.why.as_deref(),
                fact: &e.fact,
                corrected: false,
                ahead: e.is_ahead(),
            })
        })
        .collect();
    let is_correction = |e: &Event| matches!(e.fact, Fact::Correction { .. });
    if !known.iter().any(|(_, e)| is_correction(e)) {
        return entries;
    }
    let places: HashMap<&EventId, usize> =
        known.iter().enumerate().map(|(n, (id, _))| (*id, n)).collect();
    let mut roots = vec![None; known.len()];
    // In the order of recording: the last correction stands.
    for (n, (id, event)) in known.iter().enumerate() {
        let Fact::Correction { of, fact } = &event.fact else { continue };
        entries[n] = None;
        if matches!(fact.as_deref(), Some(Fact::Correction { .. })) {
            problems.push(format!("event {id} puts a correction in place of {of}; state the fact"));
            continue;
        }
        match root(n, known, &places, &mut roots) {
            Some(place) => {
                let (root_id, first) = known[place];
                entries[place] = fact.as_deref().map(|fact| Entry {
                    id: root_id,
                    on: event.on,
                    at: event.at,
                    recorded: event.recorded,
                    by: &event.by,
                    why: event.why.as_deref(),
                    fact,
                    corrected: true,
                    ahead: first.is_ahead() && event.is_ahead(),
                });
            }
            None => problems.push(format!("event {id} corrects {of}, which there is not")),
        }
    }
    entries
}

/// The place of what a correction corrects in the end; `None` where that is not there. Corrections
/// that correct each other in a circle, as only a hand can make them, correct nothing.
fn root(
    n: usize,
    known: &[(&EventId, &Event)],
    places: &HashMap<&EventId, usize>,
    roots: &mut [Option<Option<usize>>],
) -> Option<usize> {
    let (mut path, mut at) = (Vec::new(), n);
    let found = loop {
        let Fact::Correction { of, .. } = &known[at].1.fact else { break Some(at) };
        if let Some(root) = roots[at] {
            break root;
        }
        path.push(at);
        match places.get(of) {
            Some(place) if path.len() <= known.len() => at = *place,
            _ => break None,
        }
    };
    for place in path {
        roots[place] = Some(found);
    }
    found
}

/// A day so many days after another, within the calendar.
#[must_use]
pub fn plus(date: Date, days: i64) -> Date {
    let span = Span::new().try_days(days);
    span.map_or(date, |span| date.saturating_add(span))
}

/// Days from one date to another.
#[must_use]
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}
