//! `hepatica inspect PATH`

use super::CommandError;
use crate::term;
use clap::ValueHint;
use hepatica_imaging::SpacingPolicy;
use hepatica_imaging::inventory::{Inventory, Series};
use hepatica_imaging::volume::{self, Summary};
use hepatica_planning::look;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica inspect CASE
  hepatica inspect scan.nii.gz
  hepatica inspect CASE --json | jq '.series[].problems'
  hepatica inspect CASE --values --json | jq '.series[].values.sha256'

Problems keep a series from being used; warnings say what is doubtful, and why.")]
pub struct Args {
    /// A file, or a folder with all folders in it
    #[arg(value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    /// Read the pixels too: smallest, largest, sum, checksum and the place of every voxel
    #[arg(long)]
    values: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An inventory with the values of its series.
#[derive(Serialize)]
struct WithValues<'a> {
    series: Vec<SeriesValues<'a>>,
    problems: &'a [String],
    warnings: &'a [String],
    other_files: usize,
}

#[derive(Serialize)]
struct SeriesValues<'a> {
    #[serde(flatten)]
    series: &'a Series,
    values: Option<&'a Summary>,
    /// Why there are none.
    no_values: Option<&'a str>,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let inventory = look::at(&args.path)?;
    let values: Option<Vec<_>> = args.values.then(|| {
        let read = |s| volume::read(s, SpacingPolicy::Refuse).map(|v| Summary::of(&v));
        inventory.series.iter().map(|s| read(s).map_err(|e| e.to_string())).collect()
    });
    match (&values, args.json) {
        (None, true) => println!("{}", serde_json::to_string_pretty(&inventory)?),
        (Some(values), true) => {
            let series = inventory.series.iter().zip(values).map(|(series, v)| SeriesValues {
                series,
                values: v.as_ref().ok(),
                no_values: v.as_ref().err().map(String::as_str),
            });
            let all = WithValues {
                series: series.collect(),
                problems: &inventory.problems,
                warnings: &inventory.warnings,
                other_files: inventory.other_files,
            };
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        (values, false) => show(&inventory, values.as_deref().unwrap_or_default()),
    }
    Ok(true)
}

fn show(inventory: &Inventory, values: &[Result<Summary, String>]) {
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
    for (n, (line, series)) in lines.zip(&inventory.series).enumerate() {
        anstream::println!("{line}");
        match values.get(n) {
            Some(Ok(v)) => anstream::println!(
                "  {}values{}   {} to {} {}, sum {}, sha256 {}",
                term::DIM,
                term::RESET,
                v.min,
                v.max,
                v.unit,
                v.sum,
                v.sha256
            ),
            Some(Err(why)) => {
                anstream::println!("  {}values{}   none: {why}", term::DIM, term::RESET)
            }
            None => {}
        }
        for problem in &series.problems {
            anstream::println!("  {}problem{}  {problem}", term::ERROR, term::RESET);
        }
        for warning in &series.warnings {
            anstream::println!("  {}warning{}  {warning}", term::WARN, term::RESET);
        }
    }
    for problem in &inventory.problems {
        anstream::println!("{}problem{}  {problem}", term::ERROR, term::RESET);
    }
    for warning in &inventory.warnings {
        anstream::println!("{}warning{}  {warning}", term::WARN, term::RESET);
    }
}
