//! Courses as tables that statisticians read: SDTM-like domains and ADaM-like datasets.
//!
//! | module | holds |
//! |---|---|
//! | [`sdtm`] | DM, EX, PR, AE, LB, VS, TU, TR, RS: what was observed |
//! | [`adam`] | ADSL, ADTTE, ADRS, ADTR, ADAE, ADLB: what is analysed |
//! | [`csv`] | a table as CSV |
//! | `parquet` | a table as Parquet, with the feature `parquet` |
//! | [`xpt`] | a table as a SAS transport file, version 5 |
//!
//! *Like*, because controlled terms that a course does not record (race, country, MedDRA codes) are
//! empty or left out, and because a few columns that no standard has are added. Every column is in
//! `docs/exchange-tables.md`, which is written from here. Nothing is reckoned here that the regimen
//! reckons: grades, response and endpoints are its answers.

pub mod adam;
pub mod csv;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod sdtm;
pub mod subject;
pub mod xpt;

pub use subject::Subject;

use jiff::civil::Date;
use std::collections::BTreeSet;
use std::fmt::Write;
use thiserror::Error;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; dates of SDTM are text, too, as ISO 8601.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A day.
    Date,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Date => "date",
        }
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name, at most 8 characters, as transport files ask for.
    pub name: &'static str,
    /// Label, at most 40 characters.
    pub label: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether no standard has it.
    pub extra: bool,
}

const fn column(name: &'static str, kind: Kind, label: &'static str) -> Column {
    Column { name, label, kind, extra: false }
}
const fn text(name: &'static str, label: &'static str) -> Column {
    column(name, Kind::Text, label)
}
const fn integer(name: &'static str, label: &'static str) -> Column {
    column(name, Kind::Integer, label)
}
const fn number(name: &'static str, label: &'static str) -> Column {
    column(name, Kind::Number, label)
}
const fn date(name: &'static str, label: &'static str) -> Column {
    column(name, Kind::Date, label)
}
/// A column that no standard has.
const fn extra(c: Column) -> Column {
    Column { extra: true, ..c }
}

/// What a table is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// Name of the table and of its file.
    pub name: &'static str,
    /// Label, at most 40 characters.
    pub label: &'static str,
    /// One row for each of these.
    pub row_per: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Missing,
    /// Text, never empty.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number, always finite.
    Number(f64),
    /// A day.
    Date(Date),
}

impl Value {
    /// Whether it may be in a column of this kind.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(_) => kind == Kind::Text,
            Self::Integer(_) => kind == Kind::Integer,
            Self::Number(_) => kind == Kind::Number,
            Self::Date(_) => kind == Kind::Date,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::Missing } else { Self::Text(text.to_owned()) }
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::Missing } else { Self::Text(text) }
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Integer(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Integer(i64::from(n))
    }
}
impl From<usize> for Value {
    fn from(n: usize) -> Self {
        i64::try_from(n).map_or(Self::Missing, Self::Integer)
    }
}
impl From<f64> for Value {
    fn from(x: f64) -> Self {
        if x.is_finite() { Self::Number(x) } else { Self::Missing }
    }
}
impl From<Date> for Value {
    fn from(day: Date) -> Self {
        Self::Date(day)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it is made of.
    pub design: &'static Design,
    /// Its rows, a cell for every column.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub const fn new(design: &'static Design) -> Self {
        Self { design, rows: Vec::new() }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.design.name
    }

    /// Adds a row. Columns that are not named are empty.
    fn push<const N: usize>(&mut self, cells: [(&str, Value); N]) {
        let columns = self.design.columns;
        let mut row = vec![Value::Missing; columns.len()];
        for (name, value) in cells {
            let place = columns.iter().position(|c| c.name == name);
            debug_assert!(place.is_some(), "{} has no column {name}", self.design.name);
            let Some(n) = place else { continue };
            debug_assert!(value.fits(columns[n].kind), "{name}: {value:?}");
            row[n] = value;
        }
        self.rows.push(row);
    }

    /// A cell by row and name of its column.
    #[must_use]
    pub fn cell(&self, row: usize, column: &str) -> Option<&Value> {
        let place = self.design.columns.iter().position(|c| c.name == column)?;
        self.rows.get(row)?.get(place)
    }
}

/// Why there are no tables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TableError {
    /// One patient twice.
    #[error("two courses are of patient {patient} in study {study}; give each once")]
    Twice {
        /// The patient.
        patient: String,
        /// The study.
        study: String,
    },
    /// The writer of a format failed.
    #[error("table {table}: cannot be written as {format} ({why})")]
    Format {
        /// The table.
        table: &'static str,
        /// The format.
        format: &'static str,
        /// Why.
        why: String,
    },
}

/// All tables of these courses, those of SDTM first. Rows are in the order of the subjects.
///
/// # Errors
/// [`TableError::Twice`].
pub fn tables(subjects: &[Subject<'_>]) -> Result<Vec<Table>, TableError> {
    let mut seen = BTreeSet::new();
    for s in subjects {
        if !seen.insert(s.key()) {
            let (patient, study) = (s.course.patient.to_owned(), s.study().to_owned());
            return Err(TableError::Twice { patient, study });
        }
    }
    let mut all = sdtm::domains(subjects);
    all.extend(adam::datasets(subjects));
    Ok(all)
}

/// The designs of all tables, in the order of [`tables`].
pub fn designs() -> impl Iterator<Item = &'static Design> {
    sdtm::DESIGNS.iter().chain(adam::DESIGNS).copied()
}

/// Every column of every table as Markdown: the part of `docs/exchange-tables.md` that is made
/// from the program.
#[must_use]
pub fn describe() -> String {
    let mut text = String::new();
    for d in designs() {
        // Writing to a String does not fail.
        let _ = write!(text, "### {}: {}\n\nOne row for each {}.\n\n", d.name, d.label, d.row_per);
        text.push_str("| column | type | label | |\n|---|---|---|---|\n");
        for c in d.columns {
            let note = if c.extra { "ours" } else { "" };
            let _ = writeln!(text, "| `{}` | {} | {} | {note} |", c.name, c.kind.as_str(), c.label);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_fit_into_transport_files() {
        for d in designs() {
            let mut names = BTreeSet::new();
            assert!(d.label.len() <= 40 && d.name.len() <= 8, "{}", d.name);
            for c in d.columns {
                assert!(
                    c.name.len() <= 8 && c.label.len() <= 40,
                    "{} {}: {}",
                    d.name,
                    c.name,
                    c.label
                );
                assert!(c.name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
                assert!(names.insert(c.name), "{} has {} twice", d.name, c.name);
            }
        }
    }

    #[test]
    fn every_column_is_in_the_docs() {
        let page = include_str!("../../../../docs/exchange-tables.md");
        assert!(
            page.contains(&describe()),
            "docs/exchange-tables.md is behind; its table is now:\n{}",
            describe()
        );
    }
}
