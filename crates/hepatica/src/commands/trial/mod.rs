//! `hepatica trial`: a trial as a whole. One file a subcommand.

mod analyze;
mod monitor;

use super::CommandError;
use crate::progress::Progress;
use clap::{Subcommand, ValueHint};
use hepatica_analysis::{Said, Trial};
use hepatica_regimen::ctcae::Version;
use hepatica_regimen::{Calendar, Protocol};
use jiff::{Timestamp, ZonedDateTime};
use std::path::PathBuf;

/// The protocol where none is named.
const USUAL: &str = "captemy90";

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hepatica trial monitor DATA --protocol captemy90
  hepatica trial analyze DATA --out analysis/

DATA is a folder of tables (adsl.csv, adtte.csv, ...: docs/trial-data.md) or of course files.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how the trial stands: accrual, feasibility, toxicity, stopping boundary, response, who is due
    Monitor(Box<monitor::Args>),
    /// Analyse the trial: report (PDF), figures, and every number as JSON
    Analyze(analyze::Args),
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    match &args.command {
        Command::Monitor(args) => monitor::run(args),
        Command::Analyze(args) => analyze::run(args),
    }
}

/// Which data, and what they do not say themselves.
#[derive(Debug, clap::Args)]
struct Source {
    /// Folder of tables (adsl.csv, ...) or of .course files (in folders of centres, if there are several)
    #[arg(value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Protocol: a name (`hepatica protocol list`) or a file [default: that of the courses, else
    /// captemy90; which one is said]
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
    /// The day the data were cut [default: DCUTDT of ADSL, else the last day in the tables; of courses today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<String>,
    /// Version of CTCAE, where the tables do not say
    #[arg(long, value_name = "5|6", value_parser = clap::value_parser!(u8).range(5..=6))]
    ctcae: Option<u8>,
    /// Level of all intervals [default: 0.95]
    #[arg(long, value_name = "FRACTION")]
    level: Option<f64>,
    /// Days after a session that are put down to it [default: 90]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    session_days: Option<u32>,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

impl Source {
    /// The trial, the protocol, and where that is from.
    fn load(&self, progress: &Progress) -> Result<(Trial, Protocol, &'static str), CommandError> {
        let named = self.protocol.as_deref().map(Protocol::named).transpose()?;
        let version = |n: u8| Version::try_from(n);
        let said = Said {
            on: self.on.as_deref().map(Calendar::parse_date).transpose()?,
            ctcae: self.ctcae.map(version).transpose()?,
            protocol_ctcae: named.as_ref().map(|p| version(p.ctcae)).transpose()?,
        };
        let today = ZonedDateTime::now().date();
        let at = |what: &str, done: f64| progress.at(what, 0.6 * done);
        let trial = hepatica_analysis::load(&self.data, said, today, Timestamp::now(), &at)?;
        let (protocol, from) = match (named, &trial.protocol) {
            (Some(named), _) => (named, "given"),
            (None, Some(own)) => (own.clone(), "data"),
            (None, None) => (Protocol::named(USUAL)?, "assumed"),
        };
        Ok((trial, protocol, from))
    }
}
