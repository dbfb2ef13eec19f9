//! The trial's answer: every number with its interval and the patients it is of.

use crate::data::{REGIONS, Status, Subject, Sum, Trial};
use crate::feasibility::{Feasibility, feasibility};
use crate::lesions::{DoseResponse, Plans, dose_response};
use crate::monitor::common;
use crate::response::{Responses, all_responses};
use crate::settings::{Setting, Settings};
use crate::survival::{BetweenScans, Competing, Endpoint, between_scans, competing, endpoint};
use crate::toxicity::{Toxicities, toxicities};
use crate::{AnalysisError, NOTICE};
use hepatica_regimen::Protocol;
use hepatica_regimen::course::days_between;
use hepatica_regimen::response::{Response, Scope};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

/// What a person may say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// Days after a session that are put down to it.
    pub session_days: Option<u32>,
    /// Level of intervals.
    pub level: Option<f64>,
    /// Where the protocol is from: `given`, `data`, or `assumed`.
    pub protocol_from: &'static str,
}

/// The trial's answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Analysis {
    /// `hepatica-analysis/1`.
    pub schema: String,
    /// What this may be used for.
    pub notice: String,
    /// The version of the program.
    pub software: String,
    /// The study, where the data name one.
    pub study: Option<String>,
    /// The protocol and its version.
    pub protocol: String,
    /// Where the data are from.
    pub source: String,
    /// The day the data were cut.
    #[schemars(with = "String")]
    pub cutoff: Date,
    /// What was reckoned with, and where it is from.
    pub settings: Vec<Setting>,
    /// What a reader must know of the data.
    pub notes: Vec<String>,
    /// Level of all intervals.
    pub level: f64,
    /// Criteria of response, where the data name them.
    pub criteria: Option<String>,
    /// Arms; one without a name where there is one.
    pub arms: Vec<Arm>,
    /// Times to events, hepatic progression-free survival first.
    pub endpoints: Vec<Endpoint>,
    /// What came first: progression in the liver, outside it, or death. None where the data do not
    /// tell causes.
    pub competing: Option<Vec<Competing>>,
    /// Hepatic progression-free survival with progression between two scans. None where the data do
    /// not tell between which.
    pub between_scans: Option<Vec<BetweenScans>>,
    /// Dose and response of lesions, if plans were given.
    pub dose_response: Option<DoseResponse>,
    /// Patient by patient.
    pub patients: Vec<Patient>,
    /// How it was done.
    pub methods: Vec<String>,
}

/// An arm.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Arm {
    /// Its name; none where there is one.
    pub arm: Option<String>,
    /// Who got how far, in the order of the way.
    pub populations: Vec<Population>,
    /// Feasibility.
    pub feasibility: Feasibility,
    /// Responses by region: liver, outside it, overall; empty without ADRS.
    pub response: Vec<Responses>,
    /// Toxicities.
    pub toxicity: Toxicities,
}

/// A step of the way.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Population {
    /// Which patients.
    pub name: String,
    /// How many; none where the data do not say.
    pub n: Option<u64>,
}

/// A patient, for figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Patient {
    /// Who.
    pub subject: String,
    /// Arm; none where there is one.
    pub arm: Option<String>,
    /// Whether treatment began.
    pub treated: bool,
    /// Days from day 1 of cycle 1 to the end of treatment, or to the data cut where it goes on.
    pub treated_days: Option<i64>,
    /// Days to death or the last day of which something is known.
    pub followed_days: Option<i64>,
    /// Whether treatment goes on.
    pub ongoing: bool,
    /// Days to sessions.
    pub session_days: Vec<i64>,
    /// Days to death.
    pub death_days: Option<i64>,
    /// By region: liver, outside it, overall.
    pub regions: Vec<PatientRegion>,
}

/// A region of a patient.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PatientRegion {
    /// Which.
    pub region: Scope,
    /// Best response, as in ADRS; none: never scanned.
    pub best: Option<String>,
    /// Smallest sum until progression against the baseline, %.
    pub best_change_percent: Option<f64>,
    /// Days and change of the sum from the baseline, %, until progression.
    pub changes: Vec<(i64, f64)>,
    /// Days to the first scan with a response.
    pub response_days: Option<i64>,
    /// Days to the first scan with progression.
    pub progression_days: Option<i64>,
}

