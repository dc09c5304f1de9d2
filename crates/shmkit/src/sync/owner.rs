//! The owner word: one of several processes has it, and a dead one does not keep it.
//!
//! ```text
//! 63            32 31  29 28     13      12  11           1     0
//! +---------------+------+---------+---------+-------------+--------+
//! |  generation   |  0   |  deaths | WAITERS |  slot + 1   | CLOSED |
//! +---------------+------+---------+---------+-------------+--------+
//! ```
//!
//! Slot and generation name the participant that has it. The low half is what waiters sleep on.
//!
//! | state | slot + 1 | who may leave it, and how |
//! |---|---|---|
//! | free | 0 | anybody, by writing himself in |
//! | held | not 0 | the holder, to free; once he is dead anybody, by replacing him |
//! | CLOSED | any | nobody; a holder still leaves |
//!
//! Replacing a dead holder adds 1 to deaths in the same exchange.
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | WAITERS | who goes to sleep on a held word | the holder when he frees it, and then wakes one |
//! | CLOSED | the one who retires the object | nobody |
//!
//! # Why no waiter sleeps for ever
//!
//! Whoever sleeps saw WAITERS set in the very low half that the kernel compares. A word with
//! WAITERS is freed by an exchange that sees the bit, and one waiter is woken. He cannot know
//! whether there are others, so he sets the bit again in the exchange by which he takes the word,
//! or before he sleeps again; or he wakes one more when he gives up.
//! Where a wake is swallowed by a process being killed, the others' slices end.
//!
//! # If a process dies
//!
//! A dead holder stays in the word until someone who wants it asks about him: at once in
//! [`OwnerWord::try_acquire`], after each slice in [`OwnerWord::acquire`]. The one exchange that
//! replaces him names his generation, so that of two who found him dead only one does.

use std::time::{Duration, Instant};

use super::sleepers::SLICE;
use crate::memory::atomic::{AtomicU64, Ordering, spin_loop};
use crate::sys::wait;

const CLOSED: u64 = 1;
const SLOT_SHIFT: u32 = 1;
const SLOT_MASK: u64 = ((1 << 11) - 1) << SLOT_SHIFT;
const WAITERS: u64 = 1 << 12;
const DEATHS_SHIFT: u32 = 13;
const DEATHS_MASK: u64 = 0xffff << DEATHS_SHIFT;
const RESERVED: u64 = 0b111 << 29;
const GENERATION_SHIFT: u32 = 32;
/// Slots are below this.
const MOST_SLOTS: u32 = 1_024;
/// How often an exchange is tried before the word counts as contended.
const TRIES: u32 = 64;
/// Looks with a pause each before sleeping: a set of a small value is over by then.
const SPINS: u32 = if cfg!(loom) { 0 } else { 64 };

/// A participant: a slot and the generation in which it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Below 1,024.
    pub slot: u32,
    /// Which of those who had the slot.
    pub generation: u32,
}

/// Who knows about life and death.
pub(crate) trait Registrar {
    /// Whether the participant is dead: the slot has another generation, or its lock is free.
    /// Never asked about the asker.
    fn is_dead(&self, holder: Holder) -> bool;
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    /// Who has it.
    pub(crate) fn holder(self) -> Option<Holder> {
        let slot = ((self.0 & SLOT_MASK) >> SLOT_SHIFT) as u32;
        let generation = (self.0 >> GENERATION_SHIFT) as u32;
        slot.checked_sub(1).map(|slot| Holder { slot, generation })
    }

    /// How many dead holders were replaced, modulo 2^16.
    pub(crate) fn deaths(self) -> u16 {
        (self.0 >> DEATHS_SHIFT) as u16
    }

    /// Nobody can take it any more.
    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// Whether it is one that a participant writes.
    pub(crate) fn is_sound(self) -> bool {
        self.0 & RESERVED == 0 && self.0 & SLOT_MASK <= u64::from(MOST_SLOTS) << SLOT_SHIFT
    }

    /// The same with `holder` in it, and without waiters.
    fn held_by(self, holder: Holder) -> Self {
        let who = u64::from(holder.generation) << GENERATION_SHIFT
            | u64::from(holder.slot + 1) << SLOT_SHIFT;
        Self(self.0 & (DEATHS_MASK | CLOSED) | who)
    }

    /// The same with nobody in it.
    fn free(self) -> Self {
        Self(self.0 & (DEATHS_MASK | CLOSED))
    }

    fn with_waiters(self) -> Self {
        Self(self.0 | WAITERS)
    }

    fn with_one_more_death(self) -> Self {
        let deaths = self.deaths().wrapping_add(1);
        Self(self.0 & !DEATHS_MASK | u64::from(deaths) << DEATHS_SHIFT)
    }
}

