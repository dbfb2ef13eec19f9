//! What patients read, in their language: `texts/*.toml`, described in `docs/texts.md`. Read
//! strictly; a person may give a file of their own.

use hepatica_regimen::Protocol;
use hepatica_regimen::strict::{self, TomlError};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
const SCHEMA: u32 = 1;
/// Most bytes a file of texts may have.
const MAX_BYTES: u64 = 1 << 20;
/// Longest text, in characters: what is longer does not fit a day.
const MAX_CHARS: usize = 400;

/// Texts that come with the program: language and text.
const SHIPPED: [(&str, &str); 3] = [
    ("en", include_str!("../../../texts/en.toml")),
    ("de", include_str!("../../../texts/de.toml")),
    ("es", include_str!("../../../texts/es.toml")),
];

/// Why texts cannot be used.
#[derive(Debug, Error)]
pub enum TextsError {
    /// No such language and no such file.
    #[error("no texts `{name}`: they come in {}, or give the path of a file", .shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What comes with the program.
        shipped: Vec<&'static str>,
    },
    /// A file that cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no file of texts (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// Unknown or missing keys, wrong types.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A value that cannot be.
    #[error("{file}: {key} = {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
    /// The protocol asks for an instruction that the texts do not have.
    #[error(
        "{file} has no [instruction] `{key}`, which drug {drug} of protocol {protocol} asks for{}",
        near_key(.near)
    )]
    Instruction {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// The drug.
        drug: String,
        /// The protocol.
        protocol: String,
        /// The key that looks most like it.
        near: Option<String>,
    },
}

fn near_key(near: &Option<String>) -> String {
    near.as_ref().map_or_else(|| "; add it".to_owned(), |n| format!("; did you mean `{n}`?"))
}

/// All that is written for patients. Words in braces stand for what is put there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Version of the format.
    pub schema: u32,
    /// Language, ISO 639-1: hyphens and screen readers go by it.
    pub language: String,
    /// What stands before decimals.
    pub decimal: String,
    /// January first.
    pub months: Vec<String>,
    /// Monday first.
    pub weekdays: Vec<String>,
    /// Head of a page: `{month}`, `{year}`.
    pub month_of_year: String,
    /// A date: `{day}`, `{month}`, `{year}`.
    pub date: String,
    /// Of the whole.
    pub title: String,
    /// Whose it is: `{id}`.
    pub patient: String,
    /// Head of the instructions.
    pub how_to_take: String,
    /// Head of the legend.
    pub pictures: String,
    /// What a drawn tablet is.
    pub picture_piece: String,
    /// What an empty day is.
    pub picture_empty: String,
    /// Head of the box with whom to call.
    pub whom_to_call: String,
    /// That the plan may change, and who tells the hours.
    pub plan_may_change: String,
    /// That it is research.
    pub research_use_only: String,
    /// That facts were told ahead of their day.
    pub rehearsal: String,
    /// That it is over: `{date}`.
    pub ended: String,
    /// In days beyond what is laid out.
    pub not_planned: String,
    /// When.
    pub morning: String,
    /// When.
    pub midday: String,
    /// When.
    pub evening: String,
    /// How often, where no time of the day is said.
    pub once_a_day: String,
    /// How often, from four times: `{count}`.
    pub times_a_day: String,
    /// Before the tablets of one of several intakes a day.
    pub each_time: String,
    /// One, and several.
    pub tablet: [String; 2],
    /// One, and several.
    pub capsule: [String; 2],
    /// `{count}`, `{piece}`, `{strength}`.
    pub pieces: String,
    /// On days a drug is held.
    pub on_hold: String,
    /// Where a dose cannot be told.
    pub ask_your_team: String,
    /// Of drugs without tablets.
    pub infusion: String,
    /// First day of a cycle that began: `{number}`.
    pub cycle_begins: String,
    /// First day of a cycle to come: `{number}`.
    pub cycle_may_begin: String,
    /// An appointment.
    pub blood: String,
    /// An appointment.
    pub scan: String,
    /// An appointment.
    pub visit: String,
    /// An appointment.
    pub simulation: String,
    /// An appointment.
    pub radioembolization: String,
    /// Of a procedure that may not be needed: `{what}`.
    pub if_needed: String,
    /// Of a procedure that a gate holds: `{what}`.
    pub if_confirmed: String,
    /// How to take a drug, by the keys that protocols use.
    pub instruction: BTreeMap<String, String>,
    /// The file, for messages.
    #[serde(skip)]
    file: String,
}

