//! Messages, each to exactly one receiver.
//!
//! ```text
//!  senders ── send ──> slots, in the order of a line, or of priorities ── recv ──> receivers
//!                      in shared memory     ^                              │
//!                                           └── given back, or died ───────┘
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `geometry` | where the parts are, for a depth and a size of message |
//! | `slots` | the state of a slot: whose message it is |
//! | `line` | the order without priorities: why no message is lost, or received twice |
//! | `ranks` | the order by priority, under a lock |
//! | `protocol` | sending and receiving: why no message is lost |
//! | `giving_back` | acknowledging a message, giving it back, setting it aside |
//! | `waiting`, `tell` | waiting: why no thread sleeps beside a message |
//! | `sweep` | what dead participants held is given back |
//! | `counts` | how many messages there are |
//! | `handle`, `parts` | an open queue, and its words |
//! | `options`, `payload` | creating and opening; its parts, and how `shm` describes them |
//! | `party` | what senders and receivers have in common |
//! | `sending`, `receiving` | sending and receiving bytes |
//! | `sender`, `receiver`, `lists`, `received` | what a program uses |
//! | `any`, `declared` | a queue whose type only the object knows |
//! | `dead` | messages that are set aside |

mod any;
mod counts;
mod dead;
mod declared;
mod geometry;
mod giving_back;
mod handle;
mod line;
mod lists;
mod options;
mod parts;
mod party;
mod payload;
mod protocol;
mod ranks;
mod received;
mod receiver;
mod receiving;
mod sender;
mod sending;
mod slots;
mod sources;
mod sweep;
mod tell;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use any::{AnyQueue, AnyQueueReceiver, AnyQueueSender};
pub use counts::QueueCounts;
pub use dead::DeadLetter;
pub use received::Received;
pub use receiver::QueueReceiver;
pub use sender::QueueSender;
pub(in crate::channel) use sweep::Named;
pub(in crate::channel) use tell::tell;

use self::handle::Handle;
use crate::channel::message::Message;
use crate::error::Result;
use crate::object::Options;
use crate::participant::Role;
use crate::shareable::Shareable;

