//! Waiting for another process to change a word: spin briefly, announce it, sleep.
//!
//! ```text
//! 63                           2     1        0
//! +-----------------------------+--------+--------+
//! |    what is waited for       | ASLEEP | CLOSED |    the kernel compares the low half
//! +-----------------------------+--------+--------+
//! ```
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | ASLEEP | who goes to sleep on the word | whoever changes it, who then wakes all |
//! | CLOSED | who retires the object, who then wakes all | nobody |
//!
//! ASLEEP is a mark, not a count: a waiter that is killed leaves one wake too many behind, no more.
//!
//! # Why no wake is lost
//!
//! | waiter | waker |
//! |---|---|
//! | W1 loads the word; looks: is it there? | P1 exchanges the word: changed, ASLEEP cleared |
//! | W2 exchanges the word of W1 for the same with ASLEEP | P2 if P1 cleared ASLEEP: wakes all |
//! | W3 sleeps if the word is still that of W2 | |
//!
//! All changes of the word are in one order. Take the first P1 behind the load in W1: if it is
//! before W2, W2 fails, and the waiter looks again. If it is behind W2, it replaces a word with
//! ASLEEP, since nothing else clears that bit; so P2 wakes all. Either the waiter sleeps by then,
//! and is woken; or it comes to W3 later, where the kernel finds another word and does not let it
//! sleep.
//!
//! (A flag in a word of its own is not enough: a late waker can clear it for a waiter that has seen
//! that waker's change, announces itself, and is about to sleep for the next one. Loom found it.)
//!
//! Only a waker that dies between P1 and P2, or a wake that is swallowed by a waiter being killed,
//! leaves others asleep: until the end of their slice, when they look again.
//! Waiters that may not write cannot announce themselves. Where such are admitted, every change is
//! followed by P2.

use std::time::{Duration, Instant};

use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};
use crate::sys::wait::{self, Woke};

/// Nothing will change any more: the object was retired.
pub(crate) const CLOSED: u64 = 1;
/// Someone may sleep on the word.
pub(crate) const ASLEEP: u64 = 2;

/// The longest sleep without a look at what no wake will tell: a death, a removed name.
pub(crate) const SLICE: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 50 });
/// Who has waited for so long, and was woken in vain, gets the next turn.
pub(crate) const STARVES_AFTER: Duration = Duration::from_millis(if cfg!(loom) { 0 } else { 1 });
/// Looks, with a pause before each, in a long spin: about 50 microseconds, which is what sleeping
/// and being woken costs both sides. It outlasts the other side's waking up: two that answer each
/// other, and once fell asleep, are awake again after it.
const LONG_SPIN: u32 = if cfg!(loom) { 0 } else { 2_000 };
/// So many waits begin with a long spin after one that a spin ended.
const LONG_SPINS: u32 = 4;
/// After them one in so many does, so that it is noticed when spinning pays again.
const LONG_SPIN_EVERY: u32 = 2_048;
/// Looks in a short spin: enough for an answer from one who is spinning, too.
const SHORT_SPIN: u32 = if cfg!(loom) { 0 } else { 32 };
/// So many waits begin with a short spin, where not with a long one. From then on spinning is known
/// not to pay: the other side is slow, or waits for this very processor.
const SHORT_SPINS: u32 = 64;

/// Those who sleep on a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleepers<'a> {
    word: &'a AtomicU64,
}

impl<'a> Sleepers<'a> {
    /// Those who sleep on `word`.
    #[inline(always)]
    pub(crate) fn new(word: &'a AtomicU64) -> Self {
        Self { word }
    }

