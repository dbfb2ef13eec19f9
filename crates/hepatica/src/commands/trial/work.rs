//! Long work: here or on a cluster, with a bar, and going on where it was broken off.
//!
//! Finished draws are kept beside the output folder, in `.NAME.unfinished`, until the folder is complete. A
//! run that was interrupted and is started again with the same settings takes them from there; with other
//! settings it begins anew.

use super::cluster::{self, Cluster};
use crate::commands::CommandError;
use crate::output::OutputError;
use crate::progress::Progress;
use hepatica_trial::job::{Done, Drawn, Job, Unit};
use hepatica_trial::rows::Rows;
use hepatica_trial::sweep::Scenario;
use hepatica_trial::units;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs;
use std::io::BufWriter;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// Draws that are computed and kept together.
const CHUNK: u64 = 10;

/// What was computed.
pub struct Computed {
    /// The job.
    pub job: Job,
    /// Its counts.
    pub drawn: Vec<Drawn>,
    /// Parts of the table of patients, in order.
    pub rows: Vec<PathBuf>,
    unfinished: Option<PathBuf>,
}

impl Computed {
    /// Everything is in place: what was kept to go on from is removed.
    pub fn finished(self) {
        if let Some(folder) = self.unfinished {
            // What cannot be removed is no harm: another run begins anew.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// How it is to be done.
pub struct How<'a> {
    /// The folder that is to be made; what is kept to go on from lies beside it.
    pub out: Option<&'a Path>,
    /// Whether a row of each patient is kept.
    pub rows: bool,
    /// The cluster that does it.
    pub cluster: Option<&'a str>,
    /// The bar, and which part of it this work is.
    pub progress: &'a Progress,
    /// From and to.
    pub span: [f64; 2],
}

/// Computes a scenario: what was kept is read, the rest is done here or on a cluster.
pub fn compute(scenario: &Scenario, how: &How<'_>) -> Result<Computed, CommandError> {
    let job = scenario.job()?;
    let text = scenario.to_text()?;
    if how.cluster.is_some() && how.rows {
        return Err(CommandError::Usage(
            "--cluster brings back counts, not a row of each patient: add --no-rows".to_owned(),
        ));
    }
    let kept = how.out.map(|out| Kept::open(out, &text, how.rows)).transpose()?;
    let chunks: Vec<Range<u64>> = (0..job.draws)
        .step_by(CHUNK as usize)
        .map(|from| from..(from + CHUNK).min(job.draws))
        .collect();
    let mut parts: Vec<Option<Part>> =
        chunks.iter().map(|c| kept.as_ref().and_then(|k| k.read(&job, c))).collect();
    let missing: Vec<usize> = (0..chunks.len()).filter(|c| parts[*c].is_none()).collect();
    let share = Share::new(&job, how);
    for (chunk, _) in chunks.iter().zip(&parts).filter(|(_, part)| part.is_some()) {
        share.seen(share.patients_of(chunk));
    }
    let finished = |chunk: usize, part: Part| -> Result<Part, CommandError> {
        if let Some(kept) = &kept {
            kept.write(&job, chunks[chunk].start, &part.drawn)?;
        }
        Ok(part)
    };
    match how.cluster {
        None => {
            for chunk in missing {
                let part = here(&job, &chunks[chunk], kept.as_ref(), how, &share)?;
                parts[chunk] = Some(finished(chunk, part)?);
            }
        }
        Some(url) => {
            let cluster = Cluster::find(url)?;
            let folder = match &kept {
                Some(kept) => kept.folder.clone(),
                None => std::env::temp_dir(),
            };
            for together in cluster::batches(&missing, |c| job.units_of(&chunks[*c]).len()) {
                let units: Vec<Unit> =
                    together.iter().flat_map(|c| job.units_of(&chunks[*c])).collect();
                let counts = cluster.compute(&job, &text, &units, &folder)?;
                for chunk in together {
                    let draws = chunks[*chunk].clone();
                    let mine = counts.iter().filter(|c| draws.contains(&c.draw)).copied();
                    let drawn = job.draws_of(draws.clone(), mine)?;
                    parts[*chunk] = Some(finished(*chunk, Part { drawn, rows: None })?);
                    share.seen(share.patients_of(&draws));
                }
            }
        }
    }
    let (mut drawn, mut rows) = (Vec::new(), Vec::new());
    for part in parts.into_iter().flatten() {
        drawn.extend(part.drawn);
        rows.extend(part.rows);
    }
    Ok(Computed { job, drawn, rows, unfinished: kept.map(|k| k.folder) })
}

/// A chunk that is done.
struct Part {
    drawn: Vec<Drawn>,
    rows: Option<PathBuf>,
}

/// Computes a chunk in this process.
fn here(
    job: &Job,
    draws: &Range<u64>,
    kept: Option<&Kept>,
    how: &How<'_>,
    share: &Share<'_>,
) -> Result<Part, CommandError> {
    let path = kept.filter(|_| how.rows).map(|k| k.part(draws.start));
    let mut writer = match &path {
        Some(path) => {
            let file = fs::File::create(partial(path)).map_err(|e| failed(path, e))?;
            let arms = job.arms.iter().map(|a| a.name.clone()).collect();
            Some(Rows::new(BufWriter::new(file), arms).map_err(|e| parquet(path, &e))?)
        }
        None => None,
    };
    let mut trouble = None;
    let (drawn, _) = job.run_draws(draws.clone(), how.rows, |unit, done: &Done| {
        share.seen(unit.patients);
        if let (Some(writer), Some(path)) = (&mut writer, &path) {
            for (arm, outcomes) in done.outcomes.iter().enumerate() {
                if let Err(e) = writer.add(arm, unit.draw, outcomes) {
                    trouble = Some(parquet(path, &e));
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    });
    if let Some(e) = trouble {
        return Err(e);
    }
    if let (Some(writer), Some(path)) = (writer, &path) {
        writer.finish().map_err(|e| parquet(path, &e))?;
        fs::rename(partial(path), path).map_err(|e| failed(path, e))?;
    }
    Ok(Part { drawn, rows: path })
}

/// How many patients were seen, on the bar.
struct Share<'a> {
    job: &'a Job,
    how: &'a How<'a>,
    seen: Cell<u64>,
}

impl<'a> Share<'a> {
    fn new(job: &'a Job, how: &'a How<'a>) -> Self {
        Self { job, how, seen: Cell::new(0) }
    }

    fn patients_of(&self, draws: &Range<u64>) -> u64 {
        self.job.units_of(draws).iter().map(|u| u.patients).sum()
    }

    fn seen(&self, patients: u64) {
        self.seen.set(self.seen.get() + patients);
        let ([a, b], all, seen) = (self.how.span, self.job.patients, self.seen.get());
        let what = format!("{seen} of {all} patients");
        self.how.progress.at(&what, a + (b - a) * seen as f64 / all.max(1) as f64);
    }
}

fn failed(path: &Path, source: std::io::Error) -> CommandError {
    OutputError::Write { path: path.to_owned(), source }.into()
}

fn parquet(path: &Path, e: &impl std::fmt::Display) -> CommandError {
    failed(path, std::io::Error::other(e.to_string()))
}

fn partial(path: &Path) -> PathBuf {
    path.with_extension("partial")
}

/// What is kept of an unfinished run.
struct Kept {
    folder: PathBuf,
    rows: bool,
}

impl Kept {
    fn open(out: &Path, scenario: &str, rows: bool) -> Result<Self, CommandError> {
        let out: PathBuf =
            std::path::absolute(out).map_err(|e| failed(out, e))?.components().collect();
        let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = out.with_file_name(format!(".{name}.unfinished"));
        let identity: String = Sha256::digest(format!("{rows} {scenario}").as_bytes())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let mark = folder.join("of");
        let same = fs::read_to_string(&mark).is_ok_and(|of| of == identity);
        if !same {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(|e| failed(&folder, e))?;
            }
            fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
            fs::write(&mark, identity).map_err(|e| failed(&mark, e))?;
        }
        Ok(Self { folder, rows })
    }

    fn part(&self, draw: u64) -> PathBuf {
        self.folder.join(format!("patients-{draw:06}.parquet"))
    }

    fn counts(&self, draw: u64) -> PathBuf {
        self.folder.join(format!("counts-{draw:06}.parquet"))
    }

    /// Keeps the counts of a chunk.
    fn write(&self, job: &Job, from: u64, drawn: &[Drawn]) -> Result<(), CommandError> {
        let path = self.counts(from);
        let file = fs::File::create(partial(&path)).map_err(|e| failed(&path, e))?;
        units::write_counts(BufWriter::new(file), &job.counts_of(from, drawn))
            .map_err(|e| parquet(&path, &e))?;
        fs::rename(partial(&path), &path).map_err(|e| failed(&path, e))
    }

    /// A chunk that is complete; anything that does not fit is computed again.
    fn read(&self, job: &Job, draws: &Range<u64>) -> Option<Part> {
        let rows = self.rows.then(|| self.part(draws.start));
        if rows.as_ref().is_some_and(|r| !r.is_file()) {
            return None;
        }
        let file = fs::File::open(self.counts(draws.start)).ok()?;
        let counts = units::read_counts(file, job).ok()?;
        Some(Part { drawn: job.draws_of(draws.clone(), counts).ok()?, rows })
    }
}
