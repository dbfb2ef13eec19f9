//! Courses and protocols as a person runs them: what is printed, what is written, how it ends.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn hepatica() -> Command {
    Command::cargo_bin("hepatica").expect("the program is built")
}

/// Runs `hepatica course ...`, which must succeed: what it prints.
fn course(args: &[&str]) -> String {
    let run = hepatica().arg("course").args(args).output().expect("runs");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{args:?}: {error}");
    String::from_utf8(run.stdout).expect("UTF-8")
}

/// Runs `hepatica course ...`, which must be refused: its one sentence.
fn refused(args: &[&str]) -> String {
    let run = hepatica().arg("course").args(args).output().expect("runs");
    assert_eq!(run.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&run.stdout));
    let text = String::from_utf8(run.stderr).expect("UTF-8");
    assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn status(file: &str, on: &str) -> Value {
    let text = course(&["status", file, "--on", on, "--json"]);
    serde_json::from_str(&text).expect("JSON")
}

struct Home {
    home: TempDir,
}

impl Home {
    /// A course that began in the past, so that facts about it are no rehearsal.
    fn begun(c1d1: &str) -> Self {
        let home = Self { home: tempfile::tempdir().expect("a folder") };
        course(&[
            "new",
            "--protocol",
            "captemy90",
            "--variant",
            "g3-2024",
            "--patient",
            "P001",
            "--c1d1",
            c1d1,
            "--out",
            &home.file(),
            "--quiet",
        ]);
        home
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("P001.course")
    }

    fn file(&self) -> String {
        self.path().to_string_lossy().into_owned()
    }

    fn record(&self, args: &[&str]) -> String {
        let file = self.file();
        course(&[&["record", &file][..], args].concat())
    }

    fn refuses(&self, args: &[&str]) -> String {
        let file = self.file();
        let before = fs::read(self.path()).expect("the course");
        let text = refused(&[&["record", &file][..], args].concat());
        assert_eq!(fs::read(self.path()).expect("the course"), before, "nothing is half-written");
        text
    }
}

fn gate<'a>(agenda: &'a Value, id: &str) -> &'a Value {
    let all = agenda["gates"].as_array().expect("gates");
    &all.iter().find(|g| g["gate"]["id"] == id).unwrap_or_else(|| panic!("no gate {id}"))["gate"]
}

fn obligation<'a>(agenda: &'a Value, id: &str) -> &'a Value {
    let all = agenda["obligations"].as_array().expect("obligations");
    all.iter().find(|o| o["id"] == id).unwrap_or_else(|| panic!("no obligation {id}"))
}

#[test]
fn the_four_commands_of_a_coordinator() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("P001.course").to_string_lossy().into_owned();
    let begun = course(&[
        "new",
        "--protocol",
        "captemy90",
        "--patient",
        "P001",
        "--c1d1",
        "2024-12-04",
        "--out",
        &file,
    ]);
    assert!(begun.contains("No dose variant is chosen yet"), "{begun}");
    let recorded = course(&[
        "record",
        &file,
        "labs",
        "--date",
        "2025-01-06",
        "platelets=92",
        "anc=1.8",
        "bilirubin=0.9",
    ]);
    assert!(recorded.contains("Platelets 92 10^9/L: grade 1 (CTCAE v5)"), "{recorded}");
    let said = course(&["status", &file, "--on", "2025-01-07"]);
    assert!(
        said.contains("platelets 92 10^9/L on 2025-01-06 (limit >= 100 10^9/L), not met"),
        "{said}"
    );
    assert!(said.contains("Research use only"), "{said}");
    course(&["calendar", &file, "--pdf", "--ics", "--on", "2025-01-07"]);
    let pdf = fs::read(home.path().join("P001.pdf")).expect("a PDF");
    assert!(pdf.starts_with(b"%PDF"));
    let ics = fs::read_to_string(home.path().join("P001.ics")).expect("a calendar");
    assert!(ics.starts_with("BEGIN:VCALENDAR") && !ics.contains("P001"), "no patient in it");
}

#[test]
fn before_the_first_day_a_course_may_be_rehearsed() {
    let home = Home::begun("2999-01-02");
    let said = home.record(&["labs", "--date", "2999-02-04", "platelets=92", "anc=1.8"]);
    assert!(said.contains("is still to come: kept as a rehearsal"), "{said}");
    let shown = course(&["status", &home.file(), "--on", "2999-02-05"]);
    assert!(shown.contains("this is a rehearsal, treat nobody by it"), "{shown}");
}

