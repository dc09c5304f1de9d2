//! A forked child does not own the locks and permits that it inherits: neither its operations on
//! them nor its end change anything for its parent or for others.

use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use shmkit::sync::{Barrier, Reset, named};
use shmkit::{CancelToken, Error, ErrorKind};

use super::actor::{Actor, Held};
use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::{Child, Link};
use crate::fork::{fork, outcome};
use crate::test_dir::{TestDir, kind, open};

/// Every command that uses an inherited handle.
const COMMANDS: &str = "lock, try_lock, lock 9, lock_reentrant, try_lock_reentrant, \
                        lock_reentrant 9, read, try_read, read 9, upgradable_read, \
                        try_upgradable_read, upgradable_read 9, write, try_write, write 9, \
                        acquire, try_acquire, acquire 9, consume, try_consume, consume 9, post, \
                        join_barrier, join_latch, wait_latch, try_wait_latch, wait_latch 9, \
                        wait_event, try_wait_event, wait_event 9, set, reset, notify_one, \
                        notify_all, call_once";

/// Runs the commands of its task, and forks. Then the child runs commands until `end`, and after
/// the child's end the parent does.
pub(crate) fn forking_actor(link: &mut Link) {
    let mut actor = Actor::open();
    for command in link.task().split(", ") {
        assert_eq!(actor.run(command, link), "done", "{command}");
    }
    let child = fork(|| {
        link.send("ready");
        assert_eq!(link.receive(), "use inherited");
        let not_forked = use_inherited(&mut actor, link);
        link.send(not_forked.join(", "));
        assert_eq!(link.receive(), "open");
        let mut own = Actor::open();
        link.send("ready");
        own.run_commands(link);
        // The child ends with what it holds.
        std::mem::forget(own);
    });
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    link.send("the child ended");
    actor.run_commands(link);
}

/// Arrives at a barrier alone, and forks after its timeout. The child waits on, and reports the
/// outcome.
pub(crate) fn forking_party(link: &mut Link) {
    let barrier = open::<Barrier>(NAME);
    let mut party = barrier.join().unwrap();
    assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
    let child = fork(|| {
        link.send(outcome(party.wait()));
        std::mem::forget(party);
    });
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    link.send("the child ended");
    link.receive();
}

/// Forks while one thread sleeps under a token, and the forking one runs under it. The child cancels
/// the token, and waits under it.
pub(crate) fn forking_under_a_token(link: &mut Link) {
    let (token, barrier) = (CancelToken::new(), open::<Barrier>(NAME));
    std::thread::scope(|scope| {
        let mut party = barrier.join().unwrap();
        let sleeper = scope.spawn(|| token.run(move || kind(party.wait())));
        link.send("a thread begins to wait");
        assert_eq!(link.receive(), "it waits");
        let child = token.run(|| {
            fork(|| {
                token.cancel();
                let options = named::Event::options();
                let own = options.open_or_create("own", Reset::Manual).unwrap();
                let waited = token.run(|| own.wait_timeout(Duration::from_millis(1)));
                link.send(format!("{:?} {}", kind(waited), token.is_cancelled()));
            })
        });
        waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
        link.send(token.is_cancelled());
        token.cancel();
        link.send(format!("{:?}", sleeper.join().unwrap()));
    });
}

#[test]
fn a_forked_child_does_not_cancel_the_token_of_its_parent_and_does_not_hang() {
    let dir = TestDir::new();
    let _barrier = dir.primitive::<Barrier>().create(NAME, 2).unwrap();
    let mut child = Child::start(&dir, "forking under a token", "");
    assert_eq!(child.receive(), "a thread begins to wait");
    dir.wait_for_waiters(NAME, 1);
    child.send("it waits");
    assert_eq!(child.receive(), "TimedOut false", "in the forked child");
    assert_eq!(child.receive(), "false", "in its parent");
    assert_eq!(child.receive(), "Cancelled");
}

#[test]
fn an_inherited_barrier_party_answers_forked() {
    let dir = TestDir::new();
    let _barrier = dir.primitive::<Barrier>().create(NAME, 2).unwrap();
    let mut child = Child::start(&dir, "forking party", "");
    assert_eq!(child.receive(), "Forked");
    assert_eq!(child.receive(), "the child ended");
}

/// Runs every command, and uses every guard. Returns what did not answer `Forked`.
fn use_inherited(actor: &mut Actor, link: &mut Link) -> Vec<String> {
    let mut others = Vec::new();
    for command in COMMANDS.split(", ") {
        let answer = actor.run(command, link);
        if !answer.starts_with("Forked: ") {
            others.push(format!("{command}: {answer}"));
        }
    }
    let primitives = actor.primitives;
    while let Some(held) = actor.held.pop() {
        let kind = use_held(primitives, held);
        if let Some(kind) = kind.filter(|it| *it != ErrorKind::Forked) {
            others.push(format!("a guard or party: {kind:?}"));
        }
    }
    others
}

