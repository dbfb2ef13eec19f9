//! Models of activity, forward (activity to doses) and inverse (limits and goals to activity).
//!
//! | module | model |
//! |---|---|
//! | [`mird`] | single compartment: the glass label |
//! | [`bsa`] | body surface area: the resin label |
//! | [`partition`] | tumours, normal liver, lungs, each of one concentration |
//! | [`bounds`] | limits and goals as activities, and which of them binds |
//!
//! The voxel model needs no formula of its own: doses are read from the dose map per GBq, which is
//! linear in activity. Activities are those in the patient at the moment of injection; what stays
//! in vial and lines is added when the order is made.

pub mod bounds;
pub mod bsa;
pub mod mird;
pub mod partition;

pub use bounds::Bounds;
pub use partition::Partition;

use hepatica_physics::{Activity, Dose, EnergyPerActivity, Mass};

/// Mean dose of the lungs: `k A L / M`, all of the shunted activity in one compartment.
#[must_use]
pub fn lung_dose(k: EnergyPerActivity, activity: Activity, lung_shunt: f64, lungs: Mass) -> Dose {
    k * (activity * lung_shunt) / lungs
}

/// The activity that gives the lungs a mean dose; none without shunt, when any activity would do.
#[must_use]
pub fn for_lung_dose(
    k: EnergyPerActivity,
    dose: Dose,
    lung_shunt: f64,
    lungs: Mass,
) -> Option<Activity> {
    (lung_shunt > 0.0).then(|| dose * lungs / k / lung_shunt)
}
