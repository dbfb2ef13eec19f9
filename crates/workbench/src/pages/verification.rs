//! *Verify*: one session, planned beside delivered. Images with one cross, the difference between them,
//! curves, compartments, agreement, limits.

use super::encoded;
use super::layout::{Place, gate_status, number, page, page_with, sentence};
use super::verify::{row, within};
use super::viewer;
use crate::api::find_job_of;
use crate::problem::PageProblem;
use crate::server::App;
use crate::store::{Job, JobState};
use crate::verifications::{self, Stored};
use axum::extract::{Path, State};
use hepatica_planning::Verification;
use hepatica_planning::plan::Status;
use hepatica_planning::verification::record::{Compared, Delivery};
use maud::{Markup, PreEscaped, html};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

type Places = BTreeMap<String, [f64; 3]>;

/// A verification.
///
/// # Errors
/// When there is none.
pub async fn page_handler(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Markup, PageProblem> {
    let j = find_job_of(&app, &id, verifications::KIND).await?;
    app.note_read(&j.patient, "verification").await?;
    let plan = Stored::of(&j).map_or_else(String::new, |s| s.plan);
    if j.state != JobState::Done {
        let body = html! { (crumbs(&j, &plan)) h1 { "Verification" } ul.jobs { (row(&j)) } };
        return Ok(page("Verification", Place::Courses, &body));
    }
    let v = verifications::verification(&app, &id)?;
    let lesions = verifications::lesions(&app, &id)?;
    Ok(show(&j, &plan, &v, &lesions))
}

fn crumbs(j: &Job, plan: &str) -> Markup {
    let course = format!("/courses/{}", encoded(&j.patient));
    html! {
        nav.crumbs aria-label="Where this is" { a href=(course) { (j.patient) } " / " a href={ (course) "/plan" } { "Plans" } " / " a href={ "/plans/" (encoded(plan)) } { "Plan" } }
    }
}

/// Where one begins to look: the lesion whose mean dose differs most.
fn begin(v: &Verification, lesions: &Places) -> Option<[f64; 3]> {
    let off = |c: &&Compared| c.difference_gy.map_or(0.0, f64::abs);
    let tumours = v.compartments.iter().filter(|c| c.role == "tumour");
    let most =
        tumours.filter(|c| lesions.contains_key(&c.name)).max_by(|a, b| off(a).total_cmp(&off(b)));
    most.and_then(|c| lesions.get(&c.name).copied())
}

fn show(j: &Job, plan: &str, v: &Verification, lesions: &Places) -> Markup {
    let files = format!("/api/verifications/{}/files", j.id);
    let data = json!({ "id": j.id, "begin": begin(v, lesions) });
    // `<` cannot end the element it is in.
    let data = data.to_string().replace('<', "\\u003c");
    let scan = &v.scan;
    let after = scan.hours_after_treatment.map_or(String::new(), |h| format!(", {h:.1} h after"));
    let body = html! {
        (crumbs(j, plan))
        div.title { div { h1 { "Session " (v.session.id) " of " (j.patient) ": what was given" }
            p.soft { (v.session.territory_name) " · " (v.session.device) " · " (scan.modality.to_uppercase()) (after) " · activity " (v.activity.calibration) " · engine " (v.activity.engine) } }
            span.actions { a.button href={ (files) "/report.pdf" } { "Report (PDF)" } a.button href={ (files) "/verify.json" } { "Numbers (JSON)" } } }
        div.decision { (gate_status(v.decision.status, None)) " " strong { (v.decision.sentence) } }
        @if !v.warnings.is_empty() { ul.notice.hold { @for w in &v.warnings { li { (sentence(w)) } } } }
        (images())
        div.two {
            section aria-labelledby="activity" { h2 id="activity" { "Activity" } (activity(v)) }
            section aria-labelledby="dvh" {
                h2 id="dvh" { "Dose and volume" }
                p.soft { "Dashed: planned. Solid: delivered." }
                div #dvh-plot role="img" aria-label="Dose-volume curves, planned and delivered; the numbers are in the table of doses" {}
            }
        }
        (doses(v, lesions))
        div.two.even {
            section aria-labelledby="limits" { h2 id="limits" { "Limits" } (limits(v)) }
            section aria-labelledby="agreement" { h2 id="agreement" { "Agreement, voxel by voxel" } (agreement(v)) }
        }
        section aria-labelledby="place" {
            h2 id="place" { "How it was found" }
            p { (registration(v)) }
            ul { @for n in &v.notes { li { (sentence(n)) } } }
        }
        script type="application/json" id="verification-data" { (PreEscaped(data)) }
    };
    let title = format!("Session {} of {}, verified", v.session.id, j.patient);
    page_with(&title, Place::Courses, &body, &viewer::head("verify.js"))
}

fn images() -> Markup {
    let right = [("delivered", "Dose delivered"), ("difference", "Difference")];
    let own = html! {
        label { "Right side " select id="right" { @for (v, n) in right { option value=(v) { (n) } } } }
    };
    html! {
        section aria-labelledby="images" {
            h2 id="images" { "Images" }
            div.viewer {
                (viewer::tools(&own, "axial"))
                div.sides {
                    figure { figcaption { "Planned" } (viewer::stage("left-canvas", "CT with the dose planned.")) }
                    figure { figcaption id="right-title" { "Delivered" } (viewer::stage("right-canvas", "CT with the dose delivered, or how it differs from the dose planned.")) }
                }
                p.readout aria-live="off" { span id="at" { "–" } span { "CT " b id="hu" { "–" } " HU" } span { "Planned " b id="planned" { "–" } " Gy" } span { "Delivered " b id="delivered" { "–" } " Gy" } span { "Difference " b id="difference" { "–" } " Gy" } }
                div.scales { (viewer::scale("dose-scale")) (viewer::scale("difference-scale")) }
            }
        }
    }
}

fn percent(part: f64) -> String {
    format!("{:.0} %", 100.0 * part)
}

fn gbq(value: f64) -> String {
    format!("{value:.3} GBq")
}

/// A table of names and numbers with a note each.
fn list(rows: &[(String, String, String)]) -> Markup {
    html! {
        table.list { tbody { @for (name, value, note) in rows { tr { th scope="row" { (name) } td.num { (value) } td.soft { (note) } } } } }
    }
}

/// What the record says beside what the scan shows.
fn activity(v: &Verification) -> Markup {
    let Delivery {
        assayed_gbq, residual_gbq, residual_fraction, residual_by, delivered_gbq, ..
    } = &v.delivery;
    let [low, high] = v.delivery.delivered_interval_gbq;
    let row = |name: &str, value: String, note: String| (name.to_owned(), value, note);
    let mut record = vec![
        row("In the vials", gbq(*assayed_gbq), String::new()),
        row(
            "Left behind",
            gbq(*residual_gbq),
            format!("{:.1} %, by {residual_by}", 100.0 * residual_fraction),
        ),
        row("Delivered", gbq(*delivered_gbq), format!("95 % interval {low:.2} to {high:.2}")),
        row(
            "Prescribed",
            gbq(v.delivery.planned_gbq),
            format!("delivered {:+.1} %", v.delivery.deviation_percent),
        ),
    ];
    let a = &v.activity;
    let mut scan = Vec::new();
    if let (Some(seen), Some(recovery)) = (a.field_of_view_gbq, a.recovery) {
        scan.push(row(
            "In the field of view",
            gbq(seen),
            format!("{} of what was delivered", percent(recovery)),
        ));
    }
    let of_liver = a.liver_recovery.map_or_else(
        || "counts, scaled to what was delivered".to_owned(),
        |r| format!("{} of what should be there", percent(r)),
    );
    scan.push(row("In the liver", gbq(a.liver_gbq), of_liver));
    scan.push(row(
        "In the territory",
        gbq(a.territory_gbq),
        format!("{} of the liver", percent(a.territory_share)),
    ));
    let at = v.delivery.instant.get(..16).unwrap_or_default().replace('T', " ");
    record.insert(0, row("Instillation", at, String::new()));
    html! {
        h3 { "By the record" } div.scroll tabindex="0" role="region" aria-label="Activity by the record" { (list(&record)) }
        h3.next { "By the scan, at the instillation" } div.scroll tabindex="0" role="region" aria-label="Activity by the scan" { (list(&scan)) }
    }
}

fn doses(v: &Verification, lesions: &Places) -> Markup {
    let text =
        |x: Option<f64>, places: usize| x.map_or("–".to_owned(), |x| format!("{x:.places$}"));
    let signed = |x: Option<f64>| x.map_or("–".to_owned(), |x| format!("{x:+.1}"));
    let l = &v.lungs;
    let lung_ratio = (l.planned_gy > 0.0).then(|| l.delivered_gy / l.planned_gy);
    html! {
        section aria-labelledby="doses" {
            h2 id="doses" { "Doses and lesions" }
            div.scroll tabindex="0" role="region" aria-label="Doses and lesions" {
                table id="dose-table" {
                    thead { tr { th scope="col" { "Compartment" } th scope="col" .num { "mL" } th scope="col" .num { "Planned Gy" } th scope="col" .num { "Delivered Gy" } th scope="col" .num { "95 % interval" } th scope="col" .num { "Difference" } th scope="col" .num { "Ratio" } th scope="col" .num { "D70 planned" } th scope="col" .num { "D70" } th scope="col" .num { "BED planned" } th scope="col" .num { "BED" } th scope="col" { span.hidden { "Show" } } } }
                    tbody {
                        @for c in &v.compartments { @let (p, d) = (c.planned.as_ref(), &c.delivered); tr {
                            th scope="row" { (c.name) } td.num { (format!("{:.1}", c.volume_ml)) }
                            td.num { (text(p.map(|p| p.mean), 1)) } td.num { strong { (text(Some(d.mean), 1)) } }
                            td.num { (format!("{:.0} to {:.0}", d.mean_interval[0], d.mean_interval[1])) }
                            td.num { (signed(c.difference_gy)) } td.num { (text(c.ratio, 2)) }
                            td.num { (text(p.map(|p| p.d70), 1)) } td.num { (text(Some(d.d70), 1)) }
                            td.num { (text(p.map(|p| p.bed_mean), 1)) } td.num { (text(Some(d.bed_mean), 1)) }
                            td { @if let Some([x, y, z]) = lesions.get(&c.name) { button.link type="button" data-show={ (x) " " (y) " " (z) } aria-label={ "Show " (c.name) " in the images" } { "Show" } } }
                        } }
                        tr { th scope="row" { "lungs" } td {} td.num { (text(Some(l.planned_gy), 1)) } td.num { strong { (text(Some(l.delivered_gy), 1)) } }
                            td.num { (format!("{:.0} to {:.0}", l.delivered_interval_gy[0], l.delivered_interval_gy[1])) }
                            td.num { (signed(Some(l.delivered_gy - l.planned_gy))) } td.num { (text(lung_ratio, 2)) } td {} td {} td {} td {} td {} }
                    }
                }
            }
        }
    }
}

fn limits(v: &Verification) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Limits" {
            table { thead { tr { th scope="col" { "Answer" } th scope="col" { "Limit" } th scope="col" .num { "Found" } th scope="col" .num { "At most" } } }
                tbody { @for c in &v.checks { tr {
                    td { (within(c.status <= Status::Overridden)) } th scope="row" { (sentence(&c.name)) span.why.soft { (c.source) } }
                    td.num { (format!("{:.1} {}", c.found, c.unit)) } td.num { (number(c.limit, 1)) " " (c.unit) }
                } } }
            }
        }
    }
}

