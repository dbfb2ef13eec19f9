//! A dose grid, and the histograms a planning system wrote beside it.

use super::object::{self, Object};
use super::stack::{pixel_spacing, unit_axes};
use super::{Patient, pixels};
use crate::error::ReadError;
use crate::geometry::Grid;
use crate::image::{FrameOfReference, Image};
use dicom_dictionary_std::tags;
use nalgebra::{Matrix3, Vector3};
use std::path::Path;

/// A dose grid.
#[derive(Debug)]
pub struct RtDose {
    /// Dose in Gy.
    pub image: Image<f32>,
    /// Frame of Reference UID.
    pub frame_of_reference: FrameOfReference,
    /// Who was planned for.
    pub patient: Patient,
    /// `PHYSICAL`, `EFFECTIVE`, `ERROR`.
    pub dose_type: String,
    /// Histograms in the file.
    pub dvhs: Vec<StoredDvh>,
}

/// A cumulative histogram as a planning system wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDvh {
    /// ROI Number in the structure set.
    pub roi: u32,
    /// Dose in Gy and volume in cm³ that receives at least that dose.
    pub points: Vec<[f64; 2]>,
    /// Mean dose in Gy, if written.
    pub mean_gy: Option<f64>,
}

/// Most points of a stored histogram.
const MAX_POINTS: usize = 1_000_000;

/// Reads a dose grid in Gy.
///
/// # Errors
/// When the file cannot be read, is no RTDOSE, is in relative units, or its frames are uneven.
pub fn read(path: &Path) -> Result<RtDose, ReadError> {
    let o = Object::open(path)?;
    match o.text(tags::MODALITY).as_deref() {
        Some("RTDOSE") => {}
        found => return Err(o.wrong(tags::MODALITY, found.unwrap_or("missing").into(), "RTDOSE")),
    }
    let units = o.need_text(tags::DOSE_UNITS)?;
    if units != "GY" {
        return Err(o.wrong(tags::DOSE_UNITS, units, "GY"));
    }
    let size = o.size()?;
    let p: [f64; 3] = o.need_numbers(tags::IMAGE_POSITION_PATIENT)?;
    let a: [f64; 6] = o.need_numbers(tags::IMAGE_ORIENTATION_PATIENT)?;
    let [row, column] = unit_axes(&o, a)?;
    let normal = row.cross(&column);
    let [between_rows, between_columns] = pixel_spacing(&o)?;
    let offsets = o.numbers(tags::GRID_FRAME_OFFSET_VECTOR).unwrap_or_else(|| vec![0.0]);
    if offsets.len() != size[2] || offsets.iter().any(|x| !x.is_finite()) {
        let expected = format!("{} finite numbers, one a frame", size[2]);
        return Err(o.wrong(
            tags::GRID_FRAME_OFFSET_VECTOR,
            format!("{} numbers", offsets.len()),
            &expected,
        ));
    }
    let step = if size[2] > 1 { offsets[1] - offsets[0] } else { between_rows };
    let uneven = offsets.windows(2).any(|w| (w[1] - w[0] - step).abs() > 0.01 * step.abs());
    if uneven || step == 0.0 {
        let expected = "frames at equal distances";
        return Err(o.wrong(tags::GRID_FRAME_OFFSET_VECTOR, format!("{offsets:?}"), expected));
    }
    // Relative to the first frame (first value 0), or absolute along the normal (PS3.3 C.8.8.3.2).
    let origin = Vector3::from(p)
        + if offsets[0] == 0.0 {
            Vector3::zeros()
        } else {
            normal * (offsets[0] - Vector3::from(p).dot(&normal))
        };
    let axes = Matrix3::from_columns(&[row, column, normal * step.signum()]);
    let spacing = [between_columns, between_rows, step.abs()];
    let grid = Grid::new(size, spacing, origin.into(), axes).map_err(|e| {
        ReadError::format(path, e.to_string(), "a grid of voxels", "export the dose again")
    })?;
    let scaling = o.need_number(tags::DOSE_GRID_SCALING)?;
    let signed = o.number(tags::PIXEL_REPRESENTATION) == Some(1.0);
    let stored = pixels::stored(&o, size)?;
    let gy = |v: i32| {
        let v = if signed { f64::from(v) } else { f64::from(v as u32) };
        (v * scaling) as f32
    };
    Ok(RtDose {
        image: Image::new(grid, stored.into_iter().map(gy).collect()),
        frame_of_reference: o.text(tags::FRAME_OF_REFERENCE_UID),
        patient: Patient::of(&o),
        dose_type: o.text(tags::DOSE_TYPE).unwrap_or_default(),
        dvhs: o.items(tags::DVH_SEQUENCE).iter().filter_map(stored_dvh).collect(),
    })
}

/// A histogram in Gy and cm³; others (relative, differential) are left out.
fn stored_dvh(item: &object::Dataset) -> Option<StoredDvh> {
    let is = |tag, value: &str| object::text(item, tag).as_deref() == Some(value);
    if !(is(tags::DVH_TYPE, "CUMULATIVE")
        && is(tags::DOSE_UNITS, "GY")
        && is(tags::DVH_VOLUME_UNITS, "CM3"))
    {
        return None;
    }
    let scaling = object::numbers(item, tags::DVH_DOSE_SCALING)?.first().copied()?;
    let data = object::numbers(item, tags::DVH_DATA)?;
    if data.len() > 2 * MAX_POINTS {
        return None;
    }
    // Pairs of dose bin width and volume; the first volume is that at no dose.
    let mut dose = 0.0;
    let mut points = Vec::with_capacity(data.len() / 2 + 1);
    for pair in data.chunks_exact(2) {
        points.push([dose, pair[1]]);
        dose += pair[0] * scaling;
    }
    let reference = object::items(item, tags::DVH_REFERENCED_ROI_SEQUENCE).first()?;
    let roi = object::numbers(reference, tags::REFERENCED_ROI_NUMBER)?.first().copied()?;
    Some(StoredDvh {
        roi: roi as u32,
        points,
        mean_gy: object::numbers(item, tags::DVH_MEAN_DOSE).and_then(|n| n.first().copied()),
    })
}
