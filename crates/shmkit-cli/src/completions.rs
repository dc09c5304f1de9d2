//! `shm completions`: made from the same definitions as the command line.

use std::io::Write;

use clap_complete::Shell;

use crate::output;

/// Print a completion script for a shell
///
/// For bash: `shm completions bash > ~/.local/share/bash-completion/completions/shm`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that reads the script
    shell: Shell,
}

pub(crate) fn run(args: &Args, command: &mut clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "shm", &mut script);
    let mut stdout = output::stdout();
    stdout.write_all(&script)?;
    Ok(stdout.flush()?)
}
