//! From the simulation procedure to a plan: lung shunt, activity, dose, gates, order, dates.
//!
//! | module | holds |
//! |---|---|
//! | [`case`] | what a person says about a patient: `case.toml` |
//! | [`course`] | a course as where dates and laboratory values are from |
//! | [`inputs`] | images and structures of a case, each with its role |
//! | [`names`] | what a structure is, by its name |
//! | [`propose`] | structures that nobody drew |
//! | [`setting`] | protocol, device, gate, dates and limits of a case |
//! | [`pipeline`] | every step from a case to a plan, in order |
//! | [`tissue`] | the structures on the grid of the dose |
//! | [`perfusion`] | the counts of a territory, and its activity map |
//! | [`look`] | what is doubtful about the images |
//! | [`lung`] | lung shunt and lung mass |
//! | [`activity`] | models of activity, forward and inverse |
//! | `models` | what each model answers for a territory, and what bound it |
//! | [`delivered`] | what earlier sessions really gave, before the next is planned |
//! | [`device`] | what a label says, as data |
//! | [`optimise`] | the best activities within limits, all sessions at once |
//! | [`order`] | from an activity in the patient to vials |
//! | [`uncertainty`] | intervals, probabilities of gates, which source of doubt matters |
//! | [`explain`] | how numbers came to be |
//! | [`fused`] | planes through the lesions |
//! | [`plan`] | the answer, as it is written to `plan.json` |
//! | [`simulation`] | a plan as a course records it |
//! | [`verification`] | what was really given, beside the plan |
//! | [`views`] | planes and curves for figures |
//! | [`whatif`] | the gate at other activities |
//!
//! Knows nothing of pages and pictures; what a day of the regimen is, it asks the regimen.

pub mod activity;
pub mod case;
pub mod course;
pub mod delivered;
pub mod device;
pub mod explain;
pub mod fused;
pub mod inputs;
pub mod look;
pub mod lung;
mod models;
pub mod names;
pub mod optimise;
pub mod order;
pub mod perfusion;
pub mod pipeline;
pub mod plan;
pub mod propose;
pub mod setting;
pub mod simulation;
pub mod tissue;
pub mod uncertainty;
pub mod verification;
pub mod views;
pub mod whatif;

pub use hepatica_dosimetry::monte_carlo::Until;
pub use hepatica_regimen::strict;
pub use pipeline::{
    DensityChoice, EngineChoice, GridChoice, Histories, Options, PlanError, Planned, plan_case,
};
pub use plan::{Plan, Status};
pub use verification::{Verification, Verified, verify_case};
