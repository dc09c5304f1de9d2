//! A waiter beside more holders than a slow check asks about that is made only because time has
//! passed.

use std::time::Duration;

use shmkit::Object;
use shmkit::sync::{RwLock, Semaphore};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, open, primitive_in};

const NAME: &str = "shared by many";
const PROCESSES: usize = 4;
/// How many handles each process has: together there are four times as many as a check asks about.
const HANDLES: usize = 32;
/// How long the waiter sleeps before a holder dies: with notices, until it has asked about everything
/// and then about a few.
const ASLEEP: Duration = Duration::from_millis(2_500);

type Both = (RwLock<u64>, Semaphore);

/// Holds what its task says by many handles, until it is told to release it.
pub(crate) fn holder(link: &mut Link) {
    let handles: Vec<_> = (0..HANDLES).map(|_| open::<Both>(NAME)).collect();
    let (mut reads, mut permits) = (Vec::new(), Vec::new());
    for (rwlock, semaphore) in handles.iter().map(|handle| &**handle) {
        match link.task().as_str() {
            "write" => reads.push(rwlock.read().unwrap()),
            _ => permits.push(semaphore.acquire().unwrap()),
        }
    }
    link.send("ready");
    link.receive();
    drop((reads, permits));
    link.send("released");
    link.receive();
}

/// Waits for what its task says, and answers once it has it.
pub(crate) fn waiter(link: &mut Link) {
    let (rwlock, semaphore) = &*open::<Both>(NAME);
    match link.task().as_str() {
        "write" => drop(rwlock.write().unwrap()),
        _ => drop(semaphore.acquire().unwrap()),
    }
    link.send("done");
    link.receive();
}

fn check(wait: &str, notices: &str) {
    let dir = TestDir::new();
    let permits = (PROCESSES * HANDLES) as u32;
    let options = primitive_in::<Both>(dir.path()).max_participants(permits + 2);
    let _both: Object<Both> = options.create(NAME, (0, permits)).unwrap();
    let start = || Child::start_ready(&dir, "one of many holders", wait);
    let mut holders: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    let mut waiter = Child::start_with(&dir, "waiter beside many", wait, |command| {
        command.env("SHMKIT_NOTICES", notices)
    });
    dir.wait_for_waiters(NAME, 1);
    std::thread::sleep(ASLEEP);
    holders.pop().unwrap().kill();
    if wait == "write" {
        // From here on, the writer waits only for readers that died.
        holders.iter_mut().for_each(|holder| assert_eq!(holder.ask("release"), "released"));
    }
    assert_eq!(waiter.receive(), "done", "{wait}, notices {notices}");
}

#[test]
fn the_death_of_one_of_many_holders_is_noticed_with_notices_and_without() {
    let mut all = Vec::new();
    for wait in ["write", "acquire"] {
        for notices in ["on", "off"] {
            all.push(std::thread::spawn(move || check(wait, notices)));
        }
    }
    all.into_iter().for_each(|case| case.join().unwrap());
}
