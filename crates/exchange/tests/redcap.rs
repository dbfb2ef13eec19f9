//! Records go out and come back as the same course; what cannot be read gets one sentence. And what
//! any course is as tables and as ODM.

mod small;

use hepatica_exchange::odm::{Logged, transactions};
use hepatica_exchange::redcap::{Import, read, records};
use hepatica_exchange::tables::{Subject, csv, tables, xpt};
use hepatica_regimen::Course;
use hepatica_regimen::event::{Event, EventId, Fact, Limit, Measured, Pinned, Simulation};
use hepatica_regimen::measure::{Kind, Measure};
use hepatica_regimen::protocol::Source;
use hepatica_regimen::response::{Lesion, NonTarget, NonTargetState, Scan};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SOURCE: LazyLock<Source> = LazyLock::new(small::source);

fn import() -> Import<'static> {
    Import { file: "export.csv", source: &SOURCE, now: small::noon("2031-01-01"), by: "importer" }
}

fn with_ids(events: Vec<Event>) -> Vec<(EventId, Event)> {
    events.into_iter().map(|e| (e.id(), e)).collect()
}

fn fold(events: &[(EventId, Event)]) -> Course<'_> {
    Course::fold(events.iter().map(|(id, e)| (id, e)), None).expect("begins")
}

// ---- there and back -------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z -]{0,8}[a-z]",
        // What formats stumble over.
        "[=+@'\"\\\\;,|\\[\\]\n\r\t aé＝-]{1,8}",
        "(?s).{1,6}",
    ]
}

fn date() -> impl Strategy<Value = Date> {
    (2026_i16..2029, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| jiff::civil::date(y, m, d))
}

fn time() -> impl Strategy<Value = Time> {
    (0_i8..24, 0_i8..60, 0_i8..60, prop_oneof![Just(0), 0_i32..1_000_000_000])
        .prop_map(|(h, m, s, n)| jiff::civil::time(h, m, s, n))
}

fn recorded() -> impl Strategy<Value = Timestamp> {
    (1_800_000_000_i64..1_900_000_000).prop_map(|s| Timestamp::from_second(s).expect("in range"))
}

fn value(m: &'static Measure) -> BoxedStrategy<f64> {
    match m.kind {
        Kind::YesNo => prop_oneof![Just(0.0), Just(1.0)].boxed(),
        Kind::Score => Just(m.possible[0]).boxed(),
        Kind::Number => (m.possible[0]..=m.possible[1]).boxed(),
    }
}

fn values() -> impl Strategy<Value = BTreeMap<String, f64>> {
    let all = Measure::all();
    let one = (0..all.len()).prop_flat_map(|n| (Just(all[n].id.clone()), value(&all[n])));
    vec(one, 0..6).prop_map(|v| v.into_iter().collect())
}

fn measured() -> impl Strategy<Value = BTreeMap<String, Measured>> {
    let interval = option::of((-1e6_f64..1e6, -1e6_f64..1e6).prop_map(|(a, b)| [a, b]));
    (values(), vec(interval, 6)).prop_map(|(values, intervals)| {
        let both = values.into_iter().zip(intervals);
        both.map(|((name, value), interval)| (name, Measured { value, interval })).collect()
    })
}

fn scan() -> impl Strategy<Value = Scan> {
    let mm = || option::of(0.0_f64..=500.0);
    let lesion = (text(), text(), any::<bool>(), mm(), mm()).prop_map(
        |(id, site, node, diameter_mm, viable_mm)| Lesion {
            id,
            site,
            node,
            diameter_mm,
            viable_mm,
        },
    );
    let state = prop_oneof![
        Just(NonTargetState::Cr),
        Just(NonTargetState::NonCrNonPd),
        Just(NonTargetState::Pd),
        Just(NonTargetState::Ne),
    ];
    // A site is once among those followed by eye.
    let others = btree_map(".{0,5}", state, 0..3);
    (vec(lesion, 0..8), others, vec(".{0,5}", 0..3)).prop_map(|(lesions, others, new_lesions)| {
        Scan {
            lesions,
            non_target: others.into_iter().map(|(site, state)| NonTarget { site, state }).collect(),
            new_lesions,
        }
    })
}

fn simulation() -> impl Strategy<Value = Simulation> {
    let limit = (any::<f64>().prop_filter("finite", |x| x.is_finite()), ".{0,5}");
    let limit = limit.prop_map(|(value, source)| Limit { value, source });
    let limits = btree_map("(?s).{0,5}", limit, 0..3);
    (option::of(text()), option::of(text()), measured(), limits, vec(0.0_f64..100.0, 0..3))
        .prop_map(|(plan_sha256, device, measures, limits, activity_gbq)| Simulation {
            plan_sha256,
            device,
            measures,
            limits,
            activity_gbq,
        })
}

