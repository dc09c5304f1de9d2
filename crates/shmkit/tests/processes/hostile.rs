//! A peer that writes whatever it likes spoils values, and nothing else.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::{AnyLatest, ErrorKind, Latest, LatestOptions, Shareable, inspect};

use crate::children::{Child, Link};
use crate::place::{Place, kind};
use crate::system::{read_at, write_at};
use crate::values::Random;

const NAME: &str = "prey";
const FILE: &str = "prey.shmkit";
const MOMENT: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_secs(10);

/// Not every pattern of bytes is one.
#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Prey {
    number: u64,
    letter: char,
    alive: bool,
}

const PREY: Prey = Prey { number: 7, letter: 'x', alive: true };

/// Where the header's fields are, and how wide, in bytes: FORMAT.md.
const FIELDS: [(usize, usize); 26] = {
    let mut fields = [(0, 8); 26];
    // Eight bytes each: magic, features, size; the two ids by halves; creation; fingerprint;
    // payload; parameters.
    let wide = [0, 16, 24, 32, 40, 48, 56, 64, 96, 128, 136, 144, 152, 160, 168];
    let mut at = 0;
    while at < wide.len() {
        fields[at] = (wide[at], 8);
        at += 1;
    }
    // Four bytes each.
    let narrow = [8, 12, 72, 76, 80, 84, 88, 92, 104, 108, 112];
    let mut next = 0;
    while next < narrow.len() {
        fields[at + next] = (narrow[next], 4);
        next += 1;
    }
    fields
};
/// The same for where things are and how long: the ones that lead out of bounds.
const EXTENTS: [(usize, usize); 3] = [(116, 4), (120, 4), (124, 4)];
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

fn number_at(bytes: &[u8], (place, width): (usize, usize)) -> u64 {
    let mut number = [0; 8];
    number[..width].copy_from_slice(&bytes[place..place + width]);
    u64::from_le_bytes(number)
}

