//! The program as a person runs it: what it prints, what it writes, how it ends.

use assert_cmd::Command;
use hepatica_imaging::dicom::write::{Context, ct};
use hepatica_imaging::{Grid, Image};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The small phantom, made once for all tests of this file.
fn phantom() -> &'static Path {
    static CASE: OnceLock<TempDir> = OnceLock::new();
    CASE.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        hepatica()
            .args(["phantom", "--size", "small", "--quiet"])
            .arg(home.path().join("case"))
            .assert()
            .success();
        home
    })
    .path()
}

fn hepatica() -> Command {
    Command::cargo_bin("hepatica").expect("the program is built")
}

/// A copy of the phantom's case, to be spoiled.
fn case() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a folder");
    let to = home.path().join("case");
    copy(&phantom().join("case"), &to);
    (home, to)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn edit(case: &Path, from: &str, to: &str) {
    let path = case.join("case.toml");
    let text = fs::read_to_string(&path).expect("case.toml");
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("case.toml");
}

/// Runs a plan that must end with an error: its sentence. Nothing may be left behind.
fn refused(case: &Path, more: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("out");
    let run =
        hepatica().arg("plan").arg(case).arg("--out").arg(&out).args(more).output().expect("runs");
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(
        fs::read_dir(home.path()).expect("a folder").count(),
        0,
        "something was left behind"
    );
    let text = String::from_utf8(run.stderr).expect("UTF-8");
    assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn plan_json(case: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let run = hepatica().arg("plan").arg(case).arg("--json").args(more).output().expect("runs");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    let plan = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {error}"));
    (run.status.code(), plan)
}

// ---- the main job ------------------------------------------------------------------------------

#[test]
fn a_plan_is_written_whole_and_follows_its_schema() {
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("out");
    let case = phantom().join("case");
    let run = hepatica().arg("plan").arg(&case).arg("--out").arg(&out).output().expect("runs");
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stdout));
    for name in [
        "plan.json",
        "report.pdf",
        "dose.dcm",
        "dicom/segments.dcm",
        "dicom/structures.dcm",
        "dicom/measures.dcm",
        "dicom/report.dcm",
        "dose_per_gbq.nii.gz",
        "dvh.csv",
        "calendar.ics",
        "figures/dvh.png",
        "figures/dose_T1.png",
    ] {
        assert!(out.join(name).metadata().is_ok_and(|m| m.len() > 100), "{name}");
    }
    assert!(fs::read(out.join("report.pdf")).expect("a file").starts_with(b"%PDF"));
    let text = fs::read_to_string(out.join("plan.json")).expect("a file");
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/plan.schema.json");
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(schema).expect("published")).expect("JSON");
    jsonschema::validate(&schema, &plan).expect("follows the schema");
    assert_eq!(plan["sessions"][0]["date"], "2027-01-05");
    assert_eq!(plan["sessions"][1]["date"], "2027-02-02");
    assert_eq!(plan["sessions"][1]["alternatives"][0]["date"], "2027-03-02");
    assert_eq!(plan["inputs"].as_array().map(Vec::len), Some(5));

    // Again into the same folder: the same bytes. With other numbers of threads, too.
    let first = fs::read(out.join("report.pdf")).expect("a file");
    for threads in ["1", "7"] {
        hepatica()
            .env("RAYON_NUM_THREADS", threads)
            .arg("plan")
            .arg(&case)
            .arg("--out")
            .arg(&out)
            .arg("--quiet")
            .assert()
            .success();
        assert_eq!(
            fs::read_to_string(out.join("plan.json")).expect("a file"),
            text,
            "{threads} threads"
        );
        assert!(fs::read(out.join("report.pdf")).expect("a file") == first, "{threads} threads");
    }
}

/// What the file holds now beside what it is known to hold. With HEPATICA_BLESS set the known file is
/// written anew: look at the difference before you commit it.
fn golden(name: &str, now: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("HEPATICA_BLESS").is_some() {
        fs::write(&path, now).expect("written");
    }
    fs::read_to_string(path).expect("a known file")
}