fn drug() -> impl Strategy<Value = String> {
    prop_oneof![Just("capecitabine".to_owned()), Just("other".to_owned()), text()]
}

fn fact(on: Date) -> impl Strategy<Value = Fact> {
    let until = move |d: Option<Date>| d.map(|d| d.max(on));
    prop_oneof![
        (option::of(date()), option::of(drug()), values())
            .prop_map(|(birth, variant, values)| Fact::Enrolment { birth, variant, values }),
        values().prop_map(|values| Fact::Labs { values }),
        (values(), values()).prop_map(|(lln, uln)| Fact::Normal { lln, uln }),
        (drug(), any::<bool>(), option::of(date()), option::of(0.0_f64..1e5)).prop_map(
            move |(drug, taken, d, mg_per_intake)| {
                Fact::Doses { drug, taken, until: until(d), mg_per_intake }
            }
        ),
        (prop_oneof![Just("nausea".to_owned()), text()], 0_u8..=5, 5_u8..=6, vec(".{0,5}", 0..3))
            .prop_map(|(term, grade, ctcae, related)| Fact::Toxicity {
                term,
                grade,
                ctcae,
                related
            }),
        simulation().prop_map(Fact::Simulation),
        (text(), option::of(text()), 0.0_f64..100.0, option::of(0.0_f64..1.0), option::of(text()))
            .prop_map(|(procedure, territory, activity_gbq, residual_gbq, device)| Fact::Session {
                procedure,
                territory,
                activity_gbq,
                residual_gbq,
                device,
            }),
        text().prop_map(|procedure| Fact::Procedure { procedure }),
        scan().prop_map(|reading| Fact::Scan { reading }),
        (text(), any::<bool>()).prop_map(|(name, liver)| Fact::Therapy { name, liver }),
        vec(".{0,5}", 0..3).prop_map(|drugs| Fact::Hold { drugs }),
        vec(".{0,5}", 0..3).prop_map(|drugs| Fact::Resume { drugs }),
        (text(), text(), option::of(date())).prop_map(|(gate, criterion, until)| Fact::Override {
            gate,
            criterion,
            until
        }),
        Just(Fact::Withdrawal {}),
        Just(Fact::Death {}),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    date().prop_flat_map(|on| {
        (option::of(time()), recorded(), text(), option::of(text()), fact(on)).prop_map(
            move |(at, recorded, by, why, fact)| {
                let patient = "P001".to_owned();
                Event { patient, on, at, recorded, by, why, fact }
            },
        )
    })
}

fn beginning() -> Event {
    Event {
        patient: "P001".to_owned(),
        on: jiff::civil::date(2026, 1, 1),
        at: None,
        recorded: small::noon("2026-01-01"),
        by: "coordinator".to_owned(),
        why: None,
        fact: Fact::Begin {
            protocol: Pinned::from(&*SOURCE),
            variant: Some("pilot-2018".to_owned()),
            c1d1: jiff::civil::date(2026, 12, 2),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_course_comes_back_the_same(events in vec(event(), 0..8)) {
        let mut events = events;
        events.insert(0, beginning());
        let events = with_ids(events);
        let course = fold(&events);
        let written = records(&SOURCE.protocol, &[&course]).unwrap();
        prop_assert!(written.left_out.is_empty());
        let back = match read(&written.csv, &import()) {
            Ok(back) => back,
            Err(e) => return Err(TestCaseError::fail(format!("{e:?}"))),
        };
        let back = with_ids(back.events.into_values().flatten().collect());
        prop_assert_eq!(fold(&back), course);
    }

    #[test]
    fn any_course_is_tables_and_odm(events in vec(event(), 0..8), cutoff in date()) {
        let mut events = events;
        events.insert(0, beginning());
        // What was wrong and what never was are in the log, too.
        let wrong = events.last().map(Event::id).expect("at least one");
        let mut correction = beginning();
        correction.recorded = small::noon("2030-12-31");
        correction.fact = Fact::Correction { of: wrong, fact: events.get(1).map(|e| Box::new(e.fact.clone())) };
        if events.len() > 1 {
            events.push(correction);
        }
        let events = with_ids(events);
        let course = fold(&events);
        let subject = Subject::of(&SOURCE.protocol, &course, cutoff);
        let log: Vec<_> = events.iter().map(|(id, e)| (id, e)).collect();
        let logged = Logged { course: &course, state: &subject.state, events: &log };
        let odm = transactions(&SOURCE.protocol, &[logged], "site", small::noon("2031-01-01")).unwrap();
        let text = String::from_utf8(odm.xml).unwrap();
        let mut xml = quick_xml::Reader::from_str(&text);
        let mut groups = 0;
        loop {
            match xml.read_event() {
                Ok(quick_xml::events::Event::Eof) => break,
                Ok(quick_xml::events::Event::Start(e)) if e.name().as_ref() == "ItemGroupData" => {
                    groups += 1;
                }
                Ok(_) => {}
                Err(e) => return Err(TestCaseError::fail(e.to_string())),
            }
        }
        prop_assert!(groups >= events.len());
        for table in tables(&[subject]).unwrap() {
            for row in &table.rows {
                prop_assert_eq!(row.len(), table.design.columns.len());
                for (value, column) in row.iter().zip(table.design.columns) {
                    prop_assert!(value.fits(column.kind), "{} {:?}", column.name, value);
                }
            }
            csv::write(&table).unwrap();
            prop_assert_eq!(xpt::write(&table, small::CUTOFF.at(0, 0, 0, 0)).len() % 80, 0);
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &import());
    }

    #[test]
    fn no_damaged_export_is_a_panic(
        cut in 0.0_f64..1.0,
        at in vec((0.0_f64..1.0, any::<u8>()), 0..6),
    ) {
        let mut bytes = export();
        let length = bytes.len();
        for (place, byte) in at {
            bytes[(place * length as f64) as usize] = byte;
        }
        bytes.truncate((cut * 1.2 * length as f64) as usize);
        let _ = read(&bytes, &import());
    }
}

#[test]
fn corrected_courses_come_back_as_they_stand() {
    let logs: Vec<_> = small::courses(&SOURCE).into_iter().map(with_ids).collect();
    let folded: Vec<_> = logs.iter().map(|log| fold(log)).collect();
    let all: Vec<_> = folded.iter().collect();
    let written = records(&SOURCE.protocol, &all).unwrap();
    let back = read(&written.csv, &import()).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(back.events.len(), 3);
    assert_eq!(back.not_read, Vec::<String>::new());
    for (course, events) in folded.iter().zip(back.events.into_values()) {
        let events = with_ids(events);
        let again = fold(&events);
        let standing = |c: &Course<'_>| {
            let all = c.entries.iter();
            let all = all.map(|e| {
                format!("{} {:?} {} {} {:?} {:?}", e.on, e.at, e.recorded, e.by, e.why, e.fact)
            });
            let mut all: Vec<_> = all.collect();
            all.sort();
            all
        };
        assert_eq!(standing(&again), standing(course));
        assert_eq!((&again.series, &again.toxicities), (&course.series, &course.toxicities));
    }
}

// ---- what cannot be read --------------------------------------------------------------------------

fn export() -> Vec<u8> {
    let events = with_ids(small::courses(&SOURCE).swap_remove(1));
    records(&SOURCE.protocol, &[&fold(&events)]).unwrap().csv
}

/// What is said of a small file.
fn said(text: &str) -> Vec<String> {
    match read(text.as_bytes(), &import()) {
        Ok(_) => Vec::new(),
        Err(all) => all.iter().map(ToString::to_string).collect(),
    }
}

const HEAD: &str = "record_id,redcap_repeat_instrument,redcap_repeat_instance";

#[test]
fn one_sentence_for_a_bad_cell() {
    for (columns, row, sentence) in [
        (
            "lab_on,lab_platelets",
            "P1,labs,1,2027-01-04,92000",
            "export.csv, row 2, column lab_platelets: found `92000`, expected a value that can be: Platelets 92000 10^9/L is impossible, expected 0 to 5000 10^9/L; 92000/uL is 92: write that",
        ),
        (
            "lab_on,lab_platelets",
            "P1,labs,1,04.01.2027,92",
            "export.csv, row 2, column lab_on: found `04.01.2027`, expected a date written YYYY-MM-DD",
        ),
        (
            "lab_on",
            "P1,labs,1,2027-02-30",
            "export.csv, row 2, column lab_on: found `2027-02-30`, expected a date written YYYY-MM-DD",
        ),
        (
            "lab_on",
            "P1,labs,1,",
            "export.csv, row 2, column lab_on: found nothing, expected the day it is true of",
        ),
        (
            "lab_on",
            "P1,labz,1,2027-01-04",
            "export.csv, row 2, column redcap_repeat_instrument: found `labz`, expected one of enrolment, labs, normal_limits, doses, toxicity, simulation, session, procedure, scan, status",
        ),
        (
            "lab_on",
            "P1,labs,0,2027-01-04",
            "export.csv, row 2, column redcap_repeat_instance: found `0`, expected the number of the instance, from 1 on",
        ),
        (
            "lab_on",
            ",labs,1,2027-01-04",
            "export.csv, row 2, column record_id: found nothing, expected the identifier of the patient",
        ),
        (
            "lab_on,dose_mg",
            "P1,labs,1,2027-01-04,5",
            "export.csv, row 2, column dose_mg: found `5`, expected nothing, because it is a field of doses",
        ),
        (
            "dose_on,dose_drug,dose_taken",
            "P1,doses,1,2027-01-04,Capecitabine,1",
            "export.csv, row 2, column dose_drug: found `Capecitabine`, expected the code `capecitabine`; export raw values, not labels",
        ),
        (
            "dose_on,dose_drug,dose_taken",
            "P1,doses,1,2027-01-04,other,1",
            "export.csv, row 2, column dose_drug_other: found nothing, expected which one, because `other` was chosen",
        ),
        (
            "dose_on,dose_drug,dose_taken,dose_until",
            "P1,doses,1,2027-01-04,capecitabine,1,2027-01-01",
            "export.csv, row 2, column dose_until: found `2027-01-01`, expected a day from 2027-01-04 on",
        ),
        (
            "tox_on,tox_term,tox_grade,tox_ctcae",
            "P1,toxicity,1,2027-01-04,nausea,6,5",
            "export.csv, row 2, column tox_grade: found `6`, expected one of the codes 0, 1, 2, 3, 4, 5",
        ),
        (
            "tox_on,tox_term,tox_grade,tox_ctcae",
            "P1,toxicity,1,2027-01-04,nausea,2,",
            "export.csv, row 2, column tox_ctcae: found nothing, expected the version of CTCAE",
        ),
        (
            "ses_on,ses_procedure,ses_activity",
            "P1,session,1,2027-01-04,session-1,2350",
            "export.csv, row 2, column ses_activity: found `2350`, expected a number from 0 to 100 GBq, with a point",
        ),
        (
            "sta_on,sta_kind,sta_therapy",
            "P1,status,1,2027-01-04,death,surgery",
            "export.csv, row 2, column sta_therapy: found `surgery`, expected nothing, unless sta_kind is therapy",
        ),
        (
            "lab_on,lab_recorded",
            "P1,labs,1,2027-01-04,2041-01-01T00:00:00Z",
            "export.csv, row 2, column lab_recorded: found `2041-01-01T00:00:00Z`, expected a time until now, 2031-01-01T12:00:00Z",
        ),
        (
            "lab_on,lab_platelet",
            "P1,labs,1,2027-01-04,92",
            "export.csv, row 1, column lab_platelet: found `lab_platelet`, expected a field of the dictionary, as `lab_platelets`",
        ),
        (
            "lab_on",
            "P1,labs,1",
            "export.csv, row 2, column all of them: found `3 cells`, expected 4 cells",
        ),
        (
            "crs_on,crs_protocol,crs_version,crs_c1d1",
            "P1,,,2026-11-16,captem,1,2026-12-02",
            "export.csv, row 2, column crs_protocol: found `captem`, expected captemy90, as the protocol given says",
        ),
    ] {
        let file = format!("{HEAD},{columns}\r\n{row}\r\n");
        assert_eq!(said(&file), [sentence.to_owned()], "{row}");
    }
}

#[test]
fn one_sentence_for_a_bad_file() {
    assert_eq!(
        said("name,age\r\n"),
        ["export.csv: row 1, column 1: found `name`, expected `record_id`"]
    );
    assert_eq!(said(""), ["export.csv: row 1, column 1: found nothing, expected `record_id`"]);
    let bad = read(b"record_id\n\xFF\n", &import()).unwrap_err();
    assert_eq!(
        bad[0].to_string(),
        "export.csv: line 2 is not UTF-8; export as CSV (raw data), UTF-8"
    );
    let two = format!("{HEAD},lab_on\nP1,labs,1,2027-01-04\nP1,labs,1,2027-01-05\n");
    assert_eq!(
        said(&two),
        [
            "export.csv, row 3, column redcap_repeat_instance: found `P1, labs, 1`, expected each instance of a record once"
        ]
    );
}

#[test]
fn what_redcap_adds_is_not_data() {
    let file = format!(
        "\u{FEFF}{HEAD},redcap_data_access_group,lab_on,lab_platelets,labs_complete,our_own\nP1,,,site,,,,x\nP1,labs,1,site,2027-01-04,92,2,y\n"
    );
    let back = read(file.as_bytes(), &import()).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(back.not_read, ["our_own"]);
    let [event] = &back.events["P1"][..] else { panic!("one event") };
    assert_eq!((event.by.as_str(), event.recorded), ("importer", small::noon("2031-01-01")));
    assert_eq!(event.fact, Fact::Labs { values: BTreeMap::from([("platelets".to_owned(), 92.0)]) });
}

#[test]
fn an_unlikely_value_is_asked_back() {
    let file = format!("{HEAD},lab_on,lab_platelets\nP1,labs,1,2027-01-04,2100\n");
    let back = read(file.as_bytes(), &import()).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(
        back.doubts[0].starts_with("export.csv, row 2: Platelets 2100 10^9/L is unlikely"),
        "{:?}",
        back.doubts
    );
}
