//! Lists and lines in one cell.

use std::fmt::Write;

/// A text that can stand beside the separators of lists and lines: what would be taken for one, and
/// blanks at its ends, become `\hex;`; nothing at all becomes `\;`.
pub(super) fn escape(text: &str) -> String {
    if text.is_empty() {
        return "\\;".to_owned();
    }
    let last = text.chars().count() - 1;
    let mut out = String::with_capacity(text.len());
    for (n, c) in text.chars().enumerate() {
        let at_end = c.is_whitespace() && (n == 0 || n == last);
        if matches!(c, '\\' | ';' | '=' | '[' | ']') || (c.is_control()) || at_end {
            // Writing to a String does not fail.
            let _ = write!(out, "\\{:x};", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(n) = rest.find('\\') {
        out.push_str(&rest[..n]);
        let (code, after) = rest[n + 1..].split_once(';')?;
        if !code.is_empty() {
            out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Parts between separators, those of `\hex;` not counted.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut from, mut escaped) = (Vec::new(), 0, false);
    for (n, c) in text.char_indices() {
        match c {
            '\\' => escaped = true,
            ';' if escaped => escaped = false,
            c if c == separator && !escaped => {
                parts.push(text[from..n].trim());
                from = n + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

pub(super) fn list<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    all.into_iter().map(escape).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_come_back(all in proptest::collection::vec(".{0,6}", 1..5)) {
            let text = list(all.iter().map(String::as_str));
            let back: Option<Vec<_>> = split(&text, ';').into_iter().map(unescape).collect();
            prop_assert_eq!(back, Some(all));
        }
    }
}
