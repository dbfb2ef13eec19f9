//! From a prescription to tablets: body surface, level, adjustments, milligrams, tablets.
//!
//! Every step is a [`Line`] that says what, how much, in which unit, why, and from which source, so
//! that a person can follow the way from height and weight to what lies in the palm of a hand.
//! Nothing is clipped: a value that cannot be is asked back, a dose that no tablets make is refused.

mod adjust;
mod body;
mod tablets;

pub use adjust::{Adjustment, AdjustmentRow, AdjustmentTable};
pub use body::{Body, Renal, Sex, SurfaceFormula, creatinine_mg_per_dl};
pub use tablets::{Cap, Count, Form, Intake, Piece, Rounding, tablets};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most levels of a ladder.
const MOST_LEVELS: usize = 20;
/// Most times a day a drug is taken.
const MOST_TIMES: u32 = 12;
/// Body surfaces, in hundredths of m², over which levels are compared: 1.20 to 2.60 m².
const COMPARED_SURFACES: std::ops::RangeInclusive<u32> = 120..=260;

/// Why there is no dose. Each is one sentence that says what was found and what would do.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DoseError {
    /// A value that cannot be, of a patient or of a protocol.
    #[error("{what} = {found}, expected {expected}")]
    Value {
        /// Which value, with its unit.
        what: String,
        /// What was found.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A level that the ladder has not.
    #[error("{drug} has no dose level `{found}`; there are: {}", .levels.join(", "))]
    Level {
        /// The drug.
        drug: String,
        /// What was asked for.
        found: String,
        /// The levels there are, the full dose first.
        levels: Vec<String>,
    },
    /// The drug must not be given at this value.
    #[error("contraindicated: {measure} = {value} {unit} ({source_text})")]
    Contraindicated {
        /// Of what.
        measure: String,
        /// Its value.
        value: f64,
        /// Unit of the value.
        unit: String,
        /// Where the rule is from.
        source_text: String,
    },
    /// So little that it rounds to no tablet.
    #[error("{aimed_mg} mg an intake rounds to no {piece}: the smallest has {smallest_mg} mg")]
    Nothing {
        /// What was aimed at, in mg.
        aimed_mg: f64,
        /// Tablet or capsule.
        piece: Piece,
        /// The smallest strength, in mg.
        smallest_mg: f64,
    },
    /// Tablets come no nearer than this.
    #[error(
        "{aimed_mg} mg an intake: the nearest is {achieved_mg} mg ({deviation_percent:+.1} %), at most {allowed_percent} % is allowed"
    )]
    Deviation {
        /// What was aimed at, in mg.
        aimed_mg: f64,
        /// What tablets make of it, in mg.
        achieved_mg: f64,
        /// How far off, in percent of what was aimed at.
        deviation_percent: f64,
        /// How far off it may be, in percent.
        allowed_percent: f64,
    },
    /// More tablets than anybody swallows.
    #[error("{aimed_mg} mg an intake would be {count} {}, expected at most {most}", .piece.word(2))]
    TooMany {
        /// What was aimed at, in mg.
        aimed_mg: f64,
        /// How many.
        count: u32,
        /// Tablet or capsule.
        piece: Piece,
        /// Most that are allowed.
        most: u32,
    },
}

impl DoseError {
    pub(crate) fn value(
        what: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Value { what: what.into(), found: found.to_string(), expected: expected.into() }
    }
}

/// Whether a dose is that of one intake or that of a day. It is never guessed: `150-200 mg/m² in
/// two divided doses` and `750 mg/m² twice daily` are both in the literature of one regimen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Each time it is taken.
    Intake,
    /// Over the day, divided by the number of times.
    Day,
}

impl Per {
    fn words(self) -> &'static str {
        match self {
            Self::Intake => "an intake",
            Self::Day => "a day",
        }
    }
}

