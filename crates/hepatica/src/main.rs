//! The command line: one file a command.

mod archive;
mod commands;
mod output;
mod progress;
mod term;

use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;

/// Volumes come and go in all threads: memory that is kept for the next one need not be asked for, and
/// cleared, anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything went well, and the gate passed if there is one.
const DONE: u8 = 0;
/// An error: nothing was written.
const ERROR: u8 = 1;
/// Planned, but a gate holds or fails; monitored, and a stopping boundary is or may be crossed.
const GATED: u8 = 2;

fn main() -> ExitCode {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Not clap's own exit code 2: that one says that a gate holds.
            let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nothing better to do when even this cannot be printed.
            let _ = e.print();
            return ExitCode::from(if asked { DONE } else { ERROR });
        }
    };
    // A server ends in its own way: what is being recorded is recorded.
    if !cli.serves()
        && let Err(e) = output::clean_up_on_interrupt()
    {
        anstream::eprintln!("warning: interrupts will not clean up ({e})");
    }
    match commands::run(cli) {
        Ok(gate_passed) => ExitCode::from(if gate_passed { DONE } else { GATED }),
        Err(e) => {
            anstream::eprintln!("{}error:{} {e}", term::ERROR, term::RESET);
            ExitCode::from(ERROR)
        }
    }
}
