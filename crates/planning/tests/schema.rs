//! The published JSON Schema of `plan.json` is that of the code.

use hepatica_planning::Plan;
use std::path::Path;

/// Set it to write the schema anew after a change of the format.
const UPDATE: &str = "HEPATICA_UPDATE_SCHEMA";

#[test]
fn the_published_schema_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/plan.schema.json");
    let schema = schemars::schema_for!(Plan);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).expect("docs/schema can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "run the tests once with {UPDATE}=1 and look at the difference");
}

#[test]
fn the_schema_is_a_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(Plan)).expect("a schema is JSON");
    assert!(jsonschema::meta::is_valid(&schema));
}
