//! The dosimetry vectors on constants, decay and stopping power.

use hepatica_physics::material::{CORTICAL_BONE_ICRP, LIVER, SOFT_TISSUE, WATER};
use hepatica_physics::nuclide::{decay_factor, energy_per_activity};
use hepatica_physics::spectrum::{Branch, Y90};
use hepatica_physics::stopping::Stopping;
use hepatica_physics::{Energy, TimeSpan};
use hepatica_vectors::Suite;

/// Betas of 90Y per MeV at an energy, for an endpoint: the shape over its integral.
fn spectrum(t_mev: f64, endpoint_mev: f64) -> f64 {
    let branch = Branch { endpoint_mev, per_decay: 1.0, unique: true };
    let steps = 4000;
    let width = endpoint_mev / f64::from(steps);
    let sum: f64 = (0..steps).map(|n| Y90.shape(&branch, (f64::from(n) + 0.5) * width)).sum();
    Y90.shape(&branch, t_mev) / (sum * width)
}

#[test]
fn physics_vectors() {
    Suite::new("dosimetry.toml")
        .group("constants", |v| {
            if v.has("q_mev") {
                return Ok(spectrum(v.number("e_mev")?, v.number("q_mev")?).into());
            }
            let energy = Energy::from_mev(v.number("mean_energy_mev")?);
            let half_life = TimeSpan::from_h(v.number("half_life_h")?);
            Ok(energy_per_activity(energy, half_life).j_per_gbq().into())
        })
        .group("decay", |v| {
            let hours = |key: &str| v.number(key).map(TimeSpan::from_h);
            Ok(decay_factor(hours("half_life_h")?, hours("dt_h")?).into())
        })
        .group("stopping", |v| {
            let i_ev = v.number("i_ev")?;
            let all = [&WATER, &SOFT_TISSUE, &LIVER, &CORTICAL_BONE_ICRP];
            let material = all.into_iter().find(|m| m.i_ev == i_ev).ok_or("no such material")?;
            let stopping = Stopping::new(material);
            let each = v.numbers("t_mev")?.into_iter().map(|t| stopping.collision(t));
            Ok(each.collect::<Vec<_>>().into())
        })
        .elsewhere(&["activity", "lung", "product", "ct", "uncertainty"], "planning's vector test")
        .elsewhere(&["bio"], "biology's vector test")
        .elsewhere(&["dvh", "dpk", "vsv", "pvc", "interface", "mc_gate"], "dosimetry's vector test")
        .not_concerned("mc", "belongs to the Monte Carlo engine")
        .run();
}
