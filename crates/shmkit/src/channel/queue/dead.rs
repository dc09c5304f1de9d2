//! Messages that are set aside: listed, given back, dropped.
//!
//! A message is set aside where it is: it keeps its slot, and counts for the depth of the queue.
//! A state that says ASIDE names the position of its message, and no other message of the slot has
//! that state. So a process that copies a message, and then finds the state unchanged, has copied
//! that message; and one that changes it changes no other.

use super::Queue;
use super::giving_back::letter_number;
use super::protocol::QueueWords;
use super::slots::{Info, State};
use crate::channel::latest::receive;
use crate::error::Result;
use crate::memory::atomic::{Ordering, fence};
use crate::memory::copy::copy_out;
use crate::shareable::Shareable;

/// A message that is set aside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter<T> {
    /// Its number, for [`Queue::requeue_dead`] and [`Queue::drop_dead`]. Later messages have larger
    /// numbers.
    pub number: u64,
    /// The priority with which it was sent.
    pub priority: u32,
    /// How often it was handed to a receiver.
    pub deliveries: u32,
    /// Its value. None if its bytes are not a value of the type.
    pub value: Option<T>,
}

impl<T: Shareable> Queue<T> {
    /// Returns the messages that are set aside, the oldest first.
    ///
    /// A message is set aside when it was handed over as often as the [limit of
    /// deliveries](crate::Options::delivery_limit) allows, and then given back, or left by a
    /// receiver that died; when a receiver [rejected](super::Received::reject) it; or when its
    /// bytes were not a value of the type.
    ///
    /// # Errors
    ///
    /// `Forked`.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter<T>>> {
        self.handle.object.check_not_forked()?;
        let mut letters = letters(self.handle.queue());
        letters.sort_by_key(|letter| letter.number);
        Ok(letters)
    }

    /// Gives a message that is set aside back to the receivers, at its old place. It is handed over
    /// once more: if it is then given back again, or its receiver dies, it is set aside again.
    /// Returns whether a message with this number was set aside.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the object is open for reading only; `Forked`.
    pub fn requeue_dead(&self, number: u64) -> Result<bool> {
        self.change_dead(number, false)
    }

    /// Drops a message that is set aside. Returns whether a message with this number was.
    ///
    /// # Errors
    ///
    /// Those of [`requeue_dead`](Self::requeue_dead).
    pub fn drop_dead(&self, number: u64) -> Result<bool> {
        self.change_dead(number, true)
    }

    fn change_dead(&self, number: u64, is_dropped: bool) -> Result<bool> {
        let object = &self.handle.object;
        object.check_not_forked()?;
        object.check_writable().map_err(|error| error.doing("change").on(object.label()))?;
        Ok(self.handle.queue().change_aside(number, is_dropped))
    }
}

fn letters<T: Shareable>(queue: QueueWords<'_>) -> Vec<DeadLetter<T>> {
    let letters = queue.slots.all().filter_map(|(at, slot)| {
        let Some(aside @ State::Aside(position)) = slot.state() else { return None };
        let info = slot.info();
        let value = receive::attempt(|bytes| {
            copy_out(slot.value(), bytes);
            true
        });
        // ORDERING: Acquire; the state is looked at again after the copy.
        fence(Ordering::Acquire);
        let Info { priority, deliveries } = info;
        let number = letter_number(position, at);
        (slot.state() == Some(aside)).then_some(DeadLetter { number, priority, deliveries, value })
    });
    letters.collect()
}
