//! Recording. What is said is checked as on the command line; it is stored once for each key, however
//! often it is sent; and only on the state of the course that the sender has seen: who looks at a
//! page that somebody else has made old is told what changed, and loses nothing.

use crate::opened::{Opened, today};
use crate::people::sha256;
use crate::problem::Problem;
use crate::store::{Appended, Audit, Batch, Line, Recording, Store, line_of, lines_of};
use axum::http::StatusCode;
use hepatica_regimen::desk::{Desk, Said};
use hepatica_regimen::event::{EventId, Pinned, Simulation};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Event, Fact, Log};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;
use utoipa::ToSchema;

/// Longest key, reason and name.
const MAX_TEXT: usize = 2_000;
/// How much clocks may differ.
const CLOCKS_MINUTES: i64 = 10;

/// What is recorded, and on what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Chosen by the sender, a UUID for instance: sent again, it is recorded once.
    pub key: String,
    /// Hash of the last event that the sender has seen.
    pub head: String,
    /// The day it is true of, ISO 8601; a correction may leave it out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub on: Option<Date>,
    /// The local time, where it matters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub at: Option<Time>,
    /// Why, in words; a correction and an override must say so.
    #[serde(default)]
    pub why: Option<String>,
    /// What is unlikely is right.
    #[serde(default)]
    pub confirm: bool,
    /// The event that was wrong, for a correction.
    #[serde(default)]
    pub corrects: Option<String>,
    /// What happened; a correction without it says that the event never was.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub said: Option<Said>,
}

impl Entry {
    /// Why, if it says something.
    fn reason(&self) -> Option<&str> {
        self.why.as_deref().map(str::trim).filter(|w| !w.is_empty())
    }
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Recorded {
    /// Identifiers of the events.
    pub events: Vec<String>,
    /// Hash of the last event now.
    pub head: String,
    /// It was recorded before, under the same key: nothing was added now.
    pub again: bool,
}

fn digest(value: &impl Serialize) -> Result<String, Problem> {
    Ok(sha256(&serde_json::to_vec(value)?))
}

/// An entry of the audit trail, now.
#[must_use]
pub fn audit(who: &str, what: &str, patient: &str, detail: &str) -> Audit {
    let own = str::to_owned;
    let at = Timestamp::now().to_string();
    Audit { at, who: own(who), what: own(what), patient: own(patient), detail: own(detail) }
}

fn check_texts(key: &str, why: Option<&str>) -> Result<(), Problem> {
    if key.trim().is_empty() || key.len() > 200 {
        return Err(Problem::refused(
            "key: expected a text of 1 to 200 letters that is used once, such as a UUID",
        ));
    }
    if why.is_some_and(|w| w.len() > MAX_TEXT) {
        return Err(Problem::refused(format!("why: longer than {MAX_TEXT} letters")));
    }
    Ok(())
}

/// What was recorded under a key before, if it was for the same.
fn again(before: &Recording, patient: &str, request: &str, log: &Log) -> Result<Recorded, Problem> {
    if before.request != request || before.patient != patient {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key-used",
            "this key was used for something else: nothing was recorded; send a new key",
        ));
    }
    let (skip, take) = (before.first.max(0) as usize, before.events.max(0) as usize);
    let events = log.entries().skip(skip).take(take).map(|(id, _)| id.0.clone()).collect();
    Ok(Recorded { events, head: log.hash().to_owned(), again: true })
}

/// The course that an entry goes on, as its sender has seen it; or what was recorded of it before.
async fn asked(
    store: &dyn Store,
    patient: &str,
    entry: &Entry,
    request: &str,
) -> Result<ControlFlow<Recorded, Opened>, Problem> {
    let opened = Opened::read(store, patient, None).await?;
    if let Some(before) = store.recording(&entry.key).await? {
        return again(&before, patient, request, &opened.log).map(ControlFlow::Break);
    }
    match stale(&opened.log, &entry.head) {
        Some(problem) => Err(problem),
        None => Ok(ControlFlow::Continue(opened)),
    }
}

/// Records what is said of a course.
///
/// # Errors
/// What cannot be, is unlikely, or was said on a course that has changed meanwhile: nothing is stored.
pub async fn record(
    store: &dyn Store,
    who: &str,
    patient: &str,
    entry: &Entry,
) -> Result<Recorded, Problem> {
    check_texts(&entry.key, entry.why.as_deref())?;
    let request = digest(entry)?;
    let opened = match asked(store, patient, entry, &request).await? {
        ControlFlow::Continue(opened) => opened,
        ControlFlow::Break(recorded) => return Ok(recorded),
    };
    let (on, facts) = facts(&opened, entry)?;
    let why = entry.reason().map(str::to_owned);
    let at = entry.at.or_else(|| {
        let of = entry.corrects.as_ref()?;
        opened.log.event(&EventId(of.clone()))?.at
    });
    let what = facts.iter().map(|f| format!("{}: {}", f.kind(), f.summary()));
    let detail = what.collect::<Vec<_>>().join("; ");
    let events = facts.into_iter().map(|fact| (on, at, why.clone(), fact)).collect();
    let batch = Draft { who, patient, key: &entry.key, request, what: "record", detail };
    store_events(store, &opened.log, batch, events).await
}

