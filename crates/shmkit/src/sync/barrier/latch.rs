//! A gate that opens once, when all parties have arrived.

use std::mem;
use std::time::{Duration, Instant};

use super::rendezvous::{self, Rendezvous};
use crate::error::{ErrorKind, Result};
use crate::object::{Builder, Kind, Part, PartState, Payload, Planner, Primitive};
use crate::sync::raw::rounds::Ended;
use crate::wait::Until;

/// A gate that opens once, when a number of parties have arrived, and stays open.
///
/// Parties join and count down. Any thread waits.
///
/// # If a process dies
///
/// If a party dies before it counts down, all waiters get `PeerDied`, once, and its place is free
/// for another party. Waiting again goes on. A party that dies after it counted down has arrived.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Latch::options().directory(directory.path());
/// # let open_or_create = |name, parties| options.open_or_create(name, parties);
/// # /*
/// let loaded = named::Latch::open_or_create("maps/loaded", 1)?;
/// # */
/// # let loaded = open_or_create("maps/loaded", 1)?;
/// let loader = loaded.join()?;
/// loader.count_down()?;
/// loaded.wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Latch(Rendezvous);

impl Latch {
    /// Joins as one of the parties.
    ///
    /// # Errors
    ///
    /// `Full` if all parties have joined; `Forked`; `RoleLost`.
    pub fn join(&self) -> Result<LatchParty<'_>> {
        Ok(LatchParty { rendezvous: &self.0, index: self.0.join()? })
    }

    /// Waits until all parties have arrived.
    ///
    /// # Errors
    ///
    /// `PeerDied` if a party died before it arrived; `Closed` if the object was removed; `Forked`;
    /// `RoleLost`.
    pub fn wait(&self) -> Result<()> {
        self.wait_within(Until::Ever)
    }

    /// Returns whether all parties have arrived.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), but not `PeerDied`.
    pub fn try_wait(&self) -> Result<bool> {
        match self.wait_within(Until::Now) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::PeerDied) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits up to `timeout` until all parties have arrived.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_within(Until::after(timeout))
    }

    /// Waits until `deadline` on the monotonic clock, or until all parties have arrived.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&self, deadline: Instant) -> Result<()> {
        self.wait_within(Until::Deadline(deadline))
    }

    /// Returns the number of parties.
    pub fn parties(&self) -> u32 {
        self.0.parties
    }

    fn wait_within(&self, until: Until) -> Result<()> {
        self.0.membership().check_live()?;
        match self.0.wait(self.0.rounds().round(), until) {
            Ended::Complete(_) => Ok(()),
            other => Err(self.0.error(other)),
        }
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Latch {
    type Initial = u32;

    const KIND: Kind = Kind::Latch;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&u32>) {
        Rendezvous::plan(planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Rendezvous::build(builder, true).map(Self)
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        rendezvous::describe(part, true)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        rendezvous::reap(part, true)
    }

    fn check_initial(parties: &u32) -> Result<()> {
        Rendezvous::check_parties(*parties)
    }

    fn check_begun_with(&self, parties: &u32) -> Result<()> {
        self.0.check_begun_with(*parties)
    }
}

impl Primitive for Latch {}

/// A party of a [`Latch`]. Dropping it frees its place for another party.
#[derive(Debug)]
pub struct LatchParty<'a> {
    rendezvous: &'a Rendezvous,
    index: usize,
}

impl LatchParty<'_> {
    /// Arrives, permanently.
    ///
    /// # Errors
    ///
    /// `Forked`; `RoleLost`.
    pub fn count_down(self) -> Result<()> {
        self.rendezvous.arrive(self.index)?;
        let rounds = self.rendezvous.rounds();
        // Once all have arrived no round breaks any more.
        rounds.end_if_all_arrived(rounds.round());
        // Its place stays taken.
        mem::forget(self);
        Ok(())
    }
}

impl Drop for LatchParty<'_> {
    fn drop(&mut self) {
        self.rendezvous.leave(self.index);
    }
}
