//! The made-up course in every format: the same bytes, nobody's name, references that lead somewhere.

mod sample;

use hepatica_exchange::{ExchangeError, Stamp, fhir, ical, usdm};
use hepatica_regimen::{Event, EventId, Protocol};
use serde_json::Value;
use std::collections::BTreeSet;

fn calendar(protocol: &Protocol, events: &[(EventId, Event)], today: &str) -> String {
    let (course, state, agenda) = sample::look(protocol, events, today);
    let stamp = Stamp::of(events.iter().map(|(id, e)| (id, e)), None);
    ical::course(protocol, &course, &state, &agenda, stamp)
}

fn bundle(protocol: &Protocol, events: &[(EventId, Event)]) -> Value {
    let (course, state, agenda) = sample::look(protocol, events, sample::TODAY);
    let stamp = Stamp::of(events.iter().map(|(id, e)| (id, e)), None);
    fhir::bundle(protocol, &course, &state, &agenda, stamp).expect("a small course")
}

/// Lines as they were before folding.
fn unfolded(calendar: &str) -> String {
    calendar.replace("\r\n ", "")
}

fn uids(calendar: &str) -> BTreeSet<String> {
    unfolded(calendar).lines().filter(|l| l.starts_with("UID:")).map(str::to_owned).collect()
}

fn sequence(calendar: &str) -> i64 {
    let calendar = unfolded(calendar);
    let line = calendar.lines().find(|l| l.starts_with("SEQUENCE:")).expect("a sequence");
    line["SEQUENCE:".len()..].parse().expect("a number")
}

#[test]
fn a_calendar_is_well_formed_and_says_nothing_of_the_patient() {
    let source = sample::source("captemy90");
    let events = sample::events(&source);
    let text = calendar(&source.protocol, &events, sample::TODAY);
    assert_eq!(text, calendar(&source.protocol, &events, sample::TODAY));
    for line in text.split("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
    }
    let flat = unfolded(&text);
    for secret in [sample::PATIENT, "Example", "travelling", "nausea", "right lobe", "1960"] {
        assert!(!flat.contains(secret), "{secret}");
    }
    let events_in = flat.matches("BEGIN:VEVENT").count();
    assert_eq!(flat.matches("Research use only.").count(), events_in);
    assert!(flat.contains("SUMMARY:Radioembolization 1 (cycle 2)"));
    assert!(flat.contains("TRIGGER;RELATED=START:-PT54000S"), "{flat}");
}

#[test]
fn an_event_keeps_its_identifier_and_a_later_calendar_has_a_higher_sequence() {
    let source = sample::source("captemy90");
    let events = sample::events(&source);
    let before = calendar(&source.protocol, &events[..5], "2026-11-26");
    let day_later = calendar(&source.protocol, &events[..5], "2026-11-27");
    assert!(sequence(&day_later) > sequence(&before));
    // A value that is taken back leaves no trace in the course, and yet counts.
    let with = calendar(&source.protocol, &events[..14], sample::TODAY);
    let more = calendar(&source.protocol, &events, sample::TODAY);
    assert!(sequence(&more) > sequence(&with));
    let (a, b) = (uids(&before), uids(&more));
    assert!(a.intersection(&b).count() > 20, "{} of {}", a.intersection(&b).count(), a.len());
}

#[test]
fn a_bundle_refers_to_nothing_outside_it() {
    let source = sample::source("captemy90");
    let events = sample::events(&source);
    let bundle = bundle(&source.protocol, &events);
    let mut here = BTreeSet::new();
    for entry in bundle["entry"].as_array().expect("entries") {
        let r = &entry["resource"];
        let name = format!("{}/{}", r["resourceType"], r["id"]).replace('"', "");
        assert!(entry["fullUrl"].as_str().is_some_and(|u| u.ends_with(&name)), "{name}");
        assert!(here.insert(name.clone()), "{name} is there twice");
    }
    let mut there = Vec::new();
    references(&bundle, &mut there);
    assert!(there.len() > 50);
    for reference in there {
        assert!(here.contains(&reference), "{reference} is not in the bundle");
    }
    let text = bundle.to_string();
    // Grades with their version; a correction in place of what it corrects; what a person typed
    // as text.
    assert!(text.contains("CTCAE v5"));
    assert!(text.contains("142") && !text.contains("14.2"));
    assert!(text.contains(r#"<b>\"call\"</b>"#));
    for kind in [
        "Patient",
        "CarePlan",
        "ResearchStudy",
        "ResearchSubject",
        "PlanDefinition",
        "Medication",
        "MedicationRequest",
        "MedicationStatement",
        "Procedure",
        "Observation",
        "AdverseEvent",
    ] {
        assert!(here.iter().any(|n| n.starts_with(&format!("{kind}/"))), "{kind}");
    }
}

fn references(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            all.extend(fields.get("reference").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|v| references(v, all));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, all)),
        _ => {}
    }
}