#[test]
fn calendar_and_curves_of_the_phantom_are_those_known() {
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("out");
    let case = phantom().join("case");
    hepatica().arg("plan").arg(&case).arg("--out").arg(&out).arg("--quiet").assert().success();

    let calendar = fs::read_to_string(out.join("calendar.ics")).expect("a calendar");
    assert!(calendar.split_inclusive('\n').all(|line| line.ends_with("\r\n")), "RFC 5545, 3.1");
    let calendar = calendar.replace("\r\n", "\n");
    assert_eq!(calendar, golden("calendar.ics", &calendar));

    // A point in twenty-five of each curve; what has four decimals may differ in the last by the
    // machine's functions.
    let table = fs::read_to_string(out.join("dvh.csv")).expect("a table");
    let (head, rows) = table.split_once('\n').expect("a heading");
    let thinned: String = rows.split_inclusive('\n').step_by(25).collect();
    let now = format!("{head}\n{thinned}");
    let known = golden("dvh.csv", &now);
    assert_eq!(now.lines().count(), known.lines().count());
    for (now, known) in now.lines().zip(known.lines()) {
        let ([n, d, v], [kn, kd, kv]) = (cells(now), cells(known));
        let near = |a: &str, b: &str, off: f64| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= off * b.abs().max(1.0),
            _ => a == b,
        };
        assert!(n == kn && near(d, kd, 2e-4) && near(v, kv, 1e-4), "{now}, known {known}");
    }
}

#[test]
fn a_plan_on_structures_that_nobody_drew_waits_until_somebody_accepts_them() {
    let (_home, case) = case();
    fs::remove_file(case.join("structures.dcm")).expect("removed");
    let path = case.join("case.toml");
    let text = fs::read_to_string(&path).expect("case.toml");
    let mut keep = true;
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| {
            if line.starts_with('[') {
                keep = !["[structures]", "[[territory]]"].contains(line);
            }
            keep
        })
        .collect();
    fs::write(&path, kept.join("\n")).expect("written");
    let held = |plan: &Value| {
        let criteria = plan["gates"][0]["criteria"].as_array().expect("criteria").clone();
        criteria.into_iter().find(|c| c["id"] == "structures_accepted").expect("asked")["status"]
            .clone()
    };
    let (code, plan) = plan_json(&case, &[]);
    assert_eq!((code, held(&plan)), (Some(2), "hold".into()));
    assert!(plan["proposed"].as_array().is_some_and(|list| list.len() >= 3));
    let (_, plan) = plan_json(&case, &["--accept-proposed"]);
    assert_eq!(held(&plan), "pass");

    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("out");
    hepatica().arg("plan").arg(&case).arg("--out").arg(&out).arg("--quiet").assert().code(2);
    assert!(out.join("proposed.nii.gz").is_file(), "to be looked at");
}

/// Of a row: what names it, dose, volume.
fn cells(row: &str) -> [&str; 3] {
    let mut cells = row.rsplitn(3, ',');
    let (volume, dose) = (cells.next().expect("a volume"), cells.next().expect("a dose"));
    [cells.next().expect("a name"), dose, volume]
}

