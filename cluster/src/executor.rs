//! `hepatica-cluster executor`: computes.

use crate::error::ClusterError;
use crate::session;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::prelude::SessionConfig;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cluster's scheduler
    #[arg(long, value_name = "df://HOST:PORT")]
    scheduler: String,
    /// Where to offer results; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    bind: SocketAddr,
    /// The name others know this machine by
    #[arg(long, default_value = "localhost", value_name = "HOST")]
    host: String,
    /// Units computed at once [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: Option<u16>,
    /// Folder for what waits to be fetched [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,
}

/// Runs until it is ended.
pub async fn run(args: &Args) -> Result<(), ClusterError> {
    session::reachable(&args.scheduler)?;
    let (scheduler_host, scheduler_port) = session::address(&args.scheduler)?;
    let failed =
        |why| ClusterError::Listen { what: "the executor", address: args.bind.to_string(), why };
    // The engine binds by itself and knows no free port: one is looked up and let go of.
    let port = TcpListener::bind(args.bind).and_then(|l| l.local_addr()).map_err(failed)?.port();
    // The engine's own temporary folder would be left behind.
    let temporary = tempfile::Builder::new().prefix("hepatica-executor-").tempdir()?;
    let work = args.work.as_deref().unwrap_or(temporary.path());
    let functions = BallistaFunctionRegistry::from(&session::state(SessionConfig::new())?);
    let mut config = ExecutorProcessConfig {
        bind_host: args.bind.ip().to_string(),
        external_host: Some(args.host.clone()),
        port,
        scheduler_host,
        scheduler_port,
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        work_dir: Some(work.display().to_string()),
        override_function_registry: Some(Arc::new(functions)),
        ..ExecutorProcessConfig::default()
    };
    if let Some(cores) = args.cores {
        config.vcores = cores.into();
    }
    println!("executor of {} with {} cores at {}:{port}", args.scheduler, config.vcores, args.host);
    Ok(start_executor_process(Arc::new(config)).await?)
}
