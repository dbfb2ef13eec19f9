//! A real server on a free port, and a client.

#![allow(dead_code, reason = "each test uses a part")]

use hepatica_phantom::Options as PhantomOptions;
use hepatica_workbench::{Access, Config, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use tempfile::TempDir;

pub fn config(data: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: data.to_owned(),
        database: std::env::var("HEPATICA_TEST_POSTGRES")
            .ok()
            .map(|server| database(&server, data)),
        who: "tester".to_owned(),
        examples: true,
        phantom: PhantomOptions::small(),
        access: Access::default(),
    }
}

/// A database of its own for a folder, on the server of that address; made where there is none.
fn database(server: &str, data: &Path) -> String {
    use sqlx::Connection;
    let name = data.file_name().expect("a name").to_string_lossy();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("wb_{}", name.to_lowercase());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut c = sqlx::PgConnection::connect(server).await.expect("the database server");
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        // It may be there already.
        let _ = sqlx::query(statement).execute(&mut c).await;
    });
    let (front, _) = server.rsplit_once('/').expect("an address");
    format!("{front}/{name}")
}

/// Starts a server in a thread of its own; it ends with the test.
pub fn start(config: Config) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let server = Server::bind(config).await.expect("the workbench starts");
            tell.send(server.address().expect("an address")).expect("somebody waits");
            server.run(std::future::pending()).await.expect("it runs");
        });
    });
    told.recv().expect("the workbench starts")
}

pub struct Home {
    folder: TempDir,
    pub address: SocketAddr,
    agent: ureq::Agent,
}

pub struct Answer {
    pub status: u16,
    pub text: String,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
}

pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.build().into()
}

pub fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.expect("an answer");
    let headers = answer
        .headers()
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
        .collect();
    let body = answer.body_mut().with_config().limit(1 << 30);
    let bytes = body.read_to_vec().expect("a body");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: answer.status().as_u16(), text, headers }
}

/// Follows a job to its end and gives what was told.
pub fn follow(address: SocketAddr, id: &str) -> Vec<Value> {
    let url = format!("http://{address}/api/jobs/{id}/progress");
    let answer = agent().get(url).call().expect("events");
    let lines = BufReader::new(answer.into_body().into_reader()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    for line in lines {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let p: Value = serde_json::from_str(data).expect("JSON");
        let ended = p["state"] == "done" || p["state"] == "failed";
        told.push(p);
        if ended {
            break;
        }
    }
    told
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = start(config(folder.path()));
        Self { folder, address, agent: agent() }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        read(self.agent.get(self.url(path)).call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        read(self.agent.post(self.url(path)).send_json(body))
    }

    pub fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        read(self.agent.post(self.url(path)).send_form(pairs.iter().copied()))
    }

    pub fn head(&self, patient: &str) -> String {
        let course = self.get(&format!("/api/courses/{patient}")).json();
        course["head"].as_str().expect("a head").to_owned()
    }

    /// Records laboratory values of today.
    pub fn labs(&self, patient: &str, key: &str, head: &str, values: &[&str]) -> Answer {
        let on = jiff::ZonedDateTime::now().date().to_string();
        let entry = json!({ "key": key, "head": head, "on": on, "said": { "kind": "labs", "values": values } });
        self.post(&format!("/api/courses/{patient}/events"), &entry)
    }
}
