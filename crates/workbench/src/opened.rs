//! A course read from the store, its chain of hashes checked, and what is due on a day.

use crate::store::{Store, StoreError};
use hepatica_regimen::course::CourseError;
use hepatica_regimen::log::LogError;
use hepatica_regimen::{Agenda, Course, Log, Protocol, ProtocolError, State, next};
use jiff::Timestamp;
use jiff::civil::Date;
use std::path::Path;
use thiserror::Error;

/// Why a course cannot be shown.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Nobody of that name.
    #[error("no course of patient {patient} is in the store; the page Courses lists them")]
    NoCourse {
        /// Who was asked for.
        patient: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No beginning.
    #[error(transparent)]
    Course(#[from] CourseError),
    /// The protocol it carries.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A course that was read, with its protocol as it was when it began.
#[derive(Debug)]
pub struct Opened {
    /// Its events.
    pub log: Log,
    /// Its protocol.
    pub protocol: Protocol,
    /// The day in question.
    pub today: Date,
}

/// A course seen on a day.
#[derive(Debug)]
pub struct Seen<'o> {
    /// What the events say.
    pub course: Course<'o>,
    /// Where it stands.
    pub state: State<'o>,
    /// What is due.
    pub agenda: Agenda,
}

/// The clock's day, in the machine's time zone.
#[must_use]
pub fn today() -> Date {
    jiff::ZonedDateTime::now().date()
}

impl Opened {
    /// Reads a course as it stands on a day, today if none is said.
    ///
    /// # Errors
    /// When there is none, or it was tampered with.
    pub async fn read(
        store: &dyn Store,
        patient: &str,
        on: Option<Date>,
    ) -> Result<Self, OpenError> {
        let lines = store.lines(patient).await?;
        if lines.is_empty() {
            return Err(OpenError::NoCourse { patient: patient.to_owned() });
        }
        let mut text = String::with_capacity(lines.iter().map(|l| l.len() + 1).sum());
        for line in &lines {
            text.push_str(line);
            text.push('\n');
        }
        Self::parse(patient, text, on)
    }

    /// [`Opened::read`] of the text of a course file.
    ///
    /// # Errors
    /// When it was tampered with.
    pub fn parse(patient: &str, text: String, on: Option<Date>) -> Result<Self, OpenError> {
        let name = format!("the course of {patient}");
        let log = Log::parse(Path::new(&name), text, Timestamp::now())?;
        let course = Course::fold(log.entries(), None)?;
        let file = format!("{name} (its protocol {})", course.protocol.id);
        let protocol = Protocol::parse(&course.protocol.text, &file)?;
        Ok(Self { log, protocol, today: on.unwrap_or_else(today) })
    }

    /// The course.
    ///
    /// # Errors
    /// When no event begins it.
    pub fn course(&self) -> Result<Course<'_>, OpenError> {
        Ok(Course::fold(self.log.entries(), None)?)
    }

    /// Everything at once, with so many cycles at least.
    ///
    /// # Errors
    /// As [`Opened::course`].
    pub fn seen(&self, cycles: usize) -> Result<Seen<'_>, OpenError> {
        let course = self.course()?;
        let state = State::of(&self.protocol, &course, self.today, cycles);
        let agenda = next(&self.protocol, &course, &state);
        Ok(Seen { course, state, agenda })
    }
}
