//! Streams under loom: a ring of one word, one writer, two readers.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;

struct Words {
    tail: AtomicU64,
    head: AtomicU64,
    ring: [AtomicU64; 1],
}

impl Words {
    fn new() -> Arc<Self> {
        let [tail, head, ring] = [0; 3].map(AtomicU64::new);
        Arc::new(Self { tail, head, ring: [ring] })
    }

    fn stream(&self) -> Stream<'_> {
        Stream::new(&self.tail, &self.head, &self.ring).expect("a power of two")
    }

    /// Takes up to `N` bytes.
    fn take<const N: usize>(&self) -> Vec<u8> {
        let (mut known, mut into) = (Place(0), [0; N]);
        let count = self.stream().take(&mut known, &mut into).expect("no garbage");
        into[..count].to_vec()
    }

    /// Writes all of the bytes, if there is room.
    fn write(&self, bytes: &[u8]) -> bool {
        let (stream, mut known) = (self.stream(), Place(0));
        let tail = stream.tail();
        let room = stream.room(tail, &mut known, bytes.len() as u64).expect("no garbage");
        if room < bytes.len() as u64 {
            return false;
        }
        assert_eq!(stream.put(tail, bytes, room), bytes.len());
        stream.publish(tail, bytes.len()).expect("no garbage");
        true
    }
}

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// Asserts that each of the first bytes was read once, and each read in sequence.
fn assert_each_once(written: u8, reads: &[Vec<u8>]) {
    for read in reads {
        assert!(read.windows(2).all(|pair| pair[1] == pair[0] + 1), "torn: {read:?}");
    }
    let mut all = reads.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=written).collect::<Vec<_>>(), "{reads:?}");
}

#[test]
fn loom_each_byte_goes_to_one_reader_also_if_the_ring_is_overwritten() {
    model(|| {
        let words = Words::new();
        assert!(words.write(&[1, 2, 3, 4, 5]));
        let readers = [(); 2].map(|()| {
            let words = words.clone();
            thread::spawn(move || words.take::<4>())
        });
        // Across the end of the ring, over bytes that a reader may be copying.
        let written = if words.write(&[6, 7, 8, 9, 10]) { 10 } else { 5 };
        let [first, second] = readers.map(|reader| reader.join().unwrap());
        assert_each_once(written, &[first, second, words.take::<8>(), words.take::<8>()]);
    });
}

#[test]
fn loom_bytes_beside_those_that_are_written_stay() {
    model(|| {
        let words = Words::new();
        // The unread byte and the written ones are in one word.
        assert!(words.write(&[0, 0, 1]));
        assert_eq!(words.take::<2>(), [0, 0]);
        let reader = thread::spawn({
            let words = words.clone();
            move || words.take::<8>()
        });
        assert!(words.write(&[2, 3, 4, 5, 6, 7, 8]));
        assert_each_once(8, &[reader.join().unwrap(), words.take::<8>()]);
    });
}

#[test]
fn loom_bytes_of_a_writer_that_dies_before_it_publishes_are_never_read() {
    model(|| {
        let words = Words::new();
        assert!(words.write(&[0, 0, 0, 0, 0, 0]));
        assert_eq!(words.take::<8>().len(), 6);
        let reader = thread::spawn({
            let words = words.clone();
            move || words.take::<8>()
        });
        let dies = || assert!(words.write(&[9; 4]));
        assert!(ends_at("pipe: bytes half written", dies));
        assert!(words.write(&[1, 2, 3, 4]));
        assert_each_once(4, &[reader.join().unwrap(), words.take::<8>()]);
    });
}
