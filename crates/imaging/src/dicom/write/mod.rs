//! DICOM objects out: CT, nuclear medicine, structures, doses, reports.
//!
//! | module | holds |
//! |---|---|
//! | [`context`](Context) | patient, study, frame of reference; identifiers that follow from a seed |
//! | [`ct`] | a CT series, one file a slice |
//! | [`nm`] | reconstructed SPECT, planar whole-body views |
//! | [`pet`] | a PET series, one file a slice |
//! | [`reg`] | a spatial registration |
//! | [`rtstruct`] | contours traced from masks |
//! | [`seg`] | masks as segments |
//! | [`rtdose`] | a dose grid |
//! | [`sr`] | measures as a structured report |
//! | [`pdf`] | a PDF |
//!
//! Everything is explicit VR little endian. Times are those of the [`Context`], identifiers follow
//! from its seed: the same input gives the same bytes. Files are written where they are told; to
//! write into a temporary folder and rename it when all is there is the caller's part.

mod context;
pub mod ct;
mod dataset;
pub mod nm;
pub mod pdf;
pub mod pet;
pub mod reg;
pub mod rtdose;
pub mod rtstruct;
pub mod seg;
pub mod sr;

pub use context::Context;

pub(crate) use crate::error::WriteError;
use crate::geometry::Grid;
use crate::image::Image;
use dataset::Dataset;
use dicom_dictionary_std::{tags, uids};
use nalgebra::{Matrix3, Point3, Vector3};
use std::path::Path;

/// A series that was written or read, for other objects to refer to.
#[derive(Debug, Clone)]
pub struct SeriesReference {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// SOP Class UID of every instance.
    pub sop_class: String,
    /// Unit normal of the slices.
    pub normal: Vector3<f64>,
    /// Its instances.
    pub slices: Vec<SliceReference>,
}

/// One slice of a series.
#[derive(Debug, Clone)]
pub struct SliceReference {
    /// SOP Instance UID.
    pub instance_uid: String,
    /// Which frame of its instance, from 1, if that has many.
    pub frame: Option<usize>,
    /// Image Position (Patient): centre of the first pixel, LPS millimetres.
    pub position: Point3<f64>,
}

/// What a segment is of, for those who look for it by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// The whole liver.
    Liver,
    /// The lungs, or one of them.
    Lung,
    /// A tumour.
    Tumour,
    /// What takes up nothing.
    Necrosis,
    /// What one catheter position perfuses.
    Territory,
    /// Another organ.
    Organ,
}

impl SegmentKind {
    /// Category and type, as codes.
    fn codes(self) -> [[&'static str; 3]; 2] {
        let anatomy = ["123037004", "SCT", "Anatomical Structure"];
        let abnormal = ["49755003", "SCT", "Morphologically Abnormal Structure"];
        let place = ["309825002", "SCT", "Spatial and Relational Concept"];
        match self {
            Self::Liver => [anatomy, ["10200004", "SCT", "Liver"]],
            Self::Lung => [anatomy, ["39607008", "SCT", "Lung"]],
            Self::Tumour => [abnormal, ["108369006", "SCT", "Neoplasm"]],
            Self::Necrosis => [abnormal, ["6574001", "SCT", "Necrosis"]],
            Self::Territory => [place, ["territory", sr::OURS, "Perfusion territory"]],
            Self::Organ => [anatomy, ["113343008", "SCT", "Organ"]],
        }
    }
}

/// Image plane module of slice k.
fn plane(o: &mut Dataset, grid: &Grid, k: usize) {
    let [columns_mm, rows_mm, slices_mm] = grid.spacing_mm();
    position(o, grid, k);
    // Between rows first, then between columns.
    o.decimals(tags::PIXEL_SPACING, &[rows_mm, columns_mm]);
    o.decimals(tags::SLICE_THICKNESS, &[slices_mm]);
}

/// Position and orientation of slice k.
fn position(o: &mut Dataset, grid: &Grid, k: usize) {
    let at = grid.world([0.0, 0.0, k as f64]);
    let axes = grid.axes();
    o.decimals(tags::IMAGE_POSITION_PATIENT, at.coords.as_slice());
    o.decimals(tags::IMAGE_ORIENTATION_PATIENT, &axes.as_slice()[..6]);
}

/// Columns, rows and frames, when a DICOM image can hold them.
fn check_size(path: &Path, grid: &Grid) -> Result<[usize; 3], WriteError> {
    let size = grid.size();
    if size[0] > usize::from(u16::MAX) || size[1] > usize::from(u16::MAX) {
        let why = format!("{size:?} voxels: a DICOM image has at most 65535 columns and rows");
        return Err(WriteError::new(path, why));
    }
    Ok(size)
}

/// The image with its slices stacked along the normal (row direction × column direction), as
/// multi-frame objects want it.
fn right_handed<T: Copy>(image: &Image<T>) -> Image<T> {
    let grid = image.grid();
    if grid.axes().determinant() > 0.0 {
        return image.clone();
    }
    let [nx, ny, nz] = grid.size();
    let mut axes: Matrix3<f64> = *grid.axes();
    axes.column_mut(2).neg_mut();
    let origin = grid.world([0.0, 0.0, (nz - 1) as f64]).into();
    let turned = Grid::new(grid.size(), grid.spacing_mm(), origin, axes)
        .unwrap_or_else(|_| unreachable!("a turned axis is an axis"));
    let data = image.data().chunks_exact(nx * ny).rev().flatten().copied().collect();
    Image::new(turned, data)
}
