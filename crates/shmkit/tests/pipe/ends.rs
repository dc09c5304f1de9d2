//! When the stream begins and ends, for whom.

use std::io::{self, Read, Write};
use std::time::Duration;

use shmkit::ErrorKind;

use super::{CAPACITY, TIMEOUT, TestDir, kind, pattern};

const SOON: Duration = Duration::from_millis(1);

#[test]
fn a_writer_fills_the_pipe_before_the_first_reader_comes() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let mut writer = pipe.writer().unwrap();
    let bytes = pattern(CAPACITY);
    writer.write_all(&bytes).unwrap();
    assert_eq!(kind(writer.write_timeout(&[0], SOON)), ErrorKind::TimedOut);
    let mut read = vec![0; CAPACITY];
    pipe.reader().unwrap().read_exact(&mut read).unwrap();
    assert!(read == bytes);
}

#[test]
fn a_reader_waits_for_the_first_writer_and_gets_the_end_after_its_last_byte() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let mut reader = pipe.reader().unwrap();
    let mut into = [0; 10];
    assert_eq!(reader.try_read(&mut into).unwrap(), None);
    assert_eq!(kind(reader.read_timeout(&mut into, SOON)), ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        let mut writer = pipe.writer().unwrap();
        writer.write_all(b"first, ").unwrap();
        writer.write_all(b"last").unwrap();
        drop(writer);
        assert_eq!(reading.join().unwrap(), b"first, last");
    });
    for _ in 0..3 {
        assert_eq!(reader.try_read(&mut into).unwrap(), Some(0), "the end is told again");
    }
}

#[test]
fn the_end_comes_only_when_the_last_writer_has_left() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let [mut first, mut second] = [(); 2].map(|()| pipe.writer().unwrap());
    let (mut reader, mut into) = (pipe.reader().unwrap(), [0; 10]);
    first.write_all(b"1").unwrap();
    drop(first);
    assert_eq!(reader.try_read(&mut into).unwrap(), Some(1));
    assert_eq!(reader.try_read(&mut into).unwrap(), None);
    second.write_all(b"22").unwrap();
    drop(second);
    assert_eq!(reader.try_read(&mut into).unwrap(), Some(2));
    assert_eq!(reader.try_read(&mut into).unwrap(), Some(0));
}

#[test]
fn a_program_that_ran_before_the_first_reader_came_is_read_to_its_end() {
    let dir = TestDir::new();
    let pipe = dir.create();
    for text in ["written before", ""] {
        pipe.writer().unwrap().write_all(text.as_bytes()).unwrap();
        let mut read = String::new();
        pipe.reader().unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }
}

#[test]
fn a_reader_that_joins_after_the_end_waits_for_the_next_writer() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let mut before = pipe.reader().unwrap();
    for round in 0..3 {
        pipe.writer().unwrap().write_all(b"x").unwrap();
        let mut all = Vec::new();
        before.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"x", "a reader that stays reads on with the next writer");
        let mut after = pipe.reader().unwrap();
        assert_eq!(after.try_read(&mut [0]).unwrap(), None, "round {round}");
        let writer = pipe.writer().unwrap();
        assert_eq!(after.try_read(&mut [0]).unwrap(), None);
        assert_eq!(before.try_read(&mut [0]).unwrap(), None, "a new writer has come");
        drop(writer);
        assert_eq!(after.try_read(&mut [0]).unwrap(), Some(0));
    }
}

#[test]
fn every_reader_that_is_there_gets_the_end() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let readers = [(); 4].map(|()| pipe.reader().unwrap());
    let writer = pipe.writer().unwrap();
    std::thread::scope(|scope| {
        let waiting = readers
            .map(|mut reader| scope.spawn(move || reader.read_timeout(&mut [0], TIMEOUT).unwrap()));
        drop(writer);
        assert_eq!(waiting.map(|it| it.join().unwrap()), [0; 4]);
    });
}

#[test]
fn writers_get_broken_pipe_when_the_last_reader_has_left() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let mut writer = pipe.writer().unwrap();
    writer.write_all(b"before the first reader").unwrap();
    let [first, second] = [(); 2].map(|()| pipe.reader().unwrap());
    drop(first);
    writer.write_all(b"one is left").unwrap();
    drop(second);
    assert_eq!(kind(writer.try_write(b"x")), ErrorKind::BrokenPipe);
    let error = writer.write(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let inner = error.get_ref().unwrap().downcast_ref::<shmkit::Error>().unwrap();
    assert_eq!(inner.kind(), ErrorKind::BrokenPipe);
    // What was written stays for the next reader, and the writer goes on with it.
    let mut third = pipe.reader().unwrap();
    writer.write_all(b"!").unwrap();
    drop(writer);
    let mut all = String::new();
    third.read_to_string(&mut all).unwrap();
    assert_eq!(all, "before the first readerone is left!");
}

#[test]
fn a_writer_that_joins_after_readers_have_left_waits_for_the_next_one() {
    let dir = TestDir::new();
    let pipe = dir.create();
    drop(pipe.reader().unwrap());
    let mut writer = pipe.writer().unwrap();
    writer.write_all(&vec![0; CAPACITY]).unwrap();
    assert_eq!(kind(writer.write_timeout(&[0], SOON)), ErrorKind::TimedOut);
}

#[test]
fn a_writer_that_waits_for_room_is_told_that_the_last_reader_left() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let [mut writer, mut next] = [(); 2].map(|()| pipe.writer().unwrap());
    let reader = pipe.reader().unwrap();
    writer.write_all(&vec![0; CAPACITY]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || kind(writer.write_timeout(&[0], TIMEOUT)));
        // One waits for room, and the other for its turn.
        let waiting_too = scope.spawn(move || kind(next.write_timeout(&[0], TIMEOUT)));
        while dir.describe().participants.iter().map(|it| it.waiting).sum::<u32>() < 2 {
            std::thread::yield_now();
        }
        drop(reader);
        assert_eq!(waiting.join().unwrap(), ErrorKind::BrokenPipe);
        assert_eq!(waiting_too.join().unwrap(), ErrorKind::BrokenPipe);
    });
}
