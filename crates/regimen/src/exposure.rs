//! How much of the absorbed dose is delivered while a drug is taken.
//!
//! The spheres stay where they lodge and decay, so the dose rate falls with the physical half-life
//! and the fraction delivered between two instants is the difference of two exponentials: exact,
//! no sum over days. A drug's days are civil days of the site's zone, from midnight to midnight: a
//! day of 23 or 25 hours counts as such.

use crate::calendar::{Calendar, CalendarError};
use crate::protocol::{Drug, Protocol};
use hepatica_physics::TimeSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why an exposure cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExposureError {
    /// The calendar.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// A midnight that does not exist in the zone.
    #[error("the day {date} has no beginning in the zone {zone}")]
    Midnight {
        /// The day.
        date: Date,
        /// The zone.
        zone: String,
    },
}

/// Fraction of the dose of full decay that is delivered from `from` to `to` after instillation.
#[must_use]
pub fn delivered(half_life: TimeSpan, from: TimeSpan, to: TimeSpan) -> f64 {
    let left = |t: TimeSpan| (-(t.max(TimeSpan::ZERO) / half_life)).exp2();
    (left(from) - left(to)).max(0.0)
}

/// For every drug of the protocol the fraction of the dose of a session instilled at `instant`
/// that is delivered on the days the drug is taken in the cycle of the session.
///
/// Later cycles are left out, because whether they begin on time is not known yet. With 90Y on day
/// 7 of 28 they would add 0.4 % of the dose.
///
/// # Errors
/// When a date is beyond the calendar, or a day does not begin.
pub fn overlap(
    protocol: &Protocol,
    calendar: &Calendar,
    instant: &ZonedDateTime,
    half_life: TimeSpan,
) -> Result<BTreeMap<String, f64>, ExposureError> {
    let zone = instant.time_zone();
    // Before the first day no drug was taken: the windows of the first cycle are all to come.
    let cycle = calendar.cycle_day(instant.date()).map_or(1, |c| c.cycle);
    let after = |date: Date| -> Result<TimeSpan, ExposureError> {
        let elapsed = midnight(date, zone)?.timestamp() - instant.timestamp();
        Ok(TimeSpan::from_s(elapsed.as_secs_f64()))
    };
    let fraction = |drug: &Drug| {
        let [from, to] = calendar.drug(drug, cycle)?;
        let day_after = to.checked_add(1.day()).map_err(|_| CalendarError::Beyond {
            c1d1: calendar.c1d1(),
            cycle,
            day: drug.last_day,
        })?;
        Ok((drug.id.clone(), delivered(half_life, after(from)?, after(day_after)?)))
    };
    protocol.drug.iter().map(fraction).collect()
}

/// The first instant of a day: midnight, or what follows it where clocks skip midnight.
fn midnight(date: Date, zone: &TimeZone) -> Result<ZonedDateTime, ExposureError> {
    date.to_zoned_datetime(zone.clone()).map_err(|_| ExposureError::Midnight {
        date,
        zone: zone.iana_name().unwrap_or("of the site").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::Nuclide;
    use proptest::prelude::*;

    fn c2d7(zone: &str, c1d1: &str) -> (Protocol, Calendar, ZonedDateTime) {
        let protocol = Protocol::named("captemy90").expect("shipped");
        let calendar = Calendar::new(&protocol, Calendar::parse_date(c1d1).expect("a date"));
        let date = calendar.date(crate::CycleDay { cycle: 2, day: 7 }).expect("near");
        (protocol, calendar, date.at(12, 0, 0, 0).in_tz(zone).expect("a zone"))
    }

    #[test]
    fn half_of_the_dose_comes_before_temozolomide() {
        let (protocol, calendar, instant) = c2d7("UTC", "2026-12-02");
        let o = overlap(&protocol, &calendar, &instant, Nuclide::Y90.half_life).unwrap();
        // Days 10 to 14 begin 2.5 days and end 7.5 days after noon of day 7.
        let two = |d: f64| (-d * 24.0 / 64.1).exp2();
        assert!((o["capecitabine"] - (1.0 - two(7.5))).abs() < 1e-9);
        assert!((o["temozolomide"] - (two(2.5) - two(7.5))).abs() < 1e-9);
    }

    #[test]
    fn the_night_clocks_change_counts_as_long_as_it_is() {
        // In New York the 14th of March 2027 has 23 hours; C2D7 is the 9th, C2D16 the 18th.
        let (protocol, calendar, instant) = c2d7("America/New_York", "2027-02-03");
        let o = overlap(&protocol, &calendar, &instant, Nuclide::Y90.half_life).unwrap();
        let two = |h: f64| (-h / 64.1).exp2();
        assert!((o["capecitabine"] - (1.0 - two(7.5 * 24.0 - 1.0))).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn what_is_delivered_adds_up(a in 0.0_f64..500.0, b in 0.0_f64..500.0) {
            let t = Nuclide::Y90.half_life;
            let h = TimeSpan::from_h;
            let whole = delivered(t, h(0.0), h(a + b));
            let parts = delivered(t, h(0.0), h(a)) + delivered(t, h(a), h(a + b));
            prop_assert!((whole - parts).abs() < 1e-12);
        }
    }
}
