//! Boost.Interprocess: a C++ program, compiled when a suite first needs it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::harness::mailbox::{
    ANSWER, BEGAN_NS, COMMAND, COUNT, ENDED, ENDED_NS, LEAVE, ROUNDS, SHARED_WORDS, STOP, TOTAL,
};
use crate::harness::worker::{FREE, Workload};
use crate::workloads::locking::OPERATIONS_PER_WRITE;
use crate::workloads::messages::{DEPTH, RECEIVER, WORDS};
use crate::workloads::sections::{LONG_NS, LONG_STEPS};
use crate::workloads::turns::GIVER;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::program("mutex/boost", program),
    Workload::program("fair/boost", program),
    Workload::program("fair-permit/boost", program),
    Workload::program("fair-permits/boost", program),
    Workload::program("fair-condition/boost", program),
    Workload::program("long-mutex/boost", program),
    Workload::program("read/boost-sharable", program),
    Workload::program("read/boost-upgradable", program),
    Workload::program("write/boost-upgradable", program),
    Workload::program("read-mostly/boost-sharable", program),
    Workload::program("read-mostly/boost-upgradable", program),
    Workload::program("permit/boost", program),
    Workload::program("condition/boost", program),
    Workload::program("semaphore/boost", program),
    Workload::program("messages/boost", program),
    // For `bench/peers`.
    Workload::program("exchange/boost", program),
    Workload::program("flow/boost", program),
];

const SOURCE: &str = include_str!("boost.cpp");

/// Constants with their names, for the compiler's command line.
macro_rules! definitions {
    ($($name:ident),* $(,)?) => { [$(format!("-D{}={}", stringify!($name), $name)),*] };
}

/// Returns the program; `None`, and a note on stderr the first time, if it cannot be compiled.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let compiled = compile();
        if let Err(reason) = &compiled {
            eprintln!("bench: cannot compile the program for Boost, leaving it out: {reason}");
        }
        compiled.ok()
    });
    program.as_deref()
}

/// Returns the version of Boost, if the program can be compiled.
#[allow(dead_code, reason = "only `bench/peers` prints it")]
pub(crate) fn version() -> Option<String> {
    let output = Command::new(program()?).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().replace('_', "."))
}

/// Compiles the program into the folder of this one.
fn compile() -> Result<PathBuf, String> {
    let this = std::env::current_exe().expect("cannot find this program");
    let program = this.with_file_name("bench-boost");
    let mut compiler = Command::new("g++")
        .args(["-std=c++17", "-O2", "-Wall", "-pthread", "-x", "c++", "-", "-o"])
        .arg(&program)
        .arg(format!("-DFREE={FREE}ULL"))
        .args(definitions![
            COMMAND,
            ROUNDS,
            STOP,
            ANSWER,
            BEGAN_NS,
            ENDED_NS,
            COUNT,
            LEAVE,
            ENDED,
            SHARED_WORDS,
            TOTAL,
            OPERATIONS_PER_WRITE,
            LONG_NS,
            LONG_STEPS,
            GIVER,
            DEPTH,
            RECEIVER,
            WORDS,
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("g++: {error}"))?;
    let mut stdin = compiler.stdin.take().expect("stdin is a pipe");
    // A compiler that ends early reports the reason itself.
    let _ = stdin.write_all(SOURCE.as_bytes());
    drop(stdin);
    let output = compiler.wait_with_output().map_err(|error| format!("g++: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(program),
        false => Err(errors.lines().take(3).collect::<Vec<_>>().join("\n")),
    }
}
