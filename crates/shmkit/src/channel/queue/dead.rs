//! Messages that are set aside: listed, given back, dropped.
//!
//! A message is set aside where it is: it keeps its slot, and counts for the depth of the queue.
//! A state that says ASIDE names the position of its message, and no other message of the slot has
//! that state. So a process that copies a message, and then finds the state unchanged, has copied
//! that message; and one that changes it changes no other.

use super::Queue;
use super::giving_back::letter_number;
use super::handle::Handle;
use super::receiving::InSlot;
use super::slots::{Info, State};
use crate::channel::message::{Message, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{Ordering, fence};

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
    /// Its value: of a list, a `Vec`. None if its bytes are not a message of the type.
    pub value: Option<T>,
}

impl<M: Message + ?Sized> Queue<M> {
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
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter<M::Owned>>> {
        self.handle.dead_letters(received::<M>)
    }

    /// Gives a message that is set aside back to the receivers, at its old place. It is handed over
    /// once more: if it is then given back again, or its receiver dies, it is set aside again.
    /// Returns whether a message with this number was set aside.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the object is open for reading only; `Forked`.
    pub fn requeue_dead(&self, number: u64) -> Result<bool> {
        self.handle.change_dead(number, false)
    }

    /// Drops a message that is set aside. Returns whether a message with this number was.
    ///
    /// # Errors
    ///
    /// Those of [`requeue_dead`](Self::requeue_dead).
    pub fn drop_dead(&self, number: u64) -> Result<bool> {
        self.handle.change_dead(number, true)
    }
}

impl Handle {
    /// Returns the messages that are set aside, as what `read` makes of their bytes.
    pub(super) fn dead_letters<V>(
        &self,
        read: impl Fn(InSlot<'_>) -> Option<V>,
    ) -> Result<Vec<DeadLetter<V>>> {
        self.object.check_not_forked()?;
        let letters = self.queue().slots.all().filter_map(|(at, slot)| {
            let Some(aside @ State::Aside(position)) = slot.state() else { return None };
            let Info { priority, deliveries } = slot.info();
            let value = InSlot::new(slot, self.geometry).and_then(&read);
            // ORDERING: Acquire; the state is looked at again after the copy.
            fence(Ordering::Acquire);
            let number = letter_number(position, at);
            let letter = DeadLetter { number, priority, deliveries, value };
            (slot.state() == Some(aside)).then_some(letter)
        });
        let mut letters: Vec<_> = letters.collect();
        letters.sort_by_key(|letter| letter.number);
        Ok(letters)
    }

    /// Frees the slot of a message that is set aside, or gives the message back.
    pub(super) fn change_dead(&self, number: u64, is_dropped: bool) -> Result<bool> {
        let object = &self.object;
        object.check_not_forked()?;
        object.check_writable().map_err(|error| error.doing("change").on(object.label()))?;
        Ok(self.queue().change_aside(number, is_dropped))
    }
}

/// The message, if its bytes are one.
fn received<M: Message + ?Sized>(message: InSlot<'_>) -> Option<M::Owned> {
    let invalid = || Error::new(ErrorKind::Corrupt, "");
    let fill = |place: &mut M::Place| {
        message.copy_out(place.room(message.len).ok_or_else(invalid)?);
        Ok(())
    };
    M::receive(fill, invalid).ok()
}