#[test]
fn what_is_true_of_the_phantom_is_recovered() {
    let (_, plan) = plan_json(&phantom().join("case"), &["--model", "mird"]);
    let truth: toml::Table = fs::read_to_string(phantom().join("case/truth.toml"))
        .expect("a file")
        .parse()
        .expect("TOML");
    let number = |v: &toml::Value| v.as_float().expect("a number");
    let found = |v: &Value| v.as_f64().expect("a number");
    let near = |what: &str, found: f64, truth: f64, low: f64, high: f64| {
        let ratio = found / truth;
        println!("{what:<28} {found:>9.3} truth {truth:>9.3} ratio {ratio:.3}");
        assert!((low..=high).contains(&ratio), "{what}: {found} truth {truth}");
    };
    near(
        "SPECT lung shunt",
        found(&plan["lung_shunt"]["spect"]["fraction"]),
        number(&truth["lung_shunt"]),
        0.9,
        1.15,
    );
    // Planar views are biased high: the liver is attenuated more than the lungs.
    near(
        "planar lung shunt",
        found(&plan["lung_shunt"]["planar"]["fraction"]),
        number(&truth["lung_shunt"]),
        1.2,
        2.5,
    );
    near(
        "lung mass",
        found(&plan["lung_shunt"]["lung_mass_kg"]),
        number(&truth["lung_mass_kg"]),
        0.95,
        1.06,
    );
    near(
        "liver volume",
        found(&plan["liver"]["volume_ml"]),
        number(&truth["liver_ml"]),
        0.98,
        1.02,
    );
    // Blur carries activity out of tumours into normal liver: the smaller, the more.
    for (n, t) in truth["tumours"].as_array().expect("a list").iter().enumerate() {
        let name = t["name"].as_str().expect("a name");
        let session = if n < 4 { 0 } else { 1 };
        let session = &plan["sessions"][session];
        let gbq = found(&session["prescription"]["activity_gbq"]);
        let list = session["compartments"].as_array().expect("a list");
        let c = list.iter().find(|c| c["name"] == name).expect("a compartment");
        let ml = number(&t["volume_ml"]);
        let low = if ml > 50.0 {
            0.75
        } else if ml > 15.0 {
            0.55
        } else {
            0.35
        };
        near(
            &format!("{name} dose ({ml:.0} mL)"),
            found(&c["dose_gy"]["mean"]) / gbq,
            number(&t["gy_per_gbq"]),
            low,
            1.05,
        );
        let lesion = plan["liver"]["tumours"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|l| l["name"] == name)
            .expect("a lesion");
        near(
            &format!("{name} tumour to normal"),
            found(&lesion["tumour_to_normal"]),
            number(&t["tumour_to_normal"]),
            low * 0.75,
            1.1,
        );
    }
    for (n, z) in truth["territories"].as_array().expect("a list").iter().enumerate() {
        let session = &plan["sessions"][n];
        let gbq = found(&session["prescription"]["activity_gbq"]);
        let list = session["compartments"].as_array().expect("a list");
        let dose = |role: &str| {
            let c = list.iter().find(|c| c["role"] == role).expect("a compartment");
            found(&c["dose_gy"]["mean"]) / gbq
        };
        near("perfused dose", dose("perfused"), number(&z["perfused_gy_per_gbq"]), 0.97, 1.03);
        near(
            "perfused normal liver dose",
            dose("perfused_normal_liver"),
            number(&z["normal_gy_per_gbq"]),
            1.0,
            1.3,
        );
        near(
            "share of the liver's counts",
            found(&session["counts_fraction"]),
            number(&z["fraction_of_liver"]),
            0.93,
            1.07,
        );
    }
}

#[test]
fn engines_grids_and_devices_agree_where_they_should() {
    let case = phantom().join("case");
    let mean = |plan: &Value, role: &str| {
        let list = plan["sessions"][0]["compartments"].as_array().expect("a list").clone();
        let c = list.into_iter().find(|c| c["role"] == role).expect("a compartment");
        c["dose_gy"]["mean"].as_f64().expect("a number")
    };
    let (_, local) = plan_json(&case, &["--model", "mird"]);
    let (_, kernel) = plan_json(&case, &["--model", "mird", "--engine", "kernel"]);
    let (_, fine) = plan_json(&case, &["--model", "mird", "--grid", "ct"]);
    for other in [&kernel, &fine] {
        let ratio = mean(other, "perfused") / mean(&local, "perfused");
        assert!((0.9..1.05).contains(&ratio), "{ratio}");
    }
    assert_eq!(kernel["method"]["engine"], "kernel");
    let (code, resin) = plan_json(&case, &["--device", "resin", "--model", "bsa"]);
    assert_eq!(code, Some(0));
    assert_eq!(resin["gates"][0]["status"], "overridden");
}

