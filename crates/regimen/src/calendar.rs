//! A protocol on real dates. Days are civil days: no hours, no zones.

use crate::course::days_between;
use crate::protocol::{Drug, Protocol, Window};
use jiff::Span;
use jiff::civil::Date;
use thiserror::Error;

/// Why there is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// The first day is no date.
    #[error("c1d1 = `{found}`, expected a date written YYYY-MM-DD, as in 2026-12-02")]
    Date {
        /// What was given.
        found: String,
    },
    /// A day beyond what dates can say.
    #[error("day {day} of cycle {cycle} after {c1d1} is beyond the calendar")]
    Beyond {
        /// First day of the first cycle.
        c1d1: Date,
        /// Cycle.
        cycle: u32,
        /// Day.
        day: u32,
    },
}

/// A day of a cycle, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CycleDay {
    /// Cycle.
    pub cycle: u32,
    /// Day of the cycle.
    pub day: u32,
}

impl std::fmt::Display for CycleDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "C{}D{}", self.cycle, self.day)
    }
}

/// Cycles on real dates: those whose first day is known, then cycles of equal length laid end to
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    c1d1: Date,
    cycle_days: u32,
    /// First days that are known, from the first cycle on.
    starts: Vec<Date>,
}

impl Calendar {
    /// The calendar of a protocol whose first day is `c1d1`.
    #[must_use]
    pub fn new(protocol: &Protocol, c1d1: Date) -> Self {
        Self { c1d1, cycle_days: protocol.cycle.days, starts: vec![c1d1] }
    }

    /// The calendar of a course whose cycles began, or are expected, on these days, in order.
    /// Without any it is that of `c1d1` alone.
    #[must_use]
    pub fn with_starts(protocol: &Protocol, c1d1: Date, starts: Vec<Date>) -> Self {
        match starts.first() {
            Some(first) => Self { c1d1: *first, cycle_days: protocol.cycle.days, starts },
            None => Self::new(protocol, c1d1),
        }
    }

    /// Reads the first day, `YYYY-MM-DD` and nothing else.
    ///
    /// # Errors
    /// [`CalendarError::Date`].
    pub fn parse_date(text: &str) -> Result<Date, CalendarError> {
        let wrong = || CalendarError::Date { found: text.to_owned() };
        // The parser would take a time, too, and a date without dashes.
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(n, b)| match n {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            });
        if shape { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
    }

    /// First day of the first cycle.
    #[must_use]
    pub fn c1d1(&self) -> Date {
        self.c1d1
    }

    /// The date of a day of a cycle.
    ///
    /// # Errors
    /// [`CalendarError::Beyond`] past year 9999.
    pub fn date(&self, CycleDay { cycle, day }: CycleDay) -> Result<Date, CalendarError> {
        let beyond = CalendarError::Beyond { c1d1: self.c1d1, cycle, day };
        let known = (cycle.max(1) as usize).min(self.starts.len());
        let start = self.starts[known - 1];
        let cycles = i64::from(cycle) - known as i64;
        let days = cycles * i64::from(self.cycle_days) + i64::from(day) - 1;
        let span = Span::new().try_days(days);
        span.and_then(|span| start.checked_add(span)).map_err(|_| beyond)
    }

    /// Which day of which cycle a date is; `None` before the first day.
    #[must_use]
    pub fn cycle_day(&self, date: Date) -> Option<CycleDay> {
        let known = self.starts.partition_point(|s| *s <= date).checked_sub(1)?;
        let days = u32::try_from(days_between(self.starts[known], date)).ok()?;
        let number = u32::try_from(known).ok()?.saturating_add(1);
        // A cycle that was made to wait is longer than the others; the last known one is not.
        let cycles = if known + 1 == self.starts.len() { days / self.cycle_days } else { 0 };
        let day = days - cycles * self.cycle_days + 1;
        Some(CycleDay { cycle: number.saturating_add(cycles), day })
    }

    /// First, aimed at, and last date of a window.
    ///
    /// # Errors
    /// As [`Calendar::date`].
    pub fn window(&self, w: Window) -> Result<[Date; 3], CalendarError> {
        let on = |day| self.date(CycleDay { cycle: w.cycle, day });
        Ok([on(w.earliest)?, on(w.target)?, on(w.latest)?])
    }

    /// First and last date on which a drug is taken in a cycle.
    ///
    /// # Errors
    /// As [`Calendar::date`].
    pub fn drug(&self, drug: &Drug, cycle: u32) -> Result<[Date; 2], CalendarError> {
        let on = |day| self.date(CycleDay { cycle, day });
        Ok([on(drug.first_day)?, on(drug.last_day)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calendar(c1d1: &str) -> Calendar {
        let protocol = Protocol::named("captemy90").expect("shipped");
        Calendar::new(&protocol, Calendar::parse_date(c1d1).expect("a date"))
    }

    #[test]
    fn the_sessions_are_on_study_days_35_63_and_91() {
        let c = calendar("2026-12-02");
        for (cycle, study_day) in [(2, 35), (3, 63), (4, 91)] {
            let date = c.date(CycleDay { cycle, day: 7 }).unwrap();
            assert_eq!(c.c1d1().until(date).unwrap().get_days() + 1, study_day);
        }
    }

    #[test]
    fn a_cycle_beyond_the_calendar_is_an_error() {
        let c = calendar("2026-12-02");
        assert!(c.date(CycleDay { cycle: u32::MAX, day: 1 }).is_err());
        assert!(c.date(CycleDay { cycle: 200_000, day: 1 }).is_err());
    }

    #[test]
    fn only_dates_with_dashes_are_dates() {
        for text in ["02.12.2026", "2026-13-01", "20261202", "2026-12-02T10:00", "", "2026-02-29"] {
            assert!(Calendar::parse_date(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_and_cycle_days_are_the_same_thing(cycle in 1_u32..100, day in 1_u32..=28) {
            let c = calendar("2026-02-27");
            let there = CycleDay { cycle, day };
            prop_assert_eq!(c.cycle_day(c.date(there).unwrap()), Some(there));
        }
    }
}
