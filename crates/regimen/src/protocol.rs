//! A protocol: what happens on which day of which cycle. `docs/protocol.md` describes the file.

use crate::strict::{self, TomlError};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
pub const SCHEMA: u32 = 1;

/// Most bytes a protocol file may have.
const MAX_BYTES: u64 = 1 << 20;

/// Most days of a cycle: a year says that days and cycles were confused.
const MAX_CYCLE_DAYS: u32 = 366;
/// Most cycles a window may be in.
const MAX_CYCLE: u32 = 200;

/// Protocols that come with the program: name and text.
const SHIPPED: [(&str, &str); 3] = [
    ("captemy90", include_str!("../../../protocols/captemy90.toml")),
    ("captem", include_str!("../../../protocols/captem.toml")),
    ("radioembolization", include_str!("../../../protocols/radioembolization.toml")),
];

/// A protocol.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Trial registry number.
    pub registry: Option<String>,
    /// Length of a cycle in days.
    pub cycle_days: u32,
    /// How long it goes on, in words.
    pub duration: String,
    /// Where it is from.
    pub source: String,
    /// Drugs.
    #[serde(default)]
    pub drug: Vec<Drug>,
    /// Procedures.
    #[serde(default)]
    pub procedure: Vec<Procedure>,
}

/// A drug taken on the same days of every cycle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drug {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// First day of the cycle it is taken on, the cycle's first day being 1.
    pub first_day: u32,
    /// Last day of the cycle it is taken on, included.
    pub last_day: u32,
    /// How many times a day.
    pub times_a_day: u32,
    /// Published doses, by name.
    #[serde(default)]
    pub variant: Vec<DoseVariant>,
}

/// A published dose of a drug.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoseVariant {
    /// Short identifier, the same for all drugs of a variant.
    pub id: String,
    /// Dose each time it is taken, in mg per m² of body surface.
    pub dose_mg_per_m2: f64,
    /// Upper end, where the source gives a range.
    pub dose_mg_per_m2_upper: Option<f64>,
    /// `seen` in the source, or `recalled` and to be verified.
    pub mark: String,
    /// Where it is from.
    pub source: String,
}

/// Something done to the patient on a day.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// What kind.
    pub kind: ProcedureKind,
    /// When it may be done, the first choice first.
    pub window: Vec<Window>,
    /// What follows if none of the windows is met, in words.
    pub if_missed: String,
    /// Where it is from.
    pub source: String,
}

/// Kinds of procedures that other parts of the program know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcedureKind {
    /// Mapping angiogram, 99mTc-MAA, scan.
    Simulation,
    /// Instillation of microspheres.
    Radioembolization,
    /// Anything else.
    Other,
}

/// Days of one cycle on which something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Cycle, the first being 1.
    pub cycle: u32,
    /// First day allowed.
    pub earliest: u32,
    /// Day aimed at.
    pub target: u32,
    /// Last day allowed.
    pub latest: u32,
}

/// Why a protocol cannot be used.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// It is neither a shipped one nor a file.
    #[error("no protocol is named `{name}` and there is no such file; there are: {}", .shipped.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What comes with the program.
        shipped: Vec<&'static str>,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no protocol file (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text.
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
}

impl Protocol {
    /// A protocol that comes with the program, or that of a file: a name with a dot or a slash is
    /// a path.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, ProtocolError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(id, _)| *id == name) {
            return Self::parse(text, &format!("protocols/{name}.toml"));
        }
        let path = Path::new(name);
        if path.is_file() {
            return Self::read(path);
        }
        let shipped = SHIPPED.iter().map(|(id, _)| *id).collect();
        Err(ProtocolError::Unknown { name: name.to_owned(), shipped })
    }

    /// Reads and checks a protocol file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML of this format, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, ProtocolError> {
        let io = |source| ProtocolError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(ProtocolError::TooLong { path: path.to_owned(), found });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?, &path.display().to_string())
    }

    /// Reads and checks the text of a protocol; `file` is for messages.
    ///
    /// # Errors
    /// As [`Protocol::read`], but for the reading.
    pub fn parse(text: &str, file: &str) -> Result<Self, ProtocolError> {
        let protocol: Self = strict::parse(text, file)?;
        protocol.check(file)?;
        Ok(protocol)
    }

    fn check(&self, file: &str) -> Result<(), ProtocolError> {
        let wrong = |key: String, found: String, expected: String| {
            Err(ProtocolError::Value { file: file.to_owned(), key, found, expected })
        };
        if self.schema != SCHEMA {
            return wrong("schema".into(), self.schema.to_string(), SCHEMA.to_string());
        }
        let days = self.cycle_days;
        if !(1..=MAX_CYCLE_DAYS).contains(&days) {
            return wrong("cycle_days".into(), days.to_string(), format!("1 to {MAX_CYCLE_DAYS}"));
        }
        for d in &self.drug {
            if !(1 <= d.first_day && d.first_day <= d.last_day && d.last_day <= days) {
                return wrong(
                    format!("drug {} first_day, last_day", d.id),
                    format!("{}, {}", d.first_day, d.last_day),
                    format!("days of the cycle in order, 1 to {days}"),
                );
            }
            for v in &d.variant {
                let upper = v.dose_mg_per_m2_upper.unwrap_or(v.dose_mg_per_m2);
                if !(v.dose_mg_per_m2 > 0.0 && upper >= v.dose_mg_per_m2 && upper < 1e5) {
                    return wrong(
                        format!("drug {} variant {} dose", d.id, v.id),
                        format!("{} to {upper}", v.dose_mg_per_m2),
                        "a dose above zero in mg/m2".into(),
                    );
                }
            }
        }
        for p in &self.procedure {
            if p.window.is_empty() {
                return wrong(format!("procedure {} window", p.id), "none".into(), "one".into());
            }
            for w in &p.window {
                let ordered = 1 <= w.earliest
                    && w.earliest <= w.target
                    && w.target <= w.latest
                    && w.latest <= days
                    && (1..=MAX_CYCLE).contains(&w.cycle);
                if !ordered {
                    return wrong(
                        format!("procedure {} window", p.id),
                        format!("{w:?}"),
                        format!("earliest <= target <= latest within 1 to {days}"),
                    );
                }
            }
        }
        Ok(())
    }

    /// The procedures of a kind, in the order of the file.
    pub fn procedures(&self, kind: ProcedureKind) -> impl Iterator<Item = &Procedure> {
        self.procedure.iter().filter(move |p| p.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_protocols_read() {
        for (name, _) in SHIPPED {
            assert_eq!(Protocol::named(name).expect("shipped").id, name);
        }
        let p = Protocol::named("captemy90").expect("shipped");
        let sessions: Vec<_> = p.procedures(ProcedureKind::Radioembolization).collect();
        assert_eq!((sessions[0].window[0].cycle, sessions[0].window[0].target), (2, 7));
        let choices: Vec<_> = sessions[1].window.iter().map(|w| (w.cycle, w.target)).collect();
        assert_eq!(choices, [(3, 7), (4, 7)]);
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = Protocol::named("capttemy90").unwrap_err().to_string();
        assert!(error.contains("captemy90, captem, radioembolization"), "{error}");
    }

    #[test]
    fn a_day_outside_the_cycle_is_refused() {
        let text =
            include_str!("../../../protocols/captemy90.toml").replace("latest = 28", "latest = 29");
        let error = Protocol::parse(&text, "p.toml").unwrap_err().to_string();
        assert!(error.starts_with("p.toml: procedure simulation window"), "{error}");
    }
}
