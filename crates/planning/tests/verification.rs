//! The whole story on the phantom, whose truth is known: simulated, planned, treated with a known residual and
//! spheres that went elsewhere by a known amount, scanned lying differently, verified.

use hepatica_dosimetry::gamma::Criterion;
use hepatica_imaging::dicom::Patient;
use hepatica_imaging::dicom::write::{Context, reg};
use hepatica_imaging::nifti;
use hepatica_imaging::registration::Rigid;
use hepatica_phantom::{Kind, ScanOptions, ScanTruth, write_case, write_scan};
use hepatica_planning::verification::{Calibration, Engine, Options, Verified, verify_case};
use hepatica_planning::{Plan, plan_case};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

struct Home {
    folder: TempDir,
    plan: Plan,
    truth: ScanTruth,
}

impl Home {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn options(&self, scan: &str) -> Options {
        Options { scan: self.at(scan), plan: self.at("plan"), ..Options::default() }
    }
    fn verify(&self, options: &Options) -> Result<Verified, String> {
        verify_case(&self.at("case"), options, &|_, _| {}).map_err(|e| e.to_string())
    }
}

/// The small phantom: case, plan, PET and SPECT after treatment, made once.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("made");
            path
        };
        let case = at("case");
        write_case(&case, &hepatica_phantom::Options::small(), &|_, _| {}).expect("a case");
        let planned =
            plan_case(&case, &hepatica_planning::Options::default(), &|_, _| {}).expect("a plan");
        let out = at("plan");
        let json = serde_json::to_string_pretty(&planned.plan).expect("JSON");
        fs::write(out.join("plan.json"), json).expect("written");
        let doses: Vec<_> = planned.dose_per_gbq.iter().collect();
        nifti::write(&out.join("dose_per_gbq.nii.gz"), &doses, "").expect("written");
        let prescribed = planned.plan.sessions[0].prescription.activity_gbq;
        let options = |kind| ScanOptions {
            kind,
            small: true,
            assayed_gbq: prescribed,
            ..ScanOptions::default()
        };
        let truth = write_scan(&at("pet"), &options(Kind::Pet), &|_, _| {}).expect("a scan");
        write_scan(&at("spect"), &options(Kind::Spect), &|_, _| {}).expect("a scan");
        Home { folder, plan: planned.plan, truth }
    })
}

fn near(what: &str, found: f64, truth: f64, low: f64, high: f64) {
    let ratio = found / truth;
    println!("{what:<40} {found:>9.3} truth {truth:>9.3} ratio {ratio:.3}");
    assert!((low..=high).contains(&ratio), "{what}: {found}, truth {truth}");
}

/// Blur carries activity out of tumours; of the smaller the more.
fn recovery(ml: f64, pet: bool) -> [f64; 2] {
    match (pet, ml) {
        (true, ml) if ml > 50.0 => [0.82, 1.02],
        (true, ml) if ml > 15.0 => [0.68, 1.02],
        (true, _) => [0.5, 1.0],
        (false, ml) if ml > 50.0 => [0.55, 1.0],
        (false, ml) if ml > 15.0 => [0.4, 1.0],
        (false, _) => [0.2, 1.0],
    }
}

fn compare(found: &Verified, truth: &ScanTruth, pet: bool) {
    let v = &found.verification;
    near("delivered GBq", v.delivery.delivered_gbq, truth.delivered_gbq, 0.9999, 1.0001);
    near("residual GBq", v.delivery.residual_gbq, truth.residual_gbq, 0.9995, 1.0005);
    near("lung Gy", v.lungs.delivered_gy, truth.lung_gy, 0.85, 1.2);
    let dose = |role: &str| {
        v.compartments.iter().find(|c| c.role == role).expect("a compartment").delivered.mean
    };
    let off = if pet { 0.08 } else { 0.2 };
    near("perfused Gy", dose("perfused"), truth.perfused_gy, 1.0 - off, 1.03);
    near("perfused normal Gy", dose("perfused_normal_liver"), truth.normal_gy, 0.95, 1.25);
    near("whole normal Gy", dose("whole_normal_liver"), truth.whole_normal_gy, 0.95, 1.35);
    assert!(dose("outside_territory") < 0.25 * truth.normal_gy);
    for t in &truth.tumours {
        let [low, high] = recovery(t.volume_ml, pet);
        let c = v.compartments.iter().find(|c| c.name == t.name).expect("a tumour");
        near(&format!("{} Gy ({:.0} mL)", t.name, t.volume_ml), c.delivered.mean, t.gy, low, high);
    }
}

