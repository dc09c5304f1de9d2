//! A process that is stopped is not taken for dead, and delays only those that need its turn.

use std::io::Read;

use super::{CAPACITY, NAME, RECORD, create, record};
use crate::children::Child;
use crate::test_dir::TestDir;
use crate::times::SLOW_CHECKS;

#[test]
fn a_writer_that_is_stopped_keeps_its_turn_and_goes_on() {
    let dir = TestDir::new();
    let pipe = create(&dir);
    let point = "pipe: bytes written, not published";
    let child = Child::start_and_stop_at(&dir, point, "pipe", "write 1");
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let late = writer.write_timeout(&[9], SLOW_CHECKS).unwrap_err();
    assert_eq!(late.peer().unwrap().pid, Some(child.id()), "{late}");
    assert_eq!(reader.try_read(&mut [0]).unwrap(), None);
    dir.assert_all_alive(NAME);
    child.resume();
    let mut bytes = [0; RECORD];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, record(1));
    assert!(!child.was_killed());
    assert_eq!(writer.try_write(&[9]).unwrap(), 1);
}

#[test]
fn a_reader_that_is_stopped_before_it_takes_bytes_delays_no_other() {
    let dir = TestDir::new();
    let pipe = create(&dir);
    let mut writer = pipe.writer().unwrap();
    assert_eq!(writer.try_write(&record(1)).unwrap(), RECORD);
    let point = "pipe: bytes read, not taken";
    let mut child = Child::start_and_stop_at(&dir, point, "pipe", "read");
    let (mut reader, mut bytes) = (pipe.reader().unwrap(), [0; RECORD]);
    assert_eq!(reader.try_read(&mut bytes).unwrap(), Some(RECORD));
    assert_eq!(bytes, record(1));
    // Over the bytes that it has copied.
    assert_eq!(writer.try_write(&vec![2; CAPACITY]).unwrap(), CAPACITY);
    let mut all = vec![0; CAPACITY];
    reader.read_exact(&mut all).unwrap();
    assert!(all.iter().all(|byte| *byte == 2));
    dir.assert_all_alive(NAME);
    child.resume();
    child.kill();
}
