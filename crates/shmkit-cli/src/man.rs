//! `shm man`: the manual, made from the same definitions as the command line.

use std::io::Write;

use crate::exit::Usage;
use crate::output;

/// Print a manual page: `shm man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The subcommand whose page is wanted, as in `shm man raw read`
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

pub(crate) fn run(args: &Args, root: clap::Command) -> anyhow::Result<()> {
    let mut root = root;
    // Hands the options of the root on to all below, and gives them their full names.
    root.build();
    let mut command = &root;
    for name in &args.path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known = command.get_subcommands().map(clap::Command::get_name);
            Usage(format!(
                "no subcommand {name:?}: there are {}",
                known.collect::<Vec<_>>().join(", ")
            ))
        })?;
    }
    let mut page = Vec::new();
    let title = command.get_display_name().unwrap_or("shm").to_uppercase();
    clap_mangen::Man::new(command.clone()).title(title).render(&mut page)?;
    let mut stdout = output::stdout();
    stdout.write_all(&page)?;
    Ok(stdout.flush()?)
}
