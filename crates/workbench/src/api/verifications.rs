//! Verifications: what was given in a session, beside the plan.

use super::{AppState, Body, file_answer, find_job_of};
use crate::problem::Problem;
use crate::server::App;
use crate::store::{Job, JobState};
use crate::verifications::{self as kept, Asked, Curves, Stored};
use crate::{desk, jobs, plans};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hepatica_planning::Verification;

/// List the scans after treatment that can be verified with.
#[utoipa::path(get, path = "/api/scans", tag = "verifications", responses((status = 200, body = Vec<String>)))]
pub(super) async fn scans(State(app): AppState) -> Json<Vec<String>> {
    Json(kept::scans(&app.data))
}

/// The verifications of a plan, with the jobs that make them; the newest first.
///
/// # Errors
/// When there is no such plan.
pub async fn verifications_of(app: &App, plan: &Job) -> Result<Vec<Job>, Problem> {
    let mut all = app.store.jobs(Some(&plan.patient)).await?;
    all.retain(|j| Stored::of(j).is_some_and(|s| s.plan == plan.id));
    Ok(all)
}

/// List the verifications of a plan, with the jobs that make them; the newest first.
#[utoipa::path(get, path = "/api/plans/{id}/verifications", params(("id" = String, Path)), tag = "verifications",
    responses((status = 200, body = Vec<Job>), (status = 404, body = Problem)))]
pub(super) async fn of_plan(
    State(app): AppState,
    Path(id): Path<String>,
) -> Result<Json<Vec<Job>>, Problem> {
    let plan = find_job_of(&app, &id, plans::KIND).await?;
    app.note_read(&plan.patient, "list of verifications").await?;
    Ok(Json(verifications_of(&app, &plan).await?))
}

/// Hands in a verification of a plan.
///
/// # Errors
/// When plan, scan, session or record cannot be, or too many jobs wait.
pub async fn ask_verification(app: &App, id: &str, asked: &Asked) -> Result<Job, Problem> {
    let plan = find_job_of(app, id, plans::KIND).await?;
    kept::check(app, &plan, asked)?;
    let detail = format!("session {} of plan {id} by scan {}", asked.session, asked.scan);
    app.store.audit(&desk::audit(&app.who(), "verify", &plan.patient, &detail)).await?;
    let stored = Stored { plan: id.to_owned(), asked: asked.clone() };
    jobs::ask(app, kept::KIND, &plan.patient, serde_json::to_string(&stored)?).await
}

/// Verify a session of a plan by a scan after treatment, as a job; the job's identifier is the
/// verification's.
#[utoipa::path(post, path = "/api/plans/{id}/verifications", params(("id" = String, Path)), tag = "verifications",
    request_body = Asked,
    responses((status = 202, body = Job), (status = 404, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn make(
    State(app): AppState,
    Path(id): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let job = ask_verification(&app, &id, &asked).await?;
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// The job of a verification that is done.
async fn done(app: &App, id: &str) -> Result<Job, Problem> {
    let job = find_job_of(app, id, kept::KIND).await?;
    if job.state != JobState::Done {
        let (state, said) = (job.state.word(), &job.said);
        return Err(Problem::not_found(format!("verification {id}: {state} {said}")));
    }
    Ok(job)
}

/// A verification: every number, as in `verify.json`.
#[utoipa::path(get, path = "/api/verifications/{id}", params(("id" = String, Path)), tag = "verifications",
    responses((status = 200, description = "docs/schema/verify.schema.json", body = Object), (status = 404, body = Problem)))]
pub(super) async fn verification(
    State(app): AppState,
    Path(id): Path<String>,
) -> Result<Json<Verification>, Problem> {
    let job = done(&app, &id).await?;
    app.note_read(&job.patient, "verification").await?;
    Ok(Json(kept::verification(&app, &id)?))
}

/// Dose-volume curves of a verification, planned and delivered.
#[utoipa::path(get, path = "/api/verifications/{id}/dvh", params(("id" = String, Path)), tag = "verifications",
    responses((status = 200, body = Curves), (status = 404, body = Problem)))]
pub(super) async fn dvh(
    State(app): AppState,
    Path(id): Path<String>,
) -> Result<Json<Curves>, Problem> {
    let job = done(&app, &id).await?;
    app.note_read(&job.patient, "verification").await?;
    Ok(Json(kept::curves(&app, &id)?))
}

/// A file of a verification: `ct.nii.gz`, `labels.nii.gz`; `planned.nii.gz`, `delivered.nii.gz`, `difference.nii.gz`
/// (Gy in the liver); `treatment.toml`, `report.pdf`.
#[utoipa::path(get, path = "/api/verifications/{id}/files/{name}", params(("id" = String, Path), ("name" = String, Path)), tag = "verifications",
    responses((status = 200, body = String, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(super) async fn file(
    State(app): AppState,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let job = done(&app, &id).await?;
    app.note_read(&job.patient, &format!("verification file {name}")).await?;
    file_answer(&kept::file(&app, &id, &name)?).await
}
