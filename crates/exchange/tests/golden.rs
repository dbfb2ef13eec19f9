//! The files of three small courses, byte by byte. After a change on purpose: `BLESS=1 cargo test`.

mod small;

use hepatica_exchange::odm::{Logged, metadata, transactions};
use hepatica_exchange::tables::{Subject, csv, tables};
use hepatica_exchange::{redcap, tables::Table, tables::Value};
use hepatica_regimen::event::{Event, EventId};
use hepatica_regimen::{Course, Protocol};
use small::{CUTOFF, courses, noon, source};
use std::fs;
use std::path::Path;

/// Compares with `tests/golden/NAME`.
fn is_golden(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, bytes).expect("writable");
        return;
    }
    let golden = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(golden == bytes, "{name} is not what it was; look at it, then BLESS=1");
}

struct Logs(Vec<Vec<(EventId, Event)>>);

impl Logs {
    fn new(protocol_events: Vec<Vec<Event>>) -> Self {
        let with_ids = |log: Vec<Event>| log.into_iter().map(|e| (e.id(), e)).collect();
        Self(protocol_events.into_iter().map(with_ids).collect())
    }

    fn folded(&self) -> Vec<Course<'_>> {
        let entries = self.0.iter().map(|log| log.iter().map(|(id, event)| (id, event)));
        entries.map(|log| Course::fold(log, None).expect("begins")).collect()
    }
}

fn all_tables() -> Vec<Table> {
    let source = source();
    let logs = Logs::new(courses(&source));
    let folded = logs.folded();
    let subjects: Vec<_> =
        folded.iter().map(|c| Subject::of(&source.protocol, c, CUTOFF).at("01")).collect();
    tables(&subjects).expect("each once")
}

fn rows<'t>(all: &'t [Table], name: &str) -> (&'t Table, usize) {
    let table = all.iter().find(|t| t.name() == name).expect("a table");
    (table, table.rows.len())
}

fn text(table: &Table, row: usize, column: &str) -> String {
    csv::cell(table.cell(row, column).expect("a cell")).into_owned()
}

/// The first row in which all of these columns have these values.
fn find(all: &[Table], name: &str, wanted: &[(&str, &str)]) -> Option<usize> {
    let (table, n) = rows(all, name);
    (0..n).find(|row| wanted.iter().all(|(c, v)| text(table, *row, c) == *v))
}

#[test]
fn tables_are_what_they_were() {
    for table in all_tables() {
        is_golden(&format!("{}.csv", table.name().to_lowercase()), &csv::write(&table).unwrap());
    }
}

#[test]
fn cells_are_of_the_kind_of_their_column() {
    for table in all_tables() {
        for row in &table.rows {
            assert_eq!(row.len(), table.design.columns.len());
            for (value, column) in row.iter().zip(table.design.columns) {
                assert!(value.fits(column.kind), "{} {}: {value:?}", table.name(), column.name);
            }
        }
    }
}

#[test]
fn the_answers_are_known() {
    let all = all_tables();
    let has = |name: &str, wanted: &[(&str, &str)]| {
        assert!(find(&all, name, wanted).is_some(), "{name} has no {wanted:?}");
    };
    let key = |p: &str| format!("NCT04339036-01-{p}");
    let (one, two, three) = (key("P001"), key("P002"), key("P003"));
    let subject = ("USUBJID", one.as_str());
    has("ADSL", &[subject, ("BOTHFL", "Y"), ("NSESS", "1"), ("SES1CDY", "7"), ("AGE", "65")]);
    has("ADSL", &[("USUBJID", &two), ("C1STOPFL", "Y"), ("DCTREAS", "WITHDRAWAL BY SUBJECT")]);
    // Fourteen days of capecitabine in cycle 2, the fifth of them missed.
    has(
        "EX",
        &[
            subject,
            ("EXREFID", "capecitabine"),
            ("EXSTDTC", "2026-12-30"),
            ("EXENDTC", "2027-01-02"),
        ],
    );
    has(
        "EX",
        &[subject, ("EXREFID", "capecitabine"), ("EXSTDTC", "2027-01-04"), ("VISIT", "C2D6")],
    );
    // The corrected value, not the first one.
    has(
        "ADLB",
        &[subject, ("PARAMCD", "PLAT"), ("AVAL", "92"), ("AVISIT", "C2D6"), ("ATOXGRN", "1")],
    );
    assert!(find(&all, "LB", &[("LBSTRESN", "29")]).is_none());
    // 83.5 to 58 mm is a partial response, confirmed by 49.
    has("ADRS", &[subject, ("PARAMCD", "CBOR"), ("AVALC", "PR"), ("AVAL", "2")]);
    has("ADTTE", &[subject, ("PARAMCD", "HPFS"), ("CNSR", "1")]);
    let third = ("USUBJID", three.as_str());
    has(
        "ADTTE",
        &[
            third,
            ("PARAMCD", "HPFS"),
            ("CNSR", "0"),
            ("EVNTDESC", "progression in the liver"),
            ("AVAL", "83"),
        ],
    );
    has(
        "ADTTE",
        &[third, ("PARAMCD", "OS"), ("CNSR", "0"), ("EVNTDESC", "death"), ("ADT", "2027-04-10")],
    );
    has("ADRS", &[third, ("PARAMCD", "BORLIV"), ("AVALC", "PD")]);
    has("ADRS", &[("USUBJID", &two), ("PARAMCD", "BOR"), ("AVALC", "MISSING")]);
    // One toxicity, two spellings: one episode, over on the 18th.
    let (ae, n) = rows(&all, "AE");
    let of_two: Vec<_> = (0..n).filter(|r| text(ae, *r, "USUBJID") == two).collect();
    assert_eq!(of_two.len(), 1);
    assert_eq!(text(ae, of_two[0], "AEENDTC"), "2026-12-18");
    has(
        "ADAE",
        &[subject, ("AEDECOD", "Fatigue"), ("ATOXGRN", "2"), ("AOCCPIFL", "Y"), ("LSESDY", "4")],
    );
}

