//! Everything that can be measured on a patient: one vocabulary for courses, protocols, gates and
//! plans. The registry is data, `measures.toml`.
//!
//! A value is kept in the base unit of its measure. What a person writes is read with its unit,
//! never clipped: what no living patient can have is refused and asked back, what is merely
//! unlikely is marked so that a person can confirm it.

use crate::strict;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::LazyLock;
use thiserror::Error;

/// The registry's text.
const TEXT: &str = include_str!("measures.toml");

/// What kind of value a measure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A number with a unit.
    Number,
    /// 1 for yes, 0 for no.
    YesNo,
    /// A number in steps.
    Score,
}

/// Another unit of a measure.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// As it is written.
    pub name: String,
    /// Other spellings.
    #[serde(default)]
    pub alias: Vec<String>,
    /// One of it in base units.
    in_base: Option<f64>,
    /// How many of it make one base unit.
    per_base: Option<f64>,
    /// The reading that is nought in base units.
    #[serde(default)]
    zero: f64,
}

impl Unit {
    /// A value in this unit, in the base unit.
    fn to_base(&self, value: f64) -> f64 {
        let above = value - self.zero;
        match (self.in_base, self.per_base) {
            (Some(f), _) => above * f,
            (None, Some(f)) => above / f,
            (None, None) => above,
        }
    }

    /// A value in the base unit, in this unit.
    fn of_base(&self, base: f64) -> f64 {
        let above = match (self.in_base, self.per_base) {
            (Some(f), _) => base / f,
            (None, Some(f)) => base * f,
            (None, None) => base,
        };
        above + self.zero
    }
}

/// Limits of normal, in the base unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteLimits {
    /// Lower limit of normal.
    pub lln: Option<f64>,
    /// Upper limit of normal.
    pub uln: Option<f64>,
}

/// Something that can be measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Short identifier, the same in every file.
    pub id: String,
    /// For people.
    pub name: String,
    /// Base unit; empty where there is none.
    pub unit: String,
    /// What kind of value.
    pub kind: Kind,
    /// Step of a score.
    step: Option<f64>,
    /// Other names.
    #[serde(default)]
    pub alias: Vec<String>,
    /// Other spellings of the base unit.
    #[serde(default)]
    unit_alias: Vec<String>,
    /// Other units.
    #[serde(default)]
    pub units: Vec<Unit>,
    /// Words for 0 and for 1, where they are not no and yes.
    words: Option<[Vec<String>; 2]>,
    /// No living patient is outside, base unit.
    pub possible: [f64; 2],
    /// Outside, a person must confirm; base unit.
    pub plausible: [f64; 2],
    /// The id of the CTCAE term of the value, see [`crate::ctcae`].
    pub ctcae: Option<String>,
    /// Usual limits.
    lln: Option<f64>,
    uln: Option<f64>,
    /// Where men's limits differ.
    male: Option<SiteLimits>,
    /// Where the usual limits are from, with its mark.
    pub limits_source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    measure: Vec<Measure>,
}

/// A value that was read, in the base unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The value, base unit; 1 and 0 for yes and no.
    pub value: f64,
    /// Whether it is what patients have; if not, a person must confirm it.
    pub plausible: bool,
    /// What to ask the person, if it is not plausible.
    pub doubt: Option<String>,
}

