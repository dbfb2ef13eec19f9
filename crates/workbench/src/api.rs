//! The interface for other programs: everything that the pages do.

mod verifications;

pub use verifications::{ask_verification, verifications_of};

use crate::desk::{self, Beginning, Entry, Recorded};
use crate::jobs::{self, Progress};
use crate::opened::{Opened, Seen};
use crate::people::{self, Act, Signature, Who};
use crate::plans::{self, Asked, Curve};
use crate::problem::Problem;
use crate::server::{App, Change};
use crate::store::{Audit, Job, JobState};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, StreamExt};
use hepatica_planning::whatif::{WhatIf, what_if};
use hepatica_planning::{Plan, Verification, simulation};
use hepatica_regimen::course::plus;
use hepatica_regimen::event::Event as CourseEvent;
use hepatica_regimen::next::{Kind, Obligation, Status};
use hepatica_regimen::{Agenda, Fact, Protocol};
use hepatica_report::timeline;
use jiff::civil::Date;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// Cycles that a timeline shows at least.
const TIMELINE_CYCLES: usize = 4;
/// Days ahead that are *this week*.
const WEEK: i64 = 6;
/// Entries of the audit trail at once.
const MOST_AUDIT: i64 = 10_000;

type AppState = State<Arc<App>>;

/// A body of JSON, refused in one sentence.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(e) => Err(Problem::new(e.status(), "body", e.body_text())),
        }
    }
}

/// Which day a course is seen on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct On {
    /// The day in question; today if left out.
    #[param(value_type = Option<String>)]
    pub on: Option<Date>,
}

/// Which part of the audit trail.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this patient only.
    pub patient: Option<String>,
    /// How many entries; 200 if left out.
    pub most: Option<i64>,
}

/// Something due, in short.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Due {
    /// Identifier of the obligation.
    pub id: String,
    /// For people.
    pub name: String,
    /// `due`, `overdue`, `held`, `upcoming`, ...
    pub status: String,
    /// Day aimed at.
    pub target: String,
    /// Last day.
    pub latest: String,
    /// Why it stands so.
    pub because: Vec<String>,
}

impl Due {
    fn of(o: &Obligation) -> Self {
        Self {
            id: o.id.clone(),
            name: o.name.clone(),
            status: o.status.to_string(),
            target: o.target.to_string(),
            latest: o.latest.to_string(),
            because: o.because.clone(),
        }
    }
}

/// A course in a row.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CourseRow {
    /// The patient.
    pub patient: String,
    /// The protocol.
    pub protocol: String,
    /// Where it is, in words: `cycle 2, day 6`.
    pub day: String,
    /// Whether it has ended.
    pub ended: bool,
    /// Number of events.
    pub events: usize,
    /// Hash of the last.
    pub head: String,
    /// What is due within a week, or overdue.
    pub due: Vec<Due>,
    /// What is held, and why.
    pub held: Vec<Due>,
    /// Values that contradict each other.
    pub conflicts: Vec<String>,
    /// Why the course cannot be reckoned, if it cannot.
    pub error: Option<String>,
}

/// Where a course is, in words.
#[must_use]
pub fn day_in_words(agenda: &Agenda, c1d1: Date) -> String {
    match (agenda.ended, agenda.cycle, agenda.cycle_day) {
        (Some(e), ..) => format!("ended on {} ({})", e.on, e.because),
        (None, Some(c), Some(d)) => format!("cycle {c}, day {d}"),
        _ => {
            let days = hepatica_regimen::course::days_between(agenda.today, c1d1);
            match days {
                0 => "cycle 1 is to begin today".to_owned(),
                1 => "1 day before cycle 1".to_owned(),
                n if n > 0 => format!("{n} days before cycle 1"),
                n => format!("cycle 1 was to begin {} days ago", -n),
            }
        }
    }
}

/// A course in a row, seen on a day.
#[must_use]
pub fn row(seen: &Seen<'_>, events: usize, head: &str) -> CourseRow {
    let a = &seen.agenda;
    let soon = plus(a.today, WEEK);
    let due = a.obligations.iter().filter(|o| match o.status {
        Status::Due | Status::Overdue => o.kind != Kind::Drug,
        Status::Upcoming => o.kind != Kind::Drug && o.target <= soon,
        _ => false,
    });
    let held = a
        .obligations
        .iter()
        .filter(|o| o.status == Status::Held && o.earliest <= plus(a.today, 35));
    CourseRow {
        patient: a.patient.clone(),
        protocol: a.protocol.clone(),
        day: day_in_words(a, seen.course.c1d1),
        ended: a.ended.is_some(),
        events,
        head: head.to_owned(),
        due: due.map(Due::of).collect(),
        held: held.map(Due::of).collect(),
        conflicts: a.conflicts.clone(),
        error: None,
    }
}

