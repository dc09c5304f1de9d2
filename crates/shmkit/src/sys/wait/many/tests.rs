use core::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{MOST, Many};
use crate::sys::wait::{WaitOutcome, wake_all};

/// As many words as a thread sleeps on, or as many as a test needs.
fn words() -> Vec<AtomicU64> {
    (0..MOST.min(128)).map(|_| AtomicU64::new(0)).collect()
}

fn sleep(many: &mut Many, words: &[AtomicU64], until: Option<Instant>) -> WaitOutcome {
    let words: Vec<_> = words.iter().map(|word| (word, 0)).collect();
    many.wait(&words, until)
}

#[test]
fn a_changed_word_ends_the_wait_and_so_does_the_time() {
    let words = words();
    let mut many = Many::new();
    let until = Instant::now() + Duration::from_millis(20);
    // Where the system looks at intervals, each look counts as a wake.
    while sleep(&mut many, &words, Some(until)) != WaitOutcome::TimedOut {}
    assert!(Instant::now() >= until);
    assert_eq!(sleep(&mut many, &words, Some(Instant::now())), WaitOutcome::TimedOut);
    words[0].store(4, Ordering::SeqCst);
    assert_eq!(sleep(&mut many, &words, None), WaitOutcome::Changed);
}

#[test]
fn a_wake_of_each_word_ends_the_wait() {
    let words = words();
    for word in &words {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut many = Many::new();
                while word.load(Ordering::SeqCst) == 0 {
                    sleep(&mut many, &words, None);
                }
            });
            word.store(4, Ordering::SeqCst);
            wake_all(word, 0);
            waiting.join().unwrap();
        });
        word.store(0, Ordering::SeqCst);
    }
}

#[test]
fn a_value_that_comes_back_is_slept_on_again() {
    let words = words();
    let (mut many, word) = (Many::new(), words.last().unwrap());
    for _ in 0..3 {
        thread::scope(|scope| {
            let changing = scope.spawn(|| {
                word.store(4, Ordering::SeqCst);
                wake_all(word, 0);
            });
            while word.load(Ordering::SeqCst) == 0 {
                sleep(&mut many, &words, None);
            }
            changing.join().unwrap();
        });
        word.store(0, Ordering::SeqCst);
        let until = Instant::now() + Duration::from_millis(5);
        // The wake of the change before may still be there.
        while sleep(&mut many, &words, Some(until)) != WaitOutcome::TimedOut {}
    }
}
