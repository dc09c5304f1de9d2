//! Waking a thread that waits for a message, or for a free slot: see [`waiting`](super::waiting).

use super::line::TRIES;
use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::wait::{ASLEEP, WaitWord, Wake};

/// One more change of a wait word: above its marks.
const CHANGE: u64 = 4;

/// Wakes a thread that sleeps on the word, if one may: C2.
#[inline(always)]
pub(in crate::channel) fn tell(word: &AtomicU64) {
    fence_in_model();
    // ORDERING: SeqCst; behind C1.
    let seen = word.load(Ordering::SeqCst);
    if seen & ASLEEP != 0 {
        tell_sleepers(word, seen);
    }
}

#[cold]
#[inline(never)]
fn tell_sleepers(word: &AtomicU64, mut seen: u64) {
    for _ in 0..TRIES {
        let next = (seen & !ASLEEP).wrapping_add(CHANGE);
        // ORDERING: AcqRel; pairs with the Acquire in `poll`.
        match WaitWord::new(word).change(seen, next, Ordering::AcqRel, Wake::One) {
            Ok(()) => return,
            Err(found) if found & ASLEEP == 0 => return,
            Err(found) => seen = found,
        }
    }
}
