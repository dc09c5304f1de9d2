//! `get` and `set` on values in locks and in groups.

use serde_json::json;
use shmkit::Object;
use shmkit::sync::{Condvar, LockError, Mutex, RwLock, named};

use crate::{GOAL, Goal, Mode, PROGRAM, TestDir, goal};

const DIED: &str = "a process died while it held the lock, and the data may be half-changed";

#[test]
fn the_value_in_a_lock_is_read_and_changed() {
    let dir = TestDir::new();
    let mutex = named::Mutex::<Goal>::options().directory(dir.path());
    let mutex = mutex.create("mutex", goal()).unwrap();
    let reentrant = named::ReentrantMutex::<u8>::options().directory(dir.path());
    let reentrant = reentrant.create("reentrant", 1).unwrap();
    let rwlock = named::RwLock::<[u16; 300]>::options().directory(dir.path());
    let rwlock = rwlock.create("rwlock", [5; 300]).unwrap();
    assert_eq!(dir.shm(&["get", "mutex"]), format!("{GOAL}\n"));
    assert_eq!(dir.shm(&["get", "mutex", "at.x", "mode"]), "at.x=1.5 mode=Driving\n");
    assert_eq!(dir.shm(&["get", "reentrant"]), "1\n");
    dir.shm(&["set", "mutex", "at.x=7", "mode=Parked"]);
    dir.shm(&["set", "reentrant", "2"]);
    let report = dir.json(&["set", "rwlock", "[299]=6"]);
    assert_eq!((&report["sequence"], &report["value"][299]), (&json!(null), &json!(6)));
    {
        let goal = mutex.lock().unwrap();
        assert_eq!((goal.at.x, goal.at.y, goal.mode), (7.0, -0.5, Mode::Parked));
        assert_eq!(reentrant.lock().unwrap().get(), 2);
        // A reader does not exclude `get`.
        let numbers = rwlock.read().unwrap();
        assert_eq!((numbers[298], numbers[299]), (5, 6));
        assert_eq!(dir.shm(&["get", "rwlock", "[299]", "--no-wait"]), "6\n");
    }
    dir.fails(&["set", "mutex", "mode=Flying"], 2, "cannot set \"mutex\": mode: \"Flying\" is not");
    dir.fails(&["get", "mutex", "z"], 2, "cannot get \"mutex\": the value has no field z");
    let other = "--mark-consistent is for locks";
    dir.leave("level", &0.5_f64);
    dir.fails(&["set", "level", "1", "--mark-consistent"], 2, other);
}

#[test]
fn a_held_lock_is_waited_for_up_to_a_limit() {
    let dir = TestDir::new();
    let mutex = named::Mutex::<u32>::options().directory(dir.path()).create("count", 1).unwrap();
    let mut guard = mutex.lock().unwrap();
    let me = &dir.await_object("count", |it| it.participants.len() == 1).participants[0];
    let who = format!("process {} ({}) in slot 0", me.pid, me.program);
    dir.fails(&["get", "count", "--no-wait"], 8, &who);
    dir.fails(&["set", "count", "5", "--timeout", "0.001"], 8, &who);
    let mut set = dir.start(&["set", "count", "5"]);
    let mut get = dir.start(&["get", "count"]);
    let waiting = |what: &str| format!("shm: waiting to {what} \"count\": {who} holds it");
    assert!(set.note().unwrap().starts_with(&waiting("set")));
    assert!(get.note().unwrap().starts_with(&waiting("get")));
    *guard = 4;
    drop(guard);
    assert!(set.child.wait().unwrap().success());
    assert!(["4", "5"].contains(&&*get.line()));
    assert_eq!(*mutex.lock().unwrap(), 5);
}

