//! *Course*: timeline, what is due, doses, gates with reasons, values, events with who and when.

use super::encoded;
use super::layout::{self, Place, chip, day, number, sentence, short_day, status};
use crate::api::{corrects, day_in_words};
use crate::opened::{Opened, Seen};
use crate::problem::PageProblem;
use crate::server::App;
use axum::extract::{Path, Query, State};
use hepatica_regimen::course::{days_between, plus};
use hepatica_regimen::ctcae::Graded;
use hepatica_regimen::gate::Status as GateStatus;
use hepatica_regimen::next::{Kind, Obligation, Status};
use hepatica_regimen::protocol::AssessmentKind;
use hepatica_regimen::response::Scope;
use hepatica_regimen::{Agenda, Fact, ProcedureKind, Protocol};
use hepatica_report::timeline;
use jiff::civil::Date;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use std::sync::Arc;

/// Cycles that the timeline shows at least.
const CYCLES: usize = 4;
/// Days ahead that are shown.
const AHEAD_DAYS: i64 = 35;
/// Days for which what was missed is shown.
const MISSED_DAYS: i64 = 28;

/// Which day, and what was just recorded.
#[derive(Debug, Default, Deserialize)]
pub struct View {
    /// The day in question.
    pub on: Option<Date>,
    /// Events that were just recorded.
    pub recorded: Option<String>,
}

/// Kinds of events that a person records, with their names.
pub const KINDS: [(&str, &str); 14] = [
    ("labs", "Laboratory values"),
    ("doses", "Doses taken"),
    ("toxicity", "Toxicity"),
    ("procedure", "Procedure"),
    ("session", "Radioembolization"),
    ("scan", "Scan"),
    ("enrolment", "Entry data"),
    ("normal", "Limits of normal"),
    ("therapy", "Other treatment"),
    ("hold", "Hold drugs"),
    ("resume", "Resume drugs"),
    ("override", "Waive a criterion"),
    ("withdrawal", "Withdrawal"),
    ("death", "Death"),
];

/// The page.
///
/// # Errors
/// When there is no such course, or it cannot be reckoned.
pub async fn page_of(app: &App, patient: &str, view: &View) -> Result<Markup, PageProblem> {
    let opened = Opened::read(&*app.store, patient, view.on).await?;
    app.note_read(patient, "course").await?;
    let seen = opened.seen(CYCLES)?;
    Ok(show(&opened, &seen, view))
}

/// The page.
///
/// # Errors
/// As [`page_of`].
pub async fn page(
    State(app): State<Arc<App>>,
    Path(patient): Path<String>,
    Query(view): Query<View>,
) -> Result<Markup, PageProblem> {
    page_of(&app, &patient, &view).await
}

fn show(opened: &Opened, seen: &Seen<'_>, view: &View) -> Markup {
    let a = &seen.agenda;
    let base = format!("/courses/{}", encoded(&a.patient));
    let svg = timeline::svg(&opened.protocol, &seen.course, &seen.state, a);
    let recorded = view.recorded.as_deref().unwrap_or_default();
    let just: Vec<_> =
        opened.log.entries().filter(|(id, _)| recorded.split(',').any(|r| r == id.0)).collect();
    let variant = a.variant.as_deref().map_or(String::new(), |v| format!(" · {v}"));
    let body = html! {
        div.course data-patient=(a.patient) data-head=(opened.log.hash()) {
        div.title {
            div {
                h1 { (a.patient) }
                p.soft { a href={ "/protocols/" (encoded(&a.protocol)) } { (a.protocol) } " version " (a.protocol_version) (variant) " · C1D1 " (day(seen.course.c1d1)) }
            }
            p.today { span.big { (sentence(&day_in_words(a, seen.course.c1d1))) } (day(a.today))
                @if view.on.is_some() { " " a href=(base) { "back to today" } } }
        }
        p.notice.info #changed hidden role="status" { "The course has changed. " a href=(base) { "Show it as it is now" } }
        @if !just.is_empty() {
            div.notice.pass role="status" { @for (_, e) in &just { p { "Recorded: " (e.fact.kind()) " of " (e.on) ", " (e.fact.summary()) } } }
        }
        @for c in &a.conflicts { p.notice.fail role="alert" { strong { "Conflict. " } (sentence(c)) } }
        nav.tools aria-label="This course" {
            details.menu { summary.button.primary { "Record" }
                ul { @for (kind, name) in KINDS { li { a href={ (base) "/record/" (kind) } { (name) } } } } }
            a.button href={ (base) "/plan" } { "Plan" }
            a.button href={ "/api" (base) "/calendar.ics" } { "Calendar" }
            a.button href={ "/api" (base) "/file" } { "Course file" }
        }
        (doses(a, &base))
        (due(&opened.protocol, a, &base))
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Timeline" }
            div.scroll.timeline tabindex="0" role="region" aria-label="Timeline" { (PreEscaped(svg)) }
        }
        (gates(a))
        (values(a))
        (outcomes(a))
        @for (title, list) in [("Deviations", &a.deviations), ("Notes", &a.warnings)] {
            @if !list.is_empty() { section { h2 { (title) } ul { @for line in list { li { (sentence(line)) } } } } }
        }
        (events(opened, &base))
        }
    };
    layout::page(&a.patient, Place::Courses, &body)
}

