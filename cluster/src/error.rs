//! What can go wrong, one sentence each.

use ballista_core::error::BallistaError;
use datafusion::error::DataFusionError;
use hepatica_trial::units::UnitsError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a cluster does not work.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No such address.
    #[error("{0}: expected df://HOST:PORT, as the scheduler says it")]
    Url(String),
    /// Nobody there.
    #[error(
        "no scheduler answers at {url}: is `hepatica-cluster scheduler` running there? ({why})"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// Somebody else is there.
    #[error("{what} cannot listen at {address}: {why}")]
    Listen {
        /// Who.
        what: &'static str,
        /// Where.
        address: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// A file.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The engine, in its words.
    #[error("the cluster gave up: {}", innermost(.0))]
    Engine(#[from] DataFusionError),
    /// The engine's servers.
    #[error("the cluster: {0}")]
    Server(#[from] BallistaError),
    /// Its counts.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// The system.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// The engine wraps what a task says into layers of its own.
fn innermost(e: &DataFusionError) -> String {
    let text = e.find_root().to_string();
    let [begin, end] = crate::function::REFUSED;
    let ours = || {
        let from = text.rfind(begin)?;
        let length = text[from..].find(end)? + end.len();
        Some(&text[from..from + length])
    };
    ours().unwrap_or(&text).lines().next().unwrap_or_default().to_owned()
}