/// All courses, seen on a day.
///
/// # Errors
/// When the store cannot be read. A course that cannot be reckoned is a row that says so.
pub async fn rows(app: &App, on: Option<Date>) -> Result<Vec<CourseRow>, Problem> {
    let mut rows = Vec::new();
    let readable = readable(app, Act::Read).await?;
    for head in app.store.heads().await?.into_iter().filter(|h| readable.has(&h.patient)) {
        let opened = Opened::read(&*app.store, &head.patient, on).await;
        let seen =
            opened.as_ref().map(|o| o.seen(0).map(|s| row(&s, o.log.events().len(), o.log.hash())));
        let error = match seen {
            Ok(Ok(row)) => {
                rows.push(row);
                continue;
            }
            Ok(Err(e)) => e.to_string(),
            Err(e) => e.to_string(),
        };
        rows.push(CourseRow {
            patient: head.patient,
            protocol: String::new(),
            day: "cannot be reckoned".to_owned(),
            ended: false,
            events: usize::try_from(head.events).unwrap_or_default(),
            head: head.hash,
            due: Vec::new(),
            held: Vec::new(),
            conflicts: Vec::new(),
            error: Some(error),
        });
    }
    Ok(rows)
}

/// List all courses: who is where, what is due this week, what is held and why.
#[utoipa::path(get, path = "/api/courses", params(On), tag = "courses",
    responses((status = 200, body = Vec<CourseRow>)))]
async fn courses(
    State(app): AppState,
    Query(q): Query<On>,
) -> Result<Json<Vec<CourseRow>>, Problem> {
    app.note_read("*", "list of courses").await?;
    Ok(Json(rows(&app, q.on).await?))
}

fn created(recorded: Recorded) -> Response {
    let status = if recorded.again { StatusCode::OK } else { StatusCode::CREATED };
    (status, Json(recorded)).into_response()
}

/// Begin a course.
#[utoipa::path(post, path = "/api/courses", tag = "courses", request_body = Beginning,
    responses((status = 201, body = Recorded), (status = 200, description = "recorded before, under the same key", body = Recorded),
        (status = 409, description = "there is one of this patient", body = Problem), (status = 422, body = Problem)))]
async fn begin(State(app): AppState, Body(b): Body<Beginning>) -> Result<Response, Problem> {
    Ok(created(begin_course(&app, &b).await?))
}

/// Begins a course, at the centre of who begins it.
///
/// # Errors
/// As of the desk, and when who begins it may not record there.
pub async fn begin_course(app: &App, b: &Beginning) -> Result<Recorded, Problem> {
    let centre = asking(app).centre_to_begin(b.centre.as_deref())?;
    let recorded = desk::begin(&*app.store, &app.who(), b).await?;
    placed(app, b.patient.trim(), centre.as_deref(), &recorded).await?;
    app.tell(b.patient.trim(), &recorded.head);
    Ok(recorded)
}

fn asking(app: &App) -> Who {
    people::current().unwrap_or_else(|| Who::local(&app.user))
}

/// Places a patient whose course began now, or began just before the program was killed.
async fn placed(
    app: &App,
    patient: &str,
    centre: Option<&str>,
    recorded: &Recorded,
) -> Result<(), Problem> {
    if let Some(centre) = centre
        && (!recorded.again || app.store.centre(patient).await?.is_none())
    {
        people::place(&*app.store, patient, centre, &app.who()).await?;
    }
    Ok(())
}

/// Courses that who asks may read.
///
/// # Errors
/// When the store cannot be read.
pub async fn readable(app: &App, act: Act) -> Result<Readable, Problem> {
    let who = asking(app);
    if who.local {
        return Ok(Readable { who, act, centres: HashMap::new() });
    }
    let placed = app.store.placements().await?;
    let centres = placed.into_iter().map(|p| (p.patient, p.centre)).collect();
    Ok(Readable { who, act, centres })
}

/// What somebody may do to whom.
#[derive(Debug)]
pub struct Readable {
    who: Who,
    act: Act,
    centres: HashMap<String, String>,
}

impl Readable {
    /// Whether a patient is among them.
    #[must_use]
    pub fn has(&self, patient: &str) -> bool {
        self.who.may(self.act, self.centres.get(patient).map_or("", String::as_str))
    }
}

/// The centre of courses that are taken over.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AtCentre {
    /// May be left out by who works at one only.
    centre: Option<String>,
}

