//! What primitives show to who only looks: nobody is present by it, nothing is changed.

use super::barrier::Rounds;
use super::condvar::Waiters;
use super::event::{EventWord, Reset};
use super::home::{LINE_WORDS, seat};
use super::owner::{Holder, OwnerWord};
use super::rwlock::Shares;
use super::semaphore::Permits;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::{Kind, Seat, Site};
use crate::shareable::Schema;
use crate::shareable::schema::{Field, Shape};

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
    /// Its state, in words.
    pub state: String,
    /// Who has what of it, dead or alive.
    pub holders: Vec<PrimitiveHolder>,
}

/// One who has something of a primitive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrimitiveHolder {
    /// Its slot.
    pub slot: u32,
    /// What it has, in words: `holds it`, `3 permits`.
    pub what: String,
    seat: Option<Seat>,
}

impl PrimitiveContent {
    /// As whom participants have something of it.
    pub(crate) fn seats(&self) -> impl Iterator<Item = Seat> {
        self.holders.iter().filter_map(|holder| holder.seat)
    }
}

/// What is in an object of primitives, and whether its words are sound.
pub(crate) fn observe(site: &Site, schema: &Schema) -> Result<(Vec<PrimitiveContent>, bool)> {
    let Shape::Struct { fields } = schema.shape() else {
        return Err(Error::new(ErrorKind::Corrupt, "its description is not of primitives"));
    };
    let (mut primitives, mut sound) = (Vec::new(), true);
    for field in fields {
        let name = field.name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        let Some(kind) = Kind::of_name(name) else { continue };
        let prefix = &field.name[..field.name.len() - name.len()];
        let part = |name: &str| fields.iter().find(|it| it.name == format!("{prefix}{name}"));
        let look = Look { site, field, part: &part, participants: site.frame.participants_count };
        let seen = look.at(kind)?;
        sound &= seen.sound;
        primitives.push(PrimitiveContent {
            number: prefix.trim_end_matches('_').replace('_', "."),
            kind,
            value: part("value").map(|it| it.schema.clone()),
            state: seen.state,
            holders: seen.holders,
        });
    }
    Ok((primitives, sound))
}

/// What was seen of one.
struct Seen {
    state: String,
    holders: Vec<PrimitiveHolder>,
    sound: bool,
}

/// Where to look.
struct Look<'a> {
    site: &'a Site,
    field: &'a Field,
    part: &'a dyn Fn(&str) -> Option<&'a Field>,
    participants: u32,
}

impl<'a> Look<'a> {
    fn at(&self, kind: Kind) -> Result<Seen> {
        match kind {
            Kind::RwLock => self.rwlock(),
            Kind::Condvar => self.condvar(),
            Kind::Semaphore => self.semaphore(),
            Kind::Event => self.event(),
            Kind::Barrier => self.meeting(false),
            Kind::Latch => self.meeting(true),
            Kind::Once => self.once(),
            _ => self.mutex(),
        }
    }

