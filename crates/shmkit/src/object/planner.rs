//! Planning a payload: where its parts are, how the object describes them, what they begin with.
//!
//! ```text
//! payload  | line      | data      | line      | data ...     parts in the order of the plan,
//!            128 bytes   multiple    of the next                each at a multiple of 128
//! ```
//!
//! A schema begins with the size. So each schema, be it the text or only its hash, runs the plan
//! twice: once to add up the size, and once to describe the parts. One more run hands the first
//! bytes to the creator: they are never stored.

mod value_type;

use std::fmt;

pub(crate) use self::value_type::ValueType;
use super::kind::Kind;
use crate::shareable::schema::{VALUE, write_fingerprint};
use crate::shareable::{FNV_OFFSET_BASIS, fnv1a_from};

/// The two cache lines with which a primitive begins. The payload and its parts are aligned so.
pub(crate) const LINE: u64 = 128;

/// The role of a word that can be waited on. Retiring the object sets its bit 0 and wakes.
pub(crate) const WAIT: &str = "wait";
/// The role of words that can be slept on, each by the thread that it belongs to or by one that
/// waits for it. Retiring the object wakes, and changes nothing.
pub(crate) const SLEEP: &str = "sleep";
/// The role of other words of a protocol.
pub(crate) const WORDS: &str = "words";

/// The numbers that are chosen at run time, and on which a plan depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The largest number of participants.
    pub(crate) participants: u32,
    /// The run-time number of items; 0 if the type decides.
    pub(crate) items: u32,
    /// The most elements of an item whose length varies; 0 if its type decides.
    pub(crate) item_length: u64,
}

impl Counts {
    /// Counts for a payload whose type decides everything else.
    pub(crate) const fn of(participants: u32) -> Self {
        Self { participants, items: 0, item_length: 0 }
    }
}

/// A planned payload.
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) counts: Counts,
    pub(crate) size: u64,
    pub(crate) schema: String,
    pub(crate) fingerprint: u64,
}

