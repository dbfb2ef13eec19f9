//! Endpoints as protocol data: from when, until what, and when a patient is censored.
//!
//! Hepatic progression-free survival, the primary endpoint of the trial that the program was
//! written for, is one of them: progression in the liver or death from C1D1 on, extrahepatic
//! progression noted and not an event, censored at the last adequate scan before another therapy
//! of the liver. Which rules hold is in the protocol file; none is written here.

use crate::response::{Assessment, Scope};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// From when time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// First day of the first cycle.
    C1d1,
    /// Enrolment.
    Enrolment,
    /// The first session of radioembolization.
    FirstSession,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C1d1 => "the first day of cycle 1",
            Self::Enrolment => "enrolment",
            Self::FirstSession => "the first session",
        })
    }
}

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Progression in the liver.
    LiverProgression,
    /// Progression anywhere.
    Progression,
    /// Progression outside the liver.
    ExtrahepaticProgression,
    /// Death of any cause.
    Death,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiverProgression => "progression in the liver",
            Self::Progression => "progression",
            Self::ExtrahepaticProgression => "progression outside the liver",
            Self::Death => "death",
        })
    }
}

/// What ends the observation without an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Censoring {
    /// Another therapy of the liver.
    OtherLiverTherapy,
    /// Any other therapy of the tumour, of the liver or not.
    NewTherapy,
    /// Consent was withdrawn.
    Withdrawal,
    /// The event came too long after the last adequate scan.
    MissedScans,
}

impl fmt::Display for Censoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherLiverTherapy => "another therapy of the liver",
            Self::NewTherapy => "another therapy",
            Self::Withdrawal => "withdrawal",
            Self::MissedScans => "missed scans",
        })
    }
}

/// An endpoint of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Short identifier: `hepatic-pfs`.
    pub id: String,
    /// For people.
    pub name: String,
    /// From when time is counted.
    pub start: Start,
    /// What ends it; the first counts.
    pub events: Vec<EventKind>,
    /// What is noted but no event. Death among them ends the observation, because nothing follows.
    #[serde(default)]
    pub competing: Vec<EventKind>,
    /// What censors.
    #[serde(default)]
    pub censor: Vec<Censoring>,
    /// With `missed-scans`: an event more than so many days after the last adequate scan does not
    /// count, days. Two scans missed at intervals of 84 days are 168.
    pub missed_scans_days: Option<u32>,
    /// Whose scans must be adequate.
    pub scope: Scope,
    /// Where it is from.
    pub source: String,
}

impl Endpoint {
    /// What is wrong with the rules, for the protocol's check; empty when they are sound.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let id = &self.id;
        if self.events.is_empty() {
            problems.push(format!("endpoint {id}: events = [], expected at least one"));
        }
        let missed = self.censor.contains(&Censoring::MissedScans);
        match self.missed_scans_days {
            None if missed => problems.push(format!(
                "endpoint {id}: censor has missed-scans, expected missed_scans_days beside it"
            )),
            Some(days) if !missed => problems.push(format!(
                "endpoint {id}: missed_scans_days = {days}, expected missed-scans in censor"
            )),
            Some(0) => problems.push(format!(
                "endpoint {id}: missed_scans_days = 0, expected the days of the scans missed"
            )),
            _ => {}
        }
        for kind in &self.competing {
            if self.events.contains(kind) {
                problems.push(format!("endpoint {id}: {kind} is an event and competing"));
            }
        }
        let seen_by = |kind: &EventKind| match kind {
            EventKind::LiverProgression => self.scope != Scope::OutsideLiver,
            EventKind::ExtrahepaticProgression => self.scope != Scope::Liver,
            EventKind::Progression => self.scope == Scope::All,
            EventKind::Death => true,
        };
        for kind in self.events.iter().filter(|kind| !seen_by(kind)) {
            problems.push(format!("endpoint {id}: {kind} is not seen in the scans of its scope"));
        }
        problems
    }

    /// Whether scans decide, so that a patient is censored at one.
    fn is_scanned(&self) -> bool {
        self.events.iter().any(|kind| *kind != EventKind::Death)
    }
}

