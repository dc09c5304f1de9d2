//! A `Topic` as a payload: its parts, and how `shm` describes them.
//!
//! ```text
//! payload   0                                    128         after the records
//!           tail changes used dropped ..         records     entries: | stamp | value | ...
//! ```

use super::Topic;
use super::geometry::{
    CHANGES, DROPPED, FLAG_DROP_NEW, FLAG_OVERWRITE, FLAG_SPARE, RECORD_WORDS, RECORDS, Shape,
    TypeShape, USED, buffer_count, buffers_at, entries_at, owners_at,
};
use super::handle::{Handle, check_depth, when_full};
use super::ring::{Cursor, Ring, WhenFull};
use crate::channel::message::{self, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Builder, Column, Holding, Kind, KindFlags, LINE_WORDS, Part, PartState, Payload, Planner,
    Value, ValueType, WORDS, grouped,
};
use crate::participant::{Liveness, ParticipantId, Role};
use crate::shareable::Schema;
use crate::wait::Extent;

const WORD: u64 = size_of::<u64>() as u64;

const SUBSCRIBES: Holding = Holding::new(
    "is 1 message behind",
    "is {} messages behind",
    "as a subscriber, {count} messages behind: it no longer counts for the next publisher that \
     waits for it",
);
const PUBLISHES: Holding = Holding::new(
    "is publishing a message",
    "is publishing {} messages",
    "in the middle of a message: subscribers skip it",
);

const FILLS: Holding = Holding::new(
    "has 1 buffer",
    "has {} buffers",
    "with {count} of the buffers: the next publisher that needs one takes them",
);
const BORROWS: Holding = Holding::new(
    "borrows 1 message",
    "borrows {} messages",
    "while it borrowed {count} messages: the next publisher that needs a buffer ends that",
);

const COLUMNS: &[Column] =
    &[Column::Participants("USERS"), Column::Waiting, Column::State, Column::Rate];

/// Plans a `Topic` whose values, or longest lists, have this type.
pub(super) fn plan(planner: &mut Planner<'_>, value: ValueType<'_>, shape: Shape) {
    let line = planner.line("tail");
    for (name, word) in [("changes", CHANGES), ("used", USED), ("dropped", DROPPED)] {
        planner.word(name, line + word as u64 * WORD, WORDS);
    }
    planner.lines_for_each("records");
    let (depth, stride) = (planner.items().into(), shape.stride_bytes() as u64);
    if !shape.is_buffered() {
        return planner.entries(depth, stride, value, shape.is_list());
    }
    planner.numbered_entries(depth, stride, shape.is_list());
    let buffers = buffer_count(planner.items(), planner.flags()).into();
    planner.words("owners", WORDS, buffers);
    planner.buffers(buffers, shape.buffer_words() as u64 * WORD, value);
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Payload for Topic<M> {
    type Initial = ();

    const KIND: Kind = Kind::Topic;
    // Each publisher and each subscriber takes a slot.
    const ROLE: Option<Role> = None;
    const ITEM_LENGTH: u64 = M::MAX_LEN;

    fn default_items(item_length: u64) -> u32 {
        // A length that no object can have is refused later.
        TypeShape::<M>::of_length(item_length).map_or(1, Shape::default_depth)
    }

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        let length = planner.item_length();
        // A hostile object may have any length. The check of its fingerprint refuses what is
        // planned then.
        let Some(shape) = TypeShape::<M>::of_length(length) else { return };
        message::with_type::<M, _>(length, |value| plan(planner, value, shape));
    }

    #[allow(unsafe_code, reason = "the type was compared with the object")]
    fn build(builder: &mut Builder) -> Result<Self> {
        let shape = TypeShape::<M>::of_length(builder.item_length()).ok_or_else(|| {
            let why = format!("lists of up to {} elements", builder.item_length());
            Error::new(ErrorKind::Corrupt, why)
        })?;
        let handle = Handle::over(builder.object().clone(), shape)?;
        // SAFETY: the object has the fingerprint of this type, so its messages have this shape.
        let shape = unsafe { TypeShape::compared(shape) };
        Ok(Self { handle: handle.into(), shape })
    }

    fn check_item_length(found: u64) -> Result<()> {
        message::check_item_length::<M>(found)
    }

    fn check_flags(asked: KindFlags, found: u32) -> Result<()> {
        asked.check("dropping new messages", FLAG_DROP_NEW, found)?;
        asked.check("overwriting old messages", FLAG_OVERWRITE, found)?;
        asked.check_number("the number of spare buffers", FLAG_SPARE, found)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        let (ring, _) = ring_in(part)?;
        ring.reap_subscribers(Extent::Everything, part);
        ring.skip_abandoned(part);
        ring.reclaim(part);
        Ok(())
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let (ring, value) = ring_in(part)?;
        let when_full = when_full(part.flags());
        let cursors: Vec<Cursor> = ring.cursors().collect();
        let holders =
            cursors.iter().map(|it| part.holder(it.id.slot(), Some(it.id), SUBSCRIBES, it.lag));
        let publishing = ring.claimers().map(|id| part.held_by(id, PUBLISHES));
        let mut holders: Vec<_> = holders.chain(publishing).collect();
        for (having, holding) in ring.buffer_holders().into_iter().zip([FILLS, BORROWS]) {
            let holder =
                |(id, count): (ParticipantId, _)| part.holder(id.slot(), Some(id), holding, count);
            holders.extend(having.into_iter().map(holder));
        }
        let living = cursors.iter().filter(|it| !part.is_dead(it.id));
        let subscribers = living.clone().count() as u64;
        let lag = living.map(|it| it.lag).max().unwrap_or(0);
        let (publishers, _) = part.count_participants_as(Role::Publisher);
        let lost = cursors.iter().fold(0, |lost: u64, it| lost.saturating_add(it.lost));
        let (sequence, depth, dropped) = (ring.last(), ring.depth(), ring.dropped());
        let messages = messages(sequence, dropped, lost);
        let text = match subscribers {
            0 => messages.clone(),
            _ => format!("{messages}; at most {} behind", grouped(lag)),
        };
        let buffers = ring.buffer_counts();
        Ok(PartState {
            text,
            fields: vec![
                ("value_bytes", value.into()),
                ("max_len", part.item_length().into()),
                ("depth", depth.into()),
                ("when_full", Value::Word(Some(when_full.as_str()))),
                ("publishers", publishers.into()),
                ("subscribers", subscribers.into()),
                ("sequence", sequence.into()),
                ("incomplete", ring.incomplete().into()),
                ("lag", lag.into()),
                ("lost", lost.into()),
                ("dropped", dropped.into()),
                ("buffers", u64::from(ring.buffer_count()).into()),
                ("buffers_free", buffers.free.into()),
                ("buffers_lent", buffers.lent.into()),
                ("samples", buffers.samples.into()),
            ],
            lines: vec![
                ("messages", messages),
                ("room", room(depth, when_full)),
                ("publishers", grouped(publishers)),
                ("subscribers", grouped(subscribers)),
            ],
            columns: COLUMNS,
            holders,
            changes: Some(sequence),
            changed: None,
            is_sound: ring.is_sound(),
        })
    }
}