#[test]
fn low_platelets_on_day_1_wait_a_week_and_lower_the_dose() {
    let home = Home::begun("2025-01-01");
    home.record(&["doses", "--date", "2025-01-01", "--until", "2025-01-14", "capecitabine=taken"]);
    home.record(&["labs", "--date", "2025-01-28", "platelets=92", "anc=1.8", "bilirubin=0.9"]);
    let agenda = status(&home.file(), "2025-01-29");
    assert_eq!(gate(&agenda, "next-cycle")["status"], "hold");
    let begins = obligation(&agenda, "c2");
    assert_eq!((&begins["status"], &begins["target"]), (&"held".into(), &"2025-02-05".into()));
    home.record(&["labs", "--date", "2025-02-04", "platelets=131", "anc=2.2", "bilirubin=0.8"]);
    let agenda = status(&home.file(), "2025-02-05");
    assert_eq!(agenda["cycle"], 2);
    let levels: Vec<_> =
        agenda["doses"].as_array().expect("doses").iter().map(|d| d["level"].clone()).collect();
    assert_eq!(levels, ["-1", "-1"]);
    // What follows moves with it: day 3 of a cycle that began a week late.
    assert_eq!(obligation(&agenda, "c2/counts-day-22")["target"], "2025-02-07");
}

#[test]
fn tablets_from_height_and_weight_and_what_they_rest_on() {
    let home = Home::begun("2025-01-01");
    let needs = |agenda: &Value| agenda["doses"][0]["needs"].clone();
    assert_eq!(
        needs(&status(&home.file(), "2025-01-01")),
        serde_json::json!(["height", "weight", "Creatinine clearance", "DPYD activity score"])
    );
    home.record(&[
        "enrolment",
        "--date",
        "2024-12-20",
        "birth=1961-03-09",
        "sex=female",
        "height=168cm",
        "weight=71kg",
        "creatinine=0.8",
        "dpyd=2",
    ]);
    let agenda = status(&home.file(), "2025-01-01");
    assert_eq!(needs(&agenda), serde_json::json!([]));
    // 750 mg/m2 at 1.80 m2 (Du Bois) are 1352 mg: 2 x 500 + 2 x 150 = 1300, or 3 x 500 = 1500, ...
    let intake = &agenda["doses"][0]["intake"];
    assert!((intake["target_mg"].as_f64().expect("mg") - 1352.0).abs() < 3.0, "{intake}");
    assert!(intake["deviation_percent"].as_f64().expect("percent").abs() <= 10.0);
    assert!(agenda["doses"][0]["lines"].as_array().expect("lines").len() >= 5);
}

#[test]
fn a_correction_stands_in_place_and_erases_nothing() {
    let home = Home::begun("2025-01-01");
    let said = home.record(&["labs", "--date", "2025-01-10", "platelets=92"]);
    let id = said.split_whitespace().nth(1).expect("an identifier").to_owned();
    home.record(&["correction", &id, "--why", "read the wrong line", "labs", "platelets=192"]);
    let agenda = status(&home.file(), "2025-01-12");
    assert_eq!(agenda["values"][0]["value"], 192.0);
    let history = course(&["history", &home.file()]);
    assert!(history.contains("platelets 92 [corrected later]"), "{history}");
    assert!(history.contains("(read the wrong line)"), "{history}");
    // As it was known before anything was recorded.
    let then = ["--as-of", "2025-01-11T00:00:00Z", "--on", "2025-01-12"];
    let known = refused(&[&["status", &home.file()][..], &then].concat());
    assert!(known.contains("no event says"), "{known}");
}

#[test]
fn two_values_for_one_time_hold_the_gate() {
    let home = Home::begun("2025-01-01");
    home.record(&["labs", "--date", "2025-01-28", "platelets=120", "anc=2.0", "bilirubin=0.8"]);
    let said = home.record(&["labs", "--date", "2025-01-28", "platelets=90"]);
    assert!(said.contains("conflict"), "{said}");
    let agenda = status(&home.file(), "2025-01-29");
    assert_eq!(gate(&agenda, "next-cycle")["status"], "hold");
    let run = hepatica()
        .args(["course", "status", &home.file(), "--on", "2025-01-29", "--check"])
        .output();
    assert_eq!(run.expect("runs").status.code(), Some(2));
}

