//! First values, times of values, and whether there is a writer.

use std::borrow::Borrow;
use std::cell::Cell;
use std::time::{Duration, SystemTime};

use shmkit::{ErrorKind, Latest, Lifetime, Options};

use crate::{POSE, Pose, TIMEOUT, TestDir, kind, overwrite};

#[test]
fn an_object_can_begin_with_a_value() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        for (name, timestamps) in [("plain", false), ("timed", true)] {
            let options = dir.options::<Pose>().timestamps(timestamps);
            let pose = options.create_with(name, POSE).unwrap();
            let other =
                options.open_or_create_with(name, Box::new(Pose { x: 9.0, ..POSE })).unwrap();
            assert_eq!((pose.get().unwrap(), other.get().unwrap()), (POSE, POSE));
            assert_eq!(pose.sequence(), 1);
            assert_eq!(pose.changes().try_next().unwrap(), None);
            assert_eq!(pose.changes_since(0).try_next().unwrap(), Some(POSE));
            let mut writer = other.writer().unwrap();
            assert_eq!(writer.set(&Pose { x: 3.0, ..POSE }).unwrap(), 2);
            assert_eq!(pose.get().unwrap().x, 3.0);
            assert_eq!(kind(options.create_with(name, POSE)), ErrorKind::AlreadyExists);
            let described =
                shmkit::inspect::describe(dir.path(), name, Default::default()).unwrap();
            assert!(described.is_sound(), "{described:?}");
        }
        let new = dir.options::<u64>().open_or_create_with("new", 7).unwrap();
        assert_eq!(new.get().unwrap(), 7);
    }
}

/// A first value that counts how many times it is looked at.
struct Counted<'a>(&'a Cell<u32>);

impl Borrow<Pose> for Counted<'_> {
    fn borrow(&self) -> &Pose {
        self.0.set(self.0.get() + 1);
        &POSE
    }
}

#[test]
fn a_first_value_is_encoded_only_for_a_new_object() {
    let (dir, looks) = (TestDir::new(), Cell::new(0));
    let options = dir.options::<Pose>();
    let _pose = options.open_or_create_with("pose", Counted(&looks)).unwrap();
    assert_eq!(looks.replace(0), 1);
    options.open_or_create_with("pose", Counted(&looks)).unwrap();
    assert_eq!(looks.get(), 0);
}

#[test]
fn a_first_value_on_a_disk_proves_itself() {
    for timestamps in [false, true] {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = Latest::<Pose>::options().directory(dir.path());
        let options = options.lifetime(Lifetime::Durable).timestamps(timestamps);
        let pose = options.create_with("pose", POSE).unwrap();
        assert_eq!((pose.get().unwrap(), pose.sequence()), (POSE, 1));
        if timestamps {
            assert!(pose.age().unwrap() < TIMEOUT);
        }
        assert_eq!(pose.writer().unwrap().set(&Pose { x: 3.0, ..POSE }).unwrap(), 2);
        assert_eq!(options.open("pose").unwrap().get().unwrap().x, 3.0);
    }
}

#[test]
fn the_age_of_a_value_is_that_of_its_set() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        let level = dir.options::<u64>().timestamps(true).create("level").unwrap();
        let reader = dir.options::<u64>().open_read_only("level").unwrap();
        assert_eq!(kind(reader.age()), ErrorKind::Empty);
        let mut writer = level.writer().unwrap();
        for number in 0..200 {
            let (before, date) = (std::time::Instant::now(), SystemTime::now());
            writer.set(&number).unwrap();
            let age = reader.age().unwrap();
            assert!(age <= before.elapsed(), "{age:?}: it was set after that");
            // A wall clock is set now and then, and the two clocks are not read at one moment.
            let off = reader.changed_at().unwrap().duration_since(date).unwrap_or_default();
            assert!(off < TIMEOUT, "{off:?}");
            assert!(reader.age().unwrap() >= age, "time goes on");
            assert_eq!(reader.get_fresh(TIMEOUT).unwrap(), number);
        }
        let error = reader.get_fresh(Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("old, and at most 0ns were allowed"), "{error}");
        dir.options::<u64>().remove("level").unwrap();
        assert_eq!(kind(reader.age()), ErrorKind::Closed);
    }
}

#[test]
fn a_value_that_is_being_written_does_not_make_the_one_before_it_younger() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        let level = dir.options::<u64>().timestamps(true).create_with("level", 1).unwrap();
        let mut writer = level.writer().unwrap();
        let before = level.age().unwrap();
        let start = std::time::Instant::now();
        let mut loan = writer.loan().unwrap();
        *loan = 2;
        while start.elapsed() < Duration::from_millis(2) {}
        assert!(level.age().unwrap() >= before + Duration::from_millis(2));
        drop(loan);
        assert!(level.age().unwrap() >= before + Duration::from_millis(2));
        let mut loan = writer.loan().unwrap();
        *loan = 3;
        let published = std::time::Instant::now();
        loan.publish().unwrap();
        assert!(
            level.age().unwrap() <= published.elapsed(),
            "the moment of the publication counts"
        );
    }
}

#[test]
fn without_timestamps_there_is_no_age() {
    let dir = TestDir::new();
    let level = dir.options::<u64>().create_with("level", 1).unwrap();
    let error = level.age().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("create it with `timestamps(true)`"), "{error}");
    assert_eq!(kind(level.get_fresh(TIMEOUT)), ErrorKind::Unsupported);
    assert_eq!(kind(level.changed_at()), ErrorKind::Unsupported);
    let empty = dir.options::<u64>().create("empty").unwrap();
    assert_eq!(kind(empty.age()), ErrorKind::Unsupported, "also before there is a value");
    assert_eq!(kind(empty.get_fresh(TIMEOUT)), ErrorKind::Unsupported);
}

