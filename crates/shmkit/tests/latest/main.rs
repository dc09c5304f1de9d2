//! What `Latest` promises within one process. Between processes: `tests/processes`.

mod ages;
mod loans;
mod parts;
#[path = "../skipping/mod.rs"]
mod skipping;

use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{ErrorKind, FixedString, Latest, Lifetime, Options, Shareable, inspect};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    x: f64,
    heading: f32,
    parked: bool,
}

const POSE: Pose = Pose { stamp_ns: 1, x: 2.5, heading: -0.5, parked: true };

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// In memory, where values do not prove themselves, while the others are on a disk mostly.
    fn in_memory() -> Self {
        match cfg!(target_os = "linux") {
            true => Self(tempfile::tempdir_in("/dev/shm").unwrap()),
            false => Self::new(),
        }
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    fn options<T: Shareable>(&self) -> Options<Latest<T>> {
        Latest::<T>::options().directory(self.path())
    }
}

fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

#[test]
fn another_handle_gets_the_latest_value_whole() {
    let dir = TestDir::new();
    let pose = dir.options::<Pose>().open_or_create("robot/pose").unwrap();
    let other = dir.options::<Pose>().open("robot/pose").unwrap();
    let again = dir.options::<Pose>().open_or_create("robot/pose").unwrap();
    let created = [&pose, &pose.clone(), &other, &again].map(Latest::was_created);
    assert_eq!(created, [true, true, false, false]);
    assert_eq!(kind(other.get()), ErrorKind::Empty);
    let mut writer = pose.writer().unwrap();
    for n in 1..200 {
        let value = Pose { stamp_ns: n, ..POSE };
        assert_eq!(writer.set(&value).unwrap(), n);
        assert_eq!(other.get().unwrap(), value);
        assert_eq!(other.sequence(), n);
    }
    let mut value = POSE;
    other.get_into(&mut value).unwrap();
    assert_eq!(value.stamp_ns, 199);
    assert_eq!(other.get_boxed().unwrap().stamp_ns, 199);
}

#[test]
fn a_second_writer_is_refused_with_process_and_slot_until_the_first_leaves() {
    let dir = TestDir::new();
    let first = dir.options::<u64>().create("count").unwrap();
    let second = dir.options::<u64>().open("count").unwrap();
    let writer = first.writer().unwrap();
    let error = second.writer().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::RoleTaken);
    let this_process = format!("process {} (", std::process::id());
    assert!(error.to_string().contains(&this_process), "{error}");
    assert!(error.to_string().contains("slot 0 is its only writer"), "{error}");
    drop(writer);
    second.writer().unwrap().set(&7).unwrap();
    assert_eq!(first.get().unwrap(), 7);
}

#[test]
fn a_writer_that_comes_while_another_leaves_is_refused_only_by_a_holder() {
    let dir = TestDir::new();
    let options = dir.options::<u64>();
    options.create("load").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let latest = options.open("load").unwrap();
                for _ in 0..20_000 {
                    if let Err(error) = latest.writer() {
                        assert_eq!(error.kind(), ErrorKind::RoleTaken, "{error}");
                    }
                }
            });
        }
    });
}

#[test]
fn shared_writers_take_turns() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().shared_writers(true).create("count").unwrap();
    let rounds = 2_000;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut writer = count.writer().unwrap();
                for value in 0..rounds {
                    writer.set(&value).unwrap();
                }
            });
        }
    });
    assert_eq!(count.sequence(), 3 * rounds, "each set counts");
    let sole = dir.options::<u64>().shared_writers(false).open("count");
    assert_eq!(kind(sole), ErrorKind::WrongOptions);
}

#[test]
fn changes_returns_each_value_once_in_order_and_counts_missed_ones() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().create("count").unwrap();
    let mut writer = count.writer().unwrap();
    let mut changes = count.changes();
    assert_eq!(changes.try_next().unwrap(), None);
    assert_eq!(kind(changes.next_timeout(Duration::from_millis(1))), ErrorKind::TimedOut);
    assert_eq!(kind(changes.next_until(Instant::now())), ErrorKind::TimedOut);
    for value in 10..20 {
        writer.set(&value).unwrap();
    }
    let seen: Vec<u64> = (10..20).map(|_| changes.next().unwrap()).collect();
    assert_eq!(seen, (10..20).collect::<Vec<_>>());
    assert_eq!((changes.missed(), changes.sequence()), (0, 10));

    for value in 0..1_000 {
        writer.set(&value).unwrap();
    }
    let first = changes.next().unwrap();
    assert!(first > 900, "recent values are kept: {first}");
    assert_eq!(changes.missed(), first, "the values from 0 on were overwritten");
    let rest = std::iter::from_fn(|| changes.try_next().unwrap());
    assert_eq!(rest.last(), Some(999));
    assert_eq!(count.changes_since(1_009).next().unwrap(), 999);
}

