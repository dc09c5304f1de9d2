//! What a forked child inherits of locks and the like is not its own: nothing that it does with it,
//! and not its end, changes anything for its parent or for others.

use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use shmkit::sync::named;
use shmkit::{Error, ErrorKind};

use super::actor::{Actor, Held};
use super::stage::{NAME, Plant, Stage, told};
use crate::children::{Child, Link};
use crate::fork::{fork, outcome};
use crate::place::{Place, kind};

/// What is done with an inherited handle, in words for an actor.
const OPERATIONS: &str = "lock, try lock, lock 9, nest, try nest, nest 9, read, try read, read 9, \
                          keep, try keep, keep 9, write, try write, write 9, acquire, try acquire, \
                          acquire 9, consume, try consume, consume 9, post, join, enrol, pass, \
                          try pass, pass 9, await, try await, await 9, set, reset, notify, \
                          notify-all, do";

/// Takes what its task says, and forks. The child answers for itself until it is told to end; then
/// its parent does.
pub(crate) fn forked_actor(link: &mut Link) {
    let mut actor = Actor::open();
    for word in link.task().split(", ") {
        assert_eq!(actor.act(word, link), "done", "{word}");
    }
    let child = fork(|| {
        link.say("forked");
        assert_eq!(link.hear(), "inherited");
        let not_forked = use_what_was_inherited(&mut actor, link);
        link.say(not_forked.join(", "));
        assert_eq!(link.hear(), "open");
        let mut own = Actor::open();
        link.say("ready");
        answer(&mut own, link);
        // With what it holds.
        std::mem::forget(own);
    });
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    link.say("the child ended");
    answer(&mut actor, link);
}

fn answer(actor: &mut Actor, link: &mut Link) {
    loop {
        let word = link.hear();
        if word == "end" {
            return;
        }
        let answer = actor.act(&word, link);
        link.say(answer);
    }
}

/// Comes to a barrier to which nobody else comes, and forks once its time is over. The child tells
/// what it is told when it waits on.
pub(crate) fn forked_party(link: &mut Link) {
    let barrier = named::Barrier::open_or_create(NAME, 2).unwrap();
    let mut party = barrier.join().unwrap();
    assert_eq!(kind(party.wait_timeout(Duration::ZERO)), ErrorKind::TimedOut);
    let child = fork(|| {
        link.say(outcome(party.wait()));
        std::mem::forget(party);
    });
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    link.say("the child ended");
    link.hear();
}

#[test]
fn a_party_that_came_before_the_fork_does_not_wait_for_its_parent() {
    let place = Place::new();
    let mut child = Child::start(&place, "forked party", "");
    assert_eq!(child.hear(), "Forked");
    assert_eq!(child.hear(), "the child ended");
}

/// Does everything with everything. Tells what did not answer `Forked`.
fn use_what_was_inherited(actor: &mut Actor, link: &mut Link) -> Vec<String> {
    let mut others = Vec::new();
    for word in OPERATIONS.split(", ") {
        let answer = actor.act(word, link);
        if !answer.starts_with("Forked: ") {
            others.push(format!("{word}: {answer}"));
        }
    }
    let plant = actor.plant;
    while let Some(held) = actor.held.pop() {
        let kind = use_held(plant, held);
        if let Some(kind) = kind.filter(|it| *it != ErrorKind::Forked) {
            others.push(format!("with what was held: {kind:?}"));
        }
    }
    others
}

/// Does what can be done with a guard, and lets it go. The kind of the error, where it gives one.
fn use_held(plant: &Plant, held: Held) -> Option<ErrorKind> {
    let (.., (condvar, _, _)) = plant;
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
        Held::Party(mut party) => party.wait().err()?,
        Held::Expected(party) => party.count_down().err()?,
    };
    Some(error.kind())
}

/// What the parent took is still its own.
#[track_caller]
fn parent_has_it(stage: &Stage, how: &str) {
    assert!(stage.mutex().try_lock().unwrap().is_none());
    assert!(stage.reentrant().try_lock().unwrap().is_none());
    assert!(stage.rwlock().try_write().unwrap().is_none());
    assert_eq!(stage.rwlock().try_read().unwrap().is_some(), how != "write");
    assert_eq!(stage.rwlock().try_upgradable_read().unwrap().is_some(), how == "read");
    assert_eq!(kind(stage.barrier().join()), ErrorKind::Full);
    assert_eq!(kind(stage.latch().join()), ErrorKind::Full);
}

#[test]
fn inherited_handles_and_guards_answer_forked_and_change_nothing() {
    for how in ["read", "keep", "write"] {
        let stage = Stage::new(2, 1);
        let task = format!("lock, nest, nest, {how}, acquire, join, enrol");
        let mut family = Child::start(&stage.place, "forked actor", task);
        assert_eq!(family.hear(), "forked");
        parent_has_it(&stage, how);
        assert_eq!(family.ask("inherited"), "", "in the way of {how}");
        parent_has_it(&stage, how);
        assert_eq!(stage.semaphore().available(), 1);

        assert_eq!(family.ask("open"), "ready");
        assert_eq!(family.ask("try lock"), "refused");
        let answer = family.ask("lock 120");
        let parent = format!("process {} (", family.id());
        assert!(answer.starts_with("TimedOut: ") && answer.contains(&parent), "{answer}");
        assert_eq!(family.ask("try nest"), "refused");
        assert_eq!(family.ask("try write"), "refused");
        told(&mut family, "acquire, set, try await");
        assert_eq!(family.ask("try acquire"), "refused");

        assert_eq!(family.ask("end"), "the child ended");
        parent_has_it(&stage, how);
        drop(stage.semaphore().acquire().expect("the child's permit came back, and no other"));
        assert_eq!(stage.semaphore().available(), 1);
        stage.condvar().notify_all().unwrap();
        assert_eq!(family.ask("try lock"), "refused", "another has it: the parent itself");
        told(&mut family, "come, meet, drop, drop, drop, drop, drop, drop");
        assert_eq!(stage.semaphore().available(), 2);
        drop(stage.mutex().lock().expect("no death is told"));
        drop(stage.reentrant().lock().expect("no death is told"));
        drop(stage.rwlock().write().expect("no death is told"));
    }
}

#[test]
fn a_parent_s_death_is_told_although_its_forked_child_lives() {
    let stage = Stage::new(1, 1);
    let task = "lock, nest, write, acquire, join";
    let mut family = Child::start(&stage.place, "forked actor", task);
    assert_eq!(family.hear(), "forked");
    assert_eq!(family.ask("inherited"), "");
    assert_eq!(family.ask("open"), "ready");
    family.kill();
    assert_eq!(kind(stage.mutex().lock().map_err(Into::into)), ErrorKind::OwnerDied);
    assert_eq!(kind(stage.reentrant().lock().map_err(Into::into)), ErrorKind::OwnerDied);
    assert_eq!(kind(stage.rwlock().read().map_err(Into::into)), ErrorKind::OwnerDied);
    drop(stage.semaphore().acquire().unwrap());
    drop(stage.barrier().join().expect("its place is free"));
    assert_eq!(stage.place.describe(NAME).primitives().len(), 9);
    // The child lives, and has what it takes itself.
    assert_eq!(family.ask("lock"), "OwnerDied");
    told(&mut family, "mend, acquire");
    assert!(stage.mutex().try_lock().unwrap().is_none());
    assert!(stage.semaphore().try_acquire().unwrap().is_none());
    told(&mut family, "drop, drop");
    drop(stage.mutex().lock().expect("it was mended"));
}
