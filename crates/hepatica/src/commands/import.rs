//! `hepatica import`

use super::CommandError;
use crate::term;
use clap::ValueHint;
use hepatica_workbench::default_data_folder;
use hepatica_workbench::site::{self, Site, Summary};
use std::path::PathBuf;

/// Where a site is.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Folder of the store, images, plans and verifications; the user's data folder if left out
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    data: Option<PathBuf>,
    /// PostgreSQL database in place of the embedded store
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Place {
    pub fn site(&self) -> Result<Site, CommandError> {
        let data = self.data.clone().map_or_else(default_data_folder, Ok)?;
        Ok(Site { data, database: self.database.clone() })
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica import site.zip                     into the user's data folder, which is not there yet or empty
  hepatica import backup.zip --data /srv/hepatica
  hepatica import site.zip --data /srv/hepatica --database postgres://hepatica@localhost/hepatica

Every file is held against its SHA-256 and every course against its chain of hashes before anything is there.")]
pub struct Args {
    /// File that `hepatica export` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// One line on what moved.
pub fn say(verb: &str, s: &Summary) {
    let (head, reset) = (term::HEAD, term::RESET);
    let mb = s.bytes as f64 / 1e6;
    anstream::println!(
        "{head}{verb}{reset} {} courses with {} events, {} plans, {} verifications, {mb:.1} MB",
        s.courses,
        s.events,
        s.plans,
        s.verifications
    );
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let site = args.place.site()?;
    let done = site::import_now(&args.file, &site)?;
    if !args.quiet {
        say("imported", &done);
        anstream::println!("{}data{}      {}", term::DIM, term::RESET, site.data.display());
    }
    Ok(true)
}
