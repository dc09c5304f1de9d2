//! A call whose types only the object knows: for the command, for C and Python.

use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Call;
use super::asking::{AskedCall, Asker};
use super::counts::CallCounts;
use super::geometry::{Geometry, MessageSize};
use super::handle::Handle;
use super::lengths::{Lengths, choose_request_length, choose_response_length};
use super::options::{check_sizes, choose_parts};
use super::payload::{plan, types_of};
use super::serving::{BegunCall, Server};
use super::slots::InSlot;
use crate::channel::any_message::AnyMessage;
use crate::error::{Error, ErrorKind, Peer, Result};
use crate::memory::Trust;
use crate::object::{
    Choices, Kind, Name, NewObject, ObjectLayout, OpenMode, OpenObject, Options, Payload, Planner,
    check_kind, file_flags, new_object, size_and_fingerprint,
};
use crate::participant::Role;
use crate::shareable::{Schema, room_for};
use crate::wait::Until;

/// The payload whose constants are those of a call of any types.
type OfAnyTypes = Call<u8, u8>;

/// The types of requests and responses.
#[derive(Debug)]
struct Types {
    request: AnyMessage,
    response: AnyMessage,
}

impl Types {
    /// Those of a new object.
    fn new(choices: &Choices, request: &Schema, response: &Schema) -> Result<Self> {
        let lengths = Lengths::of(choices.item_length.unwrap_or(0));
        let new = |schema, len| AnyMessage::new(schema, Some(len).filter(|len| *len > 0));
        let request = new(request, lengths.request)?;
        Ok(Self { request, response: new(response, lengths.response)? })
    }

    /// Those of an object with this layout, if its schema is that of a call.
    fn of(layout: &ObjectLayout) -> Result<Option<Self>> {
        let schema = Schema::parse(&layout.schema)?;
        let lengths = Lengths::of(layout.item_length);
        let types = types_of(&schema).and_then(|(request, response)| {
            let request = AnyMessage::of_value(request.clone(), lengths.request)?;
            let response = AnyMessage::of_value(response.clone(), lengths.response)?;
            Some(Self { request, response })
        });
        Ok(types)
    }

    fn sizes(&self) -> [MessageSize; 2] {
        [&self.request, &self.response].map(|message| MessageSize {
            element_bytes: message.element().size(),
            max_len: message.max_len().unwrap_or(0),
        })
    }

    fn plan(&self, planner: &mut Planner<'_>) {
        plan(planner, self.request.value_type(), self.response.value_type());
    }
}

/// An open [`Call`] of types that are known at run time: the object describes them.
///
/// Requests and responses are bytes, which [`request_schema`](Self::request_schema) and
/// [`response_schema`](Self::response_schema) read and print. All bytes that are returned were
/// checked against them.
///
/// # Examples
///
/// ```
/// use shmkit::AnyCall;
/// use shmkit::shareable::Schema;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// let options = AnyCall::options().directory(directory.path());
/// let types = (Schema::declare("u32")?, Schema::declare("u64")?);
/// let double = options.create("double", &types.0, &types.1)?;
/// let (client, server) = (double.client()?, double.server()?);
/// let mut pending = client.send(&21_u32.to_le_bytes(), None)?;
/// let request = server.recv(None)?;
/// let number = u32::from_le_bytes(request.bytes().try_into().unwrap());
/// request.respond(&(2 * u64::from(number)).to_le_bytes())?;
/// assert_eq!(pending.recv(None)?, Some(42_u64.to_le_bytes().to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AnyCall {
    handle: Arc<Handle>,
    types: Arc<Types>,
}

