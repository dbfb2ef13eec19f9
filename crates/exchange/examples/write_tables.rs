//! Writes the files of three small courses into a folder, for `tests/interop/tables.py`:
//! `write_tables FOLDER`.

#[path = "../tests/small/mod.rs"]
mod small;

use hepatica_exchange::odm::{Logged, metadata, transactions};
use hepatica_exchange::redcap;
use hepatica_exchange::tables::{Subject, csv, parquet, tables, xpt};
use hepatica_regimen::Course;
use small::{CUTOFF, courses, noon, source};
use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: write_tables FOLDER")?);
    fs::create_dir_all(&folder)?;
    let source = source();
    let logs: Vec<Vec<_>> = courses(&source)
        .into_iter()
        .map(|log| log.into_iter().map(|e| (e.id(), e)).collect())
        .collect();
    let folded = logs
        .iter()
        .map(|log| Course::fold(log.iter().map(|(id, e)| (id, e)), None))
        .collect::<Result<Vec<_>, _>>()?;
    let subjects: Vec<_> =
        folded.iter().map(|c| Subject::of(&source.protocol, c, CUTOFF).at("01")).collect();
    let made = noon("2027-07-01");
    for table in tables(&subjects)? {
        let name = table.name().to_lowercase();
        fs::write(folder.join(format!("{name}.csv")), csv::write(&table)?)?;
        fs::write(folder.join(format!("{name}.parquet")), parquet::write(&table)?)?;
        let at = jiff::civil::date(2027, 7, 1).at(12, 0, 0, 0);
        fs::write(folder.join(format!("{name}.xpt")), xpt::write(&table, at))?;
    }
    let events: Vec<Vec<_>> =
        logs.iter().map(|log| log.iter().map(|(id, e)| (id, e)).collect()).collect();
    let logged: Vec<_> = subjects
        .iter()
        .zip(&events)
        .map(|(s, events)| Logged { course: s.course, state: &s.state, events })
        .collect();
    fs::write(
        folder.join("courses.odm.xml"),
        transactions(&source.protocol, &logged, "Site 01", made)?.xml,
    )?;
    fs::write(folder.join("protocol.odm.xml"), metadata(&source.protocol, made)?)?;
    fs::write(folder.join("dictionary.csv"), redcap::dictionary(&source.protocol)?)?;
    let all: Vec<_> = folded.iter().collect();
    fs::write(folder.join("records.csv"), redcap::records(&source.protocol, &all)?.csv)?;
    // The log as it was, for what is held against the files.
    let log: Vec<_> =
        logs.iter().flatten().map(|(id, e)| serde_json::json!({"id": id, "event": e})).collect();
    fs::write(folder.join("log.json"), serde_json::to_string_pretty(&log)?)?;
    Ok(())
}