/// How the word was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// From nobody.
    Free,
    /// From this one, who died with it: what he left half-done is to be completed.
    FromDead(Holder),
}

/// Why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A living participant has it.
    Held(Holder),
    /// The object was retired.
    Closed,
    /// The time is over; this one has it.
    TimedOut(Holder),
    /// Others changed the word in each of many tries.
    Busy,
    /// The word holds what no participant writes.
    Corrupt,
}

/// The owner word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerWord<'a>(&'a AtomicU64);

impl<'a> OwnerWord<'a> {
    /// Over `word`.
    #[inline(always)]
    pub(crate) fn new(word: &'a AtomicU64) -> Self {
        Self(word)
    }

    /// What the word says now.
    #[inline]
    pub(crate) fn look(self) -> State {
        // ORDERING: Acquire; pairs with the exchanges below: what was done before them is seen.
        State(self.0.load(Ordering::Acquire))
    }

    /// Whether `me` has it: one load, to be asked before each change.
    #[inline]
    pub(crate) fn is_held_by(self, me: Holder) -> bool {
        // ORDERING: Relaxed; only `me` writes himself in, and nothing of others is read by it.
        let state = State(self.0.load(Ordering::Relaxed));
        state.holder() == Some(me)
    }

    /// Takes the word for `me` if nobody has it, or a dead one.
    #[inline]
    pub(crate) fn try_acquire(
        self,
        me: Holder,
        registrar: &impl Registrar,
    ) -> Result<Acquired, Refused> {
        for _ in 0..TRIES {
            let state = self.free_to_take()?;
            let taken = match state.holder() {
                None => self.take(state, me, false).then_some(Acquired::Free),
                Some(holder) => self.replace(state, holder, me, registrar)?,
            };
            if let Some(taken) = taken {
                return Ok(taken);
            }
        }
        Err(Refused::Busy)
    }

    /// Takes the word for `me`, waiting for a living holder as long as `patience` lasts.
    ///
    /// # If a process dies
    /// A dead holder is replaced a slice after the waiting began.
    #[inline]
    pub(crate) fn acquire(
        self,
        me: Holder,
        registrar: &impl Registrar,
        patience: Option<Duration>,
    ) -> Result<Acquired, Refused> {
        let state = self.free_to_take()?;
        if state.holder().is_none() && self.take(state, me, false) {
            return Ok(Acquired::Free);
        }
        self.acquire_slowly(me, registrar, patience)
    }

    #[cold]
    fn acquire_slowly(
        self,
        me: Holder,
        registrar: &impl Registrar,
        patience: Option<Duration>,
    ) -> Result<Acquired, Refused> {
        let mut spins = SPINS;
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut slept = false;
        let mut slice = Instant::now() + SLICE;
        loop {
            let state = self.free_to_take()?;
            if state.holder().is_none() && self.take(state, me, slept) {
                return Ok(Acquired::Free);
            }
            if spins > 0 {
                spins -= 1;
                spin_loop();
                continue;
            }
            let now = Instant::now();
            let late = until.is_some_and(|until| until <= now);
            let Some(holder) = state.holder() else {
                if late { return Err(Refused::Busy) } else { continue }
            };
            if late || slice <= now {
                match self.replace(state, holder, me, registrar) {
                    Ok(Some(taken)) => return Ok(taken),
                    Err(Refused::Corrupt) => return Err(Refused::Corrupt),
                    Err(Refused::Held(_)) if !late => slice = now + SLICE,
                    Ok(None) if !late => continue,
                    _ => {
                        if slept {
                            // The wake that was taken here may have been for another.
                            wait::wake_one(self.0, state.0);
                        }
                        return Err(Refused::TimedOut(holder));
                    }
                }
            }
            slept |= self.sleep(state, until.map_or(slice, |until| until.min(slice)));
        }
    }

    /// Gives the word back. `false`: it was no longer `me` who had it.
    ///
    /// # If a process dies
    /// Between giving back and waking: the sleepers look again at the end of their slice.
    #[inline]
    pub(crate) fn release(self, me: Holder) -> bool {
        // ORDERING: Relaxed; the exchange decides.
        let mut state = State(self.0.load(Ordering::Relaxed));
        while state.holder() == Some(me) {
            // ORDERING: Release; pairs with the Acquire in `take`: the next one sees what was done.
            match self.exchange(state, state.free(), Ordering::Release) {
                Ok(()) => {
                    if state.0 & WAITERS != 0 {
                        // CRASH: dying here loses this wake; the waiters' slices end.
                        crash_point!("owner: freed, nobody woken");
                        wait::wake_one(self.0, state.0);
                    }
                    return true;
                }
                Err(found) => state = found,
            }
        }
        false
    }

