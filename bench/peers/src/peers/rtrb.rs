//! rtrb: its ring, between two threads of one process.

use std::any::Any;
use std::hint::spin_loop;
use std::sync::Mutex;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::link::{Ends, Peer, Place};

/// The ends of the worker, which is a thread, until it takes them.
static WORKER: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

pub(crate) struct Rtrb;

impl Peer for Rtrb {
    type Ends<const N: usize> = Side<N>;
}

pub(crate) struct Side<const N: usize> {
    producer: Producer<[u64; N]>,
    consumer: Consumer<[u64; N]>,
}

impl<const N: usize> Ends<N> for Side<N> {
    type Begun = Self;

    fn begin(place: &Place<'_>) -> Self {
        let (producer, other_consumer) = RingBuffer::new(place.depth());
        let (other_producer, consumer) = RingBuffer::new(place.depth());
        let other = Self { producer: other_producer, consumer: other_consumer };
        *WORKER.lock().expect("no thread panics with it") = Some(Box::new(other));
        Self { producer, consumer }
    }

    fn finish(begun: Self, _: &Place<'_>) -> Self {
        begun
    }

    fn join(_: &Place<'_>) -> Self {
        let ends = WORKER.lock().expect("no thread panics with it").take();
        *ends.and_then(|it| it.downcast().ok()).expect("the controller has made the ends")
    }

    /// A chunk of one: the only way to write a message in place.
    #[inline(always)]
    fn send(&mut self, message: &[u64; N]) {
        loop {
            if let Ok(mut chunk) = self.producer.write_chunk_uninit(1) {
                chunk.as_mut_slices().0[0].write(*message);
                // SAFETY: the one message of the chunk was written.
                return unsafe { chunk.commit_all() };
            }
            spin_loop();
        }
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        loop {
            if let Ok(chunk) = self.consumer.read_chunk(1) {
                message.copy_from_slice(&chunk.as_slices().0[0]);
                return chunk.commit_all();
            }
            spin_loop();
        }
    }
}
