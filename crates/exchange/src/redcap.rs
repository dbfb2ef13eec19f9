//! REDCap: a data dictionary made from a protocol, courses as records, and records as events.
//!
//! A REDCap record is a patient. Every fact is an instance of a repeating instrument, except the
//! course's beginning, which a patient has once. What is written are the facts as they stand: what
//! was corrected is not in REDCap's data but in its own log. Migrations are left out and said.
//!
//! Reading is strict: one sentence for every bad cell (file, row, column, found, expected), and
//! nothing is taken from a file that has one.

use crate::forms::{Cells, Envelope, Field, FieldKind, Form, Forms, write_envelope};
use crate::tables::csv::{guard, unguard, writer};
use hepatica_regimen::event::{Event, Fact};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::{Course, Protocol};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use thiserror::Error;

/// Most bytes of a file.
pub const MAX_BYTES: usize = 64 << 20;
/// Most columns.
const MAX_COLUMNS: usize = 5000;
/// Most bytes of a cell.
const MAX_CELL: usize = 64 << 10;
/// Most bad cells that are listed.
const MAX_BAD: usize = 1000;

/// Columns of a data dictionary, as REDCap names them.
const DICTIONARY: [&str; 18] = [
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
];

/// The record's identifier: its field must come first.
const RECORD: &str = "record_id";
const INSTRUMENT: &str = "redcap_repeat_instrument";
const INSTANCE: &str = "redcap_repeat_instance";
/// Columns of REDCap's own that say nothing of a course.
const IGNORED: [&str; 4] = [
    "redcap_event_name",
    "redcap_data_access_group",
    "redcap_survey_identifier",
    "redcap_survey_timestamp",
];

/// A cell, or a whole file, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RedcapError {
    /// A cell.
    #[error("{file}, row {row}, column {column}: found {}, expected {expected}", shown(.found))]
    Cell {
        /// The file.
        file: String,
        /// The row, that of the names being 1.
        row: u64,
        /// The column's name.
        column: String,
        /// What is in it.
        found: String,
        /// What would do.
        expected: String,
    },
    /// The file.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, and what would do.
        why: String,
    },
}

fn shown(found: &str) -> String {
    if found.is_empty() {
        return "nothing".to_owned();
    }
    let short: String = found.chars().take(60).flat_map(char::escape_debug).collect();
    let dots = if found.chars().nth(60).is_some() { "..." } else { "" };
    format!("`{short}{dots}`")
}

fn failed(why: impl ToString) -> RedcapError {
    RedcapError::File { file: "REDCap CSV".to_owned(), why: why.to_string() }
}

// ---- dictionary -----------------------------------------------------------------------------------

/// The data dictionary of a protocol, as REDCap imports it.
///
/// # Errors
/// [`RedcapError::File`], if memory cannot be written.
pub fn dictionary(protocol: &Protocol) -> Result<Vec<u8>, RedcapError> {
    let forms = Forms::of(protocol);
    let mut out = writer();
    out.write_record(DICTIONARY).map_err(failed)?;
    let first = forms.forms.first().map_or("course", |f| f.id);
    let mut id: [String; 18] = Default::default();
    id[0] = RECORD.into();
    id[1] = first.into();
    id[3] = "text".into();
    id[4] = "Identifier of the patient; never a name".into();
    out.write_record(&id).map_err(failed)?;
    for form in &forms.forms {
        for (n, field) in form.fields.iter().enumerate() {
            out.write_record(entry(form, field, n == 0)).map_err(failed)?;
        }
    }
    out.into_inner().map_err(failed)
}

