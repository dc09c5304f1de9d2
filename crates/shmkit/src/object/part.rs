//! The parts of a payload, for a process that does not know its type: found in the object's
//! schema, by their roles.

use std::time::SystemTime;

use super::kind::Kind;
use super::planner::{LINE, SLEEP, WORDS};
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::participant::{Liveness, ParticipantId, Role};
use crate::shareable::Schema;
use crate::shareable::schema::{Field, Shape, VALUE};

/// The most parts of an object that are described: the first ones.
const MAX_PARTS: usize = 65_536;
/// The most parts and groups that are examined, in a schema that may be hostile.
const MAX_LOOKS: usize = 16 * MAX_PARTS;

/// A part that has a kind: the only one of its object, or one of several.
pub(crate) struct Part<'a> {
    storage: &'a Storage,
    pub(crate) kind: Kind,
    /// `2`, or `2.0` for the first of several in part 2. Empty for the only part of an object.
    pub(crate) number: String,
    offset: u64,
    /// A struct of the part's words and value.
    pub(crate) schema: &'a Schema,
    fields: &'a [Field],
}

/// What a part shows.
#[derive(Clone, Debug, Default)]
pub struct PartState {
    /// The state in one line.
    pub text: String,
    /// The state by its numbers: for scripts.
    pub fields: Vec<(&'static str, Value)>,
    /// More lines: a label and a text each.
    pub lines: Vec<(&'static str, String)>,
    /// The columns that a table of such objects has.
    pub columns: &'static [Column],
    /// What participants hold, dead participants included.
    pub holders: Vec<Holder>,
    /// A number that grows by one with each change, for kinds that count changes.
    pub changes: Option<u64>,
    /// When it was changed last, by the wall clock, if it records that.
    pub changed: Option<SystemTime>,
    /// Whether its words have values that participants write.
    pub is_sound: bool,
}

/// A number, a flag or a word of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A number, if there is one.
    Number(Option<u64>),
    /// A flag: yes or no.
    Flag(bool),
    /// A word, if there is one.
    Word(Option<&'static str>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl PartState {
    /// The state of a primitive, whose users all take part: nothing yet, and sound.
    pub(crate) fn primitive() -> Self {
        Self { columns: PRIMITIVE_COLUMNS, is_sound: true, ..Self::default() }
    }

    /// Returns the number that is called `name` in the state.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.field(name)? {
            Value::Number(number) => *number,
            _ => None,
        }
    }

    /// Returns whether the flag that is called `name` is set in the state.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.field(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// A column of a table of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Column {
    /// How many participants live, under this heading.
    Participants(&'static str),
    /// How many open handles have no slot.
    Readers,
    /// How many threads wait.
    Waiting,
    /// The state in one line.
    State,
    /// The first holder, and how many others there are.
    HeldBy,
    /// How many changes there are in a second.
    Rate,
}

/// The columns of kinds whose users all take part.
const PRIMITIVE_COLUMNS: &[Column] =
    &[Column::Participants("USERS"), Column::Waiting, Column::State, Column::HeldBy];

/// Something that a participant holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// The slot of the participant.
    pub slot: u32,
    /// What it holds.
    pub holding: Holding,
    /// How many of it.
    pub count: u64,
    /// The process id, in the process's own PID namespace: for people to read. None once another
    /// participant has the slot.
    pub pid: Option<u32>,
    /// The name of the program, up to 16 bytes.
    pub program: Option<String>,
    /// Whether the participant lives, by its liveness lock.
    pub is_alive: bool,
    pub(crate) id: Option<ParticipantId>,
}

/// A way to hold something. Texts complete the sentence "process 42 ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// The text for one.
    pub one: &'static str,
    /// The text for several: `{}` stands for the count.
    pub several: &'static str,
    /// What happened if the participant died: completes "process 42 died ...".
    pub died: &'static str,
    /// Whether it only waits, and holds nothing.
    pub is_waiting: bool,
}

impl Holding {
    pub(crate) const fn new(one: &'static str, several: &'static str, died: &'static str) -> Self {
        Self { one, several, died, is_waiting: false }
    }

    /// A waiter, which holds nothing.
    pub(crate) const fn waiting(one: &'static str, died: &'static str) -> Self {
        Self { one, several: one, died, is_waiting: true }
    }
}

