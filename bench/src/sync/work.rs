//! What each hand does for its task, by each way that there is for it.

use std::hint::black_box;

use crate::ground::name_of;
use crate::hand::{GIVER, Hand, OPERATIONS_PER_WRITE, Task, Way, work_long};
use crate::peers::{bare, pthread, threads};

use super::{Lock, ReadWrite, Turns, subject, takeover};

/// Works until it is told to leave.
pub(crate) fn work(hand: &Hand) {
    let place = hand.place();
    match hand.task() {
        Task::Mutex | Task::LongMutex => match hand.way() {
            Way::Shmkit => add(hand, subject::Mutex::of(hand)),
            Way::Std => add(hand, threads::Mutex::new()),
            Way::Futex => add(hand, bare::Mutex::at(place)),
            Way::Pthread => add(hand, pthread::Mutex::at(place, false)),
            Way::Robust => add(hand, pthread::Mutex::at(place, true)),
            _ => lacking(hand),
        },
        Task::Read | Task::Write | Task::ReadMostly => match hand.way() {
            Way::Shmkit => read_and_write(hand, subject::RwLock::of(hand)),
            Way::Std => read_and_write(hand, threads::RwLock::new()),
            Way::Pthread => read_and_write(hand, pthread::RwLock::at(place)),
            _ => lacking(hand),
        },
        Task::Permit => match hand.way() {
            Way::Shmkit => {
                let permits = subject::Semaphores::of(hand, 1);
                hand.obey(|| drop(permits.acquire()));
            }
            Way::Pthread => borrow(hand, pthread::Semaphores::at(place, 1)),
            _ => lacking(hand),
        },
        Task::Condition => match hand.way() {
            Way::Shmkit => take_turns(hand, subject::Mailboxes::of(hand)),
            Way::Std => take_turns(hand, threads::Mailboxes),
            Way::Futex => take_turns(hand, bare::Flags::at(place)),
            Way::Robust => take_turns(hand, pthread::Mailboxes::at(place)),
            _ => lacking(hand),
        },
        Task::Semaphore => match hand.way() {
            Way::Shmkit => take_turns(hand, subject::Semaphores::of(hand, 0)),
            Way::Futex => take_turns(hand, bare::Flags::at(place)),
            Way::Pthread => take_turns(hand, pthread::Semaphores::at(place, 0)),
            _ => lacking(hand),
        },
        Task::Event => match hand.way() {
            Way::Shmkit => take_turns(hand, subject::Events::of(hand)),
            Way::Futex => take_turns(hand, bare::Flags::at(place)),
            _ => lacking(hand),
        },
        Task::Takeover | Task::TakeoverWrite | Task::TakeoverPermit | Task::TakeoverParty => {
            take_over(hand)
        }
    }
}

fn take_over(hand: &Hand) {
    match (hand.task(), hand.way()) {
        (Task::Takeover, Way::Robust) => {
            let mutex = pthread::Mutex::at(hand.place(), true);
            takeover::hold_or_wait(
                hand,
                || mutex.lock(),
                || {
                    mutex.lock();
                    mutex.unlock();
                },
            );
        }
        (Task::Takeover, Way::Shmkit) => {
            let mutex = subject::Mutex::of(hand);
            takeover::hold_or_wait(hand, || mutex.inherit(), || drop(mutex.inherit()));
        }
        (Task::TakeoverWrite, Way::Shmkit) => {
            let lock = subject::RwLock::of(hand);
            takeover::hold_or_wait(hand, || lock.inherit(), || drop(lock.inherit()));
        }
        (Task::TakeoverPermit, Way::Shmkit) => {
            let permits = subject::Semaphores::of(hand, 1);
            takeover::hold_or_wait(hand, || permits.acquire(), || drop(permits.acquire()));
        }
        (Task::TakeoverParty, Way::Shmkit) => {
            let barrier = subject::Barrier::of(hand);
            takeover::hold_or_wait(hand, || barrier.join(), || barrier.miss());
        }
        _ => lacking(hand),
    }
}

fn lacking(hand: &Hand) -> ! {
    panic!("{} has nothing for {}", name_of(&hand.way()), name_of(&hand.task()))
}

fn add(hand: &Hand, lock: impl Lock) {
    match hand.task() {
        Task::LongMutex => hand.obey(|| lock.add(work_long)),
        _ => hand.obey(|| lock.add(|| ())),
    }
}

fn read_and_write(hand: &Hand, lock: impl ReadWrite) {
    let read = || {
        black_box(lock.read());
    };
    let mut operations = 0;
    match hand.task() {
        Task::Read => hand.obey(read),
        Task::Write => hand.obey(|| lock.write()),
        _ => hand.obey(|| {
            operations += 1;
            if operations % OPERATIONS_PER_WRITE == 0 { lock.write() } else { read() }
        }),
    }
}

/// Takes a permit that is there, and gives it back.
fn borrow(hand: &Hand, permits: impl Turns) {
    hand.obey(|| {
        permits.take(0);
        permits.give(0);
    });
}

fn take_turns(hand: &Hand, turns: impl Turns) {
    let (own, other) = (hand.number(), 1 - hand.number());
    if own == GIVER {
        hand.obey(|| {
            turns.give(other);
            turns.take(own);
        });
    } else {
        hand.obey(|| {
            turns.take(own);
            turns.give(other);
        });
    }
}
