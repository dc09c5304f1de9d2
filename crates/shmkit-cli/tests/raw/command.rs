//! What the subcommands do.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::{Unique, raw, shm};

const ONES: &str = "01 01 01 01 01 01 01 01  01 01 01 01 01 01 01 01  |................|";

#[test]
fn what_was_cut_ends_a_watch_in_words() {
    let name = Unique::new();
    let path = name.file();
    let file = path.to_str().unwrap();
    raw(&["create", "--file", file, "--size", "10000"]);
    let watching = Command::new(assert_cmd::cargo::cargo_bin!("shm"))
        .args(["raw", "read", "--watch", "--offset", "5000", "--length", "16", "--file", file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watching = watching.unwrap();
    let mut line = String::new();
    let stdout = watching.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "0".repeat(32));
    // What remains of the page stays mapped: no look comes too late.
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5_010).unwrap();
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("it was cut to 5010 bytes: the 16 at 5000 are not there"), "{told}");
}

#[test]
fn a_large_file_comes_out_as_it_is() {
    let name = Unique::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    std::fs::write(name.file(), &bytes).unwrap();
    let output = shm().args(["raw", "read", "--file"]).arg(name.file()).output().unwrap();
    assert!(output.status.success() && output.stdout == bytes);
}

#[test]
fn create_write_read_dump_and_rm_work_on_memory_and_on_a_file() {
    for in_file in [false, true] {
        let name = Unique::new();
        let path = if in_file { name.file() } else { name.memory() };
        let target: &[&str] = if in_file { &["--file", path.to_str().unwrap()] } else { &[&name] };
        let raw = |command: &str, rest: &[&str]| raw(&[&[command], target, rest].concat());

        assert_eq!(raw("create", &["--size", "100", "--fill", "1"]), "");
        assert_eq!(fs::read(&path).unwrap(), [1; 100]);
        let dump = raw("dump", &[]);
        let lines: Vec<_> = dump.lines().collect();
        assert_eq!((lines.len(), lines[0]), (7, &*format!("00000000  {ONES}")));
        assert_eq!(lines[5], format!("00000050  {ONES}"));
        assert_eq!(lines[6], format!("00000060  {:48}  |....|", "01 01 01 01"));

        raw("write", &["--offset", "8", "--text", "hello", "--zero"]);
        raw("write", &["--offset", "0x10", "--hex", "00 fF:7f"]);
        assert_eq!(raw("read", &["--offset", "8", "--text"]), "hello\n");
        assert_eq!(raw("read", &["--offset", "16", "--length", "4", "--hex"]), "00ff7f01\n");
        assert_eq!(raw("read", &["--offset", "6", "--length", "5"]), "\x01\x01hel");
        assert_eq!(raw("read", &["--offset", "20"]), "\x01".repeat(80));
        let row = "00000006  01 01 68 65 6c 6c 6f 00  01 01                    |..hello...|\n";
        assert_eq!(raw("dump", &["--offset", "6", "--length", "10"]), row);

        raw("rm", &[]);
        assert!(!path.exists());
    }
}

#[test]
fn standard_input_is_written_whole() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "1M"]);
    let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    shm().args(["raw", "write", &name]).write_stdin(bytes.clone()).assert().success();
    assert!(fs::read(name.memory()).unwrap() == bytes);
    let output = shm().args(["raw", "read", &name]).output().unwrap();
    assert!(output.stdout == bytes);
}

#[test]
fn json_says_the_same_for_scripts() {
    let name = Unique::new();
    let made = raw(&["create", &name, "--size", "4KiB", "--json"]);
    assert_eq!(made, format!("{{\"name\":\"{}\",\"size\":4096}}\n", &*name));
    raw(&["write", &name, "--text", "hi \"you\""]);
    let range = ["--length", "9", "--json"];
    let read = raw(&[&["read", &name][..], &range].concat());
    let hex = "68692022796f752200";
    let expected = format!("{{\"name\":\"{}\",\"offset\":0,\"length\":9,\"hex\":\"{hex}\"", &*name);
    assert_eq!(read, expected.clone() + ",\"text\":\"hi \\\"you\\\"\"}\n");
    let dump = raw(&[&["dump", &name][..], &range].concat());
    assert_eq!(dump, expected + "}\n");
}

#[test]
fn watching_shows_each_change_on_a_line() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "32"]);
    raw(&["write", &name, "--text", "first", "--zero"]);
    let mut watcher = Command::new(assert_cmd::cargo::cargo_bin("shm"))
        .args(["raw", "read", &name, "--text", "--watch", "--every", "1ms"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "first");
    for text in ["second", "third, longer", "4"] {
        raw(&["write", &name, "--text", text, "--zero"]);
        // A look can fall between two bytes of a write.
        while next() != text {}
    }
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let name = Unique::new();
    raw(&["create", &name, "--size", "1M"]);
    for arguments in [&["raw", "dump", &name][..], &["raw", "read", &name], &["completions", "zsh"]]
    {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("shm"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*errors), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn permission_is_for_the_owner_alone_under_any_umask_unless_asked_otherwise() {
    use std::os::unix::fs::PermissionsExt;
    for (umask, access, mode) in [
        ("0000", "owner", 0o600),
        ("0777", "owner", 0o600),
        ("0077", "group", 0o660),
        ("0777", "everyone", 0o666),
    ] {
        let name = Unique::new();
        let script = format!("umask {umask} && exec \"$@\"");
        let shm = assert_cmd::cargo::cargo_bin("shm");
        let status = Command::new("sh")
            .args(["-c", &script, "sh", shm.to_str().unwrap()])
            .args(["raw", "create", &name, "--size", "1", "--access", access])
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(fs::metadata(name.memory()).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn the_directory_of_objects_does_not_move_raw_memory() {
    let name = Unique::new();
    let create = ["raw", "create", &name, "--size", "1"];
    shm().env("SHMKIT_DIR", "/nowhere").args(create).assert().success();
    assert!(name.memory().exists());
}

#[test]
fn completions_and_the_manual_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = shm().args(["completions", shell]).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains("dump"), "{shell}");
    }
    for path in [&[][..], &["raw"], &["raw", "read"], &["man"]] {
        let output = shm().arg("man").args(path).output().unwrap();
        let page = String::from_utf8(output.stdout).unwrap();
        let title = ["shm"].iter().chain(path).copied().collect::<Vec<_>>().join("-");
        assert!(page.contains(&format!(".TH {}", title.to_uppercase())), "{page}");
    }
}
