//! `lock`, and what `ls`, `info` and `doctor` tell of locks.

#[cfg(unix)]
mod unix;

use serde_json::json;
use shmkit::sync::named::{self, Named};
use shmkit::sync::{Condvar, LockError, Mutex, NoData, RwLock};

use crate::{Goal, PROGRAM, Place, Running, goal, shm_itself};

impl Place {
    /// Runs the command itself, while a lock is held; it must go well and be silent.
    #[track_caller]
    fn locked(&self, options: &[&str], arguments: &[&str]) -> String {
        let shm = shm_itself();
        self.shm(&[&["lock"], options, &["--", &shm], arguments].concat())
    }

    /// Holds a lock until it is killed, or the event `go` is set.
    fn start_holder(&self, name: &str, options: &[&str]) -> Running {
        self.shm(&["event", "create", "go", "--if-missing"]);
        let shm = shm_itself();
        let rest = ["--", &shm, "event", "wait", "go"];
        let holder = self.start(&[&["lock", name], options, &rest].concat());
        self.await_waiting("go", 1);
        holder
    }

    /// A lock that nobody has, marked by the death of one who had it. Its process.
    fn leave_marked(&self, name: &str) -> u32 {
        let mut holder = self.start_holder(name, &[]);
        holder.kill();
        // Not every system ends the command with it.
        self.shm(&["event", "set", "go"]);
        holder.child.id()
    }
}

const DIED: &str = "a process died while it held the lock, and what it guards may be half-changed";