    /// Announces that somebody may sleep on the word, as long as `needed` holds of it. False where
    /// it does not.
    pub(crate) fn announce(self, needed: impl Fn(u64) -> bool) -> bool {
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

    /// Wakes one who sleeps on a word that had this value: to be called after a change of the word
    /// that cleared [`ASLEEP`] and that lets one go on. He announces the others.
    ///
    /// # If a process dies
    /// As [`wake`](Self::wake).
    #[cold]
    pub(crate) fn wake_one(self, had: u64) {
        crash_point!("sleepers: word changed, nobody woken");
        wait::wake_one(self.word, had);
    }

    /// Wakes all who sleep on a word that had this value: to be called after a change of the word
    /// that cleared [`ASLEEP`], or after every change where some may not write, or after closing.
    ///
    /// # If a process dies
    /// Before the wake: the sleepers look again at the end of their slice.
    #[cold]
    pub(crate) fn wake(self, had: u64) {
        // CRASH: dying here loses this wake; the sleepers' slices end.
        crash_point!("sleepers: word changed, nobody woken");
        wait::wake_all(self.word, had);
    }
}

/// What a look found: the end of waiting, or nothing yet.
pub(crate) type Found<T> = Option<T>;

/// One who waits, again and again: it learns whether spinning pays.
#[derive(Debug)]
pub(crate) struct Waiter {
    spins: bool,
    /// Spins in a row that found nothing.
    in_vain: u32,
    /// When the slow look was last taken.
    slow_look: Option<Instant>,
    /// Whether it may write to the word.
    announces: bool,
    /// Whether it slept in this wait.
    slept: bool,
}

/// What a handle has learnt, for the next of its threads that waits: whether spinning pays, and
/// when it last took the slow look.
#[derive(Debug)]
pub(crate) struct Habit {
    /// Spins in a row that found nothing; above them milliseconds since `opened`, and one.
    word: AtomicU64,
    opened: Instant,
}

impl Default for Habit {
    fn default() -> Self {
        let word = AtomicU64::new(Waiter::new(true).in_vain.into());
        Self { word, opened: Instant::now() }
    }
}

impl Habit {
    pub(crate) fn waiter(&self) -> Waiter {
        if LONG_SPIN == 0 {
            return Waiter { in_vain: 0, ..Waiter::new(true) };
        }
        // ORDERING: Relaxed; a guess.
        let word = self.word.load(Ordering::Relaxed);
        let at = |ms| self.opened + Duration::from_millis(ms);
        let slow_look = (word >> 32).checked_sub(1).map(at);
        Waiter { in_vain: word as u32, slow_look, ..Waiter::new(true) }
    }

    /// Keeps what a waiter learnt.
    pub(crate) fn keep(&self, waiter: &Waiter) {
        if LONG_SPIN == 0 {
            return;
        }
        // Where it no longer fits, after 49 days, each waiter looks before it sleeps.
        let ms = |at: Instant| u32::try_from((at - self.opened).as_millis() + 1).unwrap_or(0);
        let slow_look = waiter.slow_look.map_or(0, ms);
        let word = u64::from(slow_look) << 32 | u64::from(waiter.in_vain);
        // ORDERING: Relaxed; a guess, and it may overwrite another's.
        self.word.store(word, Ordering::Relaxed);
    }
}

impl Waiter {
    /// A waiter that may write to the word, if it `announces` itself there.
    pub(crate) fn new(announces: bool) -> Self {
        Self { spins: true, in_vain: LONG_SPINS - 1, slow_look: None, announces, slept: false }
    }

    /// The same, but it goes to sleep at once.
    pub(crate) fn without_spinning(self) -> Self {
        Self { spins: false, ..self }
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
        slow_look: impl FnMut() -> Found<T>,
    ) -> Found<T> {
        self.take(sleepers, until, |_| look(), slow_look)
    }

    /// The same for what one takes from the others: `take` is told whether this waiter slept. Then
    /// the wake that it got may be missed by another, and [`Sleepers::announce`] is to come before
    /// taking.
    pub(crate) fn take<T>(
        &mut self,
        sleepers: Sleepers<'_>,
        until: Option<Instant>,
        mut take: impl FnMut(bool) -> Found<T>,
        mut slow_look: impl FnMut() -> Found<T>,
    ) -> Found<T> {
        self.slept = false;
        if let Some(found) = take(false).or_else(|| self.spin(&mut take)) {
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
                return take(true);
            }
            // Not so short that it ends just when a wake comes.
            let slice = self.slow_look.unwrap_or(now) + SLICE;
            let slice = slice.max(now + SLICE / 2);
            let slice = until.map_or(slice, |until| until.min(slice));
            if let Some(found) = self.sleep(sleepers, slice, &mut take) {
                return Some(found);
            }
        }
    }

