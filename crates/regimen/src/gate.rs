//! Gates: criteria as data, held against what was measured. `docs/gates.md` describes them.
//!
//! A gate explains itself: every criterion says what was found, when, against which limit of which
//! source, and what would change the answer. A criterion has three truths; not known is one of
//! them, and it never passes in silence.

use crate::strict::{self, TomlError};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

const SCHEMA: u32 = 1;
/// Said of a value that is missing.
const NOT_KNOWN: &str = ": not known";

/// Gates that come with the program: name and text.
const SHIPPED: [(&str, &str); 1] =
    [("radioembolization", include_str!("../../../gates/radioembolization.toml"))];

// ---- rules ---------------------------------------------------------------------------------------

/// A file of criteria.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateFile {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Its criteria.
    pub criterion: Vec<CriterionRule>,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRule {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it stands before: `start` (day 1 of cycle 1), `cycle` (day 1 of every later cycle), or
    /// identifiers of procedures.
    #[serde(default)]
    pub guards: Vec<String>,
    /// Shipped files of criteria (`gates/*.toml`) that are part of it.
    #[serde(default)]
    pub include: Vec<String>,
    /// What is done while the answer is not pass; only for `cycle`.
    pub wait: Option<Wait>,
    /// Its criteria.
    #[serde(default)]
    pub criterion: Vec<CriterionRule>,
}

/// `platelets at least 100, else wait 7 days, at most 4 times, then one level down`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Days until the gate is asked again.
    pub days: u32,
    /// How many times at most.
    pub at_most: u32,
    /// When the gate passes after at least one wait.
    pub then: Step,
    /// When it still does not pass after the last.
    pub exhausted: Step,
    /// The drugs whose level changes.
    pub drugs: Vec<String>,
    /// Where it is from.
    pub source: String,
}

/// What becomes of a drug's dose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// As before.
    Same,
    /// One level down; below the lowest level the drug is stopped.
    Down,
    /// To the first level below the starting one, if not lower already.
    Minus1,
    /// To the second level below the starting one, if not lower already.
    Minus2,
    /// To the third level below the starting one, if not lower already.
    Minus3,
    /// For good.
    Stop,
}

/// A criterion.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CriterionRule {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// The measure it looks at: one of the registry (`crates/regimen/src/measures.toml`).
    pub measure: String,
    /// Terms or classes of toxicity, for the measure `toxicity_grade`: `any`, `haematologic`,
    /// `non-haematologic`, or CTCAE terms.
    #[serde(default)]
    pub terms: Vec<String>,
    /// Drugs, for the measure `doses_taken_percent`.
    #[serde(default)]
    pub drugs: Vec<String>,
    /// Devices it is for; all if left out.
    pub devices: Option<Vec<String>>,
    /// `<=`, `<`, `>=`, `>`, `=`.
    pub comparison: Comparison,
    /// The limit.
    pub limit: Option<f64>,
    /// The device's or the case's limit of that name.
    pub limit_of: Option<String>,
    /// The criterion is met as long as its limit is exceeded with at most this probability (0 to 1); left
    /// out, the value itself decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_probability: Option<f64>,
    /// Unit of measure and limit.
    pub unit: String,
    /// Which of several values counts.
    #[serde(default)]
    pub over: Over,
    /// How many days before the day in question a value may be from; left out: any time before.
    pub within_days: Option<u32>,
    /// What an unmet criterion does.
    pub otherwise: Otherwise,
    /// What a missing value means.
    #[serde(default)]
    pub missing: Missing,
    /// Where the limit is from.
    pub source: String,
    /// Protocols that depart from it on purpose.
    #[serde(default, rename = "override")]
    pub overrides: Vec<Override>,
}

/// How a measure is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
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
    /// Whether `value` stands so to `limit`.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
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

    /// As it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::Is => "=",
        }
    }

    /// Of two values the one that meets such a limit less easily.
    #[must_use]
    pub fn worse(self, a: f64, b: f64) -> f64 {
        match self {
            Self::AtLeast | Self::Above => a.min(b),
            Self::AtMost | Self::Below | Self::Is => a.max(b),
        }
    }
}