impl Texts {
    /// Languages that come with the program.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(language, _)| *language)
    }

    /// The texts of a language, or those of a file: what is the path of a file is one.
    ///
    /// # Errors
    /// When there are none, or they cannot be used.
    pub fn named(name: &str) -> Result<Self, TextsError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(language, _)| *language == name) {
            return Self::parse(text, &format!("texts/{name}.toml"));
        }
        let path = Path::new(name);
        if !path.is_file() {
            let shipped = Self::shipped().collect();
            return Err(TextsError::Unknown { name: name.to_owned(), shipped });
        }
        let io = |source| TextsError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(TextsError::TooLong { path: path.to_owned(), found });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?, name)
    }

    /// Reads and checks the text of a file; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a text lacks a word in braces that it must have: a
    /// sentence without its number would be wrong.
    pub fn parse(text: &str, file: &str) -> Result<Self, TextsError> {
        let mut texts: Self = strict::parse(text, file)?;
        file.clone_into(&mut texts.file);
        let wrong = |key: &str, found: &str, expected: &str| {
            let [key, found, expected] = [key, found, expected].map(str::to_owned);
            Err(TextsError::Value { file: file.to_owned(), key, found, expected })
        };
        if texts.schema != SCHEMA {
            return wrong("schema", &texts.schema.to_string(), &SCHEMA.to_string());
        }
        let letters = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_lowercase());
        if !letters(&texts.language) {
            return wrong("language", &format!("`{}`", texts.language), "two letters, as in en");
        }
        for (key, list, expected) in
            [("months", &texts.months, 12), ("weekdays", &texts.weekdays, 7)]
        {
            if list.len() != expected {
                let found = format!("{} names", list.len());
                return wrong(key, &found, &format!("{expected} names"));
            }
        }
        // Serialised and read again: whatever fields there are, none is forgotten.
        let table = toml_texts(&texts);
        for (key, text) in &table {
            if text.trim().is_empty() || text.chars().count() > MAX_CHARS {
                let found = format!("{} characters", text.chars().count());
                return wrong(key, &found, &format!("1 to {MAX_CHARS} characters"));
            }
            let mut wanted: Vec<&str> = words_of(key).to_vec();
            let mut found: Vec<&str> = braces(text);
            wanted.sort_unstable();
            found.sort_unstable();
            found.dedup();
            if found != wanted {
                let braced: Vec<_> = wanted.iter().map(|w| format!("{{{w}}}")).collect();
                let expected = match braced.len() {
                    0 => "no word in braces".to_owned(),
                    _ => format!("a text with {} and no other word in braces", braced.join(", ")),
                };
                return wrong(key, &format!("`{text}`"), &expected);
            }
        }
        Ok(texts)
    }

    /// How to take a drug.
    ///
    /// # Errors
    /// [`TextsError::Instruction`], with the key that looks most like it.
    pub fn instruction(
        &self,
        key: &str,
        drug: &str,
        protocol: &Protocol,
    ) -> Result<&str, TextsError> {
        self.instruction.get(key).map(String::as_str).ok_or_else(|| {
            let near = self
                .instruction
                .keys()
                .map(|known| (strsim::jaro_winkler(key, known), known))
                .filter(|(likeness, _)| *likeness > 0.75)
                .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
                .map(|(_, known)| known.clone());
            TextsError::Instruction {
                file: self.file.clone(),
                key: key.to_owned(),
                drug: drug.to_owned(),
                protocol: protocol.id.clone(),
                near,
            }
        })
    }

    /// A date in words.
    #[must_use]
    pub fn date(&self, date: Date) -> String {
        let month = &self.months[date.month() as usize - 1];
        let (day, year) = (date.day().to_string(), date.year().to_string());
        filled(&self.date, &[("day", &day), ("month", month), ("year", &year)])
    }

    /// A month in words.
    #[must_use]
    pub fn month(&self, date: Date) -> String {
        let month = &self.months[date.month() as usize - 1];
        filled(&self.month_of_year, &[("month", month), ("year", &date.year().to_string())])
    }

    /// A number in words of the language.
    #[must_use]
    pub fn number(&self, value: f64) -> String {
        value.to_string().replace('.', &self.decimal)
    }
}

