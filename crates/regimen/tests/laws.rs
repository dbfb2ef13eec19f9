//! Laws that hold for every course, of random facts on every shipped protocol.

mod clinic;

use hepatica_regimen::event::{Limit, Measured, Pinned, Simulation};
use hepatica_regimen::gate::Status as GateStatus;
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, Scan};
use hepatica_regimen::{Agenda, Course, Event, EventId, Fact, Log, Protocol, State, next};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static SOURCES: LazyLock<Vec<Source>> =
    LazyLock::new(|| Protocol::shipped().map(|n| Source::named(n).expect("shipped")).collect());

const C1D1: Date = date(2026, 12, 2);

type Events = Vec<(EventId, Event)>;

fn fold(events: &Events) -> Course<'_> {
    fold_as_of(events, None)
}

fn fold_as_of(events: &Events, as_of: Option<Timestamp>) -> Course<'_> {
    Course::fold(events.iter().map(|(id, e)| (id, e)), as_of).expect("a course")
}

fn agenda(protocol: &Protocol, course: &Course<'_>, today: Date) -> Agenda {
    next(protocol, course, &State::of(protocol, course, today, 0))
}

fn after(day: Date, days: i32) -> Date {
    hepatica_regimen::course::plus(day, i64::from(days))
}

/// Random days: most within two years of the start, some anywhere in the calendar.
fn day() -> impl Strategy<Value = Date> {
    prop_oneof![
        20 => (-40..700_i32).prop_map(|n| after(C1D1, n)),
        1 => prop_oneof![Just(date(1, 1, 1)), Just(date(9999, 12, 31)), Just(Date::MIN)],
    ]
}

/// A day of the first half year: where things happen close together.
fn near_day() -> impl Strategy<Value = Date> {
    (-30..180_i32).prop_map(|n| after(C1D1, n))
}

fn values() -> impl Strategy<Value = BTreeMap<String, f64>> {
    let measure = prop_oneof![
        4 => (Just("platelets"), prop_oneof![Just(92.0), Just(45.0), Just(180.0), 0.0..400.0]),
        4 => (Just("anc"), prop_oneof![Just(0.8), Just(2.0), 0.0..9.0]),
        2 => (Just("bilirubin"), prop_oneof![Just(0.8), 0.0..5.0]),
        1 => (
            prop_oneof![
                Just("albumin"), Just("inr"), Just("ecog"), Just("alt"), Just("alt_uln"),
                Just("creatinine"), Just("weight"), Just("height"), Just("sex"), Just("age"),
                Just("further_session_needed"), Just("portal_vein_patent"), Just("ascites"),
                Just("dpyd_activity_score"), Just("no such measure"),
            ],
            prop_oneof![Just(0.0), Just(1.0), Just(70.0), Just(170.0), -1e300..1e300],
        ),
    ];
    prop::collection::btree_map(measure.clone().prop_map(|m| m.0.to_owned()), Just(0.0), 0..4)
        .prop_flat_map(move |_| prop::collection::vec(measure.clone(), 1..4))
        .prop_map(|list| list.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn drug() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("capecitabine"), 4 => Just("temozolomide"), 2 => Just("oxaliplatin"),
        1 => Just("no such drug"),
    ]
    .prop_map(str::to_owned)
}

fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("diarrhoea"),
        Just("Diarrhea"),
        Just("hand-foot syndrome"),
        Just("thrombocytopenia"),
        Just("ascites"),
        Just("peripheral sensory neuropathy"),
        Just("no such term"),
    ]
    .prop_map(str::to_owned)
}

fn scan() -> impl Strategy<Value = Scan> {
    (prop::option::of(0.0..120.0_f64), any::<bool>()).prop_map(|(diameter_mm, new)| Scan {
        lesions: vec![Lesion {
            id: "L1".to_owned(),
            site: "liver".to_owned(),
            node: false,
            diameter_mm,
            viable_mm: None,
        }],
        new_lesions: if new { vec!["liver".to_owned()] } else { Vec::new() },
        ..Scan::default()
    })
}

