//! Why data cannot be used: one sentence each, with file, row, what was found and what to do.

use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Where something stands: a file, and in it a row and a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or what stands for one.
    pub file: String,
    /// The row as a spreadsheet counts it: the names of the columns are row 1.
    pub row: usize,
    /// The column, if it is one.
    pub column: Option<&'static str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}", self.file, self.row)?;
        self.column.map_or(Ok(()), |c| write!(f, ", {c}"))
    }
}

/// Why data cannot be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// It is no folder.
    #[error("{}: {found}, expected a folder of tables (adsl.csv, adtte.csv, ...) or of .course files", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Nothing in it is ours.
    #[error("{}: holds no adsl.csv and no .course file; tables are made with `hepatica course export --format csv`, and docs/trial-data.md says what is in them", .path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Two kinds of data, or one table twice.
    #[error("{}: holds {first} and {second}, expected one of them; move the other away", .path.display())]
    Twice {
        /// The folder.
        path: PathBuf,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// It cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Longer than any such file.
    #[error("{file}: {found} {what}, expected at most {most}; is it this file that was meant?")]
    TooMuch {
        /// The file.
        file: String,
        /// How many.
        found: u64,
        /// Of what.
        what: &'static str,
        /// The most.
        most: u64,
    },
    /// A Parquet file and no reader for it.
    #[error("{}: this program was built without Parquet; give the table as CSV, or build with --features parquet", .path.display())]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// No table at all.
    #[error("{file}: cannot be read as {format} ({why})")]
    Format {
        /// The file.
        file: String,
        /// `CSV` or `Parquet`.
        format: &'static str,
        /// Why.
        why: String,
    },
    /// A column that must be there.
    #[error("{file}: no column {column} ({label}){}", near_column(.near))]
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// What it is.
        label: &'static str,
        /// A column that may be it.
        near: Option<String>,
    },
    /// A column that is most likely another one, misspelt.
    #[error("{file}: unknown column {found}; did you mean {near}? Rename it, or take it out")]
    Misspelt {
        /// The file.
        file: String,
        /// The column.
        found: String,
        /// What it looks like.
        near: &'static str,
    },
    /// A column twice.
    #[error("{file}: column {column} is there twice; take one out")]
    ColumnTwice {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A cell that cannot be.
    #[error("{place} = {found}, expected {expected}")]
    Cell {
        /// Where.
        place: Place,
        /// What was found.
        found: String,
        /// What was expected, and what to do.
        expected: String,
    },
    /// A cell that must not be empty.
    #[error("{place}: empty, expected {expected}")]
    EmptyCell {
        /// Where.
        place: Place,
        /// What was expected.
        expected: String,
    },
    /// A subject nobody enrolled.
    #[error("{place}: subject {subject} is not in {adsl}; add its row there, or take this one out")]
    Stranger {
        /// Where.
        place: Place,
        /// The subject.
        subject: String,
        /// Where subjects are.
        adsl: String,
    },
    /// Two rows that say the same thing.
    #[error("{place}: {what} is there twice (also in row {other}); keep one of them")]
    RowTwice {
        /// Where.
        place: Place,
        /// What.
        what: String,
        /// The row before.
        other: usize,
    },
    /// Rows that contradict each other.
    #[error("{place}: {what}; {remedy}")]
    Contradiction {
        /// Where.
        place: Place,
        /// What.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Grades whose version nobody said.
    #[error(
        "{place}: grades without a version of CTCAE; fill in ATOXVER (5 or 6), or say it with --ctcae"
    )]
    NoVersion {
        /// Where.
        place: Place,
    },
    /// A course.
    #[error(transparent)]
    Log(#[from] hepatica_regimen::log::LogError),
    /// A course.
    #[error("{}: {source}", .path.display())]
    Course {
        /// The file.
        path: PathBuf,
        /// Why.
        source: hepatica_regimen::course::CourseError,
    },
    /// The protocol of a course.
    #[error(transparent)]
    Protocol(#[from] hepatica_regimen::ProtocolError),
    /// The tables of courses.
    #[error(transparent)]
    Tables(#[from] hepatica_exchange::tables::TableError),
}

fn near_column(near: &Option<String>) -> String {
    near.as_ref().map_or_else(
        || "; it is needed (docs/trial-data.md)".to_owned(),
        |n| format!("; is it {n}?"),
    )
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A number that nothing can be reckoned with.
    #[error(transparent)]
    Statistics(#[from] hepatica_statistics::Error),
    /// The level of intervals.
    #[error("level {found} of intervals, expected above 0.5 and below 1; the usual one is 0.95")]
    Level {
        /// What was asked for.
        found: f64,
    },
    /// A rate or a probability of the stopping rule.
    #[error("{what} of the stopping rule = {found}, expected above 0 and below 1")]
    Fraction {
        /// Which.
        what: &'static str,
        /// What was given.
        found: f64,
    },
    /// A plan.
    #[error("{}: {why}", .path.display())]
    Plan {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}
