//! From density to tissue.
//!
//! Of a CT number only the density is known well. Below [`LUNG_BELOW_G_PER_ML`] a voxel is lung, up to
//! the density of dense soft tissue it is soft tissue with the composition of liver, above it is
//! cortical bone in soft tissue by their share of the volume, in classes. Compositions differ little
//! in what betas see: the stopping power per mass of fat is 3 % above that of liver, that of bone 9 %
//! below.

use crate::engine::{EngineError, LUNG_BELOW_G_PER_ML, Medium};
use crate::transport::interaction::Interactions;
use crate::transport::voxel_walk::Tissue;
use hepatica_physics::material::{CORTICAL_BONE, LIVER, LUNG};
use std::sync::LazyLock;

/// Transfers above this are sampled one by one, MeV.
pub const CUT_MEV: f64 = 0.1;
/// Densest soft tissue, g/mL; contrast medium raises liver to 1.1.
const SOFT_UP_TO: f32 = 1.12;
/// Classes between soft tissue and cortical bone.
const BONE_CLASSES: u32 = 8;
/// Densest voxel that is still tissue, g/mL: enamel is 2.9. Above is metal.
const DENSEST: f32 = 3.0;
/// Place of liver in the list of materials.
pub const SOFT: u32 = 1;

/// Interactions in lung, liver, and bone in soft tissue, the classes in turn.
pub fn materials() -> &'static [Interactions] {
    static ALL: LazyLock<Vec<Interactions>> = LazyLock::new(|| {
        let bone = (1..=BONE_CLASSES)
            .map(|n| LIVER.mixed_with(&CORTICAL_BONE, f64::from(n) / f64::from(BONE_CLASSES)));
        let all: Vec<_> = [LUNG.clone(), LIVER.clone()].into_iter().chain(bone).collect();
        all.iter().map(|m| Interactions::new(m, CUT_MEV)).collect()
    });
    &ALL
}

/// The tissue of a density in g/mL.
#[must_use]
pub fn of_density(density: f32) -> Tissue {
    let material = if density < LUNG_BELOW_G_PER_ML as f32 {
        0
    } else if density <= SOFT_UP_TO {
        SOFT
    } else {
        let [soft, bone] = [LIVER.density as f32, CORTICAL_BONE.density as f32];
        let share = ((density - soft) / (bone - soft)).clamp(0.0, 1.0);
        SOFT + ((share * BONE_CLASSES as f32).round() as u32).clamp(1, BONE_CLASSES)
    };
    Tissue { density, material }
}

/// Tissue of every voxel; one alone for a uniform medium.
///
/// # Errors
/// [`EngineError::NoTissue`] for a density that no tissue has.
pub fn of_medium(medium: &Medium) -> Result<Vec<Tissue>, EngineError> {
    match medium {
        Medium::Uniform(density) => Ok(vec![of_density(density.g_per_ml() as f32)]),
        Medium::Map(map) => match map.data().iter().position(|d| *d > DENSEST) {
            Some(n) => Err(EngineError::NoTissue {
                voxel: n,
                found: f64::from(map.data()[n]),
                most: f64::from(DENSEST),
            }),
            None => Ok(map.data().iter().map(|d| of_density(*d)).collect()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_of_the_atlas_are_the_tissues_they_are_of() {
        assert_eq!(of_density(0.26).material, 0);
        assert_eq!(of_density(1.06).material, SOFT);
        assert_eq!(of_density(0.93).material, SOFT);
        assert_eq!(of_density(1.92).material, SOFT + BONE_CLASSES);
        assert_eq!(of_density(2.8).material, SOFT + BONE_CLASSES);
        assert_eq!(materials().len(), 2 + BONE_CLASSES as usize);
    }
}
