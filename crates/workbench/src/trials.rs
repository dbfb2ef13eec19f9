//! A trial: the courses of a protocol together, monitored and analysed.
//!
//! Nothing of a trial is stored: it is the courses that who asks may read, folded as `hepatica trial` folds a
//! folder of course files.

use crate::api::readable;
use crate::opened::{Opened, today};
use crate::people::Act;
use crate::problem::Problem;
use crate::server::App;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hepatica_analysis::load::{OfPatient, of_courses};
use hepatica_analysis::{Analysis, Monitor, Said, analyze, monitor};
use hepatica_regimen::Protocol;
use hepatica_report::analysis::{AnalysisReport, accrual, stopping};
use hepatica_report::trial::Figure;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

type AppState = State<Arc<App>>;

/// When a trial is seen.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Cut {
    /// The day the data are cut on; today if left out.
    #[param(value_type = Option<String>)]
    pub on: Option<Date>,
}

/// A trial in a row.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrialRow {
    /// Identifier of the protocol.
    pub protocol: String,
    /// Patients whose courses may be read.
    pub patients: usize,
    /// Centres they are of; empty where nobody said.
    pub centres: Vec<String>,
}

/// Courses of a trial.
struct Courses {
    protocol: Protocol,
    courses: Vec<OfPatient>,
}

/// A trial, reckoned.
#[derive(Debug)]
pub struct Reckoned {
    /// As it stands.
    pub monitor: Monitor,
    /// Its answer.
    pub analysis: Analysis,
    /// Pictures: how it stands, then those of the report.
    pub figures: Vec<Figure>,
}

/// All courses that may be read, by protocol.
async fn all(app: &App) -> Result<BTreeMap<String, Courses>, Problem> {
    let readable = readable(app, Act::Read).await?;
    let placed = app.store.placements().await?;
    let centres: HashMap<_, _> = placed.into_iter().map(|p| (p.patient, p.centre)).collect();
    let mut trials: BTreeMap<String, Courses> = BTreeMap::new();
    for head in app.store.heads().await?.into_iter().filter(|h| readable.has(&h.patient)) {
        // A course that was tampered with is no part of a trial; the page of courses says so.
        let Ok(Opened { log, protocol, .. }) = Opened::read(&*app.store, &head.patient, None).await
        else {
            continue;
        };
        let path = PathBuf::from(format!("the course of {}", head.patient));
        let course = OfPatient { path, log, centre: centres.get(&head.patient).cloned() };
        trials
            .entry(protocol.id.clone())
            .or_insert_with(|| Courses { protocol, courses: Vec::new() })
            .courses
            .push(course);
    }
    Ok(trials)
}

/// The trials there are.
///
/// # Errors
/// When the store cannot be read.
pub async fn rows(app: &App) -> Result<Vec<TrialRow>, Problem> {
    let row = |(protocol, c): (String, Courses)| {
        let mut centres: Vec<String> = c.courses.iter().filter_map(|c| c.centre.clone()).collect();
        centres.sort();
        centres.dedup();
        TrialRow { protocol, patients: c.courses.len(), centres }
    };
    Ok(all(app).await?.into_iter().map(row).collect())
}

fn cannot(e: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "trial", e.to_string())
}

/// A trial as it stands on a day.
///
/// # Errors
/// When there is no course of that protocol, or the courses cannot be analysed together.
pub async fn reckon(app: &App, protocol: &str, on: Option<Date>) -> Result<Reckoned, Problem> {
    let Some(found) = all(app).await?.remove(protocol) else {
        return Err(Problem::not_found(format!(
            "no course of the protocol {protocol} may be read here; the page Trials lists those there are"
        )));
    };
    let work = move || -> Result<Reckoned, Problem> {
        let Courses { protocol, courses } = found;
        let source = format!("{} courses of this workbench", courses.len());
        let said = Said { on, ..Said::default() };
        let trial =
            of_courses(&courses, said, today(), source, &|_, _| {}).map_err(|e| cannot(&e))?;
        let protocol_from = "data";
        let wishes = monitor::Wishes { protocol_from, ..monitor::Wishes::default() };
        let monitor = monitor(&trial, &protocol, &wishes).map_err(|e| cannot(&e))?;
        let wishes = analyze::Wishes { protocol_from, ..analyze::Wishes::default() };
        let analysis = analyze(&trial, &protocol, None, &wishes).map_err(|e| cannot(&e))?;
        let mut figures = vec![stopping(&monitor), accrual(&monitor)];
        figures.extend(AnalysisReport::new(&analysis).figures);
        Ok(Reckoned { monitor, analysis, figures })
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| cannot(&e))?
}