impl AnyCall {
    /// Returns options other than the defaults: directory, access, lifetime, requests in flight.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    /// Opens the object in `directory`, or in the default directory.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongVersion`, `Corrupt`,
    /// `Busy`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let choices = Choices { directory: directory.map(Into::into), trust, ..Choices::new() };
        let open = || {
            Self::over(OpenObject::open(&Name::new(name)?, &choices, OpenMode::WritableIfAllowed)?)
        };
        open().map_err(|error| error.doing("open").on(name))
    }

    /// Takes over an object, if its schema is that of a call of some types.
    fn over(object: OpenObject) -> Result<Self> {
        let layout = object.layout();
        check_kind(layout.kind, Kind::Call)?;
        let types = Types::of(layout)?.and_then(|types| {
            let (slots, flags) = (layout.items, layout.flags);
            let [request, response] = types.sizes();
            let geometry = Geometry::of(request, response, slots, flags)?;
            let plan = |to: &mut Planner<'_>| types.plan(to.with_flags(flags));
            let found = (layout.payload_size, layout.fingerprint);
            let expected = size_and_fingerprint(Kind::Call, layout.counts(), &plan);
            (expected == found).then_some((geometry, types))
        });
        let Some((geometry, types)) = types else {
            return Err(Error::new(ErrorKind::Corrupt, "its schema is not that of a call"));
        };
        let handle = Handle::over(Arc::new(object), geometry)?;
        Ok(Self { handle: handle.into(), types: types.into() })
    }

    /// Returns the type of its requests, as the object describes it: of each element, if they are
    /// lists.
    pub fn request_schema(&self) -> &Schema {
        self.types.request.element()
    }

    /// Returns the type of its responses: of each element, if they are lists.
    pub fn response_schema(&self) -> &Schema {
        self.types.response.element()
    }

    /// Returns how many elements a request has at most. `None`: each is one value.
    pub fn max_request_len(&self) -> Option<u64> {
        self.types.request.max_len()
    }

    /// Returns how many elements a response has at most. `None`: each is one value.
    pub fn max_response_len(&self) -> Option<u64> {
        self.types.response.max_len()
    }

    /// Returns the right to send requests: see [`Call::client`].
    ///
    /// # Errors
    ///
    /// Those of [`Call::client`].
    pub fn client(&self) -> Result<AnyClient> {
        Ok(AnyClient { asker: Asker::join(&self.handle)?, types: self.types.clone() })
    }

    /// Returns the right to answer requests: see [`Call::server`].
    ///
    /// # Errors
    ///
    /// Those of [`Call::client`].
    pub fn server(&self) -> Result<AnyServer> {
        Ok(AnyServer { server: Server::join(&self.handle)?, types: self.types.clone() })
    }

    /// Counts the requests at this moment. It looks at each slot.
    pub fn counts(&self) -> CallCounts {
        self.handle.call().counts()
    }

    /// Returns how many clients and how many servers live. It costs a system call for each.
    pub fn count_participants(&self) -> (usize, usize) {
        (self.handle.count_role(Role::Client), self.handle.count_role(Role::Server))
    }

    /// Returns whether this handle, or the one that it is a clone of, created the object.
    pub fn was_created(&self) -> bool {
        self.handle.object.was_created()
    }
}

impl Options<AnyCall> {
    /// Sets how many requests there can be at a time, 1 to 4,096. Default: 64.
    pub fn in_flight(mut self, requests: u32) -> Self {
        self.choices.items = Some(requests);
        self
    }

    /// Sets how many responses to a request can wait for its client, 1 to 1,023. Default: 4.
    pub fn parts(mut self, parts: u32) -> Self {
        choose_parts(&mut self.choices, parts);
        self
    }

    /// Sets how many clients and servers there can be at a time, 1 to 1,024. Default: 64.
    pub fn max_users(mut self, users: u32) -> Self {
        self.choices.participants = Some(users);
        self
    }

    /// Makes each request a list of up to so many elements, 1 to 4,294,967,295, with a length of
    /// its own. Default: each request is one value.
    pub fn max_request_len(mut self, elements: u64) -> Self {
        choose_request_length(&mut self.choices, elements);
        self
    }

    /// Makes each response a list of up to so many elements. Default: each response is one value.
    pub fn max_response_len(mut self, elements: u64) -> Self {
        choose_response_length(&mut self.choices, elements);
        self
    }