fn doses(a: &Agenda, base: &str) -> Markup {
    if a.doses.is_empty() || a.ended.is_some() {
        return html! {};
    }
    html! {
        section aria-labelledby="doses" {
            h2 id="doses" { "Today" }
            div.cards {
                @for d in &a.doses {
                    div.card.dose {
                        h3 { (d.name) }
                        p { @match (&d.held, d.stopped, d.due) {
                            (_, true, _) => (chip("fail", "✕", "stopped for good")),
                            (Some(why), ..) => { (chip("hold", "‖", "held")) " " (sentence(why)) },
                            (None, false, true) => (chip("due", "●", "taken today")),
                            (None, false, false) => (chip("plain", "–", "not one of its days")),
                        } }
                        @if !d.stopped {
                            p { strong { (d.words.as_deref().unwrap_or("The dose cannot be told")) }
                                @if let Some(mg) = d.mg_per_intake { " (" (number(mg, 1)) " mg an intake)" }
                                span.soft { " level " (d.level) } }
                            @if !d.needs.is_empty() { p { (chip("hold", "?", "needs")) " " (d.needs.join(", ")) } }
                        }
                        @for line in &d.because { p.soft { "Because " (line) } }
                        @if !d.lines.is_empty() { details { summary { "From height to tablets" }
                            ul { @for l in &d.lines { li { (l.what) ": " (number(l.value, 2)) " " (l.unit) " " span.soft { "(" (l.because) ") " (l.source) } } } } } }
                        @if d.due { p { a href={ (base) "/record/doses?on=" (a.today) } { "Record doses" } } }
                    }
                }
            }
        }
    }
}

/// The form that fits what is due.
fn form_for(protocol: &Protocol, o: &Obligation) -> Option<&'static str> {
    match o.kind {
        Kind::Assessment => {
            let a = protocol.assessment.iter().find(|a| a.id == o.what)?;
            Some(if a.kind == AssessmentKind::Imaging { "record/scan" } else { "record/labs" })
        }
        Kind::Procedure => {
            let p = protocol.procedure.iter().find(|p| p.id == o.what)?;
            Some(match p.kind {
                ProcedureKind::Simulation => "plan",
                ProcedureKind::Radioembolization => "record/session",
                ProcedureKind::Other => "record/procedure",
            })
        }
        Kind::Drug => Some("record/doses"),
        Kind::Cycle => None,
    }
}

