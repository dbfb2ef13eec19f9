//! How many subjects, and when to stop.
//!
//! | question | where |
//! |---|---|
//! | which designs answer this question | [`choice`] |
//! | one stage, exact binomial | [`single_stage`] |
//! | two stages with a stop for futility (Simon) | [`simon`], and [`two_stage`] when it is over |
//! | time to event against a fixed null | [`one_sample_log_rank`] |
//! | stop for toxicity, with exact operating characteristics | [`toxicity`] |
//! | find a dose | [`boin`] |
//! | will it succeed if we go on | [`predictive`] |
//! | looks at a two-arm trial | [`group_sequential`] |
//! | events for a two-arm trial | [`events`] |

pub mod boin;
pub mod choice;
pub mod events;
pub mod group_sequential;
pub mod one_sample_log_rank;
pub mod predictive;
pub mod simon;
pub mod single_stage;
pub mod toxicity;
pub mod two_stage;

use crate::error::{Error, Result, open_unit};

/// A null below an alternative, both proportions, and two error rates.
fn hypotheses(null: f64, alternative: f64, alpha: f64, beta: f64) -> Result<()> {
    open_unit("p0", null)?;
    open_unit("p1", alternative)?;
    if !(null < alternative) {
        return Err(Error::NotBelow { null, alternative });
    }
    open_unit("alpha", alpha)?;
    open_unit("beta", beta)?;
    Ok(())
}

/// A sample size that can be worked with.
fn size(what: &'static str, n: u32, lowest: u32, highest: u32) -> Result<()> {
    if (lowest..=highest).contains(&n) {
        return Ok(());
    }
    let (lowest, highest) = (u64::from(lowest), u64::from(highest));
    Err(Error::Count { what, found: u64::from(n), lowest, highest })
}
