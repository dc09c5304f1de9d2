//! A handle on an object: how it is got, what it promises while it lives, how it ends.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::layout::{Kind, NewObject, ObjectLayout};
use super::lifetime::{self, GateLock, RemovalTarget};
use super::name::Name;
use super::object_file::{ObjectFile, OpenMode, Raced};
use super::options::{Options, same_option};
use super::participants::{ParticipantId, ParticipantInfo, Participants, Role};
use super::presence;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::View;
use crate::sys::directory::Opening;
use crate::sys::fork::Stamp;
use crate::sys::lock::{self, Range};
use crate::sys::process;

/// How often a name may change hands under an opener before `Busy`.
const MAX_TRIES: u32 = 1000;
/// How many slots an attaching process asks about on behalf of the dead.
const SWEPT_AT_ATTACH: u32 = 4;

/// An object that this process has open, and is present in.
pub(crate) struct OpenObject {
    object_file: ObjectFile,
    stamp: Stamp,
    presence: Mutex<Presence>,
}

/// How the kernel knows of this handle: by its ids, or while it has none by a shared byte.
struct Presence {
    byte: Range,
    ids: u32,
}

impl OpenObject {
    /// Makes a new object.
    pub(crate) fn create(name: &Name, options: &Options, contents: &NewObject) -> Result<Self> {
        let directory = options.directory();
        let stamp = Stamp::of_this_process()?;
        for _ in 0..MAX_TRIES {
            let byte = presence::new_handle(stamp);
            match ObjectFile::create(&directory, name, options, contents, byte) {
                Ok(Ok(object_file)) => return Ok(Self::present(object_file, stamp, byte)),
                Ok(Err(Raced)) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !clear_if_stale(name, options)? {
                        return Err(error.because("an object has this name"));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(too_busy())
    }

    /// Opens the object that has the name.
    pub(crate) fn open(name: &Name, options: &Options, want: OpenMode) -> Result<Self> {
        let directory = options.directory();
        let stamp = Stamp::of_this_process()?;
        for tries in 0..MAX_TRIES {
            let Ok(object_file) = ObjectFile::meet(&directory, name, want, options.trust)? else {
                pause(tries);
                continue;
            };
            if lifetime::is_stale(&object_file)? {
                // Closing releases the gate. To finish the removal takes a handle that may write.
                drop(object_file);
                clear_if_stale(name, options)?;
                continue;
            }
            let byte = presence::new_handle(stamp);
            if !lock::take(&object_file.lock_file, byte, lock::PRESENCE)? {
                let why = "another process keeps the place where this one would be known";
                return Err(Error::new(ErrorKind::Busy, why));
            }
            crash_point!("open: present");
            let object = Self::present(object_file, stamp, byte);
            object.check_options(options)?;
            return Ok(object);
        }
        Err(too_busy())
    }

    /// Opens the object that has the name, or makes it where nothing has. True if it was made.
    pub(crate) fn open_or_create(
        name: &Name,
        options: &Options,
        contents: &NewObject,
    ) -> Result<(Self, bool)> {
        for _ in 0..MAX_TRIES {
            match Self::open(name, options, OpenMode::Allowed) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                answer => return Ok((answer?, false)),
            }
            match Self::create(name, options, contents) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                answer => return Ok((answer?, true)),
            }
        }
        Err(too_busy())
    }

    /// Ends the attaching of a object_file whose gate is held, and in which this handle is present.
    fn present(object_file: ObjectFile, stamp: Stamp, byte: Range) -> Self {
        object_file.lock_file.release_gate();
        if object_file.opening == Opening::ReadWrite {
            // A start that differs from handle to handle: in the long run every slot is met.
            let first = (byte.start % u64::from(ObjectLayout::MAX_PARTICIPANTS)) as u32;
            object_file.participants().sweep(&object_file, first, SWEPT_AT_ATTACH);
        }
        Self { object_file, stamp, presence: Mutex::new(Presence { byte, ids: 0 }) }
    }

    fn check_options(&self, asked: &Options) -> Result<()> {
        let layout = self.layout();
        same_option("access", asked.access, layout.access, |it| it.as_str().into())?;
        same_option("lifetime", asked.lifetime, layout.lifetime, |it| it.as_str().into())?;
        let read_only_peers = layout.admits_read_only_peers();
        same_option("read-only peers", asked.read_only_peers, read_only_peers, |it| {
            if it { "on".into() } else { "off".into() }
        })?;
        let most = layout.participants_count;
        same_option("the most participants", asked.participants, most, |it| it.to_string())
    }

    pub(crate) fn layout(&self) -> &ObjectLayout {
        &self.object_file.layout
    }

    pub(crate) fn name(&self) -> &Name {
        &self.object_file.name
    }

    pub(crate) fn payload(&self) -> View<'_> {
        self.object_file.payload()
    }

    #[cfg(test)]
    pub(crate) fn object_file(&self) -> &ObjectFile {
        &self.object_file
    }

    /// Whether this handle may write to the object's memory at all.
    pub(crate) fn is_writable(&self) -> bool {
        self.object_file.opening == Opening::ReadWrite
    }

    /// Refuses a handle that was inherited through `fork`.
    #[inline]
    pub(crate) fn check_not_forked(&self) -> Result<()> {
        if self.stamp.is_mine() { Ok(()) } else { Err(self.forked()) }
    }

    #[cold]
    fn forked(&self) -> Error {
        let why = "the handle is the parent process's: open the object again after fork";
        Error::new(ErrorKind::Forked, why).doing("use").on(self.name())
    }

