//! Queues between processes.

mod crash;
mod kills;
mod known_failures;
mod work;

use std::time::Instant;

use shmkit::{Options, Queue, QueueReceiver};

use crate::children::Role;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("queue crash", crash::role),
    ("queue load", kills::role),
    ("queue sender", work::sender),
    ("queue receiver", work::receiver),
    ("queue holder", work::holder),
];

/// The name of a test's queue.
const NAME: &str = "jobs";

fn options(dir: &TestDir) -> Options<Queue<u64>> {
    Queue::options().directory(dir.path())
}

/// Receives and acknowledges all messages, also those that dead receivers left, until the queue is
/// empty.
fn receive_all(queue: &Queue<u64>, receiver: &QueueReceiver<u64>) -> Vec<u64> {
    let (mut received, start) = (Vec::new(), Instant::now());
    while queue.counts().total() > 0 {
        assert!(start.elapsed() < TIMEOUT, "messages are left: {:?}", queue.counts());
        match receiver.try_recv().unwrap() {
            Some(message) => received.push(message.into_inner()),
            None => std::thread::yield_now(),
        }
    }
    received
}