/// What is known of a patient.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Day of enrolment.
    pub enrolment: Option<Date>,
    /// First day of cycle 1.
    pub c1d1: Option<Date>,
    /// Day of the first session.
    pub first_session: Option<Date>,
    /// All disease, assessed.
    pub all: Option<&'a Assessment>,
    /// The liver, assessed.
    pub liver: Option<&'a Assessment>,
    /// All but the liver, assessed.
    pub outside_liver: Option<&'a Assessment>,
    /// Day of death.
    pub death: Option<Date>,
    /// First day of another therapy of the liver.
    pub other_liver_therapy: Option<Date>,
    /// First day of another therapy of the tumour.
    pub new_therapy: Option<Date>,
    /// Day of withdrawal of consent.
    pub withdrawal: Option<Date>,
    /// Last day of which anything is known; later facts are not looked at.
    pub data_until: Date,
}

impl<'a> Facts<'a> {
    /// Nothing but the day until which something is known.
    #[must_use]
    pub const fn until(data_until: Date) -> Self {
        Self {
            enrolment: None,
            c1d1: None,
            first_session: None,
            all: None,
            liver: None,
            outside_liver: None,
            death: None,
            other_liver_therapy: None,
            new_therapy: None,
            withdrawal: None,
            data_until,
        }
    }

    fn assessed(&self, scope: Scope) -> Option<&'a Assessment> {
        match scope {
            Scope::All => self.all,
            Scope::Liver => self.liver,
            Scope::OutsideLiver => self.outside_liver,
        }
    }

    fn day_of(&self, kind: EventKind) -> Option<Date> {
        let progression = |scope| self.assessed(scope)?.progression_date;
        let day = match kind {
            EventKind::LiverProgression => progression(Scope::Liver),
            EventKind::Progression => progression(Scope::All),
            EventKind::ExtrahepaticProgression => progression(Scope::OutsideLiver),
            EventKind::Death => self.death,
        };
        day.filter(|day| *day <= self.data_until)
    }

    fn day_of_censoring(&self, kind: Censoring) -> Option<Date> {
        let day = match kind {
            Censoring::OtherLiverTherapy => self.other_liver_therapy,
            Censoring::NewTherapy => {
                [self.new_therapy, self.other_liver_therapy].into_iter().flatten().min()
            }
            Censoring::Withdrawal => self.withdrawal,
            Censoring::MissedScans => None,
        };
        day.filter(|day| *day <= self.data_until)
    }
}

/// How the time ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// With an event.
    Event,
    /// Without one, as far as is known.
    Censored,
    /// With a death that is no event here, after which none can come.
    Competing,
}

/// Something that is noted and no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Competing {
    /// What.
    pub what: EventKind,
    /// When.
    #[schemars(with = "String")]
    pub date: Date,
    /// Days from the start.
    pub days: i32,
}

/// The answer for a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The endpoint's identifier.
    pub endpoint: String,
    /// Day from which time is counted.
    #[schemars(with = "String")]
    pub from: Date,
    /// Day of the event or of the censoring.
    #[schemars(with = "String")]
    pub to: Date,
    /// Days between them: 0 on the day of the start.
    pub days: i32,
    /// How it ended.
    pub kind: OutcomeKind,
    /// Why, in words.
    pub because: String,
    /// What is noted and no event, up to `to`.
    pub competing: Vec<Competing>,
}

/// Why there is no answer yet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoOutcome {
    /// Time has not begun.
    #[error("{endpoint}: {start} has no day yet")]
    NotStarted {
        /// The endpoint.
        endpoint: String,
        /// From when time is counted.
        start: Start,
    },
    /// It ended before it began.
    #[error("{endpoint}: {what} on {date} is before the start on {from}; check both days")]
    BeforeStart {
        /// The endpoint.
        endpoint: String,
        /// What came before.
        what: String,
        /// When.
        date: Date,
        /// The start.
        from: Date,
    },
}

