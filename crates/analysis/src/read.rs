//! A folder of tables, or of courses, to frames.

use crate::error::{DataError, Place};
use crate::frame::{Frame, Layout, parse};
use crate::schema::{SHEETS, Sheet};
use hepatica_exchange::tables::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Most bytes of a table.
const MAX_BYTES: u64 = 512 << 20;
/// Most things looked at in a folder.
const MAX_ENTRIES: usize = 100_000;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// Tables, in the order of [`SHEETS`].
    Tables(Vec<(usize, PathBuf)>),
    /// Courses with their centres, by path.
    Courses(Vec<(PathBuf, Option<String>)>),
}

/// Looks into a folder. Courses may be in folders of centres.
///
/// # Errors
/// When it is none, or holds neither tables nor courses, or both.
pub fn look(path: &Path) -> Result<Folder, DataError> {
    let metadata =
        fs::metadata(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(DataError::NotAFolder { path: path.to_owned(), found: "is a file" });
    }
    let mut courses = Vec::new();
    let mut tables: Vec<Option<PathBuf>> = vec![None; SHEETS.len()];
    for file in entries(path)? {
        if file.is_dir() {
            let centre = file.file_name().map(|n| n.to_string_lossy().into_owned());
            // Hidden folders are nobody's centre.
            if centre.as_ref().is_none_or(|c| c.starts_with('.')) {
                continue;
            }
            let inside = entries(&file)?.into_iter().filter(|f| is(f, "course"));
            courses.extend(inside.map(|f| (f, centre.clone())));
        } else if is(&file, "course") {
            courses.push((file, None));
        } else if let Some(n) = sheet(&file)
            && let Some(first) = tables[n].replace(file.clone())
        {
            let (first, second) = (name(&first), name(&file));
            return Err(DataError::Twice { path: path.to_owned(), first, second });
        }
    }
    courses.sort();
    let tables: Vec<_> =
        tables.into_iter().enumerate().filter_map(|(n, file)| Some((n, file?))).collect();
    // The subjects are what makes tables of a trial: others may lie beside courses by chance.
    let subjects = tables.iter().find(|(n, _)| SHEETS[*n].required);
    match (subjects, courses.first()) {
        (Some((_, table)), Some((course, _))) => {
            let (first, second) = (name(table), name(course));
            Err(DataError::Twice { path: path.to_owned(), first, second })
        }
        (Some(_), None) => Ok(Folder::Tables(tables)),
        (None, Some(_)) => Ok(Folder::Courses(courses)),
        (None, None) => Err(DataError::Empty { path: path.to_owned() }),
    }
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        if all.len() == MAX_ENTRIES {
            let (file, found) = (path.display().to_string(), MAX_ENTRIES as u64 + 1);
            let most = MAX_ENTRIES as u64;
            return Err(DataError::TooMuch { file, found, what: "files", most });
        }
        all.push(entry.map_err(failed)?.path());
    }
    all.sort();
    Ok(all)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Which table a file is, by its name.
fn sheet(path: &Path) -> Option<usize> {
    if !is(path, "csv") && !is(path, "parquet") {
        return None;
    }
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    SHEETS.iter().position(|s| s.name.eq_ignore_ascii_case(&stem))
}

/// Reads a table.
///
/// # Errors
/// When it cannot be read, or a column or cell cannot be.
pub fn table(path: &Path, sheet: &'static Sheet) -> Result<Frame, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(failed)?.len();
    if found > MAX_BYTES {
        let file = path.display().to_string();
        return Err(DataError::TooMuch { file, found, what: "bytes", most: MAX_BYTES });
    }
    let file = name(path);
    if is(path, "parquet") {
        #[cfg(feature = "parquet")]
        return crate::parquet::table(&file, sheet, fs::File::open(path).map_err(failed)?);
        #[cfg(not(feature = "parquet"))]
        return Err(DataError::NoParquet { path: path.to_owned() });
    }
    csv(&file, sheet, &fs::read(path).map_err(failed)?)
}

/// Reads the bytes of a CSV file.
///
/// # Errors
/// As [`table`].
pub fn csv(file: &str, sheet: &'static Sheet, bytes: &[u8]) -> Result<Frame, DataError> {
    let refused = |why: String| DataError::Format { file: file.to_owned(), format: "CSV", why };
    // What Excel puts before UTF-8.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        refused(format!("line {line} is not UTF-8; save the table as UTF-8"))
    })?;
    let header = text.lines().next().unwrap_or_default();
    if header.trim().is_empty() {
        return Err(refused("no names of columns in its first line".to_owned()));
    }
    for (separator, what) in [(';', "semicolons"), ('\t', "tabs")] {
        if header.contains(separator) && !header.contains(',') {
            return Err(refused(format!(
                "its columns are separated by {what}, expected commas; save it as comma-separated"
            )));
        }
    }
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|e| refused(e.to_string()))?.clone();
    let names: Vec<&str> = names.iter().collect();
    let layout = Layout::of(file, sheet, &names)?;
    let columns: Vec<_> = layout.columns().collect();
    let mut rows = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let number = n + 2;
        let record = record.map_err(|e| refused(e.to_string()))?;
        if record.len() != names.len() {
            let place = Place { file: file.to_owned(), row: number, column: None };
            return Err(DataError::Contradiction {
                place,
                what: format!("{} cells, but {} columns", record.len(), names.len()),
                remedy: "quote cells that hold commas, and end no row early".to_owned(),
            });
        }
        let cell = |(used, place): &(&'static crate::schema::Used, Option<usize>)| {
            let Some(text) = place.and_then(|p| record.get(p)) else { return Ok(Value::Missing) };
            parse(text, used, || layout.place(number, used.name))
        };
        rows.push((number, columns.iter().map(cell).collect::<Result<Vec<_>, _>>()?));
    }
    let mut frame = layout.frame();
    for (number, cells) in rows {
        frame.push(number, cells)?;
    }
    Ok(frame)
}
