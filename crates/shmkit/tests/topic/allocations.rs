//! A message takes no memory of the heap.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{TIMEOUT, TestDir};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// How many bytes this thread has allocated more than it has freed.
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: it passes each call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        LIVE.set(LIVE.get() + layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn publishing_and_receiving_allocate_nothing() {
    let dir = TestDir::new();
    let topic = dir.options::<[u64; 8]>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let before = COUNT.get();
    for number in 0..100_000 {
        publisher.publish(&[number; 8]).unwrap();
        assert_eq!(subscriber.recv().unwrap(), [number; 8]);
    }
    assert_eq!(COUNT.get(), before);
}

#[test]
fn large_messages_that_are_copied_loaned_or_borrowed_allocate_nothing() {
    let dir = TestDir::new();
    let topic = dir.options::<[u64; 600]>().create("topic").unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let mut into = [0; 600];
    let mut pass = |number| {
        let mut loan = publisher.loan().unwrap();
        loan.fill(number);
        loan.send().unwrap();
        publisher.publish(&[number + 1; 600]).unwrap();
        assert_eq!(subscriber.recv_sample().unwrap()[599], number);
        subscriber.recv_into(&mut into, TIMEOUT).unwrap();
        assert_eq!(into[599], number + 1);
    };
    // The first ones make what the publisher and the subscriber keep.
    pass(0);
    let before = COUNT.get();
    (1..10_000).for_each(pass);
    assert_eq!(COUNT.get(), before);
}

#[test]
fn subscribing_borrowing_and_dropping_keeps_no_memory() {
    let dir = TestDir::new();
    let topic = dir.options::<[u64; 600]>().depth(2).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    (0..2).for_each(|number| _ = publisher.publish(&[number; 600]).unwrap());
    let round = |number: u32| {
        let mut subscriber = topic.subscriber_with_history(2).unwrap();
        assert_eq!(subscriber.recv().unwrap()[0], 0);
        let sample = subscriber.recv_sample().unwrap();
        assert_eq!(sample[599], 1);
        if number.is_multiple_of(2) {
            drop((subscriber, sample));
        } else {
            drop((sample, subscriber));
        }
    };
    (0..10).for_each(round);
    let before = LIVE.get();
    (0..2_000).for_each(round);
    assert_eq!(LIVE.get(), before, "bytes are lost");
    drop(publisher);
    assert_eq!([dir.number("buffers_free"), dir.number("samples")], [8, 0]);
}
