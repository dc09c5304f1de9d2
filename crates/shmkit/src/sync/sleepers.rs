//! Waiting for another process to change something: spin briefly, announce it, sleep.
//!
//! ```text
//! flag   1: someone may sleep on `word`       0: nobody needs a wake
//! word   changes with everything that is waited for; its low half is what the kernel compares
//! ```
//!
//! The flag is no count, so a waiter that is killed leaves nothing wrong behind: one wake too many.
//!
//! # Why no wake is lost
//!
//! | waiter | waker |
//! |---|---|
//! | W1 flag = 1 | P1 change `word` (and what it stands for) |
//! | W2 full fence | P2 full fence |
//! | W3 expected = `word`; look: is it there? | P3 flag is 1? |
//! | W4 sleep if `word` is still expected | P4 flag = 0 |
//! | | P5 wake all |
//!
//! 1. If W2 comes before P2 in the order of all full fences, P3 sees the 1 of W1 or a later value.
//!    A later value is a 1, or the 0 of a waker, whose own P5 is still to come: see 3.
//!    So the waker goes on to P5. The waiter either sleeps by then, and is woken; or it comes to
//!    W4 later, where the kernel finds that `word` has changed and does not let it sleep.
//!    (If W3 read `word` after the change, the look behind it sees the change, too.)
//! 2. If P2 comes before W2, the look in W3 sees the change.
//! 3. A flag that is cleared by a waker for which it was not meant is no harm: that waker wakes all
//!    *after* clearing, and whoever finds nothing announces itself again before it sleeps.
//!
//! Only a waker that dies between P4 and P5, or a wake that is swallowed by a waiter being killed,
//! leaves others asleep: until the end of their slice, when they look again.
//! Waiters that may not write, to whom the flag is closed, are woken at every change.

use std::time::{Duration, Instant};

use crate::memory::atomic::{AtomicU64, Ordering, fence, fence_behind_rmw, spin_loop};
use crate::sys::wait::{self, Woke};

/// The longest sleep without a look at what no wake will tell: a death, a removed name.
pub(crate) const SLICE: Duration = Duration::from_millis(50);
/// The most looks, with a pause before each, ahead of sleeping: about 5 microseconds.
const MOST_SPINS: u32 = 200;
/// The fewest: enough for an answer from one who is spinning, too.
const FEWEST_SPINS: u32 = 32;
/// Looks in a trial that outlasts the other side's waking up, about 50 microseconds. Without it,
/// two that answer each other would sleep each time after both once fell asleep.
const TRIAL_SPINS: u32 = 2_000;
/// One in so many waits that end in sleep begins with a trial.
const TRIAL_EVERY: u32 = 32;

/// A word to sleep on, and the flag by which sleepers are known to those who change it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleepers<'a> {
    word: &'a AtomicU64,
    flag: &'a AtomicU64,
}

impl<'a> Sleepers<'a> {
    /// Those who sleep on `word`, announced in `flag`.
    #[inline(always)]
    pub(crate) fn new(word: &'a AtomicU64, flag: &'a AtomicU64) -> Self {
        Self { word, flag }
    }

    /// Wakes all who were announced. To be called behind a `SeqCst` exchange that changed `word`.
    ///
    /// # If a process dies
    /// Before the wake: the sleepers look again at the end of their slice.
    #[inline]
    pub(crate) fn wake(self) {
        // ORDERING: P2; pairs with the fence in `Waiter::sleep`.
        fence_behind_rmw();
        // ORDERING: SeqCst; on x86-64 the exchange before is the fence, and only a load of the
        // same order may not be moved before it.
        if self.flag.load(Ordering::SeqCst) != 0 {
            self.wake_announced();
        }
    }

    #[cold]
    fn wake_announced(self) {
        // ORDERING: Relaxed; a sleeper that misses it only causes a wake too many.
        self.flag.store(0, Ordering::Relaxed);
        // CRASH: dying here loses this wake; the sleepers' slices end.
        crash_point!("sleepers: flag cleared, nobody woken");
        wait::wake_all(self.word);
    }

    /// Wakes all, announced or not: where some may not write, and at the end of everything.
    pub(crate) fn wake_unasked(self) {
        self.wake_announced();
    }
}

