//! Where the parts of a call are in its payload.
//!
//! ```text
//! payload  0          64            128     256               multiple of 128
//!          arrivals   departures    next    waiting (a bit    slots
//!                                           for each slot)
//! slot     0       8        16      24        multiple of 64   8 behind it
//!          state   client   taken   request   answer           response, response, ...
//! ```
//!
//! A client that waits looks at `answer` and at what lies behind it: at no word that a server
//! changes before it answers. Each response begins at a multiple of 8 bytes.

use crate::object::LINE;

/// `flags`: how many responses of a request can wait for the client. 0: [`DEFAULT_PARTS`].
pub(super) const FLAG_PARTS: u32 = MAX_PARTS << PARTS_SHIFT;
const PARTS_SHIFT: u32 = 16;
/// The most responses of a request that can wait for the client.
pub(super) const MAX_PARTS: u32 = 0x3ff;
/// The same, unless the options say another number.
pub(super) const DEFAULT_PARTS: u32 = 4;

/// How many requests there can be at a time, unless the options say another number.
pub(super) const DEFAULT_SLOTS: u32 = 64;
/// The largest number of requests at a time.
pub(super) const MAX_SLOTS: u32 = 4_096;

const WORD: u64 = size_of::<u64>() as u64;
/// Where the words are in the payload.
pub(super) const ARRIVALS: u64 = 0;
pub(super) const DEPARTURES: u64 = 64;
pub(super) const NEXT: u64 = LINE;
pub(super) const WAITING: u64 = 2 * LINE;

/// Where the words of a slot are, in words.
pub(super) const STATE: usize = 0;
pub(super) const CLIENT: usize = 1;
pub(super) const TAKEN: usize = 2;
pub(super) const REQUEST: usize = 3;
/// A cache line.
const CACHE_LINE: u64 = 64;

/// The flags of an object in which so many responses can wait.
pub(super) const fn flags_of_parts(parts: u32) -> u32 {
    if parts == DEFAULT_PARTS { 0 } else { parts }
}

/// The numbers of words of a call, and where they are: computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) slots: u64,
    /// How many responses of a request can wait.
    pub(super) parts: u64,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    /// Where `answer` is in a slot.
    pub(super) answer_at: u64,
    /// Bytes from one response to the next.
    pub(super) response_stride: u64,
    /// Where the slots are.
    pub(super) slots_at: u64,
    /// Bytes from one slot to the next.
    pub(super) stride: u64,
}

impl Geometry {
    /// The geometry of a call; `None` if it could not be addressed.
    pub(super) fn of(request: u64, response: u64, slots: u32, flags: u32) -> Option<Self> {
        if request >= 1 << 40 || response >= 1 << 40 || !(1..=MAX_SLOTS).contains(&slots) {
            return None;
        }
        let parts = match (flags & FLAG_PARTS) >> PARTS_SHIFT {
            0 => DEFAULT_PARTS,
            parts => parts,
        };
        let (slots, parts) = (u64::from(slots), u64::from(parts));
        let answer_at = (REQUEST as u64 * WORD + request).next_multiple_of(CACHE_LINE);
        let response_stride = response.next_multiple_of(WORD);
        let stride = (answer_at + WORD + parts * response_stride).next_multiple_of(LINE);
        let waiting_words = slots.div_ceil(64);
        let slots_at = WAITING + (waiting_words * WORD).next_multiple_of(LINE);
        Some(Self {
            slots,
            parts,
            request_bytes: request,
            response_bytes: response,
            answer_at,
            response_stride,
            slots_at,
            stride,
        })
    }

    /// The words that say which slots have requests that wait.
    pub(super) const fn waiting_words(self) -> u64 {
        self.slots.div_ceil(64)
    }

    /// The words of all slots.
    pub(super) const fn slot_words(self) -> u64 {
        self.slots * self.stride / WORD
    }

    /// The words of all parts together.
    pub(super) const fn words(self) -> u64 {
        self.slots_at / WORD + self.slot_words()
    }

    /// Where the first response is in a slot.
    pub(super) const fn responses_at(self) -> u64 {
        self.answer_at + WORD
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn small_calls_are_small_and_the_parts_come_back_from_the_flags() {
        let small = Geometry::of(64, 64, DEFAULT_SLOTS, 0).unwrap();
        assert_eq!((small.answer_at, small.stride, small.parts), (128, 512, 4));
        assert!(small.words() * WORD < 40 << 10);
        for parts in [1, DEFAULT_PARTS, MAX_PARTS] {
            let flags = flags_of_parts(parts) << PARTS_SHIFT;
            assert_eq!(Geometry::of(8, 8, 1, flags).unwrap().parts, u64::from(parts));
        }
        assert_eq!(Geometry::of(8, 8, 0, 0), None);
        assert_eq!(Geometry::of(8, 8, MAX_SLOTS + 1, 0), None);
        assert_eq!(Geometry::of(8, 1 << 40, 1, 0), None);
    }
}
