//! A plan as a course records it: what the simulation procedure showed, for the protocol's gates.

use crate::plan::Plan;
use hepatica_regimen::event::{Limit, Measured, Simulation};
use hepatica_regimen::gate::GateFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a plan measures itself. Laboratory values in its case have their own days and are recorded
/// by themselves.
const MEASURED: [&str; 10] = [
    "lung_shunt_percent",
    "lung_activity_gbq",
    "activity_gbq",
    "lung_dose_session_gy",
    "lung_dose_cumulative_gy",
    "normal_liver_dose_gy",
    "activity_orderable",
    "tumour_burden_percent",
    "extrahepatic_uncorrectable",
    "extrahepatic_correctable",
];

/// The fact for a course; `bytes` are those of `plan.json`.
#[must_use]
pub fn fact(plan: &Plan, bytes: &[u8]) -> Simulation {
    let criteria: Vec<_> = plan.gates.iter().flat_map(|g| &g.criteria).collect();
    let mut measures = BTreeMap::new();
    for c in criteria.iter().filter(|c| MEASURED.contains(&c.measure.as_str())) {
        if let Some(value) = c.value.as_ref().and_then(serde_json::Value::as_f64) {
            let interval = interval(plan, &c.measure);
            measures.insert(c.measure.clone(), Measured { value, interval });
        }
    }
    if let Some(needed) = further_session(plan) {
        let value = f64::from(u8::from(needed));
        let key = "further_session_needed".to_owned();
        measures.insert(key, Measured { value, interval: None });
    }
    // Limits that the gate takes from device or case, under the names it knows them by.
    let rules = GateFile::shipped("radioembolization").map(|g| g.criterion).unwrap_or_default();
    let limits = rules
        .iter()
        .filter_map(|rule| {
            let name = rule.limit_of.clone()?;
            let c = criteria.iter().find(|c| c.id == rule.id)?;
            Some((name, Limit { value: c.limit.as_f64()?, source: c.source.clone() }))
        })
        .collect();
    let sum = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    Simulation {
        plan_sha256: Some(sum),
        device: plan.sessions.first().map(|s| s.device.clone()),
        measures,
        limits,
        activity_gbq: plan.sessions.iter().map(|s| s.prescription.activity_gbq).collect(),
    }
}

fn interval(plan: &Plan, measure: &str) -> Option<[f64; 2]> {
    match measure {
        "lung_shunt_percent" => Some(plan.lung_shunt.interval.map(|f| 100.0 * f)),
        "lung_dose_session_gy" => {
            let highest = |a: &&crate::plan::Session, b: &&crate::plan::Session| {
                a.lung_dose_gy.total_cmp(&b.lung_dose_gy)
            };
            plan.sessions.iter().max_by(highest).map(|s| s.lung_dose_interval_gy)
        }
        "normal_liver_dose_gy" => {
            let normal = |s: &crate::plan::Session| {
                s.compartments.iter().find(|c| c.role == "perfused_normal_liver").cloned()
            };
            let all = plan.sessions.iter().filter_map(normal);
            all.max_by(|a, b| a.dose_gy.mean.total_cmp(&b.dose_gy.mean))
                .map(|c| c.dose_gy.mean_interval)
        }
        _ => None,
    }
}

/// Whether tumour is left that the first session does not reach; `None` where the plan cannot tell.
fn further_session(plan: &Plan) -> Option<bool> {
    if plan.sessions.len() > 1 {
        return Some(true);
    }
    let first = plan.sessions.first()?;
    let reached = |t: &crate::plan::Lesion| t.territory.as_ref().map(|id| *id == first.territory);
    let all: Option<Vec<bool>> = plan.liver.tumours.iter().map(reached).collect();
    all.map(|list| list.contains(&false))
}
