//! The channels of shmkit: two objects, one for each direction.
//!
//! To add a channel, add what makes its side, and a line in [`MECHANISMS`].

use std::time::Duration;

use anyhow::Context;
use shmkit::shareable::zeroed_box;
use shmkit::{
    Changes, Latest, LatestWriter, Options, Pipe, Publisher, Queue, QueueReceiver, QueueSender,
    Subscriber, Topic,
};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::payload;
use super::super::side::Side;
use super::super::sizes::{BY_VALUE, SIZES, by_size, by_value_size, for_size};
use super::super::stream::Stream;
use super::super::wait::Wait;
use super::super::worker::Worker;

pub(super) const MECHANISMS: [Mechanism; 4] = [
    Mechanism { name: "shmkit-latest", title: "shmkit Latest", keeps_all: false, ..CHANNEL },
    Mechanism { name: "shmkit-topic", title: "shmkit Topic", run: topic, ..CHANNEL },
    Mechanism {
        name: "shmkit-queue",
        title: "shmkit Queue",
        prepare: |_, size| match size > SIZES[BY_VALUE - 1] {
            true => Err(Cannot("a value of a queue has at most 64 KiB".into())),
            false => Ok(Prepared::default()),
        },
        run: queue,
        ..CHANNEL
    },
    Mechanism { name: "shmkit-pipe", title: "shmkit Pipe", run: pipe, ..CHANNEL },
];

const CHANNEL: Mechanism = Mechanism {
    name: "",
    title: "",
    family: Family::Shmkit,
    keeps_all: true,
    prepare: Prepared::nothing,
    run: latest,
};

/// A side waits for a message as long as it takes. The command notices if the other side dies.
const EVER: Duration = Duration::MAX;

fn options<P>(worker: &Worker, options: Options<P>) -> Options<P> {
    let options = options.directory(worker.directory());
    match worker.wait() {
        Wait::Asleep => options.spin_for(Duration::ZERO),
        Wait::Spinning => options,
    }
}

fn run_for_size(
    worker: &Worker,
    functions: &[fn(&Worker) -> anyhow::Result<()>],
) -> anyhow::Result<()> {
    let run = for_size(worker.size(), functions);
    run.with_context(|| format!("no message has {} bytes", worker.size()))?(worker)
}

fn latest(worker: &Worker) -> anyhow::Result<()> {
    run_for_size(worker, &by_size!(small_latest, large_latest))
}

struct LatestSide<const N: usize> {
    writer: LatestWriter<[u64; N]>,
    changes: Changes<[u64; N]>,
    value: Box<[u64; N]>,
}

fn latest_side<const N: usize>(worker: &Worker) -> anyhow::Result<LatestSide<N>> {
    let options = options(worker, Latest::<[u64; N]>::options());
    let [to, from] = worker.ways();
    let changes = options.open_or_create(from)?.changes();
    Ok(LatestSide { writer: options.open_or_create(to)?.writer()?, changes, value: zeroed_box() })
}

impl<const N: usize> LatestSide<N> {
    fn set(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut *self.value, number);
        self.writer.set(&self.value)?;
        Ok(())
    }
}

fn small_latest<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    struct Small<const N: usize>(LatestSide<N>);

    impl<const N: usize> Side for Small<N> {
        fn send(&mut self, number: u64) -> anyhow::Result<()> {
            self.0.set(number)
        }

        fn receive(&mut self) -> anyhow::Result<Option<u64>> {
            Ok(payload::number(&self.0.changes.next()?))
        }
    }

    worker.run(|worker| Ok(Small(latest_side::<N>(worker)?)))
}

fn large_latest<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    struct Large<const N: usize>(LatestSide<N>);

    impl<const N: usize> Side for Large<N> {
        fn send(&mut self, number: u64) -> anyhow::Result<()> {
            self.0.set(number)
        }

        fn receive(&mut self) -> anyhow::Result<Option<u64>> {
            let LatestSide { changes, value, .. } = &mut self.0;
            changes.next_into(value, EVER)?;
            Ok(payload::number(&**value))
        }
    }

    worker.run(|worker| Ok(Large(latest_side::<N>(worker)?)))
}

fn topic(worker: &Worker) -> anyhow::Result<()> {
    run_for_size(worker, &by_size!(small_topic, large_topic))
}

struct TopicSide<const N: usize> {
    publisher: Publisher<[u64; N]>,
    subscriber: Subscriber<[u64; N]>,
    value: Box<[u64; N]>,
}

fn topic_side<const N: usize>(worker: &Worker) -> anyhow::Result<TopicSide<N>> {
    let options = options(worker, Topic::<[u64; N]>::options());
    let [to, from] = worker.ways();
    let subscriber = options.open_or_create(from)?.subscriber()?;
    let publisher = options.open_or_create(to)?.publisher()?;
    Ok(TopicSide { publisher, subscriber, value: zeroed_box() })
}

impl<const N: usize> TopicSide<N> {
    fn publish(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut *self.value, number);
        self.publisher.publish(&self.value)?;
        Ok(())
    }
}

fn small_topic<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    struct Small<const N: usize>(TopicSide<N>);

    impl<const N: usize> Side for Small<N> {
        fn send(&mut self, number: u64) -> anyhow::Result<()> {
            self.0.publish(number)
        }

        fn receive(&mut self) -> anyhow::Result<Option<u64>> {
            Ok(payload::number(&self.0.subscriber.recv()?))
        }
    }

    worker.run(|worker| Ok(Small(topic_side::<N>(worker)?)))
}

fn large_topic<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    struct Large<const N: usize>(TopicSide<N>);

    impl<const N: usize> Side for Large<N> {
        fn send(&mut self, number: u64) -> anyhow::Result<()> {
            self.0.publish(number)
        }

        fn receive(&mut self) -> anyhow::Result<Option<u64>> {
            let TopicSide { subscriber, value, .. } = &mut self.0;
            subscriber.recv_into(value, EVER)?;
            Ok(payload::number(&**value))
        }
    }

    worker.run(|worker| Ok(Large(topic_side::<N>(worker)?)))
}

fn queue(worker: &Worker) -> anyhow::Result<()> {
    run_for_size(worker, &by_value_size!(sized_queue))
}

struct QueueSide<const N: usize> {
    sender: QueueSender<[u64; N]>,
    receiver: QueueReceiver<[u64; N]>,
    value: Box<[u64; N]>,
}

/// Returns how many messages a queue holds: the default for small ones, and at most 256 KiB.
fn depth(size: usize) -> u32 {
    ((256 << 10) / size as u32).clamp(4, 256)
}

fn sized_queue<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let options = options(worker, Queue::<[u64; N]>::options()).depth(depth(worker.size()));
        let [to, from] = worker.ways();
        let sender = options.open_or_create(to)?.sender()?;
        let receiver = options.open_or_create(from)?.receiver()?;
        Ok(QueueSide { sender, receiver, value: zeroed_box() })
    })
}

impl<const N: usize> Side for QueueSide<N> {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut *self.value, number);
        Ok(self.sender.send(&self.value)?)
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        Ok(payload::number(&*self.receiver.recv()?))
    }
}

fn pipe(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let options = options(worker, Pipe::options());
        let [to, from] = worker.ways();
        let reader = options.open_or_create(from)?.reader()?;
        Ok(Stream::new(reader, options.open_or_create(to)?.writer()?, worker.size()))
    })
}
