//! `hepatica-cluster`: virtual trials on many machines.
//!
//! Scheduler, executors and client of a [Ballista](https://datafusion.apache.org/ballista/) cluster that
//! knows one function more: [`function`] computes a work unit of `hepatica-trial`. Units come as Parquet
//! (`hepatica_trial::units`), what they count is added up by the engine. `hepatica trial ... --cluster URL`
//! calls `run`; `docs/cluster.md` says how a cluster is set up.

mod error;
mod executor;
mod function;
mod run;
mod scheduler;
mod session;

use clap::{Parser, Subcommand};
use error::ClusterError;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(version, about = "Virtual trials on many machines", arg_required_else_help = true)]
#[command(after_help = "\
A cluster on three machines that see the same folders (docs/cluster.md):
  head$   hepatica-cluster scheduler --bind 0.0.0.0:50050 --host head
  node1$  hepatica-cluster executor --scheduler df://head:50050 --bind 0.0.0.0:50051 --host node1
  node2$  hepatica-cluster executor --scheduler df://head:50050 --bind 0.0.0.0:50051 --host node2
  head$   hepatica trial simulate captemy90 --patients 1000000000 --no-rows --cluster df://head:50050 --out sim/

Nothing is encrypted and nobody is asked who they are: only on a network you trust. RUST_LOG=info tells more.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hand out work; one a cluster
    Scheduler(scheduler::Args),
    /// Compute; one a machine
    Executor(executor::Args),
    /// Have a table of units computed, by a cluster or in this process
    Run(run::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A client says in one sentence what was wrong; servers also say what they live through.
    let usual = if matches!(cli.command, Command::Run(_)) { "off" } else { "error" };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(usual)).init();
    match work(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn work(cli: &Cli) -> Result<(), ClusterError> {
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    threads.block_on(async {
        match &cli.command {
            Command::Scheduler(args) => scheduler::run(args).await,
            Command::Executor(args) => executor::run(args).await,
            Command::Run(args) => run::run(args).await,
        }
    })
}
