//! A table as it was read: cells of known kinds, each with its place.

use crate::error::{DataError, Place};
use crate::schema::{Cell, Sheet, Used};
use hepatica_exchange::tables::csv::unguard;
use hepatica_exchange::tables::{Table, Value};
use hepatica_regimen::strict;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// Most rows of a table.
pub const MAX_ROWS: u64 = 2_000_000;
/// Most columns of a table.
const MAX_COLUMNS: u64 = 2_000;
/// Longest text of a cell that is repeated in a message, in characters.
const SHOWN: usize = 40;

/// A table as it was read.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The file, or what stands for one.
    pub file: String,
    /// What is read of it.
    pub sheet: &'static Sheet,
    /// Whether the column of that place is there.
    present: Vec<bool>,
    /// Columns that nobody looks at.
    pub ignored: Vec<String>,
    rows: Vec<(usize, Vec<Value>)>,
}

/// A row of it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'f> {
    /// Of which table.
    pub frame: &'f Frame,
    /// The row as a spreadsheet counts it.
    pub number: usize,
    cells: &'f [Value],
}

/// How the columns of a file lie: for each column that is read, its place in the file.
#[derive(Debug)]
pub struct Layout {
    file: String,
    sheet: &'static Sheet,
    places: Vec<Option<usize>>,
    ignored: Vec<String>,
}

impl Layout {
    /// Finds the columns by their names, in capital letters or small ones.
    ///
    /// # Errors
    /// When one is missing, misspelt or there twice.
    pub fn of(file: &str, sheet: &'static Sheet, names: &[&str]) -> Result<Self, DataError> {
        let file = file.to_owned();
        let found = names.len() as u64;
        if found > MAX_COLUMNS {
            let what = "columns";
            return Err(DataError::TooMuch { file, found, what, most: MAX_COLUMNS });
        }
        let mut places = vec![None; sheet.columns.len()];
        let mut others = Vec::new();
        let mut seen = BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            let name = name.trim().to_uppercase();
            if !seen.insert(name.clone()) {
                return Err(DataError::ColumnTwice { file, column: shown(&name) });
            }
            match sheet.columns.iter().position(|c| c.name == name) {
                Some(n) => places[n] = Some(place),
                None => others.push(name),
            }
        }
        let absent = |n: &usize| places[*n].is_none();
        // A column of the exchange that is not read is no slip, however near it is.
        others.retain(|name| !sheet.design.columns.iter().any(|c| c.name == name));
        for name in &others {
            let near = (0..places.len()).filter(absent).map(|n| &sheet.columns[n]);
            let near = near.filter(|c| slip(name, c.name)).map(|c| c.name).min();
            if let Some(near) = near {
                return Err(DataError::Misspelt { file, found: shown(name), near });
            }
        }
        if let Some(n) = (0..places.len()).filter(absent).find(|n| sheet.columns[*n].required) {
            let Used { name: column, label, .. } = sheet.columns[n];
            let near = strict::nearest(column, others.iter().map(String::as_str)).map(shown);
            return Err(DataError::NoColumn { file, column, label, near });
        }
        let ignored = others.iter().map(|name| shown(name)).collect();
        Ok(Self { file, sheet, places, ignored })
    }

    /// What is read, with its place in the file.
    pub fn columns(&self) -> impl Iterator<Item = (&'static Used, Option<usize>)> {
        self.sheet.columns.iter().zip(self.places.iter().copied())
    }

    /// Where a column of a row stands.
    #[must_use]
    pub fn place(&self, row: usize, column: &'static str) -> Place {
        Place { file: self.file.clone(), row, column: Some(column) }
    }

    /// The table without rows.
    #[must_use]
    pub fn frame(self) -> Frame {
        Frame {
            file: self.file,
            sheet: self.sheet,
            present: self.places.iter().map(Option::is_some).collect(),
            ignored: self.ignored,
            rows: Vec::new(),
        }
    }
}

/// Whether a name looks like a slip of the pen: one letter more, less, other, or two exchanged; in
/// long names two.
fn slip(name: &str, known: &str) -> bool {
    let most = if known.len() >= 7 { 2 } else { 1 };
    let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
    // ANL02FL is another flag than ANL01FL, and TRT02P another period.
    digits(name) == digits(known) && strsim::damerau_levenshtein(name, known) <= most
}

/// A text of a file in a message: short, on one line.
#[must_use]
pub fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = text.trim().chars().map(clean).take(SHOWN).collect();
    if text.trim().chars().count() > SHOWN { short + "…" } else { short }
}

