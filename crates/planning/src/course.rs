//! A course as where a plan's dates and laboratory values come from.

use crate::case::{Case, LabsEntry};
use hepatica_regimen::course::CourseError;
use hepatica_regimen::log::{Log, LogError};
use hepatica_regimen::state::ProcedureStatus;
use hepatica_regimen::{Calendar, Course, ProcedureKind, Protocol, ProtocolError, State, Window};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a course cannot give dates and values.
#[derive(Debug, Error)]
pub enum CourseInputError {
    /// The file.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The protocol in it.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// It does not begin.
    #[error("{}: {source}", .path.display())]
    Course {
        /// The file.
        path: PathBuf,
        /// Why.
        source: CourseError,
    },
}

/// What a plan takes from a course.
#[derive(Debug)]
pub struct CourseInput {
    /// The file.
    pub path: PathBuf,
    /// Its patient.
    pub patient: String,
    /// The protocol as it was when the course began.
    pub protocol: Protocol,
    /// Its cycles on the days they began, or are expected.
    pub calendar: Calendar,
    /// The windows that are left for the sessions, in their order; `None` for one that is not to
    /// come.
    pub windows: Vec<Option<Window>>,
    /// Last values of the course.
    labs: LabsEntry,
    height_cm: Option<f64>,
    weight_kg: Option<f64>,
}

impl CourseInput {
    /// Reads a course. It is seen on the day of its last fact: the same course gives the same plan
    /// on any day.
    ///
    /// # Errors
    /// When it cannot be read, or was tampered with.
    pub fn read(path: &Path) -> Result<Self, CourseInputError> {
        let log = Log::read(path, Timestamp::now())?;
        let course = Course::fold(log.entries(), None)
            .map_err(|source| CourseInputError::Course { path: path.to_owned(), source })?;
        let file = format!("{} (its protocol {})", path.display(), course.protocol.id);
        let protocol = Protocol::parse(&course.protocol.text, &file)?;
        let today = course.entries.iter().map(|e| e.on).max().unwrap_or(course.c1d1);
        let state = State::of(&protocol, &course, today, 0);
        let window = |p: &hepatica_regimen::Procedure, status: ProcedureStatus, cycle, day| {
            let offered = p.window.iter().find(|w| w.cycle == cycle).or(p.window.last());
            let to_come = matches!(status, ProcedureStatus::Planned | ProcedureStatus::Undecided);
            offered.filter(|_| to_come).map(|w| Window { cycle, target: day, ..*w })
        };
        let windows = protocol
            .procedure
            .iter()
            .zip(&state.procedures)
            .filter(|(p, _)| p.kind == ProcedureKind::Radioembolization)
            .map(|(p, s)| s.window.and_then(|w| window(p, s.status, w.cycle, w.day)))
            .collect();
        let last = |measure: &str| course.samples_until(measure, today).last().copied();
        let value = |measure: &str| {
            let sample = last(measure)?;
            // Two values for one day are none.
            course.conflict(measure, sample.on).is_none().then_some(sample.value)
        };
        let truth = |measure: &str| value(measure).map(|v| v == 1.0);
        let labs = LabsEntry {
            date: ["bilirubin", "platelets", "albumin"]
                .iter()
                .filter_map(|m| last(m).map(|s| s.on))
                .max()
                .map(|d| d.to_string()),
            bilirubin_mg_dl: value("bilirubin"),
            albumin_g_dl: value("albumin"),
            platelets_1e9_l: value("platelets"),
            anc_1e9_l: value("anc"),
            creatinine_mg_dl: value("creatinine"),
            inr: value("inr"),
            alt_u_l: value("alt"),
            alt_uln_u_l: course.uln.get("alt").copied(),
            ast_u_l: value("ast"),
            ast_uln_u_l: course.uln.get("ast").copied(),
            ecog: value("ecog").map(|v| v as u32),
            portal_vein_patent: truth("portal_vein_patent"),
            ascites: truth("ascites"),
        };
        let (height_cm, weight_kg) = (value("height"), value("weight"));
        let starts = state.starts();
        let calendar = Calendar::with_starts(&protocol, course.c1d1, starts);
        let patient = course.patient.to_owned();
        let path = path.to_owned();
        Ok(Self { path, patient, protocol, calendar, windows, labs, height_cm, weight_kg })
    }

    /// Puts the course's values into a case: they are newer than what the case says.
    pub fn fill(&self, case: &mut Case) {
        let (l, c) = (&self.labs, &mut case.labs);
        macro_rules! take {
            ($($field:ident),+) => { $( c.$field = l.$field.clone().or(c.$field.take()); )+ };
        }
        take!(
            date,
            bilirubin_mg_dl,
            albumin_g_dl,
            platelets_1e9_l,
            anc_1e9_l,
            creatinine_mg_dl,
            inr,
            alt_u_l,
            alt_uln_u_l,
            ast_u_l,
            ast_uln_u_l,
            ecog,
            portal_vein_patent,
            ascites
        );
        case.patient.height_cm = self.height_cm.or(case.patient.height_cm);
        case.patient.weight_kg = self.weight_kg.or(case.patient.weight_kg);
    }
}