fn due(protocol: &Protocol, a: &Agenda, base: &str) -> Markup {
    let soon = plus(a.today, AHEAD_DAYS);
    let shown: Vec<&Obligation> = a
        .obligations
        .iter()
        .filter(|o| match o.status {
            Status::Due => o.kind != Kind::Drug,
            Status::Overdue | Status::Held => true,
            Status::Upcoming | Status::Undecided => o.earliest <= soon,
            Status::Missed => {
                o.kind != Kind::Assessment || days_between(o.latest, a.today) <= MISSED_DAYS
            }
            _ => false,
        })
        .collect();
    html! {
        section aria-labelledby="due" {
            h2 id="due" { "What is due" }
            @if shown.is_empty() { p { "Nothing in the next " (AHEAD_DAYS) " days." } } @else {
                div.scroll tabindex="0" role="region" aria-label="What is due" {
                    table.agenda {
                        thead { tr { th scope="col" { "State" } th scope="col" { "Day" } th scope="col" { "What" } th scope="col" { "Why" } th scope="col" { span.hidden { "Form" } } } }
                        tbody { @for o in shown {
                            tr {
                                td { (status(o.status)) }
                                td { (short_day(o.target)) @if o.earliest != o.latest { span.why.soft { (o.earliest.strftime("%-d %b")) " to " (o.latest.strftime("%-d %b")) } } }
                                th scope="row" { (o.name) @if let Some(c) = o.cycle { span.why.soft { "cycle " (c) } } }
                                td { @for why in &o.because { span.why { (sentence(why)) } } }
                                td { @if let Some(form) = form_for(protocol, o) {
                                    @let on = o.target.min(a.today);
                                    a href={ (base) "/" (form) "?on=" (on) "&procedure=" (encoded(&o.what)) } aria-label={ (if form == "plan" { "Plan" } else { "Record" }) ": " (o.name) } { @if form == "plan" { "Plan" } @else { "Record" } } } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn gates(a: &Agenda) -> Markup {
    // Whether somebody was eligible is asked before the course begins.
    let shown = a.gates.iter().filter(|g| !(g.before == "start" && a.cycle.is_some()));
    let shown: Vec<_> = shown.collect();
    html! {
        @if !shown.is_empty() {
            section aria-labelledby="gates" {
                h2 id="gates" { "Gates" }
                @for g in shown {
                    (layout::gate(&g.gate, &format!("{}, {}", g.what, g.day.strftime("%-d %b")), g.gate.status >= GateStatus::Hold && g.day <= plus(a.today, 7)))
                }
            }
        }
    }
}

fn graded(g: &Graded) -> Markup {
    match g {
        Graded::Grade(g) if g.grade == 0 => html! { "normal" },
        Graded::Grade(g) => {
            let kind = if g.grade >= 3 { "fail" } else { "hold" };
            chip(kind, "▲", &g.to_string())
        }
        Graded::CannotTell { needs, lowest, highest, .. } => {
            html! { "grade " (lowest) " to " (highest) ", needs " (needs) }
        }
    }
}

fn values(a: &Agenda) -> Markup {
    html! {
        @if !a.values.is_empty() {
            section aria-labelledby="values" {
                h2 id="values" { "Last values" }
                div.scroll tabindex="0" role="region" aria-label="Last values" {
                    table { thead { tr { th scope="col" { "Measure" } th scope="col" .num { "Value" } th scope="col" { "Day" } th scope="col" { "CTCAE" } th scope="col" { "Note" } } }
                        tbody { @for v in &a.values { tr {
                            th scope="row" { (v.name) }
                            td.num { (number(v.value, 2)) " " span.soft { (v.unit) } }
                            td { (short_day(v.on)) }
                            td { @if let Some(g) = &v.grade { (graded(g)) } }
                            td.soft { (v.note.as_deref().unwrap_or_default()) }
                        } } } }
                }
            }
        }
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "All disease",
        Scope::Liver => "Liver",
        Scope::OutsideLiver => "Outside the liver",
    }
}

fn outcomes(a: &Agenda) -> Markup {
    let o = &a.outcomes;
    html! {
        @if !o.responses.is_empty() || !o.endpoints.is_empty() {
            section aria-labelledby="response" {
                h2 id="response" { "Response and endpoints" }
                ul {
                    @for r in &o.responses { @if let Some(last) = r.points.last() {
                        li { strong { (scope(r.scope)) } ": " (last.overall.as_str()) " on " (last.date)
                            @if let Some(c) = last.change_percent { ", " (format!("{c:+.0} %")) " from baseline" }
                            "; best " (r.best.as_str()) }
                    } }
                    @for e in &o.endpoints { li { strong { (e.endpoint) } ": " (e.days) " days from " (e.from) "; " (e.because) } }
                }
            }
        }
    }
}

fn events(opened: &Opened, base: &str) -> Markup {
    let wrong: Vec<&str> = opened.log.events().iter().filter_map(corrects).collect();
    let all: Vec<_> = opened.log.entries().collect();
    html! {
        section aria-labelledby="events" {
            h2 id="events" { "Events" }
            p.soft { (all.len()) " events, the newest first. The chain of hashes is whole: nothing was changed or removed. Last: " code { (&opened.log.hash()[..16]) } }
            div.scroll tabindex="0" role="region" aria-label="Events" {
                table { thead { tr { th scope="col" { "Day" } th scope="col" { "What" } th scope="col" { "Recorded (UTC)" } th scope="col" { "By" } th scope="col" { span.hidden { "Correct" } } } }
                    tbody { @for (id, e) in all.iter().rev() {
                        tr .struck[wrong.contains(&id.0.as_str())] {
                            td { (short_day(e.on)) }
                            th scope="row" { span.kind { (e.fact.kind()) } " " (e.fact.summary())
                                @if let Some(why) = &e.why { span.why.soft { "Why: " (why) } }
                                @if wrong.contains(&id.0.as_str()) { span.why { (chip("plain", "↷", "corrected later")) } }
                                @if e.is_ahead() { span.why.soft { "Told ahead: a rehearsal" } } }
                            td { time datetime=(e.recorded) { (e.recorded.strftime("%Y-%m-%d %H:%M")) } }
                            td { (e.by) }
                            td { @if !matches!(e.fact, Fact::Correction { .. } | Fact::Begin { .. } | Fact::Migration { .. }) && !wrong.contains(&id.0.as_str()) {
                                a href={ (base) "/events/" (id.0) "/correct" } aria-label={ "Correct " (e.fact.kind()) " of " (e.on) } { "Correct" } } }
                        }
                    } } }
            }
        }
    }
}
