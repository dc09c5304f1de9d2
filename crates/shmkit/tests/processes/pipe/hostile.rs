//! A peer that writes anything into a pipe spoils its bytes, and nothing else.

use std::fs::File;
use std::time::Duration;

use shmkit::{ErrorKind, Pipe, inspect};

use super::{NAME, create};
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::system::{read_at, write_at};
use crate::test_dir::TestDir;
use crate::values::Random;

const FILE: &str = "log.shmkit";
const OPERATIONS: u32 = 20_000;

/// Where the payload begins: a number in the header, see FORMAT.md.
fn payload(file: &File) -> u64 {
    let mut offset = [0; 8];
    read_at(file, &mut offset, 128);
    u64::from_le_bytes(offset)
}

/// Uses both ends, whatever the words contain.
pub(super) fn victim(link: &mut Link) {
    let pipe = Pipe::open(NAME).unwrap();
    let (mut answers, mut into) = (0, [0; 5_000]);
    for operation in 0..OPERATIONS {
        let (Ok(mut writer), Ok(mut reader)) = (pipe.writer(), pipe.reader()) else { continue };
        let size = operation as usize % 5_000;
        for answer in [
            writer.try_write(&into[..size]),
            reader.try_read(&mut into[..size]).map(Option::unwrap_or_default),
            writer.write_timeout(&into[..size], Duration::ZERO),
            reader.read_timeout(&mut into, Duration::ZERO),
        ] {
            let expected = [
                ErrorKind::Corrupt,
                ErrorKind::TimedOut,
                ErrorKind::Closed,
                ErrorKind::PeerDied,
                ErrorKind::BrokenPipe,
                ErrorKind::RoleLost,
            ];
            match answer {
                Ok(count) => assert!(count <= into.len()),
                Err(error) => assert!(expected.contains(&error.kind()), "{error}"),
            }
            answers += 1;
        }
        let _ = pipe.unread();
    }
    link.send(answers);
}

#[test]
fn a_peer_that_writes_garbage_into_a_pipe_stops_nobody() {
    let dir = TestDir::new();
    let _pipe = create(&dir);
    let file = File::options().read(true).write(true).open(dir.path().join(FILE)).unwrap();
    let payload = payload(&file);
    let done = Flag::new();
    std::thread::scope(|scope| {
        let _ends = done.set_on_drop();
        scope.spawn(|| {
            let mut random = Random::new();
            while !done.is_set() {
                let at = random.pick(&[0, 128, 256, 264, 272, 280, 288, 296]);
                let number = random.next();
                let number = random.pick(&[0, 1, 2, number, number % (1 << 28), number << 40]);
                // So that the pipe is not closed from then on.
                let number = if at < 300 { number & !1 } else { number };
                write_at(&file, &number.to_le_bytes(), payload + at);
            }
        });
        for mut child in [(); 2].map(|()| Child::start(&dir, "pipe", "victim")) {
            println!("operations: {}", child.receive());
        }
    });
}

#[test]
fn positions_that_no_pipe_has_are_reported_and_found_by_examine() {
    let dir = TestDir::new();
    let pipe = create(&dir);
    let file = File::options().read(true).write(true).open(dir.path().join(FILE)).unwrap();
    let payload = payload(&file);
    let mut reader = pipe.reader().unwrap();
    for head in [1_u64 << 10, 1 << 40, 1 << 63] {
        write_at(&file, &head.to_le_bytes(), payload + 128);
        let mut writer = pipe.writer().unwrap();
        assert_eq!(writer.try_write(&[0]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(reader.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(pipe.unread().unwrap_err().kind(), ErrorKind::Corrupt);
        let found = inspect::examine(dir.path(), shmkit::memory::Trust::Own).unwrap();
        assert!(found[0].what().contains("values that no participant writes"), "{}", found[0]);
    }
    write_at(&file, &0_u64.to_le_bytes(), payload + 128);
    assert_eq!(pipe.writer().unwrap().try_write(&[7]).unwrap(), 1);
    assert_eq!(reader.try_read(&mut [0]).unwrap(), Some(1));
}
