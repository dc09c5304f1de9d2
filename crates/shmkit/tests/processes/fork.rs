//! A forked child neither keeps its parent's participants alive, nor acts for them.

use rustix::process::{Pid, WaitOptions, waitpid};
use shmkit::{Changes, ErrorKind, Latest, Result};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};
use crate::times::TIMEOUT;
use crate::values::Random;

const NAME: &str = "count";
/// The words of a value that is filled in place: several pages.
const WORDS: usize = 2_048;
/// How many times a process forks while one of its threads attaches.
const FORKS: u64 = 12;

/// An answer in one word: the value, or the kind of the error.
pub(crate) fn outcome<T: std::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Forks. The child, which has only this thread, runs `in_child` and ends. Returns the child's
/// process id.
///
/// An alarm ends a child that hangs, because the test does not know its process id.
pub(crate) fn fork(in_child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child uses only the library, which promises to be sound there, and the
    // allocator, which glibc keeps sound.
    run_in_child(unsafe { libc::fork() }, in_child)
}

/// Forks by the system call, so that neither the library's fork handlers nor glibc's run.
///
/// For processes with a single thread.
#[cfg(target_os = "linux")]
pub(crate) fn raw_fork(in_child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child gets a copy of the memory. It needs no help of glibc's, since no other
    // thread can hold a lock.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    run_in_child(child.try_into().unwrap(), in_child)
}

fn run_in_child(child: libc::pid_t, in_child: impl FnOnce()) -> libc::pid_t {
    const TIMEOUT_SECONDS: u32 = 120;
    assert_ne!(child, -1, "{}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: requests a signal that ends this process.
        unsafe { libc::alarm(TIMEOUT_SECONDS) };
        in_child();
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    child
}

/// Takes the writer's role, and forks; then the child answers until the test ends.
pub(crate) fn forking_writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut changes = latest.changes();
    writer.set(&1).unwrap();
    fork(|| {
        link.send("ready");
        assert_eq!(link.receive(), "use inherited");
        link.send(format!(
            "get {} writer {} set {} next {} changes {}",
            outcome(latest.get()),
            outcome(latest.writer().map(drop)),
            outcome(writer.set(&2)),
            outcome(changes.next()),
            outcome(latest.changes().try_next()),
        ));
        let own = Latest::<u64>::open(NAME).unwrap();
        loop {
            let answer = match link.receive().as_str() {
                "get" => outcome(own.get()),
                "write" => outcome(own.writer().and_then(|mut writer| writer.set(&6))),
                "drop" => {
                    // Drops the inherited writer.
                    writer = own.writer().unwrap();
                    "dropped".into()
                }
                other => unreachable!("{other}"),
            };
            link.send(answer);
        }
    });
    loop {
        std::thread::park();
    }
}

/// Forks while it fills a loan. The child does with it what the task says, and reports the outcome;
/// then the parent publishes the loan.
pub(crate) fn forking_borrower(link: &mut Link) {
    let latest = Latest::<[u64; WORDS]>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    link.send("ready");
    let mut loan = Some(writer.loan().unwrap());
    loan.as_mut().unwrap()[..WORDS / 2].fill(2);
    let publishes = link.task() == "publish";
    let child = fork(|| {
        let loan = loan.take().unwrap();
        if publishes {
            return link.send(outcome(loan.publish()));
        }
        drop(loan);
        link.send("dropped");
    });
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    link.send("the child ended");
    assert_eq!(link.receive(), "publish");
    let mut loan = loan.take().unwrap();
    loan[WORDS / 2..].fill(2);
    link.send(outcome(loan.publish()));
    link.receive();
}

/// Starts a forking writer, whose child has tried all that it inherited, and an observer of the
/// object.
fn start_family(dir: &TestDir) -> (Child, Latest<u64>, Changes<u64>) {
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut changes = latest.changes();
    let mut family = Child::start_ready(dir, "forking writer", "");
    assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), 1);
    let inherited = family.ask("use inherited");
    assert_eq!(inherited, "get Forked writer Forked set Forked next Forked changes Forked");
    (family, latest, changes)
}