/// A cell of a text file as what its column holds.
///
/// # Errors
/// When it is something else.
pub fn parse(text: &str, used: &Used, place: impl Fn() -> Place) -> Result<Value, DataError> {
    let text = unguard(text.trim());
    let wrong = |expected: &str| DataError::Cell {
        place: place(),
        found: format!("`{}`", shown(text)),
        expected: expected.to_owned(),
    };
    let missing = text.is_empty() || (used.cell != Cell::Name && matches!(text, "NA" | "."));
    if missing {
        return Ok(Value::Missing);
    }
    Ok(match used.cell {
        Cell::Name | Cell::Text => Value::Text(text.to_owned()),
        Cell::Flag => match text {
            "Y" | "N" => Value::Text(text.to_owned()),
            _ => return Err(wrong("Y, N or nothing")),
        },
        Cell::Date => Value::Date(
            text.parse()
                .map_err(|_| wrong("a day as YYYY-MM-DD; write it so, or leave it empty"))?,
        ),
        Cell::Number | Cell::Integer => {
            let number: f64 = text.parse().map_err(|_| {
                wrong("a number with a decimal point, or nothing where it is not known")
            })?;
            numeric(number, used.cell).ok_or_else(|| wrong(expected_number(used.cell)))?
        }
    })
}

/// What is expected of a number.
#[must_use]
pub const fn expected_number(cell: Cell) -> &'static str {
    match cell {
        Cell::Integer => "a whole number, or nothing where it is not known",
        _ => "a finite number, or nothing where it is not known",
    }
}

/// A number as what its column holds; `None`: it cannot be.
#[must_use]
pub fn numeric(number: f64, cell: Cell) -> Option<Value> {
    // Far beyond any day, grade or size; whole numbers up to here are exact.
    const MOST: f64 = 1e9;
    if !number.is_finite() || number.abs() > MOST {
        return None;
    }
    if cell == Cell::Integer {
        return (number.fract() == 0.0).then_some(Value::Integer(number as i64));
    }
    Some(Value::Number(number))
}

impl Frame {
    /// A table of courses.
    ///
    /// # Errors
    /// When its numbers cannot be; a fault of the program.
    pub fn of_table(table: &Table, sheet: &'static Sheet) -> Result<Self, DataError> {
        let file = format!("{} of the courses", table.name());
        let names: Vec<&str> = table.design.columns.iter().map(|c| c.name).collect();
        let layout = Layout::of(&file, sheet, &names)?;
        let places: Vec<_> = layout.columns().collect();
        let cells = |row: &Vec<Value>| {
            places.iter().map(|(_, p)| p.map_or(Value::Missing, |p| row[p].clone())).collect()
        };
        let rows = table.rows.iter().enumerate().map(|(n, row)| (n + 2, cells(row))).collect();
        Ok(Self { rows, ..layout.frame() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When there are too many.
    pub fn push(&mut self, number: usize, cells: Vec<Value>) -> Result<(), DataError> {
        if self.rows.len() as u64 >= MAX_ROWS {
            let (file, found) = (self.file.clone(), self.rows.len() as u64 + 1);
            return Err(DataError::TooMuch { file, found, what: "rows", most: MAX_ROWS });
        }
        self.rows.push((number, cells));
        Ok(())
    }

    /// Its rows, in the order of the file.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, cells)| Row { frame: self, number: *number, cells })
    }

    /// Whether a column is there.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.sheet.columns.iter().position(|c| c.name == column).is_some_and(|n| self.present[n])
    }
}

impl<'f> Row<'f> {
    fn cell(&self, column: &str) -> &'f Value {
        let place = self.frame.sheet.columns.iter().position(|c| c.name == column);
        debug_assert!(place.is_some(), "{} has no {column}", self.frame.sheet.name);
        place.map_or(&Value::Missing, |n| &self.cells[n])
    }

    /// Where a column of it stands.
    #[must_use]
    pub fn place(&self, column: &'static str) -> Place {
        Place { file: self.frame.file.clone(), row: self.number, column: Some(column) }
    }

    /// Where it stands.
    #[must_use]
    pub fn whole(&self) -> Place {
        Place { file: self.frame.file.clone(), row: self.number, column: None }
    }

    /// A text.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'f str> {
        match self.cell(column) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A flag.
    #[must_use]
    pub fn flag(&self, column: &str) -> Option<bool> {
        self.text(column).map(|t| t == "Y")
    }

