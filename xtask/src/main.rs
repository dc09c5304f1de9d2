//! `cargo run -p xtask` prints what the tidy checks find, and fails where they find something.
//! Another workspace than this one: `cargo run -p xtask -- FOLDER`.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let here = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let root = env::args_os().nth(1).map_or_else(here, PathBuf::from);
    let findings = xtask::tidy::check(&root);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
