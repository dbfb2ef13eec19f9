//! Recording on a page. What is typed is never lost: what is refused, unlikely, or said on an old page
//! comes back with the sentence why.

use super::course::KINDS;
use super::encoded;
use super::form::{self, Field, Input, Typed};
use super::layout::{Place, page, sentence};
use crate::desk::{self, Entry};
use crate::opened::{Opened, today};
use crate::problem::{PageProblem, Problem};
use crate::server::App;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use hepatica_regimen::Calendar;
use hepatica_regimen::event::EventId;
use jiff::civil::Time;
use maud::{Markup, html};
use std::sync::Arc;
use uuid::Uuid;

type Reply = Result<Response, PageProblem>;

struct Sheet<'a> {
    patient: &'a str,
    head: &'a str,
    title: String,
    action: String,
    fields: &'a [Field],
    typed: &'a Typed,
    /// The event that is corrected, in words.
    wrong: Option<String>,
    problem: Option<&'a Problem>,
    rehearsal: bool,
    needs_why: bool,
}

fn name_of(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(k, _)| *k == kind).map(|(_, name)| *name)
}

fn unknown(kind: &str) -> PageProblem {
    PageProblem(Problem::not_found(format!("no form records `{kind}`")))
}

/// The form.
///
/// # Errors
/// When there is no such course or kind.
pub async fn form(
    State(app): State<Arc<App>>,
    Path((patient, kind)): Path<(String, String)>,
    Query(mut typed): Query<Typed>,
) -> Result<Markup, PageProblem> {
    app.note_read(&patient, &format!("form {kind}")).await?;
    typed.entry("on".to_owned()).or_insert_with(|| today().to_string());
    show(&app, &patient, &kind, &typed, None).await
}

async fn show(
    app: &App,
    patient: &str,
    kind: &str,
    typed: &Typed,
    problem: Option<&Problem>,
) -> Result<Markup, PageProblem> {
    let opened = Opened::read(&*app.store, patient, None).await?;
    let course = opened.course()?;
    let fields = form::fields(kind, &opened, &course).ok_or_else(|| unknown(kind))?;
    let name = name_of(kind).ok_or_else(|| unknown(kind))?;
    Ok(render(&Sheet {
        patient,
        head: opened.log.hash(),
        title: name.to_owned(),
        action: format!("/courses/{}/record/{kind}", encoded(patient)),
        fields: &fields,
        typed,
        wrong: None,
        problem,
        rehearsal: course.c1d1 > opened.today,
        needs_why: kind == "override",
    }))
}

/// What was typed, as it is recorded.
fn entry(typed: &Typed) -> Result<Entry, Problem> {
    let get = |name: &str| typed.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    let on = get("on").map(|t| Calendar::parse_date(&t)).transpose();
    let on = on.map_err(|_| Problem::refused("day: expected a date written YYYY-MM-DD"))?;
    let at: Option<Result<Time, _>> = get("at").map(|t| t.parse());
    let at = at.transpose().map_err(|_| Problem::refused("time: expected HH:MM, as in 13:05"))?;
    Ok(Entry {
        key: get("key").unwrap_or_default(),
        head: get("head").unwrap_or_default(),
        on,
        at,
        why: get("why"),
        confirm: get("confirm").is_some(),
        corrects: None,
        said: None,
    })
}

fn done(app: &App, patient: &str, recorded: &desk::Recorded) -> Response {
    app.tell(patient, &recorded.head);
    let events = recorded.events.join(",");
    Redirect::to(&format!("/courses/{}?recorded={events}", encoded(patient))).into_response()
}

