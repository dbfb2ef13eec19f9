//! Grades by the Common Terminology Criteria for Adverse Events (CTCAE, NCI). The limits are data,
//! `ctcae.toml`; so is the version: the same neutrophils of 0.9 are grade 3 in v5 and grade 2 in
//! v6, so a grade never travels without its version.
//!
//! A laboratory value is graded from numbers alone. Where a limit of normal or the baseline is
//! missing the answer is what is needed and between which grades it must be: no silent default. A
//! grade that a value cannot show (bleeding, life-threatening) a person has to give.

use crate::strict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;
use thiserror::Error;

/// The text of the terms.
const TEXT: &str = include_str!("ctcae.toml");

/// Limits are multiples such as 1.5 x 1.2 and values are converted: differences below this share
/// are noise of the arithmetic, not of the patient.
const NOISE: f64 = 1e-9;

/// A version of the criteria.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8")]
pub enum Version {
    /// Version 5.0 of 2017.
    V5,
    /// Version 6.0.
    V6,
}

impl From<Version> for u8 {
    fn from(version: Version) -> Self {
        match version {
            Version::V5 => 5,
            Version::V6 => 6,
        }
    }
}

impl TryFrom<u8> for Version {
    type Error = GradeError;

    fn try_from(number: u8) -> Result<Self, GradeError> {
        match number {
            5 => Ok(Self::V5),
            6 => Ok(Self::V6),
            found => Err(GradeError::Version { found }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CTCAE v{}", u8::from(*self))
    }
}

/// A grade with its version: 0 is none, 5 is death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// 0 to 5.
    #[schemars(range(max = 5))]
    pub grade: u8,
    /// Of which version.
    pub version: Version,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grade {} ({})", self.grade, self.version)
    }
}

/// What a laboratory value is graded against, all in the base unit of its measure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Lower limit of normal at the site.
    pub lln: Option<f64>,
    /// Upper limit of normal at the site.
    pub uln: Option<f64>,
    /// The patient's value before treatment.
    pub baseline: Option<f64>,
    /// The patient is on anticoagulation (for the INR, which then goes by its baseline).
    pub anticoagulated: bool,
}

/// What is missing for a grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The site's lower limit of normal.
    Lln,
    /// The site's upper limit of normal.
    Uln,
    /// The value before treatment.
    Baseline,
    /// A person's judgement: the criteria define no grade by numbers.
    Person,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lln => "the site's lower limit of normal",
            Self::Uln => "the site's upper limit of normal",
            Self::Baseline => "the value before treatment",
            Self::Person => "a person's judgement",
        })
    }
}

/// A laboratory value, graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Graded {
    /// The grade.
    Grade(Grade),
    /// It cannot be told, but it lies between two grades.
    CannotTell {
        /// Of which version.
        version: Version,
        /// What is missing.
        needs: Need,
        /// Lowest grade it may be.
        lowest: u8,
        /// Highest grade it may be by the value.
        highest: u8,
    },
}

impl Graded {
    /// The grade, if it is known.
    #[must_use]
    pub const fn grade(self) -> Option<Grade> {
        match self {
            Self::Grade(grade) => Some(grade),
            Self::CannotTell { .. } => None,
        }
    }

    /// Lowest and highest grade it may be.
    #[must_use]
    pub const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Grade(g) => (g.grade, g.grade),
            Self::CannotTell { lowest, highest, .. } => (lowest, highest),
        }
    }

    /// Of which version.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::Grade(g) => g.version,
            Self::CannotTell { version, .. } => version,
        }
    }

    /// Whether it is at most this grade; `None`: cannot tell.
    #[must_use]
    pub const fn at_most(self, grade: u8) -> Option<bool> {
        let (lowest, highest) = self.bounds();
        if highest <= grade {
            Some(true)
        } else if lowest > grade {
            Some(false)
        } else {
            None
        }
    }

    /// Whether it is at least this grade; `None`: cannot tell.
    #[must_use]
    pub const fn at_least(self, grade: u8) -> Option<bool> {
        match grade.checked_sub(1) {
            None => Some(true),
            Some(below) => match self.at_most(below) {
                Some(yes) => Some(!yes),
                None => None,
            },
        }
    }
}

impl fmt::Display for Graded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grade(grade) => grade.fmt(f),
            Self::CannotTell { version, needs, lowest, highest } => {
                write!(f, "grade {lowest} to {highest} ({version}): needs {needs}")
            }
        }
    }
}

