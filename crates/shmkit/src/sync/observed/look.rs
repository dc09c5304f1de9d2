//! How the words of each kind of primitive are read.

use super::{Holder, Holding, PrimitiveState};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::{Kind, ObjectFile, ParticipantId};
use crate::shareable::schema::Field;
use crate::sync::barrier::Rounds;
use crate::sync::condvar::Waiters;
use crate::sync::event::{EventWord, Reset};
use crate::sync::membership::LINE_WORDS;
use crate::sync::owner::{OwnerWord, State};
use crate::sync::rwlock::Shares;
use crate::sync::semaphore::Permits;

/// What was seen of one.
pub(super) struct Seen {
    pub(super) state: PrimitiveState,
    pub(super) holders: Vec<Holder>,
    pub(super) sound: bool,
}

/// Where to look.
pub(super) struct Look<'a> {
    pub(super) object_file: &'a ObjectFile,
    pub(super) field: &'a Field,
    pub(super) part: &'a dyn Fn(&str) -> Option<&'a Field>,
    pub(super) participants: u32,
}

impl<'a> Look<'a> {
    pub(super) fn at(&self, kind: Kind) -> Result<Seen> {
        match kind {
            Kind::RwLock => self.rwlock(),
            Kind::Condvar => self.condvar(),
            Kind::Semaphore => self.semaphore(),
            Kind::Event => self.event(),
            Kind::Barrier | Kind::Latch => self.meeting(kind == Kind::Latch),
            Kind::Once => self.once(),
            _ => self.mutex(),
        }
    }

    /// How many threads of the living wait for it.
    pub(super) fn waiting(&self) -> u32 {
        let participants = self.object_file.participants();
        let waiting = (0..self.participants).filter_map(|slot| {
            let (threads, place) = participants.threads_waiting(slot);
            if threads == 0 || u64::from(place) != self.field.offset {
                return None;
            }
            let (id, _) = participants.info(slot)?;
            (!participants.is_dead(self.object_file, id)).then_some(threads)
        });
        waiting.fold(0, u32::saturating_add)
    }

    fn line(&self) -> Result<&'a [AtomicU64; LINE_WORDS]> {
        let words = self.object_file.payload().words(self.field.offset as usize, LINE_WORDS)?;
        Ok(words.try_into().expect("as many as were asked for"))
    }

    fn words(&self, name: &str) -> Result<&'a [AtomicU64]> {
        let missing = || Error::new(ErrorKind::Corrupt, format!("no {name} are described"));
        let field = (self.part)(name).ok_or_else(missing)?;
        self.object_file.payload().words(field.offset as usize, (field.schema.size() / 8) as usize)
    }

    fn held(&self, slot: u32, id: Option<ParticipantId>, what: Holding) -> Holder {
        let participants = self.object_file.participants();
        let who = id.and_then(|id| participants.info_of(id));
        Holder {
            slot,
            what,
            pid: who.map(|who| who.pid),
            program: who.map(|who| who.program()),
            alive: id.is_some_and(|id| !participants.is_dead(self.object_file, id)),
            id,
        }
    }

    /// Who has an owner word.
    fn owner(&self, state: State, what: Holding) -> Vec<Holder> {
        let holder = state.holder();
        holder.map(|it| self.held(it.slot, Some(it), what)).into_iter().collect()
    }

    fn mutex(&self) -> Result<Seen> {
        let state = OwnerWord::lock(&self.line()?[0]).look();
        Ok(Seen {
            state: PrimitiveState::Lock {
                exclusive: state.holder().is_some(),
                shared: false,
                inconsistent: state.is_inconsistent(),
            },
            holders: self.owner(state, Holding::Exclusive),
            sound: state.is_sound(),
        })
    }

    fn once(&self) -> Result<Seen> {
        let state = OwnerWord::lock(&self.line()?[0]).look();
        Ok(Seen {
            state: PrimitiveState::Once {
                done: state.is_done(),
                doing: state.holder().is_some(),
                failed: state.is_inconsistent(),
            },
            holders: self.owner(state, Holding::Doing),
            sound: state.is_sound(),
        })
    }

    fn rwlock(&self) -> Result<Seen> {
        let line = self.line()?;
        let owner = OwnerWord::lock(&line[0]);
        let shares = Shares { owner, used: &line[1], words: self.words("shares")? };
        let state = owner.look();
        let exclusive = state.is_exclusive();
        let how = if exclusive { Holding::Exclusive } else { Holding::Upgradable };
        let mut holders = self.owner(state, how);
        holders.extend(
            shares.sharers().map(|(holder, times)| {
                self.held(holder.slot, Some(holder), Holding::Shared(times))
            }),
        );
        Ok(Seen {
            state: PrimitiveState::Lock {
                exclusive,
                shared: !holders.is_empty() && !exclusive,
                inconsistent: state.is_inconsistent(),
            },
            holders,
            sound: state.is_sound(),
        })
    }

    fn condvar(&self) -> Result<Seen> {
        let waiters = Waiters::of(self.line()?, self.words("records")?);
        let (waiting, notified) = waiters.count();
        let held = |it: ParticipantId| self.held(it.slot, Some(it), Holding::Waiting);
        let holders = waiters.holders().map(held).collect();
        let (waiting, notified) = (waiting as u64, notified as u64);
        Ok(Seen { state: PrimitiveState::Condvar { waiting, notified }, holders, sound: true })
    }

    fn semaphore(&self) -> Result<Seen> {
        let permits = Permits::of(self.line()?, self.words("slots")?);
        let holders = (0..self.participants).filter_map(|slot| {
            let held = Some(permits.held(slot)).filter(|held| *held > 0)?;
            let (id, _) = self.object_file.participants().info(slot).unzip();
            Some(self.held(slot, id, Holding::Permits(held)))
        });
        Ok(Seen {
            state: PrimitiveState::Semaphore { available: permits.available() },
            holders: holders.collect(),
            sound: permits.is_sound(),
        })
    }

    fn event(&self) -> Result<Seen> {
        let line = self.line()?;
        // ORDERING: Relaxed; written before the object had its name.
        let number = line[1].load(Ordering::Relaxed);
        let reset = Reset::of_number(number);
        let set = EventWord::new(&line[0], reset.unwrap_or(Reset::Manual)).is_set();
        let state = PrimitiveState::Event { set, reset };
        Ok(Seen { state, holders: Vec::new(), sound: reset.is_some() })
    }

    fn meeting(&self, once: bool) -> Result<Seen> {
        let (line, records) = (self.line()?, self.words("records")?);
        // ORDERING: Relaxed; written before the object had its name.
        let parties = line[1].load(Ordering::Relaxed);
        let sound = (1..=records.len() as u64).contains(&parties);
        let records = &records[..records.len().min(parties as usize)];
        let rounds = Rounds { word: &line[0], records, once };
        let (arrived, joined) = rounds.count();
        let (arrived, joined) = (arrived as u64, joined as u64);
        let state = match once {
            true => PrimitiveState::Latch { parties, open: rounds.is_open(), arrived, joined },
            false => PrimitiveState::Barrier { parties, round: rounds.round(), arrived, joined },
        };
        let held = |it: ParticipantId| self.held(it.slot, Some(it), Holding::Party);
        Ok(Seen { state, holders: rounds.parties().map(held).collect(), sound })
    }
}