    /// Creates a call with requests and responses of these types, or of lists of them. Programs
    /// open it as a [`Call`] of types with the same layouts.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// number or a type that is too large; `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str, request: &Schema, response: &Schema) -> Result<AnyCall> {
        let create = || {
            let types = Types::new(&self.choices, request, response)?;
            let new = self.new_object(&types)?;
            let open = OpenObject::create(&Name::new(name)?, &self.choices, &new)?;
            AnyCall::over(open).map_err(Error::after_creation)
        };
        create().map_err(|error| error.doing("create").on(name))
    }

    /// Opens the call with these types, or creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create); `WrongKind`, `WrongType`, `WrongOptions` with the first
    /// difference to the object that exists; `WrongVersion`, `Corrupt`, `Busy`.
    pub fn open_or_create(
        &self,
        name: &str,
        request: &Schema,
        response: &Schema,
    ) -> Result<AnyCall> {
        let open_or_create = || {
            let types = Types::new(&self.choices, request, response)?;
            let fits = |found: &ObjectLayout| {
                check_kind(found.kind, Kind::Call)?;
                match Types::of(found)? {
                    Some(found) => {
                        types.request.check_same(&found.request)?;
                        types.response.check_same(&found.response)
                    }
                    // Opening it says what is wrong.
                    None => Ok(()),
                }
            };
            let new = || self.new_object(&types);
            let open = OpenObject::open_or_create(&Name::new(name)?, &self.choices, fits, new)?;
            if open.was_created() {
                return AnyCall::over(open).map_err(Error::after_creation);
            }
            fits(open.layout())?;
            OfAnyTypes::check_flags(self.choices.kind_flags, open.layout().flags)?;
            AnyCall::over(open)
        };
        open_or_create().map_err(|error| error.doing("open or create").on(name))
    }

    fn new_object<'a>(&self, types: &'a Types) -> Result<NewObject<'a>> {
        check_sizes(&self.choices, types.sizes())?;
        let flags = file_flags::<OfAnyTypes>(&self.choices)?;
        let slots = self.choices.items.unwrap_or(OfAnyTypes::ITEMS);
        let plan = move |to: &mut Planner<'_>| types.plan(to);
        Ok(new_object::<OfAnyTypes>(&self.choices, slots, flags, &plan, plan))
    }
}

/// A client of an [`AnyCall`]: see [`CallClient`](super::CallClient).
#[derive(Debug)]
pub struct AnyClient {
    pub(super) asker: Asker,
    types: Arc<Types>,
}

impl AnyClient {
    /// Sends a request, with zeros as its padding. While there are too many requests, it waits for
    /// a free place: up to `timeout`, or without a limit if it is `None`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a request of the type; `OutOfSpace` if there is no
    /// memory for a copy; and those of [`CallClient::send_timeout`](super::CallClient).
    pub fn send(&self, request: &[u8], timeout: Option<Duration>) -> Result<AnyPending<'_>> {
        let label = self.asker.party.handle.object.label();
        let request = self.types.request.to_send(request);
        let request = request.map_err(|error| error.doing("call").on(label))?;
        let call = self.asker.ask(&request, || until(timeout))?;
        Ok(AnyPending { call, types: self.types.clone() })
    }
}

/// A request in flight: see [`Pending`](super::Pending).
#[derive(Debug)]
#[must_use = "dropping it gives the request up"]
pub struct AnyPending<'a> {
    pub(super) call: AskedCall<'a>,
    types: Arc<Types>,
}

impl AnyPending<'_> {
    /// Waits for the bytes of the next response: up to `timeout`, or without a limit if it is
    /// `None`. Returns `None` after the last one.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`; and those of [`Pending::recv_timeout`](super::Pending::recv_timeout).
    pub fn recv(&mut self, timeout: Option<Duration>) -> Result<Option<Vec<u8>>> {
        let types = &self.types;
        self.call.next(|| until(timeout), |message| checked(message, &types.response))
    }

    /// Returns the bytes of the next response if it is there: `None` if it is not, or if none
    /// follows, see [`is_over`](Self::is_over).
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), except `TimedOut`.
    pub fn try_recv(&mut self) -> Result<Option<Vec<u8>>> {
        match self.receive_at_once()? {
            Poll::Ready(response) => Ok(response),
            Poll::Pending => Ok(None),
        }
    }

    /// Returns the next response, or none if none follows. `Pending`: it is not there yet.
    pub(crate) fn receive_at_once(&mut self) -> Result<Poll<Option<Vec<u8>>>> {
        let types = &self.types;
        self.call.attempt(|| Until::Now, |message| checked(message, &types.response))
    }

    /// Returns whether no response follows.
    pub fn is_over(&self) -> bool {
        self.call.is_over()
    }
}

