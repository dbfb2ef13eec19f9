//! A protocol: what happens on which day of which cycle, under which conditions, at which dose.
//! `docs/protocol.md` describes the file; nothing about a regimen is in code.
//!
//! | module | holds |
//! |---|---|
//! | [`check`] | contradictions that a reader would stumble over later |
//! | [`diff`] | what differs between two protocols |

pub mod check;
pub mod diff;

use crate::dose::{AdjustmentTable, DrugDose, Form, Level, Per, Prescription, SurfaceFormula};
use crate::endpoint::Endpoint;
use crate::gate::{Comparison, CriterionRule, GateFile, GateRule, Step};
use crate::response::ResponseRules;
use crate::strict::{self, TomlError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
pub const SCHEMA: u32 = 2;

/// Most bytes a protocol file may have.
const MAX_BYTES: u64 = 1 << 20;
/// Most days of a cycle: a year says that days and cycles were confused.
const MAX_CYCLE_DAYS: u32 = 366;
/// Most cycles a window may be in.
pub const MAX_CYCLE: u32 = 200;
/// Most days before or after anything.
const MAX_DAYS: i32 = 36_600;
/// Most entries of a list: every one of them is looked at again and again.
const MAX_ENTRIES: usize = 100;

/// Protocols that come with the program: name and text.
const SHIPPED: [(&str, &str); 6] = [
    ("captemy90", include_str!("../../../../protocols/captemy90.toml")),
    ("captem", include_str!("../../../../protocols/captem.toml")),
    ("temozolomide", include_str!("../../../../protocols/temozolomide.toml")),
    ("radioembolization", include_str!("../../../../protocols/radioembolization.toml")),
    ("capecitabine-tare", include_str!("../../../../protocols/capecitabine-tare.toml")),
    ("mfolfox6", include_str!("../../../../protocols/mfolfox6.toml")),
];

/// Short names that people use, and the protocols they mean.
const ALIASES: [(&str, &str); 1] = [("tare", "radioembolization")];

/// A protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// Version of the protocol.
    pub version: String,
    /// For people.
    pub name: String,
    /// Trial registry number.
    pub registry: Option<String>,
    /// Where it is from.
    pub source: String,
    /// What a reader must know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Version of CTCAE that grades are given in.
    pub ctcae: u8,
    /// Which formula gives the body surface.
    #[serde(default)]
    pub body_surface: SurfaceFormula,
    /// Cycles.
    pub cycle: Cycles,
    /// Published dose variants; one must be chosen before a dose can be said.
    #[serde(default)]
    pub variant: Vec<Variant>,
    /// Drugs.
    #[serde(default)]
    pub drug: Vec<Drug>,
    /// Procedures.
    #[serde(default)]
    pub procedure: Vec<Procedure>,
    /// Visits, laboratory values, scans.
    #[serde(default)]
    pub assessment: Vec<Assessment>,
    /// What must be true before going on.
    #[serde(default)]
    pub gate: Vec<GateRule>,
    /// What changes a dose.
    #[serde(default)]
    pub modification: Vec<Modification>,
    /// How response is assessed.
    pub response: Option<ResponseRules>,
    /// What is measured of the treatment in the end.
    #[serde(default)]
    pub endpoint: Vec<Endpoint>,
}

/// Cycles of equal length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cycles {
    /// Length in days.
    pub days: u32,
    /// How many at most; left out: no maximum.
    pub at_most: Option<u32>,
    /// What ends them.
    pub until: Vec<End>,
    /// Where it is from.
    pub source: String,
}

/// What ends a course.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The disease progresses.
    Progression,
    /// Every drug was stopped for good.
    Intolerance,
    /// The patient withdraws.
    Withdrawal,
    /// Death.
    Death,
    /// All cycles were given.
    Complete,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Progression => "progression",
            Self::Intolerance => "intolerance",
            Self::Withdrawal => "withdrawal",
            Self::Death => "death",
            Self::Complete => "complete",
        })
    }
}

/// How sure a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Read in the source.
    Seen,
    /// From memory: to be verified before anyone relies on it.
    Recalled,
    /// Arithmetic on what was seen.
    Derived,
    /// A choice of those who wrote the file.
    Assumed,
}

/// A published way to dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// How sure it is that the trial uses it.
    pub mark: Mark,
    /// Where it is from.
    pub source: String,
}