/// Uses a guard or party in every way, and drops it. Returns the kind of the error, if there was
/// one.
fn use_held(primitives: &Primitives, held: Held) -> Option<ErrorKind> {
    let (.., (condvar, _, _)) = primitives;
    let error: Error = match held {
        Held::Mutex(guard) => condvar.wait(guard).err().map(Into::into)?,
        Held::Reentrant(guard) => condvar.wait(guard).err().map(Into::into)?,
        Held::Read(guard) => {
            let not = guard.try_upgrade().err()?;
            not.guard.try_into_upgradable().err()?.error?
        }
        Held::Upgradable(guard) => {
            let not = guard.try_upgrade().err()?;
            let not = not.guard.upgrade().err()?;
            let error = not.error;
            drop(not.guard.downgrade());
            error?
        }
        Held::Write(guard) => {
            drop(guard.downgrade_to_upgradable().downgrade());
            return None;
        }
        Held::Permit(permit) => {
            permit.forget();
            return None;
        }
        Held::BarrierParty(mut party) => party.wait().err()?,
        Held::LatchParty(party) => party.count_down().err()?,
    };
    Some(error.kind())
}

/// Checks that the parent still holds all that it acquired, its `RwLock` in the mode `access`.
#[track_caller]
fn assert_held_by_parent(fixture: &Fixture, access: &str) {
    assert!(fixture.mutex().try_lock().unwrap().is_none());
    assert!(fixture.reentrant().try_lock().unwrap().is_none());
    let rwlock = fixture.rwlock();
    assert!(rwlock.try_write().unwrap().is_none());
    assert_eq!(rwlock.try_read().unwrap().is_some(), access != "write");
    assert_eq!(rwlock.try_upgradable_read().unwrap().is_some(), access == "read");
    assert_eq!(kind(fixture.barrier().join()), ErrorKind::Full);
    assert_eq!(kind(fixture.latch().join()), ErrorKind::Full);
}

#[test]
fn inherited_handles_and_guards_answer_forked_and_change_nothing() {
    for access in ["read", "upgradable_read", "write"] {
        let fixture = Fixture::new(2, 1);
        let task = format!(
            "lock, lock_reentrant, lock_reentrant, {access}, acquire, join_barrier, join_latch"
        );
        let mut family = fixture.start_actor_as("forking actor", &task);
        assert_held_by_parent(&fixture, access);
        assert_eq!(family.ask("use inherited"), "", "with {access}");
        assert_held_by_parent(&fixture, access);
        assert_eq!(fixture.semaphore().available(), 1);

        assert_eq!(family.ask("open"), "ready");
        assert_eq!(family.ask("try_lock"), "refused");
        let answer = family.ask("lock 120");
        let parent = format!("process {} (", family.id());
        assert!(answer.starts_with("TimedOut: ") && answer.contains(&parent), "{answer}");
        assert_eq!(family.ask("try_lock_reentrant"), "refused");
        assert_eq!(family.ask("try_write"), "refused");
        run(&mut family, "acquire, set, try_wait_event");
        assert_eq!(family.ask("try_acquire"), "refused");

        assert_eq!(family.ask("end"), "the child ended");
        assert_held_by_parent(&fixture, access);
        drop(fixture.semaphore().acquire().expect("the child's permit"));
        assert_eq!(fixture.semaphore().available(), 1);
        fixture.condvar().notify_all().unwrap();
        assert_eq!(family.ask("try_lock"), "refused", "the parent itself holds the lock");
        run(&mut family, "count_down, wait_barrier, drop, drop, drop, drop, drop, drop");
        assert_eq!(fixture.semaphore().available(), 2);
        drop(fixture.mutex().lock().expect("no owner death"));
        drop(fixture.reentrant().lock().expect("no owner death"));
        drop(fixture.rwlock().write().expect("no owner death"));
    }
}

#[test]
fn death_of_the_parent_is_reported_while_its_forked_child_lives() {
    let fixture = Fixture::new(1, 1);
    let task = "lock, lock_reentrant, write, acquire, join_barrier";
    let mut family = fixture.start_actor_as("forking actor", task);
    assert_eq!(family.ask("use inherited"), "");
    assert_eq!(family.ask("open"), "ready");
    family.kill();
    assert_eq!(kind(fixture.mutex().lock().map_err(Into::into)), ErrorKind::OwnerDied);
    assert_eq!(kind(fixture.reentrant().lock().map_err(Into::into)), ErrorKind::OwnerDied);
    assert_eq!(kind(fixture.rwlock().read().map_err(Into::into)), ErrorKind::OwnerDied);
    drop(fixture.semaphore().acquire().unwrap());
    drop(fixture.barrier().join().expect("the place of the parent's party"));
    assert_eq!(fixture.dir.describe(NAME).parts.len(), 9);
    // The child lives, and holds what it acquires itself.
    assert_eq!(family.ask("lock"), "OwnerDied");
    run(&mut family, "mark_consistent, acquire");
    assert!(fixture.mutex().try_lock().unwrap().is_none());
    assert!(fixture.semaphore().try_acquire().unwrap().is_none());
    run(&mut family, "drop, drop");
    drop(fixture.mutex().lock().expect("the child marked it consistent"));
}
