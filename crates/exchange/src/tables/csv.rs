//! A table as CSV (RFC 4180): names in the first row, rows that end in CR LF, quotes where needed.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and would run it.
//! Such a text gets an apostrophe in front, and so does one that has it already, so that nothing is
//! lost: to read it back, take one apostrophe away from a text that begins with apostrophes and then
//! one of these characters. Numbers are left as they are.

use super::{Table, TableError, Value};
use ::csv::{QuoteStyle, Terminator, WriterBuilder};
use std::borrow::Cow;

/// Whether a spreadsheet may take it for a formula, apostrophes before it or not.
fn is_dangerous(text: &str) -> bool {
    let bare = text.trim_start_matches('\'');
    // Spreadsheets turn the wide forms into the narrow ones.
    bare.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
        && text.parse::<f64>().is_err()
}

/// A text that no spreadsheet takes for a formula.
#[must_use]
pub fn guard(text: &str) -> Cow<'_, str> {
    if is_dangerous(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// What [`guard`] was given.
#[must_use]
pub fn unguard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_dangerous(rest) => rest,
        _ => text,
    }
}

/// A writer of RFC 4180.
pub(crate) fn writer() -> ::csv::Writer<Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::Necessary)
        .from_writer(Vec::new())
}

/// A cell as it is written.
#[must_use]
pub fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Missing => Cow::Borrowed(""),
        Value::Text(text) => guard(text),
        Value::Integer(n) => Cow::Owned(n.to_string()),
        // The shortest text that reads back as the same number.
        Value::Number(x) => Cow::Owned(x.to_string()),
        Value::Date(day) => Cow::Owned(day.to_string()),
    }
}

/// The table as CSV.
///
/// # Errors
/// [`TableError::Format`], if memory cannot be written.
pub fn write(table: &Table) -> Result<Vec<u8>, TableError> {
    let failed = |why: String| TableError::Format { table: table.name(), format: "CSV", why };
    let mut out = writer();
    let names = table.design.columns.iter().map(|c| c.name);
    out.write_record(names).map_err(|e| failed(e.to_string()))?;
    for row in &table.rows {
        let cells = row.iter().map(|v| cell(v).into_owned());
        out.write_record(cells).map_err(|e| failed(e.to_string()))?;
    }
    out.into_inner().map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\t=1", "＝1", "'=1"] {
            let guarded = guard(text);
            assert!(guarded.starts_with('\''), "{text}");
            assert_eq!(unguard(&guarded), text);
        }
        for text in ["-1", "+1", "0", "'quoted'", "liver", ""] {
            assert_eq!(guard(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_guarded_text_comes_back(text in "['=@+\\-\t a1]{0,6}") {
            let guarded = guard(&text);
            prop_assert_eq!(unguard(&guarded), &text);
        }
    }
}
