//! `hepatica phantom --scan` and `hepatica verify` as a person runs them: from the plan and the scan after
//! treatment to what was really given, and what is refused.

use assert_cmd::Command;
use hepatica_imaging::dicom::write::{Context, ct};
use hepatica_imaging::{Grid, Image, SpacingPolicy, nifti};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

fn hepatica() -> Command {
    Command::cargo_bin("hepatica").expect("the program is built")
}

/// The small phantom, its plan, and the scans after its first session, made once.
fn home() -> &'static Path {
    static HOME: OnceLock<TempDir> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        let at = |name: &str| home.path().join(name);
        let phantom = |more: &[&str]| {
            let mut command = hepatica();
            command.args(["phantom", "--size", "small", "--quiet"]).args(more);
            command
        };
        phantom(&[]).arg(at("case")).assert().success();
        hepatica()
            .args(["plan", "--quiet", "--out"])
            .args([at("plan"), at("case")])
            .assert()
            .success();
        for kind in ["pet", "spect"] {
            phantom(&["--scan", kind, "--plan"]).args([at("plan"), at(kind)]).assert().success();
        }
        home
    })
    .path()
}

fn verify(scan: &Path) -> Command {
    let mut command = hepatica();
    command.arg("verify").arg(home().join("case")).arg("--plan").arg(home().join("plan"));
    command.arg("--scan").arg(scan);
    command
}

fn json(command: &mut Command) -> (Option<i32>, Value) {
    let run = command.arg("--json").output().expect("runs");
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    let found = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {error}"));
    (run.status.code(), found)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn truth(scan: &Path) -> toml::Table {
    text(&scan.join("truth.toml")).parse().expect("TOML")
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// The compartment of that name.
fn compartment<'v>(found: &'v Value, name: &str) -> &'v Value {
    let list = found["compartments"].as_array().expect("a list");
    list.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name}: {found}"))
}

fn near(what: &str, found: f64, truth: f64, [low, high]: [f64; 2]) {
    println!("{what:<36} {found:>9.3}  truth {truth:>9.3}  ratio {:.3}", found / truth);
    assert!((low..=high).contains(&(found / truth)), "{what}: {found}, truth {truth}");
}

/// Pages of a PDF, whose objects lie in compressed streams.
fn pages(pdf: &[u8]) -> usize {
    let mut text = pdf.to_vec();
    let begin = b"stream\n";
    for at in (0..pdf.len()).filter(|n| pdf[*n..].starts_with(begin)) {
        // What is no compressed stream of objects adds nothing.
        let _ = flate2::read::ZlibDecoder::new(&pdf[at + begin.len()..]).read_to_end(&mut text);
    }
    let page = b"/Type/Page";
    text.windows(page.len() + 1).filter(|w| w.starts_with(page) && !w.ends_with(b"s")).count()
}

// ---- the main job ------------------------------------------------------------------------------