#[test]
fn what_is_true_of_the_scan_is_found() {
    let home = home();
    let found = home.verify(&home.options("pet")).expect("verified");
    compare(&found, &home.truth, true);
    let v = &found.verification;
    // The patient: where the liver's middle went, and how the motion differs over the liver.
    let truth = hepatica_phantom::scan::motion();
    let off = found.motion.distance(&truth, [[-140.0, -80.0, 90.0], [80.0, 80.0, 240.0]]);
    println!("registration off by {off:.2} mm, says {:?}", v.registration.residual_mm);
    assert!(off < 2.0, "{off}");
    assert_eq!(v.registration.by, "images");
    assert!(v.registration.residual_mm.expect("images") < 3.0);
    // The scanner: activity in the field of view is what was delivered, but for what it cannot see.
    near(
        "field of view GBq",
        v.activity.field_of_view_gbq.expect("PET"),
        home.truth.delivered_gbq,
        0.96,
        1.02,
    );
    assert!((v.scan.hours_after_treatment.expect("said") - 20.0).abs() < 1e-6);
    assert!((v.scan.decay_factor - 1.24144).abs() < 1e-4, "facts 6.3");
    assert!(v.activity.territory_share > 0.9);
    // What changed in the distribution is seen per tumour: T3 took up less, T2 more.
    let ratio = |name: &str| {
        let c = v.compartments.iter().find(|c| c.name == name).expect("a tumour");
        c.ratio_at_equal_activity.expect("planned")
    };
    assert!(
        ratio("T3") < ratio("T1") && ratio("T1") < ratio("T2"),
        "{} {} {}",
        ratio("T3"),
        ratio("T1"),
        ratio("T2")
    );
    let voxels = &v.voxels;
    println!(
        "CCC {:.3} r {:.3} gamma {:.3} QF {:.3}",
        voxels.concordance, voxels.correlation, voxels.gamma[0].pass_rate, voxels.quality.factor
    );
    assert!(voxels.concordance > 0.5 && voxels.concordance <= voxels.correlation);
    assert!((0.0..1.0).contains(&voxels.gamma[0].pass_rate));
    assert!((0.05..0.6).contains(&voxels.quality.factor));
    assert!(voxels.isodoses.iter().all(|i| i.dice.is_none_or(|d| (0.0..=1.0).contains(&d))));
    assert!(
        found.scatter.len() == voxels.count
            && found.planned_views.len() == found.delivered_views.len()
    );
    assert_eq!(v.delivery.planned_gbq, home.plan.sessions[0].prescription.activity_gbq);
}

#[test]
fn proportions_of_pet_and_of_bremsstrahlung_give_nearly_the_same() {
    let home = home();
    let relative = Options { calibration: Some(Calibration::Relative), ..home.options("pet") };
    let found = home.verify(&relative).expect("verified");
    compare(&found, &home.truth, true);
    assert_eq!(found.verification.activity.recovery, None);
    let spect = home.verify(&home.options("spect")).expect("verified");
    compare(&spect, &home.truth, false);
    assert_eq!(spect.verification.scan.modality, "spect");
    assert_eq!(spect.verification.activity.calibration, "relative");
    let absolute = Options { calibration: Some(Calibration::Absolute), ..home.options("spect") };
    let said = home.verify(&absolute).expect_err("counts");
    assert!(said.contains("its values are counts, expected Bq/mL"), "{said}");
}

#[test]
fn a_registration_made_by_somebody_else_is_taken_and_the_answer_hardly_changes() {
    let home = home();
    let by_images = home.verify(&home.options("pet")).expect("verified");
    let (planning, scan) = (
        by_images.frame_of_reference.clone().expect("DICOM"),
        by_images.scan_frame_of_reference.clone().expect("DICOM"),
    );
    assert_ne!(planning, scan);
    let mut context =
        Context::new("reg", Patient::default(), jiff::civil::date(2027, 1, 6).at(9, 0, 0, 0), "");
    context.frame_of_reference.clone_from(&planning);
    let file = home.at("truth.reg.dcm");
    // As written: points of the scan to the planning CT.
    reg::write(&file, &scan, &hepatica_phantom::scan::motion().inverse(), &context)
        .expect("written");
    let options = Options { registration: Some(file.clone()), ..home.options("pet") };
    let by_file = home.verify(&options).expect("verified");
    assert_eq!(by_file.verification.registration.by, "file");
    assert!(
        by_file.motion.distance(&hepatica_phantom::scan::motion(), [[-100.0; 3], [200.0; 3]])
            < 0.01
    );
    for (a, b) in by_file.verification.compartments.iter().zip(&by_images.verification.compartments)
    {
        if a.role != "outside_territory" {
            near(&a.name, b.delivered.mean, a.delivered.mean, 0.96, 1.04);
        }
    }
    // Taken as lying alike although they do not: the doses are of other places, and it is said.
    let aligned = Options { assume_aligned: true, ..home.options("pet") };
    let aligned = home.verify(&aligned).expect("verified");
    assert!(aligned.verification.warnings.iter().any(|w| w.contains("because the user says so")));
    assert!(aligned.verification.voxels.concordance < by_images.verification.voxels.concordance);
    // A registration of other images.
    reg::write(&file, "1.2.3.4", &Rigid::identity(), &context).expect("written");
    let said = home.verify(&options).expect_err("other frames");
    assert!(said.contains("says nothing of the frames of reference"), "{said}");
}

