//! Waiting for a slot, for the right to write, and for a lock that is removed meanwhile.

use shmkit::sync::{Reset, named};
use shmkit::{Object, Primitive};

use crate::{Goal, Mode, PROGRAM, TestDir, goal, shm_path};

impl TestDir {
    /// Creates an object with one slot, and takes that.
    fn full<P: Primitive>(&self, name: &str, initial: P::Initial) -> Object<P> {
        let options = Object::<P>::options().directory(self.path()).max_participants(1);
        options.create(name, initial).unwrap()
    }

    /// Runs commands while all slots of their object are taken by `slot`. Each must wait for the
    /// slot, but not longer than its limit.
    #[track_caller]
    fn wait_for_slot(&self, name: &str, command: &[&str], options: &[&str], slot: impl Sized) {
        let full = [options, &["--timeout", "1ms"]].concat();
        let shm = shm_path();
        let run = match command {
            ["lock"] | ["sem", "acquire"] => &["--", &*shm, "ls"][..],
            _ => &[],
        };
        let code = if run.is_empty() { 8 } else { 124 };
        let line = |options| [command, &[name], options, run].concat();
        self.fails(&line(&full), code, "all 1 slots are taken");
        let mut waiting = self.start(&line(options));
        // A process without a slot counts as a reader.
        while self.await_object(name, |_| true).readers == 0 {
            assert!(waiting.child.try_wait().unwrap().is_none(), "{command:?} does not wait");
        }
        drop(slot);
        let status = waiting.child.wait().unwrap();
        assert!(status.success(), "{command:?}: {:?}", waiting.note());
    }
}

#[test]
fn a_command_waits_for_a_slot() {
    let dir = TestDir::new();
    let mutex = dir.full::<shmkit::sync::Mutex<u8>>("mutex", 1);
    dir.wait_for_slot("mutex", &["lock"], &[], mutex);
    let pool = dir.full::<shmkit::sync::Semaphore>("pool", 2);
    dir.wait_for_slot("pool", &["sem", "acquire"], &[], pool);
    let jobs = dir.full::<shmkit::sync::Semaphore>("jobs", 2);
    dir.wait_for_slot("jobs", &["sem", "consume"], &[], jobs);
    let ready = dir.full::<shmkit::sync::Event>("ready", Reset::Manual);
    ready.set().unwrap();
    dir.wait_for_slot("ready", &["event", "wait"], &[], ready);
    let step = dir.full::<shmkit::sync::Barrier>("step", 1);
    dir.wait_for_slot("step", &["barrier", "wait"], &[], step);
    let count = dir.latest::<u64>().shared_writers(true).max_writers(1).create("count").unwrap();
    let writer = count.writer().unwrap();
    drop(count);
    dir.wait_for_slot("count", &["set"], &["7"], writer);
    assert_eq!(dir.shm(&["get", "count"]), "7\n");
}

#[test]
fn a_waiter_for_a_removed_lock_creates_it_again() {
    let dir = TestDir::new();
    let mut holder = dir.start_holder(&["lock", "queue"]);
    let shm = shm_path();
    let mut waiting = dir.start(&["lock", "queue", "--", &shm, "info", "queue"]);
    let mut content = dir.start(&["lock", "queue", "--no-create", "--", &shm, "ls"]);
    dir.await_waiting("queue", 2);
    dir.shm(&["rm", "queue", "--force"]);
    assert!(waiting.line().starts_with("queue"));
    assert!(waiting.child.wait().unwrap().success());
    // It finds the new lock, or none.
    let code = content.child.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 125)), "{code:?}");
    dir.shm(&["event", "set", "go"]);
    assert!(holder.child.wait().unwrap().success(), "the removed lock stays held");
}

#[test]
fn a_lock_made_by_a_command_has_room_for_1024_processes() {
    let dir = TestDir::new();
    dir.shm(&["lock", "backup", "--", &shm_path(), "ls"]);
    let lock = named::RwLock::<shmkit::sync::NoData>::options().directory(dir.path());
    lock.max_participants(1024).open("backup").unwrap();
}

/// Starts two commands that set one field each, and waits until both wait.
fn start_setters(dir: &TestDir) -> [crate::running::Running; 2] {
    let setters = ["at.x=7", "mode=Parked"].map(|change| dir.start(&["set", "goal", change]));
    dir.await_object("goal", |it| it.participants.iter().map(|it| it.waiting).sum::<u32>() == 2);
    setters
}

