//! The slots of a call: each has one request, and the responses to it.

use std::mem::MaybeUninit;

use super::geometry::{CLIENT, Geometry, MessageSize, REQUEST, STATE, TAKEN};
use super::state::{Progress, State};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::memory::copy::{copy_in, copy_out, fetch_early};
use crate::participant::ParticipantId;
use crate::wait::{CLOSED, WaitWord, Wake};

/// How often a word is changed again because marks in it changed meanwhile.
const TRIES: u32 = 64;
/// Words in a cache line.
const LINE_WORDS: usize = 8;

/// Where the words are in a slot, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// INVARIANT: at least [`REQUEST`], and the words of the request.
    answer_at: usize,
    request: Form,
    response: Form,
    response_words: usize,
    /// INVARIANT: `parts` responses and `answer` end before it.
    stride: usize,
    pub(super) parts: u64,
}

impl Shape {
    pub(super) fn of(geometry: Geometry) -> Self {
        Self {
            answer_at: (geometry.answer_at / 8) as usize,
            request: Form::of(geometry.request, geometry.request_bytes),
            response: Form::of(geometry.response, geometry.response_bytes),
            response_words: (geometry.response_stride / 8) as usize,
            stride: (geometry.stride / 8) as usize,
            parts: geometry.parts,
        }
    }
}

/// What a request, or a response, consists of.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// The bytes of an element, if it is a list; else 0.
    element_bytes: usize,
    /// The bytes of a value, or of the longest list.
    max_bytes: usize,
}

impl Form {
    fn of(size: MessageSize, max_bytes: u64) -> Self {
        let element_bytes = if size.is_list() { size.element_bytes as usize } else { 0 };
        Self { element_bytes, max_bytes: max_bytes as usize }
    }
}

/// The words of a request, or of a response: for a list, its length first.
#[derive(Clone, Copy)]
pub(super) struct MessageWords<'a> {
    pub(super) words: &'a [AtomicU64],
    form: Form,
}

/// A request, or a response, that is received.
#[derive(Clone, Copy)]
pub(super) struct InSlot<'a> {
    words: &'a [AtomicU64],
    /// How many bytes it has: whole elements. `None`: the slot says more than there is room for.
    pub(super) len: Option<usize>,
}

impl<'a> MessageWords<'a> {
    /// Writes the bytes of a value, or of a list that is not too long.
    #[inline(always)]
    pub(super) fn write(self, bytes: &[u8]) {
        let Form { element_bytes, .. } = self.form;
        match self.words {
            [length, elements @ ..] if element_bytes > 0 => {
                // ORDERING: Relaxed; it is released with the elements.
                length.store((bytes.len() / element_bytes) as u64, Ordering::Relaxed);
                copy_in(bytes, elements);
            }
            words => copy_in(bytes, words),
        }
    }

    /// What is there to be copied out.
    #[inline(always)]
    pub(super) fn read(self) -> InSlot<'a> {
        let Form { element_bytes, max_bytes } = self.form;
        match self.words {
            [length, elements @ ..] if element_bytes > 0 => {
                // The length is read once: another process may change it meanwhile.
                // ORDERING: Relaxed; it was released with the elements.
                let length = usize::try_from(length.load(Ordering::Relaxed)).ok();
                let len = length.and_then(|it| it.checked_mul(element_bytes));
                InSlot { words: elements, len: len.filter(|len| *len <= max_bytes) }
            }
            words => InSlot { words, len: Some(max_bytes) },
        }
    }
}

impl InSlot<'_> {
    /// Copies the bytes. `into` has as many as `len` says, or as the value has.
    #[inline(always)]
    pub(super) fn copy_out(self, into: &mut [MaybeUninit<u8>]) {
        copy_out(self.words, into);
    }
}

/// The slots of a call.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    /// INVARIANT: `count` slots.
    words: &'a [AtomicU64],
    count: usize,
    shape: Shape,
}

impl<'a> Slots<'a> {
    /// The slots of a call, in their words.
    #[inline(always)]
    pub(super) fn new(words: &'a [AtomicU64], geometry: Geometry) -> Self {
        let (count, shape) = (geometry.slots as usize, Shape::of(geometry));
        debug_assert!(words.len() >= shape.stride * count);
        Self { words, count, shape }
    }

    #[inline(always)]
    pub(super) fn count(self) -> usize {
        self.count
    }

    #[inline(always)]
    pub(super) fn parts(self) -> u64 {
        self.shape.parts
    }

    /// Returns a slot, if there is one with this number.
    #[inline(always)]
    pub(super) fn get(self, number: usize) -> Option<Slot<'a>> {
        // First, because the number may be garbage, and the product too large.
        if number >= self.count {
            return None;
        }
        let words = self.words.get(number * self.shape.stride..)?.get(..self.shape.stride)?;
        Some(Slot { words, shape: self.shape })
    }

    /// Returns all slots, with their numbers.
    pub(super) fn all(self) -> impl Iterator<Item = (usize, Slot<'a>)> {
        (0..self.count).filter_map(move |number| Some((number, self.get(number)?)))
    }
}