/// The full dose of a drug: per body surface or flat, one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrugDose {
    /// Per body surface, in mg/m².
    pub mg_per_m2: Option<f64>,
    /// The same for everybody, in mg.
    pub mg: Option<f64>,
    /// Of an intake or of a day.
    pub per: Per,
    /// Where it is from, with its mark.
    pub source: String,
}

/// A step of the ladder: a fraction of the full dose, or a dose of its own, one of the three.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Short identifier, as in `0`, `-1`.
    pub id: String,
    /// Of the full dose, above 0, at most 1.
    pub fraction: Option<f64>,
    /// A dose of its own in mg/m², of an intake or a day as the full dose is.
    pub mg_per_m2: Option<f64>,
    /// A flat dose of its own in mg, of an intake or a day as the full dose is.
    pub mg: Option<f64>,
}

/// What a protocol says of the dose of a drug.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prescription {
    /// The drug, for people.
    pub drug: String,
    /// The full dose.
    pub dose: DrugDose,
    /// How many times a day it is taken.
    pub times_a_day: u32,
    /// Which formula makes a body surface of height and weight.
    #[serde(default)]
    pub surface: SurfaceFormula,
    /// Largest body surface that doses are made for, in m²; none in most protocols.
    pub surface_cap_m2: Option<f64>,
    /// Levels, the full dose first.
    pub level: Vec<Level>,
    /// Tablets and how to round to them.
    pub form: Form,
}

/// A step on the way to a dose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// What it is.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Unit of the value; empty for a factor.
    pub unit: String,
    /// Why it is so, in words.
    pub because: String,
    /// Where the rule or the number is from.
    pub source: String,
}

impl Line {
    fn new(
        what: impl Into<String>,
        value: f64,
        unit: &str,
        because: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        let (what, because, source) = (what.into(), because.into(), source.into());
        Self { what, value, unit: unit.to_owned(), because, source }
    }
}

/// A dose with its way.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Prescribed {
    /// The drug.
    pub drug: String,
    /// The level.
    pub level: String,
    /// How many times a day.
    pub times_a_day: u32,
    /// Tablets of one intake.
    pub intake: Intake,
    /// What they are in a day, in mg.
    pub mg_per_day: f64,
    /// Every step, from height and weight to tablets.
    pub lines: Vec<Line>,
}

/// Two levels that are the same tablets for some patients.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SameTablets {
    /// The higher level.
    pub higher: String,
    /// The next lower one.
    pub lower: String,
    /// Smallest body surface at which they are the same, in m².
    pub from_m2: f64,
    /// Largest, in m².
    pub to_m2: f64,
    /// At how many of the surfaces looked at.
    pub at: u32,
    /// How many were looked at.
    pub of: u32,
}

impl Prescription {
    /// Whether it can be used at all, whoever the patient is.
    ///
    /// # Errors
    /// [`DoseError::Value`] for the first thing that cannot be: no or two doses, a level whose unit
    /// does not fit the dose, tablets without strength.
    pub fn check(&self) -> Result<(), DoseError> {
        let d = &self.drug;
        if !(1..=MOST_TIMES).contains(&self.times_a_day) {
            let expected = format!("1 to {MOST_TIMES}");
            return Err(DoseError::value(format!("{d}: times_a_day"), self.times_a_day, expected));
        }
        let dose = &self.dose;
        if dose.mg_per_m2.is_some() == dose.mg.is_some() {
            return Err(DoseError::value(
                format!("{d}: dose"),
                if dose.mg.is_some() { "both" } else { "neither" },
                "either mg_per_m2 or mg",
            ));
        }
        positive(&format!("{d}: dose mg_per_m2"), dose.mg_per_m2, 1e4)?;
        positive(&format!("{d}: dose mg"), dose.mg, 1e4)?;
        positive(&format!("{d}: surface_cap_m2"), self.surface_cap_m2, 5.0)?;
        if self.level.is_empty() || self.level.len() > MOST_LEVELS {
            let expected = format!("1 to {MOST_LEVELS} levels");
            return Err(DoseError::value(format!("{d}: level"), self.level.len(), expected));
        }
        for (n, level) in self.level.iter().enumerate() {
            let key = format!("{d}: level {}", level.id);
            if self.level[..n].iter().any(|l| l.id == level.id) {
                return Err(DoseError::value(key, "twice", "an id of its own for each level"));
            }
            let stated = [level.fraction, level.mg_per_m2, level.mg].iter().flatten().count();
            if stated != 1 {
                let expected = "one of fraction, mg_per_m2 and mg";
                return Err(DoseError::value(key, format!("{stated} of them"), expected));
            }
            if level.mg_per_m2.is_some() && dose.mg_per_m2.is_none() {
                return Err(DoseError::value(key, "mg_per_m2", "mg or a fraction of a flat dose"));
            }
            if level.mg.is_some() && dose.mg.is_none() {
                return Err(DoseError::value(key, "mg", "mg_per_m2 or a fraction of such a dose"));
            }
            positive(&format!("{key} fraction"), level.fraction, 1.0)?;
            positive(&format!("{key} mg_per_m2"), level.mg_per_m2, 1e4)?;
            positive(&format!("{key} mg"), level.mg, 1e4)?;
        }
        self.form.check()
    }

