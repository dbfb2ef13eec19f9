//! Published results that a calibration may learn from: a file with marks and sources.

use crate::model::MONTH_D;
use crate::tally::{Curve, Group, Tally, field};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

const SCHEMA: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;
const SHIPPED: &str = include_str!("../../../populations/net-liver.targets.toml");

/// A file of targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Version of the format.
    pub schema: u32,
    /// The population they are of.
    pub population: String,
    /// Arms by name.
    pub arm: BTreeMap<String, ArmOf>,
    /// Targets.
    pub target: Vec<Target>,
}

/// How an arm that was published is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmOf {
    /// Its protocol.
    pub protocol: String,
    /// The dose variant.
    pub variant: Option<String>,
    /// Who was enrolled.
    pub setting: String,
    /// Whether growth is that of series of radioembolization.
    #[serde(default)]
    pub tare_series: bool,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// The arm.
    pub arm: String,
    /// What is measured.
    pub measure: Measure,
    /// The value.
    pub value: f64,
    /// How far off it may be, on the scale of the measure.
    pub sd: f64,
    /// How sure it is.
    pub mark: hepatica_biology::population::Mark,
    /// Where it is from.
    pub source: String,
}

/// What is measured of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share with a response of the liver.
    ResponseLiver,
    /// Share with a response of all disease.
    ResponseAll,
    /// Share without progression of the liver at the first scan.
    ControlLiver,
    /// Share without progression of any disease at the first scan.
    ControlAll,
    /// Median PFS in months; in the logarithm.
    MedianPfsMonths,
    /// Median hepatic PFS in months; in the logarithm. Of an arm of radioembolization from the session on.
    MedianHepaticPfsMonths,
    /// Odds of response with low MGMT over those with high; in the logarithm.
    MgmtOddsRatio,
    /// Share with neutrophils of grade 4.
    #[serde(rename = "neutrophils_grade_4")]
    Neutrophils4,
    /// Share with platelets of grade 3 or 4.
    #[serde(rename = "platelets_grade_3")]
    Platelets3,
    /// Share with platelets of grade 4.
    #[serde(rename = "platelets_grade_4")]
    Platelets4,
}

impl Measure {
    /// Whether it is compared in the logarithm.
    #[must_use]
    pub fn is_log(self) -> bool {
        matches!(self, Self::MedianPfsMonths | Self::MedianHepaticPfsMonths | Self::MgmtOddsRatio)
    }

    /// Of an arm. Of one with sessions the treated are counted, and time from the first session: that is
    /// how series of radioembolization are published.
    #[must_use]
    pub fn of(self, tally: &Tally, scan_every: u16, from_session: bool) -> f64 {
        let group = if from_session { Group::Treated } else { Group::All };
        let share = |f, places: std::ops::Range<usize>| -> f64 {
            places.filter_map(|p| tally.share(group, f, p)).sum()
        };
        let median = |hepatic: bool| {
            // Beyond the horizon nothing is known: twice the horizon stands for it.
            let day = Curve::of(tally, group, hepatic).median_d(scan_every).unwrap_or(3650.0);
            let lead = if from_session { SESSION_D } else { 0.0 };
            ((day - lead).max(1.0) / MONTH_D).max(0.1)
        };
        match self {
            Self::ResponseLiver => share(field::best_liver, 3..4),
            Self::ResponseAll => share(field::best_all, 3..4),
            Self::ControlLiver => share(field::best_liver, 2..4),
            Self::ControlAll => share(field::best_all, 2..4),
            Self::MedianPfsMonths => median(false),
            Self::MedianHepaticPfsMonths => median(true),
            Self::MgmtOddsRatio => {
                let n = tally.of(group, field::response_by_mgmt);
                // Half a patient is added to each cell, so that none is empty.
                let [high_no, high_yes, low_no, low_yes] =
                    [n[0], n[1], n[2], n[3]].map(|n| n as f64 + 0.5);
                low_yes / low_no * high_no / high_yes
            }
            Self::Neutrophils4 => share(field::neutrophils_grade, 4..5),
            Self::Platelets3 => share(field::platelets_grade, 3..5),
            Self::Platelets4 => share(field::platelets_grade, 4..5),
        }
    }

