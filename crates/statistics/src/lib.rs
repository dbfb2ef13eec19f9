//! The statistics of a trial: how long until an event, how many responded, how many to enrol.
//!
//! Times are in whatever unit the caller uses, the same throughout a call; nothing here knows
//! patients, files or days.
//!
//! | question | where |
//! |---|---|
//! | what share responded | [`proportion`] |
//! | when do events happen, in whom | [`survival`] |
//! | how many subjects, when to stop | [`design`] |
//! | the distributions under all of it | [`distribution`] |
//!
//! Every answer is either a number that means what its documentation says or an [`Error`] with
//! what was wrong. What does not exist (a median that was not reached, a limit where the curve is
//! zero) is `None`, never NaN.
//!
//! ```
//! use hepatica_statistics::survival::{KaplanMeier, Scale, Survival, log_rank};
//!
//! // Leukaemia, remission in weeks, 6-mercaptopurine (Freireich 1963).
//! let weeks = vec![6., 6., 6., 6., 7., 9., 10., 10., 11., 13., 16., 17., 19., 20., 22., 23., 25., 32., 32., 34., 35.];
//! let relapse = vec![1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
//! let data = Survival::new(weeks, relapse.iter().map(|e| *e == 1).collect())?;
//! let curve = KaplanMeier::fit(&data);
//! assert_eq!(curve.median(), Some(23.0));
//! let at_ten = curve.at(10.0);
//! assert!((at_ten.survival - 0.7529).abs() < 5e-5);
//! # Ok::<(), hepatica_statistics::Error>(())
//! ```

mod error;
mod integrate;

pub mod design;
pub mod distribution;
pub mod proportion;
pub mod survival;

pub use error::{Error, Result};

/// Two limits of a confidence or credible interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

/// A chi-square statistic with its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquared {
    /// The statistic.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: usize,
}

impl ChiSquared {
    /// `P(X > statistic)`.
    #[must_use]
    pub fn p(&self) -> f64 {
        distribution::chi_squared::sf(self.statistic, self.df as f64)
    }
}