    /// The dose of a level in the unit of the full dose: mg/m² or mg, of an intake or a day.
    fn at(&self, level: &Level) -> (f64, bool) {
        let (full, by_surface) = match (self.dose.mg_per_m2, self.dose.mg) {
            (Some(dose), _) => (dose, true),
            (None, flat) => (flat.unwrap_or(f64::NAN), false),
        };
        let own = level.mg_per_m2.or(level.mg);
        (own.unwrap_or_else(|| full * level.fraction.unwrap_or(f64::NAN)), by_surface)
    }

    /// Tablets at a level for a patient: the steps are in [`Prescribed::lines`].
    ///
    /// Adjustments multiply. A contraindication is found before, by [`AdjustmentTable::adjustment`].
    ///
    /// # Errors
    /// [`DoseError::Value`] for a body or protocol that cannot be, [`DoseError::Level`], and what
    /// [`tablets`] refuses.
    pub fn prescribe(
        &self,
        body: &Body,
        level: &str,
        adjustments: &[Adjustment],
    ) -> Result<Prescribed, DoseError> {
        body.check()?;
        let surface_m2 = self.surface.body_surface_m2(body.height, body.weight);
        let mut lines = Vec::new();
        if self.dose.mg_per_m2.is_some() {
            lines.push(Line::new("height", body.height.cm(), "cm", "measured", "the patient"));
            lines.push(Line::new("weight", body.weight.kg(), "kg", "measured", "the patient"));
            let because = format!("height and weight, {}", self.surface.name());
            let source = self.surface.source();
            lines.push(Line::new("body surface", surface_m2, "m²", because, source));
        }
        self.steps(surface_m2, level, adjustments, lines)
    }

    /// As [`Prescription::prescribe`], for a body surface in m².
    ///
    /// # Errors
    /// As there; a body surface outside 0.5 to 4 m² cannot be.
    pub fn prescribe_at_surface(
        &self,
        surface_m2: f64,
        level: &str,
        adjustments: &[Adjustment],
    ) -> Result<Prescribed, DoseError> {
        let mut lines = Vec::new();
        if self.dose.mg_per_m2.is_some() {
            lines.push(Line::new("body surface", surface_m2, "m²", "stated", "the patient"));
        }
        self.steps(surface_m2, level, adjustments, lines)
    }

