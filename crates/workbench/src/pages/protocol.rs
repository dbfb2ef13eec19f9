//! *Protocol*: a file as a page: schedule of activities, drugs, gates with sources, rules.

use super::encoded;
use super::layout::{Place, chip, number, page, sentence};
use crate::api::shipped;
use crate::problem::PageProblem;
use axum::extract::Path;
use hepatica_regimen::Protocol;
use hepatica_regimen::dose::Per;
use hepatica_regimen::gate::Step;
use hepatica_regimen::measure::Measure;
use hepatica_regimen::protocol::check::Severity;
use hepatica_regimen::protocol::{Mark, Timing};
use maud::{Markup, html};

/// Cycles of the schedule that have columns of their own.
const CYCLES: u32 = 4;

/// All protocols.
///
/// # Errors
/// When one of them cannot be read: a fault of the program.
pub async fn list() -> Result<Markup, PageProblem> {
    let all = Protocol::shipped().map(shipped).collect::<Result<Vec<_>, _>>()?;
    let body = html! {
        h1 { "Protocols" }
        div.scroll tabindex="0" role="region" aria-label="Protocols" {
            table { thead { tr { th scope="col" { "Protocol" } th scope="col" { "Version" } th scope="col" { "Cycle" } th scope="col" { "Drugs" } th scope="col" { "Until" } } }
                tbody { @for p in &all { tr {
                    th scope="row" { a href={ "/protocols/" (encoded(&p.id)) } { (p.name) } span.why.soft { (p.id) } }
                    td { (p.version) } td { (p.cycle.days) " days" }
                    td { (p.drug.iter().map(|d| d.name.clone()).collect::<Vec<_>>().join(", ")) }
                    td { (p.duration()) }
                } } } }
        }
    };
    Ok(page("Protocols", Place::Protocols, &body))
}

/// A protocol.
///
/// # Errors
/// When there is none of that name.
pub async fn page_of(Path(id): Path<String>) -> Result<Markup, PageProblem> {
    let p = shipped(&id)?;
    let findings = p.findings();
    let body = html! {
        nav.crumbs aria-label="Where this is" { a href="/protocols" { "Protocols" } }
        div.title { div { h1 { (p.name) }
            p.soft { (p.id) " version " (p.version) @if let Some(r) = &p.registry { " · " (r) } " · cycles of " (p.cycle.days) " days, " (p.duration()) " · CTCAE v" (p.ctcae) }
            p.soft { (p.source) } } }
        @for n in &p.notes { p.notice.info { (sentence(n)) } }
        @for f in &findings {
            p class={ "notice " (if f.severity == Severity::Error { "fail" } else { "hold" }) } { (f.to_string()) }
        }
        (schedule(&p)) (drugs(&p)) (gates(&p)) (rules(&p))
    };
    Ok(page(&p.name, Place::Protocols, &body))
}

fn mark(mark: Mark) -> Markup {
    match mark {
        Mark::Seen => chip("pass", "✓", "seen"),
        Mark::Derived => chip("plain", "=", "derived"),
        Mark::Recalled => chip("hold", "?", "recalled"),
        Mark::Assumed => chip("hold", "≈", "assumed"),
    }
}

fn days(earliest: i64, target: i64, latest: i64) -> String {
    if earliest == latest {
        format!("{target}")
    } else {
        format!("{target} ({earliest} to {latest})")
    }
}

/// Days of a cycle on which an assessment is due, if it is reckoned from cycles.
fn in_cycle(t: &Timing, cycle: u32) -> Option<String> {
    let now = t.cycle == Some(cycle)
        || t.from_cycle
            .is_some_and(|from| from <= cycle && t.to_cycle.is_none_or(|to| cycle <= to));
    now.then(|| days(t.earliest.into(), t.target.into(), t.latest.into()))
}

fn otherwise(t: &Timing) -> Option<String> {
    let after = t.after.as_ref()?;
    let again = t.every_days.map_or(String::new(), |d| format!(", every {d} days"));
    let from = if after == "start" { "C1D1".to_owned() } else { after.clone() };
    let span = days(t.earliest.into(), t.target.into(), t.latest.into());
    Some(format!("day {span} after {from}{again}"))
}

fn schedule(p: &Protocol) -> Markup {
    let last = p.cycle.at_most.unwrap_or(CYCLES).min(CYCLES);
    let cell = |parts: Vec<String>| {
        html! { td { @if parts.is_empty() { span.soft { "·" } } @else { (parts.join("; ")) } } }
    };
    html! {
        section aria-labelledby="schedule" {
            h2 id="schedule" { "Schedule of activities" }
            p.soft { "Days of each cycle; day 1 is its first. In brackets the window." }
            div.scroll tabindex="0" role="region" aria-label="Schedule of activities" {
                table.schedule {
                    thead { tr { th scope="col" { "What" }
                        @for c in 1..=last { th scope="col" { "Cycle " (c) @if c == last && p.cycle.at_most.is_none_or(|m| m > c) { " and on" } } }
                        th scope="col" { "Otherwise" } th scope="col" { "If missed" } th scope="col" { "Source" } } }
                    tbody {
                        @for d in &p.drug { tr { th scope="row" { (d.name) }
                            @for _ in 1..=last { td { (d.first_day) " to " (d.last_day) } }
                            td {} td {} td.soft { (d.source) } } }
                        @for x in &p.procedure { tr { th scope="row" { (x.name) }
                            @for c in 1..=last { (cell(x.window.iter().filter(|w| w.cycle == c).map(|w| days(w.earliest.into(), w.target.into(), w.latest.into())).collect())) }
                            td { @for r in &x.requires { span.why { "after " (r.procedure) @if r.least_days > 0 { ", " (r.least_days) " days at least" } @if let Some(m) = r.most_days { ", " (m) " days at most" } } }
                                @if let Some(c) = &x.only_if { span.why { "only if " (c.name) } } }
                            td { (x.if_missed.to_string()) } td.soft { (x.source) } } }
                        @for a in &p.assessment { tr { th scope="row" { (a.name)
                                @if !a.measures.is_empty() { span.why.soft { (a.measures.iter().map(|m| Measure::find(m).map_or(m.clone(), |m| m.name.clone())).collect::<Vec<_>>().join(", ")) } } }
                            @for c in 1..=last { (cell(a.when.iter().filter_map(|t| in_cycle(t, c)).collect())) }
                            td { (a.when.iter().filter_map(otherwise).collect::<Vec<_>>().join("; ")) }
                            td { (a.if_missed.to_string()) } td.soft { (a.source) } } }
                    }
                }
            }
        }
    }
}

