//! The subcommands.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::{Unique, bytes_of, create, output_of, raw, shm, start, started, whole};

const ONES: &str = "01 01 01 01 01 01 01 01  01 01 01 01 01 01 01 01  |................|";

#[test]
fn a_large_file_is_printed_unchanged() {
    let name = Unique::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    std::fs::write(name.file(), &bytes).unwrap();
    let output = output_of(shm().args(["raw", "read", "--file"]).arg(name.file()));
    assert!(output.status.success() && output.stdout == bytes);
}

#[test]
fn create_write_read_dump_and_rm_work_on_memory_and_on_a_file() {
    for in_file in [false, true] {
        let name = Unique::new();
        let path = name.file();
        let target: &[&str] = if in_file { &["--file", path.to_str().unwrap()] } else { &[&name] };
        let raw = |command: &str, rest: &[&str]| raw(&[&[command], target, rest].concat());
        // The 100 bytes, without those that the memory has beyond them.
        let rest = |from: usize| match in_file || whole(100) == 100 {
            true => vec![],
            false => vec!["--length".to_owned(), (100 - from).to_string()],
        };
        let from = |command: &str, from: usize, more: &[&str]| {
            let (rest, from) = (rest(from), from.to_string());
            let rest: Vec<_> = rest.iter().map(String::as_str).collect();
            raw(command, &[&["--offset", &from], &rest[..], more].concat())
        };

        let _memory = match in_file {
            true => {
                assert_eq!(raw("create", &["--size", "100", "--fill", "1"]), "");
                assert_eq!(fs::read(&path).unwrap(), [1; 100]);
                None
            }
            false => {
                let memory = create(&name, &["--size", "100", "--fill", "1"]);
                assert_eq!(bytes_of(&name), vec![1; whole(100)]);
                Some(memory)
            }
        };
        let dump = from("dump", 0, &[]);
        let lines: Vec<_> = dump.lines().collect();
        assert_eq!((lines.len(), lines[0]), (7, &*format!("00000000  {ONES}")));
        assert_eq!(lines[5], format!("00000050  {ONES}"));
        assert_eq!(lines[6], format!("00000060  {:48}  |....|", "01 01 01 01"));

        raw("write", &["--offset", "8", "--text", "hello", "--zero"]);
        raw("write", &["--offset", "0x10", "--hex", "00 fF:7f"]);
        assert_eq!(raw("read", &["--offset", "8", "--text"]), "hello\n");
        assert_eq!(raw("read", &["--offset", "16", "--length", "4", "--hex"]), "00ff7f01\n");
        assert_eq!(raw("read", &["--offset", "6", "--length", "5"]), "\x01\x01hel");
        assert_eq!(from("read", 20, &[]), "\x01".repeat(80));
        let row = "00000006  01 01 68 65 6c 6c 6f 00  01 01                    |..hello...|\n";
        assert_eq!(raw("dump", &["--offset", "6", "--length", "10"]), row);

        if in_file {
            raw("rm", &[]);
            assert!(!path.exists());
        }
    }
}

#[test]
fn standard_input_is_written_whole() {
    let name = Unique::new();
    let _memory = create(&name, &["--size", "1M"]);
    let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    shm().args(["raw", "write", &name]).write_stdin(bytes.clone()).assert().success();
    assert!(bytes_of(&name) == bytes);
    let output = output_of(shm().args(["raw", "read", &name]));
    assert!(output.stdout == bytes);
}

#[test]
fn json_reports_name_range_and_bytes() {
    let name = Unique::new();
    let memory = create(&name, &["--size", "4KiB"]);
    assert_eq!(memory.report, format!("{{\"name\":\"{}\",\"size\":4096}}", &*name));
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
fn watch_prints_a_line_for_each_change() {
    let name = Unique::new();
    let _memory = create(&name, &["--size", "32"]);
    raw(&["write", &name, "--text", "first", "--zero"]);
    let mut watcher = start(&["raw", "read", &name, "--text", "--watch", "--every", "1ms"]);
    assert_eq!(watcher.line(), "first");
    for text in ["second", "third, longer", "4"] {
        raw(&["write", &name, "--text", text, "--zero"]);
        // A read can fall between two bytes of a write.
        while watcher.line() != text {}
    }
}

#[test]
fn a_closed_output_is_no_error() {
    let name = Unique::new();
    let _memory = create(&name, &["--size", "1M"]);
    for arguments in [&["raw", "dump", &name][..], &["raw", "read", &name], &["completions", "zsh"]]
    {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("shm"));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*errors), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn completions_and_the_manual_have_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = output_of(shm().args(["completions", shell]));
        assert!(String::from_utf8(output.stdout).unwrap().contains("dump"), "{shell}");
    }
    for path in [&[][..], &["raw"], &["raw", "read"], &["man"]] {
        let output = output_of(shm().arg("man").args(path));
        let page = String::from_utf8(output.stdout).unwrap();
        let title = ["shm"].iter().chain(path).copied().collect::<Vec<_>>().join("-");
        assert!(page.contains(&format!(".TH {}", title.to_uppercase())), "{page}");
    }
}
