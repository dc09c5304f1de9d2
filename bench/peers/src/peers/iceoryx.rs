//! iceoryx2: publish and subscribe, with events where a side sleeps; and events alone.

use std::hint::spin_loop;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::fan::{self, Fan};
use crate::link::{BACK, Ends, HEAD_WORDS, Head, Lends, Peer, Place, THERE};

const WORKS: &str = "iceoryx2 works here";

type Sender<const N: usize> = Publisher<ipc::Service, [u64; N], ()>;
type Receiver<const N: usize> = Subscriber<ipc::Service, [u64; N], ()>;

pub(crate) struct Iceoryx;

impl Peer for Iceoryx {
    type Ends<const N: usize> = Side<N>;
}

pub(crate) struct Side<const N: usize> {
    publisher: Sender<N>,
    subscriber: Receiver<N>,
    events: Option<Events>,
    _node: Node<ipc::Service>,
}

fn node() -> Node<ipc::Service> {
    set_log_level(LogLevel::Error);
    NodeBuilder::new().create::<ipc::Service>().expect(WORKS)
}

fn name(place: &Place<'_>, direction: &str) -> ServiceName {
    ServiceName::new(&place.unique(direction)).expect(WORKS)
}

/// Opens or creates a service of which nothing is lost.
fn service<const N: usize>(
    node: &Node<ipc::Service>,
    place: &Place<'_>,
    direction: &str,
    subscribers: usize,
) -> PortFactory<ipc::Service, [u64; N], ()> {
    let name = name(place, direction);
    let builder = node.service_builder(&name).publish_subscribe::<[u64; N]>();
    let builder = builder.enable_safe_overflow(false).history_size(0);
    let builder = builder.max_publishers(1).max_subscribers(subscribers);
    // Each subscriber of a fan has a node of its own, as in a process of its own.
    let builder = builder.max_nodes(subscribers + 1);
    let builder = builder.subscriber_max_buffer_size(place.depth());
    builder.open_or_create().expect(WORKS)
}

/// Creates a publisher that waits for room.
fn publisher<const N: usize>(service: &PortFactory<ipc::Service, [u64; N], ()>) -> Sender<N> {
    let builder = service.publisher_builder();
    let builder = builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
    builder.create().expect(WORKS)
}

impl<const N: usize> Side<N> {
    fn new(place: &Place<'_>, own: &str, other: &str) -> Self {
        let node = node();
        let publisher = publisher(&service(&node, place, own, 1));
        let service = service(&node, place, other, 1);
        let subscriber = service.subscriber_builder().create().expect(WORKS);
        let events = place.asleep.then(|| Events::new(&node, place, own, other));
        Self { publisher, subscriber, events, _node: node }
    }

    #[inline(always)]
    fn with_next<T>(&self, read: impl Fn(&[u64; N]) -> T) -> T {
        loop {
            if let Some(sample) = self.subscriber.receive().expect(WORKS) {
                return read(sample.payload());
            }
            match &self.events {
                Some(events) => events.wait(),
                None => spin_loop(),
            }
        }
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
        let mut sample = self.publisher.loan_uninit().expect(WORKS);
        sample.payload_mut().write(*message);
        // SAFETY: the payload was written.
        let sample = unsafe { sample.assume_init() };
        sample.send().expect(WORKS);
        if let Some(events) = &self.events {
            events.notify();
        }
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        *message = self.with_next(|payload| *payload);
    }
}

impl<const N: usize> Lends<N> for Side<N> {
    #[inline(always)]
    fn send_head(&mut self, head: &Head) {
        let mut sample = self.publisher.loan_uninit().expect(WORKS);
        let payload = sample.payload_mut().as_mut_ptr().cast::<Head>();
        // SAFETY: the payload, which begins with at least 64 bytes.
        unsafe { payload.write(*head) };
        // SAFETY: the rest is shared memory, whose bytes are words whatever they are.
        let sample = unsafe { sample.assume_init() };
        sample.send().expect(WORKS);
    }

    #[inline(always)]
    fn receive_head(&mut self) -> Head {
        self.with_next(|payload| *payload.first_chunk().expect("there are at least 64 bytes"))
    }
}

impl Fan for Iceoryx {
    type Publisher = (Sender<HEAD_WORDS>, Node<ipc::Service>);
    type Subscriber = (Receiver<HEAD_WORDS>, Node<ipc::Service>);

    fn publisher(place: &Place<'_>, subscribers: usize) -> Self::Publisher {
        let node = node();
        let direction = fan::direction(subscribers);
        let service = service(&node, place, &direction, subscribers);
        (publisher(&service), node)
    }

    fn subscriber(place: &Place<'_>, subscribers: usize) -> Self::Subscriber {
        let node = node();
        let direction = fan::direction(subscribers);
        let service = service(&node, place, &direction, subscribers);
        (service.subscriber_builder().create().expect(WORKS), node)
    }

    #[inline(always)]
    fn publish((publisher, _): &mut Self::Publisher, message: &Head) {
        let sample = publisher.loan_uninit().expect(WORKS);
        sample.write_payload(*message).send().expect(WORKS);
    }

    #[inline(always)]
    fn try_receive((subscriber, _): &mut Self::Subscriber) -> Option<Head> {
        subscriber.receive().expect(WORKS).map(|sample| *sample.payload())
    }
}

/// An event in each direction.
struct Events {
    notifier: Notifier<ipc::Service>,
    listener: Listener<ipc::Service>,
}

impl Events {
    fn new(node: &Node<ipc::Service>, place: &Place<'_>, own: &str, other: &str) -> Self {
        let event = |direction| {
            let builder = node.service_builder(&name(place, direction)).event();
            builder.open_or_create().expect(WORKS)
        };
        let notifier = event(own).notifier_builder().create().expect(WORKS);
        let listener = event(other).listener_builder().create().expect(WORKS);
        Self { notifier, listener }
    }

    #[inline(always)]
    fn notify(&self) {
        self.notifier.notify().expect(WORKS);
    }

    /// Waits until there is at least one notification.
    #[inline(always)]
    fn wait(&self) {
        while self.listener.blocking_wait(|_| ()).expect(WORKS) == 0 {}
    }
}

/// Events without messages.
pub(crate) struct IceoryxEvents;

impl Peer for IceoryxEvents {
    type Ends<const N: usize> = EventSide;
}

pub(crate) struct EventSide {
    events: Events,
    _node: Node<ipc::Service>,
}

impl EventSide {
    fn new(place: &Place<'_>, own: &str, other: &str) -> Self {
        let node = node();
        // Other names than those of the links with messages.
        let [own, other] = [own, other].map(|it| format!("{it}-event"));
        Self { events: Events::new(&node, place, &own, &other), _node: node }
    }
}

impl<const N: usize> Ends<N> for EventSide {
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

    /// The message stays here.
    #[inline(always)]
    fn send(&mut self, _: &[u64; N]) {
        self.events.notify();
    }

    #[inline(always)]
    fn receive(&mut self, _: &mut [u64; N]) {
        self.events.wait();
    }
}
