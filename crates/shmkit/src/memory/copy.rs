//! Copying between private memory and words that others change meanwhile.
//!
//! What comes out may be a mixture of old and new: the caller's protocol finds that out afterwards
//! and throws it away. Every word is read or written once, as by a relaxed atomic access.

#![allow(unsafe_code, reason = "moves bytes between private memory and shared words")]

use core::{mem::MaybeUninit, ptr};

use super::atomic::{AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// Copies the first bytes of `words` into all of `into`. Afterwards `into` is initialised.
///
/// # Panics
/// If `words` is shorter than `into`.
#[inline(always)]
pub(crate) fn copy_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    assert!(into.len() <= words.len() * WORD, "more bytes than words");
    by_words_out(words, into);
}

/// Copies all of `from` into the first bytes of `words`. The rest of the last word becomes 0.
///
/// # Panics
/// If `words` is shorter than `from`.
#[inline(always)]
pub(crate) fn copy_in(from: &[u8], words: &[AtomicU64]) {
    assert!(from.len() <= words.len() * WORD, "more bytes than words");
    by_words_in(from, words);
}

fn by_words_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    for (bytes, word) in into.chunks_mut(WORD).zip(words) {
        // ORDERING: Relaxed; the caller's protocol orders the copy as a whole.
        let word = word.load(Ordering::Relaxed).to_le_bytes();
        // SAFETY: `bytes` is valid for its length, which is at most 8; `word` is a local.
        unsafe { ptr::copy_nonoverlapping(word.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len()) };
    }
}

fn by_words_in(from: &[u8], words: &[AtomicU64]) {
    for (bytes, word) in from.chunks(WORD).zip(words) {
        let mut whole = [0; WORD];
        whole[..bytes.len()].copy_from_slice(bytes);
        // ORDERING: Relaxed; the caller's protocol orders the copy as a whole.
        word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
    }
}
