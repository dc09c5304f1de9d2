//! A peer that writes anything into an object spoils values, and nothing else.

use std::fs::File;
use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::sync::{AnyLock, Mutex, RwLock};
use shmkit::{AnyLatest, ErrorKind, Latest, Object, Shareable, inspect};

use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::system::{read_at, write_at};
use crate::test_dir::{TestDir, kind};
use crate::times::TIMEOUT;
use crate::values::Random;

const NAME: &str = "victim";
const FILE: &str = "victim.shmkit";

/// A type for which some bytes are invalid.
#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Value {
    number: u64,
    letter: char,
    alive: bool,
}

const VALUE: Value = Value { number: 7, letter: 'x', alive: true };

/// The offsets of the header's fields of eight bytes: magic, features, size; the halves of the two
/// ids; creation; fingerprint; payload; the reserved ones. See FORMAT.md.
const WIDE: [usize; 15] = [0, 16, 24, 32, 40, 48, 56, 64, 96, 128, 136, 144, 152, 160, 168];
/// The offsets of the fields of four bytes.
const NARROW: [usize; 14] = [8, 12, 72, 76, 80, 84, 88, 92, 104, 108, 112, 116, 120, 124];
const CHECKSUM: usize = 176;

const GARBAGE: [u64; 24] = [
    0,
    1,
    2,
    3,
    7,
    8,
    63,
    64,
    255,
    256,
    1_023,
    1_024,
    1_025,
    4_095,
    4_096,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff8,
    0xffff_ffff,
    1 << 46,
    1 << 62,
    u64::MAX >> 1,
    1 << 63,
    u64::MAX,
];

fn number_at(bytes: &[u8], (offset, size): (usize, usize)) -> u64 {
    let mut number = [0; 8];
    number[..size].copy_from_slice(&bytes[offset..offset + size]);
    u64::from_le_bytes(number)
}

/// The checksum of FORMAT.md: CRC-32 of the header up to the checksum, the name and the schema.
fn checksum(bytes: &[u8]) -> u32 {
    let extent = |field| number_at(bytes, (field, 4)) as usize;
    let text = |offset: usize, length: usize| {
        let end = extent(offset).saturating_add(extent(length)).min(bytes.len());
        &bytes[extent(offset).min(end)..end]
    };
    let parts = [&bytes[..CHECKSUM], text(104, 108), text(112, 116)];
    crc32(parts.into_iter().flatten())
}

/// By the definition, bit by bit.
fn crc32<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.into_iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// Does everything that can be done with an object, which may be garbage, and ignores errors.
/// Returns whether the object could be opened.
fn use_object(dir: &TestDir) -> bool {
    let options = dir.latest::<Value>();
    let opened = options.open(NAME);
    let was_opened = opened.is_ok();
    if let Ok(latest) = opened {
        let mut changes = latest.changes_since(0);
        for _ in 0..3 {
            let _ = (latest.get().is_ok(), changes.try_next().is_ok());
            let _ = latest.writer().and_then(|mut writer| writer.set(&VALUE));
            let _ = changes.next_timeout(Duration::ZERO);
        }
    }
    if let Ok(any) = AnyLatest::open(Some(dir.path()), NAME, Trust::Own) {
        let _ = (any.get(), any.set_with(|_| any.schema().zeroed()));
    }
    let _ = options.open_read_only(NAME).map(|latest| latest.get().is_ok());
    let _ = inspect::list(dir.path(), Trust::Own).unwrap();
    for finding in inspect::examine(dir.path(), Trust::Own).unwrap() {
        let _ = (finding.to_string(), finding.fix());
    }
    let _ = options.open_or_create(NAME);
    was_opened
}

