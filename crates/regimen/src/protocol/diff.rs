//! What differs between two protocols, entry by entry.
//!
//! Entries of a list belong together by their identifiers, wherever they stand: a gate that moved is
//! no difference, a limit in it is.

use super::Protocol;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Keys that name an entry of a list, the first that all entries have.
const NAMES: [&str; 4] = ["id", "measure", "procedure", "protocol"];

/// A place at which two protocols differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Where: `gate next-cycle, criterion platelets, limit`.
    pub place: String,
    /// What the first says; none: nothing.
    pub before: Option<String>,
    /// What the second says; none: nothing.
    pub after: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = &self.place;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{place}: {before}, now {after}"),
            (Some(before), None) => write!(f, "{place}: {before}, now gone"),
            (None, Some(after)) => write!(f, "{place}: new, {after}"),
            (None, None) => f.write_str(place),
        }
    }
}

/// What differs between two protocols, in the order of the first; empty when they say the same.
#[must_use]
pub fn diff(a: &Protocol, b: &Protocol) -> Vec<Difference> {
    let mut all = Vec::new();
    let value = |p: &Protocol| serde_json::to_value(p).unwrap_or_default();
    walk("", &value(a), &value(b), &mut all);
    all
}

fn walk(place: &str, a: &Value, b: &Value, all: &mut Vec<Difference>) {
    if a == b {
        return;
    }
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys: BTreeSet<_> = x.keys().chain(y.keys()).collect();
            for key in keys {
                let (a, b) = (x.get(key), y.get(key));
                walk(
                    &joined(place, key),
                    a.unwrap_or(&Value::Null),
                    b.unwrap_or(&Value::Null),
                    all,
                );
            }
        }
        (Value::Array(x), Value::Array(y)) => match names(x, y) {
            Some(key) => entries(place, key, x, y, all),
            None => all.push(differs(place, a, b)),
        },
        _ => all.push(differs(place, a, b)),
    }
}

/// The key by which the entries of both lists can be told apart.
fn names(a: &[Value], b: &[Value]) -> Option<&'static str> {
    NAMES.into_iter().find(|key| {
        [a, b].iter().all(|list| {
            let mut seen = BTreeSet::new();
            list.iter()
                .all(|v| v.get(key).and_then(Value::as_str).is_some_and(|id| seen.insert(id)))
        })
    })
}

fn entries(place: &str, key: &str, a: &[Value], b: &[Value], all: &mut Vec<Difference>) {
    let id = |v: &Value| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let find = |list: &[Value], name: &str| list.iter().find(|v| id(v) == name).cloned();
    for v in a {
        let other = find(b, &id(v)).unwrap_or(Value::Null);
        walk(&format!("{place} {}", id(v)), v, &other, all);
    }
    for v in b.iter().filter(|v| find(a, &id(v)).is_none()) {
        walk(&format!("{place} {}", id(v)), &Value::Null, v, all);
    }
}

fn joined(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}, {key}") }
}

fn differs(place: &str, a: &Value, b: &Value) -> Difference {
    Difference { place: place.to_owned(), before: shown(a), after: shown(b) }
}

/// A value as a person would write it; an entry by its name.
fn shown(v: &Value) -> Option<String> {
    Some(match v {
        Value::Null => return None,
        Value::String(s) => s.clone(),
        Value::Object(map) => match map.get("name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => {
                let pairs = map.iter().filter_map(|(k, v)| Some(format!("{k} {}", shown(v)?)));
                pairs.collect::<Vec<_>>().join(", ")
            }
        },
        Value::Array(list) if list.is_empty() => return None,
        Value::Array(list) => {
            let each = list.iter().filter_map(shown);
            each.collect::<Vec<_>>().join(if list.iter().any(Value::is_object) {
                "; "
            } else {
                ", "
            })
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../../protocols/captemy90.toml");

    fn against(change: impl Fn(&str) -> String) -> Vec<String> {
        let read = |text: &str| Protocol::parse(text, "p.toml").expect("a protocol");
        let changed = change(TEXT);
        assert_ne!(changed, TEXT, "the change changes something");
        diff(&read(TEXT), &read(&changed)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_protocol_does_not_differ() {
        for name in Protocol::shipped() {
            let p = Protocol::named(name).expect("shipped");
            assert!(diff(&p, &p).is_empty());
        }
    }

    #[test]
    fn a_limit_is_named_with_its_gate() {
        let found = against(|t| {
            t.replace(
                r#"measure = "platelets", comparison = ">=", limit = 100.0"#,
                r#"measure = "platelets", comparison = ">=", limit = 75.0"#,
            )
        });
        assert_eq!(found, ["gate next-cycle, criterion platelets, limit: 100.0, now 75.0"]);
    }

    #[test]
    fn what_moved_is_no_difference() {
        let found = against(|t| {
            let (head, visit) = t.split_once("[[assessment]]\nid = \"visit\"").expect("there");
            let (visit, rest) = visit.split_once("\n[[").expect("followed");
            let (first, others) = head.split_once("[[assessment]]").expect("there");
            format!("{first}[[assessment]]\nid = \"visit\"{visit}\n[[assessment]]{others}[[{rest}")
        });
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn what_came_and_went_is_named() {
        let found = against(|t| t.replace(r#"id = "visit""#, r#"id = "seen""#));
        assert_eq!(
            found,
            [
                "assessment visit: Visit: performance and weight, now gone",
                "assessment seen: new, Visit: performance and weight",
            ]
        );
        let found = against(|t| t.replace("days = 28\nuntil", "days = 28\nat_most = 13\nuntil"));
        assert_eq!(found, ["cycle, at_most: new, 13"]);
    }

    #[test]
    fn lists_without_names_are_shown_whole() {
        let found = against(|t| {
            t.replace(
                "levels_mg_per_m2 = [600.0, 450.0, 300.0]",
                "levels_mg_per_m2 = [600.0, 300.0]",
            )
        });
        assert_eq!(
            found,
            [
                "drug capecitabine, variant pilot-2018, levels_mg_per_m2: 600.0, 450.0, 300.0, now 600.0, 300.0"
            ]
        );
        let found =
            against(|t| t.replace("earliest = 1, target = 15,", "earliest = 1, target = 14,"));
        assert_eq!(
            found,
            [
                "procedure simulation, window: cycle 1, earliest 1, latest 28, target 15, now cycle 1, earliest 1, latest 28, target 14"
            ]
        );
    }
}
