//! From where the activity is to what dose it gives.
//!
//! | module | holds |
//! |---|---|
//! | [`activity_map`] | activity per volume and GBq administered, and the tissue it is in |
//! | [`engine`] | what every dose engine takes and gives: medium, dose map, errors, notes |
//! | [`local`] | local deposition: every decay's energy stays in its voxel |
//! | [`dvh`] | dose-volume histograms and the measures read from them |
//!
//! Dose is linear in activity: a map is made once, per GBq administered, and scaled.

pub mod activity_map;
pub mod dvh;
pub mod engine;
pub mod local;

pub use activity_map::ActivityMap;
pub use engine::{DoseEngine, DoseMap, EngineError, Medium};
pub use local::LocalDeposition;
