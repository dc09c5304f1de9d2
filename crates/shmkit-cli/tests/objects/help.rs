//! Help, manual and completions: made from the same definitions, and complete.

use crate::Place;

const SUBCOMMANDS: [&str; 15] = [
    "demo",
    "ls",
    "info",
    "get",
    "set",
    "watch",
    "clock",
    "lock",
    "sem",
    "event",
    "barrier",
    "rm",
    "doctor",
    "completions",
    "man",
];

#[test]
fn every_subcommand_is_in_the_help_the_manual_and_the_completions() {
    let place = Place::new();
    let help = place.shm(&["--help"]);
    assert!(help.contains("\n    8  not now: "), "{help}");
    for name in SUBCOMMANDS {
        assert!(help.contains(&format!("\n  {name} ")), "{name}");
        let page = place.shm(&["man", name]);
        assert!(page.contains(&format!(".TH SHM-{}", name.to_uppercase())), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.shm(&["completions", shell]);
        assert!(SUBCOMMANDS.iter().all(|name| script.contains(name)), "{shell}");
        assert!(script.contains("timeout") && !script.contains("part-of-demo"), "{shell}");
    }
}

#[test]
fn help_shows_by_examples() {
    let place = Place::new();
    for name in &SUBCOMMANDS[..13] {
        for help in ["-h", "--help"] {
            let help = place.shm(&[name, help]);
            assert!(help.contains("\nExamples:\n  shm "), "{help}");
            assert!(help.contains(&format!(" {name}")), "{help}");
        }
    }
}

#[test]
fn nothing_asked_for_is_answered_with_the_help() {
    let place = Place::new();
    place.fails_with_usage(&[]);
    place.fails_with_usage(&["fly"]);
    place.fails_with_usage(&["get"]);
}
