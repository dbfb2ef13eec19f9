//! Protocols and courses as FHIR R4 (4.0.1).
//!
//! | part | resource |
//! |---|---|
//! | protocol | PlanDefinition, one action a cycle |
//! | course | Bundle of the type collection |
//!
//! The bundle is a collection and no transaction: it says what is known, not what a server shall do.
//! Identifiers of resources depend on the course and the fact alone, and references are relative: a
//! receiver who puts each resource under its identifier can do so again and again.
//!
//! What FHIR has no element for is in extensions under [`CANONICAL`]`/StructureDefinition`, which
//! `docs/exchange.md` lists.

mod course;
mod plan;

pub use course::bundle;
pub use plan::plan_definition;

use crate::codes::{CODES, Code};
use crate::words::Node;
use crate::{CANONICAL, ids};
use hepatica_regimen::protocol::Protocol;
use serde::Serialize;
use serde_json::{Map, Value, json};

const UCUM: &str = "http://unitsofmeasure.org";
const LOINC: &str = "http://loinc.org";
const ATC: &str = "http://www.whocc.no/atc";
const NOTICE: &str = "Research use only: no medical device, and no order.";

/// A reference within the bundle.
#[derive(Debug, Clone, Serialize)]
struct Reference {
    reference: String,
}

impl Reference {
    fn to(kind: &str, id: &str) -> Self {
        Self { reference: format!("{kind}/{id}") }
    }
}

/// A concept: text, and a code where one is certain.
#[derive(Debug, Serialize)]
struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coding: Vec<Coding>,
    text: String,
}

#[derive(Debug, Serialize)]
struct Coding {
    system: &'static str,
    code: String,
    display: String,
}

impl Concept {
    fn coded(text: &str, system: &'static str, code: Option<&Code>) -> Self {
        let coding = code.map(|c| {
            let (code, display) = (c.code.clone(), c.display.clone());
            Coding { system, code, display }
        });
        Self { coding: coding.into_iter().collect(), text: text.to_owned() }
    }
}

/// A drug: its name, and its ATC code where one is certain.
fn drug(id: &str, name: &str) -> Concept {
    Concept::coded(name, ATC, CODES.atc.get(id))
}

/// A quantity, with a UCUM code where our unit has one.
fn quantity(value: f64, unit: &str) -> Value {
    let value = number(value);
    match CODES.ucum.get(unit) {
        Some(code) => json!({"value": value, "unit": unit, "system": UCUM, "code": code}),
        None if unit.is_empty() => json!({"value": value}),
        None => json!({"value": value, "unit": unit}),
    }
}

/// Whole numbers without a fraction: `92`, not `92.0`.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

/// An extension of ours with a value of the type named, as `valueString`.
fn extension(name: &str, kind: &str, value: impl Serialize) -> Value {
    json!({"url": format!("{CANONICAL}/StructureDefinition/{name}"), kind: value})
}

/// An extension of ours with named parts.
fn complex(name: &str, nodes: &[(&'static str, Node)]) -> Value {
    let parts: Vec<_> = nodes.iter().map(|(name, node)| part(name, node)).collect();
    json!({"url": format!("{CANONICAL}/StructureDefinition/{name}"), "extension": parts})
}

fn part(name: &str, node: &Node) -> Value {
    match node {
        Node::Text(s) => json!({"url": name, "valueString": s}),
        Node::Quantity(value, unit) => {
            json!({"url": name, "valueQuantity": quantity(*value, unit)})
        }
        Node::Whole(n) => json!({"url": name, "valueInteger": n}),
        Node::Nodes(nodes) => {
            let parts: Vec<_> = nodes.iter().map(|(name, node)| part(name, node)).collect();
            json!({"url": name, "extension": parts})
        }
    }
}

/// Address of a protocol's PlanDefinition.
fn plan_url(protocol: &Protocol) -> String {
    format!("{CANONICAL}/PlanDefinition/{}", ids::plain(&protocol.id))
}

/// FHIR allows no empty strings, lists, objects and nulls, and no control characters: what is empty
/// is left out.
fn clean(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(s) => {
            let kept = |c: &char| matches!(c, '\n' | '\r' | '\t') || !c.is_control();
            let s: String = s.chars().filter(kept).collect();
            (!s.trim().is_empty()).then_some(Value::String(s))
        }
        Value::Array(all) => {
            let all: Vec<_> = all.into_iter().filter_map(clean).collect();
            (!all.is_empty()).then_some(Value::Array(all))
        }
        Value::Object(all) => {
            let all: Map<_, _> =
                all.into_iter().filter_map(|(k, v)| Some((k, clean(v)?))).collect();
            (!all.is_empty()).then_some(Value::Object(all))
        }
        other => Some(other),
    }
}
