//! RTDOSE: a dose grid other systems open.
//!
//! Doses are 32-bit numbers without sign times Dose Grid Scaling. The scaling is the largest dose
//! over 2^31 - 1: readers that take the numbers for signed ones still read them rightly, and a step
//! is 5e-10 of the largest dose. Frames go along the normal of the slices; Grid Frame Offset Vector
//! is relative to the first frame (first value 0), the only form all readers know.
//!
//! **Dose Summation Type.** The standard has no value for "the dose of one session of a therapy
//! that has no RT Plan": every value asks for a reference (to a plan, a treatment record or an
//! overview of plans). We write `PLAN`, which all readers know, and fulfil the standard with a
//! reference to an RT Plan whose identifier is made from the same seed. That plan is not written:
//! the RT Plan object describes external beams and sealed sources. Readers take the reference as a
//! key; none we know follows it to show a dose.

use super::context::Series;
use super::dataset::{Dataset, decimal};
use super::{Context, WriteError, check_size, plane, right_handed, uids};
use crate::image::Image;
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use std::path::Path;

/// Voxels that are made ready at a time.
const PART: usize = 1 << 20;

/// What the numbers of a dose grid mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoseType {
    /// Absorbed dose (PHYSICAL).
    Physical,
    /// Corrected for biological effect (EFFECTIVE), such as BED; the comment must say how.
    Effective,
}

/// What an RTDOSE says about itself.
#[derive(Debug, Clone)]
pub struct DoseInfo<'a> {
    /// Number of the series in its study: two doses need two.
    pub series_number: usize,
    /// Name of the series.
    pub description: &'a str,
    /// What the numbers mean.
    pub dose_type: DoseType,
    /// Dose Comment, at most 64 characters: activity and territory; for BED, alpha/beta and repair.
    pub comment: &'a str,
    /// Whether tissue densities from CT changed the dose.
    pub heterogeneity: bool,
}

/// Writes `dose` (Gy) to `path`.
///
/// # Errors
/// When a dose is negative or not finite, a slice has more than 65535 columns or rows, or the file
/// cannot be written.
pub fn write(
    path: &Path,
    dose: &Image<f32>,
    info: &DoseInfo<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    if let Some(at) = dose.data().iter().position(|d| !d.is_finite() || *d < 0.0) {
        let found = dose.data()[at];
        return Err(WriteError::new(
            path,
            format!("the dose of voxel number {at} is {found} Gy; a dose is zero or above"),
        ));
    }
    let turned;
    let dose = if dose.grid().axes().determinant() > 0.0 {
        dose
    } else {
        turned = right_handed(dose);
        &turned
    };
    let grid = dose.grid();
    let [columns, rows, frames] = check_size(path, grid)?;

    let series =
        Series { modality: "RTDOSE", number: info.series_number, description: info.description };
    let mut o = context.object(uids::RT_DOSE_STORAGE, &series, 1);
    o.empty(&[tags::OPERATORS_NAME]);
    context.frame_of_reference(&mut o);
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
    plane(&mut o, grid, 0);
    o.integer(tags::NUMBER_OF_FRAMES, frames);
    o.pointers(tags::FRAME_INCREMENT_POINTER, &[tags::GRID_FRAME_OFFSET_VECTOR]);
    let step = grid.spacing_mm()[2];
    let offsets: Vec<f64> = (0..frames).map(|k| k as f64 * step).collect();
    o.decimals(tags::GRID_FRAME_OFFSET_VECTOR, &offsets);

    o.text(tags::DOSE_UNITS, "GY");
    o.text(
        tags::DOSE_TYPE,
        match info.dose_type {
            DoseType::Physical => "PHYSICAL",
            DoseType::Effective => "EFFECTIVE",
        },
    );
    o.words(tags::DOSE_COMMENT, info.comment, 64);
    o.text(tags::DOSE_SUMMATION_TYPE, "PLAN");
    let mut plan = Dataset::new();
    plan.text(tags::REFERENCED_SOP_CLASS_UID, uids::RT_PLAN_STORAGE);
    let plan_uid = context.uid(&format!("plan of {}", context.series_uid(&series)));
    plan.text(tags::REFERENCED_SOP_INSTANCE_UID, &plan_uid);
    o.items(tags::REFERENCED_RT_PLAN_SEQUENCE, vec![plan]);
    let correction = if info.heterogeneity { "IMAGE" } else { "WATER" };
    o.text(tags::TISSUE_HETEROGENEITY_CORRECTION, correction);

    let highest = dose.data().iter().fold(0.0_f32, |a, b| a.max(*b));
    let text = decimal(if highest > 0.0 { f64::from(highest) / f64::from(i32::MAX) } else { 1.0 });
    o.text(tags::DOSE_GRID_SCALING, &text);
    // The scaling as written, not as computed: what a reader multiplies by.
    let scaling: f64 = text.parse().map_err(|_| WriteError::new(path, "dose scaling"))?;
    o.describe_32(columns, rows);
    o.save_with_pixels(path, 4 * grid.len(), |file| {
        for part in dose.data().chunks(PART) {
            let stored: Vec<[u8; 4]> = part
                .par_iter()
                .map(|d| ((f64::from(*d) / scaling).round() as u32).to_le_bytes())
                .collect();
            file.write_all(stored.as_flattened())?;
        }
        Ok(())
    })
}
