//! Where the activity is, and what follows from it.

use crate::anatomy::{self, Organ, Place, TUMOURS, is_right_lobe};
use crate::case::PhantomError;
use hepatica_imaging::Grid;
use rayon::prelude::*;
use serde::Serialize;

/// Concentration of the normal left lobe over that of the right: the catheter gave it less.
pub(crate) const LEFT_TO_RIGHT: f64 = 0.85;
/// Density of liver and tumour for doses, g/mL.
pub(crate) const LIVER_G_PER_ML: f64 = 1.05;
/// Density of the lungs, g/mL: that of their CT number.
pub(crate) const LUNG_G_PER_ML: f64 = 0.26;
/// Dose constant in Gy kg/GBq (ICRP 107).
pub(crate) const K_J_PER_GBQ: f64 = 49.67;
/// Points the volumes are counted with.
const STEP_MM: f64 = 1.5;

/// What is true of the phantom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Lung activity over lung and liver activity.
    pub lung_shunt: f64,
    /// Mass of the lungs.
    pub lung_mass_kg: f64,
    /// Volume of the liver, tumours included.
    pub liver_ml: f64,
    /// Both territories.
    pub territories: Vec<TerritoryTruth>,
    /// All tumours.
    pub tumours: Vec<TumourTruth>,
}

/// What is true of a territory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TerritoryTruth {
    /// Its structure.
    pub structure: String,
    /// Volume.
    pub volume_ml: f64,
    /// Liver that is neither tumour nor necrosis.
    pub normal_ml: f64,
    /// Its activity over that of the liver.
    pub fraction_of_liver: f64,
    /// Mean dose of its normal liver per GBq administered to it, local deposition.
    pub normal_gy_per_gbq: f64,
    /// Mean dose of all of it.
    pub perfused_gy_per_gbq: f64,
}

/// What is true of a tumour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TumourTruth {
    /// Its structure.
    pub name: String,
    /// Volume without necrosis.
    pub volume_ml: f64,
    /// Concentration over that of the normal liver of its territory.
    pub tumour_to_normal: f64,
    /// Mean dose per GBq administered to its territory, local deposition.
    pub gy_per_gbq: f64,
}

/// Relative concentration of the liver: one in the normal right lobe, zero outside the liver.
#[must_use]
pub fn liver_concentration(place: Place) -> f64 {
    if place.organ != Organ::Liver || place.necrosis {
        return 0.0;
    }
    let lobe = if is_right_lobe(place.segment) { 1.0 } else { LEFT_TO_RIGHT };
    lobe * place.tumour.map_or(1.0, |n| TUMOURS[usize::from(n)].to_normal)
}

/// Where the activity is.
#[derive(Debug, Clone)]
pub struct Activity {
    /// What is true.
    pub truth: Truth,
    lung_concentration: f64,
}

#[derive(Clone, Default)]
struct Sums {
    lung: f64,
    /// Volume, normal volume and activity of the right and the left lobe.
    lobes: [[f64; 3]; 2],
    tumours: [f64; 6],
}

impl Activity {
    /// The activity with a lung shunt.
    ///
    /// # Errors
    /// When the shunt is not a fraction below 0.9.
    pub fn new(lung_shunt: f64) -> Result<Self, PhantomError> {
        if !(0.0..0.9).contains(&lung_shunt) {
            return Err(PhantomError::Option {
                what: "lung shunt",
                found: lung_shunt.to_string(),
                expected: "a fraction from 0 to 0.9",
            });
        }
        let [low, high] = anatomy::BOX_MM;
        let size = std::array::from_fn(|a| ((high[a] - low[a]) / STEP_MM).ceil() as usize);
        let start = std::array::from_fn(|a| low[a] + 0.5 * STEP_MM);
        let grid = Grid::axial(size, [STEP_MM; 3], start)
            .map_err(|e| PhantomError::Grid(e.to_string()))?;
        let ml = grid.voxel_volume().ml();
        // Slices are summed in order, so that the truth has the same digits on every machine.
        let slices: Vec<Sums> = (0..size[2])
            .into_par_iter()
            .map(|k| {
                let mut s = Sums::default();
                for n in 0..size[0] * size[1] {
                    let index = [(n % size[0]) as f64, (n / size[0]) as f64, k as f64];
                    let place = anatomy::at(grid.world(index));
                    s.add(place, ml);
                }
                s
            })
            .collect();
        let mut all = Sums::default();
        for s in &slices {
            all.lung += s.lung;
            for (a, b) in all.lobes.iter_mut().flatten().zip(s.lobes.iter().flatten()) {
                *a += b;
            }
            for (a, b) in all.tumours.iter_mut().zip(s.tumours) {
                *a += b;
            }
        }
        Ok(Self::from_sums(lung_shunt, &all))
    }

