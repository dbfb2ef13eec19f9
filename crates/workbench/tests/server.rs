//! The workbench as browsers and programs meet it: a real server on a free port.

mod common;

use common::{Home, agent, read};
use serde_json::{Value, json};

const PAGES: [&str; 16] = [
    "/courses",
    "/courses/PHANTOM",
    "/courses/PHANTOM/plan",
    "/courses/PHANTOM/record/labs",
    "/courses/PHANTOM/record/doses",
    "/courses/EX-02/record/toxicity",
    "/courses/EX-03/record/scan",
    "/courses/EX-03/record/override",
    "/protocols",
    "/protocols/captemy90",
    "/audit",
    "/api",
    "/trials",
    "/trials/captemy90",
    "/design",
    "/design?endpoint=survival&null=12.2&alternative=18&alpha=0.05&power=0.8&accrual=36&follow_up=24&loss=0",
];

#[test]
fn every_page_answers_says_what_it_is_for_and_loads_nothing_from_elsewhere() {
    let home = Home::new();
    for path in PAGES {
        let page = home.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(page.text.contains("Research use only"), "{path}");
        assert!(page.header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        // Names of standards and registries are no requests: only attributes that load are looked at.
        for attribute in ["src=\"http", "href=\"http", "action=\"http", "url(http"] {
            assert!(!page.text.contains(attribute), "{path} has {attribute}");
        }
        assert!(!page.text.contains("<style") && !page.text.contains(" onclick="), "{path}");
    }
    assert_eq!(home.get("/").header("location"), "/courses");
    for path in [
        "/nowhere",
        "/courses/NOBODY",
        "/protocols/..%2Fsecret",
        "/api/courses/NOBODY",
        "/api/x",
        "/plans/1",
        "/trials/nothing",
        "/api/trials/nothing/monitor",
        "/api/trials/captemy90/figures/..%2Fsecret.svg",
    ] {
        assert_eq!(home.get(path).status, 404, "{path}");
    }
    let style = home.get("/assets/style.css");
    assert_eq!((style.status, style.header("cache-control")), (200, "no-cache"));
}

#[test]
fn the_examples_are_where_their_stories_say() {
    let home = Home::new();
    let rows = home.get("/api/courses").json();
    let row = |patient: &str| {
        let all = rows.as_array().expect("rows");
        all.iter().find(|r| r["patient"] == patient).unwrap_or_else(|| panic!("{patient}")).clone()
    };
    assert_eq!(row("PHANTOM")["day"], "cycle 1, day 18");
    let waits = row("EX-02")["held"].to_string();
    assert!(waits.contains("platelets") && waits.contains("82"), "{waits}");
    assert_eq!(row("EX-04")["day"], "6 days before cycle 1");
    assert!(row("EX-03")["day"].as_str().expect("words").starts_with("cycle 3"));
}

#[test]
fn the_courses_of_a_protocol_are_a_trial() {
    let home = Home::new();
    let trials = home.get("/api/trials").json();
    let all = trials.as_array().expect("rows");
    let own = all.iter().find(|t| t["protocol"] == "captemy90").expect("the examples' trial");
    let monitor = home.get("/api/trials/captemy90/monitor").json();
    assert_eq!(monitor["schema"], "hepatica-monitor/1");
    assert_eq!(monitor["accrual"]["enrolled"], own["patients"]);
    let analysis = home.get("/api/trials/captemy90/analysis").json();
    assert_eq!(analysis["schema"], "hepatica-analysis/1");
    let page = home.get("/trials/captemy90").text;
    for what in ["Stopping for toxicity", "Accrual and feasibility", "Toxicity", "Due and missed"] {
        assert!(page.contains(what), "{what}");
    }
    // Every picture of the page is there, with its numbers.
    let mut pictures = 0;
    for link in page.split("<img src=\"").skip(1).filter_map(|t| t.split('"').next()) {
        if link.contains("/figures/") {
            pictures += 1;
            let svg = home.get(link);
            assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"), "{link}");
            assert!(svg.text.starts_with("<svg"), "{link}");
            let csv = home.get(&link.replace(".svg", ".csv"));
            assert!(csv.status == 200 && csv.text.contains(','), "{link}");
        }
    }
    assert!(pictures >= 8, "{pictures}");
    for figure in ["boundary", "accrual", "swimmer", "km_hpfs", "toxicity"] {
        assert!(page.contains(&format!("/figures/{figure}.svg")), "{figure}");
    }
    assert!(home.get("/design").text.contains("Simon, fewest expected"));
    // Cut before anybody came there is nothing to analyse, and that is said.
    let early = home.get("/api/trials/captemy90/monitor?on=1999-01-01");
    assert!(early.status == 422 || early.json()["cutoff"] == "1999-01-01", "{}", early.text);
    assert!(home.get("/design?null=0.7&alternative=0.5").text.contains("notice fail"));
}

#[test]
fn what_is_sent_twice_is_recorded_once() {
    let home = Home::new();
    let head = home.head("EX-04");
    let first = home.labs("EX-04", "key-1", &head, &["platelets=180"]);
    assert_eq!(first.status, 201, "{}", first.text);
    // The answer was lost: the same is sent again, on the old head.
    let again = home.labs("EX-04", "key-1", &head, &["platelets=180"]);
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["again"], true);
    assert_eq!(again.json()["events"], first.json()["events"]);
    let other = home.labs("EX-04", "key-1", &head, &["platelets=170"]);
    assert_eq!((other.status, other.json()["code"].as_str()), (422, Some("key-used")));
    let events = home.get("/api/courses/EX-04/events").json();
    let labs = events["events"].as_array().expect("events");
    assert_eq!(labs.iter().filter(|e| e["event"]["fact"]["kind"] == "labs").count(), 1);
}

