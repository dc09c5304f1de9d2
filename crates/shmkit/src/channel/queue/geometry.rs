//! Where the parts of a queue are in its payload.
//!
//! ```text
//! payload  0         8          64            128       256    384
//!          arrivals  returned   departures    tail      head   entries | slots     as sent
//!                                             waiting   lock   ranks | next | slots    by priority
//! ```

use super::line::{MAX_SLOTS, entries};
use super::ranks::RANK_WORDS;
use super::slots::header;
use crate::object::LINE;

/// `flags`: messages have priorities.
pub(super) const FLAG_PRIORITIES: u32 = 1 << 16;
/// `flags`: how often a message is handed over before it is set aside. 0: without a limit.
pub(super) const FLAG_LIMIT: u32 = MAX_LIMIT << LIMIT_SHIFT;
const LIMIT_SHIFT: u32 = 17;
/// The largest limit of deliveries.
pub(super) const MAX_LIMIT: u32 = 0x7fff;

/// The depth of a queue for which none was chosen.
pub(super) const DEFAULT_DEPTH: u32 = 256;
/// The largest depth.
pub(super) const MAX_DEPTH: u32 = MAX_SLOTS as u32;
/// The longest message, in bytes.
pub(super) const MAX_MESSAGE_BYTES: u64 = 1 << 40;

const WORD: u64 = size_of::<u64>() as u64;
/// Where the words are in the payload.
pub(super) const ARRIVALS: u64 = 0;
pub(super) const RETURNED: u64 = 8;
pub(super) const DEPARTURES: u64 = 64;
pub(super) const TAIL: u64 = LINE;
pub(super) const HEAD: u64 = 2 * LINE;
/// With priorities: what waiters look at has a line of its own, and so has the lock.
pub(super) const WAITING: u64 = LINE;
pub(super) const OWNER: u64 = 2 * LINE;
pub(super) const HANDED: u64 = OWNER + 8;
pub(super) const NEXT_POSITION: u64 = OWNER + 16;
pub(super) const RANK_COUNT: u64 = OWNER + 24;
/// Where the entries are, or the ranks.
const ORDER: u64 = 3 * LINE;

/// The limit of deliveries of a queue with these flags.
pub(super) const fn limit_of_flags(flags: u32) -> u32 {
    (flags & FLAG_LIMIT) >> LIMIT_SHIFT
}

/// The numbers of words of a queue, and where they are: computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) depth: u64,
    pub(super) has_priorities: bool,
    /// The bytes of an element, if each message is a list with a length of its own; else 0.
    pub(super) element_bytes: u64,
    /// The bytes of a message, or of the longest list.
    pub(super) message_bytes: u64,
    /// How many entries there are, without priorities.
    pub(super) entries: u64,
    /// Where the words behind the ranks are, with priorities.
    pub(super) next_at: u64,
    pub(super) slots_at: u64,
    /// Bytes from one slot to the next: whole cache lines.
    pub(super) stride: u64,
}

impl Geometry {
    /// Where the entries are, without priorities.
    pub(super) const ENTRIES_AT: u64 = ORDER;
    /// Where the ranks are, with priorities.
    pub(super) const RANKS_AT: u64 = ORDER;

    /// The geometry of a queue of values of so many bytes, or of lists of up to `length` of them,
    /// if that is not 0. `None` if it could not be addressed.
    pub(super) fn of(value_bytes: u64, length: u64, depth: u32, flags: u32) -> Option<Self> {
        let message_bytes = value_bytes.checked_mul(length.max(1))?;
        if message_bytes > MAX_MESSAGE_BYTES || !(1..=MAX_DEPTH).contains(&depth) {
            return None;
        }
        let element_bytes = if length > 0 { value_bytes } else { 0 };
        let (depth, has_priorities) = (u64::from(depth), flags & FLAG_PRIORITIES != 0);
        let header_bytes = header(length > 0).len() as u64 * WORD;
        let stride = (message_bytes + header_bytes).next_multiple_of(64);
        let entries = entries(depth);
        let ranks_bytes = depth * RANK_WORDS as u64 * WORD;
        let next_at = Self::RANKS_AT + ranks_bytes.next_multiple_of(LINE);
        let slots_at = match has_priorities {
            true => next_at + (depth * WORD).next_multiple_of(LINE),
            false => Self::ENTRIES_AT + (entries * WORD).next_multiple_of(LINE),
        };
        Some(Self {
            depth,
            has_priorities,
            element_bytes,
            message_bytes,
            entries,
            next_at,
            slots_at,
            stride,
        })
    }

    /// The words of all ranks.
    pub(super) const fn rank_words(self) -> u64 {
        self.depth * RANK_WORDS as u64
    }

    /// Whether each message is a list.
    pub(super) const fn has_lists(self) -> bool {
        self.element_bytes > 0
    }

    /// How many bytes a message has with this word as its length; `None` if that is too long.
    #[inline(always)]
    pub(super) fn bytes_of(self, length: Option<u64>) -> Option<usize> {
        let bytes =
            length.map_or(Some(self.message_bytes), |it| it.checked_mul(self.element_bytes));
        bytes.filter(|bytes| *bytes <= self.message_bytes).map(|bytes| bytes as usize)
    }

    /// Words from one slot to the next.
    pub(super) const fn stride_words(self) -> u64 {
        self.stride / WORD
    }

    /// The words of all parts together.
    pub(super) const fn words(self) -> u64 {
        (self.slots_at + self.depth * self.stride) / WORD
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_small_queue_is_small_and_a_limit_comes_back_from_its_flags() {
        let small = Geometry::of(64, 0, DEFAULT_DEPTH, 0).unwrap();
        assert_eq!((small.stride, small.entries), (128, 512));
        for (bytes, stride) in [(24, 64), (25, 128), (88, 128), (89, 192)] {
            let lists = Geometry::of(1, bytes, DEFAULT_DEPTH, 0).unwrap();
            assert_eq!(lists.stride, stride, "{bytes}");
            assert_eq!(lists.bytes_of(Some(bytes)), Some(bytes as usize));
            assert_eq!(
                [lists.bytes_of(Some(bytes + 1)), lists.bytes_of(Some(u64::MAX))],
                [None; 2]
            );
        }
        assert!(small.words() * WORD < 40 << 10);
        for limit in [0, 1, MAX_LIMIT] {
            assert_eq!(limit_of_flags(limit << LIMIT_SHIFT | FLAG_PRIORITIES), limit);
        }
        assert_eq!(Geometry::of(8, 0, 0, 0), None);
        assert_eq!(Geometry::of(8, 0, MAX_DEPTH + 1, 0), None);
        assert_eq!(Geometry::of(1, MAX_MESSAGE_BYTES + 1, 1, 0), None);
        assert_eq!(Geometry::of(8, u64::MAX, 1, 0), None);
        assert!(Geometry::of(1, MAX_MESSAGE_BYTES, MAX_DEPTH, FLAG_PRIORITIES).is_some());
    }
}
