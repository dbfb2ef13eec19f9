//! What can be wrong with what was asked.

use thiserror::Error;

/// Why there is no answer. Each says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A list without rows.
    #[error("{what} is empty: at least one row is needed")]
    Empty {
        /// What was empty.
        what: &'static str,
    },
    /// Two lists that must go together do not.
    #[error("{what} has {found} rows, expected {expected}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Rows of the others.
        expected: usize,
        /// Rows it has.
        found: usize,
    },
    /// A value of a row is outside what it can be.
    #[error("row {row}: {what} is {value}, expected {expected}")]
    Value {
        /// Which column.
        what: &'static str,
        /// Row, counted from 0.
        row: usize,
        /// What was found.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// A setting is outside what it can be.
    #[error("{name} is {value}, expected {expected}")]
    Parameter {
        /// Which setting.
        name: &'static str,
        /// What was found.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// The alternative is not on the better side of the null.
    #[error("the null {null} must be below the alternative {alternative}")]
    NotBelow {
        /// Value under the null hypothesis.
        null: f64,
        /// Value under the alternative.
        alternative: f64,
    },
    /// More successes than subjects, or another count that cannot be.
    #[error("{what} is {found}, expected {lowest} to {highest}")]
    Count {
        /// Which count.
        what: &'static str,
        /// What was found.
        found: u64,
        /// Least it can be.
        lowest: u64,
        /// Most it can be.
        highest: u64,
    },
    /// Nothing happened to anybody, so nothing can be estimated.
    #[error("no {what}: nothing can be estimated from censored times alone")]
    NoEvents {
        /// Which events are missing.
        what: &'static str,
    },
    /// A comparison needs two groups that were both at risk when events happened.
    #[error("{found} group(s) with subjects at risk at an event: a comparison needs two")]
    TooFewGroups {
        /// How many there were.
        found: usize,
    },
    /// A covariate is constant, or a sum of others, among those at risk.
    #[error("term {term} does not vary, or is a combination of the others")]
    Collinear {
        /// Which term, counted from 0.
        term: usize,
    },
    /// The likelihood grows for ever along a coefficient (separation).
    #[error(
        "term {term}: the likelihood has no maximum at a finite coefficient (every event lies at one end of the term)"
    )]
    NoFiniteMaximum {
        /// Which term, counted from 0.
        term: usize,
    },
    /// An iteration ended before it met its tolerance.
    #[error("{what} did not converge in {iterations} iterations (gap {gap:.3e})")]
    NotConverged {
        /// Which fit.
        what: &'static str,
        /// Iterations done.
        iterations: usize,
        /// How far it was from its tolerance, in the fit's own measure.
        gap: f64,
    },
    /// A horizon past the last observation, where the curve is unknown.
    #[error(
        "the horizon {tau} is past the last observation at {last} and the curve has not reached zero: nothing is known there"
    )]
    BeyondFollowUp {
        /// Horizon asked for.
        tau: f64,
        /// Last observed time.
        last: f64,
    },
    /// No design of the family meets the error rates.
    #[error("no {what} with at most {n_max} subjects keeps both error rates")]
    NoDesign {
        /// Which family.
        what: &'static str,
        /// Largest size searched.
        n_max: u32,
    },
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;

/// A probability strictly between 0 and 1.
pub(crate) fn open_unit(name: &'static str, value: f64) -> Result<f64> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(Error::Parameter { name, value, expected: "more than 0 and less than 1" })
    }
}

/// A finite number above zero.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Parameter { name, value, expected: "a finite number above 0" })
    }
}

/// A finite number, zero or above.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<f64> {
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Parameter { name, value, expected: "a finite number, 0 or more" })
    }
}

/// A list as long as the others.
pub(crate) fn length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}
