//! Body surface area, as on the resin label: `A = (BSA - 0.2) + V_T / V_liver`, for a lobe times
//! its share of the liver's volume. The body surface itself is `hepatica_regimen::dose`'s, which
//! doses drugs by it.

use hepatica_physics::{Activity, Volume};

/// The activity for a treated volume with its tumours. The tumour fraction is that of the treated
/// volume, the other variant being that of the whole liver. Before any reduction for lung shunt.
#[must_use]
pub fn activity(surface_m2: f64, tumour: Volume, treated: Volume, whole_liver: Volume) -> Activity {
    let whole = surface_m2 - 0.2 + tumour / treated;
    Activity::from_gbq(whole.max(0.0) * (treated / whole_liver).min(1.0))
}
