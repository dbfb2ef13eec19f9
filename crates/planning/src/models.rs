//! Four models asked for an activity: each goal and limit of the device as an activity, the one that
//! binds, and the doses that follow.

use crate::activity::{self, Bounds, Partition, bsa, mird};
use crate::device::{Device, Sourced};
use crate::perfusion::Perfusion;
use crate::plan::{ModelAnswer, Models};
use crate::tissue::ratio;
use hepatica_dosimetry::dvh::Dvh;
use hepatica_imaging::{Image, Mask};
use hepatica_physics::{Activity, Density, Dose, EnergyPerActivity, Mass, Volume};
use std::collections::BTreeMap;

/// What the models of one territory are asked with.
pub(crate) struct ModelCase<'a> {
    pub(crate) device: &'a Device,
    pub(crate) perfusion: &'a Perfusion,
    pub(crate) per_gbq: &'a Image<f32>,
    pub(crate) lung_shunt: f64,
    pub(crate) lung_mass: Mass,
    pub(crate) lung_dose_before_gy: f64,
    /// Of the perfused normal liver: the device's, less what earlier sessions gave.
    pub(crate) normal_limit: Sourced,
    pub(crate) k: EnergyPerActivity,
    pub(crate) density: Density,
    pub(crate) whole_liver: Volume,
    pub(crate) surface_m2: Option<f64>,
}

