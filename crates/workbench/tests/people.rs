//! People: who signs in, what they may do at which centre, and what happens when a session ends.

mod common;

use common::{Answer, agent, config, read, start};
use hepatica_workbench::people::Grant;
use hepatica_workbench::site::{AccountChange, Site, change_account_now};
use hepatica_workbench::tls::Tls;
use hepatica_workbench::{Access, Config};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const PASSWORD: &str = "a long enough password";

struct Hospital {
    folder: TempDir,
    address: SocketAddr,
}

fn site(data: &Path) -> Site {
    Site { data: data.to_owned(), database: config(data).database }
}

fn add(data: &Path, name: &str, roles: &str) {
    let grants: Vec<Grant> = roles.split(' ').map(|r| r.parse().expect("a role")).collect();
    let change = AccountChange::Add { password: PASSWORD.to_owned(), grants };
    change_account_now(&site(data), name, &change, "root").expect("an account");
}

impl Hospital {
    /// Two centres and those who look at both.
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, roles) in [
            ("anna", "physician@basel"),
            ("ben", "coordinator@bern"),
            ("mona", "monitor@bern"),
            ("stan", "statistician"),
            ("ada", "administrator"),
        ] {
            add(folder.path(), name, roles);
        }
        let mut config = config(folder.path());
        change(&mut config);
        let address = start(config);
        Self { folder, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn token(&self, name: &str) -> String {
        let entry = json!({ "name": name, "password": PASSWORD });
        let answer = read(agent().post(self.url("/api/session")).send_json(entry));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    fn get(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        read(agent().get(self.url(path)).header("authorization", &bearer).call())
    }

    fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        read(agent().post(self.url(path)).header("authorization", &bearer).send_json(body))
    }

    fn begin(&self, token: &str, patient: &str) -> Answer {
        let c1d1 = jiff::ZonedDateTime::now().date().to_string();
        let b = json!({ "key": format!("{patient} begins"), "patient": patient,
            "protocol": "captemy90", "c1d1": c1d1 });
        self.post(token, "/api/courses", &b)
    }

    fn labs(&self, token: &str, patient: &str, key: &str) -> Answer {
        let course = self.get(token, &format!("/api/courses/{patient}"));
        let head = if course.status == 200 { course.json()["head"].clone() } else { json!("") };
        let on = jiff::ZonedDateTime::now().date().to_string();
        let entry = json!({ "key": key, "head": head, "on": on,
            "said": { "kind": "labs", "values": ["platelets=170"] } });
        self.post(token, &format!("/api/courses/{patient}/events"), &entry)
    }

    /// Signs in on the page: the cookie.
    fn cookie(&self, name: &str) -> String {
        let pairs = [("name", name), ("password", PASSWORD), ("to", "/courses")];
        let answer = read(agent().post(self.url("/sign-in")).send_form(pairs));
        assert_eq!((answer.status, answer.header("location")), (303, "/courses"));
        let cookie = answer.header("set-cookie").to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().expect("a cookie").to_owned()
    }
}

