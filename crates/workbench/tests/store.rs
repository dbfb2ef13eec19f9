//! The stores by themselves: nothing changes an event, not even the database; earlier schemas grow.

mod common;

use hepatica_workbench::desk::{Beginning, begin};
use hepatica_workbench::opened::Opened;
use hepatica_workbench::store::{Postgres, Sqlite, Store};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

async fn begun(store: &dyn Store, patient: &str) {
    let b = Beginning {
        key: format!("{patient} begins"),
        patient: patient.to_owned(),
        protocol: "captemy90".to_owned(),
        variant: None,
        c1d1: jiff::civil::date(2027, 1, 4),
        centre: None,
    };
    begin(store, "tester", &b).await.expect("begun");
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_remove() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hepatica.sqlite");
    let store = Sqlite::open(&file).await.expect("a store");
    begun(&store, "P1").await;
    let address = format!("sqlite://{}", file.display());
    let mut raw = SqliteConnection::connect(&address).await.expect("the file");
    for (statement, table) in [
        ("UPDATE event SET line = ''", "event"),
        ("DELETE FROM event", "event"),
        ("UPDATE recording SET request = ''", "recording"),
        ("DELETE FROM recording", "recording"),
        ("UPDATE audit SET who = 'nobody'", "audit"),
        ("DELETE FROM audit", "audit"),
    ] {
        let refused = sqlx::query(statement).execute(&mut raw).await;
        assert!(refused.is_err_and(|e| e.to_string().contains("never")), "{table}: {statement}");
    }
}

#[tokio::test]
async fn what_was_changed_behind_its_back_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hepatica.sqlite");
    let store = Sqlite::open(&file).await.expect("a store");
    begun(&store, "P1").await;
    let mut raw =
        SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("the file");
    for statement in [
        "DROP TRIGGER event_stays",
        "UPDATE event SET line = replace(line, '2027-01-04', '2027-01-05')",
    ] {
        sqlx::query(statement).execute(&mut raw).await.expect("a hand with the file in it");
    }
    let error = Opened::read(&store, "P1", None).await.expect_err("it was changed");
    assert!(error.to_string().contains("changed after it was recorded"), "{error}");
}

#[tokio::test]
async fn a_store_of_the_first_schema_grows_and_keeps_its_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hepatica.sqlite");
    let before = Sqlite::open_at(&file, 1).await.expect("a store of before");
    begun(&before, "P1").await;
    let heads = before.heads().await.expect("heads");
    assert!(before.jobs(None).await.is_err(), "it has no jobs yet");
    before.close().await;
    let now = Sqlite::open(&file).await.expect("it grows");
    assert_eq!(now.heads().await.expect("heads"), heads);
    assert_eq!(now.jobs(None).await.expect("jobs"), Vec::new());
    now.close().await;
    // A program of before does not write into a store of later.
    let error = Sqlite::open_at(&file, 1).await.expect_err("of later");
    assert!(error.to_string().contains("use the version that wrote it"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_store_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hepatica.sqlite");
    std::fs::write(&file, "this is a shopping list, and long enough to be looked at ".repeat(40))
        .expect("written");
    let error = Sqlite::open(&file).await.expect_err("no store").to_string();
    assert!(error.contains("hepatica.sqlite") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn postgres_keeps_the_same_laws() {
    let Ok(address) = std::env::var("HEPATICA_TEST_POSTGRES") else {
        eprintln!(
            "skipped: HEPATICA_TEST_POSTGRES names no database (tests/browser/postgres starts one)"
        );
        return;
    };
    let store = Postgres::open(&address).await.expect("a store");
    let patient = format!("P-{}", uuid::Uuid::new_v4().simple());
    begun(&store, &patient).await;
    let opened = Opened::read(&store, &patient, None).await.expect("a course");
    assert_eq!(opened.log.events().len(), 1);
    let mut raw = sqlx::PgConnection::connect(&address).await.expect("the database");
    for statement in
        ["UPDATE event SET line = ''", "DELETE FROM event", "TRUNCATE event", "DELETE FROM audit"]
    {
        let refused = sqlx::query(statement).execute(&mut raw).await;
        assert!(
            refused.is_err_and(|e| e.to_string().contains("never changed or removed")),
            "{statement}"
        );
    }
}
