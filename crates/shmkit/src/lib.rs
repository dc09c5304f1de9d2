//! Share data between processes: typed, at memory speed, still correct when a process is killed.
//!
//! One process sets a value:
//!
//! ```no_run
//! use shmkit::{Latest, Shareable};
//!
//! #[derive(Shareable, Debug)]
//! #[repr(C)]
//! struct Pose { stamp_ns: u64, x: f64, y: f64 }
//!
//! # fn main() -> shmkit::Result<()> {
//! let pose = Latest::<Pose>::open_or_create("robot/pose")?;
//! let mut writer = pose.writer()?;
//! writer.set(&Pose { stamp_ns: 1, x: 2.0, y: 3.0 })?;
//! # Ok(())
//! # }
//! ```
//!
//! Another one, started before or after, sleeps until the value changes:
//!
//! ```no_run
//! # use shmkit::{Latest, Shareable};
//! # #[derive(Shareable, Debug)]
//! # #[repr(C)]
//! # struct Pose { stamp_ns: u64, x: f64, y: f64 }
//! # fn main() -> shmkit::Result<()> {
//! let pose = Latest::<Pose>::open_or_create("robot/pose")?;
//! for change in pose.changes().iter() {
//!     println!("{:?}", change?); // whole, never torn
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # I want to
//!
//! | I want to | use |
//! |---|---|
//! | share the latest value of something | [`Latest`], [`LatestWriter`], [`Changes`] |
//! | stream bytes, as through a FIFO | [`Pipe`], [`PipeWriter`], [`PipeReader`] |
//! | ask, and be answered | [`Call`], [`CallClient`], [`Pending`], [`CallServer`], [`Request`] |
//! | hand each message to exactly one worker | [`Queue`], [`QueueSender`], [`QueueReceiver`] |
//! | send messages to all subscribers | [`Topic`], [`Publisher`], [`Subscriber`], [`WhenFull`] |
//! | send lists, each with a length of its own | `Topic<[T]>`, `Queue<[T]>`: see [`Message`] |
//! | wait for any of several of these | [`WaitSet`], [`Waitable`], [`PollHandle`] |
//! | lock data, count, meet, wait for a condition or an event | the primitives in [`sync`] |
//! | keep several of these in one object, or in memory without a name | [`Object`] |
//! | share my own struct or enum | [`#[derive(Shareable)]`](derive@Shareable) |
//! | share text, lists, optional values | [`FixedString`], [`FixedVec`], [`Maybe`] |
//! | choose directory, access, lifetime, number of participants | [`Options`] |
//! | map named memory or a file, byte for byte | [`SharedMemory`], [`FileMapping`], [`Region`] |
//! | end a wait from another thread, or by a signal | [`CancelToken`], [`interruptible`] |
//! | act on an error | [`Error::kind`]; [`Error::peer`], the process on the other side |
//! | use objects of any type | `AnyLatest`, `AnyTopic`, `AnyQueue`, `AnyCall`, `sync::AnyLock` |
//! | list and describe all objects | [`inspect`] |
//!
//! The README has a longer table, and shows the command `shm`. A page for those that know pipes,
//! sockets, message queues or Boost.Interprocess is `docs/choosing.md` in the repository; `shm
//! bench` compares all of them on your machine. Under a name, the primitives are
//! [`Mutex`], [`ReentrantMutex`], [`RwLock`], [`Condvar`], [`Semaphore`], [`Event`], [`Latch`],
//! [`Barrier`] and [`Once`], aliases in [`sync::named`].
//!
//! [`Mutex`]: sync::named::Mutex
//! [`ReentrantMutex`]: sync::named::ReentrantMutex
//! [`RwLock`]: sync::named::RwLock
//! [`Condvar`]: sync::named::Condvar
//! [`Semaphore`]: sync::named::Semaphore
//! [`Event`]: sync::named::Event
//! [`Latch`]: sync::named::Latch
//! [`Barrier`]: sync::named::Barrier
//! [`Once`]: sync::named::Once
//!
//! # Features
//!
//! Two features are off by default: `async` has futures for any runtime, such as
//! `Subscriber::recv_async` and `WaitSet::wait_async`; `tokio` also has the traits of tokio for the
//! ends of a pipe.
//!
//! # What holds for all of it
//!
//! - An object has a [name](Object#names), and stays for its [`Lifetime`]. It is a file in the
//!   [`default_directory`], or in the one that the options name.
//! - A process that is killed harms no other: what it held goes to the next one that needs it. Each
//!   type says under "If a process dies" what the others see.
//! - Types are compared field by field when an object is opened; the error names the first
//!   difference.
//! - Values are copied and checked before they are returned. Bytes that another process wrote never
//!   cause a panic.
//! - All waits have a form with a timeout, on the monotonic clock. A signal ends a wait only in
//!   [`interruptible`].
//! - A forked child opens its objects again: inherited handles answer [`ErrorKind::Forked`].
#![deny(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, unused_imports, reason = "models have no wait sets"))]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("shmkit needs a 64-bit target: object sizes and lock offsets exceed 32 bits");