/// Checks that both changes were made, to the value that had this label.
fn check_set(dir: &TestDir, setters: [crate::running::Running; 2], label: &str) {
    for mut setter in setters {
        assert!(setter.child.wait().unwrap().success());
    }
    let mut expected = goal();
    (expected.at.x, expected.mode) = (7.0, Mode::Parked);
    expected.label = label.parse().unwrap();
    assert_eq!(dir.latest::<Goal>().open("goal").unwrap().get().unwrap(), expected);
}

#[test]
fn fields_that_commands_set_beside_the_only_writer_are_all_kept() {
    let dir = TestDir::new();
    let latest = dir.latest::<Goal>().create("goal").unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&goal()).unwrap();
    let setters = start_setters(&dir);
    writer.set(&Goal { label: "home".parse().unwrap(), ..goal() }).unwrap();
    drop(writer);
    check_set(&dir, setters, "home");
}

#[test]
fn fields_that_commands_set_beside_shared_writers_are_all_kept() {
    let dir = TestDir::new();
    let latest = dir.latest::<Goal>().shared_writers(true).create("goal").unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&goal()).unwrap();
    let mut setters = None;
    let update = writer.update(|goal| {
        setters = Some(start_setters(&dir));
        goal.label = "home".parse().unwrap();
    });
    update.unwrap();
    check_set(&dir, setters.unwrap(), "home");
}

#[test]
fn a_wrong_field_or_value_is_told_before_set_waits() {
    let dir = TestDir::new();
    let _writer = dir.start_clock("time");
    dir.fails(&["set", "time", "no_field=1"], 2, "no_field");
    dir.fails(&["set", "time", "unix_ns=soon"], 2, "soon");
    dir.fails(&["set", "--no-wait", "time", "unix_ns=1"], 8, "is its only writer");
}

#[test]
fn lock_and_acquire_say_what_they_wait_for() {
    let dir = TestDir::new();
    let mut holder = dir.start_holder(&["lock", "queue"]);
    dir.shm(&["sem", "create", "pool", "0"]);
    let shm = shm_path();
    let who = format!("process {} ({PROGRAM}) in slot 0 holds it", holder.child.id());
    let at_once = format!("cannot lock \"queue\": {who}\n");
    dir.fails(&["lock", "queue", "--no-wait", "--", &shm, "ls"], 124, &at_once);
    let mut lock = dir.start(&["lock", "queue", "--", &shm, "info", "queue"]);
    let mut acquire = dir.start(&["sem", "acquire", "pool", "--", &shm, "info", "pool"]);
    let who = format!("shm: waiting to lock \"queue\": {who} (--timeout limits that)");
    assert_eq!(lock.note().unwrap(), who);
    let none = "shm: waiting to acquire a permit of \"pool\": none is available;";
    assert!(acquire.note().unwrap().starts_with(none));
    dir.shm(&["event", "set", "go"]);
    dir.shm(&["sem", "post", "pool"]);
    for waiting in [&mut holder, &mut lock, &mut acquire] {
        assert!(waiting.child.wait().unwrap().success());
    }
}

#[test]
fn a_command_under_its_own_lock_is_told_so() {
    let dir = TestDir::new();
    let shm = shm_path();
    let again = ["--", &shm, "lock", "queue", "--timeout", "1200ms", "--", &shm, "ls"];
    let output = dir.run(&[&["lock", "queue"], &again[..]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    let why = "holds it, and has started this process: if it waits for its end, neither continues";
    assert_eq!((output.status.code(), told.contains(why)), (Some(124), cfg!(unix)), "{told}");
}

#[test]
fn set_says_for_which_writer_it_waits() {
    let dir = TestDir::new();
    let clock = dir.start_clock("time");
    let who = format!(
        "process {} ({PROGRAM}) in slot 0 is its writer (--timeout limits that)",
        clock.child.id()
    );
    let mut set = dir.start(&["set", "time", "unix_ns=1"]);
    assert_eq!(set.note().unwrap(), format!("shm: waiting to set \"time\": {who}"));
    drop(clock);
    assert!(set.child.wait().unwrap().success());
    assert_eq!(dir.shm(&["get", "time", "unix_ns"]), "1\n");
}