/// Facts that say what is true of a day.
fn fact() -> impl Strategy<Value = Fact> {
    let procedure = prop_oneof![Just("session-1"), Just("session-2"), Just("no such procedure")];
    let device = prop::option::of(prop_oneof![Just("resin".to_owned()), Just("glass".to_owned())]);
    prop_oneof![
        12 => values().prop_map(|values| Fact::Labs { values }),
        6 => (drug(), any::<bool>(), prop::option::of(day())).prop_map(|(drug, taken, until)| {
            Fact::Doses { drug, taken, until, mg_per_intake: None }
        }),
        6 => (term(), 0..7_u8).prop_map(|(term, grade)| {
            Fact::Toxicity { term, grade, ctcae: 5, related: Vec::new() }
        }),
        2 => (device.clone(), 0.0..40.0_f64).prop_map(|(device, value)| {
            let measured = Measured { value, interval: Some([value - 1.0, value + 1.0]) };
            let limit = Limit { value: 30.0, source: "device".to_owned() };
            Fact::Simulation(Simulation {
                device,
                measures: BTreeMap::from([("lung_shunt_percent".to_owned(), measured)]),
                limits: BTreeMap::from([("lung_session_gy".to_owned(), limit)]),
                ..Simulation::default()
            })
        }),
        3 => (procedure.clone(), device).prop_map(|(procedure, device)| Fact::Session {
            procedure: procedure.to_owned(),
            territory: None,
            activity_gbq: 1.0,
            residual_gbq: None,
            device,
        }),
        1 => procedure.prop_map(|p| Fact::Procedure { procedure: p.to_owned() }),
        2 => scan().prop_map(|reading| Fact::Scan { reading }),
        1 => any::<bool>().prop_map(|liver| Fact::Therapy { name: "other".to_owned(), liver }),
        1 => Just(Fact::Hold { drugs: Vec::new() }),
        1 => drug().prop_map(|d| Fact::Hold { drugs: vec![d] }),
        1 => Just(Fact::Resume { drugs: Vec::new() }),
        1 => (
            prop_oneof![Just("next-cycle"), Just("ready-for-session"), Just("dose")],
            prop_oneof![Just("platelets"), Just("anc"), Just("dpyd_activity_score")],
            prop::option::of(near_day()),
        ).prop_map(|(gate, criterion, until)| Fact::Override {
            gate: gate.to_owned(), criterion: criterion.to_owned(), until,
        }),
        1 => Just(Fact::Withdrawal {}),
        1 => Just(Fact::Death {}),
    ]
}

/// Facts about the patient and the laboratory, which are true of every day.
fn standing_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        prop::option::of(prop_oneof![Just("pilot-2018"), Just("g3-2024"), Just("nonsense")])
            .prop_map(|v| Fact::Enrolment {
                birth: Some(date(1960, 2, 29)),
                variant: v.map(str::to_owned),
                values: BTreeMap::new(),
            }),
        (1.0..100.0_f64).prop_map(|v| Fact::Normal {
            lln: BTreeMap::new(),
            uln: BTreeMap::from([("alt".to_owned(), v)]),
        }),
    ]
}

fn event(on: Date, minutes: i64, fact: Fact) -> (EventId, Event) {
    let start: Timestamp = "2026-12-02T12:00:00Z".parse().expect("an instant");
    let event = Event {
        patient: "P001".to_owned(),
        on,
        at: None,
        recorded: start + SignedDuration::from_mins(minutes),
        by: "nurse".to_owned(),
        why: None,
        fact,
    };
    (event.id(), event)
}

fn begin(source: &Source, c1d1: Date) -> (EventId, Event) {
    let variant = source.protocol.variant.last().map(|v| v.id.clone());
    event(c1d1, -1, Fact::Begin { protocol: Pinned::from(source), variant, c1d1 })
}

/// A course on a shipped protocol: which, and its events, the first being the beginning.
fn course() -> impl Strategy<Value = (usize, Events)> {
    course_with(prop_oneof![9 => fact().boxed(), 1 => standing_fact().boxed()], day(), day())
}

/// Facts of days alone, close together.
fn close_course() -> impl Strategy<Value = (usize, Events)> {
    course_with(fact(), near_day(), Just(C1D1))
}

