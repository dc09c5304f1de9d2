//! Places where several meet: again and again, or once.

mod latch;
mod rounds;

use std::time::{Duration, Instant};

pub use latch::{Latch, LatchParty};

pub(super) use self::rounds::Rounds;
use self::rounds::{Ended, MAX_PARTIES};
use super::membership::{Line, Membership, Words};
use super::parts::{Builder, Planner, sealed::Parts};
use super::sleepers::Habit;
use super::until::Until;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{Kind, same_option};

/// The words of a barrier or a latch.
#[derive(Debug)]
struct Rendezvous {
    line: Line,
    records: Words<0>,
    parties: u32,
    once: bool,
    habit: Habit,
}

impl Rendezvous {
    fn plan(name: &str, planner: &mut Planner, parties: Option<&u32>) {
        let line = planner.line(name);
        planner.words("records", MAX_PARTIES);
        if let Some(&parties) = parties {
            planner.write(line + 8, &u64::from(parties).to_le_bytes());
        }
    }

    fn build(builder: &mut Builder, once: bool) -> Result<Self> {
        let (line, records) = (builder.line()?, builder.words(MAX_PARTIES)?);
        // ORDERING: Relaxed; written before the object had its name.
        let parties = line.fixed()[1].load(Ordering::Relaxed);
        let parties = u32::try_from(parties).unwrap_or(u32::MAX);
        Self::check_parties(parties).map_err(|error| error.of_kind(ErrorKind::Corrupt))?;
        Ok(Self { line, records, parties, once, habit: Habit::default() })
    }

    fn check_parties(parties: u32) -> Result<()> {
        if (1..=MAX_PARTIES as u32).contains(&parties) {
            return Ok(());
        }
        let why = format!("{parties} parties: 1 to {MAX_PARTIES} can meet");
        Err(Error::new(ErrorKind::InvalidArgument, why))
    }

    fn check(&self, parties: u32) -> Result<()> {
        same_option("the number of parties", Some(parties), self.parties, |it| it.to_string())
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    fn rounds(&self) -> Rounds<'_> {
        let records = &self.records.all()[..self.parties as usize];
        Rounds { word: &self.line.fixed()[0], records, once: self.once }
    }

    fn join(&self) -> Result<usize> {
        let membership = self.membership();
        membership.check()?;
        self.rounds().join(membership.me(), membership).ok_or_else(|| {
            let why = format!("all {} parties have joined", self.parties);
            membership.error(ErrorKind::Full, "join", why)
        })
    }

    fn leave(&self, index: usize) {
        if self.membership().is_well() {
            self.rounds().leave(index, self.membership().me());
        }
    }

    fn arrive(&self, index: usize) -> Result<u64> {
        let membership = self.membership();
        membership.check()?;
        self.rounds().arrive(index, membership.me()).ok_or_else(|| {
            membership.error(
                ErrorKind::RoleLost,
                "come to",
                "this party's place was given away".into(),
            )
        })
    }

    fn wait(&self, round: u64, until: Until) -> Ended {
        let membership = self.membership();
        let _waiting = membership.waiting(self.line.place());
        let mut waiter = self.habit.waiter();
        let ended = self.rounds().wait(round, &mut waiter, until, membership);
        self.habit.keep(&waiter);
        ended
    }

    #[cold]
    fn error(&self, ended: Ended) -> Error {
        let membership = self.membership();
        match ended {
            Ended::Broken => {
                let why = "a process died that others were waiting for".into();
                membership.error(ErrorKind::PeerDied, "meet at", why)
            }
            Ended::Closed => membership.object().closed(),
            _ => membership.timed_out("meet at"),
        }
    }
}

/// A place where a number of parties meet, again and again: none goes on before all have come.
///
/// A party joins, and then waits in each round. There are as many places as there are parties, at
/// most 1,024; several threads of one process are a party each.
///
/// # If a process dies
///
/// A party that dies before it came breaks the round: all who wait in it are told `PeerDied`, and
/// its place is free for another. Waiting again begins a new round. One that dies after it came has
/// come, and breaks the next round.
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
///     println!("all have come");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Barrier(Rendezvous);

impl Barrier {
    /// Becomes one of the parties.
    ///
    /// # Errors
    ///
    /// `Full` if all have joined; `Forked`; `RoleLost`.
    pub fn join(&self) -> Result<BarrierParty<'_>> {
        Ok(BarrierParty { meeting: &self.0, index: self.0.join()?, arrived: None })
    }

    /// How many parties meet.
    pub fn parties(&self) -> u32 {
        self.0.parties
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Barrier {
    type Initial = u32;
    const KIND: Kind = Kind::Barrier;

    fn plan(planner: &mut Planner, initial: Option<&u32>) {
        Rendezvous::plan("barrier", planner, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Rendezvous::build(builder, false).map(Self)
    }

    fn check_initial(parties: &u32) -> Result<()> {
        Rendezvous::check_parties(*parties)
    }

    fn check(&self, parties: &u32) -> Result<()> {
        self.0.check(*parties)
    }
}

/// One of those who meet at a [`Barrier`]. Dropping it leaves a place for another.
#[derive(Debug)]
pub struct BarrierParty<'a> {
    meeting: &'a Rendezvous,
    index: usize,
    /// The round that it came to, as long as that is not over for it.
    arrived: Option<u64>,
}

/// How a round ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this is the one of all who saw that the last one had come. If a party died, there
    /// may be none.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl BarrierParty<'_> {
    /// Comes, and waits until all have come.
    ///
    /// # Errors
    ///
    /// `PeerDied` if a party died that had not come; `Closed` if the object was removed; `Forked`;
    /// `RoleLost`.
    pub fn wait(&mut self) -> Result<BarrierWaitResult> {
        self.wait_within(Until::Ever)
    }

    /// The same, up to `timeout`. Once it came it has come: when the time is over the next call
    /// waits for the end of the same round.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<BarrierWaitResult> {
        self.wait_within(Until::after(timeout))
    }

    /// The same, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&mut self, deadline: Instant) -> Result<BarrierWaitResult> {
        self.wait_within(Until::Deadline(deadline))
    }

    fn wait_within(&mut self, until: Until) -> Result<BarrierWaitResult> {
        self.meeting.membership().check()?;
        let round = match self.arrived {
            Some(round) => round,
            None => {
                let round = self.meeting.arrive(self.index)?;
                if self.meeting.rounds().end_if_all_came(round) {
                    return Ok(BarrierWaitResult(true));
                }
                round
            }
        };
        self.arrived = Some(round);
        let ended = self.meeting.wait(round, until);
        if ended != Ended::TimedOut {
            self.arrived = None;
        }
        match ended {
            Ended::Complete(leader) => Ok(BarrierWaitResult(leader)),
            other => Err(self.meeting.error(other)),
        }
    }
}

impl Drop for BarrierParty<'_> {
    fn drop(&mut self) {
        self.meeting.leave(self.index);
    }
}
