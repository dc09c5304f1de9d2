//! A gate that opens once, when all have come.

use std::mem;
use std::time::{Duration, Instant};

use super::rounds::Ended;
use super::{Builder, Kind, Parts, Planner, Rendezvous};
use crate::error::Result;
use crate::sync::owner::Liveness;
use crate::sync::until::Until;

/// A gate that opens once, when a number of parties have come, and stays open.
///
/// Those who have to come join; anybody waits.
///
/// # If a process dies
///
/// If a party dies before it came, all who wait are told `PeerDied`, once, and its place is free
/// for another. Waiting again goes on. One that dies after it came has come.
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
    /// Becomes one of the parties that have to come.
    ///
    /// # Errors
    ///
    /// `Full` if all have joined; `Forked`; `RoleLost`.
    pub fn join(&self) -> Result<LatchParty<'_>> {
        Ok(LatchParty { meeting: &self.0, index: self.0.join()? })
    }

    /// Waits until all have come.
    ///
    /// # Errors
    ///
    /// `PeerDied` if a party died that had not come; `Closed` if the object was removed; `Forked`;
    /// `RoleLost`.
    pub fn wait(&self) -> Result<()> {
        self.wait_within(Until::Ever)
    }

    /// Whether all have come.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), but for `PeerDied`.
    pub fn try_wait(&self) -> Result<bool> {
        let (membership, rounds) = (self.0.membership(), self.0.rounds());
        membership.check()?;
        if !rounds.is_open() && self.0.line.is_due() {
            // The last one may have died before it saw that it was the last.
            rounds.repair(membership);
        }
        match rounds.is_open() {
            false if rounds.is_closed() => Err(self.0.error(Ended::Closed)),
            is_open => Ok(is_open),
        }
    }

    /// Waits up to `timeout` until all have come.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_within(Until::after(timeout))
    }

    /// Waits until `deadline` on the monotonic clock, or until all have come.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&self, deadline: Instant) -> Result<()> {
        self.wait_within(Until::Deadline(deadline))
    }

    /// How many parties have to come.
    pub fn parties(&self) -> u32 {
        self.0.parties
    }

    fn wait_within(&self, until: Until) -> Result<()> {
        self.0.membership().check()?;
        match self.0.wait(self.0.rounds().round(), until) {
            Ended::Complete(_) => Ok(()),
            other => Err(self.0.error(other)),
        }
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Latch {
    type Initial = u32;
    const KIND: Kind = Kind::Latch;

    fn plan(planner: &mut Planner, initial: Option<&u32>) {
        Rendezvous::plan("latch", planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Rendezvous::build(builder, true).map(Self)
    }

    fn check_initial(parties: &u32) -> Result<()> {
        Rendezvous::check_parties(*parties)
    }

    fn check(&self, parties: &u32) -> Result<()> {
        self.0.check(*parties)
    }
}

/// One of those who have to come to a [`Latch`]. Dropping it leaves a place for another.
#[derive(Debug)]
pub struct LatchParty<'a> {
    meeting: &'a Rendezvous,
    index: usize,
}

impl LatchParty<'_> {
    /// Has come, for good.
    ///
    /// # Errors
    ///
    /// `Forked`; `RoleLost`.
    pub fn count_down(self) -> Result<()> {
        self.meeting.arrive(self.index)?;
        let rounds = self.meeting.rounds();
        // Once all have come none breaks any more.
        rounds.end_if_all_came(rounds.round());
        // Its place is not another's.
        mem::forget(self);
        Ok(())
    }
}

impl Drop for LatchParty<'_> {
    fn drop(&mut self) {
        self.meeting.leave(self.index);
    }
}
