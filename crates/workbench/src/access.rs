//! Who may do what: one table of all paths, asked before anything is answered. A path that is not in
//! the table is refused.

use crate::people::{self, ASKS, Act, Who};
use crate::problem::{PageProblem, Problem};
use crate::server::App;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

/// Name of the cookie that holds a session's token.
pub const COOKIE: &str = "hepatica-session";
/// Most bytes of a form that is kept while somebody signs in again.
const MOST_FORM: usize = 1 << 20;

/// What a path needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: it says nothing of a patient.
    Nothing,
    /// Somebody; what they see depends on who they are: of a trial the courses that they may read.
    Somebody,
    /// That they may do this somewhere.
    Somewhere(Act),
    /// That they may do this to the patient in the path.
    Patient(Act),
    /// That they may do this to the patient whose job, plan or verification is in the path.
    Job(Act),
}

fn need(method: &Method, path: &str) -> Option<Need> {
    use Act::{Audit, Export, Plan, Read, Record, Sign};
    use Need::{Job, Nothing, Patient, Somebody, Somewhere};
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    let or = |write: Act| if writes { write } else { Read };
    Some(match path {
        "/assets/{name}" | "/sign-in" | "/api/session" => Nothing,
        "/"
        | "/sign-out"
        | "/protocols"
        | "/protocols/{id}"
        | "/api"
        | "/api/openapi.json"
        | "/api/protocols"
        | "/api/protocols/{id}"
        | "/api/changes"
        | "/trials"
        | "/trials/{protocol}"
        | "/api/trials"
        | "/api/trials/{protocol}/monitor"
        | "/api/trials/{protocol}/analysis"
        | "/api/trials/{protocol}/figures/{name}"
        | "/api/trials/{protocol}/report.pdf"
        | "/design"
        | "/api/{*rest}" => Somebody,
        // Who may read none sees an empty list.
        "/courses" | "/api/courses" if !writes => Somebody,
        "/courses" | "/api/courses" | "/api/courses/import" => Somewhere(Record),
        "/audit" | "/api/audit" => Somewhere(Audit),
        "/api/cases" | "/api/scans" => Somewhere(Plan),
        "/courses/{patient}" | "/api/courses/{patient}" | "/api/courses/{patient}/timeline.svg" => {
            Patient(Read)
        }
        "/api/courses/{patient}/file" | "/api/courses/{patient}/calendar.ics" => Patient(Export),
        "/courses/{patient}/record/{kind}" | "/courses/{patient}/events/{event}/correct" => {
            Patient(Record)
        }
        "/api/courses/{patient}/events" => Patient(or(Record)),
        "/api/courses/{patient}/simulation" => Patient(Record),
        "/courses/{patient}/plan" | "/api/courses/{patient}/plans" => Patient(or(Plan)),
        "/plans/{id}" => Job(or(Record)),
        "/plans/{id}/verify" | "/api/plans/{id}/verifications" => Job(or(Plan)),
        "/plans/{id}/sign" => Job(Sign),
        "/api/plans/{id}/signatures" => Job(or(Sign)),
        "/api/jobs/{id}"
        | "/api/jobs/{id}/progress"
        | "/api/plans/{id}"
        | "/api/plans/{id}/dvh"
        | "/api/plans/{id}/files/{name}"
        | "/api/plans/{id}/what-if"
        | "/verifications/{id}"
        | "/api/verifications/{id}"
        | "/api/verifications/{id}/dvh"
        | "/api/verifications/{id}/files/{name}" => Job(Read),
        _ => return None,
    })
}

/// The token that a request carries, and whether a browser sent it by itself.
pub(crate) fn token(headers: &HeaderMap) -> Option<(String, bool)> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(bearer) = text(header::AUTHORIZATION).and_then(|a| a.strip_prefix("Bearer ")) {
        return Some((bearer.trim().to_owned(), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|c| c.split(';')).filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| (value.to_owned(), true))
}

/// Whether a browser says that a request comes from one of our own pages.
fn of_our_own(headers: &HeaderMap) -> bool {
    // That an origin is our own was asked before; here there has to be one.
    headers.contains_key(header::ORIGIN)
        || headers.get("sec-fetch-site").is_some_and(|s| s == "same-origin")
}

async fn who(app: &App, headers: &HeaderMap, writes: bool) -> Result<Option<Who>, Problem> {
    if !app.store.has_accounts().await? {
        if app.local {
            return Ok(Some(Who::local(&app.user)));
        }
        return Ok(None);
    }
    let Some((token, by_itself)) = token(headers) else { return Ok(None) };
    if by_itself && writes && !of_our_own(headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "origin",
            "a cookie alone does not record: other programs sign in at /api/session and send `Authorization: Bearer TOKEN`",
        ));
    }
    people::of_token(app, &token).await
}

async fn patient_of(app: &App, parts: &mut Parts, need: Need) -> Result<Option<String>, Problem> {
    let wanted = match need {
        Need::Patient(_) => "patient",
        Need::Job(_) => "id",
        _ => return Ok(None),
    };
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|e| Problem::not_found(e.body_text()))?;
    let found = params.iter().find(|(name, _)| *name == wanted);
    let Some(value) = found.map(|(_, v)| v.to_owned()) else { return Ok(None) };
    if wanted == "patient" {
        return Ok(Some(value));
    }
    // Of a job that is not there the handler says so.
    Ok(app.store.job(&value).await?.map(|job| job.patient))
}