/// Records a plan as what the simulation procedure showed.
///
/// # Errors
/// As [`record`].
pub async fn record_simulation(
    store: &dyn Store,
    who: &str,
    patient: &str,
    entry: &Entry,
    simulation: Simulation,
) -> Result<Recorded, Problem> {
    check_texts(&entry.key, entry.why.as_deref())?;
    let request = digest(&(entry, &simulation))?;
    let opened = match asked(store, patient, entry, &request).await? {
        ControlFlow::Continue(opened) => opened,
        ControlFlow::Break(recorded) => return Ok(recorded),
    };
    let on = entry.on.ok_or_else(|| Problem::refused("on: which day was the procedure done?"))?;
    let course = opened.course()?;
    Desk { protocol: &opened.protocol, course: &course, today: today() }
        .check_day(on, "the day")?;
    let detail = "simulation".to_owned();
    let batch = Draft { who, patient, key: &entry.key, request, what: "record", detail };
    let events = vec![(on, entry.at, entry.why.clone(), Fact::Simulation(simulation))];
    store_events(store, &opened.log, batch, events).await
}

/// What is said when the course has gone on: who recorded what meanwhile.
fn stale(log: &Log, seen: &str) -> Option<Problem> {
    if log.hash() == seen {
        return None;
    }
    let last = log.events().last();
    let by = last.map_or(String::new(), |e| {
        format!(
            " ({} of {} by {}, recorded {})",
            e.fact.kind(),
            e.on,
            e.by,
            e.recorded.strftime("%Y-%m-%d %H:%M UTC")
        )
    });
    Some(Problem::new(
        StatusCode::CONFLICT,
        "stale",
        format!(
            "the course has changed since you opened it{by}: nothing was recorded; look at it, and send again"
        ),
    ))
}

fn facts(opened: &Opened, entry: &Entry) -> Result<(Date, Vec<Fact>), Problem> {
    let course = opened.course()?;
    let desk = Desk { protocol: &opened.protocol, course: &course, today: today() };
    let why = entry.reason();
    let of = match &entry.corrects {
        None => None,
        Some(id) => {
            let id = EventId(id.clone());
            let event = opened.log.event(&id).ok_or_else(|| {
                Problem::refused(format!("corrects: no event {id} in this course"))
            })?;
            Some((id, event))
        }
    };
    let on = entry.on.or(of.as_ref().map(|(_, e)| e.on));
    let on = on.ok_or_else(|| Problem::refused("on: which day is it true of?"))?;
    desk.check_day(on, "the day")?;
    let facts = match (&of, &entry.said) {
        (Some((id, _)), said) => {
            vec![desk.correction(id, said.as_ref(), on, entry.confirm, why)?]
        }
        (None, Some(said)) => desk.facts(said, on, entry.confirm, why)?,
        (None, None) => return Err(Problem::refused("said: what happened?")),
    };
    Ok((on, facts))
}

struct Draft<'a> {
    who: &'a str,
    patient: &'a str,
    key: &'a str,
    request: String,
    what: &'a str,
    detail: String,
}

async fn store_events(
    store: &dyn Store,
    log: &Log,
    draft: Draft<'_>,
    events: Vec<(Date, Option<Time>, Option<String>, Fact)>,
) -> Result<Recorded, Problem> {
    let now = Timestamp::now();
    if let Some(last) = log.events().last().map(|e| e.recorded)
        && now
            < last.saturating_sub(jiff::SignedDuration::from_mins(CLOCKS_MINUTES)).unwrap_or(last)
    {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "clock",
            format!(
                "the clock says {now}, but the last event was recorded on {last}: nothing was recorded; set the clock right"
            ),
        ));
    }
    let mut grown = log.clone();
    let mut lines = Vec::new();
    for (on, at, why, fact) in events {
        let (patient, by) = (draft.patient.to_owned(), draft.who.to_owned());
        let event = Event { patient, on, at, recorded: now, by, why, fact };
        Desk::check_new(&grown, &event)?;
        lines.push(line_of(&mut grown, event).map_err(crate::store::StoreError::from)?);
    }
    let place = log.events().len() as i64;
    commit(store, draft, place, lines, &grown, now).await
}

async fn commit(
    store: &dyn Store,
    draft: Draft<'_>,
    place: i64,
    lines: Vec<Line>,
    grown: &Log,
    recorded: Timestamp,
) -> Result<Recorded, Problem> {
    let events = lines.iter().map(|l| l.id.clone()).collect();
    let batch = Batch {
        patient: draft.patient.to_owned(),
        key: draft.key.to_owned(),
        request: draft.request,
        place,
        lines,
        recorded,
        audit: audit(draft.who, draft.what, draft.patient, &draft.detail),
    };
    match store.append(&batch).await? {
        Appended::New => Ok(Recorded { events, head: grown.hash().to_owned(), again: false }),
        Appended::Already(before) => {
            let opened = Opened::read(store, draft.patient, None).await?;
            again(&before, draft.patient, &batch.request, &opened.log)
        }
        Appended::Stale => {
            // Two tries with one key at once end here too: the other one stored it.
            if let Some(before) = store.recording(&batch.key).await? {
                let opened = Opened::read(store, draft.patient, None).await?;
                return again(&before, draft.patient, &batch.request, &opened.log);
            }
            let opened = Opened::read(store, draft.patient, None).await;
            let problem = opened.ok().and_then(|o| stale(&o.log, ""));
            Err(problem.unwrap_or_else(|| {
                Problem::new(
                    StatusCode::CONFLICT,
                    "stale",
                    "the course has changed: nothing was recorded",
                )
            }))
        }
    }
}

