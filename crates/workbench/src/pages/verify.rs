//! *Verify*, on the page of a plan: the verifications of a plan, and the form that asks for one.

use super::layout::{chip, number};
use super::{encoded, job, pairs};
use crate::api::ask_verification;
use crate::problem::{PageProblem, Problem};
use crate::server::App;
use crate::store::Job;
use crate::verifications::{self, Asked, Measured, Record, Stored, Survey};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use hepatica_planning::Plan;
use maud::{Markup, html};
use std::sync::Arc;

/// Rows for vials before, and for what stayed after.
const VIALS: usize = 3;
const REMAINS: usize = 2;

/// What was typed into the form: what is refused comes back with it.
#[derive(Debug, Clone, Default)]
pub struct Typed(Vec<(String, String)>);

impl Typed {
    fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.trim())
    }

    /// The `n`th value of a name; empty if there is none.
    fn value(&self, name: &str, n: usize) -> &str {
        let mut all = self.0.iter().filter(|(of, _)| of == name);
        all.nth(n).map_or("", |(_, v)| v.trim())
    }

    /// The local time as a record says it.
    fn moment(&self, name: &str, n: usize) -> String {
        self.value(name, n).replace('T', " ")
    }

    /// Rows of activity and moment that say something.
    fn measured(&self, name: &str) -> Result<Vec<Measured>, Problem> {
        let at = format!("{name}_at");
        let rows = self.all(name).enumerate().filter(|(_, gbq)| !gbq.is_empty());
        let row = |(n, gbq): (usize, &str)| {
            let activity_gbq = gbq.parse().map_err(|_| {
                Problem::refused(format!("{name}: expected an activity in GBq, found `{gbq}`"))
            })?;
            Ok(Measured { activity_gbq, instant: self.moment(&at, n), uncertainty_percent: None })
        };
        rows.map(row).collect()
    }

    fn readings(&self, name: &str) -> Result<Vec<f64>, Problem> {
        let parts = self.value(name, 0).split([' ', ',', ';']).filter(|p| !p.is_empty());
        let reading = |p: &str| {
            p.parse().map_err(|_| {
                Problem::refused(format!(
                    "{name}: expected readings with spaces between, found `{p}`"
                ))
            })
        };
        parts.map(reading).collect()
    }

    /// What is asked for. A record of which nothing was typed is left out.
    fn asked(&self) -> Result<Asked, Problem> {
        let session = self.value("session", 0).parse();
        let session = session.map_err(|_| Problem::refused("session: which one was treated?"))?;
        let (assay, residual) = (self.measured("assay")?, self.measured("residual")?);
        let (before, after) = (self.readings("before")?, self.readings("after")?);
        let survey = (!before.is_empty() || !after.is_empty()).then(|| Survey {
            before,
            before_instant: self.moment("before_at", 0),
            after,
            after_instant: self.moment("after_at", 0),
        });
        let nothing = assay.is_empty() && residual.is_empty() && survey.is_none();
        let record = (!nothing).then(|| Record {
            instant: self.moment("instant", 0),
            time_zone: None,
            assay,
            residual,
            survey,
        });
        let calibration = self.value("calibration", 0);
        Ok(Asked {
            scan: self.value("scan", 0).to_owned(),
            session,
            calibration: (!calibration.is_empty()).then(|| calibration.to_owned()),
            record,
        })
    }
}

/// Hands in a verification.
///
/// # Errors
/// When there is no such plan; what is refused is said on the page, with what was typed.
pub async fn ask(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    form: String,
) -> Result<Response, PageProblem> {
    let typed = Typed(pairs(&form));
    let asked = match typed.asked() {
        Ok(asked) => ask_verification(&app, &id, &asked).await,
        Err(p) => Err(p),
    };
    match asked {
        Ok(_) => Ok(Redirect::to(&format!("/plans/{}#verify", encoded(&id))).into_response()),
        Err(p) => {
            let page = super::plan::page_of(&app, &id, Some(&p), &typed).await?;
            Ok((p.status_code(), page).into_response())
        }
    }
}

/// A verification in a list.
#[must_use]
pub fn row(j: &Job) -> Markup {
    let what = Stored::of(j)
        .map_or_else(String::new, |s| format!("Session {} by {}", s.asked.session, s.asked.scan));
    job::row(j, &what, "verifications", "Open the verification")
}