/// A drug taken on the same days of every cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// How many times a day, unless a variant says otherwise.
    pub times_a_day: u32,
    /// Tablets and how to round to them; left out: given by infusion, to the milligram.
    pub form: Option<Form>,
    /// For the patient, as keys of the texts in `texts/`.
    #[serde(default)]
    pub instructions: Vec<String>,
    /// Its doses, a variant of the protocol each.
    #[serde(default)]
    pub variant: Vec<DrugVariant>,
    /// What kidneys, enzymes and the like make of the dose.
    #[serde(default)]
    pub adjustment: Vec<AdjustmentTable>,
    /// When the dose may go up.
    pub escalation: Option<Escalation>,
    /// Where its days are from.
    pub source: String,
}

/// The doses of a drug in a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrugVariant {
    /// The protocol's variant.
    pub id: String,
    /// How many times a day, if not as the drug says.
    pub times_a_day: Option<u32>,
    /// Whether the doses are those of an intake or of a day.
    pub per: Per,
    /// Dose by level, the highest first, in mg per m2 of body surface.
    #[serde(default)]
    pub levels_mg_per_m2: Vec<f64>,
    /// Dose by level, the highest first, in mg: of a flat dose.
    #[serde(default)]
    pub levels_mg: Vec<f64>,
    /// Place in the list, from 0, of the level it starts on.
    #[serde(default)]
    pub start_level: usize,
    /// How sure the doses are.
    pub mark: Mark,
    /// Where they are from.
    pub source: String,
}

impl DrugVariant {
    /// Number of levels.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.levels_mg_per_m2.len().max(self.levels_mg.len())
    }
}

/// When a dose may go up by a level, asked on day 1 of a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// Variants it is for.
    pub variants: Vec<String>,
    /// Whether a dose that was reduced may go up again.
    pub after_reduction: bool,
    /// All must be met.
    pub criterion: Vec<CriterionRule>,
    /// Where it is from.
    pub source: String,
}

/// Something done to the patient on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What must have been done before.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// It is only done if this is met.
    pub only_if: Option<CriterionRule>,
    /// What follows when all its windows have passed.
    pub if_missed: IfMissed,
    /// Where it is from.
    pub source: String,
}

/// Kinds of procedures that other parts of the program know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A procedure that must have been done before another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The other one.
    pub procedure: String,
    /// How many days before at least.
    #[serde(default)]
    pub least_days: u32,
    /// How many days before at most.
    pub most_days: Option<u32>,
}

/// What follows when a window has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IfMissed {
    /// The same days of the next cycle.
    NextCycle,
    /// It is left out.
    Skip,
    /// Done as soon as it can be.
    AsSoonAsPossible,
    /// What needs it waits.
    Hold,
}

impl std::fmt::Display for IfMissed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::NextCycle => "the same days of the next cycle",
            Self::Skip => "it is left out",
            Self::AsSoonAsPossible => "as soon as possible",
            Self::Hold => "what needs it waits",
        })
    }
}

/// Something looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// What kind.
    pub kind: AssessmentKind,
    /// What is measured; it is done when all have a value in the window.
    #[serde(default)]
    pub measures: Vec<String>,
    /// When.
    pub when: Vec<Timing>,
    /// What follows when it was missed.
    pub if_missed: IfMissed,
    /// Where it is from.
    pub source: String,
}

/// Kinds of assessments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AssessmentKind {
    /// Blood or urine.
    Laboratory,
    /// A scan with lesions measured.
    Imaging,
    /// The patient is seen.
    Visit,
}

/// When something is due. The reference is one of `cycle`, `from_cycle`, `after`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Day of this cycle.
    pub cycle: Option<u32>,
    /// Day of every cycle from this one.
    pub from_cycle: Option<u32>,
    /// Up to this one; left out: to the last.
    pub to_cycle: Option<u32>,
    /// Days after `start` (day 1 of cycle 1) or after a procedure, the day itself being 0.
    pub after: Option<String>,
    /// Again every so many days, with `after`.
    pub every_days: Option<u32>,
    /// First day allowed. Of a cycle 1 is its first day and 0 the day before; else days after.
    pub earliest: i32,
    /// Day aimed at.
    pub target: i32,
    /// Last day allowed.
    pub latest: i32,
}

