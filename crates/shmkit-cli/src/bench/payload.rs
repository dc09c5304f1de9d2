//! What messages contain: a number, and words that depend on it, so that a lost, a torn and a mixed
//! message are recognised.

#![allow(unsafe_code, reason = "words as bytes")]

use std::slice;

/// The size of a word. A message consists of whole words.
pub(super) const WORD: usize = size_of::<u64>();
/// Marks the last message of a sequence.
pub(super) const LAST: u64 = 1 << 63;

/// Any odd number with ones and zeros in each byte.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Writes each word of a message.
#[inline]
pub(super) fn fill(words: &mut [u64], number: u64) {
    let Some((first, rest)) = words.split_first_mut() else { return };
    *first = number;
    let mut expected = number.wrapping_mul(FACTOR);
    for word in rest {
        *word = expected;
        expected = expected.wrapping_add(1);
    }
}

/// Reads each word of a message. Returns its number if it is whole.
#[inline]
pub(super) fn number(words: &[u64]) -> Option<u64> {
    let (first, rest) = words.split_first()?;
    let mut expected = first.wrapping_mul(FACTOR);
    let mut differences = 0;
    for word in rest {
        differences |= word ^ expected;
        expected = expected.wrapping_add(1);
    }
    (differences == 0).then_some(*first)
}

/// Returns words as bytes.
pub(super) fn bytes(words: &[u64]) -> &[u8] {
    // SAFETY: the bytes are those of the words, which are initialised and stay borrowed.
    unsafe { slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// The same to write into.
pub(super) fn bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: as above; any bytes are valid words.
    unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_torn_or_mixed_is_recognised() {
        for length in [1, 2, 8, 131_072] {
            let mut words = vec![0; length];
            fill(&mut words, 7 | LAST);
            assert_eq!(number(&words), Some(7 | LAST));
            let mut other = words.clone();
            fill(&mut other, 8);
            for at in [1, length / 2, length - 1].into_iter().filter(|at| (1..length).contains(at))
            {
                let mut torn = words.clone();
                torn[at..].copy_from_slice(&other[at..]);
                assert_eq!(number(&torn), None, "{length} {at}");
                torn.copy_from_slice(&words);
                bytes_mut(&mut torn)[at * WORD + 3] ^= 1;
                assert_eq!(number(&torn), None, "{length} {at}");
            }
        }
    }
}
