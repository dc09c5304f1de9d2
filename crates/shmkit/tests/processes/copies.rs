//! Copies of the file of a `Latest` on a disk, made while values are set, as a backup or a power
//! loss makes them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use shmkit::inspect::{self, Remedy};
use shmkit::memory::Trust;
use shmkit::{ErrorKind, Latest, Lifetime, Result};

use crate::children::{Child, Link};
use crate::test_dir::{LatestOptions, TestDir, kind, skip};
use crate::times::TIMEOUT;

const NAME: &str = "map";
/// Values of 1 MiB, all words of which are equal.
const WORDS: usize = 1 << 17;
type Value = [u64; WORDS];
const STRIDE: usize = (1 << 20) + 64;
const SLOTS: usize = 4;
const COPIES: usize = 100;

fn value(word: u64) -> Box<Value> {
    vec![word; WORDS].into_boxed_slice().try_into().unwrap()
}

/// The word of a whole value.
#[track_caller]
fn word_of(value: &Value) -> u64 {
    let torn = value.iter().position(|word| *word != value[0]);
    assert_eq!(torn, None, "a torn value: the index of the first other word");
    value[0]
}

fn options(dir: &TestDir) -> LatestOptions<Value> {
    dir.latest().lifetime(Lifetime::Durable)
}

fn get(latest: &Latest<Value>) -> Result<u64> {
    latest.get_boxed().map(|value| word_of(&value))
}

/// Sets values without a pause, and reports the first one.
pub(crate) fn writer(link: &mut Link) {
    let values: [_; 8] = std::array::from_fn(|word| value(word as u64 + 1));
    let mut writer = Latest::<Value>::open(NAME).unwrap().writer().unwrap();
    for (number, value) in values.iter().cycle().enumerate() {
        writer.set(value).unwrap();
        if number == 0 {
            link.send("ready");
        }
    }
}

/// A directory on a disk with a new object.
fn on_disk() -> Option<(TestDir, Latest<Value>)> {
    let dir = TestDir::on_disk();
    let latest = options(&dir).create(NAME).unwrap();
    let description = dir.describe(NAME);
    if description.only_part().unwrap().state.number("newest_whole").is_none() {
        skip(&format!("a file on a disk: {} is in memory", dir.path().display()));
        return None;
    }
    Some((dir, latest))
}

fn file(dir: &TestDir) -> std::path::PathBuf {
    dir.path().join(format!("{NAME}.shmkit"))
}

/// Reads a file in pieces of this size.
fn read(path: &Path, piece: usize) -> Vec<u8> {
    let (mut file, mut bytes) = (File::open(path).unwrap(), Vec::new());
    while file.by_ref().take(piece as u64).read_to_end(&mut bytes).unwrap() > 0 {}
    bytes
}

/// A directory with these bytes as the object's file.
fn copy_of(bytes: &[u8]) -> TestDir {
    let dir = TestDir::new();
    std::fs::write(file(&dir), bytes).unwrap();
    dir
}

#[test]
fn each_copy_made_while_values_are_set_has_a_whole_value() {
    let Some((dir, live)) = on_disk() else { return };
    let _writer = Child::start_ready(&dir, "writer of large values", "");
    for number in 0..COPIES {
        let bytes = read(&file(&dir), [1 << 16, 1 << 20, 1 << 30][number % 3]);
        let copy = copy_of(&bytes);
        let copied = options(&copy).open(NAME).unwrap();
        get(&copied).unwrap();
        get(&copied.clone()).unwrap();
        // A reader of the file itself is not concerned.
        get(&live).unwrap();
        get(&options(&dir).open_read_only(NAME).unwrap()).unwrap();
        let last = copied.sequence();
        assert_eq!(copied.writer().unwrap().set(&value(99)).unwrap(), last + 1);
        assert_eq!(get(&copied).unwrap(), 99);
    }
}

/// Bytes of an object, to be spoilt.
struct Image(Vec<u8>);

