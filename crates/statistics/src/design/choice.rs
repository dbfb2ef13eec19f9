//! From a question to the designs that answer it: what a trial of one arm would need.

use super::one_sample_log_rank::{self, Conduct};
use super::simon::{self, TwoStage};
use super::single_stage;
use crate::distribution::normal;
use crate::error::{Error, Result};
use crate::survival::Weibull;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Endpoint {
    /// Shares of patients who respond: null and alternative. Exact tests in one and two stages.
    Response([f64; 2]),
    /// Medians in months, null and alternative, and how the trial is conducted. One-sample log-rank test.
    Survival([f64; 2], Conduct),
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What decides.
    pub endpoint: Endpoint,
    /// One-sided size.
    pub alpha: f64,
    /// Power.
    pub power: f64,
    /// Most patients that are thinkable.
    pub at_most: u32,
}

/// A design that answers a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub rule: Rule,
    /// Patients at most.
    pub n: u32,
    /// Size that it has.
    pub alpha: f64,
    /// Power that it has.
    pub power: f64,
    /// Patients expected if the null is true, where it may end early.
    pub expected_n_null: Option<f64>,
    /// Probability that it ends early if the null is true.
    pub stop_early_null: Option<f64>,
    /// The same in a sentence.
    pub says: String,
}

/// What a design does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Success with more than `r` responses in `n`.
    SingleStage {
        /// Patients.
        n: u32,
        /// Responses that are not enough.
        r: u32,
    },
    /// Simon's two stages.
    TwoStage(TwoStage),
    /// One-sample log-rank test.
    OneSampleLogRank {
        /// Patients.
        n: u32,
        /// Events expected under the alternative.
        events: f64,
    },
}

/// The designs that answer a question; of responses the one with the fewest patients expected under the null
/// first among those of two stages.
///
/// # Errors
/// When the question cannot be, or no design within the largest size answers it.
pub fn choices(q: &Question) -> Result<Vec<Choice>> {
    match q.endpoint {
        Endpoint::Response([p0, p1]) => responses(q, p0, p1),
        Endpoint::Survival([m0, m1], conduct) => survival(q, m0, m1, conduct).map(|c| vec![c]),
    }
}

fn responses(q: &Question, p0: f64, p1: f64) -> Result<Vec<Choice>> {
    let beta = 1.0 - q.power;
    let two = simon::search(p0, p1, q.alpha, beta, q.at_most)?;
    let one = single_stage::search(p0, p1, q.alpha, beta, q.at_most)?;
    let mut all = vec![Choice {
        name: "one stage",
        rule: Rule::SingleStage { n: one.n, r: one.r },
        n: one.n,
        alpha: one.alpha,
        power: 1.0 - one.beta,
        expected_n_null: None,
        stop_early_null: None,
        says: format!(
            "{} patients, success with more than {} responses; size {:.4}, power {:.4}",
            one.n,
            one.r,
            one.alpha,
            1.0 - one.beta
        ),
    }];
    let mut add = |name, c: simon::Candidate| {
        let d = c.design;
        all.push(Choice {
            name,
            rule: Rule::TwoStage(d),
            n: d.n,
            alpha: c.null.reject,
            power: c.alternative.reject,
            expected_n_null: Some(c.null.expected_n),
            stop_early_null: Some(c.null.stop_early),
            says: format!(
                "{} patients, then {} if more than {} respond; success with more than {}; size {:.4}, power {:.4}, {:.1} patients expected under the null",
                d.n1, d.n, d.r1, d.r, c.null.reject, c.alternative.reject, c.null.expected_n
            ),
        });
    };
    let (optimal, minimax) = (two.optimal(), two.minimax());
    let between = |c: &simon::Candidate| c.design != optimal.design && c.design != minimax.design;
    add("Simon, fewest expected", optimal);
    add("Simon, smallest", minimax);
    for a in two.admissible().into_iter().map(|a| a.candidate).filter(between) {
        add("Simon, between", a);
    }
    Ok(all)
}

fn survival(q: &Question, null: f64, alternative: f64, conduct: Conduct) -> Result<Choice> {
    let (null, alternative) = (Weibull::exponential(null)?, Weibull::exponential(alternative)?);
    let design = one_sample_log_rank::design(null, alternative, conduct, q.alpha)?;
    let n = design.subjects(1.0 - q.power)?;
    if n > q.at_most {
        return Err(Error::NoDesign { what: "one-sample log-rank design", n_max: q.at_most });
    }
    let power = design.power(n)?;
    let events = f64::from(n) * design.event_probability;
    // The observed hazard over the null's at which the test just succeeds, at the expected events.
    let expected = f64::from(n) * design.expected_per_subject;
    let ratio = (1.0 + normal::quantile(q.alpha) / expected.sqrt()).max(0.0);
    Ok(Choice {
        name: "one-sample log-rank",
        rule: Rule::OneSampleLogRank { n, events },
        n,
        alpha: q.alpha,
        power,
        expected_n_null: None,
        stop_early_null: None,
        says: format!(
            "{n} patients in {} months, {} months after the last: {events:.1} events expected under the alternative; power {power:.3} (Wu 2015); success needs about {ratio:.2} of the events that the null expects",
            conduct.accrual, conduct.follow_up
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simons_own_example_is_found_with_its_sentence() {
        // Simon 1989, table 1: p0 0.05, p1 0.25, alpha = beta = 0.10.
        let q = Question {
            endpoint: Endpoint::Response([0.05, 0.25]),
            alpha: 0.10,
            power: 0.90,
            at_most: 60,
        };
        let all = choices(&q).expect("designs");
        let optimal = all.iter().find(|c| c.name == "Simon, fewest expected").expect("there");
        let Rule::TwoStage(d) = optimal.rule else { panic!("two stages") };
        assert_eq!((d.r1, d.n1, d.r, d.n), (0, 9, 2, 24));
        assert!(optimal.says.starts_with("9 patients, then 24 if more than 0 respond"));
    }

    #[test]
    fn a_median_needs_patients_and_too_few_are_said() {
        let conduct = Conduct { accrual: 36.0, follow_up: 24.0, loss_hazard: 0.0 };
        let mut q = Question {
            endpoint: Endpoint::Survival([12.2, 18.0], conduct),
            alpha: 0.05,
            power: 0.8,
            at_most: 200,
        };
        let found = choices(&q).expect("a design");
        assert!(found[0].power >= 0.8 && found[0].n > 20, "{found:?}");
        q.at_most = found[0].n - 1;
        assert!(matches!(choices(&q), Err(Error::NoDesign { .. })));
    }
}
