//! A process that closes descriptors which are not its own harms itself alone: what it had goes to
//! others, as after its death, and it is told at its next operation.

use shmkit::sync::LockError;
use shmkit::sync::named::Named;

use super::actor::Actor;
use super::stage::{NAME, Plant, SOON, Stage, told};
use crate::children::{Child, Link};

/// Every way to take or to change something.
const OPERATIONS: &str = "lock, try lock, lock 9, nest, read, try read, read 9, keep, try keep, \
                          keep 9, write, try write, write 9, acquire, try acquire, consume, \
                          try consume, post, join, enrol, pass, try pass, await, set, reset, \
                          notify, notify-all, do";

/// Takes what its task says, and loses what proves that it lives.
pub(crate) fn actor(link: &mut Link) {
    let mut actor = Actor::open();
    for word in link.task().split(", ") {
        assert_eq!(actor.act(word, link), "done", "{word}");
    }
    // SAFETY: what used the descriptors is told at its next use that they are closed.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
    link.say("closed");
    loop {
        let word = link.hear();
        let answer = actor.act(&word, link);
        link.say(answer);
    }
}

/// One that has lost its descriptors, and its place.
fn without_descriptors(stage: &Stage, task: &str) -> (Child, u32) {
    let mut child = Child::start(&stage.place, "actor without descriptors", task);
    assert_eq!(child.hear(), "closed");
    let slot = slot_of(stage, child.id()).expect("nobody has asked about it yet");
    (child, slot)
}

fn slot_of(stage: &Stage, pid: u32) -> Option<u32> {
    let members = stage.place.describe(NAME).participants;
    members.into_iter().rfind(|member| member.pid == pid).map(|member| member.slot)
}

/// Attaches once more, and is given the place of the one that lost it.
fn in_its_place(stage: &Stage, lost: u32) -> Named<Plant> {
    let next = Named::<Plant>::options().directory(stage.place.path()).open(NAME).unwrap();
    assert_eq!(slot_of(stage, std::process::id()), Some(lost));
    next
}

#[track_caller]
fn is_told(child: &mut Child) {
    for word in OPERATIONS.split(", ") {
        let answer = child.ask(word);
        assert!(answer.starts_with("RoleLost: "), "{word}: {answer}");
    }
}

#[test]
fn what_it_held_goes_to_others_and_it_is_told() {
    let stage = Stage::new(1, 1);
    let (mut child, lost) = without_descriptors(&stage, "lock, write, nest, acquire, join");
    assert!(matches!(stage.mutex().lock(), Err(LockError::OwnerDied(_))));
    assert!(matches!(stage.rwlock().read(), Err(LockError::OwnerDied(_))));
    assert!(matches!(stage.reentrant().lock(), Err(LockError::OwnerDied(_))));
    drop(stage.semaphore().acquire().unwrap());
    drop(stage.barrier().join().unwrap());
    is_told(&mut child);
    let next = in_its_place(&stage, lost);
    is_told(&mut child);
    drop(next);
    is_told(&mut child);
}

#[test]
fn what_it_gives_back_is_not_taken_from_its_successor() {
    let stage = Stage::new(2, 1);
    let (mut child, lost) = without_descriptors(&stage, "read, read, lock, acquire, acquire");
    assert!(matches!(stage.mutex().lock(), Err(LockError::OwnerDied(_))));
    let next = in_its_place(&stage, lost);
    let (mutex, rwlock, semaphore, ..) = &*next;
    let _permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    let reader = rwlock.read().unwrap();
    let guard = mutex.lock().or_else(LockError::into_guard).unwrap();
    told(&mut child, "drop, drop, drop, drop, drop");
    assert!(stage.rwlock().try_write().unwrap().is_none(), "the successor's share");
    assert!(stage.mutex().try_lock().unwrap_or(None).is_none(), "the successor's lock");
    assert_eq!(stage.semaphore().available(), 0, "the successor's permits");
    drop((reader, guard));
    drop(stage.rwlock().write_timeout(SOON).unwrap());
}

#[test]
fn what_it_turns_into_something_else_is_not_its_successor_s() {
    for (takes, transfer) in
        [("keep", "to read"), ("write", "to read"), ("read", "try upgrade"), ("read", "to keep")]
    {
        let stage = Stage::new(0, 1);
        let (mut child, lost) = without_descriptors(&stage, takes);
        drop(stage.rwlock().write().or_else(LockError::into_guard).unwrap());
        let next = in_its_place(&stage, lost);
        let answer = child.ask(transfer);
        assert!(answer == "done" || answer.starts_with("RoleLost: "), "{transfer}: {answer}");
        let writer = next.1.write_timeout(SOON).or_else(LockError::into_guard);
        drop(writer.expect("no share is left there"));
        told(&mut child, "drop");
        let reader = next.1.read().or_else(LockError::into_guard).unwrap();
        assert!(stage.rwlock().try_write().unwrap_or(None).is_none());
        drop(reader);
    }
}