#[test]
fn a_patient_is_there_once() {
    let source = source();
    let logs = Logs::new(courses(&source));
    let folded = logs.folded();
    let subject = Subject::of(&source.protocol, &folded[0], CUTOFF);
    let error = tables(&[subject.clone(), subject]).unwrap_err().to_string();
    assert_eq!(error, "two courses are of patient P001 in study NCT04339036; give each once");
}

#[test]
fn nothing_after_the_cut_is_seen() {
    let source = source();
    let logs = Logs::new(courses(&source));
    let folded = logs.folded();
    let cutoff = jiff::civil::date(2026, 12, 31);
    let subjects: Vec<_> =
        folded.iter().map(|c| Subject::of(&source.protocol, c, cutoff)).collect();
    for table in tables(&subjects).unwrap() {
        for row in &table.rows {
            for (value, column) in row.iter().zip(table.design.columns) {
                let late = match value {
                    Value::Text(text) if column.name.ends_with("DTC") => {
                        text.as_str() > "2026-12-31T"
                    }
                    Value::Date(day) => *day > cutoff,
                    _ => false,
                };
                assert!(!late, "{} {}: {value:?}", table.name(), column.name);
            }
        }
    }
}

#[test]
fn odm_is_what_it_was() {
    let source = source();
    let logs = Logs::new(courses(&source));
    let folded = logs.folded();
    let subjects: Vec<_> =
        folded.iter().map(|c| Subject::of(&source.protocol, c, CUTOFF)).collect();
    let events: Vec<Vec<_>> =
        logs.0.iter().map(|log| log.iter().map(|(i, e)| (i, e)).collect()).collect();
    let logged: Vec<_> = subjects
        .iter()
        .zip(&events)
        .map(|(s, events)| Logged { course: s.course, state: &s.state, events })
        .collect();
    let made = noon("2027-07-01");
    let odm = transactions(&source.protocol, &logged, "Site 01", made).unwrap();
    assert!(odm.left_out.is_empty(), "{:?}", odm.left_out);
    is_golden("courses.odm.xml", &odm.xml);
    let xml = String::from_utf8(odm.xml).unwrap();
    assert_eq!(xml.matches("TransactionType=\"Update\"").count(), 1);
    assert!(xml.contains("&lt;29&gt; &amp; "), "escaped");
}

#[test]
fn every_shipped_protocol_has_metadata_and_a_dictionary() {
    for name in Protocol::shipped() {
        let p = Protocol::named(name).unwrap();
        let xml = metadata(&p, noon("2027-07-01")).unwrap();
        let dictionary = redcap::dictionary(&p).unwrap();
        if name == "captemy90" {
            is_golden("captemy90.odm.xml", &xml);
            is_golden("captemy90.dictionary.csv", &dictionary);
        }
    }
}

#[test]
fn records_are_what_they_were() {
    let source = source();
    let logs = Logs::new(courses(&source));
    let folded = logs.folded();
    let courses: Vec<_> = folded.iter().collect();
    let records = redcap::records(&source.protocol, &courses).unwrap();
    assert!(records.left_out.is_empty(), "{:?}", records.left_out);
    is_golden("records.csv", &records.csv);
}