/// Time to the endpoint of a patient. Of an event and a censoring on one day the event counts,
/// because the scan or the death was known before what followed.
///
/// # Errors
/// When time has not begun, or ended before it began.
pub fn outcome(endpoint: &Endpoint, facts: &Facts<'_>) -> Result<Outcome, NoOutcome> {
    let start = match endpoint.start {
        Start::C1d1 => facts.c1d1,
        Start::Enrolment => facts.enrolment,
        Start::FirstSession => facts.first_session,
    };
    let Some(from) = start.filter(|from| *from <= facts.data_until) else {
        return Err(NoOutcome::NotStarted { endpoint: endpoint.id.clone(), start: endpoint.start });
    };
    let before = |what: String, date: Date| {
        if date >= from {
            return Ok(());
        }
        Err(NoOutcome::BeforeStart { endpoint: endpoint.id.clone(), what, date, from })
    };

    let first = |kinds: &[EventKind]| {
        kinds.iter().filter_map(|kind| Some((facts.day_of(*kind)?, *kind))).min_by_key(|e| e.0)
    };
    let event = first(&endpoint.events);
    if let Some((date, what)) = event {
        before(what.to_string(), date)?;
    }
    let censoring = endpoint
        .censor
        .iter()
        .filter_map(|kind| Some((facts.day_of_censoring(*kind)?, *kind)))
        .min_by_key(|c| c.0);
    if let Some((date, what)) = censoring {
        before(what.to_string(), date)?;
    }
    // Death that is no event ends the observation.
    let death = facts
        .death
        .filter(|day| *day <= facts.data_until && endpoint.competing.contains(&EventKind::Death));
    if let Some(date) = death {
        before(EventKind::Death.to_string(), date)?;
    }

    // The last scan that says something, on or before a day (before it, for an event).
    let adequate = |fits: &dyn Fn(Date) -> bool| {
        let points = facts.assessed(endpoint.scope).map_or(&[][..], |a| &a.points);
        let dates = points.iter().filter(|p| p.is_adequate()).map(|p| p.date);
        dates.filter(|date| *date >= from && *date <= facts.data_until && fits(*date)).max()
    };
    let at_last_scan = |day: Date, why: String| {
        if !endpoint.is_scanned() {
            return (day, OutcomeKind::Censored, why);
        }
        match adequate(&|date| date <= day) {
            Some(scan) => {
                (scan, OutcomeKind::Censored, format!("{why}; last adequate scan on {scan}"))
            }
            None => {
                (from, OutcomeKind::Censored, format!("{why}; no adequate scan since the start"))
            }
        }
    };

    let ended = [event.map(|e| e.0), death].into_iter().flatten().min();
    let (to, kind, because) = match (ended, censoring) {
        (ended, Some((day, what))) if ended.is_none_or(|ended| day < ended) => {
            at_last_scan(day, format!("{what} on {day}"))
        }
        (Some(day), _) => {
            let last = adequate(&|date| date < day).unwrap_or(from);
            let gap = days(last, day);
            let (kind, what) = match event {
                Some((date, what)) if date == day => (OutcomeKind::Event, what),
                _ => (OutcomeKind::Competing, EventKind::Death),
            };
            let most = endpoint
                .missed_scans_days
                .filter(|_| endpoint.censor.contains(&Censoring::MissedScans));
            match most {
                Some(most) if i64::from(gap) > i64::from(most) => (
                    last,
                    OutcomeKind::Censored,
                    format!(
                        "{what} on {day} came {gap} days after the last adequate scan or the start ({last}), more than {most}"
                    ),
                ),
                _ => (day, kind, format!("{what} on {day}")),
            }
        }
        (None, _) => at_last_scan(facts.data_until, format!("no event until {}", facts.data_until)),
    };
    let mut competing: Vec<Competing> = endpoint
        .competing
        .iter()
        .filter_map(|what| {
            let date = facts.day_of(*what).filter(|date| from <= *date && *date <= to)?;
            Some(Competing { what: *what, date, days: days(from, date) })
        })
        .collect();
    competing.sort_by_key(|c| c.date);
    Ok(Outcome {
        endpoint: endpoint.id.clone(),
        from,
        to,
        days: days(from, to),
        kind,
        because,
        competing,
    })
}