#[test]
fn engines_and_criteria_are_as_asked() {
    let home = home();
    let loose = Criterion { local: true, ..Criterion::global(10.0, 8.0) };
    let options = Options {
        engine: Some(Engine::Kernel),
        gamma: vec![Criterion::global(3.0, 3.0), Criterion::global(10.0, 8.0), loose],
        ..home.options("pet")
    };
    let kernel = home.verify(&options).expect("verified");
    let v = &kernel.verification;
    let rates: Vec<f64> = v.voxels.gamma.iter().map(|g| g.pass_rate).collect();
    assert!(rates[0] < rates[1] && rates[2] <= rates[1] + 1e-9, "{rates:?}");
    assert_eq!((v.activity.engine.as_str(), v.voxels.gamma[2].kind.as_str()), ("kernel", "local"));
    let local = home.verify(&home.options("pet")).expect("verified");
    for (a, b) in v.compartments.iter().zip(&local.verification.compartments) {
        if a.role == "perfused" {
            near("kernel over local", a.delivered.mean, b.delivered.mean, 0.9, 1.02);
        }
    }
}

#[test]
fn the_same_with_any_number_of_threads() {
    let home = home();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let found = pool.install(|| home.verify(&home.options("pet"))).expect("verified");
        (serde_json::to_string(&found.verification).expect("JSON"), found.dose.into_data())
    };
    assert!(run(1) == run(3));
}

// ---- what is refused ---------------------------------------------------------------------------

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).expect("a copy")
        }
    }
}

/// The PET scan, spoiled: what is said.
fn refused(name: &str, spoil: impl Fn(&Path)) -> String {
    let home = home();
    let to = home.at(name);
    copy(&home.at("pet"), &to);
    spoil(&to);
    let said = home.verify(&home.options(name)).expect_err("refused");
    assert_eq!(said.lines().count(), 1, "{said}");
    println!("{said}");
    said
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("text");
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).expect("written");
}

#[test]
fn a_scan_that_cannot_be_is_refused_in_one_sentence() {
    let said =
        refused("before", |scan| edit(&scan.join("treatment.toml"), "2027-01-05", "2027-01-08"));
    assert!(said.contains("before the treatment (2027-01-08"), "{said}");
    let said = refused("no_ct", |scan| fs::remove_dir_all(scan.join("ct")).expect("removed"));
    assert!(
        said.contains("no CT with it to register by") && said.contains("--registration"),
        "{said}"
    );
    let said = refused("no_pet", |scan| fs::remove_dir_all(scan.join("pet")).expect("removed"));
    assert!(said.contains("no PET and no reconstructed SPECT"), "{said}");
    let said =
        refused("no_record", |scan| fs::remove_file(scan.join("treatment.toml")).expect("removed"));
    assert!(said.contains("treatment.toml"), "{said}");
    let said = refused("session_7", |scan| {
        edit(&scan.join("treatment.toml"), "session = 1", "session = 7")
    });
    assert!(said.contains("has no session 7") && said.contains("1, 2"), "{said}");
    let said = refused("two", |scan| copy(&home().at("spect").join("spect"), &scan.join("spect")));
    assert!(said.contains("could be the scan"), "{said}");
}

#[test]
fn a_plan_of_other_images_is_refused() {
    let home = home();
    let plan = home.at("other_plan");
    copy(&home.at("plan"), &plan);
    let sum = &home.plan.inputs.iter().find(|i| i.role == "structures").expect("read").sha256;
    edit(&plan.join("plan.json"), sum, &sum.chars().rev().collect::<String>());
    let options = Options { plan, ..home.options("pet") };
    let said = home.verify(&options).expect_err("other structures");
    assert!(said.contains("other files of the role structures"), "{said}");
}