/// Take a course file over, as `hepatica course` writes it: the body is its text.
#[utoipa::path(post, path = "/api/courses/import", params(AtCentre), tag = "courses", request_body = String,
    responses((status = 201, body = Recorded), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn import(
    State(app): AppState,
    Query(q): Query<AtCentre>,
    body: String,
) -> Result<Response, Problem> {
    let centre = asking(&app).centre_to_begin(q.centre.as_deref())?;
    let (patient, recorded) = desk::import(&*app.store, &app.who(), body).await?;
    placed(&app, &patient, centre.as_deref(), &recorded).await?;
    app.tell(&patient, &recorded.head);
    Ok(created(recorded))
}

/// A course as it stands.
#[derive(Debug, Serialize, ToSchema)]
struct CourseAnswer {
    /// Hash of the last event: send it along when recording.
    head: String,
    /// What is due, allowed, held, and why.
    #[schema(value_type = Object)]
    agenda: Agenda,
}

/// Say where a course stands: what is due, held, reduced, and why.
#[utoipa::path(get, path = "/api/courses/{patient}", params(("patient" = String, Path), On), tag = "courses",
    responses((status = 200, body = CourseAnswer), (status = 404, body = Problem)))]
async fn course(
    State(app): AppState,
    Path(patient): Path<String>,
    Query(q): Query<On>,
) -> Result<Json<CourseAnswer>, Problem> {
    let opened = Opened::read(&*app.store, &patient, q.on).await?;
    app.note_read(&patient, "course").await?;
    let agenda = opened.seen(0)?.agenda;
    Ok(Json(CourseAnswer { head: opened.log.hash().to_owned(), agenda }))
}

/// An event with its identifier.
#[derive(Debug, Serialize, ToSchema)]
struct LoggedEvent {
    /// Identifier.
    id: String,
    /// Whether a later event corrects it.
    corrected: bool,
    /// The event.
    #[schema(value_type = Object)]
    event: CourseEvent,
}

/// All events of a course.
#[derive(Debug, Serialize, ToSchema)]
struct Events {
    /// Hash of the last.
    head: String,
    /// In the order they were recorded.
    events: Vec<LoggedEvent>,
}

/// List every event of a course, in the order of recording.
#[utoipa::path(get, path = "/api/courses/{patient}/events", params(("patient" = String, Path)), tag = "courses",
    responses((status = 200, body = Events), (status = 404, body = Problem)))]
async fn events(
    State(app): AppState,
    Path(patient): Path<String>,
) -> Result<Json<Events>, Problem> {
    let opened = Opened::read(&*app.store, &patient, None).await?;
    app.note_read(&patient, "events").await?;
    let wrong: Vec<_> = opened.log.events().iter().filter_map(corrects).collect();
    let all = opened.log.entries().map(|(id, e)| LoggedEvent {
        id: id.0.clone(),
        corrected: wrong.contains(&id.0.as_str()),
        event: e.clone(),
    });
    let events = all.collect();
    Ok(Json(Events { head: opened.log.hash().to_owned(), events }))
}

/// What an event corrects.
#[must_use]
pub fn corrects(event: &CourseEvent) -> Option<&str> {
    match &event.fact {
        Fact::Correction { of, .. } => Some(&of.0),
        _ => None,
    }
}

/// Record what happened, or correct what was recorded.
///
/// The same `key` is recorded once. `head` is the hash that the sender has seen: when the course has
/// gone on since, nothing is recorded and the answer is 409.
#[utoipa::path(post, path = "/api/courses/{patient}/events", params(("patient" = String, Path)), tag = "courses",
    request_body = Entry,
    responses((status = 201, body = Recorded), (status = 200, description = "recorded before, under the same key", body = Recorded),
        (status = 409, description = "the course has changed meanwhile", body = Problem),
        (status = 422, description = "it cannot be, or is unlikely and not confirmed", body = Problem)))]
async fn record(
    State(app): AppState,
    Path(patient): Path<String>,
    Body(entry): Body<Entry>,
) -> Result<Response, Problem> {
    let recorded = desk::record(&*app.store, &app.who(), &patient, &entry).await?;
    app.tell(&patient, &recorded.head);
    Ok(created(recorded))
}

/// Draw a course on one date axis.
#[utoipa::path(get, path = "/api/courses/{patient}/timeline.svg", params(("patient" = String, Path), On), tag = "courses",
    responses((status = 200, body = String, content_type = "image/svg+xml"), (status = 404, body = Problem)))]