fn agreement(v: &Verification) -> Markup {
    let x = &v.voxels;
    let row = |name: String, value: String, note: String| (name, value, note);
    let mut rows: Vec<_> = x
        .gamma
        .iter()
        .map(|g| {
            let local = if g.kind == "local" { ", local" } else { "" };
            row(
                format!("Gamma {:.0} %, {:.0} mm{local}", g.dose_percent, g.distance_mm),
                format!("{:.1} %", 100.0 * g.pass_rate),
                format!(
                    "pass, of {} voxels with at least {:.0} % of {:.0} Gy",
                    g.count, g.cutoff_percent, g.reference_gy
                ),
            )
        })
        .collect();
    let [low, high] = x.concordance_interval;
    let [least, most] = x.limits_of_agreement_gy;
    let q = &x.quality;
    rows.push(row(
        "Lin's concordance".to_owned(),
        format!("{:.3}", x.concordance),
        format!("95 % interval {low:.3} to {high:.3}; 1 is the same"),
    ));
    rows.push(row(
        "Mean difference".to_owned(),
        format!("{:+.1} Gy", x.mean_difference_gy),
        format!("95 % of voxels from {least:+.0} to {most:+.0} Gy"),
    ));
    rows.push(row(
        "Q factor".to_owned(),
        format!("{:.3}", q.factor),
        format!(
            "delivered over planned is 0.9 to 1.1 in {}, below in {}, above in {}",
            percent(q.within_10_percent),
            percent(q.below),
            percent(q.above)
        ),
    ));
    html! { div.scroll tabindex="0" role="region" aria-label="Agreement" { (list(&rows)) } }
}

/// How the scan was brought to the planning CT, in words.
fn registration(v: &Verification) -> String {
    let r = &v.registration;
    let by = match r.by.as_str() {
        "same_frame" => "The scan and the planning CT share one frame of reference.".to_owned(),
        "images" => "The scan's CT was registered with the planning CT.".to_owned(),
        "file" => "The registration is from a file.".to_owned(),
        "assumed" => "The scan is taken to lie as the planning CT.".to_owned(),
        other => format!("The scan was placed by {other}."),
    };
    let [x, y, z] = r.shift_mm;
    let [a, b, c] = r.turn_degrees;
    let residual =
        r.residual_mm.map_or(String::new(), |mm| format!(" It repeats itself within {mm:.1} mm."));
    format!(
        "{by} The liver moved by {x:.1}, {y:.1}, {z:.1} mm and turned by {a:.1}, {b:.1}, {c:.1} degrees.{residual}"
    )
}
