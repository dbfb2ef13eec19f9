//! *Plan*: the plans of a patient, and one of them: images, curves, lesions, order, and the gate at other
//! activities.

use super::layout::{self, Place, chip, gate, gate_status, number, page, page_with, sentence};
use super::verify::{self, Typed};
use super::{encoded, job, viewer};
use crate::api::{
    PlanEntry, SignEntry, ask_plan, find_job_of, plan_to_course, plans_of_patient, sign_plan,
    verifications_of,
};
use crate::desk::Entry;
use crate::opened::{Opened, today};
use crate::people::{self, Signature};
use crate::plans::{self, Asked};
use crate::problem::{PageProblem, Problem};
use crate::server::App;
use crate::store::{Job, JobState};
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use hepatica_planning::Plan;
use hepatica_planning::plan::Session;
use hepatica_regimen::Calendar;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The plans of a patient.
///
/// # Errors
/// When there is no such course.
pub async fn of_patient(
    State(app): State<Arc<App>>,
    Path(patient): Path<String>,
) -> Result<Markup, PageProblem> {
    show_list(&app, &patient, None).await
}

async fn show_list(
    app: &App,
    patient: &str,
    error: Option<&Problem>,
) -> Result<Markup, PageProblem> {
    Opened::read(&*app.store, patient, None).await?;
    app.note_read(patient, "list of plans").await?;
    let jobs = plans_of_patient(app, patient).await?;
    let cases = plans::cases(&app.data);
    let base = format!("/courses/{}", encoded(patient));
    let body = html! {
        nav.crumbs aria-label="Where this is" { a href=(base) { (patient) } }
        h1 { "Plans of " (patient) }
        @if let Some(p) = error { p.notice.fail role="alert" { (sentence(&p.detail)) } }
        @if jobs.is_empty() { p { "No plan yet. Choose the images of the simulation procedure and plan." } }
        ul.jobs { @for j in &jobs { (row(j)) } }
        section aria-labelledby="new" {
            h2 id="new" { "Plan a case" }
            form.fields.card method="post" action={ (base) "/plan" } {
                div.field { label for="case" { "Images" }
                    select id="case" name="case" aria-describedby="case-hint" { @for c in &cases { option value=(c) { (c) } } }
                    span.hint id="case-hint" { "A folder of DICOM under " (app.data.join("cases").display()) "; built-in is a synthetic patient" } }
                div.field.tick { input type="checkbox" id="same" name="same_patient" value="yes";
                    label for="same" { "The images are of this patient although their identifier differs" } }
                p.soft { "Dates, protocol and laboratory values are taken from the course." }
                div.actions { button.primary type="submit" { "Plan" } a.button href=(base) { "Back" } }
            }
        }
    };
    Ok(page(&format!("Plans of {patient}"), Place::Courses, &body))
}

fn row(j: &Job) -> Markup {
    let case = serde_json::from_str::<Asked>(&j.asked).map_or(String::new(), |a| a.case);
    job::row(j, &case, "plans", "Open the plan")
}

/// What is chosen.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    case: String,
    same_patient: Option<String>,
}

