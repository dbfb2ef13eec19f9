//! `hepatica course timeline`

use super::{CommandError, View, write};
use clap::ValueHint;
use hepatica_report::timeline;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course timeline P001.course --out P001.svg
  hepatica course timeline P001.course --out P001.png --cycles 6")]
pub struct Args {
    #[command(flatten)]
    view: View,
    /// The picture to write, .svg or .png; may be given twice
    #[arg(long, value_hint = ValueHint::FilePath, required = true)]
    out: Vec<PathBuf>,
    /// Cycles to show at least
    #[arg(long, default_value = "4")]
    cycles: usize,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let opened = args.view.open()?;
    let seen = opened.seen(args.cycles)?;
    for out in &args.out {
        let extension = out.extension().map(|e| e.to_string_lossy().to_lowercase());
        let bytes = match extension.as_deref() {
            Some("svg") => timeline::svg(&opened.protocol, &seen.course, &seen.state, &seen.agenda)
                .into_bytes(),
            Some("png") => {
                timeline::png(&opened.protocol, &seen.course, &seen.state, &seen.agenda)?
            }
            _ => {
                return Err(CommandError::Usage(format!(
                    "--out {}: expected a file that ends in .svg or .png",
                    out.display()
                )));
            }
        };
        write(out, &bytes)?;
    }
    Ok(true)
}