#[test]
fn a_part_of_a_group_is_named_by_its_number() {
    type Parts = (Mutex<Goal>, [Condvar; 2], [RwLock<[u16; 3]>; 2], Mutex);
    let dir = TestDir::new();
    let group = Object::<Parts>::options().directory(dir.path());
    let initial = (goal(), [(), ()], [[1, 2, 3], [4, 5, 6]], Default::default());
    let group = group.create("group", initial).unwrap();
    assert_eq!(dir.shm(&["get", "group", "0"]), format!("{GOAL}\n"));
    assert_eq!(dir.shm(&["get", "group", "0.at.x"]), "1.5\n");
    assert_eq!(dir.shm(&["get", "group", "2.1[2]", "2.1[0]"]), "[2]=6 [0]=4\n");
    dir.shm(&["set", "group", "2.1[2]=9", "2.1[0]=8"]);
    dir.shm(&["set", "group", "2.0=[7, 7, 7]"]);
    dir.shm(&["set", "group", "0.label=a=b"]);
    assert_eq!(*group.2[0].read().unwrap(), [7, 7, 7]);
    assert_eq!(*group.2[1].read().unwrap(), [8, 5, 9]);
    assert_eq!(&*group.0.lock().unwrap().label, "a=b");
    let held = group.2[1].write().unwrap();
    dir.fails(&["get", "group", "2.1", "--no-wait"], 8, "cannot lock \"group\": process ");
    dir.fails(&["set", "group", "2.1[0]=1", "--no-wait"], 8, "cannot lock \"group\": process ");
    assert_eq!(dir.shm(&["get", "group", "2.0[0]", "--no-wait"]), "7\n");
    drop(held);

    let parts = "its parts with a value are 0 (mutex), 2.0 (rwlock), 2.1 (rwlock)";
    let whole = format!("cannot get \"group\": it is a group, and {parts}: shm get group 0\n");
    dir.fails(&["get", "group"], 2, &whole);
    dir.fails(&["set", "group", "5=1"], 2, &format!("{parts}: shm set group 0=VALUE\n"));
    dir.fails(
        &["get", "group", "5"],
        2,
        &format!("5 does not begin with a part: it is a group, and {parts}"),
    );
    dir.fails(&["set", "group", "0.mode=Parked", "2.0[0]=1"], 2, "2.0[0]=1 is not in part 0");
    dir.fails(&["set", "group", "2.0"], 2, "write PART=VALUE");
    // What is no value is refused in the same words as in an object of its own.
    dir.leave("alone", &[1_u16, 2, 3]);
    for (object, part) in [("alone", ""), ("group", "2.0=")] {
        let why = format!("cannot set \"{object}\": value: \"\" is not in brackets");
        dir.fails(&["set", object, part], 2, &why);
    }
    dir.fails(&["set", "group", "0="], 2, "\"\" is not FIELD=VALUE: the fields are ");
    for path in ["2.0=x", "0=mode"] {
        dir.fails(&["get", "group", path], 2, &format!("{path} does not begin with a part: "));
    }
    let no_value = "cannot get \"group\": part 1.0 is of kind condvar and has no value";
    dir.fails(&["get", "group", "1.0"], 7, no_value);
    dir.fails(&["get", "group", "3"], 7, "part 3 is of kind mutex and has no value");
    dir.shm(&["event", "create", "event"]);
    dir.fails(&["get", "event"], 7, "it is of kind event and has no value: `shm info` shows");
    assert_eq!(&*group.0.lock().unwrap().label, "a=b", "nothing has changed");
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_replaced_by_one_without_a_value_while_it_is_opened_is_refused() {
    let dir = TestDir::new();
    let options = named::Mutex::<u32>::options().directory(dir.path()).max_participants(1);
    let only = options.create("count", 1).unwrap();
    let mut get = dir.start(&["get", "count"]);
    // It has the object open, and waits for the only slot.
    dir.await_object("count", |it| it.readers == 1);
    let other = TestDir::new();
    other.shm(&["lock", "count", "--", "true"]);
    let path = |dir: &TestDir| dir.path().join("count.shmkit");
    std::fs::rename(path(&other), path(&dir)).unwrap();
    drop(only);
    let told = get.note().unwrap();
    let why = "cannot get \"count\": it is of kind rwlock and has no value: `shm info` shows";
    assert!(told.starts_with(&format!("shm: {why}")), "{told}");
    assert_eq!(get.child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_dead_holder_is_reported_and_its_value_can_be_repaired() {
    let dir = TestDir::new();
    let mutex = named::Mutex::<u32>::options().directory(dir.path()).create("count", 1).unwrap();
    let mut holder = dir.start_holder(&["lock", "count"]);
    holder.kill();
    let told = |arguments: &[&str]| {
        let output = dir.run(arguments);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap().contains(&format!("shm: \"count\": {DIED}"))
    };
    assert!(told(&["get", "count"]));
    assert!(told(&["set", "count", "2"]));
    match mutex.lock() {
        Err(LockError::OwnerDied(guard)) => assert_eq!(*guard, 2),
        other => panic!("{PROGRAM}: {other:?}"),
    }
    assert!(!told(&["set", "count", "3", "--mark-consistent"]));
    assert_eq!(*mutex.lock().unwrap(), 3);
}
