//! A link: two ends, and messages both ways between them. Each peer is one implementation.
//!
//! ```text
//! controller          worker
//! begin               creates what can be created without the other side
//!                     join
//! finish              opens what the worker has created
//! send ─────────────> receive
//! receive <────────── send
//! ```

use std::path::Path;

use crate::floors::{self, ring_depth};
use crate::harness::mailbox::RUN;
use crate::harness::sizes::Value;
use crate::harness::worker::Worker;

/// A peer, and its ends for messages of each size.
pub(crate) trait Peer {
    type Ends<const N: usize>: Ends<N>;
}

/// One side of a link for messages of `N` words.
pub(crate) trait Ends<const N: usize>: Sized {
    /// What the controller has before the worker joins.
    type Begun;

    fn begin(place: &Place<'_>) -> Self::Begun;
    fn finish(begun: Self::Begun, place: &Place<'_>) -> Self;
    fn join(place: &Place<'_>) -> Self;

    /// Copies a message into the link. Waits for room.
    fn send(&mut self, message: &[u64; N]);
    /// Copies the next message out of the link. Waits for it: by polling, or asleep.
    fn receive(&mut self, message: &mut [u64; N]);
}

/// Messages that are written and read where they lie.
///
/// Only the first 64 bytes of each are touched, so the figure does not depend on the size: what is
/// measured is whether a message is handed over without a copy.
pub(crate) trait Lends<const N: usize>: Ends<N> {
    /// Writes the head of the next message in place, and sends it.
    fn send_head(&mut self, head: &Head);
    /// Reads the head of the next message in place.
    fn receive_head(&mut self) -> Head;
}

/// The first 64 bytes of a message, or all of a small one.
pub(crate) type Head = [u64; HEAD_WORDS];
pub(crate) const HEAD_WORDS: usize = 8;

/// Where the ends of a link find each other, and how they wait.
pub(crate) struct Place<'a> {
    /// A directory of this run alone.
    pub(crate) directory: &'a Path,
    /// The size of a message.
    pub(crate) bytes: usize,
    /// Whether to sleep while there is no message, instead of polling.
    pub(crate) asleep: bool,
}

pub(crate) const THERE: &str = "there";
pub(crate) const BACK: &str = "back";

impl<'a> Place<'a> {
    /// Returns the place that a worker's argument says: the size of its messages, which is even,
    /// and 1 if it is to sleep.
    pub(crate) fn of_worker(worker: &'a Worker) -> Self {
        let (argument, directory) = (worker.argument(), worker.arena().directory());
        Self { directory, bytes: argument & !1, asleep: argument % 2 == 1 }
    }

    pub(crate) fn argument(&self) -> usize {
        self.bytes + usize::from(self.asleep)
    }

    /// Returns a name that no other link on this machine has.
    pub(crate) fn unique(&self, direction: &str) -> String {
        let run = self.directory.file_name().expect("it has a name").to_string_lossy();
        format!("{run}-{}", self.local(direction))
    }

    /// Returns a name within the directory.
    pub(crate) fn local(&self, direction: &str) -> String {
        format!("{direction}-{}", self.argument())
    }

    /// Returns how many messages a link holds, where that can be chosen.
    pub(crate) fn depth(&self) -> usize {
        ring_depth(self.bytes)
    }
}

/// What a worker is commanded, besides to echo: to send, also through a bare ring.
pub(crate) const FLOW: u64 = RUN + 4;
pub(crate) const BARE: u64 = RUN + 5;

/// Works for messages of the size that the worker's argument says.
pub(crate) fn serve<P: Peer>(worker: &Worker) {
    let place = Place::of_worker(worker);
    match place.bytes {
        64 => serve_size::<8, P::Ends<8>>(worker, &place),
        65_536 => serve_size::<8_192, P::Ends<8_192>>(worker, &place),
        other => panic!("no message has {other} bytes"),
    }
}

fn serve_size<const N: usize, E: Ends<N>>(worker: &Worker, place: &Place<'_>) {
    let mut ends = E::join(place);
    let mut message = Value::<N>::boxed();
    worker.serve(|command| match command.what {
        RUN => command.repeat(|| {
            ends.receive(&mut message);
            ends.send(&message);
        }),
        FLOW => command.repeat(|| {
            message[0] += 1;
            ends.send(&message);
        }),
        other => panic!("a link has no work {other}"),
    });
}

/// Echoes the floors, and sends messages through a bare ring.
pub(crate) fn serve_bare(worker: &Worker) {
    match worker.argument() {
        64 => serve_bare_size::<8>(worker),
        65_536 => serve_bare_size::<8_192>(worker),
        other => panic!("no message has {other} bytes"),
    }
}

fn serve_bare_size<const N: usize>(worker: &Worker) {
    let mut message = Value::<N>::boxed();
    let (ring, mut sent) = (floors::Ring::<N>::of(worker.arena()), 0);
    worker.serve(|command| match command.what {
        BARE => command.repeat(|| {
            sent += 1;
            message[0] += 1;
            ring.send(sent, &message);
        }),
        _ => floors::echo(worker.arena(), command, &mut message),
    });
}

/// Echoes the heads of messages of `N` words.
pub(crate) fn serve_heads<const N: usize, E: Lends<N>>(worker: &Worker) {
    let mut ends = E::join(&Place::of_worker(worker));
    worker.repeat(|| {
        let head = ends.receive_head();
        ends.send_head(&head);
    });
}
