//! Each system call that death notices make is refused in turn: waiters still find a death.

use std::time::Duration;

use shmkit::Object;
use shmkit::memory::Trust;
use shmkit::sync::Mutex;

use super::{LONG, MUTEX};
use crate::children::{Child, Link};
use crate::closed_descriptors::deny;
use crate::system::notices_threads_of;
use crate::test_dir::{TestDir, open, skip};

/// How long a waiter waits.
const WAIT: Duration = Duration::from_secs(1);
/// Without notices, at least so many of its sleeps end by time: with slices of 50 ms about 20. With
/// notices there are fewer: with slices of 1 s about 5.
const EXPIRED: u64 = 12;

const F_SETSIG: libc::c_int = 10;
const F_GETSIG: libc::c_int = 11;

/// What the refusal of a system call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// There are no notices, and the doctor says so.
    Reported,
    /// There are no notices.
    Unreported,
    /// There are notices.
    Nothing,
}

/// Waits for a lock while a system call is refused, or only its calls with one command. Then closes
/// the object.
pub(crate) fn waiter_without_a_call(link: &mut Link) {
    let mutex: Object<Mutex<u64>> = open(MUTEX);
    let task = link.task();
    let (call, command) = task.split_once(' ').unwrap();
    if let Err(error) = deny(call.parse().unwrap(), command.parse().ok()) {
        return link.send(format!("no filter: {error}"));
    }
    link.send("filtered");
    let is_told = mutex.lock().is_err();
    let expired = shmkit::crash::expired_sleeps();
    // Without the call, the doctor may fail.
    let found = shmkit::inspect::examine(&shmkit::default_directory(), Trust::Own);
    let found: Vec<_> = found.into_iter().flatten().map(|it| it.to_string()).collect();
    link.send(format!("{is_told} {expired} {}", found.join("; ")));
    link.receive();
    drop(mutex);
    link.send("closed");
    link.receive();
}

/// Lets a holder die while its waiter may not make the call.
fn check(call: libc::c_long, command: Option<libc::c_int>, effect: Effect) {
    let case = format!("call {call}, command {command:?}");
    let dir = TestDir::new();
    let _mutex = dir.primitive::<Mutex<u64>>().create(MUTEX, 0).unwrap();
    let mut holder = Child::start_ready(&dir, "mutex holder", "");
    let command = command.map_or("none".into(), |it| it.to_string());
    let mut child = Child::start(&dir, "waiter without a call", format!("{call} {command}"));
    let answer = child.receive();
    if answer != "filtered" {
        return skip(&format!("a refused system call: {answer}"));
    }
    dir.wait_for_waiters(MUTEX, 1);
    std::thread::sleep(LONG);
    // An event, which a ringer reads.
    drop(dir.primitive::<Mutex<u64>>().open(MUTEX).unwrap());
    std::thread::sleep(WAIT);
    holder.kill();
    let answer = child.receive();
    let answer = answer.strip_prefix("true ").unwrap_or_else(|| panic!("{case}: {answer}"));
    let (expired, findings) = answer.split_once(' ').unwrap_or((answer, ""));
    let has_notices = effect == Effect::Nothing;
    assert_eq!(notices_threads_of(child.id()), usize::from(has_notices), "{case}: {answer}");
    assert_eq!(expired.parse::<u64>().unwrap() < EXPIRED, has_notices, "{case}: {answer}");
    let what = "a death is noticed only after 50 ms: inotify is refused";
    let is_reported = findings.contains(what) && findings.contains("in the sandbox");
    assert_eq!(is_reported, effect == Effect::Reported, "{case}: {answer}");
    assert_eq!(child.ask("close"), "closed", "{case}");
    assert_eq!(notices_threads_of(child.id()), 0, "{case}");
}

#[test]
fn a_waiter_looks_at_intervals_where_the_system_refuses_notices_and_the_doctor_says_so() {
    let mut all = Vec::new();
    for (call, command, effect) in [
        (libc::SYS_inotify_init1, None, Effect::Reported),
        (libc::SYS_inotify_add_watch, None, Effect::Reported),
        (libc::SYS_fcntl, Some(F_SETSIG), Effect::Reported),
        (libc::SYS_fcntl, Some(F_GETSIG), Effect::Reported),
        (libc::SYS_clone3, None, Effect::Unreported),
        (libc::SYS_ppoll, None, Effect::Unreported),
        (libc::SYS_read, None, Effect::Unreported),
        (libc::SYS_inotify_rm_watch, None, Effect::Nothing),
        (libc::SYS_rt_sigprocmask, None, Effect::Nothing),
        (libc::SYS_sigaltstack, None, Effect::Nothing),
        (libc::SYS_madvise, None, Effect::Nothing),
    ] {
        all.push(std::thread::spawn(move || check(call, command, effect)));
    }
    all.into_iter().for_each(|case| case.join().unwrap());
}