/// A queue of messages, shared under a name: many processes send, many receive, and each message
/// goes to exactly one receiver.
///
/// A message is a value of a type that can be [shared](crate::Shareable), or, in a `Queue<[T]>`, a
/// list of such values with a length of its own, which can be 0: a `Queue<[u8]>` is a queue of
/// bytes. Each place in the queue has room for the longest list.
///
/// It holds up to [`depth`](Options::depth) messages, and all its memory is committed when it is
/// created. Messages are received in the order in which they were sent, or by
/// [priority](Options::priorities), and within a priority in the order in which they were sent. A
/// receiver acknowledges a message by dropping it; one that dies first gives it back.
///
/// Opening the queue takes no [slot](Options::max_participants) among its participants; each sender
/// and each receiver takes one. While senders and receivers are awake, a message costs no system
/// call and no heap allocation. A clone is another handle on the same open object.
///
/// # If a process dies
///
/// A message is sent whole or not at all. A message that a dead receiver had not acknowledged goes
/// to another receiver, at its old place. Messages that were acknowledged do not come again. So a
/// receiver that does its work, and dies before it acknowledges, does it twice: the number of
/// [`deliveries`](Received::deliveries) tells the next one.
///
/// # Compared with other message queues
///
/// | Boost `message_queue` | POSIX | here |
/// |---|---|---|
/// | `create_only` | `mq_open`, `O_CREAT \| O_EXCL` | [`Options::create`] |
/// | `open_only` | `mq_open` | [`Options::open`] |
/// | `open_or_create` | `mq_open`, `O_CREAT` | [`Options::open_or_create`] |
/// | `max_num_msg` | `mq_maxmsg`, 10 unless root | [`Options::depth`]; compared at opening |
/// | `max_msg_size` | `mq_msgsize` | the type, compared field by field, and [`max_len`] |
/// | permissions | mode | [`Options::access`] |
/// | destructor | `mq_close` | drop |
/// | `send` | `mq_send` | [`send`], [`send_with_priority`] |
/// | `try_send` | `mq_send`, `O_NONBLOCK` | [`try_send`], [`try_send_with_priority`] |
/// | `timed_send` | `mq_timedsend` | [`send_timeout`], [`send_with_priority_timeout`] |
/// | `receive` | `mq_receive` | [`recv`], [`recv_into`] |
/// | `try_receive` | `mq_receive`, `O_NONBLOCK` | [`try_recv`], [`try_recv_into`] |
/// | `timed_receive` | `mq_timedreceive` | [`recv_timeout`], [`recv_until`], and into a buffer |
/// | priority, 32 bits | priority, to 32,767 | [`Received::priority`], 32 bits |
/// | length of a message, 0 too | the same | the same, for `Queue<[T]>` |
/// | a small buffer: an exception | `EMSGSIZE` | [`BufferTooSmall`], with [`needed_len`] |
/// | wall clock | wall clock | monotonic clock |
/// | `get_num_msg` | `mq_getattr`, `mq_curmsgs` | [`counts`](Queue::counts), [by priority] |
/// | `get_max_msg` | `mq_getattr`, `mq_maxmsg` | [`depth`](Queue::depth) |
/// | `get_max_msg_size` | `mq_getattr`, `mq_msgsize` | the size of the type, [`Queue::max_len`] |
/// | | `mq_setattr`, `O_NONBLOCK` | each call says whether it waits |
/// | `remove` | `mq_unlink` | [`Queue::remove`]; users of the queue get `Closed` |
/// | | `mq_notify`, `poll` | [`WaitSet`](crate::WaitSet) and its [`poll_handle`] |
/// | | `/dev/mqueue` | `shm ls`, `shm info`, [`inspect`](crate::inspect) |
/// | received is gone | received is gone | [acknowledged](Received) is gone |
/// | a death can leave it locked | a death loses a message | it goes to the next receiver |
///
/// [`max_len`]: Options::max_len
/// [`recv_into`]: QueueReceiver::recv_into
/// [`try_recv_into`]: QueueReceiver::try_recv_into
/// [`BufferTooSmall`]: crate::ErrorKind::BufferTooSmall
/// [`needed_len`]: crate::Error::needed_len
/// [`send`]: QueueSender::send
/// [`send_with_priority`]: QueueSender::send_with_priority
/// [`try_send`]: QueueSender::try_send
/// [`try_send_with_priority`]: QueueSender::try_send_with_priority
/// [`send_timeout`]: QueueSender::send_timeout
/// [`send_with_priority_timeout`]: QueueSender::send_with_priority_timeout
/// [`recv`]: QueueReceiver::recv
/// [`try_recv`]: QueueReceiver::try_recv
/// [`recv_timeout`]: QueueReceiver::recv_timeout
/// [`recv_until`]: QueueReceiver::recv_until
/// [by priority]: Queue::counts_by_priority
/// [`poll_handle`]: crate::WaitSet::poll_handle
///
/// # Examples
///
/// ```
/// use shmkit::{Queue, Shareable};
///
/// #[derive(Shareable, Debug, PartialEq)]
/// #[repr(C)]
/// struct Job { number: u64, size: u32 }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Queue::<Job>::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let jobs = Queue::<Job>::open_or_create("render/jobs")?;
/// # */
/// # let jobs = open_or_create("render/jobs")?;
/// jobs.sender()?.send(&Job { number: 1, size: 640 })?;
///
/// // in a worker
/// let receiver = jobs.receiver()?;
/// let job = receiver.recv()?;
/// assert_eq!(*job, Job { number: 1, size: 640 });
/// // If the worker is killed here, another one gets the job.
/// drop(job); // done
/// # Ok(())
/// # }
/// ```
///
/// With priorities, and a limit for messages that kill their receivers:
///
/// ```
/// use shmkit::Queue;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Queue::<u64>::options().directory(directory.path());
/// let jobs = options.depth(1_000).priorities(true).delivery_limit(3).create("jobs")?;
/// let (sender, receiver) = (jobs.sender()?, jobs.receiver()?);
/// sender.send(&1)?;
/// sender.send_with_priority(&2, 10)?;
/// assert_eq!(receiver.recv()?.into_inner(), 2);
///
/// receiver.recv()?.reject()?; // it cannot be done
/// let letters = jobs.dead_letters()?;
/// assert_eq!((letters[0].value, letters[0].deliveries), (Some(1), 1));
/// jobs.drop_dead(letters[0].number)?;
/// # Ok(())
/// # }
/// ```
///
/// In the folder `examples` of the source, `jobs` has workers that crash.
pub struct Queue<M: Message + ?Sized> {
    handle: Arc<Handle>,
    message: PhantomData<fn(&M)>,
}