async fn timeline_svg(
    State(app): AppState,
    Path(patient): Path<String>,
    Query(q): Query<On>,
) -> Result<Response, Problem> {
    let opened = Opened::read(&*app.store, &patient, q.on).await?;
    app.note_read(&patient, "timeline").await?;
    let seen = opened.seen(TIMELINE_CYCLES)?;
    let svg = timeline::svg(&opened.protocol, &seen.course, &seen.state, &seen.agenda);
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

fn download(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let value = format!("attachment; filename=\"{plain}\"");
    let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The course file, as `hepatica course` reads it.
#[utoipa::path(get, path = "/api/courses/{patient}/file", params(("patient" = String, Path)), tag = "courses",
    responses((status = 200, body = String, content_type = "application/jsonl"), (status = 404, body = Problem)))]
async fn course_file(
    State(app): AppState,
    Path(patient): Path<String>,
) -> Result<Response, Problem> {
    let opened = Opened::read(&*app.store, &patient, None).await?;
    app.store.audit(&desk::audit(&app.who(), "export", &patient, "course file")).await?;
    let bytes = opened.log.text().as_bytes().to_vec();
    Ok(download(&format!("{patient}.course"), "application/jsonl", bytes))
}

/// Calendar of a course as iCalendar.
#[utoipa::path(get, path = "/api/courses/{patient}/calendar.ics", params(("patient" = String, Path), On), tag = "courses",
    responses((status = 200, body = String, content_type = "text/calendar"), (status = 404, body = Problem)))]
async fn calendar(
    State(app): AppState,
    Path(patient): Path<String>,
    Query(q): Query<On>,
) -> Result<Response, Problem> {
    let opened = Opened::read(&*app.store, &patient, q.on).await?;
    app.store.audit(&desk::audit(&app.who(), "export", &patient, "calendar")).await?;
    let seen = opened.seen(TIMELINE_CYCLES)?;
    let stamp = hepatica_exchange::Stamp::of(opened.log.entries(), None);
    let text = hepatica_exchange::ical::course(
        &opened.protocol,
        &seen.course,
        &seen.state,
        &seen.agenda,
        stamp,
    );
    Ok(download(&format!("{patient}.ics"), "text/calendar; charset=utf-8", text.into_bytes()))
}

// ---- plans ---------------------------------------------------------------------------------------

/// List the cases that can be planned.
#[utoipa::path(get, path = "/api/cases", tag = "plans", responses((status = 200, body = Vec<String>)))]
async fn cases(State(app): AppState) -> Json<Vec<String>> {
    Json(plans::cases(&app.data))
}

/// List the plans of a patient, with the jobs that make them; the newest first.
#[utoipa::path(get, path = "/api/courses/{patient}/plans", params(("patient" = String, Path)), tag = "plans",
    responses((status = 200, body = Vec<Job>)))]
async fn plans_of(
    State(app): AppState,
    Path(patient): Path<String>,
) -> Result<Json<Vec<Job>>, Problem> {
    app.note_read(&patient, "list of plans").await?;
    Ok(Json(plans_of_patient(&app, &patient).await?))
}

/// The plans of a patient, with the jobs that make them; the newest first.
///
/// # Errors
/// When the store cannot be read.
pub async fn plans_of_patient(app: &App, patient: &str) -> Result<Vec<Job>, Problem> {
    let mut all = app.store.jobs(Some(patient)).await?;
    all.retain(|j| j.kind == plans::KIND);
    Ok(all)
}

/// Hands in a plan for a patient.
///
/// # Errors
/// When there is no such course or case, or too many jobs wait.
pub async fn ask_plan(app: &App, patient: &str, asked: &Asked) -> Result<Job, Problem> {
    Opened::read(&*app.store, patient, None).await?;
    plans::check(app, asked)?;
    app.store.audit(&desk::audit(&app.who(), "plan", patient, &asked.case)).await?;
    jobs::ask(app, plans::KIND, patient, serde_json::to_string(asked)?).await
}

/// Plan a case for a patient, as a job; the job's identifier is the plan's.
#[utoipa::path(post, path = "/api/courses/{patient}/plans", params(("patient" = String, Path)), tag = "plans",
    request_body = Asked,
    responses((status = 202, body = Job), (status = 422, body = Problem), (status = 429, body = Problem)))]
