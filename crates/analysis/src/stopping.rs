//! The rule that stops the trial for toxicity, and where the trial stands.
//!
//! A patient is evaluable once a stopping event has happened or the window has passed without one.
//! Events become known before their absence does, so that early the rule leans towards stopping.

use crate::AnalysisError;
use crate::data::{Subject, Trial};
use crate::settings::Settings;
use crate::share::Share;
use crate::toxicity::{graded, observed_until};
use hepatica_regimen::course::{days_between, plus};
use hepatica_statistics::design::toxicity::BayesianRule;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

/// What a person may say of the rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// Rate that is too high.
    pub limit: Option<f64>,
    /// Prior Beta(a, b).
    pub prior: Option<(f64, f64)>,
    /// Posterior probability above which one stops.
    pub certainty: Option<f64>,
    /// First look.
    pub first: Option<u32>,
    /// Last look.
    pub last: Option<u32>,
    /// Days from day 1 within which an event counts.
    pub days: Option<u32>,
    /// Least grade that counts, not of the blood.
    pub grade: Option<u8>,
    /// Least grade that counts, of the blood.
    pub grade_blood: Option<u8>,
    /// Terms that do not count.
    pub not_counted: Vec<String>,
    /// Whether only what is put down to the treatment counts.
    pub related_only: bool,
}

/// Where the trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Fewer evaluable patients than at the first look.
    NoLookYet,
    /// Below the boundary at every look.
    GoOn,
    /// The boundary would be crossed if what cannot be told were an event.
    PerhapsCrossed,
    /// The boundary was crossed at a look.
    Crossed,
}

/// The rule and where the trial stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stopping {
    /// What counts, in a sentence.
    pub event: String,
    /// Where the trial stands.
    pub standing: Standing,
    /// The same in a sentence.
    pub sentence: String,
    /// Patients evaluable.
    pub evaluable: u64,
    /// Of them with an event.
    pub events: Share,
    /// Posterior probability that the rate is above the limit.
    pub posterior_above_limit: f64,
    /// Events at which one stops with so many evaluable; none: no number does.
    pub stop_at: Option<u64>,
    /// The next numbers of patients, with the events at which one stops.
    pub next: Vec<Look>,
    /// If every next patient had an event: how many until one stops.
    pub events_in_a_row_until_stop: Option<u64>,
    /// The look at which it was crossed.
    pub crossed_at: Option<Crossing>,
    /// Every look.
    pub boundary: Vec<Look>,
    /// What the rule does at true rates, exactly.
    pub operating: Vec<Operating>,
    /// Patients and events in the order in which they became known.
    pub path: Vec<[u64; 2]>,
    /// Patient by patient.
    pub patients: Vec<PatientState>,
}

/// A look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Look {
    /// Patients evaluable.
    pub evaluable: u64,
    /// Events at which one stops; none: no number does.
    pub stop_at: Option<u64>,
}

/// When it was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Crossing {
    /// Patients evaluable then.
    pub evaluable: u64,
    /// Events then.
    pub events: u64,
    /// The day on which it became known.
    #[schemars(with = "String")]
    pub on: Date,
}

/// What the rule does at a true rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Operating {
    /// The true rate.
    pub rate: f64,
    /// Probability that the trial stops.
    pub probability_stop: f64,
    /// Patients evaluable on average when it ends.
    pub expected_patients: f64,
}

/// A patient, as the rule sees him or her.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PatientState {
    /// Who.
    pub subject: String,
    /// How he or she counts.
    pub state: State,
    /// Why.
    pub because: String,
    /// The day on which that was known, or will be.
    #[schemars(with = "Option<String>")]
    pub known_on: Option<Date>,
}

/// How a patient counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// With an event.
    Event,
    /// It cannot be told whether something was an event.
    Perhaps,
    /// Without an event over the whole window.
    NoEvent,
    /// The window is not over.
    Pending,
    /// Not evaluable.
    NotEvaluable,
}

/// What counts as an event.
struct Event<'g> {
    days: i64,
    grade: u8,
    grade_blood: u8,
    given: &'g Given,
}

/// True rates at which the rule's behaviour is told, as parts of the limit.
const RATES: [f64; 5] = [0.25, 0.5, 1.0, 1.5, 2.0];
/// Looks to come that are told.
const NEXT: usize = 5;