#[test]
fn a_loan_that_is_out_at_a_fork_is_published_by_the_parent_only() {
    for (shared, task, in_child) in [
        (false, "publish", "Forked"),
        (false, "drop", "dropped"),
        (true, "publish", "Forked"),
        (true, "drop", "dropped"),
    ] {
        let dir = TestDir::new();
        let options = dir.latest::<[u64; WORDS]>().shared_writers(shared);
        let latest = options.create_with(NAME, [1; WORDS]).unwrap();
        let mut changes = latest.changes();
        let mut family = Child::start_ready(&dir, "forking borrower", task);
        assert_eq!(family.receive(), in_child, "shared: {shared}");
        assert_eq!(family.receive(), "the child ended");
        assert_eq!((latest.get().unwrap(), latest.sequence()), ([1; WORDS], 1));
        assert_eq!(changes.try_next().unwrap(), None, "no writer died");
        let state = dir.describe(NAME).only_part().unwrap().state.clone();
        assert_eq!(state.number("half_written"), Some(2), "the loan is still out");
        assert_eq!(family.ask("publish"), "2");
        assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), [2; WORDS]);
        assert_eq!(changes.try_next().unwrap(), None);
    }
}

#[test]
fn death_of_the_parent_is_reported_while_its_forked_child_lives() {
    let dir = TestDir::new();
    let (mut family, latest, mut changes) = start_family(&dir);
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
    assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), 5);
    assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), 6);
}

#[test]
fn a_forked_child_that_drops_an_inherited_writer_keeps_its_own_role() {
    let dir = TestDir::new();
    let (mut family, latest, _changes) = start_family(&dir);
    family.kill();
    assert_eq!(family.ask("drop"), "dropped");
    assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken, "the child's own role");
}

/// Forks children, each of which opens the object.
pub(crate) fn forking_reader(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    for _ in 0..FORKS {
        fork(|| {
            let own = Latest::<u64>::open(NAME).unwrap();
            link.send("open");
            link.receive();
            drop(own);
        });
    }
    link.receive();
    drop(latest);
}

#[test]
fn forked_siblings_are_counted_one_by_one() {
    let dir = TestDir::new();
    let _latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut family = Child::start(&dir, "forking reader", "");
    for _ in 0..FORKS {
        assert_eq!(family.receive(), "open");
    }
    assert_eq!(u64::from(dir.describe(NAME).readers), FORKS + 2, "children, parent, this test");
}

/// Forks repeatedly while other threads attach, at first for the first time in the process. Each
/// child opens the object, and lives until the test ends.
pub(crate) fn forking_while_attaching(link: &mut Link) {
    let mut random = Random::from_seed(link.task().parse().unwrap());
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
                link.send(value);
                link.receive();
            });
        }
    });
}

#[test]
fn a_child_forked_while_another_thread_attaches_keeps_nothing_alive() {
    const FAMILIES: u64 = 100;
    let mut random = Random::new();
    for _ in 0..FAMILIES {
        let dir = TestDir::new();
        let latest = dir.latest::<u64>().create(NAME).unwrap();
        latest.writer().unwrap().set(&8).unwrap();
        let mut family = Child::start(&dir, "forking while attaching", random.next());
        for _ in 0..FORKS {
            assert_eq!(family.receive(), "8");
        }
        family.kill();
        let description = dir.describe(NAME);
        let alive: Vec<_> = description.participants.iter().filter(|it| it.is_alive).collect();
        assert!(alive.is_empty(), "kept alive by a child: {alive:?}");
        assert_eq!(description.readers, 1, "this test's own handle");
        latest.writer().unwrap().set(&9).unwrap();
    }
}
