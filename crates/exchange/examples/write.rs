//! Writes every shipped protocol and a made-up course in every format to a folder: what other
//! programs are asked about (`tests/interop`).
//!
//!     cargo run -p hepatica-exchange --example write -- FOLDER

#[path = "../tests/sample/mod.rs"]
mod sample;

use hepatica_exchange::{Stamp, fhir, ical, usdm};
use hepatica_regimen::Protocol;
use serde_json::Value;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::args_os().nth(1) else {
        return Err("usage: write FOLDER".into());
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let json = |name: String, value: &Value| -> Result<(), Box<dyn std::error::Error>> {
        Ok(std::fs::write(folder.join(name), serde_json::to_string_pretty(value)? + "\n")?)
    };
    for name in Protocol::shipped() {
        let protocol = Protocol::named(name)?;
        json(format!("{name}.plandefinition.json"), &fhir::plan_definition(&protocol, None)?)?;
        json(format!("{name}.usdm.json"), &usdm::study(&protocol, None)?)?;
    }
    let source = sample::source("captemy90");
    let events = sample::events(&source);
    let stamp = Stamp::of(events.iter().map(|(id, e)| (id, e)), None);
    let (course, state, agenda) = sample::look(&source.protocol, &events, sample::TODAY);
    let protocol = &source.protocol;
    json("course.fhir.json".to_owned(), &fhir::bundle(protocol, &course, &state, &agenda, stamp)?)?;
    let calendar = ical::course(protocol, &course, &state, &agenda, stamp);
    std::fs::write(folder.join("course.ics"), calendar)?;
    // Nothing has happened yet: three whole cycles are foreseen.
    let begun = &events[..5];
    let stamp = Stamp::of(begun.iter().map(|(id, e)| (id, e)), None);
    let (course, state, agenda) = sample::look(protocol, begun, "2026-11-26");
    let calendar = ical::course(protocol, &course, &state, &agenda, stamp);
    std::fs::write(folder.join("foreseen.ics"), calendar)?;
    Ok(())
}
