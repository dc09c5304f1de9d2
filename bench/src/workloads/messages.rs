//! Messages that one worker sends and another one receives, none of which is lost.

use crate::harness::worker::Worker;

/// The worker that receives: its clock counts. The other one sends.
pub(crate) const RECEIVER: usize = 0;
/// How many messages the queue holds.
pub(crate) const DEPTH: u32 = 256;
/// The words of a message.
pub(crate) const WORDS: usize = 8;

pub(crate) type Message = [u64; WORDS];

/// Sends or receives a message for each round. Messages have as many priorities as the argument of
/// the worker says, in turn.
pub(crate) fn pass_messages(
    worker: &Worker,
    mut send: impl FnMut(&Message, u32),
    mut receive: impl FnMut(),
) {
    if worker.number() == RECEIVER {
        return worker.repeat(&mut receive);
    }
    let (message, priorities) = (Message::default(), worker.argument() as u32);
    let mut priority = 0;
    worker.repeat(|| {
        send(&message, priority);
        priority = if priority + 1 >= priorities { 0 } else { priority + 1 };
    });
}
