//! Windows and rules in words.

use crate::gate::{Step, Wait};
use crate::protocol::{Modification, Protocol};
use crate::state::{Cause, Cycle, HoldCause};

/// `28 days before day 1 of cycle 1`.
pub(super) fn after(what: &str, days: i32) -> String {
    match days {
        0 => format!("the day of {what}"),
        n if n < 0 => format!("{} days before {what}", -n),
        n => format!("{n} days after {what}"),
    }
}

/// `it waits 7 days, at most 4 times`.
pub(super) fn wait(w: &Wait) -> String {
    format!(
        "it waits {} days, at most {} times; then {}; if still not, {}",
        w.days,
        w.at_most,
        step(w.then),
        step(w.exhausted)
    )
}

/// `waited 2 times since 2027-01-04`.
pub(super) fn waited(c: &Cycle) -> String {
    let times = if c.waits == 1 { "once".to_owned() } else { format!("{} times", c.waits) };
    format!("waited {times} since {}", c.planned)
}

fn step(step: Step) -> &'static str {
    match step {
        Step::Same => "the same dose",
        Step::Down => "one level down",
        Step::Minus1 => "level -1",
        Step::Minus2 => "level -2",
        Step::Minus3 => "level -3",
        Step::Stop => "the drug is stopped",
    }
}

fn modification(protocol: &Protocol, n: usize) -> Option<&Modification> {
    protocol.modification.get(n)
}

/// Why a level changed.
pub(super) fn cause(protocol: &Protocol, cause: &Cause<'_>) -> String {
    match cause {
        Cause::Toxicity { modification: n, term, grade, ctcae, on, appearance } => {
            let m = modification(protocol, *n);
            let then = m.and_then(|m| m.then.get((*appearance - 1).min(m.then.len() - 1)));
            let (then, source) =
                (then.map_or("", |s| step(*s)), m.map_or("", |m| m.source.as_str()));
            let time = match appearance {
                1 => "first".to_owned(),
                2 => "second".to_owned(),
                3 => "third".to_owned(),
                n => format!("{n}th"),
            };
            format!("{term} grade {grade} (CTCAE v{ctcae}) on {on}, {time} time: {then} ({source})")
        }
        Cause::Value { modification: n, value, on } => {
            let m = modification(protocol, *n);
            let (measure, source) =
                m.map_or(("", ""), |m| (m.measure.as_deref().unwrap_or(""), m.source.as_str()));
            let unit = m.and_then(|m| m.unit.as_deref()).unwrap_or("");
            format!("{measure} {value} {unit} on {on} ({source})")
        }
        Cause::Waited { cycle, times } => {
            let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
            format!("cycle {cycle} had to wait {times}")
        }
        Cause::Exhausted { cycle } => format!("cycle {cycle} waited as long as it may, in vain"),
        Cause::Escalation { cycle } => format!("tolerated up to cycle {cycle}: one level up"),
    }
}

/// Why a drug is held.
pub(super) fn hold(protocol: &Protocol, cause: &HoldCause<'_>) -> String {
    match cause {
        HoldCause::Toxicity { modification: n, term, grade } => {
            let m = modification(protocol, *n);
            let until = m.and_then(|m| m.hold_until_grade).unwrap_or(0);
            let source = m.map_or("", |m| m.source.as_str());
            format!("held for {term} grade {grade} until grade {until} or below ({source})")
        }
        HoldCause::Decision { why } => {
            format!("held by decision{}", why.map_or(String::new(), |w| format!(": {w}")))
        }
    }
}
