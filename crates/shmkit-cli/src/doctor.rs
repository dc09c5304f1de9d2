//! `shm doctor`.

use serde_json::json;
use shmkit::inspect::{self, Finding};

use crate::{Global, exit, output};

/// Say what is stale, who died, and what to do; with --fix, do it
///
/// Only what the kernel proves to be nobody's is touched; the rest is advice. The exit code is 1 as
/// long as something is left to be done, but for advice on the directory itself and on what belongs
/// to other users.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm doctor
  shm doctor --fix")]
pub(crate) struct Args {
    /// Do what can be done without asking anybody
    #[arg(long)]
    fix: bool,
    /// Print a JSON array: `object`, `what`, `remedy`, `fixable`, `fixed` and `error` for each
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let findings = inspect::examine(&directory, global.trust)?;
    let outcomes: Vec<_> = findings.iter().map(|it| outcome(it, args.fix)).collect();
    if args.json {
        let all: Vec<_> =
            findings.iter().zip(&outcomes).map(|(it, end)| as_json(it, end)).collect();
        output::line(json!(all))?;
    } else if findings.is_empty() {
        output::line(format_args!("all is well in {}", directory.display()))?;
    } else {
        for (finding, outcome) in findings.iter().zip(&outcomes) {
            show(finding, outcome)?;
        }
    }
    let about_directory = directory.display().to_string();
    let left = findings.iter().zip(&outcomes).filter(|(finding, outcome)| {
        !matches!(outcome, Outcome::Fixed)
            && finding.object() != about_directory
            && !finding.is_for_another_user()
    });
    let left = left.count();
    if !args.json && left > 0 && !args.fix && findings.iter().any(Finding::can_be_fixed) {
        output::line("\nto have it done: shm doctor --fix")?;
    }
    if left > 0 { Err(exit::Told(1).into()) } else { Ok(()) }
}

enum Outcome {
    Fixed,
    Left,
    Failed(shmkit::Error),
}

fn outcome(finding: &Finding, fix: bool) -> Outcome {
    if !fix || !finding.can_be_fixed() {
        return Outcome::Left;
    }
    match finding.fix() {
        // Done by us, or by somebody else meanwhile.
        Ok(_) => Outcome::Fixed,
        Err(error) => Outcome::Failed(error),
    }
}

fn as_json(finding: &Finding, outcome: &Outcome) -> serde_json::Value {
    let error = match outcome {
        Outcome::Failed(error) => Some(error.to_string()),
        _ => None,
    };
    json!({
        "object": finding.object(),
        "what": finding.what(),
        "remedy": finding.remedy(),
        "fixable": finding.can_be_fixed(),
        "fixed": matches!(outcome, Outcome::Fixed),
        "error": error,
    })
}

fn show(finding: &Finding, outcome: &Outcome) -> anyhow::Result<()> {
    let ((bold, plain), (faint, _)) = (output::bold(), output::faint());
    let (object, what, remedy) = (finding.object(), finding.what(), finding.remedy());
    // Messages of errors begin with what they are about.
    let what = what.strip_prefix(&format!("cannot open \"{object}\": ")).unwrap_or(what);
    output::line(format_args!("{bold}{object}{plain}: {what}"))?;
    let end = match outcome {
        Outcome::Fixed => format!("{remedy}: done"),
        Outcome::Left => format!("to do: {remedy}"),
        Outcome::Failed(error) => format!("{remedy}: {error}"),
    };
    Ok(output::line(format_args!("  {faint}{end}{plain}"))?)
}
