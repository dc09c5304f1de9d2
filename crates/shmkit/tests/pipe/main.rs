//! What `Pipe` promises within one process. Between processes: `tests/processes`.

#[cfg(not(windows))]
mod allocations;
mod ends;
mod writes;

use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::{ErrorKind, Latest, Options, Pipe, inspect};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(10);
const CAPACITY: usize = 64 << 10;

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options(&self) -> Options<Pipe> {
        Pipe::options().directory(self.0.path())
    }

    fn create(&self) -> Pipe {
        self.options().create("log").unwrap()
    }

    fn describe(&self) -> inspect::Description {
        inspect::describe(self.0.path(), "log", Trust::Own).unwrap()
    }
}

fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

/// Bytes that show where they are.
fn pattern(count: usize) -> Vec<u8> {
    (0..count as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn the_capacity_is_rounded_up_and_compared_when_a_pipe_is_opened() {
    let dir = TestDir::new();
    for (asked, capacity) in [(0, 4 << 10), (4_097, 8 << 10), (1 << 20, 1 << 20)] {
        let pipe = dir.options().capacity(asked).create("log").unwrap();
        assert_eq!(pipe.capacity(), capacity);
        assert_eq!(dir.options().open("log").unwrap().capacity(), capacity);
        assert!(!dir.options().capacity(asked).open_or_create("log").unwrap().was_created());
        let refused = dir.options().capacity(2 << 20).open("log");
        assert_eq!(kind(refused), ErrorKind::WrongOptions);
        dir.options().remove("log").unwrap();
    }
    for too_large in [(1 << 40) + 1, u64::MAX] {
        let options = dir.options().capacity(too_large);
        assert_eq!(kind(options.create("log")), ErrorKind::InvalidArgument);
        assert_eq!(kind(options.open_or_create("log")), ErrorKind::InvalidArgument);
    }
    assert_eq!(dir.create().capacity(), CAPACITY);
}

#[test]
fn other_kinds_are_refused() {
    let dir = TestDir::new();
    Latest::<u64>::options().directory(dir.0.path()).create("log").unwrap();
    assert_eq!(kind(dir.options().open("log")), ErrorKind::WrongKind);
}

#[test]
fn each_end_takes_a_slot_until_it_is_dropped() {
    let dir = TestDir::new();
    let pipe = dir.options().max_ends(2).create("log").unwrap();
    let (writer, reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    assert_eq!(kind(pipe.writer()), ErrorKind::Full);
    writer.close();
    let second = pipe.reader().unwrap();
    assert_eq!(kind(pipe.writer()), ErrorKind::Full);
    reader.close();
    drop(second);
    assert!(pipe.writer().is_ok());
}

#[test]
fn a_description_says_what_is_in_the_pipe_and_who_is_there() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let (mut writer, _reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    assert_eq!(writer.try_write(&[7; 1_500]).unwrap(), 1_500);
    assert_eq!(pipe.unread().unwrap(), 1_500);
    let description = dir.describe();
    let state = &description.only_part().unwrap().state;
    assert_eq!(state.text, "1,500 of 65,536 bytes");
    for (name, number) in [
        ("capacity", 65_536),
        ("unread", 1_500),
        ("written", 1_500),
        ("writer_ends", 1),
        ("reader_ends", 1),
    ] {
        assert_eq!(state.number(name), Some(number), "{name}");
    }
    let roles: Vec<_> = description.participants.iter().map(|it| it.role.as_str()).collect();
    assert_eq!(roles, ["writer", "reader"]);
    assert!(state.holders.is_empty() && state.is_sound);
}

#[test]
fn a_removed_pipe_is_read_to_its_last_byte_and_then_closed() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    writer.try_write(b"last").unwrap();
    dir.options().remove("log").unwrap();
    let mut into = [0; 10];
    assert_eq!(reader.try_read(&mut into).unwrap(), Some(4));
    assert_eq!(kind(reader.try_read(&mut into)), ErrorKind::Closed);
    assert_eq!(kind(reader.read_timeout(&mut into, TIMEOUT)), ErrorKind::Closed);
    assert_eq!(kind(writer.try_write(b"more")), ErrorKind::Closed);
}

#[test]
fn sleeping_ends_of_a_pipe_that_is_removed_wake_up() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let _other = pipe.writer().unwrap();
    let reader = pipe.reader().unwrap();
    let full = dir.options().create("full").unwrap();
    let mut writer = full.writer().unwrap();
    assert_eq!(writer.try_write(&[0; CAPACITY]).unwrap(), CAPACITY);
    std::thread::scope(|scope| {
        let mut reader = reader;
        let reading = scope.spawn(move || kind(reader.read_timeout(&mut [0], TIMEOUT)));
        let writing = scope.spawn(move || kind(writer.write_timeout(&[0], TIMEOUT)));
        for name in ["log", "full"] {
            dir.options().remove(name).unwrap();
        }
        assert_eq!(reading.join().unwrap(), ErrorKind::Closed);
        assert_eq!(writing.join().unwrap(), ErrorKind::Closed);
    });
}
