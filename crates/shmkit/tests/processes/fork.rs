//! A forked child neither keeps its parent alive nor is taken for it.

use std::time::Duration;

use shmkit::{ErrorKind, Latest, Result};

use crate::children::{Child, Link};
use crate::place::{Place, kind};
use crate::values::Random;

const NAME: &str = "count";
const SOON: Duration = Duration::from_secs(30);
/// How often a process forks while one of its threads attaches.
const FORKS: u64 = 12;

/// A word for how it went.
pub(crate) fn outcome<T: std::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Forks. The child, which has only this thread, does `inside` and ends. Returns its number.
///
/// Whatever it does not come back from ends it: nobody else would.
pub(crate) fn fork(inside: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child goes on with what the library promises to be sound there, and with the
    // allocator, which glibc makes sound.
    go_on(unsafe { libc::fork() }, inside)
}

/// The same past every handler: neither the library nor glibc hears of it.
///
/// Only where no other thread is at work, which the child would not have.
pub(crate) fn raw_fork(inside: impl FnOnce()) -> libc::pid_t {
    // SAFETY: shares nothing with the child but what is open; as above, without glibc's help,
    // which nothing needs without another thread at work.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    go_on(child.try_into().unwrap(), inside)
}

/// What follows a fork, in parent and child.
fn go_on(child: libc::pid_t, inside: impl FnOnce()) -> libc::pid_t {
    const WATCHDOG_SECONDS: u32 = 120;
    assert_ne!(child, -1, "{}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: asks for a signal that ends this process.
        unsafe { libc::alarm(WATCHDOG_SECONDS) };
        inside();
        // SAFETY: ends the child without running anything of its parent's.
        unsafe { libc::_exit(0) };
    }
    child
}

/// Holds the writer's role and forks; the child then answers for itself, for as long as its test
/// lives.
pub(crate) fn forker(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut changes = latest.changes();
    writer.set(&1).unwrap();
    fork(|| {
        link.say("forked");
        assert_eq!(link.hear(), "inherited");
        link.say(format!(
            "get {} writer {} set {} next {} changes {}",
            outcome(latest.get()),
            outcome(latest.writer().map(drop)),
            outcome(writer.set(&2)),
            outcome(changes.next()),
            outcome(latest.changes().try_next()),
        ));
        let own = Latest::<u64>::open(NAME).unwrap();
        loop {
            let answer = match link.hear().as_str() {
                "get" => outcome(own.get()),
                "write" => outcome(own.writer().and_then(|mut writer| writer.set(&6))),
                "drop" => {
                    // What was inherited goes without a trace.
                    writer = own.writer().unwrap();
                    "dropped".into()
                }
                other => unreachable!("{other}"),
            };
            link.say(answer);
        }
    });
    loop {
        std::thread::park();
    }
}

#[test]
fn a_parent_s_death_is_seen_although_its_forked_child_lives() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut changes = latest.changes();
    let mut family = Child::start(&place, "forker", "");
    assert_eq!(family.hear(), "forked");
    assert_eq!(changes.next_timeout(SOON).unwrap(), 1);
    let inherited = family.ask("inherited");
    assert_eq!(inherited, "get Forked writer Forked set Forked next Forked changes Forked");
    assert_eq!(family.ask("get"), "1", "the child opened the object itself");
    assert_eq!(family.ask("write"), "RoleTaken");
    assert_eq!(changes.try_next().unwrap(), None, "the parent lives");

    family.kill();
    assert_eq!(kind(changes.try_next()), ErrorKind::PeerDied);
    assert_eq!(changes.try_next().unwrap(), None);
    let mut writer = latest.writer().unwrap();
    writer.set(&5).unwrap();
    assert_eq!(family.ask("get"), "5", "the child lives");
    assert_eq!(family.ask("write"), "RoleTaken");
    drop(writer);
    assert_eq!(family.ask("write"), "3");
    assert_eq!(changes.next_timeout(SOON).unwrap(), 5);
    assert_eq!(changes.next_timeout(SOON).unwrap(), 6);
}

#[test]
fn a_forked_child_that_drops_what_it_inherited_leaves_its_parent_alone() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let mut changes = latest.changes();
    let mut family = Child::start(&place, "forker", "");
    assert_eq!(family.hear(), "forked");
    assert_eq!(changes.next_timeout(SOON).unwrap(), 1);
    family.ask("inherited");
    family.kill();
    assert_eq!(family.ask("drop"), "dropped");
    assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken, "the child's own role");
}

/// Forks children that read, each with a handle of its own.
pub(crate) fn forker_of_readers(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    for _ in 0..FORKS {
        fork(|| {
            let own = Latest::<u64>::open(NAME).unwrap();
            link.say("open");
            link.hear();
            drop(own);
        });
    }
    link.hear();
    drop(latest);
}

#[test]
fn forked_siblings_are_counted_one_by_one() {
    let place = Place::new();
    let _latest = place.of::<u64>().create(NAME).unwrap();
    let mut family = Child::start(&place, "forker of readers", "");
    for _ in 0..FORKS {
        assert_eq!(family.hear(), "open");
    }
    assert_eq!(u64::from(place.describe(NAME).readers), FORKS + 2, "children, parent, this test");
}

/// Forks again and again while other threads attach for the first time, and go on doing so. Each
/// child opens the object for itself, and lives as long as the test.
pub(crate) fn forker_while_attaching(link: &mut Link) {
    let mut random = Random::of(link.task().parse().unwrap());
    let start = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            loop {
                let latest = Latest::<u64>::open(NAME).unwrap();
                drop(latest.writer());
            }
        });
        scope.spawn(|| {
            start.wait();
            loop {
                drop(Latest::<u64>::create("other"));
                drop(Latest::<u64>::remove("other"));
            }
        });
        start.wait();
        for _ in 0..FORKS {
            for _ in 0..random.below(10_000) {
                std::hint::spin_loop();
            }
            fork(|| {
                let value = Latest::<u64>::open(NAME).unwrap().get().unwrap();
                link.say(format!("got {value}"));
                link.hear();
            });
        }
    });
}

#[test]
fn a_child_forked_while_another_thread_was_attaching_keeps_nothing_alive() {
    const FAMILIES: u64 = 100;
    let mut random = Random::new();
    for _ in 0..FAMILIES {
        let place = Place::new();
        let latest = place.of::<u64>().create(NAME).unwrap();
        latest.writer().unwrap().set(&8).unwrap();
        let mut family = Child::start(&place, "forker while attaching", random.next());
        for _ in 0..FORKS {
            assert_eq!(family.hear(), "got 8");
        }
        family.kill();
        let description = place.describe(NAME);
        let alive: Vec<_> = description.participants.iter().filter(|member| member.alive).collect();
        assert!(alive.is_empty(), "kept by a child: {alive:?}");
        assert_eq!(description.readers, 1, "this test's own handle");
        latest.writer().unwrap().set(&9).unwrap();
    }
}