#[test]
fn every_number_carries_its_doubt_and_sources_can_be_left_out() {
    let (_home, case) = case();
    let (_, plan) = plan_json(&case, &[]);
    let sources = plan["uncertainty"]["sources"].as_array().expect("sources");
    assert!(sources.iter().all(|s| s["source"].as_str().is_some_and(|t| t.len() > 20)));
    let first = |plan: &Value| plan["sessions"][0]["compartments"][0].clone();
    let width = |c: &Value, measure: &str| {
        let pair = &c["doubt"]["intervals"][measure];
        pair[1].as_f64().expect("a number") - pair[0].as_f64().expect("a number")
    };
    let tumour = first(&plan);
    for measure in ["mean", "d95", "v70", "bed_mean", "eud", "tcp", "volume_ml"] {
        assert!(width(&tumour, measure) > 0.0, "{measure}");
    }
    assert_eq!(tumour["doubt"]["intervals"]["mean"], tumour["dose_gy"]["mean_interval"]);
    let criteria = plan["gates"][0]["criteria"].as_array().expect("criteria");
    let liver = criteria.iter().find(|c| c["id"] == "normal_liver_dose").expect("there");
    let p = liver["probability_unmet"].as_f64().expect("a probability");
    assert!((0.05..0.95).contains(&p), "planned at the limit: {p}");

    // Without the largest source the intervals shrink, and it says so.
    let text = fs::read_to_string(case.join("case.toml")).expect("read");
    let off = "\n[uncertainty]\noff = [\"tumour_mapping\"]\n";
    fs::write(case.join("case.toml"), format!("{text}{off}")).expect("written");
    let (_, without) = plan_json(&case, &[]);
    assert!(width(&first(&without), "mean") < 0.9 * width(&tumour, "mean"));
    let sources = without["uncertainty"]["sources"].as_array().expect("sources");
    let mapping = sources.iter().find(|s| s["id"] == "tumour_mapping").expect("there");
    assert_eq!(mapping["acts"], false);

    let wrong = "\n[uncertainty]\noff = [\"tumor_mapping\"]\n";
    fs::write(case.join("case.toml"), format!("{text}{wrong}")).expect("written");
    assert!(refused(&case, &[]).contains("unknown variant `tumor_mapping`"));
    fs::write(case.join("case.toml"), text).expect("written");
    assert!(refused(&case, &["--members", "7"]).contains("members = 7, expected 100 to 100000"));
}

#[test]
fn the_best_activities_keep_every_limit_and_say_which_binds() {
    let (home, case) = case();
    let out = home.path().join("out");
    for aim in ["response", "least-dosed"] {
        let (code, plan) = plan_json(&case, &[&format!("--optimise={aim}")]);
        assert_eq!(code, Some(0), "{}", plan["decision"]["sentence"]);
        let best = &plan["optimisation"];
        assert_eq!(best["aim"], aim);
        let limits = best["limits"].as_array().expect("limits");
        let number = |l: &Value, key: &str| l[key].as_f64().expect("a number");
        assert!(limits.iter().all(|l| number(l, "value") <= number(l, "limit") * (1.0 + 1e-9)));
        assert!(limits.iter().any(|l| l["binds"] == true && number(l, "price") > 0.0));
        let curve = best["trade_off"].as_array().expect("a curve");
        let least: Vec<f64> = curve.iter().map(|t| number(t, "least_dosed_gy")).collect();
        assert!(least.len() > 20 && least.is_sorted(), "{least:?}");
        assert_eq!(plan["sessions"][0]["prescription"]["model"], "optimised");
    }
    hepatica()
        .args(["plan", "--optimise", "--quiet", "--out"])
        .args([&out, &case])
        .assert()
        .success();
    assert!(
        out.join("figures/tradeoff.png").is_file() && out.join("figures/tornado.png").is_file()
    );
    edit(&case, "[prescription]", "[[session]]\nid = 1\nactivity_gbq = 1.0\n\n[prescription]");
    assert!(refused(&case, &["--optimise"]).contains("session 1 states activity_gbq"));
}