fn entry(form: &Form, field: &Field, first: bool) -> [String; 18] {
    let mut row: [String; 18] = Default::default();
    let (kind, choices, validation, range) = match &field.kind {
        FieldKind::Text => ("text", String::new(), "", None),
        FieldKind::Notes => ("notes", String::new(), "", None),
        FieldKind::Date => ("text", String::new(), "date_ymd", None),
        FieldKind::Time => ("text", String::new(), "time_hh_mm_ss", None),
        FieldKind::Number { range, .. } => ("text", String::new(), "number", Some(*range)),
        FieldKind::YesNo => ("yesno", String::new(), "", None),
        FieldKind::Choice(codes) => {
            // A bar would begin the next choice.
            let codes = codes.iter().map(|(c, l)| format!("{c}, {}", l.replace('|', "/")));
            ("dropdown", codes.collect::<Vec<_>>().join(" | "), "", None)
        }
    };
    let unit = match &field.kind {
        FieldKind::Number { unit, .. } if !unit.is_empty() => format!(" ({unit})"),
        _ => String::new(),
    };
    let condition = field.when.as_ref().map_or(String::new(), |(other, codes)| {
        let all = codes.iter().map(|code| format!("[{other}] = '{code}'"));
        all.collect::<Vec<_>>().join(" or ")
    });
    row[0] = field.id.clone();
    row[1] = form.id.to_owned();
    row[2] = if first { form.name.to_owned() } else { String::new() };
    row[3] = kind.to_owned();
    row[4] = format!("{}{unit}", field.label);
    row[5] = choices;
    row[6] = field.note.to_owned();
    row[7] = validation.to_owned();
    row[8] = range.map_or(String::new(), |r| r[0].to_string());
    row[9] = range.map_or(String::new(), |r| r[1].to_string());
    // A day of birth tells who somebody is.
    row[10] = if field.id == "enr_birth" { "y".to_owned() } else { String::new() };
    row[11] = condition;
    row[12] = if field.required { "y".to_owned() } else { String::new() };
    row
}

// ---- out ------------------------------------------------------------------------------------------

/// Records as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The file.
    pub csv: Vec<u8>,
    /// What could not be written, in words.
    pub left_out: Vec<String>,
}

/// Courses of one protocol as records, in the form that REDCap imports and exports (raw values).
///
/// # Errors
/// When a course is of another protocol, a patient is there twice, or memory cannot be written.
pub fn records(protocol: &Protocol, courses: &[&Course<'_>]) -> Result<Records, RedcapError> {
    let forms = Forms::of(protocol);
    let mut columns = vec![RECORD.to_owned(), INSTRUMENT.to_owned(), INSTANCE.to_owned()];
    for form in &forms.forms {
        columns.extend(form.fields.iter().map(|f| f.id.clone()));
        columns.push(format!("{}_complete", form.id));
    }
    let mut out = writer();
    out.write_record(&columns).map_err(failed)?;
    let (mut left_out, mut seen) = (Vec::new(), BTreeSet::new());
    for course in courses {
        let patient = course.patient;
        if !seen.insert(patient) {
            return Err(failed(format!("two courses are of patient {patient}; give each once")));
        }
        if course.protocol.id != protocol.id {
            let (found, expected) = (&course.protocol.id, &protocol.id);
            let why = format!("the course of {patient} is on {found}, expected {expected}");
            return Err(failed(why));
        }
        let mut instances: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &course.entries {
            let Some((form, mut cells)) = forms.write(entry.fact) else {
                left_out.push(format!("{patient}: {} of {}", entry.fact.kind(), entry.on));
                continue;
            };
            let instance = instances.entry(form.id).or_default();
            *instance += 1;
            if !form.repeating && *instance > 1 {
                left_out.push(format!("{patient}: another {} of {}", form.id, entry.on));
                continue;
            }
            let envelope = Envelope {
                on: entry.on,
                at: entry.at,
                recorded: Some(entry.recorded),
                by: Some(entry.by.to_owned()),
                why: entry.why.map(str::to_owned),
            };
            cells.extend(write_envelope(form, &envelope));
            let complete = format!("{}_complete", form.id);
            let row = columns.iter().map(|c| match c.as_str() {
                RECORD => guard(patient).into_owned(),
                INSTRUMENT if form.repeating => form.id.to_owned(),
                INSTANCE if form.repeating => instance.to_string(),
                c if c == complete => "2".to_owned(),
                c => cells.get(c).map_or(String::new(), |t| guard(t).into_owned()),
            });
            out.write_record(row.collect::<Vec<_>>()).map_err(failed)?;
        }
    }
    Ok(Records { csv: out.into_inner().map_err(failed)?, left_out })
}

// ---- in -------------------------------------------------------------------------------------------

/// What is said where the file says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// The file's name, for messages.
    pub file: &'a str,
    /// The protocol of its courses.
    pub source: &'a Source,
    /// Now: when it is recorded, where the file does not say.
    pub now: Timestamp,
    /// Who imports it, where the file does not say who recorded it.
    pub by: &'a str,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imported {
    /// Events by patient, in the order of their recording; the beginning comes first of what was
    /// recorded at one time.
    pub events: BTreeMap<String, Vec<Event>>,
    /// Values that a person should confirm, in words.
    pub doubts: Vec<String>,
    /// Columns that are no part of the protocol's dictionary and were not read.
    pub not_read: Vec<String>,
}

