//! From milligrams to tablets: exact, in hundredths of a milligram.

use super::{DoseError, MOST_TIMES, positive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most strengths of a form.
const MOST_STRENGTHS: usize = 12;
/// Most mg of an intake that are looked for.
const MOST_MG: f64 = 20_000.0;
/// Most sums looked at: beyond, the strengths are too fine for the dose.
const MOST_SUMS: u64 = 20_000;
/// Most tablets of an intake.
const MOST_PIECES: u32 = 40;
/// Weight of a tablet beside that of one more strength in the order of choices.
const PIECE: u32 = 16;
/// A sum that no tablets make.
const NEVER: u32 = u32::MAX;

/// What the drug comes as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// Tablets.
    #[default]
    Tablet,
    /// Capsules.
    Capsule,
}

impl Piece {
    /// The word for so many of them.
    #[must_use]
    pub fn word(self, count: u32) -> &'static str {
        match (self, count) {
            (Self::Tablet, 1) => "tablet",
            (Self::Tablet, _) => "tablets",
            (Self::Capsule, 1) => "capsule",
            (Self::Capsule, _) => "capsules",
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word(1))
    }
}

/// How a dose is rounded to tablets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest; the lower of two as near.
    Nearest,
    /// To the largest that is not above.
    Down,
}

impl Rounding {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Nearest => "rounded to the nearest",
            Self::Down => "rounded down",
        }
    }
}

/// Tablets of a drug and how to round to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Strengths in mg, in any order, in whole hundredths.
    pub tablets_mg: Vec<f64>,
    /// Tablets or capsules.
    #[serde(default)]
    pub piece: Piece,
    /// How to round.
    pub rounding: Rounding,
    /// Largest dose of an intake in mg.
    pub max_mg_per_intake: Option<f64>,
    /// Largest dose of a day in mg.
    pub max_mg_per_day: Option<f64>,
    /// How far an intake may be from what was aimed at, in percent of it.
    pub largest_deviation_percent: f64,
    /// Where it is from, with its mark.
    pub source: String,
}

/// Which of the largest doses bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cap {
    /// That of an intake.
    Intake,
    /// That of a day.
    Day,
}

/// So many of a strength.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Strength in mg.
    pub strength_mg: f64,
    /// How many, at least one.
    pub count: u32,
}

/// What is swallowed at one time. Its text is as in `2 tablets of 500 mg and 1 of 150 mg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intake {
    /// Tablets by strength, the strongest first.
    pub counts: Vec<Count>,
    /// Tablets or capsules.
    pub piece: Piece,
    /// What was asked for, in mg.
    pub target_mg: f64,
    /// What was aimed at, in mg: the target, or a largest dose if that is less.
    pub aimed_mg: f64,
    /// What the tablets hold, in mg.
    pub achieved_mg: f64,
    /// How far that is from what was aimed at, in percent of it.
    pub deviation_percent: f64,
    /// Which largest dose bound, if one did.
    pub cap: Option<Cap>,
}

impl Intake {
    /// Whether two are the same tablets, whatever they were meant to be.
    #[must_use]
    pub fn same_tablets(&self, other: &Self) -> bool {
        self.piece == other.piece && self.counts == other.counts
    }

    /// How many tablets.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        self.counts.iter().map(|c| c.count).sum()
    }
}

impl fmt::Display for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Count { strength_mg, count }) in self.counts.iter().enumerate() {
            match n {
                0 => write!(f, "{count} {} of {strength_mg} mg", self.piece.word(*count))?,
                n if n + 1 == self.counts.len() => write!(f, " and {count} of {strength_mg} mg")?,
                _ => write!(f, ", {count} of {strength_mg} mg")?,
            }
        }
        Ok(())
    }
}

impl Form {
    /// Whether there can be such tablets.
    ///
    /// # Errors
    /// [`DoseError::Value`]: no strengths, one that is not above zero or not in whole hundredths of a
    /// mg, a largest dose that is not above zero, a deviation outside 0 to 100.
    pub fn check(&self) -> Result<(), DoseError> {
        self.strengths()?;
        positive("max_mg_per_intake", self.max_mg_per_intake, MOST_MG)?;
        positive("max_mg_per_day", self.max_mg_per_day, MOST_MG * f64::from(MOST_TIMES))?;
        let allowed = self.largest_deviation_percent;
        if !(0.0..=100.0).contains(&allowed) {
            return Err(DoseError::value("largest_deviation_percent", allowed, "0 to 100"));
        }
        Ok(())
    }