/// What changes a dose: a toxicity, or a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modification {
    /// Short identifier.
    pub id: String,
    /// The drugs it changes.
    pub drugs: Vec<String>,
    /// Terms of toxicity or classes of them: `any`, `haematologic`, `non-haematologic`.
    #[serde(default)]
    pub terms: Vec<String>,
    /// Grades that call for it.
    #[serde(default)]
    pub grades: Vec<u8>,
    /// Or a measure that calls for it when a value of the cycle so stands to the limit; it changes
    /// the dose from the next cycle.
    pub measure: Option<String>,
    /// How the measure stands to the limit.
    pub comparison: Option<Comparison>,
    /// The limit.
    pub limit: Option<f64>,
    /// Unit of both.
    pub unit: Option<String>,
    /// The drugs are not taken until the toxicity is of this grade or below.
    pub hold_until_grade: Option<u8>,
    /// What becomes of the dose at the first, second, ... appearance; the last holds for all later.
    pub then: Vec<Step>,
    /// How sure it is.
    pub mark: Mark,
    /// Where it is from.
    pub source: String,
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
    /// A dose that cannot be.
    #[error("{file}: drug {drug}: {source}")]
    Dose {
        /// The file.
        file: String,
        /// The drug.
        drug: String,
        /// What is wrong.
        source: crate::dose::DoseError,
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

/// A protocol with the text it was read from: what a course is bound to.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The protocol.
    pub protocol: Protocol,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A protocol that comes with the program, or that of a file: what is the path of a file is
    /// one.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, ProtocolError> {
        let name = ALIASES.iter().find(|(short, _)| *short == name).map_or(name, |(_, id)| id);
        if let Some((_, text)) = SHIPPED.iter().find(|(id, _)| *id == name) {
            let protocol = Protocol::parse(text, &format!("protocols/{name}.toml"))?;
            return Ok(Self { protocol, text: (*text).to_owned() });
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
        let text = std::fs::read_to_string(path).map_err(io)?;
        let protocol = Protocol::parse(&text, &path.display().to_string())?;
        Ok(Self { protocol, text })
    }

    /// SHA-256 of the text, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.text.as_bytes())
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut s, b| {
        use std::fmt::Write;
        // Writing to a String does not fail.
        let _ = write!(s, "{b:02x}");
        s
    })
}

