//! What became of a patient so far: response by region, and the protocol's endpoints.

use crate::course::Course;
use crate::endpoint::{Facts, Outcome, outcome};
use crate::event::Fact;
use crate::protocol::Protocol;
use crate::response::{Assessment, Scan, Scope, Series, assess};
use crate::state::State;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Response by region and the protocol's endpoints, on a day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// All disease, the liver, and what is outside it; empty before there are two scans.
    pub responses: Vec<Assessment>,
    /// Endpoints that have begun.
    pub endpoints: Vec<Outcome>,
    /// Why an endpoint has no answer yet.
    pub open: Vec<String>,
}

/// The baseline scan, the last until the first day, and those after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scans<'e> {
    /// Day of the baseline scan.
    pub baseline_on: Date,
    /// The baseline scan.
    pub baseline: &'e Scan,
    /// Later ones.
    pub later: Vec<(Date, &'e Scan)>,
}

impl<'e> Scans<'e> {
    /// Scans until a day. Without one until the first day, the first one made is what later ones
    /// are compared with. Scans after another therapy say nothing about this one.
    #[must_use]
    pub fn of(course: &Course<'e>, until: Date) -> Option<Self> {
        let other = course.therapies.iter().map(|t| t.on).min().unwrap_or(Date::MAX);
        let counts = |(on, _): &(Date, &Scan)| *on <= until && *on <= other;
        let scans: Vec<_> = course.scans.iter().copied().filter(counts).collect();
        let place = scans.partition_point(|(on, _)| *on <= course.c1d1).saturating_sub(1);
        let (baseline_on, baseline) = *scans.get(place)?;
        Some(Self { baseline_on, baseline, later: scans[place + 1..].to_vec() })
    }

    /// What they say of a region; `None` before the second scan or without rules.
    #[must_use]
    pub fn assess(&self, start: Date, scope: Scope, protocol: &Protocol) -> Option<Assessment> {
        let rules = protocol.response.as_ref()?;
        if self.later.is_empty() {
            return None;
        }
        let (baseline_date, baseline, later) = (self.baseline_on, self.baseline, &self.later[..]);
        Some(assess(&Series { start, baseline_date, baseline, later }, scope, rules))
    }
}

/// Response and endpoints of a course as they stand.
#[must_use]
pub fn outcomes(protocol: &Protocol, course: &Course<'_>, state: &State<'_>) -> Outcomes {
    let today = state.today;
    let start = state.cycles.first().map_or(course.c1d1, |c| c.start);
    let scans = Scans::of(course, today);
    let of = |scope| scans.as_ref().and_then(|s| s.assess(start, scope, protocol));
    let [all, liver, outside] = [Scope::All, Scope::Liver, Scope::OutsideLiver].map(of);
    let until = |d: &Date| *d <= today;
    let enrolled = |e: &&crate::course::Entry<'_>| matches!(e.fact, Fact::Enrolment { .. });
    let facts = Facts {
        enrolment: course.entries.iter().find(enrolled).map(|e| e.on).filter(until),
        c1d1: Some(start).filter(until),
        first_session: course.sessions.first().map(|s| s.on).filter(until),
        all: all.as_ref(),
        liver: liver.as_ref(),
        outside_liver: outside.as_ref(),
        death: course.death.filter(until),
        other_liver_therapy: course.therapies.iter().find(|t| t.liver).map(|t| t.on).filter(until),
        new_therapy: course.therapies.iter().map(|t| t.on).min().filter(until),
        withdrawal: course.withdrawal.filter(until),
        data_until: today,
    };
    let (mut endpoints, mut open) = (Vec::new(), Vec::new());
    for endpoint in &protocol.endpoint {
        match outcome(endpoint, &facts) {
            Ok(o) => endpoints.push(o),
            Err(why) => open.push(why.to_string()),
        }
    }
    let responses = [all, liver, outside].into_iter().flatten().collect();
    Outcomes { responses, endpoints, open }
}
