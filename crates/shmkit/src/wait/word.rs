//! The wait word: a word that threads of several processes sleep on.
//!
//! ```text
//! 63                           2     1        0
//! +-----------------------------+--------+--------+
//! |   state of the protocol     | ASLEEP | CLOSED |    the kernel compares the low half
//! +-----------------------------+--------+--------+
//! ```
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | ASLEEP | a waiter, before it sleeps | the change that lets a waiter continue; it then wakes |
//! | CLOSED | the process that retires the object; it then wakes all | no process |
//!
//! ASLEEP is a mark, not a count: a waiter that is killed causes only one unnecessary wake. A
//! protocol can define more bits that mark a sleeping thread.
//!
//! # Why no wake is lost
//!
//! | waiter | waker |
//! |---|---|
//! | W1 loads the word and looks: not ready | P1 exchanges the word: changed, ASLEEP cleared |
//! | W2 exchanges the word of W1 for the same with ASLEEP | P2 if P1 cleared ASLEEP: wakes |
//! | W3 sleeps if the word is still that of W2 | |
//!
//! All changes of the word are in one order. Take the first P1 after the load in W1. If it comes
//! before W2, W2 fails and the waiter looks again. If it comes after W2, it replaces a word with
//! ASLEEP, because nothing else clears that bit; so P2 wakes. Either the waiter already sleeps and
//! is woken, or it reaches W3 later, where the kernel finds another word and does not let it sleep.
//!
//! (A flag in a separate word is not enough: a late waker can clear it for a waiter that has seen
//! that waker's change, sets the flag, and is about to sleep for the next change. Loom found
//! this.)
//!
//! A wake of one waiter clears the mark of all. So a waiter that was woken marks the word for the
//! others: it sets ASLEEP when it takes what it waited for, or when it sleeps again, or it wakes
//! one more waiter when it gives up.
//!
//! No waiter sleeps longer than a *slice* (see `checks`); then it looks again. A wake is lost only
//! if the waker dies between P1 and P2, or if the wake reaches a waiter that is being killed: this
//! costs the other waiters the rest of their slices, or the time until the death notice. So does a
//! waker or a woken waiter that is stopped.
//!
//! Waiters that may not write cannot mark the word. If the object allows such waiters, P2 follows
//! every change.

use std::time::Instant;

use super::stop::Stops;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::notices::Notices;
use crate::sys::wait::{self, Kind, WaitOutcome};

/// Nothing will change any more: the object was retired.
pub(crate) const CLOSED: u64 = 1;
/// A thread may sleep on the word.
pub(crate) const ASLEEP: u64 = 2;

/// Which waiters a change of a word wakes, if its old value says that some sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// One waiter, of those that do not want to share: it marks the word for the others.
    One,
    /// All waiters that want to share.
    Sharers,
    /// Both of these, as far as the marks say that there are any.
    OneAndSharers,
    /// All of them.
    All,
    /// No waiter can continue. If the system finds sleeping waiters by the word's value, they look
    /// again, and sleep on the new value: see `sys::wait`.
    Moved,
    /// No waiter: no thread sleeps on the old value, or [`WaitWord::wake`] follows later.
    Nobody,
}

/// A word that threads of several processes sleep on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitWord<'a> {
    word: &'a AtomicU64,
    /// The bits that say that a thread may sleep, all in the low half.
    marks: u32,
    /// Which sleepers ASLEEP marks.
    kind: Kind,
    /// Whether threads may sleep that cannot write a mark.
    read_only_peers: bool,
}

impl<'a> WaitWord<'a> {
    /// A word in which ASLEEP marks that threads sleep.
    #[inline(always)]
    pub(crate) fn new(word: &'a AtomicU64) -> Self {
        Self { word, marks: ASLEEP as u32, kind: Kind::Only, read_only_peers: false }
    }

    /// The same word, in which `mark` marks that threads sleep that want to share the lock.
    #[inline(always)]
    pub(crate) fn with_sharers(self, mark: u64) -> Self {
        Self { marks: self.marks | mark as u32, kind: Kind::Owner, ..self }
    }

    /// The same word. If there are peers that may only read, every change wakes.
    #[inline(always)]
    pub(crate) fn with_read_only_peers(self, read_only_peers: bool) -> Self {
        Self { read_only_peers, ..self }
    }

    /// Loads the word.
    #[inline(always)]
    pub(crate) fn load(self, order: Ordering) -> u64 {
        // ORDERING: the caller's, which names the partner.
        self.word.load(order)
    }

