//! crossbar: its bounded bus, which loses no message, where both sides poll; publishing and
//! subscribing, which can lend and sleep, otherwise.

use std::hint::spin_loop;

use crossbar::{
    BusSubscriber, Config, PodBus, Publisher, Sample, Stream, Subscriber, Topic, WaitStrategy,
};

use crate::fan::{self, Fan};
use crate::link::{BACK, Ends, HEAD_WORDS, Head, Lends, Peer, Place, THERE};

const WORKS: &str = "crossbar works here";
/// The one topic of each region.
const TOPIC: &str = "/messages";
/// Sleeps at once.
const SLEEP: WaitStrategy = WaitStrategy::Adaptive { spin_iters: 0, yield_iters: 0 };

pub(crate) struct Crossbar;

impl Peer for Crossbar {
    type Ends<const N: usize> = Side<N>;
}

/// What a side sends through.
pub(crate) enum Sender<const N: usize> {
    Bus(Box<PodBus<[u64; N]>>),
    Topic(Box<Publisher>, Topic),
}

enum Receiver<const N: usize> {
    Bus(Box<BusSubscriber<[u64; N]>>),
    Topic {
        stream: Stream,
        /// Has the mapping that the stream uses.
        _subscriber: Box<Subscriber>,
    },
}

pub(crate) struct Side<const N: usize> {
    sender: Sender<N>,
    receiver: Receiver<N>,
    asleep: bool,
}

/// A link of large messages is used to lend them.
fn is_topic(place: &Place<'_>) -> bool {
    place.asleep || place.bytes > 65_536
}

fn create<const N: usize>(place: &Place<'_>, direction: &str) -> Sender<N> {
    let name = place.unique(direction);
    if !is_topic(place) {
        return Sender::Bus(Box::new(
            PodBus::create_bounded(&name, place.depth(), 0).expect(WORKS),
        ));
    }
    // A block begins with 8 bytes of crossbar's own; the rest of the page keeps blocks aligned.
    let block_size = (place.bytes + 4_096) as u32;
    // A block is used again once its entry of the ring is overwritten.
    let (ring_depth, block_count) = (4, 32);
    let config = Config { max_topics: 1, block_count, block_size, ring_depth, ..Config::default() };
    let mut publisher = Publisher::create(&name, config).expect(WORKS);
    let topic = publisher.register(TOPIC).expect(WORKS);
    Sender::Topic(Box::new(publisher), topic)
}

fn connect<const N: usize>(place: &Place<'_>, direction: &str) -> Receiver<N> {
    let name = place.unique(direction);
    if !is_topic(place) {
        return Receiver::Bus(Box::new(BusSubscriber::connect(&name).expect(WORKS)));
    }
    let subscriber = Subscriber::connect(&name).expect(WORKS);
    let stream = subscriber.subscribe(TOPIC).expect(WORKS);
    Receiver::Topic { stream, _subscriber: Box::new(subscriber) }
}

impl<const N: usize> Side<N> {
    fn new(sender: Sender<N>, place: &Place<'_>, other: &str) -> Self {
        Self { sender, receiver: connect(place, other), asleep: place.asleep }
    }
}

impl<const N: usize> Ends<N> for Side<N> {
    type Begun = Sender<N>;

    fn begin(place: &Place<'_>) -> Sender<N> {
        create(place, THERE)
    }

    fn finish(sender: Sender<N>, place: &Place<'_>) -> Self {
        Self::new(sender, place, BACK)
    }

    fn join(place: &Place<'_>) -> Self {
        Self::new(create(place, BACK), place, THERE)
    }

    #[inline(always)]
    fn send(&mut self, message: &[u64; N]) {
        match &mut self.sender {
            Sender::Bus(bus) => bus.publish(*message),
            Sender::Topic(publisher, topic) => {
                publisher.publish(topic, bytes_of(message)).expect(WORKS);
            }
        }
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        match &mut self.receiver {
            Receiver::Bus(bus) => loop {
                if let Some(received) = bus.try_recv() {
                    return message.copy_from_slice(&received);
                }
                spin_loop();
            },
            Receiver::Topic { stream, .. } => {
                bytes_of_mut(message).copy_from_slice(&next(stream, self.asleep));
            }
        }
    }
}

#[inline(always)]
fn next(stream: &Stream, asleep: bool) -> Sample<'_> {
    if asleep {
        return stream.recv_with(SLEEP).expect(WORKS);
    }
    loop {
        if let Some(sample) = stream.try_recv() {
            return sample;
        }
        spin_loop();
    }
}

impl<const N: usize> Lends<N> for Side<N> {
    #[inline(always)]
    fn send_head(&mut self, head: &Head) {
        let Sender::Topic(publisher, topic) = &mut self.sender else {
            panic!("a bus lends nothing");
        };
        let mut loan = publisher.loan(topic).expect(WORKS);
        loan.as_mut_slice()[..HEAD_WORDS * 8].copy_from_slice(bytes_of(head));
        loan.set_len(N * 8).expect(WORKS);
        loan.publish();
    }

    #[inline(always)]
    fn receive_head(&mut self) -> Head {
        let Receiver::Topic { stream, .. } = &self.receiver else { panic!("a bus lends nothing") };
        let mut head = [0; HEAD_WORDS];
        bytes_of_mut(&mut head).copy_from_slice(&next(stream, false)[..HEAD_WORDS * 8]);
        head
    }
}

impl Fan for Crossbar {
    type Publisher = PodBus<Head>;
    type Subscriber = BusSubscriber<Head>;

    fn publisher(place: &Place<'_>, subscribers: usize) -> Self::Publisher {
        let name = place.unique(&fan::direction(subscribers));
        PodBus::create_bounded(&name, place.depth(), 0).expect(WORKS)
    }

    fn subscriber(place: &Place<'_>, subscribers: usize) -> Self::Subscriber {
        BusSubscriber::connect(&place.unique(&fan::direction(subscribers))).expect(WORKS)
    }

    #[inline(always)]
    fn publish(publisher: &mut Self::Publisher, message: &Head) {
        publisher.publish(*message);
    }

    #[inline(always)]
    fn try_receive(subscriber: &mut Self::Subscriber) -> Option<Head> {
        subscriber.try_recv()
    }
}

/// Returns the bytes of a message.
pub(super) fn bytes_of<const N: usize>(message: &[u64; N]) -> &[u8] {
    // SAFETY: words have no padding, and any bytes are valid.
    unsafe { std::slice::from_raw_parts(message.as_ptr().cast(), N * 8) }
}

/// Returns the bytes of a message, to write them.
pub(super) fn bytes_of_mut<const N: usize>(message: &mut [u64; N]) -> &mut [u8] {
    // SAFETY: words have no padding, and any bytes are valid words.
    unsafe { std::slice::from_raw_parts_mut(message.as_mut_ptr().cast(), N * 8) }
}