/// Why a measure or its value cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MeasureError {
    /// Nobody knows the name.
    #[error("no measure is named `{name}`{}", near_name(.near))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The known name that looks most like it.
        near: Option<String>,
    },
    /// No number.
    #[error("{measure} = `{found}` is no number; write it as {example}, with a point for decimals")]
    NotNumber {
        /// The measure.
        measure: String,
        /// What was given.
        found: String,
        /// How it would be written.
        example: String,
    },
    /// Neither yes nor no.
    #[error("{measure} = `{found}`, expected {expected}")]
    NotYesNo {
        /// The measure.
        measure: String,
        /// What was given.
        found: String,
        /// The words that would do.
        expected: String,
    },
    /// Not a number that computers can hold, or none.
    #[error("{measure} = `{found}` is not finite; write the value, or leave it out if unknown")]
    NotFinite {
        /// The measure.
        measure: String,
        /// What was given.
        found: String,
    },
    /// A unit that does not fit.
    #[error("{measure} = `{found}`: the unit `{unit}` does not fit; {}", fits(.fit))]
    WrongUnit {
        /// The measure.
        measure: String,
        /// What was given.
        found: String,
        /// The unit in it.
        unit: String,
        /// Units that fit, the base unit first.
        fit: Vec<String>,
    },
    /// Between the steps of a score.
    #[error(
        "{measure} = {found} is between two steps; it goes from {lo} to {hi} in steps of {step}"
    )]
    BetweenSteps {
        /// The measure.
        measure: String,
        /// What was given.
        found: String,
        /// Lowest.
        lo: f64,
        /// Highest.
        hi: f64,
        /// Step.
        step: f64,
    },
    /// Out of physiology.
    #[error("{measure} {found} is impossible, expected {lo} to {hi}{}{}", space(.unit), slip_or_check(.slip))]
    Impossible {
        /// The measure.
        measure: String,
        /// What was given, with the unit it was taken in.
        found: String,
        /// The base unit.
        unit: String,
        /// Lowest possible.
        lo: f64,
        /// Highest possible.
        hi: f64,
        /// The slip of unit that would explain it.
        slip: Option<String>,
    },
}

fn near_name(near: &Option<String>) -> String {
    near.as_ref().map_or_else(
        || "; the names are those of measures.toml".into(),
        |n| format!("; did you mean `{n}`?"),
    )
}

fn fits(units: &[String]) -> String {
    match units.iter().filter(|u| !u.is_empty()).map(String::as_str).collect::<Vec<_>>()[..] {
        [] => "it has none: write the number alone".into(),
        [one] => format!("write it in {one}"),
        ref several => format!("write it in one of {}", several.join(", ")),
    }
}

fn space(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

fn slip_or_check(slip: &Option<String>) -> String {
    slip.as_ref().map_or_else(|| "; check the report".into(), |s| format!("; {s}: write that"))
}

struct Registry {
    measures: Vec<Measure>,
    /// Ids, aliases and where they lead.
    names: HashMap<String, usize>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let file: File =
        strict::parse(TEXT, "measures.toml").expect("the shipped registry reads (tested)");
    assert_eq!(file.schema, 1, "the shipped registry has this schema (tested)");
    let mut names = HashMap::new();
    for (n, m) in file.measure.iter().enumerate() {
        for name in std::iter::once(&m.id).chain(&m.alias) {
            let taken = names.insert(name.clone(), n);
            assert!(taken.is_none(), "`{name}` names two measures (tested)");
        }
    }
    Registry { measures: file.measure, names }
});