#[test]
fn a_verification_is_written_whole_and_follows_its_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let scan = home().join("pet");
    let run = verify(&scan).arg("--out").arg(&out).output().expect("runs");
    let said = String::from_utf8(run.stdout).expect("UTF-8");
    // The phantom's spheres go elsewhere than its albumin by little: nothing is beyond its limit.
    assert_eq!(run.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.starts_with("WITHIN LIMITS") && said.contains("Lin's concordance"), "{said}");
    for name in [
        "verify.json",
        "report.pdf",
        "dose.dcm",
        "dose.nii.gz",
        "dvh.csv",
        "dicom/registration.dcm",
        "dicom/report.dcm",
        "figures/dvh.png",
        "figures/scatter.png",
        "figures/qvh.png",
        "figures/dose_T1.png",
    ] {
        assert!(out.join(name).metadata().is_ok_and(|m| m.len() > 100), "{name}");
    }
    let found: Value = serde_json::from_str(&text(&out.join("verify.json"))).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/verify.schema.json");
    let schema: Value = serde_json::from_str(&text(&schema)).expect("JSON");
    jsonschema::validate(&schema, &found).expect("follows the schema");
    let roles: Vec<_> = found["inputs"].as_array().expect("a list").iter().collect();
    for role in ["ct", "spect", "structures", "scan", "scan_ct", "plan", "treatment"] {
        assert!(roles.iter().any(|i| i["role"] == role && i["sha256"] != ""), "{role}: {roles:?}");
    }

    // Two pages, and what the tables hold is what verify.json says.
    let pdf = fs::read(out.join("report.pdf")).expect("a file");
    assert!(pdf.starts_with(b"%PDF"));
    assert_eq!(pages(&pdf), 2);
    let table = text(&out.join("dvh.csv"));
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("kind,session,compartment,role,dose_gy,volume_fraction"));
    assert!(lines.clone().any(|l| l.starts_with("planned,1,T1,tumour,")), "{table}");
    assert!(lines.any(|l| l.starts_with("delivered,1,perfused normal liver,")), "{table}");

    // The dose that other systems open is the dose that was said, on the plan's grid and in its frame.
    let dose = nifti::read_volumes(&out.join("dose.nii.gz")).expect("a dose");
    let per_gbq = nifti::read_volumes(&home().join("plan/dose_per_gbq.nii.gz")).expect("doses");
    assert_eq!(dose[0].grid().size(), per_gbq[0].grid().size());
    let written = hepatica_imaging::dicom::rtdose::read(&out.join("dose.dcm")).expect("RTDOSE");
    let highest = dose[0].data().iter().copied().fold(0.0, f32::max);
    assert!(highest > 200.0, "{highest}");
    for (a, b) in written.image.data().iter().zip(dose[0].data()) {
        assert!((a - b).abs() < 0.01, "{a} {b}");
    }

    // Again into the same folder: the same bytes. With other numbers of threads, too.
    for threads in ["1", "7"] {
        verify(&scan)
            .env("RAYON_NUM_THREADS", threads)
            .arg("--out")
            .arg(&out)
            .arg("--quiet")
            .assert()
            .success()
            .stdout("")
            .stderr("");
        assert!(fs::read(out.join("report.pdf")).expect("a file") == pdf, "{threads} threads");
        let now: Value = serde_json::from_str(&text(&out.join("verify.json"))).expect("JSON");
        assert_eq!(now, found, "{threads} threads");
    }

    // The registration that it wrote, given back, is the same answer.
    let file = out.join("dicom/registration.dcm");
    let (code, again) = json(verify(&scan).arg("--registration").arg(&file));
    assert_eq!(code, Some(0));
    assert_eq!(again["registration"]["by"], "file");
    for name in ["T1", "perfused volume"] {
        let mean = |v: &Value| number(compartment(v, name), "/delivered/mean");
        near(name, mean(&again), mean(&found), [0.9999, 1.0001]);
    }
}

#[test]
fn what_is_true_of_the_phantom_is_recovered_from_pet_and_from_bremsstrahlung() {
    // Blur carries activity out of tumours, of the smaller ones the more (7.5 mm of PET, 18 mm of
    // bremsstrahlung, on coarse images): the limits of each are stated here.
    for (kind, perfused, tumours) in [
        ("pet", [0.92, 1.03], [("T1", [0.8, 1.02]), ("T2", [0.7, 1.02]), ("T3", [0.7, 1.02])]),
        ("spect", [0.8, 1.03], [("T1", [0.6, 1.0]), ("T2", [0.4, 1.0]), ("T3", [0.4, 1.0])]),
    ] {
        let scan = home().join(kind);
        let (code, found) = json(&mut verify(&scan));
        assert_eq!(code, Some(0));
        let truth = truth(&scan);
        let of = |key: &str| truth[key].as_float().expect("a number");
        let delivered = number(&found, "/delivery/delivered_gbq");
        near("delivered GBq", delivered, of("delivered_gbq"), [0.9999, 1.0001]);
        let residual = number(&found, "/delivery/residual_gbq");
        near("residual GBq", residual, of("residual_gbq"), [0.9995, 1.0005]);
        near("lungs Gy", number(&found, "/lungs/delivered_gy"), of("lung_gy"), [0.85, 1.15]);
        let mean = |name: &str| number(compartment(&found, name), "/delivered/mean");
        near("perfused Gy", mean("perfused volume"), of("perfused_gy"), perfused);
        near("normal Gy", mean("perfused normal liver"), of("normal_gy"), [0.95, 1.2]);
        let doses = truth["tumours"].as_array().expect("a list");
        for (name, limits) in tumours {
            let own = doses.iter().find(|t| t["name"].as_str() == Some(name)).expect("a tumour");
            near(name, mean(name), own["gy"].as_float().expect("a number"), limits);
        }
        // Where the patient lay, by the two CTs alone.
        let shift = truth["shift_mm"].as_array().expect("three");
        for (a, truth) in shift.iter().enumerate() {
            let found = number(&found, &format!("/registration/shift_mm/{a}"));
            let off = found - truth.as_float().expect("a number");
            assert!(off.abs() < 3.0, "axis {a} off by {off:.2} mm");
        }
        assert!(number(&found, "/registration/residual_mm") < 3.0);
        if kind == "pet" {
            near("seen GBq", number(&found, "/activity/recovery"), 1.0, [0.96, 1.02]);
        } else {
            assert_eq!(found["activity"]["recovery"], Value::Null);
        }
    }
}

