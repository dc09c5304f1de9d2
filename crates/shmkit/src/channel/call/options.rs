//! Creating and opening a call.

use super::Call;
use super::geometry::{
    DEFAULT_SLOTS, FLAG_PARTS, Geometry, MAX_PARTS, MAX_SLOTS, MessageSize, flags_of_parts,
};
use super::lengths::{Lengths, choose_request_length, choose_response_length};
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Choices, Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<Req: Message + ?Sized, Resp: Message + ?Sized> Options<Call<Req, Resp>> {
    /// Sets how many requests there can be at a time, 1 to 4,096: those that wait, those that
    /// servers have, and those whose answers their clients have not read. Default: 64.
    pub fn in_flight(mut self, requests: u32) -> Self {
        self.choices.items = Some(requests);
        self
    }

    /// Sets how many responses to a request can wait for its client, 1 to 1,023: a server that
    /// writes a longer stream waits for the client. Default: 4.
    pub fn parts(mut self, parts: u32) -> Self {
        choose_parts(&mut self.choices, parts);
        self
    }

    /// Sets how many clients and servers there can be at a time, 1 to 1,024. Default: 64.
    pub fn max_users(mut self, users: u32) -> Self {
        self.choices.participants = Some(users);
        self
    }
}

impl<T: Shareable, Resp: Message + ?Sized> Options<Call<[T], Resp>> {
    /// Sets how many elements a request has at most. Default: as many as there is room for in
    /// 4 KiB, and at least 1.
    ///
    /// Each place for a request has room for so many. A request can have fewer, or none.
    pub fn max_request_len(mut self, elements: usize) -> Self {
        choose_request_length(&mut self.choices, elements as u64);
        self
    }
}

impl<Req: Message + ?Sized, T: Shareable> Options<Call<Req, [T]>> {
    /// Sets how many elements a response has at most. Default: as many as there is room for in
    /// 4 KiB, and at least 1.
    ///
    /// Each place for a request has room for [`parts`](Self::parts) responses of so many. A
    /// response can have fewer, or none.
    pub fn max_response_len(mut self, elements: usize) -> Self {
        choose_response_length(&mut self.choices, elements as u64);
        self
    }
}

impl<Req: Message + ?Sized, Resp: Message + ?Sized> Options<Call<Req, Resp>> {
    /// Creates the call, with all of its space committed.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// number that is out of its range; `Unsupported` in a directory on a network.
    pub fn create(&self, name: &str) -> Result<Call<Req, Resp>> {
        self.check_sizes().map_err(|error| error.doing("create").on(name))?;
        let first = |to: &mut Planner<'_>| Call::<Req, Resp>::plan(to, None);
        Object::create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    /// Opens the call.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind`, `WrongType`, `WrongVersion`,
    /// `WrongOptions` with the first difference; `Corrupt`; `Busy` if other processes keep
    /// replacing it.
    pub fn open(&self, name: &str) -> Result<Call<Req, Resp>> {
        Object::open_as(name, &self.choices, OpenMode::WritableIfAllowed).map(Object::into_payload)
    }

    /// Opens the call, or creates it if there is none. If several processes call this at once, one
    /// of them creates it: [`Call::was_created`] returns whether this one did.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<Call<Req, Resp>> {
        self.check_sizes().map_err(|error| error.doing("open or create").on(name))?;
        let first = |to: &mut Planner<'_>| Call::<Req, Resp>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }

    fn check_sizes(&self) -> Result<()> {
        let lengths = Lengths::of(Call::<Req, Resp>::item_length(self.choices.item_length));
        check_sizes(&self.choices, size_of_messages::<Req, Resp>(lengths))
    }
}

/// The sizes of requests and responses of these types.
pub(super) fn size_of_messages<Req: Message + ?Sized, Resp: Message + ?Sized>(
    lengths: Lengths,
) -> [MessageSize; 2] {
    let size =
        |element_bytes, max_len| MessageSize { element_bytes: element_bytes as u64, max_len };
    let request = size(size_of::<Req::Element>(), lengths.request);
    [request, size(size_of::<Resp::Element>(), lengths.response)]
}

/// Chooses how many responses to a request can wait.
pub(super) fn choose_parts(choices: &mut Choices, parts: u32) {
    match parts {
        1..=MAX_PARTS => choices.kind_flags.choose_number(FLAG_PARTS, flags_of_parts(parts)),
        _ => {
            let why = format!("{parts} responses were to wait; 1 to {MAX_PARTS} are allowed");
            choices.refused = Some(why);
        }
    }
}

/// Refuses numbers that are out of their range, and requests and responses that are too large.
pub(super) fn check_sizes(choices: &Choices, sizes: [MessageSize; 2]) -> Result<()> {
    let slots = choices.items.unwrap_or(DEFAULT_SLOTS);
    let [request, response] = sizes;
    let why = if let Some(why) = &choices.refused {
        why.clone()
    } else if !(1..=MAX_SLOTS).contains(&slots) {
        format!("{slots} requests at a time were asked for; 1 to {MAX_SLOTS} are allowed")
    } else if Geometry::of(request, response, slots, 0).is_none() {
        let size = |of: MessageSize| match of.max_len {
            0 => format!("{} bytes", of.element_bytes),
            many => format!("{many} elements of {} bytes", of.element_bytes),
        };
        format!("requests of {} and responses of {} are too large", size(request), size(response))
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidArgument, why))
}