    /// Closes the word for good: nobody takes it any more, and all who wait are told.
    #[cfg(test)]
    pub(crate) fn close(self) {
        // ORDERING: Release; pairs with the Acquire in `look`.
        let had = self.0.fetch_or(CLOSED, Ordering::Release);
        wait::wake_all(self.0, had);
    }

    /// The state, if the word can be taken by someone.
    #[inline(always)]
    fn free_to_take(self) -> Result<State, Refused> {
        let state = self.look();
        if !state.is_sound() {
            return Err(Refused::Corrupt);
        }
        if state.is_closed() { Err(Refused::Closed) } else { Ok(state) }
    }

    /// Takes a word in which nobody is; keeps it marked for waiters where there may be some.
    #[inline(always)]
    fn take(self, state: State, me: Holder, waiters: bool) -> bool {
        let mut mine = state.held_by(me);
        if waiters {
            mine = mine.with_waiters();
        }
        // ORDERING: Acquire; pairs with the Release in `release`.
        self.exchange(state, mine, Ordering::Acquire).is_ok()
    }

    /// Takes the word from `holder` if he is dead. `None`: it changed meanwhile.
    #[cold]
    fn replace(
        self,
        state: State,
        holder: Holder,
        me: Holder,
        registrar: &impl Registrar,
    ) -> Result<Option<Acquired>, Refused> {
        // Nobody asks for what he has: then another wrote him in, and waiting would never end.
        if holder == me {
            return Err(Refused::Corrupt);
        }
        if !registrar.is_dead(holder) {
            return Err(Refused::Held(holder));
        }
        // Others may wait for the same dead one.
        let mine = state.held_by(me).with_one_more_death().with_waiters();
        // CRASH: dying behind this makes `me` a dead holder, with what the last one left.
        // ORDERING: Acquire; what the dead one stored is seen, since the system's word for his
        // death orders it before.
        let taken = self.exchange(state, mine, Ordering::Acquire).is_ok();
        if taken && state.0 & WAITERS != 0 {
            // Who waits for the dead one has to see that he waits for `me`.
            wait::wake_all(self.0, state.0);
        }
        Ok(taken.then_some(Acquired::FromDead(holder)))
    }

    /// Sleeps while `state` holds, marked as having waiters. `false`: it did not hold any more.
    fn sleep(self, state: State, until: Instant) -> bool {
        let marked = state.with_waiters();
        // ORDERING: Relaxed; the mark carries nothing, and the kernel compares the word itself.
        if state != marked && self.exchange(state, marked, Ordering::Relaxed).is_err() {
            return false;
        }
        // CRASH: dying with the mark set costs the holder a wake for nobody.
        wait::wait(self.0, marked.0, Some(until));
        true
    }

    #[inline(always)]
    fn exchange(self, from: State, to: State, order: Ordering) -> Result<(), State> {
        // ORDERING: as given on success; Relaxed on failure, after which the word is loaded anew.
        let found = self.0.compare_exchange(from.0, to.0, order, Ordering::Relaxed);
        found.map(|_| ()).map_err(State)
    }
}

/// Tells of each holder's death once, from what the word and the registrar say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeathWatch {
    /// Deaths in the word that were told, or that came before the watch.
    counted: u16,
    /// The dead holder who was told of before anybody replaced him.
    foretold: Option<Holder>,
}

impl DeathWatch {
    /// Watches from now on: a holder who is dead already counts as news.
    pub(crate) fn new(owner: OwnerWord<'_>) -> Self {
        Self { counted: owner.look().deaths(), foretold: None }
    }

    /// Whether one more holder died: one load, and sees only those who were replaced.
    #[inline]
    pub(crate) fn replaced(&mut self, owner: OwnerWord<'_>) -> bool {
        let state = owner.look();
        if state.deaths() == self.counted {
            // Gone without having been replaced: it lost its proof of life, and lived.
            self.foretold = self.foretold.filter(|holder| state.holder() == Some(*holder));
            return false;
        }
        self.counted = self.counted.wrapping_add(1);
        // The first one replaced since is the one who was told of.
        self.foretold.take().is_none() || self.replaced(owner)
    }

    /// The holder, if he is dead and was not yet told of: asks the registrar.
    pub(crate) fn died(
        &mut self,
        owner: OwnerWord<'_>,
        registrar: &impl Registrar,
    ) -> Option<Holder> {
        let holder = owner.look().holder()?;
        if self.foretold == Some(holder) || !registrar.is_dead(holder) {
            return None;
        }
        // Who left in good order gave the word back before its slot.
        if owner.look().holder() != Some(holder) {
            return None;
        }
        self.foretold = Some(holder);
        Some(holder)
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "what a lock guards")]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
