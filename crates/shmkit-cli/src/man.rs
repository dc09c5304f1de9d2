//! `shm man`: made from the same definitions as the command line.

use std::io::Write;

use crate::exit::Failure;
use crate::output;

/// Print a manual page: `shm man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the page of this subcommand, as in `shm man raw read` [default: the page of shm]
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

pub(crate) fn run(args: &Args, root: clap::Command) -> anyhow::Result<()> {
    let mut root = root;
    // Propagates the global options to the subcommands, and gives these their full names.
    root.build();
    let mut command = &root;
    for name in &args.path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known = command.get_subcommands().map(clap::Command::get_name);
            Failure::Usage(format!(
                "no subcommand {name:?}: use one of {}",
                known.collect::<Vec<_>>().join(", ")
            ))
        })?;
    }
    let mut page = Vec::new();
    let title = command.get_display_name().unwrap_or("shm").to_uppercase();
    let version = root.get_version().unwrap_or_default();
    let examples = command.get_after_help().map(ToString::to_string);
    let manual = clap_mangen::Man::new(command.clone().after_help(None::<&str>)).title(title);
    manual.source(format!("shm {version}")).render(&mut page)?;
    if let Some(examples) = examples {
        // Without filling, which would join the lines.
        write!(page, ".SH NOTES\n.nf\n{}\n.fi\n", escaped(&examples))?;
    }
    let mut stdout = output::stdout();
    stdout.write_all(&page)?;
    Ok(stdout.flush()?)
}

/// Returns the text without what `man` would take for its own commands.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