#[test]
fn nothing_is_answered_to_who_has_not_signed_in() {
    let h = Hospital::new(|_| {});
    // The examples are not made where people sign in.
    let anna = h.token("anna");
    assert_eq!(h.get(&anna, "/api/courses").json(), json!([]));
    let document = h.get(&anna, "/api/openapi.json").json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{patient}", "P1").replace("{id}", "x").replace("{name}", "x");
        for method in methods.as_object().expect("methods").keys() {
            let answer = match method.as_str() {
                "get" => read(agent().get(h.url(&path)).call()),
                "post" if path != "/api/session" => {
                    read(agent().post(h.url(&path)).send_json(json!({})))
                }
                _ => continue,
            };
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    for path in ["/", "/courses", "/courses/P1", "/audit", "/protocols/captemy90", "/plans/x"] {
        let answer = read(agent().get(h.url(path)).call());
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").starts_with("/sign-in?to=%2F"), "{path}");
    }
    let wrong = h.get("no token of anybody", "/api/courses");
    assert_eq!((wrong.status, wrong.json()["code"].as_str()), (401, Some("sign-in")));
    let page = read(agent().get(h.url("/sign-in")).call());
    assert!(page.status == 200 && page.text.contains("current-password"));
}

#[test]
fn a_role_counts_at_its_centre() {
    let h = Hospital::new(|_| {});
    let token = |name| h.token(name);
    let (anna, ben, mona, stan, ada) =
        (token("anna"), token("ben"), token("mona"), token("stan"), token("ada"));
    assert_eq!(h.begin(&anna, "B-1").status, 201);
    assert_eq!(h.begin(&ben, "N-1").status, 201);
    for (who, patient, status) in [(&anna, "B-1", 201), (&anna, "N-1", 403), (&ben, "B-1", 403)] {
        let answer = h.labs(who, patient, &format!("{patient} {status}"));
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    // Who may not read learns nothing: the same for a patient that is not there.
    assert_eq!(h.get(&ben, "/api/courses/B-1/events").status, 403);
    assert_eq!(h.get(&ben, "/courses/B-1").status, 403);
    let listed = |t: &str| -> Vec<String> {
        let rows = h.get(t, "/api/courses").json();
        let all = rows.as_array().expect("rows").iter();
        all.map(|r| r["patient"].as_str().expect("a patient").to_owned()).collect()
    };
    assert_eq!(listed(&anna), ["B-1"]);
    assert_eq!(listed(&ben), ["N-1"]);
    assert_eq!(listed(&mona), ["N-1"]);
    assert_eq!(listed(&stan), ["B-1", "N-1"]);
    assert!(listed(&ada).is_empty(), "who keeps the accounts reads no course");
    assert_eq!(h.labs(&stan, "N-1", "s").status, 403);
    assert_eq!(h.labs(&mona, "N-1", "m").status, 403);
    assert_eq!(h.begin(&stan, "S-1").status, 403);
    assert_eq!(h.get(&stan, "/api/courses/B-1/file").status, 200);
    assert_eq!(h.get(&mona, "/api/courses/N-1/file").status, 403);

    // A trial holds the courses that who asks may read, and no others.
    let patients = |t: &str| h.get(t, "/api/trials").json()[0]["patients"].clone();
    assert_eq!((patients(&ben), patients(&stan)), (json!(1), json!(2)));
    let centres = h.get(&stan, "/api/trials").json()[0]["centres"].clone();
    assert_eq!(centres, json!(["basel", "bern"]));
    let of_ben = h.get(&ben, "/api/trials/captemy90/monitor").json();
    assert_eq!(of_ben["accrual"]["enrolled"], 1);
    assert_eq!(h.get(&ada, "/api/trials/captemy90/monitor").status, 404);

    // The trail: of the own centre only; who was refused is in it.
    assert_eq!(h.get(&anna, "/api/audit").status, 403);
    let trail = |t: &str| h.get(t, "/api/audit?most=1000").json().as_array().expect("rows").clone();
    assert!(trail(&mona).iter().all(|a| a["patient"] == "N-1"));
    let refused: Vec<_> = trail(&ada).into_iter().filter(|a| a["what"] == "refused").collect();
    assert!(refused.iter().any(|a| a["who"] == "ben" && a["patient"] == "B-1"), "{refused:?}");
    assert!(trail(&ada).iter().any(|a| a["what"] == "account"));
    let events = h.get(&anna, "/api/courses/B-1/events").json();
    assert_eq!(events["events"][1]["event"]["by"], "anna");

    // A closed account is out at once.
    change_account_now(&site(h.folder.path()), "ben", &AccountChange::Close, "root").expect("shut");
    assert_eq!(h.get(&ben, "/api/courses").status, 401);
}

#[test]
fn a_cookie_records_only_from_our_own_pages() {
    let h = Hospital::new(|_| {});
    let anna = h.token("anna");
    assert_eq!(h.begin(&anna, "B-1").status, 201);
    let cookie = h.cookie("anna");
    let page = read(agent().get(h.url("/courses/B-1")).header("cookie", &cookie).call());
    assert!(page.status == 200 && page.text.contains("Sign out"), "{}", page.text);
    let head = h.get(&anna, "/api/courses/B-1").json()["head"].as_str().expect("x").to_owned();
    let on = jiff::ZonedDateTime::now().date().to_string();
    let send = |headers: &[(&str, &str)], key: &str, head: &str| {
        let mut request = agent().post(h.url("/courses/B-1/record/labs")).header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let pairs = [("key", key), ("head", head), ("on", &on), ("m.platelets", "188")];
        read(request.send_form(pairs))
    };
    let own = format!("http://{}", h.address);
    assert_eq!(send(&[], "1", &head).status, 403);
    assert_eq!(send(&[("origin", "https://evil.example")], "2", &head).status, 403);
    assert_eq!(send(&[("sec-fetch-site", "cross-site")], "3", &head).status, 403);
    let good = send(&[("origin", &own)], "4", &head);
    assert!(good.status == 303 && good.header("location").contains("recorded="), "{}", good.text);

    let out = agent().post(h.url("/sign-out")).header("cookie", &cookie).header("origin", &own);
    assert_eq!(read(out.send_empty()).status, 303);
    let page = read(agent().get(h.url("/courses/B-1")).header("cookie", &cookie).call());
    assert_eq!(page.status, 303, "the token is worth nothing any more");
}

#[test]
fn a_session_that_ends_in_the_middle_of_a_form_loses_nothing() {
    let h = Hospital::new(|c| c.access.idle = Duration::from_secs(1));
    let anna = h.token("anna");
    assert_eq!(h.begin(&anna, "B-1").status, 201);
    let head = h.get(&anna, "/api/courses/B-1").json()["head"].as_str().expect("x").to_owned();
    let cookie = h.cookie("anna");
    std::thread::sleep(Duration::from_millis(2_200));
    let own = format!("http://{}", h.address);
    let on = jiff::ZonedDateTime::now().date().to_string();
    let pairs = [("key", "late"), ("head", &head), ("on", &on), ("m.platelets", "188")];
    let send = |cookie: &str| {
        let request = agent().post(h.url("/courses/B-1/record/labs")).header("cookie", cookie);
        read(request.header("origin", &own).send_form(pairs))
    };
    let ended = send(&cookie);
    assert_eq!(ended.status, 401);
    assert!(ended.text.contains("What you typed is kept"), "{}", ended.text);
    assert!(ended.text.contains("m.platelets=188"), "{}", ended.text);

    let form = format!("key=late&head={head}&on={on}&m.platelets=188");
    let to = "/courses/B-1/record/labs";
    let signed = [("name", "anna"), ("password", PASSWORD), ("to", to), ("form", &form)];
    let back = read(agent().post(h.url("/sign-in")).send_form(signed));
    assert_eq!(back.status, 200);
    assert!(back.text.contains(r#"name="m.platelets" value="188""#), "{}", back.text);
    assert!(back.text.contains(&format!("action=\"{to}\"")), "{}", back.text);
    let cookie = back.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let recorded = send(&cookie);
    assert!(recorded.header("location").contains("recorded="), "{}", recorded.text);
}

#[test]
fn passwords_cannot_be_tried_for_ever() {
    let h = Hospital::new(|_| {});
    let attempt = |name: &str, password: &str| {
        let entry = json!({ "name": name, "password": password });
        read(agent().post(h.url("/api/session")).send_json(entry))
    };
    for _ in 0..5 {
        let answer = attempt("anna", "guess");
        assert_eq!(answer.status, 401);
        // A name that is not there is answered in the same words.
        assert_eq!(answer.json()["detail"], attempt("nobody", "guess").json()["detail"]);
    }
    let locked = attempt("anna", PASSWORD);
    assert_eq!((locked.status, locked.json()["code"].as_str()), (429, Some("tries")));
    assert_eq!(attempt("ben", PASSWORD).status, 201, "others are not held up");
    let short = AccountChange::Add { password: "short".to_owned(), grants: Vec::new() };
    let said = change_account_now(&site(h.folder.path()), "eve", &short, "root");
    assert!(said.expect_err("short").to_string().contains("expected 12 to 200"));
}

#[test]
fn a_plan_goes_into_the_course_once_it_is_signed_off() {
    let h = Hospital::new(|_| {});
    let anna = h.token("anna");
    assert_eq!(h.begin(&anna, "PHANTOM").status, 201);
    let asked = h.post(&anna, "/api/courses/PHANTOM/plans", &json!({ "case": "built-in" }));
    assert_eq!(asked.status, 202, "{}", asked.text);
    let id = asked.json()["id"].as_str().expect("an id").to_owned();
    let begun = std::time::Instant::now();
    loop {
        let job = h.get(&anna, &format!("/api/jobs/{id}")).json();
        match job["state"].as_str() {
            Some("done") => break,
            Some("failed") => panic!("{job}"),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{job}");
    }
    // The other centre sees neither job nor plan.
    let ben = h.token("ben");
    for path in [format!("/api/jobs/{id}"), format!("/api/plans/{id}/files/report.pdf")] {
        assert_eq!(h.get(&ben, &path).status, 403, "{path}");
    }
    // Who does not plan does not verify, and is told no scans.
    let asked = json!({ "scan": "built-in-pet", "session": 1 });
    let to = format!("/api/plans/{id}/verifications");
    for who in ["ben", "mona", "stan", "ada"] {
        let token = h.token(who);
        assert_eq!(h.post(&token, &to, &asked).status, 403, "{who}");
        assert_eq!(h.get(&token, "/api/scans").status, 403, "{who}");
    }
    assert_eq!(h.get(&anna, &to).json(), json!([]));
    let record = || {
        let head = h.get(&anna, "/api/courses/PHANTOM").json()["head"].clone();
        let on = jiff::ZonedDateTime::now().date().to_string();
        let entry = json!({ "plan": id, "entry": { "key": "plan", "head": head, "on": on } });
        h.post(&anna, "/api/courses/PHANTOM/simulation", &entry)
    };
    let early = record();
    assert!(
        early.status == 422 && early.text.contains("nobody has signed it off"),
        "{}",
        early.text
    );
    let sign = |password: &str, why: &str| {
        let entry = json!({ "password": password, "why": why });
        h.post(&anna, &format!("/api/plans/{id}/signatures"), &entry)
    };
    assert_eq!(sign("wrong", "doses checked").status, 401);
    assert_eq!(sign(PASSWORD, "  ").status, 422, "why?");
    let signed = sign(PASSWORD, "doses and territories checked");
    assert_eq!(signed.status, 201, "{}", signed.text);
    assert_eq!(signed.json()["roles"], "physician@basel");
    assert_eq!(record().status, 201);
    let page = h.get(&anna, &format!("/plans/{id}"));
    assert!(page.text.contains("doses and territories checked"));
}

#[test]
fn over_tls_everything_is_secure() {
    let keys = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a key");
    let (certificate, key) = (keys.path().join("c.pem"), keys.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let tls = Some(Tls { certificate, key });
    let h = Hospital::new(|c| c.access = Access { tls, ..Access::default() });
    // Somebody who connects and says nothing holds nobody up.
    let silent = std::net::TcpStream::connect(h.address).expect("connected");

    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("trusted");
    let provider = std::sync::Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let form = format!("name=anna&password={}", PASSWORD.replace(' ', "+"));
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let answer = runtime.block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let stream = tokio::net::TcpStream::connect(h.address).await.expect("connected");
        let name = "localhost".try_into().expect("a name");
        let mut stream = connector.connect(name, stream).await.expect("a handshake");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // The end may come without a goodbye.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).to_lowercase()
    });
    assert!(answer.starts_with("http/1.1 303"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    assert!(answer.contains("; secure"), "{answer}");
    // Without TLS nothing is said.
    assert!(agent().get(h.url("/sign-in")).call().is_err());
    drop(silent);

    let nothing = keys.path().join("empty.pem");
    std::fs::write(&nothing, "no certificate").expect("written");
    let said = Tls { certificate: nothing.clone(), key: nothing }.acceptor().err().expect("none");
    assert!(said.contains("empty.pem") && said.contains("PEM"), "{said}");
}
