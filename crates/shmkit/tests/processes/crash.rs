//! A child is killed at every crash point of everything that it can do with a `Latest`; then the
//! others must find all as promised.

use std::collections::BTreeSet;
use std::time::Duration;

use shmkit::inspect::{self, Condition};
use shmkit::memory::Trust;
use shmkit::{Changes, ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::system::LEAVES_TEMPORARY_FILES;
use crate::test_dir::{LatestOptions, TestDir, kind};
use crate::times::TIMEOUT;
use crate::values::{seed_of, value};

const NAME: &str = "robot/pose";
const FILE: &str = "robot%2fpose.shmkit";
const WORDS: usize = 16;
type Value = [u64; WORDS];
/// The seeds of the values that are set before the child runs, by the child, and after its death.
const BEFORE: u64 = 1;
const BY_CHILD: u64 = 2;
const AFTER: u64 = 3;
/// The points at which a slot is half-written.
const HALF_WRITTEN: [&str; 3] =
    ["latest: slot in writing", "latest: slot half written", "latest: slot written, not complete"];

/// What the child does, and what exists before it runs.
struct Operation {
    name: &'static str,
    setup: Setup,
    lifetime: Lifetime,
    shared_writers: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Setup {
    /// No object has the name.
    Nothing,
    /// An object with a value, which the test has open.
    Used,
    /// The same, and a thread of the test waits for changes without a pause.
    Awaited,
    /// An object with a value whose last user was killed.
    Abandoned,
    /// An object with a value, which the test has open, and whose writer was killed.
    Orphaned,
}

const fn operation(name: &'static str, setup: Setup, lifetime: Lifetime) -> Operation {
    Operation { name, setup, lifetime, shared_writers: false }
}

const OPERATIONS: [Operation; 14] = {
    use Lifetime::{Persistent, WhileUsed};
    use Setup::*;
    [
        operation("create", Nothing, Persistent),
        operation("open or create", Nothing, WhileUsed),
        operation("open", Used, Persistent),
        operation("write", Used, Persistent),
        Operation { shared_writers: true, ..operation("write", Used, Persistent) },
        Operation { shared_writers: true, ..operation("update", Used, Persistent) },
        operation("fill in place", Used, Persistent),
        operation("write repeatedly", Awaited, Persistent),
        operation("leave", Used, WhileUsed),
        operation("remove", Used, Persistent),
        operation("open or create", Abandoned, WhileUsed),
        operation("repair", Abandoned, WhileUsed),
        operation("write", Orphaned, Persistent),
        Operation { shared_writers: true, ..operation("contend", Used, Persistent) },
    ]
};

impl Operation {
    fn apply(&self, options: LatestOptions<Value>) -> LatestOptions<Value> {
        options.lifetime(self.lifetime).shared_writers(self.shared_writers)
    }

    /// In the child.
    fn run(&self) {
        let open = || Latest::<Value>::open(NAME).unwrap();
        let write = |latest: &Latest<Value>, times| {
            let mut writer = latest.writer().unwrap();
            for _ in 0..times {
                writer.set(&value(BY_CHILD)).unwrap();
            }
        };
        let options = self.apply(Latest::options());
        match self.name {
            "create" => drop(options.create(NAME).unwrap()),
            "open" => drop(open().get().unwrap()),
            "open or create" | "leave" => write(&options.open_or_create(NAME).unwrap(), 1),
            "write" => write(&open(), 1),
            "update" => {
                let mut writer = open().writer().unwrap();
                writer.update(|now| *now = value(BY_CHILD)).unwrap();
            }
            "fill in place" => {
                let mut writer = open().writer().unwrap();
                let mut loan = writer.loan().unwrap();
                *loan = value(BY_CHILD);
                loan.publish().unwrap();
            }
            "write repeatedly" => write(&open(), 2_000),
            "contend" => std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| write(&open(), 1_000_000));
                }
            }),
            "remove" => Latest::<Value>::remove(NAME).unwrap(),
            "repair" => {
                let found = inspect::examine(&shmkit::default_directory(), Trust::Own).unwrap();
                assert!(found[0].fix().unwrap());
            }
            other => unreachable!("{other}"),
        }
    }

    /// Makes what exists before the child runs.
    fn set_up(&self, dir: &TestDir) -> Option<Latest<Value>> {
        match self.setup {
            Setup::Nothing => None,
            Setup::Used | Setup::Awaited | Setup::Orphaned => {
                let latest = self.apply(dir.latest()).create(NAME).unwrap();
                latest.writer().unwrap().set(&value(BEFORE)).unwrap();
                if self.setup == Setup::Orphaned {
                    let write = OPERATIONS.iter().position(|it| it.name == "write").unwrap();
                    let child = Child::start_to_die_at(dir, "owner: taken", "crash", write);
                    assert!(child.was_killed());
                }
                Some(latest)
            }
            Setup::Abandoned => {
                let point = "leave: nobody else present";
                let child = Child::start_to_die_at(dir, point, "crash", OPERATIONS.len());
                assert!(child.was_killed());
                assert_eq!(dir.describe(NAME).condition, Condition::Abandoned);
                None
            }
        }
    }
}

/// Runs the operation with the number of its task; the number after the last one abandons an
/// object.
pub(crate) fn role(link: &mut Link) {
    let number: usize = link.task().parse().unwrap();
    let abandon = operation("open or create", Setup::Nothing, Lifetime::WhileUsed);
    OPERATIONS.get(number).unwrap_or(&abandon).run();
}

