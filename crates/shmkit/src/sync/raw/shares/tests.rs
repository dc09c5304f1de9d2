//! What a reader does with a free lock that is reserved.

use super::*;

/// Marks of a free owner word: see FORMAT.md.
const TO_READERS: u64 = 1 << 15;
const HANDOFF: u64 = 1 << 19;

const ME: ParticipantId = ParticipantId::new(0, 7);

fn with_marks(marks: u64, check: impl FnOnce(OwnShare<'_>, &AtomicU64, &AtomicU64)) {
    let [owner, share] = [marks, 7 << 32].map(AtomicU64::new);
    check(OwnShare { owner: OwnerWord::of_lock(&owner), word: &share, me: ME }, &owner, &share);
}

#[test]
fn a_fast_reader_takes_nothing_that_is_reserved_not_even_for_readers() {
    for marks in [TO_READERS, HANDOFF] {
        with_marks(marks, |mine, owner, share| {
            assert_eq!(mine.try_share().err(), Some(AcquireError::Contended));
            assert_eq!(share.load(Ordering::Relaxed) & COUNT, 0, "the share is undone");
            assert_eq!(owner.load(Ordering::Relaxed), marks);
        });
    }
}

#[test]
fn the_slow_path_of_a_reader_ends_the_handoff_to_readers() {
    with_marks(TO_READERS, |mine, owner, share| {
        let polled = mine.poll_share(&Standing::default());
        assert!(matches!(polled, Poll::Ready(Ok(_))));
        assert_eq!(share.load(Ordering::Relaxed) & COUNT, ONE);
        assert_eq!(owner.load(Ordering::Relaxed), 0);
    });
}
