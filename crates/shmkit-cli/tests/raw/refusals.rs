//! What the subcommands refuse, with which exit code, and in which words.

use std::fs;
use std::process::{Command, Output};

use crate::{Unique, cannot_be_tried, ended, raw, shm};

fn run(arguments: &[&str]) -> Output {
    shm().args(arguments).output().unwrap()
}

#[test]
fn each_error_has_its_exit_code_and_says_why() {
    let name = Unique::new();
    let name: &str = &name;
    let missing = format!("cannot open \"{name}\": No such file");
    ended(&run(&["raw", "dump", name]), 3, &missing);
    ended(&run(&["raw", "read", name]), 3, &missing);
    ended(&run(&["raw", "write", name, "--text", "x"]), 3, &missing);
    ended(&run(&["raw", "rm", name]), 3, "cannot remove");
    let file = ["raw", "rm", "--file", "/nowhere/file"];
    ended(&run(&file), 3, "cannot remove \"/nowhere/file\": No such file");

    raw(&["create", name, "--size", "100"]);
    ended(&run(&["raw", "create", name, "--size", "1"]), 4, "cannot create");
    ended(&run(&["raw", "create", "a/b", "--size", "1"]), 2, "a \"/\" that is not its first byte");
    ended(&run(&["raw", "create", "a.shmkit", "--size", "1"]), 2, "only files of framed objects");
    let other = Unique::new();
    ended(&run(&["raw", "create", &other, "--size", "1024T"]), 6, "no space for 1125899906842624");

    let write = |rest: &[&str]| run(&[&["raw", "write", name][..], rest].concat());
    ended(&write(&["--offset", "98", "--text", "abc"]), 2, "3 bytes at 98 are not within its 100");
    ended(&write(&["--hex", "abc"]), 2, "3 hexadecimal digits: each byte has two");
    ended(&write(&["--text", "x", "--hex", "00"]), 2, "cannot be used with");
    let long = shm().args(["raw", "write", name]).write_stdin([1; 1000]).output().unwrap();
    ended(&long, 2, "101 bytes at 0 are not within its 100");
    assert_eq!(fs::read(format!("/dev/shm/{name}")).unwrap(), [0; 100]);

    let read = |rest: &[&str]| run(&[&["raw", "read", name][..], rest].concat());
    ended(&read(&["--offset", "100"]), 2, "it has 100 bytes, so that none is left at 100");
    ended(&read(&["--offset", "1", "--length", "100"]), 2, "100 bytes at 1 are not within its 100");
    ended(&read(&["--length", "ten"]), 2, "is no size");
    ended(&read(&["--text", "--hex"]), 2, "cannot be used with");
    ended(&run(&["raw", "read", "--file", "/"]), 7, "cannot open \"/\": it is a directory");
    ended(&run(&["raw", "read"]), 2, "<NAME|--file <PATH>>");
    ended(&run(&["raw", "read", name, "--file", "/"]), 2, "cannot be used with");
    ended(&run(&["--dir", "/tmp", "raw", "read", name]), 2, "raw memory is in /dev/shm");
    ended(&run(&["man", "raw", "fly"]), 2, "no subcommand \"fly\": there are create");
}

#[test]
fn a_full_file_system_is_told_at_creation_and_nothing_is_left() {
    let shm = assert_cmd::cargo::cargo_bin("shm");
    let script = "mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77
                  \"$1\" raw create small --size 32K || exit 78
                  \"$1\" raw create large --size 1M; code=$?
                  test \"$(ls /dev/shm)\" = small || exit 79
                  \"$1\" raw create fits --size 32K || exit 80
                  exit $code";
    // A mount of its own, which nobody else sees.
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", shm.to_str().unwrap()])
        .output()
        .unwrap();
    if matches!(output.status.code(), Some(1 | 77)) {
        return cannot_be_tried("a full file system: only root can mount a small one");
    }
    ended(&output, 6, "cannot create \"large\": no space for 1048576 bytes");
}

#[test]
fn a_full_standard_output_is_an_error() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "1M"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("shm"))
        .args(["raw", "dump", &name])
        .stdout(full)
        .output()
        .unwrap();
    ended(&output, 6, "No space left on device");
}

#[test]
fn a_stranger_s_memory_is_refused_unless_he_is_trusted() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "8", "--fill", "7", "--access", "everyone"]);
    if std::os::unix::fs::chown(name.memory(), Some(12_345), None).is_err() {
        return cannot_be_tried("another user's memory: only root can make some");
    }
    let refused = run(&["raw", "read", &name, "--hex"]);
    ended(&refused, 5, "user 0 did not ask to trust them: --trust 12345 does");
    for whose in ["12345", "anyone"] {
        assert_eq!(raw(&["read", &name, "--hex", "--trust", whose]), "0707070707070707\n");
        raw(&["write", &name, "--text", "\u{7}", "--trust", whose]);
        assert!(raw(&["dump", &name, "--trust", whose]).contains("07 07"));
    }
    let clock = run(&["clock", &name, "--raw", "--count", "1", "--trust", "anyone"]);
    assert_eq!(clock.status.code(), Some(2), "8 bytes are too few for it, but they are its own");
}
