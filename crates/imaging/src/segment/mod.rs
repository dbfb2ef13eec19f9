//! Structures that nobody drew, by classical means. All are proposals: somebody must look at them.
//!
//! CT is averaged to cubes of 3 or 4 mm first: what is looked for is larger, noise is less, and a whole trunk
//! takes a second. Thresholds lie half-way between what touches, so averaging moves no border.

mod hot;
mod liver;
mod volume;

pub use hot::hot_spots;
pub use liver::liver;

use crate::geometry::Grid;
use crate::image::Image;
use crate::mask::Mask;
use crate::resample;
use thiserror::Error;
use volume::Volume;

/// Why there is no proposal.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SegmentError {
    /// No patient in the image.
    #[error("the CT shows no body (nothing above -300 HU of {0:.0} mL or more)")]
    NoBody(f64),
    /// No lung in it.
    #[error(
        "the CT shows no lung (largest air-filled part of the body {0:.0} mL, expected at least {1:.0} mL)"
    )]
    NoLung(f64, f64),
    /// No liver in it.
    #[error("the CT shows no liver ({0})")]
    NoLiver(String),
    /// A grid that cannot be.
    #[error("the CT cannot be averaged to cubes of {0} mm")]
    Grid(f64),
}

/// Cubes of body, lungs and bone, mm.
const CUBE_MM: f64 = 3.0;
/// Half-way between air and fat.
const BODY_ABOVE_HU: f32 = -300.0;
/// Half-way between lung and the wall of the chest.
const LUNG_BELOW_HU: f32 = -400.0;
/// Gas of stomach and bowel has -1000 HU inside, lung at its fullest -880.
const GAS_BELOW_HU: f64 = -910.0;
/// Even if it is as thin as gas (emphysema), so much is no bowel.
const NO_GAS_ABOVE_ML: f64 = 800.0;
/// What is thinner is windpipe, if it is long and narrow.
const WINDPIPE_BELOW_HU: f32 = -930.0;
/// Bone; contrast in vessels reaches 250, in the aorta 350 for a moment.
const BONE_ABOVE_HU: f32 = 220.0;
/// The least body and the least lung.
const BODY_AT_LEAST_ML: f64 = 500.0;
const LUNG_AT_LEAST_ML: f64 = 20.0;

/// A CT as cubes of `mm`, or as it is where its voxels are larger.
fn cubes(ct: &Image<i16>, mm: f64) -> Result<(Grid, Vec<f32>), SegmentError> {
    let own = ct.grid();
    let spacing = own.spacing_mm().map(|s| s.max(mm));
    let size: [usize; 3] = std::array::from_fn(|a| {
        ((own.size()[a] as f64 * own.spacing_mm()[a] / spacing[a]).ceil() as usize).max(1)
    });
    let grid = own.with_voxels(size, spacing).map_err(|_| SegmentError::Grid(mm))?;
    let hu = resample::box_average(ct, &grid, -1000.0).into_data();
    Ok((grid, hu))
}

/// The patient, without table and air around; what is hollow inside is filled.
///
/// # Errors
/// When there is none.
pub fn body(ct: &Image<i16>) -> Result<Mask, SegmentError> {
    let (grid, hu) = cubes(ct, CUBE_MM)?;
    Ok(filled_body(&grid, &hu)?.mask(&grid))
}

fn filled_body(grid: &Grid, hu: &[f32]) -> Result<Volume, SegmentError> {
    let tissue = Volume::new(grid, hu.iter().map(|h| *h > BODY_ABOVE_HU).collect());
    // Table and clothes touch the skin in places: what is thinner than 12 mm falls off.
    let core = tissue.eroded(6.0).largest();
    if core.ml() < BODY_AT_LEAST_ML {
        return Err(SegmentError::NoBody(BODY_AT_LEAST_ML));
    }
    let trunk = core.dilated(7.5).and(&tissue);
    // In every slice, what air from the border does not reach is inside. Lung at the border of a narrow
    // field of view is thicker than air.
    Ok(trunk.filled_in_slices(|n| hu[n] < -900.0))
}

