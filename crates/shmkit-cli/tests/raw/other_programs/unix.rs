//! Boost and Python.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{Unique, raw, skip};

/// Returns the C++ program, compiled once. None without a compiler or Boost.
fn boost() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("boost");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/raw/boost.cpp");
        let output = Command::new("g++")
            .args(["-std=c++17", "-O1", source, "-o"])
            .arg(&program)
            .args(["-lrt", "-pthread"])
            .output();
        match output {
            Ok(output) if output.status.success() => Some(program),
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(errors.contains("boost/interprocess"), "{errors}");
                None
            }
            Err(_) => None,
        }
    });
    if program.is_none() {
        skip("sharing with Boost: g++ or its headers (libboost-dev) are missing");
    }
    program.as_ref()
}

/// Runs a script. None without a Python that has this module.
fn python(script: &str, arguments: &[&str]) -> Option<Output> {
    let module =
        Command::new("python3").args(["-c", "import multiprocessing.shared_memory"]).output();
    if !module.is_ok_and(|output| output.status.success()) {
        skip("sharing with Python: python3 with multiprocessing.shared_memory is missing");
        return None;
    }
    Some(Command::new("python3").args(["-c", script]).args(arguments).output().unwrap())
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the output of `shm raw dump` for 100 bytes.
fn dump_of(bytes: [u8; 100]) -> String {
    let name = Unique::new();
    std::fs::write(name.file(), bytes).unwrap();
    raw(&["dump", "--file", name.file().to_str().unwrap()])
}

#[test]
fn shm_reads_what_boost_writes() {
    let (name, Some(boost)) = (Unique::new(), boost()) else { return };
    succeeded(&Command::new(boost).args(["fill", &name, "100", "1"]).output().unwrap());
    let dump = raw(&["dump", &name]);
    assert_eq!(dump, dump_of([1; 100]));
    assert_eq!(dump.matches("01 ").count(), 100);
    raw(&["rm", &name]);
}

#[test]
fn boost_reads_what_shm_writes() {
    let (name, Some(boost)) = (Unique::new(), boost()) else { return };
    raw(&["create", &name, "--size", "100", "--fill", "1"]);
    let count = || {
        let output = Command::new(boost).args(["count", &name, "1"]).output().unwrap();
        succeeded(&output)
    };
    assert_eq!(count(), "100 of 100\n");
    raw(&["write", &name, "--offset", "10", "--hex", "0203"]);
    assert_eq!(count(), "98 of 100\n");
    succeeded(&Command::new(boost).args(["remove", &name]).output().unwrap());
    assert!(!name.memory().exists());
}

#[test]
fn shm_reads_what_python_writes() {
    let name = Unique::new();
    // The tracker of Python would remove the memory at its end.
    let script = "import sys
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(sys.argv[1], create=True, size=100)
memory.buf[:] = bytes([1]) * 100
resource_tracker.unregister(memory._name, 'shared_memory')
memory.close()";
    let Some(output) = python(script, &[&name]) else { return };
    succeeded(&output);
    assert_eq!(raw(&["dump", &name]), dump_of([1; 100]));
}

#[test]
fn python_reads_what_shm_writes() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "100", "--fill", "1"]);
    raw(&["write", &name, "--offset", "8", "--text", "hello"]);
    let script = "import sys
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(sys.argv[1])
print(memory.size, bytes(memory.buf[:14]), sum(memory.buf[13:]))
resource_tracker.unregister(memory._name, 'shared_memory')
memory.close()";
    let Some(output) = python(script, &[&name]) else { return };
    let expected = "100 b'\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01hello\\x01' 87\n";
    assert_eq!(succeeded(&output), expected);
}