/// Why there is no grade.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GradeError {
    /// A version that nobody knows here.
    #[error("CTCAE version {found} is not known here, expected 5 or 6")]
    Version {
        /// What was asked for.
        found: u8,
    },
    /// A term that nobody knows.
    #[error("no CTCAE term is named `{name}`{}", near_name(.near))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The known name that looks most like it.
        near: Option<String>,
    },
    /// The term has no limits in this version.
    #[error(
        "{term} has no limits in {version} here; grade it with another version, or by a person"
    )]
    NoRule {
        /// The term.
        term: &'static str,
        /// The version.
        version: Version,
    },
    /// A value or limit that is no number.
    #[error("{term}: {what} = {found}, expected a number from 0 on")]
    NotANumber {
        /// The term.
        term: &'static str,
        /// Which value.
        what: &'static str,
        /// What was given.
        found: f64,
    },
    /// A grade that the term does not have.
    #[error("{term} has no grade {found} in {version}, expected {lowest} to {highest}")]
    NoSuchGrade {
        /// The term.
        term: &'static str,
        /// The version.
        version: Version,
        /// What was given.
        found: u8,
        /// Lowest.
        lowest: u8,
        /// Highest.
        highest: u8,
    },
}

fn near_name(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    laboratory: Vec<Laboratory>,
    clinical: Vec<Clinical>,
}

/// A term that is graded by a laboratory value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// Short identifier, the same in all versions.
    pub id: String,
    /// The measure whose value is graded, see [`crate::measure`].
    pub measure: String,
    /// Whether it is a toxicity of the blood.
    pub haematologic: bool,
    /// Other names.
    #[serde(default)]
    alias: Vec<String>,
    version: Vec<Versioned>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned {
    version: Version,
    name: String,
    rule: Rule,
    clinical: Option<String>,
}

