//! Gates, windows and rules in words, and as trees that each format writes in its own way.

use hepatica_regimen::gate::{CriterionRule, GateRule, Missing};
use hepatica_regimen::protocol::{Modification, Procedure};
use serde::Serialize;

/// A typed value, or more of them with their names.
pub(crate) enum Node {
    /// Words.
    Text(String),
    /// A number and its unit.
    Quantity(f64, String),
    /// A whole number.
    Whole(u32),
    /// Values by name.
    Nodes(Vec<(&'static str, Node)>),
}

/// An enumeration's value as it is written in files.
pub(crate) fn code(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(s)) => s,
        // Only enumerations without fields are asked.
        _ => String::new(),
    }
}

/// `Platelets (platelets) >= 100 10^9/L, not older than 3 days, else hold`.
pub(crate) fn criterion(c: &CriterionRule) -> String {
    let limit = match (c.limit, &c.limit_of) {
        (Some(limit), _) => format!("{limit} {}", c.unit).trim_end().to_owned(),
        (None, Some(name)) => format!("the limit {name}"),
        (None, None) => "an unknown limit".to_owned(),
    };
    let mut words = format!("{} ({}) {} {limit}", c.name, c.measure, c.comparison.sign());
    let over = code(&c.over);
    if over != "latest" {
        words += &format!(", the worst over: {over}");
    }
    for (what, list) in [("terms", &c.terms), ("drugs", &c.drugs)] {
        if !list.is_empty() {
            words += &format!(", {what}: {}", list.join(", "));
        }
    }
    if let Some(devices) = &c.devices {
        words += &format!(", with: {}", devices.join(", "));
    }
    if let Some(days) = c.within_days {
        words += &format!(", not older than {days} days");
    }
    words += &format!(", else {}", code(&c.otherwise));
    if c.missing == Missing::Pass {
        words += ", nothing recorded counts as met";
    }
    words
}

/// All criteria of a gate in a sentence, and what is done meanwhile.
pub(crate) fn gate(gate: &GateRule) -> String {
    let all: Vec<_> = gate.criterion.iter().map(criterion).collect();
    let mut words = format!("{}: {}", gate.name, all.join("; "));
    if let Some(w) = &gate.wait {
        let (then, exhausted) = (code(&w.then), code(&w.exhausted));
        words += &format!(
            ". While not met wait {} days, at most {} times, then {then}; if still not, {exhausted} ({})",
            w.days,
            w.at_most,
            w.drugs.join(", ")
        );
    }
    words
}

/// What a modification says, in a sentence.
pub(crate) fn modification(m: &Modification) -> String {
    let when = match (&m.measure, m.comparison, m.limit) {
        (Some(measure), Some(c), Some(limit)) => {
            let unit = m.unit.as_deref().unwrap_or("");
            format!("{measure} {} {limit} {unit}", c.sign())
        }
        _ => {
            let grades: Vec<_> = m.grades.iter().map(u8::to_string).collect();
            format!("toxicity ({}) of grade {}", m.terms.join(", "), grades.join(" or "))
        }
    };
    let hold = m.hold_until_grade.map(|g| format!("; held until grade {g} or below"));
    let then: Vec<_> = m.then.iter().map(code).collect();
    format!(
        "{} after {}{}; at each appearance: {} ({})",
        m.drugs.join(", "),
        when.trim_end(),
        hold.unwrap_or_default(),
        then.join(", "),
        m.source
    )
}

/// What a procedure needs and when it is left out, in sentences.
pub(crate) fn conditions(p: &Procedure) -> Vec<String> {
    let requires = p.requires.iter().map(|r| {
        let most = r.most_days.map(|d| format!(" and at most {d}"));
        format!(
            "{} was done at least {} days{} before",
            r.procedure,
            r.least_days,
            most.unwrap_or_default()
        )
    });
    requires.chain(p.only_if.iter().map(|c| format!("only if {}", criterion(c)))).collect()
}

/// A gate, typed.
pub(crate) fn gate_tree(gate: &GateRule) -> Vec<(&'static str, Node)> {
    let mut nodes = vec![("id", Node::Text(gate.id.clone()))];
    nodes.extend(gate.criterion.iter().map(|c| ("criterion", Node::Nodes(criterion_tree(c)))));
    if let Some(w) = &gate.wait {
        let mut wait = vec![
            ("days", Node::Whole(w.days)),
            ("atMost", Node::Whole(w.at_most)),
            ("then", Node::Text(code(&w.then))),
            ("exhausted", Node::Text(code(&w.exhausted))),
        ];
        wait.extend(w.drugs.iter().map(|d| ("drug", Node::Text(d.clone()))));
        wait.push(("source", Node::Text(w.source.clone())));
        nodes.push(("wait", Node::Nodes(wait)));
    }
    nodes
}

/// A criterion, typed.
pub(crate) fn criterion_tree(c: &CriterionRule) -> Vec<(&'static str, Node)> {
    let text = |s: &str| Node::Text(s.to_owned());
    let mut nodes = vec![
        ("id", text(&c.id)),
        ("name", text(&c.name)),
        ("measure", text(&c.measure)),
        ("comparison", text(c.comparison.sign())),
    ];
    nodes.extend(c.limit.map(|l| ("limit", Node::Quantity(l, c.unit.clone()))));
    nodes.extend((!c.unit.is_empty()).then(|| ("unit", text(&c.unit))));
    nodes.extend(c.limit_of.iter().map(|l| ("limitOf", text(l))));
    nodes.push(("over", Node::Text(code(&c.over))));
    nodes.extend(c.terms.iter().map(|t| ("term", text(t))));
    nodes.extend(c.drugs.iter().map(|d| ("drug", text(d))));
    nodes.extend(c.devices.iter().flatten().map(|d| ("device", text(d))));
    nodes.extend(c.within_days.map(|d| ("withinDays", Node::Whole(d))));
    nodes.push(("otherwise", Node::Text(code(&c.otherwise))));
    nodes.push(("missing", Node::Text(code(&c.missing))));
    nodes.push(("source", text(&c.source)));
    nodes.extend(c.overrides.iter().map(|o| {
        (
            "override",
            Node::Nodes(vec![("protocol", text(&o.protocol)), ("reason", text(&o.reason))]),
        )
    }));
    nodes
}
