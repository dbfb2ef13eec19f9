//! What every dose engine takes and gives.

use crate::activity_map::ActivityMap;
use hepatica_imaging::{Grid, Image, Mask};
use hepatica_physics::{Density, EnergyPerActivity};
use thiserror::Error;

/// Below this density (g/mL) tissue is counted as lung, and a soft-tissue kernel as out of its
/// depth: the range of a beta there is more than 1.7 times that in liver, across voxels whose
/// density differs by more. Liver, muscle and fat are above 0.9, inflated lung is 0.2 to 0.4.
pub const LUNG_BELOW_G_PER_ML: f64 = 0.6;

/// What the activity is in.
#[derive(Debug, Clone, PartialEq)]
pub enum Medium {
    /// One density everywhere.
    Uniform(Density),
    /// Density of every voxel in g/mL, on the grid of the activity.
    Map(Image<f32>),
}

impl Medium {
    /// Checks the densities against the grid of the activity.
    ///
    /// # Errors
    /// [`EngineError::GridMismatch`]; [`EngineError::Density`] for a density that is not finite and
    /// above zero.
    pub fn check(&self, grid: &Grid) -> Result<(), EngineError> {
        match self {
            Self::Uniform(density) if density.is_positive() => Ok(()),
            Self::Uniform(density) => {
                Err(EngineError::Density { voxel: None, found: density.g_per_ml() })
            }
            Self::Map(map) => {
                if !map.grid().matches(grid) {
                    return Err(EngineError::GridMismatch {
                        what: "the density map",
                        found: map.grid().size(),
                        expected: grid.size(),
                    });
                }
                match map.data().iter().position(|d| !(*d > 0.0 && d.is_finite())) {
                    Some(n) => Err(EngineError::Density {
                        voxel: Some(n),
                        found: f64::from(map.data()[n]),
                    }),
                    None => Ok(()),
                }
            }
        }
    }

    /// Density in g/mL at place `n` of the data.
    #[must_use]
    pub fn g_per_ml(&self, n: usize) -> f64 {
        match self {
            Self::Uniform(density) => density.g_per_ml(),
            Self::Map(map) => f64::from(map.data()[n]),
        }
    }

    /// Share (by volume) of `tissue` whose density is below [`LUNG_BELOW_G_PER_ML`].
    #[must_use]
    pub fn lung_like_share(&self, tissue: &Mask) -> f64 {
        let (mut low, mut all) = (0.0, 0.0);
        for (n, f) in tissue.voxels() {
            all += f64::from(f);
            if self.g_per_ml(n) < LUNG_BELOW_G_PER_ML {
                low += f64::from(f);
            }
        }
        if all > 0.0 { low / all } else { 0.0 }
    }
}

/// Absorbed dose of full decay in Gy per GBq administered. Linear in activity: multiply by what is
/// administered.
#[derive(Debug, Clone, PartialEq)]
pub struct DoseMap(pub Image<f32>);

/// Why a dose could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EngineError {
    /// Two images that must share a grid do not.
    #[error(
        "{what} is on another grid ({found:?} voxels) than the activity ({expected:?} voxels): resample it first"
    )]
    GridMismatch {
        /// Which image.
        what: &'static str,
        /// Its size.
        found: [usize; 3],
        /// The activity's size.
        expected: [usize; 3],
    },
    /// A concentration that is negative, infinite or NaN inside the support.
    #[error(
        "the activity concentration of voxel {voxel} is {found}: it must be finite and not negative"
    )]
    Concentration {
        /// Place in the data.
        voxel: usize,
        /// What is there.
        found: f32,
    },
    /// A density that is zero, negative, infinite or NaN.
    #[error("the density {}is {found} g/mL: it must be finite and above zero", .voxel.map(|n| format!("of voxel {n} ")).unwrap_or_default())]
    Density {
        /// Place in the data; none for a uniform medium.
        voxel: Option<usize>,
        /// What is there.
        found: f64,
    },
    /// A density that no tissue has.
    #[error(
        "the density of voxel {voxel} is {found:.2} g/mL: tissue has at most {most} g/mL; is there metal, or contrast medium, in the CT?"
    )]
    NoTissue {
        /// Place in the data.
        voxel: usize,
        /// What is there.
        found: f64,
        /// The densest tissue.
        most: f64,
    },
    /// A nuclide whose electrons we do not follow.
    #[error(
        "the electrons of {0} are not followed: the engines kernel and monte-carlo know 90Y and 166Ho; use --engine local"
    )]
    Nuclide(&'static str),
    /// Too few histories for an error that means something.
    #[error(
        "{found} histories are too few: at least {least} are needed to know how sure a dose is"
    )]
    Histories {
        /// How many were asked for.
        found: u64,
        /// How many there must be.
        least: u64,
    },
    /// A precision that is none.
    #[error("a precision of {} % is none: it must be above 0 and below 100 %", 100.0 * .0)]
    Precision(f64),
    /// An energy per activity that is zero, negative, infinite or NaN.
    #[error("the dose constant is {0} J/GBq: it must be finite and above zero")]
    EnergyPerActivity(f64),
    /// Voxels so small (or large) that a kernel on them makes no sense.
    #[error("a voxel of {0:?} mm: the dose kernel is made for voxels of 0.2 to 100 mm")]
    Spacing([f64; 3]),
    /// More memory than we are willing to ask for.
    #[error(
        "the convolution of {0:?} voxels would need more than {1} voxels of working memory: crop the activity or use a coarser grid"
    )]
    TooLarge([usize; 3], usize),
}

/// A way to turn activity into dose.
pub trait DoseEngine: Sync {
    /// Name as in a report and on the command line.
    fn name(&self) -> &'static str;

    /// Dose per GBq administered on the grid of the activity.
    ///
    /// # Errors
    /// When a grid, a concentration, a density or the engine's own constant is not usable.
    fn dose(&self, activity: &ActivityMap, medium: &Medium) -> Result<DoseMap, EngineError>;

    /// What a reader must know before trusting this engine's dose in `tissue` (for example the
    /// lungs): one sentence each; empty when there is nothing to say.
    fn validity(&self, medium: &Medium, tissue: &Mask) -> Vec<String> {
        let _ = (medium, tissue);
        Vec::new()
    }
}

/// # Errors
/// When `k` is not finite and above zero.
pub(crate) fn check_constant(k: EnergyPerActivity) -> Result<(), EngineError> {
    if k.is_positive() { Ok(()) } else { Err(EngineError::EnergyPerActivity(k.j_per_gbq())) }
}
