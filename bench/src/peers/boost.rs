//! Boost.Interprocess: a program in C++, compiled when it is first needed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::hand::WORDS_OF_A_HAND;

const SOURCE: &str = include_str!("boost.cpp");

/// The program; `None`, and said aloud once, where there is no compiler or no Boost.
pub(crate) fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let compiled = compile();
        if let Err(reason) = &compiled {
            eprintln!("bench: Boost is left out, since its peers cannot be compiled: {reason}");
        }
        compiled.ok()
    });
    program.as_deref()
}

/// Compiles the program to where this one is.
fn compile() -> Result<PathBuf, String> {
    let this = std::env::current_exe().expect("this program has a path");
    let program = this.with_file_name("bench-boost");
    let words = WORDS_OF_A_HAND.iter().map(|(name, value)| format!("-D{name}={value}"));
    let mut compiler = Command::new("g++")
        .args(["-std=c++17", "-O2", "-Wall", "-pthread", "-x", "c++", "-", "-o"])
        .arg(&program)
        .args(words)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("g++: {error}"))?;
    let mut stdin = compiler.stdin.take().expect("it was asked for");
    // A compiler that ended early says why.
    let _ = stdin.write_all(SOURCE.as_bytes());
    drop(stdin);
    let output = compiler.wait_with_output().map_err(|error| format!("g++: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(program),
        false => Err(errors.lines().take(3).collect::<Vec<_>>().join("\n")),
    }
}
