//! The published JSON Schemas are those of the code, and what is shipped fits them.

use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Agenda, Event, Protocol};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use std::path::Path;

mod clinic;

/// Set it to write the schemas anew after a change of the formats.
const UPDATE: &str = "HEPATICA_UPDATE_SCHEMA";

fn is_published<T: JsonSchema>(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(name);
    let schema = schema_for!(T);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).expect("docs/schema can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "{name}: run the tests once with {UPDATE}=1 and look at the difference"
    );
    assert!(jsonschema::meta::is_valid(&serde_json::to_value(schema).expect("JSON")), "{name}");
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    is_published::<Protocol>("protocol.schema.json");
    is_published::<Event>("course-event.schema.json");
    is_published::<Agenda>("agenda.schema.json");
}

/// That a value fits the schema of its type.
#[track_caller]
fn fits<T: JsonSchema>(value: &Value) {
    let schema = serde_json::to_value(schema_for!(T)).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn the_shipped_protocols_fit_as_they_are_written() {
    for name in Protocol::shipped() {
        let text = Source::named(name).expect("shipped").text;
        let written: toml::Table = toml::from_str(&text).expect("TOML");
        fits::<Protocol>(&serde_json::to_value(written).expect("JSON"));
    }
}

#[test]
fn what_is_recorded_and_answered_fits() {
    let mut c = clinic::Clinic::new("captemy90", Some("g3-2024"), "2026-12-02");
    c.good_labs("2026-12-30");
    c.toxicity("2026-12-05", "diarrhoea", 2);
    c.doses("2026-12-02", "2026-12-15", "capecitabine", true);
    c.simulation("2026-12-16", "resin");
    c.session("2027-01-05", "session-1");
    c.scan("2026-11-25", 50.0);
    for (_, event) in &c.events {
        fits::<Event>(&serde_json::to_value(event).expect("JSON"));
    }
    fits::<Agenda>(&serde_json::to_value(c.agenda("2027-01-06")).expect("JSON"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let schema = serde_json::to_value(schema_for!(Protocol)).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let text = Source::named("captem").expect("shipped").text;
    let slip = text.replacen("times_a_day", "time_a_day", 1);
    let written: toml::Table = toml::from_str(&slip).expect("TOML");
    assert!(!validator.is_valid(&serde_json::to_value(written).expect("JSON")));
}
