//! `hepatica completions SHELL`

use super::{Cli, CommandError};
use clap::CommandFactory;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica completions bash > ~/.local/share/bash-completion/completions/hepatica
  hepatica completions zsh > ~/.zfunc/_hepatica")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    clap_complete::generate(args.shell, &mut Cli::command(), "hepatica", &mut std::io::stdout());
    Ok(true)
}
