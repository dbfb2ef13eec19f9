//! `hepatica-cluster scheduler`: hands out work.

use crate::error::ClusterError;
use crate::session;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:50050", value_name = "ADDRESS:PORT")]
    bind: SocketAddr,
    /// The name others know this machine by
    #[arg(long, default_value = "localhost", value_name = "HOST")]
    host: String,
    /// Seconds without a sign of life after which an executor's work is given to others
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=3600))]
    executor_timeout: u64,
}

/// Runs until it is ended.
pub async fn run(args: &Args) -> Result<(), ClusterError> {
    let failed =
        |why| ClusterError::Listen { what: "the scheduler", address: args.bind.to_string(), why };
    let listener = TcpListener::bind(args.bind).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let config = SchedulerConfig {
        external_host: args.host.clone(),
        bind_host: bound.ip().to_string(),
        bind_port: bound.port(),
        // Executors ask for work. Where the scheduler pushes it, work can wait for ever for an
        // executor that died.
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        executor_timeout_seconds: args.executor_timeout,
        expire_dead_executor_interval_seconds: (args.executor_timeout / 3).max(1),
        no_executors_grace_period_seconds: args.executor_timeout,
        override_session_builder: Some(Arc::new(session::state)),
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    let scheduler =
        create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await?;
    println!("scheduler at df://{}:{}", args.host, bound.port());
    tokio::select! {
        ended = start_grpc_service_with_listener(listener, scheduler) => Ok(ended?),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
