//! Who is due, and what was missed. Courses say so themselves; from tables only what is reckoned
//! from the first day or from a session can be told: scans and blood tests.

use crate::data::{Due, Status, Subject, Trial};
use hepatica_exchange::tables::sdtm;
use hepatica_regimen::Protocol;
use hepatica_regimen::course::plus;
use hepatica_regimen::protocol::{Assessment, AssessmentKind, ProcedureKind, Timing};
use hepatica_regimen::response::Scope;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

/// Most times that something is repeated.
const MAX_TIMES: i64 = 400;

/// What is due and was missed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Dues {
    /// What that is from.
    pub from: String,
    /// By patient and day.
    pub items: Vec<Item>,
    /// Assessments of the protocol that cannot be told from tables.
    pub not_told: Vec<String>,
}

/// Something due or missed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Item {
    /// Who.
    pub subject: String,
    /// First day.
    #[schemars(with = "String")]
    pub earliest: Date,
    /// Last day.
    #[schemars(with = "String")]
    pub latest: Date,
    /// What.
    pub what: String,
    /// `due`, `overdue` or `missed`.
    pub status: String,
}

pub(crate) fn dues(trial: &Trial, protocol: &Protocol) -> Dues {
    let label =
        |id: &str| trial.subjects.iter().find(|s| s.id == id).map_or(id, |s| &s.label).to_owned();
    let item = |d: Due| Item {
        subject: label(&d.subject),
        earliest: d.earliest,
        latest: d.latest,
        what: d.what,
        status: d.status.to_owned(),
    };
    if let Some(due) = &trial.due {
        let mut items: Vec<Item> = due.iter().cloned().map(item).collect();
        items.sort();
        return Dues { from: "the courses".to_owned(), items, not_told: Vec::new() };
    }
    let mut items = Vec::new();
    let mut not_told = Vec::new();
    for a in &protocol.assessment {
        if a.kind == AssessmentKind::Visit || a.when.iter().any(|t| t.after.is_none()) {
            not_told.push(a.name.clone());
        }
        // Without the table nothing can be told to be missing.
        let told = match a.kind {
            AssessmentKind::Imaging => trial.tables[2] || trial.tables[3],
            AssessmentKind::Laboratory => trial.tables[5],
            AssessmentKind::Visit => false,
        };
        if !told {
            continue;
        }
        for s in trial.subjects.iter().filter(|s| s.treated) {
            for t in &a.when {
                items.extend(of(trial, protocol, a, t, s).into_iter().map(item));
            }
        }
    }
    items.sort();
    items.dedup();
    let from = format!("the assessments of the protocol {}, held against the tables", protocol.id);
    Dues { from, items, not_told }
}

fn of(trial: &Trial, protocol: &Protocol, a: &Assessment, t: &Timing, s: &Subject) -> Vec<Due> {
    let Some(reference) = t.after.as_deref().and_then(|what| anchor(protocol, what, s)) else {
        return Vec::new();
    };
    // Nothing is due after the end of treatment, progression, withdrawal or death.
    let over = [
        s.ended.filter(|_| s.status.is_some_and(|x| x != Status::Ongoing)),
        s.death,
        s.withdrawal,
        progression(s),
    ];
    let over = over.into_iter().flatten().min();
    let mut all = Vec::new();
    for k in 0..MAX_TIMES {
        // The first of what is repeated is one interval after the reference.
        let shift = t.every_days.map_or(0, |every| (k + 1) * i64::from(every));
        let day = |offset: i32| plus(reference, shift + i64::from(offset));
        let (earliest, latest) = (day(t.earliest), day(t.latest));
        if earliest > trial.cutoff || over.is_some_and(|end| end < latest) {
            break;
        }
        // What was to be done before treatment is over.
        let before = latest <= s.c1d1.unwrap_or(reference) && t.every_days.is_none();
        if !before && !done(a, s, earliest, latest) {
            let status = if latest >= trial.cutoff { "due" } else { "missed" };
            let (subject, what) = (s.id.clone(), a.name.clone());
            all.push(Due { subject, earliest, latest, what, status });
        }
        if t.every_days.is_none() {
            break;
        }
    }
    all
}

fn progression(s: &Subject) -> Option<Date> {
    let all = s.region(Scope::All)?;
    let pd = all.scans.iter().find(|(_, (r, _))| *r == hepatica_regimen::response::Response::Pd);
    pd.map(|(on, _)| *on)
}

fn anchor(protocol: &Protocol, what: &str, s: &Subject) -> Option<Date> {
    if what == "start" {
        return s.c1d1;
    }
    let sessions = protocol.procedures(ProcedureKind::Radioembolization);
    let place = sessions.map(|p| p.id.as_str()).position(|id| id == what)?;
    s.sessions.get(place).map(|x| x.on)
}

fn done(a: &Assessment, s: &Subject, earliest: Date, latest: Date) -> bool {
    let inside = |day: &Date| (earliest..=latest).contains(day);
    match a.kind {
        AssessmentKind::Imaging => {
            s.regions.values().any(|r| r.scans.keys().chain(r.sums.keys()).any(inside))
        }
        // A measure that has no test in the tables cannot be missing from them.
        AssessmentKind::Laboratory => a.measures.iter().all(|measure| {
            sdtm::test_code(measure)
                .is_none_or(|code| s.tests.get(code).is_some_and(|days| days.iter().any(inside)))
        }),
        AssessmentKind::Visit => true,
    }
}
