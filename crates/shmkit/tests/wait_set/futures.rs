//! Futures, without a runtime and with tokio.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use shmkit::sync::{Reset, named};
use shmkit::{Latest, Pipe, Queue, Topic, WaitSet};

use super::{SHORT, TIMEOUT, TestDir};

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor: this thread.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut context, mut future) = (Context::from_waker(&waker), pin!(future));
    let begun = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        assert!(begun.elapsed() < TIMEOUT, "nobody wakes the task");
        thread::park_timeout(TIMEOUT);
    }
}

/// Polls a future once, which must not be ready, and drops it.
#[track_caller]
pub(crate) fn cancel<F: Future>(future: F) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut context).is_pending());
}

/// Runs `act` on another thread while this one waits for the future.
#[track_caller]
pub(crate) fn while_waiting<F: Future>(future: F, act: impl FnOnce() + Send) -> F::Output {
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            act();
        });
        block_on(future)
    })
}

#[test]
fn the_next_value_and_the_next_message() {
    let dir = TestDir::new();
    let latest = dir.with(Latest::<u32>::options()).open_or_create("latest").unwrap();
    let (mut writer, mut changes) = (latest.writer().unwrap(), latest.changes());
    let topic = dir.with(Topic::<u32>::options()).open_or_create("topic").unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    for round in 0..10 {
        cancel(changes.next_async());
        let value = while_waiting(changes.next_async(), || _ = writer.set(&round).unwrap());
        assert_eq!(value.unwrap(), round);
        cancel(subscriber.recv_async());
        let publish = || _ = publisher.publish(&round).unwrap();
        assert_eq!(while_waiting(subscriber.recv_async(), publish).unwrap(), round);
    }
}

#[test]
fn a_future_that_was_dropped_has_taken_nothing() {
    let dir = TestDir::new();
    let queue = dir.with(Queue::<u32>::options()).depth(1).open_or_create("queue").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for round in 0..10 {
        cancel(receiver.recv_async());
        block_on(sender.send_async(&round)).unwrap();
        cancel(sender.send_async(&99));
        assert_eq!(*block_on(receiver.recv_async()).unwrap(), round);
    }
    let pending = receiver.recv_async();
    {
        let mut pending = pin!(pending);
        let mut context = Context::from_waker(Waker::noop());
        assert!(pending.as_mut().poll(&mut context).is_pending());
        sender.send(&7).unwrap();
        // Woken, and not polled again.
        thread::sleep(SHORT);
    }
    assert_eq!(*receiver.try_recv().unwrap().unwrap(), 7);
    let sent = while_waiting(
        async {
            sender.send(&1).unwrap();
            sender.send_async(&2).await
        },
        || assert_eq!(*receiver.recv().unwrap(), 1),
    );
    sent.unwrap();
    assert_eq!(*receiver.try_recv().unwrap().unwrap(), 2);
}

#[test]
fn an_event_a_permit_and_a_lock() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Automatic);
    let permits = dir.with(named::Semaphore::options()).open_or_create("permits", 0).unwrap();
    let options = dir.with(named::Mutex::<u32>::options());
    let [mutex, other] = [(); 2].map(|()| options.open_or_create("mutex", 1).unwrap());
    for round in 1..=10 {
        cancel(event.wait_async());
        while_waiting(event.wait_async(), || event.set().unwrap()).unwrap();
        assert!(!event.is_set());
        cancel(permits.acquire_async());
        while_waiting(permits.consume_async(), || _ = permits.post(1).unwrap()).unwrap();
        let held = other.lock().unwrap();
        cancel(mutex.lock_async());
        thread::scope(|scope| {
            let locking = scope.spawn(|| *block_on(mutex.lock_async()).unwrap() += 1);
            thread::sleep(SHORT);
            drop(held);
            locking.join().unwrap();
        });
        assert_eq!(*other.lock().unwrap(), round + 1);
    }
    permits.post(1).unwrap();
    drop(block_on(permits.acquire_async()).unwrap());
}

#[test]
fn the_ends_of_a_pipe() {
    let dir = TestDir::new();
    let pipe = dir.with(Pipe::options()).capacity(4 << 10).create("pipe").unwrap();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let mut bytes = [0; 4 << 10];
    cancel(reader.read_async(&mut bytes));
    block_on(writer.write_async(&[1; 4 << 10])).unwrap();
    cancel(writer.write_async(&[2; 4 << 10]));
    assert_eq!(block_on(reader.read_async(&mut bytes)).unwrap(), 4 << 10);
    assert_eq!(bytes, [1; 4 << 10]);
    block_on(writer.write_async(&[3; 100])).unwrap();
    let write = writer.write_async(&[4; 4 << 10]);
    let written = while_waiting(write, || {
        assert_eq!(reader.try_read(&mut [0; 4 << 10]).unwrap(), Some(100));
    });
    assert_eq!(written.unwrap(), 4 << 10);
    drop(writer);
    assert_eq!(block_on(reader.read_async(&mut bytes)).unwrap(), 4 << 10);
    assert_eq!(block_on(reader.read_async(&mut bytes)).unwrap(), 0);
}

#[test]
fn a_set_and_what_is_added_to_it() {
    let dir = TestDir::new();
    let [first, second] = ["first", "second"].map(|name| dir.event(name, Reset::Manual));
    let set = WaitSet::new();
    set.add(1, &first).unwrap();
    cancel(set.wait_async());
    assert_eq!(while_waiting(set.wait_async(), || first.set().unwrap()).unwrap(), [1]);
    first.reset().unwrap();
    second.set().unwrap();
    let added = while_waiting(set.wait_async(), || set.add(2, &second).unwrap());
    assert_eq!(added.unwrap(), [2]);
}

/// As `tokio::main` with two workers.
pub(crate) fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn tasks_of_tokio_work_through_a_queue() {
    const TASKS: u32 = 4;
    const EACH: u32 = 50;
    let dir = TestDir::new();
    let queue = dir.with(Queue::<u32>::options()).depth(4).open_or_create("queue").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), Arc::new(queue.receiver().unwrap()));
    let mut received = tokio_runtime().block_on(async move {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let receiver = receiver.clone();
                tokio::spawn(async move {
                    let mut received = Vec::new();
                    for _ in 0..EACH {
                        received.push(*receiver.recv_async().await.unwrap());
                    }
                    received
                })
            })
            .collect();
        for number in 0..TASKS * EACH {
            sender.send_async(&number).await.unwrap();
        }
        let mut received = Vec::new();
        for task in tasks {
            received.extend(task.await.unwrap());
        }
        received
    });
    received.sort_unstable();
    assert_eq!(received, (0..TASKS * EACH).collect::<Vec<_>>());
}

#[test]
fn a_timeout_of_tokio_loses_no_message() {
    let dir = TestDir::new();
    let topic = dir.with(Topic::<u32>::options()).open_or_create("topic").unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let received = tokio_runtime().block_on(async {
        let sending = tokio::task::spawn_blocking(move || {
            for number in 0..100 {
                publisher.publish(&number).unwrap();
                thread::yield_now();
            }
        });
        let mut received = Vec::new();
        while received.len() < 100 {
            let receive = tokio::time::timeout(SHORT / 50, subscriber.recv_async());
            received.extend(receive.await.ok().map(Result::unwrap));
        }
        sending.await.unwrap();
        received
    });
    assert_eq!(received, (0..100).collect::<Vec<_>>());
}