fn days(from: Date, to: Date) -> i32 {
    // Civil days; both are within the calendar, so this cannot fail.
    from.until(to).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::{Criteria, ResponseRules, Scan, Series, assess};
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    const C1D1: Date = date(2026, 12, 2);

    fn on(day: i64) -> Date {
        C1D1 + day.days()
    }

    const HEPATIC_PFS: &str = r#"
id = "hepatic-pfs"
name = "Hepatic progression-free survival"
start = "c1d1"
events = ["liver-progression", "death"]
competing = ["extrahepatic-progression"]
censor = ["other-liver-therapy", "withdrawal", "missed-scans"]
missed_scans_days = 182
scope = "liver"
source = "test"
"#;

    fn hepatic_pfs() -> Endpoint {
        crate::strict::parse(HEPATIC_PFS, "p.toml").expect("sound")
    }

    /// Scans on days, with a new lesion at a site or none.
    fn assessed(scans: &[(i64, &str)], scope: Scope) -> Assessment {
        let with = |site: &str| Scan {
            lesions: vec![crate::response::Lesion {
                id: "a".into(),
                site: "liver".into(),
                node: false,
                diameter_mm: Some(50.0).filter(|_| site != "blurred"),
                viable_mm: None,
            }],
            non_target: Vec::new(),
            new_lesions: if matches!(site, "" | "blurred") { vec![] } else { vec![site.into()] },
        };
        let base = with("");
        let scans: Vec<(Date, Scan)> = scans.iter().map(|(d, s)| (on(*d), with(s))).collect();
        let later: Vec<_> = scans.iter().map(|(d, s)| (*d, s)).collect();
        let series = Series { start: C1D1, baseline_date: on(-7), baseline: &base, later: &later };
        assess(&series, scope, &ResponseRules::standard(Criteria::Recist11))
    }

    fn run(scans: &[(i64, &str)], change: impl FnOnce(&mut Facts<'_>)) -> Outcome {
        run_of(&hepatic_pfs(), scans, change)
    }

    fn run_of(
        endpoint: &Endpoint,
        scans: &[(i64, &str)],
        change: impl FnOnce(&mut Facts<'_>),
    ) -> Outcome {
        let [all, liver, outside] =
            [Scope::All, Scope::Liver, Scope::OutsideLiver].map(|scope| assessed(scans, scope));
        let mut facts = Facts {
            c1d1: Some(C1D1),
            first_session: Some(on(34)),
            all: Some(&all),
            liver: Some(&liver),
            outside_liver: Some(&outside),
            ..Facts::until(on(1000))
        };
        change(&mut facts);
        outcome(endpoint, &facts).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn progression_in_the_liver_is_the_event() {
        let o = run(&[(84, ""), (168, "liver"), (252, "liver")], |_| {});
        assert_eq!((o.days, o.kind), (168, OutcomeKind::Event));
        assert_eq!(o.because, "progression in the liver on 2027-05-19");
        let mut from_session = hepatic_pfs();
        from_session.start = Start::FirstSession;
        // 34 days: C2D7 is study day 35.
        assert_eq!(run_of(&from_session, &[(84, ""), (168, "liver")], |_| {}).days, 134);
    }

    #[test]
    fn progression_outside_the_liver_is_noted_and_no_event() {
        let o = run(&[(84, ""), (168, "bone"), (252, "")], |_| {});
        assert_eq!((o.days, o.kind), (252, OutcomeKind::Censored));
        assert_eq!(o.competing.len(), 1);
        assert_eq!(
            (o.competing[0].days, o.competing[0].what),
            (168, EventKind::ExtrahepaticProgression)
        );
    }

    #[test]
    fn censored_at_the_last_adequate_scan() {
        let o = run(&[(84, ""), (168, "blurred")], |_| {});
        assert_eq!((o.days, o.kind), (84, OutcomeKind::Censored));
        let o =
            run(&[(84, ""), (168, ""), (252, "liver")], |f| f.other_liver_therapy = Some(on(200)));
        assert_eq!((o.days, o.kind), (168, OutcomeKind::Censored));
        assert_eq!(
            o.because,
            "another therapy of the liver on 2027-06-20; last adequate scan on 2027-05-19"
        );
        let o = run(&[], |_| {});
        assert_eq!((o.days, o.kind), (0, OutcomeKind::Censored));
        // On one day the event counts.
        let o = run(&[(84, "liver")], |f| f.other_liver_therapy = Some(on(84)));
        assert_eq!((o.days, o.kind), (84, OutcomeKind::Event));
    }

    #[test]
    fn an_event_after_missed_scans_does_not_count() {
        let o = run(&[(84, "")], |f| f.death = Some(on(84 + 182)));
        assert_eq!((o.days, o.kind), (266, OutcomeKind::Event));
        let o = run(&[(84, "")], |f| f.death = Some(on(84 + 183)));
        assert_eq!((o.days, o.kind), (84, OutcomeKind::Censored));
        assert!(o.because.contains("183 days after the last adequate scan"), "{}", o.because);
    }

    #[test]
    fn survival_is_censored_when_the_patient_was_last_known_alive() {
        let mut os = hepatic_pfs();
        (os.events, os.competing, os.censor) = (vec![EventKind::Death], vec![], vec![]);
        (os.missed_scans_days, os.scope) = (None, Scope::All);
        assert!(os.problems().is_empty());
        let o = run_of(&os, &[(84, "")], |_| {});
        assert_eq!((o.days, o.kind), (1000, OutcomeKind::Censored));
        assert_eq!(run_of(&os, &[], |f| f.death = Some(on(700))).kind, OutcomeKind::Event);
        assert_eq!(run_of(&os, &[], |f| f.death = Some(on(1200))).kind, OutcomeKind::Censored);
    }

    #[test]
    fn death_competes_where_it_is_no_event() {
        let mut time_to = hepatic_pfs();
        time_to.events = vec![EventKind::LiverProgression];
        time_to.competing.push(EventKind::Death);
        let o = run_of(&time_to, &[(84, "")], |f| f.death = Some(on(100)));
        assert_eq!((o.days, o.kind), (100, OutcomeKind::Competing));
    }

    #[test]
    fn no_answer_before_the_start() {
        let endpoint = hepatic_pfs();
        let mut facts = Facts::until(on(10));
        assert!(matches!(outcome(&endpoint, &facts), Err(NoOutcome::NotStarted { .. })));
        facts.c1d1 = Some(C1D1);
        facts.death = Some(on(-3));
        let error = outcome(&endpoint, &facts).unwrap_err().to_string();
        assert_eq!(
            error,
            "hepatic-pfs: death on 2026-11-29 is before the start on 2026-12-02; check both days"
        );
    }

    #[test]
    fn rules_are_checked() {
        assert!(hepatic_pfs().problems().is_empty());
        let mut e = hepatic_pfs();
        e.events.push(EventKind::ExtrahepaticProgression);
        e.missed_scans_days = None;
        assert_eq!(e.problems().len(), 3, "{:?}", e.problems());
        assert!(crate::strict::parse::<Endpoint>(&format!("{HEPATIC_PFS}begin = 1"), "p").is_err());
    }

    proptest! {
        /// Time is never negative, nothing ends after what is known, and an event once known stays.
        #[test]
        fn outcomes_are_lawful(
            scans in proptest::collection::vec((1_i64..700, 0_usize..4), 0..6),
            death in proptest::option::of(0_i64..900),
            therapy in proptest::option::of(0_i64..900),
            until in 0_i64..900,
        ) {
            let sites = ["", "blurred", "liver", "bone"];
            let scans: Vec<_> = scans.into_iter().map(|(day, n)| (day, sites[n])).collect();
            let set = |until: i64| move |f: &mut Facts<'_>| {
                f.death = death.map(on);
                f.other_liver_therapy = therapy.map(on);
                f.data_until = on(until);
            };
            let now = run(&scans, set(until));
            prop_assert!(now.days >= 0 && now.to <= on(until));
            let later = run(&scans, set(1000));
            prop_assert!(now.kind != OutcomeKind::Event || now == later);
            prop_assert!(later.days >= now.days || later.because.contains("came"));
        }
    }
}
