//! Long work: with a bar, and going on where it was broken off.
//!
//! Finished draws are kept beside the output folder, in `.NAME.unfinished`, until the folder is complete. A
//! run that was interrupted and is started again with the same settings takes them from there; with other
//! settings it begins anew.

use crate::commands::CommandError;
use crate::output::OutputError;
use crate::progress::Progress;
use hepatica_trial::job::{Done, Drawn, Job};
use hepatica_trial::rows::Rows;
use hepatica_trial::sweep::Scenario;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
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
    /// The bar, and which part of it this work is.
    pub progress: &'a Progress,
    /// From and to.
    pub span: [f64; 2],
}

/// Computes a scenario.
pub fn compute(scenario: &Scenario, how: &How<'_>) -> Result<Computed, CommandError> {
    let job = scenario.job()?;
    let text = scenario.to_text()?;
    let kept = how.out.map(|out| Kept::open(out, &text, how.rows)).transpose()?;
    let mut drawn: Vec<Drawn> = Vec::new();
    let mut rows = Vec::new();
    let patients = job.patients.max(1) as f64;
    let mut seen = 0_u64;
    let mut from = 0;
    while from < job.draws {
        let to = (from + CHUNK).min(job.draws);
        if let Some((done, part)) = kept.as_ref().and_then(|k| k.read(&job, from..to)) {
            seen += job
                .units()
                .iter()
                .filter(|u| (from..to).contains(&u.draw))
                .map(|u| u.patients)
                .sum::<u64>();
            drawn.extend(done);
            rows.extend(part);
            from = to;
            continue;
        }
        let part = kept.as_ref().map(|k| k.part(from));
        let mut writer = match &part {
            Some(path) if how.rows => {
                let file = fs::File::create(partial(path)).map_err(|e| failed(path, e))?;
                let arms = job.arms.iter().map(|a| a.name.clone()).collect();
                Some(Rows::new(BufWriter::new(file), arms).map_err(|e| parquet(path, &e))?)
            }
            _ => None,
        };
        let mut trouble = None;
        let (done, _) = job.run_draws(from..to, how.rows, |unit, done: &Done| {
            seen += unit.patients;
            let [a, b] = how.span;
            let what = format!("{seen} of {} patients", job.patients);
            how.progress.at(&what, a + (b - a) * seen as f64 / patients);
            if let (Some(writer), Some(path)) = (&mut writer, &part) {
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
        if let (Some(writer), Some(path)) = (writer, &part) {
            writer.finish().map_err(|e| parquet(path, &e))?;
            fs::rename(partial(path), path).map_err(|e| failed(path, e))?;
            rows.push(path.clone());
        }
        if let Some(kept) = &kept {
            kept.write(from, &done)?;
        }
        drawn.extend(done);
        from = to;
    }
    Ok(Computed { job, drawn, rows, unfinished: kept.map(|k| k.folder) })
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
        self.folder.join(format!("counts-{draw:06}.csv"))
    }

    /// Counts of a chunk, as `draw,half,place,count` without zeros.
    fn write(&self, from: u64, done: &[Drawn]) -> Result<(), CommandError> {
        let path = self.counts(from);
        let put = || -> std::io::Result<()> {
            let mut file = BufWriter::new(fs::File::create(partial(&path))?);
            writeln!(file, "draw,half,place,count")?;
            for (n, d) in done.iter().enumerate() {
                for half in 0..2 {
                    let arms = d.tallies.iter().flat_map(|t| t[half].counts());
                    let pairs = d.paired.iter().flat_map(|p| p[half].counts());
                    for (place, count) in arms.chain(pairs).enumerate().filter(|(_, c)| **c > 0) {
                        writeln!(file, "{},{half},{place},{count}", from + n as u64)?;
                    }
                }
            }
            file.flush()?;
            fs::rename(partial(&path), &path)
        };
        put().map_err(|e| failed(&path, e))
    }

    /// A chunk that is complete; anything that does not fit is computed again.
    fn read(&self, job: &Job, draws: std::ops::Range<u64>) -> Option<(Vec<Drawn>, Vec<PathBuf>)> {
        let part = self.part(draws.start);
        if self.rows && !part.is_file() {
            return None;
        }
        let text = fs::read_to_string(self.counts(draws.start)).ok()?;
        let all = counts(job, &text).ok()?;
        let all =
            all.into_iter().skip(draws.start as usize).take((draws.end - draws.start) as usize);
        Some((all.collect(), if self.rows { vec![part] } else { Vec::new() }))
    }
}

/// Counts from a table `draw,half,place,count`.
fn counts(job: &Job, text: &str) -> Result<Vec<Drawn>, CommandError> {
    let wrong = |line: usize, found: &str| {
        CommandError::Usage(format!(
            "counts, line {line}: `{found}`, expected draw,half,place,count of this job"
        ))
    };
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, "draw,half,place,count")) => {}
        other => return Err(wrong(1, other.map_or("", |(_, l)| l))),
    }
    let length = job.counts();
    let mut rows: Vec<(u64, u8, Vec<u64>)> = Vec::new();
    for (n, line) in lines {
        let numbers: Vec<u64> = line.split(',').filter_map(|x| x.parse().ok()).collect();
        let [draw, half, place, count] = numbers[..] else { return Err(wrong(n + 1, line)) };
        if half > 1 || place >= length as u64 || draw >= job.draws {
            return Err(wrong(n + 1, line));
        }
        if rows.last().is_none_or(|r| (r.0, r.1) != (draw, half as u8)) {
            rows.push((draw, half as u8, vec![0; length]));
        }
        if let Some(row) = rows.last_mut() {
            row.2[place as usize] += count;
        }
    }
    Ok(job.draws_of(rows)?)
}
