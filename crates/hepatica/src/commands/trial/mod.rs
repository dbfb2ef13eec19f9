//! `hepatica trial`: a trial as a whole. One file a subcommand.

mod analyze;
mod calibrate;
mod cluster;
mod compare;
mod design;
mod monitor;
mod options;
mod shown;
mod simulate;
mod timing;
mod work;

use super::CommandError;
use crate::output::{OutputError, OutputFolder};
use crate::progress::Progress;
use crate::term;
use clap::{Subcommand, ValueHint};
use hepatica_analysis::{Said, Trial};
use hepatica_regimen::ctcae::Version;
use hepatica_regimen::{Calendar, Protocol};
use hepatica_report::simulation;
use hepatica_trial::results::{Results, Unit};
use hepatica_trial::sweep::Scenario;
use jiff::{Timestamp, ZonedDateTime};
use std::path::{Path, PathBuf};

/// The protocol where none is named.
const USUAL: &str = "captemy90";

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hepatica trial simulate captemy90 --patients 100000 --seed 7 --out sim/
  hepatica trial compare captem tare captemy90 --patients 100000 --out compare/
  hepatica trial timing captemy90 --days 1..14 --out timing/
  hepatica trial design --endpoint hepatic-pfs --null 12.2 --alternative 18 --alpha 0.05 --power 0.8
  hepatica trial monitor DATA --protocol captemy90
  hepatica trial analyze DATA --out analysis/

DATA is a folder of tables (adsl.csv, adtte.csv, ...: docs/trial-data.md) or of course files.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run virtual patients through a protocol
    Simulate(Box<simulate::Args>),
    /// Hold a combination against either therapy alone, in the same virtual patients
    Compare(Box<compare::Args>),
    /// Ask which day of the cycle is best for the spheres
    Timing(Box<timing::Args>),
    /// Learn a population from published results of either therapy alone
    Calibrate(Box<calibrate::Args>),
    /// Plan how many patients, and say what else would also win
    Design(Box<design::Args>),
    /// Say how the trial stands: accrual, feasibility, toxicity, stopping boundary, response, who is due
    Monitor(Box<monitor::Args>),
    /// Analyse the trial: report (PDF), figures, and every number as JSON
    Analyze(analyze::Args),
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    match &args.command {
        Command::Simulate(args) => simulate::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Timing(args) => timing::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Design(args) => design::run(args),
        Command::Monitor(args) => monitor::run(args),
        Command::Analyze(args) => analyze::run(args),
    }
}

/// What a simulating command may have left in a folder, which is replaced.
const OURS: [&str; 11] = [
    "simulation.json",
    "timing.json",
    "timing.csv",
    "calibration.json",
    "posterior.csv",
    "design.json",
    "numbers.csv",
    "scenario.json",
    "report.pdf",
    "figures",
    "patients",
];

/// Everything a simulation says, as it is written.
fn json(scenario: &Scenario, results: &Results) -> serde_json::Value {
    serde_json::json!({
        "schema": 1,
        "software": format!("hepatica {}", env!("CARGO_PKG_VERSION")),
        "seed": scenario.seed,
        "draws": scenario.draws,
        "patients": scenario.patients,
        "horizon_days": scenario.horizon,
        "setting": scenario.setting,
        "nuclide": scenario.nuclide,
        "with_marrow": scenario.with_marrow,
        "results": results,
    })
}

/// Writes a report and its figures, each with its data.
fn write_sheet(folder: &OutputFolder, sheet: &simulation::Sheet) -> Result<(), CommandError> {
    for f in &sheet.figures {
        folder.write(&format!("figures/{}.csv", f.name), f.csv.as_bytes())?;
        folder.write(&format!("figures/{}.svg", f.name), f.svg.as_bytes())?;
        folder.write(&format!("figures/{}.png", f.name), &f.png()?)?;
    }
    folder.write("report.pdf", &sheet.pdf()?)?;
    Ok(())
}

