//! A protocol's schedule of activities, its cycles unrolled, in days from day 1 of cycle 1.

use crate::ExchangeError;
use hepatica_regimen::protocol::{Assessment, Procedure, Protocol, Timing};

/// Cycles that are unrolled where the protocol has no maximum and nobody asks for a number.
pub const CYCLES: u32 = 6;
/// Most entries of a schedule: more are no schedule, but a slip in a protocol.
const MAX_ITEMS: usize = 20_000;

/// How many cycles are written out: the protocol's maximum, else what was asked for or [`CYCLES`],
/// and never less than the last cycle that the protocol names.
pub(crate) fn cycles(protocol: &Protocol, asked: Option<u32>) -> u32 {
    let windows = protocol.procedure.iter().flat_map(|p| &p.window).map(|w| w.cycle);
    let timings = protocol.assessment.iter().flat_map(|a| &a.when);
    let named = timings.filter_map(|t| t.cycle.or(t.from_cycle)).chain(windows).max();
    let most = protocol.cycle.at_most.or(asked).unwrap_or(CYCLES);
    most.max(named.unwrap_or(1)).clamp(1, hepatica_regimen::protocol::MAX_CYCLE)
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What<'a> {
    /// A drug is begun: its place in the protocol.
    Drug(usize),
    /// A procedure, and which of its windows.
    Procedure(&'a Procedure, usize),
    /// An assessment.
    Assessment(&'a Assessment),
}

/// An entry, in days from day 1 of cycle 1, which is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Item<'a> {
    pub(crate) what: What<'a>,
    pub(crate) cycle: Option<u32>,
    pub(crate) earliest: i64,
    pub(crate) target: i64,
    pub(crate) latest: i64,
}

/// All entries, by the day aimed at.
pub(crate) fn unroll(protocol: &Protocol, cycles: u32) -> Result<Vec<Item<'_>>, ExchangeError> {
    let length = i64::from(protocol.cycle.days);
    let mut items = Vec::new();
    let start = |cycle: u32| (i64::from(cycle) - 1) * length;
    for cycle in 1..=cycles {
        for (n, d) in protocol.drug.iter().enumerate() {
            let day = start(cycle) + i64::from(d.first_day) - 1;
            let cycle = Some(cycle);
            let what = What::Drug(n);
            items.push(Item { what, cycle, earliest: day, target: day, latest: day });
        }
    }
    for p in &protocol.procedure {
        for (n, w) in p.window.iter().enumerate().filter(|(_, w)| w.cycle <= cycles) {
            let on = |day: u32| start(w.cycle) + i64::from(day) - 1;
            items.push(Item {
                what: What::Procedure(p, n),
                cycle: Some(w.cycle),
                earliest: on(w.earliest),
                target: on(w.target),
                latest: on(w.latest),
            });
        }
    }
    for a in &protocol.assessment {
        for t in &a.when {
            for (from, cycle) in references(protocol, t, cycles) {
                let on = |day: i32| from + i64::from(day);
                items.push(Item {
                    what: What::Assessment(a),
                    cycle,
                    earliest: on(t.earliest),
                    target: on(t.target),
                    latest: on(t.latest),
                });
            }
            if items.len() > MAX_ITEMS {
                let protocol = protocol.id.clone();
                return Err(ExchangeError::TooMany { protocol, most: MAX_ITEMS });
            }
        }
    }
    items.sort_by_key(|i| (i.target, i.earliest, i.latest));
    Ok(items)
}

/// The days that a timing is reckoned from, with their cycles.
fn references(protocol: &Protocol, t: &Timing, cycles: u32) -> Vec<(i64, Option<u32>)> {
    let length = i64::from(protocol.cycle.days);
    if let Some(after) = &t.after {
        let from = match after.as_str() {
            "start" => Some(0),
            id => protocol.procedure.iter().find(|p| p.id == id).and_then(|p| {
                let w = p.window.first()?;
                Some((i64::from(w.cycle) - 1) * length + i64::from(w.target) - 1)
            }),
        };
        let Some(from) = from else { return Vec::new() };
        let Some(every) = t.every_days else { return vec![(from, None)] };
        let end = i64::from(cycles) * length;
        let every = i64::from(every.max(1));
        let times = (1..).map(|k| from + k * every).take_while(|day| *day <= end);
        return times.take(MAX_ITEMS + 1).map(|day| (day, None)).collect();
    }
    let first = t.cycle.or(t.from_cycle).unwrap_or(1);
    let last = t.cycle.or(t.to_cycle).unwrap_or(cycles).min(cycles);
    // Day 1 of a cycle is its first: what is reckoned from is the day before.
    (first..=last).map(|c| ((i64::from(c) - 1) * length - 1, Some(c))).collect()
}
