//! A bare ring: the least that one sender and one receiver must do to pass messages.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::arena::{BYTES_THERE, LINE_BACK, LINE_THERE};
use crate::harness::worker::{Worker, Workload};
use crate::workloads::messages::{DEPTH, Message, RECEIVER, WORDS};

pub(crate) const WORKLOADS: &[Workload] = &[Workload::process("messages/ring", pass_messages)];

/// How many messages went through, as one side knows it.
struct Side<'a> {
    own: &'a AtomicU64,
    other: &'a AtomicU64,
    slots: &'a [AtomicU64],
    passed: u64,
    /// The other side's count when it was last looked at.
    seen: u64,
}

fn pass_messages(worker: &Worker) {
    let arena = worker.arena();
    let (tail, head) = (arena.word(LINE_THERE), arena.word(LINE_BACK));
    if worker.shared().create {
        tail.store(0, Ordering::Relaxed);
        head.store(0, Ordering::Relaxed);
    }
    let receives = worker.number() == RECEIVER;
    let (own, other) = if receives { (head, tail) } else { (tail, head) };
    let slots = arena.words(BYTES_THERE, DEPTH as usize * WORDS);
    let mut side = Side { own, other, slots, passed: 0, seen: 0 };
    let mut message = Message::default();
    match receives {
        true => worker.repeat(|| side.receive(&mut message)),
        false => worker.repeat(|| side.send(&message)),
    }
}

impl Side<'_> {
    fn slot(&self) -> *mut Message {
        let first = (self.passed % u64::from(DEPTH)) as usize * WORDS;
        self.slots[first..][..WORDS].as_ptr().cast_mut().cast()
    }

    fn wait_while(&mut self, is_blocked: impl Fn(&Self) -> bool) {
        while is_blocked(self) {
            self.seen = self.other.load(Ordering::Acquire);
            spin_loop();
        }
    }

    fn send(&mut self, message: &Message) {
        self.wait_while(|side| side.passed - side.seen == u64::from(DEPTH));
        // SAFETY: the slot is the sender's until the store below.
        unsafe { black_box(self.slot()).write(*message) };
        self.passed += 1;
        self.own.store(self.passed, Ordering::Release);
    }

    fn receive(&mut self, message: &mut Message) {
        self.wait_while(|side| side.passed == side.seen);
        // SAFETY: the slot is the receiver's until the store below.
        *message = unsafe { black_box(self.slot()).read() };
        black_box(message);
        self.passed += 1;
        self.own.store(self.passed, Ordering::Release);
    }
}