async fn make_plan(
    State(app): AppState,
    Path(patient): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let job = ask_plan(&app, &patient, &asked).await?;
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// A job of that identifier.
///
/// # Errors
/// When there is none.
pub async fn find_job(app: &App, id: &str) -> Result<Job, Problem> {
    let job = app.store.job(id).await?;
    job.ok_or_else(|| Problem::not_found(format!("no job {id}")))
}

/// A job of that identifier that does this: a plan, a verification.
///
/// # Errors
/// When there is none.
pub async fn find_job_of(app: &App, id: &str, kind: &str) -> Result<Job, Problem> {
    let what = if kind == plans::KIND { "plan" } else { "verification" };
    let job = app.store.job(id).await?.filter(|j| j.kind == kind);
    job.ok_or_else(|| Problem::not_found(format!("no {what} {id}")))
}

/// Say how a job stands.
#[utoipa::path(get, path = "/api/jobs/{id}", params(("id" = String, Path)), tag = "plans",
    responses((status = 200, body = Job), (status = 404, body = Problem)))]
async fn job(State(app): AppState, Path(id): Path<String>) -> Result<Json<Job>, Problem> {
    Ok(Json(find_job(&app, &id).await?))
}

/// Follow a job: server-sent events, each a `Progress`, until it is done or failed.
#[utoipa::path(get, path = "/api/jobs/{id}/progress", params(("id" = String, Path)), tag = "plans",
    responses((status = 200, content_type = "text/event-stream", body = Progress), (status = 404, body = Problem)))]
async fn progress(
    State(app): AppState,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let watched = app.board.watch(&id);
    let job = find_job(&app, &id).await?;
    let stream = match watched {
        Some(receiver) => WatchStream::new(receiver).left_stream(),
        None => {
            let ended = Progress { state: job.state, said: job.said, done: 1.0 };
            futures_util::stream::iter([ended]).right_stream()
        }
    };
    let told = stream.map(|p| Ok(Event::default().json_data(&p).unwrap_or_default()));
    Ok(Sse::new(told).keep_alive(KeepAlive::default()))
}

async fn plan_of(app: &App, id: &str) -> Result<(Job, Plan), Problem> {
    let job = find_job_of(app, id, plans::KIND).await?;
    if job.state != JobState::Done {
        return Err(Problem::not_found(format!("plan {id}: {} {}", job.state.word(), job.said)));
    }
    app.note_read(&job.patient, "plan").await?;
    Ok((job, plans::plan(app, id)?.0))
}

/// A plan: every number, as in `plan.json`.
#[utoipa::path(get, path = "/api/plans/{id}", params(("id" = String, Path)), tag = "plans",
    responses((status = 200, description = "docs/schema/plan.schema.json", body = Object), (status = 404, body = Problem)))]
async fn plan(State(app): AppState, Path(id): Path<String>) -> Result<Json<Plan>, Problem> {
    Ok(Json(plan_of(&app, &id).await?.1))
}

/// Dose-volume curves of a plan at its prescribed activities.
#[utoipa::path(get, path = "/api/plans/{id}/dvh", params(("id" = String, Path)), tag = "plans",
    responses((status = 200, body = Vec<Curve>), (status = 404, body = Problem)))]
async fn dvh(State(app): AppState, Path(id): Path<String>) -> Result<Json<Vec<Curve>>, Problem> {
    plan_of(&app, &id).await?;
    Ok(Json(plans::curves(&app, &id)?))
}

/// A file of a plan: `ct.nii.gz`, `spect.nii.gz`, `labels.nii.gz`, `dose-1.nii.gz` (Gy per GBq of session 1), ..., `report.pdf`.
#[utoipa::path(get, path = "/api/plans/{id}/files/{name}", params(("id" = String, Path), ("name" = String, Path)), tag = "plans",
    responses((status = 200, body = String, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
async fn plan_file(
    State(app): AppState,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let job = find_job_of(&app, &id, plans::KIND).await?;
    app.note_read(&job.patient, &format!("plan file {name}")).await?;
    file_answer(&plans::file(&app, &id, &name)?).await
}

/// A file that may be asked for.
async fn file_answer(path: &std::path::Path) -> Result<Response, Problem> {
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|e| Problem::not_found(format!("{} cannot be read ({e})", path.display())))?;
    let kind = match path.extension().and_then(|e| e.to_str()) {
        Some("pdf") => "application/pdf",
        Some("json") => "application/json",
        Some("toml") => "application/toml",
        _ => "application/gzip",
    };
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

/// Other activities.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhatIfAsked {
    /// Activity of every session in GBq, in the plan's order.
    activity_gbq: Vec<f64>,
}

/// The gate at other activities: dose is linear in activity, and the gate is asked again.
#[utoipa::path(post, path = "/api/plans/{id}/what-if", params(("id" = String, Path)), tag = "plans",
    request_body = WhatIfAsked,
    responses((status = 200, description = "activities, lung doses, gate with its criteria", body = Object), (status = 422, body = Problem)))]
