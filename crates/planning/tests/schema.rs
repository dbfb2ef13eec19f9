//! The published JSON Schemas of `plan.json` and `verify.json` are those of the code.

use hepatica_planning::{Plan, Verification};
use schemars::{JsonSchema, schema_for};
use std::path::Path;

/// Set it to write the schemas anew after a change of a format.
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
    is_published::<Plan>("plan.schema.json");
    is_published::<Verification>("verify.schema.json");
}
