//! Folding courses, and asking what is due. The fold is so cheap that nothing is ever cached.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hepatica_regimen::event::Pinned;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, Scan};
use hepatica_regimen::{Course, Event, EventId, Fact, State, next};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::hint::black_box;

/// Patients.
const COURSES: u64 = 10_000;
/// Events of each.
const EVENTS: usize = 200;
/// First day.
const C1D1: Date = date(2026, 12, 2);

/// Two years on CapTemY90: counts every week, chemistry every two, doses of every cycle, toxicities
/// that come and go, scans every twelve weeks, two sessions. `patient` changes the values.
fn course(source: &Source, patient: u64) -> Vec<(EventId, Event)> {
    let mut facts: Vec<(i64, Fact)> = vec![(
        0,
        Fact::Begin {
            protocol: Pinned::from(source),
            variant: Some("g3-2024".to_owned()),
            c1d1: C1D1,
        },
    )];
    let labs = |list: &[(&str, f64)]| Fact::Labs {
        values: list.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect::<BTreeMap<_, _>>(),
    };
    facts.push((0, labs(&[("height", 170.0), ("weight", 70.0)])));
    let spread = |n: i64| ((patient as i64 * 31 + n * 17) % 40) as f64;
    for week in 0..104 {
        let count =
            labs(&[("platelets", 120.0 + spread(week)), ("anc", 2.0 + spread(week) / 20.0)]);
        facts.push((week * 7, count));
        if week % 4 == 0 {
            let chemistry = [
                ("bilirubin", 0.6 + spread(week) / 100.0),
                ("albumin", 4.0),
                ("alt", 30.0),
                ("ast", 28.0),
                ("creatinine", 0.9),
            ];
            facts.push((week * 7, labs(&chemistry)));
            for (drug, from, to) in [("capecitabine", 0, 13), ("temozolomide", 9, 13)] {
                let day = week * 7 + from;
                let until = C1D1.saturating_add(jiff::Span::new().days(week * 7 + to));
                let (drug, until) = (drug.to_owned(), Some(until));
                facts.push((day, Fact::Doses { drug, taken: true, until, mg_per_intake: None }));
            }
        }
        if week % 12 == 0 {
            let lesion = Lesion {
                id: "L1".to_owned(),
                site: "liver".to_owned(),
                node: false,
                diameter_mm: Some(50.0 - week as f64 / 10.0),
                viable_mm: None,
            };
            let reading = Scan { lesions: vec![lesion], ..Scan::default() };
            facts.push((week * 7, Fact::Scan { reading }));
        }
        if week % 16 == 1 {
            for (day, grade) in [(0, 1), (4, 0)] {
                let term = "diarrhoea".to_owned();
                let fact = Fact::Toxicity { term, grade, ctcae: 5, related: Vec::new() };
                facts.push((week * 7 + day, fact));
            }
        }
    }
    for (day, procedure) in [(34, "session-1"), (62, "session-2")] {
        let fact = Fact::Session {
            procedure: procedure.to_owned(),
            territory: None,
            activity_gbq: 1.5,
            residual_gbq: None,
            device: Some("resin".to_owned()),
        };
        facts.push((day, fact));
    }
    facts.truncate(EVENTS);
    let start: Timestamp = "2026-12-02T12:00:00Z".parse().expect("an instant");
    let event = |(n, (day, fact)): (usize, (i64, Fact))| {
        let event = Event {
            patient: format!("P{patient:05}"),
            on: C1D1.saturating_add(jiff::Span::new().days(day)),
            at: None,
            recorded: start
                + SignedDuration::from_hours(24 * day)
                + SignedDuration::from_secs(n as i64),
            by: "nurse".to_owned(),
            why: None,
            fact,
        };
        (event.id(), event)
    };
    facts.into_iter().enumerate().map(event).collect()
}

fn fold(events: &[(EventId, Event)]) -> Course<'_> {
    Course::fold(events.iter().map(|(id, e)| (id, e)), None).expect("a course")
}

fn courses(c: &mut Criterion) {
    let source = Source::named("captemy90").expect("shipped");
    // A hundred patients, each folded a hundred times: ten thousand whole courses would be a
    // gigabyte of copies of the protocol's text.
    let patients: Vec<_> = (0..100).map(|n| course(&source, n)).collect();
    assert!(patients.iter().all(|p| p.len() == EVENTS), "{}", patients[0].len());

    let mut group = c.benchmark_group("fold");
    group.sample_size(10);
    group.throughput(Throughput::Elements(COURSES));
    group.bench_function("10,000 courses of two years and 200 events", |b| {
        b.iter(|| {
            for n in 0..COURSES {
                black_box(fold(black_box(&patients[n as usize % patients.len()])));
            }
        });
    });
    group.finish();

    let mut group = c.benchmark_group("one course of two years");
    group.sample_size(30);
    let course = fold(&patients[0]);
    let today = date(2028, 12, 1);
    group.bench_function("fold", |b| b.iter(|| fold(black_box(&patients[0]))));
    group.bench_function("where it stands", |b| {
        b.iter(|| State::of(&source.protocol, black_box(&course), today, 0));
    });
    let state = State::of(&source.protocol, &course, today, 0);
    group.bench_function("what is due", |b| {
        b.iter(|| next(&source.protocol, black_box(&course), &state));
    });
    group.finish();
}

criterion_group!(benches, courses);
criterion_main!(benches);
