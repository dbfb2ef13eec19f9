//! A whole site as one file: there and back, while somebody records, and nothing that was spoiled.

mod common;

use common::{Home, config, start};
use hepatica_workbench::site::{Site, export_now, import_now};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

fn site(data: &Path) -> Site {
    Site { data: data.to_owned(), database: config(data).database }
}

fn get(address: std::net::SocketAddr, path: &str) -> Value {
    common::read(common::agent().get(format!("http://{address}{path}")).call()).json()
}

#[test]
fn a_site_moves_whole_while_somebody_records() {
    let home = Home::new();
    // Some work, a plan's folder, a case.
    let head = home.head("EX-03");
    assert_eq!(home.labs("EX-03", "before", &head, &["platelets=161"]).status, 201);
    let plan = home.data().join("plans/00000000-0000-4000-8000-000000000000");
    fs::create_dir_all(&plan).expect("a folder");
    fs::write(plan.join("plan.json"), b"{}").expect("written");
    fs::create_dir_all(home.data().join("cases/site A/ct")).expect("a folder");
    fs::write(home.data().join("cases/site A/ct/1.dcm"), vec![7; 300_000]).expect("written");
    fs::create_dir_all(home.data().join("plans/.making-x")).expect("a folder");

    let away = tempfile::tempdir().expect("a folder");
    let out = away.path().join("site.zip");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let exported = std::thread::scope(|s| {
        s.spawn(|| {
            let mut head = home.head("EX-04");
            for n in 0.. {
                let value = format!("platelets={}", 100 + n % 200);
                let on = jiff::civil::date(2026, 1, 1).saturating_add(jiff::Span::new().days(n));
                let entry = json!({ "key": format!("during {n}"), "head": head, "on": on.to_string(),
                    "said": { "kind": "labs", "values": [value] } });
                let said = home.post("/api/courses/EX-04/events", &entry);
                assert_eq!(said.status, 201, "{}", said.text);
                head = said.json()["head"].as_str().expect("a head").to_owned();
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(150));
        let exported = export_now(&site(&home.data()), &out, true, "tester").expect("exported");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        exported
    });
    assert_eq!((exported.courses, exported.plans), (4, 1));
    assert!(exported.events > 20 && exported.left_out.is_empty(), "{exported:?}");
    // Nobody's file is written over.
    let said = export_now(&site(&home.data()), &out, true, "tester").expect_err("it is there");
    assert!(said.to_string().contains("is there already"), "{said}");

    let to = away.path().join("elsewhere");
    let imported = import_now(&out, &site(&to)).expect("imported");
    assert_eq!(imported, exported);
    assert_eq!(fs::read(to.join("cases/site A/ct/1.dcm")).expect("a file"), vec![7; 300_000]);
    assert!(!to.join("plans/.making-x").exists());

    // The other site answers as the first did: courses to the hash, audit trail, keys of recording.
    let there = start(config(&to));
    let before = home.get("/api/courses/EX-03/events").json();
    assert_eq!(get(there, "/api/courses/EX-03/events"), before);
    let again = common::read(
        common::agent().post(format!("http://{there}/api/courses/EX-03/events")).send_json(
            json!({ "key": "before", "head": head,
                "on": jiff::ZonedDateTime::now().date().to_string(),
                "said": { "kind": "labs", "values": ["platelets=161"] } }),
        ),
    );
    assert_eq!(again.status, 200, "{}", again.text);
    let audit = get(there, "/api/audit?most=10000");
    let exports: Vec<_> = audit
        .as_array()
        .expect("a list")
        .iter()
        .filter(|a| a["what"] == "export" && a["patient"] == "*")
        .collect();
    assert_eq!(exports.len(), 1, "{exports:?}");
    // What was recorded while it was exported is there up to some event, whole.
    let during = get(there, "/api/courses/EX-04/events");
    let now = home.get("/api/courses/EX-04/events").json();
    let (during, now) =
        (during["events"].as_array().expect("events"), now["events"].as_array().expect("events"));
    assert_eq!(during[..], now[..during.len()]);
    assert!(during.len() > 1, "{}", during.len());

    // Never onto what is there.
    let said = import_now(&out, &site(&to)).expect_err("it is not empty");
    assert!(said.to_string().contains("is not empty"), "{said}");
}

/// The file with one of its files changed.
fn spoil(from: &Path, to: &Path, name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>) {
    let mut old = zip::ZipArchive::new(fs::File::open(from).expect("a file")).expect("a zip");
    let mut new = zip::ZipWriter::new(fs::File::create(to).expect("a file"));
    for n in 0..old.len() {
        let mut f = old.by_index(n).expect("a file");
        let mut bytes = Vec::new();
        f.read_to_end(&mut bytes).expect("read");
        let inner = f.name().expect("a name").into_owned();
        if inner == name {
            bytes = change(bytes);
        }
        new.start_file(inner, zip::write::SimpleFileOptions::default()).expect("begun");
        new.write_all(&bytes).expect("written");
    }
    new.finish().expect("done");
}

#[test]
fn what_was_spoiled_is_refused_and_leaves_nothing() {
    let home = Home::new();
    let away = tempfile::tempdir().expect("a folder");
    let good = away.path().join("good.zip");
    export_now(&site(&home.data()), &good, true, "tester").expect("exported");
    let bad = away.path().join("bad.zip");
    let target = away.path().join("target");
    let refused = || {
        let said = import_now(&bad, &site(&target)).expect_err("refused").to_string();
        assert!(!said.contains('\n') && said.contains("bad.zip"), "{said}");
        assert!(!target.exists(), "nothing is left");
        let left = fs::read_dir(away.path()).expect("a folder").flatten();
        assert!(!left.into_iter().any(|e| e.file_name().to_string_lossy().starts_with(".import")));
        said
    };
    let swap = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1).into_bytes()
        }
    };

    spoil(&good, &bad, "courses/000001.course", &swap("platelets", "plateletz"));
    assert!(refused().contains("SHA-256"));
    spoil(&good, &bad, "audit.jsonl", &|mut b| {
        b.truncate(b.len() / 2);
        b
    });
    assert!(refused().contains("audit.jsonl was changed or cut"));
    spoil(&good, &bad, "site.json", &swap("hepatica-site/1", "hepatica-site/9"));
    assert!(refused().contains("hepatica-site/9"));
    spoil(&good, &bad, "site.json", &swap("courses/000001.course", "courses/../../evil"));
    assert!(refused().contains("evil"));
    spoil(&good, &bad, "site.json", &swap("courses/000001.course", "courses/000002.course"));
    assert!(refused().contains("twice"));

    // A chain that was changed with its sums set right again is found by its own hashes.
    let mut zip = zip::ZipArchive::new(fs::File::open(&good).expect("a file")).expect("a zip");
    let mut text = String::new();
    zip.by_name("courses/000001.course").expect("there").read_to_string(&mut text).expect("read");
    let forged = text.replacen("\"platelets\":164.0", "\"platelets\":264.0", 1);
    assert_ne!(forged, text);
    let sum = |t: &str| -> String {
        use sha2::Digest;
        sha2::Sha256::digest(t.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
    };
    let half = away.path().join("half.zip");
    spoil(&good, &half, "courses/000001.course", &|_| forged.clone().into_bytes());
    spoil(&half, &bad, "site.json", &|b| {
        String::from_utf8(b).expect("UTF-8").replace(&sum(&text), &sum(&forged)).into_bytes()
    });
    let said = import_now(&bad, &site(&target)).expect_err("refused").to_string();
    assert!(said.contains("changed after it was recorded"), "{said}");
    assert!(!target.exists());

    fs::write(&bad, b"this is a shopping list").expect("written");
    assert!(refused().contains("as a zip file"));
    let said = export_now(&site(&target), &away.path().join("x.zip"), true, "tester");
    assert!(said.expect_err("no site").to_string().contains("no store in this folder"));
}