    fn from_sums(lung_shunt: f64, s: &Sums) -> Self {
        let liver = s.lobes[0][2] + s.lobes[1][2];
        let gy = |concentration: f64, territory: f64| {
            K_J_PER_GBQ * (1.0 - lung_shunt) * concentration / territory / (LIVER_G_PER_ML * 1e-3)
        };
        let lobes = [("Territory_right", 1.0), ("Territory_left", LEFT_TO_RIGHT)];
        let territories = lobes
            .iter()
            .zip(s.lobes)
            .map(|((name, normal), [ml, normal_ml, activity])| TerritoryTruth {
                structure: (*name).to_owned(),
                volume_ml: ml,
                normal_ml,
                fraction_of_liver: activity / liver,
                normal_gy_per_gbq: gy(*normal, activity),
                perfused_gy_per_gbq: gy(activity / ml, activity),
            })
            .collect();
        let tumours = TUMOURS
            .iter()
            .zip(s.tumours)
            .map(|(t, ml)| {
                let centre = anatomy::at(t.centre.into());
                let side = usize::from(!is_right_lobe(centre.segment));
                let concentration = t.to_normal * lobes[side].1;
                TumourTruth {
                    name: t.name.to_owned(),
                    volume_ml: ml,
                    tumour_to_normal: t.to_normal,
                    gy_per_gbq: gy(concentration, s.lobes[side][2]),
                }
            })
            .collect();
        let truth = Truth {
            lung_shunt,
            lung_mass_kg: s.lung * LUNG_G_PER_ML * 1e-3,
            liver_ml: s.lobes[0][0] + s.lobes[1][0],
            territories,
            tumours,
        };
        let lung_activity = liver * lung_shunt / (1.0 - lung_shunt);
        Self { truth, lung_concentration: lung_activity / s.lung }
    }

    /// Relative concentration at a place.
    #[must_use]
    pub fn at(&self, place: Place) -> f64 {
        match place.organ {
            Organ::LungLeft | Organ::LungRight => self.lung_concentration,
            _ => liver_concentration(place),
        }
    }
}

impl Sums {
    fn add(&mut self, place: Place, ml: f64) {
        match place.organ {
            Organ::LungLeft | Organ::LungRight => self.lung += ml,
            Organ::Liver => {
                let side = usize::from(!is_right_lobe(place.segment));
                let lobe = &mut self.lobes[side];
                lobe[0] += ml;
                if place.tumour.is_none() {
                    lobe[1] += ml;
                }
                lobe[2] += ml * liver_concentration(place);
                if let Some(n) = place.tumour.filter(|_| !place.necrosis) {
                    self.tumours[usize::from(n)] += ml;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_energy_of_a_territory_is_that_of_its_activity() {
        let t = Activity::new(0.06).unwrap().truth;
        for (n, z) in t.territories.iter().enumerate() {
            // All energy falls on normal liver and tumours: k (1 - L) per GBq.
            let own = t.tumours.iter().enumerate().filter(|(i, _)| (*i >= 4) == (n == 1));
            let tumours: f64 = own.map(|(_, t)| t.gy_per_gbq * t.volume_ml).sum();
            let joule = (z.normal_gy_per_gbq * z.normal_ml + tumours) * 1.05e-3;
            assert!((joule / (49.67 * 0.94) - 1.0).abs() < 1e-9, "{joule}");
        }
        let sum: f64 = t.territories.iter().map(|z| z.fraction_of_liver).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_shunt_that_cannot_be_is_refused() {
        assert!(Activity::new(1.0).is_err());
        assert!(Activity::new(f64::NAN).is_err());
    }
}