#[test]
fn beyond_a_limit_it_is_written_all_the_same_and_ends_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let (scan, out) = (folder.path().join("scan"), folder.path().join("out"));
    copy(&home().join("pet"), &scan);
    // A quarter stayed in the line, by what the calibrator said.
    let record = text(&scan.join("treatment.toml"));
    let residual = record.split("[[residual]]").nth(1).expect("a residual");
    let line = residual.lines().find(|l| l.starts_with("activity_gbq")).expect("an activity");
    edit(&scan, line, "activity_gbq = 0.7");
    let run = verify(&scan).arg("--out").arg(&out).output().expect("runs");
    let said = String::from_utf8(run.stdout).expect("UTF-8");
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.starts_with("LOOK") && said.contains("To be looked at: delivered against"));
    // The scan shows more than is said to have been given.
    assert!(said.contains("check assay, residual, times"), "{said}");
    assert!(out.join("report.pdf").is_file());
}

/// The verification of the first session from PET, made once.
fn verified() -> PathBuf {
    static OUT: OnceLock<TempDir> = OnceLock::new();
    let folder = OUT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        verify(&home().join("pet")).arg("--quiet").arg("--out").arg(out).assert().success();
        folder
    });
    folder.path().join("out/verify.json")
}

fn plan(delivered: &[&Path]) -> Command {
    let mut command = hepatica();
    command.arg("plan").arg(home().join("case"));
    for file in delivered {
        command.arg("--delivered").arg(file);
    }
    command
}