#[test]
fn what_cannot_be_is_asked_back_in_one_sentence() {
    let home = Home::begun("2025-01-01");
    home.record(&["enrolment", "--date", "2024-12-20", "birth=1961-03-09"]);
    let on = ["--date", "2025-01-10"];
    let with = |args: &[&'static str]| home.refuses(&[args, &on[..]].concat());
    let error = with(&["labs", "platelets=92000"]);
    assert!(error.contains("impossible") && error.contains("92000/uL"), "{error}");
    let error = with(&["labs", "platelet=92"]);
    assert!(error.contains("did you mean `platelets`?"), "{error}");
    let error = with(&["labs", "platelets=92mg/dL"]);
    assert!(error.contains("does not fit"), "{error}");
    let error = with(&["labs", "platelets=NaN"]);
    assert!(error.contains("not finite"), "{error}");
    let error = with(&["labs", "platelets"]);
    assert!(error.contains("expected KEY=VALUE"), "{error}");
    let error = with(&["doses", "capecitabin=taken"]);
    assert!(error.contains("did you mean `capecitabine`?"), "{error}");
    let error = with(&["toxicity", "diarrhea=7"]);
    assert!(error.contains('7'), "{error}");
    let error = with(&["session", "--activity", "1.8"]);
    assert!(error.contains("with its unit"), "{error}");
    let error = with(&["correction", "ffffffff", "--why", "x", "--never"]);
    assert!(error.contains("no event ffffffff"), "{error}");
    let day = |date: &str| home.refuses(&["labs", "platelets=92", "--date", date]);
    assert!(day("2025-02-30").contains("expected a date written YYYY-MM-DD"));
    assert!(day("1950-01-01").contains("before the patient was born"));
    assert!(day("2999-01-01").contains("still to come"));
    assert!(home.refuses(&["labs", "platelets=92"]).contains("--date"));
}

#[test]
fn a_course_that_was_changed_is_found_and_where() {
    let home = Home::begun("2025-01-01");
    home.record(&["labs", "--date", "2025-01-10", "platelets=92"]);
    let text = fs::read_to_string(home.path()).expect("the course");
    fs::write(home.path(), text.replace("\"platelets\":92.0", "\"platelets\":192.0"))
        .expect("written");
    let error = refused(&["status", &home.file()]);
    assert!(error.contains("P001.course, line 2: changed after it was recorded"), "{error}");
    fs::write(home.path(), &text[..text.len() - 9]).expect("written");
    assert!(refused(&["status", &home.file()]).contains("line 2: cut off"));
    fs::write(home.path(), "").expect("written");
    assert!(refused(&["status", &home.file()]).contains("does not begin"));
}

#[test]
fn a_protocol_that_changed_under_a_course_is_said_and_not_followed() {
    let home = tempfile::tempdir().expect("a folder");
    let own = home.path().join("own.toml");
    let text = include_str!("../../../protocols/captem.toml");
    fs::write(
        &own,
        text.replace("version = \"1\"", "version = \"0\"").replace("limit = 100.0", "limit = 75.0"),
    )
    .expect("written");
    let file = home.path().join("P.course").to_string_lossy().into_owned();
    let own = own.to_string_lossy().into_owned();
    course(&[
        "new",
        "--protocol",
        &own,
        "--patient",
        "P",
        "--c1d1",
        "2025-01-01",
        "--out",
        &file,
        "--quiet",
    ]);
    let said = course(&["status", &file, "--on", "2025-01-02"]);
    assert!(said.contains("has changed since the course began (version 0 then, 1 now"), "{said}");
    course(&["record", &file, "labs", "--date", "2025-01-28", "platelets=80", "anc=2"]);
    assert_eq!(obligation(&status(&file, "2025-01-29"), "c2")["status"], "done");
    let changes = course(&["migrate", &file, "--protocol", "captem", "--why", "amendment 1"]);
    assert!(changes.contains("75.0, now 100.0"), "{changes}");
    assert_eq!(obligation(&status(&file, "2025-01-29"), "c2")["status"], "held");
}

#[test]
fn an_identifier_is_asked_for_and_never_a_name() {
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("x.course").to_string_lossy().into_owned();
    let new = |patient: &str, c1d1: &str, protocol: &str| {
        let error = refused(&[
            "new",
            "--protocol",
            protocol,
            "--patient",
            patient,
            "--c1d1",
            c1d1,
            "--out",
            &out,
        ]);
        assert!(!Path::new(&out).exists(), "nothing is written");
        error
    };
    assert!(new("Jane Doe", "2025-01-01", "captemy90").contains("never a name"));
    assert!(new("P1", "2025-02-30", "captemy90").contains("expected a date"));
    assert!(new("P1", "2025-01-01", "captem-y90").contains("there are: captemy90"));
}

#[test]
fn protocols_are_listed_shown_checked_and_compared() {
    let run = |args: &[&str]| {
        let run = hepatica().arg("protocol").args(args).output().expect("runs");
        (run.status.code(), String::from_utf8(run.stdout).expect("UTF-8"))
    };
    let (_, list) = run(&["list"]);
    for id in ["captemy90", "captem", "radioembolization", "capecitabine-tare", "mfolfox6"] {
        assert!(list.contains(id), "{list}");
        let (code, said) = run(&["check", id]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (_, shown) = run(&["show", "captemy90"]);
    assert!(
        shown.contains("C3D7 or C4D7") && shown.contains("else wait 7 days, at most 4 times"),
        "{shown}"
    );
    let (_, json) = run(&["show", "captemy90", "--json"]);
    let protocol: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(protocol["cycle"]["days"], 28);
    let (_, differences) = run(&["diff", "captem", "captemy90"]);
    assert!(differences.contains("at_most"), "{differences}");
    let home = tempfile::tempdir().expect("a folder");
    let bad = home.path().join("bad.toml");
    let text = include_str!("../../../protocols/captemy90.toml");
    fs::write(&bad, text.replace("least_days = 28", "least_days = 300")).expect("written");
    let (code, said) = run(&["check", &bad.to_string_lossy()]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn first_days_are_proposed_with_reasons() {
    let said = course(&[
        "propose-start",
        "--protocol",
        "captemy90",
        "--site",
        "example",
        "--from",
        "2026-12-01",
        "--to",
        "2027-01-31",
    ]);
    assert!(said.contains("1. C1D1") && said.contains("spheres ordered by"), "{said}");
    let json = course(&[
        "propose-start",
        "--protocol",
        "captemy90",
        "--site",
        "example",
        "--from",
        "2026-12-01",
        "--to",
        "2027-01-31",
        "--json",
    ]);
    let all: Value = serde_json::from_str(&json).expect("JSON");
    // A Monday start puts day 7 of cycle 2 on a Sunday.
    let monday = all.as_array().expect("a list").iter().find(|p| p["c1d1"] == "2026-12-07");
    assert_eq!(monday.expect("looked at")["possible"], false);
}

#[test]
fn plan_and_course_meet() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let (case, out, file) = (at("case"), at("out"), at("P.course"));
    hepatica().args(["phantom", &case, "--size", "small", "--quiet"]).assert().success();
    course(&[
        "new",
        "--protocol",
        "captemy90",
        "--variant",
        "g3-2024",
        "--patient",
        "PHANTOM",
        "--c1d1",
        "2025-12-03",
        "--out",
        &file,
        "--quiet",
    ]);
    // Cycle 1 began a week late, and platelets were low when last looked at.
    let record = |args: &[&str]| course(&[&["record", &file][..], args, &["--quiet"]].concat());
    record(&["doses", "--date", "2025-12-10", "--until", "2025-12-23", "capecitabine=taken"]);
    record(&["labs", "--date", "2025-12-21", "platelets=80", "bilirubin=0.6"]);
    let run = |more: &[&str]| {
        let args =
            [&["plan", &case, "--out", &out, "--course", &file, "--quiet"][..], more].concat();
        hepatica().args(args).output().expect("runs")
    };
    assert_eq!(run(&[]).status.code(), Some(2), "platelets hold the gate");
    let text = fs::read_to_string(home.path().join("out/plan.json")).expect("a plan");
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(plan["sessions"][0]["date"], "2026-01-13");
    assert_eq!(
        (&plan["gates"][0]["id"], &plan["gates"][0]["status"]),
        (&"simulation-safe".into(), &"hold".into())
    );
    assert!(plan["inputs"].as_array().expect("inputs").iter().any(|i| i["role"] == "course"));
    // And back: the plan's measures pass through the protocol's gate, with their intervals.
    record(&["simulation", &out, "--date", "2025-12-22"]);
    record(&["labs", "--date", "2025-12-23", "platelets=140"]);
    let agenda = status(&file, "2025-12-24");
    let safe = gate(&agenda, "simulation-safe");
    let shunt =
        safe["criteria"].as_array().expect("criteria").iter().find(|c| c["id"] == "lung_shunt");
    let shunt = shunt.expect("the lung shunt");
    assert!((shunt["value"].as_f64().expect("percent") - 6.0).abs() < 1.0, "{shunt}");
    assert!(shunt["interval"].is_array(), "{shunt}");
    // Dates are the course's: they cannot be said twice; and a plan is of one patient.
    let error = String::from_utf8(run(&["--c1d1", "2025-12-03"]).stderr).expect("UTF-8");
    assert!(error.contains("the course says so"), "{error}");
    let other = at("Q.course");
    course(&[
        "new",
        "--protocol",
        "captemy90",
        "--patient",
        "Q",
        "--c1d1",
        "2025-12-03",
        "--out",
        &other,
        "--quiet",
    ]);
    let error = refused(&["record", &other, "simulation", &out, "--date", "2025-12-22"]);
    assert!(error.contains("a plan of patient PHANTOM, but this is the course of Q"), "{error}");
}
