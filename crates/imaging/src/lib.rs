//! Medical images: where their voxels are, what they hold, which structures are drawn on them, and
//! how they come from and go to files.
//!
//! | module | holds |
//! |---|---|
//! | [`geometry`] | a voxel grid in the patient: one affine type, millimetres, LPS |
//! | [`image`] | voxel values on a grid |
//! | [`mask`] | how much of each voxel belongs to a structure |
//! | [`isoline`] | lines of equal value in a plane |
//!
//! Coordinates are the patient's, in millimetres, x to the Left, y to Posterior, z to Superior
//! (LPS, as in DICOM). NIfTI's RAS is converted at the door. Knows nothing of dose.

pub mod geometry;
pub mod image;
pub mod isoline;
pub mod mask;

pub use geometry::{Grid, IndexBox};
pub use image::{FrameOfReference, Image};
pub use mask::Mask;