pub(crate) fn stopping(
    trial: &Trial,
    given: &Given,
    two_cycles_days: u32,
    settings: &mut Settings,
    level: f64,
) -> Result<Stopping, AnalysisError> {
    for (what, given) in [("limit", given.limit), ("certainty", given.certainty)] {
        if let Some(found) = given.filter(|f| !(*f > 0.0 && *f < 1.0)) {
            return Err(AnalysisError::Fraction { what, found });
        }
    }
    let usual = "usual in phase 2; the protocol does not say";
    let limit = settings.choose("stopping limit (rate of events)", given.limit, 0.3, usual);
    let weak = (limit, 1.0 - limit);
    let weight = "worth one patient, with the limit as its mean";
    let prior = given.prior.map(|(a, b)| Pair(a, b));
    let prior = settings.choose("stopping prior Beta(a, b)", prior, Pair(weak.0, weak.1), weight);
    let certainty =
        settings.choose("stopping certainty (posterior probability)", given.certainty, 0.9, usual);
    let first = settings.choose("first look after patients", given.first, 3, usual);
    let because = "two cycles: platelets and neutrophils are lowest in the cycle after";
    let days =
        settings.choose("days in which an event counts", given.days, two_cycles_days, because);
    let grade = settings.choose("least grade, not of the blood", given.grade, 3, usual);
    let grade_blood = settings.choose("least grade, of the blood", given.grade_blood, 4, usual);
    settings.note(
        "events count",
        if given.related_only { "only if put down to the treatment" } else { "whatever the cause" },
        if given.related_only { "given" } else { "assumed" },
    );
    let event = Event { days: i64::from(days), grade, grade_blood, given };
    let mut patients: Vec<PatientState> =
        trial.subjects.iter().filter(|s| s.treated).map(|s| event.of(s, trial.cutoff)).collect();
    // In the order in which it became known; what was known on one day: events first, which is
    // the harder test.
    let order = |p: &PatientState| (p.known_on.unwrap_or(Date::MAX), p.state != State::Event);
    patients.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.subject.cmp(&b.subject)));
    let walk = |perhaps: bool| {
        let (mut n, mut x) = (0_u64, 0_u64);
        let mut path = Vec::new();
        for p in &patients {
            let is_event = p.state == State::Event || (perhaps && p.state == State::Perhaps);
            if !is_event && p.state != State::NoEvent {
                continue;
            }
            n += 1;
            x += u64::from(is_event);
            path.push(([n, x], p.known_on.unwrap_or(trial.cutoff)));
        }
        path
    };
    let path = walk(false);
    let strict = walk(true);
    let [n, x] = path.last().map_or([0, 0], |p| p.0);
    let widest = strict.len() as u64;
    let last = given.last.unwrap_or(50);
    let last = settings.choose(
        "last look after patients",
        given.last,
        last,
        "50 patients are planned (NCT04339036)",
    );
    let n_max = u64::from(last).max(widest + NEXT as u64).min(1000) as u32;
    let rule = BayesianRule {
        prior: (prior.0, prior.1),
        limit,
        certainty,
        n_first: first.min(n_max),
        n_max,
    };
    let table = rule.boundary()?;
    let looks: Vec<Look> = table
        .looks()
        .iter()
        .map(|l| Look { evaluable: u64::from(l.n), stop_at: l.stop_at.map(u64::from) })
        .collect();
    let stop_at = |n: u64| looks.iter().find(|l| l.evaluable == n).and_then(|l| l.stop_at);
    let crossed = |path: &[([u64; 2], Date)]| {
        let mut crossings = path.iter().filter(|([n, x], _)| stop_at(*n).is_some_and(|s| x >= &s));
        crossings.next().map(|([n, x], on)| Crossing { evaluable: *n, events: *x, on: *on })
    };
    let (crossed_at, perhaps) = (crossed(&path), crossed(&strict));
    let standing = match (crossed_at, perhaps) {
        (Some(_), _) => Standing::Crossed,
        (None, Some(_)) => Standing::PerhapsCrossed,
        _ if widest < u64::from(first) => Standing::NoLookYet,
        _ => Standing::GoOn,
    };
    let in_a_row = (1..=u64::from(n_max))
        .find(|k| stop_at(n + k).is_some_and(|s| x + k >= s))
        .filter(|_| crossed_at.is_none());
    let events = Share::of(x as usize, n as usize, level)?;
    let undecided = strict.len() as u64 - path.len() as u64;
    let sentence = match standing {
        Standing::Crossed => crossed_at.map_or_else(String::new, |c| {
            format!(
                "The boundary is crossed: {} in {} on {}, and {} stop the trial.",
                events_of(c.events),
                evaluable(c.evaluable),
                c.on,
                stop_at(c.evaluable).unwrap_or(0)
            )
        }),
        Standing::PerhapsCrossed => format!(
            "The boundary is crossed if what cannot be told of {undecided} patients was an event: decide it first."
        ),
        Standing::NoLookYet => {
            format!("{} in {}: the first look is after {first}.", events_of(x), evaluable(n))
        }
        Standing::GoOn => match stop_at(n) {
            Some(stop) => {
                format!("Go on: {} in {}; {stop} would stop the trial.", events_of(x), evaluable(n))
            }
            None => format!(
                "Go on: {} in {}; no number would stop the trial yet.",
                events_of(x),
                evaluable(n)
            ),
        },
    };
    let operating = RATES
        .into_iter()
        .map(|part| part * limit)
        .filter(|rate| *rate < 1.0)
        .map(|rate| {
            let at = table.at(rate);
            Operating { rate, probability_stop: at.stop, expected_patients: at.expected_n }
        })
        .collect();
    Ok(Stopping {
        event: event.words(),
        standing,
        sentence,
        evaluable: n,
        events,
        posterior_above_limit: rule.posterior(x as u32, n as u32)?,
        stop_at: stop_at(n),
        next: looks.iter().filter(|l| l.evaluable > n).take(NEXT).copied().collect(),
        events_in_a_row_until_stop: in_a_row,
        crossed_at,
        boundary: looks.clone(),
        operating,
        path: path.iter().map(|p| p.0).collect(),
        patients,
    })
}