#[test]
fn options_that_differ_from_the_object_are_refused_one_by_one() {
    let dir = TestDir::new();
    let options = |shared: Option<bool>, times: Option<bool>| -> Options<Latest<u64>> {
        let mut options = dir.options();
        if let Some(shared) = shared {
            options = options.shared_writers(shared);
        }
        if let Some(times) = times {
            options = options.timestamps(times);
        }
        options
    };
    let choices = [None, Some(false), Some(true)];
    let all = || choices.into_iter().flat_map(|shared| choices.map(|times| (shared, times)));
    for (number, (shared, times)) in all().enumerate() {
        let name = format!("{number}");
        let made = options(shared, times).create(&name).unwrap();
        made.writer().unwrap().set(&1).unwrap();
        assert_eq!(made.age().is_ok(), times == Some(true));
        for (other_shared, other_times) in all() {
            let fits = |asked: Option<bool>, made: Option<bool>| {
                asked.is_none_or(|asked| asked == made.unwrap_or(false))
            };
            let opened = options(other_shared, other_times).open(&name);
            match (fits(other_shared, shared), fits(other_times, times)) {
                (true, true) => assert_eq!(opened.unwrap().get().unwrap(), 1),
                (is_shared, _) => {
                    let error = opened.unwrap_err().to_string();
                    let what = if is_shared { "timestamps is" } else { "shared writers is" };
                    assert!(error.contains(what), "{error}");
                }
            }
        }
    }
}

/// Where the time of value 1 is in the file of a `Latest<u64>` with times.
fn place_of_first_time(file: &[u8]) -> usize {
    const FLAGS: usize = 88;
    const IS_ON_DISK: u8 = 1 << 1;
    let payload = u64::from_le_bytes(*file[128..].first_chunk().unwrap()) as usize;
    let place = match file[FLAGS + 2] & IS_ON_DISK {
        0 => payload + 256 + 64 * 16 + 8,
        // Behind two more slots and the checks of all slots.
        _ => payload + 256 + (66_usize * 16).next_multiple_of(128) + 5 * 128 + 8,
    };
    assert_ne!(file[place..place + 8], [0; 8], "the time of value 1");
    place
}

#[test]
fn any_time_that_another_process_stores_gives_an_age_or_an_error() {
    let on_disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let in_memory = TestDir::in_memory();
    for directory in [in_memory.path(), on_disk.path()] {
        let options = Latest::<u64>::options().directory(directory).timestamps(true);
        let options = options.lifetime(Lifetime::Durable);
        let level = options.create_with("level", 7).unwrap();
        let path = directory.join("level.shmkit");
        let mut file = std::fs::read(&path).unwrap();
        let place = place_of_first_time(&file);
        let now = u64::from_le_bytes(*file[place..].first_chunk().unwrap());
        let ages = |level: &Latest<u64>| {
            [
                level.age().map(|_| ()),
                level.changed_at().map(|_| ()),
                level.get_fresh(Duration::MAX).map(|_| ()),
                level.get_fresh(Duration::ZERO).map(|_| ()),
            ]
        };
        // From here on this handle trusts the stamps.
        assert_eq!(level.get().unwrap(), 7);
        let hour_ns = 3_600_000_000_000;
        for time in [0, 1, now - 1, now + hour_ns, u64::MAX / 2, 1 << 63, u64::MAX] {
            file[place..place + 8].copy_from_slice(&time.to_le_bytes());
            overwrite(&path, &file);
            let expected = if time < now {
                [None, None, None, Some(ErrorKind::TimedOut)]
            } else {
                [Some(ErrorKind::Corrupt); 4]
            };
            let found = ages(&level).map(|answer| answer.err().map(|error| error.kind()));
            assert_eq!(found, expected, "{time} at {directory:?}");
            if let Err(error) = level.age() {
                assert!(error.to_string().contains("after the present time"), "{error}");
            }
            // On a disk this handle has the value prove itself, and its check is of its time, too.
            for answer in ages(&options.open("level").unwrap()) {
                let kind = answer.err().map(|error| error.kind());
                assert!(
                    matches!(kind, None | Some(ErrorKind::Corrupt | ErrorKind::TimedOut)),
                    "{time}: {kind:?}"
                );
            }
            assert_eq!(level.get().unwrap(), 7);
        }
        level.writer().unwrap().set(&8).unwrap();
        assert_eq!(level.get_fresh(TIMEOUT).unwrap(), 8);
        assert_eq!(options.open("level").unwrap().get_fresh(TIMEOUT).unwrap(), 8);
    }
}

#[test]
fn a_writer_is_known_to_others_as_long_as_it_lives() {
    let dir = TestDir::new();
    for shared in [false, true] {
        let name = format!("{shared}");
        let count = dir.options::<u64>().shared_writers(shared).create(&name).unwrap();
        let reader = dir.options::<u64>().open_read_only(&name).unwrap();
        let all = [&count, &reader];
        let found = || all.map(|latest| latest.has_writer().unwrap());
        assert_eq!(found(), [false; 2]);
        let writer = count.writer().unwrap();
        assert_eq!(found(), [true; 2]);
        let waits = kind(reader.writer());
        assert_eq!(waits, ErrorKind::PermissionDenied);
        drop(writer);
        assert_eq!(found(), [false; 2]);
        dir.options::<u64>().remove(&name).unwrap();
        assert_eq!(kind(reader.has_writer()), ErrorKind::Closed);
    }
}