#[test]
fn a_process_killed_at_any_point_harms_no_other() {
    let mut reached = BTreeSet::new();
    for (number, operation) in OPERATIONS.iter().enumerate() {
        for point in shmkit::crash::POINTS {
            let is_slow = operation.name == "contend" || operation.setup == Setup::Orphaned;
            if is_slow && reached.contains(point) {
                // This operation is only for points that no other reaches.
                continue;
            }
            let dir = TestDir::new();
            let observer = operation.set_up(&dir);
            let killed = std::thread::scope(|scope| {
                let awaited = observer.as_ref().filter(|_| operation.setup == Setup::Awaited);
                let changes = awaited.map(|it| it.changes().spin_for(Duration::ZERO));
                let waiting = changes.map(|it| scope.spawn(|| wait_for_last_value(it)));
                let killed = Child::start_to_die_at(&dir, point, "crash", number).was_killed();
                println!("{:?} with the crash point {point:?}: killed: {killed}", operation.name);
                if killed {
                    reached.insert(*point);
                    check_before_repair(point, operation, &dir, observer.as_ref());
                }
                check_survivors(operation, &dir, observer.as_ref());
                if let Some(waiting) = waiting {
                    waiting.join().unwrap();
                }
                killed
            });
            if killed {
                check_removal(operation, &dir, observer);
            }
        }
    }
    let all = BTreeSet::from_iter(shmkit::crash::POINTS.iter().copied());
    assert_eq!(reached, all, "no child reached the points that are missing on the left");
}

/// Waits for changes until the last value of the test.
fn wait_for_last_value(mut changes: Changes<Value>) {
    loop {
        match changes.next_timeout(TIMEOUT) {
            Ok(value) if seed_of(&value) == AFTER => return,
            Ok(value) => assert_eq!(seed_of(&value), BY_CHILD),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
        }
    }
}

/// Checks what the others see before any of them repairs anything.
fn check_before_repair(
    point: &str,
    operation: &Operation,
    dir: &TestDir,
    observer: Option<&Latest<Value>>,
) {
    let mut files = dir.files();
    if LEAVES_TEMPORARY_FILES {
        files.retain(|file| !file.ends_with(".shmkit-new"));
    }
    assert!(files.is_empty() || files == [FILE], "left behind: {files:?}");
    let entries = inspect::list(dir.path(), Trust::Own).unwrap();
    assert_eq!(entries.len(), files.len());
    for entry in entries {
        assert_eq!(entry.name, NAME);
        let description = entry.description.unwrap();
        let participants = &description.participants;
        assert!(participants.iter().all(|it| !it.is_alive), "taken for alive: {participants:?}");
        assert_eq!(description.readers, u32::from(observer.is_some()));
        // When one of several threads dies, each of them may be half-way.
        if operation.name != "contend" {
            let half_written = description.parts[0].state.number("half_written");
            assert_eq!(half_written.is_some(), HALF_WRITTEN.contains(&point), "{point}");
        }
        if operation.setup == Setup::Used && operation.lifetime == Lifetime::WhileUsed {
            assert_eq!(description.condition, Condition::Ready, "the observer uses it");
        }
    }
    let Some(observer) = observer else { return };
    match observer.get() {
        Ok(value) => {
            let seed = seed_of(&value);
            match point {
                _ if HALF_WRITTEN.contains(&point)
                    && ["write", "fill in place"].contains(&operation.name) =>
                {
                    assert_eq!(seed, BEFORE);
                }
                "latest: slot complete, latest not moved" => assert_eq!(seed, BY_CHILD),
                _ => assert!([BEFORE, BY_CHILD].contains(&seed), "{seed}"),
            }
        }
        Err(error) => assert_removed(operation, &error),
    }
}

/// Checks that the operation has removed the object, as the error says.
fn assert_removed(operation: &Operation, error: &shmkit::Error) {
    assert_eq!((error.kind(), operation.name), (ErrorKind::Closed, "remove"), "{error}");
}

/// Checks that the survivors can open, repair and write.
fn check_survivors(operation: &Operation, dir: &TestDir, observer: Option<&Latest<Value>>) {
    let options = operation.apply(dir.latest());
    match options.open(NAME) {
        Ok(latest) => match latest.get() {
            Ok(value) => assert!([BEFORE, BY_CHILD].contains(&seed_of(&value))),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Empty, "{error}"),
        },
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
    dir.repair();
    let latest = options.open_or_create(NAME).unwrap();
    assert_eq!(kind(options.create(NAME)), ErrorKind::AlreadyExists);
    let mut changes = latest.changes();
    latest.writer().unwrap().set(&value(AFTER)).unwrap();
    assert_eq!(seed_of(&latest.get().unwrap()), AFTER);
    assert_eq!(seed_of(&changes.next_timeout(TIMEOUT).unwrap()), AFTER);
    let description = dir.describe(NAME);
    assert!(description.participants.is_empty(), "left: {:?}", description.participants);
    assert_eq!(description.condition, Condition::Ready);
    match observer.map(Latest::get) {
        None => {}
        Some(Ok(value)) => assert_eq!(seed_of(&value), AFTER, "two objects have the name"),
        Some(Err(error)) => assert_removed(operation, &error),
    }
}

/// Checks that the object can be removed, and leaves no file.
fn check_removal(operation: &Operation, dir: &TestDir, observer: Option<Latest<Value>>) {
    if operation.lifetime == Lifetime::WhileUsed {
        drop(observer);
    } else {
        operation.apply(dir.latest()).remove(NAME).unwrap();
        let closed = observer.map(|it| kind(it.get()));
        assert!(closed.is_none_or(|kind| kind == ErrorKind::Closed), "{closed:?}");
    }
    assert_eq!(dir.files(), [""; 0]);
}