    /// A day.
    #[must_use]
    pub fn date(&self, column: &str) -> Option<Date> {
        match self.cell(column) {
            Value::Date(day) => Some(*day),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.cell(column) {
            Value::Integer(n) => Some(*n),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<f64> {
        match self.cell(column) {
            Value::Number(x) => Some(*x),
            Value::Integer(n) => Some(*n as f64),
            _ => None,
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is empty.
    pub fn needed(&self, column: &'static str) -> Result<&'f str, DataError> {
        self.text(column).ok_or_else(|| self.empty(column))
    }

    /// The error of an empty cell.
    #[must_use]
    pub fn empty(&self, column: &'static str) -> DataError {
        let used = self.frame.sheet.columns.iter().find(|c| c.name == column);
        let expected = used.map_or("a value", |c| c.label).to_owned();
        DataError::EmptyCell { place: self.place(column), expected }
    }

    /// The error of a cell that cannot be.
    #[must_use]
    pub fn wrong(
        &self,
        column: &'static str,
        found: impl std::fmt::Display,
        expected: &str,
    ) -> DataError {
        let found = shown(&found.to_string());
        DataError::Cell { place: self.place(column), found, expected: expected.to_owned() }
    }

    /// The error of rows that contradict each other.
    #[must_use]
    pub fn contradicts(&self, column: &'static str, what: String, remedy: &str) -> DataError {
        DataError::Contradiction { place: self.place(column), what, remedy: remedy.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ADAE, ADRS, ADSL, ADTTE};

    #[test]
    fn slips_are_named_and_other_columns_are_left() {
        let error =
            |sheet, names: &[&str]| Layout::of("f.csv", sheet, names).unwrap_err().to_string();
        assert_eq!(
            error(&ADTTE, &["USUBJID", "PARAMCD", "AVAL", "CNSRR"]),
            "f.csv: unknown column CNSRR; did you mean CNSR? Rename it, or take it out"
        );
        assert_eq!(
            error(&ADTTE, &["USUBJID", "PARAMCD", "AVAL"]),
            "f.csv: no column CNSR (0 event; 1 censored; 2 a death after which the event cannot come); it is needed (docs/trial-data.md)"
        );
        assert!(error(&ADAE, &["usubjid", "aval", "AVAL"]).contains("column AVAL is there twice"));
        let fine = ["usubjid", "PARAMCD", "AVALC", "ADT", "ANL02FL", "VISIT", "AVAL"];
        let layout = Layout::of("f.csv", &ADRS, &fine).unwrap();
        assert_eq!(layout.ignored, ["ANL02FL", "VISIT"]);
        let fine = ["USUBJID", "ENRLDT", "TRTSDT", "TRT02P", "TRT01P", "AGE", "RANDDT"];
        assert_eq!(Layout::of("f.csv", &ADSL, &fine).unwrap().ignored, ["TRT02P", "RANDDT"]);
    }

    #[test]
    fn cells_are_what_their_columns_hold() {
        let of = |text: &str, cell| {
            let used = Used { name: "X", cell, required: false, label: "x" };
            let place = || Place { file: "f.csv".to_owned(), row: 2, column: Some("X") };
            parse(text, &used, place).map_err(|e| e.to_string())
        };
        assert_eq!(of("3.0", Cell::Integer), Ok(Value::Integer(3)));
        assert_eq!(of("NA", Cell::Integer), Ok(Value::Missing));
        assert_eq!(of("NA", Cell::Name), Ok(Value::from("NA")));
        assert_eq!(of("'=A1", Cell::Name), Ok(Value::from("=A1")));
        for (text, cell, error) in [
            (
                "NaN",
                Cell::Number,
                "f.csv, row 2, X = `NaN`, expected a finite number, or nothing where it is not known",
            ),
            (
                "3.5",
                Cell::Integer,
                "f.csv, row 2, X = `3.5`, expected a whole number, or nothing where it is not known",
            ),
            (
                "3,5",
                Cell::Number,
                "f.csv, row 2, X = `3,5`, expected a number with a decimal point, or nothing where it is not known",
            ),
            (
                "01.02.2027",
                Cell::Date,
                "f.csv, row 2, X = `01.02.2027`, expected a day as YYYY-MM-DD; write it so, or leave it empty",
            ),
            ("1", Cell::Flag, "f.csv, row 2, X = `1`, expected Y, N or nothing"),
        ] {
            assert_eq!(of(text, cell), Err(error.to_owned()));
        }
    }
}
