//! A waiter gets a death notice, and makes no looks at intervals meanwhile where every death is
//! announced.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
pub(crate) mod windows;

use std::time::{Duration, Instant};

use crate::children::Child;
use crate::sync::fixture::{Fixture, NAME, run};
use crate::system::{ANNOUNCES_EVERY_DEATH, notices_threads_of};
use crate::times::TIMEOUT;

/// Waits until the process has a thread that receives notices, which it has once a thread of it has
/// waited for some time.
fn wait_until_armed(process: u32) {
    while notices_threads_of(process) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How long the waiters wait. They look by themselves 1.1 s after they armed the notices, and then
/// each second: not at the time of what is to be announced.
const WAIT: Duration = Duration::from_millis(1_500);
/// How many sleeps of a waiter end by time meanwhile: one of 2 ms before it arms the notices, some
/// of 50 ms while they are new, then some of 1 s. Without notices there would be 30.
const MAX_EXPIRED: u64 = 8;

/// A child holds something, and others wait for it.
struct Waiting {
    fixture: Fixture,
    holder: Child,
    waiters: Vec<Child>,
    case: String,
}

impl Waiting {
    /// `holds` are commands of the holder, `before` those of each waiter, `wait` the one that waits.
    fn begin(holds: &str, before: &str, wait: &str, waiters: usize) -> Self {
        let fixture = Fixture::new(1, 2);
        let mut holder = fixture.start_actor();
        run_all(&mut holder, holds);
        let mut waiters: Vec<_> = (0..waiters).map(|_| fixture.start_actor()).collect();
        for waiter in &mut waiters {
            run_all(waiter, before);
            waiter.send(wait);
            wait_until_armed(waiter.id());
        }
        std::thread::sleep(WAIT);
        let case = format!("{holds}, {wait}");
        Self { fixture, holder, waiters, case }
    }

    /// See [`assert_told`].
    fn assert_told(&mut self, waiter: usize, answer: &str) {
        assert_told(&mut self.waiters[waiter], answer, &self.case);
    }
}

/// Checks what a waiter answers, and that it was announced. If every death is announced, also that
/// the waiter was woken, and seldom looked at intervals.
fn assert_told(waiter: &mut Child, answer: &str, case: &str) {
    let told = waiter.receive();
    assert!(told.starts_with(answer), "{case}: {told}");
    wait_for_announcement(waiter, case);
    if !ANNOUNCES_EVERY_DEATH {
        return;
    }
    let [expired, woken] = sleeps(waiter);
    assert!(expired <= MAX_EXPIRED, "{case}: {expired} sleeps ended by time");
    assert_ne!(woken, 0, "{case}: it found out by itself");
}

/// Waits until there was a piece of news for a waiter, which may have looked before.
fn wait_for_announcement(waiter: &mut Child, case: &str) {
    let start = Instant::now();
    while waiter.ask("announcements") == "0" {
        assert!(start.elapsed() < TIMEOUT, "{case}: nothing was announced");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How many sleeps of a waiter ended by time, and by a wake.
fn sleeps(waiter: &mut Child) -> [u64; 2] {
    ["expired_sleeps", "woken_sleeps"].map(|figure| waiter.ask(figure).parse().unwrap())
}

fn run_all(child: &mut Child, commands: &str) {
    if !commands.is_empty() {
        run(child, commands);
    }
}

#[test]
fn the_death_of_a_holder_is_announced_to_each_kind_of_waiter() {
    let mut all = Vec::new();
    for (holds, before, wait, answer) in [
        ("lock", "", "lock", "OwnerDied"),
        ("lock_reentrant", "", "lock_reentrant", "OwnerDied"),
        ("write", "", "write", "OwnerDied"),
        ("write", "", "read", "OwnerDied"),
        ("read", "", "write", "done"),
        ("acquire", "", "acquire", "done"),
        ("acquire", "", "consume", "done"),
        ("join_barrier", "join_barrier", "wait_barrier", "PeerDied"),
    ] {
        all.push(std::thread::spawn(move || {
            let mut waiting = Waiting::begin(holds, before, wait, 1);
            waiting.holder.kill();
            waiting.assert_told(0, answer);
        }));
    }
    all.into_iter().for_each(|case| case.join().unwrap());
}

#[test]
fn the_deaths_of_holders_are_announced_to_one_waiter_after_the_other() {
    for (holds, answer) in [("lock", "OwnerDied"), ("write", "OwnerDied"), ("acquire", "done")] {
        let mut waiting = Waiting::begin(holds, "", holds, 4);
        waiting.holder.kill();
        for _ in 0..4 {
            let next = waiting.next_holder();
            waiting.assert_told(next, answer);
            waiting.waiters.remove(next).kill();
        }
    }
}

#[test]
fn the_death_of_a_process_that_joined_while_others_waited_is_announced_to_them() {
    let mut waiting = Waiting::begin("acquire", "", "acquire", 1);
    let mut late = waiting.fixture.start_actor();
    // Meanwhile the waiter looks again.
    std::thread::sleep(WAIT);
    late.kill();
    run(&mut waiting.holder, "drop");
    let waiter = &mut waiting.waiters[0];
    assert_eq!(waiter.receive(), "done");
    wait_for_announcement(waiter, "late");
}

/// The last party never comes.
#[test]
fn the_death_of_a_party_that_has_arrived_is_told_at_once() {
    let fixture = Fixture::new(1, 3);
    let mut parties = [(); 3].map(|()| fixture.start_actor());
    parties.iter_mut().for_each(|party| run(party, "join_barrier"));
    let [waiter, dying, _] = &mut parties;
    waiter.send("wait_barrier");
    dying.send("wait_barrier");
    fixture.wait_for_waiters(2);
    wait_until_armed(waiter.id());
    dying.kill();
    let told = waiter.receive();
    assert!(told.starts_with("PeerDied"), "{told}");
}

impl Waiting {
    /// Waits until one of the waiters holds something, and returns its index.
    fn next_holder(&self) -> usize {
        loop {
            let description = self.fixture.dir.describe(NAME);
            let holders = description.parts.iter().flat_map(|part| &part.state.holders);
            let living = holders.filter(|holder| holder.is_alive).map(|holder| holder.slot);
            let pids = living.filter_map(|slot| {
                description.participants.iter().find(|it| it.slot == slot).map(|it| it.pid)
            });
            let find = |pid| self.waiters.iter().position(|waiter| waiter.id() == pid);
            if let Some(found) = pids.into_iter().find_map(find) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_stopped_holder_is_announced_to_nobody_and_keeps_what_it_holds() {
    /// How long the holder is stopped, and how many slices of 1 s end meanwhile.
    const STOPPED: Duration = Duration::from_secs(5);
    const SLICES: u64 = 5;
    let mut all = Vec::new();
    for (holds, wait) in [("lock", "lock"), ("write", "read"), ("write", "write")] {
        all.push(std::thread::spawn(move || {
            let mut waiting = Waiting::begin(holds, "", wait, 1);
            waiting.holder.stop();
            std::thread::sleep(STOPPED);
            waiting.holder.resume();
            run(&mut waiting.holder, "drop");
            let waiter = &mut waiting.waiters[0];
            assert_eq!(waiter.receive(), "done", "{holds}, {wait}: the holder was robbed");
            let [expired, woken] = sleeps(waiter);
            let is_seldom = !ANNOUNCES_EVERY_DEATH || expired <= MAX_EXPIRED + SLICES;
            assert!(is_seldom, "{holds}, {wait}: {expired} by time");
            assert!(woken <= 1, "{holds}, {wait}: {woken} wakes, not only by the release");
        }));
    }
    all.into_iter().for_each(|case| case.join().unwrap());
}
