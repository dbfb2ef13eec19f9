//! Courses to look at figures with: fresh, delayed, two years long, ended, without drugs, without
//! procedures. No patient had them.

use hepatica_regimen::course::plus;
use hepatica_regimen::event::{Measured, Pinned, Simulation};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, Scan};
use hepatica_regimen::{Agenda, Course, Event, EventId, Fact, Protocol, State, next};
use jiff::civil::{Date, Time, date};
use std::collections::BTreeMap;

/// Events of a patient, told in days of the calendar.
pub struct Sample {
    /// What it is called.
    pub name: &'static str,
    /// The protocol.
    pub protocol: Protocol,
    /// The day it is looked at.
    pub today: Date,
    patient: String,
    events: Vec<(EventId, Event)>,
}

impl Sample {
    /// A course that begins.
    pub fn new(
        name: &'static str,
        protocol: &str,
        variant: Option<&str>,
        c1d1: Date,
        today: Date,
    ) -> Self {
        let source = Source::named(protocol).expect("shipped");
        let begin = Fact::Begin {
            protocol: Pinned::from(&source),
            variant: variant.map(str::to_owned),
            c1d1,
        };
        let (patient, events) = ("P001".to_owned(), Vec::new());
        let mut sample = Self { name, protocol: source.protocol, today, patient, events };
        sample.add(today.min(plus(c1d1, -30)), None, begin);
        sample
    }

    /// Of another patient.
    pub fn of(mut self, patient: &str) -> Self {
        patient.clone_into(&mut self.patient);
        for (id, e) in &mut self.events {
            patient.clone_into(&mut e.patient);
            *id = e.id();
        }
        self
    }

    /// Adds a fact.
    pub fn add(&mut self, on: Date, at: Option<Time>, fact: Fact) {
        let recorded = on.at(18, 0, 0, 0).in_tz("UTC").expect("a zone").timestamp();
        let (patient, by, why) = (self.patient.clone(), "cro".to_owned(), None);
        let event = Event { patient, on, at, recorded, by, why, fact };
        self.events.push((event.id(), event));
    }

    /// Adds laboratory values.
    pub fn labs(&mut self, on: Date, values: &[(&str, f64)]) {
        self.add(on, None, Fact::Labs { values: values_of(values) });
    }

    /// Adds what is asked for on entry.
    pub fn enrol(&mut self, on: Date) {
        let values = [
            ("height", 172.0),
            ("weight", 71.0),
            ("sex", 1.0),
            ("dpyd_activity_score", 2.0),
            ("consent", 1.0),
            ("lesion_largest_mm", 42.0),
            ("liver_share_percent", 92.0),
            ("tumour_burden_percent", 18.0),
            ("portal_vein_patent", 1.0),
            ("washout_days", 60.0),
            ("life_expectancy_months", 18.0),
            ("ecog", 1.0),
            ("pregnancy", 0.0),
            ("active_infection", 0.0),
        ];
        let birth = Some(date(1966, 4, 12));
        self.add(on, None, Fact::Enrolment { birth, variant: None, values: values_of(&values) });
        self.labs(
            on,
            &[
                ("platelets", 241.0),
                ("anc", 4.2),
                ("lymphocytes", 1.7),
                ("haemoglobin", 12.9),
                ("bilirubin", 0.7),
                ("albumin", 4.1),
                ("alt", 31.0),
                ("ast", 28.0),
                ("creatinine", 0.8),
                ("inr", 1.0),
            ],
        );
    }

    /// Adds days on which a drug was taken or not.
    pub fn doses(&mut self, drug: &str, taken: bool, from: Date, days: i64) {
        let until = Some(plus(from, days - 1));
        let fact = Fact::Doses { drug: drug.to_owned(), taken, until, mg_per_intake: None };
        self.add(from, None, fact);
        let last = self.events.last_mut().expect("just added");
        last.1.recorded =
            plus(from, days - 1).at(20, 0, 0, 0).in_tz("UTC").expect("a zone").timestamp();
        last.0 = last.1.id();
    }

    /// Adds a toxicity.
    pub fn toxicity(&mut self, on: Date, term: &str, grade: u8) {
        let fact = Fact::Toxicity { term: term.to_owned(), grade, ctcae: 5, related: Vec::new() };
        self.add(on, None, fact);
    }

    /// Adds a scan of a liver lesion, another one, and a node.
    pub fn scan(&mut self, on: Date, mm: [f64; 3], new: &[&str]) {
        let lesion = |id: &str, site: &str, node, mm| Lesion {
            id: id.to_owned(),
            site: site.to_owned(),
            node,
            diameter_mm: Some(mm),
            viable_mm: None,
        };
        let lesions = vec![
            lesion("T1", "liver segment 7", false, mm[0]),
            lesion("T2", "liver segment 4", false, mm[1]),
            lesion("T3", "mesenteric node", true, mm[2]),
        ];
        let new_lesions = new.iter().map(|s| (*s).to_owned()).collect();
        let reading = Scan { lesions, non_target: Vec::new(), new_lesions };
        self.add(on, None, Fact::Scan { reading });
    }

