//! Filling the next value in place.

use shmkit::{ErrorKind, Latest, Shareable};

use crate::{TIMEOUT, TestDir, kind};

const WORDS: usize = 1_000;
type Value = [u64; WORDS];
/// Ends the readers of a test.
const LAST: u64 = u64::MAX - 1;

/// Whether a value in a slot is half-written, as an outsider sees it.
fn half_written(dir: &TestDir) -> Option<u64> {
    let description = shmkit::inspect::describe(dir.path(), "value", Default::default()).unwrap();
    description.only_part().unwrap().state.number("half_written")
}

#[test]
fn a_loan_is_seen_by_all_readers_once_it_is_published() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        let latest = dir.options::<Value>().create("value").unwrap();
        let other = dir.options::<Value>().open_read_only("value").unwrap();
        let (mut changes, mut writer) = (latest.changes(), latest.writer().unwrap());
        for number in 1..100 {
            let mut loan = writer.loan().unwrap();
            loan.fill(number);
            assert_eq!(half_written(&dir), Some(number));
            match number {
                1 => assert_eq!(kind(latest.get()), ErrorKind::Empty),
                _ => assert_eq!(latest.get().unwrap(), [number - 1; WORDS]),
            }
            assert_eq!(changes.try_next().unwrap(), None);
            assert_eq!(loan[WORDS - 1], number);
            assert_eq!(loan.publish().unwrap(), number);
            assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), [number; WORDS]);
            assert_eq!([latest.get().unwrap(), other.get().unwrap()], [[number; WORDS]; 2]);
            assert_eq!(half_written(&dir), None);
        }
    }
}

#[test]
fn a_loan_that_is_dropped_changes_nothing() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        let latest = dir.options::<Value>().create("value").unwrap();
        let (mut changes, mut writer) = (latest.changes(), latest.writer().unwrap());
        drop(writer.loan().unwrap());
        assert_eq!((kind(latest.get()), half_written(&dir)), (ErrorKind::Empty, None));
        assert_eq!(writer.set(&[1; WORDS]).unwrap(), 1);
        for _ in 0..100 {
            writer.loan().unwrap().fill(9);
            assert_eq!((latest.get().unwrap(), latest.sequence()), ([1; WORDS], 1));
            assert_eq!(half_written(&dir), None);
        }
        assert_eq!(writer.set(&[2; WORDS]).unwrap(), 2);
        let mut loan = writer.loan().unwrap();
        loan.fill(3);
        assert_eq!(loan.publish().unwrap(), 3);
        let seen: Vec<_> = (0..3).map(|_| changes.next_timeout(TIMEOUT).unwrap()[0]).collect();
        assert_eq!((seen, changes.missed()), (vec![1, 2, 3], 0));
    }
}

#[test]
fn readers_of_this_process_get_whole_values_while_loans_are_filled() {
    let dir = TestDir::in_memory();
    let latest = dir.options::<Value>().create("value").unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&[0; WORDS]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let value = latest.get().unwrap();
                    assert!(value.iter().all(|word| *word == value[0]), "torn");
                    if value[0] == LAST {
                        return;
                    }
                }
            });
        }
        for number in (1..5_000).chain([LAST]) {
            let mut loan = writer.loan().unwrap();
            loan.iter_mut().for_each(|word| *word = number);
            if number % 3 != 0 {
                loan.publish().unwrap();
            }
        }
    });
}