#[test]
fn garbage_in_any_header_field_with_a_correct_checksum_is_an_error_or_harmless() {
    let dir = TestDir::new();
    dir.latest::<Value>().create(NAME).unwrap().writer().unwrap().set(&VALUE).unwrap();
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of this CRC");
    assert_eq!(u64::from(checksum(&whole)), number_at(&whole, (CHECKSUM, 4)));
    let (mut tried, mut opened) = (0, 0);
    for field in WIDE.map(|at| (at, 8)).into_iter().chain(NARROW.map(|at| (at, 4))) {
        let old = number_at(&whole, field);
        let near = [old.wrapping_add(1), old.wrapping_sub(1), old << 1, old + 64, old ^ (1 << 31)];
        for garbage in GARBAGE.into_iter().chain(near) {
            let mut bytes = whole.clone();
            bytes[field.0..field.0 + field.1].copy_from_slice(&garbage.to_le_bytes()[..field.1]);
            if bytes == whole {
                continue;
            }
            let checksum = checksum(&bytes);
            bytes[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();
            tried += 1;
            opened += u32::from(use_object(&dir));
        }
    }
    println!("{tried} headers were tried, {opened} could be opened");
    assert!(opened > 0 && opened < tried / 2);
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(dir.latest::<Value>().open(NAME).unwrap().get().unwrap().number, 7);
}

/// Uses each lock that can be opened in an object, which may be garbage. Returns how many there
/// are.
fn use_locks(dir: &TestDir) -> usize {
    let _ = dir.primitive::<Mutex<u32>>().open(NAME).map(|lock| lock.try_lock().is_ok());
    let _ = Object::<Locks>::options().directory(dir.path()).open(NAME);
    let options = AnyLock::options().directory(dir.path());
    let numbers = ["", "0", "1", "1.0", "1.1", "1.2", "2", "8"];
    let opened = numbers.iter().filter_map(|number| options.open_part(NAME, number).ok());
    let opened: Vec<_> = opened.collect();
    for lock in &opened {
        if let Ok(Some(mut guard)) = lock.try_exclusive() {
            let value = guard.get();
            let _ = lock.schema().map(|schema| schema.zeroed().map(|zeros| guard.set(&zeros)));
            let _ = value.map(|value| guard.set(&value));
            guard.mark_consistent();
        }
        let _ = lock.try_shared().map(|guard| guard.map(|guard| guard.get().is_ok()));
    }
    opened.len()
}

type Locks = (Mutex<u32>, [RwLock<[bool; 70]>; 2]);

#[test]
fn a_schema_that_lies_in_any_byte_ends_no_process_that_uses_its_locks() {
    let dir = TestDir::new();
    let options = Object::<Locks>::options().directory(dir.path()).max_participants(3);
    options.create(NAME, (7, [[true; 70]; 2])).unwrap();
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(use_locks(&dir), 3);
    let (start, length) = (number_at(&whole, (112, 4)), number_at(&whole, (116, 4)));
    let text = start as usize..(start + length) as usize;
    let (mut parsed, mut opened) = (0, 0);
    for at in text.clone() {
        for byte in *b"019au#@:;,({[" {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            if bytes == whole {
                continue;
            }
            let schema = std::str::from_utf8(&bytes[text.clone()]).unwrap();
            // As a peer does that wants to deceive.
            if let Ok(schema) = Schema::parse(schema) {
                parsed += 1;
                bytes[96..104].copy_from_slice(&schema.fingerprint().to_le_bytes());
            }
            let checksum = checksum(&bytes);
            bytes[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();
            opened += use_locks(&dir);
            let _ = inspect::describe(dir.path(), NAME, Trust::Own);
        }
    }
    println!("{parsed} schemas could be parsed, and {opened} locks opened");
    assert!(parsed > 0 && opened > 0 && opened < 3 * parsed);
}

#[test]
fn another_format_version_is_refused_with_both_versions() {
    let dir = TestDir::new();
    dir.latest::<u64>().create(NAME).unwrap();
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    for error in [
        dir.latest::<u64>().open(NAME).err().unwrap(),
        dir.latest::<u64>().open_or_create(NAME).err().unwrap(),
        inspect::describe(dir.path(), NAME, Trust::Own).err().unwrap(),
    ] {
        assert_eq!(error.kind(), ErrorKind::WrongVersion);
        let text = error.to_string();
        assert!(text.contains("format version 2") && text.contains("reads version 1"), "{text}");
    }
    assert_eq!(kind(dir.latest::<u64>().create(NAME)), ErrorKind::AlreadyExists);
}

/// A random word, preferably one that is valid somewhere.
fn garbage(random: &mut Random, seen: &[u64]) -> u64 {
    match random.below(6) {
        0 => random.next(),
        1 => random.below(16),
        2 => u64::MAX - random.below(16),
        3 => random.pick(seen),
        4 => random.pick(seen) ^ (1 << random.below(64)),
        _ => random.below(4) << 32 | random.below(64),
    }
}

/// Reads and writes an object that its peer overwrites, and reports how many operations succeeded and
/// failed.
pub(crate) fn victim(link: &mut Link) {
    let options = Latest::<Value>::options();
    let mut changes = options.open(NAME).unwrap().changes();
    let (mut succeeded, mut failed) = (0_u32, 0_u32);
    for round in 0..600 {
        let latest = options.open(NAME).expect("the header stays intact");
        if round % 100 == 0 {
            changes = latest.changes();
        }
        let mut count = |is_ok| *(if is_ok { &mut succeeded } else { &mut failed }) += 1;
        for _ in 0..10 {
            count(latest.get().is_ok());
            count(changes.try_next().is_ok());
        }
        count(changes.next_timeout(Duration::from_micros(100)).is_ok());
        match latest.writer() {
            Ok(mut writer) => (0..5).for_each(|_| count(writer.set(&VALUE).is_ok())),
            Err(_) => count(false),
        }
        let directory = shmkit::default_directory();
        count(inspect::describe(&directory, NAME, Trust::Own).is_ok());
        if round % 100 == 0 {
            for finding in inspect::examine(&directory, Trust::Own).unwrap() {
                let _ = finding.fix();
            }
        }
    }
    link.send(format!("{succeeded} succeeded, {failed} failed"));
}

#[test]
fn a_peer_that_overwrites_everything_behind_the_header_causes_no_panic_and_no_hang() {
    for shared_writers in [false, true] {
        let dir = TestDir::new();
        let options = dir.latest::<Value>().shared_writers(shared_writers);
        let latest = options.create(NAME).unwrap();
        latest.writer().unwrap().set(&VALUE).unwrap();
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        // From the participants on: what precedes them is checked and copied by an open.
        let first = number_at(&whole, (120, 4));
        let last = number_at(&whole, (128, 8)) + number_at(&whole, (136, 8));
        let stop = Flag::new();
        let mut random = Random::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut seen = [0; 64];
                while !stop.is_set() {
                    let any = first + random.below((last - first) / 8) * 8;
                    // Half of the time a word that every operation uses.
                    let payload = number_at(&whole, (128, 8));
                    let hot = [payload, payload + 8, payload + 128, first, first + 64];
                    let offset = if random.one_in(2) { random.pick(&hot) } else { any };
                    let mut word = [0; 8];
                    read_at(&file, &mut word, offset);
                    seen[random.below(64) as usize] = u64::from_le_bytes(word);
                    let word = garbage(&mut random, &seen);
                    write_at(&file, &word.to_le_bytes(), offset);
                }
            });
            let _set_stop = stop.set_on_drop();
            for mut child in [(); 2].map(|()| Child::start(&dir, "victim", "")) {
                println!("operations: {}", child.receive());
            }
        });
    }
}

