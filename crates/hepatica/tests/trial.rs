//! A trial as a person runs it: what is printed, what is written, how it ends.

#[path = "../../analysis/tests/made/mod.rs"]
mod made;

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn hepatica(args: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("hepatica").expect("the program is built");
    command.args(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs `hepatica trial ...`, which must end with this code: what it prints.
fn trial(args: &[&str], code: i32) -> String {
    let run = hepatica(&[&["trial"], args].concat());
    assert_eq!(run.status.code(), Some(code), "{args:?}: {}", text(&run.stderr));
    assert!(!text(&run.stdout).contains('\u{1b}'), "no colours in a pipe");
    text(&run.stdout)
}

/// Runs `hepatica trial ...`, which must be refused: its one sentence.
fn refused(args: &[&str]) -> String {
    let run = hepatica(&[&["trial"], args].concat());
    assert_eq!(run.status.code(), Some(1), "{args:?}: {}", text(&run.stdout));
    let error = text(&run.stderr);
    assert!(error.starts_with("error: ") && error.trim_end().lines().count() == 1, "{error}");
    assert!(!error.contains("panicked") && run.stdout.is_empty(), "{error}");
    error
}

struct Home(TempDir);

impl Home {
    /// A made-up trial in a folder.
    fn of(patients: usize, arms: usize) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        made::write(&made::trial(patients, arms, 7), &home.path("data"));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Changes a table.
    fn change(&self, file: &str, change: impl Fn(&str) -> String) {
        let path = self.path("data").join(file);
        let before = fs::read_to_string(&path).expect("a table");
        fs::write(&path, change(&before)).expect("written");
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn follows(value: &Value, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(schema);
    let schema = json(&fs::read_to_string(path).expect("published"));
    jsonschema::validate(&schema, value).expect("follows the schema");
}

#[test]
fn a_trial_is_monitored() {
    let home = Home::of(30, 1);
    let data = home.at("data");
    let said = trial(
        &[
            "monitor",
            &data,
            "--protocol",
            "captemy90",
            "--plan-patients",
            "50",
            "--plan-months",
            "36",
        ],
        0,
    );
    for words in [
        "assumed",
        "Go on: ",
        "evaluable patients",
        "next looks stop at",
        "Feasibility",
        "Response so far",
        "planned until the cut",
        "Research use only",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let answer = json(&trial(&["monitor", &data, "--json"], 0));
    follows(&answer, "monitor.schema.json");
    let evaluable = answer["stopping"]["evaluable"].as_u64().expect("a number");
    assert!(evaluable >= 25 && answer["accrual"]["enrolled"] == 30, "{evaluable}");
    let settings = answer["settings"].as_array().expect("settings");
    let assumed = |name: &str| settings.iter().any(|s| s["name"] == name && s["from"] == "assumed");
    assert!(assumed("protocol") && assumed("stopping limit (rate of events)"));
    // The same twice.
    assert_eq!(answer, json(&trial(&["monitor", &data, "--json"], 0)));
}

#[test]
fn a_boundary_that_is_crossed_is_another_exit_code() {
    let home = Home::of(30, 1);
    let (data, figure) = (home.at("data"), home.at("boundary.svg"));
    let args =
        ["monitor", &data, "--event-grade", "1", "--event-grade-blood", "1", "--figure", &figure];
    let said = trial(&args, 2);
    assert!(said.contains("The boundary is crossed: "), "{said}");
    assert!(fs::read_to_string(&figure).expect("drawn").contains("</svg>"));
    let said = trial(&["monitor", &data, "--limit", "0.05", "--prior", "1,9", "--json"], 2);
    assert_eq!(json(&said)["stopping"]["standing"], "crossed");
}

#[test]
fn a_trial_is_analysed_into_a_folder_that_is_whole() {
    let home = Home::of(34, 1);
    for (file, plan) in made::plans(34, 7) {
        let folder = home.path("plans");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(file), plan).expect("written");
    }
    let (data, out, plans) = (home.at("data"), home.at("out"), home.at("plans"));
    let args = ["analyze", &data, "--out", &out, "--plans", &plans];
    let said = trial(&args, 0);
    assert!(said.contains("response, liver: ") && said.contains("written"), "{said}");
    let read = |name: &str| fs::read(home.path("out").join(name)).expect(name);
    let answer = json(&text(&read("analysis.json")));
    follows(&answer, "analysis.schema.json");
    assert!(read("report.pdf").starts_with(b"%PDF"));
    for figure in [
        "response",
        "waterfall_liver",
        "spider_liver",
        "swimmer",
        "km_hpfs",
        "km_pfs",
        "km_os",
        "competing",
        "between_scans",
        "toxicity",
        "dose_response",
        "dose_response_halves",
    ] {
        let svg = text(&read(&format!("figures/{figure}.svg")));
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{figure}");
        let table = text(&read(&format!("figures/{figure}.csv")));
        assert!(table.lines().count() > 1 && !table.contains("NaN"), "{figure}: {table}");
    }
    // Every share of patients has its interval.
    fn shares(value: &Value, found: &mut usize) {
        match value {
            Value::Object(map) => {
                if let (Some(count), Some(of)) = (map.get("count"), map.get("of")) {
                    *found += 1;
                    assert!(count.as_u64() <= of.as_u64(), "{value}");
                    assert_eq!(map["interval"].is_array(), of != 0, "{value}");
                }
                map.values().for_each(|v| shares(v, found));
            }
            Value::Array(all) => all.iter().for_each(|v| shares(v, found)),
            _ => {}
        }
    }
    let mut found = 0;
    shares(&answer, &mut found);
    assert!(found > 30, "{found}");
    // Once more into the same folder gives the same bytes.
    let before = (read("analysis.json"), read("report.pdf"), read("figures/swimmer.svg"));
    trial(&args, 0);
    assert!(before == (read("analysis.json"), read("report.pdf"), read("figures/swimmer.svg")));
}

#[test]
fn two_arms_and_pictures_as_png() {
    let home = Home::of(24, 2);
    let (data, out) = (home.at("data"), home.at("out"));
    trial(&["analyze", &data, "--out", &out, "--figures", "png"], 0);
    let png = fs::read(home.path("out/figures/hazard_ratios.png")).expect("drawn");
    assert!(png.starts_with(b"\x89PNG"));
    assert!(!home.path("out/figures/hazard_ratios.svg").exists());
}

#[test]
fn bad_input_is_one_sentence_and_nothing_is_written() {
    let (one, many) = (Home::of(4, 1), Home::of(4, 1));
    let out = one.at("out");
    let refuse = |home: &Home| {
        let error = refused(&["analyze", &home.at("data"), "--out", &out]);
        assert_eq!(refused(&["monitor", &home.at("data")]), error);
        assert!(!Path::new(&out).exists(), "nothing is half-written");
        let left = fs::read_dir(one.0.path()).expect("a folder").flatten();
        assert_eq!(left.count(), 1, "nothing is left over");
        error
    };
    one.change("adtte.csv", |t| t.replace("MADE-UP-P002,", "MADE-UP-P099,"));
    assert!(refuse(&one).contains("is not in adsl.csv"));
    many.change("adsl.csv", |t| t.replace("TRTSDT", "TRSTDT"));
    let error = refuse(&many);
    assert!(error.contains("unknown column TRSTDT; did you mean TRTSDT?"), "{error}");
    let empty = tempfile::tempdir().expect("a folder");
    let path = empty.path().to_string_lossy().into_owned();
    assert!(refused(&["monitor", &path]).contains("holds no adsl.csv and no .course file"));
    assert!(refused(&["monitor", "/nowhere/at/all"]).contains("cannot be read"));
    let file = one.at("data/adsl.csv");
    assert!(refused(&["monitor", &file]).contains("is a file, expected a folder"));
    let good = Home::of(4, 1);
    let data = good.at("data");
    assert!(
        refused(&["monitor", &data, "--limit", "1.5"]).contains("limit of the stopping rule = 1.5")
    );
    assert!(refused(&["monitor", &data, "--level", "95"]).contains("level 95"));
    let error = refused(&["monitor", &data, "--on", "2027-01-01"]);
    assert!(error.contains("expected a day until the data cut, 2027-01-01 (--on)"), "{error}");
    let error = refused(&["monitor", &data, "--not-counted", "lymphocyte count decresed"]);
    assert!(error.contains("did you mean"), "{error}");
    let error = refused(&["monitor", &data, "--ctcae", "6"]);
    assert!(error.contains("the versions grade the same value differently"), "{error}");
    // A folder of somebody else is not written over.
    fs::create_dir(good.path("out")).expect("a folder");
    fs::write(good.path("out/thesis.tex"), "years of work").expect("written");
    let error = refused(&["analyze", &data, "--out", &good.at("out")]);
    assert!(error.contains("thesis.tex"), "{error}");
}

#[test]
fn courses_and_the_tables_made_of_them_say_the_same() {
    let home = Home(tempfile::tempdir().expect("a folder"));
    fs::create_dir_all(home.path("courses/North")).expect("a folder");
    let run = |args: &[&str]| {
        let run = hepatica(&[&["course"], args].concat());
        assert!(run.status.success(), "{args:?}: {}", text(&run.stderr));
    };
    let mut files = Vec::new();
    for (name, grade) in [("P001", "3"), ("P002", "1")] {
        let file = home.at(&format!("courses/North/{name}.course"));
        run(&[
            "new",
            "--protocol",
            "captemy90",
            "--variant",
            "g3-2024",
            "--patient",
            name,
            "--c1d1",
            "2024-12-04",
            "--out",
            &file,
            "--quiet",
        ]);
        run(&["record", &file, "enrolment", "--date", "2024-11-28", "height=170", "weight=70"]);
        run(&[
            "record",
            &file,
            "doses",
            "--date",
            "2024-12-04",
            "--until",
            "2024-12-17",
            "capecitabine=taken",
        ]);
        run(&["record", &file, "toxicity", "--date", "2024-12-09", &format!("diarrhoea={grade}")]);
        run(&["record", &file, "labs", "--date", "2025-01-06", "platelets=92", "anc=1.8"]);
        files.push(file);
    }
    let tables = home.at("tables");
    let mut export = vec!["export"];
    export.extend(files.iter().map(String::as_str));
    export.extend(["--format", "csv", "--site", "North", "--on", "2025-06-30", "--out", &tables]);
    run(&export);
    let monitored = |data: &str| {
        let mut answer = json(&trial(
            &["monitor", data, "--protocol", "captemy90", "--on", "2025-06-30", "--json"],
            0,
        ));
        for key in ["due", "source", "notes"] {
            answer.as_object_mut().expect("an object").remove(key);
        }
        answer
    };
    let (courses, tables) = (monitored(&home.at("courses")), monitored(&tables));
    assert_eq!(courses, tables);
    assert_eq!(courses["stopping"]["events"]["count"], 1);
    assert_eq!(courses["accrual"]["centres"][0]["centre"], "North");
    // Both kinds of data in one folder: which of them?
    fs::copy(home.path("tables/adsl.csv"), home.path("courses/adsl.csv")).expect("copied");
    assert!(refused(&["monitor", &home.at("courses")]).contains("expected one of them"));
}

#[test]
fn help_has_examples() {
    for args in
        [&["trial", "--help"][..], &["trial", "monitor", "--help"], &["trial", "analyze", "--help"]]
    {
        let run = hepatica(args);
        let help = text(&run.stdout);
        assert!(run.status.success() && help.contains("Examples:"), "{help}");
    }
}
