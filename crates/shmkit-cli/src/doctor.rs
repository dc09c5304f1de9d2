//! `shm doctor`.

use std::path::Path;

use serde_json::json;
use shmkit::inspect::{self, Finding, Mount};

use crate::exit::Failure;
use crate::global::Global;
use crate::{advice, output};

/// Find stale objects and dead participants; with --fix, repair them
///
/// --fix changes only what no living process uses, as the locks in the kernel prove. It gives what
/// the dead held to those that wait for it, or leaves it free. For everything else the command
/// prints what to do. The exit code is 1 while something is left to do: files of
/// other users and settings of the directory do not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm doctor
  shm doctor --fix")]
pub(crate) struct Args {
    /// Remove stale objects, and free the slots of dead participants and what they held
    #[arg(long)]
    fix: bool,
    /// Print a JSON array: `object`, `what`, `remedy`, `fixable`, `fixed` and `error` for each
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let mut examined = examine(&directory, global, args.fix)?;
    if args.fix && examined.iter().any(|(_, outcome)| matches!(outcome, Outcome::Fixed)) {
        // What is fixed can leave something to do for a person.
        examined.retain(|(finding, _)| finding.can_be_fixed());
        let left = examine(&directory, global, false)?;
        examined.extend(left.into_iter().filter(|(finding, _)| !finding.can_be_fixed()));
    }
    if args.json {
        let all = examined.iter().map(|(finding, outcome)| as_json(finding, outcome, &directory));
        output::line(json!(all.collect::<Vec<_>>()))?;
    } else if examined.is_empty() {
        let nothing = format!("nothing to repair in {}", directory.display());
        output::line(output::printable(nothing))?;
    } else {
        for (finding, outcome) in &examined {
            show(finding, outcome, &directory)?;
        }
    }
    if !args.json {
        show_place(&directory)?;
    }
    let mut left = examined.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Fixed));
    if left.all(|(finding, _)| finding.is_about_directory() || finding.is_for_another_user()) {
        return Ok(());
    }
    if !args.json && !args.fix && examined.iter().any(|(finding, _)| finding.can_be_fixed()) {
        output::line("\nto repair what can be repaired: shm doctor --fix")?;
    }
    Err(Failure::Reported(1).into())
}

/// Examines the directory, and fixes what is asked for and possible.
fn examine(
    directory: &Path,
    global: &Global,
    fix: bool,
) -> anyhow::Result<Vec<(Finding, Outcome)>> {
    let findings = inspect::examine(directory, global.trust)?.into_iter();
    Ok(findings.map(|it| (outcome(&it, fix), it)).map(|(outcome, it)| (it, outcome)).collect())
}

enum Outcome {
    Fixed,
    Left,
    Failed(shmkit::Error),
}

/// Fixes the finding if it is asked for and possible.
fn outcome(finding: &Finding, fix: bool) -> Outcome {
    if !fix || !finding.can_be_fixed() {
        return Outcome::Left;
    }
    match finding.fix() {
        // By this process, or by another one meanwhile.
        Ok(_) => Outcome::Fixed,
        Err(error) => Outcome::Failed(error),
    }
}

fn as_json(finding: &Finding, outcome: &Outcome, directory: &Path) -> serde_json::Value {
    let error = match outcome {
        Outcome::Failed(error) => Some(error.to_string()),
        _ => None,
    };
    json!({
        "object": finding.object(),
        "what": finding.what(),
        "remedy": advice::remedy(finding, directory),
        "fixable": finding.can_be_fixed(),
        "fixed": matches!(outcome, Outcome::Fixed),
        "error": error,
    })
}

/// Prints where the directory is: two containers can have a file system each under its path.
fn show_place(directory: &Path) -> anyhow::Result<()> {
    let Some(Mount { file_system, device, point, .. }) = inspect::mount(directory) else {
        return Ok(());
    };
    let (faint, plain) = output::faint();
    let (directory, point) = (directory.display(), point.display());
    let place = format!(
        "{directory} is in the {file_system} mounted at {point}, device {device}: processes share \
         objects only where these are the same"
    );
    Ok(output::line(format_args!("{faint}{}{plain}", output::printable(place)))?)
}

fn show(finding: &Finding, outcome: &Outcome, directory: &Path) -> anyhow::Result<()> {
    let ((bold, plain), (faint, _)) = (output::bold(), output::faint());
    let (object, what) = (finding.object(), output::printable(finding.what().to_owned()));
    output::line(format_args!("{bold}{object}{plain}: {what}"))?;
    let remedy = advice::remedy(finding, directory);
    let text = match outcome {
        Outcome::Fixed => format!("{remedy}: done"),
        Outcome::Left => format!("to do: {remedy}"),
        Outcome::Failed(error) => format!("{remedy}: {error}"),
    };
    let text = output::printable(text);
    Ok(output::line(format_args!("  {faint}{text}{plain}"))?)
}
