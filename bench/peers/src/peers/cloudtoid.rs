//! Cloudtoid Interprocess: its queue of bytes.

use std::hint::spin_loop;

use cloudtoid_interprocess::{Error, Options, Publisher, Subscriber};

use super::crossbar::{bytes_of, bytes_of_mut};
use crate::link::{BACK, Ends, Peer, Place, THERE};

const WORKS: &str = "Cloudtoid Interprocess works here";
/// The bytes that a message takes besides its own, at most.
const OVERHEAD: usize = 16;

pub(crate) struct Cloudtoid;

impl Peer for Cloudtoid {
    type Ends<const N: usize> = Side;
}

pub(crate) struct Side {
    publisher: Publisher,
    subscriber: Subscriber,
    asleep: bool,
}

impl Side {
    fn new(place: &Place<'_>, own: &str, other: &str) -> Self {
        let options = |direction| {
            let capacity = place.depth() * (place.bytes + OVERHEAD);
            Options::new(place.unique(direction), capacity).with_path(place.directory)
        };
        let publisher = Publisher::open(&options(own)).expect(WORKS);
        let subscriber = Subscriber::open(&options(other)).expect(WORKS);
        Self { publisher, subscriber, asleep: place.asleep }
    }
}

impl<const N: usize> Ends<N> for Side {
    type Begun = Self;

    fn begin(place: &Place<'_>) -> Self {
        Self::new(place, THERE, BACK)
    }

    fn finish(begun: Self, _: &Place<'_>) -> Self {
        begun
    }

    fn join(place: &Place<'_>) -> Self {
        Self::new(place, BACK, THERE)
    }

    #[inline(always)]
    fn send(&mut self, message: &[u64; N]) {
        loop {
            match self.publisher.try_send(bytes_of(message)) {
                Ok(()) => return,
                Err(Error::Full) => spin_loop(),
                Err(error) => panic!("cannot send: {error}"),
            }
        }
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        if self.asleep {
            let received = self.subscriber.recv().expect(WORKS);
            return bytes_of_mut(message).copy_from_slice(&received);
        }
        while self.subscriber.try_recv_into(bytes_of_mut(message)).expect(WORKS).is_none() {
            spin_loop();
        }
    }
}