/// Records what was typed.
///
/// # Errors
/// When there is no such course or kind; what is refused is said on the form.
pub async fn send(
    State(app): State<Arc<App>>,
    Path((patient, kind)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Reply {
    name_of(&kind).ok_or_else(|| unknown(&kind))?;
    let said = form::said(&kind, &typed).map_err(Problem::refused);
    let result = match said.and_then(|said| Ok(Entry { said: Some(said), ..entry(&typed)? })) {
        Ok(entry) => desk::record(&*app.store, &app.who(), &patient, &entry).await,
        Err(p) => Err(p),
    };
    match result {
        Ok(recorded) => Ok(done(&app, &patient, &recorded)),
        Err(p) if p.status_code() == StatusCode::NOT_FOUND => Err(PageProblem(p)),
        Err(p) => {
            let body = show(&app, &patient, &kind, &typed, Some(&p)).await?;
            Ok((p.status_code(), body).into_response())
        }
    }
}

/// The form of a correction, filled with what was recorded.
///
/// # Errors
/// When there is no such course or event.
pub async fn correction(
    State(app): State<Arc<App>>,
    Path((patient, event)): Path<(String, String)>,
) -> Result<Markup, PageProblem> {
    app.note_read(&patient, &format!("form of a correction of {event}")).await?;
    show_correction(&app, &patient, &event, None, None).await
}

async fn show_correction(
    app: &App,
    patient: &str,
    event: &str,
    typed: Option<&Typed>,
    problem: Option<&Problem>,
) -> Result<Markup, PageProblem> {
    let opened = Opened::read(&*app.store, patient, None).await?;
    let id = EventId(event.to_owned());
    let missing = || PageProblem(Problem::not_found(format!("no event {event} in this course")));
    let original = opened.log.event(&id).ok_or_else(missing)?;
    let kind = original.fact.kind();
    let course = opened.course()?;
    // A plan cannot be typed: it can only be taken back, and another one recorded.
    let fields = form::fields(kind, &opened, &course).unwrap_or_default();
    let filled = match typed {
        Some(t) => t.clone(),
        None => {
            let mut t = form::typed(original, &fields);
            t.insert("on".to_owned(), original.on.to_string());
            original.at.iter().for_each(|at| drop(t.insert("at".to_owned(), at.to_string())));
            if fields.is_empty() {
                t.insert("never".to_owned(), "yes".to_owned());
            }
            t
        }
    };
    let wrong = format!(
        "{kind} of {}: {} (recorded {} by {})",
        original.on,
        original.fact.summary(),
        original.recorded.strftime("%Y-%m-%d %H:%M UTC"),
        original.by
    );
    Ok(render(&Sheet {
        patient,
        head: opened.log.hash(),
        title: format!("Correct {}", name_of(kind).unwrap_or(kind).to_lowercase()),
        action: format!("/courses/{}/events/{}/correct", encoded(patient), encoded(event)),
        fields: &fields,
        typed: &filled,
        wrong: Some(wrong),
        problem,
        rehearsal: course.c1d1 > opened.today,
        needs_why: true,
    }))
}

/// Records a correction.
///
/// # Errors
/// When there is no such course or event; what is refused is said on the form.
pub async fn correct(
    State(app): State<Arc<App>>,
    Path((patient, event)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Reply {
    let opened = Opened::read(&*app.store, &patient, None).await?;
    let missing = || Problem::not_found(format!("no event {event} in this course"));
    let id = EventId(event.clone());
    let kind = opened.log.event(&id).ok_or_else(missing)?.fact.kind();
    let never = typed.get("never").is_some_and(|v| !v.is_empty());
    let said = if never { Ok(None) } else { form::said(kind, &typed).map(Some) };
    let made = said
        .map_err(Problem::refused)
        .and_then(|said| Ok(Entry { said, corrects: Some(event.clone()), ..entry(&typed)? }));
    let result = match made {
        Ok(entry) => desk::record(&*app.store, &app.who(), &patient, &entry).await,
        Err(p) => Err(p),
    };
    match result {
        Ok(recorded) => Ok(done(&app, &patient, &recorded)),
        Err(p) => {
            let body = show_correction(&app, &patient, &event, Some(&typed), Some(&p)).await?;
            Ok((p.status_code(), body).into_response())
        }
    }
}

// ---- how it looks --------------------------------------------------------------------------------

fn value<'a>(typed: &'a Typed, name: &str) -> &'a str {
    typed.get(name).map_or("", String::as_str)
}

fn field(f: &Field, typed: &Typed) -> Markup {
    let (id, v) = (format!("f-{}", f.name.replace(['.', '/', ' '], "-")), value(typed, &f.name));
    let hint = format!("{id}-hint");
    let described = (!f.hint.is_empty()).then_some(hint.as_str());
    html! {
        @match &f.input {
            Input::Tick => div.field.tick {
                input type="checkbox" id=(id) name=(f.name) value="yes" checked[!v.is_empty()] aria-describedby=[described];
                label for=(id) { (f.label) }
                @if let Some(h) = described { span.hint id=(h) { (f.hint) } }
            },
            other => div.field {
                label for=(id) { (f.label) @if f.required { span.soft { " (needed)" } } }
                @match other {
                    Input::Lines => textarea id=(id) name=(f.name) rows="3" aria-describedby=[described] { (v) },
                    Input::Choice(all) => select id=(id) name=(f.name) required[f.required] aria-describedby=[described] {
                        @for (key, words) in all { option value=(key) selected[key == v] { (words) } }
                    },
                    Input::Day => input type="date" id=(id) name=(f.name) value=(v) aria-describedby=[described];,
                    Input::Proposed(all) => {
                        input id=(id) name=(f.name) value=(v) list={ (id) "-list" } required[f.required] autocomplete="off" aria-describedby=[described];
                        datalist id={ (id) "-list" } { @for o in all { option value=(o) {} } }
                    },
                    _ => span.with-unit {
                        input id=(id) name=(f.name) value=(v) required[f.required] autocomplete="off" aria-describedby=[described];
                        @if !f.unit.is_empty() { span.unit { (f.unit) } }
                    },
                }
                @if let Some(h) = described { span.hint id=(h) { (f.hint) } }
            },
        }
    }
}

fn render(s: &Sheet<'_>) -> Markup {
    // A refused key stored nothing and may be sent again; one that was used for something else may not.
    let used = s.problem.is_some_and(|p| p.code == "key-used");
    let key = Some(value(s.typed, "key")).filter(|k| !k.is_empty() && !used);
    let key = key.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let unlikely = s.problem.is_some_and(|p| p.code == "unlikely");
    let stale = s.problem.is_some_and(|p| p.code == "stale");
    let back = format!("/courses/{}", encoded(s.patient));
    let body = html! {
        nav.crumbs aria-label="Where this is" { a href=(back) { (s.patient) } }
        h1 { (s.title) }
        @if let Some(wrong) = &s.wrong { p.notice.info { "What was recorded: " (wrong) ". It stays in the log; what you say here stands in its place." } }
        @if let Some(p) = s.problem {
            div.notice.fail role="alert" tabindex="-1" autofocus {
                p { (sentence(&p.detail)) }
                @if stale { p { a href=(back) target="_blank" { "Open the course as it is now" } " in another tab. What you typed is still here; record it if it is still right." } }
            }
        }
        @if s.rehearsal { p.notice.info { "Cycle 1 is still to come: what is told ahead is kept as a rehearsal, and nobody may be treated by it." } }
        form.fields.card method="post" action=(s.action) data-once="" {
            input type="hidden" name="key" value=(key);
            input type="hidden" name="head" value=(s.head);
            div.row {
                div.field { label for="on" { "Day it is true of" span.soft { " (needed)" } }
                    input type="date" id="on" name="on" required value=(value(s.typed, "on")); }
                div.field { label for="at" { "Local time" }
                    input type="time" id="at" name="at" value=(value(s.typed, "at")) aria-describedby="at-hint";
                    span.hint id="at-hint" { "where it matters" } }
            }
            @if !s.fields.is_empty() { div.grid { @for f in s.fields { (field(f, s.typed)) } } }
            @if s.wrong.is_some() {
                div.field.tick { input type="checkbox" id="never" name="never" value="yes" checked[!value(s.typed, "never").is_empty()];
                    label for="never" { "It never was: nothing stands in its place" } }
            }
            div.field { label for="why" { "Why" @if s.needs_why { span.soft { " (needed)" } } }
                textarea id="why" name="why" rows="2" required[s.needs_why] { (value(s.typed, "why")) } }
            @if unlikely {
                div.field.tick { input type="checkbox" id="confirm" name="confirm" value="yes";
                    label for="confirm" { "The value is unlikely, and right" } }
            }
            div.actions { button.primary type="submit" { "Record" } a.button href=(back) { "Back" }
                span.sending role="status" {} }
        }
    };
    page(&format!("{}, {}", s.title, s.patient), Place::Courses, &body)
}
