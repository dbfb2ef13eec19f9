//! From a path to a trial.

use crate::data::{Due, Said, Trial, trial};
use crate::error::DataError;
use crate::frame::Frame;
use crate::read::{Folder, look, table};
use crate::schema::SHEETS;
use hepatica_exchange::tables::{Subject, tables};
use hepatica_regimen::log::Log;
use hepatica_regimen::next::{Kind, Status};
use hepatica_regimen::{Course, Protocol};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Reads a folder of tables or of courses. Courses are cut on the day said, else `today`; `now` is
/// the instant after which nothing can have been recorded; `at` is told how much is done.
///
/// # Errors
/// When anything cannot be read, or contradicts itself.
pub fn load(
    path: &Path,
    said: Said,
    today: Date,
    now: Timestamp,
    at: &dyn Fn(&str, f64),
) -> Result<Trial, DataError> {
    match look(path)? {
        Folder::Tables(files) => {
            let mut frames: [Option<Frame>; 7] = Default::default();
            let all = files.len() as f64;
            for (done, (n, file)) in files.iter().enumerate() {
                at(&format!("reading {}", SHEETS[*n].name), done as f64 / all);
                frames[*n] = Some(table(file, SHEETS[*n])?);
            }
            trial(frames, said, format!("tables in {}", path.display()))
        }
        Folder::Courses(files) => {
            let mut read = Vec::new();
            for (n, (file, centre)) in files.iter().enumerate() {
                at("reading courses", 0.5 * n as f64 / files.len() as f64);
                let log = Log::read(file, now)?;
                read.push(OfPatient { path: file.clone(), log, centre: centre.clone() });
            }
            let source = format!("{} courses in {}", files.len(), path.display());
            of_courses(&read, said, today, source, &|what, done| at(what, 0.5 + 0.5 * done))
        }
    }
}

/// The course of a patient of a trial.
#[derive(Debug)]
pub struct OfPatient {
    /// Where it is from, for messages.
    pub path: PathBuf,
    /// Its events.
    pub log: Log,
    /// The centre, where somebody said it.
    pub centre: Option<String>,
}

/// A trial of courses, cut on the day said, else `today`; `source` is where they are from, `at` is told how much
/// is done.
///
/// # Errors
/// When a course does not begin, or they contradict each other.
pub fn of_courses(
    courses: &[OfPatient],
    said: Said,
    today: Date,
    source: String,
    at: &dyn Fn(&str, f64),
) -> Result<Trial, DataError> {
    let on = said.on.unwrap_or(today);
    let mut folded = Vec::new();
    for c in courses {
        let failed = |source| DataError::Course { path: c.path.clone(), source };
        let course = Course::fold(c.log.entries(), None).map_err(failed)?;
        let name = format!("{} (its protocol {})", c.path.display(), course.protocol.id);
        let protocol = Protocol::parse(&course.protocol.text, &name)?;
        folded.push((protocol, course, c.centre.as_deref()));
    }
    let mut subjects = Vec::new();
    for (n, (protocol, course, centre)) in folded.iter().enumerate() {
        at("folding courses", n as f64 / folded.len() as f64);
        let subject = Subject::of(protocol, course, on);
        subjects.push(match centre {
            Some(centre) => subject.at(centre),
            None => subject,
        });
    }
    let made = tables(&subjects)?;
    let mut frames: [Option<Frame>; 7] = Default::default();
    for (frame, sheet) in frames.iter_mut().zip(SHEETS) {
        let table = made.iter().find(|t| t.name() == sheet.name);
        *frame = table.map(|t| Frame::of_table(t, sheet)).transpose()?;
    }
    let mut trial = trial(frames, Said { on: Some(on), ..said }, source)?;
    trial.cutoff_from = if said.on.is_some() { "--on" } else { "today: courses go on" }.to_owned();
    trial.due = Some(subjects.iter().flat_map(due).collect());
    let versions: BTreeSet<String> = folded
        .iter()
        .map(|(_, c, _)| format!("{} version {}", c.protocol.id, c.protocol.version))
        .collect();
    let shas: BTreeSet<&str> = folded.iter().map(|f| f.1.protocol.sha256.as_str()).collect();
    if shas.len() == 1 {
        trial.protocol = folded.first().map(|f| f.0.clone());
    }
    if versions.len() > 1 {
        let all = versions.into_iter().collect::<Vec<_>>().join(", ");
        trial.notes.push(format!("courses are on different protocols: {all}"));
    }
    Ok(trial)
}

/// What is due of a course or was missed: visits, values, scans, procedures.
fn due(s: &Subject<'_>) -> Vec<Due> {
    let key = s.key();
    let open = s
        .agenda
        .obligations
        .iter()
        .filter(|o| matches!(o.kind, Kind::Assessment | Kind::Procedure));
    open.filter_map(|o| {
        let status = match o.status {
            Status::Due => "due",
            Status::Overdue => "overdue",
            Status::Missed => "missed",
            _ => return None,
        };
        let (earliest, latest, what) = (o.earliest, o.latest, o.name.clone());
        Some(Due { subject: key.clone(), earliest, latest, what, status })
    })
    .collect()
}
