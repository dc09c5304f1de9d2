//! Two workers that wait for each other.

use super::primitives::Turns;
use crate::harness::worker::Worker;

/// The worker that gives the first turn. The other one waits for it.
pub(crate) const GIVER: usize = 0;

/// Gives a turn to the other worker and takes its own, or the reverse.
pub(crate) fn take_turns(worker: &Worker, turns: impl Turns) {
    let (own, other) = (worker.number(), 1 - worker.number());
    if own == GIVER {
        worker.repeat(|| {
            turns.give(other);
            turns.take(own);
        });
    } else {
        worker.repeat(|| {
            turns.take(own);
            turns.give(other);
        });
    }
}
