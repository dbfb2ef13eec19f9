//! `hepatica protocol`

use super::CommandError;
use crate::term;
use clap::{Subcommand, ValueHint};
use hepatica_regimen::gate::Status;
use hepatica_regimen::measure::Measure;
use hepatica_regimen::protocol::check::Severity;
use hepatica_regimen::protocol::{Protocol, diff};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hepatica protocol list
  hepatica protocol show captemy90
  hepatica protocol check my-protocol.toml
  hepatica protocol diff captem captemy90
  hepatica protocol export captemy90 --format usdm --out captemy90.usdm.json
  hepatica protocol measures")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// FHIR R4 PlanDefinition
    Fhir,
    /// CDISC USDM v4
    Usdm,
    /// CDISC ODM 1.3.2, metadata
    Odm,
    /// REDCap data dictionary
    Redcap,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the protocols that come with the program
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a protocol: days, doses, gates, rules, with their sources
    Show {
        /// A shipped name or a file
        protocol: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find what contradicts itself in protocols; exit code 2 if anything does
    Check {
        /// Shipped names or files
        #[arg(required = true)]
        protocols: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what differs between two protocols
    Diff {
        /// A shipped name or a file
        before: String,
        /// A shipped name or a file
        after: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a protocol for other systems
    Export {
        /// A shipped name or a file
        protocol: String,
        /// What to write
        #[arg(long, value_enum)]
        format: Format,
        /// File to write
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// Cycles to write out, where the protocol has no maximum
        #[arg(long)]
        cycles: Option<u32>,
    },
    /// List what can be measured, with units and limits
    Measures {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    match &args.command {
        Command::List { json } => list(*json),
        Command::Show { protocol, json } => show(protocol, *json),
        Command::Check { protocols, json } => check(protocols, *json),
        Command::Diff { before, after, json } => compare(before, after, *json),
        Command::Export { protocol, format, out, cycles } => {
            export(protocol, *format, out, *cycles)
        }
        Command::Measures { json } => measures(*json),
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn list(as_json: bool) -> Result<bool, CommandError> {
    let mut rows = vec![row(["id", "version", "cycle", "drugs", "until", "name"])];
    let mut all = Vec::new();
    for id in Protocol::shipped() {
        let p = Protocol::named(id)?;
        let drugs: Vec<_> = p.drug.iter().map(|d| d.id.clone()).collect();
        all.push(json!({ "id": p.id, "version": p.version, "name": p.name, "cycle_days": p.cycle.days, "drugs": drugs, "source": p.source }));
        let days = format!("{} days", p.cycle.days);
        rows.push(vec![
            p.id.clone(),
            p.version.clone(),
            days,
            drugs.join(", "),
            p.duration(),
            p.name.clone(),
        ]);
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        term::print_table(&rows);
    }
    Ok(true)
}

fn show(name: &str, as_json: bool) -> Result<bool, CommandError> {
    let p = Protocol::named(name)?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&p)?);
        return Ok(true);
    }
    let (head, dim, reset) = (term::HEAD, term::DIM, term::RESET);
    let registry = p.registry.as_deref().map_or(String::new(), |r| format!(" ({r})"));
    anstream::println!(
        "{head}{}{reset}{registry}, version {}: cycles of {} days, {}",
        p.name,
        p.version,
        p.cycle.days,
        p.duration()
    );
    anstream::println!("{dim}{}{reset}", p.source);
    for note in &p.notes {
        anstream::println!("  note: {note}");
    }
    if !p.drug.is_empty() {
        anstream::println!("\n{head}Drugs{reset}");
    }
    for d in &p.drug {
        anstream::println!(
            "  {} days {} to {}  {dim}{}{reset}",
            d.name,
            d.first_day,
            d.last_day,
            d.source
        );
        for v in &d.variant {
            let (list, unit) = if v.levels_mg.is_empty() {
                (&v.levels_mg_per_m2, "mg/m2")
            } else {
                (&v.levels_mg, "mg")
            };
            let doses: Vec<_> = list.iter().map(f64::to_string).collect();
            let times = v.times_a_day.unwrap_or(d.times_a_day);
            let per = match v.per {
                hepatica_regimen::dose::Per::Day => "a day",
                hepatica_regimen::dose::Per::Intake => "an intake",
            };
            let start = list.get(v.start_level).copied().unwrap_or(f64::NAN);
            anstream::println!(
                "    {:<14} {start} {unit} {per}, {times} times a day (levels {})  {dim}{}{reset}",
                v.id,
                doses.join(", "),
                v.source
            );
        }
    }
    if !p.procedure.is_empty() {
        anstream::println!("\n{head}Procedures{reset}");
    }
    for x in &p.procedure {
        let days: Vec<_> = x
            .window
            .iter()
            .map(|w| {
                if w.earliest == w.latest {
                    format!("C{}D{}", w.cycle, w.target)
                } else {
                    format!("C{}D{} ({} to {})", w.cycle, w.target, w.earliest, w.latest)
                }
            })
            .collect();
        anstream::println!(
            "  {:<24} {}; if missed: {}  {dim}{}{reset}",
            x.name,
            days.join(" or "),
            x.if_missed,
            x.source
        );
    }
    if !p.gate.is_empty() {
        anstream::println!("\n{head}Gates{reset}");
    }
    for g in &p.gate {
        anstream::println!("  {} (before {})", g.name, g.guards.join(", "));
        for c in &g.criterion {
            let limit =
                c.limit.map_or_else(|| c.limit_of.clone().unwrap_or_default(), |l| l.to_string());
            anstream::println!(
                "    {} {} {limit} {}  {dim}{}{reset}",
                c.name,
                c.comparison.sign(),
                c.unit,
                c.source
            );
        }
        if let Some(w) = &g.wait {
            anstream::println!(
                "    else wait {} days, at most {} times  {dim}{}{reset}",
                w.days,
                w.at_most,
                w.source
            );
        }
    }
    if !p.assessment.is_empty() {
        anstream::println!("\n{head}Assessments{reset}");
    }
    for a in &p.assessment {
        let measures: Vec<_> = a
            .measures
            .iter()
            .map(|m| Measure::find(m).map_or(m.clone(), |m| m.name.clone()))
            .collect();
        anstream::println!("  {:<46} {}  {dim}{}{reset}", a.name, measures.join(", "), a.source);
    }
    if !p.modification.is_empty() {
        anstream::println!("\n{head}Dose changes{reset}");
    }
    for m in &p.modification {
        anstream::println!("  {:<32} {:?}  {dim}{}{reset}", m.id, m.then, m.source);
    }
    Ok(true)
}

fn check(names: &[String], as_json: bool) -> Result<bool, CommandError> {
    let mut sound = true;
    let mut all = Vec::new();
    for name in names {
        let p = Protocol::named(name)?;
        let findings = p.findings();
        let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
        sound &= errors == 0;
        if as_json {
            all.push(json!({ "protocol": p.id, "file": name, "findings": findings }));
            continue;
        }
        for f in &findings {
            let (word, colour) = match f.severity {
                Severity::Error => ("error", term::of(Status::Fail)),
                Severity::Warning => ("warning", term::of(Status::Hold)),
            };
            anstream::println!("{colour}{word:<8}{} {name}: {f}", term::RESET);
        }
        let (colour, word) = if errors == 0 {
            (term::of(Status::Pass), "sound")
        } else {
            (term::of(Status::Fail), "unsound")
        };
        anstream::println!(
            "{colour}{word:<8}{} {name}: {errors} errors, {} warnings",
            term::RESET,
            findings.len() - errors
        );
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(sound)
}

fn compare(before: &str, after: &str, as_json: bool) -> Result<bool, CommandError> {
    let differences = diff::diff(&Protocol::named(before)?, &Protocol::named(after)?);
    if as_json {
        println!("{}", serde_json::to_string_pretty(&differences)?);
        return Ok(true);
    }
    for d in &differences {
        anstream::println!("{d}");
    }
    if differences.is_empty() {
        anstream::println!("no difference");
    }
    Ok(true)
}

fn export(
    name: &str,
    format: Format,
    out: &Path,
    cycles: Option<u32>,
) -> Result<bool, CommandError> {
    let p = Protocol::named(name)?;
    let json = |v: serde_json::Value| -> Result<Vec<u8>, CommandError> {
        Ok((serde_json::to_string_pretty(&v)? + "\n").into_bytes())
    };
    let bytes = match format {
        Format::Fhir => json(hepatica_exchange::fhir::plan_definition(&p, cycles)?)?,
        Format::Usdm => json(hepatica_exchange::usdm::study(&p, cycles)?)?,
        // The same protocol gives the same bytes: there is no clock in it.
        Format::Odm => hepatica_exchange::odm::metadata(&p, jiff::Timestamp::UNIX_EPOCH)?,
        Format::Redcap => hepatica_exchange::redcap::dictionary(&p)?,
    };
    crate::output::write_file(out, &bytes)?;
    anstream::println!("{}written{} {}", term::DIM, term::RESET, out.display());
    Ok(true)
}

fn measures(as_json: bool) -> Result<bool, CommandError> {
    let mut rows = vec![row(["id", "name", "unit", "also in", "possible", "CTCAE"])];
    let mut all = Vec::new();
    for m in Measure::all() {
        let units: Vec<_> = m.units().skip(1).map(str::to_owned).collect();
        let [low, high] = m.possible;
        all.push(json!({ "id": m.id, "name": m.name, "unit": m.unit, "units": units, "possible": m.possible, "plausible": m.plausible, "ctcae": m.ctcae }));
        rows.push(vec![
            m.id.clone(),
            m.name.clone(),
            m.unit.clone(),
            units.join(" "),
            format!("{low} to {high}"),
            m.ctcae.clone().unwrap_or_default(),
        ]);
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        term::print_table(&rows);
    }
    Ok(true)
}