impl Protocol {
    /// Names of the protocols that come with the program.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(id, _)| *id)
    }

    /// [`Source::named`] without the text.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, ProtocolError> {
        Source::named(name).map(|s| s.protocol)
    }

    /// Reads and checks the text of a protocol; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a value cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, ProtocolError> {
        let mut protocol: Self = strict::parse(text, file)?;
        protocol.validate(file)?;
        for gate in &mut protocol.gate {
            // What is included comes first, as it was there first.
            for name in gate.include.iter().rev() {
                gate.criterion.splice(0..0, GateFile::shipped(name)?.criterion);
            }
        }
        Ok(protocol)
    }

    /// Values that no reader of the protocol could work with. Contradictions between entries are
    /// for [`check`].
    fn validate(&self, file: &str) -> Result<(), ProtocolError> {
        let wrong = |key: String, found: String, expected: &str| {
            let (file, expected) = (file.to_owned(), expected.to_owned());
            Err(ProtocolError::Value { file, key, found, expected })
        };
        if self.schema != SCHEMA {
            return wrong("schema".into(), self.schema.to_string(), &SCHEMA.to_string());
        }
        let days = self.cycle.days;
        if !(1..=MAX_CYCLE_DAYS).contains(&days) {
            let expected = format!("1 to {MAX_CYCLE_DAYS}");
            return wrong("cycle.days".into(), days.to_string(), &expected);
        }
        if let Some(n) = self.cycle.at_most.filter(|n| !(1..=MAX_CYCLE).contains(n)) {
            let expected = format!("1 to {MAX_CYCLE}");
            return wrong("cycle.at_most".into(), n.to_string(), &expected);
        }
        for (key, length) in [
            ("variant", self.variant.len()),
            ("drug", self.drug.len()),
            ("procedure", self.procedure.len()),
            ("assessment", self.assessment.len()),
            ("gate", self.gate.len()),
            ("modification", self.modification.len()),
            ("endpoint", self.endpoint.len()),
        ] {
            if length > MAX_ENTRIES {
                let expected = format!("at most {MAX_ENTRIES}");
                return wrong(key.into(), format!("{length} entries"), &expected);
            }
        }
        for d in &self.drug {
            if !(1 <= d.first_day && d.first_day <= d.last_day && d.last_day <= days) {
                return wrong(
                    format!("drug {} first_day, last_day", d.id),
                    format!("{}, {}", d.first_day, d.last_day),
                    &format!("days of the cycle in order, 1 to {days}"),
                );
            }
            let times = |n: u32| (1..=6).contains(&n);
            if !times(d.times_a_day) || !d.variant.iter().all(|v| v.times_a_day.is_none_or(times)) {
                let found = d.times_a_day.to_string();
                return wrong(format!("drug {} times_a_day", d.id), found, "1 to 6");
            }
            for v in &d.variant {
                let list = if v.levels_mg.is_empty() { &v.levels_mg_per_m2 } else { &v.levels_mg };
                let falling = list.windows(2).all(|w| w[0] > w[1]);
                let doses = list.iter().all(|x| *x > 0.0 && *x < 1e5);
                let one = v.levels_mg.is_empty() != v.levels_mg_per_m2.is_empty();
                if !one || !falling || !doses || v.start_level >= list.len() {
                    return wrong(
                        format!("drug {} variant {} levels", d.id, v.id),
                        format!("{list:?} starting at {}", v.start_level),
                        "one list of falling doses above zero, in mg or mg/m2, and a place in it",
                    );
                }
            }
            let dose = |e: crate::dose::DoseError| ProtocolError::Dose {
                file: file.to_owned(),
                drug: d.id.clone(),
                source: e,
            };
            for a in &d.adjustment {
                a.check().map_err(dose)?;
            }
            for v in &d.variant {
                if let Some(p) = d.prescription(v, self.body_surface) {
                    p.check().map_err(dose)?;
                }
            }
        }
        for p in &self.procedure {
            if p.window.is_empty() || p.window.len() > MAX_ENTRIES {
                let found = format!("{} windows", p.window.len());
                return wrong(format!("procedure {} window", p.id), found, "at least one");
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
                        &format!("earliest <= target <= latest within 1 to {days}"),
                    );
                }
            }
            if p.requires.iter().any(|r| r.least_days > MAX_DAYS.unsigned_abs()) {
                let expected = format!("at most {MAX_DAYS} days");
                return wrong(format!("procedure {} requires", p.id), "more".into(), &expected);
            }
        }
        for a in &self.assessment {
            for t in &a.when {
                let near = |d: i32| (-MAX_DAYS..=MAX_DAYS).contains(&d);
                let days = [t.earliest, t.target, t.latest];
                let references = [t.cycle.is_some(), t.from_cycle.is_some(), t.after.is_some()];
                let cycles = [t.cycle, t.from_cycle, t.to_cycle];
                let ordered = t.earliest <= t.target && t.target <= t.latest;
                if !(days.into_iter().all(near) && ordered)
                    || references.iter().filter(|r| **r).count() != 1
                    || cycles.iter().flatten().any(|c| !(1..=MAX_CYCLE).contains(c))
                    || t.every_days.is_some_and(|n| {
                        !(1..=MAX_DAYS.unsigned_abs()).contains(&n) || t.after.is_none()
                    })
                {
                    return wrong(
                        format!("assessment {} when", a.id),
                        format!("{t:?}"),
                        "earliest <= target <= latest after one of cycle, from_cycle, after",
                    );
                }
            }
        }
        for g in &self.gate {
            if let Some(fault) = g.criterion.iter().find_map(CriterionRule::fault) {
                return wrong(format!("gate {}", g.id), fault, "a limit");
            }
            if let Some(w) = &g.wait
                && !(1..=365).contains(&w.days)
            {
                return wrong(format!("gate {} wait.days", g.id), w.days.to_string(), "1 to 365");
            }
        }
        for m in &self.modification {
            let by_toxicity = !m.terms.is_empty() && !m.grades.is_empty();
            let by_measure = m.measure.is_some() && m.comparison.is_some() && m.limit.is_some();
            if by_toxicity == by_measure || m.then.is_empty() {
                return wrong(
                    format!("modification {}", m.id),
                    format!("{m:?}"),
                    "terms and grades, or measure, comparison and limit; and what then",
                );
            }
        }
        Ok(())
    }

    /// The procedures of a kind, in the order of the file.
    pub fn procedures(&self, kind: ProcedureKind) -> impl Iterator<Item = &Procedure> {
        self.procedure.iter().filter(move |p| p.kind == kind)
    }

    /// The drug of that identifier.
    #[must_use]
    pub fn drug(&self, id: &str) -> Option<&Drug> {
        self.drug.iter().find(|d| d.id == id)
    }

    /// The variant a course is dosed by: the one chosen, or the only one there is.
    #[must_use]
    pub fn variant_of<'a>(&'a self, course: &crate::course::Course<'a>) -> Option<&'a str> {
        match (course.variant, &self.variant[..]) {
            (Some(v), _) => Some(v),
            // Where there is only one, nobody need choose.
            (None, [only]) => Some(&only.id),
            (None, _) => None,
        }
    }

    /// The gates before something: `start`, `cycle`, or a procedure.
    pub fn gates<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a GateRule> + 'a {
        self.gate.iter().filter(move |g| g.guards.iter().any(|id| id == what))
    }

    /// How long it goes on, in words.
    #[must_use]
    pub fn duration(&self) -> String {
        let until: Vec<_> = self.cycle.until.iter().map(End::to_string).collect();
        let until = until.join(", ");
        match self.cycle.at_most {
            Some(n) => format!("at most {n} cycles, or until {until}"),
            None => format!("until {until}"),
        }
    }
}

