//! Where the parts of a call are in its payload.
//!
//! ```text
//! payload  0          64            128     256               multiple of 128
//!          arrivals   departures    next    waiting (a bit    slots
//!                                           for each slot)
//! slot     0       8        16      24        multiple of 64   8 behind it
//!          state   client   taken   request   answer           response, response, ...
//! list     0        8
//!          length   elements
//! ```
//!
//! A request, or a response, is one value, or a list with its length before.
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
/// A request, or a response, is smaller than this.
const MAX_MESSAGE_BYTES: u64 = 1 << 40;
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

/// How large a request, or a response, can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageSize {
    /// The bytes of the value, or of each element of a list.
    pub(super) element_bytes: u64,
    /// The most elements of a list. 0: it is one value.
    pub(super) max_len: u64,
}

impl MessageSize {
    /// The bytes of a value, or of the longest list; `None` if that could not be addressed.
    fn bytes(self) -> Option<u64> {
        let bytes = self.element_bytes.checked_mul(self.max_len.max(1))?;
        (bytes < MAX_MESSAGE_BYTES).then_some(bytes)
    }

    pub(super) const fn is_list(self) -> bool {
        self.max_len > 0
    }

    /// The bytes of the words before the value, or before the elements.
    pub(super) const fn header_bytes(self) -> u64 {
        if self.is_list() { WORD } else { 0 }
    }
}

/// The numbers of words of a call, and where they are: computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) slots: u64,
    /// How many responses of a request can wait.
    pub(super) parts: u64,
    pub(super) request: MessageSize,
    pub(super) response: MessageSize,
    /// The bytes of a value, or of the longest list.
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
    pub(super) fn of(
        request: MessageSize,
        response: MessageSize,
        slots: u32,
        flags: u32,
    ) -> Option<Self> {
        let (request_bytes, response_bytes) = (request.bytes()?, response.bytes()?);
        if !(1..=MAX_SLOTS).contains(&slots) {
            return None;
        }
        let parts = match (flags & FLAG_PARTS) >> PARTS_SHIFT {
            0 => DEFAULT_PARTS,
            parts => parts,
        };
        let (slots, parts) = (u64::from(slots), u64::from(parts));
        let request_at = REQUEST as u64 * WORD + request.header_bytes();
        let answer_at = (request_at + request_bytes).next_multiple_of(CACHE_LINE);
        let response_stride = (response.header_bytes() + response_bytes).next_multiple_of(WORD);
        let stride = (answer_at + WORD + parts * response_stride).next_multiple_of(LINE);
        let waiting_words = slots.div_ceil(64);
        let slots_at = WAITING + (waiting_words * WORD).next_multiple_of(LINE);
        Some(Self {
            slots,
            parts,
            request,
            response,
            request_bytes,
            response_bytes,
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
        let of = |request, response, slots, flags| {
            let size = |element_bytes| MessageSize { element_bytes, max_len: 0 };
            Geometry::of(size(request), size(response), slots, flags)
        };
        let small = of(64, 64, DEFAULT_SLOTS, 0).unwrap();
        assert_eq!((small.answer_at, small.stride, small.parts), (128, 512, 4));
        assert!(small.words() * WORD < 40 << 10);
        for parts in [1, DEFAULT_PARTS, MAX_PARTS] {
            let flags = flags_of_parts(parts) << PARTS_SHIFT;
            assert_eq!(of(8, 8, 1, flags).unwrap().parts, u64::from(parts));
        }
        assert_eq!(of(8, 8, 0, 0), None);
        assert_eq!(of(8, 8, MAX_SLOTS + 1, 0), None);
        assert_eq!(of(8, 1 << 40, 1, 0), None);
    }

    #[test]
    fn lists_have_room_for_their_lengths() {
        let list = |element_bytes, max_len| MessageSize { element_bytes, max_len };
        for (bytes, answer_at) in [(32, 64), (33, 128)] {
            let lists = Geometry::of(list(1, bytes), list(4, 3), 1, 1 << PARTS_SHIFT).unwrap();
            let found = (lists.answer_at, lists.request_bytes, lists.response_stride);
            assert_eq!(found, (answer_at, bytes, 24));
        }
        assert_eq!(Geometry::of(list(1 << 20, 1 << 20), list(1, 1), 1, 0), None);
        assert_eq!(Geometry::of(list(1, 1), list(u64::MAX, 2), 1, 0), None);
    }
}
