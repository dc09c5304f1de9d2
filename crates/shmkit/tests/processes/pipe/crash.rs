//! A child is killed at each crash point of both ends. The survivors get whole writes, are told the
//! death if a writer died, and go on.

use std::collections::BTreeSet;
use std::io::Write;

use shmkit::{ErrorKind, Pipe};

use super::{CAPACITY, NAME, RECORD, create, read_all, record};
use crate::children::Child;
use crate::test_dir::{TestDir, kind};
use crate::times::TIMEOUT;

/// The points in a writer that writes three records, how many of them are in the stream if it dies
/// there first, and whether it counts as dead.
const WRITER_POINTS: [(&str, usize, bool); 6] = [
    ("pipe: writer joined, not counted", 0, true),
    ("pipe: turn acquired", 0, true),
    ("pipe: bytes half written", 0, true),
    ("pipe: bytes written, not published", 0, true),
    ("pipe: bytes published, turn kept", 1, true),
    ("pipe: writer left, not told", 3, false),
];

/// The points in a reader of the same records, how many bytes it takes with it, and whether the end
/// is still to be told to the next reader.
const READER_POINTS: [(&str, usize, bool); 4] = [
    ("pipe: reader joined, not counted", 0, true),
    ("pipe: bytes read, not taken", 0, true),
    ("pipe: end found, not recorded", 3, true),
    ("pipe: reader left, not told", 3, false),
];

fn die_at(dir: &TestDir, point: &str, task: &str) {
    println!("{task} at {point:?}");
    assert!(Child::start_to_die_at(dir, point, "pipe", task).was_killed(), "{point}");
}

fn records(count: usize) -> Vec<u8> {
    (1..=count as u8).flat_map(record).collect()
}

#[test]
fn every_crash_point_of_pipes_has_a_case() {
    let tested = WRITER_POINTS.iter().map(|it| it.0).chain(READER_POINTS.iter().map(|it| it.0));
    let all = shmkit::crash::PIPE_POINTS.iter().copied();
    assert_eq!(BTreeSet::from_iter(tested), BTreeSet::from_iter(all));
}

#[test]
fn a_writer_killed_anywhere_leaves_whole_writes_and_is_told_once() {
    for (point, whole, died) in WRITER_POINTS {
        let dir = TestDir::new();
        let pipe = create(&dir);
        let mut readers = [(); 2].map(|()| pipe.reader().unwrap());
        die_at(&dir, point, "write 3");
        // The death is told to each reader, and its bytes go to one.
        let mut survivor = pipe.writer().unwrap();
        survivor.write_all(b"after").unwrap();
        drop(survivor);
        let (bytes, deaths) = read_all(&mut readers[0]);
        assert_eq!(bytes, [records(whole), b"after".to_vec()].concat(), "{point}");
        assert_eq!(deaths, u32::from(died), "{point}");
        assert_eq!(read_all(&mut readers[1]), (Vec::new(), u32::from(died)), "{point}");
        // It was told: a reader that joins now waits for the next writer.
        let mut late = pipe.reader().unwrap();
        assert_eq!(late.try_read(&mut [0]).unwrap(), None, "{point}");
        pipe.writer().unwrap().write_all(b"next").unwrap();
        assert_eq!(read_all(&mut late), (b"next".to_vec(), 0), "{point}");
        drop((readers, late, dir.repair()));
        assert!(dir.describe(NAME).participants.is_empty(), "{point}");
    }
}

#[test]
fn a_reader_that_sleeps_is_told_that_a_writer_was_killed_or_left() {
    for (point, whole, died) in WRITER_POINTS {
        let dir = TestDir::new();
        let pipe = create(&dir);
        let mut reader = pipe.reader().unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || {
                // A writer that was not counted ends no stream.
                let mut first = [0; RECORD];
                let mut bytes = Vec::new();
                let mut told = 0;
                while told == 0 {
                    match reader.read_timeout(&mut first, TIMEOUT) {
                        Ok(0) => break,
                        Ok(count) => bytes.extend_from_slice(&first[..count]),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                            told += 1;
                        }
                    }
                }
                (bytes, told)
            });
            dir.wait_for_waiters(NAME, 1);
            die_at(&dir, point, "write 3");
            assert_eq!(reading.join().unwrap(), (records(whole), u32::from(died)), "{point}");
        });
    }
}

#[test]
fn a_reader_that_comes_after_a_writer_was_killed_is_told() {
    let dir = TestDir::new();
    let pipe = create(&dir);
    die_at(&dir, "pipe: bytes published, turn kept", "write 3");
    dir.repair();
    assert_eq!(read_all(&mut pipe.reader().unwrap()), (records(1), 1));
    let mut late = pipe.reader().unwrap();
    assert_eq!(late.try_read(&mut [0]).unwrap(), None, "it was told");
}

#[test]
fn a_reader_killed_anywhere_takes_only_what_it_had_read() {
    for (point, taken, is_end_left) in READER_POINTS {
        let dir = TestDir::new();
        let pipe = create(&dir);
        pipe.writer().unwrap().write_all(&records(3)).unwrap();
        die_at(&dir, point, "read");
        let mut next = pipe.reader().unwrap();
        if is_end_left {
            assert_eq!(read_all(&mut next), (records(3)[taken * RECORD..].to_vec(), 0), "{point}");
        } else {
            assert_eq!(next.try_read(&mut [0]).unwrap(), None, "{point}");
        }
        drop((next, dir.repair()));
        assert!(dir.describe(NAME).participants.is_empty(), "{point}");
    }
}

#[test]
fn a_writer_is_told_that_its_only_reader_was_killed() {
    for point in ["pipe: bytes read, not taken", "pipe: reader left, not told"] {
        let dir = TestDir::new();
        let pipe = create(&dir);
        // Its end lets the child go on to the last point.
        pipe.writer().unwrap().write_all(&records(3)).unwrap();
        let killed = std::thread::scope(|scope| {
            let dying = scope.spawn(|| die_at(&dir, point, "read"));
            dying.join().is_ok()
        });
        assert!(killed);
        // It joined after the reader's death, so it waits for the next one.
        let mut writer = pipe.writer().unwrap();
        while writer.try_write(&[0; RECORD]).unwrap() > 0 {}
        let mut child = Child::start(&dir, "pipe", "read");
        assert!(writer.write_timeout(&vec![0; CAPACITY], TIMEOUT).unwrap() > 0);
        child.kill();
        let error = loop {
            match writer.write_timeout(&[0; RECORD], TIMEOUT) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{point}: {error}");
        assert_eq!(kind(writer.try_write(&[0])), ErrorKind::BrokenPipe);
        assert!(Pipe::options().directory(dir.path()).open(NAME).is_ok());
    }
}

#[test]
fn a_writer_gets_the_turn_of_one_that_was_killed_while_it_waited_for_room() {
    let dir = TestDir::new();
    let pipe = create(&dir);
    let mut child = Child::start_ready(&dir, "pipe", "fill");
    dir.wait_for_waiters(NAME, 1);
    let mut writer = pipe.writer().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || writer.write_timeout(&[3], TIMEOUT).unwrap());
        dir.wait_for_waiters(NAME, 2);
        child.kill();
        let mut reader = pipe.reader().unwrap();
        let mut bytes = vec![0; CAPACITY];
        std::io::Read::read_exact(&mut reader, &mut bytes).unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!(read_all(&mut reader), (vec![3], 1), "nothing of the dead writer's last write");
    });
}
