use super::*;
use crate::memory::HeapMemory;

const CAPACITY: usize = 4_096;

fn with_stream(check: impl FnOnce(Stream<'_>, &AtomicU64, &AtomicU64)) {
    let memory = HeapMemory::zeroed(CAPACITY);
    let ring = memory.view().words(0, CAPACITY / WORD).unwrap();
    let [tail, head] = [0; 2].map(AtomicU64::new);
    check(Stream::new(&tail, &head, ring).unwrap(), &tail, &head);
}

fn write(stream: Stream<'_>, known: &mut Place, bytes: &[u8]) -> usize {
    let tail = stream.tail();
    let room = stream.room(tail, known, bytes.len() as u64).unwrap();
    let count = stream.put(tail, bytes, room);
    stream.publish(tail, count).unwrap();
    count
}

/// Bytes of which no run of some length comes twice in a ring.
fn pattern(start: usize, count: usize) -> Vec<u8> {
    (start..start + count).map(|at| (at as u32).wrapping_mul(2_654_435_761) as u8).collect()
}

#[test]
fn bytes_come_out_as_they_went_in_at_every_offset_and_across_the_end() {
    with_stream(|stream, _, _| {
        let (mut written, mut read) = (0, 0);
        let (mut tail, mut head) = (Place(0), Place(0));
        let mut into = vec![0; CAPACITY + 1];
        for round in 0..3_000 {
            let bytes = pattern(written, round * 7 % 301);
            written += write(stream, &mut head, &bytes);
            let most = if round % 5 == 4 { CAPACITY } else { round * 11 % 290 };
            let count = stream.take(&mut tail, &mut into[..most]).unwrap();
            assert_eq!(into[..count], pattern(read, count));
            read += count;
            assert_eq!(stream.unread(), Ok((written - read) as u64));
        }
        assert!(written > 50 * CAPACITY && written - read < CAPACITY);
    });
}

#[test]
fn positions_come_round() {
    with_stream(|stream, tail, head| {
        for word in [tail, head] {
            word.store((POSITION_MASK - 5) << POSITION_SHIFT, Ordering::Relaxed);
        }
        let (mut known, mut into) = (Place(0), [0; 20]);
        assert_eq!(write(stream, &mut known, &pattern(0, 20)), 20);
        assert_eq!(stream.unread(), Ok(20));
        assert_eq!(stream.tail().position(), 14);
        let mut known = Place(0);
        assert_eq!(stream.take(&mut known, &mut into), Ok(20));
        assert_eq!(into[..], pattern(0, 20));
    });
}

#[test]
fn a_full_ring_has_no_room_and_an_empty_one_no_bytes() {
    with_stream(|stream, _, _| {
        let (mut known, mut into) = (Place(0), [0; CAPACITY]);
        assert_eq!(write(stream, &mut known, &[1; CAPACITY + 1]), CAPACITY);
        assert_eq!(stream.room(stream.tail(), &mut known, 1), Ok(0));
        let mut tail = Place(0);
        assert_eq!(stream.take(&mut tail, &mut into), Ok(CAPACITY));
        assert_eq!(stream.take(&mut tail, &mut into), Ok(0));
        assert_eq!(stream.room(stream.tail(), &mut known, 1), Ok(CAPACITY as u64));
    });
}

#[test]
fn marks_and_epochs_of_others_do_not_disturb_a_move() {
    with_stream(|stream, tail, head| {
        let mut known = Place(0);
        let at = stream.tail();
        assert_eq!(stream.put(at, b"abc", stream.room(at, &mut known, 3).unwrap()), 3);
        tail.fetch_or(ASLEEP, Ordering::Relaxed);
        stream.tell_readers();
        tail.fetch_or(CLOSED, Ordering::Relaxed);
        stream.publish(at, 3).unwrap();
        let now = stream.tail();
        assert_eq!((now.position(), now.0 & ASLEEP, now.is_closed()), (3, 0, true));
        assert_ne!(now.news() & EPOCH_MASK, 0);
        for _ in 0..256 {
            stream.tell_writers();
        }
        assert_eq!(head.load(Ordering::Relaxed), 0, "the epoch comes round");
    });
}

#[test]
fn a_writer_that_waits_is_woken_only_when_half_of_a_small_ring_is_free() {
    with_stream(|stream, _, head| {
        let (mut known, mut tail, mut into) = (Place(0), Place(0), [0; CAPACITY]);
        write(stream, &mut known, &[1; CAPACITY]);
        head.fetch_or(ASLEEP, Ordering::Relaxed);
        assert_eq!(stream.take(&mut tail, &mut into[..100]), Ok(100));
        assert_ne!(head.load(Ordering::Relaxed) & ASLEEP, 0);
        assert_eq!(stream.take(&mut tail, &mut into[..CAPACITY / 2 - 100]), Ok(CAPACITY / 2 - 100));
        assert_eq!(head.load(Ordering::Relaxed) & ASLEEP, 0);
    });
}

#[test]
fn garbage_positions_are_reported_and_nothing_loops() {
    for (at_tail, at_head) in [(0, 1), (CAPACITY as u64 + 1, 0), (POSITION_MASK, 0), (7, 1 << 53)] {
        with_stream(|stream, tail, head| {
            tail.store(at_tail << POSITION_SHIFT, Ordering::Relaxed);
            head.store(at_head << POSITION_SHIFT, Ordering::Relaxed);
            let mut into = [0; 8];
            assert_eq!(stream.take(&mut Place(0), &mut into), Err(Garbage));
            assert_eq!(stream.unread(), Err(Garbage));
            // More than there can be, so that `head` is loaded.
            let wanted = CAPACITY as u64 + 1;
            assert_eq!(stream.room(stream.tail(), &mut Place(0), wanted), Err(Garbage));
        });
    }
    with_stream(|stream, tail, _| {
        let at = stream.tail();
        tail.store(1 << POSITION_SHIFT, Ordering::Relaxed);
        assert_eq!(stream.publish(at, 1), Err(Garbage), "another process moved it");
    });
}
