//! What is counted of many patients: whole numbers that add up in any order, so that the same patients give
//! the same result with any number of threads and machines.

use crate::outcome::{End, Endpoint, Outcome};
use crate::recist::Best;

/// Days of a bin of time. Scans come on whole weeks; deaths are taken to the beginning of theirs.
pub const BIN_DAYS: u16 = 7;
/// Bins: ten years.
pub const BINS: usize = 522;

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Everyone enrolled.
    All = 0,
    /// Those who had a session.
    Treated = 1,
}

/// A block of counts with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in files.
    pub name: &'static str,
    at: usize,
    len: usize,
}

macro_rules! layout {
    ($($name:ident = $len:expr,)*) => {
        /// The blocks of counts of a group.
        #[allow(missing_docs, non_upper_case_globals)]
        pub mod field {
            use super::{BINS, Field};
            layout!(@each 0; $($name = $len,)*);
        }
        /// All blocks, in order.
        pub const FIELDS: &[Field] = &[$(field::$name),*];
    };
    (@each $at:expr; $name:ident = $len:expr, $($rest:tt)*) => {
        pub const $name: Field = Field { name: stringify!($name), at: $at, len: $len };
        layout!(@each $at + $len; $($rest)*);
    };
    (@each $at:expr;) => {
        pub const LENGTH: usize = $at;
    };
}

layout! {
    patients = 1,
    elsewhere = 1,
    best_liver = 4,
    best_elsewhere = 4,
    best_all = 4,
    confirmed = 3,
    // By day of the scan: first, second, ... eighth.
    response_scan = 8,
    response_by_mgmt = 4,
    response_by_grade = 6,
    response_by_site = 4,
    neutrophils_grade = 5,
    platelets_grade = 5,
    lymphocytes_grade = 5,
    other_grade = 5,
    liver_toxicity = 2,
    sessions = 3,
    end = 7,
    unsuitable = 1,
    low_at_session = 2,
    // By cycle of the first session; the last is that or later.
    session_cycle = 16,
    cycles_sum = 1,
    waits_sum = 1,
    reductions_sum = 1,
    reduced = 1,
    intensity_sum = 2,
    overlap_sum = 2,
    pfs_event = BINS,
    pfs_censored = BINS,
    hepatic_event = BINS,
    hepatic_censored = BINS,
    // What came first: hepatic progression, extrahepatic progression, death.
    first_hepatic = BINS,
    first_elsewhere = BINS,
    first_death = BINS,
    first_censored = BINS,
}

/// Counts of the two groups of an arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: vec![0; Self::LENGTH] }
    }
}

impl Tally {
    /// Numbers of a tally.
    pub const LENGTH: usize = 2 * field::LENGTH;

    /// From numbers that [`Tally::counts`] gave.
    #[must_use]
    pub fn from_counts(counts: Vec<u64>) -> Option<Self> {
        (counts.len() == Self::LENGTH).then_some(Self { counts })
    }

    /// All numbers, in the order of [`FIELDS`], everyone first.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// A block of counts.
    #[must_use]
    pub fn of(&self, group: Group, f: Field) -> &[u64] {
        let at = group as usize * field::LENGTH + f.at;
        &self.counts[at..at + f.len]
    }

    /// The only number of a block.
    #[must_use]
    pub fn one(&self, group: Group, f: Field) -> u64 {
        self.of(group, f)[0]
    }