impl Image {
    /// Of the file in the directory, in which values were set to their number.
    fn of(dir: &TestDir) -> Self {
        Self(read(&file(dir), 1 << 30))
    }

    fn payload(&self) -> usize {
        u64::from_le_bytes(*self.0[128..].first_chunk().unwrap()) as usize
    }

    fn set_latest(&mut self, sequence: u64) {
        let at = self.payload();
        self.0[at..at + 8].copy_from_slice(&(sequence << 2).to_le_bytes());
    }

    /// Fills half of the value in a slot with other bytes, as if another value was half copied.
    fn tear(&mut self, slot: usize) {
        let at = self.payload() + 256 + slot * STRIDE + 8;
        self.0[at..at + STRIDE / 2].fill(0xee);
    }
}

/// An object on a disk in which values 1 to `count` were set.
fn with_values(count: u64) -> Option<TestDir> {
    let (dir, latest) = on_disk()?;
    let mut writer = latest.writer().unwrap();
    (1..=count).for_each(|word| _ = writer.set(&value(word)).unwrap());
    Some(dir)
}

#[test]
fn a_torn_newest_value_is_not_served_and_the_next_set_repairs_it() {
    let Some(dir) = with_values(3) else { return };
    let mut image = Image::of(&dir);
    image.tear(3);
    let copy = copy_of(&image.0);
    let latest = options(&copy).open(NAME).unwrap();
    assert_eq!((get(&latest).unwrap(), latest.sequence()), (2, 3));
    let mut into = value(0);
    latest.get_into(&mut into).unwrap();
    assert_eq!(word_of(&into), 2);

    let description = copy.describe(NAME);
    let state = &description.only_part().unwrap().state;
    assert!(description.is_sound());
    assert_eq!((state.number("sequence"), state.number("newest_whole")), (Some(3), Some(2)));
    let findings = inspect::examine(copy.path(), Trust::Own).unwrap();
    assert_eq!(findings.last().unwrap().remedy(), &Remedy::SetValue);
    assert_eq!(
        findings.last().unwrap().to_string(),
        "map: value 3 is not whole, since the file was copied while values were set, or the power \
         failed; value 2 is served, the newest whole one; set a value, which repairs it"
    );

    let (mut all, mut next) = (latest.changes_since(0), latest.changes());
    let nothing = next.next_into(&mut into, Duration::ZERO);
    assert_eq!(kind(nothing), ErrorKind::TimedOut);
    let mut received = |changes: &mut shmkit::Changes<Value>| {
        changes.next_into(&mut into, TIMEOUT).map(|()| word_of(&into))
    };
    assert_eq!([received(&mut all).unwrap(), received(&mut all).unwrap()], [1, 2]);
    assert_eq!(options(&copy).open(NAME).unwrap().writer().unwrap().set(&value(4)).unwrap(), 4);
    assert_eq!(received(&mut all).unwrap(), 4);
    assert_eq!((all.sequence(), all.missed()), (4, 1));
    assert_eq!(received(&mut next).unwrap(), 4);
    assert_eq!(get(&latest).unwrap(), 4);
    assert_eq!(get(&options(&copy).open_read_only(NAME).unwrap()).unwrap(), 4);
    let findings = inspect::examine(copy.path(), Trust::Own).unwrap();
    assert!(findings.iter().all(|it| it.remedy() != &Remedy::SetValue), "{}", findings[0]);
}

