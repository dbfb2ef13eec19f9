//! From the simulation procedure to a plan: lung shunt, activity, dose, gates, order, dates.
//!
//! | module | holds |
//! |---|---|
//! | [`case`] | what a person says about a patient: `case.toml` |
//! | [`plan`] | the answer, as it is written to `plan.json` |
//! | [`views`] | planes and curves for figures |

//!
//! Knows nothing of pages and pictures; what a day of the regimen is, it asks the regimen.

pub mod case;
pub mod plan;
pub use hepatica_regimen::strict;
pub mod views;

pub use plan::{Plan, Status};
