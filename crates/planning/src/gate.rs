//! Gates: criteria as data (`gates/*.toml`, described in `docs/gates.md`), held against measures.

use crate::plan::{Criterion, Gate, Status};
use crate::strict::{self, TomlError};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

const SCHEMA: u32 = 1;
const SHIPPED: &str = include_str!("../../../gates/radioembolization.toml");

/// Measures by name; what is absent is not known.
pub type Measures = BTreeMap<String, f64>;

/// A gate as in its file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRule {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Its criteria.
    pub criterion: Vec<CriterionRule>,
}

/// A criterion as in its file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionRule {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// The measure it looks at.
    pub measure: String,
    /// Devices it is for; all if left out.
    pub devices: Option<Vec<String>>,
    /// `<=`, `<`, `>=`, `>`, `=`.
    pub comparison: Comparison,
    /// The limit.
    pub limit: Option<f64>,
    /// The device's or the case's limit of that name.
    pub limit_of: Option<String>,
    /// Unit of measure and limit.
    pub unit: String,
    /// What an unmet criterion does.
    pub otherwise: Otherwise,
    /// Where the limit is from.
    pub source: String,
    /// Protocols that depart from it on purpose.
    #[serde(default, rename = "override")]
    pub overrides: Vec<Override>,
}

/// How a measure is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Comparison {
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// Below.
    #[serde(rename = "<")]
    Below,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
    /// Above.
    #[serde(rename = ">")]
    Above,
    /// The same.
    #[serde(rename = "=")]
    Is,
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        // A dose that is limited by its own limit meets it to rounding.
        let slack = 1e-9 * limit.abs();
        match self {
            Self::AtMost => value <= limit + slack,
            Self::Below => value < limit,
            Self::AtLeast => value >= limit - slack,
            Self::Above => value > limit,
            Self::Is => value == limit,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::Is => "=",
        }
    }
}

/// What an unmet criterion does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// Wait: it may be put right.
    Hold,
    /// Do not treat.
    Fail,
}

/// A protocol that departs from a criterion on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Identifier of the protocol.
    pub protocol: String,
    /// Why.
    pub reason: String,
}

/// What a gate is held against.
#[derive(Debug)]
pub struct Setting<'a> {
    /// Identifier of the device.
    pub device: &'a str,
    /// Identifier of the protocol.
    pub protocol: &'a str,
    /// Limits by name, with their sources.
    pub limits: BTreeMap<&'static str, (f64, String)>,
    /// What was measured.
    pub measures: &'a Measures,
}

impl GateRule {
    /// The gate that comes with the program.
    ///
    /// # Errors
    /// Never for the shipped text; a test reads it.
    pub fn shipped() -> Result<Self, TomlError> {
        Self::parse(SHIPPED, "gates/radioembolization.toml")
    }

    /// Reads and checks the text of a gate; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a criterion has no limit, or two.
    pub fn parse(text: &str, file: &str) -> Result<Self, TomlError> {
        let gate: Self = strict::parse(text, file)?;
        let invalid =
            |message: String| TomlError::Invalid { file: file.to_owned(), line: 1, message };
        if gate.schema != SCHEMA {
            return Err(invalid(format!("schema = {}, expected {SCHEMA}", gate.schema)));
        }
        match gate.criterion.iter().find(|c| c.limit.is_some() == c.limit_of.is_some()) {
            Some(c) => {
                Err(invalid(format!("criterion {}: expected one of limit and limit_of", c.id)))
            }
            None => Ok(gate),
        }
    }

    /// Holds the gate against measures.
    #[must_use]
    pub fn evaluate(&self, setting: &Setting<'_>) -> Gate {
        let criteria: Vec<_> = self
            .criterion
            .iter()
            .filter(|c| c.devices.as_ref().is_none_or(|d| d.iter().any(|d| d == setting.device)))
            .map(|c| c.evaluate(setting))
            .collect();
        let status = criteria.iter().map(|c| c.status).max().unwrap_or(Status::Pass);
        let of = |status| {
            let names: Vec<_> =
                criteria.iter().filter(|c| c.status == status).map(|c| c.reason.as_str()).collect();
            names.join("; ")
        };
        let reason = match status {
            Status::Pass => format!("all {} criteria are met", criteria.len()),
            Status::Overridden => format!("met, but for: {}", of(status)),
            Status::Hold | Status::Fail => of(status),
        };
        Gate { id: self.id.clone(), name: self.name.clone(), status, reason, criteria }
    }
}

