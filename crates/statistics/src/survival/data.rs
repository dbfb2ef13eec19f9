//! Right-censored times, checked once and sorted once.

use crate::error::{Error, Result, length};

/// Follow-up of every subject: until when, and whether the event happened then.
///
/// A time is finite and not negative. Of a censored time it is known that the event had not
/// happened until then; at equal times events come before censoring. Times count as equal when
/// they are the same number: round times that carry arithmetic noise before they come here.
#[derive(Debug, Clone, PartialEq)]
pub struct Survival {
    time: Vec<f64>,
    event: Vec<bool>,
    /// Rows by time, events first among equal times.
    order: Vec<usize>,
}

/// Who was at risk, and what happened, at one of the distinct times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskSet {
    /// The time.
    pub time: f64,
    /// Subjects under observation just before it.
    pub at_risk: usize,
    /// Events at it.
    pub events: usize,
    /// Subjects censored at it.
    pub censored: usize,
}

impl Survival {
    /// Checks and sorts.
    ///
    /// # Errors
    /// When there is no row, the lists differ in length, or a time is negative or not finite.
    pub fn new(time: Vec<f64>, event: Vec<bool>) -> Result<Self> {
        if time.is_empty() {
            return Err(Error::Empty { what: "the list of times" });
        }
        length("the list of events", time.len(), event.len())?;
        check_times(&time)?;
        let mut order: Vec<usize> = (0..time.len()).collect();
        order.sort_by(|&a, &b| time[a].total_cmp(&time[b]).then(event[b].cmp(&event[a])));
        Ok(Self { time, event, order })
    }

    /// The rows for which `keep` is true.
    ///
    /// # Errors
    /// When none is kept.
    pub fn select(&self, keep: impl Fn(usize) -> bool) -> Result<Self> {
        let rows: Vec<usize> = (0..self.len()).filter(|row| keep(*row)).collect();
        Self::new(
            rows.iter().map(|row| self.time[*row]).collect(),
            rows.iter().map(|row| self.event[*row]).collect(),
        )
    }

    /// Number of subjects, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Number of events.
    #[must_use]
    pub fn events(&self) -> usize {
        self.event.iter().filter(|e| **e).count()
    }

    /// Times in the order of the rows.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.time
    }

    /// Whether each row had the event, in the order of the rows.
    #[must_use]
    pub fn event_flags(&self) -> &[bool] {
        &self.event
    }

    /// Rows by time, events first among equal times.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Last time at which somebody was under observation.
    #[must_use]
    pub fn last_time(&self) -> f64 {
        self.order.last().map_or(0.0, |row| self.time[*row])
    }

    /// The distinct times in ascending order, with counts.
    #[must_use]
    pub fn risk_sets(&self) -> Vec<RiskSet> {
        let mut sets: Vec<RiskSet> = Vec::new();
        for (before, &row) in self.order.iter().enumerate() {
            let (time, event) = (self.time[row], self.event[row]);
            match sets.last_mut() {
                Some(set) if set.time == time => {
                    set.events += usize::from(event);
                    set.censored += usize::from(!event);
                }
                _ => sets.push(RiskSet {
                    time,
                    at_risk: self.len() - before,
                    events: usize::from(event),
                    censored: usize::from(!event),
                }),
            }
        }
        sets
    }
}

/// Each time is finite and not negative.
pub(crate) fn check_times(time: &[f64]) -> Result<()> {
    for (row, &value) in time.iter().enumerate() {
        if !(value >= 0.0 && value.is_finite()) {
            let expected = "a finite time, 0 or later";
            return Err(Error::Value { what: "time", row, value, expected });
        }
    }
    Ok(())
}

/// Labels as 0, 1, 2, ... in ascending order of the labels, and the labels.
pub(crate) fn compress(labels: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut levels = labels.to_vec();
    levels.sort_unstable();
    levels.dedup();
    let codes = labels.iter().map(|label| levels.partition_point(|level| level < label)).collect();
    (codes, levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_before_censoring_at_equal_times() {
        let data = Survival::new(vec![3.0, 2.0, 3.0, 1.0], vec![false, true, true, false]);
        let data = data.expect("valid");
        assert_eq!(data.order(), [3, 1, 2, 0]);
        let sets = data.risk_sets();
        let counts: Vec<_> = sets.iter().map(|s| (s.at_risk, s.events, s.censored)).collect();
        assert_eq!(counts, [(4, 0, 1), (3, 1, 0), (2, 1, 1)]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let e = Survival::new(vec![1.0, bad], vec![true, true]);
            assert!(matches!(e, Err(Error::Value { row: 1, .. })), "{bad}");
        }
        assert!(matches!(Survival::new(vec![], vec![]), Err(Error::Empty { .. })));
        assert!(matches!(Survival::new(vec![1.0], vec![]), Err(Error::Length { .. })));
    }
}
