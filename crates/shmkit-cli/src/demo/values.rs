//! The values that the demonstration shares. Each of them shows whether it is whole.

use shmkit::Shareable;

use crate::sys;

/// A time stamp with check words, by which a mixture of two is found. 64 bytes: a cache line.
#[derive(Shareable, Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Stamp {
    /// The number of the value, from 1 on.
    pub(super) number: u64,
    /// When it was written, on the monotonic clock of all processes.
    pub(super) written_ns: u64,
    /// 1 in the last value.
    pub(super) is_last: u64,
    check: [u64; 5],
}

impl Stamp {
    pub(super) fn now(number: u64, is_last: bool) -> Self {
        let (written_ns, is_last) = (sys::monotonic_ns(), u64::from(is_last));
        Self { number, written_ns, is_last, check: Self::check_words(number, written_ns, is_last) }
    }

    fn check_words(number: u64, written_ns: u64, is_last: u64) -> [u64; 5] {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (number ^ written_ns.rotate_left(32) ^ is_last).wrapping_mul(ODD);
        [number, !written_ns, mixed, mixed.rotate_left(21), written_ns]
    }

    pub(super) fn is_whole(&self) -> bool {
        self.check == Self::check_words(self.number, self.written_ns, self.is_last)
    }
}

/// A value of 1 MiB, which takes a while to write. Each word is the number of the value.
pub(super) type Block = [u64; BLOCK_WORDS];

pub(super) const BLOCK_WORDS: usize = (1 << 20) / size_of::<u64>();

pub(super) fn new_block() -> Box<Block> {
    vec![0; BLOCK_WORDS].into_boxed_slice().try_into().expect("the length is that of a block")
}

/// Returns the number of a block. None if it is not whole.
pub(super) fn number_of(block: &Block) -> Option<u64> {
    let first = block[0];
    block.iter().all(|word| *word == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_of_two_values_is_not_whole() {
        let (old, new) = (Stamp::now(1, false), Stamp::now(2, true));
        assert!(old.is_whole() && new.is_whole());
        let words = |stamp: &Stamp| {
            let [a, b, c, d, e] = stamp.check;
            [stamp.number, stamp.written_ns, stamp.is_last, a, b, c, d, e]
        };
        let (old, new) = (words(&old), words(&new));
        for split in 1..8 {
            let mixed: Vec<u64> = old[..split].iter().chain(&new[split..]).copied().collect();
            let check = mixed[3..].try_into().unwrap();
            let [number, written_ns, is_last] = [mixed[0], mixed[1], mixed[2]];
            assert!(!Stamp { number, written_ns, is_last, check }.is_whole(), "{split}");
        }
        let mut block = new_block();
        assert_eq!(number_of(&block), Some(0));
        block[BLOCK_WORDS - 1] = 1;
        assert_eq!(number_of(&block), None);
    }
}
