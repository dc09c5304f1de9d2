//! `lock`, and locks in `ls`, `info` and `doctor`.

#[cfg(unix)]
mod unix;

use serde_json::json;
use shmkit::Object;
use shmkit::sync::{Condvar, Event, LockError, Mutex, NoData, Reset, RwLock, Semaphore, named};

use crate::{Goal, PRIMITIVE_HEADINGS, PROGRAM, TestDir, as_argument, goal, shm_path};

impl TestDir {
    /// Runs the command while a lock is held. It must succeed without messages.
    #[track_caller]
    fn locked(&self, options: &[&str], arguments: &[&str]) -> String {
        let shm = shm_path();
        self.shm(&[&["lock"], options, &["--", &shm], arguments].concat())
    }

    /// Leaves a lock inconsistent by the death of its holder, whose process id is returned.
    fn leave_inconsistent(&self, name: &str) -> u32 {
        let mut holder = self.start_holder(&["lock", name]);
        holder.kill();
        // Not every system kills the command, too.
        self.shm(&["event", "set", "go"]);
        holder.child.id()
    }
}

const DIED: &str = "a process died while it held the lock, and the data may be half-changed";

#[test]
fn a_command_runs_while_the_lock_is_held_and_its_exit_code_is_returned() {
    let dir = TestDir::new();
    let shown = dir.locked(&["backup"], &["info", "backup", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let lock = &shown["parts"][0];
    assert_eq!((&shown["kind"], &shown["type"]), (&json!("rwlock"), &json!(null)));
    assert_eq!((&lock["exclusive"], &lock["inconsistent"]), (&json!(true), &json!(false)));
    assert_eq!(lock["holders"][0]["what"], json!("holds it"));
    assert_eq!(lock["holders"][0]["program"], json!(PROGRAM));
    let after = dir.json(&["info", "backup"]);
    assert_eq!(after["parts"][0]["exclusive"], json!(false));
    assert_eq!(after["participants"], json!([]));
    for (arguments, code) in [(&["get", "nothing"][..], 3), (&["get"], 2), (&["ls"], 0)] {
        let shm = shm_path();
        let output = dir.run(&[&["lock", "backup", "--", &shm], arguments].concat());
        assert_eq!(output.status.code(), Some(code));
    }
}

#[test]
fn each_kind_of_lock_excludes_programs_and_commands() {
    let dir = TestDir::new();
    let [mutex, reentrant, rwlock] = ["mutex", "reentrant", "rwlock"];
    let options = named::Mutex::<Goal>::options().directory(dir.path());
    let program = options.create(mutex, goal()).unwrap();
    let held = program.lock().unwrap();
    let who = format!("process {}", std::process::id());
    let shm = shm_path();
    dir.fails(&["lock", mutex, "--no-wait", "--", &shm, "ls"], 124, &who);
    drop(held);
    dir.locked(&[mutex], &["ls"]);

    let options = named::ReentrantMutex::<u8>::options().directory(dir.path());
    options.create(reentrant, 1).unwrap();
    let mut holder = dir.start_holder(&["lock", reentrant]);
    let program = options.open(reentrant).unwrap();
    assert!(program.try_lock().unwrap().is_none());
    dir.shm(&["event", "set", "go"]);
    assert!(holder.child.wait().unwrap().success());
    assert_eq!(program.lock().unwrap().get(), 1);

    let options = named::RwLock::<Goal>::options().directory(dir.path());
    let program = options.create(rwlock, goal()).unwrap();
    let read = program.read().unwrap();
    dir.locked(&[rwlock, "--shared", "--timeout", "10m"], &["ls"]);
    let lock = ["lock", rwlock, "--timeout", "1ms", "-E", "77", "--", &shm, "ls"];
    dir.fails(&lock, 77, &format!("cannot lock \"rwlock\": {who}"));
    assert_eq!(*read, goal());
}

#[test]
fn a_waiter_acquires_the_released_lock() {
    let dir = TestDir::new();
    let mut holder = dir.start_holder(&["lock", "queue"]);
    let shm = shm_path();
    let mut next = dir.start(&["lock", "queue", "--", &shm, "event", "show", "go"]);
    dir.await_waiting("queue", 1);
    let list = dir.json(&["ls", "--sample", "0ms"]);
    let lock = &list.as_array().unwrap().iter().find(|it| it["name"] == "queue").unwrap();
    assert_eq!(lock["parts"][0]["waiting"], json!(1));
    let waits = |it: &serde_json::Value| it["waiting"] == json!(1);
    assert_eq!(lock["participants"].as_array().unwrap().iter().filter(|it| waits(it)).count(), 1);
    dir.shm(&["event", "set", "go"]);
    assert!(holder.child.wait().unwrap().success());
    assert!(next.line().starts_with("event: set"));
    assert!(next.child.wait().unwrap().success());
}

#[test]
fn errors_before_the_command_have_exit_codes_of_their_own() {
    let dir = TestDir::new();
    let usage = "a lock is held while a command runs: write shm lock NAME -- COMMAND";
    dir.fails(&["lock", "backup"], 2, usage);
    dir.fails(&["lock", "backup", "--no-create", "--", "x"], 125, "cannot open \"backup\"");
    dir.fails(&["lock", "backup", "--", "no-such-command-here"], 127, "cannot run no-such");
    let directory = dir.path().to_str().unwrap();
    dir.fails(&["lock", "backup", "--", directory], 126, "cannot run ");
    dir.leave("time", &1_u8);
    dir.fails(&["lock", "time", "--", "x"], 125, "it is not a lock: its kind is latest");
    named::Mutex::<u8>::options().directory(dir.path()).create("mutex", 1).unwrap();
    let one = "cannot share \"mutex\": it is a mutex, which has one holder at a time";
    dir.fails(&["lock", "mutex", "--shared", "--", "x"], 125, one);
    let group = Object::<[Mutex<u8>; 2]>::options().directory(dir.path());
    group.create("group", [1, 2]).unwrap();
    dir.fails(&["lock", "group", "--", "x"], 125, "it has several parts");
    assert_eq!(dir.json(&["info", "backup"])["participants"], json!([]));
}

#[test]
fn owner_death_is_reported_until_marked_consistent() {
    let dir = TestDir::new();
    dir.leave_inconsistent("books");
    let shm = shm_path();
    let outcome = |options: &[&str], arguments: &[&str]| {
        let output = dir.run(&[&["lock", "books"], options, &["--", &shm], arguments].concat());
        let note = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), note.contains(&format!("shm: \"books\": {DIED}")))
    };
    assert_eq!(outcome(&[], &["ls"]), (0, true));
    assert_eq!(outcome(&["--shared"], &["ls"]), (0, true));
    let mark = ["--mark-consistent"];
    assert_eq!(outcome(&mark, &["get", "nothing"]), (3, true), "the command failed");
    let program = named::RwLock::<NoData>::options().directory(dir.path());
    let program = program.open("books").unwrap();
    assert!(matches!(program.try_read(), Err(LockError::OwnerDied(_))));
    assert_eq!(outcome(&mark, &["ls"]), (0, true));
    assert_eq!(outcome(&mark, &["ls"]), (0, false));
    drop(program.read().unwrap());
    dir.fails(&["lock", "books", "--shared", "--mark-consistent", "--", "x"], 2, "cannot be");
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn the_command_is_killed_with_the_lock_holder() {
    let dir = TestDir::new();
    let mut holder = dir.start_holder(&["lock", "books"]);
    holder.kill();
    // The command waits for the event.
    dir.await_object("go", |it| it.participants.iter().all(|it| !it.is_alive));
}

#[test]
fn death_of_a_shared_holder_is_not_reported() {
    let dir = TestDir::new();
    let mut holder = dir.start_holder(&["lock", "books", "--shared"]);
    holder.kill();
    dir.shm(&["event", "set", "go"]);
    dir.locked(&["books", "--no-wait"], &["ls"]);
}

#[test]
fn the_doctor_names_dead_holders() {
    let dir = TestDir::new();
    let pid = dir.leave_inconsistent("books");
    let (report, _) = dir.doctor(&[]);
    let died = format!(
        "books: process {pid} ({PROGRAM}) died while it held the rwlock: the next locker gets OwnerDied"
    );
    assert!(report.contains(&died), "{report}");
    let info = dir.shm(&["info", "books"]);
    let holder = format!("process {pid} ({PROGRAM}) in slot 0, dead, holds it");
    assert!(info.contains("\nrwlock: locked\n") && info.contains(&holder), "{info}");
    assert!(info.contains("0, at most 1024; 1 died, and the next user frees"), "{info}");
    // What is fixed is told, and then what is left to a person.
    let (report, code) = dir.doctor(&["--fix"]);
    assert!(report.contains(&died) && report.contains("what they held: done"), "{report}");
    let left = "books: a holder of the rwlock died, and every locker gets OwnerDied\n  to do: ";
    let command = format!("shm --dir {} lock --mark-consistent books -- ", as_argument(dir.path()));
    assert!(report.contains(left) && !report.contains("doctor --fix"), "{report}");
    assert_eq!((dir.doctor(&[]).1, code), (Some(1), Some(1)));
    let state = &dir.table(&["ls", "books", "--sample", "1ms"])[1];
    assert_eq!(state[6..8], ["free, inconsistent: a holder died", "-"]);
    assert_eq!(dir.json(&["info", "books"])["parts"][0]["holders"], json!([]));
    let (report, _) = dir.elsewhere(&["doctor"]);
    assert!(report.contains(&command), "{report}");
    let output = dir.run(&["lock", "books", "--mark-consistent", "--", &shm_path(), "ls"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains(DIED));
    assert_eq!(dir.json(&["doctor"]), json!([]));
}

#[test]
fn kinds_with_the_same_columns_share_a_table() {
    type Parts = (Mutex<Goal>, [Condvar; 2], RwLock<[u16; 3]>);
    let dir = TestDir::new();
    dir.leave("robot/goal", &goal());
    let group = Object::<Parts>::options().directory(dir.path());
    let group = group.create("group", (goal(), [(), ()], [1, 2, 3])).unwrap();
    let _held = group.2.read().unwrap();
    let limits = named::RwLock::<[u16; 3]>::options().directory(dir.path());
    let limits = limits.create("limits", [1, 2, 3]).unwrap();
    let _write = limits.write().unwrap();
    let rows = dir.table(&["ls", "--sample", "1ms"]);
    assert_eq!(rows[0], PRIMITIVE_HEADINGS);
    assert_eq!((rows[3].len(), &*rows[4][4], &*rows[5][0]), (0, "WRITERS", "robot/goal"));
    let me = this_process(&dir, "limits");
    let kinds = "(mutex, [condvar; 2], rwlock)";
    assert_eq!(rows[1][..3], ["group", "group", kinds]);
    assert_eq!(rows[1][4..8], ["1", "0", "-", &me]);
    assert_eq!(rows[2][..3], ["limits", "rwlock", "[u16; 3]"]);
    assert_eq!(rows[2][4..8], ["1", "0", "locked", &me]);

    let info = dir.shm(&["info", "group"]);
    for line in [
        "  type       (mutex, [condvar; 2], rwlock)",
        "0 mutex, Goal, 96 B: free",
        "1.0 condvar: 0 waiting, 0 notified",
        "2 rwlock, [u16; 3], 6 B: shared",
    ] {
        assert!(info.lines().any(|it| it == line), "{line} is not in\n{info}");
    }
    let report = dir.json(&["info", "group"]);
    assert_eq!((&report["type"], &report["fields"]), (&json!(null), &json!([])));
    let parts = &report["parts"];
    assert_eq!((&parts[0]["type"], &parts[3]["number"]), (&json!("Goal"), &json!("2")));
    assert_eq!((&parts[3]["shared"], &parts[3]["exclusive"]), (&json!(true), &json!(false)));
    assert_eq!(parts[0]["fields"][1]["path"], json!("at.x"));
    assert_eq!(parts[3]["holders"][0]["pid"], json!(std::process::id()));
    assert_eq!((&report["writers"], &report["sequence"]), (&json!(null), &json!(null)));
}

#[test]
fn the_type_of_many_primitives_is_short() {
    let dir = TestDir::new();
    let pools = Object::<Box<[(Semaphore, Event)]>>::options().directory(dir.path());
    let _pools = pools.create("pools", vec![(1, Reset::Manual); 1000]).unwrap();
    let rows = dir.table(&["ls", "--sample", "1ms"]);
    assert_eq!(rows[1][..3], ["pools", "group", "[(semaphore, event); 1000]"]);
    let info = dir.shm(&["info", "pools"]);
    assert!(info.contains("\n  type       [(semaphore, event); 1000]\n"), "{info}");
    let report = dir.json(&["info", "pools"]);
    assert_eq!((&report["type"], &report["parts"][1999]["kind"]), (&json!(null), &json!("event")));
}

#[test]
fn a_long_type_of_a_group_is_cut_in_the_list() {
    type Eight = (Event, Event, Event, Event, Event, Event, Event, Event);
    let dir = TestDir::new();
    let reset = Reset::Manual;
    let eight = (reset, reset, reset, reset, reset, reset, reset, reset);
    let group = Object::<(Eight, Eight)>::options().directory(dir.path());
    group.create("group", (eight, eight)).unwrap();
    let rows = dir.table(&["ls", "--sample", "1ms"]);
    let eight = format!("({})", ["event"; 8].join(", "));
    let whole = format!("({eight}, {eight})");
    assert_eq!(rows[1][2], format!("{}...", &whole[..57]));
    assert!(dir.shm(&["info", "group"]).contains(&whole));
}

/// Returns how `ls` shows this process.
fn this_process(dir: &TestDir, name: &str) -> String {
    let it = dir.await_object(name, |_| true);
    let me = &it.participants[0];
    assert_eq!(me.pid, std::process::id());
    format!("{} ({})", me.pid, me.program)
}