#[test]
fn a_sleeping_reader_is_woken_by_each_set() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().create("count").unwrap();
    let mut ready = dir.options::<u64>().create("ready").unwrap().changes();
    let answers = dir.options::<u64>().open("ready").unwrap();
    std::thread::scope(|scope| {
        let mut changes = count.changes().spin_for(Duration::ZERO);
        scope.spawn(move || {
            let mut answer = answers.writer().unwrap();
            for expected in 1..=500 {
                assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), expected);
                answer.set(&expected).unwrap();
            }
        });
        let mut writer = count.writer().unwrap();
        for value in 1..=500 {
            writer.set(&value).unwrap();
            assert_eq!(ready.next_timeout(TIMEOUT).unwrap(), value);
        }
    });
}

#[test]
fn removal_is_reported_to_reader_writer_and_waiter() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().create("count").unwrap();
    let mut writer = count.writer().unwrap();
    writer.set(&1).unwrap();
    let mut changes = count.changes();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || kind(changes.next_timeout(TIMEOUT)));
        dir.options::<u64>().remove("count").unwrap();
        assert_eq!(waiter.join().unwrap(), ErrorKind::Closed);
    });
    assert_eq!(kind(writer.set(&2)), ErrorKind::Closed);
    assert_eq!(kind(count.get()), ErrorKind::Closed);
    assert_eq!(kind(count.writer()), ErrorKind::Closed);
    assert_eq!(kind(dir.options::<u64>().remove("count")), ErrorKind::NotFound);
    let items: Vec<_> = count.changes().iter().map(kind).collect();
    assert_eq!(items, [ErrorKind::Closed], "it is told once, and ends the iteration");
}

