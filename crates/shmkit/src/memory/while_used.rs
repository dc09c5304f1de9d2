//! Named memory that is removed with its last user.
//!
//! A user is an open file description: it lasts as long as any process has a descriptor or a
//! mapping of it. So a forked child is a user, and a process that a descriptor was passed on to.
//! Each handle locks the byte [`USED`] through its description, so the kernel says whether there is
//! a user, also after a kill. A handle or region that ends asks for that through another
//! description, since one does not see its own locks.
//!
//! The gate is that of objects: a process that attaches holds it in shared mode, one that removes
//! in exclusive mode, and both check under it that the name still leads to the memory. The reasons
//! are at the head of `object/removal.rs`. Other libraries remove a name without the gate: if one
//! does, and gives the name to other memory, between the check and the removal, that is removed.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::Trust;
use super::attempts::{ATTEMPTS, contended};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{FileType, Identity, Opening, Status};
use crate::sys::file;
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode, Range};
use crate::sys::memory;

const USED: Range = Range::byte(Range::GATE.start + 1);
/// How long other processes may keep the gate before `Busy`.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same for a user that ends: the next process that asks for the name finishes the removal.
const LEAVING_PATIENCE: Duration = Duration::from_millis(100);

/// Removes the name when it is dropped, if no user is left. So it is dropped after the file or the
/// mapping of a user.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    name: Arc<str>,
    identity: Identity,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let _ = remove_if_unused(&self.name, self.identity, LEAVING_PATIENCE);
    }
}

/// Makes a file that was opened or created under the name a user of its memory. `None` if the
/// memory has lost its name; or, unless it `is_new`, if it has no user: then this removes it.
///
/// CRASH: dying anywhere in it leaves the name to the next process that asks for it.
pub(super) fn attach(
    file: &File,
    name: &str,
    identity: Identity,
    is_new: bool,
) -> Result<Option<Leaving>> {
    crash_point!("memory: not yet used");
    acquire_gate(file, Mode::Shared, PATIENCE)?;
    let step_in = || -> Result<bool> {
        let is_used = is_new || lock::is_locked(file, USED)?;
        let is_current = is_used && !memory::is_removed(name, identity)?;
        crash_point!("memory: gate passed");
        Ok(is_current && lock::try_lock(file, USED, Mode::Shared)?)
    };
    let is_in = step_in();
    lock::unlock(file, Range::GATE);
    if is_in? {
        return Ok(Some(Leaving { name: name.into(), identity }));
    }
    remove_if_unused(name, identity, PATIENCE).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => {
            error.because("its last user has ended, and this user may not remove it")
        }
        _ => error,
    })?;
    Ok(None)
}

/// Removes the memory that has the name if it is to end with its last user, and that has ended.
/// Returns whether the name is free.
pub(super) fn clear_if_unused(name: &str, trust: Trust) -> Result<bool> {
    let open = || file::status(&memory::open(name, Opening::ReadOnly)?);
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Ok(status) if is_while_used(&status) && trust.check(status.owner).is_ok() => {
            remove_if_unused(name, status.identity, PATIENCE)
        }
        _ => Ok(false),
    }
}

/// Whether memory with this status is removed with its last user.
pub(super) fn is_while_used(status: &Status) -> bool {
    status.file_type == FileType::Regular && status.mode.is_some_and(memory::is_while_used)
}

/// Removes the name, whether the memory has users or not.
pub(super) fn remove(name: &str) -> Result<()> {
    for _ in 0..ATTEMPTS {
        match open_to_remove(name) {
            Ok((file, status)) if is_while_used(&status) => {
                acquire_gate(&file, Mode::Exclusive, PATIENCE)?;
                if !memory::is_removed(name, status.identity)? {
                    return memory::remove(name);
                }
            }
            // What cannot be opened is left to the answer of the system.
            Ok(_) | Err(_) => return memory::remove(name),
        }
    }
    Err(contended())
}

fn open_to_remove(name: &str) -> Result<(LockFile, Status)> {
    LockFile::open_with_status(|| {
        let file = memory::open(name, Opening::ReadWrite)?;
        let status = file::status(&file)?;
        Ok((file, status))
    })
}

/// Removes the name if it leads to this memory, and no user is left. Returns whether it does not
/// lead to the memory any more.
fn remove_if_unused(name: &str, identity: Identity, patience: Duration) -> Result<bool> {
    let (file, status) = match open_to_remove(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    if status.identity != identity || !is_while_used(&status) {
        return Ok(true);
    }
    acquire_gate(&file, Mode::Exclusive, patience)?;
    if lock::is_locked(&file, USED)? {
        return Ok(false);
    }
    crash_point!("memory: found unused");
    if !memory::is_removed(name, identity)? {
        memory::remove(name)?;
    }
    Ok(true)
}

/// Acquires the gate. It is released by `unlock`, or with the open file description.
fn acquire_gate(file: &File, mode: Mode, patience: Duration) -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    while !lock::try_lock(file, Range::GATE, mode)? {
        if waited >= patience {
            let why = format!("other processes kept opening or removing it for {patience:?}");
            return Err(Error::new(ErrorKind::Busy, why));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    Ok(())
}