#[test]
fn betas_are_followed_and_say_how_sure_they_are() {
    let case = phantom().join("case");
    let few = ["--engine", "monte-carlo", "--histories", "12000"];
    let home = tempfile::tempdir().expect("a folder");
    let plans: Vec<Vec<u8>> = ["1", "3"]
        .iter()
        .map(|threads| {
            let out = home.path().join(threads);
            hepatica()
                .args(["plan", "--quiet"])
                .arg(&case)
                .args(few)
                .arg("--out")
                .arg(&out)
                .env("RAYON_NUM_THREADS", threads)
                .assert()
                .success();
            fs::read(out.join("plan.json")).expect("a file")
        })
        .collect();
    assert_eq!(plans[0], plans[1]);
    let plan: Value = serde_json::from_slice(&plans[0]).expect("JSON");
    assert_eq!(plan["method"]["engine"], "monte-carlo");
    assert_eq!(plan["method"]["density"], "tissue");
    let run = &plan["method"]["monte_carlo"][0];
    assert_eq!(run["histories"], 12_000);
    let share = |key: &str| run[key].as_f64().expect("a number");
    // Some of the liver is too deep inside for a beta to leave it.
    assert!((0.1..0.95).contains(&share("followed_share")), "{run}");
    assert!((0.003..0.006).contains(&share("radiated_share")), "{run}");
    let list = plan["sessions"][0]["compartments"].as_array().expect("a list");
    let normal = list.iter().find(|c| c["role"] == "whole_normal_liver").expect("normal liver");
    let error = normal["dose_gy"]["mean_monte_carlo_error"].as_f64().expect("an error");
    assert!(error > 0.0 && error < 0.01, "{error}");
    // Holmium's betas are its own.
    let (_, holmium) = plan_json(&case, &[&few[..4], &["--device", "holmium"]].concat());
    assert_eq!(holmium["method"]["engine"], "monte-carlo");
    for (more, said) in [
        (&["--histories", "0"][..], "0 histories are too few"),
        (&["--precision", "0%"], "above 0%"),
        (&["--precision", "2"], "as in 2%"),
        (&["--density", "iron"], "uniform, ct, tissue"),
    ] {
        let run = hepatica()
            .arg("plan")
            .arg(&case)
            .args(["--json", "--engine", "monte-carlo"])
            .args(more)
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{text}");
        assert!(text.contains(said), "{more:?}: {text}");
    }
}