impl<M: Message + ?Sized> Queue<M> {
    fn over(handle: Handle) -> Self {
        Self { handle: Arc::new(handle), message: PhantomData }
    }

    /// Returns options other than the defaults: depth, priorities, limit of deliveries, directory,
    /// access, lifetime.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Creates the queue with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `Unsupported` in a
    /// directory on a network.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// Opens the queue with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongType`, `WrongVersion`,
    /// `Corrupt`, `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the queue, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// Removes the queue from the default directory: see [`Options::remove`]. What its receivers
    /// have not received can still be received by them; then they get `Closed`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }

    /// Returns the right to send messages. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`; `Full` if all slots are taken; `PermissionDenied` if the object is open
    /// for reading only, or if the process may not open the file any more.
    pub fn sender(&self) -> Result<QueueSender<M>> {
        QueueSender::join(&self.handle)
    }

    /// Returns the right to receive messages. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// Those of [`sender`](Self::sender).
    pub fn receiver(&self) -> Result<QueueReceiver<M>> {
        QueueReceiver::join(&self.handle)
    }

    /// Returns how many messages the queue can hold.
    pub fn depth(&self) -> u32 {
        self.handle.geometry.depth as u32
    }

    /// Returns whether messages have priorities.
    pub fn has_priorities(&self) -> bool {
        self.handle.geometry.has_priorities
    }

    /// Returns how often a message is handed over before it is set aside, if there is a limit.
    pub fn delivery_limit(&self) -> Option<u32> {
        Some(self.handle.delivery_limit).filter(|limit| *limit > 0)
    }

    /// Counts the messages at this moment. It looks at each slot.
    pub fn counts(&self) -> QueueCounts {
        self.handle.queue().counts()
    }

    /// Counts the messages that wait for a receiver, by priority. It looks at each slot.
    pub fn counts_by_priority(&self) -> BTreeMap<u32, u32> {
        self.handle.queue().counts_by_priority()
    }

    /// Returns how many senders and how many receivers live. It costs a system call for each.
    pub fn count_participants(&self) -> (usize, usize) {
        (self.handle.count_role(Role::Sender), self.handle.count_role(Role::Receiver))
    }

    /// Returns whether this handle, or the one that it is a clone of, created the object. False: it
    /// opened an object that was there.
    pub fn was_created(&self) -> bool {
        self.handle.object.was_created()
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        self.handle.object.label()
    }
}

impl<T: Shareable> Queue<[T]> {
    /// Returns how many elements a message can have.
    pub fn max_len(&self) -> usize {
        self.handle.object.layout().item_length as usize
    }
}

impl<M: Message + ?Sized> Clone for Queue<M> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), message: PhantomData }
    }
}

impl<M: Message + ?Sized> fmt::Debug for Queue<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.name()).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
