//! The words of a queue, found in its payload.

use super::geometry::{
    ARRIVALS, DEPARTURES, Geometry, HANDED, HEAD, NEXT_POSITION, OWNER, RANK_COUNT, RETURNED, TAIL,
    WAITING,
};
use super::line::Line;
use super::protocol::{Order, QueueWords};
use super::ranks::Ranks;
use super::slots::Slots;
use crate::memory::atomic::AtomicU64;
use crate::participant::owner::OwnerWord;

/// Finds the words of a queue. `words` returns so many words, from a byte of the payload on.
#[inline(always)]
pub(super) fn queue_over<'a, E>(
    geometry: Geometry,
    delivery_limit: u32,
    words: impl Fn(u64, u64) -> Result<&'a [AtomicU64], E>,
) -> Result<QueueWords<'a>, E> {
    let word = |at| Ok::<_, E>(&words(at, 1)?[0]);
    let order = match geometry.has_priorities {
        false => {
            let entries = words(Geometry::ENTRIES_AT, geometry.entries)?;
            Order::Line(Line::new(word(TAIL)?, word(HEAD)?, entries))
        }
        true => {
            let lock = OwnerWord::of_lock(word(OWNER)?).with_handed(word(HANDED)?);
            let ranks = Ranks {
                tail: word(NEXT_POSITION)?,
                waiting: word(WAITING)?,
                count: word(RANK_COUNT)?,
                ranks: words(Geometry::RANKS_AT, geometry.rank_words())?,
                next: words(geometry.next_at, geometry.depth)?,
            };
            Order::Ranks(lock, ranks)
        }
    };
    let (stride, depth) = (geometry.stride_words(), geometry.depth);
    let slots = words(geometry.slots_at, depth * stride)?;
    Ok(QueueWords {
        arrivals: word(ARRIVALS)?,
        returned: word(RETURNED)?,
        departures: word(DEPARTURES)?,
        order,
        slots: Slots::new(slots, stride as usize, depth as usize, geometry.has_lists()),
        delivery_limit,
    })
}