    /// Exchanges `from` for `to`, and wakes. `Err`: the word that was found instead.
    ///
    /// # If a process dies
    /// If it dies between the change and the wake, sleeping waiters look again at the end of their
    /// slice.
    #[inline(always)]
    pub(crate) fn change(self, from: u64, to: u64, order: Ordering, wake: Wake) -> Result<(), u64> {
        let on_failure = match order {
            Ordering::Relaxed | Ordering::Release => Ordering::Relaxed,
            // ORDERING: Acquire; with the partner that the caller names for success.
            _ => Ordering::Acquire,
        };
        // ORDERING: the caller's, which names the partner.
        self.word.compare_exchange(from, to, order, on_failure)?;
        if wake != Wake::Nobody && (from as u32 & self.marks != 0 || self.read_only_peers) {
            wake_after_change(self.word, from, wake, self.kind);
        }
        Ok(())
    }

    /// Wakes threads that sleep on the value `had`, after a change that was made earlier.
    #[inline(always)]
    pub(crate) fn wake(self, had: u64, wake: Wake) {
        wake_sleepers(self.word, had, wake, self.kind);
    }

    /// Wakes one more waiter, if this waiter may have received a wake that it does not use.
    #[cold]
    pub(crate) fn pass_wake_on(self) {
        // ORDERING: Relaxed; a wake is a hint, and the woken waiter looks again.
        wait::wake_one(self.word, self.word.load(Ordering::Relaxed), self.kind);
    }

    /// Marks that a thread may sleep on the word, if `needed` is true for the word. Returns whether
    /// it is true.
    pub(crate) fn mark_asleep_if(self, needed: impl Fn(u64) -> bool) -> bool {
        // ORDERING: Acquire; pairs with the change of the word.
        let mut seen = self.word.load(Ordering::Acquire);
        while needed(seen) && seen & ASLEEP == 0 {
            let (marked, order) = (seen | ASLEEP, Ordering::Acquire);
            // ORDERING: Acquire; as above. The mark itself carries nothing.
            match self.word.compare_exchange(seen, marked, order, Ordering::Acquire) {
                Ok(_) => return true,
                Err(found) => seen = found,
            }
        }
        needed(seen)
    }

    /// Closes the word, and wakes all waiters. A closed word stays closed.
    pub(crate) fn close(self) {
        // ORDERING: AcqRel; pairs with the Acquire of the look that finds the bit: the waiter sees
        // what the closing process stored before.
        let had = self.word.fetch_or(CLOSED, Ordering::AcqRel);
        wait::wake_all(self.word, had);
    }

    /// Returns the word itself, to sleep on it together with others.
    pub(super) fn place(self) -> &'a AtomicU64 {
        self.word
    }

    /// Returns the word itself.
    #[cfg(test)]
    pub(crate) fn atomic(self) -> &'a AtomicU64 {
        self.word
    }

    /// Wakes all waiters, if the word is marked: for an event that does not change the word.
    pub(crate) fn wake_if_asleep(self) {
        // ORDERING: Relaxed; a wake is a hint, and the woken waiters look again.
        let had = self.word.load(Ordering::Relaxed);
        if had as u32 & self.marks != 0 {
            wait::wake_all(self.word, had);
        }
    }

    /// Sleeps while the low half of the word is that of `expected`, at most until `until`. With
    /// notices, only if there are no news since their count was the given one. A thread that wants
    /// to share a lock says so: it is woken together with the others that do.
    pub(super) fn sleep(
        self,
        expected: u64,
        until: Instant,
        notices: Option<(&Notices, u64)>,
        stops: &Stops,
        shares: bool,
    ) -> WaitOutcome {
        let kind = if shares { Kind::Sharer } else { self.kind };
        stops.sleep(self.word, expected, kind, &|| match notices {
            Some((notices, seen)) => notices.sleep(self.word, expected, Some(until), seen, kind),
            None => wait::wait(self.word, expected, Some(until), kind),
        })
    }
}

/// Wakes after a change. It takes only the word, so that a [`WaitWord`] can stay in registers.
#[cold]
fn wake_after_change(word: &AtomicU64, had: u64, wake: Wake, kind: Kind) {
    if !matches!(wake, Wake::Moved | Wake::Nobody) {
        // CRASH: dying here loses this wake; the waiters look again at the end of their slices.
        crash_point!("wait: word changed, nobody woken");
    }
    wake_sleepers(word, had, wake, kind);
}

#[cold]
fn wake_sleepers(word: &AtomicU64, had: u64, wake: Wake, kind: Kind) {
    match wake {
        Wake::One => wait::wake_one(word, had, kind),
        Wake::Sharers => wait::wake_each(word, had, Kind::Sharer),
        Wake::OneAndSharers => {
            if had & ASLEEP != 0 {
                wait::wake_one(word, had, kind);
            }
            wait::wake_each(word, had, Kind::Sharer);
        }
        Wake::All => wait::wake_all(word, had),
        Wake::Moved => wait::moved(word, had),
        Wake::Nobody => {}
    }
}