async fn ask_what_if(
    State(app): AppState,
    Path(id): Path<String>,
    Body(asked): Body<WhatIfAsked>,
) -> Result<Json<WhatIf>, Problem> {
    let (plan, _) = plans::plan(&app, &id)?;
    let protocol = plans::protocol(&app, &id)?;
    let answer = what_if(&plan, &protocol, &asked.activity_gbq);
    Ok(Json(answer.map_err(|e| Problem::refused(e.to_string()))?))
}

/// Signatures under a plan, the oldest first.
#[utoipa::path(get, path = "/api/plans/{id}/signatures", params(("id" = String, Path)), tag = "plans",
    responses((status = 200, body = Vec<Signature>), (status = 404, body = Problem)))]
async fn signatures(
    State(app): AppState,
    Path(id): Path<String>,
) -> Result<Json<Vec<Signature>>, Problem> {
    plan_of(&app, &id).await?;
    Ok(Json(app.store.signatures(Some(&id)).await?))
}

/// A signature to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignEntry {
    /// The password once more; the local user has none.
    #[serde(default)]
    pub password: String,
    /// What was checked, in words.
    pub why: String,
}

/// Signs a plan off.
///
/// # Errors
/// When there is no such plan, no reason, or the password is wrong.
pub async fn sign_plan(app: &App, id: &str, asked: &SignEntry) -> Result<Signature, Problem> {
    let job = find_job_of(app, id, plans::KIND).await?;
    people::sign(app, id, &job.patient, &asked.password, &asked.why).await
}

/// Sign a plan off, with the password once more and the reason.
#[utoipa::path(post, path = "/api/plans/{id}/signatures", params(("id" = String, Path)), tag = "plans",
    request_body = SignEntry,
    responses((status = 201, body = Signature), (status = 401, body = Problem), (status = 422, body = Problem)))]
async fn sign(
    State(app): AppState,
    Path(id): Path<String>,
    Body(asked): Body<SignEntry>,
) -> Result<Response, Problem> {
    let signature = sign_plan(&app, &id, &asked).await?;
    Ok((StatusCode::CREATED, Json(signature)).into_response())
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInEntry {
    /// Name of the account.
    name: String,
    /// Its password.
    password: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
struct SignedIn {
    /// To be sent as `Authorization: Bearer TOKEN`.
    token: String,
    /// Roles, with spaces between.
    roles: String,
    /// Seconds until it ends for sure.
    seconds: u64,
    /// Seconds without a request after which it ends.
    idle_seconds: u64,
}

/// Sign in: programs send the token with every request.
#[utoipa::path(post, path = "/api/session", tag = "people", request_body = SignInEntry,
    responses((status = 201, body = SignedIn), (status = 401, body = Problem), (status = 429, body = Problem)))]
async fn sign_in(State(app): AppState, Body(e): Body<SignInEntry>) -> Result<Response, Problem> {
    let (token, account) = people::sign_in(&app, &e.name, &e.password).await?;
    let signed = SignedIn {
        token,
        roles: account.grants,
        seconds: app.people.longest.as_secs(),
        idle_seconds: app.people.idle.as_secs(),
    };
    Ok((StatusCode::CREATED, Json(signed)).into_response())
}