fn course_with(
    fact: impl Strategy<Value = Fact>,
    day: impl Strategy<Value = Date>,
    c1d1: impl Strategy<Value = Date>,
) -> impl Strategy<Value = (usize, Events)> {
    // A few facts become corrections of earlier ones, or of what there is not.
    let entry =
        (day, 0..5_000_i64, fact, prop::option::weighted(0.15, any::<prop::sample::Index>()));
    (0..SOURCES.len(), c1d1, prop::collection::vec(entry, 0..30)).prop_map(|(p, c1d1, list)| {
        let mut events: Events = vec![begin(&SOURCES[p], c1d1)];
        for (on, minutes, fact, corrects) in list {
            let fact = match corrects {
                Some(index) if events.len() > 1 => {
                    let (of, _) = &events[1 + index.index(events.len() - 1)];
                    let gone = minutes % 3 == 0;
                    Fact::Correction { of: of.clone(), fact: (!gone).then(|| Box::new(fact)) }
                }
                Some(_) => Fact::Correction { of: EventId("nothing".to_owned()), fact: None },
                None => fact,
            };
            events.push(event(on, minutes, fact));
        }
        (p, events)
    })
}

/// What holds of every agenda.
fn sound(protocol: &Protocol, course: &Course<'_>, today: Date) -> Result<(), TestCaseError> {
    let state = State::of(protocol, course, today, 0);
    let agenda = next(protocol, course, &state);
    let mut ids = BTreeSet::new();
    for o in &agenda.obligations {
        prop_assert!(ids.insert(&o.id), "{} twice", o.id);
        prop_assert!(o.earliest <= o.latest, "{o:?}");
        if o.done.is_none() {
            prop_assert!(o.earliest <= o.target && o.target <= o.latest, "{o:?}");
        }
    }
    for (drug, s) in protocol.drug.iter().zip(&state.drugs) {
        if let Some(stopped) = s.stopped().filter(|d| *d <= today) {
            for p in agenda.periods.iter().filter(|p| p.dose.drug == drug.id && p.from >= stopped) {
                prop_assert!(p.dose.stopped && p.dose.mg_per_intake.is_none(), "{p:?}");
            }
            let now = agenda.doses.iter().find(|d| d.drug == drug.id).expect("every drug");
            prop_assert!(now.stopped && now.words.is_none());
            let open = |o: &&hepatica_regimen::next::Obligation| {
                o.what == drug.id && o.earliest >= stopped
            };
            use hepatica_regimen::next::Status::{Cancelled, NotNeeded};
            for o in agenda.obligations.iter().filter(open) {
                prop_assert!([NotNeeded, Cancelled].contains(&o.status), "{o:?}");
            }
        }
        // Days of the levels rise, and each step down of a day is one change.
        for pair in s.changes.windows(2) {
            prop_assert!(pair[0].on < pair[1].on, "{:?}", s.changes);
        }
        // A cycle's start takes the dose one level down at most, unless a toxicity names a level.
        let mut before = 0;
        for c in &s.changes {
            use hepatica_regimen::state::Cause;
            if let (Cause::Waited { .. } | Cause::Value { .. }, Some(level)) =
                (c.because, c.below_start)
            {
                prop_assert!(level - before <= 1, "{:?}", s.changes);
            }
            before = c.below_start.unwrap_or(before);
        }
    }
    for c in state.cycles.windows(2) {
        prop_assert!(c[0].start <= c[1].start, "{:?}", state.cycles);
    }
    for conflict in course.conflicts.iter().filter(|c| c.on <= today) {
        for g in agenda.gates.iter().filter(|g| g.day >= today) {
            for c in g.gate.criteria.iter().filter(|c| c.measure == conflict.measure) {
                let needed = c.value_date.is_none() && c.reason.contains("two values");
                if needed {
                    prop_assert!(c.status >= GateStatus::Overridden, "{c:?}");
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_order_of_arrival_is_the_same_course(
        (_, events) in course(), seed in any::<u64>(), twice in any::<prop::sample::Index>(),
    ) {
        let once = fold(&events);
        let mut shuffled = events.clone();
        shuffled.push(events[twice.index(events.len())].clone());
        // Fisher and Yates with a small generator.
        let mut x = seed | 1;
        for n in (1..shuffled.len()).rev() {
            x ^= x << 13; x ^= x >> 7; x ^= x << 17;
            shuffled.swap(n, (x % (n as u64 + 1)) as usize);
        }
        prop_assert_eq!(once, fold(&shuffled));
    }

    #[test]
    fn corrections_chain_and_never_erase(
        (p, mut events) in close_course(), first in 0.0..400.0_f64, n in 1..80_usize,
    ) {
        let labs = |v: f64| Fact::Labs { values: BTreeMap::from([("wbc".to_owned(), v)]) };
        events.push(event(C1D1, 10_000, labs(first)));
        let mut last = events.last().expect("one").0.clone();
        let root = last.clone();
        for k in 1..=n {
            let fact = Some(Box::new(labs(k as f64)));
            let (id, e) = event(C1D1, 10_000 + k as i64, Fact::Correction { of: last, fact });
            events.push((id.clone(), e));
            last = id;
        }
        let course = fold(&events);
        let of_root: Vec<_> = course.entries.iter().filter(|e| *e.id == root).collect();
        prop_assert_eq!(of_root.len(), 1);
        prop_assert!(of_root[0].corrected);
        prop_assert_eq!(course.series["wbc"].len(), 1);
        prop_assert_eq!(course.series["wbc"][0].value, n as f64);
        // Every step is still there, and what was known then is still known.
        for k in 0..=n {
            let then = events[events.len() - 1 - n + k].1.recorded;
            let value = fold_as_of(&events, Some(then)).series["wbc"][0].value;
            prop_assert_eq!(value, if k == 0 { first } else { k as f64 });
        }
        prop_assert!(SOURCES.len() > p);
    }

    #[test]
    fn what_was_not_recorded_yet_is_not_known((_, events) in course(), cut in 0..5_000_i64) {
        let then = event(C1D1, cut, Fact::Death {}).1.recorded;
        let known: Events = events.iter().filter(|(_, e)| e.recorded <= then).cloned().collect();
        prop_assert_eq!(fold_as_of(&events, Some(then)), fold(&known));
    }

    #[test]
    fn every_course_has_an_agenda((p, events) in course(), today in day()) {
        sound(&SOURCES[p].protocol, &fold(&events), today)?;
    }

    #[test]
    fn every_close_course_has_an_agenda((p, events) in close_course(), today in near_day()) {
        sound(&SOURCES[p].protocol, &fold(&events), today)?;
    }

    #[test]
    fn what_comes_later_changes_nothing_before(
        (p, events) in close_course(), later in near_day(), fact in fact(), ahead in 1..60_i32,
    ) {
        let protocol = &SOURCES[p].protocol;
        let today = after(later, -ahead);
        let mut more = events.clone();
        more.push(event(later, 10_000, fact));
        let before = agenda(protocol, &fold(&events), today);
        let mut with = agenda(protocol, &fold(&more), today);
        // That facts were told ahead, or cannot be understood, is always said.
        with.warnings = before.warnings.clone();
        prop_assert_eq!(before, with);
    }

    #[test]
    fn a_conflict_holds_the_next_cycle(low in 100.0..150.0_f64, high in 151.0..400.0_f64) {
        let mut c = clinic::Clinic::new("captemy90", Some("g3-2024"), "2026-12-02");
        c.good_labs("2026-12-30");
        c.events.pop();
        c.labs("2026-12-30", &[("anc", 3.0), ("bilirubin", 0.8), ("platelets", low)]);
        let of = |c: &clinic::Clinic| clinic::obligation(&c.agenda("2026-12-30"), "c2").status;
        prop_assert_eq!(of(&c), hepatica_regimen::next::Status::Done);
        c.labs("2026-12-30", &[("platelets", high)]);
        prop_assert_eq!(of(&c), hepatica_regimen::next::Status::Held);
    }

    #[test]
    fn an_event_keeps_its_identifier_in_a_file((_, events) in course()) {
        let path = std::path::Path::new("no such folder/P001.course");
        let mut log = Log::begin(path, events[0].1.clone()).expect("a beginning");
        for (id, e) in &events[1..] {
            prop_assert_eq!(id, &log.append(e.clone()).expect("added"));
        }
        for (id, e) in log.entries() {
            let text = serde_json::to_string(e).expect("JSON");
            let back: Event = serde_json::from_str(&text).expect("an event");
            prop_assert_eq!(&back.id(), id);
        }
    }
}
