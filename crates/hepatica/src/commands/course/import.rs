//! `hepatica course import`

use super::{CommandError, user};
use crate::output::OutputFolder;
use crate::term;
use clap::ValueHint;
use hepatica_exchange::redcap::{self, Import};
use hepatica_regimen::log::Log;
use hepatica_regimen::protocol::Source;
use jiff::Timestamp;
use std::path::PathBuf;

/// Most bytes a file may have.
const MAX_BYTES: u64 = 64 << 20;
/// Faults that are named before the rest is counted.
const FEW: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course import export.csv --protocol captemy90 --out courses/

Reads records that REDCap exported as CSV (raw values) of the dictionary that `hepatica protocol export
--format redcap` wrote: a course file for each patient. Every bad cell is named, and then nothing is written.")]
pub struct Args {
    /// The export
    #[arg(value_hint = ValueHint::FilePath)]
    records: PathBuf,
    /// Protocol of the courses: a shipped name or a file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: String,
    /// Folder for the course files; it must be new or empty
    #[arg(long, value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Who imports; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Values that are unlikely are right
    #[arg(long)]
    confirm: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let source = Source::named(&args.protocol)?;
    let shown = args.records.display().to_string();
    let unread = |e: std::io::Error| CommandError::Usage(format!("{shown}: cannot be read ({e})"));
    let length = std::fs::metadata(&args.records).map_err(unread)?.len();
    if length > MAX_BYTES {
        return Err(CommandError::Usage(format!(
            "{shown}: {length} bytes, expected at most {MAX_BYTES}; export fewer records at a time"
        )));
    }
    let bytes = std::fs::read(&args.records).map_err(unread)?;
    let by = args.by.clone().or_else(user).ok_or_else(|| {
        CommandError::Usage("who imports is not known: say it with --by".to_owned())
    })?;
    let import = Import { file: &shown, source: &source, now: Timestamp::now(), by: &by };
    let imported = redcap::read(&bytes, &import).map_err(|bad| {
        for e in bad.iter().take(FEW) {
            anstream::eprintln!("  {e}");
        }
        CommandError::Usage(format!(
            "{shown}: {} cells cannot be read; nothing was written",
            bad.len()
        ))
    })?;
    if !imported.doubts.is_empty() && !args.confirm {
        for doubt in imported.doubts.iter().take(FEW) {
            anstream::eprintln!("  {doubt}");
        }
        return Err(CommandError::Usage(format!(
            "{shown}: {} values are unlikely; if they are right say --confirm",
            imported.doubts.len()
        )));
    }
    let folder = OutputFolder::begin(&args.out, &|_| false)?;
    for (patient, events) in &imported.events {
        let name = patient.replace('/', "_") + ".course";
        let path = folder.path().join(name);
        let mut all = events.iter();
        let Some(first) = all.next() else { continue };
        let mut log = Log::begin(&path, first.clone())?;
        for event in all {
            log.append(event.clone())?;
        }
        log.write()?;
    }
    let place = folder.finish()?;
    for column in &imported.not_read {
        anstream::eprintln!("{}not read{} column {column}", term::HEAD, term::RESET);
    }
    anstream::println!(
        "{}written{} {}: {} courses",
        term::DIM,
        term::RESET,
        place.display(),
        imported.events.len()
    );
    Ok(true)
}
