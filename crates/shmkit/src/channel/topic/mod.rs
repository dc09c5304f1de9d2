//! Messages for all subscribers.
//!
//! ```text
//!  publishers ── publish ──> one ring of entries in shared memory ──> recv: subscribers
//!                            each subscriber has a cursor of its own
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `geometry` | where the words, records and entries are, for a size of value |
//! | `ring` | the protocol: why no message is torn, lost, or overwritten too early |
//! | `payload` | where its parts are, and how `shm` describes them |
//! | `handle` | an open `Topic` |
//! | `options` | creating and opening |
//! | `publisher` | publishing |
//! | `subscriber` | receiving |
//! | `loan`, `sample`, `borrower` | filling a message in place, and borrowing one |
//! | `attendance` | who is attached; news of those that come and go |
//! | `any` | the same for a type that only the object knows |

mod any;
mod attendance;
mod borrower;
mod geometry;
mod handle;
mod loan;
mod options;
mod payload;
mod publisher;
mod ring;
mod sample;
mod sources;
mod subscriber;

use std::sync::Arc;

pub use any::{AnyPublisher, AnySubscriber, AnyTopic};
pub use attendance::{Attached, Attendance, AttendanceNews};
pub use loan::Loan;
pub use publisher::Publisher;
pub use ring::WhenFull;
pub use sample::Sample;
pub use subscriber::Subscriber;

use self::geometry::{HasShape, TypeShape};
use self::handle::Handle;
use crate::channel::message::Message;
use crate::error::Result;
use crate::object::Options;

/// A [`Topic`] or an [`AnyTopic`]: what their [`Options`] have in common.
///
/// It is implemented by this library only.
pub trait TopicObject: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

/// Messages that any number of processes publish under a name, and that reach all subscribers, each
/// in the same order.
///
/// A message is copied into a ring of entries in shared memory, once for all subscribers. Each
/// subscriber copies it out when it comes to it, and moves a cursor of its own. A publisher or a
/// subscriber that finds what it looks for makes no system call. What happens if a subscriber does
/// not keep up is an option of the topic: [`WhenFull`]. The default is that publishers wait for it.
///
/// A message is one value of a [`Shareable`](crate::Shareable) type, or a list: in a `Topic<[T]>`,
/// as in a `Topic<[u8]>`, each message has a length of its own, up to [`Options::max_len`].
///
/// Opening a topic takes no [slot](Options::max_participants); each [`Publisher`] and each
/// [`Subscriber`] takes one. A clone is another handle on the same open object.
///
/// # Memory
///
/// The ring has as many entries as [`Options::depth`] says: by default as many as there is room for
/// in 256 KiB, at least 4 and at most 256, rounded down to a power of two. An entry of lists has
/// room for the longest one. Messages of more than 4 KiB are in buffers: one for each entry, and
/// [8 more](Options::spare_buffers). So a topic of frames of 6 MB takes 72 MB. Each participant
/// takes 192 bytes. A topic of messages of 64 bytes with the default options takes 32 KiB. All
/// space is committed when it is created.
///
/// # If a process dies
///
/// A publisher that dies in the middle of a message leaves none, and what it published before is
/// received. Subscribers that wait get `PeerDied`. A subscriber that dies no longer holds
/// publishers up.
///
/// # Examples
///
/// ```
/// use shmkit::{Shareable, Topic};
///
/// #[derive(Shareable, Debug, PartialEq)]
/// #[repr(C)]
/// struct Tick { instrument: u64, price: f64 }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Topic::<Tick>::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let ticks = Topic::<Tick>::open_or_create("market/ticks")?;
/// # */
/// # let ticks = open_or_create("market/ticks")?;
/// let mut subscriber = ticks.subscriber()?;
///
/// // in this process or in another
/// # /*
/// let ticks = Topic::<Tick>::open_or_create("market/ticks")?;
/// # */
/// # let ticks = open_or_create("market/ticks")?;
/// let mut publisher = ticks.publisher()?;
/// let reached = publisher.publish(&Tick { instrument: 7, price: 12.5 })?;
/// assert_eq!(reached, 1);
///
/// assert_eq!(subscriber.recv()?, Tick { instrument: 7, price: 12.5 });
/// # Ok(())
/// # }
/// ```
///
/// In the folder `examples` of the source, `ticks` publishes and receives in batches, and `camera`
/// sends frames of 6 MB without a copy.
#[derive(Debug)]
pub struct Topic<M: Message + ?Sized> {
    handle: Arc<Handle>,
    shape: TypeShape<M>,
}

impl<M: Message + ?Sized> Topic<M> {
    /// Returns options other than the defaults: depth, what happens when it is full, directory,
    /// access, lifetime, number of participants.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Creates the object with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// value that is too large; `Unsupported` in a directory on a network.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// Opens the object with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongType`, `WrongVersion`,
    /// `Corrupt`, `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the object, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// Joins as a publisher. The first participant of an open object opens the file again, for the
    /// lock that proves that the process lives.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`; `Full` if all slots are taken; `PermissionDenied` if the process may
    /// only read the object, or may not open the file any more.
    pub fn publisher(&self) -> Result<Publisher<M>> {
        Publisher::join(&self.handle, self.shape)
    }

    /// Joins as a subscriber. Each message that is published after this returns reaches it.
    ///
    /// # Errors
    ///
    /// Those of [`publisher`](Self::publisher).
    pub fn subscriber(&self) -> Result<Subscriber<M>> {
        self.subscriber_with_history(0)
    }

    /// Joins as a subscriber that first receives messages which were published before: the last
    /// `messages`, or as many of them as are still in the ring, which has at most
    /// [`depth`](Self::depth).
    ///
    /// Messages of before that are overwritten until the subscriber comes to them do not count as
    /// lost.
    ///
    /// # Errors
    ///
    /// Those of [`publisher`](Self::publisher).
    pub fn subscriber_with_history(&self, messages: u32) -> Result<Subscriber<M>> {
        Subscriber::join(&self.handle, self.shape, messages.into())
    }

    /// Returns the sequence number of the newest message, which a publisher may not have completed
    /// yet. The first message has 1.
    pub fn sequence(&self) -> u64 {
        self.handle.ring(self.shape).last()
    }

    /// Returns how many messages the ring has room for.
    pub fn depth(&self) -> u32 {
        self.handle.depth()
    }

    /// Returns how many elements a message has at most; 1 if it is not a list.
    pub fn max_len(&self) -> usize {
        self.shape.shape().max_len() as usize
    }

    /// Returns what happens to a message for which there is no room.
    pub fn when_full(&self) -> WhenFull {
        self.handle.when_full
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

    /// Removes the object from the default directory: see [`Options::remove`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }
}

impl<M: Message + ?Sized> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), shape: self.shape }
    }
}