/// Which of several values counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The latest.
    #[default]
    Latest,
    /// The worst from day 2 of the running cycle to the day in question: what is found on day 1 still
    /// belongs to the cycle before.
    Cycle,
    /// The worst in cycle 1.
    Cycle1,
    /// The worst of all.
    Course,
    /// The last before the first dose.
    Baseline,
}

/// What an unmet criterion does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// Wait: it may be put right.
    Hold,
    /// Do not treat.
    Fail,
}

/// What a missing value means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Cannot tell: wait.
    #[default]
    Hold,
    /// Nothing was found, as with toxicities, which are recorded when there are any.
    Pass,
}

/// A protocol that departs from a criterion on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Identifier of the protocol.
    pub protocol: String,
    /// Why.
    pub reason: String,
}

impl GateFile {
    /// The gate that comes with the program under that name.
    ///
    /// # Errors
    /// When there is none; never for the shipped texts, which a test reads.
    pub fn shipped(name: &str) -> Result<Self, TomlError> {
        let Some((_, text)) = SHIPPED.iter().find(|(id, _)| *id == name) else {
            let names: Vec<_> = SHIPPED.iter().map(|(id, _)| *id).collect();
            return Err(TomlError::Invalid {
                file: format!("gates/{name}.toml"),
                line: 1,
                message: format!(
                    "no gate of that name is shipped; there are: {}",
                    names.join(", ")
                ),
            });
        };
        Self::parse(text, &format!("gates/{name}.toml"))
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
        match gate.criterion.iter().find_map(CriterionRule::fault) {
            Some(message) => Err(invalid(message)),
            None => Ok(gate),
        }
    }
}

impl From<GateFile> for GateRule {
    fn from(file: GateFile) -> Self {
        Self {
            id: file.id,
            name: file.name,
            guards: Vec::new(),
            include: Vec::new(),
            wait: None,
            criterion: file.criterion,
        }
    }
}

// ---- what it is held against ---------------------------------------------------------------------

/// What is known of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found {
    /// A value.
    Value(Value),
    /// None.
    Missing,
    /// One that is too old by then.
    Stale {
        /// When it was true.
        on: Date,
    },
    /// Two that differ for the same time.
    Conflict {
        /// When.
        on: Date,
        /// The two.
        values: [f64; 2],
    },
}

/// A value in the unit of its measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The number.
    pub value: f64,
    /// Its interval, where one was given.
    pub interval: Option<[f64; 2]>,
    /// When it was true, where that is known.
    pub on: Option<Date>,
}

/// What a gate is held against.
pub trait Evidence {
    /// What is known of a criterion's measure.
    fn find(&self, criterion: &CriterionRule) -> Found;
    /// The device, if one is chosen: criteria of other devices are left out.
    fn device(&self) -> Option<&str>;
    /// Identifier of the protocol.
    fn protocol(&self) -> &str;
    /// A limit of the device or the case, with its source.
    fn limit(&self, name: &str) -> Option<(f64, &str)>;
    /// Why a person decided to go on although the criterion is not met.
    fn overridden(&self, gate: &str, criterion: &str) -> Option<&str>;
    /// The day a missing value is needed by, and the first it may be from, if that matters.
    fn needed(&self, criterion: &CriterionRule) -> Option<(Option<Date>, Date)>;
    /// How probable it is that a criterion is not met at that limit, where the doubt of its value is known.
    fn probability_unmet(&self, _criterion: &CriterionRule, _limit: f64) -> Option<f64> {
        None
    }
}

/// Measures of one moment by name; what is absent is not known.
pub type Measures = BTreeMap<String, f64>;

/// Measures of one moment as they may be: equally probable values by name. What is absent has no doubt that
/// is known.
pub type Samples = BTreeMap<String, Vec<f64>>;

/// One moment: what a plan holds its gates against.
#[derive(Debug)]
pub struct Setting<'a> {
    /// Identifier of the device.
    pub device: &'a str,
    /// Identifier of the protocol.
    pub protocol: &'a str,
    /// Limits by name, with their sources.
    pub limits: BTreeMap<&'a str, (f64, String)>,
    /// What was measured.
    pub measures: &'a Measures,
    /// How it may be.
    pub samples: &'a Samples,
}