/// Sign out: the token is worth nothing then.
#[utoipa::path(delete, path = "/api/session", tag = "people", responses((status = 204)))]
async fn sign_out(State(app): AppState, headers: HeaderMap) -> Result<StatusCode, Problem> {
    people::sign_out(&app, &headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A plan that is recorded in its course.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanEntry {
    /// The plan.
    pub plan: String,
    /// Key, head, day and reason; `said` and `corrects` are left out.
    pub entry: Entry,
}

/// Records a plan as what the simulation procedure showed.
///
/// # Errors
/// As of recording, and when the plan is of another patient.
pub async fn plan_to_course(
    app: &App,
    patient: &str,
    asked: &PlanEntry,
) -> Result<Recorded, Problem> {
    let job = find_job_of(app, &asked.plan, plans::KIND).await?;
    if job.patient != patient {
        return Err(Problem::refused(format!(
            "plan {} was made for {}, but this is the course of {patient}",
            asked.plan, job.patient
        )));
    }
    let (plan, bytes) = plans::plan(app, &asked.plan)?;
    if !asking(app).local {
        let sum = people::sha256(&bytes);
        let signed = app.store.signatures(Some(&asked.plan)).await?;
        if !signed.iter().any(|s| s.sha256 == sum) {
            return Err(Problem::refused(format!(
                "plan {}: nobody has signed it off; a physician or physicist signs it on its page, then it is recorded",
                asked.plan
            )));
        }
    }
    let fact = simulation::fact(&plan, &bytes);
    let recorded =
        desk::record_simulation(&*app.store, &app.who(), patient, &asked.entry, fact).await?;
    app.tell(patient, &recorded.head);
    Ok(recorded)
}

/// Record a plan in its course: what the simulation procedure showed, for the protocol's gates.
#[utoipa::path(post, path = "/api/courses/{patient}/simulation", params(("patient" = String, Path)), tag = "plans",
    request_body = PlanEntry, responses((status = 201, body = Recorded), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn record_plan(
    State(app): AppState,
    Path(patient): Path<String>,
    Body(asked): Body<PlanEntry>,
) -> Result<Response, Problem> {
    Ok(created(plan_to_course(&app, &patient, &asked).await?))
}

// ---- protocols, audit, changes -------------------------------------------------------------------

/// A protocol in a row.
#[derive(Debug, Serialize, ToSchema)]
struct ProtocolRow {
    /// Identifier.
    id: String,
    /// Version.
    version: String,
    /// For people.
    name: String,
    /// Days of a cycle.
    cycle_days: u32,
}

/// List the protocols that come with the program.
#[utoipa::path(get, path = "/api/protocols", tag = "protocols", responses((status = 200, body = Vec<ProtocolRow>)))]
async fn protocols() -> Result<Json<Vec<ProtocolRow>>, Problem> {
    let row = |id| {
        let p = shipped(id)?;
        Ok(ProtocolRow { id: p.id, version: p.version, name: p.name, cycle_days: p.cycle.days })
    };
    Ok(Json(Protocol::shipped().map(row).collect::<Result<_, Problem>>()?))
}

/// A protocol that comes with the program; never a path of this machine.
///
/// # Errors
/// When there is none of that name.
pub fn shipped(id: &str) -> Result<Protocol, Problem> {
    let wrong = || Problem::not_found(format!("no protocol is named `{id}`"));
    if !Protocol::shipped().any(|p| p == id) {
        return Err(wrong());
    }
    Protocol::named(id).map_err(|_| wrong())
}

/// A protocol, all of it.
#[utoipa::path(get, path = "/api/protocols/{id}", params(("id" = String, Path)), tag = "protocols",
    responses((status = 200, description = "docs/schema/protocol.schema.json", body = Object), (status = 404, body = Problem)))]
async fn protocol(Path(id): Path<String>) -> Result<Json<Protocol>, Problem> {
    Ok(Json(shipped(&id)?))
}

/// The audit trail: who read and wrote what of a patient, the newest first.
#[utoipa::path(get, path = "/api/audit", params(AuditQuery), tag = "audit", responses((status = 200, body = Vec<Audit>)))]
async fn audit(
    State(app): AppState,
    Query(q): Query<AuditQuery>,
) -> Result<Json<Vec<Audit>>, Problem> {
    Ok(Json(audited(&app, q.patient.as_deref(), q.most.unwrap_or(200)).await?))
}

/// The audit trail of the patients whose trail who asks may read.
///
/// # Errors
/// When the store cannot be read.
pub async fn audited(app: &App, patient: Option<&str>, most: i64) -> Result<Vec<Audit>, Problem> {
    let readable = readable(app, Act::Audit).await?;
    let most = most.clamp(1, MOST_AUDIT);
    let mut all = app.store.audited(patient, MOST_AUDIT).await?;
    // What is of no single patient is for who reads the trail of every centre.
    all.retain(|a| readable.has(&a.patient));
    all.truncate(usize::try_from(most).unwrap_or_default());
    Ok(all)
}

/// Follow changes: server-sent events, each a patient and the hash of the last event now.
#[utoipa::path(get, path = "/api/changes", tag = "courses", responses((status = 200, body = String, content_type = "text/event-stream")))]
async fn changes(State(app): AppState) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let who = asking(&app);
    let told = BroadcastStream::new(app.changes.subscribe()).filter_map(move |c| {
        let (app, who) = (Arc::clone(&app), who.clone());
        async move {
            // Who has fallen behind asks for the courses anyhow.
            let c: Change = c.ok()?;
            if !who.local {
                let centre = app.store.centre(&c.patient).await.ok()?;
                who.may(Act::Read, &centre.unwrap_or_default()).then_some(())?;
            }
            Some(Ok(Event::default().json_data(&c).unwrap_or_default()))
        }
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

/// The interface as OpenAPI 3.1.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hepatica workbench",
        description = "Everything that the pages do. Research use only."
    ),
    paths(
        courses,
        begin,
        import,
        course,
        events,
        record,
        timeline_svg,
        course_file,
        calendar,
        changes,
        cases,
        plans_of,
        make_plan,
        job,
        progress,
        plan,
        dvh,
        plan_file,
        ask_what_if,
        record_plan,
        signatures,
        sign,
        verifications::scans,
        verifications::of_plan,
        verifications::make,
        verifications::verification,
        verifications::dvh,
        verifications::file,
        sign_in,
        sign_out,
        protocols,
        protocol,
        audit,
        crate::trials::list,
        crate::trials::monitor_of,
        crate::trials::analysis_of,
        crate::trials::figure_of,
        crate::trials::report_of
    ),
    components(schemas(Problem))
)]
struct Document;