    /// On the scale it is compared on.
    #[must_use]
    pub fn scaled(self, value: f64) -> f64 {
        if self.is_log() { value.ln() } else { value }
    }
}

/// Days from C1D1 to the session of day 7 of cycle 2.
const SESSION_D: f64 = 34.0;

/// Why targets cannot be used.
#[derive(Debug, Error)]
pub enum TargetsError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no file of targets (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// Where and what.
        message: String,
    },
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

impl Targets {
    /// Those that come with the program.
    ///
    /// # Errors
    /// Never for the shipped text, which a test reads.
    pub fn shipped() -> Result<Self, TargetsError> {
        Self::parse(SHIPPED, "populations/net-liver.targets.toml")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or used.
    pub fn read(path: &Path) -> Result<Self, TargetsError> {
        let io = |source| TargetsError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(TargetsError::TooLong { path: path.to_owned(), found });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?, &path.display().to_string())
    }

    /// Reads a text; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a value cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, TargetsError> {
        let targets: Self = toml::from_str(text).map_err(|e| TargetsError::Toml {
            file: file.to_owned(),
            message: e.to_string().trim().replace('\n', " "),
        })?;
        let wrong = |key: String, found: String, expected: &str| {
            let (file, expected) = (file.to_owned(), expected.to_owned());
            Err(TargetsError::Value { file, key, found, expected })
        };
        if targets.schema != SCHEMA {
            return wrong("schema".into(), targets.schema.to_string(), &SCHEMA.to_string());
        }
        if targets.target.is_empty() || targets.target.len() > 100 {
            return wrong("target".into(), format!("{} entries", targets.target.len()), "1 to 100");
        }
        for (n, t) in targets.target.iter().enumerate() {
            let key = |what: &str| format!("target {} {what}", t.id);
            if targets.target[..n].iter().any(|o| o.id == t.id) {
                return wrong(key("id"), t.id.clone(), "a name of its own");
            }
            if !targets.arm.contains_key(&t.arm) {
                let known: Vec<_> = targets.arm.keys().map(String::as_str).collect();
                return wrong(key("arm"), t.arm.clone(), &format!("one of {}", known.join(", ")));
            }
            if !(t.sd > 0.0 && t.sd.is_finite()) {
                return wrong(key("sd"), t.sd.to_string(), "above zero");
            }
            let good = if t.measure.is_log() {
                t.value > 0.0 && t.value < 1e4
            } else {
                (0.0..=1.0).contains(&t.value)
            };
            if !good {
                let expected = if t.measure.is_log() { "above zero" } else { "a share, 0 to 1" };
                return wrong(key("value"), t.value.to_string(), expected);
            }
        }
        for (name, arm) in &targets.arm {
            if arm.protocol.contains("captemy90") {
                return wrong(
                    format!("arm {name} protocol"),
                    arm.protocol.clone(),
                    "a protocol of one therapy alone: the combination is predicted, not fitted",
                );
            }
        }
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_targets_are_of_one_therapy_each() {
        let targets = Targets::shipped().expect("shipped");
        assert!(targets.target.len() >= 9);
    }

    #[test]
    fn a_typo_is_refused_with_its_place() {
        for (from, to, expected) in [
            ("measure = \"response_all\"", "measure = \"response_al\"", "response_al"),
            (
                "arm = \"captem\"\nmeasure",
                "arm = \"captme\"\nmeasure",
                "target captem-response arm = captme",
            ),
            ("value = 0.397", "value = 39.7", "target captem-response value = 39.7"),
            ("sd = 0.060", "sd = 0.0", "target captem-response sd = 0"),
            ("protocol = \"captem\"", "protocol = \"captemy90\"", "predicted, not fitted"),
            ("valu", "vaule", "vaule"),
        ] {
            let text = SHIPPED.replacen(from, to, 1);
            assert_ne!(text, SHIPPED, "{from}");
            let said = Targets::parse(&text, "t.toml").expect_err(to).to_string();
            assert!(said.contains(expected) && said.starts_with("t.toml: "), "{said}");
        }
    }
}
