//! `hepatica phantom CASE`

use super::CommandError;
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueEnum;
use hepatica_phantom::{Options, Truth, write_case};
use std::path::{Path, PathBuf};

/// Names a case of ours may have at its top: what may be replaced.
const OURS: [&str; 6] = ["case.toml", "truth.toml", "ct", "spect", "planar", "structures.dcm"];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica phantom case                       the built-in patient
  hepatica phantom case --seed 7 --size small another noise, coarse images
  hepatica phantom case --lung-shunt 0.25     a shunt above the devices' limits")]
pub struct Args {
    /// Folder to write the case to
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

pub fn run(args: &Args) -> Result<bool, CommandError> {
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
