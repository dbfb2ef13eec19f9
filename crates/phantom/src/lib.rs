//! A synthetic patient with known truth, and the cameras that image it.
//!
//! | module | holds |
//! |---|---|
//! | [`anatomy`] | the patient: which tissue is where |
//! | [`truth`] | where the activity is, and what that means for shunt, ratios and doses |
//! | [`camera`] | SPECT and planar views of it |
//! | [`case`] | everything written as a case folder |
//! | [`scan`] | the scan after treatment, with its own truth |
//!
//! Described in `docs/phantom.md`. The same seed gives the same bytes, with any number of threads.

pub mod anatomy;
pub mod camera;
pub mod case;
mod random;
pub mod scan;
pub mod truth;

pub use camera::Spect;
pub use case::{Options, PhantomError, write_case};
pub use scan::{Kind, ScanOptions, ScanTruth, write_scan};
pub use truth::Truth;
