//! Errors: exit codes and messages.

#[cfg(unix)]
mod unix;

use std::process::Output;

use crate::{Unique, bytes_of, create, ended, output_of, shm, whole};

/// The message of the system for a missing file. On Windows it depends on the language.
const MISSING: &str = if cfg!(unix) { "No such file" } else { "" };

fn run(arguments: &[&str]) -> Output {
    output_of(shm().args(arguments))
}

#[test]
fn each_error_has_an_exit_code_and_a_reason() {
    let name = Unique::new();
    let name: &str = &name;
    let missing = format!("cannot open \"{name}\": no memory of this name");
    ended(&run(&["raw", "dump", name]), 3, &missing);
    ended(&run(&["raw", "read", name]), 3, &missing);
    ended(&run(&["raw", "write", name, "--text", "x"]), 3, &missing);
    ended(&run(&["raw", "rm", name]), 3, "cannot remove");
    let file = ["raw", "rm", "--file", "/nowhere/file"];
    ended(&run(&file), 3, &format!("cannot remove \"/nowhere/file\": {MISSING}"));

    let _memory = create(name, &["--size", "100"]);
    let size = whole(100);
    ended(&run(&["raw", "create", name, "--size", "1"]), 4, "cannot create");
    let (invalid, why) = match cfg!(windows) {
        true => (r"a\b", r#"it has a "\" that is not the end of the prefix"#),
        false => ("a/b", "a \"/\" that is not its first byte"),
    };
    ended(&run(&["raw", "create", invalid, "--size", "1"]), 2, why);
    let other = Unique::new();
    ended(&run(&["raw", "create", &other, "--size", "1024T"]), 6, "no space for 1125899906842624");

    let write = |rest: &[&str]| run(&[&["raw", "write", name][..], rest].concat());
    let last = (size - 2).to_string();
    let outside = format!("3 bytes at {last} are outside its {size} bytes");
    ended(&write(&["--offset", &last, "--text", "abc"]), 2, &outside);
    ended(&write(&["--hex", "abc"]), 2, "3 hexadecimal digits: each byte needs two");
    ended(&write(&["--text", "x", "--hex", "00"]), 2, "cannot be used with");
    let long = output_of(shm().args(["raw", "write", name]).write_stdin([1; 5000]));
    ended(&long, 2, &format!("{} bytes at 0 are outside its {size} bytes", size + 1));
    assert_eq!(bytes_of(name), vec![0; size]);

    let read = |rest: &[&str]| run(&[&["raw", "read", name][..], rest].concat());
    let end = size.to_string();
    let reason = format!("its {size} bytes end before the offset {size}");
    ended(&read(&["--offset", &end]), 2, &reason);
    let outside = format!("{size} bytes at 1 are outside its {size} bytes");
    ended(&read(&["--offset", "1", "--length", &end]), 2, &outside);
    ended(&read(&["--length", "ten"]), 2, "is not a size");
    ended(&read(&["--text", "--hex"]), 2, "cannot be used with");
    ended(&run(&["raw", "read", "--file", "/"]), 7, "cannot open \"/\": it is a directory");
    ended(&run(&["raw", "read"]), 2, "<NAME|--file <PATH>>");
    ended(&run(&["raw", "read", name, "--file", "/"]), 2, "cannot be used with");
    ended(
        &run(&["--dir", "/tmp", "raw", "read", name]),
        2,
        if cfg!(unix) { "raw memory is in /dev/shm" } else { "raw memory is in no directory" },
    );
    ended(&run(&["man", "raw", "fly"]), 2, "no subcommand \"fly\": use one of ls, create");
}
