//! *Design*: which designs answer a question, and what they cost.

use super::layout::{Place, number, page, sentence};
use axum::extract::Query;
use hepatica_statistics::design::choice::{Choice, Endpoint, Question, choices};
use hepatica_statistics::design::one_sample_log_rank::Conduct;
use maud::{Markup, html};
use serde::{Deserialize, Deserializer};

/// Most patients that are searched.
const LARGEST: u32 = 200;

/// What is asked; everything has a beginning that makes sense.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Asked {
    endpoint: Kind,
    #[serde(deserialize_with = "typed")]
    null: f64,
    #[serde(deserialize_with = "typed")]
    alternative: f64,
    #[serde(deserialize_with = "typed")]
    alpha: f64,
    #[serde(deserialize_with = "typed")]
    power: f64,
    #[serde(deserialize_with = "typed")]
    accrual: f64,
    #[serde(deserialize_with = "typed")]
    follow_up: f64,
    #[serde(deserialize_with = "typed")]
    loss: f64,
}

/// A number as people type it; what is none is not a number, and that is said.
fn typed<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let text = String::deserialize(d)?;
    Ok(text.trim().replace(',', ".").parse().unwrap_or(f64::NAN))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Response,
    Survival,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            endpoint: Kind::Response,
            null: 0.5,
            alternative: 0.7,
            alpha: 0.05,
            power: 0.8,
            accrual: 36.0,
            follow_up: 24.0,
            loss: 0.0,
        }
    }
}

impl Asked {
    fn answer(&self) -> Result<Vec<Choice>, String> {
        for (name, value) in [
            ("null", self.null),
            ("alternative", self.alternative),
            ("alpha", self.alpha),
            ("power", self.power),
            ("accrual", self.accrual),
            ("follow-up", self.follow_up),
            ("loss", self.loss),
        ] {
            if !value.is_finite() {
                return Err(format!("{name}: expected a number"));
            }
        }
        let values = [self.null, self.alternative];
        let endpoint = match self.endpoint {
            Kind::Response => Endpoint::Response(values),
            Kind::Survival => Endpoint::Survival(
                values,
                Conduct {
                    accrual: self.accrual,
                    follow_up: self.follow_up,
                    loss_hazard: self.loss,
                },
            ),
        };
        let (alpha, power) = (self.alpha, self.power);
        choices(&Question { endpoint, alpha, power, at_most: LARGEST }).map_err(|e| e.to_string())
    }
}

/// The page.
pub async fn page_handler(Query(asked): Query<Asked>) -> Markup {
    // A search takes part of a second: not where requests are answered.
    let to_answer = asked.clone();
    let answer = tokio::task::spawn_blocking(move || to_answer.answer()).await;
    let answer = answer.unwrap_or_else(|e| Err(e.to_string()));
    show(&asked, &answer)
}

fn field(id: &str, name: &str, value: f64, hint: &str) -> Markup {
    let value = if value.is_finite() { number(value, 4) } else { String::new() };
    let described = format!("{id}-hint");
    html! {
        div.field { label for=(id) { (name) }
            input id=(id) name=(id) inputmode="decimal" value=(value) autocomplete="off" aria-describedby=(described);
            span.hint id=(described) { (hint) } }
    }
}

fn show(asked: &Asked, answer: &Result<Vec<Choice>, String>) -> Markup {
    let survival = asked.endpoint == Kind::Survival;
    let body = html! {
        div.title { h1 { "Design of a trial" }
            p.soft { "One arm. Exact tests for responses, the one-sample log-rank test for times." } }
        form.fields.card method="get" {
            div.field { label for="endpoint" { "What decides" }
                select id="endpoint" name="endpoint" aria-describedby="endpoint-hint" {
                    option value="response" selected[!survival] { "Response (shares)" }
                    option value="survival" selected[survival] { "Progression-free survival (medians in months)" } }
                span.hint id="endpoint-hint" { "A share from 0 to 1, or a median in months" } }
            (field("null", "Null", asked.null, "What would show nothing"))
            (field("alternative", "Alternative", asked.alternative, "What is hoped for"))
            (field("alpha", "Size", asked.alpha, "One-sided"))
            (field("power", "Power", asked.power, "From 0 to 1"))
            (field("accrual", "Accrual", asked.accrual, "Months in which patients come (times only)"))
            (field("follow_up", "Follow-up", asked.follow_up, "Months after the last (times only)"))
            (field("loss", "Loss", asked.loss, "Hazard a month (times only)"))
            div.actions { button.primary type="submit" { "Search" } }
        }
        section aria-labelledby="answer" aria-live="polite" {
            h2 id="answer" { "Designs" }
            @match answer {
                Err(e) => p.notice.fail role="alert" { (sentence(e)) },
                Ok(all) => {
                    div.scroll tabindex="0" role="region" aria-label="Designs" {
                        table { thead { tr { th scope="col" { "Design" } th scope="col" { "Patients at most" } th scope="col" { "Expected under the null" } th scope="col" { "Ends early under the null" } th scope="col" { "Size" } th scope="col" { "Power" } } }
                            tbody { @for c in all { tr {
                                th scope="row" { (sentence(c.name)) span.why.soft { (c.says) } }
                                td { (c.n) }
                                td { @if let Some(n) = c.expected_n_null { (number(n, 1)) } @else { span.soft { "–" } } }
                                td { @if let Some(p) = c.stop_early_null { (number(100.0 * p, 0)) " %" } @else { span.soft { "–" } } }
                                td { (number(c.alpha, 4)) } td { (number(c.power, 3)) }
                            } } } }
                    }
                }
            }
            p.soft { "A trial of one arm that succeeds does not say which therapy did it: "
                code { "hepatica trial design" } " runs each design on virtual patients, with the combination and with either therapy alone, and says what else would win." }
        }
    };
    page("Design of a trial", Place::Design, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_and_a_slip_is_said() {
        let page = show(&Asked::default(), &Asked::default().answer()).into_string();
        assert!(page.contains("Simon, fewest expected"), "{page}");
        let wrong = Asked { alternative: 0.4, ..Asked::default() };
        assert!(wrong.answer().is_err());
        let wrong = Asked { power: f64::NAN, ..Asked::default() };
        assert_eq!(wrong.answer(), Err("power: expected a number".to_owned()));
    }
}