fn drugs(p: &Protocol) -> Markup {
    html! {
        @if !p.drug.is_empty() {
            section aria-labelledby="drugs" {
                h2 id="drugs" { "Doses" }
                div.scroll tabindex="0" role="region" aria-label="Doses" {
                    table { thead { tr { th scope="col" { "Drug" } th scope="col" { "Variant" } th scope="col" { "Levels, the highest first" } th scope="col" { "Starts on" } th scope="col" { "Times a day" } th scope="col" { "How sure" } th scope="col" { "Source" } } }
                        tbody { @for d in &p.drug { @for v in &d.variant {
                            @let (list, unit) = if v.levels_mg.is_empty() { (&v.levels_mg_per_m2, "mg/m²") } else { (&v.levels_mg, "mg") };
                            tr { th scope="row" { (d.name) } td { (v.id) }
                                td { (list.iter().map(|x| number(*x, 1)).collect::<Vec<_>>().join(", ")) " " (unit) @match v.per { Per::Day => " a day", Per::Intake => " an intake" } }
                                td { (list.get(v.start_level).map_or(String::new(), |x| number(*x, 1))) }
                                td { (v.times_a_day.unwrap_or(d.times_a_day)) } td { (mark(v.mark)) } td.soft { (v.source) } }
                        } } } }
                }
            }
        }
    }
}

fn step(s: &Step) -> &'static str {
    match s {
        Step::Same => "the same dose",
        Step::Down => "one level down",
        Step::Minus1 => "level -1",
        Step::Minus2 => "level -2",
        Step::Minus3 => "level -3",
        Step::Stop => "stop",
    }
}

fn gates(p: &Protocol) -> Markup {
    html! {
        @if !p.gate.is_empty() {
            section aria-labelledby="gates" {
                h2 id="gates" { "Gates" }
                @for g in &p.gate {
                    details.gate open { summary { span.name { (g.name) } span.soft { "before " (g.guards.join(", ")) } }
                        @if let Some(w) = &g.wait { p { "Else wait " (w.days) " days, at most " (w.at_most) " times; after a wait " (step(&w.then)) "; in vain: " (step(&w.exhausted)) ". " span.soft { (w.source) } } }
                        div.scroll tabindex="0" role="region" aria-label={ "Criteria of: " (g.name) } {
                            table { thead { tr { th scope="col" { "Criterion" } th scope="col" { "Limit" } th scope="col" { "Else" } th scope="col" { "Not older than" } th scope="col" { "Source" } } }
                                tbody { @for c in &g.criterion { tr {
                                    th scope="row" { (c.name) @if let Some(d) = &c.devices { span.why.soft { "only " (d.join(", ")) } } }
                                    td { (c.comparison.sign()) " " (c.limit.map_or_else(|| c.limit_of.clone().unwrap_or_default(), |l| number(l, 3))) " " (c.unit) }
                                    td { (format!("{:?}", c.otherwise).to_lowercase()) }
                                    td { @if let Some(d) = c.within_days { (d) " days" } }
                                    td.soft { (c.source) @for o in &c.overrides { span.why { "departs in " (o.protocol) ": " (o.reason) } } }
                                } } } }
                        } }
                }
            }
        }
    }
}

fn rules(p: &Protocol) -> Markup {
    html! {
        @if !p.modification.is_empty() {
            section aria-labelledby="rules" {
                h2 id="rules" { "Dose changes" }
                div.scroll tabindex="0" role="region" aria-label="Dose changes" {
                    table { thead { tr { th scope="col" { "When" } th scope="col" { "Drugs" } th scope="col" { "Then, at the first, second, ... time" } th scope="col" { "How sure" } th scope="col" { "Source" } } }
                        tbody { @for m in &p.modification { tr {
                            th scope="row" {
                                @if let (Some(measure), Some(c), Some(l)) = (&m.measure, m.comparison, m.limit) { (measure) " " (c.sign()) " " (number(l, 3)) " " (m.unit.as_deref().unwrap_or_default()) }
                                @else { (m.terms.join(", ")) " grade " (m.grades.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")) }
                                @if let Some(g) = m.hold_until_grade { span.why.soft { "held until grade " (g) } } }
                            td { (m.drugs.join(", ")) }
                            td { (m.then.iter().map(step).collect::<Vec<_>>().join(", ")) }
                            td { (mark(m.mark)) } td.soft { (m.source) }
                        } } } }
                }
            }
        }
        @if !p.endpoint.is_empty() {
            section aria-labelledby="endpoints" { h2 id="endpoints" { "Endpoints" }
                ul { @for e in &p.endpoint { li { strong { (e.name) } span.soft { " " (e.source) } } } } }
        }
    }
}