impl CriterionRule {
    fn evaluate(&self, setting: &Setting<'_>) -> Criterion {
        let named = self.limit_of.as_deref().and_then(|name| setting.limits.get(name));
        let limit = self.limit.or(named.map(|n| n.0));
        let source = named.map_or_else(|| self.source.clone(), |n| n.1.clone());
        let value = setting.measures.get(&self.measure).copied();
        let met = value.zip(limit).map(|(v, l)| self.comparison.holds(v, l));
        let excuse = self.overrides.iter().find(|o| o.protocol == setting.protocol);
        let status = match (met, excuse, self.otherwise) {
            (Some(true), ..) => Status::Pass,
            (Some(false), Some(_), _) => Status::Overridden,
            (Some(false), None, Otherwise::Fail) => Status::Fail,
            (Some(false), None, Otherwise::Hold) | (None, ..) => Status::Hold,
        };
        let shown = |v: f64| {
            let text = if v.fract() == 0.0 { format!("{v}") } else { format!("{v:.2}") };
            let space = if self.unit.is_empty() { "" } else { " " };
            format!("{text}{space}{}", self.unit)
        };
        let reason = match (value, limit) {
            (None, _) => format!("{}: not known", self.name.to_lowercase_first()),
            (_, None) => format!("{}: no limit is known", self.name.to_lowercase_first()),
            (Some(v), Some(l)) => {
                let sign = self.comparison.sign();
                let said = match status {
                    Status::Pass => "",
                    _ => ", not met",
                };
                let because = match (status, excuse) {
                    (Status::Overridden, Some(o)) => format!(", overridden: {}", o.reason),
                    _ => said.to_owned(),
                };
                let name = self.name.to_lowercase_first();
                if self.unit.is_empty() && self.comparison == Comparison::Is {
                    let met = if met == Some(true) { "yes" } else { "no" };
                    format!(
                        "{name}: {met}{}",
                        if status == Status::Overridden { because } else { String::new() }
                    )
                } else {
                    format!("{name} {} (limit {sign} {}){because}", shown(v), shown(l))
                }
            }
        };
        Criterion {
            id: self.id.clone(),
            name: self.name.clone(),
            measure: self.measure.clone(),
            value: value.map(|v| json!(v)),
            unit: self.unit.clone(),
            comparison: self.comparison.sign().to_owned(),
            limit: limit.map_or(serde_json::Value::Null, |l| json!(l)),
            status,
            reason,
            source,
        }
    }
}

/// `Lung shunt` to `lung shunt`, but `ALT` stays.
trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for str {
    fn to_lowercase_first(&self) -> String {
        let mut chars = self.chars();
        match (chars.next(), self.chars().nth(1)) {
            (Some(first), Some(second)) if second.is_lowercase() => {
                first.to_lowercase().chain(chars).collect()
            }
            _ => self.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(device: &str, protocol: &str, measures: &[(&str, f64)]) -> Gate {
        let measures = measures.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let limits = BTreeMap::from([("lung_session_gy", (30.0, "label".to_owned()))]);
        let setting = Setting { device, protocol, limits, measures: &measures };
        GateRule::shipped().expect("shipped").evaluate(&setting)
    }

    fn status(gate: &Gate, id: &str) -> Option<Status> {
        gate.criteria.iter().find(|c| c.id == id).map(|c| c.status)
    }

    #[test]
    fn unknown_holds_met_passes_unmet_fails() {
        let gate = evaluate("glass", "captemy90", &[("lung_shunt_percent", 5.0)]);
        assert_eq!(status(&gate, "lung_shunt"), Some(Status::Pass));
        assert_eq!(status(&gate, "extrahepatic_uncorrectable"), Some(Status::Hold));
        assert_eq!(gate.status, Status::Hold);
        let gate = evaluate("glass", "captemy90", &[("lung_shunt_percent", 20.5)]);
        assert_eq!((status(&gate, "lung_shunt"), gate.status), (Some(Status::Fail), Status::Fail));
        assert!(
            gate.reason.contains("lung shunt 20.50 % (limit <= 20 %), not met"),
            "{}",
            gate.reason
        );
    }

    #[test]
    fn a_protocol_overrides_a_label_and_says_why() {
        let resin = evaluate("resin", "captemy90", &[("capecitabine", 1.0)]);
        assert_eq!(status(&resin, "capecitabine"), Some(Status::Overridden));
        let other = evaluate("resin", "captem", &[("capecitabine", 1.0)]);
        assert_eq!(status(&other, "capecitabine"), Some(Status::Fail));
        let glass = evaluate("glass", "captemy90", &[("capecitabine", 1.0)]);
        assert_eq!(status(&glass, "capecitabine"), None);
    }

    #[test]
    fn a_limit_of_the_device_is_cited() {
        let gate = evaluate("glass", "captemy90", &[("lung_dose_session_gy", 30.0)]);
        let c = gate.criteria.iter().find(|c| c.id == "lung_dose_session").expect("there");
        assert_eq!((c.status, c.source.as_str()), (Status::Pass, "label"));
    }
}
