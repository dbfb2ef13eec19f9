//! A plan with other activities, without new images: dose is linear in activity, so the measures of
//! the gate follow by arithmetic, and the gate is asked again.

use crate::delivered::Delivered;
use crate::plan::{Plan, Session};
use crate::setting::gate_of;
use crate::strict::TomlError;
use hepatica_biology::ParameterSets;
use hepatica_physics::TimeSpan;
use hepatica_regimen::Protocol;
use hepatica_regimen::gate::{self, Gate, Measures, Samples};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Highest activity of a session that is looked at, in GBq.
pub const MAX_GBQ: f64 = 100.0;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum WhatIfError {
    /// One activity a session.
    #[error("{found} activities, expected {expected}, one a session")]
    Number {
        /// How many were given.
        found: usize,
        /// How many sessions there are.
        expected: usize,
    },
    /// An activity that cannot be.
    #[error("activity {found} GBq of session {session}, expected 0 to {MAX_GBQ} GBq")]
    Activity {
        /// The session.
        session: u32,
        /// What was given.
        found: f64,
    },
    /// The gate.
    #[error(transparent)]
    Gate(#[from] TomlError),
    /// Parameter sets of the program.
    #[error("parameter sets: {0}")]
    Parameters(#[from] toml::de::Error),
}

/// A plan at other activities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhatIf {
    /// Activity of every session in GBq, in the plan's order.
    pub activity_gbq: Vec<f64>,
    /// Mean lung dose of every session.
    pub lung_dose_gy: Vec<f64>,
    /// Lung dose of all sessions and earlier treatments.
    pub lung_dose_cumulative_gy: f64,
    /// The gate at these activities.
    pub gate: Gate,
}

/// The plan's gate at other activities; `protocol` is the one it was planned with.
///
/// Only measures that follow from the activities change. Whether vials can be ordered for them is not
/// asked again.
///
/// # Errors
/// When the activities are not one a session or cannot be.
pub fn what_if(plan: &Plan, protocol: &Protocol, gbq: &[f64]) -> Result<WhatIf, WhatIfError> {
    if gbq.len() != plan.sessions.len() {
        let (found, expected) = (gbq.len(), plan.sessions.len());
        return Err(WhatIfError::Number { found, expected });
    }
    for (s, a) in plan.sessions.iter().zip(gbq) {
        if !(0.0..=MAX_GBQ).contains(a) {
            return Err(WhatIfError::Activity { session: s.id, found: *a });
        }
    }
    let scale = |s: &Session, a: f64| match s.prescription.activity_gbq {
        planned if planned > 0.0 => a / planned,
        _ => 0.0,
    };
    let with = || plan.sessions.iter().zip(gbq.iter().copied());
    let lung: Vec<f64> = with().map(|(s, a)| s.lung_dose_gy * scale(s, a)).collect();
    let half_life = TimeSpan::from_h(plan.constants.half_life_h);
    let sets = ParameterSets::shipped()?;
    let delivered = Delivered::new(plan.delivered.clone(), &sets, half_life);
    let normal = with().map(|(s, a)| {
        let own = s.compartments.iter().find(|c| c.role == "perfused_normal_liver");
        let gy = own.map_or(0.0, |c| c.dose_gy.mean) * scale(s, a);
        delivered.with_before(&s.territory, gy)
    });
    let highest = |x: f64, y: f64| x.max(y);
    let most = gbq.iter().copied().fold(0.0, highest);
    let cumulative = plan.cumulative.prior_lung_dose_gy + lung.iter().sum::<f64>();
    let criteria: Vec<_> = plan.gates.iter().flat_map(|g| &g.criteria).collect();
    let mut measures: Measures = criteria
        .iter()
        .filter_map(|c| Some((c.measure.clone(), c.value.as_ref()?.as_f64()?)))
        .collect();
    for (name, value) in [
        ("lung_activity_gbq", plan.lung_shunt.fraction * most),
        ("activity_gbq", gbq.iter().sum()),
        ("lung_dose_session_gy", lung.iter().copied().fold(0.0, highest)),
        ("lung_dose_cumulative_gy", cumulative),
        ("normal_liver_dose_gy", normal.fold(0.0, highest)),
    ] {
        measures.insert(name.to_owned(), value);
    }
    let rule = gate_of(protocol, !plan.proposed.is_empty())?;
    // Limits of the device are known to the plan by the criteria that rest on them.
    let limits: BTreeMap<&str, (f64, String)> = rule
        .criterion
        .iter()
        .filter_map(|r| {
            let said = criteria.iter().find(|c| c.id == r.id)?;
            Some((r.limit_of.as_deref()?, (said.limit.as_f64()?, said.source.clone())))
        })
        .collect();
    let device = plan.sessions.first().map_or("", |s| s.device.as_str());
    let samples = samples(plan, &measures);
    let setting = gate::Setting {
        device,
        protocol: &protocol.id,
        limits,
        measures: &measures,
        samples: &samples,
    };
    Ok(WhatIf {
        activity_gbq: gbq.to_vec(),
        lung_dose_gy: lung,
        lung_dose_cumulative_gy: cumulative,
        gate: rule.evaluate(&setting),
    })
}

/// How the gate's measures may be at other activities: the plan's distributions, each moved as its value is.
fn samples(plan: &Plan, measures: &Measures) -> Samples {
    let Some(doubt) = &plan.uncertainty else { return Samples::new() };
    let planned = |name: &str| {
        let criteria = plan.gates.iter().flat_map(|g| &g.criteria);
        criteria.filter(|c| c.measure == name).find_map(|c| c.value.as_ref()?.as_f64())
    };
    let moved = doubt.gate_quantiles.iter().filter_map(|(name, values)| {
        let (before, after) = (planned(name)?, *measures.get(name)?);
        let times = if before > 0.0 { after / before } else { 1.0 };
        Some((name.clone(), values.iter().map(|v| v * times).collect()))
    });
    moved.collect()
}