/// How a value becomes a grade; described in `ctcae.toml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Below(Below),
    Above(Above),
    Between(Between),
    Multiple(Multiple),
    Either(Either),
    OverBoth,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    lln: bool,
    first: u8,
    limits: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Above {
    limits: Vec<f64>,
    times_baseline: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    bands: Vec<[f64; 3]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Multiple {
    times_uln: [f64; 4],
    times_baseline: [f64; 4],
    #[serde(default)]
    first_at: bool,
    baseline_max_uln: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Either {
    times_uln: [f64; 4],
    times_baseline: [f64; 2],
    #[serde(default)]
    low_baseline: bool,
}

/// A term that a person grades.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clinical {
    /// Short identifier.
    pub id: String,
    /// The term as the NCI writes it.
    pub name: String,
    /// Whether it is a toxicity of the blood.
    #[serde(default)]
    pub haematologic: bool,
    /// Lowest and highest grade that v5 defines.
    grades: [u8; 2],
    #[serde(default)]
    alias: Vec<String>,
}

/// A term of either kind.
#[derive(Debug, Clone, Copy)]
pub enum Term {
    /// Graded by a laboratory value.
    Laboratory(&'static Laboratory),
    /// Graded by a person.
    Clinical(&'static Clinical),
}

struct Terms {
    laboratory: Vec<Laboratory>,
    clinical: Vec<Clinical>,
    /// Names and where they lead: laboratory terms first, the clinical ones after them.
    names: HashMap<String, usize>,
    /// Measures and their laboratory terms.
    measures: HashMap<String, usize>,
}

static TERMS: LazyLock<Terms> = LazyLock::new(|| {
    let file: File = strict::parse(TEXT, "ctcae.toml").expect("the shipped terms read (tested)");
    assert_eq!(file.schema, 1, "the shipped terms have this schema (tested)");
    let mut names = HashMap::new();
    let mut put = |name: &str, n: usize| {
        let other = *names.entry(plain(name)).or_insert(n);
        assert_eq!(other, n, "`{name}` names two terms (tested)");
    };
    let mut measures = HashMap::new();
    for (n, term) in file.laboratory.iter().enumerate() {
        measures.insert(term.measure.clone(), n);
        put(&term.id, n);
        term.alias.iter().for_each(|name| put(name, n));
        term.version.iter().for_each(|v| put(&v.name, n));
    }
    for (n, term) in file.clinical.iter().enumerate() {
        let n = n + file.laboratory.len();
        put(&term.id, n);
        put(&term.name, n);
        term.alias.iter().for_each(|name| put(name, n));
    }
    Terms { laboratory: file.laboratory, clinical: file.clinical, names, measures }
});

/// A name in one spelling.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

impl Term {
    /// All terms, those of the laboratory first.
    pub fn all() -> impl Iterator<Item = Self> {
        let laboratory = TERMS.laboratory.iter().map(Self::Laboratory);
        laboratory.chain(TERMS.clinical.iter().map(Self::Clinical))
    }

    /// The term with this id, name of a version, or another of its names. Case does not matter.
    ///
    /// # Errors
    /// [`GradeError::Unknown`], with the name that looks most like it.
    pub fn find(name: &str) -> Result<Self, GradeError> {
        if let Some(term) = Self::known(name) {
            return Ok(term);
        }
        let (terms, wanted) = (&*TERMS, plain(name));
        let near = terms
            .names
            .keys()
            .map(|known| (strsim::jaro_winkler(&wanted, known), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            // Ties by name, so that the same slip has the same answer.
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(_, known)| known.clone());
        Err(GradeError::Unknown { name: name.to_owned(), near })
    }

    /// [`Term::find`] without looking for a near name.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        let terms = &*TERMS;
        // Ids are found as they are, without a new string.
        let n = *terms.names.get(name).or_else(|| terms.names.get(&plain(name)))?;
        Some(match n.checked_sub(terms.laboratory.len()) {
            None => Self::Laboratory(&terms.laboratory[n]),
            Some(n) => Self::Clinical(&terms.clinical[n]),
        })
    }

    /// Short identifier.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Laboratory(term) => &term.id,
            Self::Clinical(term) => &term.id,
        }
    }

    /// The term as the NCI writes it in a version; the id where the version has no such term.
    #[must_use]
    pub fn name(self, version: Version) -> &'static str {
        match self {
            Self::Laboratory(term) => {
                term.version.iter().find(|v| v.version == version).map_or(&term.id, |v| &v.name)
            }
            Self::Clinical(term) => &term.name,
        }
    }

    /// Whether it is a toxicity of the blood.
    #[must_use]
    pub fn is_haematologic(self) -> bool {
        match self {
            Self::Laboratory(term) => term.haematologic,
            Self::Clinical(term) => term.haematologic,
        }
    }

    /// A grade that a person gives: any from 1 on that the term has. A laboratory term may be
    /// graded by a person, too (transfusion, bleeding).
    ///
    /// # Errors
    /// [`GradeError::NoSuchGrade`].
    pub fn by_person(self, version: Version, grade: u8) -> Result<Grade, GradeError> {
        let [lowest, highest] = match (self, version) {
            (Self::Clinical(term), Version::V5) => term.grades,
            // Not seen: nothing is refused that might exist.
            _ => [1, 5],
        };
        if (lowest..=highest).contains(&grade) {
            return Ok(Grade { grade, version });
        }
        let term = self.id();
        Err(GradeError::NoSuchGrade { term, version, found: grade, lowest, highest })
    }
}

