//! Bytes: in order, whole, each once.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use super::{CAPACITY, TIMEOUT, TestDir, kind, pattern};
use shmkit::ErrorKind;

#[test]
fn bytes_come_out_in_order_whatever_the_sizes_of_writes_and_reads() {
    let dir = TestDir::new();
    let pipe = dir.options().capacity(4_096).create("log").unwrap();
    let all = pattern(3_000_000);
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rest = &all[..];
            for size in [1, 7, 8, 64, 100, 4_096, 10_000].into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let now;
                (now, rest) = rest.split_at(size.min(rest.len()));
                writer.write_all(now).unwrap();
            }
            drop(writer);
        });
        let mut read = Vec::new();
        for size in [3, 8, 4_096, 65, 1].into_iter().cycle() {
            let mut into = vec![0; size];
            match reader.read(&mut into).unwrap() {
                0 => break,
                count => read.extend_from_slice(&into[..count]),
            }
        }
        assert!(read == all, "{} of {} bytes", read.len(), all.len());
    });
}

#[test]
fn a_write_of_up_to_4_kib_waits_until_it_fits_in_as_a_whole() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let left = 4_095;
    assert_eq!(writer.try_write(&vec![1; CAPACITY - left]).unwrap(), CAPACITY - left);
    assert_eq!(writer.try_write(&[2; 4_096]).unwrap(), 0);
    let late = writer.write_timeout(&[2; 4_096], std::time::Duration::ZERO);
    assert_eq!(kind(late), ErrorKind::TimedOut);
    assert_eq!(pipe.unread().unwrap(), CAPACITY - left);
    assert_eq!(reader.try_read(&mut [0]).unwrap(), Some(1));
    assert_eq!(writer.try_write(&[2; 4_096]).unwrap(), 4_096);
    assert_eq!(writer.try_write(&[2]).unwrap(), 0, "it is full");
}

#[test]
fn a_longer_write_enters_as_far_as_there_is_room() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let mut writer = pipe.writer().unwrap();
    let long = pattern(CAPACITY + 10_000);
    assert_eq!(writer.try_write(&long).unwrap(), CAPACITY);
    let rest = std::time::Duration::from_millis(1);
    assert_eq!(kind(writer.write_timeout(&long[CAPACITY..], rest)), ErrorKind::TimedOut);
    let (mut reader, mut into) = (pipe.reader().unwrap(), vec![0; CAPACITY]);
    reader.read_exact(&mut into).unwrap();
    assert!(into == long[..CAPACITY]);
}

#[test]
fn nothing_is_written_and_nothing_read_with_an_empty_buffer() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    assert_eq!(writer.write(&[]).unwrap(), 0);
    assert_eq!(reader.read(&mut []).unwrap(), 0);
    writer.flush().unwrap();
    assert_eq!(reader.try_read(&mut [0]).unwrap(), None);
}

/// Writers put records of different lengths, which readers of the whole stream take apart.
#[test]
fn writes_of_several_writers_are_not_torn_apart() {
    const WRITERS: u8 = 3;
    const RECORDS: u64 = 3_000;
    let dir = TestDir::new();
    let pipe = dir.options().capacity(8_192).create("log").unwrap();
    let mut reader = pipe.reader().unwrap();
    std::thread::scope(|scope| {
        for writer_number in 0..WRITERS {
            let mut writer = pipe.writer().unwrap();
            scope.spawn(move || {
                for record in 0..RECORDS {
                    // Now and then longer than the pipe.
                    let most = if record % 100 == 99 { 20_000 } else { 4_096 };
                    let length = (record * 7_919 + u64::from(writer_number)) % (most - 16) + 16;
                    let mut bytes = vec![writer_number; length as usize];
                    bytes[1..9].copy_from_slice(&length.to_le_bytes());
                    writer.write_all(&bytes).unwrap();
                }
            });
        }
        let mut found = BTreeMap::new();
        let mut head = [0; 9];
        while reader.read_exact(&mut head).is_ok() {
            let length = u64::from_le_bytes(head[1..].try_into().unwrap());
            let mut rest = vec![0; length as usize - head.len()];
            reader.read_exact(&mut rest).unwrap();
            assert!(rest.iter().all(|byte| *byte == head[0]), "torn by another writer");
            *found.entry(head[0]).or_insert(0) += 1;
        }
        assert_eq!(found, (0..WRITERS).map(|number| (number, RECORDS)).collect());
    });
}

#[test]
fn each_byte_goes_to_one_of_several_readers() {
    const NUMBERS: u64 = 200_000;
    let dir = TestDir::new();
    let pipe = dir.options().capacity(4_096).create("log").unwrap();
    let mut writer = pipe.writer().unwrap();
    std::thread::scope(|scope| {
        let readers = [(); 3].map(|()| {
            let mut reader = pipe.reader().unwrap();
            scope.spawn(move || {
                let (mut into, mut found) = ([0; 64], Vec::new());
                loop {
                    // All writes and reads are of whole numbers.
                    let count = reader.read_timeout(&mut into, TIMEOUT).unwrap();
                    if count == 0 {
                        return found;
                    }
                    let numbers = into[..count].chunks_exact(8);
                    found.extend(numbers.map(|it| u64::from_le_bytes(it.try_into().unwrap())));
                }
            })
        });
        for number in 0..NUMBERS {
            writer.write_all(&number.to_le_bytes()).unwrap();
        }
        drop(writer);
        let mut all = Vec::new();
        for found in readers.map(|reader| reader.join().unwrap()) {
            assert!(found.is_sorted(), "a reader gets bytes in order");
            all.extend(found);
        }
        all.sort_unstable();
        assert!(all == (0..NUMBERS).collect::<Vec<_>>());
    });
}

#[test]
fn a_writer_waits_while_another_one_has_the_turn() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let [mut first, mut second] = [(); 2].map(|()| pipe.writer().unwrap());
    let mut reader = pipe.reader().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || first.write_all(&vec![1; 2 * CAPACITY]).unwrap());
        while pipe.unread().unwrap() < CAPACITY {
            std::thread::yield_now();
        }
        // The first one keeps its turn until all of its bytes are in.
        assert_eq!(second.try_write(&[2]).unwrap(), 0);
        let late = second.write_timeout(&[2], std::time::Duration::from_millis(1)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(late.to_string().contains("held it until the timeout"), "{late}");
        let second = scope.spawn(move || second.write_all(&[2]).unwrap());
        let mut all = vec![0; 2 * CAPACITY + 1];
        reader.read_exact(&mut all).unwrap();
        assert!(all[..2 * CAPACITY].iter().all(|byte| *byte == 1) && all[2 * CAPACITY] == 2);
        second.join().unwrap();
    });
}
