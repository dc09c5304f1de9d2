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
    let examined = match args.fix {
        true => fix_all(&directory, global)?,
        false => examine(&directory, global, false)?,
    };
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
    let mut left = examined.iter().filter(|it| !is_fixed(it));
    if left.all(|(finding, _)| finding.is_about_directory() || finding.is_for_another_user()) {
        return Ok(());
    }
    let can_be_fixed =
        |(it, outcome): &Examined| it.can_be_fixed() && matches!(outcome, Outcome::Left);
    if !args.json && examined.iter().any(can_be_fixed) {
        output::line("\nto repair what can be repaired: shm doctor --fix")?;
    }
    Err(Failure::Reported(1).into())
}

/// How often the directory is examined and repaired: a repair can leave something else to do, or a
/// process can die meanwhile.
const MAX_REPAIRS: usize = 3;

/// Fixes what can be fixed. Returns that and what is left.
fn fix_all(directory: &Path, global: &Global) -> anyhow::Result<Vec<Examined>> {
    let mut fixed = Vec::new();
    for _ in 0..MAX_REPAIRS {
        let (now, left): (Vec<_>, Vec<_>) =
            examine(directory, global, true)?.into_iter().partition(is_fixed);
        if now.is_empty() {
            fixed.extend(left);
            return Ok(fixed);
        }
        fixed.extend(now);
    }
    let left = examine(directory, global, false)?;
    // What is found again was not fixed.
    fixed.retain(|(it, _)| left.iter().all(|(other, _)| it.to_string() != other.to_string()));
    fixed.extend(left);
    Ok(fixed)
}

/// Examines the directory, and fixes what is asked for and possible.
fn examine(directory: &Path, global: &Global, fix: bool) -> anyhow::Result<Vec<Examined>> {
    let findings = inspect::examine(directory, global.trust)?.into_iter();
    Ok(findings.map(|it| (outcome(&it, fix), it)).map(|(outcome, it)| (it, outcome)).collect())
}

type Examined = (Finding, Outcome);

fn is_fixed((_, outcome): &Examined) -> bool {
    matches!(outcome, Outcome::Fixed)
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
        "note: {directory} is in the {file_system} mounted at {point}, device {device}: processes \
         share objects only where these are the same"
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
