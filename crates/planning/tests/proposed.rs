//! A case in which nobody drew anything: the plan rests on proposals, says so, and waits.

use hepatica_imaging::segment::dice;
use hepatica_imaging::{Mask, structure};
use hepatica_phantom::{Options as Phantom, write_case};
use hepatica_planning::inputs::{self, Knowingly};
use hepatica_planning::whatif::what_if;
use hepatica_planning::{Options, Status, plan_case};
use hepatica_regimen::Protocol;
use hepatica_regimen::gate::Gate;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The small phantom without its structures, and these beside it.
fn undrawn() -> &'static (tempfile::TempDir, PathBuf, PathBuf) {
    static CASE: OnceLock<(tempfile::TempDir, PathBuf, PathBuf)> = OnceLock::new();
    CASE.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        let case = home.path().join("case");
        fs::create_dir(&case).expect("a folder");
        write_case(&case, &Phantom::small(), &|_, _| {}).expect("a phantom");
        let drawn = home.path().join("structures.dcm");
        fs::rename(case.join("structures.dcm"), &drawn).expect("moved");
        rewrite(&case, "");
        (home, case, drawn)
    })
}

/// The case file without what names structures, with more under `[structures]`.
fn rewrite(case: &Path, structures: &str) {
    let path = case.join("case.toml");
    let text = fs::read_to_string(&path).expect("case.toml");
    let mut kept = String::new();
    let mut keep = true;
    for line in text.lines() {
        if line.starts_with('[') {
            keep = !["[structures]", "[[territory]]"].contains(&line.trim());
        }
        if keep {
            kept += line;
            kept.push('\n');
        }
    }
    fs::write(path, format!("{kept}\n[structures]\n{structures}\n")).expect("written");
}

#[test]
fn a_plan_on_proposals_waits_until_somebody_accepts_them() {
    let (_, case, _) = undrawn();
    let plan = plan_case(case, &Options::default(), &|_, _| {}).expect("a plan").plan;
    let roles: Vec<_> = plan.proposed.iter().map(|p| p.role.as_str()).collect();
    for role in ["liver", "lungs", "tumours"] {
        assert!(roles.contains(&role), "{roles:?}");
    }
    assert!(plan.proposed.iter().all(|p| !p.accepted && p.name.ends_with("(proposed)")));
    assert_eq!(plan.decision.status, Status::Hold, "{}", plan.decision.sentence);
    let own = plan.gates[0].criteria.iter().find(|c| c.id == "structures_accepted").expect("asked");
    assert_eq!(own.status, Status::Hold);
    assert!(plan.warnings.iter().any(|w| w.contains("proposed, not drawn (not accepted yet)")));
    // Asked again at the planned activities, the gate says the same.
    let protocol = Protocol::named("captemy90").expect("shipped");
    let gbq: Vec<_> = plan.sessions.iter().map(|s| s.prescription.activity_gbq).collect();
    let again = what_if(&plan, &protocol, &gbq).expect("an answer").gate;
    assert_eq!(again.status, plan.gates[0].status);
    let criteria =
        |g: &Gate| g.criteria.iter().map(|c| (c.id.clone(), c.status)).collect::<Vec<_>>();
    assert_eq!(criteria(&again), criteria(&plan.gates[0]));

    // A person looked at them: the criterion is met, and nothing else has changed.
    let knowingly = Knowingly { accept_proposed: true, ..Knowingly::default() };
    let options = Options { knowingly, ..Options::default() };
    let accepted = plan_case(case, &options, &|_, _| {}).expect("a plan").plan;
    assert!(accepted.proposed.iter().all(|p| p.accepted));
    let own = accepted.gates[0].criteria.iter().find(|c| c.id == "structures_accepted");
    assert_eq!(own.expect("asked").status, Status::Pass);
    assert_eq!(accepted.sessions[0].prescription, plan.sessions[0].prescription);
}

#[test]
fn proposals_on_the_phantom_are_near_the_truth() {
    let (_, case, drawn) = undrawn();
    let set = structure::read(drawn).expect("the truth");
    let found = inputs::load(case, inputs::read_case(case).expect("a case"), Knowingly::default())
        .expect("inputs");
    let ct = found.ct.as_ref().expect("a CT");
    let grid = ct.image.grid();
    let truth = |names: &[&str]| {
        let own = set.structures.iter().filter(|s| names.contains(&s.name.as_str()));
        own.fold(Mask::empty(grid.clone()), |sum, s| sum.or(&s.on(grid)))
    };
    let all = |list: &[hepatica_imaging::Structure]| {
        list.iter().fold(Mask::empty(grid.clone()), |sum, s| sum.or(&s.on(grid)))
    };
    let roles = &found.structures;
    assert_eq!(roles.lungs.len(), 2, "right and left");
    let tumours = truth(&["T1", "T2", "T3", "T4", "T5", "T6"]);
    for (name, ours, theirs, least) in [
        ("lungs", all(&roles.lungs), truth(&["Lung_R", "Lung_L"]), 0.95),
        ("liver", (*roles.liver.on(grid)).clone(), truth(&["Liver"]), 0.88),
        ("tumours", all(&roles.tumours), tumours, 0.5),
    ] {
        let (a, b) = (ours.volume().ml(), theirs.volume().ml());
        let found = dice(&ours, &theirs);
        println!("{name}: {a:.0} of {b:.0} mL, dice {found:.3}");
        assert!(found > least, "{name}: {found}");
    }
}

#[test]
fn a_name_that_could_mean_two_things_is_asked_about() {
    let home = tempfile::tempdir().expect("a folder");
    let (_, undrawn, drawn) = undrawn();
    let case = home.path().join("case");
    copy(undrawn, &case);
    fs::copy(drawn, case.join("structures.dcm")).expect("copied");
    // This site calls the right lung and the lesions by names that also mean something else.
    fs::write(
        case.join("names.toml"),
        "schema = 1\n[[role]]\nid = \"liver\"\nname = \"whole liver\"\nnames = [\"liver\"]\n\
         [[role]]\nid = \"lungs\"\nname = \"lungs\"\nnames = [\"lung*\"]\n\
         [[role]]\nid = \"organ\"\nname = \"organ outside the liver\"\nnames = [\"lung r\"]\n",
    )
    .expect("written");
    rewrite(&case, "names = \"names.toml\"");
    let load = || {
        let entry = inputs::read_case(&case).expect("a case");
        inputs::load(&case, entry, Knowingly::default())
    };
    let asked = load().expect_err("unclear").to_string();
    assert!(
        asked.ends_with(
            "the structure `Lung_R` could be the lungs or the organ outside the liver; say which with [structures] lungs, or leave it out with ignore"
        ),
        "{asked}"
    );
    rewrite(&case, "names = \"names.toml\"\nignore = [\"Lung_R\"]");
    let roles = load().expect("clear").structures;
    assert_eq!(roles.lungs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["Lung_L"]);
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
