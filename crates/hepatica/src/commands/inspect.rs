//! `hepatica inspect PATH`

use super::CommandError;
use crate::term;
use clap::ValueHint;
use hepatica_imaging::inventory::{self, Inventory};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica inspect CASE
  hepatica inspect scan.nii.gz
  hepatica inspect CASE --json | jq '.series[].problems'")]
pub struct Args {
    /// A file, or a folder with all folders in it
    #[arg(value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let inventory = inventory::scan(&args.path)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&inventory)?);
    } else {
        show(&inventory);
    }
    Ok(true)
}

fn show(inventory: &Inventory) {
    let mut rows = vec![
        ["role", "modality", "description", "patient", "files", "geometry"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for s in &inventory.series {
        rows.push(vec![
            s.role.to_string(),
            s.modality.clone(),
            s.description.clone(),
            s.patient_id.clone().unwrap_or_default(),
            s.files.len().to_string(),
            s.geometry.clone(),
        ]);
    }
    let mut lines = term::table(&rows).into_iter();
    if let Some(head) = lines.next() {
        anstream::println!("{}{head}{}", term::HEAD, term::RESET);
    }
    for (line, series) in lines.zip(&inventory.series) {
        anstream::println!("{line}");
        for problem in &series.problems {
            anstream::println!("  {}problem{}  {problem}", term::ERROR, term::RESET);
        }
    }
    for problem in &inventory.problems {
        anstream::println!("{}problem{}  {problem}", term::ERROR, term::RESET);
    }
}
