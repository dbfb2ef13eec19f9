//! Patients by month and centre, against the plan.

use crate::data::Trial;
use crate::settings::{MONTH_DAYS, Settings};
use hepatica_regimen::course::{days_between, plus};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most months that are listed.
const MAX_MONTHS: usize = 1200;

/// How many patients were to be enrolled by when.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Plan {
    /// Patients.
    pub patients: Option<u32>,
    /// In so many months, evenly.
    pub months: Option<f64>,
    /// From this day on.
    pub start: Option<Date>,
}

/// Enrolment so far.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Accrual {
    /// Patients.
    pub enrolled: u64,
    /// Of them without a day of enrolment.
    pub without_day: u64,
    /// First day.
    #[schemars(with = "Option<String>")]
    pub first: Option<Date>,
    /// Last day.
    #[schemars(with = "Option<String>")]
    pub last: Option<Date>,
    /// Patients a month from the first enrolment to the data cut.
    pub per_month: Option<f64>,
    /// By month, those without a patient too.
    pub months: Vec<Month>,
    /// By centre, the largest first.
    pub centres: Vec<Centre>,
    /// Against the plan, if there is one.
    pub plan: Option<Against>,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Month {
    /// `2026-11`.
    pub month: String,
    /// Patients of it.
    pub enrolled: u64,
    /// Patients until its end.
    pub total: u64,
    /// Patients planned until its end, or until the data cut.
    pub planned: Option<f64>,
}

/// A centre.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Centre {
    /// Its name; none: nobody said.
    pub centre: Option<String>,
    /// Patients.
    pub enrolled: u64,
    /// Day of the last enrolment.
    #[schemars(with = "Option<String>")]
    pub last: Option<Date>,
}

/// Against the plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Against {
    /// Patients planned in all.
    pub patients: u32,
    /// Patients planned until the data cut.
    pub planned_until_cut: f64,
    /// Patients enrolled above (or below) that.
    pub difference: f64,
    /// The day on which the last patient would be enrolled if it went on like this; none where
    /// nobody is or all are.
    #[schemars(with = "Option<String>")]
    pub last_patient_at_this_rate: Option<Date>,
}

/// Patients by month and centre.
pub(crate) fn accrual(trial: &Trial, plan: Plan, settings: &mut Settings) -> Accrual {
    let days: Vec<Date> = trial.subjects.iter().filter_map(|s| s.enrolled).collect();
    let (first, last) = (days.iter().min().copied(), days.iter().max().copied());
    let planned = match (plan.patients, plan.months) {
        (Some(patients), Some(months)) => {
            let from = "the first enrolment";
            let start = match (plan.start, first) {
                (Some(start), _) => {
                    settings.note("accrual planned from", start, "given");
                    Some(start)
                }
                (None, Some(first)) => {
                    settings.assume("accrual planned from", &first.to_string(), from);
                    Some(first)
                }
                (None, None) => None,
            };
            start.map(|start| (f64::from(patients), months, start))
        }
        _ => None,
    };
    let by = |day: Date| {
        planned.map(|(patients, months, start)| {
            let gone = (days_between(start, day) + 1) as f64 / MONTH_DAYS;
            patients * (gone / months).clamp(0.0, 1.0)
        })
    };
    let mut months = Vec::new();
    if let Some(first) = first {
        let mut day = first.first_of_month();
        while day <= trial.cutoff && months.len() < MAX_MONTHS {
            let next = plus(day.last_of_month(), 1);
            let within = days.iter().filter(|d| **d >= day && **d < next).count();
            let total = days.iter().filter(|d| **d < next).count();
            months.push(Month {
                month: format!("{:04}-{:02}", day.year(), day.month()),
                enrolled: within as u64,
                total: total as u64,
                planned: by(plus(next, -1).min(trial.cutoff)),
            });
            day = next;
        }
    }
    let mut centres: BTreeMap<Option<&str>, (u64, Option<Date>)> = BTreeMap::new();
    for s in &trial.subjects {
        let c = centres.entry(s.site.as_deref()).or_default();
        c.0 += 1;
        c.1 = c.1.max(s.enrolled);
    }
    let mut centres: Vec<_> = centres
        .into_iter()
        .map(|(centre, (enrolled, last))| Centre {
            centre: centre.map(str::to_owned),
            enrolled,
            last,
        })
        .collect();
    centres.sort_by(|a, b| b.enrolled.cmp(&a.enrolled).then_with(|| a.centre.cmp(&b.centre)));
    let gone = first.map(|f| (days_between(f, trial.cutoff) + 1) as f64 / MONTH_DAYS);
    let per_month = gone.filter(|m| *m > 0.0).map(|m| days.len() as f64 / m);
    let against = planned.zip(by(trial.cutoff)).map(|((patients, ..), now)| {
        let left = patients - days.len() as f64;
        let at = per_month.filter(|r| *r > 0.0 && left > 0.0).map(|r| left / r * MONTH_DAYS);
        Against {
            patients: patients as u32,
            planned_until_cut: now,
            difference: days.len() as f64 - now,
            last_patient_at_this_rate: at
                .filter(|d| *d < 40_000.0)
                .map(|d| plus(trial.cutoff, d.ceil() as i64)),
        }
    });
    Accrual {
        enrolled: trial.subjects.len() as u64,
        without_day: (trial.subjects.len() - days.len()) as u64,
        first,
        last,
        per_month,
        months,
        centres,
        plan: against,
    }
}