    /// A number of a block over all patients of the group; `None` of nobody.
    #[must_use]
    pub fn share(&self, group: Group, f: Field, place: usize) -> Option<f64> {
        let n = self.one(group, field::patients);
        (n > 0).then(|| self.of(group, f)[place] as f64 / n as f64)
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// Adds a patient.
    pub fn add(&mut self, o: &Outcome) {
        self.count(Group::All, o);
        if o.sessions > 0 {
            self.count(Group::Treated, o);
        }
    }

    fn count(&mut self, group: Group, o: &Outcome) {
        let base = group as usize * field::LENGTH;
        let counts = &mut self.counts;
        let mut add =
            |f: Field, place: usize, n: u64| counts[base + f.at + place.min(f.len - 1)] += n;
        let yes = u64::from;
        let responds = usize::from(o.best[0] == Best::Response);
        add(field::patients, 0, 1);
        add(field::elsewhere, 0, yes(o.elsewhere));
        add(field::best_liver, o.best[0] as usize, 1);
        if o.elsewhere {
            add(field::best_elsewhere, o.best[1] as usize, 1);
        }
        add(field::best_all, o.best[2] as usize, 1);
        for (n, confirmed) in o.confirmed.into_iter().enumerate() {
            add(field::confirmed, n, yes(confirmed));
        }
        if o.response_day > 0 {
            add(field::response_scan, usize::from(o.response_day / 84).saturating_sub(1), 1);
        }
        add(field::response_by_mgmt, 2 * usize::from(o.mgmt_low) + responds, 1);
        add(field::response_by_grade, 2 * usize::from(o.grade - 1) + responds, 1);
        add(field::response_by_site, 2 * usize::from(o.pancreatic) + responds, 1);
        for (f, grade) in
            [field::neutrophils_grade, field::platelets_grade, field::lymphocytes_grade]
                .into_iter()
                .zip(o.blood_grade)
        {
            add(f, usize::from(grade), 1);
        }
        add(field::other_grade, usize::from(o.other_grade), 1);
        for (n, harmed) in o.liver_toxicity.into_iter().enumerate() {
            add(field::liver_toxicity, n, yes(harmed));
        }
        add(field::sessions, usize::from(o.sessions), 1);
        add(field::end, o.end as usize, 1);
        add(field::unsuitable, 0, yes(!o.suitable));
        if o.sessions > 0 {
            add(field::session_cycle, usize::from(o.session_cycle), 1);
            add(field::low_at_session, 0, yes(o.session_platelets < 100));
            add(field::low_at_session, 1, yes(o.session_platelets < 150));
        }
        add(field::cycles_sum, 0, u64::from(o.cycles));
        add(field::waits_sum, 0, u64::from(o.waits));
        add(field::reductions_sum, 0, u64::from(o.reductions));
        add(field::reduced, 0, yes(o.reductions > 0));
        for n in 0..2 {
            add(field::intensity_sum, n, u64::from(o.intensity_percent[n]));
            add(field::overlap_sum, n, u64::from(o.overlap[n]));
        }
        let bin = |day: u16| usize::from(day / BIN_DAYS);
        let endpoint = |e: Endpoint, event: Field, censored: Field| {
            (if e.event { event } else { censored }, bin(e.day))
        };
        let (f, at) = endpoint(o.pfs, field::pfs_event, field::pfs_censored);
        add(f, at, 1);
        let (f, at) = endpoint(o.hepatic_pfs, field::hepatic_event, field::hepatic_censored);
        add(f, at, 1);
        let f = match o.first.1 {
            1 => field::first_hepatic,
            2 => field::first_elsewhere,
            3 => field::first_death,
            _ => field::first_censored,
        };
        add(f, bin(o.first.0), 1);
    }
}

/// The share of a curve without an event, bin by bin: Kaplan and Meier's estimate of counted times.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Share left after the events of each bin.
    pub left: Vec<f64>,
}

impl Curve {
    /// From events and censored times by bin.
    #[must_use]
    pub fn new(events: &[u64], censored: &[u64]) -> Self {
        let mut at_risk: u64 = events.iter().chain(censored).sum();
        let mut share = 1.0;
        let left = events
            .iter()
            .zip(censored)
            .map(|(d, c)| {
                if *d > 0 {
                    share *= 1.0 - *d as f64 / at_risk as f64;
                }
                at_risk -= d + c;
                share
            })
            .collect();
        Self { left }
    }

    /// Progression-free survival, or that of the liver, of a tally.
    #[must_use]
    pub fn of(tally: &Tally, group: Group, hepatic: bool) -> Self {
        let (event, censored) = if hepatic {
            (field::hepatic_event, field::hepatic_censored)
        } else {
            (field::pfs_event, field::pfs_censored)
        };
        Self::new(tally.of(group, event), tally.of(group, censored))
    }

    /// Share left at a day.
    #[must_use]
    pub fn at(&self, day: f64) -> f64 {
        let bin = (day / f64::from(BIN_DAYS)).floor().max(0.0) as usize;
        self.left.get(bin).or(self.left.last()).copied().unwrap_or(1.0)
    }

    /// Median in days, linear between the two scans around it: a trial of these patients would see a step
    /// there. `None` where half is not reached.
    #[must_use]
    pub fn median_d(&self, scan_every: u16) -> Option<f64> {
        let every = usize::from(scan_every / BIN_DAYS).max(1);
        let on_scan: Vec<(usize, f64)> = (0..self.left.len())
            .step_by(every)
            .map(|bin| (bin, if bin == 0 { 1.0 } else { self.left[bin] }))
            .collect();
        let pair = on_scan.windows(2).find(|w| w[1].1 <= 0.5)?;
        let [(from, before), (to, after)] = [pair[0], pair[1]];
        let share = (before - 0.5) / (before - after);
        let day = |bin: usize| bin as f64 * f64::from(BIN_DAYS);
        Some(day(from) + share * (day(to) - day(from)))
    }
}

impl End {
    /// Its share of a group.
    #[must_use]
    pub fn share(self, tally: &Tally, group: Group) -> Option<f64> {
        tally.share(group, field::end, self as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_side_by_side() {
        let mut at = 0;
        for f in FIELDS {
            assert_eq!(f.at, at, "{}", f.name);
            at += f.len;
        }
        assert_eq!(at, field::LENGTH);
    }

    #[test]
    fn a_curve_without_censoring_is_the_share_left() {
        let events = [0, 2, 0, 3, 0, 5];
        let curve = Curve::new(&events, &[0; 6]);
        let expected = [1.0, 0.8, 0.8, 0.5, 0.5, 0.0];
        assert!(curve.left.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
        // Freireich 1963, 6-MP: after 10 weeks 15 at risk, 0.7529 left (Kleinbaum's table).
        let (mut events, mut censored) = ([0; 36], [0; 36]);
        for t in [6, 6, 6, 7, 10, 13, 16, 22, 23] {
            events[t] += 1;
        }
        for t in [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35] {
            censored[t] += 1;
        }
        let curve = Curve::new(&events, &censored);
        assert!((curve.left[10] - 0.7529).abs() < 5e-5);
        assert!((curve.left[23] - 0.4482).abs() < 5e-5);
    }
}
