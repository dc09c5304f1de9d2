//! `shm pipe`: bytes from standard input to standard output of another process.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use shmkit::Pipe;

use crate::TestDir;
use crate::running::started;

const NAME: &str = "log";

fn start(dir: &TestDir, arguments: &[&str]) -> Child {
    let mut command: Command = dir.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    started(|| command.spawn())
}

/// Waits for the end of a command. Returns its standard output, its messages and its exit code.
fn end(child: Child) -> (Vec<u8>, String, Option<i32>) {
    let output = child.wait_with_output().unwrap();
    (output.stdout, String::from_utf8(output.stderr).unwrap(), output.status.code())
}

/// Bytes of all values, more than the pipe holds.
fn bytes() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn await_ends(dir: &TestDir, writers: u64, readers: u64) {
    dir.await_object(NAME, |it| {
        let state = &it.parts[0].state;
        (state.number("writer_ends"), state.number("reader_ends")) == (Some(writers), Some(readers))
    });
}

#[test]
fn what_is_written_is_read_and_its_end_ends_the_reader() {
    for reader_is_first in [true, false] {
        let dir = TestDir::new();
        let reader = reader_is_first.then(|| {
            let reader = start(&dir, &["pipe", "read", NAME]);
            await_ends(&dir, 0, 1);
            reader
        });
        let mut writer = start(&dir, &["pipe", "write", NAME]);
        let mut stdin = writer.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(&bytes()).unwrap());
            let reader = reader.unwrap_or_else(|| start(&dir, &["pipe", "read", NAME]));
            let (read, errors, code) = end(reader);
            assert!(read == bytes() && errors.is_empty() && code == Some(0), "{code:?}: {errors}");
        });
        assert_eq!(end(writer), (Vec::new(), String::new(), Some(0)));
    }
}

#[test]
fn a_writer_that_has_ended_is_read_later_also_if_it_wrote_nothing() {
    let dir = TestDir::new();
    for text in ["hello\n", ""] {
        let mut writer = start(&dir, &["pipe", "write", NAME]);
        writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert_eq!(end(writer).2, Some(0));
        assert_eq!(dir.shm(&["pipe", "read", NAME]), text);
    }
    dir.fails(&["pipe", "read", NAME, "--timeout", "10ms"], 8, "nothing was written");
}

#[test]
fn a_killed_writer_ends_the_reader_after_its_bytes_with_a_message_and_exit_code_9() {
    let dir = TestDir::new();
    let mut reader = start(&dir, &["pipe", "read", NAME]);
    let mut writer = start(&dir, &["pipe", "write", NAME]);
    let stdin = writer.stdin.as_mut().unwrap();
    stdin.write_all(b"half").unwrap();
    stdin.flush().unwrap();
    let mut read = [0; 4];
    reader.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
    assert_eq!(&read, b"half");
    writer.kill().unwrap();
    writer.wait().unwrap();
    let (rest, errors, code) = end(reader);
    assert_eq!((rest, code), (Vec::new(), Some(9)), "{errors}");
    assert!(errors.starts_with("shm: cannot read from \"log\": "), "{errors}");
    assert!(errors.contains("died: what it had not written is missing"), "{errors}");
}

#[test]
fn a_writer_whose_reader_was_killed_ends_with_exit_code_9() {
    let dir = TestDir::new();
    let mut reader = start(&dir, &["pipe", "read", NAME]);
    await_ends(&dir, 0, 1);
    let mut writer = start(&dir, &["pipe", "write", NAME]);
    await_ends(&dir, 1, 1);
    reader.kill().unwrap();
    reader.wait().unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // The command ends before it has read all of it.
        scope.spawn(move || stdin.write_all(&bytes()));
        let (_, errors, code) = end(writer);
        assert_eq!(code, Some(9), "{errors}");
        assert!(errors.contains("cannot write to \"log\": no reader is left"), "{errors}");
    });
}

#[test]
fn a_pipe_that_is_full_is_told_after_the_timeout() {
    let dir = TestDir::new();
    let mut writer = start(&dir, &["pipe", "write", NAME, "--timeout", "10ms"]);
    let mut stdin = writer.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(&bytes()));
        let (_, errors, code) = end(writer);
        assert_eq!(code, Some(8), "{errors}");
        assert!(errors.contains("its 65536 bytes had too little room"), "{errors}");
    });
}

#[test]
fn the_capacity_is_chosen_when_the_pipe_is_created_and_compared_later() {
    let dir = TestDir::new();
    dir.shm(&["pipe", "create", NAME, "--capacity", "1MiB", "--participants", "3"]);
    let pipe = Pipe::options().directory(dir.path()).open(NAME).unwrap();
    assert_eq!(pipe.capacity(), 1 << 20);
    dir.shm(&["pipe", "create", NAME, "--capacity", "1MiB", "--participants", "3", "--if-missing"]);
    dir.fails(&["pipe", "create", NAME], 4, "an object has this name");
    let other = ["pipe", "read", NAME, "--capacity", "4KiB"];
    dir.fails(&other, 4, "the capacity is 4096 here and 1048576 in the object");
    dir.fails(&["pipe", "write", "other", "--capacity", "2T"], 2, "larger than 1 TiB");
    let line = dir.table(&["ls", NAME]).pop().unwrap();
    assert_eq!(line[..2], [NAME, "pipe"]);
    let mut writer = pipe.writer().unwrap();
    writer.try_write(&[0; 1_500]).unwrap();
    let info = dir.shm(&["info", NAME]);
    for text in ["1,500 of 1,048,576 bytes", "writers", "readers"] {
        assert!(info.contains(text), "{info}");
    }
    let json = dir.json(&["info", NAME]);
    assert_eq!(json["parts"][0]["unread"], 1_500, "{json}");
}
