//! A kind of this project's tests: what any kind gets from an implementation of `Payload`.

use std::process::Command;
use std::thread;
use std::time::Duration;

use shmkit::inspect::{self, Column, Remedy};
use shmkit::memory::{SharedMemory, Trust};
use shmkit::sync::{Counter, Event, Mutex, Reset};
use shmkit::{ErrorKind, Kind, Lifetime, Object, Role};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind};

const NAME: &str = "count";

#[test]
fn it_is_created_opened_and_removed() {
    let dir = TestDir::new();
    let options = dir.options::<Counter>();
    assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound);
    let created = options.create(NAME, 7).unwrap();
    let words = r#"cannot create "count": an object has this name"#;
    assert_error(options.create(NAME, 7), ErrorKind::AlreadyExists, words);
    assert_eq!(created.add().unwrap(), 8);
    let opened = options.open(NAME).unwrap();
    assert_eq!(opened.add().unwrap(), 9);
    let again = options.open_or_create(NAME, 3).expect("a kind need not compare how it began");
    assert_eq!(again.add().unwrap(), 10);
    options.remove(NAME).unwrap();
    assert_eq!(options.open_or_create(NAME, 3).unwrap().add().unwrap(), 4);
}

#[test]
fn its_options_are_those_of_all_kinds() {
    let dir = TestDir::new();
    let options = dir.options::<Counter>().max_participants(2).lifetime(Lifetime::WhileUsed);
    let handles = [options.create(NAME, 0), options.open(NAME)].map(Result::unwrap);
    assert_error(options.open(NAME), ErrorKind::Full, "all 2 slots are taken");
    let words = "max participants is 3 here and 2 in the object";
    let other = dir.options::<Counter>().max_participants(3);
    assert_error(other.open(NAME), ErrorKind::WrongOptions, words);
    let words = "lifetime is persistent here and while used in the object";
    let other = dir.options::<Counter>().lifetime(Lifetime::Persistent);
    assert_error(other.open_or_create(NAME, 0), ErrorKind::WrongOptions, words);
    drop(handles);
    assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound, "the last handle removed it");
}

#[test]
fn another_kind_or_type_is_refused() {
    let dir = TestDir::new();
    let _counter = dir.options::<Counter>().create(NAME, 0).unwrap();
    let words = "it is of kind counter, and mutex was asked for";
    assert_error(dir.options::<Mutex<u64>>().open(NAME), ErrorKind::WrongKind, words);
    let _event = dir.options::<Event>().create("event", Reset::Manual).unwrap();
    let words = "it is of kind event, and counter was asked for";
    assert_error(dir.options::<Counter>().open("event"), ErrorKind::WrongKind, words);
    assert_error(dir.options::<Counter>().open_or_create("event", 0), ErrorKind::WrongKind, words);
    let _group = dir.options::<(Counter, Mutex<u64>)>().create("group", (1, 2)).unwrap();
    assert_eq!(kind(dir.options::<[Counter; 2]>().open("group")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<(Mutex<u64>, Counter)>().open("group")), ErrorKind::WrongType);
    let group = dir.options::<(Counter, Mutex<u64>)>().open("group").unwrap();
    assert_eq!((group.0.add().unwrap(), *group.1.lock().unwrap()), (2, 2));
}

#[test]
fn one_handle_waits_for_what_another_adds() {
    let dir = TestDir::new();
    let [counter, other] = dir.two_handles::<Counter>(NAME, 0);
    let mut late = 0;
    for round in 1..=20 {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                counter.wait_for(2 * round, TIMEOUT).unwrap();
                shmkit::crash::late_finds_of_thread()
            });
            dir.wait_for_waiters(NAME, 1);
            assert_eq!(other.add().unwrap(), 2 * round - 1);
            assert!(!waiting.is_finished(), "once more is too few");
            other.add().unwrap();
            late += waiting.join().unwrap();
        });
    }
    assert!(late < 10, "{late} waiters were not woken");
    counter.wait_for(40, Duration::ZERO).expect("it has the value");
    let words = r#"cannot wait for "count": the timeout expired"#;
    assert_error(counter.wait_for(41, SHORT), ErrorKind::TimedOut, words);
}