#[test]
fn another_writer_waits_for_a_loan_and_gets_busy_after_a_second() {
    let dir = TestDir::new();
    let latest = dir.options::<Value>().shared_writers(true).create("value").unwrap();
    let [mut first, mut second] = [(); 2].map(|()| latest.writer().unwrap());
    let mut loan = first.loan().unwrap();
    loan.fill(1);
    let error = second.set(&[2; WORDS]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert_eq!(kind(second.loan()), ErrorKind::Busy);
    assert_eq!(loan.publish().unwrap(), 1);
    assert_eq!(second.set(&[2; WORDS]).unwrap(), 2);
    drop(first.loan().unwrap());
    assert_eq!(second.loan().unwrap().publish().unwrap(), 3, "the dropped loan is no turn");
}

#[test]
fn a_forgotten_loan_of_shared_writers_keeps_the_right_until_its_writer_ends() {
    let dir = TestDir::new();
    let latest = dir.options::<Value>().shared_writers(true).create("value").unwrap();
    let [mut first, mut second] = [(); 2].map(|()| latest.writer().unwrap());
    std::mem::forget(first.loan().unwrap());
    assert_eq!(kind(second.set(&[2; WORDS])), ErrorKind::Busy);
    drop(first);
    assert_eq!(second.set(&[2; WORDS]).unwrap(), 1);
}

#[test]
fn a_loan_of_a_removed_object_is_closed() {
    let dir = TestDir::new();
    let latest = dir.options::<Value>().create("value").unwrap();
    let mut writer = latest.writer().unwrap();
    let loan = writer.loan().unwrap();
    dir.options::<Value>().remove("value").unwrap();
    assert_eq!(kind(loan.publish()), ErrorKind::Closed);
    assert_eq!(kind(writer.loan()), ErrorKind::Closed);
}

/// A type with padding, for which some bytes are invalid.
#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Door {
    open: bool,
    stamp: u64,
    lamp: Lamp,
}

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Lamp {
    Off = 0,
    On = 1,
}

const STAMP: u64 = 0x1234_5678_9abc_def1;

#[test]
fn a_loan_begins_with_a_value_whatever_bytes_are_there() {
    let dir = TestDir::new();
    let latest = dir.options::<Door>().create("value").unwrap();
    let mut writer = latest.writer().unwrap();
    let path = dir.path().join("value.shmkit");
    for byte in [2, 0xff] {
        // Each slot once, all bytes of which another process overwrote.
        let mut file = std::fs::read(&path).unwrap();
        let payload = u64::from_le_bytes(*file[128..].first_chunk().unwrap()) as usize;
        let (latest_word, slots) = (file[payload..][..8].to_vec(), payload + 256);
        file[slots..slots + 64 * 32].fill(byte);
        file[payload..][..8].copy_from_slice(&latest_word);
        crate::overwrite(&path, &file);
        for _ in 0..64 {
            let mut loan = writer.loan().unwrap();
            assert_eq!(*loan, Door { open: false, stamp: 0, lamp: Lamp::Off });
            *loan = Door { open: true, stamp: STAMP, lamp: Lamp::On };
            loan.publish().unwrap();
            assert_eq!(latest.get().unwrap().stamp, STAMP);
        }
    }
    assert_eq!(*writer.loan().unwrap(), latest.get().unwrap(), "an older value");
}

#[test]
fn the_padding_of_a_published_loan_is_zero() {
    let dir = TestDir::new();
    let latest = dir.options::<Door>().create("value").unwrap();
    let mut writer = latest.writer().unwrap();
    let mut loan = writer.loan().unwrap();
    let place: *mut Door = &raw mut *loan;
    // SAFETY: the bytes of the loan; padding may have any content.
    unsafe { place.cast::<u8>().write_bytes(0xee, size_of::<Door>()) };
    // SAFETY: the place of a value, which is valid again after this.
    unsafe { place.write(Door { open: true, stamp: STAMP, lamp: Lamp::On }) };
    loan.publish().unwrap();
    let file = std::fs::read(dir.path().join("value.shmkit")).unwrap();
    let at = file.windows(8).position(|bytes| bytes == STAMP.to_le_bytes()).unwrap();
    assert_eq!(file[at - 8..at], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(file[at + 8..at + 16], [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_loan_on_a_disk_proves_itself_whole() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = Latest::<[u8; 13]>::options().directory(dir.path());
    let options = options.lifetime(shmkit::Lifetime::Durable).timestamps(true);
    let mut writer = options.create("value").unwrap().writer().unwrap();
    for number in 1..=70 {
        let mut loan = writer.loan().unwrap();
        loan.fill(number);
        loan.publish().unwrap();
        writer.loan().unwrap().fill(0xff);
    }
    // It uses only values whose checks are right.
    let opened = options.open("value").unwrap();
    assert_eq!((opened.get().unwrap(), opened.sequence()), ([70; 13], 70));
    assert!(opened.age().unwrap() < TIMEOUT);
    let mut changes = opened.changes_since(0);
    let last = std::iter::from_fn(|| changes.try_next().unwrap()).last();
    assert_eq!(last, Some([70; 13]));
}