/// Bone: what is denser than contrast, in pieces of more than 2 mL.
///
/// # Errors
/// When there is no body.
pub fn bone(ct: &Image<i16>) -> Result<Mask, SegmentError> {
    let (grid, hu) = cubes(ct, CUBE_MM)?;
    let body = filled_body(&grid, &hu)?;
    let dense = Volume::new(&grid, hu.iter().map(|h| *h > BONE_ABOVE_HU).collect()).and(&body);
    Ok(dense.components_above(2.0).mask(&grid))
}

/// The lungs, as far as the CT shows them.
#[derive(Debug)]
pub struct Lungs {
    /// Right lung, left lung, or both in one where they touch: name and voxels.
    pub parts: Vec<(&'static str, Mask)>,
    /// Whether they go on beyond the first or the last slice.
    pub cut: bool,
}

/// The lungs without windpipe, gas of stomach and bowel, and air around; vessels in them are filled.
///
/// # Errors
/// When there is no body or no lung.
pub fn lungs(ct: &Image<i16>) -> Result<Lungs, SegmentError> {
    let (grid, hu) = cubes(ct, CUBE_MM)?;
    let body = filled_body(&grid, &hu)?;
    let airy = Volume::new(&grid, hu.iter().map(|h| *h < LUNG_BELOW_HU).collect()).and(&body);
    let thin = Volume::new(&grid, hu.iter().map(|h| *h < WINDPIPE_BELOW_HU).collect()).and(&airy);
    // A windpipe is long and nowhere wide.
    let mut windpipe = Volume::none(&grid);
    for part in thin.components() {
        let [width, depth, height] = part.extent_mm();
        let narrow = part.ml() / (height / 10.0) < 8.0;
        if part.ml() > 3.0
            && part.ml() < 150.0
            && height > 30.0
            && narrow
            && width.min(depth) < 60.0
        {
            windpipe = windpipe.or(&part);
        }
    }
    let airy = airy.minus(&windpipe.dilated(4.5));
    let mut parts: Vec<Volume> = airy
        .components()
        .into_iter()
        .filter(|part| {
            // Inside only: at its border everything is a mixture with what is around.
            let inside = part.eroded(4.5);
            let own = if inside.is_empty() { part } else { &inside };
            part.ml() >= 5.0 && (own.mean(&hu) > GAS_BELOW_HU || part.ml() > NO_GAS_ABOVE_ML)
        })
        .collect();
    parts.sort_by(|a, b| b.ml().total_cmp(&a.ml()));
    let most = parts.first().map_or(0.0, Volume::ml);
    if most < LUNG_AT_LEAST_ML {
        return Err(SegmentError::NoLung(most, LUNG_AT_LEAST_ML));
    }
    parts.retain(|part| part.ml() >= (0.1 * most).max(5.0));
    let middle = body.middle_mm();
    let mut sides = [Volume::none(&grid), Volume::none(&grid), Volume::none(&grid)];
    for part in &parts {
        // To the patient's left x rises. A part with a quarter of itself on either side is both lungs.
        let left = part.share_beyond(middle);
        let side = if left < 0.25 {
            0
        } else if left > 0.75 {
            1
        } else {
            2
        };
        sides[side] = sides[side].or(part);
    }
    let names = ["Lung_R (proposed)", "Lung_L (proposed)", "Lungs (proposed)"];
    let mut cut = false;
    let parts = names
        .into_iter()
        .zip(sides)
        .filter(|(_, side)| !side.is_empty())
        .map(|(name, side)| {
            // Vessels and what sits in the lung.
            let whole = side.closed(6.0).filled_in_slices(|_| true).and(&body);
            cut |= whole.reaches_an_end();
            (name, whole.mask(&grid))
        })
        .collect();
    Ok(Lungs { parts, cut })
}

/// Twice what both share over what both have: 1 for the same, 0 for nothing in common.
///
/// # Panics
/// When the masks are on different grids.
#[must_use]
pub fn dice(a: &Mask, b: &Mask) -> f64 {
    let both = a.and(b).volume().ml();
    let sum = a.volume().ml() + b.volume().ml();
    if sum > 0.0 { 2.0 * both / sum } else { 1.0 }
}