impl Laboratory {
    /// The term of a measure; `None` when its values have no grades.
    #[must_use]
    pub fn of_measure(id: &str) -> Option<&'static Self> {
        let terms = &*TERMS;
        terms.measures.get(id).map(|n| &terms.laboratory[*n])
    }

    /// Whether a version has limits for it here.
    #[must_use]
    pub fn has(&self, version: Version) -> bool {
        self.version.iter().any(|v| v.version == version)
    }

    /// What else makes a grade, which a value cannot show.
    #[must_use]
    pub fn beyond_value(&self, version: Version) -> Option<&str> {
        self.version.iter().find(|v| v.version == version)?.clinical.as_deref()
    }

    /// Grades a value, in the base unit of the measure.
    ///
    /// # Errors
    /// When the version has no limits for the term here, or a number is none or negative.
    pub fn grade(
        &'static self,
        version: Version,
        value: f64,
        limits: &Limits,
    ) -> Result<Graded, GradeError> {
        let term = self.id.as_str();
        let Some(versioned) = self.version.iter().find(|v| v.version == version) else {
            return Err(GradeError::NoRule { term, version });
        };
        // Written so that NaN is refused, too.
        let sound = |what, x: f64| {
            if x >= 0.0 && x.is_finite() {
                Ok(())
            } else {
                Err(GradeError::NotANumber { term, what, found: x })
            }
        };
        sound("the value", value)?;
        for (what, limit) in [
            ("the lower limit of normal", limits.lln),
            ("the upper limit of normal", limits.uln),
            ("the baseline", limits.baseline),
        ] {
            limit.map_or(Ok(()), |x| sound(what, x))?;
        }
        let known = |grade| Graded::Grade(Grade { grade, version });
        let between = |needs, lowest: u8, highest: u8| {
            if lowest == highest {
                known(lowest)
            } else {
                Graded::CannotTell { version, needs, lowest, highest }
            }
        };
        Ok(match &versioned.rule {
            Rule::Below(rule) => {
                let fixed = rule.limits.iter().take_while(|limit| below(value, **limit)).count();
                match (fixed, rule.lln, limits.lln) {
                    (0, true, None) => between(Need::Lln, 0, 1),
                    (0, true, Some(lln)) => known(u8::from(below(value, lln))),
                    (0, false, _) => known(0),
                    (n, ..) => known(rule.first + n as u8 - 1),
                }
            }
            Rule::Above(rule) => {
                if !limits.anticoagulated {
                    known(over(value, &rule.limits, 1.0))
                } else if let Some(baseline) = limits.baseline {
                    known(over(value, &rule.times_baseline, baseline))
                } else {
                    between(Need::Baseline, 0, rule.times_baseline.len() as u8)
                }
            }
            Rule::Between(rule) => {
                let in_band = |[_, lo, hi]: &&[f64; 3]| !below(value, *lo) && !above(value, *hi);
                let grade = rule.bands.iter().filter(in_band).map(|[g, ..]| *g as u8).max();
                let lowest = rule.bands.iter().map(|[_, lo, _]| *lo).fold(f64::INFINITY, f64::min);
                match grade {
                    Some(grade) => known(grade),
                    None if below(value, lowest) => {
                        let worst = rule.bands.iter().map(|[g, ..]| *g as u8).max().unwrap_or(0);
                        between(Need::Person, worst, 4)
                    }
                    None => known(0),
                }
            }
            Rule::Multiple(rule) => match (limits.uln, limits.baseline) {
                (None, _) => between(Need::Uln, 0, 4),
                (Some(uln), None) => {
                    // A baseline above ULN, of whatever height, would give this grade at most.
                    let at_most = over_baseline(value, rule, uln);
                    let normal = over(value, &rule.times_uln, uln);
                    let highest = if above(value, uln) { normal.max(at_most) } else { 0 };
                    between(Need::Baseline, 0, highest)
                }
                (Some(uln), Some(baseline)) if above(baseline, uln) => {
                    let grade = over_baseline(value, rule, baseline);
                    let undefined = rule.baseline_max_uln.is_some_and(|m| above(baseline, m * uln));
                    if grade == 3 && undefined { between(Need::Person, 3, 4) } else { known(grade) }
                }
                (Some(uln), Some(_)) => known(over(value, &rule.times_uln, uln)),
            },
            Rule::Either(rule) => {
                let by_uln = limits.uln.map(|uln| over(value, &rule.times_uln, uln));
                // From grade 2 on; `Err` says what is missing.
                let by_baseline = match limits.baseline {
                    None => Err(Need::Baseline),
                    Some(baseline) => match over(value, &rule.times_baseline, baseline) {
                        0 => Ok(0),
                        n if !rule.low_baseline => Ok(n + 1),
                        n => match limits.lln {
                            None => Err(Need::Lln),
                            Some(lln) => Ok(if below(baseline, lln) { n + 1 } else { 0 }),
                        },
                    },
                };
                match (by_uln, by_baseline) {
                    (Some(a), Ok(b)) => known(a.max(b)),
                    (Some(a), Err(needs)) => between(needs, a, a.max(3)),
                    (None, b) => between(Need::Uln, b.unwrap_or(0), 4),
                }
            }
            Rule::OverBoth => {
                let over = |limit: Option<f64>| limit.map(|limit| above(value, limit));
                match (over(limits.uln), over(limits.baseline)) {
                    (Some(false), _) | (_, Some(false)) => known(0),
                    (Some(true), Some(true)) => known(1),
                    (None, _) => between(Need::Uln, 0, 1),
                    (_, None) => between(Need::Baseline, 0, 1),
                }
            }
        })
    }
}

