//! `hepatica trial compare`: two therapies alone and together, in the same virtual patients.

use super::options::{OnCluster, Who, arm};
use super::work::{How, compute};
use super::{print_results, write_results};
use crate::commands::CommandError;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_trial::estimate::Counts;
use hepatica_trial::results::{self, Results};
use hepatica_trial::sweep::{ArmText, Part};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial compare captem tare captemy90 --patients 100000 --out compare/
  hepatica trial compare captem tare captemy90@g3-2024 --setting pilot --no-rows --out compare/

The last protocol is held to be the combination of the first two. It is simulated with sensitisers as the
population believes and without, beside both alone, its own drugs alone, its own spheres alone and no treatment,
each virtual patient in every arm. The word synergy is used only where the combination beats all three
independence nulls of its own parts, and does not do so without sensitisers.")]
pub struct Args {
    /// Two protocols and their combination; NAME@VARIANT chooses doses
    #[arg(num_args = 3, required = true, value_names = ["ALONE", "ALONE", "COMBINATION"])]
    protocols: Vec<String>,
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
    if args.out.is_none() && !args.json {
        return Err(CommandError::Usage(
            "nowhere to write: give --out FOLDER, or --json for standard output".to_owned(),
        ));
    }
    let mut said = Vec::new();
    let mut arms = Vec::new();
    for name in &args.protocols {
        let chosen = arm(name, None)?;
        said.extend(chosen.said);
        if arms.iter().any(|a: &ArmText| a.name == chosen.arm.name) {
            return Err(CommandError::Usage(format!(
                "{name}: named twice; expected two therapies and their combination"
            )));
        }
        arms.push(chosen.arm);
    }
    let mut without = arms[2].clone();
    without.name = format!("{}, no sensitiser", without.name);
    without.sensitisers = Some([0.0; 2]);
    // The nulls are of the combination's own drugs and spheres: its doses, its cycles, its days.
    let part = |name: &str, part: Part| ArmText { name: name.to_owned(), part, ..arms[2].clone() };
    let parts = [
        part("its drugs alone", Part::Drugs),
        part("its spheres alone", Part::Spheres),
        part("no treatment", Part::Nothing),
    ];
    arms.push(without);
    arms.extend(parts);
    let scenario = args.who.scenario(arms, Some([4, 5, 2, 6]))?;
    let progress = Progress::new(args.who.quiet);
    let begun = Instant::now();
    let how = How {
        out: args.out.as_deref(),
        rows: args.out.is_some() && !args.no_rows,
        cluster: args.cluster.url(),
        progress: &progress,
        span: [0.0, 0.88],
    };
    let done = compute(&scenario, &how)?;
    let took = begun.elapsed();
    progress.at("numbers", 0.9);
    let counts = Counts::new(&done.drawn);
    let nulls = results::nulls(&done.job, &counts, 2);
    let without = results::nulls(&done.job, &counts, 3);
    let results = Results {
        kind: "comparison",
        title: format!(
            "{} against {} and {}, in virtual patients",
            args.protocols[2], args.protocols[0], args.protocols[1]
        ),
        said,
        grounds: results::grounds(&done.job.population, &done.job.parameters),
        arms: (0..done.job.arms.len()).map(|n| results::arm(&done.job, &counts, n)).collect(),
        verdict: Some(results::verdict(&nulls, &without)),
        nulls,
        pilot: results::pilot(&done.job, &counts, 2, 3),
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
                "\n{}{}{} patients in each of {} arms in {:.1} s; written to {}",
                term::HEAD,
                scenario.patients,
                term::RESET,
                done.job.arms.len(),
                took.as_secs_f64(),
                out.display()
            );
        }
    }
    done.finished();
    Ok(true)
}
