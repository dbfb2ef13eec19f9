//! TOML that a person writes, read strictly: an unknown key is an error that names the near one.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// What is wrong with a TOML text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TomlError {
    /// A key nobody knows, most often a slip of the pen.
    #[error("{file}, line {line}: unknown key `{key}`{}", suggestion(.near))]
    UnknownKey {
        /// The file.
        file: String,
        /// Line, the first being 1.
        line: usize,
        /// The key.
        key: String,
        /// The known key that looks most like it.
        near: Option<String>,
    },
    /// Anything else: the parser's own sentence.
    #[error("{file}, line {line}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// Line, the first being 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

fn suggestion(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?"))
}

/// Reads `text`, which came from `file`, into a type that denies unknown fields.
///
/// # Errors
/// When the text is no TOML, a key is unknown, or a value has the wrong type.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|e: toml::de::Error| {
        let at = e.span().map_or(0, |s| s.start).min(text.len());
        let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
        let file = file.to_owned();
        match unknown_key(e.message()) {
            Some((key, near)) => TomlError::UnknownKey { file, line, key, near },
            None => TomlError::Invalid { file, line, message: e.message().trim().to_owned() },
        }
    })
}

/// The key and the nearest expected one in serde's "unknown field `x`, expected one of `a`, `b`".
fn unknown_key(message: &str) -> Option<(String, Option<String>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let key = quoted.next()?.to_owned();
    let near = nearest(&key, quoted).map(str::to_owned);
    Some((key, near))
}

/// The known word that looks most like one, if any looks like it.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Body {
        height_cm: f64,
        weight_kg: f64,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_near_one() {
        let error =
            parse::<Body>("height_cm = 170.0\nwieght_kg = 70.0\n", "case.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "case.toml, line 2: unknown key `wieght_kg`; did you mean `weight_kg`?"
        );
    }

    #[test]
    fn a_wrong_type_is_said_with_its_line() {
        let error = parse::<Body>("height_cm = \"tall\"\nweight_kg = 70.0", "c.toml").unwrap_err();
        assert!(error.to_string().starts_with("c.toml, line 1: invalid type: string"), "{error}");
    }
}