/// Grades a laboratory value, in the base unit of its measure, by a term's id or another of its
/// names.
///
/// # Errors
/// When the term is unknown or a person grades it, and as [`Laboratory::grade`].
pub fn grade(
    term: &str,
    version: Version,
    value: f64,
    limits: &Limits,
) -> Result<Graded, GradeError> {
    match Term::find(term)? {
        Term::Laboratory(term) => term.grade(version, value, limits),
        Term::Clinical(term) => Err(GradeError::NoRule { term: &term.id, version }),
    }
}

fn below(value: f64, limit: f64) -> bool {
    limit - value > NOISE * limit
}

fn above(value: f64, limit: f64) -> bool {
    value - limit > NOISE * limit
}

/// How many of the limits, in units of `unit`, the value is above.
fn over(value: f64, limits: &[f64], unit: f64) -> u8 {
    limits.iter().take_while(|limit| above(value, **limit * unit)).count() as u8
}

fn over_baseline(value: f64, rule: &Multiple, baseline: f64) -> u8 {
    let grade = over(value, &rule.times_baseline, baseline);
    let reached = rule.first_at && !below(value, rule.times_baseline[0] * baseline);
    grade.max(u8::from(reached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;
    use proptest::prelude::*;

    fn of(term: &str, version: Version, value: f64, limits: Limits) -> Graded {
        grade(term, version, value, &limits).unwrap_or_else(|e| panic!("{e}"))
    }

    fn exact(term: &str, version: Version, value: f64, limits: Limits) -> u8 {
        of(term, version, value, limits).grade().expect("everything is given").grade
    }

    fn lln(lln: f64) -> Limits {
        Limits { lln: Some(lln), ..Limits::default() }
    }

    fn high(uln: f64, baseline: f64) -> Limits {
        Limits { uln: Some(uln), baseline: Some(baseline), ..Limits::default() }
    }

    #[test]
    fn the_terms_are_sound() {
        for term in Term::all() {
            if let Term::Laboratory(lab) = term {
                let m = Measure::find(&lab.measure).expect("a measure");
                assert_eq!(m.ctcae.as_deref(), Some(lab.id.as_str()), "{}", m.id);
                assert_eq!(Laboratory::of_measure(&m.id).expect("a term").id, lab.id);
            }
        }
        for m in Measure::all() {
            assert_eq!(m.ctcae.is_some(), Laboratory::of_measure(&m.id).is_some(), "{}", m.id);
        }
    }

    #[test]
    fn terms_are_found_by_any_name() {
        for (name, id) in [
            ("Thrombocytopenia", "platelet-count-decreased"),
            ("hfs", "palmar-plantar-erythrodysesthesia"),
            ("Hand-foot", "palmar-plantar-erythrodysesthesia"),
            ("oral mucositis", "oral-mucositis"),
            ("anemia", "anaemia"),
        ] {
            assert_eq!(Term::find(name).expect(name).id(), id);
        }
        let error = Term::find("diarrhoeaa").unwrap_err().to_string();
        assert_eq!(error, "no CTCAE term is named `diarrhoeaa`; did you mean `diarrhoea`?");
        assert!(Term::find("febrile neutropenia").unwrap().is_haematologic());
        assert!(!Term::find("nausea").unwrap().is_haematologic());
    }

    #[test]
    fn the_version_moves_neutropenia_by_a_grade() {
        let v5 = of("neutropenia", Version::V5, 0.9, lln(2.0)).grade().unwrap();
        let v6 = of("neutropenia", Version::V6, 0.9, lln(2.0)).grade().unwrap();
        assert_eq!((v5.grade, v6.grade), (3, 2));
        assert_eq!(v5.to_string(), "grade 3 (CTCAE v5)");
        // Between 1.5 and LLN there is a grade in v5 and none in v6.
        let at = |version| exact("neutropenia", version, 1.8, lln(2.0));
        assert_eq!((at(Version::V5), at(Version::V6)), (1, 0));
        assert_eq!(exact("neutropenia", Version::V6, 0.1, Limits::default()), 3);
        assert_eq!(exact("neutropenia", Version::V6, 0.09, Limits::default()), 4);
    }

    #[test]
    fn published_limits_from_both_sides() {
        let hb = |x| exact("anaemia", Version::V5, x, lln(12.0));
        assert_eq!([12.0, 11.9, 10.0, 9.9, 8.0, 7.9].map(hb), [0, 1, 1, 2, 2, 3]);
        let albumin = |x| exact("hypoalbuminaemia", Version::V5, x, lln(3.5));
        assert_eq!([3.5, 3.4, 3.0, 2.9, 2.0, 1.9].map(albumin), [0, 1, 1, 2, 2, 3]);
        let wbc = |x| exact("leukopenia", Version::V5, x, lln(4.0));
        assert_eq!([4.0, 3.9, 3.0, 2.9, 2.0, 1.9, 1.0, 0.9].map(wbc), [0, 1, 1, 2, 2, 3, 3, 4]);
        let inr = |x| exact("inr-increased", Version::V5, x, Limits::default());
        assert_eq!([1.2, 1.21, 1.5, 1.51, 2.5, 2.51].map(inr), [0, 1, 1, 2, 2, 3]);
        let ggt = |x| exact("ggt-increased", Version::V5, x, high(40.0, 100.0));
        assert_eq!([199.0, 200.0, 250.0, 250.1, 500.1, 2000.1].map(ggt), [0, 1, 1, 2, 3, 4]);
        let alp = |x| exact("alp increased", Version::V5, x, high(120.0, 100.0));
        assert_eq!([120.0, 120.1, 300.1, 600.1, 2400.1].map(alp), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_multiple_is_not_exceeded_by_the_noise_of_arithmetic() {
        // 1.5 x 1.2 is 1.7999999999999998 in a computer.
        assert_eq!(exact("blood-bilirubin-increased", Version::V5, 1.8, high(1.2, 1.0)), 1);
        assert_eq!(exact("blood-bilirubin-increased", Version::V5, 1.81, high(1.2, 1.0)), 2);
    }

    #[test]
    fn creatinine_takes_the_worse_of_limit_and_baseline() {
        let v5 = |x, baseline| exact("creatinine-increased", Version::V5, x, high(1.2, baseline));
        assert_eq!(v5(1.2, 1.0), 0);
        assert_eq!(v5(1.3, 1.0), 1);
        // Still normal, but twice the baseline.
        assert_eq!(v5(1.0, 0.5), 2);
        assert_eq!(v5(1.6, 0.5), 3);
        assert_eq!(v5(3.7, 3.0), 3);
        assert_eq!(v5(7.3, 7.0), 4);
        // In v6 the baseline counts only where it was below LLN.
        let v6 = |low| {
            let limits = Limits { lln: low, ..high(1.2, 0.5) };
            of("creatinine-increased", Version::V6, 1.0, limits)
        };
        assert_eq!(v6(Some(0.6)).bounds(), (2, 2));
        assert_eq!(v6(Some(0.4)).bounds(), (0, 0));
        assert_eq!(
            v6(None).to_string(),
            "grade 0 to 3 (CTCAE v6): needs the site's lower limit of normal"
        );
    }

    #[test]
    fn v6_goes_by_the_multiple_of_an_abnormal_baseline() {
        let alt = |x| exact("alt increased", Version::V6, x, high(40.0, 80.0));
        assert_eq!([79.9, 80.0, 120.0, 120.1, 160.1, 320.1].map(alt), [0, 1, 1, 2, 3, 4]);
        let far = of("alt increased", Version::V6, 650.0, high(40.0, 300.0));
        assert_eq!(far.to_string(), "grade 3 to 4 (CTCAE v6): needs a person's judgement");
        let alp = |x| exact("alp increased", Version::V6, x, high(120.0, 150.0));
        assert_eq!([120.0, 150.0, 151.0, 4000.0].map(alp), [0, 0, 1, 1]);
        let clearance = |x| of("creatinine-clearance-decreased", Version::V6, x, Limits::default());
        assert_eq!(
            [60.0, 49.0, 25.5, 25.0, 10.0].map(|x| clearance(x).bounds().0),
            [0, 2, 2, 3, 3]
        );
        assert!(clearance(9.0).grade().is_none());
    }

    #[test]
    fn what_is_missing_is_said_and_what_can_be_told_is_told() {
        let none = Limits::default();
        // Below the fixed limits no limit of normal is needed.
        assert_eq!(exact("platelet-count-decreased", Version::V5, 60.0, none), 2);
        let mild = of("platelet-count-decreased", Version::V5, 140.0, none);
        assert_eq!((mild.bounds(), mild.at_most(1), mild.at_least(1)), ((0, 1), Some(true), None));
        let alt = of("alt increased", Version::V5, 90.0, none);
        assert_eq!(
            alt.to_string(),
            "grade 0 to 4 (CTCAE v5): needs the site's upper limit of normal"
        );
        let uln = Limits { uln: Some(40.0), ..none };
        let alt = of("alt increased", Version::V5, 130.0, uln);
        assert_eq!(alt.bounds(), (0, 2));
        // Within the limit of normal it is none, whatever the baseline was.
        assert_eq!(exact("alt increased", Version::V5, 40.0, uln), 0);
        let anticoagulated = Limits { anticoagulated: true, ..none };
        assert_eq!(of("inr-increased", Version::V5, 2.6, anticoagulated).bounds(), (0, 3));
        let anticoagulated = Limits { baseline: Some(2.5), ..anticoagulated };
        assert_eq!(exact("inr-increased", Version::V5, 2.6, anticoagulated), 1);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let none = Limits::default();
        let error = grade("lymphopenia", Version::V6, 0.4, &none).unwrap_err().to_string();
        assert!(
            error.starts_with("lymphocyte-count-decreased has no limits in CTCAE v6"),
            "{error}"
        );
        assert!(grade("nausea", Version::V5, 1.0, &none).is_err());
        assert!(Version::try_from(4).is_err());
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(grade("neutropenia", Version::V5, bad, &none).is_err());
            assert!(grade("neutropenia", Version::V5, 1.0, &lln(bad)).is_err());
        }
        assert!(Term::find("nausea").unwrap().by_person(Version::V5, 4).is_err());
        assert!(Term::find("nausea").unwrap().by_person(Version::V5, 0).is_err());
        assert_eq!(Term::find("hfs").unwrap().by_person(Version::V5, 3).unwrap().grade, 3);
    }

    proptest! {
        /// Worse values never have a lower grade, neither what is certain nor the bounds.
        #[test]
        fn grades_are_monotone(
            a in 0.0_f64..500.0,
            b in 0.0_f64..500.0,
            lln in proptest::option::of(0.1_f64..200.0),
            uln in proptest::option::of(0.1_f64..200.0),
            baseline in proptest::option::of(0.1_f64..200.0),
            anticoagulated: bool,
        ) {
            let limits = Limits { lln, uln, baseline, anticoagulated };
            let (low, high) = (a.min(b), a.max(b));
            for term in Term::all() {
                let Term::Laboratory(lab) = term else { continue };
                for versioned in &lab.version {
                    let falls = matches!(versioned.rule, Rule::Below(_) | Rule::Between(_));
                    let (better, worse) = if falls { (high, low) } else { (low, high) };
                    let better = lab.grade(versioned.version, better, &limits).unwrap().bounds();
                    let worse = lab.grade(versioned.version, worse, &limits).unwrap().bounds();
                    prop_assert!(better.0 <= worse.0 && better.1 <= worse.1, "{}", lab.id);
                }
            }
        }

        /// What is told without a limit stays true when the limit comes.
        #[test]
        fn bounds_hold(
            value in 0.0_f64..500.0,
            lln in 0.1_f64..200.0,
            uln in 0.1_f64..200.0,
            baseline in 0.1_f64..200.0,
            missing in 0_u8..8,
        ) {
            let full = Limits {
                lln: Some(lln), uln: Some(uln), baseline: Some(baseline), anticoagulated: false,
            };
            let keep = |bit: u8, x: Option<f64>| x.filter(|_| missing & bit == 0);
            let part = Limits {
                lln: keep(1, full.lln),
                uln: keep(2, full.uln),
                baseline: keep(4, full.baseline),
                anticoagulated: false,
            };
            for term in Term::all() {
                let Term::Laboratory(lab) = term else { continue };
                for versioned in &lab.version {
                    let (lo, hi) = lab.grade(versioned.version, value, &full).unwrap().bounds();
                    let wide = lab.grade(versioned.version, value, &part).unwrap().bounds();
                    prop_assert!(wide.0 <= lo && hi <= wide.1, "{} {:?}", lab.id, versioned.version);
                }
            }
        }
    }
}