#[test]
fn another_type_is_refused_with_the_first_field_that_differs() {
    #[derive(Shareable)]
    #[repr(C)]
    struct Renamed {
        stamp_ns: u64,
        x: f64,
        direction: f32,
        parked: bool,
    }
    #[derive(Shareable)]
    #[repr(C)]
    struct Twin {
        stamp_ns: u64,
        x: f64,
        heading: f32,
        parked: bool,
    }
    let dir = TestDir::new();
    let _pose = dir.options::<Pose>().create("pose").unwrap();
    let error = dir.options::<Renamed>().open("pose").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let message = error.to_string();
    assert!(message.starts_with(r#"cannot open "pose": "#), "{message}");
    assert!(message.contains("direction") && message.contains("heading"), "{message}");
    assert_eq!(kind(dir.options::<Renamed>().open_or_create("pose")), ErrorKind::WrongType);
    dir.options::<Twin>().open("pose").unwrap();
}

#[test]
fn a_value_larger_than_the_stack_is_never_on_it() {
    const MIB: usize = 1 << 20;
    #[derive(Shareable)]
    #[repr(C)]
    struct Frame {
        stamp_ns: u64,
        pixels: [u8; 8 * MIB],
    }
    let dir = TestDir::new();
    let frames = dir.options::<Frame>().create("camera").unwrap();
    let mut writer = frames.writer().unwrap();
    // SAFETY: zeros are a valid value of every field.
    let mut frame = unsafe { Box::<Frame>::new_zeroed().assume_init() };
    frame.stamp_ns = 9;
    frame.pixels[8 * MIB - 1] = 3;
    writer.set(&frame).unwrap();
    let value = frames.get_boxed().unwrap();
    assert_eq!((value.stamp_ns, value.pixels[8 * MIB - 1]), (9, 3));
    let mut changes = frames.changes();
    frame.stamp_ns = 10;
    writer.set(&frame).unwrap();
    changes.next_into(&mut frame, TIMEOUT).unwrap();
    assert_eq!(frame.stamp_ns, 10);
}

#[test]
fn invalid_bytes_are_corrupt_and_padding_is_zero() {
    let dir = TestDir::new();
    let pose = dir.options::<Pose>().create("pose").unwrap();
    pose.writer().unwrap().set(&POSE).unwrap();
    let path = dir.path().join("pose.shmkit");
    let mut file = std::fs::read(&path).unwrap();
    let encoded: Vec<u8> = [1_u64.to_le_bytes(), 2.5_f64.to_le_bytes()].concat();
    let at = file.windows(16).position(|bytes| bytes == encoded).expect("the value in its slot");
    assert_eq!(file[at + 20..at + 24], [1, 0, 0, 0], "the flag and the padding");
    file[at + 20] = 7;
    overwrite(&path, &file);
    assert_eq!(kind(pose.get()), ErrorKind::Corrupt);
    let mut value = POSE;
    assert_eq!(kind(pose.get_into(&mut value)), ErrorKind::Corrupt);
    assert_eq!(value, POSE, "a refused value changes nothing");
}

fn overwrite(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write;
    std::fs::File::options().write(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_while_used_object_is_removed_with_its_last_handle() {
    let dir = TestDir::new();
    let open =
        || dir.options::<u64>().lifetime(Lifetime::WhileUsed).open_or_create("count").unwrap();
    let first = open();
    first.writer().unwrap().set(&1).unwrap();
    let second = open();
    drop(first);
    assert_eq!(second.get().unwrap(), 1);
    drop(second);
    assert_eq!(kind(open().get()), ErrorKind::Empty, "a new object");
}

#[test]
fn a_read_only_handle_gets_and_waits_and_cannot_write() {
    let dir = TestDir::new();
    let text = dir.options::<FixedString<16>>().read_only_peers(true).create("text").unwrap();
    let reader = dir.options::<FixedString<16>>().open_read_only("text").unwrap();
    assert_eq!(kind(reader.writer()), ErrorKind::PermissionDenied);
    std::thread::scope(|scope| {
        let mut changes = reader.changes();
        let seen = scope.spawn(move || changes.next_timeout(TIMEOUT).unwrap());
        text.writer().unwrap().set(&"hello".parse().unwrap()).unwrap();
        assert_eq!(seen.join().unwrap().as_str(), "hello");
    });
    assert_eq!(reader.get().unwrap().as_str(), "hello");
}

#[test]
fn a_handle_does_not_reuse_the_slot_of_its_own_writer() {
    let dir = TestDir::new();
    let sole = dir.options::<u64>().max_writers(1).create("sole").unwrap();
    let mut writer = sole.writer().unwrap();
    assert_eq!(kind(sole.writer()), ErrorKind::Full);
    assert_eq!(writer.set(&1).unwrap(), 1);

    let shared = dir.options::<u64>().shared_writers(true).max_writers(2).create("shared").unwrap();
    let mut changes = shared.changes();
    let mut writers = [shared.writer().unwrap(), shared.writer().unwrap()];
    assert_eq!(kind(shared.writer()), ErrorKind::Full);
    for (writer, value) in writers.iter_mut().zip([7, 8]) {
        writer.set(&value).unwrap();
        assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), value);
    }
    assert_eq!(kind(changes.next_timeout(Duration::from_millis(120))), ErrorKind::TimedOut);
}

#[test]
fn changes_since_a_future_sequence_number_waits() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().create("count").unwrap();
    count.writer().unwrap().set(&1).unwrap();
    for beyond in [2, 1 << 60, 1 << 61, 1 << 62, u64::MAX] {
        assert_eq!(count.changes_since(beyond).try_next().unwrap(), None, "{beyond}");
    }
}

#[test]
fn a_read_only_open_removes_an_abandoned_object() {
    let dir = TestDir::new();
    let options = dir.options::<u64>().lifetime(Lifetime::WhileUsed);
    drop(options.create("count").unwrap());
    let path = dir.path().join("count.shmkit");
    assert!(!path.exists());
    let object = options.create("count").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    drop(object);
    // The state that the death of the last user leaves.
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(kind(dir.options::<u64>().open_read_only("count")), ErrorKind::NotFound);
    assert!(!path.exists(), "the open has removed it");
}

#[test]
fn a_small_value_with_a_writer_and_a_reader_is_one_file_of_at_most_12_kib() {
    let dir = TestDir::new();
    let latest = dir.options::<[u64; 8]>().create("value").unwrap();
    let _writer = latest.writer().unwrap();
    let _reader = dir.options::<[u64; 8]>().open("value").unwrap();
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].metadata().unwrap().len() <= 12 * 1024);
}

#[test]
fn an_object_is_removed_only_if_no_handle_has_it_open() {
    for dir in [TestDir::new(), TestDir::in_memory()] {
        let level = dir.options::<u64>().create("level").unwrap();
        let remove = || inspect::remove_unless_used(dir.path(), "level", Trust::Own);
        assert!(!remove().unwrap());
        let other = dir.options::<u64>().open("level").unwrap();
        level.writer().unwrap().set(&1).unwrap();
        drop(level);
        assert!(!remove().unwrap());
        assert_eq!(other.get().unwrap(), 1);
        drop(other);
        assert!(remove().unwrap());
        assert_eq!(kind(remove()), ErrorKind::NotFound);
    }
}

