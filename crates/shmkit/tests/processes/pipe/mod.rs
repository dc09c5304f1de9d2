//! Pipes between processes, some of which are killed, stopped or hostile.

mod crash;
mod hostile;
mod kills;
mod stops;

use std::io::{self, Read, Write};

use shmkit::{ErrorKind, Pipe, PipeReader};

use crate::children::Link;
use crate::test_dir::TestDir;

const NAME: &str = "log";
const CAPACITY: usize = 64 << 10;
/// The bytes of a record that fits in as a whole.
const RECORD: usize = 100;

fn create(dir: &TestDir) -> Pipe {
    Pipe::options().directory(dir.path()).create(NAME).unwrap()
}

/// What each record of a child contains.
fn record(number: u8) -> [u8; RECORD] {
    [number; RECORD]
}

/// Runs the operation of its task.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let (operation, argument) = task.split_once(' ').unwrap_or((&task, ""));
    match operation {
        "write" => write_records(argument.parse().unwrap()),
        "read" => read_to_end(),
        "fill" => fill(link),
        "load" => kills::write_at_random(link, argument.parse().unwrap()),
        "numbers" => kills::read_numbers(link),
        "victim" => hostile::victim(link),
        other => unreachable!("{other}"),
    }
}

/// Writes as many records, and leaves.
fn write_records(count: u8) {
    let mut writer = Pipe::open(NAME).unwrap().writer().unwrap();
    (1..=count).for_each(|number| writer.write_all(&record(number)).unwrap());
}

/// Reads some bytes at a time, and leaves at the end.
fn read_to_end() {
    let mut reader = Pipe::open(NAME).unwrap().reader().unwrap();
    let mut into = [0; RECORD];
    while reader.read(&mut into).unwrap() > 0 {}
}

/// Fills the pipe, and waits for room in its turn.
fn fill(link: &mut Link) {
    let mut writer = Pipe::open(NAME).unwrap().writer().unwrap();
    writer.write_all(&[1; CAPACITY]).unwrap();
    link.send("ready");
    writer.write_all(&[2]).unwrap();
    link.send("written");
    link.receive();
}

/// Reads to the end or to an error. Returns the bytes, and how many writers it was told to have
/// died.
fn read_all(reader: &mut PipeReader) -> (Vec<u8>, u32) {
    let (mut all, mut into, mut deaths) = (Vec::new(), [0; 4_096], 0);
    loop {
        match reader.read(&mut into) {
            Ok(0) => return (all, deaths),
            Ok(count) => all.extend_from_slice(&into[..count]),
            Err(error) => {
                assert_eq!(inner_kind(&error), ErrorKind::PeerDied, "{error}");
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                deaths += 1;
            }
        }
    }
}

/// The kind of the error inside.
fn inner_kind(error: &io::Error) -> ErrorKind {
    error.get_ref().unwrap().downcast_ref::<shmkit::Error>().unwrap().kind()
}
