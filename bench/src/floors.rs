//! The floors of communication: the least that a round trip between two processes can cost.

use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::arena::{Arena, BYTES_BACK, BYTES_THERE, LINE_BACK, LINE_THERE};
use crate::harness::futex;
use crate::harness::mailbox::RUN;
use crate::harness::sizes::{MAX_WORDS, Value, by_size, for_size, rounds};
use crate::harness::worker::{Command, Worker, Workload};
use crate::harness::workers::Workers;

pub(crate) const WORKLOADS: &[Workload] =
    &[Workload::process("echo/floor", |it| for_size(it.argument(), by_size!(serve))(it))];

/// What a worker that echoes is commanded to echo.
const LINE: u64 = RUN + 1;
const BYTES: u64 = RUN + 2;
const FUTEX: u64 = RUN + 3;

fn serve<const N: usize>(worker: &Worker) {
    let mut value = Value::<N>::boxed();
    worker.serve(|command| echo(worker.arena(), command, &mut value));
}

/// The worker's side of the floors.
pub(crate) fn echo<const N: usize>(arena: &Arena, command: &Command<'_>, value: &mut [u64; N]) {
    let (there, back) = (arena.word(LINE_THERE), arena.word(LINE_BACK));
    let mut round = 0;
    command.repeat(|| {
        round += 1;
        match command.what {
            LINE => {
                spin_until(there, round);
                back.store(round, Ordering::Release);
            }
            BYTES => {
                receive(arena.words(BYTES_THERE, N + 1), round, value);
                send(arena.words(BYTES_BACK, N + 1), round, value);
            }
            FUTEX => {
                futex_receive(there, round);
                futex_send(back, round);
            }
            other => panic!("there is no floor {other}"),
        }
    });
}

fn reset(arena: &Arena) {
    for at in [LINE_THERE, LINE_BACK, BYTES_THERE, BYTES_BACK] {
        arena.word(at).store(0, Ordering::Release);
    }
}

/// Times a cache line there and back, in nanoseconds.
pub(crate) fn line(workers: &Workers<'_>) -> f64 {
    const ROUNDS: u64 = 10_000;
    let arena = workers.arena();
    reset(arena);
    workers.time_with(LINE, ROUNDS, || {
        for round in 1..=ROUNDS {
            arena.word(LINE_THERE).store(round, Ordering::Release);
            spin_until(arena.word(LINE_BACK), round);
        }
    })
}

/// Times `N` words there and back, copied in and out on either side, in nanoseconds.
pub(crate) fn bytes<const N: usize>(workers: &Workers<'_>, value: &mut [u64; N]) -> f64 {
    let (arena, rounds) = (workers.arena(), rounds(N * 8, 200.0, 0.3));
    reset(arena);
    workers.time_with(BYTES, rounds, || {
        for round in 1..=rounds {
            send(arena.words(BYTES_THERE, N + 1), round, value);
            receive(arena.words(BYTES_BACK, N + 1), round, value);
        }
    })
}

/// Times a futex wake-up there and back, both sides asleep, in microseconds.
pub(crate) fn futex_us(workers: &Workers<'_>) -> f64 {
    const ROUNDS: u64 = 500;
    let arena = workers.arena();
    reset(arena);
    let nanoseconds = workers.time_with(FUTEX, ROUNDS, || {
        for round in 1..=ROUNDS {
            futex_send(arena.word(LINE_THERE), round);
            futex_receive(arena.word(LINE_BACK), round);
        }
    });
    nanoseconds / 1_000.0
}

pub(crate) fn spin_until(word: &AtomicU64, value: u64) {
    while word.load(Ordering::Acquire) != value {
        spin_loop();
    }
}

fn send<const N: usize>(words: &[AtomicU64], round: u64, value: &[u64; N]) {
    let to = words[1..=N].as_ptr().cast_mut().cast::<[u64; N]>();
    // SAFETY: `N` words of the arena, which the other side reads only after the store below.
    unsafe { black_box(to).copy_from_nonoverlapping(value, 1) };
    words[0].store(round, Ordering::Release);
}

fn receive<const N: usize>(words: &[AtomicU64], round: u64, value: &mut [u64; N]) {
    spin_until(&words[0], round);
    let from = words[1..=N].as_ptr().cast::<[u64; N]>();
    // SAFETY: `N` words of the arena, which the other side writes only after the next answer.
    unsafe { black_box(from).copy_to_nonoverlapping(value, 1) };
}

fn futex_send(word: &AtomicU64, round: u64) {
    word.store(round, Ordering::SeqCst);
    futex::wake_one(word);
}

fn futex_receive(word: &AtomicU64, round: u64) {
    loop {
        let found = word.load(Ordering::SeqCst);
        if found == round {
            return;
        }
        futex::wait(word, found);
    }
}

/// Returns how many messages of a size a ring has room for: 256 KiB of them, 4 to 256.
pub(crate) const fn ring_depth(bytes: usize) -> usize {
    match (256 << 10) / bytes {
        ..4 => 4,
        depth @ 4..256 => depth,
        _ => 256,
    }
}

/// A ring in the arena without anything else: a stamp beside each message of `N` words, and the
/// receiver's position, at which the sender looks only when the ring seems full.
pub(crate) struct Ring<'a, const N: usize> {
    words: &'a [AtomicU64],
    position: &'a AtomicU64,
    /// The last message for which the sender knows that there is room.
    limit: Cell<u64>,
}

impl<'a, const N: usize> Ring<'a, N> {
    const DEPTH: usize = ring_depth(N * 8);
    /// The words of an entry: a stamp and a message.
    const STRIDE: usize = N + 1;
    const POSITION: usize = Self::DEPTH * Self::STRIDE + 16;

    pub(crate) fn of(arena: &'a Arena) -> Self {
        const { assert!(Self::POSITION < MAX_WORDS, "the ring ends before the bytes back") };
        let words = arena.words(BYTES_THERE, Self::POSITION + 1);
        Self { words, position: &words[Self::POSITION], limit: Cell::new(0) }
    }

    fn entry(&self, number: u64) -> &'a [AtomicU64] {
        &self.words[(number % Self::DEPTH as u64) as usize * Self::STRIDE..][..Self::STRIDE]
    }

    /// Sends the message of a number: 1, 2, ...
    #[inline(always)]
    pub(crate) fn send(&self, number: u64, message: &[u64; N]) {
        while number > self.limit.get() {
            self.limit.set(self.position.load(Ordering::Acquire) + Self::DEPTH as u64);
            spin_loop();
        }
        let entry = self.entry(number);
        let to = entry[1..].as_ptr().cast_mut().cast::<[u64; N]>();
        // SAFETY: the words of the entry, which the receiver reads only after the store below.
        unsafe { to.copy_from_nonoverlapping(message, 1) };
        entry[0].store(number, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn receive(&self, number: u64, message: &mut [u64; N]) {
        let entry = self.entry(number);
        spin_until(&entry[0], number);
        let from = entry[1..].as_ptr().cast::<[u64; N]>();
        // SAFETY: the words of the entry, which the sender writes only after the store below.
        unsafe { from.copy_to_nonoverlapping(message, 1) };
        self.position.store(number, Ordering::Release);
    }
}
