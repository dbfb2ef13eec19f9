//! Any bytes as a course file; and, of whatever lines are events, the fold, where it stands and what
//! is due on a shipped protocol.
#![no_main]

use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Course, Event, Log, Protocol, State, next};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

static PROTOCOLS: LazyLock<Vec<Protocol>> = LazyLock::new(|| {
    Protocol::shipped().map(|n| Source::named(n).expect("shipped").protocol).collect()
});

fuzz_target!(|text: &str| {
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().expect("an instant");
    // A hash is not guessed: most of what is found is found below.
    let log = Log::parse(Path::new("P001.course"), text.to_owned(), now);
    if let Ok(log) = &log {
        answer(log.entries().map(|(id, e)| (id.clone(), e.clone())).collect());
    }
    // Lines of a log, or events alone.
    let events = text.lines().take(60).filter_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let event = value.get("event").cloned().unwrap_or(value);
        serde_json::from_value::<Event>(event).ok()
    });
    answer(events.map(|e| (e.id(), e)).collect());
});

fn answer(events: Vec<(hepatica_regimen::EventId, Event)>) {
    let Ok(course) = Course::fold(events.iter().map(|(id, e)| (id, e)), None) else { return };
    let last = course.entries.last().map_or(course.c1d1, |e| e.on);
    // One protocol an input, and the end of time for few: it is two hundred cycles.
    let protocol = &PROTOCOLS[events.len() % PROTOCOLS.len()];
    let far = if events.len() % 16 == 15 { Date::MAX } else { last };
    for today in [course.c1d1, last, date(2027, 1, 5), far] {
        let state = State::of(protocol, &course, today, 0);
        let agenda = next(protocol, &course, &state);
        let mut ids: Vec<_> = agenda.obligations.iter().map(|o| &o.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), agenda.obligations.len(), "an obligation twice");
        for o in agenda.obligations.iter().filter(|o| o.done.is_none()) {
            assert!(o.earliest <= o.target && o.target <= o.latest, "{o:?}");
        }
    }
}
