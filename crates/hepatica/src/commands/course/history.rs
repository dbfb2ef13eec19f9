//! `hepatica course history`

use super::CommandError;
use crate::term;
use clap::ValueHint;
use hepatica_regimen::Fact;
use hepatica_regimen::log::Log;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course history P001.course
  hepatica course history P001.course --json | jq '.events[].event.fact.kind'

Every line of the file is bound to the one before it. What was changed, removed or cut off is an
error that names the line.")]
pub struct Args {
    /// The course file
    #[arg(value_hint = ValueHint::FilePath)]
    course: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let log = Log::read(&args.course, Timestamp::now())?;
    let corrected: BTreeSet<_> = log
        .events()
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::Correction { of, .. } => Some(of),
            _ => None,
        })
        .collect();
    if args.json {
        let events: Vec<_> = log
            .entries()
            .map(|(id, e)| json!({ "id": id, "corrected": corrected.contains(id), "event": e }))
            .collect();
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({ "hash": log.hash(), "events": events }))?
        );
        return Ok(true);
    }
    let mut rows =
        vec![["id", "on", "what", "", "recorded (UTC)", "by"].map(str::to_owned).to_vec()];
    for (id, e) in log.entries() {
        let mut what = e.fact.summary();
        if let Some(why) = &e.why {
            what = format!("{what} ({why})");
        }
        if corrected.contains(id) {
            what = format!("{what} [corrected later]");
        }
        let recorded = e.recorded.strftime("%Y-%m-%d %H:%M").to_string();
        let (kind, by) = (e.fact.kind().to_owned(), e.by.clone());
        rows.push(vec![id.to_string(), e.on.to_string(), kind, what, recorded, by]);
    }
    term::print_table(&rows);
    anstream::println!(
        "{}whole: {} events, hash {}{}",
        term::DIM,
        rows.len() - 1,
        &log.hash()[..16],
        term::RESET
    );
    Ok(true)
}