/// List the trials: protocols with courses that may be read.
#[utoipa::path(get, path = "/api/trials", tag = "trials",
    responses((status = 200, body = Vec<TrialRow>)))]
pub(crate) async fn list(State(app): AppState) -> Result<Json<Vec<TrialRow>>, Problem> {
    app.note_read("*", "list of trials").await?;
    Ok(Json(rows(&app).await?))
}

/// A trial as it stands: accrual, feasibility, toxicity, stopping rule, response, who is due.
#[utoipa::path(get, path = "/api/trials/{protocol}/monitor", tag = "trials",
    params(("protocol" = String, Path), Cut),
    responses((status = 200, description = "docs/schema/monitor.schema.json", body = serde_json::Value)))]
pub(crate) async fn monitor_of(
    State(app): AppState,
    Path(protocol): Path<String>,
    Query(cut): Query<Cut>,
) -> Result<Json<Monitor>, Problem> {
    app.note_read("*", &format!("trial {protocol}")).await?;
    Ok(Json(reckon(&app, &protocol, cut.on).await?.monitor))
}

/// A trial's answer: every number with its interval.
#[utoipa::path(get, path = "/api/trials/{protocol}/analysis", tag = "trials",
    params(("protocol" = String, Path), Cut),
    responses((status = 200, description = "docs/schema/analysis.schema.json", body = serde_json::Value)))]
pub(crate) async fn analysis_of(
    State(app): AppState,
    Path(protocol): Path<String>,
    Query(cut): Query<Cut>,
) -> Result<Json<Analysis>, Problem> {
    app.note_read("*", &format!("trial {protocol}")).await?;
    Ok(Json(reckon(&app, &protocol, cut.on).await?.analysis))
}

fn file(kind: &'static str, bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], bytes).into_response()
}

/// A figure of a trial, as SVG (`NAME.svg`) or its numbers (`NAME.csv`).
#[utoipa::path(get, path = "/api/trials/{protocol}/figures/{name}", tag = "trials",
    params(("protocol" = String, Path), ("name" = String, Path), Cut),
    responses((status = 200, content_type = "image/svg+xml"), (status = 404, body = Problem)))]
pub(crate) async fn figure_of(
    State(app): AppState,
    Path((protocol, name)): Path<(String, String)>,
    Query(cut): Query<Cut>,
) -> Result<Response, Problem> {
    app.note_read("*", &format!("trial {protocol}")).await?;
    let figures = reckon(&app, &protocol, cut.on).await?.figures;
    let of = |end| name.strip_suffix(end).and_then(|n| figures.iter().find(|f| f.name == n));
    if let Some(f) = of(".svg") {
        return Ok(file("image/svg+xml", f.svg.clone().into_bytes()));
    }
    if let Some(f) = of(".csv") {
        return Ok(file("text/csv; charset=utf-8", f.csv.clone().into_bytes()));
    }
    let names: Vec<_> = figures.iter().map(|f| f.name.as_str()).collect();
    Err(Problem::not_found(format!(
        "no figure `{name}`, expected .svg or .csv of: {}",
        names.join(", ")
    )))
}

/// The report of a trial as PDF.
#[utoipa::path(get, path = "/api/trials/{protocol}/report.pdf", tag = "trials",
    params(("protocol" = String, Path), Cut),
    responses((status = 200, content_type = "application/pdf")))]
pub(crate) async fn report_of(
    State(app): AppState,
    Path(protocol): Path<String>,
    Query(cut): Query<Cut>,
) -> Result<Response, Problem> {
    app.note_read("*", &format!("trial {protocol}")).await?;
    let analysis = reckon(&app, &protocol, cut.on).await?.analysis;
    let set = tokio::task::spawn_blocking(move || AnalysisReport::new(&analysis).pdf()).await;
    let pdf = set.map_err(|e| cannot(&e))?.map_err(|e| cannot(&e))?;
    Ok(file("application/pdf", pdf))
}

/// Routes of the interface.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/trials", get(list))
        .route("/api/trials/{protocol}/monitor", get(monitor_of))
        .route("/api/trials/{protocol}/analysis", get(analysis_of))
        .route("/api/trials/{protocol}/figures/{name}", get(figure_of))
        .route("/api/trials/{protocol}/report.pdf", get(report_of))
}