#[test]
fn of_many_who_record_on_one_state_one_is_taken_and_the_others_are_told() {
    let home = Home::new();
    let head = home.head("EX-03");
    let answers: Vec<(u16, Value)> = std::thread::scope(|s| {
        let home = &home;
        let head = &head;
        let tries: Vec<_> = (0..12)
            .map(|n| {
                s.spawn(move || {
                    let value = format!("platelets={}", 150 + n);
                    let a = home.labs("EX-03", &format!("at once {n}"), head, &[&value]);
                    (a.status, a.json())
                })
            })
            .collect();
        tries.into_iter().map(|t| t.join().expect("no panic")).collect()
    });
    let taken = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(taken, 1, "{answers:?}");
    for (status, said) in answers.iter().filter(|(status, _)| *status != 201) {
        assert_eq!((*status, said["code"].as_str()), (409, Some("stale")), "{said}");
        assert!(said["detail"].as_str().expect("a sentence").contains("nothing was recorded"));
    }
    // Who looks again and sends again contradicts the first: both are kept, and it is said.
    let again = home.labs("EX-03", "second look", &home.head("EX-03"), &["platelets=99"]);
    assert_eq!(again.status, 201);
    let agenda = home.get("/api/courses/EX-03").json();
    assert_eq!(agenda["agenda"]["conflicts"].as_array().expect("a list").len(), 1);
}

#[test]
fn what_cannot_be_is_refused_and_what_is_unlikely_is_asked_back() {
    let home = Home::new();
    let head = home.head("PHANTOM");
    let said = |values: &[&str]| {
        let a = home.labs("PHANTOM", "k", &head, values);
        (a.status, a.json())
    };
    let (status, p) = said(&["plattelets=92"]);
    assert_eq!(status, 422);
    assert!(p["detail"].as_str().expect("words").contains("did you mean `platelets`?"), "{p}");
    assert_eq!(said(&["platelets=-3"]).0, 422);
    let (status, p) = said(&["bilirubin=15"]);
    assert_eq!((status, p["code"].as_str()), (422, Some("unlikely")), "{p}");
    let bad =
        home.post("/api/courses/PHANTOM/events", &json!({ "key": "k", "head": head, "colour": 1 }));
    assert_eq!((bad.status, bad.header("content-type")), (422, "application/problem+json"));
    let wild: Vec<String> = (0..500).map(|n| format!("m{n}=1")).collect();
    let wild: Vec<&str> = wild.iter().map(String::as_str).collect();
    assert!(said(&wild).1["detail"].as_str().expect("words").contains("too much at once"));
    assert_eq!(home.head("PHANTOM"), head, "nothing was recorded");
}

/// A hidden field of a form.
fn hidden(page: &str, name: &str) -> String {
    let start = page.find(&format!("name=\"{name}\" value=\"")).expect("the field");
    let rest = &page[start..];
    let value = rest.split("value=\"").nth(1).expect("a value");
    value.split('"').next().expect("an end").to_owned()
}

#[test]
fn a_page_that_is_old_keeps_what_was_typed() {
    let home = Home::new();
    let page = home.get("/courses/PHANTOM/record/labs").text;
    let (key, head) = (hidden(&page, "key"), hidden(&page, "head"));
    let today = jiff::ZonedDateTime::now().date().to_string();
    // Meanwhile somebody else records.
    assert_eq!(home.labs("PHANTOM", "other", &head, &["anc=2.9"]).status, 201);
    let typed = [
        ("key", &*key),
        ("head", &head),
        ("on", &today),
        ("m.platelets", "187.5"),
        ("why", "called"),
    ];
    let old = home.form("/courses/PHANTOM/record/labs", &typed);
    assert_eq!(old.status, 409);
    assert!(old.text.contains("The course has changed since you opened it"), "{}", old.text);
    assert!(old.text.contains("value=\"187.5\"") && old.text.contains("called"));
    // The page that came back is of the new state.
    let fresh = hidden(&old.text, "head");
    let typed = [("key", &*key), ("head", &fresh), ("on", &today), ("m.platelets", "187.5")];
    let done = home.form("/courses/PHANTOM/record/labs", &typed);
    assert_eq!(done.status, 303);
    let course = home.get(done.header("location")).text;
    assert!(course.contains("Recorded: labs of") && course.contains("platelets 187.5"));
}

