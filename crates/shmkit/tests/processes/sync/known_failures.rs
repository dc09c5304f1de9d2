//! Where Boost.Interprocess fails between processes: each failure is a test here.

use std::time::{Duration, Instant};

#[cfg(unix)]
use shmkit::Access;
use shmkit::sync::{LockError, Mutex, Semaphore};
use shmkit::{Error, ErrorKind};

use super::fixture::{Fixture, run};
use crate::children::Child;
#[cfg(unix)]
use crate::children::Link;
use crate::test_dir::{TestDir, kind};
use crate::times::TIMEOUT;

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn owner_death_is_reported_to_waiter_and_lockers_until_marked_consistent() {
    let fixture = Fixture::new(0, 1);
    let [mut holder, mut waiter] = [fixture.start_actor(), fixture.start_actor()];
    for acquire in ["lock", "write"] {
        run(&mut holder, acquire);
        assert_eq!(holder.ask("add"), "1");
        waiter.send(acquire);
        fixture.wait_for_waiters(1);
        holder.kill();
        assert_eq!(waiter.receive(), "OwnerDied");
        run(&mut waiter, "drop");
        assert_eq!(waiter.ask(format!("try_{acquire}")), "OwnerDied");
        run(&mut waiter, "mark_consistent, drop");
        holder = fixture.start_actor();
        run(&mut holder, &format!("{acquire}, drop"));
    }
    assert_eq!((*fixture.mutex().lock().unwrap(), *fixture.rwlock().read().unwrap()), (1, 1));
}

#[test]
fn a_reentrant_mutex_of_a_killed_holder_is_acquired_by_the_next() {
    let fixture = Fixture::new(0, 1);
    let mut holder = fixture.start_actor();
    run(&mut holder, "lock_reentrant, lock_reentrant, lock_reentrant");
    holder.kill();
    match fixture.reentrant().lock_timeout(TIMEOUT) {
        Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
        other => panic!("{:?}", other.map(|guard| guard.get())),
    }
    assert_eq!(fixture.reentrant().lock().unwrap().depth(), 1);
}

#[test]
fn notifying_after_three_waiters_were_killed_wakes_a_living_waiter() {
    for _ in 0..5 {
        let fixture = Fixture::new(0, 1);
        let mut dying = [(); 3].map(|()| fixture.start_actor());
        for child in &mut dying {
            run(child, "lock");
            child.send("wait_condvar");
        }
        fixture.wait_for_waiters(3);
        for child in &mut dying {
            child.kill();
        }
        for _ in 0..3 {
            fixture.condvar().notify_all().unwrap();
            fixture.condvar().notify_one().unwrap();
        }
        let mut living = fixture.start_actor();
        run(&mut living, "lock");
        living.send("wait_condvar 60000");
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| living.receive());
            while !answer.is_finished() {
                fixture.condvar().notify_all().unwrap();
                std::thread::yield_now();
            }
            assert_eq!(answer.join().unwrap(), "done");
        });
    }
}