impl Measure {
    /// All measures, in the order of the file.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &REGISTRY.measures
    }

    /// The measure with this id or another of its names. Case does not matter, nor whether words
    /// are joined by `_`, `-` or a space.
    ///
    /// # Errors
    /// [`MeasureError::Unknown`], with the name that looks most like it.
    pub fn find(name: &str) -> Result<&'static Self, MeasureError> {
        let registry = &*REGISTRY;
        if let Some(n) = registry.names.get(name) {
            return Ok(&registry.measures[*n]);
        }
        let plain = name.trim().to_lowercase().replace(['-', ' '], "_");
        if let Some(n) = registry.names.get(&plain) {
            return Ok(&registry.measures[*n]);
        }
        let near = registry
            .names
            .keys()
            .map(|known| (strsim::jaro_winkler(&plain, known), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            // Ties by name, so that the same slip has the same answer.
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(_, known)| known.clone());
        Err(MeasureError::Unknown { name: name.to_owned(), near })
    }

    /// Usual limits of normal where the site gives none. Where they differ by sex and `male` is
    /// not known there is none. They are (recalled): see [`Measure::limits_source`].
    #[must_use]
    pub fn usual_limits(&self, male: Option<bool>) -> SiteLimits {
        let pick = |women: Option<f64>, men: Option<f64>| match (men, male) {
            (Some(_), Some(true)) => men,
            (Some(_), None) => None,
            _ => women,
        };
        let men = self.male.unwrap_or_default();
        SiteLimits { lln: pick(self.lln, men.lln), uln: pick(self.uln, men.uln) }
    }

    /// Units that fit, the base unit first.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.unit.as_str()).chain(self.units.iter().map(|u| u.name.as_str()))
    }

    /// Whether a protocol may write a limit in this unit without converting it.
    #[must_use]
    pub fn is_base_unit(&self, unit: &str) -> bool {
        let unit = plain_unit(unit);
        std::iter::once(&self.unit).chain(&self.unit_alias).any(|u| plain_unit(u) == unit)
    }

    /// A value in a unit of the measure, in the base unit. An empty unit is the base unit.
    ///
    /// # Errors
    /// [`MeasureError::WrongUnit`].
    pub fn to_base(&self, value: f64, unit: &str) -> Result<f64, MeasureError> {
        Ok(self.unit_named(unit, &value.to_string())?.map_or(value, |u| u.to_base(value)))
    }

    /// A value in the base unit, in another unit of the measure.
    ///
    /// # Errors
    /// [`MeasureError::WrongUnit`].
    pub fn of_base(&self, base: f64, unit: &str) -> Result<f64, MeasureError> {
        Ok(self.unit_named(unit, &base.to_string())?.map_or(base, |u| u.of_base(base)))
    }

    /// Reads what a person wrote: `92`, `92000/uL`, `15umol/L`, `yes`. Without a unit it is the
    /// base unit.
    ///
    /// # Errors
    /// When it is no number (or neither yes nor no), has a unit that does not fit, or is out of
    /// physiology.
    pub fn read(&self, text: &str) -> Result<Reading, MeasureError> {
        let text = text.trim();
        if let Some(word) = self.word(text) {
            return Ok(Reading { value: word, plausible: true, doubt: None });
        }
        if self.kind == Kind::YesNo {
            return Err(MeasureError::NotYesNo {
                measure: self.name.clone(),
                found: text.to_owned(),
                expected: self.two_words(),
            });
        }
        let (number, unit) = split(text);
        let value: f64 = match number.parse() {
            Ok(value) => value,
            Err(_) if is_not_finite(text) => return Err(self.not_finite(text)),
            Err(_) => return Err(self.not_number(text)),
        };
        // `1,8` and `92,000` look like a number and its unit, and mean different things in
        // different countries.
        if unit.starts_with([',', '.', '\'']) {
            return Err(self.not_number(text));
        }
        let unit = self.unit_named(unit, text)?;
        self.judge(value, unit)
    }

    /// Judges a value that is already in the base unit.
    ///
    /// # Errors
    /// When it is not finite, between the steps of a score, or out of physiology.
    pub fn check(&self, value: f64) -> Result<Reading, MeasureError> {
        self.judge(value, None)
    }

    /// A value of the base unit for people: `92 10^9/L`, `yes`.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        if self.kind == Kind::YesNo {
            let n = usize::from(value != 0.0);
            let word = self.words.as_ref().and_then(|w| w[n].first());
            return word.map_or_else(|| ["no", "yes"][n].to_owned(), Clone::clone);
        }
        format!("{}{}", round(value), space(&self.unit))
    }

    fn judge(&self, value: f64, unit: Option<&Unit>) -> Result<Reading, MeasureError> {
        let base = unit.map_or(value, |u| u.to_base(value));
        if !base.is_finite() {
            return Err(self.not_finite(&value.to_string()));
        }
        let unit_name = unit.map_or(self.unit.as_str(), |u| u.name.as_str());
        let found = || format!("{value}{}", space(unit_name));
        let [lo, hi] = self.possible;
        if !within(base, self.possible) {
            return Err(MeasureError::Impossible {
                measure: self.name.clone(),
                found: found(),
                unit: self.unit.clone(),
                lo,
                hi,
                slip: self.slip(value, unit_name),
            });
        }
        if let Some(step) = self.step.or_else(|| (self.kind == Kind::YesNo).then_some(1.0)) {
            let steps = base / step;
            if steps != steps.round() {
                let measure = self.name.clone();
                return Err(MeasureError::BetweenSteps { measure, found: found(), lo, hi, step });
            }
        }
        let plausible = within(base, self.plausible);
        let doubt = (!plausible).then(|| {
            let slip = self.slip(value, unit_name);
            format!(
                "{} {} is unlikely (usually {} to {}{}){}; confirm it if it is right",
                self.name,
                found(),
                self.plausible[0],
                self.plausible[1],
                space(&self.unit),
                slip.map_or_else(String::new, |s| format!("; {s}")),
            )
        });
        Ok(Reading { value: base, plausible, doubt })
    }

    /// The unit in which the same number would be plausible, in words.
    fn slip(&self, value: f64, written_in: &str) -> Option<String> {
        let inside = |base: f64| within(base, self.plausible);
        if written_in != self.unit && inside(value) {
            return Some(format!("{value}{} is plausible", space(&self.unit)));
        }
        let unit = self.units.iter().find(|u| u.name != written_in && inside(u.to_base(value)))?;
        let joined = if unit.name.starts_with('/') { "" } else { " " };
        Some(format!("{value}{joined}{} is {}", unit.name, round(unit.to_base(value))))
    }

    /// The unit with this name; `None` for the base unit.
    fn unit_named(&self, unit: &str, found: &str) -> Result<Option<&Unit>, MeasureError> {
        if unit.trim().is_empty() || self.is_base_unit(unit) {
            return Ok(None);
        }
        let wanted = plain_unit(unit);
        let named = |u: &&Unit| {
            std::iter::once(&u.name).chain(&u.alias).any(|name| plain_unit(name) == wanted)
        };
        match self.units.iter().find(named) {
            Some(unit) => Ok(Some(unit)),
            None => Err(MeasureError::WrongUnit {
                measure: self.name.clone(),
                found: found.to_owned(),
                unit: unit.trim().to_owned(),
                fit: self.units().map(str::to_owned).collect(),
            }),
        }
    }

    fn word(&self, text: &str) -> Option<f64> {
        if self.kind != Kind::YesNo {
            return None;
        }
        let said = text.to_lowercase();
        if let Some(words) = &self.words {
            let n = words.iter().position(|list| list.contains(&said))?;
            return Some([0.0, 1.0][n]);
        }
        match said.as_str() {
            "no" | "n" | "false" | "0" => Some(0.0),
            "yes" | "y" | "true" | "1" => Some(1.0),
            _ => None,
        }
    }

    fn two_words(&self) -> String {
        match &self.words {
            Some([nought, one]) => format!("{} or {}", first(one), first(nought)),
            None => "yes or no".into(),
        }
    }

    fn not_finite(&self, found: &str) -> MeasureError {
        MeasureError::NotFinite { measure: self.name.clone(), found: found.to_owned() }
    }

    fn not_number(&self, found: &str) -> MeasureError {
        let middle = self.lln.or(self.uln).unwrap_or(self.plausible[1]);
        MeasureError::NotNumber {
            measure: self.name.clone(),
            found: found.to_owned(),
            example: format!("`{middle}{}`", self.unit_after_number()),
        }
    }

    fn unit_after_number(&self) -> String {
        space(&self.unit)
    }
}

