//! Where Boost.Interprocess fails between processes: each is a test here.

use std::time::{Duration, Instant};

use shmkit::sync::named::Named;
use shmkit::sync::{LockError, Mutex, Semaphore};
#[cfg(unix)]
use shmkit::{Access, sync::named};
use shmkit::{Error, ErrorKind};

use super::stage::{SOON, Stage, told};
#[cfg(unix)]
use crate::children::{Child, Link};
use crate::place::{Place, kind};

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn a_killed_holder_s_mutex_goes_to_the_next_who_is_told_and_mends_it() {
    let stage = Stage::new(0, 1);
    let [mut holder, mut waiter] = [stage.actor(), stage.actor()];
    for take in ["lock", "write"] {
        told(&mut holder, take);
        assert_eq!(holder.ask("add"), "1");
        waiter.say(take);
        stage.until_threads_wait(1);
        holder.kill();
        assert_eq!(waiter.hear(), "OwnerDied");
        told(&mut waiter, "drop");
        // Everybody is told until it is mended.
        assert_eq!(waiter.ask(format!("try {take}")), "OwnerDied");
        told(&mut waiter, "mend, drop");
        holder = stage.actor();
        told(&mut holder, &format!("{take}, drop"));
    }
    assert_eq!((*stage.mutex().lock().unwrap(), *stage.rwlock().read().unwrap()), (1, 1));
}

#[test]
fn a_killed_holder_s_reentrant_mutex_goes_to_the_next() {
    let stage = Stage::new(0, 1);
    let mut holder = stage.actor();
    told(&mut holder, "nest, nest, nest");
    holder.kill();
    match stage.reentrant().lock_timeout(SOON) {
        Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
        other => panic!("{:?}", other.map(|guard| guard.get())),
    }
    assert_eq!(stage.reentrant().lock().unwrap().depth(), 1);
}

#[test]
fn after_three_killed_waiters_notifying_never_hangs_and_reaches_the_living() {
    for _ in 0..5 {
        let stage = Stage::new(0, 1);
        let mut dying = [(); 3].map(|()| stage.actor());
        for child in &mut dying {
            told(child, "lock");
            child.say("wait");
        }
        stage.until_threads_wait(3);
        for child in &mut dying {
            child.kill();
        }
        for _ in 0..3 {
            stage.condvar().notify_all().unwrap();
            stage.condvar().notify_one().unwrap();
        }
        let mut living = stage.actor();
        told(&mut living, "lock");
        living.say("wait 60000");
        std::thread::scope(|scope| {
            let heard = scope.spawn(|| living.hear());
            while !heard.is_finished() {
                stage.condvar().notify_all().unwrap();
                std::thread::yield_now();
            }
            assert_eq!(heard.join().unwrap(), "done");
        });
    }
}