/// The trial's answer.
///
/// # Errors
/// When what was wished for cannot be.
pub fn analyze(
    trial: &Trial,
    protocol: &Protocol,
    plans: Option<&Plans>,
    wishes: &Wishes,
) -> Result<Analysis, AnalysisError> {
    let mut settings = Settings::default();
    let (level, lengths) = common(
        trial,
        protocol,
        wishes.protocol_from,
        (wishes.level, wishes.session_days),
        &mut settings,
    )?;
    settings.assume(
        "who counts for response",
        "every treated patient with disease in the region; without a scan counts as no response",
        "nobody leaves the denominator by being hard to scan",
    );
    settings.assume(
        "who counts for times",
        "every patient with a row of the endpoint in ADTTE",
        "the rules of events and censoring are those the table was made with",
    );
    let arms = trial.arms();
    let mut told = Vec::new();
    for arm in &arms {
        let of = |s: &Subject| arms.len() == 1 || s.arm == *arm;
        let part = Trial {
            subjects: trial.subjects.iter().filter(|s| of(s)).cloned().collect(),
            ..trial.clone()
        };
        let everyone: Vec<&Subject> = part.subjects.iter().collect();
        let response = if trial.tables[2] { all_responses(&everyone, level)? } else { Vec::new() };
        told.push(Arm {
            arm: arm.clone().filter(|_| arms.len() > 1),
            populations: populations(&part),
            feasibility: feasibility(&part, level)?,
            response,
            toxicity: toxicities(&part, &|_| true, lengths, level)?,
        });
    }
    let first = ["HPFS", "PFS", "OS"];
    let others = trial.endpoints.keys().map(String::as_str).filter(|c| !first.contains(c));
    let mut endpoints = Vec::new();
    for code in first.into_iter().chain(others) {
        endpoints.extend(endpoint(trial, code, &arms, level)?);
    }
    let several = arms.len() > 1;
    Ok(Analysis {
        schema: "hepatica-analysis/1".to_owned(),
        notice: NOTICE.to_owned(),
        software: format!("hepatica {}", env!("CARGO_PKG_VERSION")),
        study: trial.study.clone(),
        protocol: format!("{} version {}", protocol.id, protocol.version),
        source: trial.source.clone(),
        cutoff: trial.cutoff,
        notes: trial.notes.clone(),
        level,
        criteria: trial.criteria.clone(),
        arms: told,
        competing: if trial.has.causes { competing(trial, &arms, level)? } else { None },
        between_scans: between_scans(trial, &arms)?,
        endpoints,
        dose_response: plans.map(|p| dose_response(trial, p, level)).transpose()?,
        patients: trial.subjects.iter().map(|s| patient(s, trial, several)).collect(),
        methods: methods(trial, level, several),
        settings: settings.0,
    })
}

fn populations(trial: &Trial) -> Vec<Population> {
    let count = |of: &dyn Fn(&Subject) -> bool| {
        Some(trial.subjects.iter().filter(|s| of(s)).count() as u64)
    };
    let step = |name: &str, n| Population { name: name.to_owned(), n };
    let cycles = trial.subjects.iter().any(|s| s.cycles.is_some());
    let scanned = |s: &Subject| s.regions.values().any(|r| !r.scans.is_empty());
    vec![
        step("enrolled", Some(trial.subjects.len() as u64)),
        step("treatment began", count(&|s| s.treated)),
        step("cycle 2 began", count(&|s| s.cycles.is_some_and(|n| n >= 2)).filter(|_| cycles)),
        step(
            "a session was given",
            count(&|s| !s.sessions.is_empty()).filter(|_| trial.has.sessions),
        ),
        step(
            "drugs and a session",
            count(&|s| s.drugs == Some(true) && s.radioembolized == Some(true))
                .filter(|_| trial.has.therapies),
        ),
        step("scanned after the baseline", count(&scanned).filter(|_| trial.tables[2])),
    ]
}

