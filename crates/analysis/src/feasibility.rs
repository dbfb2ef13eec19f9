//! Who got how far: from enrolment to both therapies.

use crate::AnalysisError;
use crate::data::{Status, Subject, Trial};
use crate::share::{Share, Spread};
use hepatica_regimen::course::days_between;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Who got how far.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Feasibility {
    /// Patients.
    pub enrolled: u64,
    /// Treatment began.
    pub treated: Share,
    /// Any drug was taken; none where the data do not say.
    pub drugs: Option<Share>,
    /// Any session was given; none where the data do not say.
    pub radioembolized: Option<Share>,
    /// Both, of those of whom it is decided: they had both, or ended before. Of all where the data
    /// do not say who ended.
    pub both: Option<Share>,
    /// Of whom it is not decided: the treatment goes on without a session so far.
    pub undecided: Vec<String>,
    /// A second session, of those with a first.
    pub second_session: Option<Share>,
    /// Ended before cycle 2 began, of the treated.
    pub stopped_in_cycle_1: Option<Share>,
    /// Who that was, and why.
    pub stopped: Vec<Stopped>,
    /// Why treatment ended, of all who ended it early.
    pub reasons: BTreeMap<String, u64>,
    /// Treatments that go on.
    pub ongoing: Option<u64>,
    /// First sessions by the day of the cycle they were given on: `C2D7`.
    pub session_1_days: BTreeMap<String, u64>,
    /// Days from day 1 of cycle 1 to the first session.
    pub to_session_1_days: Option<Spread>,
    /// Activity of all sessions of a patient.
    pub activity_gbq: Option<Spread>,
    /// Cycles begun by a patient.
    pub cycles: Option<Spread>,
}

/// A patient who ended in cycle 1.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stopped {
    /// Who.
    pub subject: String,
    /// When.
    pub on: Option<String>,
    /// Why.
    pub reason: String,
}

/// What is said where nobody said why.
pub const NO_REASON: &str = "not said";

pub(crate) fn feasibility(trial: &Trial, level: f64) -> Result<Feasibility, AnalysisError> {
    let all = &trial.subjects;
    let treated: Vec<&Subject> = all.iter().filter(|s| s.treated).collect();
    let count = |of: &dyn Fn(&Subject) -> bool| all.iter().filter(|s| of(s)).count();
    let told = |has: bool, n: usize, of: usize| {
        if has { Share::of(n, of, level).map(Some) } else { Ok(None) }
    };
    let both = |s: &Subject| s.drugs == Some(true) && s.radioembolized == Some(true);
    let goes_on = |s: &Subject| s.status == Some(Status::Ongoing);
    // Without a status nobody knows whether a session is still to come. Where the table has none at
    // all everybody counts, else the share would be of those who had both.
    let unknown = |s: &Subject| trial.has.status && s.status.is_none() && s.death.is_none();
    let open = |s: &Subject| !both(s) && (goes_on(s) || unknown(s));
    let undecided: Vec<String> = all.iter().filter(|s| open(s)).map(|s| s.label.clone()).collect();
    let with_session: Vec<_> = all.iter().filter(|s| !s.sessions.is_empty()).collect();
    let second = with_session.iter().filter(|s| s.sessions.len() > 1).count();
    let stopped: Vec<&&Subject> =
        treated.iter().filter(|s| s.stopped_in_cycle_1 == Some(true)).collect();
    let because = |s: &Subject| s.reason.clone().unwrap_or_else(|| NO_REASON.to_owned());
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for s in all.iter().filter(|s| s.status == Some(Status::Discontinued)) {
        *reasons.entry(because(s)).or_default() += 1;
    }
    let mut session_1_days: BTreeMap<String, u64> = BTreeMap::new();
    for s in &with_session {
        let first = s.sessions[0];
        let day = match (first.cycle, first.cycle_day) {
            (Some(c), Some(d)) => format!("C{c}D{d}"),
            _ => "day not told".to_owned(),
        };
        *session_1_days.entry(day).or_default() += 1;
    }
    Ok(Feasibility {
        enrolled: all.len() as u64,
        treated: Share::of(treated.len(), all.len(), level)?,
        drugs: told(trial.has.therapies, count(&|s| s.drugs == Some(true)), all.len())?,
        radioembolized: told(
            trial.has.therapies,
            count(&|s| s.radioembolized == Some(true)),
            all.len(),
        )?,
        both: told(trial.has.therapies, count(&both), all.len() - undecided.len())?,
        undecided: if trial.has.therapies { undecided } else { Vec::new() },
        second_session: told(trial.has.sessions, second, with_session.len())?,
        stopped_in_cycle_1: told(trial.has.cycles, stopped.len(), treated.len())?,
        stopped: stopped
            .iter()
            .map(|s| Stopped {
                subject: s.label.clone(),
                on: s.ended.map(|d| d.to_string()),
                reason: because(s),
            })
            .collect(),
        reasons,
        ongoing: trial.has.status.then(|| count(&goes_on) as u64),
        session_1_days,
        to_session_1_days: Spread::of(
            with_session
                .iter()
                .filter_map(|s| Some(days_between(s.c1d1?, s.sessions[0].on) as f64)),
        ),
        activity_gbq: Spread::of(with_session.iter().filter_map(|s| {
            let all: Option<Vec<f64>> = s.sessions.iter().map(|x| x.activity_gbq).collect();
            all.map(|all| all.iter().sum())
        })),
        cycles: Spread::of(treated.iter().filter_map(|s| s.cycles).map(|n| n as f64)),
    })
}