/// Ctrl-C ends the histories, not the plan, for who asked for that.
#[cfg(unix)]
#[test]
fn an_interrupt_can_keep_what_is_there() {
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("hepatica"))
        .arg("plan")
        .arg(phantom().join("case"))
        .args(["--json", "--engine", "monte-carlo", "--histories", "2000000000"])
        .args(["--keep-on-interrupt"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    std::thread::sleep(std::time::Duration::from_secs(3));
    std::process::Command::new("kill")
        .arg("-INT")
        .arg(child.id().to_string())
        .status()
        .expect("kill");
    let run = child.wait_with_output().expect("ends");
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let plan: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(plan["method"]["monte_carlo"][0]["stopped"], true);
    let warned = plan["warnings"].as_array().expect("a list").iter();
    assert!(
        warned.filter_map(Value::as_str).any(|w| w.contains("was stopped after")),
        "{}",
        plan["warnings"]
    );
}

#[test]
fn a_number_explains_itself() {
    let run = hepatica()
        .arg("plan")
        .arg(phantom().join("case"))
        .args(["--explain", "lung_dose"])
        .output()
        .expect("runs");
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    for part in ["D = k A L / M", "49.67", "J/GBq", "source:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let run = hepatica()
        .arg("plan")
        .arg(phantom().join("case"))
        .args(["--explain", "lung_dosis"])
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("there are: activity"));
}

#[test]
fn inspect_says_what_a_folder_holds() {
    let run = hepatica().arg("inspect").arg(phantom().join("case")).output().expect("runs");
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    for part in ["CT", "SPECT", "planar", "RTSTRUCT", "PHANTOM", "128 x 128 x 80"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn help_has_examples_and_completions_complete() {
    for command in ["plan", "inspect", "phantom", "demo", "course", "protocol", "completions"] {
        let run = hepatica().args([command, "--help"]).output().expect("runs");
        assert!(
            run.status.success() && String::from_utf8_lossy(&run.stdout).contains("Examples:"),
            "{command}"
        );
    }
    let run = hepatica().args(["completions", "bash"]).output().expect("runs");
    assert!(String::from_utf8_lossy(&run.stdout).contains("--explain"));
    assert_eq!(hepatica().arg("plam").output().expect("runs").status.code(), Some(1));
}

// ---- gates -------------------------------------------------------------------------------------

#[test]
fn a_shunt_above_the_limit_is_planned_and_fails_the_gate() {
    let (_home, case) = case();
    edit(&case, "shunt = \"spect\"", "shunt = \"stated\"\nstated_fraction = 0.24");
    let (code, plan) = plan_json(&case, &[]);
    assert_eq!((code, &plan["decision"]["status"]), (Some(2), &Value::from("fail")));
}

#[test]
fn an_unknown_extrahepatic_deposition_holds_the_gate() {
    let (_home, case) = case();
    edit(&case, "status = \"none\"", "status = \"unknown\"");
    let (code, plan) = plan_json(&case, &[]);
    assert_eq!((code, &plan["decision"]["status"]), (Some(2), &Value::from("hold")));
}

#[test]
fn an_activity_larger_than_any_vial_is_said() {
    let (_home, case) = case();
    edit(
        &case,
        "[prescription]",
        "[[session]]\nid = 1\nactivity_gbq = 60\n\n[[session]]\nid = 2\nactivity_gbq = 1\n\n[prescription]",
    );
    let (code, plan) = plan_json(&case, &[]);
    assert_eq!(code, Some(2));
    assert!(plan["sessions"][0]["order"].is_null());
    assert!(plan["warnings"].to_string().contains("more than any vials"));
}

// ---- bad input ---------------------------------------------------------------------------------

#[test]
fn no_dicom_at_all_and_a_zip_of_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let args = [
        "--device",
        "glass",
        "--c1d1",
        "2026-12-02",
        "--protocol",
        "captemy90",
        "--time-zone",
        "UTC",
        "--treatment-time",
        "12:00",
    ];
    assert!(refused(home.path(), &args).contains("an empty folder, expected DICOM or NIfTI"));
    fs::write(home.path().join("x.zip"), b"PK\x05\x06").expect("a file");
    assert!(refused(home.path(), &args).contains("zip archive"));
    assert!(refused(Path::new("/nowhere/at/all"), &[]).contains("no folder found"));
    // What nobody said is asked for by name, all at once.
    let asked = refused(home.path(), &[]);
    assert!(asked.contains("--c1d1") && asked.contains("--device"), "{asked}");
}

#[test]
fn a_truncated_file_and_a_missing_slice() {
    let (_home, case) = case();
    let slice = case.join("ct/ct0040.dcm");
    let bytes = fs::read(&slice).expect("a file");
    fs::write(&slice, &bytes[..bytes.len() / 2]).expect("a file");
    let error = refused(&case, &[]);
    assert!(error.contains("cut off") && error.contains("ct0040.dcm"), "{error}");
    fs::remove_file(&slice).expect("removed");
    let error = refused(&case, &[]);
    assert!(error.contains("1 slice(s) missing between ct0039.dcm and ct0041.dcm"), "{error}");
    assert!(error.contains("--resample-ct"), "{error}");
    let (code, plan) = plan_json(&case, &["--resample-ct"]);
    assert_eq!(code, Some(0));
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("interpolated onto slices"), "{warnings}");
}

#[test]
fn text_of_a_case_is_never_markup() {
    let (home, case) = case();
    // Were it markup, setting the report would stop at the first word.
    let hostile = r##"#panic("set") $x *b* [#read("/etc/passwd")] \\\\ <a> @b"##;
    edit(&case, "name = \"Right lobe\"", &format!("name = '{hostile}'"));
    edit(&case, "id = \"PHANTOM\"", &format!("id = '{}'", "#panic(0) ".repeat(12)));
    let out = home.path().join("out");
    let done = hepatica().args(["plan", "--quiet"]).arg(&case).arg("--out").arg(&out).assert();
    done.code(0);
    assert!(fs::metadata(out.join("report.pdf")).expect("a report").len() > 10_000);
    let calendar = fs::read_to_string(out.join("calendar.ics")).expect("a calendar");
    let long = calendar.lines().find(|l| l.len() > 75);
    assert!(long.is_none(), "a line of iCalendar has at most 75 octets: {long:?}");
}

/// Overwrites the value of an element of explicit little endian, of the same length.
fn overwrite(file: &Path, tag: [u8; 4], vr: &[u8; 2], value: &[u8]) {
    let mut bytes = fs::read(file).expect("a file");
    let key = [&tag[..], vr].concat();
    let at = bytes.windows(6).position(|w| w == key).expect("the element");
    let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    let mut padded = value.to_vec();
    padded.resize(length, b' ');
    bytes[at + 8..at + 8 + length].copy_from_slice(&padded);
    fs::write(file, bytes).expect("written");
}

#[test]
fn a_voxel_size_of_zero() {
    let (_home, case) = case();
    // Pixel Spacing (0028,0030)
    overwrite(&case.join("spect/spect.dcm"), [0x28, 0, 0x30, 0], b"DS", b"0\\0");
    let error = refused(&case, &[]);
    assert!(error.contains("spect.dcm") && error.contains("PixelSpacing (0028,0030)"), "{error}");
}

#[test]
fn a_file_that_claims_a_hundred_gigabytes() {
    let (_home, case) = case();
    let file = case.join("spect/spect.dcm");
    // Rows and Columns (0028,0010) and (0028,0011); Number of Frames (0028,0008).
    overwrite(&file, [0x28, 0, 0x10, 0], b"US", &[0xff, 0xff]);
    overwrite(&file, [0x28, 0, 0x11, 0], b"US", &[0xff, 0xff]);
    let error = refused(&case, &[]);
    assert!(error.contains("spect.dcm") && error.contains("65535"), "{error}");
}

#[test]
fn two_patients_in_a_folder() {
    let (_home, case) = case();
    let grid = Grid::axial([8, 8, 4], [2.0; 3], [0.0; 3]).expect("valid");
    let patient =
        hepatica_imaging::dicom::Patient { id: Some("OTHER".into()), ..Default::default() };
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("other", patient, at, "");
    let folder = case.join("ct2");
    fs::create_dir(&folder).expect("a folder");
    ct::series(&folder, &Image::filled(grid, 0_i16), "CT", &context).expect("written");
    // The other CT is in another frame of reference, so it is not taken; named, it is refused.
    edit(&case, "[structures]", "[images]\nct = \"ct2\"\nassume_aligned = true\n\n[structures]");
    let error = refused(&case, &[]);
    assert!(error.contains("files of 2 patients (OTHER, PHANTOM)"), "{error}");
}

#[test]
fn another_frame_of_reference_is_refused_unless_someone_says_otherwise() {
    let (_home, case) = case();
    let series = hepatica_imaging::dicom::ct::read(
        &sorted(&case.join("ct")),
        hepatica_imaging::SpacingPolicy::Refuse,
    )
    .expect("a CT");
    fs::remove_dir_all(case.join("ct")).expect("removed");
    fs::create_dir(case.join("ct")).expect("a folder");
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("another frame", series.patient.clone(), at, "");
    ct::series(&case.join("ct"), &series.image, "CT", &context).expect("written");
    let error = refused(&case, &[]);
    assert!(error.contains("frame of reference") && error.contains("--assume-aligned"), "{error}");
    let (code, plan) = plan_json(&case, &["--assume-aligned"]);
    assert_eq!(code, Some(0));
    assert!(plan["warnings"].to_string().contains("because the user says so"));
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn structures_that_cannot_be() {
    let (_home, case) = case();
    edit(&case, "[structures]", "[structures]\nliver = \"Leber\"");
    let error = refused(&case, &[]);
    assert!(error.contains("`Leber`") && error.contains("`Liver`"), "{error}");
    edit(&case, "liver = \"Leber\"", "tumours = [\"Spleen\"]");
    let error = refused(&case, &[]);
    assert!(error.contains("`Spleen` lies outside the liver"), "{error}");
    edit(&case, "tumours = [\"Spleen\"]", "liver = \"Kidney_L\"\ntumours = []");
    let error = refused(&case, &[]);
    assert!(error.contains("has no liver in it") || error.contains("no counts"), "{error}");
}

#[test]
fn no_counts_in_the_liver_and_values_that_are_none() {
    let (_home, case) = case();
    let emission = hepatica_imaging::read_emission(&[case.join("spect/spect.dcm")]).expect("SPECT");
    let write = |value: f32| {
        let image = emission.image.map(|_| value);
        hepatica_imaging::nifti::write(&case.join("spect.nii.gz"), &[&image], "").expect("written");
    };
    edit(&case, "[structures]", "[images]\nspect = \"spect.nii.gz\"\n\n[structures]");
    write(0.0);
    let error = refused(&case, &["--shunt", "planar"]);
    assert!(error.contains("no counts in the liver"), "{error}");
    write(f32::NAN);
    let error = refused(&case, &["--shunt", "planar"]);
    assert!(error.contains("not finite"), "{error}");
}

#[test]
fn lungs_cut_off_by_the_ct_have_no_mass() {
    let (_home, case) = case();
    for slice in sorted(&case.join("ct")).iter().skip(60) {
        fs::remove_file(slice).expect("removed");
    }
    let error = refused(&case, &[]);
    assert!(
        error.contains("the lungs are cut off by the CT") && error.contains("mass_kg"),
        "{error}"
    );
    edit(&case, "dome_strip_mm = 20", "dome_strip_mm = 20\nmass_kg = 1.0");
    assert_eq!(plan_json(&case, &[]).0, Some(0));
}

#[test]
fn slips_in_the_case_file() {
    let (_home, case) = case();
    edit(&case, "weight_kg = 74", "wieght_kg = 74");
    assert!(refused(&case, &[]).contains("unknown key `wieght_kg`; did you mean `weight_kg`?"));
    edit(&case, "wieght_kg = 74", "weight_kg = 0");
    assert!(refused(&case, &[]).contains("patient.weight_kg = 0, expected 25 to 350 kg"));
    edit(&case, "weight_kg = 0", "weight_kg = 74");
    assert!(
        refused(&case, &["--c1d1", "02.12.2026"]).contains("expected a date written YYYY-MM-DD")
    );
    assert!(refused(&case, &["--device", "plastic"]).contains("there are: glass, resin, holmium"));
    edit(&case, "structure = \"Territory_left\"", "structure = \"Territory_left\"\n#");
    edit(&case, "[structures]", "[images]\nct = \"../../..\"\n\n[structures]");
    assert!(refused(&case, &[]).contains("inside the case folder"));
}

#[test]
fn an_output_that_cannot_be_written_and_one_that_is_someone_elses() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "mine").expect("a file");
    let run = |out: &Path| {
        let run = hepatica()
            .arg("plan")
            .arg(phantom().join("case"))
            .arg("--out")
            .arg(out)
            .output()
            .expect("runs");
        assert_eq!(run.status.code(), Some(1));
        String::from_utf8_lossy(&run.stderr).into_owned()
    };
    assert!(run(&file).contains("is a file"));
    assert!(run(&file.join("below")).contains("cannot be written"));
    assert!(run(home.path()).contains("which hepatica did not write there"));
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a folder");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("hepatica"))
        .arg("plan")
        .arg(phantom().join("case"))
        .arg("--out")
        .arg(home.path().join("out"))
        .arg("--quiet")
        .spawn()
        .expect("runs");
    // As soon as it has begun to write.
    for _ in 0..2000 {
        if fs::read_dir(home.path()).expect("a folder").count() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::process::Command::new("kill")
        .arg("-INT")
        .arg(child.id().to_string())
        .status()
        .expect("kill");
    let code = child.wait().expect("ends").code();
    assert_eq!(code, Some(130));
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 0);
}
