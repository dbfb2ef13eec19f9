//! `hepatica course`: a patient's course through a protocol. One file a subcommand.

mod calendar;
mod export;
mod history;
mod import;
mod migrate;
mod new;
mod propose;
mod record;
mod status;
mod timeline;

use super::CommandError;
use clap::{Subcommand, ValueHint};
use hepatica_exchange::Stamp;
use hepatica_regimen::log::Log;
use hepatica_regimen::protocol::{Source, diff};
use hepatica_regimen::{Agenda, Calendar, Course, Protocol, State, next};
use jiff::civil::Date;
use jiff::{Timestamp, ZonedDateTime};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hepatica course new --protocol captemy90 --patient P001 --c1d1 2026-12-02 --out P001.course
  hepatica course record P001.course labs --date 2027-01-04 platelets=92 anc=1.8 bilirubin=0.9
  hepatica course status P001.course
  hepatica course calendar P001.course --pdf --ics
  hepatica course timeline P001.course --out P001.svg
  hepatica course propose-start --protocol captemy90 --site example --from 2026-12-01 --to 2027-01-31")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a course on a protocol
    New(new::Args),
    /// Record what happened: values, doses, toxicities, procedures, scans, decisions
    Record(Box<record::Args>),
    /// Say which day it is, what is due, held or reduced, and why
    Status(status::Args),
    /// List what is due, or write it as a printable calendar (PDF) or calendar file (ICS)
    Calendar(calendar::Args),
    /// Draw the course as one picture (SVG or PNG)
    Timeline(timeline::Args),
    /// List every event as it was recorded, and check that nothing was changed since
    History(history::Args),
    /// Write courses for other systems: FHIR, ODM, REDCap, tables
    Export(export::Args),
    /// Read courses from a REDCap export
    Import(import::Args),
    /// Go on with another version of the protocol, on purpose
    Migrate(migrate::Args),
    /// Find first days on which a site can do everything, best first
    ProposeStart(propose::Args),
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    match &args.command {
        Command::New(args) => new::run(args),
        Command::Record(args) => record::run(args),
        Command::Status(args) => status::run(args),
        Command::Calendar(args) => calendar::run(args),
        Command::Timeline(args) => timeline::run(args),
        Command::History(args) => history::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::ProposeStart(args) => propose::run(args),
    }
}

/// Which course, seen from when.
#[derive(Debug, clap::Args)]
struct View {
    /// The course file
    #[arg(value_hint = ValueHint::FilePath)]
    course: PathBuf,
    /// The day in question; today if left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<String>,
    /// Only what was recorded by then: the course as it was known (RFC 3339, as in
    /// 2027-01-10T12:00Z)
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
}

impl View {
    fn open(&self) -> Result<Opened, CommandError> {
        let today = self.on.as_deref().map(Calendar::parse_date).transpose()?;
        Opened::read(&self.course, today, self.as_of)
    }
}

/// A course that was read, with its protocol as it was when it began.
struct Opened {
    log: Log,
    protocol: Protocol,
    today: Date,
    as_of: Option<Timestamp>,
}

impl Opened {
    fn read(
        path: &Path,
        today: Option<Date>,
        as_of: Option<Timestamp>,
    ) -> Result<Self, CommandError> {
        let log = Log::read(path, Timestamp::now())?;
        let course = Course::fold(log.entries(), as_of)?;
        let protocol = pinned(course.protocol, path)?;
        let today = today.unwrap_or_else(|| ZonedDateTime::now().date());
        Ok(Self { log, protocol, today, as_of })
    }

    fn course(&self) -> Result<Course<'_>, CommandError> {
        Ok(Course::fold(self.log.entries(), self.as_of)?)
    }

    /// Everything at once: the course, where it stands, and what is due, with so many cycles.
    fn seen(&self, cycles: usize) -> Result<Seen<'_>, CommandError> {
        let course = self.course()?;
        let state = State::of(&self.protocol, &course, self.today, cycles);
        let mut agenda = next(&self.protocol, &course, &state);
        agenda.warnings.extend(self.protocol_changed(&course));
        Ok(Seen { course, state, agenda })
    }

    /// How far the log had come.
    fn stamp(&self) -> Stamp {
        Stamp::of(self.log.entries(), self.as_of)
    }

    /// What differs between the protocol the course is on and the one of that name now.
    fn protocol_changed(&self, course: &Course<'_>) -> Option<String> {
        let pinned = course.protocol;
        let now = Source::named(&pinned.id).ok()?;
        if now.sha256() == pinned.sha256 {
            return None;
        }
        let differences = diff::diff(&self.protocol, &now.protocol);
        let places: Vec<_> = differences.iter().take(3).map(|d| d.place.clone()).collect();
        let more = differences.len().saturating_sub(places.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = if places.is_empty() {
            "only its words".to_owned()
        } else {
            format!("{}{more}", places.join(", "))
        };
        Some(format!(
            "the protocol {} has changed since the course began (version {} then, {} now: {what}); the course goes on with the one it began with, unless `hepatica course migrate` says otherwise",
            pinned.id, pinned.version, now.protocol.version
        ))
    }
}

/// A course seen on a day.
struct Seen<'o> {
    course: Course<'o>,
    state: State<'o>,
    agenda: Agenda,
}

/// The protocol a course is on, from the text it carries.
fn pinned(
    pinned: &hepatica_regimen::event::Pinned,
    course: &Path,
) -> Result<Protocol, CommandError> {
    let file = format!("{} (its protocol {})", course.display(), pinned.id);
    Ok(Protocol::parse(&pinned.text, &file)?)
}

/// Who records, if nobody says so: the user of the machine.
fn user() -> Option<String> {
    whoami::username().ok().filter(|name| !name.trim().is_empty())
}

/// Who records: who is named, else the user of the machine.
pub(super) fn recorder(named: Option<String>) -> Result<String, CommandError> {
    named.or_else(user).ok_or_else(|| {
        CommandError::Usage("who records this is not known: say it with --by".to_owned())
    })
}

/// Writes a file beside its place and renames it there.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    crate::output::write_file(path, bytes)?;
    anstream::println!("{}written{} {}", crate::term::DIM, crate::term::RESET, path.display());
    Ok(())
}

/// The course's file with another extension.
fn beside(course: &Path, extension: &str) -> PathBuf {
    course.with_extension(extension)
}
