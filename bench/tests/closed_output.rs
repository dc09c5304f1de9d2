//! The program when the reader of its output has closed it, as `bench | head` does.

use std::process::{Command, Stdio};

#[test]
fn a_closed_output_ends_the_program_without_an_error() {
    for arguments in [&["set"][..], &["set", "--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().expect("cannot start bench");
        drop(program.stdout.take());
        let output = program.wait_with_output().expect("cannot wait for bench");
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}
