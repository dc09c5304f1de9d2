//! Writers and readers are killed at random under load.

use std::io::{Read, Write};
use std::time::Duration;

use shmkit::{ErrorKind, Pipe, PipeReader};

use super::{NAME, create};
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, TEN_THOUSAND};

const CHILDREN: u64 = 3;
/// The bytes before the contents of a record: its length, and its seed.
const HEAD: usize = 16;

/// A record whose bytes all follow from its length and seed.
fn record(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    bytes.extend_from_slice(&seed.to_le_bytes());
    let mut random = Random::from_seed(seed);
    bytes.resize_with(length, || random.next() as u8);
    bytes
}

/// Writes records of up to 4 KiB without a pause.
pub(super) fn write_at_random(link: &mut Link, seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut is_reported = false;
    loop {
        // Joining and leaving are part of the load.
        let mut writer = Pipe::open(NAME).unwrap().writer().unwrap();
        for _ in 0..random.below(200) {
            let most = random.pick(&[64, 300, 4_096]);
            let length = HEAD + random.below(most - HEAD as u64 + 1) as usize;
            writer.write_all(&record(length, random.next())).unwrap();
            if !is_reported {
                is_reported = true;
                link.send("working");
            }
        }
    }
}

/// Reads a record. Counts the deaths that are told between records, and expects none in one.
fn read_record(reader: &mut PipeReader, told: &mut usize) {
    let mut head = [0; HEAD];
    let first = loop {
        match reader.read_timeout(&mut head, TIMEOUT) {
            Ok(count) if count > 0 => break count,
            // The test is a writer, too.
            Ok(count) => panic!("the end of the stream, {count}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                *told += 1;
            }
        }
    };
    // A record is there as a whole, so nothing is told before its end.
    reader.read_exact(&mut head[first..]).unwrap();
    let [length, seed] = [0, 8].map(|at| u64::from_le_bytes(*head[at..].first_chunk().unwrap()));
    assert!((HEAD as u64..=4_096).contains(&length), "torn: {length}");
    let mut bytes = head.to_vec();
    bytes.resize(length as usize, 0);
    reader.read_exact(&mut bytes[HEAD..]).unwrap();
    assert!(bytes == record(length as usize, seed), "torn: a record of {length} bytes");
}

#[test]
fn random_kills_of_writers_leave_whole_records_and_are_told_once_each() {
    kill_writers(KILLS / 4);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_of_writers_leave_whole_records_and_are_told_once_each() {
    kill_writers(TEN_THOUSAND);
}

fn kill_writers(kills: usize) {
    let mut random = Random::new();
    let dir = TestDir::new();
    let pipe = create(&dir);
    let mut reader = pipe.reader().unwrap();
    let mut keeper = pipe.writer().unwrap();
    let done = Flag::new();
    let start =
        |random: &mut Random| Child::start(&dir, "pipe", format!("load {}", random.next() >> 1));
    let (told, certain) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut told = 0;
            while !done.is_set() {
                read_record(&mut reader, &mut told);
            }
            told
        });
        let _ends = done.set_on_drop();
        let mut children: Vec<_> = (0..CHILDREN).map(|_| start(&mut random)).collect();
        let mut certain = 0;
        for _ in 0..kills {
            let index = random.below(CHILDREN) as usize;
            // One in four is killed while it starts or joins for the first time.
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start(&mut random);
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
            child.kill();
            certain += 1;
        }
        done.set();
        // If it is full, the reader does not wait.
        let _ = keeper.try_write(&record(100, 7)).unwrap();
        (reading.join().unwrap(), certain)
    });
    drop(keeper);
    let (told_later, rest) = (super::read_all(&mut reader), kills + certain);
    let told = told + told_later.1 as usize;
    // A child that was killed between two writers of its own, or before its first one, is not told.
    println!("{told} of {rest} kills were told");
    assert!(told <= rest && told > rest / 4, "{told} of {rest}");
    drop(reader);
    dir.repair();
    assert!(dir.describe(NAME).participants.is_empty());
}

/// Reads numbers without a pause, and checks that they are whole and go up.
pub(super) fn read_numbers(link: &mut Link) {
    let mut is_reported = false;
    let mut last = 0;
    loop {
        // Joining and leaving are part of the load.
        let mut reader = Pipe::open(NAME).unwrap().reader().unwrap();
        for round in 1..200 {
            let mut into = [0; 8 * 96];
            let count = reader.read(&mut into[..8 * (round % 96 + 1)]).unwrap();
            for number in into[..count].chunks_exact(8) {
                let number = u64::from_le_bytes(number.try_into().unwrap());
                assert!(number > last, "{number} after {last}");
                last = number;
            }
            if !is_reported {
                is_reported = true;
                link.send("working");
            }
        }
    }
}

#[test]
fn random_kills_of_readers_stop_no_writer_and_no_other_reader() {
    kill_readers(KILLS / 4);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_of_readers_stop_no_writer_and_no_other_reader() {
    kill_readers(TEN_THOUSAND);
}

fn kill_readers(kills: usize) {
    let mut random = Random::new();
    let dir = TestDir::new();
    let pipe = create(&dir);
    let mut writer = pipe.writer().unwrap();
    // So that the writer is never without one.
    let keeper = pipe.reader().unwrap();
    let done = Flag::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !done.is_set() {
                number += 1;
                match writer.write_timeout(&number.to_le_bytes(), Duration::from_millis(10)) {
                    Ok(count) => assert_eq!(count, 8),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                        number -= 1;
                    }
                }
            }
        });
        let _ends = done.set_on_drop();
        let start = || Child::start(&dir, "pipe", "numbers");
        let mut children: Vec<_> = (0..CHILDREN).map(|_| start()).collect();
        for _ in 0..kills {
            let index = random.below(CHILDREN) as usize;
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start();
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
            child.kill();
        }
    });
    drop((writer, keeper));
    dir.repair();
    assert!(dir.describe(NAME).participants.is_empty());
}
