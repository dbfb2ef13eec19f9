//! What can be recorded of a course. An event is a fact with the day it is true of, the time it was
//! recorded, who recorded it and, for a correction, why. Events are only ever added.

use crate::protocol::{self, Source};
use crate::response::Scan;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An event. Its identifier is made from everything else in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Identifier of the patient; never a name.
    pub patient: String,
    /// The day it is true of, ISO 8601.
    #[schemars(with = "String")]
    pub on: Date,
    /// The local time it is true of, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Time>,
    /// When it was recorded, in UTC.
    #[schemars(with = "String")]
    pub recorded: Timestamp,
    /// Who recorded it.
    pub by: String,
    /// Why, where that needs saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What.
    pub fact: Fact,
}

/// Identifier of an event: the first 12 hexadecimal digits of its SHA-256.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct EventId(pub String);

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl Event {
    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> EventId {
        // Maps with texts as keys and finite numbers always become JSON.
        let text = serde_json::to_string(self).unwrap_or_default();
        EventId(protocol::sha256(text.as_bytes())[..12].to_owned())
    }

    /// Whether it was recorded before the day it is true of: told ahead, as in a rehearsal.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        // A day begins up to 14 hours earlier in the east than in UTC.
        let latest = self.recorded.saturating_add(jiff::SignedDuration::from_hours(14));
        latest.is_ok_and(|t| self.on > jiff::tz::Offset::UTC.to_datetime(t).date())
    }
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fact {
    /// The course begins: on this protocol, with this first day.
    Begin {
        /// The protocol as it was then.
        protocol: Pinned,
        /// Its dose variant, if one was chosen.
        variant: Option<String>,
        /// Day 1 of cycle 1.
        #[schemars(with = "String")]
        c1d1: Date,
    },
    /// What is known of the patient on entry.
    Enrolment {
        /// Day of birth.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        birth: Option<Date>,
        /// The dose variant chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
        /// Measures by identifier, in their base units.
        #[serde(default)]
        values: BTreeMap<String, f64>,
    },
    /// Measures by identifier, in their base units (`measures.toml`).
    Labs {
        /// The values.
        values: BTreeMap<String, f64>,
    },
    /// Limits of normal of the site's laboratory, in the measures' base units.
    Normal {
        /// Lower limits.
        #[serde(default)]
        lln: BTreeMap<String, f64>,
        /// Upper limits.
        #[serde(default)]
        uln: BTreeMap<String, f64>,
    },
    /// A drug was taken or not, from the event's day to `until`.
    Doses {
        /// The drug.
        drug: String,
        /// Whether it was taken.
        taken: bool,
        /// Last day; left out: one day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
        /// What each intake was, in mg, if not what was prescribed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mg_per_intake: Option<f64>,
    },
    /// A toxicity has this grade from this day; 0 says that it is over.
    Toxicity {
        /// CTCAE term.
        term: String,
        /// Grade, 0 to 5.
        grade: u8,
        /// Version of CTCAE.
        ctcae: u8,
        /// What it is put down to: drugs, procedures.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        related: Vec<String>,
    },
    /// The simulation procedure was reported.
    Simulation(Simulation),
    /// Microspheres were given.
    Session {
        /// The protocol's procedure.
        procedure: String,
        /// What was treated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        territory: Option<String>,
        /// Activity that left the vial, in GBq.
        activity_gbq: f64,
        /// Activity that stayed in vial and lines, in GBq.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        residual_gbq: Option<f64>,
        /// The device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    },
    /// A procedure of another kind was done.
    Procedure {
        /// The protocol's procedure.
        procedure: String,
    },
    /// A scan was read.
    Scan {
        /// What was seen.
        reading: Scan,
    },
    /// A treatment that the protocol does not know.
    Therapy {
        /// What.
        name: String,
        /// Whether it was directed at the liver.
        liver: bool,
    },
    /// Drugs are held by decision; none named: all.
    Hold {
        /// Which.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        drugs: Vec<String>,
    },
    /// Drugs are taken again; none named: all.
    Resume {
        /// Which.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        drugs: Vec<String>,
    },
    /// A criterion was waived by a person, until the day given; left out: for that day.
    Override {
        /// The gate.
        gate: String,
        /// The criterion.
        criterion: String,
        /// Last day it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// The patient leaves the treatment.
    Withdrawal {},
    /// The patient died.
    Death {},
    /// The course goes on with another version of its protocol.
    Migration {
        /// The protocol from now on.
        protocol: Pinned,
    },
    /// An earlier event was wrong. It stays in the log.
    Correction {
        /// Which.
        of: EventId,
        /// What is true instead; left out: it never was.
        fact: Option<Box<Fact>>,
    },
}

/// A protocol as it was when a course began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Identifier.
    pub id: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the text.
    pub sha256: String,
    /// The whole text.
    pub text: String,
}

impl From<&Source> for Pinned {
    fn from(source: &Source) -> Self {
        Self {
            id: source.protocol.id.clone(),
            version: source.protocol.version.clone(),
            sha256: source.sha256(),
            text: source.text.clone(),
        }
    }
}

/// What a simulation procedure showed, from its plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// SHA-256 of `plan.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<String>,
    /// The device planned with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Measures by identifier.
    #[serde(default)]
    pub measures: BTreeMap<String, Measured>,
    /// Limits of the device or the case by name, with their sources.
    #[serde(default)]
    pub limits: BTreeMap<String, Limit>,
    /// Planned activity of each session in GBq, in order.
    #[serde(default)]
    pub activity_gbq: Vec<f64>,
}

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The value, in the measure's unit.
    pub value: f64,
    /// Its interval, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// A limit and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The limit.
    pub value: f64,
    /// Where it is from.
    pub source: String,
}