    fn steps(
        &self,
        surface_m2: f64,
        level: &str,
        adjustments: &[Adjustment],
        mut lines: Vec<Line>,
    ) -> Result<Prescribed, DoseError> {
        self.check()?;
        if !(0.5..=4.0).contains(&surface_m2) {
            return Err(DoseError::value("body surface in m²", surface_m2, "0.5 to 4"));
        }
        let Some(at) = self.level.iter().find(|l| l.id == level) else {
            return Err(DoseError::Level {
                drug: self.drug.clone(),
                found: level.to_owned(),
                levels: self.level.iter().map(|l| l.id.clone()).collect(),
            });
        };
        let (dose, by_surface) = self.at(at);
        let (per, source) = (self.dose.per.words(), &self.dose.source);
        let unit = if by_surface { "mg/m²" } else { "mg" };
        let how = match at.fraction {
            Some(f) if f < 1.0 => format!("level {level}: {:.0} % of the full dose", 100.0 * f),
            Some(_) => format!("level {level}: the full dose"),
            None => format!("level {level}: a dose of its own"),
        };
        lines.push(Line::new(format!("dose {per}"), dose, unit, how, source));
        let mut mg = dose;
        if by_surface {
            let cap = self.surface_cap_m2.filter(|cap| surface_m2 > *cap);
            if let Some(cap) = cap {
                let because = format!("{surface_m2:.2} m² is above the protocol's largest");
                lines.push(Line::new("body surface for the dose", cap, "m²", because, source));
            }
            let m2 = cap.unwrap_or(surface_m2);
            mg *= m2;
            let because = format!("{dose} mg/m² times {m2:.2} m²");
            lines.push(Line::new(format!("dose {per}"), mg, "mg", because, source));
        }
        for adjustment in adjustments {
            let Adjustment { what, factor, because, source } = adjustment;
            positive(&format!("factor of {what}"), Some(*factor), 1.0)?;
            let before = mg;
            mg *= factor;
            let step = format!("{because}: {before:.1} mg times {factor}");
            lines.push(Line::new(format!("dose {per}, {what}"), mg, "mg", step, source));
        }
        let times = self.times_a_day;
        let per_intake = match self.dose.per {
            Per::Day if times > 1 => {
                let share = mg / f64::from(times);
                let because = format!("{mg:.1} mg in {times} divided doses");
                lines.push(Line::new("dose an intake", share, "mg", because, source));
                share
            }
            _ => mg,
        };
        let intake = tablets(per_intake, times, &self.form)?;
        if let Some(cap) = intake.cap {
            let because = match cap {
                Cap::Intake => "largest dose of an intake".to_owned(),
                Cap::Day => format!("largest dose of a day in {times} intakes"),
            };
            let line =
                Line::new("dose an intake", intake.aimed_mg, "mg", because, &self.form.source);
            lines.push(line);
        }
        let because = format!(
            "{intake}, {} ({:+.1} %)",
            self.form.rounding.words(),
            intake.deviation_percent
        );
        let line =
            Line::new("taken an intake", intake.achieved_mg, "mg", because, &self.form.source);
        lines.push(line);
        let mg_per_day = intake.achieved_mg * f64::from(times);
        let because = format!("{times} a day");
        lines.push(Line::new("taken a day", mg_per_day, "mg", because, &self.form.source));
        let (drug, level) = (self.drug.clone(), level.to_owned());
        Ok(Prescribed { drug, level, times_a_day: times, intake, mg_per_day, lines })
    }

