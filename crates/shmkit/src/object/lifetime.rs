//! When an object's name goes away: the gate.
//!
//! Two processes and no kill suffice to split a name: one, the last out, decides to remove the
//! object; another opens it; the first unlinks; a third makes a new one under the name. So whoever
//! attaches holds the gate, a byte lock of the file, in shared mode, and whoever removes holds it
//! alone. Under the gate, and before unlinking, the remover makes sure that the name still leads
//! to the file whose gate it holds.
//!
//! An object is stale if it was retired, or if it is only for as long as it is used and nobody
//! is present. Whoever meets a stale object finishes its removal. Retiring changes every word that
//! can be waited on and then wakes, so whoever still has the old object is told `Closed`.
//!
//! A model of three processes and two kills has no end in which somebody uses a live object whose
//! name another took.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::lock::Mode;

/// How long others may keep the gate before `Busy`.
pub(crate) const GATE_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a handle that is dropped: the next opener finishes what it leaves.
const LEAVING_PATIENCE: Duration = Duration::from_millis(100);

/// A lock that attaching shares and removing has alone.
pub(crate) trait GateLock {
    /// Takes the gate if nobody is in the way.
    fn try_gate(&self, mode: Mode) -> Result<bool>;
    /// Gives the gate up.
    fn release_gate(&self);
    /// Waits a little, the longer the more tries there were; false when `patience` is over.
    fn pause(&self, tries: u32, patience: Duration) -> bool;
}

/// What the protocol needs of an object and its name.
pub(crate) trait RemovalTarget {
    type Gate: GateLock;

    /// The object's gate.
    fn gate(&self) -> &Self::Gate;
    /// Whether the name leads to this object.
    fn is_named(&self) -> Result<bool>;
    /// Whether any process has the object open, this one included.
    fn anyone_present(&self) -> Result<bool>;
    /// Whether it was retired.
    fn is_retired(&self) -> bool;
    /// Whether it goes when nobody uses it.
    fn is_while_used(&self) -> bool;
    /// Whether an earlier run of the machine left it.
    fn is_of_earlier_boot(&self) -> bool;
    /// Marks it retired, changes every word that can be waited on, and wakes.
    fn retire(&self) -> Result<()>;
    /// Refuses where this process may not take the name away.
    fn check_removable(&self) -> Result<()>;
    /// Takes the name away.
    fn unlink(&self) -> Result<()>;
}

/// Waits until it has the gate, for as long as `patience` lasts.
pub(crate) fn pass_gate(gate: &impl GateLock, mode: Mode, patience: Duration) -> Result<()> {
    let mut tries = 0;
    while !gate.try_gate(mode)? {
        tries += 1;
        if !gate.pause(tries, patience) {
            let waited = patience.as_millis();
            let why = format!("others have been opening or removing it for more than {waited} ms");
            return Err(Error::new(ErrorKind::Busy, why));
        }
    }
    Ok(())
}

/// The gate in exclusive mode, until dropped.
struct Gate<'a, G: GateLock>(&'a G);

impl<'a, G: GateLock> Gate<'a, G> {
    fn pass(gate: &'a G, patience: Duration) -> Result<Self> {
        pass_gate(gate, Mode::Exclusive, patience)?;
        Ok(Self(gate))
    }
}

impl<G: GateLock> Drop for Gate<'_, G> {
    fn drop(&mut self) {
        self.0.release_gate();
    }
}

/// Whether nobody may open the object any more.
pub(crate) fn is_stale(ground: &impl RemovalTarget) -> Result<bool> {
    if ground.is_retired() {
        return Ok(true);
    }
    Ok((ground.is_while_used() || ground.is_of_earlier_boot()) && !ground.anyone_present()?)
}

/// Removes the object, whoever uses it. True if this call took the name away.
pub(crate) fn remove(ground: &impl RemovalTarget) -> Result<bool> {
    // Before anything is changed: a retired object under a name that stays would block it.
    ground.check_removable()?;
    crash_point!("retire: gate not yet held");
    let _gate = Gate::pass(ground.gate(), GATE_PATIENCE)?;
    retire_and_unlink(ground)
}

/// Finishes the removal of an object that was found stale. True if this call took the name away.
pub(crate) fn finish_removal(ground: &impl RemovalTarget) -> Result<bool> {
    ground.check_removable()?;
    crash_point!("retire: gate not yet held");
    let _gate = Gate::pass(ground.gate(), GATE_PATIENCE)?;
    // Between the shared gate in which it was found stale and this one anything may have happened.
    if !is_stale(ground)? {
        return Ok(false);
    }
    retire_and_unlink(ground)
}

/// Leaves the object, and takes it away if it is for use only and nobody else is present.
///
/// `step_out` ends this handle's own presence.
pub(crate) fn leave(ground: &impl RemovalTarget, step_out: impl FnOnce()) -> Result<()> {
    if !ground.is_while_used() || ground.check_removable().is_err() {
        step_out();
        return Ok(());
    }
    let gate = Gate::pass(ground.gate(), LEAVING_PATIENCE);
    crash_point!("leave: gate held");
    step_out();
    // Without the gate the object stays for the next opener to find stale.
    let _gate = gate?;
    if !ground.anyone_present()? {
        crash_point!("leave: nobody else present");
        retire_and_unlink(ground)?;
    }
    Ok(())
}

fn retire_and_unlink(ground: &impl RemovalTarget) -> Result<bool> {
    // CRASH: from here on every opener finds it retired, and goes through `finish_removal`.
    ground.retire()?;
    if !ground.is_named()? {
        return Ok(false);
    }
    ground.unlink()?;
    crash_point!("retire: unlinked");
    Ok(true)
}

#[cfg(all(test, loom))]
mod model;
