//! Signing in and out. A form that was sent after a session had ended is kept, and sent again by who
//! signs in.

use super::layout::{Place, page, sentence};
use crate::access::COOKIE;
use crate::people;
use crate::problem::{PageProblem, Problem};
use crate::server::App;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// Where to go then.
#[derive(Debug, Default, Deserialize)]
pub struct To {
    #[serde(default)]
    to: String,
}

/// What is typed.
#[derive(Debug, Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    to: String,
    /// A form that was sent without a session.
    #[serde(default)]
    form: String,
}

/// A path of ours, never another host.
fn ours(to: &str) -> &str {
    let plain = to.starts_with('/')
        && !to.starts_with("//")
        && !to.chars().any(|c| c.is_control() || c == '\\');
    if plain && !to.starts_with("/sign-") { to } else { "/courses" }
}

fn show(typed: &Typed, problem: Option<&Problem>) -> Markup {
    let body = html! {
        h1 { "Sign in" }
        @if let Some(p) = problem { p.notice.fail role="alert" { (sentence(&p.detail)) } }
        @else if !typed.form.is_empty() { p.notice.fail role="alert" {
            "Your session has ended, and nothing was recorded. What you typed is kept: sign in and send it." } }
        form.fields.card method="post" action="/sign-in" {
            input type="hidden" name="to" value=(ours(&typed.to));
            @if !typed.form.is_empty() { input type="hidden" name="form" value=(typed.form); }
            div.field { label for="name" { "Name" }
                input id="name" name="name" value=(typed.name) autocomplete="username" required; }
            div.field { label for="password" { "Password" }
                input id="password" name="password" type="password" autocomplete="current-password" required; }
            div.actions { button.primary type="submit" { "Sign in" } }
        }
    };
    page("Sign in", Place::Elsewhere, &body)
}

/// The form.
pub async fn form(Query(q): Query<To>) -> Markup {
    show(&Typed { to: q.to, ..Typed::default() }, None)
}

/// The form for who had typed something when the session ended.
#[must_use]
pub fn again(to: &str, form: &str) -> Response {
    let typed = Typed { to: to.to_owned(), form: form.to_owned(), ..Typed::default() };
    (StatusCode::UNAUTHORIZED, show(&typed, None)).into_response()
}

fn cookie(app: &App, token: &str, seconds: u64) -> HeaderValue {
    let secure = if app.secure { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Signs in.
///
/// # Errors
/// When the store cannot be read; what is wrong is said on the page.
pub async fn send(
    State(app): State<Arc<App>>,
    Form(mut typed): Form<Typed>,
) -> Result<Response, PageProblem> {
    let password = std::mem::take(&mut typed.password);
    let (token, account) = match people::sign_in(&app, &typed.name, &password).await {
        Ok(signed) => signed,
        Err(p) => return Ok((p.status_code(), show(&typed, Some(&p))).into_response()),
    };
    let to = ours(&typed.to);
    let mut response = if typed.form.is_empty() {
        Redirect::to(to).into_response()
    } else {
        resend(to, &typed.form, &account.name).into_response()
    };
    let value = cookie(&app, &token, app.people.longest.as_secs());
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// What was typed, to be sent once more.
fn resend(to: &str, form: &str, name: &str) -> Markup {
    let pairs = super::pairs(form);
    let body = html! {
        h1 { "Signed in" }
        p { "You are signed in as " strong { (name) } ". What was typed before the session ended is kept; sent now, it is recorded under this name." }
        form.fields.card method="post" action=(to) data-once="" {
            @for (key, value) in &pairs { input type="hidden" name=(key) value=(value); }
            dl { @for (key, value) in pairs.iter().filter(|(k, v)| !v.is_empty() && k != "key" && k != "head") {
                dt { (key.split_once('.').map_or(key.as_str(), |(_, name)| name)) } dd { (value) } } }
            p.sending aria-live="polite" {}
            div.actions { button.primary type="submit" { "Send it" } a.button href="/courses" { "Leave it" } }
        }
    };
    page("Signed in", Place::Elsewhere, &body)
}

/// Signs out.
///
/// # Errors
/// When the store cannot be written.
pub async fn out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageProblem> {
    people::sign_out(&app, &headers).await?;
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, "", 0));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn signing_in_leads_to_no_other_host() {
        assert_eq!(ours("/courses/P1?x=1"), "/courses/P1?x=1");
        for bad in ["//evil.example", "https://evil.example", "", "/\\evil", "/sign-in", "x"] {
            assert_eq!(ours(bad), "/courses", "{bad}");
        }
    }
}