/// A text with words in braces replaced, each by what stands beside it.
#[must_use]
pub fn filled(text: &str, words: &[(&str, &str)]) -> String {
    let mut all = String::new();
    let mut rest = text;
    // In one pass: what is put in is never looked at again, whatever braces it has.
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        all.push_str(before);
        let word = from.find('}').map(|close| (&from[1..close], &from[close + 1..]));
        match word.and_then(|(w, after)| words.iter().find(|x| x.0 == w).map(|x| (x.1, after))) {
            Some((value, after)) => {
                all.push_str(value);
                rest = after;
            }
            None => {
                all.push('{');
                rest = &from[1..];
            }
        }
    }
    all + rest
}

/// The words in braces that a text must have.
fn words_of(key: &str) -> &'static [&'static str] {
    match key {
        "month_of_year" => &["month", "year"],
        "date" => &["day", "month", "year"],
        "patient" => &["id"],
        "ended" => &["date"],
        "times_a_day" => &["count"],
        "pieces" => &["count", "piece", "strength"],
        "cycle_begins" | "cycle_may_begin" => &["number"],
        "if_needed" | "if_confirmed" => &["what"],
        _ => &[],
    }
}

/// The words in braces that a text has.
fn braces(text: &str) -> Vec<&str> {
    text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part)).collect()
}

/// All texts by key; those of lists and of instructions as `months 3`, `instruction fasting`.
fn toml_texts(texts: &Texts) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(texts) else { return all };
    for (key, value) in fields {
        match value {
            serde_json::Value::String(text) => all.push((key, text)),
            serde_json::Value::Array(list) => {
                for (n, item) in list.iter().enumerate() {
                    let text = item.as_str().unwrap_or_default().to_owned();
                    all.push((format!("{key} {}", n + 1), text));
                }
            }
            serde_json::Value::Object(map) => {
                for (name, item) in map {
                    let text = item.as_str().unwrap_or_default().to_owned();
                    all.push((format!("{key} {name}"), text));
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn english() -> &'static str {
        SHIPPED[0].1
    }

    #[test]
    fn the_shipped_texts_read_and_hold_what_shipped_protocols_ask_for() {
        let first = Texts::named("en").expect("shipped");
        for language in Texts::shipped() {
            let texts = Texts::named(language).expect("shipped");
            assert_eq!(texts.language, language);
            assert!(texts.instruction.keys().eq(first.instruction.keys()), "{language}");
            for name in Protocol::shipped() {
                let p = Protocol::named(name).expect("shipped");
                for d in &p.drug {
                    for key in &d.instructions {
                        texts.instruction(key, &d.id, &p).expect("there is one");
                    }
                }
            }
        }
        assert_eq!(Texts::named("de").unwrap().date(date(2027, 3, 1)), "1. März 2027");
        assert_eq!(Texts::named("es").unwrap().month(date(2027, 3, 1)), "marzo de 2027");
    }

    #[test]
    fn an_unknown_key_names_the_near_one() {
        let text = english().replace("how_to_take =", "how_to_tke =");
        let error = Texts::parse(&text, "t.toml").unwrap_err().to_string();
        assert!(error.contains("unknown key `how_to_tke`; did you mean `how_to_take`?"), "{error}");
    }

    #[test]
    fn a_missing_key_is_named() {
        let text = english().replace("blood = \"Blood test\"\n", "");
        let error = Texts::parse(&text, "t.toml").unwrap_err().to_string();
        assert!(error.contains("missing field `blood`"), "{error}");
    }

    #[test]
    fn a_text_without_its_number_is_refused() {
        let text = english().replace("{count} {piece} of", "some {piece} of");
        let error = Texts::parse(&text, "t.toml").unwrap_err().to_string();
        assert!(error.starts_with("t.toml: pieces = `some {piece} of {strength} mg`"), "{error}");
        let text = english().replace("blood = \"Blood test\"", "blood = \"Blood {hour}\"");
        let error = Texts::parse(&text, "t.toml").unwrap_err().to_string();
        assert!(error.contains("expected no word in braces"), "{error}");
    }

    #[test]
    fn an_instruction_that_is_not_there_names_the_near_one() {
        let texts = Texts::named("en").unwrap();
        let p = Protocol::named("captemy90").unwrap();
        let error = texts.instruction("fastng", "temozolomide", &p).unwrap_err().to_string();
        assert!(error.contains("`fastng`") && error.contains("`fasting`"), "{error}");
    }

    #[test]
    fn what_is_put_into_braces_is_not_read_again() {
        assert_eq!(filled("{a} and {b}", &[("a", "{b}"), ("b", "x")]), "{b} and x");
        assert_eq!(filled("{c} {", &[("a", "x")]), "{c} {");
    }
}
