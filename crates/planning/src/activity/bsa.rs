//! Body surface area, as on the resin label: `A = (BSA - 0.2) + V_T / V_liver`, for a lobe times
//! its share of the liver's volume.

use hepatica_physics::{Activity, Length, Mass, Volume};

/// Body surface area in m² (Du Bois 1916): `0.20247 H^0.725 W^0.425`, H in m, W in kg.
#[must_use]
pub fn body_surface_m2(height: Length, weight: Mass) -> f64 {
    0.20247 * height.m().powf(0.725) * weight.kg().powf(0.425)
}

/// The activity for a treated volume with its tumours. The tumour fraction is that of the treated
/// volume, the other variant being that of the whole liver. Before any reduction for lung shunt.
#[must_use]
pub fn activity(surface_m2: f64, tumour: Volume, treated: Volume, whole_liver: Volume) -> Activity {
    let whole = surface_m2 - 0.2 + tumour / treated;
    Activity::from_gbq(whole.max(0.0) * (treated / whole_liver).min(1.0))
}
