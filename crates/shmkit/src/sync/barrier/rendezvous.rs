//! What a barrier and a latch have in common: their words, and how parties join and arrive.

use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{
    Builder, Holding, Line, Membership, Part, PartState, Planner, WORDS, Words, check_option,
};
use crate::sync::raw::rounds::{Ended, MAX_PARTIES, Rounds};
use crate::wait::{Until, WaitLoop};

/// The words of a barrier or a latch.
#[derive(Debug)]
pub(super) struct Rendezvous {
    line: Line,
    records: Words<0>,
    pub(super) parties: u32,
    /// Whether it is a latch, which opens once.
    once: bool,
    wait_loop: WaitLoop,
}

const PARTY: Holding = Holding::new(
    "is a party",
    "is {} parties",
    "as a party of {part}: the waiters of its round get PeerDied",
);

impl Rendezvous {
    pub(super) fn plan(planner: &mut Planner<'_>, parties: Option<&u32>) {
        let line = planner.line("round");
        planner.word("parties", line + 8, WORDS);
        planner.words("records", WORDS, MAX_PARTIES as u64);
        if let Some(&parties) = parties {
            planner.write_at(line + 8, &u64::from(parties).to_le_bytes());
        }
    }

    pub(super) fn build(builder: &mut Builder, once: bool) -> Result<Self> {
        let (line, records) = (builder.line()?, builder.words(MAX_PARTIES)?);
        // ORDERING: Relaxed; written before the object could be opened.
        let parties = line.fixed()[1].load(Ordering::Relaxed);
        let parties = u32::try_from(parties).unwrap_or(u32::MAX);
        Self::check_parties(parties).map_err(|error| error.of_kind(ErrorKind::Corrupt))?;
        Ok(Self { line, records, parties, once, wait_loop: builder.wait_loop() })
    }

    pub(super) fn check_parties(parties: u32) -> Result<()> {
        if (1..=MAX_PARTIES as u32).contains(&parties) {
            return Ok(());
        }
        let why = format!("{parties} parties were asked for; 1 to {MAX_PARTIES} are allowed");
        Err(Error::new(ErrorKind::InvalidArgument, why))
    }

    pub(super) fn check_begun_with(&self, parties: u32) -> Result<()> {
        check_option("the number of parties", Some(parties), self.parties, |it| it.to_string())
    }

    pub(super) fn membership(&self) -> &Membership {
        self.line.membership()
    }

    pub(super) fn rounds(&self) -> Rounds<'_> {
        let records = &self.records.all()[..self.parties as usize];
        Rounds { word: &self.line.fixed()[0], records, once: self.once }
    }

    /// Takes a place among the parties.
    pub(super) fn join(&self) -> Result<usize> {
        let membership = self.membership();
        membership.check_live()?;
        self.rounds().join(membership.me(), membership).ok_or_else(|| {
            let why = format!("all {} parties have joined", self.parties);
            membership.error(ErrorKind::Full, "join", why)
        })
    }

    /// Leaves a place.
    pub(super) fn leave(&self, index: usize) {
        if self.membership().has_slot() {
            self.rounds().leave(index, self.membership().me());
        }
    }

    /// Arrives in the current round, and returns its number.
    pub(super) fn arrive(&self, index: usize) -> Result<u64> {
        let membership = self.membership();
        membership.check_live()?;
        if self.rounds().is_aborted() {
            return Err(self.error(Ended::Aborted));
        }
        self.rounds().arrive(index, membership.me()).ok_or_else(|| {
            let why = "another party has this party's place";
            membership.error(ErrorKind::RoleLost, "arrive at", why)
        })
    }

    /// Completes the round in which this party arrived, if all have arrived and live.
    pub(super) fn complete(&self, round: u64) -> bool {
        self.rounds().complete(round, self.membership(), &self.wait_loop)
    }

    /// Waits until the round ends.
    pub(super) fn wait(&self, round: u64, until: Until) -> Ended {
        let membership = self.membership();
        let _recorded = membership.record_wait(self.line.place(), until);
        self.rounds().wait(round, membership, &self.wait_loop, until)
    }

    /// Ends the waits of all parties by `end`, which returns false if the object was retired.
    pub(super) fn end_for_all(&self, end: impl FnOnce(Rounds<'_>) -> bool) -> Result<()> {
        self.membership().check_live()?;
        if end(self.rounds()) { Ok(()) } else { Err(self.membership().object().closed()) }
    }

    #[cold]
    pub(super) fn error(&self, ended: Ended) -> Error {
        let membership = self.membership();
        match ended {
            Ended::Broken => {
                let why = match self.once {
                    true => "a party died before it arrived",
                    false => "a party died before the round was complete",
                };
                membership.error(ErrorKind::PeerDied, "wait at", why)
            }
            Ended::Aborted => {
                let why = match self.rounds().is_aborted() {
                    true => "a process aborted the barrier: it can be used again after a reset",
                    false => "a process reset the barrier: wait again",
                };
                membership.error(ErrorKind::Aborted, "wait at", why)
            }
            Ended::Closed => membership.object().closed(),
            Ended::Stopped(stop) => membership.stopped(stop, "wait at"),
            Ended::TimedOut | Ended::Complete(_) => membership.timed_out("wait at"),
        }
    }
}

/// The words of a barrier or a latch, for an outsider. Also the number of parties, and whether
/// participants can have written it.
fn rounds_in<'a>(part: &Part<'a>, once: bool) -> Result<(Rounds<'a>, u64, bool)> {
    let (line, records) = (part.line::<2>()?, part.words()?);
    // ORDERING: Relaxed; written before the object could be opened.
    let parties = line[1].load(Ordering::Relaxed);
    let is_sound = (1..=records.len() as u64).contains(&parties);
    let records = &records[..records.len().min(parties as usize)];
    let rounds = Rounds { word: &line[0], records, once };
    // No participant aborts a latch.
    Ok((rounds, parties, is_sound && !(once && rounds.is_aborted())))
}

/// Breaks the round for the parties that died. For a process that does not know the type.
pub(super) fn reap(part: &Part<'_>, once: bool) -> Result<()> {
    rounds_in(part, once)?.0.reap(part);
    Ok(())
}

/// Returns what a barrier or a latch shows to an outsider.
pub(super) fn describe(part: &Part<'_>, once: bool) -> Result<PartState> {
    let (rounds, parties, is_sound) = rounds_in(part, once)?;
    let (arrived, joined) = rounds.count();
    let (arrived, joined) = (arrived as u64, joined as u64);
    let (is_open, number) = (once && rounds.is_open(), rounds.round());
    let is_aborted = rounds.is_aborted();
    let progress = if once { ("open", is_open.into()) } else { ("round", number.into()) };
    let mut fields = vec![
        ("parties", parties.into()),
        progress,
        ("arrived", arrived.into()),
        ("joined", joined.into()),
    ];
    if !once {
        fields.push(("aborted", is_aborted.into()));
    }
    let round = if once { String::new() } else { format!("round {number}: ") };
    let others = if joined == 0 { String::new() } else { format!(", {joined} more have joined") };
    let text = match is_open {
        true => format!("open, {parties} have arrived"),
        false if is_aborted => format!("{round}aborted, {joined} of {parties} have joined"),
        false => format!("{round}{arrived} of {parties} have arrived{others}"),
    };
    let holders = rounds.parties().map(|id| part.held_by(id, PARTY)).collect();
    Ok(PartState { text, fields, holders, is_sound, ..PartState::primitive() })
}