impl Evidence for Setting<'_> {
    fn find(&self, criterion: &CriterionRule) -> Found {
        self.measures
            .get(&criterion.measure)
            .map_or(Found::Missing, |v| Found::Value(Value { value: *v, interval: None, on: None }))
    }

    fn device(&self) -> Option<&str> {
        Some(self.device)
    }

    fn protocol(&self) -> &str {
        self.protocol
    }

    fn limit(&self, name: &str) -> Option<(f64, &str)> {
        self.limits.get(name).map(|(v, s)| (*v, s.as_str()))
    }

    fn overridden(&self, _: &str, _: &str) -> Option<&str> {
        None
    }

    fn needed(&self, _: &CriterionRule) -> Option<(Option<Date>, Date)> {
        None
    }

    fn probability_unmet(&self, criterion: &CriterionRule, limit: f64) -> Option<f64> {
        let values = self.samples.get(&criterion.measure).filter(|v| !v.is_empty())?;
        let unmet = values.iter().filter(|v| !criterion.comparison.holds(**v, limit)).count();
        Some(unmet as f64 / values.len() as f64)
    }
}

// ---- the answer ----------------------------------------------------------------------------------

/// The answer of a gate or a criterion.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Met.
    Pass,
    /// Not met, but the protocol departs from this limit on purpose and says why.
    Overridden,
    /// Cannot tell, or may be put right: wait.
    Hold,
    /// Not met.
    Fail,
}

impl Status {
    /// Whether one may go on.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Pass | Self::Overridden)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Overridden => "overridden",
            Self::Hold => "hold",
            Self::Fail => "fail",
        })
    }
}

/// Whether a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Yes.
    Met,
    /// No.
    NotMet,
    /// A value is missing, too old, or contradicted.
    CannotTell,
}

/// A gate's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// The worst of its criteria.
    pub status: Status,
    /// One sentence why.
    pub reason: String,
    /// Its criteria.
    pub criteria: Vec<Criterion>,
}

/// A criterion's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    /// Identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// What is measured.
    pub measure: String,
    /// Value found; `None` if unknown.
    pub value: Option<serde_json::Value>,
    /// Interval of the value, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The day the value is from, ISO 8601, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_date: Option<String>,
    /// Unit of value and limit.
    pub unit: String,
    /// `<=`, `<`, `>=`, `>`, `=`, `!=`.
    pub comparison: String,
    /// The limit.
    pub limit: serde_json::Value,
    /// How probable it is that the criterion is not met, where the doubt of its value is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_unmet: Option<f64>,
    /// The probability up to which that is accepted, where the criterion is stated so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_probability: Option<f64>,
    /// Met, not met, or cannot tell.
    pub truth: Truth,
    /// The answer.
    pub status: Status,
    /// In words: what was found, what is missing, why it is overridden.
    pub reason: String,
    /// What would change the answer, where it is not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Where the limit is from.
    pub source: String,
}

impl GateRule {
    /// The answer without its reasons: cheap, for those who ask often.
    #[must_use]
    pub fn status(&self, evidence: &impl Evidence) -> Status {
        self.applicable(evidence.device())
            .map(|c| c.answer(&self.id, evidence).status)
            .max()
            .unwrap_or(Status::Pass)
    }

    /// Whether a criterion is known not to be met, and nobody departs from it.
    #[must_use]
    pub fn any_unmet(&self, evidence: &impl Evidence) -> bool {
        self.applicable(evidence.device()).any(|c| {
            let a = c.answer(&self.id, evidence);
            a.truth == Truth::NotMet && !a.status.passes()
        })
    }

    /// Holds the gate against what is known.
    #[must_use]
    pub fn evaluate(&self, evidence: &impl Evidence) -> Gate {
        let criteria: Vec<_> =
            self.applicable(evidence.device()).map(|c| c.explain(&self.id, evidence)).collect();
        let status = criteria.iter().map(|c| c.status).max().unwrap_or(Status::Pass);
        // What is known comes first; what is not known is a list of names.
        let of = |status| {
            let all = || criteria.iter().filter(|c| c.status == status).map(|c| c.reason.as_str());
            let unknown: Vec<_> = all().filter_map(|r| r.strip_suffix(NOT_KNOWN)).collect();
            let mut said: Vec<_> =
                all().filter(|r| !r.ends_with(NOT_KNOWN)).map(str::to_owned).collect();
            if !unknown.is_empty() {
                said.push(format!("not known: {}", unknown.join(", ")));
            }
            said.join("; ")
        };
        let reason = match status {
            Status::Pass => format!("all {} criteria are met", criteria.len()),
            Status::Overridden => format!("met, but for: {}", of(status)),
            Status::Hold | Status::Fail => of(status),
        };
        Gate { id: self.id.clone(), name: self.name.clone(), status, reason, criteria }
    }

