//! `hepatica course new`

use super::{CommandError, recorder};
use crate::term;
use clap::ValueHint;
use hepatica_regimen::event::Pinned;
use hepatica_regimen::log::Log;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Calendar, Event, Fact};
use jiff::Timestamp;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course new --protocol captemy90 --patient P001 --c1d1 2026-12-02 --out P001.course
  hepatica course new --protocol captemy90 --variant g3-2024 --patient P002 --c1d1 2027-02-03 \\
      --out P002.course --by 'study nurse'

A course file holds the protocol as it is now, and goes on with that one when the protocol changes.")]
pub struct Args {
    /// Protocol: a shipped name (`hepatica protocol list`) or a file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: String,
    /// Dose variant of the protocol; may be chosen later
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// Identifier of the patient; never a name
    #[arg(long, value_name = "ID")]
    patient: String,
    /// First day of the first cycle
    #[arg(long, value_name = "YYYY-MM-DD")]
    c1d1: String,
    /// The course file to write
    #[arg(long, value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Who records this; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let source = Source::named(&args.protocol)?;
    let c1d1 = Calendar::parse_date(&args.c1d1)?;
    let patient = args.patient.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if patient.is_empty() || patient.len() > 64 || !patient.chars().all(plain) {
        return Err(CommandError::Usage(format!(
            "--patient {}: expected an identifier of letters, digits and - _ . / (64 at most), never a name",
            args.patient
        )));
    }
    let protocol = &source.protocol;
    let variants: Vec<_> = protocol.variant.iter().map(|v| v.id.as_str()).collect();
    if let Some(v) = args.variant.as_deref().filter(|v| !variants.contains(v)) {
        return Err(CommandError::Usage(format!(
            "--variant {v}: {} has {}",
            protocol.id,
            if variants.is_empty() { "none".to_owned() } else { variants.join(", ") }
        )));
    }
    let by = recorder(args.by.clone())?;
    let pinned = Pinned::from(&source);
    let sha256 = pinned.sha256.clone();
    let fact = Fact::Begin { protocol: pinned, variant: args.variant.clone(), c1d1 };
    let event = Event {
        patient: patient.to_owned(),
        on: c1d1,
        at: None,
        recorded: Timestamp::now(),
        by,
        why: None,
        fact,
    };
    Log::begin(&args.out, event)?.write()?;
    if args.quiet {
        return Ok(true);
    }
    let (head, reset) = (term::HEAD, term::RESET);
    anstream::println!(
        "{head}{patient}{reset} on {} version {}, C1D1 {}",
        protocol.name,
        protocol.version,
        hepatica_regimen::site::named_date(c1d1)
    );
    anstream::println!("{}protocol{} sha256 {}", term::DIM, reset, &sha256[..16]);
    anstream::println!("{}course{}   {}", term::DIM, reset, args.out.display());
    if args.variant.is_none() && variants.len() > 1 {
        anstream::println!("No dose variant is chosen yet, so no dose can be said. There are:");
        for v in &protocol.variant {
            anstream::println!("  {}  {}", v.id, v.name);
        }
        anstream::println!(
            "Choose with: hepatica course record {} enrolment --date {} variant={}",
            args.out.display(),
            c1d1,
            variants[0]
        );
    }
    Ok(true)
}