#[test]
fn an_update_is_one_step_and_needs_a_value() {
    let dir = TestDir::new();
    let pose = dir.options::<Pose>().shared_writers(true).create("pose").unwrap();
    let mut writer = pose.writer().unwrap();
    assert_eq!(kind(writer.update(|_| unreachable!())), ErrorKind::Empty);
    assert_eq!(writer.update_or(POSE, |pose| pose.x = 3.0).unwrap(), 1);
    assert_eq!(writer.update_or(POSE, |pose| pose.heading = 4.0).unwrap(), 2);
    let expected = Pose { x: 3.0, heading: 4.0, ..POSE };
    assert_eq!(pose.get().unwrap(), expected);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.update(|pose| {
            pose.x = 5.0;
            panic!("half-way");
        })
    }));
    panicked.unwrap_err();
    assert_eq!(pose.get().unwrap(), expected, "nothing changed");
    let mut other = pose.writer().unwrap();
    std::thread::scope(|scope| {
        writer
            .update(|now| {
                scope.spawn(|| other.update(|pose| pose.heading = 6.0).unwrap());
                let waits = || {
                    let found = shmkit::inspect::describe(dir.path(), "pose", Default::default());
                    found.unwrap().participants.iter().any(|it| it.waiting > 0)
                };
                let start = std::time::Instant::now();
                while !waits() {
                    assert!(start.elapsed() < TIMEOUT, "the other writer does not wait");
                    std::thread::yield_now();
                }
                now.x = 5.0;
            })
            .unwrap();
    });
    assert_eq!(pose.get().unwrap(), Pose { x: 5.0, heading: 6.0, ..POSE });
}

#[test]
fn a_writer_can_wait_for_a_slot_and_for_the_role() {
    let dir = TestDir::new();
    let count = dir.options::<u64>().create("count").unwrap();
    let writer = count.writer().unwrap();
    let short = Duration::from_millis(1);
    let error = count.writer_timeout(short).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("was its only writer until the timeout"), "{error}");
    drop(writer);
    count.writer_timeout(short).unwrap();
    let options = dir.options::<u64>().shared_writers(true).max_writers(1);
    let shared = options.create("shared").unwrap();
    let writer = shared.writer().unwrap();
    assert_eq!(kind(shared.writer_timeout(short)), ErrorKind::Full);
    drop(writer);
    shared.writer_timeout(short).unwrap();
}

#[test]
fn an_object_can_be_read_and_set_without_its_type() {
    let dir = TestDir::new();
    let pose = dir.options::<Pose>().create("pose").unwrap();
    let any = shmkit::AnyLatest::open(Some(dir.path()), "pose", Default::default()).unwrap();
    let mut changes = any.changes_since(0);
    let sole = pose.writer().unwrap();
    assert_eq!(kind(any.set(&[0; 24])), ErrorKind::RoleTaken);
    drop(sole);
    let set = any.set_with(|old| {
        assert!(old.is_none());
        let mut value = any.schema().zeroed()?;
        any.schema().set(&mut value, "x", "2.5")?;
        any.schema().set(&mut value, "parked", "true")?;
        Ok(value)
    });
    assert_eq!(set.unwrap(), 1);
    assert_eq!(pose.get().unwrap(), Pose { stamp_ns: 0, heading: 0.0, ..POSE });
    let bytes = changes.next(Some(TIMEOUT)).unwrap();
    let shown = any.schema().read(&bytes).unwrap().to_string();
    assert_eq!(shown, "Pose { stamp_ns: 0, x: 2.5, heading: 0.0, parked: true }");
    assert_eq!(kind(any.set(&[255; 24])), ErrorKind::InvalidArgument);
    // Bytes of a value whose padding a program left as it was.
    let padded = [[0; 20].as_slice(), &[1, 0xee, 0xee, 0xee]].concat();
    let zeros = [[0; 20].as_slice(), &[1, 0, 0, 0]].concat();
    assert_eq!(any.set(&padded).unwrap(), 2);
    assert_eq!(any.get().unwrap(), zeros);
    assert_eq!(any.set_with(|_| Ok(padded)).unwrap(), 3);
    assert_eq!(any.get().unwrap(), zeros);
}

#[test]
fn objects_can_have_the_longest_names_in_deep_directories() {
    let dir = TestDir::new();
    let deep = (0..4).fold(dir.path().to_owned(), |path, _| path.join("d".repeat(60)));
    std::fs::create_dir_all(&deep).unwrap();
    let options = Latest::<u64>::options().directory(&deep);
    for name in ["x".repeat(200), "ю".repeat(40)] {
        let latest = options.create(&name).unwrap();
        latest.writer().unwrap().set(&7).unwrap();
        assert_eq!(options.open(&name).unwrap().get().unwrap(), 7);
        options.remove(&name).unwrap();
    }
}
