//! The least that anything between two processes can cost.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::futex;
use crate::ground::{
    BYTES_BACK, BYTES_THERE, FLOOR, Ground, LINE_BACK, LINE_THERE, OtherSide, Play, Player,
    spin_until,
};
use crate::report::{Case, Report, Samples};
use crate::sizes::{SIZES, WithWords, boxed, rounds, with_words};

/// What the other side echoes.
pub(crate) const LINE: u64 = FLOOR + 10;
pub(crate) const BYTES: u64 = FLOOR + 11;
pub(crate) const FUTEX: u64 = FLOOR + 12;

/// The other side of all floors.
pub(crate) struct Echo<'a, const N: usize> {
    ground: &'a Ground,
    value: Box<[u64; N]>,
}

impl<'a, const N: usize> Echo<'a, N> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        Self { ground, value: boxed() }
    }
}

impl<const N: usize> Player for Echo<'_, N> {
    fn play(&mut self, what: u64, rounds: u64) {
        let Self { ground, value } = self;
        let (there, back) = (ground.word(LINE_THERE), ground.word(LINE_BACK));
        for round in 1..=rounds {
            match what {
                LINE => {
                    spin_until(there, round);
                    back.store(round, Ordering::Release);
                }
                BYTES => {
                    take(ground.words(BYTES_THERE, N + 1), round, value);
                    give(ground.words(BYTES_BACK, N + 1), round, value);
                }
                _ => {
                    futex_wait_for(there, round);
                    futex_give(back, round);
                }
            }
        }
    }
}

fn reset(ground: &Ground) {
    for at in [LINE_THERE, LINE_BACK, BYTES_THERE, BYTES_BACK] {
        ground.word(at).store(0, Ordering::Release);
    }
}

/// One line there and back.
pub(crate) fn line(other: &mut OtherSide<'_>, ground: &Ground) -> f64 {
    const ROUNDS: u64 = 10_000;
    reset(ground);
    other.time(LINE, ROUNDS, || {
        for round in 1..=ROUNDS {
            ground.word(LINE_THERE).store(round, Ordering::Release);
            spin_until(ground.word(LINE_BACK), round);
        }
    })
}

/// `N` words there and back: copied in, and copied out, on either side.
pub(crate) fn bytes<const N: usize>(
    other: &mut OtherSide<'_>,
    ground: &Ground,
    value: &mut [u64; N],
) -> f64 {
    let rounds = rounds(N * 8, 200.0, 0.3);
    reset(ground);
    other.time(BYTES, rounds, || {
        for round in 1..=rounds {
            give(ground.words(BYTES_THERE, N + 1), round, value);
            take(ground.words(BYTES_BACK, N + 1), round, value);
        }
    })
}

/// A bare futex there and back, both sides asleep.
pub(crate) fn futex(other: &mut OtherSide<'_>, ground: &Ground) -> f64 {
    const ROUNDS: u64 = 500;
    reset(ground);
    other.time(FUTEX, ROUNDS, || {
        for round in 1..=ROUNDS {
            futex_give(ground.word(LINE_THERE), round);
            futex_wait_for(ground.word(LINE_BACK), round);
        }
    })
}

fn give<const N: usize>(words: &[AtomicU64], round: u64, value: &[u64; N]) {
    let to = words[1..=N].as_ptr().cast_mut().cast::<[u64; N]>();
    // SAFETY: `N` words of the ground, which the other side reads only behind the store below.
    unsafe { black_box(to).copy_from_nonoverlapping(value, 1) };
    words[0].store(round, Ordering::Release);
}

fn take<const N: usize>(words: &[AtomicU64], round: u64, value: &mut [u64; N]) {
    spin_until(&words[0], round);
    let from = words[1..=N].as_ptr().cast::<[u64; N]>();
    // SAFETY: `N` words of the ground, which the other side does not write before it is answered.
    unsafe { black_box(from).copy_to_nonoverlapping(value, 1) };
}

fn futex_give(word: &AtomicU64, round: u64) {
    word.store(round, Ordering::SeqCst);
    futex::wake_one(word);
}

fn futex_wait_for(word: &AtomicU64, round: u64) {
    loop {
        let found = word.load(Ordering::SeqCst);
        if found == round {
            return;
        }
        futex::wait(word, found);
    }
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    for (case, cpu) in [("futex, two processors", 1), ("futex, one processor", 0)] {
        let mut other = ground.start(Play::Floor, 8, cpu);
        let samples = Samples::alone(|| futex(&mut other, ground) / 1_000.0);
        report.tell(&Case { suite: "floor", case, bytes: 8, unit: "us" }, &samples);
    }
    let mut other = ground.start(Play::Floor, 8, 1);
    let samples = Samples::alone(|| line(&mut other, ground));
    drop(other);
    report.tell(&Case { suite: "floor", case: "line", bytes: 8, unit: "ns" }, &samples);
    for size in SIZES {
        with_words(size, Bytes { ground, report });
    }
}

struct Bytes<'a> {
    ground: &'a Ground,
    report: &'a mut Report,
}

impl WithWords for Bytes<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let mut other = self.ground.start(Play::Floor, N * 8, 1);
        let mut value = boxed();
        let samples = Samples::alone(|| bytes::<N>(&mut other, self.ground, &mut value));
        let case = Case { suite: "floor", case: "copied back and forth", bytes: N * 8, unit: "ns" };
        self.report.tell(&case, &samples);
    }
}
