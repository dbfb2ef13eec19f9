//! What was given, in the workbench: a job, its numbers, images and curves; what is refused; a site that
//! moves while one waits.

mod common;

use common::{Answer, Home, config, follow, read, start};
use hepatica_workbench::site::{Site, export_now, import_now};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn site(data: &Path) -> Site {
    Site { data: data.to_owned(), database: config(data).database }
}

/// Follows a job that has to succeed.
fn done(address: std::net::SocketAddr, id: &str) {
    let told = follow(address, id);
    let last = told.last().expect("something");
    assert_eq!(last["state"], "done", "{last}");
    assert!(told.windows(2).all(|w| w[0]["done"].as_f64() <= w[1]["done"].as_f64()), "{told:?}");
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// A plan of the built-in case.
fn planned(home: &Home) -> String {
    let id = id_of(&home.post("/api/courses/PHANTOM/plans", &json!({ "case": "built-in" })));
    done(home.address, &id);
    id
}

/// A record of what the plan foresees for a session, all of it given.
fn record(plan: &Value, session: usize) -> Value {
    let order = &plan["sessions"][session - 1]["order"];
    let instant = order["treatment_instant"].as_str().expect("an instant")[..16].replace('T', " ");
    let gbq = order["activity_to_dispense_gbq"].as_f64().expect("a number");
    json!({ "instant": instant,
        "assay": [{ "activity_gbq": gbq, "instant": instant }],
        "residual": [{ "activity_gbq": 0.06 * gbq, "instant": instant }] })
}

#[test]
fn what_was_given_is_shown_beside_the_plan() {
    let home = Home::new();
    let plan = planned(&home);
    assert_eq!(home.get("/api/scans").json(), json!(["built-in-pet", "built-in-spect"]));
    let to = format!("/api/plans/{plan}/verifications");
    let id = id_of(&home.post(&to, &json!({ "scan": "built-in-pet", "session": 1 })));
    done(home.address, &id);

    let v = home.get(&format!("/api/verifications/{id}")).json();
    assert_eq!((&v["patient"], &v["session"]["id"]), (&json!("PHANTOM"), &json!(1)));
    assert_eq!(
        (&v["scan"]["modality"], &v["registration"]["by"]),
        (&json!("pet"), &json!("images"))
    );
    let recovery = v["activity"]["recovery"].as_f64().expect("a number");
    assert!((0.9..1.1).contains(&recovery), "{recovery}");
    assert_eq!(v["voxels"]["gamma"].as_array().expect("criteria").len(), 2);
    for (name, kind) in [
        ("verify.json", "application/json"),
        ("treatment.toml", "application/toml"),
        ("lesions.json", "application/json"),
        ("report.pdf", "application/pdf"),
        ("ct.nii.gz", "application/gzip"),
        ("labels.nii.gz", "application/gzip"),
        ("planned.nii.gz", "application/gzip"),
        ("delivered.nii.gz", "application/gzip"),
        ("difference.nii.gz", "application/gzip"),
    ] {
        let file = home.get(&format!("/api/verifications/{id}/files/{name}"));
        assert_eq!((file.status, file.header("content-type")), (200, kind), "{name}");
    }
    for name in ["dose.dcm", "..%2F..%2Fhepatica.sqlite", "dose-1.nii.gz"] {
        let file = home.get(&format!("/api/verifications/{id}/files/{name}"));
        assert_eq!(file.status, 404, "{name}");
    }
    let read = |name: &str| {
        let path = home.data().join("verifications").join(&id).join(name);
        hepatica_imaging::nifti::read(&path).expect("an image")
    };
    let (before, after, between) =
        (read("planned.nii.gz"), read("delivered.nii.gz"), read("difference.nii.gz"));
    assert_eq!(before.grid().size(), after.grid().size());
    for ((p, d), x) in before.data().iter().zip(after.data()).zip(between.data()) {
        assert!((d - p - x).abs() <= 1e-4 * p.abs().max(1.0), "{p} {d} {x}");
    }
    assert!(between.data().iter().any(|x| *x > 5.0) && between.data().iter().any(|x| *x < -5.0));

    let curves = home.get(&format!("/api/verifications/{id}/dvh")).json();
    let names = |kind: &str| -> Vec<String> {
        let all = curves[kind].as_array().expect("curves").iter();
        all.map(|c| c["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert!(names("planned").contains(&"T1".to_owned()), "{:?}", names("planned"));
    assert!(names("delivered").contains(&"T1".to_owned()));

    let page = home.get(&format!("/verifications/{id}"));
    assert_eq!(page.status, 200);
    for words in
        ["verification-data", "Gamma 3 %, 3 mm", "By the record", "data-show", "report.pdf"]
    {
        assert!(page.text.contains(words), "{words}");
    }
    let page = home.get(&format!("/plans/{plan}"));
    assert!(page.text.contains(&format!("/verifications/{id}")), "the plan leads to it");

    // It is listed with its plan, and is no plan itself.
    assert_eq!(home.get(&to).json()[0]["id"], id.as_str());
    let plans = home.get("/api/courses/PHANTOM/plans").json();
    assert_eq!(plans.as_array().expect("plans").len(), 1);
    for path in [format!("/api/plans/{id}"), format!("/api/verifications/{plan}")] {
        assert_eq!(home.get(&path).status, 404, "{path}");
    }
    let trail = home.get("/api/audit?patient=PHANTOM").json();
    let noted = |what: &str, detail: &str| {
        let all = trail.as_array().expect("entries").iter();
        all.clone()
            .any(|a| a["what"] == what && a["detail"].as_str().expect("words").contains(detail))
    };
    assert!(noted("verify", &format!("session 1 of plan {plan} by scan built-in-pet")));
    assert!(noted("read", "verification file planned.nii.gz") && noted("read", "verification"));

    the_site_moves_with_it(&home, &plan, &id);
}

/// Verifications and scans go along; what waits is done where the site goes on.
fn the_site_moves_with_it(home: &Home, plan: &str, id: &str) {
    let to = format!("/api/plans/{plan}/verifications");
    let numbers = home.get(&format!("/api/plans/{plan}")).json();
    let asked = json!({ "scan": "built-in-spect", "session": 2, "record": record(&numbers, 2) });
    let waiting = id_of(&home.post(&to, &asked));
    let away = tempfile::tempdir().expect("a folder");
    let out = away.path().join("site.zip");
    let exported = export_now(&site(&home.data()), &out, true, "tester").expect("exported");
    assert_eq!((exported.plans, exported.verifications), (1, 1), "{exported:?}");
    let elsewhere = away.path().join("elsewhere");
    assert_eq!(import_now(&out, &site(&elsewhere)).expect("imported"), exported);
    let there = start(config(&elsewhere));
    let get = |path: &str| read(common::agent().get(format!("http://{there}{path}")).call());
    let same = format!("/api/verifications/{id}");
    assert_eq!(get(&same).json(), home.get(&same).json());
    assert_eq!(get(&format!("{same}/files/difference.nii.gz")).status, 200);
    done(there, &waiting);
    let v = get(&format!("/api/verifications/{waiting}")).json();
    assert_eq!(v["session"]["id"], 2);
    assert_eq!(v["activity"]["calibration"], "relative", "SPECT counts");
    let deviation = v["delivery"]["deviation_percent"].as_f64().expect("a number");
    assert!(deviation.abs() < 20.0, "{deviation}");

    // Without images neither cases nor scans.
    done(home.address, &waiting);
    let small = away.path().join("small.zip");
    let exported = export_now(&site(&home.data()), &small, false, "tester").expect("exported");
    assert_eq!((exported.plans, exported.verifications), (1, 2));
    let bare = away.path().join("bare");
    import_now(&small, &site(&bare)).expect("imported");
    assert!(bare.join("verifications").join(id).join("verify.json").is_file());
    assert!(!bare.join("cases").exists() && !bare.join("scans").exists());
}

#[test]
fn what_cannot_be_is_refused_in_one_sentence() {
    let home = Home::new();
    let plan = planned(&home);
    let numbers = home.get(&format!("/api/plans/{plan}")).json();
    let good = json!({ "scan": "built-in-pet", "session": 1, "record": record(&numbers, 1) });
    let to = format!("/api/plans/{plan}/verifications");
    let refused = |asked: &Value, words: &str| {
        let answer = home.post(&to, asked);
        assert_eq!(answer.status, 422, "{}", answer.text);
        let said = answer.json()["detail"].as_str().expect("a sentence").to_owned();
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    };
    let with = |place: &str, value: Value| {
        let mut asked = good.clone();
        *asked.pointer_mut(place).expect(place) = value;
        asked
    };
    for name in ["../cases/built-in", "/etc", "..", ".making-x", "nothing", ""] {
        refused(&with("/scan", json!(name)), "no scan is named");
    }
    refused(&with("/session", json!(3)), "the plan has no session 3; there are: 1, 2");
    let residual = "/record/residual/0/activity_gbq";
    refused(&with("/record/assay/0/activity_gbq", json!(2670)), "0.001 to 200 GBq (not MBq)");
    refused(&with(residual, json!(50)), "is larger than the assay");
    refused(&with("/record/instant", json!("yesterday")), "expected a local date and time");
    refused(&with("/record/assay", json!([])), "assay = nothing");
    refused(&with("/record/residual", json!([])), "residual = nothing");
    let mut asked = good.clone();
    asked["calibration"] = json!("guess");
    refused(&asked, "calibration: expected one of: absolute, relative");
    asked["calibration"] = json!("relative");
    asked["record"]["zone"] = json!("UTC");
    refused(&asked, "unknown field `zone`");
    assert_eq!(home.post("/api/plans/x/verifications", &good).status, 404);

    // On the page it comes back with what was typed.
    let typed = [
        ("session", "2"),
        ("scan", "built-in-spect"),
        ("instant", "2027-01-05T13:00"),
        ("assay", "2670"),
        ("assay_at", "2027-01-05T12:15"),
        ("residual", "0"),
        ("residual_at", "2027-01-05T16:00"),
    ];
    let page = home.form(&format!("/plans/{plan}/verify"), &typed);
    assert!(page.status == 422 && page.text.contains("(not MBq)"), "{}", page.text);
    for kept in [r#"value="2670""#, r#"value="2027-01-05T12:15""#, r#"value="2" selected"#] {
        assert!(page.text.contains(kept), "{kept}");
    }

    // A folder of a scan says by itself what was given, or is asked.
    let scan = home.data().join("scans/mine");
    fs::create_dir_all(&scan).expect("a folder");
    assert!(home.get("/api/scans").text.contains("mine"));
    let bare = json!({ "scan": "mine", "session": 1 });
    refused(&bare, "what was given? scan mine has no treatment.toml");
    fs::write(
        scan.join("treatment.toml"),
        "schema = 1\nsession = 2\ninstant = \"2027-01-05 13:00\"\n\
         [[assay]]\nactivity_gbq = 3.0\ninstant = \"2027-01-05 12:00\"\n\
         [[residual]]\nactivity_gbq = 0.1\ninstant = \"2027-01-05 17:00\"\n",
    )
    .expect("written");
    refused(&bare, "is of session 2, expected 1");
    // What only shows as it is done is said by the job.
    let id = id_of(&home.post(&to, &json!({ "scan": "mine", "session": 2 })));
    let told = follow(home.address, &id);
    let last = told.last().expect("something");
    assert_eq!(last["state"], "failed");
    assert!(last["said"].as_str().expect("words").contains("mine"), "{last}");
    assert!(!home.data().join("verifications").join(&id).exists(), "nothing is left");

    // A plan of before, and a case that is gone.
    let folder = home.data().join("plans").join(&plan);
    fs::rename(folder.join("dose_per_gbq.nii.gz"), folder.join("away")).expect("moved");
    refused(&good, "was made by an earlier version and holds no dose to compare with");
    fs::rename(folder.join("away"), folder.join("dose_per_gbq.nii.gz")).expect("moved");
    fs::rename(home.data().join("cases/built-in"), home.data().join("cases/kept")).expect("moved");
    refused(&good, "the case `built-in` of this plan is not in");
    // The synthetic patient's scan is of nobody else.
    let other = id_of(&home.post("/api/courses/PHANTOM/plans", &json!({ "case": "kept" })));
    done(home.address, &other);
    let answer = home.post(&format!("/api/plans/{other}/verifications"), &good);
    assert!(answer.status == 422 && answer.text.contains("is of the synthetic patient"));
}
