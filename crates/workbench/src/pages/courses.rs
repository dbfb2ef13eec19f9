//! *Courses*: who is where, what is due this week, what is held and why; and a new course.

use super::encoded;
use super::layout::{Place, chip, page, sentence, status_word};
use crate::api::{self, CourseRow, Due, On};
use crate::desk::Beginning;
use crate::people;
use crate::problem::PageProblem;
use crate::server::App;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use hepatica_regimen::{Calendar, Protocol};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use uuid::Uuid;

/// The page.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(State(app): State<Arc<App>>, Query(q): Query<On>) -> Result<Markup, PageProblem> {
    app.note_read("*", "list of courses").await?;
    Ok(show(&api::rows(&app, q.on).await?, &Typed::default(), None))
}

/// What is typed into the form of a new course.
#[derive(Debug, Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    key: String,
    #[serde(default)]
    patient: String,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    variant: String,
    #[serde(default)]
    c1d1: String,
    #[serde(default)]
    centre: String,
}

/// Begins a course.
///
/// # Errors
/// When the store cannot be read; what is refused is said on the page.
pub async fn begin(
    State(app): State<Arc<App>>,
    Form(typed): Form<Typed>,
) -> Result<Response, PageProblem> {
    let begun = match Calendar::parse_date(&typed.c1d1) {
        Err(_) => Err(crate::problem::Problem::refused(
            "first day of cycle 1: expected a date written YYYY-MM-DD",
        )),
        Ok(c1d1) => {
            let b = Beginning {
                key: typed.key.clone(),
                patient: typed.patient.clone(),
                protocol: typed.protocol.clone(),
                variant: Some(typed.variant.clone()).filter(|v| !v.is_empty()),
                c1d1,
                centre: Some(typed.centre.clone()).filter(|c| !c.is_empty()),
            };
            api::begin_course(&app, &b).await
        }
    };
    match begun {
        Ok(_) => {
            let patient = typed.patient.trim();
            Ok(Redirect::to(&format!("/courses/{}", encoded(patient))).into_response())
        }
        Err(p) => {
            let rows = api::rows(&app, None).await?;
            Ok((p.status_code(), show(&rows, &typed, Some(&p.detail))).into_response())
        }
    }
}

fn standing(row: &CourseRow) -> Markup {
    if row.error.is_some() {
        return chip("fail", "✕", "cannot be reckoned");
    }
    if row.ended {
        return chip("plain", "–", "ended");
    }
    if !row.conflicts.is_empty() {
        return chip("fail", "!", "conflict");
    }
    if !row.held.is_empty() {
        return chip("hold", "‖", "held");
    }
    if row.due.iter().any(|d| d.status == "overdue") {
        return chip("fail", "!", "overdue");
    }
    if row.due.iter().any(|d| d.status == "due") {
        return chip("due", "●", "due");
    }
    chip("pass", "✓", "on course")
}

fn due(list: &[Due]) -> Markup {
    html! {
        @if list.is_empty() { span.soft { "nothing" } } @else {
            ul.plain {
                @for d in list {
                    li { (status_word(&d.status)) " " (d.name) " " span.soft.date { (d.target) } }
                }
            }
        }
    }
}

fn held(row: &CourseRow) -> Markup {
    html! {
        @if let Some(error) = &row.error { p.notice.fail { (error) } }
        @for c in &row.conflicts { p { strong { "Conflict. " } (sentence(c)) } }
        @if row.held.is_empty() && row.conflicts.is_empty() && row.error.is_none() {
            span.soft { "nothing" }
        } @else {
            ul.plain {
                @for h in &row.held {
                    li {
                        strong { (h.name) }
                        @for why in &h.because { span.why { (sentence(why)) } }
                    }
                }
            }
        }
    }
}

fn show(rows: &[CourseRow], typed: &Typed, error: Option<&str>) -> Markup {
    let key = Uuid::new_v4().to_string();
    let count = |f: &dyn Fn(&CourseRow) -> bool| rows.iter().filter(|r| f(r)).count();
    let held_rows = count(&|r| !r.held.is_empty() || !r.conflicts.is_empty());
    let due_rows = count(&|r| r.due.iter().any(|d| d.status != "upcoming"));
    let body = html! {
        div.title { h1 { "Courses" }
            p.soft { (rows.len()) " patients · " (due_rows) " with something due · " (held_rows) " held" } }
        @if rows.is_empty() { p { "There is no course yet. Begin one below." } } @else {
            div.scroll tabindex="0" role="region" aria-label="All courses" {
                table.courses {
                    thead { tr {
                        th scope="col" { "Patient" } th scope="col" { "Where" }
                        th scope="col" { "Due within a week" } th scope="col" { "Held, and why" }
                    } }
                    tbody {
                        @for r in rows {
                            tr {
                                th scope="row" {
                                    a.patient href={ "/courses/" (encoded(&r.patient)) } { (r.patient) }
                                    span.soft { (r.protocol) }
                                }
                                td { (standing(r)) span.where { (r.day) } }
                                td { (due(&r.due)) }
                                td { (held(r)) }
                            }
                        }
                    }
                }
            }
        }
        section aria-labelledby="new" {
            details.card open[error.is_some() || rows.is_empty()] {
                summary { h2 id="new" { "Begin a course" } }
                @if let Some(e) = error { p.notice.fail role="alert" { (sentence(e)) } }
                form.fields method="post" action="/courses" data-once="" {
                    input type="hidden" name="key" value=(key);
                    div.field { label for="patient" { "Patient" }
                        input id="patient" name="patient" required maxlength="64" value=(typed.patient) autocomplete="off" aria-describedby="patient-hint";
                        span.hint id="patient-hint" { "An identifier, never a name" } }
                    div.field { label for="protocol" { "Protocol" }
                        select id="protocol" name="protocol" {
                            @for id in Protocol::shipped() { option value=(id) selected[id == typed.protocol || (typed.protocol.is_empty() && id == "captemy90")] { (id) } }
                        } }
                    div.field { label for="variant" { "Dose variant" }
                        input id="variant" name="variant" value=(typed.variant) autocomplete="off" aria-describedby="variant-hint";
                        span.hint id="variant-hint" { "May be chosen later; of captemy90: g3-2024, ..." } }
                    div.field { label for="c1d1" { "First day of cycle 1" }
                        input id="c1d1" name="c1d1" type="date" required value=(typed.c1d1); }
                    @if people::current().is_some_and(|w| !w.local) { div.field { label for="centre" { "Centre" }
                        input id="centre" name="centre" maxlength="64" value=(typed.centre) autocomplete="off" aria-describedby="centre-hint";
                        span.hint id="centre-hint" { "Needed if you work at several" } } }
                    div.actions { button.primary type="submit" { "Begin" } }
                }
            }
        }
    };
    page("Courses", Place::Courses, &body)
}
