//! Three small courses with known answers: one goes well, one stops in cycle 1, one progresses.

use hepatica_regimen::event::{Event, Fact, Limit, Measured, Pinned, Simulation};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, NonTarget, NonTargetState, Scan};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The day the data are cut.
#[allow(dead_code)]
pub const CUTOFF: Date = jiff::civil::date(2027, 6, 30);

/// The protocol.
pub fn source() -> Source {
    Source::named("captemy90").expect("shipped")
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// Noon in UTC of a day.
pub fn noon(day: &str) -> Timestamp {
    format!("{day}T12:00:00Z").parse().expect("an instant")
}

fn values(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
    all.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

/// Makes events of a patient, each recorded at noon of its day, a second after the one before.
struct Maker {
    patient: &'static str,
    events: Vec<Event>,
}

impl Maker {
    fn new(patient: &'static str, source: &Source) -> Self {
        let mut maker = Self { patient, events: Vec::new() };
        let protocol = Pinned::from(source);
        let c1d1 = date("2026-12-02");
        maker.add("2026-11-16", Fact::Begin { protocol, variant: None, c1d1 });
        maker
    }

    fn add(&mut self, on: &str, fact: Fact) -> &mut Event {
        let later = SignedDuration::from_secs(i64::try_from(self.events.len()).expect("few"));
        self.events.push(Event {
            patient: self.patient.to_owned(),
            on: date(on),
            at: None,
            recorded: noon(on).checked_add(later).expect("in range"),
            by: "coordinator".to_owned(),
            why: None,
            fact,
        });
        self.events.last_mut().expect("just added")
    }

    fn labs(&mut self, on: &str, all: &[(&str, f64)]) -> &mut Event {
        self.add(on, Fact::Labs { values: values(all) })
    }

    fn doses(&mut self, drug: &str, from: &str, to: &str, taken: bool, mg: Option<f64>) {
        let until = Some(date(to)).filter(|d| *d != date(from));
        let drug = drug.to_owned();
        self.add(from, Fact::Doses { drug, taken, until, mg_per_intake: mg });
    }

    fn toxicity(&mut self, on: &str, term: &str, grade: u8, related: &[&str]) {
        let related = related.iter().map(|r| (*r).to_owned()).collect();
        self.add(on, Fact::Toxicity { term: term.to_owned(), grade, ctcae: 5, related });
    }

    fn enrol(&mut self, birth: &str, sex: f64, height: f64, weight: f64) {
        let all = [
            ("consent", 1.0),
            ("ecog", 1.0),
            ("height", height),
            ("ki67_percent", 8.0),
            ("sex", sex),
            ("tumour_burden_percent", 22.5),
            ("weight", weight),
            ("who_grade", 2.0),
        ];
        let (birth, variant) = (Some(date(birth)), Some("g3-2024".to_owned()));
        self.add("2026-11-20", Fact::Enrolment { birth, variant, values: values(&all) });
    }

    fn scan(&mut self, on: &str, sizes: [Option<f64>; 3], new: &[&str]) {
        let sites = [
            ("L1", "liver segment 4", false),
            ("L2", "liver segment 7", false),
            ("N1", "node", true),
        ];
        let lesions = sites.iter().zip(sizes).map(|((id, site, node), diameter_mm)| Lesion {
            id: (*id).to_owned(),
            site: (*site).to_owned(),
            node: *node,
            diameter_mm,
            viable_mm: None,
        });
        let reading = Scan {
            lesions: lesions.collect(),
            non_target: vec![NonTarget {
                site: "bone".to_owned(),
                state: NonTargetState::NonCrNonPd,
            }],
            new_lesions: new.iter().map(|s| (*s).to_owned()).collect(),
        };
        self.add(on, Fact::Scan { reading });
    }
}

/// Events of the three patients.
pub fn courses(source: &Source) -> Vec<Vec<Event>> {
    vec![well(source), stops(source), progresses(source)]
}

fn well(source: &Source) -> Vec<Event> {
    let mut m = Maker::new("P001", source);
    m.scan("2026-11-18", [Some(40.0), Some(25.5), Some(18.0)], &[]);
    m.enrol("1961-05-04", 1.0, 168.0, 70.0);
    let lln = values(&[("platelets", 150.0), ("anc", 1.9)]);
    let uln = values(&[("platelets", 400.0), ("alt", 35.0), ("bilirubin", 1.2)]);
    m.add("2026-11-20", Fact::Normal { lln, uln });
    m.labs(
        "2026-11-25",
        &[
            ("platelets", 231.0),
            ("anc", 4.1),
            ("alt", 31.0),
            ("bilirubin", 0.7),
            ("creatinine", 0.8),
            ("haemoglobin", 12.9),
            ("albumin", 4.1),
            ("inr", 1.0),
        ],
    );
    m.doses("capecitabine", "2026-12-02", "2026-12-15", true, Some(1300.0));
    m.doses("temozolomide", "2026-12-11", "2026-12-15", true, None);
    m.toxicity("2026-12-12", "nausea", 1, &["temozolomide"]);
    let measures = BTreeMap::from([
        ("lung_shunt_percent".to_owned(), Measured { value: 4.2, interval: Some([3.1, 5.6]) }),
        ("tumour_dose_gy".to_owned(), Measured { value: 168.0, interval: None }),
    ]);
    let limit = Limit { value: 30.0, source: "label; one session".to_owned() };
    let limits = BTreeMap::from([("lung_dose_session_gy".to_owned(), limit)]);
    let simulation = Simulation {
        plan_sha256: None,
        device: Some("sir-spheres".to_owned()),
        measures,
        limits,
        activity_gbq: vec![2.4, 1.1],
    };
    m.add("2026-12-16", Fact::Simulation(simulation));
    m.toxicity("2026-12-20", "nausea", 0, &[]);
    m.labs("2026-12-29", &[("platelets", 160.0), ("anc", 2.6), ("bilirubin", 0.8), ("alt", 44.0)]);
    m.doses("capecitabine", "2026-12-30", "2027-01-12", true, Some(1300.0));
    m.doses("capecitabine", "2027-01-03", "2027-01-03", false, None);
    // Typed wrongly, corrected below.
    let wrong = m.labs("2027-01-04", &[("platelets", 29.0), ("anc", 1.7)]).id();
    let session = m.add(
        "2027-01-05",
        Fact::Session {
            procedure: "session-1".to_owned(),
            territory: Some("right lobe".to_owned()),
            activity_gbq: 2.35,
            residual_gbq: Some(0.03),
            device: Some("sir-spheres".to_owned()),
        },
    );
    session.at = Some(jiff::civil::time(10, 30, 0, 0));
    let right = Fact::Labs { values: values(&[("platelets", 92.0), ("anc", 1.7)]) };
    let correction =
        m.add("2027-01-04", Fact::Correction { of: wrong, fact: Some(Box::new(right)) });
    // A spreadsheet would run it.
    correction.why = Some("=HYPERLINK(\"x\"), digits were exchanged, <29> & \"92\"".to_owned());
    correction.recorded = noon("2027-01-06");
    m.doses("temozolomide", "2027-01-08", "2027-01-12", true, None);
    m.toxicity("2027-01-09", "fatigue", 2, &["session-1", "capecitabine"]);
    m.toxicity("2027-01-16", "fatigue", 1, &["session-1"]);
    m.toxicity("2027-02-02", "fatigue", 0, &[]);
    m.labs("2027-01-26", &[("platelets", 141.0), ("anc", 2.2), ("bilirubin", 1.3), ("alt", 96.0)]);
    m.scan("2027-02-24", [Some(28.0), Some(17.0), Some(13.0)], &[]);
    m.scan("2027-05-19", [Some(24.0), Some(14.0), Some(11.0)], &[]);
    let hold = m.add("2027-05-20", Fact::Hold { drugs: vec!["temozolomide".to_owned()] });
    hold.why = Some("family visit".to_owned());
    m.add("2027-05-30", Fact::Resume { drugs: Vec::new() });
    m.events
}

fn stops(source: &Source) -> Vec<Event> {
    let mut m = Maker::new("P002", source);
    m.enrol("1955-12-02", 0.0, 181.0, 92.0);
    m.labs("2026-11-26", &[("platelets", 188.0), ("anc", 3.3), ("alt", 52.0)]);
    m.doses("capecitabine", "2026-12-02", "2026-12-09", true, None);
    m.toxicity("2026-12-10", "Diarrhoea", 3, &["capecitabine"]);
    m.add("2026-12-14", Fact::Withdrawal {}).why = Some("diarrhoea".to_owned());
    m.toxicity("2026-12-18", "diarrhea", 0, &[]);
    m.events
}

fn progresses(source: &Source) -> Vec<Event> {
    let mut m = Maker::new("P003", source);
    m.scan("2026-11-17", [Some(33.0), Some(30.0), None], &[]);
    m.enrol("1970-02-28", 0.0, 175.0, 80.0);
    m.doses("capecitabine", "2026-12-02", "2026-12-15", true, None);
    m.doses("temozolomide", "2026-12-11", "2026-12-15", true, None);
    m.doses("lanreotide", "2026-12-11", "2026-12-11", true, Some(120.0));
    m.scan("2027-02-23", [Some(34.0), Some(31.0), None], &["liver segment 2"]);
    m.add("2027-03-08", Fact::Therapy { name: "embolization, other".to_owned(), liver: true });
    m.toxicity("2027-04-10", "hepatic failure", 5, &[]);
    m.add("2027-04-10", Fact::Death {});
    m.events
}
