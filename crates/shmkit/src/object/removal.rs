//! Removing an object's name: the gate, and what is stale.
//!
//! Without the gate, processes could use two objects under one name, even if none is killed: the
//! last user decides to remove the object; another process opens it; the first unlinks it; a third
//! process creates a new object under the name. So a process that attaches holds the gate, a byte
//! lock of the file, in shared mode, and a process that removes holds it in exclusive mode. Under
//! the gate, and before unlinking, the remover checks that the name still leads to the file whose
//! gate it holds.
//!
//! Most objects are removed only on request, also while processes use them. A process attaches to
//! them without the gate: a removal meanwhile could as well have come right after it. It passes the
//! gate of an object that was created locked, whose creator holds the gate until it has the lock.
//!
//! An object is stale if it was retired, or if no process is present and its lifetime is while used
//! or it is from an earlier boot of the machine. A process that finds a stale object finishes its
//! removal. Retiring changes every word that can be waited on and then wakes, so a process that
//! still has the old object gets `Closed`.
//!
//! Models of two processes, of which one can be killed, reach no state in which a process uses a
//! live object while the name belongs to another object: with either lifetime.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::lock::Mode;

/// How long other processes may keep the gate before `Busy`.
pub(crate) const GATE_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a handle that is dropped: the next opener finishes a removal that it leaves.
const LEAVING_PATIENCE: Duration = Duration::from_millis(100);

/// A lock: attaching holds it in shared mode, removing in exclusive mode.
pub(crate) trait GateLock {
    /// Acquires the gate if no other process excludes that.
    fn try_gate(&self, mode: Mode) -> Result<bool>;
    /// Releases the gate.
    fn release_gate(&self);
    /// Pauses, longer after more `tries`; false when `patience` is over.
    fn pause(&self, tries: u32, patience: Duration) -> bool;
}

/// What the protocol needs from an object and its name.
pub(crate) trait RemovalTarget {
    type Gate: GateLock;

    /// The object's gate.
    fn gate(&self) -> &Self::Gate;
    /// Whether the name leads to this object.
    fn is_named(&self) -> Result<bool>;
    /// Whether any handle has the object open. The byte by which this handle is present does not
    /// count.
    fn is_anyone_present(&self) -> Result<bool>;
    /// Whether it is retired.
    fn is_retired(&self) -> bool;
    /// Whether it was retired when its header was read. This does not touch its memory.
    fn was_retired(&self) -> bool;
    /// Whether it is removed when no process uses it.
    fn is_while_used(&self) -> bool;
    /// Whether it is from an earlier boot of the machine.
    fn is_of_earlier_boot(&self) -> bool;
    /// Whether its creator may still hold the gate, to keep others out.
    fn is_gated(&self) -> bool;
    /// Marks it retired, changes every word that can be waited on, and wakes.
    fn retire(&self);
    /// Returns an error if this process may not remove the name.
    fn check_removable(&self) -> Result<()>;
    /// Removes the name.
    fn unlink(&self) -> Result<()>;
}

/// Acquires the gate, and waits up to `patience` for it.
pub(crate) fn acquire_gate(gate: &impl GateLock, mode: Mode, patience: Duration) -> Result<()> {
    let mut tries = 0;
    while !gate.try_gate(mode)? {
        tries += 1;
        if !gate.pause(tries, patience) {
            let waited = patience.as_millis();
            let why = format!("other processes kept opening or removing it for {waited} ms");
            return Err(Error::new(ErrorKind::Busy, why));
        }
    }
    Ok(())
}

/// The gate, until dropped.
struct Gate<'a, G: GateLock>(&'a G);

impl<'a, G: GateLock> Gate<'a, G> {
    fn acquire(gate: &'a G, mode: Mode, patience: Duration) -> Result<Self> {
        acquire_gate(gate, mode, patience)?;
        Ok(Self(gate))
    }
}

impl<G: GateLock> Drop for Gate<'_, G> {
    fn drop(&mut self) {
        self.0.release_gate();
    }
}

