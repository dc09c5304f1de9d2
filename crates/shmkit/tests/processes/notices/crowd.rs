//! Many waiters: 800 threads in a few processes.

use std::time::Duration;

use shmkit::{ErrorKind, Latest};

use super::{COUNT, notices_threads};
use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};

const PROCESSES: u64 = 8;
const THREADS: u64 = 100;

/// Waits for a value in many threads, until the writer dies. Answers how many of the threads are
/// told of that, and how many of their sleeps end by a wake meanwhile.
pub(crate) fn crowd(link: &mut Link) {
    let latest = Latest::<u64>::open(COUNT).unwrap();
    std::thread::scope(|scope| {
        let wait = || {
            let mut changes = latest.changes();
            kind(changes.next()) == ErrorKind::PeerDied
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(wait)).collect();
        // Each sleeps for the second time at least, with notices that are armed.
        while notices_threads() == 0 || shmkit::crash::expired_sleeps() < 2 * THREADS {
            std::thread::sleep(Duration::from_millis(1));
        }
        let before = shmkit::crash::woken_sleeps();
        link.send("ready");
        let told = threads.into_iter().filter_map(|thread| thread.join().ok());
        let told = told.filter(|told| *told).count();
        link.send(format!("{told} {}", shmkit::crash::woken_sleeps() - before));
    });
    link.receive();
}

#[test]
fn eight_hundred_waiters_are_told_of_a_death_most_of_them_by_a_wake() {
    let dir = TestDir::new();
    let _latest = dir.latest::<u64>().create(COUNT).unwrap();
    let mut writer = Child::start_ready(&dir, "writer", "");
    assert_eq!(writer.ask(1), "set");
    let mut crowds: Vec<_> = (0..PROCESSES).map(|_| Child::start(&dir, "crowd", "")).collect();
    for crowd in &mut crowds {
        assert_eq!(crowd.receive(), "ready");
    }
    writer.kill();
    let mut all_woken = 0;
    for crowd in &mut crowds {
        let answer = crowd.receive();
        let (told, woken) = answer.split_once(' ').unwrap();
        assert_eq!(told.parse(), Ok(THREADS), "the threads that were told");
        all_woken += woken.parse::<u64>().unwrap();
    }
    assert!(all_woken > PROCESSES * THREADS / 2, "{all_woken} sleeps ended by a wake");
}
