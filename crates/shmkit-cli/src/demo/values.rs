//! The values that the demonstration shares: each proves of itself that it is whole.

use shmkit::Shareable;

use crate::sys;

/// A time stamp, repeated in a way that a mixture of two would not pass. 64 bytes: a cache line.
#[derive(Shareable, Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Beat {
    /// From 1 on.
    pub(super) number: u64,
    /// When it was written, on the clock that all processes share.
    pub(super) written_ns: u64,
    /// 1 in the last one.
    pub(super) is_last: u64,
    proof: [u64; 5],
}

impl Beat {
    pub(super) fn now(number: u64, is_last: bool) -> Self {
        let (written_ns, is_last) = (sys::monotonic_ns(), u64::from(is_last));
        Self { number, written_ns, is_last, proof: Self::proof(number, written_ns, is_last) }
    }

    fn proof(number: u64, written_ns: u64, is_last: u64) -> [u64; 5] {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (number ^ written_ns.rotate_left(32) ^ is_last).wrapping_mul(ODD);
        [number, !written_ns, mixed, mixed.rotate_left(21), written_ns]
    }

    pub(super) fn is_whole(&self) -> bool {
        self.proof == Self::proof(self.number, self.written_ns, self.is_last)
    }
}

/// A value of 1 MiB, so that writing it takes a while. Each word is the value's number.
pub(super) type Block = [u64; BLOCK_WORDS];

pub(super) const BLOCK_WORDS: usize = (1 << 20) / size_of::<u64>();

pub(super) fn new_block() -> Box<Block> {
    vec![0; BLOCK_WORDS].into_boxed_slice().try_into().expect("as many words")
}

/// The number that every word of a whole block is.
pub(super) fn number_of(block: &Block) -> Option<u64> {
    let first = block[0];
    block.iter().all(|word| *word == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_of_two_values_is_told_from_a_whole_one() {
        let (old, new) = (Beat::now(1, false), Beat::now(2, true));
        assert!(old.is_whole() && new.is_whole());
        let words = |beat: &Beat| {
            let [a, b, c, d, e] = beat.proof;
            [beat.number, beat.written_ns, beat.is_last, a, b, c, d, e]
        };
        let (old, new) = (words(&old), words(&new));
        for split in 1..8 {
            let mixed: Vec<u64> = old[..split].iter().chain(&new[split..]).copied().collect();
            let proof = mixed[3..].try_into().unwrap();
            let [number, written_ns, is_last] = [mixed[0], mixed[1], mixed[2]];
            assert!(!Beat { number, written_ns, is_last, proof }.is_whole(), "{split}");
        }
        let mut block = new_block();
        assert_eq!(number_of(&block), Some(0));
        block[BLOCK_WORDS - 1] = 1;
        assert_eq!(number_of(&block), None);
    }
}