fn first(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

/// Not for NaN.
fn within(value: f64, [lo, hi]: [f64; 2]) -> bool {
    lo <= value && value <= hi
}

/// Number and unit of a text; the number is empty when there is none.
fn split(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut end = digits(sign);
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let at = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        if digits(at) > at {
            end = digits(at);
        }
    }
    (&text[..end], text[end..].trim_start())
}

/// Whether a text says NaN or infinity in one of the ways that programs do.
fn is_not_finite(text: &str) -> bool {
    text.split_whitespace()
        .next()
        .and_then(|w| w.parse::<f64>().ok())
        .is_some_and(|x| !x.is_finite())
}

/// A unit in one spelling: case, spaces and the several signs for micro do not matter.
fn plain_unit(unit: &str) -> String {
    unit.chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            'µ' | 'μ' => 'u',
            '×' => 'x',
            _ => c.to_ascii_lowercase(),
        })
        .collect()
}

/// Six significant digits: what a person can read, without the noise of a conversion.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(name: &str, text: &str) -> Result<Reading, MeasureError> {
        Measure::find(name)?.read(text)
    }

    fn value(name: &str, text: &str) -> f64 {
        read(name, text).unwrap_or_else(|e| panic!("{e}")).value
    }

    fn refused(name: &str, text: &str) -> String {
        read(name, text).expect_err("refused").to_string()
    }

    #[test]
    fn the_registry_is_sound() {
        for m in Measure::all() {
            let ([a, d], [b, c]) = (m.possible, m.plausible);
            assert!(a <= b && b <= c && c <= d, "{}: plausible is not in possible", m.id);
            assert_eq!(m.kind == Kind::Score, m.step.is_some(), "{}: step", m.id);
            for u in &m.units {
                assert!(u.in_base.is_some() != u.per_base.is_some(), "{}: {}", m.id, u.name);
            }
            let limits = m.lln.or(m.uln).is_some();
            assert_eq!(limits, m.limits_source.is_some(), "{}: source of limits", m.id);
            // Names are found whatever the case, so they must be written in one.
            for name in m.alias.iter().chain([&m.id]) {
                assert_eq!(*name, name.to_lowercase());
            }
            let mut names: Vec<_> =
                m.units.iter().flat_map(|u| u.alias.iter().chain([&u.name])).collect();
            names.extend(m.unit_alias.iter().chain([&m.unit]));
            let mut plain: Vec<_> = names.iter().map(|u| plain_unit(u)).collect();
            plain.sort();
            plain.dedup();
            assert_eq!(plain.len(), names.len(), "{}: a unit is named twice", m.id);
        }
    }

    #[test]
    fn the_plans_keys_are_names_here() {
        for (key, id) in [
            ("bilirubin_mg_dl", "bilirubin"),
            ("albumin_g_dl", "albumin"),
            ("platelets_1e9_l", "platelets"),
            ("anc_1e9_l", "anc"),
            ("creatinine_mg_dl", "creatinine"),
            ("alt_u_l", "alt"),
            ("ast_u_l", "ast"),
            ("PLT", "platelets"),
            ("portal vein", "portal_vein_patent"),
        ] {
            assert_eq!(Measure::find(key).expect(key).id, id);
        }
        // Every criterion of the plan's gate is about a measure, in its base unit.
        let gate: toml::Table =
            include_str!("../../../gates/radioembolization.toml").parse().expect("TOML");
        for c in gate["criterion"].as_array().expect("criteria") {
            let m = Measure::find(c["measure"].as_str().expect("a name")).expect("known");
            assert!(m.is_base_unit(c["unit"].as_str().unwrap_or("")), "{}", m.id);
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_near_one() {
        let error = Measure::find("plateletts").unwrap_err().to_string();
        assert_eq!(error, "no measure is named `plateletts`; did you mean `platelets`?");
        assert!(Measure::find("zzz").is_err());
    }

    #[test]
    fn units_are_converted() {
        assert_eq!(value("plt", "92"), 92.0);
        assert_eq!(value("plt", "92000/uL"), 92.0);
        assert_eq!(value("plt", "92000 /mm3"), 92.0);
        assert_eq!(value("plt", "92 10^9/L"), 92.0);
        assert_eq!(value("plt", "92x10^3/µL"), 92.0);
        assert_eq!(value("plt", "92G/L"), 92.0);
        assert!((value("bilirubin", "17.104umol/L") - 1.0).abs() < 1e-12);
        assert!((value("creatinine", "88.42 µmol/L") - 1.0).abs() < 1e-12);
        assert_eq!(value("hb", "120 g/L"), 12.0);
        assert!((value("hb", "7.447mmol/L") - 12.0).abs() < 1e-3);
        assert_eq!(value("albumin", "38g/L"), 3.8000000000000003);
        assert_eq!(value("height", "1.70m"), 170.0);
        assert!((value("weight", "154 lb") - 69.853).abs() < 1e-3);
        assert!((value("temperature", "100.94 degF") - 38.3).abs() < 1e-9);
        assert_eq!(value("activity", "1500MBq"), 1.5);
    }

    #[test]
    fn words_are_read() {
        assert_eq!((value("ascites", "no"), value("consent", "Yes")), (0.0, 1.0));
        assert_eq!((value("sex", "female"), value("sex", "M")), (1.0, 0.0));
        assert_eq!(refused("ascites", "maybe"), "Clinical ascites = `maybe`, expected yes or no");
        assert!(refused("sex", "1").contains("female or male"));
        assert_eq!(Measure::find("sex").unwrap().show(1.0), "female");
    }

    #[test]
    fn a_slip_of_the_unit_is_named() {
        assert_eq!(
            refused("platelets", "92000 10^9/L"),
            "Platelets 92000 10^9/L is impossible, expected 0 to 5000 10^9/L; 92000/uL is 92: write that"
        );
        assert!(refused("hb", "120").contains("120 g/L is 12: write that"));
        assert!(refused("creatinine", "80").contains("80 umol/L is 0.904773"));
        assert!(refused("height", "1.7").contains("1.7 m is 170"));
        assert!(refused("albumin", "38").contains("38 g/L is 3.8"));
        // Possible but unlikely: to be confirmed, with the same hint.
        let bilirubin = read("bilirubin", "15").unwrap();
        assert!(!bilirubin.plausible && bilirubin.value == 15.0);
        assert!(bilirubin.doubt.unwrap().contains("15 umol/L is 0.876988"));
        let platelets = read("platelets", "92/uL").unwrap();
        assert!(platelets.doubt.unwrap().contains("92 10^9/L is plausible"));
    }

    #[test]
    fn a_wrong_unit_lists_those_that_fit() {
        assert_eq!(
            refused("bilirubin", "15 mmol/L"),
            "Total bilirubin = `15 mmol/L`: the unit `mmol/L` does not fit; write it in one of mg/dL, umol/L"
        );
        assert!(refused("inr", "1.1 s").contains("it has none: write the number alone"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "abc", "1,8", "92,000", "<0.2", "--3", "1.2.3", "e5", "."] {
            assert!(matches!(read("anc", text), Err(MeasureError::NotNumber { .. })), "{text}");
        }
        for text in ["nan", "NaN", "inf", "-inf", "infinity", "1e999"] {
            assert!(matches!(read("anc", text), Err(MeasureError::NotFinite { .. })), "{text}");
        }
        assert!(Measure::find("anc").unwrap().check(f64::NAN).is_err());
        assert!(refused("anc", "-1").contains("impossible"));
        assert!(refused("ecog", "1.5").contains("between two steps"));
        assert_eq!(value("dpyd", "1.5"), 1.5);
    }

    #[test]
    fn limits_that_differ_by_sex_need_the_sex() {
        let hb = Measure::find("hb").unwrap();
        assert_eq!(hb.usual_limits(None).lln, None);
        assert_eq!(hb.usual_limits(Some(true)).lln, Some(13.0));
        assert_eq!(hb.usual_limits(Some(false)).lln, Some(12.0));
        assert_eq!(Measure::find("plt").unwrap().usual_limits(None).lln, Some(150.0));
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same(value in 1e-3_f64..1e5) {
            for m in Measure::all() {
                for unit in m.units() {
                    let back = m.of_base(m.to_base(value, unit).unwrap(), unit).unwrap();
                    prop_assert!((back - value).abs() <= 1e-9 * value.max(1.0), "{} {unit}", m.id);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused_in_words(text in ".{0,12}") {
            for m in Measure::all() {
                match m.read(&text) {
                    Ok(r) => prop_assert!(within(r.value, m.possible)),
                    Err(e) => prop_assert!(!e.to_string().is_empty()),
                }
            }
        }
    }
}