#[test]
fn a_command_runs_while_the_lock_is_held_and_gives_its_exit_code() {
    let place = Place::new();
    let shown = place.locked(&["backup"], &["info", "backup", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let lock = &shown["primitives"][0];
    assert_eq!((&shown["kind"], &shown["type"]), (&json!("rwlock"), &json!(null)));
    assert_eq!((&lock["exclusive"], &lock["inconsistent"]), (&json!(true), &json!(false)));
    assert_eq!(lock["holders"][0]["what"], json!("holds it"));
    assert_eq!(lock["holders"][0]["program"], json!(PROGRAM));
    let after = place.json(&["info", "backup"]);
    assert_eq!(after["primitives"][0]["exclusive"], json!(false));
    assert_eq!(after["participants"], json!([]));
    for (arguments, code) in [(&["get", "nothing"][..], 3), (&["get"], 2), (&["ls"], 0)] {
        let shm = shm_itself();
        let output = place.run(&[&["lock", "backup", "--", &shm], arguments].concat());
        assert_eq!(output.status.code(), Some(code));
    }
}

#[test]
fn all_kinds_of_lock_are_held_against_programs_and_by_them() {
    let place = Place::new();
    let [mutex, reentrant, rwlock] = ["mutex", "reentrant", "rwlock"];
    let options = named::Mutex::<Goal>::options().directory(place.path());
    let program = options.create(mutex, goal()).unwrap();
    let held = program.lock().unwrap();
    let who = format!("process {}", std::process::id());
    let shm = shm_itself();
    place.fails(&["lock", mutex, "--no-wait", "--", &shm, "ls"], 124, &who);
    drop(held);
    place.locked(&[mutex], &["ls"]);

    let options = named::ReentrantMutex::<u8>::options().directory(place.path());
    options.create(reentrant, 1).unwrap();
    let mut holder = place.start_holder(reentrant, &[]);
    let program = options.open(reentrant).unwrap();
    assert!(program.try_lock().unwrap().is_none());
    place.shm(&["event", "set", "go"]);
    assert!(holder.child.wait().unwrap().success());
    assert_eq!(program.lock().unwrap().get(), 1);

    let options = named::RwLock::<Goal>::options().directory(place.path());
    let program = options.create(rwlock, goal()).unwrap();
    let read = program.read().unwrap();
    place.locked(&[rwlock, "--shared", "--timeout", "10m"], &["ls"]);
    let lock = ["lock", rwlock, "--timeout", "1ms", "-E", "77", "--", &shm, "ls"];
    place.fails(&lock, 77, &format!("cannot lock \"rwlock\": {who}"));
    assert_eq!(*read, goal());
}

#[test]
fn who_waits_has_the_lock_next() {
    let place = Place::new();
    let mut holder = place.start_holder("queue", &[]);
    let shm = shm_itself();
    let mut next = place.start(&["lock", "queue", "--", &shm, "event", "show", "go"]);
    place.await_waiting("queue", 1);
    let list = place.json(&["ls", "--sample", "0ms"]);
    let lock = &list.as_array().unwrap().iter().find(|it| it["name"] == "queue").unwrap();
    assert_eq!(lock["primitives"][0]["waiting"], json!(1));
    let waits = |it: &serde_json::Value| it["waiting"] == json!(1);
    assert_eq!(lock["participants"].as_array().unwrap().iter().filter(|it| waits(it)).count(), 1);
    place.shm(&["event", "set", "go"]);
    assert!(holder.child.wait().unwrap().success());
    assert!(next.line().starts_with("event: set"));
    assert!(next.child.wait().unwrap().success());
}

#[test]
fn why_a_command_was_not_run_is_told_by_codes_that_are_not_its_own() {
    let place = Place::new();
    let what_to_do = "a lock is held as long as a command runs: shm lock NAME -- COMMAND";
    place.fails(&["lock", "backup"], 2, what_to_do);
    place.fails(&["lock", "backup", "--no-create", "--", "x"], 125, "cannot open \"backup\"");
    place.fails(&["lock", "backup", "--", "no-such-command-here"], 127, "cannot run no-such");
    let directory = place.path().to_str().unwrap();
    place.fails(&["lock", "backup", "--", directory], 126, "cannot run ");
    place.leave("time", &1_u8);
    place.fails(&["lock", "time", "--", "x"], 125, "it is no lock, but of kind latest");
    named::Mutex::<u8>::options().directory(place.path()).create("mutex", 1).unwrap();
    let one = "cannot share \"mutex\": it is a mutex, which one at a time has";
    place.fails(&["lock", "mutex", "--shared", "--", "x"], 125, one);
    let group = Named::<[Mutex<u8>; 2]>::options().directory(place.path());
    group.create("group", [1, 2]).unwrap();
    place.fails(&["lock", "group", "--", "x"], 125, "it is a group of several");
    assert_eq!(place.json(&["info", "backup"])["participants"], json!([]));
}

#[test]
fn a_death_is_told_to_all_until_one_says_that_all_is_mended() {
    let place = Place::new();
    place.leave_marked("books");
    let shm = shm_itself();
    let told = |options: &[&str], arguments: &[&str]| {
        let output = place.run(&[&["lock", "books"], options, &["--", &shm], arguments].concat());
        let note = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), note.contains(&format!("shm: \"books\": {DIED}")))
    };
    assert_eq!(told(&[], &["ls"]), (0, true));
    assert_eq!(told(&["--shared"], &["ls"]), (0, true));
    assert_eq!(told(&["--mark-consistent"], &["get", "nothing"]), (3, true), "it is not mended");
    let program = named::RwLock::<NoData>::options().directory(place.path());
    let program = program.open("books").unwrap();
    assert!(matches!(program.try_read(), Err(LockError::OwnerDied(_))));
    assert_eq!(told(&["--mark-consistent"], &["ls"]), (0, true));
    assert_eq!(told(&["--mark-consistent"], &["ls"]), (0, false));
    drop(program.read().unwrap());
    place.fails(&["lock", "books", "--shared", "--mark-consistent", "--", "x"], 2, "cannot be");
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn the_command_is_killed_with_the_one_that_holds_the_lock_for_it() {
    let place = Place::new();
    let mut holder = place.start_holder("books", &[]);
    holder.kill();
    // The command waits for the event until it is dead.
    place.await_object("go", |it| it.participants.iter().all(|it| !it.alive));
}

#[test]
fn who_only_shared_the_lock_leaves_no_mark() {
    let place = Place::new();
    let mut holder = place.start_holder("books", &["--shared"]);
    holder.kill();
    place.shm(&["event", "set", "go"]);
    place.locked(&["books", "--no-wait"], &["ls"]);
}

#[test]
fn the_doctor_names_the_dead_with_what_they_hold() {
    let place = Place::new();
    let pid = place.leave_marked("books");
    let output = place.run(&["doctor"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let died = format!(
        "books: process {pid} ({PROGRAM}) died holding the rwlock: the next who takes it is told"
    );
    assert!(told.contains(&died), "{told}");
    let info = place.shm(&["info", "books"]);
    let gone = format!("process {pid} ({PROGRAM}) in slot 0 is gone, and still holds it");
    assert!(info.contains("\nrwlock: locked\n") && info.contains(&gone), "{info}");
    assert!(info.contains("0, at most 256; 1 died, and the next to join frees"), "{info}");
    place.shm(&["doctor", "--fix"]);
    assert_eq!(place.json(&["doctor"]), json!([]));
    let holder = place.json(&["info", "books"])["primitives"][0]["holders"][0].clone();
    assert_eq!((&holder["pid"], &holder["alive"]), (&json!(pid), &json!(false)));
    let output = place.run(&["lock", "books", "--no-wait", "--", &shm_itself(), "ls"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains(DIED));
}

#[test]
fn locks_are_listed_in_a_table_of_their_own() {
    type Parts = (Mutex<Goal>, [Condvar; 2], RwLock<[u16; 3]>);
    let place = Place::new();
    place.leave("robot/goal", &goal());
    let group = Named::<Parts>::options().directory(place.path());
    let group = group.create("group", (goal(), [(), ()], [1, 2, 3])).unwrap();
    let _held = group.2.read().unwrap();
    let limits = named::RwLock::<[u16; 3]>::options().directory(place.path());
    let limits = limits.create("limits", [1, 2, 3]).unwrap();
    let _write = limits.write().unwrap();
    let list = place.shm(&["ls", "--sample", "1ms"]);
    let rows: Vec<Vec<_>> = list
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
        .collect();
    assert_eq!((rows[0][4], rows[1][0], rows[2].len()), ("WRITERS", "robot/goal", 0));
    let headings = ["NAME", "KIND", "TYPE", "SIZE", "USERS", "WAITING", "STATE", "HELD BY", "AGE"];
    assert_eq!(rows[3], headings);
    let me = inspect_me(&place, "limits");
    let kinds = "mutex + condvar + condvar + rwlock";
    assert_eq!(rows[4][..3], ["group", "group", kinds]);
    assert_eq!(rows[4][4..8], ["1", "0", "-", &me]);
    assert_eq!(rows[5][..3], ["limits", "rwlock", "[u16; 3]"]);
    assert_eq!(rows[5][4..8], ["1", "0", "locked", &me]);

    let info = place.shm(&["info", "group"]);
    for line in [
        "  type       mutex + condvar + condvar + rwlock",
        "0 mutex, Goal, 96 B: free",
        "1.0 condvar: 0 wait, 0 notified",
        "2 rwlock, [u16; 3], 6 B: shared",
    ] {
        assert!(info.lines().any(|it| it == line), "{line} is not in\n{info}");
    }
    let report = place.json(&["info", "group"]);
    assert_eq!((&report["type"], &report["fields"]), (&json!(null), &json!([])));
    let parts = &report["primitives"];
    assert_eq!((&parts[0]["type"], &parts[3]["number"]), (&json!("Goal"), &json!("2")));
    assert_eq!((&parts[3]["shared"], &parts[3]["exclusive"]), (&json!(true), &json!(false)));
    assert_eq!(parts[0]["fields"][1]["path"], json!("at.x"));
    assert_eq!(parts[3]["holders"][0]["pid"], json!(std::process::id()));
    assert_eq!((&report["writers"], &report["sequence"]), (&json!(null), &json!(null)));
}

/// How this process is called where it is shown.
fn inspect_me(place: &Place, name: &str) -> String {
    let it = place.await_holder(name);
    let me = &it.participants[0];
    assert_eq!(me.pid, std::process::id());
    format!("{} ({})", me.pid, me.program)
}
