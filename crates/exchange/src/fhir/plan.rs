//! A protocol as PlanDefinition.

use super::{NOTICE, clean, complex, drug, extension, plan_url};
use crate::{ExchangeError, ids, schedule, words};
use hepatica_regimen::gate::GateRule;
use hepatica_regimen::protocol::{Assessment, Drug, Procedure, Protocol, Timing};
use serde_json::{Value, json};

/// A protocol as PlanDefinition: an action for each cycle with its drugs, procedures and
/// assessments, and one for each assessment that is reckoned from the start or a procedure. Without
/// a maximum in the protocol, `cycles` are written out, or [`schedule::CYCLES`].
///
/// # Errors
/// [`ExchangeError::TooMany`].
pub fn plan_definition(protocol: &Protocol, cycles: Option<u32>) -> Result<Value, ExchangeError> {
    let cycles = schedule::cycles(protocol, cycles);
    // The same bound as for a schedule.
    schedule::unroll(protocol, cycles)?;
    let plan = Plan { protocol };
    let mut actions: Vec<_> = (1..=cycles).map(|n| plan.cycle(n)).collect();
    for a in &protocol.assessment {
        let after = a.when.iter().enumerate().filter(|(_, t)| t.after.is_some());
        actions.extend(after.map(|(n, t)| plan.after(a, n, t)));
    }
    let rules = protocol.modification.iter().map(words::modification).collect::<Vec<_>>();
    let mut notes = vec![NOTICE.to_owned(), protocol.duration()];
    notes.extend(protocol.notes.iter().cloned());
    let registry = protocol.registry.as_ref().map(|r| super::course::registry(r));
    let resource = json!({
        "resourceType": "PlanDefinition",
        "id": ids::plain(&protocol.id),
        "url": plan_url(protocol),
        "identifier": [registry],
        "version": protocol.version,
        "name": protocol.id,
        "title": protocol.name,
        "type": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/plan-definition-type",
            "code": "clinical-protocol",
            "display": "Clinical Protocol",
        }]},
        "status": "active",
        "experimental": true,
        "description": notes.join("\n"),
        "usage": rules.join("\n"),
        "relatedArtifact": [{"type": "citation", "citation": protocol.source}],
        "goal": protocol.endpoint.iter().map(|e| json!({
            "description": {"text": format!("{} ({})", e.name, e.source)},
        })).collect::<Vec<_>>(),
        "action": actions,
    });
    Ok(clean(resource).unwrap_or_default())
}

struct Plan<'a> {
    protocol: &'a Protocol,
}

/// Days in the form of an offset: a range where there is a choice.
fn offset(earliest: i64, latest: i64) -> (&'static str, Value) {
    let day = |n: i64| json!({"value": n, "unit": "d", "system": super::UCUM, "code": "d"});
    if earliest == latest {
        ("offsetDuration", day(earliest))
    } else {
        ("offsetRange", json!({"low": day(earliest), "high": day(latest)}))
    }
}

fn after_start(action: &str, earliest: i64, latest: i64) -> Value {
    let (kind, value) = offset(earliest, latest);
    json!({"actionId": action, "relationship": "after-start", kind: value})
}

fn condition(words: String, typed: Option<Value>) -> Value {
    json!({
        "extension": [typed],
        "kind": "applicability",
        "expression": {"language": "text/plain", "expression": words},
    })
}

fn gate(g: &GateRule) -> Value {
    condition(words::gate(g), Some(complex("gate", &words::gate_tree(g))))
}

fn citation(source: &str) -> Value {
    json!([{"type": "citation", "citation": source}])
}

