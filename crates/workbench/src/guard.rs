//! What may ask at all, whoever it is. What has to be kept out are other pages in the same browser: they cannot name this host (DNS rebinding), cannot send forms here (CSRF), and
//! nothing of theirs runs in ours (CSP).

use crate::problem::Problem;
use crate::server::Access;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What pages may load: their own, and pictures they draw themselves.
const CSP: &str = "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Names it may be opened by, and how.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Beside the names of this machine.
    pub names: Vec<String>,
    /// Whether it speaks TLS.
    pub secure: bool,
}

/// Whether it may listen there: on this machine always, elsewhere with TLS, a name, and accounts.
///
/// # Errors
/// One sentence.
pub fn check_listen(address: SocketAddr, access: &Access, accounts: bool) -> Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let missing = [
        (access.tls.is_none(), "TLS (--tls-certificate and --tls-key)"),
        (
            address.ip().is_unspecified() && access.hosts.is_empty(),
            "the name it is opened by (--host)",
        ),
        (!accounts, "sign-in (make an account with `hepatica account add`)"),
    ];
    let missing: Vec<_> = missing.iter().filter(|m| m.0).map(|m| m.1).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "--listen {address}: other machines could reach it, which needs {}; add that, or listen on 127.0.0.1",
        missing.join(", and ")
    ))
}

fn is_here(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|n| n.eq_ignore_ascii_case(name))
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Why a request is turned away, if it is.
fn turned_away(method: &Method, headers: &HeaderMap, names: &[String]) -> Option<Problem> {
    let forbidden = |code, detail: String| Some(Problem::new(StatusCode::FORBIDDEN, code, detail));
    let host = text(headers, header::HOST).unwrap_or_default();
    if !is_here(host, names) {
        let known = names.iter().map(String::as_str).chain(["localhost"]);
        let known = known.collect::<Vec<_>>().join(" or ");
        return forbidden("host", format!("asked as `{host}`; open it as {known}"));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    // A browser says where a form came from; other programs say nothing.
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    let foreign_site = site.is_some_and(|s| s != "same-origin" && s != "none");
    let origin = text(headers, header::ORIGIN);
    let foreign_origin = origin.is_some_and(|o| {
        o.split_once("://").is_none_or(|(_, rest)| !rest.eq_ignore_ascii_case(host))
    });
    if foreign_site || foreign_origin {
        let from = origin.unwrap_or("another site");
        return forbidden("origin", format!("sent from {from}: only its own pages may record"));
    }
    None
}

/// Turns away what comes from elsewhere, and says to browsers what pages may do.
pub async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let asset = request.uri().path().starts_with("/assets/");
    let mut response = match turned_away(request.method(), request.headers(), &hosts.names) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set("content-security-policy", CSP);
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("permissions-policy", "camera=(), microphone=(), geolocation=()");
    if hosts.secure {
        set("strict-transport-security", "max-age=31536000");
    }
    if !asset {
        // What is of a patient does not stay in a cache.
        set("cache-control", "no-store");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(method: &Method, pairs: &[(&'static str, &str)]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        turned_away(method, &headers, &["hepatica.example".to_owned()]).map(|p| p.code)
    }

    #[test]
    fn other_machines_need_tls_and_sign_in() {
        let plain = Access::default();
        let at = |a: &str| a.parse().expect("an address");
        for good in ["127.0.0.1:8090", "[::1]:0", "127.3.2.1:80"] {
            assert!(check_listen(at(good), &plain, false).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8090", "[::]:8090", "192.168.1.4:80"] {
            let said = check_listen(at(bad), &plain, false).expect_err(bad);
            assert!(said.contains("needs TLS") && said.contains("and sign-in"), "{said}");
            assert!(!said.contains('\n') && said.contains(bad), "{said}");
        }
        let (certificate, key) = ("c.pem".into(), "k.pem".into());
        let mut full = Access { tls: Some(crate::tls::Tls { certificate, key }), ..plain };
        assert!(check_listen(at("192.168.1.4:443"), &full, true).is_ok());
        let said = check_listen(at("0.0.0.0:443"), &full, true).expect_err("by what name?");
        assert!(said.contains("--host"), "{said}");
        full.hosts.push("hepatica.example".to_owned());
        assert!(check_listen(at("0.0.0.0:443"), &full, true).is_ok());
        assert!(
            check_listen(at("0.0.0.0:443"), &full, false).is_err_and(|e| e.contains("sign-in"))
        );
    }

    #[test]
    fn another_name_for_this_machine_is_turned_away() {
        let get = |host| with(&Method::GET, &[("host", host)]);
        for host in
            ["127.0.0.1:8090", "localhost:8090", "LOCALHOST", "[::1]:8090", "hepatica.example"]
        {
            assert_eq!(get(host), None, "{host}");
        }
        for host in ["evil.example:8090", "127.0.0.1.evil.example", "", "10.0.0.1"] {
            assert_eq!(get(host), Some("host"), "{host}");
        }
    }

    #[test]
    fn forms_of_other_pages_are_turned_away() {
        let post = |pairs: &[(&'static str, &str)]| {
            let all = [&[("host", "127.0.0.1:8090")], pairs].concat();
            with(&Method::POST, &all)
        };
        assert_eq!(post(&[]), None, "a program without a browser");
        assert_eq!(post(&[("origin", "http://127.0.0.1:8090")]), None);
        assert_eq!(post(&[("sec-fetch-site", "same-origin")]), None);
        assert_eq!(post(&[("origin", "http://evil.example")]), Some("origin"));
        assert_eq!(post(&[("origin", "null")]), Some("origin"));
        assert_eq!(post(&[("origin", "http://127.0.0.1:9999")]), Some("origin"));
        assert_eq!(post(&[("sec-fetch-site", "cross-site")]), Some("origin"));
    }
}
