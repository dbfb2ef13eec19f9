//! A small course, made up: every kind of event once, in two cycles of CapTemY90 and a third begun.

use hepatica_regimen::event::{Fact, Limit, Measured, Simulation};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, Scan};
use hepatica_regimen::{Agenda, Course, Event, EventId, Protocol, State, next};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Never in a calendar.
pub const PATIENT: &str = "P001";
/// What a person might type.
pub const WHY: &str = "Mrs Example is travelling; <b>\"call\"</b>\r\nBEGIN:VEVENT";

/// A protocol that comes with the program.
pub fn source(name: &str) -> Source {
    Source::named(name).expect("shipped")
}

fn values(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
    all.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
}

/// The events of the course with their identifiers.
pub fn events(source: &Source) -> Vec<(EventId, Event)> {
    let mut all: Vec<(EventId, Event)> = Vec::new();
    let mut put = |on: &str, why: Option<&str>, fact: Fact| {
        let event = Event {
            patient: PATIENT.to_owned(),
            on: on.parse().expect("a date"),
            at: None,
            recorded: format!("{on}T15:00:00Z").parse().expect("an instant"),
            by: "Nurse Example".to_owned(),
            why: why.map(str::to_owned),
            fact,
        };
        let id = event.id();
        all.push((id.clone(), event));
        id
    };
    let date = |d: &str| d.parse::<Date>().expect("a date");
    put(
        "2026-11-20",
        None,
        Fact::Begin { protocol: source.into(), variant: None, c1d1: date("2026-12-02") },
    );
    put(
        "2026-11-20",
        None,
        Fact::Enrolment {
            birth: Some(date("1960-05-04")),
            variant: Some("g3-2024".to_owned()),
            values: values(&[
                ("consent", 1.0),
                ("lesion_largest_mm", 42.0),
                ("liver_share_percent", 90.0),
                ("tumour_burden_percent", 20.0),
                ("portal_vein_patent", 1.0),
                ("washout_days", 60.0),
                ("life_expectancy_months", 24.0),
                ("pregnancy", 0.0),
                ("active_infection", 0.0),
                ("sex", 1.0),
                ("dpyd_activity_score", 2.0),
            ]),
        },
    );
    put(
        "2026-11-20",
        None,
        Fact::Normal {
            lln: values(&[("platelets", 150.0), ("anc", 1.8)]),
            uln: values(&[("alt", 35.0), ("ast", 35.0), ("bilirubin", 1.2)]),
        },
    );
    put(
        "2026-11-24",
        None,
        Fact::Labs {
            values: values(&[
                ("platelets", 210.0),
                ("anc", 3.4),
                ("lymphocytes", 1.6),
                ("haemoglobin", 12.9),
                ("bilirubin", 0.8),
                ("albumin", 4.0),
                ("alt", 28.0),
                ("ast", 31.0),
                ("creatinine", 0.8),
                ("inr", 1.0),
                ("ecog", 1.0),
                ("height", 168.0),
                ("weight", 64.0),
            ]),
        },
    );
    let lesion = |mm: f64| Lesion {
        id: "L1".to_owned(),
        site: "liver".to_owned(),
        node: false,
        diameter_mm: Some(mm),
        viable_mm: None,
    };
    let scan = |mm: f64| Scan { lesions: vec![lesion(mm)], ..Scan::default() };
    put("2026-11-25", None, Fact::Scan { reading: scan(42.0) });
    let doses = |drug: &str, until: &str, taken: bool| Fact::Doses {
        drug: drug.to_owned(),
        taken,
        until: Some(date(until)),
        mg_per_intake: None,
    };
    put("2026-12-02", None, doses("capecitabine", "2026-12-09", true));
    put("2026-12-10", Some(WHY), Fact::Hold { drugs: vec!["capecitabine".to_owned()] });
    put("2026-12-10", Some(WHY), doses("capecitabine", "2026-12-11", false));
    put("2026-12-12", None, Fact::Resume { drugs: vec!["capecitabine".to_owned()] });
    put("2026-12-12", None, doses("capecitabine", "2026-12-15", true));
    put("2026-12-11", None, doses("temozolomide", "2026-12-15", true));
    put(
        "2026-12-16",
        None,
        Fact::Simulation(Simulation {
            plan_sha256: Some("0".repeat(64)),
            device: Some("sir-spheres".to_owned()),
            measures: [
                ("lung_shunt_percent", 4.2, [3.1, 5.6]),
                ("tumour_dose_gy", 140.0, [110.0, 170.0]),
            ]
            .map(|(id, value, i)| (id.to_owned(), Measured { value, interval: Some(i) }))
            .into(),
            limits: BTreeMap::from([(
                "lung_dose".to_owned(),
                Limit { value: 30.0, source: "label".to_owned() },
            )]),
            activity_gbq: vec![1.35],
        }),
    );
    put(
        "2026-12-18",
        None,
        Fact::Toxicity {
            term: "nausea".to_owned(),
            grade: 2,
            ctcae: 5,
            related: vec!["temozolomide".to_owned(), "dinner".to_owned()],
        },
    );
    put(
        "2026-12-21",
        None,
        Fact::Toxicity { term: "nausea".to_owned(), grade: 0, ctcae: 5, related: Vec::new() },
    );
    let wrong = put(
        "2026-12-29",
        None,
        Fact::Labs { values: values(&[("platelets", 14.2), ("anc", 2.4), ("bilirubin", 0.9)]) },
    );
    let labs = [("platelets", 142.0), ("anc", 2.4), ("bilirubin", 0.9), ("albumin", 3.9)];
    put(
        "2026-12-29",
        Some("a slip of the keyboard"),
        Fact::Correction { of: wrong, fact: Some(Box::new(Fact::Labs { values: values(&labs) })) },
    );
    put("2026-12-30", None, doses("capecitabine", "2027-01-05", true));
    put(
        "2027-01-05",
        None,
        Fact::Session {
            procedure: "session-1".to_owned(),
            territory: Some("right lobe".to_owned()),
            activity_gbq: 1.4,
            residual_gbq: Some(0.03),
            device: Some("sir-spheres".to_owned()),
        },
    );
    put("2027-01-05", None, Fact::Therapy { name: "octreotide".to_owned(), liver: false });
    all
}

