//! Tasks of the workspace:
//!
//! - `cargo run -p xtask` prints the findings of the tidy checks, and fails if there are any;
//! - `cargo run -p xtask -- boxes` prints the tables of FORMAT.md.
//!
//! A last argument names another folder to check.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use xtask::tidy;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).peekable();
    let boxes = arguments.next_if(|argument| argument == "boxes").is_some();
    let here = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let root = arguments.next().map_or_else(here, PathBuf::from);
    if boxes {
        print!("{}", tidy::boxes(&tidy::Tree::load(&root)));
        return ExitCode::SUCCESS;
    }
    let findings = tidy::check(&root);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