impl Plan<'_> {
    fn cycle(&self, n: u32) -> Value {
        let p = self.protocol;
        let id = format!("c{n}");
        let before = if n == 1 { "start" } else { "cycle" };
        let mut inside: Vec<_> = p.drug.iter().map(|d| self.drug(&id, d)).collect();
        for procedure in &p.procedure {
            let windows = procedure.window.iter().enumerate().filter(|(_, w)| w.cycle == n);
            inside.extend(windows.map(|(place, _)| self.procedure(&id, procedure, place)));
        }
        for a in &p.assessment {
            for (place, t) in a.when.iter().enumerate() {
                let first = t.cycle.or(t.from_cycle);
                let last = t.cycle.or(t.to_cycle).unwrap_or(u32::MAX);
                if first.is_some_and(|f| (f..=last).contains(&n)) {
                    inside.push(self.in_cycle(&id, a, place, t));
                }
            }
        }
        let days = i64::from(p.cycle.days);
        let previous = (n > 1).then(|| after_start(&format!("c{}", n - 1), days, days));
        json!({
            "id": id,
            "title": format!("Cycle {n}"),
            "documentation": citation(&p.cycle.source),
            "condition": p.gates(before).map(gate).collect::<Vec<_>>(),
            "relatedAction": [previous],
            "action": inside,
        })
    }

    fn drug(&self, cycle: &str, d: &Drug) -> Value {
        let first = i64::from(d.first_day) - 1;
        let doses: Vec<_> = d
            .variant
            .iter()
            .map(|v| {
                let (levels, unit) = match v.levels_mg.is_empty() {
                    true => (&v.levels_mg_per_m2, "mg/m2"),
                    false => (&v.levels_mg, "mg"),
                };
                let times = v.times_a_day.unwrap_or(d.times_a_day);
                let per = words::code(&v.per);
                let start = levels.get(v.start_level).copied().unwrap_or(f64::NAN);
                format!(
                    "{}: {start} {unit} per {per}, {times} times a day; levels {levels:?} ({})",
                    v.id, v.source
                )
            })
            .collect();
        json!({
            "id": format!("{cycle}-{}", ids::plain(&d.id)),
            "title": d.name,
            "description": doses.join("\n"),
            "code": [drug(&d.id, &d.name)],
            "documentation": citation(&d.source),
            "relatedAction": [after_start(cycle, first, first)],
            "timingTiming": {"repeat": {
                "boundsDuration": {
                    "value": d.last_day - d.first_day + 1,
                    "unit": "d", "system": super::UCUM, "code": "d",
                },
                "frequency": d.times_a_day, "period": 1, "periodUnit": "d",
            }},
            "type": kind("create"),
        })
    }

    fn procedure(&self, cycle: &str, p: &Procedure, place: usize) -> Value {
        let w = p.window[place];
        let day = |d: u32| i64::from(d) - 1;
        let mut conditions: Vec<_> = self.protocol.gates(&p.id).map(gate).collect();
        conditions.extend(words::conditions(p).into_iter().map(|c| condition(c, None)));
        if place > 0 {
            let earlier = format!("{} was not done in an earlier window", p.name);
            conditions.push(condition(earlier, None));
        }
        json!({
            "extension": [
                extension("target-day", "valueInteger", w.target),
                extension("if-missed", "valueString", p.if_missed.to_string()),
            ],
            "id": format!("{cycle}-{}", ids::plain(&p.id)),
            "title": p.name,
            "code": [{"text": format!("{} ({})", p.name, words::code(&p.kind))}],
            "documentation": citation(&p.source),
            "condition": conditions,
            "relatedAction": [after_start(cycle, day(w.earliest), day(w.latest))],
            "type": kind("create"),
        })
    }

    fn in_cycle(&self, cycle: &str, a: &Assessment, place: usize, t: &Timing) -> Value {
        // Day 1 of a cycle is its first.
        let day = |d: i32| i64::from(d) - 1;
        let more = if place > 0 { format!("-{}", place + 1) } else { String::new() };
        let id = format!("{cycle}-{}{more}", ids::plain(&a.id));
        self.assessment(id, a, t, Some(after_start(cycle, day(t.earliest), day(t.latest))))
    }

    fn after(&self, a: &Assessment, place: usize, t: &Timing) -> Value {
        // What is after a procedure that there is not has no day.
        let reference = match t.after.as_deref() {
            Some("start") | None => Some("c1".to_owned()),
            Some(id) => {
                let p = self.protocol.procedure.iter().find(|p| p.id == id);
                let window = p.and_then(|p| p.window.first());
                window.map(|w| format!("c{}-{}", w.cycle, ids::plain(id)))
            }
        };
        // What recurs is first due one period after.
        let first = t.every_days.map_or(0, i64::from);
        let on = |d: i32| first + i64::from(d);
        let related = reference.map(|r| after_start(&r, on(t.earliest), on(t.latest)));
        self.assessment(format!("{}-after-{}", ids::plain(&a.id), place + 1), a, t, related)
    }

    fn assessment(&self, id: String, a: &Assessment, t: &Timing, related: Option<Value>) -> Value {
        let measures: Vec<_> = a.measures.iter().map(|m| super::course::measure(m)).collect();
        let repeat = t
            .every_days
            .map(|days| json!({"repeat": {"frequency": 1, "period": days, "periodUnit": "d"}}));
        json!({
            "extension": [
                extension("target-day", "valueInteger", t.target),
                extension("if-missed", "valueString", a.if_missed.to_string()),
            ],
            "id": id,
            "title": a.name,
            "code": measures,
            "documentation": citation(&a.source),
            "relatedAction": [related],
            "timingTiming": repeat,
            "type": kind("create"),
        })
    }
}

fn kind(code: &str) -> Value {
    json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/action-type", "code": code,
    }]})
}
