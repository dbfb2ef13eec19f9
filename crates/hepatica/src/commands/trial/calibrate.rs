//! `hepatica trial calibrate`: what published results of either therapy alone leave possible.

use crate::commands::CommandError;
use crate::output::{OutputFolder, write_file};
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_biology::population::Population;
use hepatica_report::simulation;
use hepatica_trial::calibrate::{Calibration, Report, Settings, Stage};
use hepatica_trial::targets::Targets;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial calibrate --out calibration/
  hepatica trial calibrate --targets mine.toml --particles 600 --seed 2 --out calibration/
  hepatica trial simulate captemy90 --parameters calibration/posterior.csv --out sim/

What was interrupted goes on from its last temperature with the same command.")]
pub struct Args {
    /// Population: a name or a file
    #[arg(long, default_value = "net-liver", value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    population: String,
    /// Published results of one therapy alone [default: those that come with the program]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    targets: Option<PathBuf>,
    /// Particles
    #[arg(long, default_value_t = 400, value_name = "N")]
    particles: usize,
    /// Moves of each at every temperature
    #[arg(long, default_value_t = 4, value_name = "N")]
    moves: usize,
    /// Virtual patients of each arm
    #[arg(long, default_value_t = 500, value_name = "N")]
    patients: u64,
    /// Key of all random numbers
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Folder to write
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Print what was learnt as JSON
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let population = Population::named(&args.population)?;
    let targets = match &args.targets {
        Some(path) => Targets::read(path)?,
        None => Targets::shipped()?,
    };
    let settings = Settings {
        particles: args.particles,
        moves: args.moves.max(1),
        patients: args.patients.max(20),
        seed: args.seed,
    };
    let calibration = Calibration::new(&population, &targets, settings)?;
    let kept = unfinished(&args.out);
    let from = std::fs::read(&kept).ok().and_then(|b| serde_json::from_slice::<Stage>(&b).ok());
    // A run of other settings that was left behind is no error here: it is begun anew.
    let from = from.filter(|s| s.of == calibration.identity());
    let progress = Progress::new(args.quiet);
    progress.at("prior", 0.02);
    let mut trouble = None;
    let stage = calibration.run(from, |stage| {
        let what = format!(
            "temperature {:.2}, {:.0} % of moves accepted",
            stage.temperature,
            100.0 * stage.accepted
        );
        progress.at(&what, 0.05 + 0.9 * stage.temperature);
        let text = serde_json::to_vec(stage).map_err(CommandError::from);
        match text.and_then(|t| Ok(write_file(&kept, &t)?)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                trouble = Some(e);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(e) = trouble {
        return Err(e);
    }
    let report = calibration.report(&stage);
    let posterior = calibration.posterior(&stage, notes(&report));
    let folder = OutputFolder::begin(&args.out, &|name| super::OURS.contains(&name))?;
    folder.write("posterior.csv", posterior.to_text().as_bytes())?;
    folder.write("calibration.json", &serde_json::to_vec_pretty(&report)?)?;
    super::write_sheet(&folder, &simulation::calibration(&report))?;
    let at = folder.finish()?;
    // Left behind, it would only be taken for another run's.
    let _ = std::fs::remove_file(&kept);
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
        anstream::println!("\nwritten to {}", at.display());
    }
    Ok(true)
}

fn unfinished(out: &Path) -> PathBuf {
    let out: PathBuf =
        std::path::absolute(out).unwrap_or_else(|_| out.to_owned()).components().collect();
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    out.with_file_name(format!(".{name}.unfinished.json"))
}

fn notes(r: &Report) -> Vec<String> {
    let poor: Vec<_> = r.parameters.iter().filter(|p| p.sd_ratio > 0.85).map(|p| p.id).collect();
    let off: Vec<_> = r
        .targets
        .iter()
        .filter(|t| t.misfit_sd.abs() > 1.0)
        .map(|t| format!("{} ({:+.1} sd)", t.id, t.misfit_sd))
        .collect();
    vec![
        "Posterior of results of one therapy alone: tempered sequential Monte Carlo.".to_owned(),
        format!(
            "hepatica {}; {} particles ({} distinct), {} moves, {} patients an arm, seed {}; {} temperatures, {} simulations.",
            env!("CARGO_PKG_VERSION"),
            r.settings.particles,
            r.distinct,
            r.settings.moves,
            r.settings.patients,
            r.settings.seed,
            r.stages,
            r.simulations
        ),
        format!("Hardly learnt (sd above 0.85 of the prior's): {}.", poor.join(", ")),
        format!(
            "More than one sd off: {}.",
            if off.is_empty() { "nothing".to_owned() } else { off.join(", ") }
        ),
    ]
}

fn print(r: &Report) {
    let mut table = vec![
        ["result of one therapy alone", "published (5 to 95 %)", "fitted (5 to 95 %)", "off by sd"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let three = |x: f64, [a, b]: [f64; 2]| format!("{x:.3} ({a:.3} to {b:.3})");
    for t in &r.targets {
        table.push(vec![
            t.name.clone(),
            three(t.published, t.published_interval),
            three(t.fitted, t.fitted_interval),
            format!("{:.1}", t.misfit_sd),
        ]);
    }
    for line in term::table(&table) {
        anstream::println!("{line}");
    }
    let mut table = vec![
        ["parameter", "before (5, 50, 95 %)", "after", "sd after / before"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for p in &r.parameters {
        let row = |q: [f64; 3]| q.map(|x| format!("{x:.4}")).join(", ");
        table.push(vec![
            p.id.to_owned(),
            row(p.prior),
            row(p.posterior),
            format!("{:.2}", p.sd_ratio),
        ]);
    }
    anstream::println!();
    for line in term::table(&table) {
        anstream::println!("{line}");
    }
    let ridges: Vec<_> = r.ridges.iter().map(|(a, b, x)| format!("{a} ~ {b} {x:+.2}")).collect();
    anstream::println!("\nnot told apart: {}", ridges.join(", "));
}
