//! What two therapies would do together if neither helped the other: three nulls that a combination must
//! beat, all of them, before anyone says synergy.
//!
//! | null | response | time to progression |
//! |---|---|---|
//! | Bliss (probabilities) | `1 - (1 - a)(1 - b)` | `1 - (1 - S_A)(1 - S_B)` |
//! | Law, Loewe (cells) | what both leave of the tumour multiplies: log reductions add | gains over no treatment add: a clone must outlive both |
//! | Frei (patients) | the patient responds to either | the longer of the two |
//!
//! Bliss takes the marginals of the arms; the other two take pairs: the same virtual patient in each arm,
//! so that who does well with one therapy also tends to with the other as far as the model says so. Law
//! 1952, Loewe 1953, Bliss 1939, Frei 1958; Palmer and Sorger 2017 (Cell 171:1678), Pomeroy 2022.

use crate::outcome::{Endpoint, Outcome};
use crate::recist::Best;
use crate::tally::{BIN_DAYS, BINS, Curve};

const RESPONSES: usize = 4;
const TIMES: [usize; 2] = [RESPONSES, RESPONSES + 4 * BINS];

/// Counts of pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// Patients, either responds, reductions multiply to a response, both respond; then for hepatic and
    /// for all progression: events and censored times of the longer one, of the sum of gains.
    counts: Vec<u64>,
}

impl Default for Paired {
    fn default() -> Self {
        Self { counts: vec![0; Self::LENGTH] }
    }
}

/// A null that is made of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Null {
    /// Cells.
    Law,
    /// Patients.
    Frei,
}

impl Paired {
    /// How many numbers.
    pub const LENGTH: usize = RESPONSES + 8 * BINS;

    /// From numbers that [`Paired::counts`] gave.
    #[must_use]
    pub fn from_counts(counts: Vec<u64>) -> Option<Self> {
        (counts.len() == Self::LENGTH).then_some(Self { counts })
    }

    /// All numbers.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// Adds a patient: with either therapy, with both, with none.
    pub fn add(&mut self, [a, b, _, none]: [&Outcome; 4], horizon: u16) {
        let responds = |o: &Outcome| o.best[0] == Best::Response;
        let left = |o: &Outcome| 1.0 + f64::from(o.liver_change_percent) / 100.0;
        self.counts[0] += 1;
        self.counts[1] += u64::from(responds(a) || responds(b));
        // What no treatment leaves is reading noise: it is in both.
        self.counts[2] += u64::from(left(a) * left(b) / left(none).max(0.5) <= 0.70);
        self.counts[3] += u64::from(responds(a) && responds(b));
        let of = |hepatic: bool, o: &Outcome| if hepatic { o.hepatic_pfs } else { o.pfs };
        for (at, hepatic) in TIMES.into_iter().zip([true, false]) {
            let [a, b, none] = [a, b, none].map(|o| of(hepatic, o));
            self.time(at, longer(a, b));
            self.time(at + 2 * BINS, sum_of_gains(a, b, none, horizon));
        }
    }

    fn time(&mut self, at: usize, e: Endpoint) {
        let bin = usize::from(e.day / BIN_DAYS).min(BINS - 1);
        self.counts[at + if e.event { 0 } else { BINS } + bin] += 1;
    }

    /// Share of patients whose liver would respond.
    #[must_use]
    pub fn response(&self, null: Null) -> Option<f64> {
        let place = match null {
            Null::Law => 2,
            Null::Frei => 1,
        };
        (self.counts[0] > 0).then(|| self.counts[place] as f64 / self.counts[0] as f64)
    }

    /// Progression-free survival, of the liver or of all.
    #[must_use]
    pub fn curve(&self, null: Null, hepatic: bool) -> Curve {
        let at = TIMES[usize::from(!hepatic)] + if null == Null::Law { 2 * BINS } else { 0 };
        Curve::new(&self.counts[at..at + BINS], &self.counts[at + BINS..at + 2 * BINS])
    }
}

/// Bliss's probability of either.
#[must_use]
pub fn bliss(a: f64, b: f64) -> f64 {
    1.0 - (1.0 - a) * (1.0 - b)
}

/// The longer of two times; it is known only if both are.
fn longer(a: Endpoint, b: Endpoint) -> Endpoint {
    if a.event && b.event {
        return Endpoint { day: a.day.max(b.day), event: true };
    }
    // Someone who was not followed to the end: what is known is that it lasted as long as that.
    let unknown = [a, b].into_iter().filter(|e| !e.event).map(|e| e.day).max().unwrap_or(0);
    let known = [a, b].into_iter().filter(|e| e.event).map(|e| e.day).max().unwrap_or(0);
    Endpoint { day: unknown.max(known.min(unknown)), event: false }
}

/// The time without treatment and what each therapy adds to it.
fn sum_of_gains(a: Endpoint, b: Endpoint, none: Endpoint, horizon: u16) -> Endpoint {
    let sum = i32::from(a.day) + i32::from(b.day) - i32::from(none.day);
    let sum = sum.max(i32::from(a.day.max(b.day)));
    if sum >= i32::from(horizon) {
        return Endpoint { day: horizon, event: false };
    }
    if a.event && b.event && none.event {
        Endpoint { day: sum as u16, event: true }
    } else {
        longer(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sums() {
        // clinical.md H: 0.51 and 0.40 are 0.71; trial.md 0: 0.40 and 0.50 are 0.70.
        assert!((bliss(0.51, 0.40) - 0.706).abs() < 1e-3);
        assert!((bliss(0.40, 0.50) - 0.70).abs() < 1e-12);
    }

    #[test]
    fn times_of_pairs() {
        let e = |day, event| Endpoint { day, event };
        assert_eq!(longer(e(84, true), e(168, true)), e(168, true));
        assert_eq!(longer(e(84, true), e(700, false)), e(700, false));
        assert_eq!(longer(e(300, true), e(100, false)), e(100, false));
        assert_eq!(sum_of_gains(e(336, true), e(252, true), e(84, true), 1825), e(504, true));
        assert_eq!(sum_of_gains(e(1400, true), e(900, true), e(84, true), 1825), e(1825, false));
        assert_eq!(sum_of_gains(e(84, true), e(84, true), e(168, true), 1825), e(84, true));
    }
}