/// As FORMAT.md says: FNV-1a of the header up to the checksum, the name and the schema text.
fn checksum(bytes: &[u8]) -> u64 {
    let extent = |field| number_at(bytes, (field, 4)) as usize;
    let text = |offset: usize, length: usize| {
        let end = extent(offset).saturating_add(extent(length)).min(bytes.len());
        &bytes[extent(offset).min(end)..end]
    };
    let parts = [&bytes[..CHECKSUM], text(104, 108), text(112, 116)];
    parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Everything that can be done with an object that may be garbage. Errors are welcome.
fn use_it(place: &Place) -> bool {
    let options = place.of::<Prey>();
    let opened = options.open(NAME);
    let was_opened = opened.is_ok();
    if let Ok(latest) = opened {
        let mut changes = latest.changes_since(0);
        for _ in 0..3 {
            let _ = (latest.get().is_ok(), changes.try_next().is_ok());
            let _ = latest.writer().and_then(|mut writer| writer.set(&PREY));
            let _ = changes.next_timeout(Duration::ZERO);
        }
    }
    if let Ok(any) = AnyLatest::open(Some(place.path()), NAME, Trust::Own) {
        let _ = (any.get(), any.set_with(|_| any.schema().zeroed()));
    }
    let _ = options.open_read_only(NAME).map(|latest| latest.get().is_ok());
    let _ = inspect::list(place.path(), Trust::Own).unwrap();
    for finding in inspect::examine(place.path(), Trust::Own).unwrap() {
        let _ = (finding.to_string(), finding.fix());
    }
    let _ = options.open_or_create(NAME);
    was_opened
}

#[test]
fn garbage_in_any_header_field_with_a_right_checksum_is_an_error_or_harmless() {
    let place = Place::new();
    place.of::<Prey>().create(NAME).unwrap().writer().unwrap().set(&PREY).unwrap();
    let path = place.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(checksum(&whole), number_at(&whole, (CHECKSUM, 8)), "this test's idea of it");
    let (mut tried, mut opened) = (0, 0);
    for field in FIELDS.into_iter().chain(EXTENTS) {
        let was = number_at(&whole, field);
        let near = [was.wrapping_add(1), was.wrapping_sub(1), was << 1, was + 64, was ^ (1 << 31)];
        for garbage in GARBAGE.into_iter().chain(near) {
            let mut spoilt = whole.clone();
            spoilt[field.0..field.0 + field.1].copy_from_slice(&garbage.to_le_bytes()[..field.1]);
            if spoilt == whole {
                continue;
            }
            let right = checksum(&spoilt);
            spoilt[CHECKSUM..CHECKSUM + 8].copy_from_slice(&right.to_le_bytes());
            std::fs::write(&path, &spoilt).unwrap();
            tried += 1;
            opened += u32::from(use_it(&place));
        }
    }
    println!("{tried} headers, of which {opened} opened");
    assert!(opened > 0 && opened < tried / 2);
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(place.of::<Prey>().open(NAME).unwrap().get().unwrap().number, 7);
}

#[test]
fn another_format_version_is_refused_with_both() {
    let place = Place::new();
    place.of::<u64>().create(NAME).unwrap();
    let path = place.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    for error in [
        place.of::<u64>().open(NAME).err().unwrap(),
        place.of::<u64>().open_or_create(NAME).err().unwrap(),
        inspect::describe(place.path(), NAME, Trust::Own).err().unwrap(),
    ] {
        assert_eq!(error.kind(), ErrorKind::WrongVersion);
        let text = error.to_string();
        assert!(text.contains("format version 2") && text.contains("reads version 1"), "{text}");
    }
    assert_eq!(kind(place.of::<u64>().create(NAME)), ErrorKind::AlreadyExists);
}

/// Words that a scribbler prefers: those that mean something somewhere.
fn scribble(random: &mut Random, seen: &[u64]) -> u64 {
    match random.below(6) {
        0 => random.next(),
        1 => random.below(16),
        2 => u64::MAX - random.below(16),
        3 => seen[random.below(seen.len() as u64) as usize],
        4 => seen[random.below(seen.len() as u64) as usize] ^ (1 << random.below(64)),
        _ => random.below(4) << 32 | random.below(64),
    }
}

/// Reads and writes what another scribbles on, and counts what came of it.
pub(crate) fn prey(link: &mut Link) {
    let options: LatestOptions<Prey> = Latest::options();
    let mut changes = options.open(NAME).unwrap().changes();
    let (mut good, mut bad) = (0_u32, 0_u32);
    for round in 0..600 {
        let Ok(latest) = options.open(NAME) else { unreachable!("the header is left alone") };
        if round % 100 == 0 {
            changes = latest.changes();
        }
        let mut count = |went_well| *(if went_well { &mut good } else { &mut bad }) += 1;
        for _ in 0..10 {
            count(latest.get().is_ok());
            count(changes.try_next().is_ok());
        }
        count(changes.next_timeout(MOMENT / 10).is_ok());
        match latest.writer() {
            Ok(mut writer) => (0..5).for_each(|_| count(writer.set(&PREY).is_ok())),
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
    link.say(format!("{good} {bad}"));
}

#[test]
fn a_peer_that_scribbles_on_everything_that_changes_causes_no_panic_and_no_hang() {
    for shared_writers in [false, true] {
        let place = Place::new();
        let options = place.of::<Prey>().shared_writers(shared_writers);
        let latest = options.create(NAME).unwrap();
        latest.writer().unwrap().set(&PREY).unwrap();
        let path = place.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        // From the participants on: what is before them was copied and checked at opening.
        let first = number_at(&whole, (120, 4));
        let last = number_at(&whole, (128, 8)) + number_at(&whole, (136, 8));
        let over = AtomicBool::new(false);
        let mut random = Random::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut seen = [0; 64];
                // ORDERING: Relaxed; it may come late.
                while !over.load(Ordering::Relaxed) {
                    let at = first + random.below((last - first) / 8) * 8;
                    // Half of it where everybody looks.
                    let payload = number_at(&whole, (128, 8));
                    let hot = [payload, payload + 8, payload + 128, first, first + 64];
                    let at = if random.below(2) == 0 { hot[random.below(5) as usize] } else { at };
                    let mut word = [0; 8];
                    read_at(&file, &mut word, at);
                    seen[random.below(64) as usize] = u64::from_le_bytes(word);
                    let word = scribble(&mut random, &seen);
                    write_at(&file, &word.to_le_bytes(), at);
                }
            });
            let children = [0, 1].map(|_| Child::start(&place, "prey", ""));
            for mut child in children {
                println!("good and bad answers: {}", child.hear());
            }
            // ORDERING: Relaxed; as above.
            over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_writer_that_another_wrote_in_as_the_owner_does_not_wait_for_itself() {
    let place = Place::new();
    let latest = place.of::<u64>().shared_writers(true).create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    let path = place.path().join(FILE);
    let bytes = std::fs::read(&path).unwrap();
    let (participants, payload) = (number_at(&bytes, (120, 4)), number_at(&bytes, (128, 8)));
    let slot = place.describe(NAME).participants[0].slot;
    let generation = number_at(&bytes, (participants as usize + 64 * slot as usize, 8)) >> 32;
    let owner = generation << 32 | u64::from(slot + 1) << 1;
    let file = File::options().write(true).open(&path).unwrap();
    write_at(&file, &owner.to_le_bytes(), payload + 128);
    let (answers, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || answers.send(kind(writer.set(&2))));
    assert_eq!(answer.recv_timeout(SOON), Ok(ErrorKind::Corrupt), "it waits for itself");
}

#[test]
fn a_spoilt_word_is_told_to_who_waits_and_to_the_doctor() {
    let place = Place::new();
    let options = place.of::<u64>();
    for spoilt in [0_u64, 1 << 63] {
        let latest = options.create("count").unwrap();
        let mut writer = latest.writer().unwrap();
        (1..=200).for_each(|n| _ = writer.set(&n).unwrap());
        let mut changes = latest.changes();
        assert_eq!(changes.try_next().unwrap(), None);
        let file = place.path().join("count.shmkit");
        let payload = number_at(&std::fs::read(&file).unwrap(), (128, 8));
        let file = File::options().write(true).open(file).unwrap();
        write_at(&file, &spoilt.to_le_bytes(), payload);
        let error = changes.try_next().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("value 200 was there"), "{error}");
        if spoilt != 0 {
            let found = inspect::examine(place.path(), Trust::Own).unwrap();
            assert!(found[0].what().contains("words are spoilt"), "{}", found[0]);
            assert!(found[0].remedy().contains("rm --force"), "{}", found[0]);
        }
        drop(writer);
        options.remove("count").unwrap();
    }
}