    /// Adds a simulation that shows that radioembolization is safe.
    pub fn simulation(&mut self, on: Date) {
        let measured = |value| Measured { value, interval: None };
        let measures = [("lung_shunt", 0.04), ("further_session_needed", 1.0)];
        let measures = measures.map(|(k, v)| (k.to_owned(), measured(v))).into();
        let device = Some("resin".to_owned());
        self.add(
            on,
            None,
            Fact::Simulation(Simulation { device, measures, ..Simulation::default() }),
        );
    }

    /// Adds a session.
    pub fn session(&mut self, on: Date, hour: i8, procedure: &str, activity_gbq: f64) {
        let fact = Fact::Session {
            procedure: procedure.to_owned(),
            territory: Some("right".to_owned()),
            activity_gbq,
            residual_gbq: Some(0.03 * activity_gbq),
            device: Some("resin".to_owned()),
        };
        self.add(on, Some(Time::constant(hour, 30, 0, 0)), fact);
    }

    /// The course, where it stands, and what is due.
    pub fn look<R>(&self, see: impl FnOnce(&Protocol, &Course<'_>, &State<'_>, &Agenda) -> R) -> R {
        let events = self.events.iter().map(|(id, e)| (id, e));
        let course = Course::fold(events, None).expect("it begins");
        let state = State::of(&self.protocol, &course, self.today, 0);
        let agenda = next(&self.protocol, &course, &state);
        see(&self.protocol, &course, &state, &agenda)
    }
}