extern crate self as shmkit;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[macro_use]
#[doc(hidden)]
pub mod crash;

mod channel;
mod error;
pub mod inspect;
pub mod memory;
mod object;
mod participant;
mod select;
pub mod shareable;
pub mod sync;
mod sys;
mod wait;

pub use channel::Message;
#[cfg(feature = "count-retries")]
#[doc(hidden)]
pub use channel::read_retries;
pub use channel::{AnyCall, AnyClient, AnyPending, AnyRequest, AnyServer};
pub use channel::{AnyChanges, AnyLatest, Changes, Latest, LatestLoan, LatestObject, LatestWriter};
pub use channel::{AnyPublisher, AnySubscriber, AnyTopic, TopicObject};
pub use channel::{AnyQueue, AnyQueueReceiver, AnyQueueSender};
pub use channel::{Attached, Attendance, AttendanceNews, Loan, Sample};
pub use channel::{Call, CallClient, CallCounts, CallServer, Pending, Request};
pub use channel::{DeadLetter, Queue, QueueCounts, QueueReceiver, QueueSender, Received};
pub use channel::{Pipe, PipeReader, PipeWriter};
pub use channel::{Publisher, Subscriber, Topic, WhenFull};
pub use error::{Error, ErrorKind, Peer, ProgramName, Result};
pub use memory::{Access, FileMapping, Region, SharedMemory, Trust};
pub use object::{
    Contents, Kind, Lifetime, Object, Options, Payload, Primitive, default_directory,
};
pub use participant::Role;
#[cfg(not(loom))]
pub use select::{PollHandle, WaitSet};
#[cfg(all(feature = "tokio", not(loom)))]
pub use select::{TokioPipeReader, TokioPipeWriter};
pub use shareable::{FixedString, FixedVec, Maybe, Shareable};
/// # Examples
///
/// A struct with a nested struct, a list, a text and an enum:
///
/// ```
/// use shmkit::{FixedString, FixedVec, Latest, Maybe, Shareable};
///
/// #[derive(Shareable, Clone, Copy, Debug, PartialEq)]
/// #[repr(C)]
/// struct Point { x: f64, y: f64 }
///
/// #[derive(Shareable, Clone, Copy, Debug, PartialEq)]
/// #[repr(u8)]
/// enum Mode { Parked, Driving }
///
/// #[derive(Shareable, Debug)]
/// #[repr(C)]
/// struct Robot {
///     name: FixedString<32>,
///     mode: Mode,
///     wheel_speeds: [f32; 4],
///     path: FixedVec<Point, 100>,
///     goal: Maybe<Point>,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let options = Latest::<Robot>::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let robot = Latest::<Robot>::open_or_create("robot")?;
/// # */
/// # let robot = open_or_create("robot")?;
/// robot.writer()?.set(&Robot {
///     name: "r2".parse()?,
///     mode: Mode::Driving,
///     wheel_speeds: [0.5; 4],
///     path: FixedVec::try_from(&[Point { x: 1.0, y: 2.0 }][..])?,
///     goal: None.into(),
/// })?;
/// assert_eq!(robot.get()?.mode, Mode::Driving);
/// # Ok(())
/// # }
/// ```
///
/// What cannot be shared is an error of the compiler that says what to use instead:
///
/// ```compile_fail
/// #[derive(shmkit::Shareable)]
/// #[repr(C)]
/// struct Robot { name: String } // use `FixedString<N>`
/// ```
pub use shmkit_derive::Shareable;
pub use wait::{CancelToken, Waitable, interruptible};
