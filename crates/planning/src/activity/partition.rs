//! Partition: every tumour, the perfused normal liver and the lungs each have one concentration.
//! `D_N = k A (1 - L) / (sum r_i M_i + M_N)`, `D_i = r_i D_N` (Ho 1996, with several tumours).

use hepatica_physics::{Activity, Dose, EnergyPerActivity, Mass};

/// The compartments of one territory. Cold tissue takes up nothing and is in none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Dose constant.
    pub k: EnergyPerActivity,
    /// Fraction of the activity that reaches the lungs.
    pub lung_shunt: f64,
    /// Mass of every tumour and its concentration over that of the normal liver.
    pub tumours: Vec<(Mass, f64)>,
    /// Perfused normal liver.
    pub normal: Mass,
}

impl Partition {
    /// The mass of normal liver that would hold all the activity of the territory.
    fn equivalent(&self) -> Mass {
        self.tumours.iter().fold(self.normal, |sum, (mass, ratio)| sum + *mass * *ratio)
    }

    /// Mean dose of the perfused normal liver.
    #[must_use]
    pub fn normal_dose(&self, activity: Activity) -> Dose {
        self.k * (activity * (1.0 - self.lung_shunt)) / self.equivalent()
    }

    /// Mean dose of every tumour.
    #[must_use]
    pub fn tumour_doses(&self, activity: Activity) -> Vec<Dose> {
        let normal = self.normal_dose(activity);
        self.tumours.iter().map(|(_, ratio)| normal * *ratio).collect()
    }

    /// The activity at which the normal liver has a mean dose.
    #[must_use]
    pub fn for_normal_dose(&self, dose: Dose) -> Activity {
        dose * self.equivalent() / self.k / (1.0 - self.lung_shunt)
    }

    /// The activity at which the tumours together have a mean dose; none without tumours.
    #[must_use]
    pub fn for_tumour_dose(&self, dose: Dose) -> Option<Activity> {
        let mass: f64 = self.tumours.iter().map(|t| t.0.kg()).sum();
        let taken: f64 = self.tumours.iter().map(|(m, r)| m.kg() * r).sum();
        (taken > 0.0).then(|| self.for_normal_dose(dose * (mass / taken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn energy_is_conserved_and_the_inverse_is_the_inverse(
            masses in prop::collection::vec((0.01_f64..0.5, 0.2_f64..12.0), 1..6),
            normal in 0.2_f64..2.0, shunt in 0.0_f64..0.3, a in 0.1_f64..8.0,
        ) {
            let p = Partition {
                k: EnergyPerActivity::from_j_per_gbq(49.67),
                lung_shunt: shunt,
                tumours: masses.iter().map(|(m, r)| (Mass::from_kg(*m), *r)).collect(),
                normal: Mass::from_kg(normal),
            };
            let activity = Activity::from_gbq(a);
            let doses = p.tumour_doses(activity);
            let energy: f64 = p.tumours.iter().zip(&doses).map(|(t, d)| t.0.kg() * d.gy()).sum::<f64>()
                + normal * p.normal_dose(activity).gy();
            prop_assert!((energy / (49.67 * a * (1.0 - shunt)) - 1.0).abs() < 1e-12);
            let back = p.for_normal_dose(p.normal_dose(activity));
            prop_assert!((back.gbq() / a - 1.0).abs() < 1e-12);
            let mass: f64 = p.tumours.iter().map(|t| t.0.kg()).sum();
            let mean = p.tumours.iter().zip(&doses).map(|(t, d)| t.0.kg() * d.gy()).sum::<f64>() / mass;
            let back = p.for_tumour_dose(Dose::from_gy(mean)).unwrap();
            prop_assert!((back.gbq() / a - 1.0).abs() < 1e-12);
        }
    }
}
