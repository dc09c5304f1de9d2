//! Creating and opening a call.

use super::Call;
use super::geometry::{FLAG_PARTS, MAX_PARTS, MAX_SLOTS, flags_of_parts};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Choices, Object, OpenMode, Options, Payload, Planner};
use crate::shareable::Shareable;

impl<Req: Shareable, Resp: Shareable> Options<Call<Req, Resp>> {
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
        check_numbers(&self.choices).map_err(|error| error.doing("create").on(name))?;
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
        check_numbers(&self.choices).map_err(|error| error.doing("open or create").on(name))?;
        let first = |to: &mut Planner<'_>| Call::<Req, Resp>::plan(to, None);
        Object::open_or_create_as(name, &self.choices, &(), &first).map(Object::into_payload)
    }
}

/// More than can be asked for: [`check_numbers`] refuses it.
const TOO_MANY: u32 = u32::MAX;

/// Chooses how many responses to a request can wait.
pub(super) fn choose_parts(choices: &mut Choices, parts: u32) {
    match parts {
        1..=MAX_PARTS => choices.kind_flags.choose_number(FLAG_PARTS, flags_of_parts(parts)),
        _ => choices.items = Some(TOO_MANY),
    }
}

/// Refuses numbers that are out of their range.
pub(super) fn check_numbers(choices: &Choices) -> Result<()> {
    let why = match choices.items {
        Some(TOO_MANY) => format!("1 to {MAX_PARTS} responses can wait for a client"),
        Some(slots) if !(1..=MAX_SLOTS).contains(&slots) => {
            format!("{slots} requests at a time were asked for; 1 to {MAX_SLOTS} are allowed")
        }
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidArgument, why))
}
