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
        true => fix_all(|fix| examine(&directory, global, fix))?,
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
    let is_advised = !args.fix && !args.json;
    if is_advised && examined.iter().any(|(it, _)| it.can_be_fixed()) {
        output::line("\nto repair what can be repaired: shm doctor --fix")?;
    }
    Err(Failure::Reported(1).into())
}

/// How often the directory is examined and repaired: a repair can leave something else to do, or a
/// process can die meanwhile.
const MAX_REPAIRS: usize = 3;

/// Fixes what can be fixed. Returns that and what is left. `examine` also fixes if it is asked to.
fn fix_all<F: ToString>(
    mut examine: impl FnMut(bool) -> anyhow::Result<Vec<(F, Outcome)>>,
) -> anyhow::Result<Vec<(F, Outcome)>> {
    let (mut fixed, mut not_fixed) = (Vec::new(), Vec::new());
    for _ in 0..MAX_REPAIRS {
        let (now, left): (Vec<_>, Vec<_>) = examine(true)?.into_iter().partition(is_fixed);
        if now.is_empty() {
            fixed.extend(left);
            return Ok(fixed);
        }
        fixed.extend(now);
        not_fixed = left;
    }
    let mut left = examine(false)?;
    let is_same = |one: &F, other: &F| one.to_string() == other.to_string();
    // What is found again was not fixed.
    fixed.retain(|(it, _)| left.iter().all(|(other, _)| !is_same(it, other)));
    for (it, outcome) in &mut left {
        if let Some(at) = not_fixed.iter().position(|(other, _)| is_same(it, other)) {
            *outcome = not_fixed.swap_remove(at).1;
        }
    }
    fixed.extend(left);
    Ok(fixed)
}

/// Examines the directory, and fixes what is asked for and possible.
fn examine(directory: &Path, global: &Global, fix: bool) -> anyhow::Result<Vec<Examined>> {
    let findings = inspect::examine(directory, global.trust)?.into_iter();
    Ok(findings.map(|it| (outcome(&it, fix), it)).map(|(outcome, it)| (it, outcome)).collect())
}

type Examined = (Finding, Outcome);

fn is_fixed<F>((_, outcome): &(F, Outcome)) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_that_fails_is_told_with_its_error_however_much_else_is_repaired() {
        let mut round = 0;
        let found = fix_all(|fix| {
            round += 1;
            let error =
                inspect::remove(Path::new("."), "", shmkit::memory::Trust::Own).unwrap_err();
            let outcomes = [Outcome::Fixed, Outcome::Failed(error)];
            let outcomes = if fix { outcomes } else { [Outcome::Left, Outcome::Left] };
            Ok([format!("found {round}"), "stays".into()].into_iter().zip(outcomes).collect())
        });
        let found = found.unwrap();
        assert!(found.iter().take(MAX_REPAIRS).all(is_fixed));
        let left: Vec<_> = found.iter().skip(MAX_REPAIRS).map(|(it, _)| &**it).collect();
        assert_eq!(left, ["found 4", "stays"]);
        assert!(matches!(found[MAX_REPAIRS].1, Outcome::Left));
        assert!(matches!(found[MAX_REPAIRS + 1].1, Outcome::Failed(_)));
    }
}