impl ModelCase<'_> {
    pub(crate) fn all(&self) -> Models {
        Models {
            mird: self.mird(),
            bsa: self.bsa(),
            partition: self.partition(),
            voxel: self.voxel(),
        }
    }

    fn mass(&self, mask: &Mask) -> Mass {
        self.density * mask.volume()
    }

    fn lung_limits(&self, bounds: &mut Bounds) {
        let limit = &self.device.limit;
        let activity = |gy: f64| {
            activity::for_lung_dose(
                self.k,
                Dose::from_gy(gy.max(0.0)),
                self.lung_shunt,
                self.lung_mass,
            )
        };
        bounds.limit(
            "lung_dose_session",
            &limit.lung_session_gy,
            "Gy",
            activity(limit.lung_session_gy.value),
        );
        let left = limit.lung_cumulative_gy.value - self.lung_dose_before_gy;
        bounds.limit("lung_dose_cumulative", &limit.lung_cumulative_gy, "Gy", activity(left));
    }

    fn lungs_gy(&self, activity: Activity) -> f64 {
        activity::lung_dose(self.k, activity, self.lung_shunt, self.lung_mass).gy()
    }

    fn answer(
        &self,
        bounds: Bounds,
        doses: impl FnOnce(Activity) -> BTreeMap<String, f64>,
        mut notes: Vec<String>,
    ) -> ModelAnswer {
        let binding = bounds.binding().map(|(a, id)| (a, id.to_owned()));
        if binding.is_none() {
            notes.push("no goal and no limit".to_owned());
        }
        let (activity, bound_by) =
            binding.map_or((None, "nothing".to_owned()), |(a, id)| (Some(a), id));
        let mut doses_gy = activity.map(doses).unwrap_or_default();
        if let Some(a) = activity {
            doses_gy.insert("lungs".to_owned(), self.lungs_gy(a));
        }
        ModelAnswer {
            activity_gbq: activity.map(|a| a.gbq()),
            bound_by,
            bounds: bounds.into_list(),
            doses_gy,
            notes,
        }
    }

    fn mird(&self) -> ModelAnswer {
        let k = self.device.k_prescription();
        let mass = self.mass(&self.perfusion.territory);
        let mut bounds = Bounds::default();
        if let Some(goal) = &self.device.goal.perfused_gy {
            let a = mird::activity(k, Dose::from_gy(goal.value), mass, self.lung_shunt);
            bounds.goal("perfused_dose", goal, "Gy", Some(a));
        }
        self.lung_limits(&mut bounds);
        let mut notes = vec!["tumour and normal liver are not told apart".to_owned()];
        if self.device.goal.perfused_gy.is_none() {
            notes.push(format!(
                "{} has no goal for the perfused volume; limits alone",
                self.device.name
            ));
        }
        let doses = |a| {
            let dose = mird::dose(k, a, mass, self.lung_shunt);
            BTreeMap::from([("perfused volume".to_owned(), dose.gy())])
        };
        self.answer(bounds, doses, notes)
    }

    fn bsa(&self) -> ModelAnswer {
        let mut notes = Vec::new();
        let mut bounds = Bounds::default();
        match self.surface_m2 {
            None => notes.push("needs [patient] height_cm and weight_kg".to_owned()),
            Some(surface) => {
                let tumour: f64 =
                    self.perfusion.tumours.iter().map(|t| t.0.mask.volume().ml()).sum();
                let full = bsa::activity(
                    surface,
                    Volume::from_ml(tumour),
                    self.perfusion.territory.volume(),
                    self.whole_liver,
                );
                let row = self.device.reduction(self.lung_shunt);
                let factor = row.map_or(1.0, |r| r.factor);
                if let Some(r) = row {
                    notes.push(format!("times {} for the lung shunt: {}", r.factor, r.source));
                }
                let source = Sourced {
                    value: surface,
                    mark: "recalled".to_owned(),
                    source: "resin label: (BSA - 0.2) + tumour fraction, times the treated share of the liver".to_owned(),
                };
                bounds.goal("body_surface_area", &source, "m2", Some(full * factor));
            }
        }
        notes.push("knows nothing of where the activity goes".to_owned());
        if self.surface_m2.is_none() {
            return ModelAnswer {
                activity_gbq: None,
                bound_by: "nothing".to_owned(),
                bounds: Vec::new(),
                doses_gy: BTreeMap::new(),
                notes,
            };
        }
        self.lung_limits(&mut bounds);
        let mean = Dvh::new(self.per_gbq, &self.perfusion.territory).map_or(0.0, |d| d.mean());
        let doses = |a: Activity| BTreeMap::from([("perfused volume".to_owned(), mean * a.gbq())]);
        self.answer(bounds, doses, notes)
    }

    fn partition(&self) -> ModelAnswer {
        let known: Vec<_> =
            self.perfusion.tumours.iter().filter_map(|(t, r)| Some((t, (*r)?))).collect();
        let partition = Partition {
            k: self.k,
            lung_shunt: self.lung_shunt,
            tumours: known.iter().map(|(t, r)| (self.mass(&t.mask), *r)).collect(),
            normal: self.mass(&self.perfusion.normal),
        };
        let mut bounds = Bounds::default();
        if let Some(goal) = &self.device.goal.tumour_gy {
            bounds.goal(
                "tumour_dose",
                goal,
                "Gy",
                partition.for_tumour_dose(Dose::from_gy(goal.value)),
            );
        }
        let limit = &self.normal_limit;
        let activity = partition.for_normal_dose(Dose::from_gy(limit.value));
        // No activity at all is a limit too, where earlier sessions left nothing of it.
        let binds = |a: &Activity| a.is_positive() || !(limit.value > 0.0);
        bounds.limit("normal_liver_dose", limit, "Gy", Some(activity).filter(binds));
        self.lung_limits(&mut bounds);
        let doses = |a| {
            let names = known.iter().map(|(t, _)| t.name.clone());
            let tumours = names.zip(partition.tumour_doses(a).into_iter().map(|d| d.gy()));
            tumours
                .chain([("perfused normal liver".to_owned(), partition.normal_dose(a).gy())])
                .collect()
        };
        let mut notes = vec!["one concentration in each compartment".to_owned()];
        if known.is_empty() {
            notes.push("no tumour in the territory".to_owned());
        }
        if known.len() < self.perfusion.tumours.len() {
            notes.push(
                "the normal liver has no counts: tumour-to-normal ratios are not known".to_owned(),
            );
        }
        self.answer(bounds, doses, notes)
    }

    fn voxel(&self) -> ModelAnswer {
        let dvh = |mask: &Mask| Dvh::new(self.per_gbq, mask);
        let for_dose =
            |gy: f64, per_gbq: f64| (per_gbq > 0.0).then(|| Activity::from_gbq(gy / per_gbq));
        let normal = dvh(&self.perfusion.normal).map_or(0.0, |d| d.mean());
        let tumours: Vec<_> = self
            .perfusion
            .tumours
            .iter()
            .filter_map(|(t, _)| Some((t.name.clone(), dvh(&t.mask)?)))
            .collect();
        let volume: f64 = tumours.iter().map(|t| t.1.volume().ml()).sum();
        let all = ratio(tumours.iter().map(|t| t.1.volume().ml() * t.1.mean()).sum(), volume);
        let mut bounds = Bounds::default();
        if let Some(goal) = &self.device.goal.tumour_gy {
            bounds.goal("tumour_dose", goal, "Gy", for_dose(goal.value, all));
        }
        let limit = &self.normal_limit;
        bounds.limit("normal_liver_dose", limit, "Gy", for_dose(limit.value, normal));
        self.lung_limits(&mut bounds);
        let doses = |a: Activity| {
            tumours
                .iter()
                .map(|(name, d)| (name.clone(), d.mean() * a.gbq()))
                .chain([("perfused normal liver".to_owned(), normal * a.gbq())])
                .collect()
        };
        self.answer(bounds, doses, vec!["means of the dose map".to_owned()])
    }
}
