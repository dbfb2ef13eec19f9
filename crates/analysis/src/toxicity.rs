//! Toxicities by worst grade and by when they began: what was given until then.
//!
//! A toxicity belongs to the window of the day on which a stretch with its grade began. The worst
//! grade of a patient and term counts once. Graded laboratory values count like toxicities where
//! they are worse than at baseline; where a grade cannot be told the lowest it may be counts, and
//! who may have had grade 3 or more is counted beside.

use crate::AnalysisError;
use crate::data::{Subject, Trial};
use crate::share::Share;
use hepatica_regimen::course::{days_between, plus};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// When a toxicity began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// In cycle 1, before any session.
    Cycle1,
    /// After cycle 1, before any session.
    ChemotherapyAlone,
    /// Within so many days after a session, the day itself included.
    AfterSession,
    /// Later.
    Later,
}

/// All of them, in their order.
pub const WINDOWS: [Window; 4] =
    [Window::Cycle1, Window::ChemotherapyAlone, Window::AfterSession, Window::Later];

/// How long windows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// Days of a cycle.
    pub cycle_days: i64,
    /// Days after a session that are put down to it.
    pub session_days: i64,
}

/// Toxicities of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Toxicities {
    /// Version of CTCAE; none where there are no grades.
    pub ctcae: Option<u8>,
    /// Over the whole time.
    pub all: Table,
    /// By window.
    pub windows: Vec<InWindow>,
}

/// A window.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct InWindow {
    /// Which.
    pub window: Window,
    /// For people.
    pub name: String,
    /// Its toxicities.
    pub table: Table,
}

/// Toxicities of patients.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Table {
    /// Patients who can have any.
    pub patients: u64,
    /// Any grade.
    pub any: Share,
    /// Grade 3 or more.
    pub grade_3_or_more: Share,
    /// Grade 4 or more.
    pub grade_4_or_more: Share,
    /// Who may have had grade 3 or more, by a value whose grade cannot be told.
    pub perhaps_grade_3_or_more: u64,
    /// By term, the most frequent first.
    pub terms: Vec<TermRow>,
}

/// A term.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TermRow {
    /// Its name.
    pub term: String,
    /// Of the blood.
    pub haematologic: bool,
    /// Patients by their worst grade, 1 to 5.
    pub worst_grade: [u64; 5],
    /// Any grade.
    pub any: Share,
    /// Grade 3 or more.
    pub grade_3_or_more: Share,
}

/// Something graded that counts, of a patient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Graded<'t> {
    pub term: &'t str,
    pub haematologic: bool,
    /// Lowest and highest it may be.
    pub grade: [u8; 2],
    pub on: Date,
    /// None: nobody says. A value is nobody's judgement.
    pub related: Option<bool>,
    pub cycle: Option<i64>,
}

/// What counts: toxicities that began under treatment, and values that are worse than before it.
pub(crate) fn graded(s: &Subject) -> Vec<Graded<'_>> {
    let Some(first) = s.first_treatment else { return Vec::new() };
    let events = s.toxicities.iter().filter(|t| t.emergent).map(|t| Graded {
        term: &t.term,
        haematologic: t.haematologic,
        grade: [t.grade, t.grade],
        on: t.from,
        related: t.related,
        cycle: t.cycle,
    });
    let worse =
        s.values.iter().filter(move |v| v.on > first && v.grade[1] > v.baseline.unwrap_or(0));
    let values = worse.map(|v| {
        // What it may be at least is no worsening where the baseline was that already.
        let low = if v.grade[0] > v.baseline.unwrap_or(0) { v.grade[0] } else { 0 };
        Graded {
            term: &v.term,
            haematologic: v.haematologic,
            grade: [low, v.grade[1]],
            on: v.on,
            related: None,
            cycle: v.cycle,
        }
    });
    events.chain(values).collect()
}

/// The last day of which something of a patient may be known.
pub(crate) fn observed_until(s: &Subject, cutoff: Date) -> Date {
    [s.death, s.withdrawal].into_iter().flatten().fold(cutoff, Date::min)
}

impl Window {
    /// The window of a day; none before treatment.
    pub(crate) fn of(s: &Subject, on: Date, cycle: Option<i64>, l: Lengths) -> Option<Self> {
        let first = s.first_treatment.filter(|first| on >= *first)?;
        if let Some(session) = s.sessions.iter().map(|x| x.on).rfind(|x| *x <= on) {
            let since = days_between(session, on);
            return Some(if since <= l.session_days { Self::AfterSession } else { Self::Later });
        }
        let by_days = || days_between(s.c1d1.unwrap_or(first), on).div_euclid(l.cycle_days) + 1;
        let cycle = cycle.unwrap_or_else(by_days);
        Some(if cycle <= 1 { Self::Cycle1 } else { Self::ChemotherapyAlone })
    }