fn patient(s: &Subject, trial: &Trial, several: bool) -> Patient {
    let day = |on: Date| s.c1d1.map(|first| days_between(first, on));
    let ongoing = s.treated && s.status == Some(Status::Ongoing);
    let end = if ongoing { Some(trial.cutoff) } else { s.ended.or(s.last_treatment) };
    let known = s.last_alive.into_iter().chain(s.times.get("OS").and_then(|t| t.to)).max();
    let followed = s.death.or(known);
    let treated_days = end.filter(|_| s.treated).and_then(day);
    let regions = REGIONS.iter().map(|(scope, _)| {
        let Some(r) = s.region(*scope) else {
            return PatientRegion {
                region: *scope,
                best: None,
                best_change_percent: None,
                changes: Vec::new(),
                response_days: None,
                progression_days: None,
            };
        };
        let counts = |(_, sum): &(&Date, &Sum)| sum.counts && !sum.baseline;
        let best = r.sums.iter().filter(counts).map(|(_, x)| x.change_percent);
        let best = best.fold(f64::INFINITY, f64::min);
        let later = r.sums.iter().filter(counts);
        let changes = later.filter_map(|(on, x)| Some((day(*on)?, x.change_percent))).collect();
        let first = |of: &dyn Fn(Response) -> bool| {
            r.scans.iter().find(|(_, (scan, _))| of(*scan)).and_then(|(on, _)| day(*on))
        };
        PatientRegion {
            region: *scope,
            best: r.best.flatten().map(|b| b.as_str().to_owned()),
            best_change_percent: best.is_finite().then_some(best),
            changes,
            response_days: first(&crate::data::responds),
            progression_days: first(&|scan| scan == Response::Pd),
        }
    });
    Patient {
        subject: s.label.clone(),
        arm: s.arm.clone().filter(|_| several),
        treated: s.treated,
        treated_days,
        followed_days: followed.and_then(day).max(treated_days),
        ongoing,
        session_days: s.sessions.iter().filter_map(|x| day(x.on)).collect(),
        death_days: s.death.and_then(day),
        regions: regions.collect(),
    }
}

fn methods(trial: &Trial, level: f64, several: bool) -> Vec<String> {
    let percent = (100.0 * level * 100.0).round() / 100.0;
    let mut all = vec![
        format!(
            "Proportions have exact {percent} % intervals (Clopper and Pearson). Response is that of the tables ({}), best of all scans until progression.",
            trial.criteria.as_deref().unwrap_or("criteria not named")
        ),
        format!(
            "Times to events are as in ADTTE, whose rules of events and censoring are not looked into. Curves are Kaplan and Meier's with pointwise {percent} % limits on the log-log scale (Greenwood's variance); medians have the limits of Brookmeyer and Crowley on that scale. What is not reached is not extrapolated. Follow-up is the median of the curve with events and censoring exchanged."
        ),
        format!(
            "Progression in the liver, progression outside it and death are competing risks: cumulative incidence by Aalen and Johansen of what came first, with {percent} % limits on the log(-log(1 - F)) scale."
        ),
        "Progression is seen at scans and happened before them: hepatic progression-free survival is also estimated with progression between the last adequate scan without it and the scan that shows it (nonparametric maximum likelihood by Peto and Turnbull). Where the data do not say more the estimate is a range, which is no confidence interval.".to_owned(),
        "Toxicities count once a patient and term with their worst grade, in the window in which the stretch of days with that grade began. Laboratory values count where they are worse than at baseline; a grade that cannot be told counts as the lowest that it may be.".to_owned(),
    ];
    if several {
        all.push(format!(
            "Arms are compared by the log-rank test (two-sided) and, where they are two, by a Cox model with ties by Efron, whose hazard ratio has {percent} % Wald limits. No p-value is corrected for looking at several endpoints."
        ));
    } else {
        all.push("There is one arm: nothing here tells what the treatment adds to what it is made of, or whether the parts act together.".to_owned());
    }
    all
}
