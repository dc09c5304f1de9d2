//! A message in the hands of its receiver.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::thread::panicking;

use super::party::Party;
use super::slots::Info;
use crate::error::Result;

/// A message that was received, until it is acknowledged.
///
/// It dereferences to a private copy: a `T` of a `Queue<T>`, a `Vec<T>` of a `Queue<[T]>`, or the
/// filled part of the buffer of [`recv_into`](super::QueueReceiver::recv_into). Dropping it
/// acknowledges the message: no receiver gets it again, and its place is free. It can be given back
/// instead, by [`requeue`](Self::requeue), or set aside, by [`reject`](Self::reject). If a thread
/// panics while it has a message, the message is given back.
///
/// # If a process dies
///
/// The message goes back to its old place, and to the next receiver. It counts as delivered once
/// more. With a [limit of deliveries](crate::Options::delivery_limit), the message is set aside
/// after the last of these.
#[must_use = "the message is acknowledged when this is dropped"]
pub struct Received<'a, V> {
    taken: Taken<'a>,
    value: V,
}

/// A message that is TAKEN by a party: acknowledged when this is dropped.
pub(super) struct Taken<'a> {
    party: &'a Party,
    number: usize,
    info: Info,
    /// Whether the thread was panicking when it received the message.
    was_panicking: bool,
}

impl<'a, V> Received<'a, V> {
    #[inline(always)]
    pub(super) fn new((taken, value): (Taken<'a>, V)) -> Self {
        Self { taken, value }
    }

    /// Returns the priority with which the message was sent.
    pub fn priority(&self) -> u32 {
        self.taken.info.priority
    }

    /// Returns how often the message was handed to a receiver, this time included: 1 unless a
    /// receiver died with it, or gave it back.
    pub fn deliveries(&self) -> u32 {
        self.taken.info.deliveries
    }

    /// Acknowledges the message, as dropping it does, and returns whether that succeeded.
    ///
    /// # Errors
    ///
    /// `RoleLost` if this process closed the descriptor of its liveness lock: then another receiver
    /// may have got the message. `Forked` in a child that inherited the message.
    pub fn acknowledge(self) -> Result<()> {
        let taken = ManuallyDrop::new(self.taken);
        match taken.free() {
            true => Ok(()),
            false => Err(taken.party.lost()),
        }
    }

    /// Acknowledges the message, and returns the value.
    pub fn into_inner(self) -> V {
        ManuallyDrop::new(self.taken).free();
        self.value
    }

    /// Gives the message back: it goes to its old place, and to the next receiver, which can be
    /// this one. With a limit of deliveries, it can be set aside instead.
    ///
    /// # Errors
    ///
    /// Those of [`acknowledge`](Self::acknowledge).
    pub fn requeue(self) -> Result<()> {
        let taken = ManuallyDrop::new(self.taken);
        match taken.is_held() {
            true => {
                taken.give_back();
                Ok(())
            }
            false => Err(taken.party.lost()),
        }
    }

    /// Sets the message aside: it goes to no receiver, until
    /// [`requeue_dead`](super::Queue::requeue_dead).
    ///
    /// # Errors
    ///
    /// Those of [`acknowledge`](Self::acknowledge).
    pub fn reject(self) -> Result<()> {
        let taken = ManuallyDrop::new(self.taken);
        match taken.is_held() {
            true => {
                let party = taken.party;
                party.handle.queue().reject(taken.number, party.membership.me());
                Ok(())
            }
            false => Err(taken.party.lost()),
        }
    }
}

impl<'a> Taken<'a> {
    #[inline(always)]
    pub(super) fn new(party: &'a Party, number: usize, info: Info) -> Self {
        Self { party, number, info, was_panicking: panicking() }
    }

    /// Whether this process, and not a forked child, still has its slot.
    #[inline(always)]
    fn is_held(&self) -> bool {
        self.party.membership.has_slot()
    }

    #[inline(always)]
    fn free(&self) -> bool {
        let party = self.party;
        self.is_held() && party.handle.queue().acknowledge(self.number, party.membership.me())
    }

    #[cold]
    fn give_back(&self) {
        let party = self.party;
        party.handle.queue().give_back(self.number, party.membership.me());
    }
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        if panicking() && !self.was_panicking {
            if self.is_held() {
                self.give_back();
            }
            return;
        }
        self.free();
    }
}

impl<V> Deref for Received<'_, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        &self.value
    }
}

/// The private copy can be changed: the message cannot.
impl<V> DerefMut for Received<'_, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut V {
        &mut self.value
    }
}

impl<V: fmt::Debug> fmt::Debug for Received<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("value", &self.value)
            .field("priority", &self.priority())
            .field("deliveries", &self.deliveries())
            .finish_non_exhaustive()
    }
}