/// A server of an [`AnyCall`]: see [`CallServer`](super::CallServer).
#[derive(Debug)]
pub struct AnyServer {
    pub(super) server: Server,
    types: Arc<Types>,
}

impl AnyServer {
    /// Waits for the oldest request: up to `timeout`, or without a limit if it is `None`.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`; and those of [`CallServer::recv_timeout`](super::CallServer::recv_timeout).
    pub fn recv(&self, timeout: Option<Duration>) -> Result<AnyRequest<'_>> {
        let read = |message: InSlot<'_>| checked(message, &self.types.request);
        let (call, bytes) = self.server.begin(|| until(timeout), read)?;
        Ok(AnyRequest { call, bytes, types: self.types.clone() })
    }

    /// Receives the oldest request, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), except `TimedOut`.
    pub fn try_recv(&self) -> Result<Option<AnyRequest<'_>>> {
        match self.recv(Some(Duration::ZERO)) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            received => received.map(Some),
        }
    }
}

/// A request that a server has: see [`Request`](super::Request).
#[derive(Debug)]
#[must_use = "dropping it refuses the request"]
pub struct AnyRequest<'a> {
    pub(super) call: BegunCall<'a>,
    bytes: Vec<u8>,
    types: Arc<Types>,
}

impl AnyRequest<'_> {
    /// Returns the bytes of the request.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Answers with this response, the last one.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a value of the type: the client gets `Refused`. And
    /// those of [`Request::respond`](super::Request::respond).
    pub fn respond(self, response: &[u8]) -> Result<()> {
        let response = self.types.response.to_send(response).map_err(answering)?;
        self.call.respond(&response)
    }

    /// Answers with this response, after which others can follow. Waits for room up to `timeout`,
    /// or without a limit if it is `None`.
    ///
    /// # Errors
    ///
    /// Those of [`respond`](Self::respond), and `TimedOut`: `Full` for a timeout of 0.
    pub fn respond_part(&mut self, response: &[u8], timeout: Option<Duration>) -> Result<()> {
        let response = self.types.response.to_send(response).map_err(answering)?;
        self.call.respond_part(&response, || until(timeout))
    }

    /// Ends the request: no response follows.
    ///
    /// # Errors
    ///
    /// Those of [`Request::finish`](super::Request::finish).
    pub fn finish(self) -> Result<()> {
        self.call.finish()
    }

    /// Returns whether the client does not wait for the answer any more: see
    /// [`Request::is_cancelled`](super::Request::is_cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.call.is_given_up()
    }

    /// Returns the client.
    pub fn client(&self) -> Option<Peer> {
        self.call.client()
    }
}

fn answering(error: Error) -> Error {
    error.doing("answer a request")
}

fn until(timeout: Option<Duration>) -> Until {
    match timeout {
        None => Until::Ever,
        Some(Duration::ZERO) => Until::Now,
        Some(timeout) => Until::after(timeout),
    }
}

/// Copies the bytes of a message, and checks them.
fn checked(message: InSlot<'_>, messages: &AnyMessage) -> Result<Vec<u8>> {
    let len = message
        .len
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "it is longer than the longest list"))?;
    let mut room = room_for(len as u64, MaybeUninit::new(0))?;
    message.copy_out(&mut room);
    // SAFETY: every byte was written.
    #[allow(unsafe_code, reason = "bytes that were just written")]
    let bytes: Vec<u8> = room.into_iter().map(|byte| unsafe { byte.assume_init() }).collect();
    messages.check(&bytes)?;
    Ok(bytes)
}
