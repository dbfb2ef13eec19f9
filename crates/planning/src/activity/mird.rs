//! Single compartment (MIRD), as on the glass label: `D = k A (1 - L) / M`.

use hepatica_physics::{Activity, Dose, EnergyPerActivity, Mass};

/// The activity that gives a perfused mass a mean dose, of which a fraction goes to the lungs.
#[must_use]
pub fn activity(k: EnergyPerActivity, dose: Dose, perfused: Mass, lung_shunt: f64) -> Activity {
    dose * perfused / k / (1.0 - lung_shunt)
}

/// The mean dose of a perfused mass.
#[must_use]
pub fn dose(k: EnergyPerActivity, activity: Activity, perfused: Mass, lung_shunt: f64) -> Dose {
    k * (activity * (1.0 - lung_shunt)) / perfused
}