/// The day the course is looked at.
pub const TODAY: &str = "2027-01-06";

/// Folds events and says where the course stands on a day.
pub fn look<'e>(
    protocol: &Protocol,
    events: &'e [(EventId, Event)],
    today: &str,
) -> (Course<'e>, State<'e>, Agenda) {
    let pairs = events.iter().map(|(id, e)| (id, e));
    let course = Course::fold(pairs, None).expect("it begins");
    let state = State::of(protocol, &course, today.parse().expect("a date"), 3);
    let agenda = next(protocol, &course, &state);
    (course, state, agenda)
}

/// A few events on the small protocol.
#[allow(dead_code)]
pub fn small_events(source: &Source) -> Vec<(EventId, Event)> {
    let facts = [
        (
            "2027-01-18",
            Fact::Begin {
                protocol: source.into(),
                variant: Some("only".to_owned()),
                c1d1: "2027-01-18".parse().expect("a date"),
            },
        ),
        (
            "2027-01-18",
            Fact::Labs {
                values: values(&[("platelets", 180.0), ("height", 168.0), ("weight", 64.0)]),
            },
        ),
        (
            "2027-01-18",
            Fact::Doses {
                drug: "capecitabine".to_owned(),
                taken: true,
                until: Some("2027-01-24".parse().expect("a date")),
                mg_per_intake: None,
            },
        ),
        (
            "2027-01-26",
            Fact::Toxicity {
                term: "diarrhea".to_owned(),
                grade: 1,
                ctcae: 5,
                related: vec!["capecitabine".to_owned()],
            },
        ),
        ("2027-01-31", Fact::Labs { values: values(&[("platelets", 120.0)]) }),
    ];
    let event = |(on, fact): (&str, Fact)| {
        let event = Event {
            patient: PATIENT.to_owned(),
            on: on.parse().expect("a date"),
            at: None,
            recorded: format!("{on}T15:00:00Z").parse().expect("an instant"),
            by: "nurse".to_owned(),
            why: None,
            fact,
        };
        (event.id(), event)
    };
    facts.into_iter().map(event).collect()
}