    /// Strengths in hundredths of a mg, the strongest first, each once.
    fn strengths(&self) -> Result<Vec<u64>, DoseError> {
        if self.tablets_mg.is_empty() || self.tablets_mg.len() > MOST_STRENGTHS {
            let expected = format!("1 to {MOST_STRENGTHS} strengths");
            return Err(DoseError::value("tablets_mg", self.tablets_mg.len(), expected));
        }
        let mut found = Vec::new();
        for mg in &self.tablets_mg {
            positive("tablets_mg", Some(*mg), MOST_MG)?;
            let hundredths = hundredths(*mg);
            if hundredths == 0 || (hundredths as f64 / 100.0 - mg).abs() > 1e-6 {
                return Err(DoseError::value("tablets_mg", mg, "whole hundredths of a mg"));
            }
            found.push(hundredths);
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        Ok(found)
    }
}

/// To whole hundredths, the nearest; the value is known to be above zero and bounded.
fn hundredths(mg: f64) -> u64 {
    (mg * 100.0).round() as u64
}

/// Tablets of one intake: those nearest to the target (or the largest not above it), of these the
/// fewest, of these those of fewest strengths, of these the strongest.
///
/// The target is in mg an intake and is taken to the nearest hundredth of a mg. Neither a largest
/// dose of an intake nor, with `times_a_day` intakes, one of a day is ever exceeded, by rounding
/// either.
///
/// # Errors
/// [`DoseError::Value`] for a target or a form that cannot be, [`DoseError::Nothing`] if it rounds to
/// no tablet, [`DoseError::Deviation`] if the tablets are further off than the form allows,
/// [`DoseError::TooMany`] beyond 40 tablets.
pub fn tablets(target_mg: f64, times_a_day: u32, form: &Form) -> Result<Intake, DoseError> {
    form.check()?;
    positive("mg an intake", Some(target_mg), MOST_MG)?;
    if !(1..=MOST_TIMES).contains(&times_a_day) {
        let expected = format!("1 to {MOST_TIMES}");
        return Err(DoseError::value("times_a_day", times_a_day, expected));
    }
    let strengths = form.strengths()?;
    let target = hundredths(target_mg);
    // The day's largest dose is divided before it is cut to hundredths, so that it holds exactly.
    let largest = largest(form, times_a_day);
    let limit = largest.map_or(u64::MAX, |(most, _)| most);
    let aimed = target.min(limit);
    let sums = Sums::new(&strengths, aimed)?;
    let free = sums.choose(aimed, form.rounding, u64::MAX);
    let (sum, bound) = if free > limit || target > limit {
        (sums.choose(aimed, form.rounding, limit), largest.map(|(_, cap)| cap))
    } else {
        (free, None)
    };
    let mg = |h: u64| h as f64 / 100.0;
    if sum == 0 {
        return Err(DoseError::Nothing {
            aimed_mg: mg(aimed),
            piece: form.piece,
            smallest_mg: strengths.last().map_or(0.0, |s| mg(*s)),
        });
    }
    let counts = sums.tablets(sum);
    let pieces = counts.iter().map(|(_, n)| n).sum::<u32>();
    if pieces > MOST_PIECES {
        return Err(DoseError::TooMany {
            aimed_mg: mg(aimed),
            count: pieces,
            piece: form.piece,
            most: MOST_PIECES,
        });
    }
    let deviation_percent = 100.0 * (mg(sum) - mg(aimed)) / mg(aimed);
    // Compared in whole numbers: |sum - aimed| / aimed against hundredths of a percent.
    let allowed = (form.largest_deviation_percent * 100.0).round() as u64;
    if sum.abs_diff(aimed) * 10_000 > allowed * aimed {
        return Err(DoseError::Deviation {
            aimed_mg: mg(aimed),
            achieved_mg: mg(sum),
            deviation_percent,
            allowed_percent: form.largest_deviation_percent,
        });
    }
    Ok(Intake {
        counts: counts.into_iter().map(|(s, count)| Count { strength_mg: mg(s), count }).collect(),
        piece: form.piece,
        target_mg,
        aimed_mg: mg(aimed),
        achieved_mg: mg(sum),
        deviation_percent,
        cap: bound,
    })
}

/// The largest dose of an intake in hundredths of a mg, and which rule says so.
fn largest(form: &Form, times_a_day: u32) -> Option<(u64, Cap)> {
    // Cut, not rounded: a rounded one could exceed what it stands for.
    let cut = |mg: f64| (mg * 100.0 + 1e-6).floor() as u64;
    let intake = form.max_mg_per_intake.map(|mg| (cut(mg), Cap::Intake));
    let day = form.max_mg_per_day.map(|mg| (cut(mg) / u64::from(times_a_day), Cap::Day));
    [intake, day].into_iter().flatten().min_by_key(|(most, _)| *most)
}

/// Every sum that tablets make, up to one smallest tablet above what is aimed at.
struct Sums<'a> {
    /// Strengths in hundredths of a mg, the strongest first.
    strengths: &'a [u64],
    /// What all of them are multiples of.
    step: u64,
    /// For the first n strengths, the least cost of each multiple of the step.
    costs: Vec<Vec<u32>>,
}

