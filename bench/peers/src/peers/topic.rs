//! shmkit's topic.

use std::any::Any;
use std::time::Duration;

use shmkit::{Publisher, Subscriber};

use crate::fan::{self, Fan};
use crate::link::{BACK, Ends, HEAD_WORDS, Head, Lends, Peer, Place, THERE};
use crate::objects::topic;

/// Longer than any wait here.
const TIMEOUT: Duration = Duration::from_secs(10);
const OTHER: &str = "the other side lives";

pub(crate) struct Shmkit;

impl Peer for Shmkit {
    type Ends<const N: usize> = Side<N>;
}

pub(crate) struct Side<const N: usize> {
    publisher: Publisher<[u64; N]>,
    subscriber: Subscriber<[u64; N]>,
}

impl<const N: usize> Side<N> {
    fn new(place: &Place<'_>, own: &str, other: &str) -> Self {
        let of = |direction| topic(place.directory, &place.local(direction));
        let mut subscriber = of(other).subscriber().expect(OTHER);
        if place.asleep {
            subscriber = subscriber.spin_for(Duration::ZERO);
        }
        Self { publisher: of(own).publisher().expect(OTHER), subscriber }
    }
}

impl<const N: usize> Ends<N> for Side<N> {
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
        self.publisher.publish(message).expect(OTHER);
    }

    /// By value where that is small. A call by value does not compile for a large one.
    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        let any: &mut dyn Any = &mut self.subscriber;
        if let Some(subscriber) = any.downcast_mut::<Subscriber<[u64; 8]>>() {
            message.copy_from_slice(&subscriber.recv().expect(OTHER));
        } else {
            self.subscriber.recv_into(message, TIMEOUT).expect(OTHER);
        }
    }
}

/// Loaned, and received as a sample.
impl<const N: usize> Lends<N> for Side<N> {
    #[inline(always)]
    fn send_head(&mut self, head: &Head) {
        let mut loan = self.publisher.loan().expect(OTHER);
        loan[..HEAD_WORDS].copy_from_slice(head);
        loan.send().expect(OTHER);
    }

    #[inline(always)]
    fn receive_head(&mut self) -> Head {
        let sample = self.subscriber.recv_sample().expect(OTHER);
        *sample.first_chunk().expect("a message has at least 64 bytes")
    }
}

impl Fan for Shmkit {
    type Publisher = Publisher<Head>;
    type Subscriber = Subscriber<Head>;

    fn publisher(place: &Place<'_>, subscribers: usize) -> Publisher<Head> {
        let topic = topic(place.directory, &place.local(&fan::direction(subscribers)));
        topic.publisher().expect(OTHER)
    }

    fn subscriber(place: &Place<'_>, subscribers: usize) -> Subscriber<Head> {
        let topic = topic(place.directory, &place.local(&fan::direction(subscribers)));
        topic.subscriber().expect(OTHER)
    }

    #[inline(always)]
    fn publish(publisher: &mut Publisher<Head>, message: &Head) {
        publisher.publish(message).expect(OTHER);
    }

    #[inline(always)]
    fn try_receive(subscriber: &mut Subscriber<Head>) -> Option<Head> {
        subscriber.try_recv().expect(OTHER)
    }
}