    fn applicable<'a>(
        &'a self,
        device: Option<&'a str>,
    ) -> impl Iterator<Item = &'a CriterionRule> + 'a {
        self.criterion.iter().filter(move |c| {
            let among = |d: &str| c.devices.as_ref().is_none_or(|list| list.iter().any(|l| l == d));
            // Before a device is chosen, what depends on it cannot be asked.
            device.map_or(c.devices.is_none(), among)
        })
    }
}

/// The parts of an answer.
struct Answer<'a> {
    found: Found,
    limit: Option<f64>,
    source: Option<&'a str>,
    /// Probability that the limit is exceeded, and up to which that is accepted.
    chance: Option<(f64, f64)>,
    truth: Truth,
    excuse: Option<&'a str>,
    status: Status,
}

impl CriterionRule {
    /// What is wrong with the rule itself.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.limit.is_some() == self.limit_of.is_some() {
            return Some(format!("criterion {}: expected one of limit and limit_of", self.id));
        }
        if let Some(p) = self.at_most_probability.filter(|p| !(0.0..=1.0).contains(p)) {
            let id = &self.id;
            return Some(format!("criterion {id}: at_most_probability = {p}, expected 0 to 1"));
        }
        self.limit
            .filter(|l| !l.is_finite())
            .map(|l| format!("criterion {}: limit = {l}, expected a number", self.id))
    }

    /// Whether it is met, outside any gate.
    #[must_use]
    pub fn truth(&self, evidence: &impl Evidence) -> Truth {
        self.answer("", evidence).truth
    }

    fn answer<'a>(&'a self, gate: &str, evidence: &'a impl Evidence) -> Answer<'a> {
        let named = self.limit_of.as_deref().and_then(|name| evidence.limit(name));
        let limit = self.limit.or(named.map(|n| n.0));
        let found = evidence.find(self);
        let chance = self
            .at_most_probability
            .zip(limit)
            .and_then(|(most, l)| Some((evidence.probability_unmet(self, l)?, most)));
        let truth = match (found, limit) {
            // Stated on probability: without one nobody can tell.
            (Found::Value(_), Some(_)) if self.at_most_probability.is_some() => match chance {
                Some((p, most)) if p <= most => Truth::Met,
                Some(_) => Truth::NotMet,
                None => Truth::CannotTell,
            },
            (Found::Value(v), Some(l)) if self.comparison.holds(v.value, l) => Truth::Met,
            (Found::Value(_), Some(_)) => Truth::NotMet,
            (Found::Missing, Some(_)) if self.missing == Missing::Pass => Truth::Met,
            _ => Truth::CannotTell,
        };
        let by_protocol = || {
            let departs = |o: &&Override| o.protocol == evidence.protocol();
            self.overrides.iter().find(departs).map(|o| o.reason.as_str())
        };
        let excuse = match truth {
            Truth::Met => None,
            Truth::NotMet => by_protocol().or_else(|| evidence.overridden(gate, &self.id)),
            Truth::CannotTell => evidence.overridden(gate, &self.id),
        };
        let status = match (truth, excuse, self.otherwise) {
            (Truth::Met, ..) => Status::Pass,
            (_, Some(_), _) => Status::Overridden,
            (Truth::NotMet, None, Otherwise::Fail) => Status::Fail,
            (Truth::NotMet, None, Otherwise::Hold) | (Truth::CannotTell, ..) => Status::Hold,
        };
        Answer { found, limit, source: named.map(|n| n.1), chance, truth, excuse, status }
    }

    fn explain(&self, gate: &str, evidence: &impl Evidence) -> Criterion {
        let a = self.answer(gate, evidence);
        let value = match a.found {
            Found::Value(v) => Some(v),
            _ => None,
        };
        Criterion {
            id: self.id.clone(),
            name: self.name.clone(),
            measure: self.measure.clone(),
            value: value.map(|v| json!(v.value)),
            interval: value.and_then(|v| v.interval),
            value_date: value.and_then(|v| v.on).map(|d| d.to_string()),
            unit: self.unit.clone(),
            comparison: self.comparison.sign().to_owned(),
            limit: a.limit.map_or(serde_json::Value::Null, |l| json!(l)),
            probability_unmet: a
                .limit
                .filter(|_| value.is_some())
                .and_then(|l| evidence.probability_unmet(self, l)),
            at_most_probability: self.at_most_probability,
            truth: a.truth,
            status: a.status,
            reason: self.reason(&a),
            needs: self.needs(&a, evidence),
            source: a.source.map_or_else(|| self.source.clone(), str::to_owned),
        }
    }

    fn shown(&self, v: f64) -> String {
        let text = if v.fract() == 0.0 { format!("{v}") } else { format!("{v:.2}") };
        let space = if self.unit.is_empty() { "" } else { " " };
        format!("{text}{space}{}", self.unit)
    }

    /// Whether the measure is answered by yes or no.
    fn is_yes_or_no(&self) -> bool {
        self.unit.is_empty() && self.comparison == Comparison::Is
    }

    fn reason(&self, a: &Answer<'_>) -> String {
        let name = lowercase_first(&self.name);
        let because = match (a.status, a.excuse) {
            (Status::Overridden, Some(why)) => format!(", overridden: {why}"),
            (Status::Pass, _) => String::new(),
            _ if a.truth == Truth::NotMet => ", not met".to_owned(),
            _ => String::new(),
        };
        match (a.found, a.limit) {
            (Found::Missing, _) if self.missing == Missing::Pass => {
                format!("{name}: none recorded")
            }
            (Found::Missing, _) => format!("{name}{NOT_KNOWN}{because}"),
            (Found::Stale { on }, _) => {
                let days = self.within_days.unwrap_or(0);
                format!("{name}: the value of {on} is older than {days} days{because}")
            }
            (Found::Conflict { on, values: [x, y] }, _) => {
                let (x, y) = (self.shown(x), self.shown(y));
                format!("{name}: two values for {on}, {x} and {y}{because}")
            }
            (_, None) => format!("{name}: no limit is known"),
            (Found::Value(v), Some(_)) if self.is_yes_or_no() => {
                let met = if a.truth == Truth::Met { "yes" } else { "no" };
                let excuse = if a.status == Status::Overridden { &because } else { "" };
                format!("{name}: {met}{}{excuse}", when(v.on))
            }
            (Found::Value(v), Some(l)) => {
                let doubt = v.interval.filter(|[low, high]| {
                    let met = |x: &f64| self.comparison.holds(*x, l);
                    met(low) != met(high)
                });
                let doubt = doubt.map_or(String::new(), |[low, high]| {
                    format!(
                        ", its interval {} to {} reaches across",
                        self.shown(low),
                        self.shown(high)
                    )
                });
                let (v, on, l) = (self.shown(v.value), when(v.on), self.shown(l));
                let sign = self.comparison.sign();
                let most = self.at_most_probability.map_or(String::new(), |most| {
                    let beyond = a.chance.map_or("?".to_owned(), |(p, _)| percent(p));
                    format!(", beyond it with {beyond} (at most {})", percent(most))
                });
                format!("{name} {v}{on} (limit {sign} {l}{most}){doubt}{because}")
            }
        }
    }

    fn needs(&self, a: &Answer<'_>, evidence: &impl Evidence) -> Option<String> {
        if a.status.passes() {
            return None;
        }
        let by = evidence.needed(self).map_or(String::new(), |(from, by)| match from {
            None => format!(" by {by}"),
            Some(from) if from == by => format!(" on {by}"),
            Some(from) => format!(" from {from} to {by}"),
        });
        let name = lowercase_first(&self.name);
        Some(match a.truth {
            Truth::Met => return None,
            Truth::CannotTell => match a.found {
                Found::Value(_) => format!("{name}: how doubtful its value is{by}"),
                Found::Conflict { .. } => {
                    format!("{name}: say which value is right (a correction)")
                }
                _ => format!("{name}: a value{by}"),
            },
            Truth::NotMet if self.is_yes_or_no() => format!("{name}: another finding{by}"),
            Truth::NotMet => {
                let limit = a.limit.map_or(String::new(), |l| self.shown(l));
                let most = a.chance.map_or(String::new(), |(_, most)| {
                    format!(" but with at most {}", percent(most))
                });
                format!("{name} {} {limit}{most}{by}", self.comparison.sign())
            }
        })
    }
}

