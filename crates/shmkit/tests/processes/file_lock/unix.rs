//! Forked children, other users, closed descriptors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use shmkit::sync::FileLock;

use super::site;
use crate::children::{Child, Link};
use crate::fork::{fork, outcome, raw_fork};
use crate::strangers::{become_a_stranger, refused, with_stranger_who_is};

/// Locks and forks. The child tells what an inherited handle answers, drops the inherited guard,
/// and does what it is told with a handle of its own.
pub(crate) fn forker_with_a_lock(link: &mut Link) {
    let task = link.task();
    let (how, path) = task.split_once(' ').unwrap();
    let [mut held, mut idle] = [(); 2].map(|()| FileLock::open(path).unwrap());
    let mut guard = Some(held.lock().unwrap());
    let inside = || {
        let answers = [
            idle.try_lock().map(|_| ()),
            idle.lock().map(drop),
            idle.read_timeout(super::MOMENT).map(drop),
        ];
        link.say(answers.map(outcome).join(" "));
        assert_eq!(link.hear(), "drop");
        drop(guard.take());
        link.say("dropped");
        let mut own = FileLock::open(path).unwrap();
        loop {
            assert_eq!(link.hear(), "try lock");
            let taken = own.try_lock().unwrap().is_some();
            link.say(if taken { "had it" } else { "another has it" });
        }
    };
    match how {
        "fork" => fork(inside),
        "raw" => raw_fork(inside),
        other => unreachable!("{other}"),
    };
    loop {
        std::thread::park();
    }
}

#[test]
fn a_forked_child_neither_keeps_its_parent_s_lock_nor_drops_it() {
    let (place, path) = site();
    let mut lock = FileLock::open(&path).unwrap();
    let mut family = Child::start(&place, "forker with a lock", format!("fork {}", path.display()));
    assert_eq!(family.hear(), "Forked Forked Forked");
    assert_eq!(family.ask("drop"), "dropped");
    assert!(lock.try_read().unwrap().is_none(), "the parent has it");
    assert_eq!(family.ask("try lock"), "another has it");

    family.kill();
    drop(lock.try_lock().unwrap().expect("the parent is dead, although its child lives"));
    assert_eq!(family.ask("try lock"), "had it");
}

/// Where no handler runs the child keeps the lock until it ends or executes a program: PLATFORM.md.
#[test]
fn a_child_that_was_forked_past_all_handlers_does_not_drop_its_parent_s_lock() {
    let (place, path) = site();
    let mut lock = FileLock::open(&path).unwrap();
    let mut family = Child::start(&place, "forker with a lock", format!("raw {}", path.display()));
    assert_eq!(family.hear(), "Forked Forked Forked");
    assert_eq!(family.ask("drop"), "dropped");
    assert!(lock.try_read().unwrap().is_none());
    assert_eq!(family.ask("try lock"), "another has it");
}

/// Loses its descriptors, and has other locks under their numbers.
pub(crate) fn locker_without_descriptors(link: &mut Link) {
    let path = PathBuf::from(link.task());
    let mut lock = FileLock::open(&path).unwrap();
    let guard = lock.lock().unwrap();
    // SAFETY: what used the descriptors compares what it finds in their place.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
    let open = |number: &u32| {
        FileLock::open_or_create(path.with_file_name(format!("other {number}"))).unwrap()
    };
    let numbers: Vec<u32> = (0..8).collect();
    let mut others: Vec<_> = numbers.iter().map(open).collect();
    let held: Vec<_> = others.iter_mut().map(|other| other.lock().unwrap()).collect();
    drop(guard);
    link.say(lock.try_lock().expect_err("it is closed"));
    drop(lock);
    let free = |number: &&u32| open(number).try_read().unwrap().is_some();
    link.say(format!("{:?}", numbers.iter().filter(free).collect::<Vec<_>>()));
    drop(held);
}

#[test]
fn one_that_closed_its_descriptors_unlocks_nothing_of_others() {
    let (place, path) = site();
    let mut child = Child::start(&place, "locker without descriptors", path.display());
    let answer = child.hear();
    assert!(answer.contains("the process closed the file's descriptor"), "{answer}");
    assert!(answer.contains(path.to_str().unwrap()), "{answer}");
    assert_eq!(child.hear(), "[]", "these were unlocked");
}

/// A user without rights who tries to lock what it is told.
pub(crate) fn stranger_with_locks(link: &mut Link) {
    become_a_stranger(link);
    loop {
        let path = link.hear();
        let answer = FileLock::open_or_create(&path).and_then(|mut lock| {
            drop(lock.read()?);
            link.say("it can be shared");
            drop(lock.lock()?);
            Ok(())
        });
        link.say(answer.map_or_else(|it| format!("{:?}: {it}", it.kind()), |()| "locked".into()));
    }
}

#[test]
fn what_a_user_may_only_read_he_can_share_and_no_more() {
    let Some((place, mut child)) = with_stranger_who_is("stranger with locks") else { return };
    let path = place.path().join("lock");
    let set_mode =
        |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut lock = FileLock::open_or_create(&path).unwrap();
    let ask = |child: &mut Child| child.ask(path.display());
    let cannot = |what: &str| format!(r#"cannot {what} "{}": "#, path.display());

    refused(&ask(&mut child), &cannot("open"));
    set_mode(path.as_path(), 0o644);
    assert_eq!(ask(&mut child), "it can be shared");
    refused(&child.hear(), &format!("{}the file may only be read", cannot("lock")));
    set_mode(path.as_path(), 0o666);
    assert_eq!(ask(&mut child), "it can be shared");
    assert_eq!(child.hear(), "locked");

    // Whoever may read can keep writers out.
    set_mode(path.as_path(), 0o644);
    drop(lock.lock().unwrap());
    set_mode(place.path(), 0o755);
    fs::remove_file(&path).unwrap();
    refused(&ask(&mut child), &cannot("open"));
}
