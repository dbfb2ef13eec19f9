//! Dates to places on the page.

use hepatica_regimen::course::{days_between, plus};
use jiff::civil::Date;

/// Months, short.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A scale of days. A day is as wide as a day; what happens on it stands in its middle.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// First day.
    pub from: Date,
    /// Last day, which is on it to its end.
    pub to: Date,
    /// Left end.
    pub left: f64,
    /// Right end.
    pub right: f64,
}

impl Axis {
    /// Width of a day.
    pub fn day(&self) -> f64 {
        (self.right - self.left) / (days_between(self.from, self.to) + 1).max(1) as f64
    }

    /// So many days after the beginning of the first day, kept on the axis.
    pub fn at(&self, days: f64) -> f64 {
        (self.left + days * self.day()).clamp(self.left, self.right)
    }

    /// The beginning of a day.
    pub fn begin(&self, date: Date) -> f64 {
        self.at(self.days(date))
    }

    /// The end of a day.
    pub fn end(&self, date: Date) -> f64 {
        self.at(self.days(date) + 1.0)
    }

    /// The middle of a day.
    pub fn middle(&self, date: Date) -> f64 {
        self.at(self.days(date) + 0.5)
    }

    /// Days from the beginning of the axis.
    pub fn days(&self, date: Date) -> f64 {
        days_between(self.from, date) as f64
    }

    /// Whether a day is on it.
    pub fn holds(&self, date: Date) -> bool {
        (self.from..=self.to).contains(&date)
    }

    /// First days of the months on it, the first one cut off.
    pub fn months(&self) -> Vec<Date> {
        let mut months = vec![self.from];
        let mut day = self.from.first_of_month();
        loop {
            let next = plus(day, 32).first_of_month();
            if next <= day || next > self.to {
                return months;
            }
            months.push(next);
            day = next;
        }
    }
}

/// `7 Jan`.
pub fn short(date: Date) -> String {
    format!("{} {}", date.day(), MONTHS[date.month() as usize - 1])
}

/// `7 Jan 2027`.
pub fn long(date: Date) -> String {
    format!("{} {}", short(date), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_are_equally_wide_and_stay_on_the_axis() {
        let axis =
            Axis { from: date(2026, 12, 2), to: date(2027, 1, 10), left: 100.0, right: 500.0 };
        assert_eq!(axis.begin(axis.from), 100.0);
        assert_eq!(axis.end(axis.to), 500.0);
        assert!((axis.day() - 10.0).abs() < 1e-12);
        assert_eq!(axis.begin(date(2030, 1, 1)), 500.0);
        assert_eq!(axis.months(), [date(2026, 12, 2), date(2027, 1, 1)]);
    }
}