/// What a look found: the end of waiting, or nothing yet.
pub(crate) type Found<T> = Option<T>;

/// One who waits, again and again: it learns whether spinning pays.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Looks before the next sleep; 0: never spin.
    spins: u32,
    /// Waits in a row that spinning did not end.
    in_vain: u32,
    /// When the slow look was last taken.
    slow_look: Option<Instant>,
    /// Whether it may store to the flag.
    announces: bool,
}

impl Waiter {
    /// A waiter that may store to the flag (`announces`), and spins where there is another
    /// processor for the other side.
    pub(crate) fn new(announces: bool) -> Self {
        let spins = if wait::usable_cpus() > 1 { MOST_SPINS } else { 0 };
        Self { spins, in_vain: 0, slow_look: None, announces }
    }

    /// The same, but it goes to sleep at once.
    pub(crate) fn without_spinning(self) -> Self {
        Self { spins: 0, ..self }
    }

    /// Waits until `look` finds something, or `slow_look` does, or until `until`: then `None`.
    ///
    /// `look` is cheap and is called often. `slow_look` is for what no wake tells: it is called
    /// after each slice, and before a time-out is reported, at most once in a slice.
    pub(crate) fn wait<T>(
        &mut self,
        sleepers: Sleepers<'_>,
        until: Option<Instant>,
        mut look: impl FnMut() -> Found<T>,
        mut slow_look: impl FnMut() -> Found<T>,
    ) -> Found<T> {
        if let Some(found) = look().or_else(|| self.spin(&mut look)) {
            return Some(found);
        }
        loop {
            let now = Instant::now();
            let late = until.is_some_and(|until| until <= now);
            if let Some(found) = self.slowly(now, &mut slow_look) {
                return Some(found);
            }
            if late {
                // What arrived at the last moment has arrived.
                return look();
            }
            let slice = now + SLICE;
            let slice = until.map_or(slice, |until| until.min(slice));
            if let Some(found) = self.sleep(sleepers, slice, &mut look) {
                return Some(found);
            }
        }
    }

    /// Looks for a short time, which grows when that was worth it and shrinks when it was not.
    fn spin<T>(&mut self, look: &mut impl FnMut() -> Found<T>) -> Found<T> {
        if self.spins == 0 {
            return None;
        }
        let trial = self.in_vain % TRIAL_EVERY == TRIAL_EVERY - 1;
        for _ in 0..if trial { TRIAL_SPINS } else { self.spins } {
            spin_loop();
            if let Some(found) = look() {
                self.spins = (self.spins * 2).min(MOST_SPINS);
                self.in_vain = 0;
                return Some(found);
            }
        }
        self.spins = (self.spins / 2).max(FEWEST_SPINS);
        self.in_vain = self.in_vain.wrapping_add(1);
        None
    }

    /// Takes the slow look if the last one was a slice ago.
    fn slowly<T>(&mut self, now: Instant, slow_look: &mut impl FnMut() -> Found<T>) -> Found<T> {
        let due = self.slow_look.is_none_or(|last| now.duration_since(last) >= SLICE);
        if !due {
            return None;
        }
        self.slow_look = Some(now);
        slow_look()
    }

    /// Sleeps once, at most until `slice`, unless there is something to be seen.
    fn sleep<T>(
        &mut self,
        sleepers: Sleepers<'_>,
        slice: Instant,
        look: &mut impl FnMut() -> Found<T>,
    ) -> Found<T> {
        if self.announces {
            // CRASH: dying with the flag set costs the next waker a wake for nobody.
            // ORDERING: SeqCst with the fence; W1 and W2, paired with P2 and P3 in `wake`.
            sleepers.flag.store(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
        // ORDERING: Acquire; pairs with the change of the word: what it stands for is seen.
        let expected = sleepers.word.load(Ordering::Acquire);
        if let Some(found) = look() {
            return Some(found);
        }
        let woke = wait::wait(sleepers.word, expected, Some(slice));
        let found = look();
        if found.is_none() && woke != Woke::TimedOut {
            // Woken for what only the slow look sees.
            self.slow_look = None;
        }
        found
    }
}

#[cfg(all(test, loom))]
mod models;