/// No other clock compiles: a deadline is an `Instant`, and a time-out is counted from one.
#[test]
fn time_outs_are_on_the_monotonic_clock() {
    let stage = Stage::new(0, 1);
    let _held = stage.mutex().lock().unwrap();
    let deadline: Instant = Instant::now() + SHORT;
    let answers = [
        stage.mutex().lock_until(deadline).err().map(Error::from),
        stage.semaphore().acquire_until(deadline).err(),
    ];
    for answer in answers {
        assert_eq!(answer.expect("it is held").kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    }
}

#[test]
fn time_outs_hold_although_others_were_killed_while_they_waited() {
    let stage = Stage::new(1, 2);
    let mut holder = stage.actor();
    told(&mut holder, "lock, write, acquire, nest, join");
    assert_eq!(holder.ask("do"), "begun");
    let waits = ["lock", "write", "read", "keep", "nest", "acquire", "consume", "await", "pass"];
    let mut dying: Vec<_> = waits
        .map(|wait| {
            let mut child = stage.actor();
            child.say(wait);
            child
        })
        .into();
    let mut doing = stage.actor();
    doing.say("do");
    let mut party = stage.actor();
    told(&mut party, "join");
    party.say("meet");
    dying.extend([doing, party]);
    stage.until_threads_wait(dying.len() as u32);
    dying.iter_mut().for_each(crate::children::Child::kill);
    for _ in 0..2 {
        let soon = || Instant::now() + SHORT;
        assert_eq!(
            kind(stage.mutex().lock_timeout(SHORT).map_err(Into::into)),
            ErrorKind::TimedOut
        );
        assert_eq!(
            kind(stage.rwlock().write_until(soon()).map_err(Into::into)),
            ErrorKind::TimedOut
        );
        assert_eq!(
            kind(stage.rwlock().read_until(soon()).map_err(Into::into)),
            ErrorKind::TimedOut
        );
        assert_eq!(
            kind(stage.reentrant().lock_until(soon()).map_err(Into::into)),
            ErrorKind::TimedOut
        );
        assert_eq!(kind(stage.semaphore().acquire_timeout(SHORT)), ErrorKind::TimedOut);
        assert_eq!(kind(stage.semaphore().consume_timeout(SHORT)), ErrorKind::TimedOut);
        assert_eq!(kind(stage.event().wait_timeout(SHORT)), ErrorKind::TimedOut);
        assert_eq!(kind(stage.latch().wait_timeout(SHORT)), ErrorKind::TimedOut);
        let answer = stage.once().call_once_timeout(|| unreachable!(), SHORT);
        assert_eq!(kind(answer), ErrorKind::TimedOut);
    }
    assert_eq!(holder.ask("end"), "done");
    // They took nothing with them.
    told(&mut holder, "drop, drop, drop, drop, drop");
    drop(stage.mutex().lock().expect("no death is told"));
    drop(stage.rwlock().write().expect("no death is told"));
    drop(stage.reentrant().lock().expect("no death is told"));
    drop(stage.semaphore().acquire_timeout(SOON).unwrap());
    stage.event().set().unwrap();
    stage.event().wait_timeout(SOON).unwrap();
}

#[test]
fn a_killed_reader_s_share_is_freed() {
    let stage = Stage::new(0, 1);
    let mut writer = stage.actor();
    for (holds, asks) in [
        ("read", "write"),
        ("read, read, keep", "write"),
        ("keep", "write"),
        ("keep", "keep"),
        ("read", "keep, upgrade"),
    ] {
        let mut reader = stage.actor();
        told(&mut reader, holds);
        let last = match asks.rsplit_once(", ") {
            Some((before, last)) => {
                told(&mut writer, before);
                last
            }
            None => asks,
        };
        writer.say(last);
        stage.until_threads_wait(1);
        reader.kill();
        assert_eq!(writer.hear(), "done", "{asks} after {holds}: and no death is told");
        told(&mut writer, "drop");
    }
}

#[test]
fn an_object_of_another_size_is_refused_with_both_numbers() {
    let place = Place::new();
    let options = Named::<Semaphore>::options().directory(place.path());
    let _it = options.clone().max_participants(8).create("places", 3).unwrap();
    let error = options.open_or_create("places", 5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongOptions);
    let text = error.to_string();
    assert!(text.contains("is 5 here and 3 in the object"), "{text}");
    let error = options.max_participants(9).open_or_create("places", 3).unwrap_err().to_string();
    assert!(error.contains("is 9 here and 8 in the object"), "{error}");
    let two = Named::<[Mutex<u64>; 2]>::options().directory(place.path());
    let three = Named::<[Mutex<u64>; 3]>::options().directory(place.path());
    let _it = two.create("locks", [1, 2]).unwrap();
    assert_eq!(kind(three.open_or_create("locks", [1, 2, 3])), ErrorKind::WrongType);
    assert_eq!(kind(three.open("locks")), ErrorKind::WrongType);
}

/// Creates for everyone under a mask that forbids it.
#[cfg(unix)]
pub(crate) fn under_a_mask(link: &mut Link) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let options = named::Mutex::<u64>::options().access(Access::Everyone);
    let _mutex = options.create("for all", 1).unwrap();
    link.say("created");
    link.hear();
}

#[cfg(unix)]
#[test]
fn what_everyone_may_use_everyone_may_whatever_the_mask_of_its_maker() {
    let place = Place::new();
    let mut child = Child::start(&place, "actor under a mask", "");
    assert_eq!(child.hear(), "created");
    let seen = place.describe("for all");
    assert_eq!((seen.mode, seen.expected_mode()), (Some(0o666), 0o666));
}
