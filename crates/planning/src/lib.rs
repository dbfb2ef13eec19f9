//! From the simulation procedure to a plan: lung shunt, activity, dose, gates, order, dates.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | the answer, as it is written to `plan.json` |
//! | [`views`] | planes and curves for figures |
//!
//! Knows nothing of pages and pictures; what a day of the regimen is, it asks the regimen.

pub mod plan;
pub mod views;

pub use plan::{Plan, Status};