#[test]
fn a_correction_begins_with_what_was_recorded_and_stays_beside_it() {
    let home = Home::new();
    let head = home.head("EX-02");
    let wrong = home.labs("EX-02", "wrong", &head, &["platelets=301"]).json();
    let event = wrong["events"][0].as_str().expect("an event");
    let path = format!("/courses/EX-02/events/{event}/correct");
    let page = home.get(&path).text;
    assert!(page.contains("value=\"301\""), "{page}");
    let (key, head) = (hidden(&page, "key"), hidden(&page, "head"));
    let on = jiff::ZonedDateTime::now().date().to_string();
    let typed = [("key", &*key), ("head", &head), ("on", &on), ("m.platelets", "101")];
    let refused = home.form(&path, &typed);
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("A correction says why"), "{}", refused.text);
    let done = home.form(&path, &[&typed[..], &[("why", "wrong line")]].concat());
    assert_eq!(done.status, 303, "{}", done.text);
    let events = home.get("/api/courses/EX-02/events").json();
    let all = events["events"].as_array().expect("events");
    let original = all.iter().find(|e| e["id"] == event).expect("still there");
    assert_eq!(original["corrected"], true);
    let agenda = home.get("/api/courses/EX-02").json()["agenda"].clone();
    let platelets = agenda["values"]
        .as_array()
        .expect("values")
        .iter()
        .find(|v| v["measure"] == "platelets")
        .cloned();
    assert_eq!(platelets.expect("a value")["value"], 101.0);
}

#[test]
fn what_comes_from_other_pages_is_turned_away() {
    let home = Home::new();
    let url = home.url("/courses");
    let foreign = read(
        agent().post(&url).header("origin", "http://evil.example").send_form([("patient", "X")]),
    );
    assert_eq!(foreign.status, 403);
    let site = read(
        agent().post(&url).header("sec-fetch-site", "cross-site").send_form([("patient", "X")]),
    );
    assert_eq!(site.status, 403);
    let host = read(agent().get(home.url("/api/courses")).header("host", "evil.example").call());
    assert_eq!(host.status, 403);
    let own = format!("http://{}", home.address);
    let same = read(agent().post(&url).header("origin", &own).send_form([("patient", "X")]));
    assert_eq!(same.status, 422, "it is looked at");
}

#[test]
fn a_course_file_leaves_and_comes_back_whole() {
    let home = Home::new();
    let file = home.get("/api/courses/EX-03/file");
    assert!(file.header("content-disposition").contains("EX-03.course"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("EX-03.course");
    std::fs::write(&path, &file.text).expect("written");
    let log = hepatica_regimen::Log::read(&path, jiff::Timestamp::now()).expect("a course file");
    assert_eq!(log.hash(), home.head("EX-03"));
    // The same again adds nothing; one that was changed is refused.
    let send = |text: &str| {
        read(agent().post(home.url("/api/courses/import")).content_type("text/plain").send(text))
    };
    let taken = send(&file.text);
    assert_eq!(taken.status, 409, "it is there already: {}", taken.text);
    let forged = send(&file.text.replace("1.9", "2.9"));
    assert_eq!(forged.status, 422);
    assert!(forged.text.contains("changed after it was recorded"), "{}", forged.text);
    let renamed = file.text.replace("EX-03", "EX-33");
    assert_eq!(send(&renamed).status, 422, "another name is a change");
}

#[test]
fn who_read_and_wrote_is_in_the_audit_trail() {
    let home = Home::new();
    home.get("/courses/EX-04");
    home.labs("EX-04", "k", &home.head("EX-04"), &["anc=3.0"]);
    let trail = home.get("/api/audit?patient=EX-04").json();
    let said: Vec<(&str, &str)> = trail
        .as_array()
        .expect("entries")
        .iter()
        .map(|a| (a["what"].as_str().expect("text"), a["detail"].as_str().expect("text")))
        .collect();
    assert!(said.contains(&("record", "labs: anc 3")), "{said:?}");
    assert!(said.contains(&("read", "course")), "{said:?}");
    assert!(trail.as_array().expect("entries").iter().all(|a| a["patient"] == "EX-04"));
}

#[test]
fn the_interface_describes_itself() {
    let home = Home::new();
    let document = home.get("/api/openapi.json").json();
    assert!(
        document["openapi"].as_str().expect("a version").starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 18, "{}", paths.len());
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let place = reference.split('"').next().expect("an end");
        assert!(document.pointer(place).is_some(), "{place} leads nowhere");
    }
    for needed in ["Agenda", "Said", "Plan", "Problem", "Entry"] {
        assert!(document["components"]["schemas"][needed].is_object(), "{needed}");
    }
    // What needs no argument answers as described.
    for (path, methods) in paths {
        if !path.contains('{') && methods.get("get").is_some() && !path.ends_with("changes") {
            assert_eq!(home.get(path).status, 200, "{path}");
        }
    }
}