    /// Neighbouring levels that are the same tablets, so that a reduction would reduce nothing.
    ///
    /// Looks at body surfaces from 1.20 to 2.60 m² in steps of 0.01 (once for a flat dose). A
    /// surface at which a level makes no dose is not counted as the same.
    ///
    /// # Errors
    /// As [`Prescription::check`].
    pub fn levels_with_same_tablets(&self) -> Result<Vec<SameTablets>, DoseError> {
        self.check()?;
        let by_surface = self.dose.mg_per_m2.is_some();
        let surfaces: Vec<f64> = COMPARED_SURFACES
            .filter(|n| by_surface || n == COMPARED_SURFACES.start())
            .map(|n| f64::from(n) / 100.0)
            .collect();
        let intakes: Vec<Vec<Option<Intake>>> = self
            .level
            .iter()
            .map(|l| {
                let at = |m2: &f64| self.prescribe_at_surface(*m2, &l.id, &[]).ok();
                surfaces.iter().map(|m2| at(m2).map(|p| p.intake)).collect()
            })
            .collect();
        let mut found = Vec::new();
        for (pair, levels) in intakes.windows(2).zip(self.level.windows(2)) {
            let same: Vec<f64> = surfaces
                .iter()
                .zip(pair[0].iter().zip(&pair[1]))
                .filter(|(_, (a, b))| matches!((a, b), (Some(a), Some(b)) if a.same_tablets(b)))
                .map(|(m2, _)| *m2)
                .collect();
            if let (Some(from), Some(to)) = (same.first(), same.last()) {
                found.push(SameTablets {
                    higher: levels[0].id.clone(),
                    lower: levels[1].id.clone(),
                    from_m2: *from,
                    to_m2: *to,
                    at: u32::try_from(same.len()).unwrap_or(u32::MAX),
                    of: u32::try_from(surfaces.len()).unwrap_or(u32::MAX),
                });
            }
        }
        Ok(found)
    }
}

