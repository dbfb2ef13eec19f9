//! The frame of every page. A state is always a sign and a word, never a colour alone.

use super::assets::VERSION;
use crate::people;
use crate::problem::Problem;
use hepatica_planning::plan::RESEARCH_USE_ONLY;
use hepatica_regimen::gate::{Gate, Status as GateStatus, Truth};
use hepatica_regimen::next::Status;
use jiff::civil::Date;
use maud::{DOCTYPE, Markup, html};

/// Where in the navigation a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Courses and what is of a patient.
    Courses,
    /// Trials.
    Trials,
    /// Designs of trials.
    Design,
    /// Protocols.
    Protocols,
    /// The audit trail.
    Audit,
    /// The interface.
    Api,
    /// None of them.
    Elsewhere,
}

const PLACES: [(Place, &str, &str); 6] = [
    (Place::Courses, "/courses", "Courses"),
    (Place::Trials, "/trials", "Trials"),
    (Place::Design, "/design", "Design"),
    (Place::Protocols, "/protocols", "Protocols"),
    (Place::Audit, "/audit", "Audit"),
    (Place::Api, "/api", "API"),
];

/// The address of an asset of this build.
#[must_use]
pub fn asset(name: &str) -> String {
    format!("/assets/{name}?v={}", *VERSION)
}

/// A page.
#[must_use]
pub fn page(title: &str, place: Place, body: &Markup) -> Markup {
    page_with(title, place, body, &html! {})
}

/// A page with more in its head.
#[must_use]
pub fn page_with(title: &str, place: Place, body: &Markup, head: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Hepatica" }
                link rel="icon" type="image/svg+xml" href=(asset("icon.svg"));
                link rel="stylesheet" href=(asset("style.css"));
                script type="module" src=(asset("app.js")) {}
                (head)
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/courses" {
                        img src=(asset("icon.svg")) alt="" width="26" height="26";
                        "Hepatica"
                    }
                    nav aria-label="Main" {
                        @for (at, href, name) in PLACES {
                            a href=(href) aria-current=[(at == place).then_some("page")] { (name) }
                        }
                    }
                    @if let Some(who) = people::current().filter(|w| !w.local) {
                        form.who method="post" action="/sign-out" {
                            span title=(people::grants_text(&who.grants)) { (who.name) }
                            button type="submit" { "Sign out" }
                        }
                    }
                    span.research { "Research use only" }
                }
                main id="main" tabindex="-1" { (body) }
                footer.bottom {
                    p { (RESEARCH_USE_ONLY) }
                    p { "Hepatica " (env!("CARGO_PKG_VERSION")) " · " a href=(asset("licences.txt")) { "Licences" } }
                }
            }
        }
    }
}

/// The page of a problem.
#[must_use]
pub fn problem(p: &Problem) -> Markup {
    let body = html! {
        h1 { (p.title) }
        p.notice.fail role="alert" { (p.detail) }
        p { a href="/courses" { "All courses" } }
    };
    page(&p.title, Place::Elsewhere, &body)
}

/// A chip: a sign, a word, a colour.
#[must_use]
pub fn chip(kind: &str, sign: &str, word: &str) -> Markup {
    html! { span class={ "chip " (kind) } { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// The chip of an obligation.
#[must_use]
pub fn status(status: Status) -> Markup {
    status_word(&status.to_string())
}

/// The same by its word.
#[must_use]
pub fn status_word(word: &str) -> Markup {
    let (kind, sign) = match word {
        "done" => ("pass", "✓"),
        "due" => ("due", "●"),
        "overdue" => ("fail", "!"),
        "missed" => ("fail", "✕"),
        "held" => ("hold", "‖"),
        "undecided" => ("hold", "?"),
        "upcoming" => ("plain", "○"),
        _ => ("plain", "–"),
    };
    chip(kind, sign, word)
}

/// The chip of a gate or a criterion.
#[must_use]
pub fn gate_status(status: GateStatus, truth: Option<Truth>) -> Markup {
    match (status, truth) {
        (GateStatus::Hold, Some(Truth::CannotTell)) => chip("hold", "?", "cannot tell"),
        (GateStatus::Pass, _) => chip("pass", "✓", "pass"),
        (GateStatus::Overridden, _) => chip("over", "↷", "overridden"),
        (GateStatus::Hold, _) => chip("hold", "‖", "hold"),
        (GateStatus::Fail, _) => chip("fail", "✕", "fail"),
    }
}

/// A gate with its criteria.
#[must_use]
pub fn gate(gate: &Gate, what: &str, open: bool) -> Markup {
    html! {
        details.gate open[open] {
            summary {
                (gate_status(gate.status, None))
                span.name { (gate.name) }
                @if !what.is_empty() { span.soft { (what) } }
            }
            p.reason { (sentence(&gate.reason)) }
            div.scroll tabindex="0" role="region" aria-label={ "Criteria of: " (gate.name) } {
                table {
                    thead { tr {
                        th scope="col" { "Answer" } th scope="col" { "Criterion" }
                        th scope="col" { "What is found" } th scope="col" { "Needs" }
                        th scope="col" { "Source" }
                    } }
                    tbody {
                        @for c in &gate.criteria {
                            tr data-criterion=(c.id) {
                                td { (gate_status(c.status, Some(c.truth))) }
                                th scope="row" { (c.name) }
                                td { (sentence(&c.reason)) }
                                td { (c.needs.as_deref().unwrap_or_default()) }
                                td.soft { (c.source) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// With a capital letter.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A number without the digits that say nothing.
#[must_use]
pub fn number(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A day for people, exact for programs.
#[must_use]
pub fn day(date: Date) -> Markup {
    html! { time datetime=(date) { (date.strftime("%a %-d %b %Y")) } }
}

/// The same without the year.
#[must_use]
pub fn short_day(date: Date) -> Markup {
    html! { time datetime=(date) { (date.strftime("%a %-d %b")) } }
}
