//! `hepatica trial simulate|compare|timing|design|calibrate` as processes.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn hepatica() -> Command {
    Command::cargo_bin("hepatica").expect("the program")
}

fn run(args: &[&str], folder: &Path) -> (i32, String, String) {
    let done = hepatica().args(args).current_dir(folder).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn number(results: &Value, arm: usize, id: &str) -> Value {
    let numbers = results["results"]["arms"][arm]["numbers"].as_array().expect("numbers");
    numbers.iter().find(|n| n["id"] == id).unwrap_or_else(|| panic!("{id}")).clone()
}

#[test]
fn a_simulation_writes_everything_and_is_the_same_twice() {
    let folder = TempDir::new().expect("a folder");
    let args = [
        "trial",
        "simulate",
        "captemy90",
        "--patients",
        "600",
        "--draws",
        "6",
        "--seed",
        "7",
        "--out",
    ];
    let (code, said, error) = run(&[&args[..], &["sim"]].concat(), folder.path());
    assert_eq!(code, 0, "{error}");
    // Nobody chose a dose variant: it is said which was taken.
    assert!(said.contains("taken is the first, pilot-2018"), "{said}");
    assert!(said.contains("Not identifiable"), "{said}");
    let sim = folder.path().join("sim");
    let report = fs::read(sim.join("report.pdf")).expect("a report");
    assert!(report.starts_with(b"%PDF"));
    let rows = fs::read(sim.join("patients/patients-000000.parquet")).expect("rows");
    assert!(rows.starts_with(b"PAR1") && rows.ends_with(b"PAR1"));
    let results = json(&sim.join("simulation.json"));
    let response = number(&results, 0, "response_liver");
    let value = response["value"].as_f64().expect("a value");
    assert!((0.3..1.0).contains(&value), "{value}");
    assert!(response["interval"].is_array() && response["monte_carlo_se"].is_number());
    assert!(!folder.path().join(".sim.unfinished").exists());
    let again = run(&[&args[..], &["again"]].concat(), folder.path());
    assert_eq!(again.0, 0, "{}", again.2);
    for name in
        ["simulation.json", "report.pdf", "patients/patients-000000.parquet", "figures/pfs.png"]
    {
        let [a, b] =
            ["sim", "again"].map(|f| fs::read(folder.path().join(f).join(name)).expect(name));
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn an_interrupted_run_goes_on() {
    let folder = TempDir::new().expect("a folder");
    let args = [
        "trial",
        "simulate",
        "tare",
        "--patients",
        "400",
        "--draws",
        "20",
        "--no-rows",
        "--out",
        "sim",
    ];
    let (code, _, error) = run(&args, folder.path());
    assert_eq!(code, 0, "{error}");
    let whole = fs::read(folder.path().join("sim/simulation.json")).expect("a file");
    // As if it had been broken off after the first ten draws, whose counts say otherwise than they did.
    fs::remove_dir_all(folder.path().join("sim")).expect("removed");
    let kept = folder.path().join(".sim.unfinished");
    fs::create_dir(&kept).expect("a folder");
    fs::write(kept.join("of"), "another run").expect("written");
    fs::write(kept.join("counts-000000.csv"), "draw,half,place,count\n0,0,0,1\n").expect("written");
    let (code, _, error) = run(&args, folder.path());
    assert_eq!(code, 0, "{error}");
    let again = fs::read(folder.path().join("sim/simulation.json")).expect("a file");
    assert!(whole == again, "what another run left was taken");
}

#[test]
fn a_comparison_shows_the_nulls_and_the_pilot() {
    let folder = TempDir::new().expect("a folder");
    let (code, said, error) = run(
        &[
            "trial",
            "compare",
            "captem",
            "tare",
            "captemy90@pilot-2018",
            "--setting",
            "pilot",
            "--patients",
            "2000",
            "--draws",
            "10",
            "--no-rows",
            "--out",
            "compare",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
    for word in ["Bliss", "Law, Loewe", "Frei", "the pilot (held out)", "no sensitiser"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let results = json(&folder.path().join("compare/simulation.json"));
    let arms = results["results"]["arms"].as_array().expect("arms");
    assert_eq!(arms.len(), 7);
    let response =
        |arm| number(&results, arm, "response_liver")["value"].as_f64().expect("a value");
    assert!(response(2) > response(0) && response(2) > response(1), "both beat either");
    assert!(response(2) >= response(3), "a sensitiser does not harm");
    assert!(response(6) < 0.1, "nobody responds to nothing");
    let nulls = results["results"]["nulls"].as_array().expect("nulls");
    let beats = nulls.iter().any(|n| n["beats_all"] == true);
    assert!(beats || !said.contains(": synergy,"), "the word is used only where all are beaten");
}

#[test]
fn timing_says_that_the_optimum_is_flat() {
    let folder = TempDir::new().expect("a folder");
    let (code, said, error) = run(
        &[
            "trial",
            "timing",
            "captemy90",
            "--days",
            "1..=14",
            "--patients",
            "300",
            "--draws",
            "3",
            "--out",
            "timing",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("weekdays, blood counts and travel"), "{said}");
    let timing = json(&folder.path().join("timing/timing.json"));
    let days = timing["days"].as_array().expect("days");
    assert_eq!(days.len(), 14 * 4);
    let day7 = days.iter().find(|d| d["day"] == 7).expect("day 7");
    let share = day7["overlap"]["temozolomide"].as_f64().expect("a share");
    assert!((share - 0.380).abs() < 0.002, "{share}");
}

#[test]
fn a_design_says_what_else_would_win() {
    let folder = TempDir::new().expect("a folder");
    let (code, said, error) = run(
        &[
            "trial",
            "design",
            "--endpoint",
            "hepatic-pfs",
            "--null",
            "12.2",
            "--alternative",
            "18",
            "--alpha",
            "0.05",
            "--power",
            "0.8",
            "--draws",
            "4",
            "--trials",
            "4",
            "--no-marrow",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
    // Wu 2015 with the exact variance; the approximation of Finkelstein would ask for a few more.
    assert!(said.contains("one-sample log-rank: 48 patients"), "{said}");
    for word in ["What else would also win", "captem ", "tare ", "no sensitiser", "would not show"]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    let (code, said, error) = run(
        &[
            "trial",
            "design",
            "--endpoint",
            "response",
            "--null",
            "0.3",
            "--alternative",
            "0.5",
            "--alpha",
            "0.05",
            "--power",
            "0.8",
            "--trials",
            "0",
            "--json",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
    let design: Value = serde_json::from_str(&said).expect("JSON");
    // Simon 1989, table: 0.3 against 0.5, 0.05 and 0.20: optimal 5/15 18/46, minimax 6/19 16/39.
    let named = |name: &str| {
        let all = design["designs"].as_array().expect("designs");
        all.iter().find(|d| d["name"] == name).expect("a design")["design"].clone()
    };
    let optimal = named("Simon, fewest expected");
    assert_eq!(
        (&optimal["r1"], &optimal["n1"], &optimal["r"], &optimal["n"]),
        (&5.into(), &15.into(), &18.into(), &46.into())
    );
    let smallest = named("Simon, smallest");
    assert_eq!((&smallest["n1"], &smallest["n"]), (&19.into(), &39.into()));
}

#[test]
fn a_small_calibration_makes_a_posterior_that_is_read() {
    let folder = TempDir::new().expect("a folder");
    let (code, said, error) = run(
        &[
            "trial",
            "calibrate",
            "--particles",
            "40",
            "--moves",
            "1",
            "--patients",
            "40",
            "--out",
            "calibration",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("not told apart"), "{said}");
    let (code, _, error) = run(
        &[
            "trial",
            "simulate",
            "captem",
            "--parameters",
            "calibration/posterior.csv",
            "--patients",
            "80",
            "--draws",
            "4",
            "--json",
        ],
        folder.path(),
    );
    assert_eq!(code, 0, "{error}");
}

#[test]
fn bad_input_gets_one_sentence_and_nothing_is_written() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path();
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../populations/net-liver.toml"
    ))
    .expect("the population");
    fs::write(path.join("typo.toml"), text.replace("alpha_median", "alpha_medain"))
        .expect("written");
    fs::write(path.join("range.toml"), text.replace("{ fixed = 0.8 }", "{ fixed = 80.0 }"))
        .expect("written");
    let targets = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../populations/net-liver.targets.toml"
    ))
    .expect("the targets");
    fs::write(path.join("targets.toml"), targets.replace("\"response_all\"", "\"respones_all\""))
        .expect("written");
    let captem =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocols/captem.toml"))
            .expect("a protocol");
    let (before, gate) = captem.split_once("[[gate]]").expect("a gate");
    let (_, after) = gate.split_once("[[modification]]").expect("a modification");
    fs::write(path.join("no-gate.toml"), format!("{before}[[modification]]{after}"))
        .expect("written");
    for (args, expected) in [
        (vec!["simulate", "captemy91", "--out", "o"], "no protocol is named `captemy91`"),
        (vec!["simulate", "captemy90@none", "--out", "o"], "no dose variant `none`"),
        (vec!["simulate", "mfolfox6", "--out", "o"], "no notion of the drug"),
        (vec!["simulate", "no-gate.toml", "--out", "o"], "no gate stands before its cycles"),
        (vec!["simulate", "captem"], "nowhere to write"),
        (vec!["simulate", "captem", "--out", "o", "--patients", "0"], "patients = 0"),
        (
            vec!["simulate", "captem", "--out", "o", "--setting", "moon"],
            "no setting is named `moon`",
        ),
        (vec!["simulate", "captem", "--out", "o", "--nuclide", "90X"], "no nuclide is named `90X`"),
        (vec!["simulate", "captem", "--out", "o", "--years", "99"], "expected 0.1 to 10"),
        (vec!["simulate", "captem", "--out", "o", "--sensitisers", "2,0"], "two numbers of 0 to 1"),
        (
            vec![
                "simulate",
                "captem",
                "--out",
                "o",
                "--population",
                "typo.toml",
                "--parameters",
                "prior",
            ],
            "nearest: alpha_median",
        ),
        (
            vec![
                "simulate",
                "captem",
                "--out",
                "o",
                "--population",
                "range.toml",
                "--parameters",
                "prior",
            ],
            "expected 0.05 to 2",
        ),
        (
            vec!["simulate", "captem", "--out", "o", "--parameters", "no.csv"],
            "no file that can be read",
        ),
        (vec!["compare", "captem", "captem", "captemy90", "--out", "o"], "named twice"),
        (vec!["timing", "captem", "--out", "o"], "no radioembolization"),
        (
            vec!["timing", "captemy90", "--days", "0..40", "--out", "o"],
            "expected days of the cycle, 1 to 28",
        ),
        (
            vec!["design", "--endpoint", "hepatic-pfs", "--null", "18", "--alternative", "12"],
            "must be below",
        ),
        (
            vec![
                "design",
                "--endpoint",
                "response",
                "--null",
                "0.3",
                "--alternative",
                "0.5",
                "--alpha",
                "0",
            ],
            "alpha is 0",
        ),
        (
            vec![
                "design",
                "--endpoint",
                "response",
                "--null",
                "0.50",
                "--alternative",
                "0.51",
                "--at-most",
                "50",
            ],
            "50",
        ),
        (vec!["calibrate", "--targets", "targets.toml", "--out", "o"], "respones_all"),
        (vec!["calibrate", "--particles", "3", "--out", "o"], "3 particles"),
    ] {
        let (code, said, error) = run(&[&["trial"][..], &args].concat(), path);
        assert_eq!(code, 1, "{args:?}: {said}{error}");
        assert!(error.contains(expected), "{args:?}: {error}");
        assert_eq!(error.trim().lines().count(), 1, "{args:?}: {error}");
        assert!(!path.join("o").exists(), "{args:?}");
    }
}