struct Column<'a> {
    name: String,
    field: Option<(&'a Form, &'a Field)>,
}

/// Reads records that REDCap exported as CSV, raw values.
///
/// # Errors
/// Every bad cell, at most a thousand of them; or that the file is no such file.
pub fn read(bytes: &[u8], import: &Import<'_>) -> Result<Imported, Vec<RedcapError>> {
    let forms = Forms::of(&import.source.protocol);
    Reader { import, forms: &forms, bad: Vec::new(), done: Imported::default() }.read(bytes)
}

struct Reader<'a> {
    import: &'a Import<'a>,
    forms: &'a Forms,
    bad: Vec<RedcapError>,
    done: Imported,
}

impl<'a> Reader<'a> {
    fn file(&self, why: impl Into<String>) -> Vec<RedcapError> {
        vec![RedcapError::File { file: self.import.file.to_owned(), why: why.into() }]
    }

    fn cell(&mut self, row: u64, column: &str, found: &str, expected: impl Into<String>) {
        self.bad.push(RedcapError::Cell {
            file: self.import.file.to_owned(),
            row,
            column: column.to_owned(),
            found: found.to_owned(),
            expected: expected.into(),
        });
    }

    fn read(mut self, bytes: &[u8]) -> Result<Imported, Vec<RedcapError>> {
        if bytes.len() > MAX_BYTES {
            return Err(self.file(format!(
                "{} bytes is no export of a trial, expected at most {MAX_BYTES}",
                bytes.len()
            )));
        }
        // Windows puts a mark before UTF-8.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                let why = format!("line {line} is not UTF-8; export as CSV (raw data), UTF-8");
                return Err(self.file(why));
            }
        };
        let mut csv = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let names: Vec<String> = match csv.headers() {
            Ok(names) => names.iter().map(|n| n.trim().to_owned()).collect(),
            Err(e) => return Err(self.file(format!("no CSV ({e})"))),
        };
        let columns = self.columns(names)?;
        let mut seen: BTreeSet<(String, String, u32)> = BTreeSet::new();
        let mut record = ::csv::StringRecord::new();
        let mut row = 1;
        loop {
            row += 1;
            match csv.read_record(&mut record) {
                Ok(true) => self.record(row, &columns, &record, &mut seen),
                Ok(false) => break,
                Err(e) => {
                    self.bad.extend(self.file(format!("row {row} is no CSV ({e})")));
                    break;
                }
            }
            if self.bad.len() >= MAX_BAD {
                self.bad.truncate(MAX_BAD);
                let why = format!("{MAX_BAD} cells are bad and listed; the rest was not read");
                self.bad.extend(self.file(why));
                break;
            }
        }
        if !self.bad.is_empty() {
            return Err(self.bad);
        }
        for events in self.done.events.values_mut() {
            // A stable sort: rows of one time stay in the order of the file.
            events.sort_by_key(|e| (e.recorded, !matches!(e.fact, Fact::Begin { .. })));
        }
        Ok(self.done)
    }

    fn columns(&mut self, names: Vec<String>) -> Result<Vec<Column<'a>>, Vec<RedcapError>> {
        if names.len() > MAX_COLUMNS {
            let why = format!("{} columns, expected at most {MAX_COLUMNS}", names.len());
            return Err(self.file(why));
        }
        if names.first().map(String::as_str) != Some(RECORD) {
            let found = shown(names.first().map_or("", String::as_str));
            let why = format!("row 1, column 1: found {found}, expected `{RECORD}`");
            return Err(self.file(why));
        }
        let forms: &'a Forms = self.forms;
        let fields: BTreeMap<&str, (&Form, &Field)> = forms
            .forms
            .iter()
            .flat_map(|form| form.fields.iter().map(move |f| (f.id.as_str(), (form, f))))
            .collect();
        let mut seen = BTreeSet::new();
        let mut columns = Vec::with_capacity(names.len());
        for name in &names {
            if !seen.insert(name.as_str()) {
                self.cell(1, name, name, "every column once");
            }
            let own = [RECORD, INSTRUMENT, INSTANCE].contains(&name.as_str());
            let complete = name.strip_suffix("_complete").is_some_and(|f| forms.form(f).is_some());
            let field = fields.get(name.as_str()).copied();
            let system = IGNORED.contains(&name.as_str()) || name.ends_with("_timestamp");
            if field.is_none() && !own && !complete && !system {
                // A slip of the name would silently lose a column of data.
                let missing = fields.keys().filter(|f| !names.iter().any(|n| n == *f));
                let near = missing
                    .map(|f| (strsim::jaro_winkler(f, name), *f))
                    .filter(|(likeness, _)| *likeness > 0.93)
                    .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
                match near {
                    Some((_, near)) => {
                        self.cell(1, name, name, format!("a field of the dictionary, as `{near}`"));
                    }
                    None => self.done.not_read.push(name.clone()),
                }
            }
            columns.push(Column { name: name.clone(), field });
        }
        Ok(columns)
    }

    fn record(
        &mut self,
        row: u64,
        columns: &[Column<'a>],
        record: &::csv::StringRecord,
        seen: &mut BTreeSet<(String, String, u32)>,
    ) {
        if record.len() != columns.len() {
            let found = format!("{} cells", record.len());
            self.cell(row, "all of them", &found, format!("{} cells", columns.len()));
            return;
        }
        let (mut patient, mut instrument, mut instance) = ("", "", "");
        let mut filled: Vec<(&Column<'a>, &str)> = Vec::new();
        for (column, raw) in columns.iter().zip(record) {
            if raw.is_empty() {
                continue;
            }
            if raw.len() > MAX_CELL {
                let (found, most) = (format!("{} bytes", raw.len()), format!("at most {MAX_CELL}"));
                self.cell(row, &column.name, &found, most);
                return;
            }
            let text = unguard(raw);
            match column.name.as_str() {
                RECORD => patient = text,
                INSTRUMENT => instrument = text.trim(),
                INSTANCE => instance = text.trim(),
                _ if column.field.is_some() => filled.push((column, text)),
                _ => {}
            }
        }
        if patient.trim().is_empty() {
            self.cell(row, RECORD, patient, "the identifier of the patient");
            return;
        }
        let forms: &'a Forms = self.forms;
        let form = if instrument.is_empty() {
            forms.forms.iter().find(|f| !f.repeating)
        } else {
            forms.form(instrument).filter(|f| f.repeating)
        };
        let Some(form) = form else {
            let all: Vec<_> = forms.forms.iter().filter(|f| f.repeating).map(|f| f.id).collect();
            self.cell(row, INSTRUMENT, instrument, format!("one of {}", all.join(", ")));
            return;
        };
        let number =
            if form.repeating { instance.parse().ok().filter(|n| *n > 0) } else { Some(1) };
        let Some(number) = number else {
            self.cell(row, INSTANCE, instance, "the number of the instance, from 1 on");
            return;
        };
        if filled.is_empty() && !form.repeating {
            // REDCap writes such a row for a record that has only repeating instruments.
            return;
        }
        if !seen.insert((patient.to_owned(), form.id.to_owned(), number)) {
            let found = format!("{patient}, {}, {number}", form.id);
            self.cell(row, INSTANCE, &found, "each instance of a record once");
            return;
        }
        let mut cells = Cells::new();
        let before = self.bad.len();
        for (column, text) in filled {
            let Some((owner, field)) = column.field else { continue };
            if owner.id == form.id {
                cells.insert(field.id.clone(), text.to_owned());
            } else {
                let mut expected = String::new();
                let _ = write!(expected, "nothing, because it is a field of {}", owner.id);
                self.cell(row, &column.name, text, expected);
            }
        }
        match forms.read(form, &cells, self.import.source) {
            Ok(read) if self.bad.len() == before => {
                let envelope = read.envelope;
                let recorded = envelope.recorded.unwrap_or(self.import.now);
                if recorded > self.import.now {
                    let column = format!("{}_recorded", form.prefix);
                    let expected = format!("a time until now, {}", self.import.now);
                    self.cell(row, &column, &recorded.to_string(), expected);
                    return;
                }
                let file = self.import.file;
                let doubts = read.doubts.into_iter().map(|d| format!("{file}, row {row}: {d}"));
                self.done.doubts.extend(doubts);
                self.done.events.entry(patient.to_owned()).or_default().push(Event {
                    patient: patient.to_owned(),
                    on: envelope.on,
                    at: envelope.at,
                    recorded,
                    by: envelope.by.unwrap_or_else(|| self.import.by.to_owned()),
                    why: envelope.why,
                    fact: read.fact,
                });
            }
            Ok(_) => {}
            Err(bad) => {
                for b in bad {
                    self.cell(row, &b.field, &b.found, b.expected);
                }
            }
        }
    }
}