impl Holder {
    /// Returns what it holds, as the end of a sentence: `has 2 permits`.
    pub fn text(&self) -> String {
        match self.count {
            1 => self.holding.one.into(),
            count => self.holding.several.replace("{}", &count.to_string()),
        }
    }
}

/// Returns a number as people read it: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl<'a> Part<'a> {
    /// The bit flags of the object.
    pub(crate) fn flags(&self) -> u32 {
        self.storage.layout().flags
    }

    /// Whether there can be users that may only read.
    pub(crate) fn has_read_only_peers(&self) -> bool {
        self.storage.layout().has_read_only_peers()
    }

    /// The run-time number of items.
    pub(crate) fn items(&self) -> u32 {
        self.storage.layout().items
    }

    /// The largest number of participants.
    pub(crate) fn max_participants(&self) -> u32 {
        self.storage.layout().participants_count
    }

    /// How many participants live, and how many dead participants still have a slot.
    pub(crate) fn count_participants(&self) -> (u64, u64) {
        self.count_where(|_| true)
    }

    /// The same for the participants in a role.
    pub(crate) fn count_participants_as(&self, role: Role) -> (u64, u64) {
        self.count_where(|found| found == role)
    }

    fn count_where(&self, counts: impl Fn(Role) -> bool) -> (u64, u64) {
        let participants = self.storage.participants();
        let taken = (0..self.max_participants()).filter_map(|slot| participants.info(slot));
        let taken = taken.filter(|(_, who)| counts(who.role));
        taken.fold((0, 0), |(alive, dead), (id, _)| match participants.is_dead(id) {
            false => (alive + 1, dead),
            true => (alive, dead + 1),
        })
    }

    /// How many participants in a role live, and how many dead participants still have a slot.
    pub(crate) fn count_in_role(&self, role: Role) -> (u64, u64) {
        let participants = self.storage.participants();
        let taken = (0..self.max_participants()).filter_map(|slot| participants.info(slot));
        let in_role = taken.filter(|(_, who)| who.role == role);
        in_role.fold((0, 0), |(alive, dead), (id, _)| match participants.is_dead(id) {
            false => (alive + 1, dead),
            true => (alive, dead + 1),
        })
    }

    /// How many deaths in a role were counted, modulo 2^16.
    pub(crate) fn counted_deaths(&self, role: Role) -> u16 {
        self.storage.participants().counted_deaths(role)
    }

    /// The most elements of an item whose length varies.
    pub(crate) fn item_length(&self) -> u64 {
        self.storage.layout().item_length
    }

    /// The words of the line at which the part begins.
    pub(crate) fn line<const N: usize>(&self) -> Result<&'a [AtomicU64; N]> {
        const { assert!(N as u64 * 8 <= LINE) };
        let words = self.storage.payload().words(self.offset as usize, N)?;
        Ok(words.try_into().expect("as many as were asked for"))
    }

    /// The word at `offset` of the part.
    pub(crate) fn word(&self, offset: u64) -> Result<&'a AtomicU64> {
        self.storage.payload().word((self.offset + offset) as usize)
    }

    /// The words of the part behind its lines: the first array of words in its schema.
    pub(crate) fn words(&self) -> Result<&'a [AtomicU64]> {
        let is_array = |field: &&Field| matches!(field.schema.shape(), Shape::Array { .. });
        let is_ours = |field: &&Field| [WORDS, SLEEP].contains(&field.role.as_str());
        let field = self.fields.iter().filter(is_ours).find(is_array);
        let Some(field) = field else {
            let why = format!("the schema of its {} has no words", self.kind.as_str());
            return Err(Error::new(ErrorKind::Corrupt, why));
        };
        let (place, bytes) = (self.offset + field.offset, field.schema.size());
        self.storage.payload().words(place as usize, (bytes / 8) as usize)
    }

    /// `count` words at `offset` of the part.
    pub(crate) fn words_at(&self, offset: u64, count: usize) -> Result<&'a [AtomicU64]> {
        self.storage.payload().words((self.offset + offset) as usize, count)
    }

    /// The type of the value that the part holds, if it holds one.
    pub(crate) fn value(&self) -> Option<&'a Schema> {
        self.fields.iter().find_map(|field| match field.role == VALUE {
            true => Some(&field.schema),
            false => field.schema.value(),
        })
    }

    /// Where the part is in the payload.
    pub(crate) fn place(&self) -> u64 {
        self.offset
    }

    /// Where the value of a lock is in the payload, with its type.
    pub(crate) fn lock_value(&self) -> Option<(u64, &'a Schema)> {
        let field = self.fields.iter().find(|field| field.role == VALUE)?;
        Some((self.offset + field.offset, &field.schema))
    }

    /// How many living threads wait for it.
    pub(crate) fn waiting(&self) -> u32 {
        let participants = self.storage.participants();
        let waiting = (0..self.max_participants()).filter_map(|slot| {
            let (threads, place) = participants.threads_waiting(slot);
            if threads == 0 || place != self.offset as u32 {
                return None;
            }
            let (id, _) = participants.info(slot)?;
            (!participants.is_dead(id)).then_some(threads)
        });
        waiting.fold(0, u32::saturating_add)
    }

    /// Something that is held by a participant: the one that has the slot, if `id` is none.
    pub(crate) fn holder(
        &self,
        slot: u32,
        id: Option<ParticipantId>,
        holding: Holding,
        count: u64,
    ) -> Holder {
        let participants = self.storage.participants();
        let id = id.or_else(|| participants.info(slot).map(|(id, _)| id));
        let who = id.and_then(|id| participants.info_of(id));
        Holder {
            slot,
            holding,
            count,
            pid: who.map(|who| who.pid),
            program: who.map(|who| who.program().to_string()),
            is_alive: id.is_some_and(|id| !participants.is_dead(id)),
            id,
        }
    }

    /// Something that `id` holds once.
    pub(crate) fn held_by(&self, id: ParticipantId, holding: Holding) -> Holder {
        self.holder(id.slot(), Some(id), holding, 1)
    }

    /// Frees a slot if its participant is dead. Returns whether no living participant has it.
    pub(crate) fn reap_slot(&self, slot: u32) -> bool {
        self.storage.participants().reap_slot(slot)
    }
}

