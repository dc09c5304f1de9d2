//! Requests, each answered by one server.
//!
//! ```text
//!  clients ── request ──> slots in shared memory ── recv ──> servers
//!          <─ responses ─                        <─ respond ─
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `geometry` | where the parts are, for the sizes of requests and responses |
//! | `state` | the words of a slot, bit by bit |
//! | `slots` | a slot: a request, and the responses to it |
//! | `protocol` | asking; the states, who may die where, why no answer is mixed up |
//! | `answering`, `receiving` | the steps of the server, and of the client once it has asked |
//! | `order` | which request a server begins |
//! | `waiting` | waiting: why no thread sleeps beside what it waits for |
//! | `sweep` | what dead participants held is freed |
//! | `counts` | how many requests there are |
//! | `handle`, `parts` | an open call, and its words |
//! | `options`, `payload` | creating and opening; its parts, and how `shm` describes them |
//! | `party` | what clients and servers have in common |
//! | `asking`, `serving` | both sides, for bytes |
//! | `bytes`, `client`, `pending`, `server`, `request` | what a program uses |
//! | `any` | the same, for types that only the object knows |

mod answering;
mod any;
mod asking;
mod bytes;
mod client;
mod counts;
mod geometry;
mod handle;
mod options;
mod order;
mod parts;
mod party;
mod payload;
mod pending;
mod protocol;
mod receiving;
mod request;
mod server;
mod serving;
mod slots;
mod state;
mod sweep;
mod waiting;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use any::{AnyCall, AnyClient, AnyPending, AnyRequest, AnyServer};
pub use client::CallClient;
pub use counts::CallCounts;
pub use pending::Pending;
pub use request::Request;
pub use server::CallServer;

use self::handle::Handle;
use crate::error::Result;
use crate::object::Options;
use crate::participant::Role;
use crate::shareable::Shareable;

/// Requests and responses, shared under a name: many clients ask, several servers answer.
///
/// A request goes to one server: the next one that is free, in the order in which the requests were
/// sent. The server answers with one response, or with a stream of responses. Both are written once
/// into shared memory, and copied out once. A client can have several requests in flight, and wait
/// for each as long as it likes; one that it gives up is not answered, and a late answer reaches no
/// other request.
///
/// The object holds up to [`in_flight`](Options::in_flight) requests at a time, and all its memory
/// is committed when it is created. Opening it takes no slot among its participants; each client
/// and each server takes one. While both sides are awake, a call costs no system call and no heap
/// allocation. A clone is another handle on the same open object.
///
/// # If a process dies
///
/// A client whose server died is told at once, with `PeerDied` and the server: on a death notice,
/// or else within 50 ms after the kernel released the server's liveness lock. What the server had
/// answered before is still received. A request that no server had begun goes to the next server. A
/// request whose client died is dropped: a server that has it finds [`Request::is_cancelled`]. No
/// timer takes a process for dead: a server that is stopped (SIGSTOP) lets only time limits expire.
///
/// # Examples
///
/// A calculator service:
///
/// ```
/// use shmkit::{Call, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Operation { left: f64, right: f64, what: What }
///
/// #[derive(Shareable, Clone, Copy)]
/// #[repr(u8)]
/// enum What { Add, Multiply }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Call::<Operation, f64>::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let calculator = Call::<Operation, f64>::open_or_create("calculator")?;
/// # */
/// # let calculator = open_or_create("calculator")?;
/// # let serving = calculator.clone();
/// # let served = std::thread::spawn(move || -> shmkit::Result<()> {
/// #     let calculator = serving;
/// // one process
/// let server = calculator.server()?;
/// for request in server.iter() {
///     let request = request?;
///     let Operation { left, right, what } = *request;
///     request.respond(&match what {
///         What::Add => left + right,
///         What::Multiply => left * right,
///     })?;
/// #   if matches!(what, What::Multiply) { break }
/// }
/// #     Ok(())
/// # });
///
/// // another one
/// let client = calculator.client()?;
/// let second = std::time::Duration::from_secs(1);
/// # let second = 60 * second;
/// let sum = client.call_timeout(&Operation { left: 2.0, right: 3.5, what: What::Add }, second)?;
/// assert_eq!(sum, 5.5);
/// # client.call(&Operation { left: 2.0, right: 3.5, what: What::Multiply })?;
/// # served.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
///
/// Several requests in flight, and a stream of responses:
///
/// ```
/// use shmkit::Call;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = Call::<u64, u64>::options().directory(directory.path());
/// let squares = options.create("squares")?;
/// let (client, server) = (squares.client()?, squares.server()?);
/// let mut two = client.send(&2)?;
/// let mut three = client.send(&3)?;
/// for _ in 0..2 {
///     let mut request = server.recv()?;
///     let upto = *request;
///     for number in 1..=upto {
///         request.respond_part(&(number * number))?;
///     }
///     request.finish()?;
/// }
/// let squares: Vec<u64> = three.iter().collect::<shmkit::Result<_>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// assert_eq!((two.recv()?, two.recv()?, two.recv()?), (Some(1), Some(4), None));
/// # Ok(())
/// # }
/// ```
///
/// In the folder `examples` of the source, `calculator` has servers and clients that can be killed.
pub struct Call<Req: Shareable, Resp: Shareable> {
    handle: Arc<Handle>,
    types: PhantomData<fn(Req) -> Resp>,
}

impl<Req: Shareable, Resp: Shareable> Call<Req, Resp> {
    fn over(handle: Handle) -> Self {
        Self { handle: Arc::new(handle), types: PhantomData }
    }

    /// Returns options other than the defaults: requests in flight, length of streams, directory,
    /// access, lifetime.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Creates the call with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `Unsupported` in a
    /// directory on a network.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// Opens the call with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongType`, `WrongVersion`,
    /// `Corrupt`, `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the call, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// Removes the call from the default directory: see [`Options::remove`]. Its clients and
    /// servers get `Closed`. Responses that were written before are still received.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }

    /// Returns the right to send requests. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`; `Full` if all slots are taken; `PermissionDenied` if the object is open
    /// for reading only, or if the process may not open the file any more.
    pub fn client(&self) -> Result<CallClient<Req, Resp>> {
        CallClient::join(&self.handle)
    }

    /// Returns the right to answer requests. It takes a slot among the participants.
    ///
    /// # Errors
    ///
    /// Those of [`client`](Self::client).
    pub fn server(&self) -> Result<CallServer<Req, Resp>> {
        CallServer::join(&self.handle)
    }

    /// Returns how many requests there can be at a time.
    pub fn in_flight(&self) -> u32 {
        self.handle.geometry.slots as u32
    }

    /// Returns how many responses to a request can wait for its client.
    pub fn parts(&self) -> u32 {
        self.handle.geometry.parts as u32
    }

    /// Counts the requests at this moment. It looks at each slot.
    pub fn counts(&self) -> CallCounts {
        self.handle.call().counts()
    }

    /// Returns how many clients and how many servers live. It costs a system call for each.
    pub fn count_participants(&self) -> (usize, usize) {
        (self.handle.count_role(Role::Client), self.handle.count_role(Role::Server))
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

impl<Req: Shareable, Resp: Shareable> Clone for Call<Req, Resp> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), types: PhantomData }
    }
}

impl<Req: Shareable, Resp: Shareable> fmt::Debug for Call<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.name()).finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