impl Fact {
    /// The name of its kind, as it is written.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "begin",
            Self::Enrolment { .. } => "enrolment",
            Self::Labs { .. } => "labs",
            Self::Normal { .. } => "normal",
            Self::Doses { .. } => "doses",
            Self::Toxicity { .. } => "toxicity",
            Self::Simulation(_) => "simulation",
            Self::Session { .. } => "session",
            Self::Procedure { .. } => "procedure",
            Self::Scan { .. } => "scan",
            Self::Therapy { .. } => "therapy",
            Self::Hold { .. } => "hold",
            Self::Resume { .. } => "resume",
            Self::Override { .. } => "override",
            Self::Withdrawal {} => "withdrawal",
            Self::Death {} => "death",
            Self::Migration { .. } => "migration",
            Self::Correction { .. } => "correction",
        }
    }

    /// In one line, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let list = |values: &BTreeMap<String, f64>| {
            let all: Vec<_> = values.iter().map(|(k, v)| format!("{k} {}", short(*v))).collect();
            all.join(", ")
        };
        let drugs = |d: &[String]| if d.is_empty() { "all drugs".to_owned() } else { d.join(", ") };
        match self {
            Self::Begin { protocol, variant, c1d1 } => {
                let variant = variant.as_deref().map_or(String::new(), |v| format!(", {v}"));
                format!("{} version {}{variant}, C1D1 {c1d1}", protocol.id, protocol.version)
            }
            Self::Enrolment { birth, variant, values } => {
                let birth = birth.map(|b| format!("born {b}"));
                let variant = variant.as_ref().map(|v| format!("variant {v}"));
                let values = Some(list(values)).filter(|v| !v.is_empty());
                let all: Vec<_> = [birth, variant, values].into_iter().flatten().collect();
                all.join(", ")
            }
            Self::Labs { values } => list(values),
            Self::Normal { lln, uln } => {
                let all: Vec<_> = lln
                    .iter()
                    .map(|(k, v)| format!("{k} from {}", short(*v)))
                    .chain(uln.iter().map(|(k, v)| format!("{k} to {}", short(*v))))
                    .collect();
                all.join(", ")
            }
            Self::Doses { drug, taken, until, mg_per_intake } => {
                let until = until.map_or(String::new(), |d| format!(" until {d}"));
                let mg = mg_per_intake.map_or(String::new(), |m| format!(", {m} mg an intake"));
                format!("{drug} {}{until}{mg}", if *taken { "taken" } else { "not taken" })
            }
            Self::Toxicity { term, grade, ctcae, .. } => {
                format!("{term} grade {grade} (CTCAE v{ctcae})")
            }
            Self::Simulation(s) => {
                let shunt = s.measures.get("lung_shunt_percent");
                let shunt =
                    shunt.map_or(String::new(), |m| format!(", lung shunt {:.1} %", m.value));
                format!("{} sessions planned{shunt}", s.activity_gbq.len())
            }
            Self::Session { procedure, territory, activity_gbq, .. } => {
                let to = territory.as_deref().map_or(String::new(), |t| format!(" to {t}"));
                format!("{procedure}: {activity_gbq} GBq{to}")
            }
            Self::Procedure { procedure } => procedure.clone(),
            Self::Scan { reading } => {
                let new = reading.new_lesions.len();
                let new = if new > 0 { format!(", {new} new") } else { String::new() };
                format!("{} target lesions{new}", reading.lesions.len())
            }
            Self::Therapy { name, liver } => {
                format!("{name}{}", if *liver { " (directed at the liver)" } else { "" })
            }
            Self::Hold { drugs: d } => format!("{} held", drugs(d)),
            Self::Resume { drugs: d } => format!("{} taken again", drugs(d)),
            Self::Override { gate, criterion, .. } => format!("{gate}: {criterion} waived"),
            Self::Withdrawal {} => "leaves the treatment".to_owned(),
            Self::Death {} => "died".to_owned(),
            Self::Migration { protocol } => format!("{} version {}", protocol.id, protocol.version),
            Self::Correction { of, fact } => match fact {
                Some(f) => format!("of {of}: {} {}", f.kind(), f.summary()),
                None => format!("of {of}: it never was"),
            },
        }
    }
}

