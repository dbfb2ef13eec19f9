//! Several kinds of event of which the first ends the observation of the others.
//!
//! | question | where |
//! |---|---|
//! | what share has had the event of a cause by t | [`AalenJohansen`] |
//! | do groups differ in it | [`gray_test`] |
//! | by how much, given covariates | [`fine_gray`] |

mod aalen_johansen;
pub mod fine_gray;
mod gray;

pub use aalen_johansen::{AalenJohansen, IncidenceAt};
pub use gray::{GrayTest, gray_test};

use super::data::check_times;
use crate::error::{Error, Result, length};

/// Follow-up of every subject: until when, and which event happened then (0: none, censored).
#[derive(Debug, Clone, PartialEq)]
pub struct CompetingRisks {
    time: Vec<f64>,
    cause: Vec<u32>,
    order: Vec<usize>,
}

impl CompetingRisks {
    /// Checks and sorts; `cause` is 0 for censored, else the number of the kind of event.
    ///
    /// # Errors
    /// When there is no row, the lists differ in length, or a time is negative or not finite.
    pub fn new(time: Vec<f64>, cause: Vec<u32>) -> Result<Self> {
        if time.is_empty() {
            return Err(Error::Empty { what: "the list of times" });
        }
        length("the list of causes", time.len(), cause.len())?;
        check_times(&time)?;
        let mut order: Vec<usize> = (0..time.len()).collect();
        // Censoring is last among equal times.
        order.sort_by(|&a, &b| {
            time[a].total_cmp(&time[b]).then((cause[a] == 0).cmp(&(cause[b] == 0)))
        });
        Ok(Self { time, cause, order })
    }

    /// The rows for which `keep` is true.
    ///
    /// # Errors
    /// When none is kept.
    pub fn select(&self, keep: impl Fn(usize) -> bool) -> Result<Self> {
        let rows: Vec<usize> = (0..self.len()).filter(|row| keep(*row)).collect();
        Self::new(
            rows.iter().map(|row| self.time[*row]).collect(),
            rows.iter().map(|row| self.cause[*row]).collect(),
        )
    }

    /// Number of subjects, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Times in the order of the rows.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.time
    }

    /// Causes in the order of the rows.
    #[must_use]
    pub fn causes(&self) -> &[u32] {
        &self.cause
    }

    /// Rows by time, censored last among equal times.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Events of a cause.
    #[must_use]
    pub fn events(&self, cause: u32) -> usize {
        self.cause.iter().filter(|c| **c == cause).count()
    }
}

/// A cause that is one.
fn cause_of_interest(cause: u32) -> Result<()> {
    if cause == 0 {
        let expected = "1 or more (0 means censored)";
        return Err(Error::Parameter { name: "the cause", value: 0.0, expected });
    }
    Ok(())
}
