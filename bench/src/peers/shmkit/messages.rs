//! Messages through shmkit's queue.

use std::hint::black_box;

use crate::harness::worker::{Worker, Workload};
use crate::objects::queue;
use crate::workloads::messages::{self, DEPTH, Message};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("messages/shmkit", |worker| pass_messages(worker, false)),
    Workload::process("messages/shmkit-priorities", |worker| pass_messages(worker, true)),
];

fn pass_messages(worker: &Worker, priorities: bool) {
    let name = worker.object_name();
    let queue = queue::<Message>(worker.arena().directory(), &name, DEPTH, priorities);
    let (sender, receiver) = (queue.sender(), queue.receiver());
    let sender = sender.expect("there are enough slots");
    let receiver = receiver.expect("there are enough slots");
    messages::pass_messages(
        worker,
        |message, priority| {
            sender.send_with_priority(message, priority).expect("the queue is not removed");
        },
        || {
            let message = receiver.recv().expect("the queue is not removed");
            black_box(&*message);
        },
    );
}
