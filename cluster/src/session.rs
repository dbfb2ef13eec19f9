//! What scheduler, executors and clients must agree on: the functions that SQL may name.

use crate::error::ClusterError;
use crate::function;
use ballista_core::utils::default_session_builder;
use datafusion::common::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::prelude::SessionConfig;
use std::net::TcpStream;
use std::sync::Arc;

/// The engine's session with our function in it.
pub fn state(config: SessionConfig) -> Result<SessionState> {
    let mut state = default_session_builder(config)?;
    state.register_udf(Arc::new(function::counts()))?;
    Ok(state)
}

/// Host and port of `df://HOST:PORT`.
pub fn address(url: &str) -> std::result::Result<(String, u16), ClusterError> {
    let wrong = || ClusterError::Url(url.to_owned());
    let rest = url.strip_prefix("df://").ok_or_else(wrong)?.trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || host.contains('/') {
        return Err(wrong());
    }
    Ok((host.to_owned(), port.parse().map_err(|_| wrong())?))
}

/// Asks whether somebody listens there: the engine's own answer to that names everything but the reason.
pub fn reachable(url: &str) -> std::result::Result<(), ClusterError> {
    let (host, port) = address(url)?;
    TcpStream::connect((host.trim_matches(['[', ']']), port))
        .map(drop)
        .map_err(|why| ClusterError::Unreachable { url: url.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("df://head:50050").expect("one"), ("head".to_owned(), 50050));
        assert_eq!(address("df://[::1]:1/").expect("one"), ("[::1]".to_owned(), 1));
        for wrong in ["head:50050", "df://head", "df://:1", "df://a/b:1", "df://head:99999", ""] {
            assert!(address(wrong).expect_err("none").to_string().contains("df://HOST:PORT"));
        }
    }
}