fn values_of(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    values.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

/// Nothing is recorded but the beginning.
pub fn fresh() -> Sample {
    let (c1d1, today) = (date(2026, 12, 2), date(2026, 11, 24));
    Sample::new("fresh", "captemy90", Some("g3-2024"), c1d1, today)
}

/// No variant is chosen: no dose can be told.
pub fn undecided() -> Sample {
    let (c1d1, today) = (date(2026, 12, 2), date(2026, 12, 12));
    let mut s = Sample::new("undecided", "captemy90", None, c1d1, today);
    s.enrol(date(2026, 11, 24));
    s
}

/// A hand-foot reaction, a session done, and a third cycle that had to wait for platelets.
pub fn delayed() -> Sample {
    let c1 = date(2026, 12, 2);
    let mut s = Sample::new("delayed", "captemy90", Some("g3-2024"), c1, date(2027, 3, 1));
    s.enrol(date(2026, 11, 24));
    s.scan(date(2026, 11, 18), [42.0, 25.0, 18.0], &[]);
    s.doses("capecitabine", true, c1, 14);
    s.doses("temozolomide", true, date(2026, 12, 11), 5);
    s.simulation(date(2026, 12, 16));
    s.labs(
        date(2026, 12, 29),
        &[
            ("platelets", 163.0),
            ("anc", 2.6),
            ("bilirubin", 0.8),
            ("alt", 35.0),
            ("ast", 33.0),
            ("albumin", 3.9),
            ("creatinine", 0.8),
        ],
    );
    let c2 = date(2026, 12, 30);
    s.doses("capecitabine", true, c2, 9);
    s.labs(date(2027, 1, 1), &[("platelets", 151.0), ("anc", 2.2)]);
    s.labs(
        date(2027, 1, 4),
        &[
            ("platelets", 132.0),
            ("anc", 1.9),
            ("lymphocytes", 1.2),
            ("bilirubin", 0.9),
            ("albumin", 3.8),
            ("inr", 1.0),
            ("ecog", 1.0),
        ],
    );
    s.session(date(2027, 1, 5), 10, "session-1", 2.1);
    s.toxicity(date(2027, 1, 8), "palmar-plantar erythrodysesthesia syndrome", 2);
    s.doses("capecitabine", false, date(2027, 1, 8), 5);
    s.doses("temozolomide", true, date(2027, 1, 8), 5);
    s.labs(
        date(2027, 1, 19),
        &[("bilirubin", 1.4), ("albumin", 3.6), ("alt", 88.0), ("ast", 96.0)],
    );
    s.toxicity(date(2027, 1, 20), "palmar-plantar erythrodysesthesia syndrome", 1);
    s.toxicity(date(2027, 1, 20), "fatigue", 1);
    s.labs(
        date(2027, 1, 26),
        &[
            ("platelets", 61.0),
            ("anc", 1.3),
            ("bilirubin", 1.1),
            ("alt", 60.0),
            ("ast", 58.0),
            ("albumin", 3.6),
        ],
    );
    s.labs(date(2027, 2, 3), &[("platelets", 84.0), ("anc", 1.6), ("bilirubin", 1.0)]);
    s.labs(
        date(2027, 2, 9),
        &[
            ("platelets", 118.0),
            ("anc", 2.0),
            ("bilirubin", 0.9),
            ("alt", 44.0),
            ("ast", 41.0),
            ("albumin", 3.7),
        ],
    );
    s.toxicity(date(2027, 2, 6), "fatigue", 0);
    s.toxicity(date(2027, 2, 6), "palmar-plantar erythrodysesthesia syndrome", 0);
    let c3 = date(2027, 2, 10);
    s.doses("capecitabine", true, c3, 14);
    s.doses("temozolomide", true, date(2027, 2, 19), 5);
    s.scan(date(2027, 2, 24), [33.0, 19.0, 17.0], &[]);
    s
}

/// 26 cycles over two years.
pub fn long() -> Sample {
    let c1 = date(2025, 1, 8);
    let mut s = Sample::new("long", "captemy90", Some("pilot-2018"), c1, date(2027, 1, 4));
    s.enrol(date(2024, 12, 30));
    s.scan(date(2024, 12, 27), [42.0, 25.0, 18.0], &[]);
    for k in 0..26 {
        let start = plus(c1, 28 * k);
        // Counts swing with a slow drift; no random numbers, no two runs differ.
        let swing = ((k * 7) % 5) as f64 - 2.0;
        if k > 0 {
            let bilirubin = 0.7 + 0.05 * (k % 4) as f64;
            s.labs(
                plus(start, -1),
                &[
                    ("platelets", 178.0 - 2.0 * k as f64 + 6.0 * swing),
                    ("anc", 2.8 + 0.2 * swing),
                    ("bilirubin", bilirubin),
                    ("alt", 30.0 + 3.0 * swing),
                    ("ast", 29.0 + 2.0 * swing),
                    ("albumin", 3.9),
                    ("creatinine", 0.8),
                ],
            );
            s.labs(
                plus(start, 3),
                &[("platelets", 152.0 - 2.0 * k as f64 + 5.0 * swing), ("anc", 2.2 + 0.2 * swing)],
            );
        }
        s.doses("capecitabine", true, start, 14);
        s.doses("temozolomide", true, plus(start, 9), 5);
        if k % 3 == 2 {
            let at = k as f64;
            s.scan(plus(start, 26), [42.0 - 0.9 * at, 25.0 - 0.5 * at, 18.0 - 0.2 * at], &[]);
        }
    }
    s.simulation(plus(c1, 14));
    s.labs(
        plus(c1, 33),
        &[("lymphocytes", 1.3), ("inr", 1.0), ("ecog", 1.0), ("bilirubin", 0.8), ("albumin", 3.9)],
    );
    s.session(plus(c1, 34), 11, "session-1", 1.9);
    s.session(plus(c1, 62), 11, "session-2", 0.8);
    s
}

/// Progression outside the liver.
pub fn ended() -> Sample {
    let mut s = delayed();
    s.name = "ended";
    s.today = date(2027, 7, 1);
    s.labs(
        date(2027, 3, 8),
        &[("platelets", 140.0), ("anc", 2.1), ("bilirubin", 0.8), ("alt", 40.0)],
    );
    s.doses("capecitabine", true, date(2027, 3, 10), 14);
    s.scan(date(2027, 5, 19), [30.0, 16.0, 17.0], &["bone"]);
    s
}

/// No drugs.
pub fn spheres_only() -> Sample {
    let c1 = date(2026, 12, 2);
    let mut s = Sample::new("spheres", "radioembolization", None, c1, date(2027, 1, 20));
    s.enrol(date(2026, 11, 24));
    s.scan(date(2026, 11, 18), [42.0, 25.0, 18.0], &[]);
    s.simulation(date(2026, 12, 16));
    s.labs(
        date(2027, 1, 3),
        &[("platelets", 212.0), ("bilirubin", 0.8), ("albumin", 3.9), ("inr", 1.0), ("ecog", 1.0)],
    );
    s.session(date(2027, 1, 5), 14, "session-1", 2.4);
    s
}

/// Infusions every two weeks, and no procedure.
pub fn infusions() -> Sample {
    let c1 = date(2026, 12, 2);
    let mut s = Sample::new("infusions", "mfolfox6", Some("standard"), c1, date(2027, 1, 20));
    s.enrol(date(2026, 11, 24));
    for (k, (platelets, anc)) in
        [(230.0, 4.0), (198.0, 2.9), (160.0, 1.8), (141.0, 1.6)].into_iter().enumerate()
    {
        let start = plus(c1, 14 * k as i64);
        s.labs(plus(start, -1), &[("platelets", platelets), ("anc", anc)]);
        for drug in ["oxaliplatin", "folinic-acid"] {
            s.doses(drug, true, start, 1);
        }
        s.doses("fluorouracil", true, start, 2);
    }
    s.toxicity(date(2027, 1, 10), "peripheral sensory neuropathy", 2);
    s
}

/// All of them.
pub fn all() -> Vec<Sample> {
    vec![fresh(), undecided(), delayed(), long(), ended(), spheres_only(), infusions()]
}