/// Writes the folder of a simulation or a comparison, whole or not at all.
fn write_results(
    out: &Path,
    scenario: &Scenario,
    results: &Results,
    rows: &[PathBuf],
    progress: &Progress,
) -> Result<(), CommandError> {
    let folder = OutputFolder::begin(out, &|name| OURS.contains(&name))?;
    folder.write("simulation.json", &serde_json::to_vec_pretty(&json(scenario, results))?)?;
    // With it the same can be run again, here or on a cluster.
    folder.write("scenario.json", scenario.to_text()?.as_bytes())?;
    folder.write("numbers.csv", numbers(results).as_bytes())?;
    for path in rows {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let to = folder.path().join("patients").join(name.as_ref());
        let put = || {
            std::fs::create_dir_all(folder.path().join("patients"))?;
            // In the same folder of folders; copied only where that is another disk.
            std::fs::hard_link(path, &to).or_else(|_| std::fs::copy(path, &to).map(|_| ()))
        };
        put().map_err(|source| OutputError::Write { path: to.clone(), source })?;
    }
    progress.at("report", 0.96);
    let subtitle = format!(
        "{} virtual patients an arm, {} populations that could be, setting {}, seed {}",
        scenario.patients, scenario.draws, scenario.setting, scenario.seed
    );
    write_sheet(&folder, &simulation::simulation(results, &subtitle))?;
    folder.finish()?;
    Ok(())
}

fn numbers(results: &Results) -> String {
    let mut text = String::from("arm,id,name,unit,value,low,high,monte_carlo_se,reached\n");
    let number = |x: Option<f64>| x.map_or(String::new(), |v| format!("{v:.6}"));
    for a in &results.arms {
        for n in &a.numbers {
            let e = &n.estimate;
            let unit = format!("{:?}", n.unit).to_lowercase();
            text.push_str(&format!(
                "\"{}\",{},\"{}\",{unit},{},{},{},{},{:.4}\n",
                a.name.replace('"', "\"\""),
                n.id,
                n.name.trim(),
                number(e.value),
                number(e.interval.map(|i| i[0])),
                number(e.interval.map(|i| i[1])),
                number(e.monte_carlo_se),
                e.reached
            ));
        }
    }
    text
}

/// Prints what a person wants to see first.
fn print_results(r: &Results) {
    anstream::println!("{}{}{}", term::HEAD, r.title, term::RESET);
    shown::print_grounds(&r.grounds);
    for said in &r.said {
        anstream::println!("{said}");
    }
    let mut head = vec![String::new()];
    head.extend(r.arms.iter().map(|a| a.name.clone()));
    let mut table = vec![head];
    let first = r.arms.first();
    for id in first.into_iter().flat_map(|a| a.numbers.iter().map(|n| n.id)) {
        let of: Vec<_> = r.arms.iter().filter_map(|a| a.number(id)).collect();
        let nothing = |n: &&hepatica_trial::results::Row| {
            n.estimate.value.is_none_or(|x| x == 0.0) && n.estimate.reached.fract() == 0.0
        };
        if of.iter().all(nothing) {
            continue;
        }
        let mut row = vec![of[0].name.to_owned()];
        row.extend(of.iter().map(|n| shown::estimate(&n.estimate, n.unit)));
        table.push(row);
    }
    anstream::println!();
    for line in term::table(&table) {
        anstream::println!("{line}");
    }
    if !r.nulls.is_empty() {
        anstream::println!();
        for line in term::table(&shown::nulls(&r.nulls)) {
            anstream::println!("{line}");
        }
    }
    if let Some(verdict) = &r.verdict {
        anstream::println!("{}{verdict}{}", term::HEAD, term::RESET);
    }
    if !r.pilot.is_empty() {
        let mut table = vec![
            [
                "the pilot (held out)",
                "published",
                "predicted, no sensitiser",
                "predicted, sensitisers",
                "as many or more: without / with",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for p in &r.pilot {
            let tail = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{:.0} %", 100.0 * x));
            table.push(vec![
                p.name.to_owned(),
                format!(
                    "{:.0} % ({:.0} to {:.0})",
                    100.0 * p.share,
                    100.0 * p.interval[0],
                    100.0 * p.interval[1]
                ),
                shown::estimate(&p.predicted_without, Unit::Share),
                shown::estimate(&p.predicted, Unit::Share),
                format!("{} / {}", tail(p.at_least_as_many_without), tail(p.at_least_as_many)),
            ]);
        }
        anstream::println!();
        for line in term::table(&table) {
            anstream::println!("{line}");
        }
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
