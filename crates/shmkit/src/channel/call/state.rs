//! The words of a slot that change while other processes look: its state, and how far the answer
//! is.
//!
//! ```text
//! state        0: FREE
//!              63 generation 32 | 31 zero 16 | 15 what 13 | 12 slot + 1 2 | 1 0 0  a participant's
//!              63 number of the call 16      | 15 what 13 | 12 zero 0               a call's
//! answer       63 number of the call 16 | 15 responses 4 | 3 REFUSED | 2 END      | 1 0 marks
//! taken        63 number of the call 16 | 15 responses 4 | 3 zero    | 2 GIVEN UP | 1 0 marks
//! ```
//!
//! `answer` counts the responses that the server has written, `taken` those that the client has
//! copied, both modulo 4,096. The client sleeps on `answer`, and a server that has no room for
//! another response sleeps on `taken`.

use crate::participant::ParticipantId;
use crate::wait::{ASLEEP, CLOSED};

/// The numbers of calls, which are used again after so many.
pub(super) const NUMBERS: u64 = 1 << (64 - NUMBER_SHIFT);
const NUMBER_SHIFT: u32 = 16;
const WHAT_SHIFT: u32 = 13;
const WHAT: u64 = 0b111 << WHAT_SHIFT;

const WRITING: u64 = 1;
const READY: u64 = 2;
const BEGUN: u64 = 3;
const GIVEN_UP: u64 = 4;
const ANSWERED: u64 = 5;
const FINISHED: u64 = 6;
const REFUSED: u64 = 7;

/// What the state word of a slot says: see the table in [`protocol`](super::protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    /// The client writes a request.
    Writing(ParticipantId),
    /// A request that no server has begun.
    Ready(u64),
    /// The server has the request.
    Begun(ParticipantId),
    /// The server has a request whose client does not wait any more.
    GivenUp(ParticipantId),
    /// The server wrote one more response than it had announced, the last one.
    Answered(u64),
    /// The server announced all responses.
    Finished(u64),
    /// The server ended the request without an answer, or without the rest of it.
    Refused(u64),
}

impl State {
    /// Returns the state as the word holds it.
    #[inline(always)]
    pub(super) fn to_bits(self) -> u64 {
        let held = |id: ParticipantId, what: u64| id.to_bits() | what << WHAT_SHIFT;
        let numbered = |number: u64, what: u64| number << NUMBER_SHIFT | what << WHAT_SHIFT;
        match self {
            Self::Free => 0,
            Self::Writing(id) => held(id, WRITING),
            Self::Ready(number) => numbered(number, READY),
            Self::Begun(id) => held(id, BEGUN),
            Self::GivenUp(id) => held(id, GIVEN_UP),
            Self::Answered(number) => numbered(number, ANSWERED),
            Self::Finished(number) => numbered(number, FINISHED),
            Self::Refused(number) => numbered(number, REFUSED),
        }
    }

    /// Returns the state that a word holds, if it is one that participants write.
    #[inline(always)]
    pub(super) fn from_bits(word: u64) -> Option<Self> {
        let number = word >> NUMBER_SHIFT;
        let id = || ParticipantId::from_bits(word);
        let state = match (word & WHAT) >> WHAT_SHIFT {
            WRITING => Self::Writing(id()?),
            READY => Self::Ready(number),
            BEGUN => Self::Begun(id()?),
            GIVEN_UP => Self::GivenUp(id()?),
            ANSWERED => Self::Answered(number),
            FINISHED => Self::Finished(number),
            REFUSED => Self::Refused(number),
            _ => Self::Free,
        };
        (state.to_bits() == word).then_some(state)
    }
}

/// The responses that can be counted, which are counted from 0 again after so many.
pub(super) const COUNTS: u64 = 1 << COUNT_BITS;
const COUNT_BITS: u32 = 12;
const COUNT_SHIFT: u32 = 4;
/// In `answer`: no more responses follow. In `taken`: the client does not wait any more.
const END: u64 = 1 << 2;
const IS_REFUSED: u64 = 1 << 3;
const _: () = assert!((ASLEEP | CLOSED) & (END | IS_REFUSED) == 0);

/// What `answer` or `taken` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) number: u64,
    /// How many responses, modulo [`COUNTS`].
    pub(super) count: u64,
    /// Of `answer`: no more follow. Of `taken`: the client does not wait any more.
    pub(super) is_end: bool,
    /// The server ended the request without an answer.
    pub(super) is_refused: bool,
}

impl Progress {
    /// The beginning of a call.
    pub(super) fn of_call(number: u64) -> Self {
        Self { number, count: 0, is_end: false, is_refused: false }
    }

    /// The same with one more response.
    #[inline(always)]
    pub(super) fn with_one_more(self) -> Self {
        Self { count: (self.count + 1) % COUNTS, ..self }
    }

    /// Returns the word without its marks.
    #[inline(always)]
    pub(super) fn to_bits(self) -> u64 {
        self.number << NUMBER_SHIFT
            | self.count << COUNT_SHIFT
            | if self.is_end { END } else { 0 }
            | if self.is_refused { IS_REFUSED } else { 0 }
    }

    /// Every word says something.
    #[inline(always)]
    pub(super) fn from_bits(word: u64) -> Self {
        Self {
            number: word >> NUMBER_SHIFT,
            count: word >> COUNT_SHIFT & (COUNTS - 1),
            is_end: word & END != 0,
            is_refused: word & IS_REFUSED != 0,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_its_word_and_other_words_are_none() {
        let id = ParticipantId::new(1_023, u32::MAX);
        for state in [
            State::Free,
            State::Writing(id),
            State::Ready(0),
            State::Ready(NUMBERS - 1),
            State::Begun(id),
            State::GivenUp(ParticipantId::new(0, 0)),
            State::Answered(7),
            State::Finished(NUMBERS - 1),
            State::Refused(7),
        ] {
            assert_eq!(State::from_bits(state.to_bits()), Some(state));
        }
        let garbage = State::Begun(id).to_bits() | 1 << 20;
        for garbage in [1, 4, 1 << 40, garbage, u64::MAX, WRITING << WHAT_SHIFT] {
            assert_eq!(State::from_bits(garbage), None, "{garbage:#x}");
        }
    }

    #[test]
    fn progress_comes_back_from_its_word() {
        let mut progress = Progress::of_call(NUMBERS - 1);
        progress.count = COUNTS - 1;
        progress.is_end = true;
        assert_eq!(Progress::from_bits(progress.to_bits() | ASLEEP | CLOSED), progress);
        progress.is_refused = true;
        let next = progress.with_one_more();
        assert_eq!((next.count, Progress::from_bits(next.to_bits())), (0, next));
    }
}
