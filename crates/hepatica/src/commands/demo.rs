//! `hepatica demo`

use super::{CommandError, phantom, plan};
use crate::progress::Progress;
use crate::term;
use hepatica_phantom::Options;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica demo
  hepatica demo --out /tmp/hepatica")]
pub struct Args {
    /// Folder to write the case and the plan to
    #[arg(long, default_value = "hepatica-demo")]
    out: PathBuf,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let case = args.out.join("case");
    let plan_folder = args.out.join("plan");
    let progress = Progress::new(args.quiet);
    phantom::make(&case, &Options::default(), &progress, [0.0, 0.6])?;
    let plan = plan::make(&case, &plan_folder, &progress, [0.6, 1.0])?;
    drop(progress);
    if !args.quiet {
        plan::summarise(&plan);
        let line = |name: &str, path: PathBuf| {
            anstream::println!("{}{name:<7}{} {}", term::DIM, term::RESET, path.display());
        };
        line("case", case);
        line("plan", plan_folder.clone());
        line("report", plan_folder.join("report.pdf"));
    }
    Ok(plan::passes(&plan))
}
