//! Where the counts of the simulation procedure are, and the activity map of a territory.

use crate::tissue::{Named, Tissue, ratio};
use hepatica_dosimetry::{ActivityMap, EngineError};
use hepatica_imaging::{Grid, Image, Mask};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why counts cannot become activity.
#[derive(Debug, Error)]
pub enum PerfusionError {
    /// A voxel that is no number.
    #[error("{}: the emission image holds a value that is not finite (voxel {voxel:?}); export it again", .case.display())]
    NotFinite {
        /// The case.
        case: PathBuf,
        /// Where.
        voxel: [usize; 3],
    },
    /// Nothing there.
    #[error("{}: no counts in {place}, expected the injected activity there; check that the emission image is that of the simulation procedure and in register", .case.display())]
    NoCounts {
        /// The case.
        case: PathBuf,
        /// Which volume.
        place: String,
    },
    /// The map itself.
    #[error(transparent)]
    Map(#[from] EngineError),
}

/// The emission image on the grid of the dose, without negative values: reconstruction makes
/// some, but there is no negative activity.
///
/// # Errors
/// When a value is not finite.
pub fn counts(
    emission: &Image<f32>,
    grid: &Grid,
    case: &Path,
) -> Result<Image<f32>, PerfusionError> {
    if let Some(n) = emission.data().iter().position(|v| !v.is_finite()) {
        let [nx, ny, _] = emission.grid().size();
        return Err(PerfusionError::NotFinite {
            case: case.to_owned(),
            voxel: [n % nx, n / nx % ny, n / (nx * ny)],
        });
    }
    let on_grid = if emission.grid().matches(grid) {
        emission.clone()
    } else {
        hepatica_imaging::resample::trilinear(emission, grid, 0.0)
    };
    Ok(on_grid.map(|v| v.max(0.0)))
}

/// Counts of a territory and what they say about its compartments.
#[derive(Debug, Clone)]
pub struct Perfusion {
    /// Counts in the territory.
    pub counts: f64,
    /// Over those of the whole liver.
    pub fraction_of_liver: f64,
    /// For every tumour with a part in the territory: its name, that part, and its mean
    /// concentration over that of the perfused normal liver (none if that has no counts).
    pub tumours: Vec<(Named, Option<f64>)>,
    /// Normal liver in the territory.
    pub normal: Mask,
    /// Cold tissue in the territory.
    pub cold: Vec<Named>,
    /// The whole territory.
    pub territory: Mask,
}

/// A tumour of which less than this lies in a territory has no part in it: the two touch.
const PART_AT_LEAST: f64 = 0.05;

impl Perfusion {
    /// Looks at the counts of territory number `t` of `tissue`.
    ///
    /// # Errors
    /// When there are none.
    pub fn of(
        counts: &Image<f32>,
        tissue: &Tissue,
        t: usize,
        case: &Path,
    ) -> Result<Self, PerfusionError> {
        let none = |place: &str| PerfusionError::NoCounts {
            case: case.to_owned(),
            place: place.to_owned(),
        };
        let Named { name, mask: territory } = &tissue.territories[t];
        let liver_counts = sum(counts, &tissue.liver);
        if !(liver_counts > 0.0) {
            return Err(none("the liver"));
        }
        let own = sum(counts, territory);
        if !(own > 0.0) {
            return Err(none(&format!("the territory `{name}`")));
        }
        let part = |n: &Named| {
            let mask = n.mask.and(territory);
            let share = ratio(mask.volume().ml(), n.mask.volume().ml());
            (share >= PART_AT_LEAST).then(|| Named { name: n.name.clone(), mask })
        };
        let normal = tissue.normal.and(territory);
        let background = mean(counts, &normal).filter(|c| *c > 0.0);
        let tumours = tissue
            .tumours
            .iter()
            .filter_map(part)
            .map(|tumour| {
                let own = mean(counts, &tumour.mask);
                let to_normal = own.zip(background).map(|(t, n)| t / n);
                (tumour, to_normal)
            })
            .collect();
        Ok(Self {
            counts: own,
            fraction_of_liver: own / liver_counts,
            tumours,
            normal,
            cold: tissue.cold.iter().filter_map(part).collect(),
            territory: territory.clone(),
        })
    }

    /// Activity per GBq administered to the territory: what does not reach the lungs, in
    /// proportion to the counts.
    ///
    /// # Errors
    /// Those of [`ActivityMap::new`].
    pub fn activity(
        &self,
        counts: &Image<f32>,
        lung_shunt: f64,
    ) -> Result<ActivityMap, PerfusionError> {
        let voxel_ml = counts.grid().voxel_volume().ml();
        let per_ml_per_gbq = (1.0 - lung_shunt) / (self.counts * voxel_ml);
        let concentration = counts.map(|c| (f64::from(*c) * per_ml_per_gbq) as f32);
        Ok(ActivityMap::new(concentration, self.territory.clone())?)
    }
}

/// Counts in a mask.
#[must_use]
pub fn sum(counts: &Image<f32>, mask: &Mask) -> f64 {
    mask.voxels().map(|(n, f)| f64::from(counts.data()[n]) * f64::from(f)).sum()
}

/// Counts of a mask over its volume in voxels.
fn mean(counts: &Image<f32>, mask: &Mask) -> Option<f64> {
    let voxels: f64 = mask.voxels().map(|(_, f)| f64::from(f)).sum();
    (voxels > 0.0).then(|| sum(counts, mask) / voxels)
}
