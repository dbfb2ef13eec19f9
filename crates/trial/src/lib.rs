//! The trial in silico: virtual patients run a protocol, and what becomes of them is counted.
//!
//! | module | holds |
//! |---|---|
//! | [`program`] | a protocol compiled for virtual patients |
//! | [`model`] | a population's parameters as constants of a day |
//! | [`patient`] | one virtual patient: a body and a clinic |
//! | [`lesion_dose`] | doses of lesions from a real plan |
//! | [`recist`] | response of a region, scan by scan |
//! | [`ward`] | many patients side by side |
//! | [`outcome`] | what became of a patient |
//! | [`tally`] | what is counted of many |
//! | [`draws`] | populations that could be |
//! | [`job`] | work in units that anyone may compute |
//! | [`sweep`] | a job as a table of units for many machines |
//! | [`estimate`] | a number with its doubt |
//! | [`targets`] | published results of either therapy alone |
//! | [`calibrate`] | what they leave possible |
//! | [`results`] | the numbers of a simulation |
//! | `rows` | virtual patients as Parquet |
//! | `units` | work units and counts as Parquet |
//! | [`design`] | trials of virtual patients: what else would also win |
//! | [`timing`] | which day for the spheres |
//! | [`independence`] | what two therapies would do if neither helped the other |
//!
//! What a virtual patient's clinic does on a day is what `hepatica-regimen` says of a real patient's day;
//! `tests/same_as_the_engine.rs` holds the two against each other. `docs/trial.md` describes the model and
//! what it cannot tell. Knows nothing of images and pages.

pub mod calibrate;
pub mod design;
pub mod draws;
pub mod estimate;
pub mod independence;
pub mod job;
pub mod lesion_dose;
pub mod model;
pub mod outcome;
pub mod patient;
pub mod program;
pub mod recist;
pub mod results;
#[cfg(feature = "parquet")]
pub mod rows;
pub mod sweep;
pub mod tally;
pub mod targets;
pub mod timing;
#[cfg(feature = "parquet")]
pub mod units;
pub mod ward;

pub use draws::{Parameters, Posterior};
pub use estimate::Estimate;
pub use job::{Arm, Job, Sensitisers};
pub use model::Model;
pub use outcome::Outcome;
pub use program::Program;
pub use tally::Tally;
