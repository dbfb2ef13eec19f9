//! Shares of patients with exact intervals.

use crate::AnalysisError;
use hepatica_statistics::proportion::clopper_pearson;
use schemars::JsonSchema;
use serde::Serialize;

/// Some of some patients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The fraction; none of nobody.
    pub fraction: Option<f64>,
    /// Its exact interval (Clopper and Pearson).
    pub interval: Option<[f64; 2]>,
}

impl Share {
    /// Some of some.
    ///
    /// # Errors
    /// When there are more than there are.
    pub fn of(count: usize, of: usize, level: f64) -> Result<Self, AnalysisError> {
        let (count, of) = (count as u64, of as u64);
        if of == 0 && count == 0 {
            return Ok(Self { count, of, fraction: None, interval: None });
        }
        let interval = clopper_pearson(count, of, level)?;
        let interval = Some([interval.lower, interval.upper]);
        Ok(Self { count, of, fraction: Some(count as f64 / of as f64), interval })
    }

    /// `14 of 19, 74 % (49 to 91)`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.fraction, self.interval) {
            (Some(f), Some([a, b])) => format!(
                "{} of {}, {:.0} % ({:.0} to {:.0})",
                self.count,
                self.of,
                100.0 * f,
                100.0 * a,
                100.0 * b
            ),
            _ => format!("{} of {}", self.count, self.of),
        }
    }
}

/// The least, the middle and the most of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Of how many.
    pub n: u64,
    /// Least.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Most.
    pub most: f64,
}

impl Spread {
    /// Of numbers; none of none.
    #[must_use]
    pub fn of(numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = numbers.collect();
        all.sort_by(f64::total_cmp);
        let (least, most) = (*all.first()?, *all.last()?);
        let half = all.len() / 2;
        let median = if all.len() % 2 == 1 { all[half] } else { (all[half - 1] + all[half]) / 2.0 };
        Some(Self { n: all.len() as u64, least, median, most })
    }
}