/// The part of a plan's page: what was verified, and the form.
#[must_use]
pub fn section(app: &App, id: &str, plan: &Plan, done: &[Job], typed: &Typed) -> Markup {
    let scans = verifications::scans(&app.data);
    let chosen = |name: &str, value: &str| typed.value(name, 0) == value;
    let zone = &plan.schedule.time_zone;
    let calibrations = [
        ("", "As the scan allows"),
        ("absolute", "The scan's Bq/mL"),
        ("relative", "Proportions, scaled to what was delivered"),
    ];
    html! {
        section aria-labelledby="verify" {
            h2 id="verify" { "Verify: what was really given" }
            @if !done.is_empty() { ul.jobs { @for j in done { (row(j)) } } }
            form.fields.card method="post" action={ "/plans/" (encoded(id)) "/verify" } {
                div.grid {
                    div.field { label for="session" { "Session" }
                        select id="session" name="session" aria-describedby="session-hint" { @for s in &plan.sessions { @let id = s.id.to_string();
                            option value=(id) selected[chosen("session", &id)] { (id) ": " (s.territory_name) ", " (s.date) } } }
                        span.hint id="session-hint" { @for s in &plan.sessions {
                            "Session " (s.id) ": " (number(s.dispensed().gbq(), 2)) " GBq to be dispensed"
                            @if let Some(at) = s.instant() { " at " (at.strftime("%Y-%m-%d %H:%M")) } ". " } } }
                    div.field { label for="scan" { "Scan after treatment" }
                        select id="scan" name="scan" aria-describedby="scan-hint" { @for s in &scans { option value=(s) selected[chosen("scan", s)] { (s) } } }
                        span.hint id="scan-hint" { "90Y PET/CT or bremsstrahlung SPECT/CT: a folder of DICOM under " (app.data.join("scans").display()) "; built-in scans are of the synthetic patient" } }
                    div.field { label for="calibration" { "Activity by" }
                        select id="calibration" name="calibration" { @for (v, n) in calibrations { option value=(v) selected[chosen("calibration", v)] { (n) } } } }
                }
                fieldset.record {
                    legend { "Record of the treatment" }
                    p.hint { "Times are local (" (zone) "). Left empty, it is " code { "treatment.toml" } " in the folder of the scan; the built-in scans have one." }
                    div.field { label for="instant" { "Instillation" } (moment("instant", 0, "instant", None, typed)) }
                    div.rows { @for n in 0..VIALS { (measured("assay", n, &format!("Vial {} before", n + 1), typed)) } }
                    div.rows {
                        @for n in 0..REMAINS { (measured("residual", n, if n == 0 { "Left in vials and lines" } else { "Left elsewhere" }, typed)) }
                    }
                    details { summary { "Survey meter in place of what was left" }
                        div.rows {
                            (readings("before", "Readings around the jar before", typed))
                            (readings("after", "Readings after", typed))
                        }
                    }
                }
                div.actions { button.primary type="submit" { "Verify" } }
            }
        }
    }
}

/// A local time; what has no label of its own is called by `words`.
fn moment(name: &str, n: usize, id: &str, words: Option<&str>, typed: &Typed) -> Markup {
    html! { input type="datetime-local" name=(name) id=(id) value=(typed.value(name, n)) aria-label=[words]; }
}

fn measured(name: &str, n: usize, label: &str, typed: &Typed) -> Markup {
    let id = format!("{name}-{n}");
    let (at, when) = (format!("{name}_at"), format!("{label}: measured when"));
    html! {
        div.field { label for=(id) { (label) }
            span.with-unit { input id=(id) name=(name) inputmode="decimal" size="7" value=(typed.value(name, n)); span.unit { "GBq at" }
                (moment(&at, n, &format!("{id}-at"), Some(&when), typed)) }
        }
    }
}

fn readings(name: &str, label: &str, typed: &Typed) -> Markup {
    let (at, when) = (format!("{name}_at"), format!("{label}: when"));
    html! {
        div.field { label for=(name) { (label) }
            span.with-unit { input id=(name) name=(name) inputmode="decimal" value=(typed.value(name, 0)) placeholder="200 220 180 200"; span.unit { "at" }
                (moment(&at, 0, &at, Some(&when), typed)) }
        }
    }
}

/// The chip of a limit: within it, or to be looked at.
#[must_use]
pub fn within(holds: bool) -> Markup {
    if holds { chip("pass", "✓", "within") } else { chip("hold", "‖", "look") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(form: &str) -> Result<Asked, String> {
        Typed(pairs(form)).asked().map_err(|p| p.detail)
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        let asked = typed("session=2&scan=s&calibration=&instant=2027-01-05T13:00&assay=2.5&assay_at=2027-01-05T12:00&assay=&assay_at=&assay=0.5&assay_at=2027-01-05T12:10&residual=0.1&residual_at=2027-01-05T17:00").expect("good");
        let record = asked.record.expect("a record");
        assert_eq!((asked.session, record.instant.as_str()), (2, "2027-01-05 13:00"));
        let assay: Vec<_> =
            record.assay.iter().map(|m| (m.activity_gbq, m.instant.as_str())).collect();
        assert_eq!(assay, [(2.5, "2027-01-05 12:00"), (0.5, "2027-01-05 12:10")]);
        assert_eq!((asked.calibration, record.residual.len()), (None, 1));
        let none = typed("session=1&scan=s&instant=&assay=&assay_at=&before=&after=");
        assert_eq!(none.expect("good").record, None, "what lies with the scan counts");
        let survey = typed("session=1&scan=s&assay=1&before=200+210&after=4").expect("good");
        let survey = survey.record.and_then(|r| r.survey).expect("readings");
        assert_eq!((survey.before, survey.after), (vec![200.0, 210.0], vec![4.0]));
        for (form, words) in [
            ("scan=s", "session: which"),
            ("session=1&assay=2,5", "assay: expected an activity in GBq, found `2,5`"),
            ("session=1&before=2+x", "found `x`"),
        ] {
            assert!(typed(form).expect_err(words).contains(words));
        }
    }
}