#[test]
fn a_writer_that_a_peer_recorded_as_the_owner_does_not_wait_for_itself() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    let path = dir.path().join(FILE);
    let bytes = std::fs::read(&path).unwrap();
    let (participants, payload) = (number_at(&bytes, (120, 4)), number_at(&bytes, (128, 8)));
    let slot = dir.describe(NAME).participants[0].slot;
    let generation = number_at(&bytes, (participants as usize + 64 * slot as usize, 8)) >> 32;
    let owner = generation << 32 | u64::from(slot + 1) << 2;
    let file = File::options().write(true).open(&path).unwrap();
    write_at(&file, &owner.to_le_bytes(), payload + 128);
    let (answers, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || answers.send(kind(writer.set(&2))));
    assert_eq!(answer.recv_timeout(TIMEOUT), Ok(ErrorKind::Corrupt), "it waits for itself");
}

#[test]
fn a_corrupt_word_is_reported_to_a_waiter_once_and_by_examine() {
    let dir = TestDir::new();
    let options = dir.latest::<u64>();
    for (corrupt, why) in [
        (0_u64, "value 200 was the newest, and now value 0 is"),
        (300 << 2, "its slots do not hold value 300, which is marked as the newest"),
        (1 << 63, "its slots do not hold value 2305843009213693952"),
    ] {
        let latest = options.create("count").unwrap();
        let mut writer = latest.writer().unwrap();
        let mut follower = latest.changes();
        for number in 1..=200 {
            writer.set(&number).unwrap();
            assert_eq!(follower.next().unwrap(), number);
        }
        let mut readers = [follower, latest.changes()];
        let file = dir.path().join("count.shmkit");
        let payload = number_at(&std::fs::read(&file).unwrap(), (128, 8));
        let file = File::options().write(true).open(file).unwrap();
        write_at(&file, &corrupt.to_le_bytes(), payload);
        for reader in &mut readers {
            let error = reader.try_next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(reader.try_next().unwrap(), None, "reported again");
        }
        if corrupt != 0 {
            let found = inspect::examine(dir.path(), Trust::Own).unwrap();
            assert!(
                found[0].what().contains("its words have values that no participant writes"),
                "{}",
                found[0]
            );
            assert_eq!(*found[0].remedy(), inspect::Remedy::RemoveFile, "{}", found[0]);
        }
        if writer.set(&7).is_ok() {
            let next = readers.each_mut().map(|reader| reader.try_next().unwrap());
            assert_eq!(next, [Some(7); 2], "the next value after the garbage");
        }
        drop(writer);
        options.remove("count").unwrap();
    }
}

