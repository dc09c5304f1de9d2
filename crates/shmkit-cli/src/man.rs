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
    let version = root.get_version().unwrap_or_default();
    let examples = command.get_after_help().map(ToString::to_string);
    let manual = clap_mangen::Man::new(command.clone().after_help("")).title(title);
    manual.source(format!("shm {version}")).render(&mut page)?;
    if let Some(examples) = examples {
        // As it stands: examples and tables are not to be filled.
        write!(page, ".SH NOTES\n.nf\n{}\n.fi\n", escaped(&examples))?;
    }
    let mut stdout = output::stdout();
    stdout.write_all(&page)?;
    Ok(stdout.flush()?)
}

/// Lines that `man` takes for text.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