#[test]
fn a_torn_small_value_is_not_served_and_any_writer_repairs_it() {
    if on_disk().is_none() {
        return;
    }
    for shared in [false, true] {
        let (dir, copy) = (TestDir::on_disk(), TestDir::new());
        let options = |dir: &TestDir| dir.latest::<u64>().shared_writers(shared);
        let mut writer = options(&dir).create(NAME).unwrap().writer().unwrap();
        (1..=3).for_each(|value| _ = writer.set(&value).unwrap());
        drop(writer);
        let mut image = Image::of(&dir);
        let at = image.payload() + 256 + 3 * 16 + 8;
        image.0[at] ^= 1;
        std::fs::write(file(&copy), image.0).unwrap();
        let (reader, opened) =
            (options(&copy).open_read_only(NAME).unwrap(), options(&copy).open(NAME).unwrap());
        assert_eq!((reader.get().unwrap(), opened.get().unwrap()), (2, 2));
        let (mut changes, mut writer) = (reader.changes(), opened.writer().unwrap());
        assert_eq!(changes.try_next().unwrap(), None);
        assert_eq!((reader.get().unwrap(), opened.get().unwrap()), (2, 2));
        assert_eq!(writer.set(&9).unwrap(), 4);
        assert_eq!((reader.get().unwrap(), opened.get().unwrap()), (9, 9));
        assert_eq!(changes.try_next().unwrap(), Some(9));
        assert_eq!(changes.missed(), 0);
    }
}

#[test]
fn a_copy_whose_parts_are_of_different_moments_has_its_newest_whole_value() {
    let Some(dir) = with_values(6) else { return };
    // The newest number that was copied, the slots that were torn, and the value that is served.
    for (latest, torn, served) in
        [(6, &[][..], 6), (3, &[], 6), (9, &[], 6), (3, &[2], 5), (6, &[0, 1, 2, 3], 1)]
    {
        let mut image = Image::of(&dir);
        image.set_latest(latest);
        torn.iter().for_each(|slot| image.tear(*slot));
        let copy = copy_of(&image.0);
        let opened = options(&copy).open(NAME).unwrap();
        assert_eq!(get(&opened).unwrap(), served, "{latest} {torn:?}");
        let last = latest.max(6);
        assert_eq!(opened.sequence(), last);
        let mut changes = opened.changes();
        assert_eq!(opened.writer().unwrap().set(&value(70)).unwrap(), last + 1);
        assert_eq!(get(&opened).unwrap(), 70);
        let mut into = value(0);
        changes.next_into(&mut into, TIMEOUT).unwrap();
        assert_eq!((word_of(&into), changes.sequence(), changes.missed()), (70, last + 1, 0));
    }
}

#[test]
fn an_object_without_a_whole_value_says_so_until_a_value_is_set() {
    let Some(dir) = with_values(6) else { return };
    let mut image = Image::of(&dir);
    (0..SLOTS + 2).for_each(|slot| image.tear(slot));
    let copy = copy_of(&image.0);
    let latest = options(&copy).open(NAME).unwrap();
    let error = get(&latest).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("none of its values is whole"), "{error}");
    assert_eq!(
        kind(latest.changes_since(0).next_into(&mut value(0), Duration::ZERO)),
        ErrorKind::TimedOut
    );
    assert!(copy.describe(NAME).is_sound());
    let findings = inspect::examine(copy.path(), Trust::Own).unwrap();
    assert_eq!(findings.last().unwrap().remedy(), &Remedy::SetValue);
    assert_eq!(latest.writer().unwrap().set(&value(8)).unwrap(), 7);
    assert_eq!(get(&latest).unwrap(), 8);
}

#[test]
fn a_writer_that_dies_between_the_check_and_the_stamp_leaves_the_value_before() {
    for point in ["latest: slot half written", "latest: slot written, not complete"] {
        let Some((dir, latest)) = on_disk() else { return };
        latest.writer().unwrap().set(&value(50)).unwrap();
        let child = Child::start_to_die_at(&dir, point, "writer of large values", "");
        assert!(child.was_killed());
        let again = options(&dir).open(NAME).unwrap();
        assert_eq!((get(&latest).unwrap(), get(&again).unwrap()), (50, 50), "{point}");
        assert_eq!((latest.sequence(), again.sequence()), (1, 1), "{point}");
        let state = dir.describe(NAME).only_part().unwrap().state.clone();
        assert_eq!(state.number("newest_whole"), Some(1), "{point}");
        assert_eq!(again.writer().unwrap().set(&value(51)).unwrap(), 2, "{point}");
        assert_eq!((get(&latest).unwrap(), get(&again).unwrap()), (51, 51), "{point}");
    }
}