#[test]
fn its_end_is_reported_to_waiters_and_to_later_users() {
    let dir = TestDir::new();
    let [counter, other] = dir.two_handles::<Counter>(NAME, 0);
    let waits = [&counter, &other].map(|it| move || kind(it.wait_for(1, TIMEOUT)));
    dir.remove_while_waiting::<Counter, _>(NAME, waits);
    assert_error(other.add(), ErrorKind::Closed, r#"cannot use "count": the object was removed"#);
    assert_eq!(kind(other.wait_for(1, TIMEOUT)), ErrorKind::Closed);
    other.wait_for(0, TIMEOUT).expect("what is there needs no waiting");
}

#[test]
fn it_works_in_memory_and_in_a_slice() {
    let memory = SharedMemory::anonymous(1 << 16).unwrap();
    let counter = Object::<Counter>::create_in(&memory, 128, 5).unwrap();
    assert_eq!(Object::<Counter>::open_in(&memory, 128).unwrap().add().unwrap(), 6);
    counter.wait_for(6, Duration::ZERO).unwrap();
    let dir = TestDir::new();
    let options = Object::<Box<[Counter]>>::options().directory(dir.path());
    let counters = options.create(NAME, (0..9).collect::<Vec<_>>()).unwrap();
    let counts: Vec<_> = counters.iter().map(|it| it.add().unwrap()).collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_description_shows_its_state() {
    let dir = TestDir::new();
    let [counter, _other] = dir.two_handles::<Counter>(NAME, 41);
    counter.add().unwrap();
    let seen = thread::scope(|scope| {
        let waiting = scope.spawn(|| counter.wait_for(43, TIMEOUT));
        dir.wait_for_waiters(NAME, 1);
        let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
        counter.add().unwrap();
        waiting.join().unwrap().unwrap();
        seen
    });
    assert_eq!((seen.kind, Kind::Counter.as_str()), (Kind::Counter, "counter"));
    let part = seen.only_part().expect("one part");
    assert!(part.number.is_empty() && part.kind == Kind::Counter && part.value.is_none());
    assert_eq!((part.state.text.as_str(), part.state.changes), ("at 42", Some(42)));
    assert_eq!((part.state.number("count"), part.state.number("other")), (Some(42), None));
    assert!(part.state.is_sound && part.state.lines.is_empty() && part.state.holders.is_empty());
    use Column::{HeldBy, Participants, State, Waiting};
    assert_eq!(part.state.columns, [Participants("USERS"), Waiting, State, HeldBy]);
    assert_eq!((part.waiting, seen.count_participants()), (1, (2, 0)));
    assert!(seen.participants.iter().all(|it| it.role == Role::User && !it.is_holder));
}

/// The environment variable that tells a child in which directory it opens the object.
const CHILD: &str = "SHMKIT_TEST_CHILD";

#[test]
fn a_dead_participant_is_shown_until_its_slot_is_freed() {
    if let Some(directory) = std::env::var_os(CHILD) {
        let options = Object::<Counter>::options().directory(directory);
        let counter = options.open(NAME).unwrap();
        counter.add().unwrap();
        // The process ends without leaving.
        std::mem::forget(counter);
        std::process::exit(0);
    }
    let dir = TestDir::new();
    let counter = dir.options::<Counter>().create(NAME, 0).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["counter::a_dead_participant_is_shown_until_its_slot_is_freed", "--exact"])
        .env(CHILD, dir.path())
        .spawn()
        .unwrap();
    let dead = child.id();
    assert!(child.wait().unwrap().success());
    counter.wait_for(1, Duration::ZERO).expect("what it added");
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert_eq!(seen.count_participants(), (1, 1));
    let shown = seen.participants.iter().find(|it| !it.is_alive).unwrap();
    assert_eq!((shown.pid, shown.waiting, shown.is_holder), (dead, 0, false));

    let found = inspect::examine(dir.path(), Trust::Own).unwrap();
    // On Windows a file that the dead process left is another finding.
    let found = found.iter().find(|it| *it.remedy() == Remedy::FreeSlots).expect("its slot");
    assert_eq!(found.object(), NAME);
    let what = format!("died without leaving: user {dead} (");
    assert!(found.what().starts_with(&what), "{}", found.what());
    assert!(found.fix().unwrap());
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert_eq!(seen.count_participants(), (1, 0));
}
