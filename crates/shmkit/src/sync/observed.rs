//! What primitives show to who only looks: nobody is present by it, nothing is changed.

mod look;

use std::fmt;

use self::look::Look;
use super::event::Reset;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Kind, ObjectFile, ParticipantId};
use crate::shareable::Schema;
use crate::shareable::schema::Shape;

/// A primitive at one moment, as seen from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrimitiveContent {
    /// Its number in a group, and those of the groups in that, as in `0` or `2.1`; empty where it
    /// stands alone.
    pub number: String,
    /// What it is.
    pub kind: Kind,
    /// The description of the value that it guards, if it does.
    pub value: Option<Schema>,
    /// Its state. Its text says it in words.
    pub state: PrimitiveState,
    /// Who has what of it, dead or alive.
    pub holders: Vec<Holder>,
    /// How many threads wait for it. Of a participant whose threads wait for several primitives,
    /// all are counted at one.
    pub waiting: u32,
}

/// The state of a primitive, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrimitiveState {
    /// Of a lock. Free, if it is neither held alone nor shared.
    Lock {
        /// One has it alone, or waits until those who share it have left.
        exclusive: bool,
        /// Some have it together.
        shared: bool,
        /// Somebody died who had it alone, and nobody has said since that all is mended.
        inconsistent: bool,
    },
    /// Of what is done once.
    Once {
        /// It is done.
        done: bool,
        /// One is doing it.
        doing: bool,
        /// One died, or panicked, who was doing it.
        failed: bool,
    },
    /// Of a condition.
    Condvar {
        /// So many wait.
        waiting: u64,
        /// So many more were notified, and have not gone on yet.
        notified: u64,
    },
    /// Of a semaphore.
    Semaphore {
        /// How many permits there are to be had.
        available: u64,
    },
    /// Of an event.
    Event {
        /// Whether it is set.
        set: bool,
        /// What becomes of it then; nothing, if its bytes do not say.
        reset: Option<Reset>,
    },
    /// Of a barrier.
    Barrier {
        /// How many parties meet.
        parties: u64,
        /// The number of the round.
        round: u64,
        /// How many have come to it.
        arrived: u64,
        /// How many more have joined.
        joined: u64,
    },
    /// Of a latch.
    Latch {
        /// How many parties meet.
        parties: u64,
        /// Whether all have come.
        open: bool,
        /// How many have come.
        arrived: u64,
        /// How many more have joined.
        joined: u64,
    },
}

impl fmt::Display for PrimitiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Lock { exclusive, shared, inconsistent } => {
                let marked = if inconsistent { ", inconsistent: a holder died" } else { "" };
                let taken = match (exclusive, shared) {
                    (true, _) => "locked",
                    (false, true) => "shared",
                    (false, false) => "free",
                };
                write!(f, "{taken}{marked}")
            }
            Self::Once { done, doing, failed } => f.write_str(match (done, doing, failed) {
                (true, ..) => "done",
                (false, true, _) => "being done",
                (false, false, true) => "not done, though it was tried",
                (false, false, false) => "not done",
            }),
            Self::Condvar { waiting, notified } => write!(f, "{waiting} wait, {notified} notified"),
            Self::Semaphore { available } => write!(f, "{available} to be had"),
            Self::Event { set, reset } => {
                let set = if set { "set" } else { "not set" };
                write!(f, "{set}, {} reset", reset.map_or("unknown", Reset::as_str))
            }
            Self::Barrier { parties, round, arrived, joined } => {
                write!(f, "round {round}: {arrived} of {parties} have come")?;
                write_joined(f, joined)
            }
            Self::Latch { parties, open: true, .. } => write!(f, "open, {parties} have come"),
            Self::Latch { parties, arrived, joined, .. } => {
                write!(f, "{arrived} of {parties} have come")?;
                write_joined(f, joined)
            }
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, joined: u64) -> fmt::Result {
    if joined == 0 { Ok(()) } else { write!(f, ", {joined} more have joined") }
}

/// One who has something of a primitive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// Its slot.
    pub slot: u32,
    /// What it has.
    pub what: Holding,
    /// Its process id, in its own PID namespace: for people to read. Nothing once another has its
    /// slot.
    pub pid: Option<u32>,
    /// The name of its program, up to 16 bytes.
    pub program: Option<String>,
    /// The kernel's word: false once it is dead, or gone without giving it back.
    pub alive: bool,
    id: Option<ParticipantId>,
}

/// What somebody has of a primitive. Its text completes the sentence "it ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holding {
    /// A lock, alone.
    Exclusive,
    /// A lock, with others, and by this one alone to be made exclusive.
    Upgradable,
    /// A lock, with others, so many times.
    Shared(u64),
    /// So many permits.
    Permits(u64),
    /// A place among those who meet.
    Party,
    /// A place among those who wait for a condition.
    Waiting,
    /// It does what is done once.
    Doing,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exclusive => f.write_str("holds it"),
            Self::Upgradable => f.write_str("reads, and may upgrade"),
            Self::Shared(1) => f.write_str("reads"),
            Self::Shared(times) => write!(f, "reads {times} times"),
            Self::Permits(1) => f.write_str("has 1 permit"),
            Self::Permits(permits) => write!(f, "has {permits} permits"),
            Self::Party => f.write_str("is a party"),
            Self::Waiting => f.write_str("waits"),
            Self::Doing => f.write_str("is doing it"),
        }
    }
}

impl PrimitiveContent {
    /// As whom participants have something of it, those who merely wait apart.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ParticipantId> {
        let holders = self.holders.iter().filter(|holder| holder.what != Holding::Waiting);
        holders.filter_map(|holder| holder.id)
    }
}

/// What is in an object of primitives, and whether its words are sound.
pub(crate) fn observe(
    object_file: &ObjectFile,
    schema: &Schema,
) -> Result<(Vec<PrimitiveContent>, bool)> {
    let Shape::Struct { fields } = schema.shape() else {
        return Err(Error::new(ErrorKind::Corrupt, "its description is not of primitives"));
    };
    let (mut primitives, mut sound) = (Vec::new(), true);
    for field in fields {
        let name = field.name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        let Some(kind) = Kind::of_name(name) else { continue };
        let prefix = &field.name[..field.name.len() - name.len()];
        let part = |name: &str| fields.iter().find(|it| it.name == format!("{prefix}{name}"));
        let look = Look {
            object_file,
            field,
            part: &part,
            participants: object_file.layout.participants_count,
        };
        let seen = look.at(kind)?;
        sound &= seen.sound;
        primitives.push(PrimitiveContent {
            number: prefix.trim_end_matches('_').replace('_', "."),
            kind,
            value: part("value").map(|it| it.schema.clone()),
            state: seen.state,
            holders: seen.holders,
            waiting: look.waiting(),
        });
    }
    Ok((primitives, sound))
}