/// A number above zero and at most `most`, if there is one.
fn positive(what: &str, value: Option<f64>, most: f64) -> Result<(), DoseError> {
    match value.filter(|v| !(*v > 0.0 && *v <= most)) {
        Some(v) => Err(DoseError::value(what, v, format!("a number above 0, at most {most}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::{Length, Mass};
    use proptest::prelude::*;

    fn capecitabine(mg_per_m2: f64) -> Prescription {
        let fractions = [("0", 1.0), ("-1", 0.75), ("-2", 0.5)];
        Prescription {
            drug: "Capecitabine".to_owned(),
            dose: DrugDose {
                mg_per_m2: Some(mg_per_m2),
                mg: None,
                per: Per::Intake,
                source: "E2211 [seen]".to_owned(),
            },
            times_a_day: 2,
            surface: SurfaceFormula::DuBois,
            surface_cap_m2: None,
            level: fractions
                .iter()
                .map(|(id, f)| Level {
                    id: (*id).to_owned(),
                    fraction: Some(*f),
                    mg_per_m2: None,
                    mg: None,
                })
                .collect(),
            form: Form {
                tablets_mg: vec![500.0, 150.0],
                piece: Piece::Tablet,
                rounding: Rounding::Nearest,
                max_mg_per_intake: None,
                max_mg_per_day: None,
                max_tablets_per_intake: Some(6),
                largest_deviation_percent: 10.0,
                source: "tablets of 150 and 500 mg [seen]".to_owned(),
            },
        }
    }

    fn temozolomide(per: Per, times_a_day: u32) -> Prescription {
        let mut p = capecitabine(200.0);
        p.drug = "Temozolomide".to_owned();
        p.dose.per = per;
        p.times_a_day = times_a_day;
        let level = |id: &str, mg_per_m2| Level {
            id: id.to_owned(),
            fraction: None,
            mg_per_m2: Some(mg_per_m2),
            mg: None,
        };
        p.level = vec![level("0", 200.0), level("-1", 150.0), level("-2", 100.0)];
        p.form.tablets_mg = vec![5.0, 20.0, 100.0, 140.0, 180.0, 250.0];
        p.form.piece = Piece::Capsule;
        p
    }

    fn dpyd() -> AdjustmentTable {
        let row = |from, factor| AdjustmentRow {
            from,
            factor,
            mark: "seen".to_owned(),
            source: "CPIC 2018".to_owned(),
        };
        AdjustmentTable {
            measure: "DPYD activity score".to_owned(),
            unit: String::new(),
            most: 2.0,
            row: vec![row(0.0, 0.0), row(1.0, 0.5), row(2.0, 1.0)],
        }
    }

    fn renal() -> AdjustmentTable {
        let row = |from, factor| AdjustmentRow {
            from,
            factor,
            mark: "recalled".to_owned(),
            source: "capecitabine label".to_owned(),
        };
        AdjustmentTable {
            measure: "creatinine clearance".to_owned(),
            unit: "mL/min".to_owned(),
            most: 300.0,
            row: vec![row(0.0, 0.0), row(30.0, 0.75), row(51.0, 1.0)],
        }
    }

    #[test]
    fn capecitabine_at_one_body_surface() {
        let target = |mg_per_m2| {
            let p = capecitabine(mg_per_m2).prescribe_at_surface(1.85, "0", &[]).unwrap();
            (p.intake.target_mg, p.intake.to_string(), p.mg_per_day)
        };
        let words = "2 tablets of 500 mg and 3 of 150 mg".to_owned();
        assert_eq!(target(750.0), (1387.5, words, 2900.0));
        let words = "1 tablet of 500 mg and 4 of 150 mg".to_owned();
        assert_eq!(target(600.0), (1110.0, words, 2200.0));
    }

    #[test]
    fn every_line_from_height_to_tablets_has_its_reason() {
        let body = Body { height: Length::from_cm(170.0), weight: Mass::from_kg(70.0) };
        let half = dpyd().adjustment(1.0).unwrap().unwrap();
        let p = capecitabine(750.0).prescribe(&body, "-1", &[half]).unwrap();
        let lines: Vec<String> = p
            .lines
            .iter()
            .map(|l| format!("{}: {:.1} {} ({})", l.what, l.value, l.unit, l.because))
            .collect();
        assert_eq!(
            lines,
            [
                "height: 170.0 cm (measured)",
                "weight: 70.0 kg (measured)",
                "body surface: 1.8 m² (height and weight, Du Bois)",
                "dose an intake: 562.5 mg/m² (level -1: 75 % of the full dose)",
                "dose an intake: 1017.9 mg (562.5 mg/m² times 1.81 m²)",
                "dose an intake, DPYD activity score: 509.0 mg (DPYD activity score 1: 1017.9 mg times 0.5)",
                "taken an intake: 500.0 mg (1 tablet of 500 mg, rounded to the nearest (-1.8 %))",
                "taken a day: 1000.0 mg (2 a day)",
            ]
        );
        assert!(p.lines.iter().all(|l| !l.source.is_empty()));
        assert_eq!(p.lines[5].source, "CPIC 2018 [seen]");
    }

    #[test]
    fn a_dose_of_a_day_is_divided_and_one_of_an_intake_is_not() {
        let once = temozolomide(Per::Day, 1).prescribe_at_surface(1.8, "0", &[]).unwrap();
        assert_eq!(once.intake.to_string(), "2 capsules of 180 mg");
        let twice = temozolomide(Per::Day, 2).prescribe_at_surface(1.8, "0", &[]).unwrap();
        assert_eq!(twice.intake.to_string(), "1 capsule of 180 mg");
        assert_eq!(once.mg_per_day, twice.mg_per_day);
        let down = temozolomide(Per::Day, 1).prescribe_at_surface(1.8, "-1", &[]).unwrap();
        assert_eq!(down.intake.achieved_mg, 270.0);
    }

    #[test]
    fn kidneys_and_enzymes() {
        let factor = |t: &AdjustmentTable, v| t.adjustment(v).map(|a| a.map_or(1.0, |a| a.factor));
        assert_eq!([1.0, 1.5, 2.0].map(|s| factor(&dpyd(), s).unwrap()), [0.5, 0.5, 1.0]);
        assert_eq!(
            [30.0, 50.0, 51.0, 90.0].map(|c| factor(&renal(), c).unwrap()),
            [0.75, 0.75, 1.0, 1.0]
        );
        let error = renal().adjustment(29.9).unwrap_err().to_string();
        assert_eq!(
            error,
            "contraindicated: creatinine clearance = 29.9 mL/min (capecitabine label [recalled])"
        );
        assert!(matches!(dpyd().adjustment(0.5), Err(DoseError::Contraindicated { .. })));
        for value in [-1.0, 2.5, f64::NAN] {
            assert!(matches!(dpyd().adjustment(value), Err(DoseError::Value { .. })), "{value}");
        }
        let mut disordered = renal();
        disordered.row.swap(0, 1);
        assert!(disordered.adjustment(90.0).is_err());
    }

    #[test]
    fn levels_that_are_the_same_tablets_are_found() {
        assert_eq!(capecitabine(750.0).levels_with_same_tablets().unwrap(), []);
        let mut close = capecitabine(750.0);
        close.level[1].fraction = Some(0.99);
        let same = close.levels_with_same_tablets().unwrap();
        assert_eq!((same[0].higher.as_str(), same[0].lower.as_str()), ("0", "-1"));
        assert!(same[0].at > 70 && same[0].of == 141);
        let mut flat = capecitabine(750.0);
        flat.dose.mg_per_m2 = None;
        flat.dose.mg = Some(1000.0);
        flat.level[1].fraction = Some(0.98);
        assert_eq!(flat.levels_with_same_tablets().unwrap()[0].of, 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let refused = |change: &dyn Fn(&mut Prescription)| {
            let mut p = capecitabine(750.0);
            change(&mut p);
            p.check().unwrap_err().to_string()
        };
        assert_eq!(
            refused(&|p| p.dose.mg = Some(1000.0)),
            "Capecitabine: dose = both, expected either mg_per_m2 or mg"
        );
        let error = refused(&|p| {
            p.level[1] = Level { fraction: None, mg: Some(500.0), ..p.level[1].clone() }
        });
        assert!(error.contains("level -1 = mg, expected mg_per_m2"), "{error}");
        assert!(refused(&|p| p.level[2].id = "0".to_owned()).contains("twice"));
        assert!(refused(&|p| p.level[2].fraction = Some(0.0)).contains("above 0"));
        assert!(refused(&|p| p.level[2].fraction = None).contains("0 of them"));
        assert!(refused(&|p| p.times_a_day = 0).contains("1 to 12"));
        assert!(refused(&|p| p.level.clear()).contains("1 to 20 levels"));
        let p = capecitabine(750.0);
        let error = p.prescribe_at_surface(1.8, "-3", &[]).unwrap_err().to_string();
        assert_eq!(error, "Capecitabine has no dose level `-3`; there are: 0, -1, -2");
        assert!(p.prescribe_at_surface(f64::NAN, "0", &[]).is_err());
        let body = Body { height: Length::from_cm(170.0), weight: Mass::from_kg(70_000.0) };
        assert!(p.prescribe(&body, "0", &[]).unwrap_err().to_string().starts_with("weight in kg"));
    }

    #[test]
    fn a_prescription_reads_from_toml_and_a_typing_error_is_named() {
        let text = r#"
            drug = "Temozolomide"
            dose = { mg_per_m2 = 200.0, per = "day", source = "E2211 [seen]" }
            times_a_day = 1
            surface = "mosteller"
            level = [{ id = "0", fraction = 1.0 }, { id = "-1", mg_per_m2 = 150.0 }]
            [form]
            tablets_mg = [5.0, 20.0, 100.0, 140.0, 180.0, 250.0]
            piece = "capsule"
            rounding = "nearest"
            largest_deviation_percent = 5.0
            source = "label [recalled]"
        "#;
        let p: Prescription = crate::strict::parse(text, "p.toml").unwrap();
        p.check().unwrap();
        let wrong = text.replace("rounding", "roundng");
        let error = crate::strict::parse::<Prescription>(&wrong, "p.toml").unwrap_err();
        assert!(error.to_string().contains("did you mean `rounding`"), "{error}");
    }

    proptest! {
        #[test]
        fn a_lower_level_is_never_more(m2 in 1.2_f64..2.6, base in 500.0_f64..1250.0) {
            let p = capecitabine(base);
            let at = |l| p.prescribe_at_surface(m2, l, &[]).map(|p| p.mg_per_day);
            if let (Ok(full), Ok(less)) = (at("0"), at("-1")) {
                prop_assert!(less <= full);
            }
        }
    }
}