/// A course that begins.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// Chosen by the sender: sent again, it is recorded once.
    pub key: String,
    /// Identifier of the patient: letters, digits and - _ . (64 at most), never a name.
    pub patient: String,
    /// A protocol that comes with the program.
    pub protocol: String,
    /// Its dose variant; may be chosen later.
    #[serde(default)]
    pub variant: Option<String>,
    /// First day of cycle 1, ISO 8601.
    #[schema(value_type = String)]
    pub c1d1: Date,
    /// Centre of the patient; may be left out by who works at one only.
    #[serde(default)]
    pub centre: Option<String>,
}

/// Begins a course.
///
/// # Errors
/// When the identifier, protocol or variant cannot be, or there is a course of this patient.
pub async fn begin(store: &dyn Store, who: &str, b: &Beginning) -> Result<Recorded, Problem> {
    check_texts(&b.key, None)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let patient = b.patient.trim();
    if patient.is_empty() || patient.len() > 64 || !patient.chars().all(plain) {
        return Err(Problem::refused(format!(
            "patient {}: expected an identifier of letters, digits and - _ . (64 at most), never a name",
            b.patient
        )));
    }
    // Only what comes with the program: a path would be read from this machine.
    if !hepatica_regimen::Protocol::shipped().any(|p| p == b.protocol) {
        let known: Vec<_> = hepatica_regimen::Protocol::shipped().collect();
        return Err(Problem::refused(format!(
            "no protocol is named `{}`; there are: {}",
            b.protocol,
            known.join(", ")
        )));
    }
    let source = Source::named(&b.protocol).map_err(|e| Problem::refused(e.to_string()))?;
    let variants: Vec<_> = source.protocol.variant.iter().map(|v| v.id.as_str()).collect();
    if let Some(v) = b.variant.as_deref().filter(|v| !variants.contains(v)) {
        return Err(Problem::refused(format!(
            "variant {v}: {} has {}",
            source.protocol.id,
            if variants.is_empty() { "none".to_owned() } else { variants.join(", ") }
        )));
    }
    let request = digest(b)?;
    if let Some(before) = store.recording(&b.key).await? {
        let opened = Opened::read(store, patient, None).await?;
        return again(&before, patient, &request, &opened.log);
    }
    let now = Timestamp::now();
    let fact =
        Fact::Begin { protocol: Pinned::from(&source), variant: b.variant.clone(), c1d1: b.c1d1 };
    let event = Event {
        patient: patient.to_owned(),
        on: b.c1d1,
        at: None,
        recorded: now,
        by: who.to_owned(),
        why: None,
        fact,
    };
    let detail = format!("begins on {} {}", source.protocol.id, b.c1d1);
    // The log is that of a file that is never written.
    let name = format!("the course of {patient}");
    let log = Log::begin(Path::new(&name), event).map_err(crate::store::StoreError::from)?;
    let draft = Draft { who, patient, key: &b.key, request, what: "record", detail };
    let recorded = import_lines(store, &log, draft, now).await;
    match recorded {
        Err(p) if p.code == "stale" => Err(Problem::new(
            StatusCode::CONFLICT,
            "exists",
            format!(
                "there is a course of patient {patient}: nothing was recorded; open it, or choose another identifier"
            ),
        )),
        other => other,
    }
}

/// Takes a whole course over: the text of a course file, its chain of hashes checked.
///
/// # Errors
/// When it is none, was tampered with, or there is a course of this patient.
pub async fn import(
    store: &dyn Store,
    who: &str,
    text: String,
) -> Result<(String, Recorded), Problem> {
    let opened =
        Opened::parse("the file", text, None).map_err(|e| Problem::refused(e.to_string()))?;
    let patient = opened.course()?.patient.to_owned();
    let key = format!("import {}", opened.log.hash());
    let request = digest(&opened.log.hash())?;
    let detail = format!("course file of {} events taken over", opened.log.events().len());
    let draft = Draft { who, patient: &patient, key: &key, request, what: "import", detail };
    let recorded = import_lines(store, &opened.log, draft, Timestamp::now()).await?;
    Ok((patient, recorded))
}

async fn import_lines(
    store: &dyn Store,
    log: &Log,
    draft: Draft<'_>,
    now: Timestamp,
) -> Result<Recorded, Problem> {
    let lines = lines_of(log)?;
    commit(store, draft, 0, lines, log, now).await
}
