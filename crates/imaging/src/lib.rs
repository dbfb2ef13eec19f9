//! Medical images: where their voxels are, what they hold, which structures are drawn on them, and
//! how they come from and go to files.
//!
//! | module | holds |
//! |---|---|
//! | [`geometry`] | a voxel grid in the patient: one affine type, millimetres, LPS |
//! | [`image`] | voxel values on a grid |
//! | [`mask`] | how much of each voxel belongs to a structure |
//! | [`distance`] | how far voxels are from a structure |
//! | [`isoline`] | lines of equal value in a plane |
//! | [`contour`] | closed planar contours, to and from masks |
//! | [`segment`] | structures that nobody drew: lungs, body, bone, liver from CT, hot spots from SPECT |
//! | [`solid`] | the body between contours: volume, and the part of every voxel |
//! | [`structure`] | named volumes of contours or voxels |
//! | [`emission`] | where activity was seen: SPECT, PET, planar views |
//! | [`acquisition`] | when an emission image was acquired, and to which moment it is corrected |
//! | [`resample`] | from one grid to another |
//! | [`blur`] | what a camera's resolution makes of a volume |
//! | [`registration`] | where a point of one CT is in another |
//! | [`dicom`] | DICOM in and out |
//! | [`nifti`] | NIfTI in and out |
//! | [`inventory`] | what a file or folder holds |
//! | `doubts` | what makes an image of activity doubtful |
//! | [`volume`] | the values of any series |
//! | [`error`] | what goes wrong with files, in one sentence each |
//!
//! Coordinates are the patient's, in millimetres, x to the Left, y to Posterior, z to Superior
//! (LPS, as in DICOM). NIfTI's RAS is converted at the door. Knows nothing of dose.

pub mod acquisition;
pub mod blur;
pub mod contour;
pub mod dicom;
pub mod distance;
mod doubts;
pub mod emission;
pub mod error;
pub mod geometry;
pub mod image;
pub mod inventory;
pub mod isoline;
mod label_names;
pub mod mask;
pub mod nifti;
mod polygon;
pub mod registration;
pub mod resample;
pub mod segment;
pub mod solid;
pub mod structure;
pub mod volume;

pub use acquisition::{Acquisition, DecayCorrection};
pub use dicom::SpacingPolicy;
pub use emission::{Emission, EmissionUnit, Planar, PlanarView, read_emission};
pub use error::{ReadError, WriteError};
pub use geometry::{Grid, IndexBox};
pub use image::{FrameOfReference, Image};
pub use mask::Mask;
pub use structure::{Structure, StructureSet};
