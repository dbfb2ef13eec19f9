//! Errors: one sentence. Programs get it as `application/problem+json` (RFC 9457), people on a page.

use crate::opened::OpenError;
use crate::pages::layout;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hepatica_regimen::desk::DeskError;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Its name: `Conflict`.
    pub title: String,
    /// What was found, what was expected, what to do: one sentence.
    pub detail: String,
    /// For programs: `stale`, `unlikely`, `refused`, `not-found`, `store`, ...
    pub code: &'static str,
}

impl Problem {
    /// A problem with its status.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { status: status.as_u16(), title, detail: detail.into(), code }
    }

    /// What was asked for cannot be.
    #[must_use]
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", detail)
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Its status.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        let status = match &e {
            StoreError::Log(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, "store", e.to_string())
    }
}

impl From<OpenError> for Problem {
    fn from(e: OpenError) -> Self {
        match e {
            OpenError::NoCourse { .. } => Self::not_found(e.to_string()),
            OpenError::Store(e) => e.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "course", other.to_string()),
        }
    }
}

impl From<DeskError> for Problem {
    fn from(e: DeskError) -> Self {
        let code = if matches!(e, DeskError::Unlikely(_)) { "unlikely" } else { "refused" };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, e.to_string())
    }
}

impl From<serde_json::Error> for Problem {
    fn from(e: serde_json::Error) -> Self {
        let detail = format!("cannot be written as JSON ({e})");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "json", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status_code(), Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// A problem on a page.
#[derive(Debug)]
pub struct PageProblem(pub Problem);

impl<E: Into<Problem>> From<E> for PageProblem {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        (problem.status_code(), layout::problem(&problem)).into_response()
    }
}