/// For an outsider, which is none of the participants.
impl Liveness for Part<'_> {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.storage.participants().is_dead(id)
    }

    fn reap_if_dead(&self, id: ParticipantId) -> bool {
        self.storage.participants().reap(id)
    }
}

/// Returns the parts of an object that have a kind: at most the first 65,536.
pub(crate) fn parts<'a>(storage: &'a Storage, schema: &'a Schema) -> Result<Vec<Part<'a>>> {
    let kind = storage.layout().kind;
    let Shape::Struct { fields } = schema.shape() else {
        return Err(Error::new(ErrorKind::Corrupt, "its schema does not consist of parts"));
    };
    if schema.size() > storage.layout().payload_size {
        let (said, there) = (schema.size(), storage.layout().payload_size);
        let why = format!("its schema says {said} bytes, but its payload has {there}");
        return Err(Error::new(ErrorKind::Corrupt, why));
    }
    let whole = Part { storage, kind, number: String::new(), offset: 0, schema, fields };
    let mut collected = Collected { parts: Vec::new(), looks: 0 };
    collected.add(whole);
    Ok(collected.parts)
}

struct Collected<'a> {
    parts: Vec<Part<'a>>,
    looks: usize,
}

impl<'a> Collected<'a> {
    fn is_full(&self) -> bool {
        self.parts.len() == MAX_PARTS || self.looks == MAX_LOOKS
    }

    /// Adds a part, or those that a group consists of.
    fn add(&mut self, part: Part<'a>) {
        self.looks += 1;
        if part.kind != Kind::Group {
            self.parts.push(part);
            return;
        }
        for field in part.fields {
            let Some(kind) = Kind::from_role(&field.role) else { continue };
            let (item, count) = match field.schema.shape() {
                Shape::Array { item, len } => (&**item, Some(*len)),
                _ => (&field.schema, None),
            };
            let Shape::Struct { fields } = item.shape() else { continue };
            for index in 0..count.unwrap_or(1) {
                if self.is_full() {
                    return;
                }
                let own = count.map_or_else(|| field.name.clone(), |_| index.to_string());
                let dot = if part.number.is_empty() { "" } else { "." };
                let number = format!("{}{dot}{own}", part.number);
                let offset = part.offset + field.offset + index * item.size();
                self.add(Part {
                    storage: part.storage,
                    kind,
                    number,
                    offset,
                    schema: item,
                    fields,
                });
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