    /// For people.
    #[must_use]
    pub fn name(self, l: Lengths) -> String {
        match self {
            Self::Cycle1 => "during cycle 1, before any session".to_owned(),
            Self::ChemotherapyAlone => "after cycle 1, before any session".to_owned(),
            Self::AfterSession => format!("within {} days after a session", l.session_days),
            Self::Later => format!("more than {} days after the last session", l.session_days),
        }
    }

    /// Whether a treated patient has been in it.
    fn holds(self, s: &Subject, cutoff: Date, l: Lengths) -> bool {
        let until = observed_until(s, cutoff);
        let session = s.sessions.first().map(|x| x.on);
        match self {
            Self::Cycle1 => session.is_none_or(|x| s.first_treatment.is_some_and(|f| x > f)),
            Self::ChemotherapyAlone => {
                let Some(first) = s.c1d1.or(s.first_treatment) else { return false };
                let second = plus(first, l.cycle_days);
                let begun = s.cycles.map_or(s.stopped_in_cycle_1 != Some(true), |n| n >= 2);
                begun && until >= second && session.is_none_or(|x| x > second)
            }
            Self::AfterSession => session.is_some(),
            Self::Later => {
                s.sessions.last().is_some_and(|x| days_between(x.on, until) > l.session_days)
            }
        }
    }
}

pub(crate) fn toxicities(
    trial: &Trial,
    of: &dyn Fn(&Subject) -> bool,
    lengths: Lengths,
    level: f64,
) -> Result<Toxicities, AnalysisError> {
    let treated: Vec<&Subject> = trial.subjects.iter().filter(|s| s.treated && of(s)).collect();
    let all: Vec<(&Subject, Vec<Graded<'_>>)> = treated.iter().map(|s| (*s, graded(s))).collect();
    let mut windows = Vec::new();
    for window in WINDOWS {
        let mut part = Vec::new();
        for (s, events) in &all {
            let inside: Vec<_> = events
                .iter()
                .filter(|e| Window::of(s, e.on, e.cycle, lengths) == Some(window))
                .cloned()
                .collect();
            // Who had something in it has been in it.
            if !inside.is_empty() || window.holds(s, trial.cutoff, lengths) {
                part.push((*s, inside));
            }
        }
        let name = window.name(lengths);
        windows.push(InWindow { window, name, table: table(&part, level)? });
    }
    Ok(Toxicities { ctcae: trial.ctcae.map(u8::from), all: table(&all, level)?, windows })
}

fn table(all: &[(&Subject, Vec<Graded<'_>>)], level: f64) -> Result<Table, AnalysisError> {
    let patients = all.len();
    let at_least = |grade: u8, end: usize| {
        all.iter().filter(|(_, e)| e.iter().any(|e| e.grade[end] >= grade)).count()
    };
    let share = |n: usize| Share::of(n, patients, level);
    let mut worst: BTreeMap<(&str, bool), Vec<u8>> = BTreeMap::new();
    for (_, events) in all {
        let terms: BTreeSet<(&str, bool)> =
            events.iter().map(|e| (e.term, e.haematologic)).collect();
        for key in terms {
            let same = events.iter().filter(|e| e.term == key.0);
            let grade = same.map(|e| e.grade[0]).max().unwrap_or(0);
            if grade > 0 {
                worst.entry(key).or_default().push(grade);
            }
        }
    }
    let mut terms = Vec::new();
    for ((term, haematologic), grades) in worst {
        let mut worst_grade = [0; 5];
        for g in &grades {
            worst_grade[usize::from(*g).clamp(1, 5) - 1] += 1;
        }
        let severe = grades.iter().filter(|g| **g >= 3).count();
        terms.push(TermRow {
            term: term.to_owned(),
            haematologic,
            worst_grade,
            any: share(grades.len())?,
            grade_3_or_more: share(severe)?,
        });
    }
    terms.sort_by(|a, b| {
        (b.any.count, b.grade_3_or_more.count)
            .cmp(&(a.any.count, a.grade_3_or_more.count))
            .then_with(|| a.term.cmp(&b.term))
    });
    Ok(Table {
        patients: patients as u64,
        any: share(at_least(1, 0))?,
        grade_3_or_more: share(at_least(3, 0))?,
        grade_4_or_more: share(at_least(4, 0))?,
        perhaps_grade_3_or_more: (at_least(3, 1) - at_least(3, 0)) as u64,
        terms,
    })
}
