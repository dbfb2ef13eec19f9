//! `hepatica serve` as a person runs it: it says where it listens, answers there, keeps what was
//! recorded when it is killed, and is not opened to other machines by mistake.
#![cfg(feature = "workbench")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A running workbench; killed when it is dropped.
struct Workbench {
    child: Child,
    url: String,
}

impl Drop for Workbench {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hepatica"))
}

impl Workbench {
    /// Starts it on a free port and reads from what it prints where that is.
    fn start(data: &Path) -> Self {
        let mut child = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--by", "tester", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("its output");
        let said = BufReader::new(out).lines().map_while(Result::ok);
        let url = said
            .into_iter()
            .find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned()))
            .expect("it says where it listens");
        Self { child, url: format!("http://{url}") }
    }

    fn read(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
        let mut answer = answer.unwrap_or_else(|e| panic!("{}: {e}", self.url));
        let text = answer.body_mut().read_to_string().expect("a text");
        (answer.status().as_u16(), text)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.read(agent().get(format!("{}{path}", self.url)).call())
    }

    fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    fn post(&self, path: &str, body: &Value) -> (u16, String) {
        self.read(agent().post(format!("{}{path}", self.url)).send_json(body))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// Runs a `serve` that must end by itself with an error: its sentence.
fn refused(home: &TempDir, more: &[&str]) -> String {
    let Output { status, stdout, stderr } = program()
        .args(["serve", "--data"])
        .arg(home.path().join("data"))
        .args(more)
        .output()
        .expect("it runs");
    let said = String::from_utf8(stderr).expect("UTF-8");
    assert!(!status.success() && stdout.is_empty(), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
}

#[test]
fn it_answers_records_and_keeps_what_was_acknowledged_when_it_is_killed() {
    let home = tempfile::tempdir().expect("a folder");
    let first = Workbench::start(home.path());
    let (status, page) = first.get("/");
    assert_eq!(status, 200);
    assert!(page.contains("Research use only") && page.contains("PHANTOM"), "{page}");
    let (status, page) = first.get("/api");
    assert_eq!(status, 200);
    assert!(page.contains("/api/courses/{patient}/events"), "{page}");

    let head = first.json("/api/courses/EX-04")["head"].clone();
    let entry = json!({ "key": "the only one", "head": head, "on": "2026-01-05",
        "said": { "kind": "labs", "values": ["platelets=187"] } });
    let (status, said) = first.post("/api/courses/EX-04/events", &entry);
    assert_eq!(status, 201, "{said}");
    // Killed, not asked to end.
    drop(first);

    let second = Workbench::start(home.path());
    let events = second.json("/api/courses/EX-04/events");
    let labs: Vec<&Value> = events["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|e| e["event"]["fact"]["kind"] == "labs")
        .collect();
    assert_eq!(labs.len(), 1, "{events}");
    assert_eq!(labs[0]["event"]["by"], "tester");
    assert_eq!(labs[0]["event"]["fact"]["values"]["platelets"], 187.0);
    // Who did not see the answer sends again: nothing is added.
    let (status, again) = second.post("/api/courses/EX-04/events", &entry);
    assert_eq!(status, 200, "{again}");
    assert!(again.contains("\"again\":true"), "{again}");
    // The built-in patient has images that can be planned, and the store is in the folder.
    assert!(second.json("/api/cases").to_string().contains("built-in"));
    assert!(home.path().join("hepatica.sqlite").is_file());
}

#[test]
fn it_is_not_opened_to_other_machines_by_mistake() {
    let home = tempfile::tempdir().expect("a folder");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8090"] {
        let said = refused(&home, &["--listen", address]);
        assert!(said.contains("--listen") && said.contains("sign-in"), "{said}");
        assert!(said.contains("TLS") && said.contains(address), "{said}");
    }
    assert!(!home.path().join("data").exists(), "nothing was made");
}

#[cfg(unix)]
#[test]
fn asked_to_end_it_ends_and_a_second_one_on_the_same_folder_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join("data");
    let mut first = Workbench::start(&data);
    let said = refused(&home, &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("another workbench runs on this data folder"), "{said}");
    // A page that follows changes is open all the while.
    let follower = agent().get(format!("{}/api/changes", first.url)).call().expect("followed");
    let kill = Command::new("kill").arg(first.child.id().to_string()).status().expect("kill");
    assert!(kill.success());
    let begun = std::time::Instant::now();
    let status = first.child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(follower);
    // The folder is free again.
    assert_eq!(Workbench::start(&data).get("/courses").0, 200);
}

#[test]
fn a_site_is_exported_while_it_runs_and_served_elsewhere() {
    let home = tempfile::tempdir().expect("a folder");
    let here = home.path().join("here");
    let first = Workbench::start(&here);
    let run = |verb: &str, data: &str, more: &[&str]| {
        let mut command = program();
        command.current_dir(home.path()).args([verb, "site.zip", "--data", data]).args(more);
        command.output().expect("it runs")
    };
    let done = run("export", "here", &["--by", "tester"]);
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8(done.stdout).expect("UTF-8");
    assert!(said.contains("4 courses") && said.contains("site.zip"), "{said}");
    assert!(run("import", "there", &[]).status.success());
    let second = Workbench::start(&home.path().join("there"));
    let heads = |w: &Workbench| w.json("/api/courses");
    assert_eq!(heads(&second), heads(&first));
    let again = run("import", "here", &[]);
    let said = String::from_utf8(again.stderr).expect("UTF-8");
    assert!(!again.status.success() && said.contains("is not empty"), "{said}");
}

#[test]
fn a_port_in_use_and_a_folder_that_is_a_file_are_one_sentence() {
    let home = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = refused(&home, &["--listen", &address]);
    assert!(said.contains(&address) && said.contains("choose another --listen"), "{said}");
    assert!(!home.path().join("data").exists(), "nothing was made");

    std::fs::write(home.path().join("data"), "no folder").expect("written");
    let said = refused(&home, &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("cannot be written") && said.contains("--data"), "{said}");
}
