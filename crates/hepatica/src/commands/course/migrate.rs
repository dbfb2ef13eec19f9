//! `hepatica course migrate`

use super::{CommandError, Opened, recorder};
use crate::term;
use clap::ValueHint;
use hepatica_regimen::event::Pinned;
use hepatica_regimen::log::{Lock, Log};
use hepatica_regimen::protocol::{Source, diff};
use hepatica_regimen::{Event, Fact};
use jiff::{Timestamp, ZonedDateTime};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course migrate P001.course --protocol captemy90 --why 'amendment 3' --dry-run
  hepatica course migrate P001.course --protocol captemy90 --why 'amendment 3'")]
pub struct Args {
    /// The course file
    #[arg(value_hint = ValueHint::FilePath)]
    course: PathBuf,
    /// The protocol to go on with: a shipped name or a file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who records this; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let lock = Lock::take(&args.course)?;
    let opened = Opened::read(&args.course, None, None)?;
    let source = Source::named(&args.protocol)?;
    let patient = opened.course()?.patient.to_owned();
    let differences = diff::diff(&opened.protocol, &source.protocol);
    for d in &differences {
        anstream::println!("{d}");
    }
    if opened.course()?.protocol.sha256 == source.sha256() {
        anstream::println!("the course is on this version already");
        return Ok(true);
    }
    if args.dry_run {
        return Ok(true);
    }
    let by = recorder(args.by.clone())?;
    let mut log: Log = opened.log.clone();
    let id = log.append(Event {
        patient,
        on: ZonedDateTime::now().date(),
        at: None,
        recorded: Timestamp::now(),
        by,
        why: Some(args.why.clone()),
        fact: Fact::Migration { protocol: Pinned::from(&source) },
    })?;
    log.write()?;
    drop(lock);
    anstream::println!(
        "{}recorded{} {id}: on {} version {} from now on",
        term::DIM,
        term::RESET,
        source.protocol.id,
        source.protocol.version
    );
    Ok(true)
}