fn events_of(n: u64) -> String {
    if n == 1 { "1 event".to_owned() } else { format!("{n} events") }
}

fn evaluable(n: u64) -> String {
    if n == 1 { "1 evaluable patient".to_owned() } else { format!("{n} evaluable patients") }
}

/// Two numbers, as `Beta(0.3, 0.7)`.
#[derive(Debug, Clone, Copy)]
struct Pair(f64, f64);

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Shortest decimals of sums such as 1 - 0.3 are long.
        let round = |x: f64| (x * 1e9).round() / 1e9;
        write!(f, "Beta({}, {})", round(self.0), round(self.1))
    }
}

impl Event<'_> {
    fn words(&self) -> String {
        let mut words = format!(
            "a toxicity of grade {} or more ({} or more of the blood) that began on days 1 to {}",
            self.grade, self.grade_blood, self.days
        );
        if self.given.related_only {
            words += ", put down to the treatment";
        }
        if !self.given.not_counted.is_empty() {
            words += &format!("; not counted: {}", self.given.not_counted.join(", "));
        }
        words
            + "; a death in these days counts if it has a toxicity of grade 5, else it cannot be told"
    }

    fn of(&self, s: &Subject, cutoff: Date) -> PatientState {
        let state = |state, because: String, known_on| PatientState {
            subject: s.label.clone(),
            state,
            because,
            known_on,
        };
        let Some(first) = s.first_treatment else {
            return state(State::NotEvaluable, "no first day of treatment".to_owned(), None);
        };
        let last = plus(first, self.days - 1);
        let least = |blood: bool| if blood { self.grade_blood } else { self.grade };
        let counted = |term: &str| {
            !self.given.not_counted.iter().any(|t| t.eq_ignore_ascii_case(term.trim()))
        };
        let mut inside: Vec<_> = graded(s)
            .into_iter()
            .filter(|g| g.on <= last && counted(g.term))
            .filter(|g| g.grade[1] >= least(g.haematologic))
            .collect();
        inside.sort_by(|a, b| (a.on, a.term).cmp(&(b.on, b.term)));
        let day = |on: Date| days_between(first, on) + 1;
        let sure = inside.iter().find(|g| {
            g.grade[0] >= least(g.haematologic)
                && (!self.given.related_only || g.related == Some(true))
        });
        if let Some(g) = sure {
            let because = format!("{} grade {} on day {}", g.term, g.grade[0], day(g.on));
            return state(State::Event, because, Some(g.on));
        }
        // What is said to be unrelated is no event; what nobody judged may be one.
        let open = inside.iter().find(|g| !self.given.related_only || g.related.is_none());
        if let Some(g) = open {
            let [low, high] = g.grade;
            let because = if low == high {
                format!("{} grade {high} on day {}: related or not is not said", g.term, day(g.on))
            } else {
                format!("{} grade {low} to {high} on day {}", g.term, day(g.on))
            };
            return state(State::Perhaps, because, Some(g.on));
        }
        if let Some(death) = s.death.filter(|d| *d <= last) {
            let because = format!("died on day {} without a toxicity of grade 5", day(death));
            return state(State::Perhaps, because, Some(death));
        }
        if let Some(left) = s.withdrawal.filter(|d| *d <= last) {
            let because = format!("withdrew on day {}", day(left));
            return state(State::NotEvaluable, because, Some(left));
        }
        let until = s.last_alive.map_or(cutoff, |d| d.min(cutoff)).min(observed_until(s, cutoff));
        if until < last {
            let because = format!("followed to day {} of {}", day(until), self.days);
            return state(State::Pending, because, Some(last));
        }
        state(State::NoEvent, format!("no event in {} days", self.days), Some(last))
    }
}