    fn line(&self) -> Result<&'a [AtomicU64; LINE_WORDS]> {
        let words = self.site.payload().words(self.field.offset as usize, LINE_WORDS)?;
        Ok(words.try_into().expect("as many as were asked for"))
    }

    fn words(&self, name: &str) -> Result<&'a [AtomicU64]> {
        let missing = || Error::new(ErrorKind::Corrupt, format!("no {name} are described"));
        let field = (self.part)(name).ok_or_else(missing)?;
        self.site.payload().words(field.offset as usize, (field.schema.size() / 8) as usize)
    }

    fn owner(&self, word: &AtomicU64, how: &str) -> Seen {
        let state = OwnerWord::lock(word).look();
        let holders = state.holder().map(|holder| held(holder, how.to_owned()));
        let marked = if state.is_marked() { ", inconsistent: a holder died" } else { "" };
        let taken = if state.holder().is_some() { "locked" } else { "free" };
        Seen {
            state: format!("{taken}{marked}"),
            holders: holders.into_iter().collect(),
            sound: state.is_sound(),
        }
    }

    fn mutex(&self) -> Result<Seen> {
        Ok(self.owner(&self.line()?[0], "holds it"))
    }

    fn once(&self) -> Result<Seen> {
        let word = &self.line()?[0];
        let seen = self.owner(word, "is doing it");
        let state = OwnerWord::lock(word).look();
        let told = match (state.is_done(), state.holder(), state.is_marked()) {
            (true, ..) => "done",
            (false, Some(_), _) => "being done",
            (false, None, true) => "not done, though it was tried",
            (false, None, false) => "not done",
        };
        Ok(Seen { state: told.into(), ..seen })
    }

    fn rwlock(&self) -> Result<Seen> {
        let line = self.line()?;
        let owner = OwnerWord::lock(&line[0]);
        let shares = Shares { owner, used: &line[1], words: self.words("shares")? };
        let state = owner.look();
        let how = if state.is_exclusive() { "writes" } else { "may upgrade" };
        let mut seen = self.owner(&line[0], how);
        let sharers = shares.sharers().map(|(holder, threads)| {
            let what = if threads == 1 { "reads".into() } else { format!("reads {threads} times") };
            held(holder, what)
        });
        seen.holders.extend(sharers);
        if state.holder().is_none() && !seen.holders.is_empty() {
            seen.state = seen.state.replacen("free", "shared", 1);
        }
        Ok(seen)
    }

    fn condvar(&self) -> Result<Seen> {
        let waiters = Waiters::of(self.line()?, self.words("records")?);
        let (waiting, notified) = waiters.count();
        let state = format!("{waiting} wait, {notified} notified");
        let holders = waiters.holders().map(|holder| held(holder, "waits".into())).collect();
        Ok(Seen { state, holders, sound: true })
    }

    fn semaphore(&self) -> Result<Seen> {
        let permits = Permits::of(self.line()?, self.words("slots")?);
        let holders = (0..self.participants).filter_map(|slot| {
            let what = match permits.held(slot) {
                0 => return None,
                1 => "1 permit".into(),
                many => format!("{many} permits"),
            };
            let (seat, _) = self.site.participants().introduction(slot).unzip();
            Some(PrimitiveHolder { slot, what, seat })
        });
        let state = format!("{} to be had", permits.available());
        Ok(Seen { state, holders: holders.collect(), sound: permits.is_sound() })
    }

    fn event(&self) -> Result<Seen> {
        let line = self.line()?;
        // ORDERING: Relaxed; written before the object had its name.
        let number = line[1].load(Ordering::Relaxed);
        let reset = Reset::of_number(number);
        let set = EventWord::new(&line[0], reset.unwrap_or(Reset::Manual)).is_set();
        let told = if set { "set" } else { "not set" };
        let how = reset.map_or("unknown", Reset::as_str);
        Ok(Seen {
            state: format!("{told}, {how} reset"),
            holders: Vec::new(),
            sound: reset.is_some(),
        })
    }

    fn meeting(&self, once: bool) -> Result<Seen> {
        let (line, records) = (self.line()?, self.words("records")?);
        // ORDERING: Relaxed; written before the object had its name.
        let parties = line[1].load(Ordering::Relaxed);
        let sound = (1..=records.len() as u64).contains(&parties);
        let records = &records[..records.len().min(parties as usize)];
        let rounds = Rounds { word: &line[0], records, once };
        let (arrived, joined) = rounds.count();
        let state = match (once, rounds.is_open()) {
            (true, true) => format!("open, {parties} have come"),
            (true, false) => format!("{arrived} of {parties} have come, {joined} more have joined"),
            (false, _) => format!(
                "round {}: {arrived} of {parties} have come, {joined} more have joined",
                rounds.round()
            ),
        };
        let holders = rounds.parties().map(|holder| held(holder, "is a party".into())).collect();
        Ok(Seen { state, holders, sound })
    }
}

fn held(holder: Holder, what: String) -> PrimitiveHolder {
    PrimitiveHolder { slot: holder.slot, what, seat: Some(seat(holder)) }
}
