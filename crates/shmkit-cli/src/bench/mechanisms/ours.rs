//! The channels of shmkit: two objects, one for each direction; for a call one object.
//!
//! To add a channel, add what makes its side, and a line in [`MECHANISMS`].

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context;
use shmkit::shareable::zeroed_box;
use shmkit::{
    Call, CallClient, CallServer, Changes, Latest, LatestWriter, Options, Pending, Pipe, Publisher,
    Queue, QueueReceiver, QueueSender, Request, Subscriber, Topic,
};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::payload;
use super::super::side::Side;
use super::super::sizes::{BY_VALUE, SIZES, by_size, by_value_size, for_size};
use super::super::stream::Stream;
use super::super::wait::Wait;
use super::super::worker::{Part, Worker};

pub(super) const MECHANISMS: [Mechanism; 5] = [
    Mechanism { name: "shmkit-latest", title: "shmkit Latest", keeps_all: false, ..CHANNEL },
    Mechanism { name: "shmkit-topic", title: "shmkit Topic", run: topic, ..CHANNEL },
    Mechanism {
        name: "shmkit-queue",
        title: "shmkit Queue",
        prepare: |_, size| by_value("a value of a queue", size),
        run: queue,
        ..CHANNEL
    },
    Mechanism {
        name: "shmkit-call",
        title: "shmkit Call",
        prepare: |_, size| by_value("a request of a call", size),
        run: call,
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

fn by_value(what: &str, size: usize) -> Result<Prepared, Cannot> {
    match size > SIZES[BY_VALUE - 1] {
        true => Err(Cannot(format!("{what} has at most 64 KiB"))),
        false => Ok(Prepared::default()),
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

fn call(worker: &Worker) -> anyhow::Result<()> {
    run_for_size(worker, &by_value_size!(sized_call))
}

/// The default of a call.
const MAX_REQUESTS: u32 = 64;

/// Each message from the first side is a request. What the second side sends is the response to
/// the last request; the requests before are answered without one.
struct CallSide<const N: usize> {
    end: CallEnd<N>,
    value: Box<[u64; N]>,
}

enum CallEnd<const N: usize> {
    Client {
        client: &'static CallClient<[u64; N], [u64; N]>,
        in_flight: VecDeque<Pending<'static, [u64; N]>>,
        most: usize,
    },
    Server {
        server: &'static CallServer<[u64; N], [u64; N]>,
        begun: Option<Request<'static, [u64; N], [u64; N]>>,
    },
}

fn sized_call<const N: usize>(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let most = depth(worker.size()).min(MAX_REQUESTS);
        let options = options(worker, Call::<[u64; N], [u64; N]>::options());
        let call = options.in_flight(most).parts(1).open_or_create("call")?;
        // Requests borrow the ends, which live as long as this process.
        let end = match worker.part() {
            Part::First => CallEnd::Client {
                client: Box::leak(Box::new(call.client()?)),
                in_flight: VecDeque::new(),
                most: most as usize,
            },
            Part::Second => {
                CallEnd::Server { server: Box::leak(Box::new(call.server()?)), begun: None }
            }
        };
        Ok(CallSide { end, value: zeroed_box() })
    })
}

impl<const N: usize> Side for CallSide<N> {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut *self.value, number);
        match &mut self.end {
            CallEnd::Client { client, in_flight, most } => {
                if in_flight.len() == *most
                    && let Some(mut oldest) = in_flight.pop_front()
                {
                    oldest.recv()?;
                }
                in_flight.push_back(client.send(&self.value)?);
            }
            CallEnd::Server { begun, .. } => {
                begun.take().context("no request to answer")?.respond(&self.value)?;
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        match &mut self.end {
            CallEnd::Client { in_flight, .. } => {
                let mut last = None;
                for mut pending in in_flight.drain(..) {
                    last = pending.recv()?;
                }
                Ok(last.and_then(|value| payload::number(&value)))
            }
            CallEnd::Server { server, begun } => {
                begun.take().map_or(Ok(()), Request::finish)?;
                let request = server.recv()?;
                let number = payload::number(&*request);
                *begun = Some(request);
                Ok(number)
            }
        }
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
