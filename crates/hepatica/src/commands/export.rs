//! `hepatica export`

use super::{CommandError, course, import::Place};
use crate::term;
use clap::ValueHint;
use hepatica_workbench::site;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica export site.zip                     courses, audit trail, plans, verifications and images of the user's data folder
  hepatica export backup.zip --data /srv/hepatica --without-cases
  hepatica export site.zip --database postgres://hepatica@localhost/hepatica --data /srv/hepatica

The workbench may run meanwhile: what is exported is the site as of one moment. FILE is there whole or not at all;
`hepatica import` takes it. It holds everything of all patients and is not encrypted: keep it like the store itself.")]
pub struct Args {
    /// File to write, not there yet
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Leave the images (cases and scans) out: they can be sent again
    #[arg(long)]
    without_cases: bool,
    /// Who exports; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let by = course::recorder(args.by.clone())?;
    let done = site::export_now(&args.place.site()?, &args.file, !args.without_cases, &by)?;
    for what in &done.left_out {
        anstream::eprintln!("warning: left out: {what}");
    }
    if !args.quiet {
        super::import::say("exported", &done);
        anstream::println!("{}written{} {}", term::DIM, term::RESET, args.file.display());
    }
    Ok(true)
}
