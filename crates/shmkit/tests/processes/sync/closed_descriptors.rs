//! A process that closes descriptors of the library harms only itself: what it held is released, as
//! after its death, and its next operation fails.

use shmkit::Object;
use shmkit::sync::LockError;

use super::actor::Actor;
use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::{Child, Link};
use crate::closed_descriptors::close_all_descriptors;
use crate::times::TIMEOUT;

/// Every way to acquire or change something.
const COMMANDS: &str = "lock, try_lock, lock 9, lock_reentrant, read, try_read, read 9, \
                        upgradable_read, try_upgradable_read, upgradable_read 9, write, \
                        try_write, write 9, acquire, try_acquire, consume, try_consume, post, \
                        join_barrier, join_latch, wait_latch, try_wait_latch, wait_event, set, \
                        reset, notify_one, notify_all, call_once";

/// Runs the commands of its task, closes its descriptors, and runs further commands.
pub(crate) fn actor(link: &mut Link) {
    let mut actor = Actor::open();
    for command in link.task().split(", ") {
        assert_eq!(actor.run(command, link), "done", "{command}");
    }
    close_all_descriptors();
    link.send("ready");
    actor.run_commands(link);
}

/// A child that ran the commands and then closed its descriptors, and its slot.
fn without_descriptors(fixture: &Fixture, commands: &str) -> (Child, u32) {
    let child = fixture.start_actor_as("actor without descriptors", commands);
    let slot = slot_of(fixture, child.id()).expect("the slot was not reaped yet");
    (child, slot)
}

fn slot_of(fixture: &Fixture, pid: u32) -> Option<u32> {
    let participants = fixture.dir.describe(NAME).participants;
    participants.into_iter().rfind(|it| it.pid == pid).map(|it| it.slot)
}

/// Opens the object a second time, and so gets the slot that the child has lost.
fn open_successor(fixture: &Fixture, lost_slot: u32) -> Object<Primitives> {
    let successor = fixture.dir.primitive::<Primitives>().open(NAME).unwrap();
    assert_eq!(slot_of(fixture, std::process::id()), Some(lost_slot));
    successor
}

#[track_caller]
fn assert_role_lost(child: &mut Child) {
    for command in COMMANDS.split(", ") {
        let answer = child.ask(command);
        assert!(answer.starts_with("RoleLost: "), "{command}: {answer}");
    }
}

#[test]
fn what_the_process_held_is_released_and_its_operations_fail() {
    let fixture = Fixture::new(1, 1);
    let commands = "lock, write, lock_reentrant, acquire, join_barrier";
    let (mut child, lost_slot) = without_descriptors(&fixture, commands);
    assert!(matches!(fixture.mutex().lock(), Err(LockError::OwnerDied(_))));
    assert!(matches!(fixture.rwlock().read(), Err(LockError::OwnerDied(_))));
    assert!(matches!(fixture.reentrant().lock(), Err(LockError::OwnerDied(_))));
    drop(fixture.semaphore().acquire().unwrap());
    drop(fixture.barrier().join().unwrap());
    assert_role_lost(&mut child);
    let successor = open_successor(&fixture, lost_slot);
    assert_role_lost(&mut child);
    drop(successor);
    assert_role_lost(&mut child);
}

#[test]
fn releasing_guards_of_a_lost_slot_takes_nothing_from_its_successor() {
    let fixture = Fixture::new(2, 1);
    let (mut child, lost_slot) =
        without_descriptors(&fixture, "read, read, lock, acquire, acquire");
    assert!(matches!(fixture.mutex().lock(), Err(LockError::OwnerDied(_))));
    let successor = open_successor(&fixture, lost_slot);
    let (mutex, rwlock, semaphore, ..) = &*successor;
    let _permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    let reader = rwlock.read().unwrap();
    let guard = mutex.lock().or_else(LockError::into_guard).unwrap();
    run(&mut child, "drop, drop, drop, drop, drop");
    assert!(fixture.rwlock().try_write().unwrap().is_none(), "the successor reads");
    assert!(fixture.mutex().try_lock().unwrap_or(None).is_none(), "the successor holds it");
    assert_eq!(fixture.semaphore().available(), 0, "the successor holds all permits");
    drop((reader, guard));
    drop(fixture.rwlock().write_timeout(TIMEOUT).unwrap());
}

#[test]
fn converting_a_guard_of_a_lost_slot_takes_nothing_from_its_successor() {
    for (acquire, convert) in [
        ("upgradable_read", "downgrade"),
        ("write", "downgrade"),
        ("read", "try_upgrade"),
        ("read", "try_into_upgradable"),
    ] {
        let fixture = Fixture::new(0, 1);
        let (mut child, lost_slot) = without_descriptors(&fixture, acquire);
        drop(fixture.rwlock().write().or_else(LockError::into_guard).unwrap());
        let successor = open_successor(&fixture, lost_slot);
        let answer = child.ask(convert);
        assert!(answer == "done" || answer.starts_with("RoleLost: "), "{convert}: {answer}");
        let writer = successor.1.write_timeout(TIMEOUT).or_else(LockError::into_guard);
        drop(writer.expect("no share is left in the slot"));
        run(&mut child, "drop");
        let reader = successor.1.read().or_else(LockError::into_guard).unwrap();
        assert!(fixture.rwlock().try_write().unwrap_or(None).is_none());
        drop(reader);
    }
}