async fn allowed(app: &App, parts: &mut Parts, need: Need, who: &Who) -> Result<(), Problem> {
    if who.local {
        return Ok(());
    }
    if !app.people.goes_on(&who.name) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate",
            "too many requests at once: wait a few seconds",
        ));
    }
    match need {
        Need::Nothing | Need::Somebody => Ok(()),
        Need::Somewhere(act) if who.may_somewhere(act) => Ok(()),
        Need::Somewhere(act) => Err(who.refused(act)),
        Need::Patient(act) | Need::Job(act) => {
            let Some(patient) = patient_of(app, parts, need).await? else { return Ok(()) };
            let centre = app.store.centre(&patient).await?.unwrap_or_default();
            if who.may(act, &centre) {
                return Ok(());
            }
            let entry = crate::desk::audit(&who.name, "refused", &patient, parts.uri.path());
            app.store.audit(&entry).await?;
            Err(who.refused(act))
        }
    }
}

fn said(of_pages: bool, problem: Problem) -> Response {
    if of_pages { PageProblem(problem).into_response() } else { problem.into_response() }
}

/// Asks who it is and whether they may, before anything is answered.
pub async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().map(|m| m.as_str().to_owned())
    else {
        // There is no such page, and that is said by who answers.
        return next.run(request).await;
    };
    let of_pages = !path.starts_with("/api/") && !path.starts_with("/assets/");
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(need) = need(request.method(), &path) else {
        let detail = "this path has no rule of access: a fault of the program";
        return said(of_pages, Problem::new(StatusCode::FORBIDDEN, "role", detail));
    };
    let (mut parts, body) = request.into_parts();
    let who = match who(&app, &parts.headers, writes).await {
        Ok(Some(who)) => who,
        Ok(None) if need == Need::Nothing => {
            return next.run(Request::from_parts(parts, body)).await;
        }
        Ok(None) => return sign_in_first(&app, of_pages, writes, &parts, body).await,
        Err(_) if need == Need::Nothing => {
            return next.run(Request::from_parts(parts, body)).await;
        }
        Err(problem) => return said(of_pages, problem),
    };
    let asks = allowed(&app, &mut parts, need, &who);
    if let Err(problem) = ASKS.scope(who.clone(), asks).await {
        return ASKS.scope(who, async { said(of_pages, problem) }).await;
    }
    ASKS.scope(who, next.run(Request::from_parts(parts, body))).await
}

/// A page leads to signing in, and a form that was sent is kept until then.
async fn sign_in_first(
    app: &App,
    of_pages: bool,
    writes: bool,
    parts: &Parts,
    body: Body,
) -> Response {
    if !of_pages {
        let mut problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "sign-in",
            "who asks? sign in at /api/session and send `Authorization: Bearer TOKEN`",
        );
        if !app.local {
            problem.detail.push_str(" (accounts are made with `hepatica account add`)");
        }
        return problem.into_response();
    }
    let to = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    if !writes {
        let to = format!("/sign-in?to={}", crate::pages::encoded(to));
        return Redirect::to(&to).into_response();
    }
    let typed = to_bytes(body, MOST_FORM).await.ok();
    let typed = typed.and_then(|b| String::from_utf8(b.to_vec()).ok()).unwrap_or_default();
    crate::pages::sign_in::again(to, &typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_path_has_a_rule() {
        let document = crate::api::document().expect("the interface");
        let paths = document["paths"].as_object().expect("paths");
        assert!(paths.len() > 15);
        for (path, methods) in paths {
            for method in methods.as_object().expect("methods").keys() {
                let method: Method = method.to_uppercase().parse().expect("a method");
                assert!(need(&method, path).is_some(), "{method} {path}");
            }
        }
        assert_eq!(need(&Method::GET, "/api/new"), None, "what is forgotten is refused");
    }

    #[test]
    fn reading_needs_less_than_writing() {
        let of = |m: Method, p| need(&m, p).expect(p);
        assert_eq!(of(Method::GET, "/api/courses/{patient}/events"), Need::Patient(Act::Read));
        assert_eq!(of(Method::POST, "/api/courses/{patient}/events"), Need::Patient(Act::Record));
        assert_eq!(of(Method::POST, "/plans/{id}/sign"), Need::Job(Act::Sign));
        assert_eq!(of(Method::POST, "/api/plans/{id}/verifications"), Need::Job(Act::Plan));
        assert_eq!(of(Method::HEAD, "/api/plans/{id}/files/{name}"), Need::Job(Act::Read));
    }

    #[test]
    fn a_token_is_found_in_either_header() {
        let with = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            token(&headers)
        };
        let own = |t: &str, by_itself| Some((t.to_owned(), by_itself));
        assert_eq!(with(header::AUTHORIZATION, "Bearer abc"), own("abc", false));
        assert_eq!(with(header::COOKIE, "a=b; hepatica-session=abc"), own("abc", true));
        assert_eq!(with(header::COOKIE, "xhepatica-session=abc"), None);
        assert_eq!(with(header::AUTHORIZATION, "Basic abc"), None);
    }
}