/// Whether no process may open the object any more.
pub(crate) fn is_stale(target: &impl RemovalTarget) -> Result<bool> {
    if target.is_retired() {
        return Ok(true);
    }
    Ok(presence_decides(target) && !target.is_anyone_present()?)
}

/// Whether the object is stale if no process is present.
fn presence_decides(target: &impl RemovalTarget) -> bool {
    target.is_while_used() || target.is_of_earlier_boot()
}

/// What came of an attempt to attach.
pub(crate) enum Attached {
    /// This process is present.
    Present,
    /// The object is stale: its removal must be finished.
    Stale,
    /// The name leads to another object by now, or to none.
    Raced,
}

/// Attaches to an object that was just opened. `step_in` makes this process present.
pub(crate) fn attach(
    target: &impl RemovalTarget,
    step_in: impl FnOnce() -> Result<()>,
) -> Result<Attached> {
    let mut is_stale_now = target.was_retired();
    let mut _gate = None;
    if target.is_gated() || presence_decides(target) {
        _gate = Some(Gate::acquire(target.gate(), Mode::Shared, GATE_PATIENCE)?);
        if !target.is_named()? {
            return Ok(Attached::Raced);
        }
        is_stale_now = is_stale(target)?;
    }
    crash_point!("open: gate passed");
    if is_stale_now {
        return Ok(Attached::Stale);
    }
    step_in()?;
    crash_point!("open: present");
    Ok(Attached::Present)
}

/// Removes the object, even if processes use it. True if this call removed the name.
pub(crate) fn remove(target: &impl RemovalTarget) -> Result<bool> {
    remove_if(target, |_| Ok(true))
}

/// Finishes the removal of an object that was found stale. True if this call removed the name.
pub(crate) fn finish_removal(target: &impl RemovalTarget) -> Result<bool> {
    // The state may have changed since it was found stale under the shared gate.
    remove_if(target, is_stale)
}

/// Removes the object, unless a process uses it. Returns whether it stays because one does: false
/// also says that it was removed before, by this process or by another.
pub(crate) fn remove_unless_used(target: &impl RemovalTarget) -> Result<bool> {
    let mut is_used = false;
    remove_if(target, |target| {
        is_used = !target.is_retired() && target.is_anyone_present()?;
        Ok(!is_used)
    })?;
    Ok(is_used)
}

fn remove_if<T: RemovalTarget>(target: &T, may: impl FnOnce(&T) -> Result<bool>) -> Result<bool> {
    // Before any change: a retired object would block its name if the name cannot be removed.
    target.check_removable()?;
    crash_point!("retire: gate not yet held");
    let _gate = Gate::acquire(target.gate(), Mode::Exclusive, GATE_PATIENCE)?;
    Ok(may(target)? && retire_and_unlink(target)?)
}

/// Leaves the object, and removes it if its lifetime is while used and no other process is present.
///
/// `step_out` ends this handle's own presence.
pub(crate) fn leave(target: &impl RemovalTarget, step_out: impl FnOnce()) -> Result<()> {
    if !target.is_while_used() || target.check_removable().is_err() {
        step_out();
        return Ok(());
    }
    let gate = Gate::acquire(target.gate(), Mode::Exclusive, LEAVING_PATIENCE);
    crash_point!("leave: gate held");
    step_out();
    // Without the gate the object stays, and the next opener finds it stale.
    let _gate = gate?;
    if !target.is_anyone_present()? {
        crash_point!("leave: nobody else present");
        retire_and_unlink(target)?;
    }
    Ok(())
}

fn retire_and_unlink(target: &impl RemovalTarget) -> Result<bool> {
    // CRASH: from here on every opener finds it retired, and goes through `finish_removal`.
    target.retire();
    if !target.is_named()? {
        return Ok(false);
    }
    target.unlink()?;
    crash_point!("retire: unlinked");
    Ok(true)
}

#[cfg(all(test, loom))]
mod model;
