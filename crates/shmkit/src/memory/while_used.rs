//! Named memory that is removed with its last user.
//!
//! A user is an open file description: it lasts as long as any process has a descriptor or a
//! mapping of it, also a forked child, and one that a descriptor was passed on to. Each handle
//! locks the byte [`USED`] through its description, so the kernel says whether there is a user,
//! also after a kill. A handle or region that ends asks for that through another description, since
//! one does not see its own locks.
//!
//! The gate is that of objects: who attaches holds it in shared mode, who removes in exclusive
//! mode, and both check under it that the name still leads to the memory. The proof is at the head
//! of `object/removal.rs`.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::Trust;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{Identity, Opening, Status};
use crate::sys::file;
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode, Range};
use crate::sys::memory;

const GATE: Range = Range::byte(1 << 62);
const USED: Range = Range::byte((1 << 62) + 1);
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
    lock::unlock(file, GATE);
    if is_in? {
        return Ok(Some(Leaving { name: name.into(), identity }));
    }
    remove_if_unused(name, identity, PATIENCE)?;
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
    status.mode.is_some_and(memory::is_while_used)
}

/// Removes the name if it leads to this memory, and no user is left. Returns whether it does not
/// lead to the memory any more.
fn remove_if_unused(name: &str, identity: Identity, patience: Duration) -> Result<bool> {
    let file = match LockFile::open(|| memory::open(name, Opening::ReadWrite)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    if file.identity() != identity {
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
    while !lock::try_lock(file, GATE, mode)? {
        if waited >= patience {
            let why = format!("other processes kept opening or removing it for {patience:?}");
            return Err(Error::new(ErrorKind::Busy, why));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    Ok(())
}
