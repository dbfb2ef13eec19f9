//! Killed at any moment, the store holds every event that was acknowledged, and nothing twice.

mod common;

use common::{agent, config, read};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "HEPATICA_WORKBENCH_CHILD";
const ROUNDS: &str = "HEPATICA_KILLS";

/// Not a test by itself: the server that is killed.
#[test]
#[ignore = "the process that is killed"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let address = common::start(config(folder.as_ref()));
    println!("\nLISTENS {address}");
    std::thread::sleep(Duration::from_secs(600));
}

fn spawn(folder: &std::path::Path) -> (Child, String) {
    let me = std::env::current_exe().expect("this program");
    let mut child = Command::new(me)
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let out = child.stdout.take().expect("its output");
    let address = BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        .find_map(|l| l.strip_prefix("LISTENS ").map(str::to_owned))
        .expect("it listens");
    (child, address)
}

#[test]
fn no_acknowledged_event_is_lost() {
    let rounds: u64 = std::env::var(ROUNDS).ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir().expect("a folder");
    // Its example patients are recorded by the first round; each round adds under load.
    let mut acknowledged: Vec<String> = Vec::new();
    let mut unsure: Option<(String, Value)> = None;
    let today = jiff::ZonedDateTime::now().date();
    for round in 0..rounds {
        let (mut child, address) = spawn(folder.path());
        let url = |path: &str| format!("http://{address}/api/courses/EX-04{path}");
        let get = |path: &str| -> Value {
            serde_json::from_str(&read(agent().get(url(path)).call()).text).expect("JSON")
        };
        let events = get("/events");
        let stored: Vec<&str> = events["events"]
            .as_array()
            .expect("events")
            .iter()
            .map(|e| e["id"].as_str().expect("an id"))
            .collect();
        for id in &acknowledged {
            assert!(stored.contains(&id.as_str()), "round {round}: {id} is lost");
        }
        let mut unique = stored.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), stored.len(), "round {round}: something is there twice");
        let mut head = events["head"].as_str().expect("a head").to_owned();
        // What was under way when it was killed is sent again, with its key.
        if let Some((_, mut entry)) = unsure.take() {
            let again = read(agent().post(url("/events")).send_json(&entry));
            let again = if again.status == 409 {
                entry["head"] = json!(head);
                read(agent().post(url("/events")).send_json(&entry))
            } else {
                again
            };
            assert!(again.status == 200 || again.status == 201, "round {round}: {}", again.text);
            let said: Value = serde_json::from_str(&again.text).expect("JSON");
            head = said["head"].as_str().expect("a head").to_owned();
            acknowledged.push(said["events"][0].as_str().expect("an id").to_owned());
        }
        // Killed at another moment each time, while events are being recorded.
        let after = Duration::from_millis(20 + (round * 37) % 160);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(after);
            child.kill().expect("killed");
            child.wait().expect("gone");
        });
        for n in 0.. {
            let value = 100.0 + (round as f64) + f64::from(n) / 1000.0;
            let key = format!("round {round} event {n}");
            // A year back, a day an event, so that no two are of one day.
            let on = today
                .saturating_sub(jiff::Span::new().days((round as i64 * 40 + n as i64) % 20_000));
            let entry = json!({ "key": key, "head": head, "on": on.to_string(),
                "said": { "kind": "labs", "values": [format!("platelets={value}")] } });
            match agent().post(url("/events")).send_json(&entry) {
                Ok(answer) => {
                    let answer = read(Ok(answer));
                    assert_eq!(answer.status, 201, "{}", answer.text);
                    let said: Value = serde_json::from_str(&answer.text).expect("JSON");
                    head = said["head"].as_str().expect("a head").to_owned();
                    acknowledged.push(said["events"][0].as_str().expect("an id").to_owned());
                }
                Err(_) => {
                    unsure = Some((key, entry));
                    break;
                }
            }
        }
        killer.join().expect("no panic");
    }
    eprintln!("{rounds} kills, {} events acknowledged, none lost", acknowledged.len());
    assert!(acknowledged.len() as u64 >= rounds, "{}", acknowledged.len());
}
