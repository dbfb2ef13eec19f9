//! `hepatica trial simulate`: virtual patients run a protocol.

use super::options::{OnCluster, Who, arm};
use super::work::{How, compute};
use super::{print_results, write_results};
use crate::commands::CommandError;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_trial::estimate::Counts;
use hepatica_trial::results::{self, Results};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial simulate captemy90 --patients 100000 --seed 7 --out sim/
  hepatica trial simulate captemy90@g3-2024 --parameters prior --no-rows --out sim/
  hepatica trial simulate captem --json

In the folder: simulation.json (every number with its interval), report.pdf, figures/ with their data,
patients/*.parquet (a row of each virtual patient). What was interrupted goes on with the same command.")]
pub struct Args {
    /// Protocol: a name (`hepatica protocol list`) or a file; NAME@VARIANT chooses its doses
    protocol: String,
    #[command(flatten)]
    who: Who,
    /// Folder to write
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// No row of each patient
    #[arg(long)]
    no_rows: bool,
    #[command(flatten)]
    cluster: OnCluster,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let chosen = arm(&args.protocol, None)?;
    if args.out.is_none() && !args.json {
        return Err(CommandError::Usage(
            "nowhere to write: give --out FOLDER, or --json for standard output".to_owned(),
        ));
    }
    let said: Vec<String> = chosen.said.into_iter().collect();
    let scenario = args.who.scenario(vec![chosen.arm], None)?;
    let progress = Progress::new(args.who.quiet);
    let begun = Instant::now();
    let how = How {
        out: args.out.as_deref(),
        rows: args.out.is_some() && !args.no_rows,
        cluster: args.cluster.url(),
        progress: &progress,
        span: [0.0, 0.9],
    };
    let done = compute(&scenario, &how)?;
    let took = begun.elapsed();
    progress.at("numbers", 0.92);
    let counts = Counts::new(&done.drawn);
    let results = Results {
        kind: "simulation",
        title: format!("{} in virtual patients", args.protocol),
        said,
        grounds: results::grounds(&done.job.population, &done.job.parameters),
        arms: vec![results::arm(&done.job, &counts, 0)],
        nulls: Vec::new(),
        verdict: None,
        pilot: Vec::new(),
    };
    drop(counts);
    if let Some(out) = &args.out {
        write_results(out, &scenario, &results, &done.rows, &progress)?;
    }
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&super::json(&scenario, &results))?);
    } else {
        print_results(&results);
        if let Some(out) = &args.out {
            anstream::println!(
                "\n{}{}{} patients in {:.1} s; written to {}",
                term::HEAD,
                scenario.patients,
                term::RESET,
                took.as_secs_f64(),
                out.display()
            );
        }
    }
    done.finished();
    Ok(true)
}
