//! A plan made in the workbench: a job with progress, images, curves, the gate at other activities.

mod common;

use common::{Home, follow};
use serde_json::{Value, json};

#[test]
fn the_built_in_case_is_planned_shown_and_recorded() {
    let home = Home::new();
    let refused = home.post("/api/courses/PHANTOM/plans", &json!({ "case": "../../etc" }));
    assert_eq!(refused.status, 422, "{}", refused.text);
    let job = home.post("/api/courses/PHANTOM/plans", &json!({ "case": "built-in" }));
    assert_eq!(job.status, 202, "{}", job.text);
    let id = job.json()["id"].as_str().expect("an id").to_owned();
    let told = follow(home.address, &id);
    let last = told.last().expect("something");
    assert_eq!(last["state"], "done", "{last}");
    assert!(told.windows(2).all(|w| w[0]["done"].as_f64() <= w[1]["done"].as_f64()), "{told:?}");
    let plan = home.get(&format!("/api/plans/{id}")).json();
    assert_eq!(plan["patient"]["id"], "PHANTOM");
    for name in [
        "ct.nii.gz",
        "spect.nii.gz",
        "labels.nii.gz",
        "dose-1.nii.gz",
        "dose-2.nii.gz",
        "report.pdf",
    ] {
        let file = home.get(&format!("/api/plans/{id}/files/{name}"));
        assert_eq!(file.status, 200, "{name}");
    }
    for name in ["course", "..%2F..%2Fhepatica.sqlite", "dose-x.nii.gz", "dose-9.nii.gz"] {
        assert_eq!(home.get(&format!("/api/plans/{id}/files/{name}")).status, 404, "{name}");
    }
    let curves = home.get(&format!("/api/plans/{id}/dvh")).json();
    assert!(curves.as_array().expect("curves").len() >= 6);

    // At the planned activities the gate answers as the plan does; at others as the dose says.
    let gbq: Vec<f64> = plan["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .map(|s| s["prescription"]["activity_gbq"].as_f64().expect("a number"))
        .collect();
    let ask = |gbq: &[f64]| {
        home.post(&format!("/api/plans/{id}/what-if"), &json!({ "activity_gbq": gbq }))
    };
    let same = ask(&gbq).json();
    let planned = &plan["gates"][0];
    assert_eq!(same["gate"]["status"], planned["status"]);
    for (a, b) in same["gate"]["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .zip(planned["criteria"].as_array().expect("criteria"))
    {
        assert_eq!((&a["id"], &a["status"], &a["truth"]), (&b["id"], &b["status"], &b["truth"]));
        let close = |v: &Value, w: &Value| match (v.as_f64(), w.as_f64()) {
            (Some(v), Some(w)) => (v - w).abs() < 1e-6 * w.abs().max(1.0),
            (v, w) => v == w,
        };
        assert!(close(&a["value"], &b["value"]), "{a} and {b}");
    }
    let much: Vec<f64> = gbq.iter().map(|_| 60.0).collect();
    let lung = |answer: &Value| {
        let all = answer["gate"]["criteria"].as_array().expect("criteria").clone();
        all.into_iter().find(|c| c["measure"] == "lung_dose_session_gy").expect("a lung limit")
    };
    let flipped = ask(&much).json();
    assert_eq!(lung(&same)["truth"], "met");
    assert_eq!(lung(&flipped)["truth"], "not-met");
    assert_ne!(flipped["gate"]["status"], "pass");
    assert_eq!(ask(&[1.0]).status, 422, "one activity a session");
    assert_eq!(ask(&[-1.0, 1.0]).status, 422);

    let page = home.get(&format!("/plans/{id}"));
    assert_eq!(page.status, 200);
    assert!(page.text.contains("id=\"plan-data\"") && page.text.contains("What if"));

    // Into the course: the simulation is done, and its gate knows.
    let today = jiff::ZonedDateTime::now().date().to_string();
    let entry = json!({ "plan": id, "entry": { "key": "plan", "head": home.head("PHANTOM"), "on": today } });
    let recorded = home.post("/api/courses/PHANTOM/simulation", &entry);
    assert_eq!(recorded.status, 201, "{}", recorded.text);
    let other = home.post("/api/courses/EX-04/simulation", &entry);
    assert_eq!(other.status, 422, "a plan of somebody else");
    let agenda = home.get("/api/courses/PHANTOM").json()["agenda"].clone();
    let simulation = agenda["obligations"]
        .as_array()
        .expect("obligations")
        .iter()
        .find(|o| o["what"] == "simulation")
        .cloned()
        .expect("there");
    assert_eq!(simulation["status"], "done", "{simulation}");
}

#[test]
fn a_job_that_cannot_be_done_says_why() {
    let home = Home::new();
    std::fs::create_dir_all(home.data().join("cases/empty")).expect("a folder");
    let job = home.post("/api/courses/PHANTOM/plans", &json!({ "case": "empty" })).json();
    let id = job["id"].as_str().expect("an id");
    let told = follow(home.address, id);
    let last = told.last().expect("something");
    assert_eq!(last["state"], "failed");
    assert!(last["said"].as_str().expect("words").contains("empty"), "{last}");
    let page = home.get("/courses/PHANTOM/plan").text;
    assert!(page.contains("failed"), "{page}");
}
