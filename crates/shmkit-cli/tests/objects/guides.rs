//! The commands in the guides do what the guides show: those in blocks that are marked `console`.
//! So do those of the README that need no program beside them.
//!
//! Each guide is one script of bash. It runs in namespaces of its own, with an empty `/dev/shm` and
//! with `sudo -u alice` and `sudo -u bob` for two users.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::running::skip;
use crate::shm_path;

const PRELUDE: &str = r#"
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
sudo() {
  local user=1001
  [ "$2" = alice ] && user=1000
  shift 2
  setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
}
"#;
/// Comes before the output of each command.
const MARK: &str = "-- output of the next command --\n";

/// A command of a guide, and what it prints. One that runs in the background is a step together with
/// all that follow until it is waited for, since it prints at any time.
struct Step {
    line: usize,
    command: String,
    /// `...` stands for any text.
    expected: String,
}

/// Returns the commands in the blocks that are marked `console`.
fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut is_console, mut in_background) = (false, false);
    for (line, text) in (1..).zip(guide.lines()) {
        if let Some(mark) = text.strip_prefix("```") {
            is_console = mark == "console";
        } else if !is_console {
        } else if let Some(command) = text.strip_prefix("$ ") {
            match steps.last_mut() {
                Some(step) if in_background => step.command.extend(["\n", command]),
                _ => steps.push(Step { line, command: command.into(), expected: String::new() }),
            }
            in_background = command.ends_with('&') || in_background && !command.starts_with("wait");
        } else {
            let step = steps.last_mut().expect("a command before its output");
            step.expected.extend([text, "\n"]);
        }
    }
    steps
}

/// Returns whether `text` is `pattern`, in which `...` stands for any text.
fn fits(text: &str, pattern: &str) -> bool {
    let parts: Vec<_> = pattern.split("...").collect();
    let (Some((first, [between @ .., last])), true) = (parts.split_first(), parts.len() > 1) else {
        return text == pattern;
    };
    let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    between.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Returns the block of the README that begins with this command.
fn block_of_readme(readme: &str, first: &str) -> String {
    let start = readme.find(&format!("```console\n$ {first}")).expect("the block is there");
    let lines = readme[start..].split_inclusive('\n');
    let end = lines.clone().skip(1).position(|line| line == "```\n").expect("the block ends");
    lines.take(end + 1).collect()
}

/// Runs all commands of a guide. Returns what each of them printed.
fn run(steps: &[Step], directory: &Path) -> Vec<String> {
    let commands = steps.iter().map(|step| format!("printf '%s' '{MARK}'\n{}\n", step.command));
    let script = [PRELUDE.to_owned()].into_iter().chain(commands).collect::<String>();
    let (script_path, output_path) = (directory.join("script"), directory.join("output"));
    fs::write(&script_path, script).unwrap();
    // A file, since a command in the background can outlive the script.
    let output = File::create(&output_path).unwrap();
    let status = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"])
        .arg(&script_path)
        .env("PATH", format!("{}:{}", directory.display(), std::env::var("PATH").unwrap()))
        .env_remove("SHMKIT_DIR")
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status();
    assert!(status.unwrap().code().is_some(), "the script was killed");
    let output = fs::read_to_string(&output_path).unwrap();
    let mut outputs = output.split(MARK).map(str::to_owned);
    assert_eq!(outputs.next().as_deref(), Some(""), "the script could not begin");
    outputs.collect()
}

#[test]
fn the_commands_of_the_guides_print_what_the_guides_show() {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let Ok(guides) = fs::read_dir(documents.join("guides")) else {
        return skip("without the guides");
    };
    let guides = guides.map(|it| it.unwrap().path()).chain([documents.join("choosing.md")]);
    let mut texts: Vec<_> = guides.map(|path| (fs::read_to_string(&path).unwrap(), path)).collect();
    let readme = documents.join("../README.md");
    let block = block_of_readme(&fs::read_to_string(&readme).unwrap(), "shm topic create");
    texts.push((block, readme));
    let can_mount = Command::new("unshare").args(["--mount", "true"]).status();
    if !can_mount.is_ok_and(|it| it.success()) {
        return skip("the guides: only root can mount an empty /dev/shm");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    fs::copy(shm_path(), directory.path().join("shm")).unwrap();
    let mut run_steps = 0;
    for (text, path) in texts {
        let steps = steps(&text);
        let outputs = run(&steps, directory.path());
        assert_eq!(outputs.len(), steps.len(), "{}: the script ended early", path.display());
        for (Step { line, command, expected }, output) in steps.iter().zip(outputs) {
            let place = format!("{}:{line}: {command}", path.display());
            assert!(fits(&output, expected), "{place}\nprints:\n{output}instead of:\n{expected}");
            run_steps += 1;
        }
    }
    assert!(run_steps > 0, "no guide has commands");
}

#[test]
fn three_dots_stand_for_any_text() {
    assert!(fits("a\n", "a\n") && fits("abc", "a...c") && fits("abcbd", "a...b...d"));
    assert!(fits("", "...") && fits("a\nb\n", "...\n"));
    assert!(!fits("abc", "a...d") && !fits("ab", "ab...b") && !fits("a", "b"));
}
