//! Work units on a cluster, by the companion program `hepatica-cluster`, which knows the engine.
//!
//! The program is a package of its own (`cluster/`), because the engine is as large as everything else
//! together. What passes between the two are tables: units in, counts out.

use crate::commands::CommandError;
use crate::output::OutputError;
use hepatica_trial::Job;
use hepatica_trial::job::Unit;
use hepatica_trial::sweep::Count;
use hepatica_trial::units;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The companion program.
const COMPANION: &str = "hepatica-cluster";
/// Units of a job for the cluster, if there are as many: minutes of work for a few machines, and what is
/// lost at most when everything is broken off.
const BATCH: usize = 512;
/// Files that a batch is written to; the engine shares out files.
const FILES: usize = 64;

/// Parts of work that go to the cluster together: as many as give a batch.
pub fn batches<T>(parts: &[T], units: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut begin, mut of) = (0, 0);
    for (n, part) in parts.iter().enumerate() {
        of += units(part);
        if of >= BATCH {
            batches.push(&parts[begin..=n]);
            (begin, of) = (n + 1, 0);
        }
    }
    if begin < parts.len() {
        batches.push(&parts[begin..]);
    }
    batches
}

/// A cluster.
pub struct Cluster<'a> {
    url: &'a str,
    program: PathBuf,
}

impl<'a> Cluster<'a> {
    /// Finds the companion program: beside this one, or on the path.
    pub fn find(url: &'a str) -> Result<Self, CommandError> {
        let name = format!("{COMPANION}{}", std::env::consts::EXE_SUFFIX);
        let beside = std::env::current_exe().ok().map(|me| me.with_file_name(&name));
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let program = beside
            .into_iter()
            .chain(std::env::split_paths(&paths).map(|p| p.join(&name)))
            .find(|p| p.is_file())
            .ok_or_else(|| {
                CommandError::Usage(format!(
                    "--cluster {url}: the program {COMPANION} is neither beside hepatica nor on the PATH; build it with `cargo install --path cluster` (docs/cluster.md)"
                ))
            })?;
        Ok(Self { url, program })
    }

    /// Has units computed. They are written below `folder`, where every executor must see them.
    pub fn compute(
        &self,
        job: &Job,
        scenario: &str,
        units: &[Unit],
        folder: &Path,
    ) -> Result<Vec<Count>, CommandError> {
        let failed = |path: &Path, source| OutputError::Write { path: path.to_owned(), source };
        let folder = tempfile::Builder::new()
            .prefix("units-")
            .tempdir_in(folder)
            .map_err(|e| failed(folder, e))?;
        let table = folder.path().join("units");
        std::fs::create_dir(&table).map_err(|e| failed(&table, e))?;
        for (n, part) in units.chunks(units.len().div_ceil(FILES).max(1)).enumerate() {
            let path = table.join(format!("units-{n:04}.parquet"));
            let file = File::create(&path).map_err(|e| failed(&path, e))?;
            units::write_units(BufWriter::new(file), scenario, part)
                .map_err(|e| failed(&path, std::io::Error::other(e)))?;
        }
        let counts = folder.path().join("counts.parquet");
        let said = Command::new(&self.program)
            .arg("run")
            .args(["--cluster", self.url])
            .arg("--units")
            .arg(&table)
            .arg("--counts")
            .arg(&counts)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| failed(&self.program, e))?;
        if !said.status.success() {
            let text = String::from_utf8_lossy(&said.stderr);
            let text = text.trim().trim_start_matches("error: ").to_owned();
            return Err(CommandError::Usage(if text.is_empty() {
                format!("--cluster {}: {COMPANION} ended with {}", self.url, said.status)
            } else {
                text
            }));
        }
        let file = File::open(&counts).map_err(|e| failed(&counts, e))?;
        units::read_counts(file, job)
            .map_err(|e| CommandError::Usage(format!("--cluster {}: {e}", self.url)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_enough_and_miss_nothing() {
        let parts = [500, 500, 10, 10, 600, 3];
        let batches = batches(&parts, |n| *n);
        assert_eq!(batches, [&parts[..2], &parts[2..5], &parts[5..]]);
    }
}