#[test]
fn the_second_session_is_planned_from_what_the_first_gave() {
    let first: Value = serde_json::from_str(&text(&verified())).expect("JSON");
    let before: Value = serde_json::from_str(&text(&home().join("plan/plan.json"))).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let run = plan(&[&verified()]).arg("--out").arg(&out).output().expect("runs");
    let said = String::from_utf8(run.stdout).expect("UTF-8");
    assert_eq!(run.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("given before: session 1") && out.join("report.pdf").is_file(), "{said}");
    let now: Value = serde_json::from_str(&text(&out.join("plan.json"))).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/plan.schema.json");
    let schema: Value = serde_json::from_str(&text(&schema)).expect("JSON");
    jsonschema::validate(&schema, &now).expect("follows the schema");
    // The second session alone is planned, on its day.
    let sessions = now["sessions"].as_array().expect("a list");
    assert_eq!((sessions.len(), sessions[0]["id"].as_u64()), (1, Some(2)));
    assert_eq!(sessions[0]["date"], before["sessions"][1]["date"]);
    let roles = now["inputs"].as_array().expect("a list");
    assert!(roles.iter().any(|i| i["role"] == "delivered"), "{roles:?}");
    // Lungs: what was given and what is planned.
    let lungs = number(&first, "/lungs/delivered_gy");
    let sum = lungs + number(&now, "/sessions/0/lung_dose_gy");
    near("lungs, both", number(&now, "/cumulative/lung_dose_gy"), sum, [0.999_999, 1.000_001]);
    near("lungs before", number(&now, "/cumulative/prior_lung_dose_gy"), lungs, [1.0, 1.0]);
    // Whole normal liver: doses and BED of both.
    let whole = compartment(&first, "whole normal liver");
    let own = sessions[0]["compartments"].as_array().expect("a list");
    let own = own.iter().find(|c| c["role"] == "whole_normal_liver").expect("a liver");
    for (key, given, planned) in [
        ("bed", number(whole, "/delivered/bed_mean"), number(own, "/bed_gy/mean")),
        ("dose", number(whole, "/delivered/mean"), number(own, "/dose_gy/mean")),
    ] {
        let sum = number(&now, &format!("/cumulative/whole_normal_liver_{key}_gy"));
        near(key, sum, given + planned, [0.9999, 1.0001]);
    }
    assert_eq!(
        number(&now, "/cumulative/tumour_dose_gy/T1"),
        number(compartment(&first, "T1"), "/delivered/mean")
    );
    // The limit of the left lobe's normal liver is less by the BED that the scan shows there.
    let limit = |plan: &Value, session: usize| {
        let bounds = &plan["sessions"][session]["models"]["voxel"]["bounds"];
        let list = bounds.as_array().expect("a list");
        let bound = list.iter().find(|b| b["id"] == "normal_liver_dose").expect("a limit").clone();
        (number(&bound, "/value"), bound["source"].to_string())
    };
    let ((full, _), (left, source)) = (limit(&before, 1), limit(&now, 0));
    println!("limit of the left lobe {full:.2} Gy, left of it {left:.2} Gy: {source}");
    assert!(left < full && left > 0.9 * full && source.contains("less the BED of"), "{source}");
    let territories = first["territories"].as_array().expect("a list");
    let there = territories.iter().find(|t| t["id"] == "left").expect("the left lobe");
    assert!((0.5..15.0).contains(&number(there, "/mean_gy")), "{there}");
    // How the sum came to be says where what was before is from.
    let run = hepatica().arg("plan").arg(&out).args(["--explain", "lung_dose_cumulative"]).output();
    let said = String::from_utf8(run.expect("runs").stdout).expect("UTF-8");
    assert!(said.contains("by their verifications"), "{said}");
}

#[test]
fn verifications_that_cannot_be_taken_into_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |command: &mut Command| {
        let out = folder.path().join("out");
        let run = command.arg("--out").arg(&out).output().expect("runs");
        let said = String::from_utf8(run.stderr).expect("UTF-8");
        println!("{}", said.trim_end());
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && said.trim_end().lines().count() == 1, "{said}");
        assert!(!out.exists() && !said.contains("panicked"), "{said}");
        said
    };
    let file = folder.path().join("verify.json");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut v: Value = serde_json::from_str(&text(&verified())).expect("JSON");
        change(&mut v);
        fs::write(&file, v.to_string()).expect("written");
        file.as_path()
    };
    let said = refused(&mut plan(&[&verified(), &verified()]));
    assert!(said.contains("is of session 1 as another file"), "{said}");
    let said = refused(&mut plan(&[changed(&|v| v["patient"] = "SOMEONE".into())]));
    assert!(said.contains("is of patient SOMEONE, but the case is of PHANTOM"), "{said}");
    let said = refused(&mut plan(&[changed(&|v| v["session"]["id"] = 9.into())]));
    assert!(said.contains("is of session 9 in the territory"), "{said}");
    let said = refused(&mut plan(&[changed(&|v| v["lungs"]["delivered_gy"] = (-1.0).into())]));
    assert!(said.contains("a dose is -1 Gy"), "{said}");
    // Nothing of the lungs' limit is left.
    let said = refused(&mut plan(&[changed(&|v| v["lungs"]["delivered_gy"] = 60.0.into())]));
    assert!(said.contains("left nothing of the limit lung_dose_cumulative"), "{said}");
    // Nothing of the left lobe's limit is left.
    let hot = |v: &mut Value| v["territories"][1]["mean_gy"] = 90.0.into();
    let said = refused(&mut plan(&[changed(&hot)]));
    assert!(said.contains("left nothing of the limit normal_liver_dose"), "{said}");
    // Both were given.
    let second = folder.path().join("second.json");
    let other = |v: &mut Value| {
        v["session"]["id"] = 2.into();
        v["session"]["territory"] = "left".into();
    };
    fs::copy(changed(&other), &second).expect("a copy");
    let said = refused(&mut plan(&[&verified(), &second]));
    assert!(said.contains("none is left to plan"), "{said}");
    // A course that begins later than the treatment that was given, and one before.
    let said = refused(plan(&[&verified()]).args(["--c1d1", "2026-06-02"]));
    assert!(said.contains("but session 1 was given on 2027-01-05"), "{said}");
    fs::write(&file, "{\"schema\": ").expect("written");
    let said = refused(&mut plan(&[&file]));
    assert!(said.contains("is no verification of this version"), "{said}");
    let said = refused(&mut plan(&[Path::new("/nowhere/verify.json")]));
    assert!(said.contains("cannot be read") && said.contains("hepatica verify wrote"), "{said}");
}

