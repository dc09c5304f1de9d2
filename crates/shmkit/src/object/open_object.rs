//! An open object: how it is opened, what holds while it lives, how it is left.

use std::fmt;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::attempts::until_not_raced;
use super::choices::Choices;
use super::layout::{NewObject, ObjectLayout};
use super::name::Name;
use super::named_object::{clear_if_stale, clear_if_unsuitable, or_read_only};
use super::object_file::{ObjectFile, OpenMode, REMOVED, Raced};
use super::presence;
use super::removal::{self, Attached, GateLock, RemovalTarget};
use super::removal_watch::RemovalWatch;
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Peer, Result};
use crate::participant::{
    Liveness, MAX_PARTICIPANTS, ParticipantId, ParticipantInfo, Participants, Role,
};
use crate::sys::directory;
use crate::sys::fork::ProcessStamp;
use crate::sys::lock::{self, Range};
use crate::sys::notices::ObjectNotices;
use crate::sys::process;
use crate::wait::{Stop, Until, WaitLoop, pause};

/// How many taken slots a participant that joins checks for dead participants.
const SWEPT_AT_JOIN: u32 = 4;
/// How long a process that waits for a slot pauses between its looks: at first, and at the most.
const SLOT_PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(16)];

/// An object that this process has open and mapped, and in which it is present.
pub(crate) struct OpenObject {
    place: Place,
    /// The process that opened it.
    stamp: ProcessStamp,
    was_created: bool,
    /// Locked also while a slot is claimed: one claim at a time may use the file for such locks.
    presence: Mutex<Presence>,
    /// How long its waits spin, if the program decided it.
    spin_for: Option<Duration>,
    /// How long it waits for a slot if all are taken.
    slot_timeout: Duration,
}

enum Place {
    File(ObjectFile),
    Region(Storage),
}

/// How other processes see that this object is open: by its slots, or while it has none by a
/// locked byte of its own. An object in a region has no such byte, since it has no lifetime.
struct Presence {
    byte: Option<Range>,
    slots: u32,
}