/// Four significant digits, whole numbers whole: a value that was converted is stored as it came out.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || value.abs() >= 1e4 {
        return format!("{value:.0}");
    }
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_no_digits_that_say_nothing() {
        for (value, shown) in
            [(15.0 / 17.104, "0.877"), (231.0, "231"), (3.6, "3.6"), (0.0, "0"), (12345.6, "12346")]
        {
            let values = BTreeMap::from([("bilirubin".to_owned(), value)]);
            assert_eq!(Fact::Labs { values }.summary(), format!("bilirubin {shown}"));
        }
    }

    fn labs(on: &str, recorded: &str) -> Event {
        Event {
            patient: "P001".to_owned(),
            on: on.parse().expect("a date"),
            at: None,
            recorded: recorded.parse().expect("an instant"),
            by: "nurse".to_owned(),
            why: None,
            fact: Fact::Labs { values: BTreeMap::from([("platelets".to_owned(), 92.0)]) },
        }
    }

    #[test]
    fn an_event_is_what_is_written_of_it() {
        let event = labs("2027-01-04", "2027-01-04T09:30:00Z");
        let text = serde_json::to_string(&event).expect("JSON");
        assert!(text.contains(r#""fact":{"kind":"labs","values":{"platelets":92.0}}"#), "{text}");
        let back: Event = serde_json::from_str(&text).expect("an event");
        assert_eq!((&back, back.id()), (&event, event.id()));
        assert!(serde_json::from_str::<Event>(&text.replace("values", "value")).is_err());
    }

    #[test]
    fn what_is_told_ahead_is_known_as_such() {
        assert!(labs("2027-01-04", "2026-11-24T09:30:00Z").is_ahead());
        assert!(
            !labs("2027-01-04", "2027-01-03T22:30:00Z").is_ahead(),
            "it is the 4th in the east"
        );
        assert!(!labs("2027-01-04", "2027-01-09T09:30:00Z").is_ahead());
    }
}