#[test]
fn help_has_examples() {
    let help = hepatica().args(["verify", "--help"]).output().expect("runs");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    let all = hepatica().arg("--help").output().expect("runs");
    assert!(String::from_utf8(all.stdout).expect("UTF-8").contains("hepatica verify CASE"));
}

// ---- what is refused ---------------------------------------------------------------------------

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

fn edit(scan: &Path, from: &str, to: &str) {
    let path = scan.join("treatment.toml");
    let text = text(&path);
    assert!(text.contains(from), "{from}: {text}");
    fs::write(&path, text.replace(from, to)).expect("written");
}

/// Overwrites the value of an element of explicit little endian in every file of a folder, padded to the
/// length that is there.
fn overwrite(folder: &Path, tag: [u8; 4], vr: &[u8; 2], value: &[u8]) {
    for file in sorted(folder) {
        let mut bytes = fs::read(&file).expect("a file");
        let key = [&tag[..], vr].concat();
        let at = bytes.windows(6).position(|w| w == key).expect("the element");
        let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
        let mut padded = value.to_vec();
        padded.resize(length, b' ');
        bytes[at + 8..at + 8 + length].copy_from_slice(&padded);
        fs::write(&file, bytes).expect("written");
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Verifies a spoiled copy of a scan, which must end with one sentence. Nothing may be left behind.
fn refused(kind: &str, spoil: impl Fn(&Path), more: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (scan, results) = (folder.path().join("scan"), folder.path().join("results"));
    copy(&home().join(kind), &scan);
    spoil(&scan);
    fs::create_dir(&results).expect("a folder");
    let out = results.join("out");
    let run = verify(&scan).arg("--out").arg(&out).args(more).output().expect("runs");
    let said = String::from_utf8(run.stderr).expect("UTF-8");
    println!("{}", said.trim_end());
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(run.stdout.is_empty());
    let left = fs::read_dir(&results).expect("a folder").count();
    assert_eq!(left, 0, "something was left behind");
    assert!(said.starts_with("error: ") && said.trim_end().lines().count() == 1, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn values_that_are_no_activity() {
    // Units (0054,1001)
    let counts = |scan: &Path| overwrite(&scan.join("pet"), [0x54, 0, 0x01, 0x10], b"CS", b"CNTS");
    let said = refused("pet", counts, &[]);
    assert!(said.contains("Units (0054,1001)") && said.contains("CNTS"), "{said}");
    assert!(said.contains("expected BQML"), "{said}");
    let said = refused("spect", |_| {}, &["--calibration", "absolute"]);
    assert!(said.contains("its values are counts, expected Bq/mL"), "{said}");
}

#[test]
fn pet_that_does_not_say_what_moment_its_values_are_of() {
    // Decay Correction (0054,1102)
    let unsaid = |scan: &Path| overwrite(&scan.join("pet"), [0x54, 0, 0x02, 0x11], b"CS", b"");
    let said = refused("pet", unsaid, &[]);
    assert!(said.contains("(0054,1102)") && said.contains("START, ADMIN or NONE"), "{said}");
    assert!(said.contains("--calibration relative"), "{said}");
    // Its proportions serve all the same, when that is asked for.
    let folder = tempfile::tempdir().expect("a folder");
    let scan = folder.path().join("scan");
    copy(&home().join("pet"), &scan);
    unsaid(&scan);
    let (code, found) = json(verify(&scan).args(["--calibration", "relative"]));
    assert_eq!((code, found["scan"]["values_of"].as_str()), (Some(0), Some("proportions only")));
}

#[test]
fn a_scan_from_before_the_treatment() {
    // Acquisition Date (0008,0022) and Series Date (0008,0021)
    let early = |scan: &Path| {
        overwrite(&scan.join("pet"), [8, 0, 0x22, 0], b"DA", b"20270104");
        overwrite(&scan.join("pet"), [8, 0, 0x21, 0], b"DA", b"20270104");
    };
    let said = refused("pet", early, &[]);
    assert!(said.contains("it began on 2027-01-04") && said.contains("before the treatment"));
    let said =
        refused("spect", |s| edit(s, "instant = \"2027-01-05", "instant = \"2027-01-07"), &[]);
    assert!(said.contains("before the treatment (2027-01-07"), "{said}");
}

#[test]
fn a_residual_larger_than_the_assay() {
    let record = text(&home().join("pet/treatment.toml"));
    let residual = record.split("[[residual]]").nth(1).expect("a residual");
    let line = residual.lines().find(|l| l.starts_with("activity_gbq")).expect("an activity");
    let said = refused("pet", |scan| edit(scan, line, "activity_gbq = 4.2"), &[]);
    assert!(said.contains("is larger than the assay") && said.contains("treatment.toml"), "{said}");
    let said = refused("pet", |scan| edit(scan, line, "activity_gbq = -1"), &[]);
    assert!(said.contains("residual.activity_gbq = -1"), "{said}");
    let said = refused("pet", |scan| edit(scan, line, "activity_mbq = 42"), &[]);
    assert!(said.contains("unknown key `activity_mbq`"), "{said}");
}

/// The scan's CT with other content: `new` from the old.
fn with_ct(scan: &Path, new: impl Fn(Image<i16>) -> Image<i16>) {
    let folder = scan.join("ct");
    let old =
        hepatica_imaging::dicom::ct::read(&sorted(&folder), SpacingPolicy::Refuse).expect("CT");
    fs::remove_dir_all(&folder).expect("removed");
    fs::create_dir(&folder).expect("a folder");
    let at = jiff::civil::date(2027, 1, 6).at(9, 0, 0, 0);
    let mut context = Context::new("spoiled", old.patient.clone(), at, "");
    context.frame_of_reference = old.frame_of_reference.clone().expect("DICOM");
    ct::series(&folder, &new(old.image), "CT", &context).expect("written");
}

#[test]
fn a_ct_that_cannot_be_registered_and_one_that_lies_the_other_way() {
    let air = |scan: &Path| with_ct(scan, |ct| ct.map(|_| -1000));
    let said = refused("pet", air, &[]);
    assert!(said.contains("there is no body") && said.contains("--registration"), "{said}");
    // Head and feet exchanged: what a scanner told wrongly writes.
    let flipped = |scan: &Path| {
        with_ct(scan, |ct| {
            let grid = ct.grid().clone();
            let [nx, ny, _] = grid.size();
            let slices: Vec<&[i16]> = ct.data().chunks_exact(nx * ny).rev().collect();
            Image::new(grid, slices.concat())
        })
    };
    let said = refused("pet", flipped, &[]);
    assert!(said.contains("cannot be registered with the planning CT"), "{said}");
    assert!(said.contains("head and feet exchanged") || said.contains("turns by"), "{said}");
    // Somewhere else in the body.
    let legs = |scan: &Path| {
        with_ct(scan, |ct| {
            let grid = ct.grid().clone();
            let [nx, ny, _] = grid.size();
            let at = |n: usize| grid.world([n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64));
            let leg = |n| if at(n).x.hypot(at(n).y) < 80.0 { 50 } else { -1000 };
            Image::new(grid.clone(), (0..grid.len()).map(leg).collect())
        })
    };
    let said = refused("pet", legs, &[]);
    assert!(said.contains("cannot be registered with the planning CT"), "{said}");
    let said = refused("pet", |scan| fs::remove_dir_all(scan.join("ct")).expect("removed"), &[]);
    assert!(said.contains("no CT with it to register by"), "{said}");
}

#[test]
fn a_registration_of_something_else_and_one_that_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.dcm");
    let at = jiff::civil::date(2027, 1, 6).at(9, 0, 0, 0);
    let context = Context::new("other", hepatica_imaging::dicom::Patient::default(), at, "");
    let identity = hepatica_imaging::registration::Rigid::identity();
    hepatica_imaging::dicom::write::reg::write(&file, "1.2.3", &identity, &context)
        .expect("written");
    let said = refused("pet", |_| {}, &["--registration", file.to_str().expect("UTF-8")]);
    assert!(said.contains("says nothing of the frames of reference"), "{said}");
    let ct = sorted(&home().join("pet/ct")).remove(0);
    let said = refused("pet", |_| {}, &["--registration", ct.to_str().expect("UTF-8")]);
    assert!(said.contains("Modality (0008,0060)") && said.contains("REG"), "{said}");
}

#[test]
fn another_patient_another_session_no_record_and_nothing_at_all() {
    // Patient ID (0010,0020)
    let other = |scan: &Path| {
        for series in ["pet", "ct"] {
            overwrite(&scan.join(series), [0x10, 0, 0x20, 0], b"LO", b"SOMEONE");
        }
    };
    let said = refused("pet", other, &[]);
    assert!(said.contains("of patient SOMEONE, expected PHANTOM"), "{said}");
    let said = refused("pet", |scan| edit(scan, "session = 1", "session = 7"), &[]);
    assert!(said.contains("has no session 7"), "{said}");
    let none = |scan: &Path| fs::remove_file(scan.join("treatment.toml")).expect("removed");
    let said = refused("pet", none, &[]);
    assert!(said.contains("treatment.toml: cannot be read"), "{said}");
    let gone = |scan: &Path| fs::remove_dir_all(scan).expect("removed");
    let said = refused("pet", gone, &["--treatment", "/nowhere/treatment.toml"]);
    assert!(said.contains("cannot be read"), "{said}");
}

#[test]
fn an_output_that_cannot_be_written_and_one_that_is_someone_elses() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("a file");
    let run = |out: &Path| {
        let run = verify(&home().join("pet")).arg("--out").arg(out).output().expect("runs");
        assert_eq!(run.status.code(), Some(1));
        String::from_utf8(run.stderr).expect("UTF-8")
    };
    assert!(run(&file).contains("is a file"));
    assert!(run(&file.join("below")).contains("cannot be written"));
    assert!(run(folder.path()).contains("which hepatica did not write there"));
    assert_eq!(text(&file), "mine");
    // Neither is a case taken for a folder of results.
    assert!(run(&home().join("case")).contains("which hepatica did not write there"));
}

#[test]
fn an_image_without_counts_is_no_scan() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spect.nii.gz");
    let grid = Grid::axial([16, 16, 16], [20.0; 3], [-160.0, -160.0, 20.0]).expect("valid");
    nifti::write(&file, &[&Image::filled(grid, 0.0_f32)], "").expect("written");
    fs::copy(home().join("spect/treatment.toml"), folder.path().join("treatment.toml"))
        .expect("a copy");
    let run = verify(&file).args(["--assume-aligned", "--json"]).output().expect("runs");
    let said = String::from_utf8(run.stderr).expect("UTF-8");
    assert_eq!(run.status.code(), Some(1));
    assert!(said.contains("no counts in the liver") && run.stdout.is_empty(), "{said}");
    // A folder is asked for series; an image that says nothing of itself is given as a file.
    let run = verify(folder.path()).arg("--json").output().expect("runs");
    let said = String::from_utf8(run.stderr).expect("UTF-8");
    assert!(said.contains("give a NIfTI image as the file itself"), "{said}");
}
