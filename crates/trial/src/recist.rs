//! RECIST 1.1 of one region, scan by scan: the part of `hepatica_regimen::response` that virtual patients
//! need, made for speed. Both say the same of the same sizes (`tests/`).

use crate::program::ResponseProgram;

/// Below this a sum has not changed, mm: as in `hepatica_regimen::response`.
const NOISE_MM: f64 = 1e-6;

/// Where a region stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    baseline_mm: f64,
    smallest_mm: f64,
    has_targets: bool,
    responding: bool,
    /// Response so far.
    pub best: Best,
    /// Whether a response was seen on two scans in a row.
    pub confirmed: bool,
    /// Day of progression.
    pub progressed: Option<u16>,
}

/// The best response seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Best {
    /// No scan, or no disease.
    None,
    /// Progression at the first scan that counts.
    Progression,
    /// Stable disease.
    Stable,
    /// Partial response.
    Response,
}

impl Region {
    /// Begins with the sum of the targets at baseline; none: no measurable disease.
    #[must_use]
    pub fn new(baseline_mm: Option<f64>) -> Self {
        let sum = baseline_mm.unwrap_or(0.0);
        Self {
            baseline_mm: sum,
            smallest_mm: sum,
            has_targets: baseline_mm.is_some(),
            responding: false,
            best: Best::None,
            confirmed: false,
            progressed: None,
        }
    }

    /// Whether there are targets.
    #[must_use]
    pub fn has_targets(&self) -> bool {
        self.has_targets
    }

    /// Change from baseline of a sum, a share.
    #[must_use]
    pub fn change(&self, sum_mm: f64) -> f64 {
        sum_mm / self.baseline_mm - 1.0
    }

    /// A scan: the sum of the targets, and whether other disease shows progression.
    pub fn see(&mut self, rules: &ResponseProgram, day: u16, sum_mm: f64, other: bool) {
        if self.progressed.is_some() {
            return;
        }
        let grown = self.has_targets
            && sum_mm - self.smallest_mm + NOISE_MM >= rules.progression_mm
            && sum_mm + NOISE_MM >= self.smallest_mm * (1.0 + rules.progression);
        if grown || other {
            self.progressed = Some(day);
            self.best = self.best.max(Best::Progression);
            return;
        }
        if !self.has_targets {
            return;
        }
        self.smallest_mm = self.smallest_mm.min(sum_mm);
        let responds = sum_mm <= self.baseline_mm * (1.0 - rules.partial) + NOISE_MM;
        self.confirmed |= responds && self.responding;
        self.responding = responds;
        if responds {
            self.best = Best::Response;
        } else if u32::from(day) >= rules.stable_min_days {
            self.best = self.best.max(Best::Stable);
        }
    }
}
