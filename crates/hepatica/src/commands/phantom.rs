//! `hepatica phantom CASE`

use super::{CommandError, plan};
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::{ValueEnum, ValueHint};
use hepatica_phantom::{Kind, Options, ScanOptions, ScanTruth, Truth, write_case, write_scan};
use hepatica_planning::Plan;
use std::path::{Path, PathBuf};

/// Names a case of ours may have at its top: what may be replaced.
const OURS: [&str; 6] = ["case.toml", "truth.toml", "ct", "spect", "planar", "structures.dcm"];
/// The same of a scan after treatment.
const OURS_OF_A_SCAN: [&str; 5] = ["treatment.toml", "truth.toml", "ct", "pet", "spect"];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica phantom case                       the built-in patient
  hepatica phantom case --seed 7 --size small another noise, coarse images
  hepatica phantom case --lung-shunt 0.25     a shunt above the devices' limits
  hepatica phantom scan --scan pet --plan OUT the 90Y PET/CT after the first session of a plan")]
pub struct Args {
    /// Folder to write the case, or the scan, to
    out: PathBuf,
    /// Seed of the noise: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How fine the images are
    #[arg(long, value_enum, default_value_t = Size::Full)]
    size: Size,
    /// Fraction of the injected activity that reaches the lungs
    #[arg(long, value_name = "FRACTION")]
    lung_shunt: Option<f64>,
    /// Make the scan after treatment instead: 90Y PET/CT or bremsstrahlung SPECT/CT
    #[arg(long, value_enum, value_name = "KIND")]
    scan: Option<ScanKind>,
    /// Folder of the plan that was treated by: its vials and its moment; else 3 GBq on 2027-01-05
    #[arg(long, value_hint = ValueHint::DirPath, requires = "scan")]
    plan: Option<PathBuf>,
    /// Which session was treated
    #[arg(long, default_value_t = 1, requires = "scan")]
    session: u32,
    /// Print the truth as JSON
    #[arg(long)]
    json: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    /// As a clinic's images
    Full,
    /// Coarse: for trying things out
    Small,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScanKind {
    /// 90Y PET/CT in Bq/mL
    Pet,
    /// Bremsstrahlung SPECT/CT in counts
    Spect,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    if let Some(kind) = args.scan {
        return run_scan(args, kind);
    }
    let mut options = match args.size {
        Size::Full => Options::default(),
        Size::Small => Options::small(),
    };
    options.seed = args.seed;
    if let Some(fraction) = args.lung_shunt {
        options.lung_shunt = fraction;
    }
    let (folder, truth) = make(&args.out, &options, &Progress::new(args.quiet), [0.0, 1.0])?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&truth)?);
    } else if !args.quiet {
        anstream::println!(
            "{}case{} {}  (its truth is in truth.toml)",
            term::HEAD,
            term::RESET,
            folder.display()
        );
    }
    Ok(true)
}

fn run_scan(args: &Args, kind: ScanKind) -> Result<bool, CommandError> {
    let kind = match kind {
        ScanKind::Pet => Kind::Pet,
        ScanKind::Spect => Kind::Spect,
    };
    let mut options = ScanOptions { kind, session: args.session, ..ScanOptions::default() };
    if let Some(folder) = &args.plan {
        options = treated_by(&plan::read_plan(&folder.join("plan.json"))?, options)?;
    }
    options.seed = args.seed;
    options.small = matches!(args.size, Size::Small);
    if let Some(fraction) = args.lung_shunt {
        options.lung_shunt = fraction;
    }
    let progress = Progress::new(args.quiet);
    let (folder, truth) = make_scan(&args.out, &options, &progress, [0.0, 1.0])?;
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&truth)?);
    } else if !args.quiet {
        anstream::println!(
            "{}scan{} {}  (what was given is in treatment.toml, its truth in truth.toml)",
            term::HEAD,
            term::RESET,
            folder.display()
        );
    }
    Ok(true)
}

/// The treatment as a plan ordered it: its vials, its moment.
pub fn treated_by(plan: &Plan, options: ScanOptions) -> Result<ScanOptions, CommandError> {
    let usage = |what: String| CommandError::Usage(what);
    let session = plan.sessions.iter().find(|s| s.id == options.session);
    let session =
        session.ok_or_else(|| usage(format!("the plan has no session {}", options.session)))?;
    let instant = session.instant();
    let instant =
        instant.ok_or_else(|| usage("the plan's moment of treatment cannot be read".to_owned()))?;
    Ok(ScanOptions { assayed_gbq: session.dispensed().gbq(), instant, ..options })
}

/// Writes a case; `span` is the part of the whole bar that this is.
pub fn make(
    out: &Path,
    options: &Options,
    progress: &Progress,
    span: [f64; 2],
) -> Result<(PathBuf, Truth), CommandError> {
    let folder = OutputFolder::begin(out, &|name| OURS.contains(&name))?;
    let [from, to] = span;
    let report = |what: &str, done: f64| progress.at(what, from + (to - from) * done);
    let truth = write_case(folder.path(), options, &report)?;
    Ok((folder.finish()?, truth))
}

/// Writes a scan after treatment; `span` as for [`make`].
pub fn make_scan(
    out: &Path,
    options: &ScanOptions,
    progress: &Progress,
    span: [f64; 2],
) -> Result<(PathBuf, ScanTruth), CommandError> {
    let folder = OutputFolder::begin(out, &|name| OURS_OF_A_SCAN.contains(&name))?;
    let [from, to] = span;
    let report = |what: &str, done: f64| progress.at(what, from + (to - from) * done);
    let truth = write_scan(folder.path(), options, &report)?;
    Ok((folder.finish()?, truth))
}