#[test]
fn a_count_of_deaths_that_jumps_is_reported_once() {
    let dir = TestDir::new();
    for shared in [false, true] {
        let latest = dir.latest::<u64>().shared_writers(shared).create("count").unwrap();
        let mut changes = latest.changes();
        let path = dir.path().join("count.shmkit");
        let bytes = std::fs::read(&path).unwrap();
        let (participants, payload) = (number_at(&bytes, (120, 4)), number_at(&bytes, (128, 8)));
        // The owner word, or the first slot's counts of deaths for odd and even roles.
        let (at, flipped) = match shared {
            false => (payload + 128, 1 << (13 + 14)),
            true => (participants + 40, 1 << (16 + 14) | 1 << 14),
        };
        let file = File::options().write(true).open(&path).unwrap();
        for deaths in [flipped, 0] {
            write_at(&file, &u64::to_le_bytes(deaths), at);
            assert_eq!(kind(changes.try_next()), ErrorKind::PeerDied, "shared: {shared}");
            assert_eq!(changes.try_next().unwrap(), None, "shared: {shared}");
        }
        latest.writer().unwrap().set(&7).unwrap();
        assert_eq!(changes.try_next().unwrap(), Some(7));
        dir.latest::<u64>().remove("count").unwrap();
    }
}

#[test]
fn old_values_are_not_returned_again_after_the_newest_was_set_back() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create("count").unwrap();
    let mut changes = latest.changes();
    let mut writer = latest.writer().unwrap();
    (1..=3).for_each(|number| _ = writer.set(&number).unwrap());
    (1..=3).for_each(|number| assert_eq!(changes.try_next().unwrap(), Some(number)));
    let path = dir.path().join("count.shmkit");
    let payload = number_at(&std::fs::read(&path).unwrap(), (128, 8));
    let file = File::options().write(true).open(path).unwrap();
    write_at(&file, &u64::to_le_bytes(1 << 2), payload);
    assert_eq!(kind(changes.try_next()), ErrorKind::Corrupt);
    for _ in 0..3 {
        assert_eq!(changes.try_next().unwrap(), None, "an old value");
    }
    (4..=6).for_each(|number| _ = writer.set(&number).unwrap());
    let values: Vec<_> = std::iter::from_fn(|| changes.try_next().unwrap()).collect();
    assert_eq!(values.last(), Some(&6), "{values:?}");
}
