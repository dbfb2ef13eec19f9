//! The interface and the audit trail, for people.

use super::encoded;
use super::layout::{Place, page};
use crate::api::{self, AuditQuery};
use crate::people::Act;
use crate::problem::PageProblem;
use crate::server::App;
use axum::extract::{Query, State};
use maud::{Markup, html};
use std::sync::Arc;

/// What the interface offers.
///
/// # Errors
/// When it cannot be written down: a fault of the program.
pub async fn api() -> Result<Markup, PageProblem> {
    let document = api::document()?;
    let mut rows = Vec::new();
    if let Some(paths) = document.pointer("/paths").and_then(|p| p.as_object()) {
        for (path, methods) in paths {
            for (method, what) in methods.as_object().into_iter().flatten() {
                let text = |key: &str| what.get(key).and_then(|v| v.as_str()).unwrap_or_default();
                let more = text("description").to_owned();
                rows.push((path.clone(), method.to_uppercase(), text("summary").to_owned(), more));
            }
        }
    }
    let body = html! {
        h1 { "The interface for other programs" }
        p { "Everything that the pages do, as JSON. Described by " a href="/api/openapi.json" { "OpenAPI 3.1" } ", generated from the code. Errors are "
            code { "application/problem+json" } ": one sentence in " code { "detail" } ", a word for programs in " code { "code" } "." }
        p { "Who records sends a " code { "key" } " of their own, so that sending again records once, and the " code { "head" } " they have seen: when the course has gone on since, the answer is 409 and nothing is recorded." }
        div.scroll tabindex="0" role="region" aria-label="Paths" {
            table { thead { tr { th scope="col" { "Method" } th scope="col" { "Path" } th scope="col" { "What" } } }
                tbody { @for (path, method, summary, more) in &rows { tr {
                    td { code { (method) } } th scope="row" { code { (path) } }
                    td { (summary) @if !more.is_empty() && more != summary { span.why.soft { (more) } } }
                } } } }
        }
    };
    Ok(page("API", Place::Api, &body))
}

/// The audit trail.
///
/// # Errors
/// When the store cannot be read.
pub async fn audit(
    State(app): State<Arc<App>>,
    Query(q): Query<AuditQuery>,
) -> Result<Markup, PageProblem> {
    let patient = q.patient.filter(|p| !p.is_empty());
    let all = api::audited(&app, patient.as_deref(), 500).await?;
    let readable = api::readable(&app, Act::Audit).await?;
    let mut patients = app.store.heads().await?;
    patients.retain(|h| readable.has(&h.patient));
    let body = html! {
        h1 { "Audit trail" }
        p.soft { "Who read and wrote what of a patient: the last 500 entries, the newest first. Nothing is ever changed or removed. All of them: "
            a href={ "/api/audit?most=10000" @if let Some(p) = &patient { "&patient=" (encoded(p)) } } { "as JSON" } }
        form.inline method="get" action="/audit" {
            label for="patient" { "Patient" }
            select id="patient" name="patient" { option value="" { "all" }
                @for h in &patients { option value=(h.patient) selected[Some(&h.patient) == patient.as_ref()] { (h.patient) } } }
            button type="submit" { "Show" }
        }
        div.scroll tabindex="0" role="region" aria-label="Audit trail" {
            table { thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "Patient" } th scope="col" { "Detail" } } }
                tbody { @for a in &all { tr {
                    td { time datetime=(a.at) { (a.at.get(..19).unwrap_or(&a.at).replace('T', " ")) } } td { (a.who) } td { (a.what) }
                    td { @if a.patient == "*" { span.soft { "all" } } @else { (a.patient) } } td { (a.detail) }
                } } } }
        }
    };
    Ok(page("Audit trail", Place::Audit, &body))
}
