//! The checksum of a value on a disk: see `proof`.

use super::geometry::WORD;
use crate::memory::atomic::{AtomicU64, Ordering};

/// The check of a value with the stamp "complete" `stamp`, and with the time of its record if there
/// is one.
pub(super) fn check_of(stamp: u64, time: Option<u64>, value: &[u8]) -> u64 {
    let mut check = begin(stamp, time);
    check.update(value);
    let rest = value.len().next_multiple_of(WORD) - value.len();
    check.update(&[0; WORD][..rest]);
    check.finalize().into()
}

/// The same of a value in shared memory.
pub(super) fn check_of_words(stamp: u64, time: Option<u64>, words: &[AtomicU64]) -> u64 {
    const PIECE: usize = 512;
    let mut check = begin(stamp, time);
    let mut bytes = [0; PIECE * WORD];
    for words in words.chunks(PIECE) {
        for (bytes, word) in bytes.chunks_exact_mut(WORD).zip(words) {
            // ORDERING: Relaxed; the caller orders the whole copy.
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        check.update(&bytes[..words.len() * WORD]);
    }
    check.finalize().into()
}

fn begin(stamp: u64, time: Option<u64>) -> crc32fast::Hasher {
    let mut check = crc32fast::Hasher::new();
    check.update(&stamp.to_le_bytes());
    if let Some(time) = time {
        check.update(&time.to_le_bytes());
    }
    check
}
