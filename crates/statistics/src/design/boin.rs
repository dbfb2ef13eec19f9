//! The Bayesian optimal interval design for finding a dose (Liu and Yuan 2015).

use super::size;
use crate::distribution::beta;
use crate::error::{Error, Result, open_unit};

/// Two limits for the observed toxicity rate, and when a dose is given up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boin {
    /// Toxicity rate aimed at.
    pub target: f64,
    /// Escalate when the observed rate is at most this:
    /// `ln((1-p1)/(1-t)) / ln(t (1-p1)/(p1 (1-t)))`, p1 the rate that is too low.
    pub escalate: f64,
    /// De-escalate when it is at least this:
    /// `ln((1-t)/(1-p2)) / ln(p2 (1-t)/(t (1-p2)))`, p2 the rate that is too high.
    pub deescalate: f64,
    /// Give a dose up when `P(rate > target)` is above this under the prior Beta(1, 1).
    pub eliminate: f64,
}

/// What to do at a dose after a number of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoinRow {
    /// Subjects at the dose.
    pub n: u32,
    /// Escalate with at most so many toxicities.
    pub escalate_at_most: u32,
    /// De-escalate with at least so many; `None` when n is too small for any.
    pub deescalate_at_least: Option<u32>,
    /// Give up this dose and those above with at least so many; `None` when no count is enough,
    /// or fewer than three subjects were treated.
    pub eliminate_at_least: Option<u32>,
}

/// Fewest subjects on which a dose is given up.
const EVALUABLE: u32 = 3;

impl Boin {
    /// The usual setting: 0.6 and 1.4 times the target are too low and too high, and a dose is
    /// given up at 0.95.
    ///
    /// # Errors
    /// On a target outside (0, 1), or above 1/1.4.
    pub fn new(target: f64) -> Result<Self> {
        Self::with(target, 0.6 * target, 1.4 * target, 0.95)
    }

    /// All settings.
    ///
    /// # Errors
    /// Unless `0 < too_low < target < too_high < 1` and `0 < eliminate < 1`.
    pub fn with(target: f64, too_low: f64, too_high: f64, eliminate: f64) -> Result<Self> {
        open_unit("the target", target)?;
        open_unit("the rate that is too low", too_low)?;
        open_unit("the rate that is too high", too_high)?;
        open_unit("the certainty to eliminate", eliminate)?;
        for (null, alternative) in [(too_low, target), (target, too_high)] {
            if !(null < alternative) {
                return Err(Error::NotBelow { null, alternative });
            }
        }
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let cut =
            |low: f64, high: f64| ((1.0 - low) / (1.0 - high)).ln() / (odds(high) - odds(low));
        Ok(Self {
            target,
            escalate: cut(too_low, target),
            deescalate: cut(target, too_high),
            eliminate,
        })
    }

    /// The row of the table after `n` subjects at a dose.
    ///
    /// # Errors
    /// When n is 0 or above 1000.
    pub fn row(&self, n: u32) -> Result<BoinRow> {
        size("subjects at a dose", n, 1, 1_000)?;
        let rate = |x: u32| f64::from(x) / f64::from(n);
        let escalate_at_most = (0..=n).take_while(|x| rate(*x) <= self.escalate).count() as u32;
        let posterior = |x: u32| beta::sf(self.target, 1.0 + f64::from(x), 1.0 + f64::from(n - x));
        Ok(BoinRow {
            n,
            // Zero of n is always at most the limit.
            escalate_at_most: escalate_at_most - 1,
            deescalate_at_least: (0..=n).find(|x| rate(*x) >= self.deescalate),
            eliminate_at_least: (0..=n).find(|x| n >= EVALUABLE && posterior(*x) > self.eliminate),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liu_and_yuan_2015_table_1() {
        // Limits for targets with the usual setting.
        for (target, low, high) in [
            (0.15, 0.118, 0.179),
            (0.2, 0.157, 0.238),
            (0.25, 0.197, 0.298),
            (0.3, 0.236, 0.358),
            (0.35, 0.276, 0.419),
            (0.4, 0.316, 0.480),
        ] {
            let boin = Boin::new(target).expect("a target");
            assert!((boin.escalate - low).abs() < 6e-4, "{target}: {}", boin.escalate);
            assert!((boin.deescalate - high).abs() < 6e-4, "{target}: {}", boin.deescalate);
        }
        let one = Boin::new(0.3).expect("a target").row(1).expect("a row");
        assert_eq!((one.escalate_at_most, one.deescalate_at_least), (0, Some(1)));
        assert_eq!(one.eliminate_at_least, None);
    }

    #[test]
    fn targets_that_leave_no_room_are_refused() {
        for target in [0.0, 1.0, 0.72, f64::NAN] {
            assert!(Boin::new(target).is_err(), "{target}");
        }
        assert!(matches!(Boin::with(0.3, 0.3, 0.4, 0.95), Err(Error::NotBelow { .. })));
        assert!(Boin::new(0.3).expect("a target").row(0).is_err());
    }
}
