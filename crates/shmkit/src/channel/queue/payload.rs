//! A queue as a payload: its parts, and how `shm` describes them.

use super::Queue;
use super::counts::QueueCounts;
use super::geometry::{
    DEFAULT_DEPTH, DEPARTURES, FLAG_LIMIT, FLAG_PRIORITIES, Geometry, HANDED, NEXT_POSITION,
    RANK_COUNT, RETURNED, limit_of_flags,
};
use super::handle::Handle;
use super::parts::queue_over;
use super::protocol::{Order, QueueWords};
use super::slots::header;
use crate::channel::message::{self, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Builder, Column, Holding, Kind, KindFlags, Part, PartState, Payload, Planner, SLEEP, Value,
    ValueType, WAIT, WORDS, grouped,
};
use crate::participant::Role;
use crate::wait::Extent;

const TAKEN: Holding = Holding::new(
    "has 1 message",
    "has {} messages",
    "with {count} of the messages of {part}: they go to the next receivers",
);

const COLUMNS: &[Column] =
    &[Column::Participants("USERS"), Column::Waiting, Column::State, Column::HeldBy];

/// How many bytes a queue of lists takes, unless the options say another depth, and how many
/// messages it then holds.
const LISTS_BYTES: u64 = 1 << 20;
const LISTS_DEPTHS: [u64; 2] = [4, DEFAULT_DEPTH as u64];

/// The depth of a queue for which none was chosen, of values of so many bytes, or of lists of up to
/// `length` of them.
pub(super) fn default_depth(value_bytes: u64, length: u64) -> u32 {
    let [least, most] = LISTS_DEPTHS;
    match length {
        0 => DEFAULT_DEPTH,
        // At most 256.
        _ => (LISTS_BYTES / value_bytes.saturating_mul(length)).clamp(least, most) as u32,
    }
}

/// Plans a queue whose messages, or longest lists, have this type. `element_bytes`: of a value, or
/// of an element.
pub(super) fn plan(planner: &mut Planner<'_>, value: ValueType<'_>, element_bytes: u64) {
    let (flags, depth, length) = (planner.flags(), planner.items(), planner.item_length());
    let arrivals = planner.line("arrivals");
    planner.word("returned", arrivals + RETURNED, WORDS);
    planner.word("departures", arrivals + DEPARTURES, WAIT);
    // A hostile object may have any depth: the check of its fingerprint refuses what is planned.
    let Some(geometry) = Geometry::of(element_bytes, length, depth, flags) else { return };
    if geometry.has_priorities {
        planner.words("waiting", WORDS, 1);
        planner.words("owner", SLEEP, 1);
        planner.word("handed", HANDED, WORDS);
        planner.word("next_position", NEXT_POSITION, WORDS);
        planner.word("rank_count", RANK_COUNT, WORDS);
        planner.words("ranks", WORDS, geometry.rank_words());
        planner.words("next", WORDS, geometry.depth);
    } else {
        planner.words("tail", WORDS, 1);
        planner.words("head", WORDS, 1);
        planner.words("entries", WORDS, geometry.entries);
    }
    planner.slots_with(header(geometry.has_lists()), geometry.depth, geometry.stride, value);
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<M: Message + ?Sized> Payload for Queue<M> {
    type Initial = ();

    const KIND: Kind = Kind::Queue;
    // Opening it takes no slot. Each sender and each receiver takes one.
    const ROLE: Option<Role> = None;
    const ITEM_LENGTH: u64 = M::MAX_LEN;

    fn default_items(item_length: u64) -> u32 {
        default_depth(size_of::<M::Element>() as u64, item_length)
    }

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        let element_bytes = size_of::<M::Element>() as u64;
        message::with_type::<M, _>(planner.item_length(), |value| {
            plan(planner, value, element_bytes);
        });
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let object = builder.object().clone();
        Ok(Self::over(Handle::over(object, size_of::<M::Element>() as u64)?))
    }

    fn check_item_length(found: u64) -> Result<()> {
        message::check_item_length::<M>(found)
    }

    fn check_flags(asked: KindFlags, found: u32) -> Result<()> {
        asked.check("priorities", FLAG_PRIORITIES, found)?;
        asked.check_number("the limit of deliveries", FLAG_LIMIT, found)
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let queue = queue_in(part)?;
        let counts = queue.counts();
        let lock_is_sound = match queue.order {
            Order::Line(_) => true,
            Order::Ranks(lock, _) => lock.look().is_sound(),
        };
        let depth = u64::from(part.items());
        let held = queue.taken_by().into_iter();
        let holders = held.map(|(id, count)| part.holder(id.slot(), Some(id), TAKEN, count));
        let limit = queue.delivery_limit;
        let by_priority = queue.counts_by_priority();
        let mut lines = vec![("messages", text(counts, depth))];
        if part.flags() & FLAG_PRIORITIES != 0 {
            let highest = by_priority.iter().rev().take(16);
            let counts: Vec<_> = highest.map(|(it, count)| format!("{it}: {count}")).collect();
            lines.push((
                "by priority",
                if counts.is_empty() { "-".into() } else { counts.join(", ") },
            ));
        }
        Ok(PartState {
            text: text(counts, depth),
            fields: vec![
                ("depth", depth.into()),
                ("max_len", part.item_length().into()),
                ("ready", u64::from(counts.ready).into()),
                ("taken", u64::from(counts.taken).into()),
                ("sending", u64::from(counts.sending).into()),
                ("dead", u64::from(counts.dead).into()),
                ("priorities", (part.flags() & FLAG_PRIORITIES != 0).into()),
                ("delivery_limit", Value::Number((limit > 0).then_some(limit.into()))),
            ],
            lines,
            columns: COLUMNS,
            holders: holders.collect(),
            is_sound: queue.is_sound() && lock_is_sound,
            ..PartState::default()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        queue_in(part)?.sweep(Extent::Everything, part);
        Ok(())
    }
}

/// The words of a part, for a process that does not know its type.
fn queue_in<'a>(part: &Part<'a>) -> Result<QueueWords<'a>> {
    let corrupt = |why: &str| Error::new(ErrorKind::Corrupt, why.to_string());
    let value = part.value().ok_or_else(|| corrupt("a queue without a type of message"))?;
    let length = part.item_length();
    let element_bytes = value.size() / length.max(1);
    let geometry = Geometry::of(element_bytes, length, part.items(), part.flags());
    let geometry = geometry.ok_or_else(|| corrupt("a queue of this size"))?;
    let words = |at, count| part.words_at(at, count as usize);
    queue_over(geometry, limit_of_flags(part.flags()), words)
}

/// The state of a queue in one line.
fn text(counts: QueueCounts, depth: u64) -> String {
    let QueueCounts { sending, ready, taken, dead } = counts;
    let mut text = format!("{} ready", grouped(ready.into()));
    for (count, what) in [(taken, "taken"), (sending, "being sent"), (dead, "set aside")] {
        if count > 0 {
            text += &format!(", {} {what}", grouped(count.into()));
        }
    }
    format!("{text}, of {}", grouped(depth))
}