fn percent(probability: f64) -> String {
    format!("{:.1} %", 100.0 * probability)
}

fn when(on: Option<Date>) -> String {
    on.map_or(String::new(), |d| format!(" on {d}"))
}

/// `Lung shunt` to `lung shunt`, but `ALT` stays.
fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(device: &str, protocol: &str, measures: &[(&str, f64)]) -> Gate {
        let measures = measures.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let limits = BTreeMap::from([("lung_session_gy", (30.0, "label".to_owned()))]);
        let samples = Samples::new();
        let setting = Setting { device, protocol, limits, measures: &measures, samples: &samples };
        let rule = GateRule::from(GateFile::shipped("radioembolization").expect("shipped"));
        let gate = rule.evaluate(&setting);
        assert_eq!(gate.status, rule.status(&setting));
        gate
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
    fn a_criterion_may_be_stated_on_probability() {
        let text = r#"
schema = 1
id = "lungs"
name = "Lungs"
[[criterion]]
id = "lung_dose"
name = "Lung dose"
measure = "lung_dose_session_gy"
comparison = "<="
limit = 30.0
at_most_probability = 0.05
unit = "Gy"
otherwise = "fail"
source = "board"
"#;
        let rule = GateRule::from(GateFile::parse(text, "x").expect("valid"));
        let ask = |gy: f64, values: Vec<f64>| {
            let measures = Measures::from([("lung_dose_session_gy".to_owned(), gy)]);
            let samples = match values.is_empty() {
                true => Samples::new(),
                false => Samples::from([("lung_dose_session_gy".to_owned(), values)]),
            };
            let limits = BTreeMap::new();
            let (device, protocol) = ("glass", "captemy90");
            let setting =
                Setting { device, protocol, limits, measures: &measures, samples: &samples };
            let gate = rule.evaluate(&setting);
            assert_eq!(gate.status, rule.status(&setting));
            gate.criteria[0].clone()
        };
        // Of a hundred ways it may be, some are beyond the limit; the value itself does not decide.
        let beyond = |n: usize| (0..100).map(|v| if v < n { 31.0 } else { 20.0 }).collect();
        let met = ask(22.0, beyond(5));
        assert_eq!((met.truth, met.probability_unmet), (Truth::Met, Some(0.05)));
        let not = ask(22.0, beyond(6));
        assert_eq!((not.truth, not.status), (Truth::NotMet, Status::Fail));
        assert_eq!(
            not.reason,
            "lung dose 22 Gy (limit <= 30 Gy, beyond it with 6.0 % (at most 5.0 %)), not met"
        );
        assert_eq!(not.needs.as_deref(), Some("lung dose <= 30 Gy but with at most 5.0 %"));
        let unknown = ask(22.0, Vec::new());
        assert_eq!((unknown.truth, unknown.status), (Truth::CannotTell, Status::Hold));
        assert_eq!(unknown.needs.as_deref(), Some("lung dose: how doubtful its value is"));
        let wrong = text.replace("0.05", "1.5");
        let error = GateFile::parse(&wrong, "x").expect_err("a probability").to_string();
        assert!(error.contains("at_most_probability = 1.5, expected 0 to 1"), "{error}");
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

    #[test]
    fn what_is_missing_is_named_and_what_would_change_it() {
        let gate = evaluate("glass", "captemy90", &[("lung_shunt_percent", 25.0)]);
        let of = |id: &str| gate.criteria.iter().find(|c| c.id == id).expect("there");
        assert_eq!(of("lung_shunt").needs.as_deref(), Some("lung shunt <= 20 %"));
        assert_eq!(of("platelets").truth, Truth::CannotTell);
        assert_eq!(of("platelets").needs.as_deref(), Some("platelets: a value"));
    }
}