    /// Refuses an object that was removed, by us or by hand. One system call.
    pub(crate) fn check_not_removed(&self) -> Result<()> {
        if self.object_file.is_retired() || self.object_file.is_unlinked()? {
            return Err(self.closed());
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, "the object was removed").doing("use").on(self.name())
    }

    fn lock_presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot in this object.
    pub(crate) fn join(&self, role: Role) -> Result<ParticipantId> {
        self.check_not_forked()?;
        self.object_file.check_writable()?;
        let who = ParticipantInfo {
            pid: std::process::id(),
            role,
            joined_unix_ns: process::unix_time_ns(),
            program: process::program(),
        };
        let mut presence = self.lock_presence();
        let id = self.participants().claim(&self.object_file, &who)?;
        presence.ids += 1;
        // Present by the id from here on, so that a writer is not counted as a reader too.
        lock::unlock(&self.object_file.lock_file, presence.byte);
        Ok(id)
    }

    /// Gives a slot up.
    pub(crate) fn give_up(&self, id: ParticipantId) {
        if !self.stamp.is_mine() {
            return;
        }
        let mut presence = self.lock_presence();
        presence.ids -= 1;
        let (lock_file, byte) = (&self.object_file.lock_file, presence.byte);
        if presence.ids > 0 || lock::take(lock_file, byte, lock::PRESENCE).unwrap_or(false) {
            return self.participants().leave(&self.object_file, id);
        }
        // Somebody keeps the byte: present by the lock of a slot that is nobody's, until the end.
        self.participants().clear(id);
    }

    pub(crate) fn participants(&self) -> Participants<'_> {
        self.object_file.participants()
    }

    /// How many participants died, and the last who is still in its slot.
    pub(crate) fn deaths(&self) -> (u16, Option<ParticipantId>) {
        self.participants().deaths(&self.object_file)
    }

    pub(crate) fn is_dead(&self, id: ParticipantId) -> bool {
        self.participants().is_dead(&self.object_file, id)
    }

    /// The same, and a dead one's slot is freed before the answer.
    pub(crate) fn reap_if_dead(&self, id: ParticipantId) -> bool {
        self.is_dead(id) && {
            self.participants().reap(&self.object_file, id.slot);
            true
        }
    }

    /// Whether nobody who lives has the slot. A dead one's is freed before the answer.
    pub(crate) fn reap_slot(&self, slot: u32) -> bool {
        self.participants().reap(&self.object_file, slot)
    }

    /// Whether this is the process that opened it, and no forked child.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.stamp.is_mine()
    }

    /// How messages call one who has, or had, this id: by what it said of itself, and its slot.
    pub(crate) fn shown(&self, id: ParticipantId) -> String {
        match self.participants().info_of(id) {
            Some(who) => format!("{}, in slot {},", who.shown(), id.slot),
            None => format!("a process that was in slot {},", id.slot),
        }
    }
}

impl Drop for OpenObject {
    fn drop(&mut self) {
        if !self.stamp.is_mine() {
            return;
        }
        let byte = self.lock_presence().byte;
        if !self.is_writable() {
            return;
        }
        // Where the gate stays shut the next opener finds the object stale and removes it.
        let _ =
            lifetime::leave(&self.object_file, || lock::unlock(&self.object_file.lock_file, byte));
    }
}

/// Looks at an object without being present in it: for listing and repairs.
pub(crate) fn observe(name: &Name, options: &Options) -> Result<ObjectFile> {
    let directory = options.directory();
    for tries in 0..MAX_TRIES {
        if let Ok(object_file) =
            ObjectFile::meet(&directory, name, OpenMode::Allowed, options.trust)?
        {
            object_file.lock_file.release_gate();
            return Ok(object_file);
        }
        pause(tries);
    }
    Err(too_busy())
}

/// Removes the object that has the name, whoever uses it. They are told `Closed`.
pub(crate) fn remove(name: &Name, options: &Options) -> Result<()> {
    for _ in 0..MAX_TRIES {
        let object_file = observe(name, options)?;
        let was_stale = lifetime::is_stale(&object_file)?;
        if lifetime::remove(&object_file)? && !was_stale {
            return Ok(());
        }
    }
    Err(too_busy())
}

/// Finishes the removal of a stale object. True if this call took the name away.
pub(crate) fn finish_removal(object_file: &ObjectFile) -> Result<bool> {
    lifetime::finish_removal(object_file)
}

/// [`remove`], for a name as the user wrote it.
pub(crate) fn remove_named(name: &str, options: &Options) -> Result<()> {
    remove(&Name::new(name)?, options).map_err(|error| error.doing("remove").on(name))
}

fn clear_if_stale(name: &Name, options: &Options) -> Result<bool> {
    match observe(name, options) {
        Ok(object_file) if lifetime::is_stale(&object_file)? => {
            lifetime::finish_removal(&object_file)?;
            Ok(true)
        }
        Ok(_) => Ok(false),
        // Gone by now: the name is free.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        // Not ours, or not to be read: it has the name all the same.
        Err(_) => Ok(false),
    }
}

fn pause(tries: u32) {
    if tries > 10 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn too_busy() -> Error {
    Error::new(ErrorKind::Busy, "others keep replacing it")
}

/// Refuses an object of another kind than the one asked for.
pub(crate) fn check_kind(found: Kind, asked: Kind) -> Result<()> {
    if found == asked {
        return Ok(());
    }
    let why = format!("it is of kind {}, and {} was asked for", found.as_str(), asked.as_str());
    Err(Error::new(ErrorKind::WrongKind, why))
}

#[cfg(all(test, not(loom)))]
mod tests;
