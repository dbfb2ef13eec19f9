//! From where the activity is to what dose it gives.
//!
//! | module | holds |
//! |---|---|
//! | [`activity_map`] | activity per volume and GBq administered, and the tissue it is in |
//! | [`engine`] | what every dose engine takes and gives: medium, dose map, errors, notes |
//! | [`local`] | local deposition: every decay's energy stays in its voxel |
//! | [`transport`] | electrons: what they lose, how they scatter, from a point and through voxels |
//! | [`point_kernel`] | energy by distance from a decay |
//! | [`voxel_kernel`] | energy from voxel to voxel, for voxels of any size |
//! | [`convolution`] | the activity spread by a voxel kernel |
//! | [`monte_carlo`] | electrons followed through the tissues of the CT |
//! | [`partial_volume`] | how much of a ball's activity an image leaves inside it |
//! | [`dvh`] | dose-volume histograms and the measures read from them |
//! | [`gamma`](mod@gamma) | how far two doses are apart, in dose and distance together |
//!
//! Dose is linear in activity: a map is made once, per GBq administered, and scaled.

pub mod activity_map;
pub mod convolution;
pub mod dvh;
pub mod engine;
pub mod gamma;
pub mod local;
pub mod monte_carlo;
pub mod partial_volume;
pub mod point_kernel;
mod sort;
pub mod transport;
pub mod voxel_kernel;

pub use activity_map::ActivityMap;
pub use convolution::KernelConvolution;
pub use engine::{DoseEngine, DoseMap, EngineError, Medium};
pub use local::LocalDeposition;
