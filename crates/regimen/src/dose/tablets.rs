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
    /// To the nearest; of two as near the one of fewer tablets, then the lower.
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
    /// Most tablets of an intake, where nearness to the dose is to give way: capecitabine of 1400 mg
    /// is seven tablets, of 1450 mg five, of 1500 mg three.
    pub max_tablets_per_intake: Option<u32>,
    /// How far an intake may be from what was aimed at, in percent of it, at most 50.
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
    /// mg, a largest dose that is not above zero, no tablet allowed, a deviation outside 0 to 50.
    pub fn check(&self) -> Result<(), DoseError> {
        self.strengths()?;
        positive("max_mg_per_intake", self.max_mg_per_intake, MOST_MG)?;
        positive("max_mg_per_day", self.max_mg_per_day, MOST_MG * f64::from(MOST_TIMES))?;
        let allowed = self.largest_deviation_percent;
        if !(0.0..=50.0).contains(&allowed) {
            return Err(DoseError::value("largest_deviation_percent", allowed, "0 to 50"));
        }
        if let Some(n) = self.max_tablets_per_intake.filter(|n| !(1..=MOST_PIECES).contains(n)) {
            let expected = format!("1 to {MOST_PIECES}");
            return Err(DoseError::value("max_tablets_per_intake", n, expected));
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

/// Tablets of one intake: those nearest to the target (or the largest not above it) among those that
/// are not more than the form allows, of these the fewest, of these those of fewest strengths, of
/// these the strongest.
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
    let sums = Sums::new(&strengths, aimed, form.max_tablets_per_intake)?;
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

/// Every sum that tablets make, up to one of the strongest above what is aimed at: beyond, leaving
/// out a tablet comes nearer.
struct Sums<'a> {
    /// Strengths in hundredths of a mg, the strongest first.
    strengths: &'a [u64],
    /// What all of them are multiples of.
    step: u64,
    /// For the first n strengths, the least cost of each multiple of the step.
    costs: Vec<Vec<u32>>,
    /// Most tablets.
    most: u32,
}

impl<'a> Sums<'a> {
    fn new(strengths: &'a [u64], aimed: u64, most: Option<u32>) -> Result<Self, DoseError> {
        let step = strengths.iter().copied().fold(0, gcd).max(1);
        let strongest = strengths.first().copied().unwrap_or(step);
        let top = (aimed + strongest) / step;
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
        Ok(Self { strengths, step, costs, most: most.unwrap_or(u32::MAX) })
    }

    /// The sum to take, in hundredths of a mg, not above `limit`; 0 if there is none.
    fn choose(&self, aimed: u64, rounding: Rounding, limit: u64) -> u64 {
        let last = &self.costs[self.strengths.len()];
        let made = last.iter().enumerate().filter(|(_, cost)| **cost != NEVER);
        let sums = made.map(|(n, cost)| (n as u64 * self.step, cost / PIECE));
        let sums = sums.filter(|(sum, pieces)| *sum <= limit && *pieces <= self.most);
        let chosen = match rounding {
            Rounding::Down => sums.filter(|(sum, _)| *sum <= aimed).max(),
            Rounding::Nearest => {
                sums.min_by_key(|(sum, pieces)| (sum.abs_diff(aimed), *pieces, *sum))
            }
        };
        chosen.map_or(0, |(sum, _)| sum)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(tablets_mg: &[f64], rounding: Rounding) -> Form {
        Form {
            tablets_mg: tablets_mg.to_vec(),
            piece: Piece::Tablet,
            rounding,
            max_mg_per_intake: None,
            max_mg_per_day: None,
            max_tablets_per_intake: None,
            largest_deviation_percent: 50.0,
            source: "a test".to_owned(),
        }
    }

    fn words(mg: f64, form: &Form) -> String {
        tablets(mg, 2, form).map_or_else(|e| e.to_string(), |i| i.to_string())
    }

    const CAPECITABINE: [f64; 2] = [150.0, 500.0];
    const TEMOZOLOMIDE: [f64; 6] = [5.0, 20.0, 100.0, 140.0, 180.0, 250.0];

    #[test]
    fn capecitabine_in_words() {
        let nearest = form(&CAPECITABINE, Rounding::Nearest);
        assert_eq!(words(1150.0, &nearest), "2 tablets of 500 mg and 1 of 150 mg");
        // 750 mg/m2 at 1.85 m2 are 1387.5 mg: 1400 mg is the nearest, of seven tablets.
        assert_eq!(words(1387.5, &nearest), "1 tablet of 500 mg and 6 of 150 mg");
        let few = |n| Form { max_tablets_per_intake: Some(n), ..nearest.clone() };
        assert_eq!(words(1387.5, &few(5)), "2 tablets of 500 mg and 3 of 150 mg");
        assert_eq!(words(1387.5, &few(4)), "2 tablets of 500 mg and 2 of 150 mg");
        assert_eq!(words(1387.5, &few(3)), "3 tablets of 500 mg");
        // 600 mg/m2 at 1.85 m2 are 1110 mg.
        assert_eq!(words(1110.0, &nearest), "1 tablet of 500 mg and 4 of 150 mg");
        let down = form(&CAPECITABINE, Rounding::Down);
        assert_eq!(words(1387.5, &down), "9 tablets of 150 mg");
        // A dose that floating point made a little less is not one tablet less.
        assert_eq!(words(3.0 * 499.999_999_999_999, &down), "3 tablets of 500 mg");
    }

    #[test]
    fn temozolomide_in_capsules() {
        let form = Form { piece: Piece::Capsule, ..form(&TEMOZOLOMIDE, Rounding::Nearest) };
        assert_eq!(words(370.0, &form), "1 capsule of 250 mg, 1 of 100 mg and 1 of 20 mg");
        assert_eq!(words(360.0, &form), "2 capsules of 180 mg");
        // Four capsules in any way: those of one strength.
        assert_eq!(words(400.0, &form), "4 capsules of 100 mg");
        // 277.5 mg: 275 and 280 are as near; 280 is two capsules, 275 three.
        assert_eq!(words(277.5, &form), "2 capsules of 140 mg");
        let intake = tablets(346.0, 1, &form).unwrap();
        assert_eq!((intake.achieved_mg, intake.pieces()), (345.0, 4));
        assert!((intake.deviation_percent + 100.0 / 346.0).abs() < 1e-9);
    }

    #[test]
    fn the_largest_dose_of_a_day_binds() {
        // Some cap capecitabine at 2500 mg a day: 1250 an intake, of which tablets make 1250 not
        // (500 + 5 x 150 does).
        let form = Form {
            max_mg_per_day: Some(2500.0),
            max_tablets_per_intake: Some(4),
            ..form(&CAPECITABINE, Rounding::Nearest)
        };
        let intake = tablets(1500.0, 2, &form).unwrap();
        assert_eq!((intake.aimed_mg, intake.achieved_mg), (1250.0, 1150.0));
        assert_eq!((intake.target_mg, intake.cap), (1500.0, Some(Cap::Day)));
        // 1240 is below the cap; the nearest of four tablets, 1300, is above it.
        let intake = tablets(1240.0, 2, &form).unwrap();
        assert_eq!((intake.achieved_mg, intake.cap), (1150.0, Some(Cap::Day)));
        let intake = tablets(1000.0, 2, &form).unwrap();
        assert_eq!((intake.achieved_mg, intake.cap), (1000.0, None));
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let nearest = form(&CAPECITABINE, Rounding::Nearest);
        assert_eq!(
            words(50.0, &nearest),
            "50 mg an intake rounds to no tablet: the smallest has 150 mg"
        );
        let strict = Form { largest_deviation_percent: 5.0, ..nearest.clone() };
        assert_eq!(
            words(220.0, &strict),
            "220 mg an intake: the nearest is 150 mg (-31.8 %), at most 5 % is allowed"
        );
        for mg in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(matches!(tablets(mg, 2, &nearest), Err(DoseError::Value { .. })), "{mg}");
        }
        for strengths in [vec![], vec![0.0], vec![-5.0], vec![f64::NAN], vec![0.001], vec![1e9]] {
            let form = form(&strengths, Rounding::Nearest);
            assert!(matches!(tablets(100.0, 2, &form), Err(DoseError::Value { .. })));
        }
        let fine = form(&[0.01, 500.0], Rounding::Nearest);
        assert!(words(5000.0, &fine).contains("expected at most 20000 steps"));
        assert!(words(5000.0, &form(&[5.0], Rounding::Nearest)).contains("1000 tablets"));
        assert!(tablets(500.0, 0, &nearest).is_err());
    }

    /// All sums of few tablets, by brute force: the least number of tablets for each.
    fn brute(strengths: &[u64], most: u32) -> std::collections::BTreeMap<u64, u32> {
        let mut found = std::collections::BTreeMap::from([(0, 0)]);
        for pieces in 1..=most {
            let before: Vec<u64> = found.keys().copied().collect();
            for sum in before {
                for s in strengths {
                    found.entry(sum + s).or_insert(pieces);
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn as_near_and_as_few_as_by_brute_force(
            strengths in prop::collection::vec(1_u64..60, 1..4),
            target in 1_u64..240,
        ) {
            let mg: Vec<f64> = strengths.iter().map(|s| *s as f64).collect();
            let form =
                Form { max_tablets_per_intake: Some(5), ..form(&mg, Rounding::Nearest) };
            let sums = brute(&strengths, 5);
            let best = sums.iter().min_by_key(|(s, n)| (s.abs_diff(target), **n, **s)).unwrap();
            match tablets(target as f64, 1, &form) {
                Ok(intake) => prop_assert_eq!(
                    (intake.achieved_mg, intake.pieces()),
                    (*best.0 as f64, *best.1)
                ),
                Err(DoseError::Nothing { .. }) => prop_assert_eq!(*best.0, 0),
                Err(DoseError::Deviation { achieved_mg, .. }) => {
                    prop_assert_eq!(achieved_mg, *best.0 as f64);
                }
                Err(e) => prop_assert!(false, "{}", e),
            }
        }

        #[test]
        fn within_half_of_the_smallest(mg in 1.0_f64..2000.0) {
            for strengths in [&CAPECITABINE[..], &TEMOZOLOMIDE[..]] {
                let nearest = form(strengths, Rounding::Nearest);
                if let Ok(intake) = tablets(mg, 2, &nearest) {
                    prop_assert!((intake.achieved_mg - mg).abs() <= strengths[0] / 2.0 + 0.005);
                    let counted: f64 =
                        intake.counts.iter().map(|c| c.strength_mg * f64::from(c.count)).sum();
                    prop_assert_eq!(counted, intake.achieved_mg);
                }
            }
        }

        #[test]
        fn never_above_a_largest_dose(
            mg in 1.0_f64..4000.0,
            intake_cap in 150.0_f64..3000.0,
            day_cap in 150.0_f64..3000.0,
            times in 1_u32..4,
            down: bool,
        ) {
            let rounding = if down { Rounding::Down } else { Rounding::Nearest };
            let form = Form {
                max_mg_per_intake: Some(intake_cap),
                max_mg_per_day: Some(day_cap),
                ..form(&CAPECITABINE, rounding)
            };
            if let Ok(intake) = tablets(mg, times, &form) {
                prop_assert!(intake.achieved_mg <= intake_cap);
                prop_assert!(intake.achieved_mg * f64::from(times) <= day_cap);
                if down {
                    prop_assert!(intake.achieved_mg <= mg + 0.005);
                }
            }
        }

        #[test]
        fn more_is_asked_more_is_given(a in 1.0_f64..3000.0, b in 1.0_f64..3000.0, down: bool) {
            let rounding = if down { Rounding::Down } else { Rounding::Nearest };
            for form in [
                form(&CAPECITABINE, rounding),
                Form { max_mg_per_intake: Some(1400.0), ..form(&CAPECITABINE, rounding) },
                Form { max_tablets_per_intake: Some(5), ..form(&TEMOZOLOMIDE, rounding) },
            ] {
                if let (Ok(low), Ok(high)) =
                    (tablets(a.min(b), 2, &form), tablets(a.max(b), 2, &form))
                {
                    prop_assert!(low.achieved_mg <= high.achieved_mg);
                }
            }
        }

        #[test]
        fn the_order_of_strengths_does_not_matter(
            mg in 1.0_f64..1500.0,
            shuffled in Just(TEMOZOLOMIDE.to_vec()).prop_shuffle(),
        ) {
            prop_assert_eq!(
                tablets(mg, 1, &form(&TEMOZOLOMIDE, Rounding::Nearest)),
                tablets(mg, 1, &form(&shuffled, Rounding::Nearest))
            );
        }
    }
}