    /// Looks for a while: longer where that paid of late.
    fn spin<T>(&mut self, look: &mut impl FnMut(bool) -> Found<T>) -> Found<T> {
        if !self.spins {
            return None;
        }
        let looks = match self.in_vain {
            few if few < LONG_SPINS => LONG_SPIN,
            many if many.is_multiple_of(LONG_SPIN_EVERY) => LONG_SPIN,
            some if some < SHORT_SPINS => SHORT_SPIN,
            _ => 0,
        };
        for _ in 0..looks {
            spin_loop();
            if let Some(found) = look(false) {
                self.in_vain = 0;
                return Some(found);
            }
        }
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
        look: &mut impl FnMut(bool) -> Found<T>,
    ) -> Found<T> {
        let Sleepers { word } = sleepers;
        // ORDERING: Acquire; pairs with the change of the word: what it stands for is seen.
        let seen = word.load(Ordering::Acquire);
        if let Some(found) = look(self.slept) {
            return Some(found);
        }
        let mut expected = seen;
        if self.announces && seen & ASLEEP == 0 {
            expected = seen | ASLEEP;
            // CRASH: dying with the mark set costs the next waker a wake for nobody.
            // ORDERING: Relaxed; the mark carries nothing: that it replaced `seen` is all.
            let marked =
                word.compare_exchange(seen, expected, Ordering::Relaxed, Ordering::Relaxed);
            if marked.is_err() {
                return look(self.slept);
            }
        }
        let woke = wait::wait(word, expected, Some(slice));
        self.slept |= woke != Woke::Changed;
        let found = look(self.slept);
        if found.is_some() && woke == Woke::TimedOut {
            late::count();
        }
        if found.is_none() && woke != Woke::TimedOut {
            // Woken for what only the slow look sees.
            self.slow_look = None;
        }
        found
    }
}

/// How often a sleeper found something at the end of its slice, of which no wake had told it.
pub(crate) mod late {
    #[cfg(all(feature = "crash-points", not(loom)))]
    static COUNT: super::AtomicU64 = super::AtomicU64::new(0);

    pub(super) fn count() {
        // ORDERING: Relaxed; a figure for tests.
        #[cfg(all(feature = "crash-points", not(loom)))]
        COUNT.fetch_add(1, super::Ordering::Relaxed);
    }

    /// How often that was since the process began.
    #[cfg(all(feature = "crash-points", not(loom)))]
    pub(crate) fn finds() -> u64 {
        // ORDERING: Relaxed; a figure for tests.
        COUNT.load(super::Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn wait<T>(
        word: &AtomicU64,
        until: Option<Instant>,
        look: impl FnMut() -> Found<T>,
        slow_look: impl FnMut() -> Found<T>,
    ) -> Found<T> {
        Waiter::new(true).wait(Sleepers::new(word), until, look, slow_look)
    }

    #[test]
    fn a_time_out_comes_in_time_and_behind_a_slow_look() {
        let word = AtomicU64::new(0);
        let until = Instant::now() + Duration::from_millis(2);
        let mut slow_looks = 0;
        let found: Found<()> = wait(
            &word,
            Some(until),
            || None,
            || {
                slow_looks += 1;
                None
            },
        );
        assert!(found.is_none() && Instant::now() >= until && slow_looks >= 1);
    }

    #[test]
    fn what_no_wake_tells_is_found_after_a_slice() {
        let word = AtomicU64::new(0);
        let mut slow_looks = 0;
        let found = wait(
            &word,
            None,
            || None,
            || {
                slow_looks += 1;
                (slow_looks == 3).then_some(slow_looks)
            },
        );
        assert_eq!(found, Some(3));
    }

    #[test]
    fn a_change_without_a_wake_is_found_after_a_slice() {
        let (word, value) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let look = || Some(value.load(Ordering::Acquire)).filter(|value| *value != 0);
                wait(&word, None, look, || None)
            });
            while word.load(Ordering::Acquire) & ASLEEP == 0 {
                std::thread::yield_now();
            }
            value.store(7, Ordering::Release);
            assert_eq!(waiting.join().unwrap(), Some(7));
        });
    }

    #[test]
    fn two_that_answer_each_other_miss_nothing() {
        const ROUNDS: u64 = 5_000;
        let words = [AtomicU64::new(0), AtomicU64::new(0)];
        let send = |to: &AtomicU64, round: u64| {
            let had = to.swap(round << 2, Ordering::AcqRel);
            if had & ASLEEP != 0 {
                Sleepers::new(to).wake(had);
            }
        };
        let receive = |waiter: &mut Waiter, from: &AtomicU64, round: u64| {
            let look = || (from.load(Ordering::Acquire) >> 2 == round).then_some(());
            waiter.wait(Sleepers::new(from), None, look, || None).expect("there is no time-out");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut waiter = Waiter::new(true).without_spinning();
                for round in 1..=ROUNDS {
                    receive(&mut waiter, &words[0], round);
                    send(&words[1], round);
                }
            });
            let mut waiter = Waiter::new(true);
            for round in 1..=ROUNDS {
                send(&words[0], round);
                receive(&mut waiter, &words[1], round);
            }
        });
    }
}
