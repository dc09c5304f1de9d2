//! Values that show whether they are torn, and random numbers.

use std::hash::{BuildHasher, RandomState};

/// A value all of whose words follow from `seed`.
pub(crate) fn value<const WORDS: usize>(seed: u64) -> [u64; WORDS] {
    let mut word = seed;
    [(); WORDS].map(|()| {
        let this = word;
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        this
    })
}

/// The seed of a value, after a check that the value is not torn.
#[track_caller]
pub(crate) fn seed_of<const WORDS: usize>(found: &[u64; WORDS]) -> u64 {
    let expected = value::<WORDS>(found[0]);
    let torn = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(torn, None, "a torn value of {WORDS} words: the index of the first wrong word");
    found[0]
}

/// How many kills the tests make that are ignored: they take minutes. To run them:
/// `cargo test --release -p shmkit --test processes -- --ignored --nocapture ten_thousand`
pub(crate) const TEN_THOUSAND: usize = 10_000;

/// The lines of a log of a process that was killed: the kernel can end a write at the end of a page,
/// and so a line before its end.
pub(crate) fn whole_lines(log: &str) -> impl Iterator<Item = &str> {
    log.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'))
}

/// Random numbers: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
pub(crate) struct Random(u64);

impl Random {
    /// From a new seed, which is printed if the test fails.
    pub(crate) fn new() -> Self {
        let seed = RandomState::new().hash_one(0);
        println!("random seed {seed:#x}");
        Self(seed)
    }

    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `count` times on average.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of the items.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}