impl<'a> Sums<'a> {
    fn new(strengths: &'a [u64], aimed: u64) -> Result<Self, DoseError> {
        let step = strengths.iter().copied().fold(0, gcd).max(1);
        let smallest = strengths.last().copied().unwrap_or(step);
        let top = (aimed + smallest) / step;
        if top > MOST_SUMS {
            return Err(DoseError::value(
                "tablets_mg",
                format!("steps of {} mg for {} mg", step as f64 / 100.0, aimed as f64 / 100.0),
                format!("at most {MOST_SUMS} steps"),
            ));
        }
        let top = top as usize;
        let mut costs = Vec::with_capacity(strengths.len() + 1);
        let mut before = vec![NEVER; top + 1];
        before[0] = 0;
        for strength in strengths {
            let size = (strength / step) as usize;
            // Cost with at least one of this strength; the first one costs one strength more.
            let mut with = vec![NEVER; top + 1];
            for sum in size..=top {
                let first = before[sum - size].saturating_add(PIECE + 1);
                with[sum] = first.min(with[sum - size].saturating_add(PIECE));
            }
            let after = before.iter().zip(&with).map(|(a, b)| *a.min(b)).collect();
            costs.push(std::mem::replace(&mut before, after));
        }
        costs.push(before);
        Ok(Self { strengths, step, costs })
    }

    /// The sum to take, in hundredths of a mg, not above `limit`; 0 if there is none.
    fn choose(&self, aimed: u64, rounding: Rounding, limit: u64) -> u64 {
        let last = &self.costs[self.strengths.len()];
        let sums = last.iter().enumerate().filter(|(_, cost)| **cost != NEVER);
        let sums = sums.map(|(n, _)| n as u64 * self.step).filter(|sum| *sum <= limit);
        match rounding {
            Rounding::Down => sums.filter(|sum| *sum <= aimed).max(),
            Rounding::Nearest => sums.min_by_key(|sum| (sum.abs_diff(aimed), *sum)),
        }
        .unwrap_or(0)
    }

    /// Strength and count of the tablets of a sum that can be made, the strongest first.
    fn tablets(&self, sum: u64) -> Vec<(u64, u32)> {
        let mut rest = (sum / self.step) as usize;
        let mut found = Vec::new();
        for (n, strength) in self.strengths.iter().enumerate().rev() {
            let size = (strength / self.step) as usize;
            let (cost, before) = (self.costs[n + 1][rest], &self.costs[n]);
            // The fewest of the weaker ones that the least cost allows: the stronger do the rest.
            let count = (0..=rest / size)
                .find(|count| {
                    let strengths = u32::from(*count > 0);
                    let own = PIECE.saturating_mul(*count as u32).saturating_add(strengths);
                    before[rest - count * size].saturating_add(own) == cost
                })
                .unwrap_or(0);
            if count > 0 {
                found.push((*strength, count as u32));
                rest -= count * size;
            }
        }
        found.reverse();
        found
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