impl OpenObject {
    /// Creates an object.
    pub(crate) fn create(name: &Name, choices: &Choices, new: &NewObject<'_>) -> Result<Self> {
        until_not_raced(choices, || match Self::try_create(name, choices, new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match clear_if_stale(name, choices)? {
                    true => Ok(Err(Raced)),
                    // The system's words would repeat it.
                    false => Err(Error::new(error.kind(), "an object has this name")),
                }
            }
            answer => answer,
        })
    }

    /// Opens the object with the name.
    pub(crate) fn open(name: &Name, choices: &Choices, mode: OpenMode) -> Result<Self> {
        until_not_raced(choices, || Self::try_open(name, choices, mode))
    }

    /// Opens the object with the name, or creates it. If the options say so, first removes an
    /// object that `fits` refuses and no process uses.
    pub(crate) fn open_or_create<'a>(
        name: &Name,
        choices: &Choices,
        fits: impl Fn(&ObjectLayout) -> Result<()>,
        new: impl Fn() -> Result<NewObject<'a>>,
    ) -> Result<Self> {
        until_not_raced(choices, || {
            if choices.replace_unused {
                clear_if_unsuitable(name, choices, &fits)?;
            }
            match Self::try_open(name, choices, OpenMode::WritableIfAllowed) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                answer => return answer,
            }
            match Self::try_create(name, choices, &new()?) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Err(Raced)),
                answer => answer,
            }
        })
    }

    fn try_create(
        name: &Name,
        choices: &Choices,
        new: &NewObject<'_>,
    ) -> Result<Result<Self, Raced>> {
        let stamp = ProcessStamp::of_this_process()?;
        let byte = presence::new_handle(stamp);
        let file = ObjectFile::create(&choices.directory(), name, new, byte)?;
        Ok(file.map(|file| Self::over(file, stamp, byte, choices).created()))
    }

    /// Opens the object. If it is stale, finishes its removal instead.
    fn try_open(name: &Name, choices: &Choices, mode: OpenMode) -> Result<Result<Self, Raced>> {
        let stamp = ProcessStamp::of_this_process()?;
        let file = match ObjectFile::open(&choices.directory(), name, mode, choices.trust)? {
            Ok(file) => file,
            Err(raced) => return Ok(Err(raced)),
        };
        let byte = presence::new_handle(stamp);
        let step_in = || {
            if lock::take(&file.locks.file, byte, lock::PRESENCE)? {
                return Ok(());
            }
            let why = "another process holds the byte that would show this one's presence";
            Err(Error::new(ErrorKind::Busy, why))
        };
        match removal::attach(&file, step_in)? {
            Attached::Present => {
                let open = Self::over(file, stamp, byte, choices);
                choices.check(open.layout())?;
                return Ok(Ok(open));
            }
            // Only a file that is open for writing too can be marked as removed.
            Attached::Stale if mode == OpenMode::ReadOnly => {
                drop(file);
                clear_if_stale(name, choices)?;
            }
            Attached::Stale => {
                removal::finish_removal(&file)?;
            }
            Attached::Raced => {}
        }
        Ok(Err(Raced))
    }

    /// Notes that this process created what it opened.
    pub(crate) fn created(mut self) -> Self {
        self.was_created = true;
        self
    }

    /// Lets others open a gated object that this process created.
    pub(crate) fn open_gate(&self) {
        if let Place::File(file) = &self.place {
            file.gate().release_gate();
        }
    }

    /// Returns whether this handle created the object.
    pub(crate) fn was_created(&self) -> bool {
        self.was_created
    }

    /// Takes over an object in a region of memory, which `attach` creates or opens.
    pub(crate) fn in_region(
        choices: &Choices,
        attach: impl FnOnce() -> Result<Storage>,
    ) -> Result<Self> {
        let stamp = ProcessStamp::of_this_process()?;
        let storage = attach()?;
        if !choices.death_notices {
            storage.notices.turn_off();
        }
        let presence = Presence { byte: None, slots: 0 };
        Ok(Self::at(Place::Region(storage), stamp, presence, choices))
    }

    /// Takes over a file in which this process is present.
    fn over(file: ObjectFile, stamp: ProcessStamp, byte: Range, choices: &Choices) -> Self {
        if !choices.death_notices {
            file.notices.turn_off();
        }
        let presence = Presence { byte: Some(byte), slots: 0 };
        Self::at(Place::File(file), stamp, presence, choices)
    }

    fn at(place: Place, stamp: ProcessStamp, presence: Presence, choices: &Choices) -> Self {
        let (spin_for, slot_timeout) = (choices.spin_for, choices.slot_timeout);
        let (was_created, presence) = (false, Mutex::new(presence));
        Self { place, stamp, was_created, presence, spin_for, slot_timeout }
    }

    /// Until when a participant that joins now waits for a slot.
    pub(crate) fn slot_until(&self) -> Until {
        if self.slot_timeout.is_zero() { Until::Now } else { Until::after(self.slot_timeout) }
    }

    /// A loop by which threads wait for what another process answers, with `bytes` bytes.
    pub(crate) fn answer_loop(&self, bytes: usize) -> WaitLoop {
        self.spin_for.map_or_else(|| WaitLoop::for_answer(bytes), WaitLoop::spinning_for)
    }

    /// A loop by which threads wait for a lock.
    pub(crate) fn lock_loop(&self) -> WaitLoop {
        self.spin_for.map_or_else(WaitLoop::for_lock, WaitLoop::spinning_for)
    }

    /// Returns what tells a handle when to ask whether the object was removed.
    pub(crate) fn removal_watch(&self) -> RemovalWatch {
        RemovalWatch::new(self.stamp)
    }

    /// Refuses an object that was inherited through `fork`.
    #[inline]
    pub(crate) fn check_not_forked(&self) -> Result<()> {
        if self.stamp.is_mine() { Ok(()) } else { Err(self.forked()) }
    }

    #[cold]
    fn forked(&self) -> Error {
        let why = "it belongs to the parent process: open the object again after fork";
        Error::new(ErrorKind::Forked, why).doing("use").on(self.label())
    }

    /// Refuses an object that was removed, by this library or by hand. One system call.
    pub(crate) fn check_not_removed(&self) -> Result<()> {
        if self.is_removed()? { Err(self.closed()) } else { Ok(()) }
    }

    /// Whether the object was removed. If that was by other means than this library, this retires
    /// the object where it can, so that all its users are told at once. The status is that of this
    /// very file, or an error: a descriptor that was closed and used again retires no other object.
    fn is_removed(&self) -> Result<bool> {
        let file = match &self.place {
            _ if self.is_retired() => return Ok(true),
            Place::File(file) => file,
            Place::Region(_) => return Ok(false),
        };
        let is_unlinked = file.is_unlinked()?;
        if is_unlinked && file.is_writable() && directory::UNLINKED_FOR_GOOD {
            self.retire();
        }
        Ok(is_unlinked)
    }

    #[cold]
    pub(crate) fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, REMOVED).doing("use").on(self.label())
    }

    fn lock_presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot. If all are taken, waits for one as long as `until` says.
    pub(crate) fn claim_slot(&self, role: Role, until: Until) -> Result<ParticipantId> {
        self.check_not_forked()?;
        self.check_writable().map_err(|error| match &self.place {
            Place::File(file) => or_read_only(error, &file.path),
            Place::Region(_) => error,
        })?;
        let who = ParticipantInfo {
            pid: std::process::id(),
            role,
            joined_unix_ns: process::unix_time_ns(),
            program: process::program(),
        };
        match self.try_claim(0, |participants| participants.claim(&who)) {
            Err(error) if error.kind() == ErrorKind::Full => self.wait_for_slot(&who, until, error),
            answer => answer,
        }
    }

    /// Takes a slot when one is free. At the timeout, this returns `full`.
    #[cold]
    fn wait_for_slot(
        &self,
        who: &ParticipantInfo,
        until: Until,
        full: Error,
    ) -> Result<ParticipantId> {
        let [mut interval, longest] = SLOT_PAUSES;
        for round in 1.. {
            let now = Instant::now();
            if until.is_over(now) {
                break;
            }
            pause(until.or_before(now + interval)).map_err(Stop::error)?;
            interval = longest.min(2 * interval);
            self.check_not_removed()?;
            // All waiters together sweep all slots, so that none of them has to ask for each slot.
            match self.try_claim(round, |participants| participants.claim_free(who)) {
                Err(error) if matches!(error.kind(), ErrorKind::Full | ErrorKind::Busy) => {}
                answer => return answer,
            }
        }
        Err(full)
    }

    /// Takes the slot that `claim` finds, after a sweep of a few slots, other ones in each `round`.
    fn try_claim(
        &self,
        round: u32,
        claim: impl FnOnce(Participants<'_>) -> Result<ParticipantId>,
    ) -> Result<ParticipantId> {
        let mut presence = self.lock_presence();
        if let Place::File(file) = &self.place {
            file.open_for_slots()?;
        }
        // Another start for each handle: in the long run every slot is checked.
        let first = presence.byte.map_or(0, |byte| byte.start % u64::from(MAX_PARTICIPANTS)) as u32;
        let first = first.wrapping_add(round.wrapping_mul(SWEPT_AT_JOIN));
        self.participants().sweep(first, SWEPT_AT_JOIN);
        let me = claim(self.participants())?;
        presence.slots += 1;
        self.notices.set_place(me.slot());
        // Present by the slot from here on, so that a writer is not counted as a reader too.
        if let Some(byte) = presence.byte {
            lock::unlock(&self.locks.file, byte);
        }
        Ok(me)
    }

    /// Leaves a slot.
    pub(crate) fn release_slot(&self, me: ParticipantId) {
        if !self.stamp.is_mine() {
            return;
        }
        let mut presence = self.lock_presence();
        presence.slots -= 1;
        if self.locks.check_open().is_err() {
            // The locks ended with the descriptor, and its number may belong to another file.
            return self.participants().clear(me);
        }
        let locked = |byte| lock::take(&self.locks.file, byte, lock::PRESENCE).unwrap_or(false);
        let is_still_present = presence.slots > 0 || presence.byte.is_none_or(locked);
        if is_still_present {
            return self.participants().leave(me);
        }
        // Another process holds the byte. The lock of the slot, which is free from here on, shows
        // this process's presence until it closes the object.
        self.participants().clear(me);
    }

    /// How messages name the participant with this id, which may be dead.
    pub(crate) fn peer(&self, id: ParticipantId) -> Peer {
        let info = self.participants().info_of(id);
        let (pid, program) = (info.map(|info| info.pid), info.map(|info| info.program()));
        Peer { slot: id.slot(), pid, program }
    }
}

