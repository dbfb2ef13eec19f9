//! What a person sees. Pages work without scripts, but for images, curves and progress; scripts make
//! them live.
//!
//! | module | holds |
//! |---|---|
//! | [`layout`] | the frame of every page, words and signs of states |
//! | [`courses`] | who is where, what is due, what is held; a new course |
//! | [`course`] | one course: timeline, agenda, gates, values, events |
//! | [`form`], [`record`] | the form that fits each kind of event |
//! | [`plan`] | plans: images, curves, gates at other activities |
//! | [`trial`] | a trial as it stands and what it says |
//! | [`design`] | which designs answer a question |
//! | [`verify`], [`verification`] | what was given: the form on a plan's page, and a page beside the plan |
//! | [`viewer`], [`job`] | what pages with images share; long work in a list |
//! | [`protocol`] | a protocol file as a page |
//! | [`about`] | the interface and the audit trail, for people |
//! | [`sign_in`] | signing in and out |
//! | `assets` | styles, scripts, licences |

pub mod about;
mod assets;
pub mod course;
pub mod courses;
pub mod design;
pub mod form;
pub mod job;
pub mod layout;
pub mod plan;
pub mod protocol;
pub mod record;
pub mod sign_in;
pub mod trial;
pub mod verification;
pub mod verify;
pub mod viewer;

use crate::problem::{PageProblem, Problem};
use crate::server::App;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use std::fmt::Write as _;
use std::sync::Arc;

/// A text as a part of a path or a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

/// What a form sends, as pairs.
#[must_use]
pub fn pairs(form: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(form).unwrap_or_default()
}

async fn nothing() -> PageProblem {
    PageProblem(Problem::not_found("there is no such page; begin with Courses"))
}

/// Routes of the pages.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/courses") }))
        .route("/courses", get(courses::list).post(courses::begin))
        .route("/courses/{patient}", get(course::page))
        .route("/courses/{patient}/record/{kind}", get(record::form).post(record::send))
        .route(
            "/courses/{patient}/events/{event}/correct",
            get(record::correction).post(record::correct),
        )
        .route("/courses/{patient}/plan", get(plan::of_patient).post(plan::ask))
        .route("/plans/{id}", get(plan::page_handler).post(plan::to_course))
        .route("/trials", get(trial::list))
        .route("/trials/{protocol}", get(trial::page_of))
        .route("/design", get(design::page_handler))
        .route("/protocols", get(protocol::list))
        .route("/protocols/{id}", get(protocol::page_of))
        .route("/plans/{id}/sign", axum::routing::post(plan::sign))
        .route("/plans/{id}/verify", axum::routing::post(verify::ask))
        .route("/verifications/{id}", get(verification::page_handler))
        .route("/sign-in", get(sign_in::form).post(sign_in::send))
        .route("/sign-out", axum::routing::post(sign_in::out))
        .route("/audit", get(about::audit))
        .route("/api", get(about::api))
        .route("/assets/{name}", get(assets::asset))
        .fallback(nothing)
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_path_is_no_more_than_its_text() {
        assert_eq!(encoded("P-1_a.b~"), "P-1_a.b~");
        assert_eq!(encoded("a/b?c&d=é"), "a%2Fb%3Fc%26d%3D%C3%A9");
    }
}
