//! A clinic that records what happens to one patient, and asks what is due.

#![allow(dead_code)]

use hepatica_regimen::event::{Limit, Measured, Pinned, Simulation};
use hepatica_regimen::gate::{Criterion, Gate};
use hepatica_regimen::next::{DoseAnswer, Obligation};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, Scan};
use hepatica_regimen::{Agenda, Course, Event, EventId, Fact, Protocol, State, next};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A day as it is written.
pub fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

/// What is recorded of a patient.
#[derive(Debug, Clone)]
pub struct Clinic {
    pub protocol: Protocol,
    pub events: Vec<(EventId, Event)>,
}

impl Clinic {
    /// A course on a shipped protocol, with height and weight of a patient of 1.81 m2.
    pub fn new(protocol: &str, variant: Option<&str>, c1d1: &str) -> Self {
        Self::on(&Source::named(protocol).expect("shipped"), variant, c1d1)
    }

    /// A course on a protocol that was changed.
    pub fn changed(protocol: &str, from: &str, to: &str, variant: &str, c1d1: &str) -> Self {
        let text = Source::named(protocol).expect("shipped").text;
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{protocol} has no `{from}`");
        let protocol = Protocol::parse(&changed, "p.toml").expect("a protocol");
        Self::on(&Source { protocol, text: changed }, Some(variant), c1d1)
    }

    fn on(source: &Source, variant: Option<&str>, c1d1: &str) -> Self {
        let mut clinic = Self { protocol: source.protocol.clone(), events: Vec::new() };
        let variant = variant.map(str::to_owned);
        let begin = Fact::Begin { protocol: Pinned::from(source), variant, c1d1: day(c1d1) };
        clinic.record(c1d1, begin);
        clinic.labs(c1d1, &[("height", 170.0), ("weight", 70.0), ("sex", 0.0)]);
        clinic
    }

    /// Records a fact at noon of its day, each a second after the one before.
    pub fn record(&mut self, on: &str, fact: Fact) -> EventId {
        self.because(on, None, fact)
    }

    pub fn because(&mut self, on: &str, why: Option<&str>, fact: Fact) -> EventId {
        let on = day(on);
        let noon = on.at(12, 0, 0, 0).in_tz("UTC").expect("an instant").timestamp();
        let event = Event {
            patient: "P001".to_owned(),
            on,
            at: None,
            recorded: noon + SignedDuration::from_secs(self.events.len() as i64),
            by: "coordinator".to_owned(),
            why: why.map(str::to_owned),
            fact,
        };
        let id = event.id();
        self.events.push((id.clone(), event));
        id
    }

    pub fn labs(&mut self, on: &str, values: &[(&str, f64)]) -> EventId {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        self.record(on, Fact::Labs { values })
    }

    /// Counts and bilirubin that let any cycle begin.
    pub fn good_labs(&mut self, on: &str) {
        self.labs(
            on,
            &[
                ("platelets", 180.0),
                ("anc", 3.0),
                ("lymphocytes", 1.5),
                ("bilirubin", 0.8),
                ("albumin", 4.0),
                ("inr", 1.0),
                ("ecog", 0.0),
                ("alt_uln", 0.8),
                ("ast_uln", 0.8),
                ("creatinine", 0.9),
            ],
        );
    }

    pub fn toxicity(&mut self, on: &str, term: &str, grade: u8) {
        let fact = Fact::Toxicity { term: term.to_owned(), grade, ctcae: 5, related: Vec::new() };
        self.record(on, fact);
    }

    pub fn doses(&mut self, from: &str, until: &str, drug: &str, taken: bool) {
        let (drug, until) = (drug.to_owned(), Some(day(until)));
        self.record(from, Fact::Doses { drug, taken, until, mg_per_intake: None });
    }

    /// A simulation with which radioembolization is safe.
    pub fn simulation(&mut self, on: &str, device: &str) {
        let measures = [
            ("lung_shunt_percent", 5.0),
            ("lung_activity_gbq", 0.1),
            ("lung_dose_session_gy", 4.0),
            ("lung_dose_cumulative_gy", 8.0),
            ("normal_liver_dose_gy", 30.0),
            ("extrahepatic_uncorrectable", 0.0),
            ("extrahepatic_correctable", 0.0),
            ("activity_orderable", 1.0),
            ("tumour_burden_percent", 20.0),
        ];
        let measured = |value| Measured { value, interval: None };
        let limit = |value| Limit { value, source: "device file".to_owned() };
        let simulation = Simulation {
            device: Some(device.to_owned()),
            measures: measures.iter().map(|(k, v)| ((*k).to_owned(), measured(*v))).collect(),
            limits: BTreeMap::from([
                ("lung_session_gy".to_owned(), limit(30.0)),
                ("lung_cumulative_gy".to_owned(), limit(50.0)),
                ("normal_liver_gy".to_owned(), limit(40.0)),
            ]),
            activity_gbq: vec![1.5, 1.0],
            ..Simulation::default()
        };
        self.record(on, Fact::Simulation(simulation));
        self.labs(on, &[("portal_vein_patent", 1.0), ("ascites", 0.0), ("active_infection", 0.0)]);
    }

    pub fn session(&mut self, on: &str, procedure: &str) {
        let fact = Fact::Session {
            procedure: procedure.to_owned(),
            territory: None,
            activity_gbq: 1.5,
            residual_gbq: None,
            device: None,
        };
        self.record(on, fact);
    }

    /// A scan with one target lesion of the liver.
    pub fn scan(&mut self, on: &str, diameter_mm: f64) {
        let lesion = Lesion {
            id: "L1".to_owned(),
            site: "liver".to_owned(),
            node: false,
            diameter_mm: Some(diameter_mm),
            viable_mm: None,
        };
        self.record(on, Fact::Scan { reading: Scan { lesions: vec![lesion], ..Scan::default() } });
    }

    pub fn course(&self, as_of: Option<Timestamp>) -> Course<'_> {
        Course::fold(self.events.iter().map(|(id, e)| (id, e)), as_of).expect("a course")
    }

    /// Everything of a day.
    pub fn agenda(&self, today: &str) -> Agenda {
        let course = self.course(None);
        let state = State::of(&self.protocol, &course, day(today), 0);
        next(&self.protocol, &course, &state)
    }
}

/// The obligation of that identifier.
#[track_caller]
pub fn obligation<'a>(agenda: &'a Agenda, id: &str) -> &'a Obligation {
    let all = || agenda.obligations.iter().map(|o| o.id.as_str()).collect::<Vec<_>>().join(" ");
    agenda.obligations.iter().find(|o| o.id == id).unwrap_or_else(|| panic!("{id} of {}", all()))
}

/// What is taken of a drug today.
#[track_caller]
pub fn dose<'a>(agenda: &'a Agenda, drug: &str) -> &'a DoseAnswer {
    agenda.doses.iter().find(|d| d.drug == drug).expect("a drug of the protocol")
}

/// A gate before something.
#[track_caller]
pub fn gate<'a>(agenda: &'a Agenda, before: &str, id: &str) -> &'a Gate {
    let found = agenda.gates.iter().find(|g| g.before == before && g.gate.id == id);
    &found.unwrap_or_else(|| panic!("gate {id} before {before}")).gate
}

/// A criterion of a gate.
#[track_caller]
pub fn criterion<'a>(gate: &'a Gate, id: &str) -> &'a Criterion {
    gate.criteria.iter().find(|c| c.id == id).expect("a criterion of the gate")
}