/// Hands in a plan.
///
/// # Errors
/// When there is no such course; what is refused is said on the page.
pub async fn ask(
    State(app): State<Arc<App>>,
    Path(patient): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, PageProblem> {
    let asked = Asked { case: chosen.case, same_patient: chosen.same_patient.is_some() };
    match ask_plan(&app, &patient, &asked).await {
        Ok(_) => Ok(Redirect::to(&format!("/courses/{}/plan", encoded(&patient))).into_response()),
        Err(p) => Ok((p.status_code(), show_list(&app, &patient, Some(&p)).await?).into_response()),
    }
}

// ---- one plan ------------------------------------------------------------------------------------

/// A plan; `typed` is what was typed to verify it and was refused.
///
/// # Errors
/// When there is none.
pub async fn page_of(
    app: &App,
    id: &str,
    error: Option<&Problem>,
    typed: &Typed,
) -> Result<Markup, PageProblem> {
    let j = find_job_of(app, id, plans::KIND).await?;
    app.note_read(&j.patient, "plan").await?;
    if j.state != JobState::Done {
        let body = html! {
            nav.crumbs aria-label="Where this is" { a href={ "/courses/" (encoded(&j.patient)) } { (j.patient) } }
            h1 { "Plan" } ul.jobs { (row(&j)) }
        };
        return Ok(page("Plan", Place::Courses, &body));
    }
    let (plan, bytes) = plans::plan(app, id)?;
    let opened = Opened::read(&*app.store, &j.patient, None).await?;
    let lesions = plans::lesions(app, id)?;
    let (sum, all) = (people::sha256(&bytes), app.store.signatures(Some(id)).await?);
    let signed: Vec<_> = all.into_iter().filter(|s| s.sha256 == sum).collect();
    let done = verifications_of(app, &j).await?;
    let verify = verify::section(app, id, &plan, &done, typed);
    Ok(show(&j, &plan, opened.log.hash(), &lesions, &signed, &verify, error))
}

/// A plan.
///
/// # Errors
/// As [`page_of`].
pub async fn page_handler(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Markup, PageProblem> {
    page_of(&app, &id, None, &Typed::default()).await
}

/// What is typed to record a plan.
#[derive(Debug, Deserialize)]
pub struct ToCourse {
    key: String,
    head: String,
    on: String,
}

/// Records a plan in its course.
///
/// # Errors
/// When there is no such plan; what is refused is said on the page.
pub async fn to_course(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(typed): Form<ToCourse>,
) -> Result<Response, PageProblem> {
    let j = find_job_of(&app, &id, plans::KIND).await?;
    let recorded = match Calendar::parse_date(&typed.on) {
        Err(_) => Err(Problem::refused("day: expected a date written YYYY-MM-DD")),
        Ok(on) => {
            let entry = Entry {
                key: typed.key,
                head: typed.head,
                on: Some(on),
                at: None,
                why: None,
                confirm: false,
                corrects: None,
                said: None,
            };
            let asked = PlanEntry { plan: id.clone(), entry };
            plan_to_course(&app, &j.patient, &asked).await
        }
    };
    match recorded {
        Ok(r) => {
            let to = format!("/courses/{}?recorded={}", encoded(&j.patient), r.events.join(","));
            Ok(Redirect::to(&to).into_response())
        }
        Err(p) => Ok((p.status_code(), page_of(&app, &id, Some(&p), &Typed::default()).await?)
            .into_response()),
    }
}

/// What is typed to sign a plan off.
#[derive(Debug, Deserialize)]
pub struct ToSign {
    #[serde(default)]
    password: String,
    why: String,
}

/// Signs a plan off.
///
/// # Errors
/// When there is no such plan; what is refused is said on the page.
pub async fn sign(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(typed): Form<ToSign>,
) -> Result<Response, PageProblem> {
    let asked = SignEntry { password: typed.password, why: typed.why };
    match sign_plan(&app, &id, &asked).await {
        Ok(_) => Ok(Redirect::to(&format!("/plans/{}#sign", encoded(&id))).into_response()),
        Err(p) => Ok((p.status_code(), page_of(&app, &id, Some(&p), &Typed::default()).await?)
            .into_response()),
    }
}

fn signatures(j: &Job, signed: &[Signature]) -> Markup {
    let password = people::current().is_some_and(|w| !w.local);
    html! {
        section aria-labelledby="sign" {
            h2 id="sign" { "Sign-off" }
            @if signed.is_empty() { p.soft { "Nobody has signed this plan off yet." } } @else { ul.plain { @for s in signed {
                li { (chip("pass", "✓", "signed")) " " strong { (s.who) } span.soft { " (" (s.roles) "), " (s.at.get(..16).unwrap_or(&s.at).replace('T', " ")) " UTC" } span.why { (s.why) } }
            } } }
            form.fields.card method="post" action={ "/plans/" (j.id) "/sign" } {
                div.field { label for="why" { "What you have checked" } textarea id="why" name="why" rows="2" required maxlength="2000" {} }
                @if password { div.field { label for="password" { "Your password once more" } input id="password" name="password" type="password" autocomplete="current-password" required; } }
                div.actions { button type="submit" { "Sign off" } }
            }
        }
    }
}

/// Numbers behind the page, for its script. `<` cannot end the element it is in.
fn data(j: &Job, plan: &Plan) -> String {
    let sessions: Vec<_> = plan
        .sessions
        .iter()
        .map(
            |s| json!({ "id": s.id, "name": s.territory_name, "gbq": s.prescription.activity_gbq }),
        )
        .collect();
    json!({ "id": j.id, "sessions": sessions }).to_string().replace('<', "\\u003c")
}

fn show(
    j: &Job,
    plan: &Plan,
    head: &str,
    lesions: &BTreeMap<String, [f64; 3]>,
    signed: &[Signature],
    verify: &Markup,
    error: Option<&Problem>,
) -> Markup {
    let base = format!("/courses/{}", encoded(&j.patient));
    let files = format!("/api/plans/{}/files", j.id);
    let shunt = &plan.lung_shunt;
    let body = html! {
        nav.crumbs aria-label="Where this is" { a href=(base) { (j.patient) } " / " a href={ (base) "/plan" } { "Plans" } }
        div.title { div { h1 { "Plan of " (j.patient) }
            p.soft { "Case " (plan.patient.id) " · made " (j.finished.as_deref().and_then(|f| f.get(..16)).unwrap_or_default().replace('T', " ")) " UTC · engine " (plan.method.engine) ", " (plan.method.density) " density · " (plan.schedule.protocol) } }
            a.button href={ (files) "/report.pdf" } { "Report (PDF)" } }
        @if let Some(p) = error { p.notice.fail role="alert" { (sentence(&p.detail)) } }
        div.decision { (gate_status(plan.decision.status, None)) " " strong { (plan.decision.sentence) } }
        p { "Lung shunt " strong { (format!("{:.1} %", 100.0 * shunt.fraction)) } " by " (shunt.used)
            span.soft { (format!(" (95 % interval {:.1} to {:.1} %)", 100.0 * shunt.interval[0], 100.0 * shunt.interval[1])) }
            ", lungs " (number(shunt.lung_mass_kg, 2)) " kg, tumour burden " (format!("{:.1} %", 100.0 * plan.liver.tumour_burden)) }
        (images())
        div.two {
            section aria-labelledby="activity" {
                h2 id="activity" { "What if: other activities" }
                p.soft { "Dose is linear in activity: curves, doses and the gate follow. Nothing is changed by it." }
                @for (n, s) in plan.sessions.iter().enumerate() { (slider(n, s)) }
                div.actions { button type="button" id="as-planned" { "As planned" } }
            }
            section aria-labelledby="dvh" {
                h2 id="dvh" { "Dose and volume" }
                div #dvh-plot role="img" aria-label="Dose-volume curves; the numbers are in the table of doses" {}
            }
        }
        section aria-labelledby="gate-title" {
            h2 id="gate-title" { "Gate " span.soft id="gate-at" { "as planned" } }
            div id="gates" aria-live="polite" { @for g in &plan.gates { (gate(g, "", true)) } }
        }
        (doses(plan, lesions)) (orders(plan))
        @if !plan.warnings.is_empty() { section aria-labelledby="notes" { h2 id="notes" { "Notes" } ul { @for w in &plan.warnings { li { (sentence(w)) } } } } }
        (signatures(j, signed))
        section aria-labelledby="record" {
            h2 id="record" { "Record in the course" }
            p { "Feeds what the simulation procedure showed, with its intervals, into the gates of the protocol." }
            form.fields.card method="post" action={ "/plans/" (j.id) } data-once="" {
                input type="hidden" name="key" value=(Uuid::new_v4().to_string());
                input type="hidden" name="head" value=(head);
                div.field { label for="on" { "Day of the simulation procedure" } input type="date" id="on" name="on" required value=(today().to_string()); }
                div.actions { button.primary type="submit" { "Record" } span.sending role="status" {} }
            }
        }
        (verify)
        script type="application/json" id="plan-data" { (PreEscaped(data(j, plan))) }
    };
    page_with(&format!("Plan of {}", j.patient), Place::Courses, &body, &viewer::head("plan.js"))
}

fn images() -> Markup {
    let overlays = [("dose", "Dose"), ("spect", "SPECT"), ("none", "None")];
    let own = html! {
        label { "Overlay " select id="overlay" { @for (v, n) in overlays { option value=(v) { (n) } } } }
    };
    html! {
        section aria-labelledby="images" {
            h2 id="images" { "Images" }
            div.viewer {
                (viewer::tools(&own, "planes"))
                (viewer::stage("images-canvas", "CT with overlay in three planes."))
                p.readout aria-live="off" { span id="at" { "–" } span { "CT " b id="hu" { "–" } " HU" } span { "SPECT " b id="counts" { "–" } } span { "Dose " b id="gy" { "–" } " Gy" } }
                (viewer::scale("scale"))
            }
        }
    }
}

fn slider(n: usize, s: &Session) -> Markup {
    let planned = s.prescription.activity_gbq;
    // Up to twice what is planned.
    let most = (2.0 * planned).clamp(0.5, 100.0);
    html! {
        fieldset.slider {
            legend { "Session " (s.id) ": " (s.territory_name) span.soft { ", " (s.date) " (C" (s.cycle) "D" (s.cycle_day) ")" } }
            input type="range" id={ "range-" (n) } data-session=(n) min="0" max=(number(most, 2)) step="0.01" value=(format!("{planned:.2}")) aria-label={ "Activity of session " (s.id) " in GBq" };
            span.with-unit { input type="number" id={ "gbq-" (n) } data-session=(n) min="0" max=(number(most, 2)) step="0.01" value=(format!("{planned:.2}")) aria-label={ "Activity of session " (s.id) " in GBq, as a number" }; span.unit { "GBq" } }
            span.soft { "planned " (format!("{planned:.2}")) " by " (s.prescription.model) ", bound by " (s.prescription.bound_by) }
        }
    }
}

fn doses(plan: &Plan, lesions: &BTreeMap<String, [f64; 3]>) -> Markup {
    let ratio = |name: &str| {
        plan.liver.tumours.iter().find(|t| t.name == name).and_then(|t| t.tumour_to_normal)
    };
    html! {
        section aria-labelledby="doses" {
            h2 id="doses" { "Doses and lesions" }
            div.scroll tabindex="0" role="region" aria-label="Doses and lesions" {
                table id="dose-table" {
                    thead { tr { th scope="col" { "Session" } th scope="col" { "Compartment" } th scope="col" .num { "mL" } th scope="col" .num { "T/N" } th scope="col" .num { "Mean Gy" } th scope="col" .num { "95 % interval" } th scope="col" .num { "D95" } th scope="col" .num { "D70" } th scope="col" .num { "BED Gy, as planned" } th scope="col" { span.hidden { "Show" } } } }
                    tbody { @for (n, s) in plan.sessions.iter().enumerate() { @for c in &s.compartments {
                        @let d = &c.dose_gy;
                        tr {
                            td { (s.id) } th scope="row" { (c.name) } td.num { (format!("{:.1}", c.volume_ml)) }
                            td.num { @if let Some(r) = ratio(&c.name) { (format!("{r:.1}")) } }
                            td.num data-session=(n) data-gy=(d.mean) { (format!("{:.1}", d.mean)) }
                            td.num { span data-session=(n) data-gy=(d.mean_interval[0]) data-places="0" { (format!("{:.0}", d.mean_interval[0])) } " to " span data-session=(n) data-gy=(d.mean_interval[1]) data-places="0" { (format!("{:.0}", d.mean_interval[1])) } }
                            td.num data-session=(n) data-gy=(d.d95) { (format!("{:.1}", d.d95)) }
                            td.num data-session=(n) data-gy=(d.d70) { (format!("{:.1}", d.d70)) }
                            td.num { (format!("{:.1}", c.bed_gy.mean)) }
                            td { @if let Some([x, y, z]) = lesions.get(&c.name) { button.link type="button" data-show={ (x) " " (y) " " (z) } aria-label={ "Show " (c.name) " in the images" } { "Show" } } }
                        }
                    }
                    tr { td { (s.id) } th scope="row" { "lungs" } td {} td {} td.num data-session=(n) data-gy=(s.lung_dose_gy) { (format!("{:.1}", s.lung_dose_gy)) }
                        td.num { span data-session=(n) data-gy=(s.lung_dose_interval_gy[0]) data-places="0" { (format!("{:.0}", s.lung_dose_interval_gy[0])) } " to " span data-session=(n) data-gy=(s.lung_dose_interval_gy[1]) data-places="0" { (format!("{:.0}", s.lung_dose_interval_gy[1])) } } td {} td {} td {} td {} }
                    } }
                }
            }
        }
    }
}

fn orders(plan: &Plan) -> Markup {
    html! {
        section aria-labelledby="order" {
            h2 id="order" { "Order" }
            div.scroll tabindex="0" role="region" aria-label="Order" {
                table { thead { tr { th scope="col" { "Session" } th scope="col" { "Treatment" } th scope="col" { "Vials" } th scope="col" { "Calibration" } th scope="col" .num { "At treatment" } th scope="col" .num { "Delivered" } th scope="col" .num { "Off by" } th scope="col" { "Note" } } }
                    tbody { @for s in &plan.sessions { @match &s.order {
                        None => tr { th scope="row" { (s.id) } td colspan="7" { (layout::chip("hold", "‖", "no vial serves")) " " (s.date) } },
                        Some(o) => @for (n, c) in o.choices.iter().take(4).enumerate() { tr {
                            th scope="row" { (s.id) @if n == 0 { " " (chip("pass", "✓", "proposed")) } @else if !c.acceptable { " " (chip("fail", "✕", "not acceptable")) } }
                            td { (short(&o.treatment_instant)) } td { (c.vials) " × " (number(c.vial_gbq, 2)) " GBq" } td { (short(&c.calibration_instant)) }
                            td.num { (format!("{:.2}", c.activity_at_treatment_gbq)) " GBq" } td.num { (format!("{:.2}", c.delivered_gbq)) " GBq" }
                            td.num { (format!("{:+.1} %", c.deviation_percent)) } td.soft { (c.note) }
                        } },
                    } } } }
            }
        }
    }
}

/// `2027-01-03 12:00` of an RFC 3339 instant.
fn short(instant: &str) -> String {
    instant.get(..16).unwrap_or(instant).replace('T', " ")
}
