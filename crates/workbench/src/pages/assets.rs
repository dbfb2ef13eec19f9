//! Styles, scripts and licences, in the program.

use crate::problem::Problem;
use axum::extract::{Path, RawQuery};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

const ALL: [(&str, &str, &[u8]); 8] = [
    ("style.css", CSS, include_bytes!("../../assets/style.css")),
    ("app.js", JS, include_bytes!("../../assets/app.js")),
    ("look.js", JS, include_bytes!("../../assets/look.js")),
    ("plan.js", JS, include_bytes!("../../assets/plan.js")),
    ("verify.js", JS, include_bytes!("../../assets/verify.js")),
    ("viewer.js", JS, include_bytes!("../../assets/viewer.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
    ("licences.txt", TEXT, include_bytes!("../../assets/licences.txt")),
];

/// Names the assets of this build, so that a browser may keep them.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    ALL.iter().for_each(|(_, _, bytes)| hash.update(bytes));
    hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect()
});

pub(super) async fn asset(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let found = ALL.iter().find(|(n, ..)| *n == name);
    let (_, kind, bytes) =
        found.ok_or_else(|| Problem::not_found(format!("there is no asset {name}")))?;
    let kept = query.is_some_and(|q| q == format!("v={}", *VERSION));
    let cache = if kept { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, cache)], *bytes).into_response())
}