impl Deref for OpenObject {
    type Target = Storage;

    fn deref(&self) -> &Storage {
        match &self.place {
            Place::File(file) => file,
            Place::Region(storage) => storage,
        }
    }
}

impl fmt::Debug for OpenObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenObject").field(&self.label()).finish()
    }
}

impl Liveness for OpenObject {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.participants().is_dead(id)
    }

    fn reap_if_dead(&self, id: ParticipantId) -> bool {
        self.participants().reap(id)
    }

    fn object_is_removed(&self) -> bool {
        self.is_removed().unwrap_or(false)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        Some(self.notices.about(&**self))
    }
}

impl Drop for OpenObject {
    fn drop(&mut self) {
        if !self.stamp.is_mine() {
            return;
        }
        crash_point!("leave: still mapped");
        let byte = self.lock_presence().byte;
        let (Place::File(file), Some(byte)) = (&mut self.place, byte) else { return };
        if !file.is_writable() {
            return;
        }
        if !file.is_while_used() {
            return file.unlock_at_close(byte);
        }
        // After a closed descriptor, the locks of its number may be those of another file.
        if file.locks.file.check_open().is_ok() {
            // If this process does not get the gate, the next opener finds the object stale, and
            // removes it.
            let _ = removal::leave(file, || lock::unlock(&file.locks.file, byte));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
