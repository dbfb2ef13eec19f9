//! Parquet files that the exchange writes are read as what they were.

#![cfg(feature = "parquet")]

use hepatica_analysis::read::table;
use hepatica_analysis::schema::ADTTE;
use hepatica_exchange::tables::{Table, Value, adam, parquet};
use jiff::civil::date;

#[test]
fn a_table_comes_back() {
    let row = |name: &str, days: i64| {
        let cells = adam::ADTTE.columns.iter().map(|c| match c.name {
            "USUBJID" => Value::from(name),
            "PARAMCD" => Value::from("PFS"),
            "AVAL" => Value::from(days),
            "CNSR" => Value::from(1_i64),
            "STARTDT" => Value::from(date(2027, 1, 10)),
            _ => Value::Missing,
        });
        cells.collect()
    };
    let written = Table { design: &adam::ADTTE, rows: vec![row("P1", 84), row("P2", 0)] };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("adtte.parquet");
    std::fs::write(&path, parquet::write(&written).expect("written")).expect("written");
    let frame = table(&path, &ADTTE).expect("read");
    let rows: Vec<_> = frame.rows().collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].text("USUBJID"), rows[0].integer("AVAL")), (Some("P1"), Some(84)));
    assert_eq!(rows[1].date("STARTDT"), Some(date(2027, 1, 10)));
    assert_eq!(rows[1].text("EVNTDESC"), None);
    std::fs::write(&path, "PAR1 nothing").expect("written");
    let error = table(&path, &ADTTE).expect_err("no table").to_string();
    assert!(error.starts_with("adtte.parquet: cannot be read as Parquet ("), "{error}");
}
