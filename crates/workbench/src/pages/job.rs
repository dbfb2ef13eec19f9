//! Long work as a row of a list: how it stands, how far it is, where its result is.

use super::layout::{chip, sentence};
use crate::store::{Job, JobState};
use maud::{Markup, html};

/// A job; `what` it makes, the `path` under which it is found, in words `opened`.
#[must_use]
pub fn row(j: &Job, what: &str, path: &str, opened: &str) -> Markup {
    let when = j.created.get(..16).unwrap_or(&j.created).replace('T', " ");
    let to = format!("/{path}/{}", j.id);
    html! {
        li.card {
            p { @match j.state {
                JobState::Done => (chip("pass", "✓", "done")),
                JobState::Failed => (chip("fail", "✕", "failed")),
                JobState::Running => (chip("due", "●", "running")),
                JobState::Queued => (chip("plain", "○", "waits")),
            } " " strong { (what) } span.soft { " asked " (when) " UTC by " (j.who) } }
            @match j.state {
                JobState::Done => p { a href=(to) { (opened) } ": " (j.said) },
                JobState::Failed => p role="alert" { (sentence(&j.said)) },
                _ => div data-job=(j.id) data-then=(to) { progress max="1" value="0" aria-label={ "Progress: " (what) } {} p.said aria-live="polite" { "waits" } },
            }
        }
    }
}