impl Plan {
    /// Plans a new object: `plan` names its parts.
    pub(crate) fn new(kind: Kind, counts: Counts, plan: &dyn Fn(&mut Planner<'_>)) -> Self {
        let schema = schema_text(kind, counts, plan);
        let (size, fingerprint) = size_and_fingerprint(kind, counts, plan);
        Self { kind, counts, size, schema, fingerprint }
    }
}

/// Returns size and fingerprint of any payload that is planned by `plan`.
pub(crate) fn size_and_fingerprint(
    kind: Kind,
    counts: Counts,
    plan: &dyn Fn(&mut Planner<'_>),
) -> (u64, u64) {
    let mut hash = Hash(FNV_OFFSET_BASIS);
    let size = Planner::new(counts, Some(&mut hash)).structure(kind, plan);
    (size, hash.0)
}

/// Returns the text of the schema of any payload that is planned by `plan`.
pub(crate) fn schema_text(kind: Kind, counts: Counts, plan: &dyn Fn(&mut Planner<'_>)) -> String {
    let mut text = String::new();
    Planner::new(counts, Some(&mut text)).structure(kind, plan);
    text
}

/// A piece of the text of a schema.
enum Piece<'a> {
    Text(&'a str),
    Number(u64),
}

use Piece::{Number, Text};

/// Where a schema is written.
trait Sink {
    fn text(&mut self, text: &str);
    fn type_name(&mut self, name: &str);
    fn value(&mut self, value: ValueType<'_>);

    fn pieces(&mut self, pieces: &[Piece<'_>]) {
        for piece in pieces {
            match piece {
                Text(text) => self.text(text),
                Number(number) => self.text(itoa::Buffer::new().format(*number)),
            }
        }
    }
}

impl Sink for String {
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }

    fn type_name(&mut self, name: &str) {
        self.push_str(name);
    }

    fn value(&mut self, value: ValueType<'_>) {
        if let Some(schema) = value.schema() {
            self.push_str(&schema.to_string());
        }
    }
}

/// The hash of a schema: without the names of types, and with fingerprints for values.
struct Hash(u64);

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

impl Sink for Hash {
    fn text(&mut self, text: &str) {
        self.0 = fnv1a_from(self.0, text);
    }

    fn type_name(&mut self, _: &str) {}

    fn value(&mut self, value: ValueType<'_>) {
        let _ = write_fingerprint(self, value.fingerprint());
    }
}

/// A field of a slot.
#[derive(Clone, Copy)]
pub(crate) struct SlotField<'a> {
    pub(crate) name: &'a str,
    /// Where it is in the slot.
    pub(crate) at: u64,
    pub(crate) role: &'a str,
    pub(crate) content: SlotContent<'a>,
}

/// What a field of a slot contains.
#[derive(Clone, Copy)]
pub(crate) enum SlotContent<'a> {
    Word,
    Value(ValueType<'a>),
    /// So many values, each in so many bytes: of lists, with a length before.
    Values {
        value: ValueType<'a>,
        has_length: bool,
        stride: u64,
        count: u64,
    },
}

/// Takes bytes, and their place in the payload.
type TakeBytes<'a> = dyn FnMut(u64, &[u8]) + 'a;

/// Names the parts of a payload one after the other.
pub(crate) struct Planner<'a> {
    counts: Counts,
    /// The flags of the object.
    flags: u32,
    /// The next free byte of the payload.
    end: u64,
    /// Where the struct begins that is being described.
    start: u64,
    fields: u32,
    /// None while only the size matters.
    sink: Option<&'a mut dyn Sink>,
    /// Takes the first bytes and their place. None while only the schema matters.
    first_bytes: Option<&'a mut TakeBytes<'a>>,
}

impl<'a> Planner<'a> {
    fn new(counts: Counts, sink: Option<&'a mut dyn Sink>) -> Self {
        let (flags, end, start, fields, first_bytes) = (0, 0, 0, 0, None);
        Self { counts, flags, end, start, fields, sink, first_bytes }
    }

    /// A planner that only hands over first bytes, in the order of their places.
    pub(super) fn of_first_bytes(counts: Counts, first_bytes: &'a mut TakeBytes<'a>) -> Self {
        let first_bytes = Some(first_bytes);
        Self { first_bytes, ..Self::new(counts, None) }
    }

    /// The run-time number of items.
    pub(crate) fn items(&self) -> u32 {
        self.counts.items
    }

    /// The most elements of an item whose length varies.
    pub(crate) fn item_length(&self) -> u64 {
        self.counts.item_length
    }

    /// The same planner, for an object with these flags.
    pub(crate) fn with_flags(&mut self, flags: u32) -> &mut Self {
        self.flags = flags;
        self
    }

    /// The flags of the object.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// Adds a line that begins with a word to wait on. Returns where it is.
    pub(crate) fn line(&mut self, name: &str) -> u64 {
        let place = self.reserve(LINE);
        self.field(name, place, WAIT, &|to| to.text("u64"));
        place
    }

    /// Describes one more word of a line.
    pub(crate) fn word(&mut self, name: &str, place: u64, role: &str) {
        self.field(name, place, role, &|to| to.text("u64"));
    }

    /// Adds `count` words with this role.
    pub(crate) fn words(&mut self, name: &str, role: &str, count: u64) {
        let place = self.reserve(count * 8);
        self.field(name, place, role, &|to| to.pieces(&[Text("[u64;"), Number(count), Text("]")]));
    }

    /// Adds `count` words with this role for each participant.
    pub(crate) fn words_for_each(&mut self, name: &str, role: &str, count: u64) {
        self.words(name, role, count * u64::from(self.counts.participants));
    }

    /// Adds a value in the line before, after its first `used` bytes, or behind the line if there
    /// is no room. Returns where it is.
    pub(crate) fn value(&mut self, value: ValueType<'_>, used: u64) -> u64 {
        let place = match Room::of(value.size(), value.align(), used) {
            Room::Line(offset) => self.end - LINE + offset,
            Room::Behind => self.reserve(value.size()),
        };
        self.field("value", place, VALUE, &|to| to.value(value));
        place
    }

    /// Adds a line for each participant, which begins with a word to wait on.
    pub(crate) fn lines_for_each(&mut self, name: &str) {
        let count = u64::from(self.counts.participants);
        let place = self.reserve(count * LINE);
        self.field(name, place, WORDS, &|to| {
            to.pieces(&[Text("[("), Number(LINE), Text(",8){word@0:"), Text(WAIT), Text("#u64,")]);
            to.pieces(&[Text("words@8:"), Text(WORDS), Text("#[u64;"), Number(LINE / 8 - 1)]);
            to.pieces(&[Text("]};"), Number(count), Text("]")]);
        });
    }

    /// Adds `count` slots of `size` bytes: a stamp of 8 bytes, then the bytes of a value.
    pub(crate) fn slots(&mut self, count: u64, size: u64, value: ValueType<'_>) {
        self.structs("slots", &[("stamp", WORDS)], count, size, Some(value));
    }

    /// Adds `count` entries of `size` bytes: a stamp, which can be waited on, the length if the
    /// value is a list, then the bytes of the value.
    pub(crate) fn entries(&mut self, count: u64, size: u64, value: ValueType<'_>, is_list: bool) {
        let words = [("stamp", WAIT), ("length", WORDS)];
        self.structs("entries", &words[..if is_list { 2 } else { 1 }], count, size, Some(value));
    }

    /// Adds `count` entries of `size` bytes: a stamp, which can be waited on, the length if values
    /// are lists, then the number of a buffer.
    pub(crate) fn numbered_entries(&mut self, count: u64, size: u64, is_list: bool) {
        let words: &[_] = match is_list {
            true => &[("stamp", WAIT), ("length", WORDS), ("buffer", WORDS)],
            false => &[("stamp", WAIT), ("buffer", WORDS)],
        };
        self.structs("entries", words, count, size, None);
    }

    /// Adds `count` buffers of `size` bytes, each of which begins with the bytes of a value.
    pub(crate) fn buffers(&mut self, count: u64, size: u64, value: ValueType<'_>) {
        self.structs("buffers", &[], count, size, Some(value));
    }

    /// Adds `count` slots of `size` bytes: words with these names, then the bytes of a value.
    pub(crate) fn slots_with(
        &mut self,
        words: &[&str],
        count: u64,
        size: u64,
        value: ValueType<'_>,
    ) {
        let words: Vec<_> = words.iter().map(|word| (*word, WORDS)).collect();
        self.structs("slots", &words, count, size, Some(value));
    }

    /// Adds `count` structs of `size` bytes: words with these names and roles, then the bytes of a
    /// value.
    fn structs(
        &mut self,
        name: &str,
        words: &[(&str, &str)],
        count: u64,
        size: u64,
        value: Option<ValueType<'_>>,
    ) {
        let place = self.reserve(count.saturating_mul(size));
        self.field(name, place, WORDS, &|to| {
            to.pieces(&[Text("[("), Number(size), Text(",8){")]);
            for ((word, role), index) in words.iter().zip(0..) {
                let comma = if index == 0 { "" } else { "," };
                to.pieces(&[Text(comma), Text(word), Text("@"), Number(8 * index), Text(":")]);
                to.pieces(&[Text(role), Text("#u64")]);
            }
            if let Some(value) = value {
                let comma = if words.is_empty() { "" } else { "," };
                let at = Number(8 * words.len() as u64);
                to.pieces(&[Text(comma), Text("value@"), at, Text(":"), Text(VALUE), Text("#")]);
                to.value(value);
            }
            to.pieces(&[Text("};"), Number(count), Text("]")]);
        });
    }

    /// Adds `count` slots of `size` bytes, each of which consists of these fields.
    pub(crate) fn slots_of(&mut self, name: &str, count: u64, size: u64, fields: &[SlotField<'_>]) {
        let place = self.reserve(count.saturating_mul(size));
        self.field(name, place, WORDS, &|to| {
            to.pieces(&[Text("[("), Number(size), Text(",8){")]);
            for (index, field) in fields.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                to.pieces(&[Text(comma), Text(field.name), Text("@"), Number(field.at)]);
                to.pieces(&[Text(":"), Text(field.role), Text("#")]);
                match field.content {
                    SlotContent::Word => to.text("u64"),
                    SlotContent::Value(value) => to.value(value),
                    SlotContent::Values { value, has_length, stride, count } => {
                        to.pieces(&[Text("[("), Number(stride), Text(",8){")]);
                        let before: &[_] = match has_length {
                            true => &[Text("length@0:"), Text(WORDS), Text("#u64,value@8:")],
                            false => &[Text("value@0:")],
                        };
                        to.pieces(before);
                        to.pieces(&[Text(VALUE), Text("#")]);
                        to.value(value);
                        to.pieces(&[Text("};"), Number(count), Text("]")]);
                    }
                }
            }
            to.pieces(&[Text("};"), Number(count), Text("]")]);
        });
    }

    /// Adds a primitive as one of several parts.
    pub(crate) fn member(&mut self, name: usize, kind: Kind, plan: &dyn Fn(&mut Planner<'_>)) {
        self.members(name, kind, 1, false, &|planner, _| plan(planner));
    }

    /// Adds `count` primitives of one type, of which `plan` plans the one with an index.
    pub(crate) fn array(
        &mut self,
        name: usize,
        kind: Kind,
        count: usize,
        plan: &dyn Fn(&mut Planner<'_>, usize),
    ) {
        self.members(name, kind, count, true, plan);
    }

    fn members(
        &mut self,
        name: usize,
        kind: Kind,
        count: usize,
        is_array: bool,
        plan: &dyn Fn(&mut Planner<'_>, usize),
    ) {
        if self.first_bytes.is_some() {
            // Each has first bytes of its own.
            return (0..count).for_each(|index| plan(self, index));
        }
        // One schema serves all.
        let place = self.end;
        self.begin_field(&name.to_string(), place, kind.role());
        if is_array {
            self.write(&[Text("[")]);
        }
        let size = self.structure(kind, &|planner| plan(planner, 0));
        if is_array {
            self.write(&[Text(";"), Number(count as u64), Text("]")]);
        }
        // A hostile object may have any number of items. The check of the size refuses it.
        self.end = place.saturating_add(size.saturating_mul(count as u64));
    }

    /// Sets the first bytes of the payload at `place`.
    pub(crate) fn write_at(&mut self, place: u64, bytes: &[u8]) {
        if let Some(first_bytes) = &mut self.first_bytes {
            first_bytes(place, bytes);
        }
    }

    /// Describes the parts that `plan` names as a struct. Returns the size.
    fn structure(&mut self, kind: Kind, plan: &dyn Fn(&mut Planner<'_>)) -> u64 {
        if self.sink.is_none() {
            // Without a run for the size, which would double the work at each level of nested
            // groups.
            let start = self.end;
            plan(self);
            return self.end - start;
        }
        let mut planner = Planner::new(self.counts, None);
        plan(&mut planner);
        let size = planner.end;
        let (start, fields) = (self.start, self.fields);
        (self.start, self.fields) = (self.end, 0);
        if let Some(sink) = &mut self.sink {
            sink.type_name(kind.role());
        }
        self.write(&[Text("("), Number(size), Text(","), Number(LINE), Text("){")]);
        plan(self);
        self.write(&[Text("}")]);
        (self.start, self.fields) = (start, fields);
        size
    }

    fn reserve(&mut self, bytes: u64) -> u64 {
        let place = self.end;
        let bytes = bytes.checked_next_multiple_of(LINE).unwrap_or(u64::MAX);
        self.end = self.end.saturating_add(bytes);
        place
    }

    fn field(&mut self, name: &str, place: u64, role: &str, schema: &dyn Fn(&mut dyn Sink)) {
        self.begin_field(name, place, role);
        if let Some(sink) = &mut self.sink {
            schema(*sink);
        }
    }

    fn begin_field(&mut self, name: &str, place: u64, role: &str) {
        let comma = if self.fields == 0 { "" } else { "," };
        self.fields += 1;
        let offset = Number(place - self.start);
        self.write(&[Text(comma), Text(name), Text("@"), offset, Text(":"), Text(role), Text("#")]);
    }

    fn write(&mut self, pieces: &[Piece<'_>]) {
        if let Some(sink) = &mut self.sink {
            sink.pieces(pieces);
        }
    }
}

/// Where the value of a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// In the line of the lock, from this byte on.
    Line(u64),
    /// Behind the line.
    Behind,
}

impl Room {
    /// The room for a value after the first `used` bytes of a line.
    pub(crate) const fn of(size: u64, align: u64, used: u64) -> Self {
        assert!(align <= LINE, "a shared value is aligned to 128 bytes at the most");
        let start = used.next_multiple_of(align);
        if start + size <= LINE { Self::Line(start) } else { Self::Behind }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
