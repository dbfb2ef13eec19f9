//! `hepatica trial analyze`

use super::{CommandError, Source};
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_analysis::analyze::{Wishes, analyze};
use hepatica_analysis::lesions::Plans;
use hepatica_report::analysis::AnalysisReport;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial analyze DATA --out analysis/
  hepatica trial analyze courses/ --out analysis/ --on 2027-06-30
  hepatica trial analyze DATA --out analysis/ --plans plans/ --figures png

OUT then holds report.pdf, analysis.json (schema: docs/schema/analysis.schema.json), and figures/ with each
figure as a picture and its numbers as CSV. It is written whole or not at all.

Exit codes: 0 done, 1 error (nothing is written).")]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Folder to write
    #[arg(long, value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Folder of plans (plan.json, in folders or not): the planned dose of lesions beside their change
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "FOLDER")]
    plans: Option<PathBuf>,
    /// Kind of pictures
    #[arg(long, value_enum, default_value = "svg")]
    figures: Pictures,
    /// Print analysis.json as well
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pictures {
    /// SVG
    Svg,
    /// PNG
    Png,
    /// Both
    Both,
}

/// What an earlier run may have left, which is replaced.
fn ours(name: &str) -> bool {
    matches!(name, "analysis.json" | "report.pdf" | "figures")
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let progress = Progress::new(args.source.quiet);
    let folder = OutputFolder::begin(&args.out, &ours)?;
    let (trial, protocol, protocol_from) = args.source.load(&progress)?;
    let plans = args.plans.as_deref().map(Plans::read).transpose()?;
    progress.at("reckoning", 0.65);
    let wishes =
        Wishes { session_days: args.source.session_days, level: args.source.level, protocol_from };
    let analysis = analyze(&trial, &protocol, plans.as_ref(), &wishes)?;
    let json = serde_json::to_string_pretty(&analysis)? + "\n";
    folder.write("analysis.json", json.as_bytes())?;
    progress.at("drawing", 0.7);
    let report = AnalysisReport::new(&analysis);
    for f in &report.figures {
        let name = |extension: &str| format!("figures/{}.{extension}", f.name);
        folder.write(&name("csv"), f.csv.as_bytes())?;
        if args.figures != Pictures::Png {
            folder.write(&name("svg"), f.svg.as_bytes())?;
        }
        if args.figures != Pictures::Svg {
            folder.write(&name("png"), &f.png()?)?;
        }
    }
    progress.at("setting the report", 0.85);
    folder.write("report.pdf", &report.pdf()?)?;
    let place = folder.finish()?;
    drop(progress);
    if args.json {
        print!("{json}");
        return Ok(true);
    }
    for n in &analysis.notes {
        anstream::println!("{}note{} {n}", term::DIM, term::RESET);
    }
    let assumed = analysis.settings.iter().filter(|s| s.from == "assumed").count();
    anstream::println!("{assumed} settings were assumed: the report begins with them");
    for a in &analysis.arms {
        let name = a.arm.as_ref().map_or(String::new(), |n| format!("{n}: "));
        for r in &a.response {
            anstream::println!("{name}response, {}: {}", r.name, r.response.words());
        }
    }
    for e in &analysis.endpoints {
        for a in &e.arms {
            let name = a.arm.as_ref().map_or(String::new(), |n| format!("{n}: "));
            anstream::println!("{name}{}: {} events in {} patients", e.name, a.events, a.n);
        }
    }
    anstream::println!("{}{}{}", term::DIM, analysis.notice, term::RESET);
    anstream::println!("{}written{} {}", term::DIM, term::RESET, place.display());
    Ok(true)
}
