//! Points that several parties reach together: again and again, or once.

mod latch;
mod rendezvous;

use std::time::{Duration, Instant};

pub use latch::{Latch, LatchParty};

use self::rendezvous::Rendezvous;
use super::raw::rounds::Ended;
use crate::error::Result;
use crate::object::{Builder, Kind, Part, PartState, Payload, Planner, Primitive};
use crate::wait::Until;

/// A point that a number of parties reach together, again and again: none goes on before all have
/// arrived.
///
/// A party joins, and then waits in each round. There are as many places as there are parties, at
/// most 1,024; several threads of one process are a party each.
///
/// # If a process dies
///
/// A party that dies breaks the round, also if it had arrived and waited: all waiters of the round
/// get `PeerDied`, and its place is free for another party. Waiting again begins a new round. The
/// last party to arrive asks at most once in 25 ms whether the others live: if one died since then,
/// the round may complete, and the next one is broken.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Barrier::options().directory(directory.path());
/// # let open_or_create = |name, parties| options.open_or_create(name, parties);
/// # /*
/// let step = named::Barrier::open_or_create("simulation/step", 1)?;
/// # */
/// # let step = open_or_create("simulation/step", 1)?;
/// let mut party = step.join()?;
/// if party.wait()?.is_leader() {
///     println!("all have arrived");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Barrier(Rendezvous);

impl Barrier {
    /// Joins as one of the parties.
    ///
    /// # Errors
    ///
    /// `Full` if all parties have joined; `Forked`; `RoleLost`.
    pub fn join(&self) -> Result<BarrierParty<'_>> {
        Ok(BarrierParty { rendezvous: &self.0, index: self.0.join()?, arrived: None })
    }

    /// Returns the number of parties.
    pub fn parties(&self) -> u32 {
        self.0.parties
    }

    /// Returns how many parties have arrived in this round and wait, at this moment.
    pub fn waiting(&self) -> u32 {
        self.0.rounds().count().0 as u32
    }

    /// Aborts the barrier: all parties that wait get `Aborted`, and so does each later wait, until
    /// a process [resets](Self::reset) the barrier. A round that is complete stays complete.
    ///
    /// Any process that has the barrier open can abort it, party or not.
    ///
    /// # If a process dies
    ///
    /// The barrier stays aborted. Parties that die meanwhile free their places, and break no round.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Forked`; `RoleLost`.
    pub fn abort(&self) -> Result<()> {
        self.0.end_for_all(|rounds| rounds.abort())
    }

    /// Begins a new round, in which no party has arrived: also after an abort. Parties that wait
    /// get `Aborted`. They stay parties, and can wait again.
    ///
    /// # Errors
    ///
    /// Those of [`abort`](Self::abort).
    pub fn reset(&self) -> Result<()> {
        self.0.end_for_all(|rounds| rounds.reset())
    }

    /// Returns whether the barrier is aborted at this moment.
    pub fn is_aborted(&self) -> bool {
        self.0.rounds().is_aborted()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Barrier {
    type Initial = u32;

    const KIND: Kind = Kind::Barrier;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&u32>) {
        Rendezvous::plan(planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Rendezvous::build(builder, false).map(Self)
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        rendezvous::describe(part, false)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        rendezvous::reap(part, false)
    }

    fn check_initial(parties: &u32) -> Result<()> {
        Rendezvous::check_parties(*parties)
    }

    fn check_begun_with(&self, parties: &u32) -> Result<()> {
        self.0.check_begun_with(*parties)
    }
}

impl Primitive for Barrier {}

/// A party of a [`Barrier`]. Dropping it frees its place for another party.
#[derive(Debug)]
pub struct BarrierParty<'a> {
    rendezvous: &'a Rendezvous,
    index: usize,
    /// The round in which it arrived and which has not ended for it.
    arrived: Option<u64>,
}

/// How a round ended in which all parties arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Returns whether this party completed the round. If a party died, there may be none.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl BarrierParty<'_> {
    /// Arrives, and waits until all parties have arrived.
    ///
    /// # Errors
    ///
    /// `PeerDied` if a party died before the round was complete; `Aborted` if a process aborted or
    /// reset the barrier; `Closed` if the object was removed; `Forked`; `RoleLost`.
    pub fn wait(&mut self) -> Result<BarrierWaitResult> {
        self.wait_within(Until::Ever)
    }

    /// Arrives, and waits up to `timeout`. When the timeout has expired, the party has arrived all
    /// the same: the next call waits for the end of the same round.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<BarrierWaitResult> {
        self.wait_within(Until::after(timeout))
    }

    /// Arrives, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&mut self, deadline: Instant) -> Result<BarrierWaitResult> {
        self.wait_within(Until::Deadline(deadline))
    }

    fn wait_within(&mut self, until: Until) -> Result<BarrierWaitResult> {
        self.rendezvous.membership().check_live()?;
        let round = match self.arrived {
            Some(round) => round,
            None => {
                let round = self.rendezvous.arrive(self.index)?;
                if self.rendezvous.complete(round) {
                    return Ok(BarrierWaitResult(true));
                }
                round
            }
        };
        let ended = self.rendezvous.wait(round, until);
        // It has arrived all the same, and has not learnt how the round ended.
        self.arrived = matches!(ended, Ended::TimedOut | Ended::Stopped(_)).then_some(round);
        match ended {
            Ended::Complete(leader) => Ok(BarrierWaitResult(leader)),
            other => Err(self.rendezvous.error(other)),
        }
    }
}

impl Drop for BarrierParty<'_> {
    fn drop(&mut self) {
        self.rendezvous.leave(self.index);
    }
}