/// A slot.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    /// INVARIANT: as many as the shape says.
    words: &'a [AtomicU64],
    shape: Shape,
}

impl<'a> Slot<'a> {
    /// Loads the state word.
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        // ORDERING: Acquire; pairs with `exchange`: what was written to the slot before is seen.
        self.words[STATE].load(Ordering::Acquire)
    }

    /// Returns the state, if it is one that participants write.
    #[inline(always)]
    pub(super) fn state(self) -> Option<State> {
        State::from_bits(self.word())
    }

    /// Exchanges a state for another. `Err`: the word that was found instead.
    #[inline(always)]
    pub(super) fn exchange(self, from: State, to: State) -> Result<(), u64> {
        // ORDERING: SeqCst; as AcqRel it pairs with itself: the next holder of the slot sees what
        // the last one wrote, and the last one has read before the next one writes. AcqRel would be
        // too weak for a state that lets a waiter go on: see `waiting`.
        let (success, failure) = (Ordering::SeqCst, Ordering::Acquire);
        let word = &self.words[STATE];
        word.compare_exchange(from.to_bits(), to.to_bits(), success, failure).map(|_| ())
    }

    /// The client of the call, if the word names a participant.
    pub(super) fn client(self) -> Option<ParticipantId> {
        // ORDERING: Relaxed; written before the state that names the call.
        ParticipantId::from_bits(self.words[CLIENT].load(Ordering::Relaxed))
    }

    /// Writes what a new call begins with, besides the request. The caller has the slot WRITING.
    #[inline(always)]
    pub(super) fn begin(self, client: ParticipantId, number: u64) {
        // ORDERING: Relaxed; the exchange of the state releases it, as the words below.
        self.words[CLIENT].store(client.to_bits(), Ordering::Relaxed);
        let beginning = Progress::of_call(number).to_bits();
        // A late exchange for an earlier call fails, or comes before these: it expects the number
        // of that call.
        set(&self.words[TAKEN], beginning);
        set(&self.words[self.shape.answer_at], beginning);
    }

    /// The words of the request.
    #[inline(always)]
    pub(super) fn request(self) -> MessageWords<'a> {
        MessageWords { words: &self.words[REQUEST..self.shape.answer_at], form: self.shape.request }
    }

    /// The words of the response with this count.
    #[inline(always)]
    pub(super) fn response(self, count: u64) -> MessageWords<'a> {
        let index = if self.shape.parts == 0 { 0 } else { count % self.shape.parts };
        let from = self.shape.answer_at + 1 + index as usize * self.shape.response_words;
        let words = &self.words[from..from + self.shape.response_words];
        MessageWords { words, form: self.shape.response }
    }

    /// Fetches the second cache line of the first response, so that it does not arrive after
    /// `answer`.
    #[inline(always)]
    pub(super) fn fetch_response_early(self) {
        fetch_early(self.words, self.shape.answer_at + LINE_WORDS);
    }

    /// The word on which the client sleeps.
    #[inline(always)]
    pub(super) fn answer(self) -> WaitWord<'a> {
        WaitWord::new(&self.words[self.shape.answer_at])
    }

    /// The word on which a server sleeps that has no room for another response.
    #[inline(always)]
    pub(super) fn taken(self) -> WaitWord<'a> {
        WaitWord::new(&self.words[TAKEN])
    }
}

/// Sets a word of a slot that is WRITING.
#[inline(always)]
fn set(word: &AtomicU64, value: u64) {
    // A late exchange that found the old value comes before this store, as all changes of a word
    // have one order. loom does not know that of a store, only of an exchange.
    // ORDERING: Relaxed; as in `begin`.
    match cfg!(loom) {
        true => _ = word.swap(value, Ordering::Relaxed),
        false => word.store(value, Ordering::Relaxed),
    }
}

/// Changes `answer` or `taken` of a call, and wakes its sleepers. `next` returns what it says from
/// now on, or `None` if that is what it says already. False if the word is of another call, or
/// keeps changing.
#[inline(always)]
pub(super) fn advance(
    word: WaitWord<'_>,
    number: u64,
    next: impl Fn(Progress) -> Option<Progress>,
) -> bool {
    // ORDERING: Acquire; pairs with the change below, by another process.
    let mut seen = word.load(Ordering::Acquire);
    for _ in 0..TRIES {
        let said = Progress::from_bits(seen);
        if said.number != number {
            return false;
        }
        let Some(next) = next(said) else { return true };
        let changed = next.to_bits() | seen & CLOSED;
        // ORDERING: AcqRel; pairs with the Acquire of the look that finds it: the bytes of the
        // response are seen, and the client has copied them before they are overwritten.
        match word.change(seen, changed, Ordering::AcqRel, Wake::All) {
            Ok(()) => return true,
            Err(found) => seen = found,
        }
    }
    false
}
