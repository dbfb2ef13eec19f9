//! `hepatica course export`

use super::{CommandError, Opened, write};
use crate::output::OutputFolder;
use crate::term;
use clap::ValueHint;
use hepatica_exchange::tables::{self, Subject, csv, xpt};
use hepatica_exchange::{Stamp, fhir, ical, odm, redcap};
use hepatica_regimen::{Calendar, Course, Protocol, State, next};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course export P001.course --format fhir --out P001.fhir.json
  hepatica course export P001.course P002.course --format csv --out tables/
  hepatica course export P*.course --format odm --out study.xml
  hepatica course export P*.course --format redcap --out records.csv

What each format holds and loses: docs/exchange.md and docs/exchange-tables.md. A protocol by itself is
written with `hepatica protocol export`.")]
pub struct Args {
    /// Course files, of one protocol; one only for ics and fhir
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    courses: Vec<PathBuf>,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// File to write; for csv and xpt a folder
    #[arg(long, value_hint = ValueHint::AnyPath)]
    out: PathBuf,
    /// The day until which facts count; today if left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<String>,
    /// Name of the site, for odm and tables
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// iCalendar
    Ics,
    /// FHIR R4 bundle
    Fhir,
    /// CDISC ODM 1.3.2 with audit records
    Odm,
    /// Records that REDCap imports
    Redcap,
    /// SDTM-like and ADaM-like tables as CSV
    Csv,
    /// The same as SAS transport files (version 5)
    Xpt,
    /// The same as Parquet
    #[cfg(feature = "parquet")]
    Parquet,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let on = args.on.as_deref().map(Calendar::parse_date).transpose()?;
    let opened: Vec<Opened> =
        args.courses.iter().map(|path| Opened::read(path, on, None)).collect::<Result<_, _>>()?;
    let Some(first) = opened.first() else { return Ok(true) };
    let courses: Vec<Course<'_>> = opened.iter().map(Opened::course).collect::<Result<_, _>>()?;
    // Two versions of a protocol have other forms and columns.
    for (path, c) in args.courses.iter().zip(&courses) {
        if c.protocol.sha256 != courses[0].protocol.sha256 {
            return Err(CommandError::Usage(format!(
                "{}: on {} version {}, but {} is on {} version {}; export each protocol by itself",
                path.display(),
                c.protocol.id,
                c.protocol.version,
                args.courses[0].display(),
                courses[0].protocol.id,
                courses[0].protocol.version
            )));
        }
    }
    let stamps = opened.iter().map(Opened::stamp);
    let created = stamps.map(|s| s.recorded).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let (protocol, today) = (&first.protocol, first.today);
    let states: Vec<State<'_>> = courses.iter().map(|c| State::of(protocol, c, today, 4)).collect();
    let mut left_out = Vec::new();
    match args.format {
        Format::Ics | Format::Fhir => {
            if courses.len() > 1 {
                return Err(CommandError::Usage("this format holds one course".to_owned()));
            }
            let bytes = single(args.format, protocol, &courses[0], &states[0], first.stamp())?;
            write(&args.out, &bytes)?;
        }
        Format::Odm => {
            let events: Vec<Vec<_>> = opened.iter().map(|o| o.log.entries().collect()).collect();
            let logged: Vec<_> = courses
                .iter()
                .zip(&states)
                .zip(&events)
                .map(|((course, state), events)| odm::Logged { course, state, events })
                .collect();
            let site = args.site.as_deref().unwrap_or("site");
            let file = odm::transactions(protocol, &logged, site, created)?;
            left_out = file.left_out;
            write(&args.out, &file.xml)?;
        }
        Format::Redcap => {
            let all: Vec<_> = courses.iter().collect();
            let records = redcap::records(protocol, &all)?;
            left_out = records.left_out;
            write(&args.out, &records.csv)?;
        }
        _ => {
            let subjects = subjects(protocol, &courses, today, args.site.as_deref());
            write_tables(&args.out, args.format, &subjects, created)?;
        }
    }
    for line in left_out {
        anstream::eprintln!("{}left out{} {line}", term::HEAD, term::RESET);
    }
    Ok(true)
}

fn single(
    format: Format,
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    stamp: Stamp,
) -> Result<Vec<u8>, CommandError> {
    let agenda = next(protocol, course, state);
    Ok(match format {
        Format::Ics => ical::course(protocol, course, state, &agenda, stamp).into_bytes(),
        _ => {
            let bundle = fhir::bundle(protocol, course, state, &agenda, stamp)?;
            (serde_json::to_string_pretty(&bundle)? + "\n").into_bytes()
        }
    })
}

fn subjects<'a>(
    protocol: &'a Protocol,
    courses: &'a [Course<'a>],
    today: Date,
    site: Option<&'a str>,
) -> Vec<Subject<'a>> {
    let at = |s: Subject<'a>| match site {
        Some(site) => s.at(site),
        None => s,
    };
    courses.iter().map(|c| at(Subject::of(protocol, c, today))).collect()
}

fn write_tables(
    out: &Path,
    format: Format,
    subjects: &[Subject<'_>],
    created: Timestamp,
) -> Result<(), CommandError> {
    let ours =
        |name: &str| [".csv", ".xpt", ".parquet"].iter().any(|extension| name.ends_with(extension));
    let folder = OutputFolder::begin(out, &ours)?;
    for table in tables::tables(subjects)? {
        let name = table.design.name.to_lowercase();
        match format {
            Format::Xpt => {
                let made = Offset::UTC.to_datetime(created);
                folder.write(&format!("{name}.xpt"), &xpt::write(&table, made))?;
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                folder.write(&format!("{name}.parquet"), &tables::parquet::write(&table)?)?;
            }
            _ => folder.write(&format!("{name}.csv"), &csv::write(&table)?)?,
        }
    }
    let place = folder.finish()?;
    anstream::println!("{}written{} {}", term::DIM, term::RESET, place.display());
    Ok(())
}
