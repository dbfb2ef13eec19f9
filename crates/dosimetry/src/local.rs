//! Local deposition: every decay's energy stays in its voxel.
//!
//! The standard for SPECT- and PET-based maps, whose resolution already blurs more than the betas
//! travel. It gives no dose outside the support and none of the dose that crosses from liver into
//! lung; what it gives inside lung is right only where the activity is uniform over the range of
//! the betas there (about 2 cm).

use crate::activity_map::ActivityMap;
use crate::engine::{DoseEngine, DoseMap, EngineError, Medium, check_constant};
use hepatica_imaging::{Image, Mask};
use hepatica_physics::EnergyPerActivity;

/// `D = k c / density` in every voxel with support. The support's fraction cancels: it scales the
/// activity and the mass that holds it alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalDeposition {
    /// Energy of full decay per activity.
    pub k: EnergyPerActivity,
}

impl DoseEngine for LocalDeposition {
    fn name(&self) -> &'static str {
        "local"
    }

    fn dose(&self, activity: &ActivityMap, medium: &Medium) -> Result<DoseMap, EngineError> {
        check_constant(self.k)?;
        activity.check()?;
        let grid = activity.concentration.grid();
        medium.check(grid)?;
        // 1/mL (GBq per mL per GBq) times J/GBq over g/mL is J/g per GBq: a thousand gray.
        let scale = self.k.j_per_gbq() * 1000.0;
        let mut dose = Image::filled(grid.clone(), 0.0_f32);
        let concentration = activity.concentration.data();
        let out = dose.data_mut();
        for (n, _) in activity.support.voxels() {
            out[n] = (scale * f64::from(concentration[n]) / medium.g_per_ml(n)) as f32;
        }
        Ok(DoseMap(dose))
    }

    fn validity(&self, medium: &Medium, tissue: &Mask) -> Vec<String> {
        let share = medium.lung_like_share(tissue);
        if share > 0.0 {
            vec![format!(
                "local deposition in tissue of lung density ({:.0} % of the volume): energy that crosses between liver and lung is left where it was emitted, so dose within 2 cm of the dome is not reliable",
                100.0 * share
            )]
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;
    use hepatica_physics::Density;

    fn uniform(fraction: f32) -> ActivityMap {
        let grid = Grid::axial([10, 10, 10], [5.0; 3], [0.0; 3]).expect("valid");
        let support = Mask::from_fn(grid.clone(), |_| fraction);
        // One GBq over what the support holds.
        let c = 1.0 / support.volume().ml() as f32;
        ActivityMap::new(Image::filled(grid, c), support).expect("valid")
    }

    #[test]
    fn one_gbq_in_a_mass_gives_k_over_the_mass() {
        let engine = LocalDeposition { k: EnergyPerActivity::from_j_per_gbq(49.67) };
        let density = Density::from_g_per_ml(1.05);
        for fraction in [1.0, 0.4] {
            let map = uniform(fraction);
            let dose = engine.dose(&map, &Medium::Uniform(density)).expect("valid");
            let mass = density * map.support.volume();
            let expected = 49.67 / mass.kg();
            for d in dose.0.data() {
                assert!((f64::from(*d) / expected - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_density_map_divides_voxel_by_voxel() {
        let engine = LocalDeposition { k: EnergyPerActivity::from_j_per_gbq(50.0) };
        let map = uniform(1.0);
        let mut density = Image::filled(map.concentration.grid().clone(), 1.0_f32);
        density.data_mut()[0] = 0.25;
        let dose = engine.dose(&map, &Medium::Map(density.clone())).expect("valid");
        assert!((dose.0.data()[0] / dose.0.data()[1] - 4.0).abs() < 1e-6);
        assert_eq!(engine.validity(&Medium::Map(density.clone()), &map.support).len(), 1);
        density.data_mut()[0] = 0.0;
        let refused = engine.dose(&map, &Medium::Map(density));
        assert!(matches!(refused, Err(EngineError::Density { voxel: Some(0), .. })));
    }

    #[test]
    fn no_dose_without_a_constant() {
        let engine = LocalDeposition { k: EnergyPerActivity::ZERO };
        let medium = Medium::Uniform(Density::from_g_per_ml(1.05));
        assert!(matches!(
            engine.dose(&uniform(1.0), &medium),
            Err(EngineError::EnergyPerActivity(_))
        ));
    }
}