/// The shape of an object whose values, or longest lists, have this schema, and whose items have
/// this length. `None` if there is no such object.
pub(super) fn shape_of(value: &Schema, item_length: u64) -> Option<Shape> {
    match item_length {
        0 => Shape::of(usize::try_from(value.size()).ok()?),
        length => Shape::of_lists(value.size() / length, length),
    }
}

/// The ring of a part, for a process that does not know its type, and the size of its values.
fn ring_in<'a>(part: &Part<'a>) -> Result<(Ring<'a>, u64)> {
    let value = part.value().map_or(0, |schema| schema.size());
    let corrupt = |why| Error::new(ErrorKind::Corrupt, why);
    let shape = part.value().and_then(|schema| shape_of(schema, part.item_length()));
    let Some(shape) = shape else {
        return Err(corrupt(format!("a value of {value} bytes")));
    };
    let (depth, participants) = (part.items(), part.max_participants() as usize);
    check_depth(depth).map_err(|error| error.of_kind(ErrorKind::Corrupt))?;
    let line = part.line::<LINE_WORDS>()?;
    let records = part.words_at(RECORDS, participants * RECORD_WORDS)?;
    let entries = (depth as usize).saturating_mul(shape.stride_words);
    let entries = part.words_at(entries_at(participants) as u64 * WORD, entries)?;
    let ring = Ring::new(line, records, entries, depth, when_full(part.flags()), shape);
    let mut ring = ring.ok_or_else(|| corrupt(format!("too small for values of {value} bytes")))?;
    if shape.is_buffered() {
        let count = buffer_count(depth, part.flags()) as usize;
        let place = |words: usize| words as u64 * WORD;
        let owners = part.words_at(place(owners_at(participants, depth, shape)), count)?;
        let buffers = count.saturating_mul(shape.buffer_words());
        let at = buffers_at(participants, depth, count, shape);
        let buffers = part.words_at(place(at), buffers)?;
        ring = ring.with_buffers(owners, buffers).ok_or_else(|| corrupt("too small".into()))?;
    }
    Ok((ring, value))
}

fn messages(sequence: u64, dropped: u64, lost: u64) -> String {
    let mut text = match sequence {
        0 => "none yet".into(),
        1 => "1 was published".into(),
        many => format!("{} were published", grouped(many)),
    };
    if dropped > 0 {
        text += &format!("; {} were dropped", grouped(dropped));
    }
    if lost > 0 {
        text += &format!("; subscribers lost {}", grouped(lost));
    }
    text
}

fn room(depth: u64, when_full: WhenFull) -> String {
    let then = match when_full {
        WhenFull::Block => "then publishers wait",
        WhenFull::DropNew => "then new ones are dropped",
        WhenFull::Overwrite => "then the oldest is overwritten",
    };
    format!("for {}, {then}", grouped(depth))
}
