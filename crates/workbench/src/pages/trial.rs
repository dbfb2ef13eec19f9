//! *Trial*: the courses of a protocol together: where the trial stands, what it says.

use super::encoded;
use super::layout::{Place, chip, day, page, sentence, status_word};
use crate::problem::PageProblem;
use crate::server::App;
use crate::trials::{self, Cut, Reckoned};
use axum::extract::{Path, Query, State};
use hepatica_analysis::feasibility::Feasibility;
use hepatica_analysis::share::Share;
use hepatica_analysis::stopping::{Standing, Stopping};
use hepatica_analysis::toxicity::{Table, Toxicities};
use hepatica_report::trial::Figure;
use maud::{Markup, html};
use std::sync::Arc;

/// The trials there are.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(State(app): State<Arc<App>>) -> Result<Markup, PageProblem> {
    app.note_read("*", "list of trials").await?;
    let rows = trials::rows(&app).await?;
    let body = html! {
        div.title { h1 { "Trials" }
            p.soft { "The courses that you may read, together, by protocol. Nothing of a trial is stored: it is its courses." } }
        @if rows.is_empty() { p { "There is no course yet; begin one at " a href="/courses" { "Courses" } "." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Trials" {
                table { thead { tr { th scope="col" { "Protocol" } th scope="col" { "Patients" } th scope="col" { "Centres" } } }
                    tbody { @for r in &rows { tr {
                        th scope="row" { a href={ "/trials/" (encoded(&r.protocol)) } { (r.protocol) } }
                        td { (r.patients) }
                        td { @if r.centres.is_empty() { span.soft { "not said" } } @else { (r.centres.join(", ")) } }
                    } } } }
            }
        }
    };
    Ok(page("Trials", Place::Trials, &body))
}

/// A trial.
///
/// # Errors
/// When there is none, or its courses cannot be analysed together.
pub async fn page_of(
    State(app): State<Arc<App>>,
    Path(protocol): Path<String>,
    Query(cut): Query<Cut>,
) -> Result<Markup, PageProblem> {
    app.note_read("*", &format!("trial {protocol}")).await?;
    let r = trials::reckon(&app, &protocol, cut.on).await?;
    let (m, a) = (&r.monitor, &r.analysis);
    let base = format!("/api/trials/{}", encoded(&protocol));
    let asked = cut.on.map_or(String::new(), |on| format!("?on={on}"));
    let assumed = a.settings.iter().chain(&m.settings).filter(|s| s.from == "assumed");
    let mut assumed: Vec<_> = assumed.collect();
    assumed.dedup_by(|x, y| x.name == y.name);
    let body = html! {
        nav.crumbs aria-label="Where this is" { a href="/trials" { "Trials" } }
        div.title { div { h1 { "Trial " (protocol) }
            p.soft { (m.accrual.enrolled) " patients · data cut " (day(m.cutoff)) " · " (m.protocol) } }
            form.cut method="get" { label for="on" { "Data cut" } input id="on" type="date" name="on" value=(m.cutoff); button type="submit" { "Show" } } }
        p.actions { a.button href={ (base) "/report.pdf" (asked) } { "Report (PDF)" } " "
            a.button href={ (base) "/analysis" (asked) } { "Numbers (JSON)" } }
        @for n in &a.notes { p.notice.info { (sentence(n)) } }
        @if !assumed.is_empty() {
            details.card { summary { (assumed.len()) " settings were assumed" }
                ul { @for s in &assumed { li { strong { (s.name) } ": " (s.value.to_string()) @if let Some(why) = &s.because { span.why.soft { (why) } } } } } }
        }
        (standing(&m.stopping, &figures(&r, &base, &asked, &["boundary"])))
        (section("accrual", "Accrual and feasibility", &html! {
            (figures(&r, &base, &asked, &["accrual"])) (feasibility(&m.feasibility))
        }))
        (section("response", "Response", &html! {
            @for arm in &a.arms { @for x in &arm.response {
                p { strong { (sentence(&x.name)) } ": " (x.response.words()) @if let Some(name) = &arm.arm { " · " (name) } } } }
            (figures(&r, &base, &asked, &["response", "waterfall", "spider", "swimmer"]))
        }))
        (section("survival", "Time to events", &html! {
            (figures(&r, &base, &asked, &["km_", "hazard", "competing", "between_scans"]))
        }))
        (section("toxicity", "Toxicity", &html! {
            (figures(&r, &base, &asked, &["toxicity"])) (toxicity(&m.toxicity))
        }))
        (section("due", "Due and missed", &due(&r)))
        p.soft { (m.notice) }
    };
    Ok(page(&format!("Trial {protocol}"), Place::Trials, &body))
}

fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! { section aria-labelledby=(id) { h2 id=(id) { (title) } (body) } }
}

/// Where the stopping rule says the trial is.
fn standing(s: &Stopping, boundary: &Markup) -> Markup {
    let (kind, sign, word) = match s.standing {
        Standing::GoOn => ("pass", "✓", "goes on"),
        Standing::NoLookYet => ("plain", "○", "no look yet"),
        Standing::PerhapsCrossed => ("hold", "?", "cannot tell"),
        Standing::Crossed => ("fail", "✕", "stop"),
    };
    html! {
        section aria-labelledby="standing" {
            h2 id="standing" { "Stopping for toxicity" }
            p { (chip(kind, sign, word)) " " (sentence(&s.sentence)) }
            p.soft { "Event: " (s.event) }
            (boundary)
        }
    }
}

/// The figures whose names begin so, each with its numbers.
fn figures(r: &Reckoned, base: &str, asked: &str, begin: &[&str]) -> Markup {
    let wanted = |f: &&Figure| begin.iter().any(|b| f.name.starts_with(b));
    html! {
        div.figures { @for f in r.figures.iter().filter(wanted) {
            figure {
                img src={ (base) "/figures/" (f.name) ".svg" (asked) } alt={ (f.title) ": the numbers are in the table beside it" };
                figcaption { (f.title) " · " a href={ (base) "/figures/" (f.name) ".csv" (asked) } { "numbers (CSV)" } }
            }
        } }
    }
}

fn row(name: &str, share: Option<&Share>) -> Markup {
    html! { tr { th scope="row" { (name) } td { @match share { Some(s) => (s.words()), None => span.soft { "the data do not say" } } } } }
}

fn feasibility(f: &Feasibility) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Feasibility" {
            table { tbody {
                (row("Treatment began", Some(&f.treated)))
                (row("Any drug was taken", f.drugs.as_ref()))
                (row("Radioembolization was given", f.radioembolized.as_ref()))
                (row("Both, of those of whom it is decided", f.both.as_ref()))
                (row("A second session, of those with a first", f.second_session.as_ref()))
                (row("Ended before cycle 2, of the treated", f.stopped_in_cycle_1.as_ref()))
            } }
        }
        @if !f.stopped.is_empty() { ul { @for s in &f.stopped {
            li { (s.subject) @if let Some(on) = &s.on { " on " (on) } ": " (s.reason) } } } }
    }
}

fn toxicity(t: &Toxicities) -> Markup {
    if t.ctcae.is_none() {
        return html! { p { "No toxicity and no graded value was recorded." } };
    }
    html! {
        (grades("At any time", &t.all, true))
        @for w in t.windows.iter().filter(|w| w.table.any.count > 0) { (grades(&w.name, &w.table, false)) }
    }
}

fn grades(name: &str, t: &Table, open: bool) -> Markup {
    html! {
        details.card open[open] {
            summary { (sentence(name)) " · grade 3 or more: " (t.grade_3_or_more.words()) }
            div.scroll tabindex="0" role="region" aria-label={ "Toxicities: " (name) } {
                table { thead { tr { th scope="col" { "Term, worst grade of a patient" } @for g in 1..=5 { th scope="col" { (g) } } th scope="col" { "Grade 3 or more" } } }
                    tbody { @for x in &t.terms { tr {
                        th scope="row" { (x.term) }
                        @for n in x.worst_grade { td { @if n > 0 { (n) } @else { span.soft { "–" } } } }
                        td { (x.grade_3_or_more.words()) }
                    } } } }
            }
        }
    }
}

fn due(r: &Reckoned) -> Markup {
    let items = &r.monitor.due.items;
    if items.is_empty() {
        return html! { p { "Nothing is due and nothing was missed." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Due and missed" {
            table { thead { tr { th scope="col" { "Patient" } th scope="col" { "What" } th scope="col" { "" } th scope="col" { "Until" } } }
                tbody { @for i in items { tr {
                    th scope="row" { a href={ "/courses/" (encoded(&i.subject)) } { (i.subject) } }
                    td { (i.what) } td { (status_word(&i.status)) } td { (day(i.latest)) }
                } } } }
        }
    }
}