impl Drug {
    /// Its doses in a variant.
    #[must_use]
    pub fn in_variant(&self, id: &str) -> Option<&DrugVariant> {
        self.variant.iter().find(|v| v.id == id)
    }

    /// Its doses in a variant as what tablets are reckoned from; `None` if it comes in none.
    #[must_use]
    pub fn prescription(&self, v: &DrugVariant, surface: SurfaceFormula) -> Option<Prescription> {
        let form = self.form.clone()?;
        let level = |n: usize| Level {
            id: level_name(n, v.start_level),
            fraction: None,
            mg_per_m2: v.levels_mg_per_m2.get(n).copied(),
            mg: v.levels_mg.get(n).copied(),
        };
        Some(Prescription {
            drug: self.name.clone(),
            dose: DrugDose {
                mg_per_m2: v.levels_mg_per_m2.first().copied(),
                mg: v.levels_mg.first().copied(),
                per: v.per,
                source: v.source.clone(),
            },
            times_a_day: v.times_a_day.unwrap_or(self.times_a_day),
            surface,
            surface_cap_m2: None,
            level: (0..v.levels()).map(level).collect(),
            form,
        })
    }

    /// Intakes a day in a variant.
    #[must_use]
    pub fn times_a_day(&self, variant: Option<&str>) -> u32 {
        let own = variant.and_then(|v| self.in_variant(v)).and_then(|v| v.times_a_day);
        own.unwrap_or(self.times_a_day)
    }
}

/// What level `n` of a ladder is called that starts on level `start`: `0` the starting one, `-1` the
/// next below, `+1` the next above.
#[must_use]
pub fn level_name(n: usize, start: usize) -> String {
    match n.cmp(&start) {
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("-{}", n - start),
        std::cmp::Ordering::Less => format!("+{}", start - n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_protocols_read() {
        for name in Protocol::shipped() {
            assert_eq!(Protocol::named(name).expect("shipped").id, name);
        }
        let p = Protocol::named("captemy90").expect("shipped");
        let sessions: Vec<_> = p.procedures(ProcedureKind::Radioembolization).collect();
        assert_eq!((sessions[0].window[0].cycle, sessions[0].window[0].target), (2, 7));
        let choices: Vec<_> = sessions[1].window.iter().map(|w| (w.cycle, w.target)).collect();
        assert_eq!(choices, [(3, 7), (4, 7)]);
        assert!(p.gates("session-1").any(|g| g.criterion.iter().any(|c| c.id == "lung_shunt")));
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = Protocol::named("capttemy90").unwrap_err().to_string();
        assert!(error.contains("captemy90, captem, temozolomide, radioembolization"), "{error}");
    }

    #[test]
    fn a_day_outside_the_cycle_is_refused() {
        let text = include_str!("../../../../protocols/captemy90.toml")
            .replace("latest = 28", "latest = 29");
        let error = Protocol::parse(&text, "p.toml").unwrap_err().to_string();
        assert!(error.starts_with("p.toml: procedure simulation window"), "{error}");
    }

    #[test]
    fn an_unknown_key_names_the_near_one() {
        let text = include_str!("../../../../protocols/captem.toml")
            .replace("times_a_day = 2", "time_a_day = 2");
        let error = Protocol::parse(&text, "p.toml").unwrap_err().to_string();
        assert!(error.contains("did you mean `times_a_day`?"), "{error}");
    }
}
