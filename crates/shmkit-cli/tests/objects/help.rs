//! Help, manual, and what completions there are.

use crate::TestDir;

fn subcommands() -> Vec<&'static str> {
    let names = "demo bench ls top info get set create watch clock lock sem event barrier topic queue call pipe rm doctor completions man";
    names.split(' ').collect()
}

#[test]
fn every_subcommand_is_in_the_help_the_manual_and_the_completions() {
    let dir = TestDir::new();
    let help = dir.shm(&["--help"]);
    assert!(help.contains("\n    8  not now: "), "{help}");
    for name in subcommands() {
        assert!(help.contains(&format!("\n  {name} ")), "{name}");
        let page = dir.shm(&["man", name]);
        assert!(!page.contains(".SH EXTRA"), "{name}: a heading without text");
        assert!(page.contains(&format!(".TH SHM-{}", name.to_uppercase())), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = dir.shm(&["completions", shell]);
        assert!(subcommands().iter().all(|name| script.contains(name)), "{shell}");
        assert!(script.contains("timeout") && !script.contains("part-of-"), "{shell}");
    }
}

#[test]
fn raw_memory_is_in_no_directory_of_objects() {
    let dir = TestDir::new();
    for help in [&["raw", "--help"][..], &["raw", "read", "--help"], &["raw", "rm", "-h"]] {
        assert!(!dir.shm(help).contains("--dir"), "{help:?}");
    }
    let help = dir.shm(&["raw", "--help"]);
    // A line can end in the middle of the sentence.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("$SHMKIT_DIR does not apply to it"), "{help}");
    assert!(dir.shm(&["get", "-h"]).contains("--dir <DIR>"));
    for arguments in [["--dir", "/tmp", "raw", "read", "x"], ["raw", "read", "x", "--dir", "/tmp"]]
    {
        dir.fails(&arguments, 2, "--dir is for objects: raw memory is ");
    }
}

#[test]
fn help_has_examples() {
    let dir = TestDir::new();
    for name in &subcommands()[..20] {
        for help in ["-h", "--help"] {
            let help = dir.shm(&[name, help]);
            assert!(help.contains("\nExamples:\n  shm "), "{help}");
            assert!(help.contains(&format!(" {name}")), "{help}");
        }
    }
}

#[test]
fn an_incomplete_command_line_prints_the_usage() {
    let dir = TestDir::new();
    let output = dir.run(&[]);
    let help = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), help.contains("Usage: shm ")), (Some(2), true), "{help}");
    dir.fails(&["fly"], 2, "Usage: shm ");
    dir.fails(&["get"], 2, "Usage: shm get ");
}
