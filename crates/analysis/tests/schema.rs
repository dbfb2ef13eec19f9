//! The published schemas are those of the code.

use hepatica_analysis::{Analysis, Monitor};
use schemars::schema_for;
use std::path::Path;

/// Set it to write the schemas anew after a change of the format.
const UPDATE: &str = "HEPATICA_UPDATE_SCHEMA";

#[test]
fn the_published_schemas_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    for (name, schema) in [("analysis", schema_for!(Analysis)), ("monitor", schema_for!(Monitor))] {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &text).expect("written");
        }
        let published = std::fs::read_to_string(&path).expect("published");
        assert!(
            published == text,
            "{name}: set {UPDATE}=1 to write it anew, and look at the difference"
        );
    }
}