/// The interface as OpenAPI 3.1, with the schemas of what the other crates say.
///
/// # Errors
/// When it cannot be written as JSON: a fault of the program.
pub fn document() -> Result<serde_json::Value, serde_json::Error> {
    let mut all = serde_json::to_value(Document::openapi())?;
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let agenda = generator.subschema_for::<Agenda>();
    let event = generator.subschema_for::<CourseEvent>();
    let said = generator.subschema_for::<hepatica_regimen::desk::Said>();
    let plan = generator.subschema_for::<Plan>();
    let what_if = generator.subschema_for::<WhatIf>();
    let verification = generator.subschema_for::<Verification>();
    let protocol = generator.subschema_for::<Protocol>();
    let definitions = generator.take_definitions(true);
    if let Some(schemas) = all.pointer_mut("/components/schemas").and_then(|s| s.as_object_mut()) {
        for (name, schema) in definitions {
            schemas.entry(name).or_insert(schema);
        }
    }
    let answer = |path: &str, status: &str| {
        format!("/paths/{}/responses/{status}/content/application~1json/schema", path)
    };
    let places = [
        ("/components/schemas/CourseAnswer/properties/agenda".to_owned(), agenda),
        ("/components/schemas/LoggedEvent/properties/event".to_owned(), event),
        ("/components/schemas/Entry/properties/said".to_owned(), said),
        (answer("~1api~1plans~1{id}/get", "200"), plan),
        (answer("~1api~1plans~1{id}~1what-if/post", "200"), what_if),
        (answer("~1api~1verifications~1{id}/get", "200"), verification),
        (answer("~1api~1protocols~1{id}/get", "200"), protocol),
    ];
    for (place, schema) in places {
        if let Some(there) = all.pointer_mut(&place) {
            *there = schema.to_value();
        }
    }
    Ok(all)
}

async fn openapi() -> Result<Json<serde_json::Value>, Problem> {
    Ok(Json(document()?))
}

async fn nothing() -> Problem {
    Problem::not_found("there is nothing here; /api lists what there is")
}

/// Its routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/courses", get(courses).post(begin))
        .route("/api/courses/import", post(import))
        .route("/api/courses/{patient}", get(course))
        .route("/api/courses/{patient}/events", get(events).post(record))
        .route("/api/courses/{patient}/timeline.svg", get(timeline_svg))
        .route("/api/courses/{patient}/file", get(course_file))
        .route("/api/courses/{patient}/calendar.ics", get(calendar))
        .route("/api/courses/{patient}/plans", get(plans_of).post(make_plan))
        .route("/api/courses/{patient}/simulation", post(record_plan))
        .route("/api/cases", get(cases))
        .route("/api/jobs/{id}", get(job))
        .route("/api/jobs/{id}/progress", get(progress))
        .route("/api/plans/{id}", get(plan))
        .route("/api/plans/{id}/dvh", get(dvh))
        .route("/api/plans/{id}/files/{name}", get(plan_file))
        .route("/api/plans/{id}/signatures", get(signatures).post(sign))
        .route(
            "/api/plans/{id}/verifications",
            get(verifications::of_plan).post(verifications::make),
        )
        .route("/api/scans", get(verifications::scans))
        .route("/api/verifications/{id}", get(verifications::verification))
        .route("/api/verifications/{id}/dvh", get(verifications::dvh))
        .route("/api/verifications/{id}/files/{name}", get(verifications::file))
        .route("/api/session", post(sign_in).delete(sign_out))
        .route("/api/plans/{id}/what-if", post(ask_what_if))
        .route("/api/protocols", get(protocols))
        .route("/api/protocols/{id}", get(protocol))
        .route("/api/audit", get(audit))
        .route("/api/changes", get(changes))
        .route("/api/openapi.json", get(openapi))
        .route("/api/{*rest}", get(nothing))
}