#[test]
fn actions_refer_to_actions() {
    for name in Protocol::shipped() {
        let protocol = Protocol::named(name).expect("shipped");
        let plan = fhir::plan_definition(&protocol, None).expect("a small protocol");
        let (mut ids, mut to) = (BTreeSet::new(), Vec::new());
        actions(&plan["action"], &mut ids, &mut to);
        assert!(!ids.is_empty());
        for id in to {
            assert!(ids.contains(&id), "{name}: {id}");
        }
    }
}

fn actions(value: &Value, ids: &mut BTreeSet<String>, to: &mut Vec<String>) {
    for action in value.as_array().into_iter().flatten() {
        let id = action["id"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} is there twice");
        let related = action["relatedAction"].as_array().into_iter().flatten();
        to.extend(related.filter_map(|r| r["actionId"].as_str()).map(str::to_owned));
        actions(&action["action"], ids, to);
    }
}

#[test]
fn a_study_names_everything_once_and_has_one_anchor() {
    for name in Protocol::shipped() {
        let protocol = Protocol::named(name).expect("shipped");
        let study = usdm::study(&protocol, None).expect("a small protocol");
        let mut ids = Vec::new();
        identifiers(&study, &mut ids);
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{name}");
        let design = &study["study"]["versions"][0]["studyDesigns"][0];
        let timings = design["scheduleTimelines"][0]["timings"].as_array().expect("timings");
        let fixed = |t: &&Value| t["type"]["code"] == "C201358";
        assert_eq!(timings.iter().filter(fixed).count(), 1, "{name}");
        for t in timings.iter().filter(|t| !fixed(t)) {
            assert_eq!(t["type"]["code"], "C201356", "{name}");
            assert_eq!(t["windowLower"].is_null(), t["windowUpper"].is_null(), "{name}");
        }
    }
}

fn identifiers(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("instanceType") {
                all.extend(fields.get("id").and_then(Value::as_str).map(str::to_owned));
            }
            fields.values().for_each(|v| identifiers(v, all));
        }
        Value::Array(items) => items.iter().for_each(|v| identifiers(v, all)),
        _ => {}
    }
}

#[test]
fn cycles_are_the_protocols_or_as_many_as_are_asked_for() {
    let protocol = Protocol::named("captemy90").expect("shipped");
    let cycles = |n| {
        let plan = fhir::plan_definition(&protocol, n).expect("a small protocol");
        let all = plan["action"].as_array().expect("actions").clone();
        all.iter().filter(|a| a["title"].as_str().is_some_and(|t| t.starts_with("Cycle"))).count()
    };
    assert_eq!((cycles(None), cycles(Some(9)), cycles(Some(1))), (6, 9, 4), "4 are named");
}

#[test]
fn a_schedule_without_end_is_refused() {
    let mut protocol = Protocol::named("captemy90").expect("shipped");
    let scan = protocol.assessment.iter_mut().find(|a| a.id == "scan").expect("a scan");
    scan.when = vec![scan.when[0].clone(); 40];
    scan.when.iter_mut().for_each(|t| t.every_days = Some(1));
    let error = usdm::study(&protocol, Some(200)).expect_err("224 000 scans");
    assert!(matches!(error, ExchangeError::TooMany { .. }));
    assert!(error.to_string().contains("every_days"), "{error}");
}

/// Golden files are written anew with `UPDATE_GOLDEN=1`; look at what changed before committing it.
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("a folder to write to");
    }
    let kept = std::fs::read_to_string(&path).expect("a golden file");
    assert!(kept == text, "{name} is not as it was; UPDATE_GOLDEN=1 writes it anew");
}

/// A small protocol: one drug, one procedure, one gate, two cycles.
const SMALL: &str = include_str!("sample/small.toml");

#[test]
fn a_small_protocol_and_course_are_written_as_they_were() {
    let protocol = Protocol::parse(SMALL, "small.toml").expect("a protocol");
    let source = hepatica_regimen::protocol::Source { protocol, text: SMALL.to_owned() };
    let events = sample::small_events(&source);
    let pretty = |v: &Value| serde_json::to_string_pretty(v).expect("JSON") + "\n";
    let plan = fhir::plan_definition(&source.protocol, None).expect("small");
    golden("small.plandefinition.json", &pretty(&plan));
    let study = usdm::study(&source.protocol, None).expect("small");
    golden("small.usdm.json", &pretty(&study).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    let (course, state, agenda) = sample::look(&source.protocol, &events, "2027-02-03");
    let stamp = Stamp::of(events.iter().map(|(id, e)| (id, e)), None);
    let bundle = fhir::bundle(&source.protocol, &course, &state, &agenda, stamp).expect("small");
    golden("small.fhir.json", &pretty(&bundle));
    let calendar = ical::course(&source.protocol, &course, &state, &agenda, stamp);
    golden("small.ics", &calendar);
}
