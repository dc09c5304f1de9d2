//! What a handle remembers of its waits.

use std::time::Instant;

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::process::milliseconds;

/// What a handle remembers of its waits. All are guesses: any thread may overwrite a field.
///
/// ```text
/// 63                 40 39              24 23           12 11               0
/// +--------------------+------------------+---------------+------------------+
/// | when the last      | when an attempt  | count of news | where the next   |
/// | check was made;    | took what was    | at the last   | check goes on:   |
/// | 0: never           | reserved         | check         | see `extent`     |
/// +--------------------+------------------+---------------+------------------+
///    milliseconds of this process, and the count, modulo 2^24, 2^16 or 2^12
/// ```
///
/// There are fewer than 2^12 pieces of news in two slices, after which a check is due anyway.
#[derive(Debug, Default)]
pub(crate) struct Remembered(AtomicU64);

pub(super) const CHECKED_MS: Field = Field { shift: 40, bits: 24 };
pub(super) const TAKEN_MS: Field = Field { shift: 24, bits: 16 };
pub(super) const NEWS: Field = Field { shift: 12, bits: 12 };
pub(super) const PLACE: Field = Field { shift: 0, bits: 12 };

/// Some bits of the word.
#[derive(Clone, Copy)]
pub(super) struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    /// Returns a number as the field stores it.
    pub(super) fn cut(self, number: u64) -> u64 {
        number & ((1 << self.bits) - 1)
    }

    /// Returns a moment as the field stores it: never 0, not even when the count begins again.
    pub(super) fn cut_moment(self, moment: Instant) -> u64 {
        self.cut(milliseconds(moment)).max(1)
    }

    fn of(self, word: u64) -> u64 {
        self.cut(word >> self.shift)
    }

    /// Returns the word with another number in this field.
    fn put(self, word: u64, number: u64) -> u64 {
        word & !(self.cut(u64::MAX) << self.shift) | self.cut(number) << self.shift
    }
}

impl Remembered {
    /// Returns the number in a field.
    pub(super) fn get(&self, field: Field) -> u64 {
        field.of(self.load())
    }

    pub(super) fn set<const N: usize>(&self, fields: [(Field, u64); N]) {
        let put = |word, (field, number): (Field, u64)| field.put(word, number);
        let changed = |word| Some(fields.into_iter().fold(word, put));
        // ORDERING: Relaxed; a guess. One atomic change keeps the other fields.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }

    fn load(&self) -> u64 {
        // ORDERING: Relaxed; it is harmless if two threads check at once.
        self.0.load(Ordering::Relaxed)
    }
}