/// A deadline is an `Instant`, and so of the monotonic clock; so is the start of a timeout.
#[test]
fn timeouts_use_the_monotonic_clock() {
    let fixture = Fixture::new(0, 1);
    let _guard = fixture.mutex().lock().unwrap();
    let deadline: Instant = Instant::now() + SHORT;
    let answers = [
        fixture.mutex().lock_until(deadline).err().map(Error::from),
        fixture.semaphore().acquire_until(deadline).err(),
    ];
    for answer in answers {
        assert_eq!(answer.expect("nothing is available").kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    }
}

/// Starts a waiter for everything that the holder holds, and kills all of them.
fn kill_waiters(fixture: &Fixture) {
    let waits = [
        ("", "lock"),
        ("", "write"),
        ("", "read"),
        ("", "upgradable_read"),
        ("", "lock_reentrant"),
        ("", "acquire"),
        ("", "consume"),
        ("", "wait_event"),
        ("", "wait_latch"),
        ("", "call_once"),
        ("join_barrier", "wait_barrier"),
    ];
    let mut dying = waits.map(|(before, wait)| {
        let mut child = fixture.start_actor();
        if !before.is_empty() {
            run(&mut child, before);
        }
        child.send(wait);
        child
    });
    fixture.wait_for_waiters(dying.len() as u32);
    dying.iter_mut().for_each(Child::kill);
}

#[test]
fn timeouts_expire_after_other_waiters_were_killed() {
    let fixture = Fixture::new(1, 2);
    let mut holder = fixture.start_actor();
    run(&mut holder, "lock, write, acquire, lock_reentrant, join_barrier");
    assert_eq!(holder.ask("call_once"), "running");
    kill_waiters(&fixture);
    for _ in 0..2 {
        let soon = || Instant::now() + SHORT;
        let kinds = [
            kind(fixture.mutex().lock_timeout(SHORT).map_err(Error::from)),
            kind(fixture.rwlock().write_until(soon()).map_err(Error::from)),
            kind(fixture.rwlock().read_until(soon()).map_err(Error::from)),
            kind(fixture.reentrant().lock_until(soon()).map_err(Error::from)),
            kind(fixture.semaphore().acquire_timeout(SHORT)),
            kind(fixture.semaphore().consume_timeout(SHORT)),
            kind(fixture.event().wait_timeout(SHORT)),
            kind(fixture.latch().wait_timeout(SHORT)),
            kind(fixture.once().call_once_timeout(|| unreachable!(), SHORT)),
        ];
        assert_eq!(kinds, [ErrorKind::TimedOut; 9]);
    }
    assert_eq!(holder.ask("complete"), "done");
    // The killed waiters took nothing.
    run(&mut holder, "drop, drop, drop, drop, drop");
    drop(fixture.mutex().lock().expect("no owner death"));
    drop(fixture.rwlock().write().expect("no owner death"));
    drop(fixture.reentrant().lock().expect("no owner death"));
    drop(fixture.semaphore().acquire_timeout(TIMEOUT).unwrap());
    fixture.event().set().unwrap();
    fixture.event().wait_timeout(TIMEOUT).unwrap();
}

#[test]
fn shares_of_a_killed_reader_are_released() {
    let fixture = Fixture::new(0, 1);
    let mut writer = fixture.start_actor();
    for (held, before, wait) in [
        ("read", "", "write"),
        ("read, read, upgradable_read", "", "write"),
        ("upgradable_read", "", "write"),
        ("upgradable_read", "", "upgradable_read"),
        ("read", "upgradable_read", "upgrade"),
    ] {
        let mut reader = fixture.start_actor();
        run(&mut reader, held);
        if !before.is_empty() {
            run(&mut writer, before);
        }
        writer.send(wait);
        fixture.wait_for_waiters(1);
        reader.kill();
        assert_eq!(writer.receive(), "done", "{wait} after {held}: no owner death");
        run(&mut writer, "drop");
    }
}

#[test]
fn an_object_with_other_numbers_is_refused_with_both_numbers() {
    let dir = TestDir::new();
    let options = dir.primitive::<Semaphore>();
    let _semaphore = options.clone().max_participants(8).create("places", 3).unwrap();
    let error = options.open_or_create("places", 5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongOptions);
    let text = error.to_string();
    assert!(text.contains("is 5 here and 3 in the object"), "{text}");
    let error = options.max_participants(9).open_or_create("places", 3).unwrap_err().to_string();
    assert!(error.contains("is 9 here and 8 in the object"), "{error}");
    let _locks = dir.primitive::<[Mutex<u64>; 2]>().create("locks", [1, 2]).unwrap();
    let three = dir.primitive::<[Mutex<u64>; 3]>();
    assert_eq!(kind(three.open_or_create("locks", [1, 2, 3])), ErrorKind::WrongType);
    assert_eq!(kind(three.open("locks")), ErrorKind::WrongType);
}

/// Creates an object for everyone under a umask that forbids it.
#[cfg(unix)]
pub(crate) fn creator_under_umask(link: &mut Link) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let dir = shmkit::default_directory();
    let options = crate::test_dir::primitive_in::<Mutex<u64>>(&dir).access(Access::Everyone);
    let _mutex = options.create("for all", 1).unwrap();
    link.send("ready");
    link.receive();
}

#[cfg(unix)]
#[test]
fn access_for_everyone_ignores_the_creator_s_umask() {
    let dir = TestDir::new();
    let _child = Child::start_ready(&dir, "creator under a umask", "");
    let seen = dir.describe("for all");
    assert_eq!((seen.mode, seen.expected_mode()), (Some(0o666), 0o666));
}
