//! A message in the hands of its receiver.

#![allow(unsafe_code, reason = "moves the value out of a guard that is not dropped")]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::thread::panicking;

use super::party::Party;
use super::slots::Info;
use crate::error::Result;
use crate::shareable::Shareable;

/// A message that was received, until it is acknowledged.
///
/// It dereferences to a private copy of the value. Dropping it acknowledges the message: no
/// receiver gets it again, and its place is free. It can be given back instead, by
/// [`requeue`](Self::requeue), or set aside, by [`reject`](Self::reject). If a thread panics while
/// it has a message, the message is given back.
///
/// # If a process dies
///
/// The message goes back to its old place, and to the next receiver. It counts as delivered once
/// more. With a [limit of deliveries](crate::Options::delivery_limit), the message is set aside
/// after the last of these.
#[must_use = "the message is acknowledged when this is dropped"]
pub struct Received<'a, T: Shareable> {
    party: &'a Party,
    number: usize,
    info: Info,
    value: T,
    /// Whether the thread was panicking when it received the message.
    was_panicking: bool,
}

impl<'a, T: Shareable> Received<'a, T> {
    #[inline(always)]
    pub(super) fn new(party: &'a Party, number: usize, info: Info, value: T) -> Self {
        Self { party, number, info, value, was_panicking: panicking() }
    }

    /// Returns the priority with which the message was sent.
    pub fn priority(&self) -> u32 {
        self.info.priority
    }

    /// Returns how often the message was handed to a receiver, this time included: 1 unless a
    /// receiver died with it, or gave it back.
    pub fn deliveries(&self) -> u32 {
        self.info.deliveries
    }

    /// Acknowledges the message, as dropping it does, and returns whether that succeeded.
    ///
    /// # Errors
    ///
    /// `RoleLost` if this process closed the descriptor of its liveness lock: then another receiver
    /// may have got the message. `Forked` in a child that inherited the message.
    pub fn acknowledge(self) -> Result<()> {
        let this = ManuallyDrop::new(self);
        match this.free() {
            true => Ok(()),
            false => Err(this.party.lost()),
        }
    }

    /// Acknowledges the message, and returns the value.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        this.free();
        // SAFETY: the value is valid, and `this` is not used again.
        unsafe { ptr::read(&raw const this.value) }
    }

    /// Gives the message back: it goes to its old place, and to the next receiver, which can be
    /// this one. With a limit of deliveries, it can be set aside instead.
    ///
    /// # Errors
    ///
    /// Those of [`acknowledge`](Self::acknowledge).
    pub fn requeue(self) -> Result<()> {
        let this = ManuallyDrop::new(self);
        match this.is_held() {
            true => {
                this.give_back();
                Ok(())
            }
            false => Err(this.party.lost()),
        }
    }

    /// Sets the message aside: it goes to no receiver, until
    /// [`requeue_dead`](super::Queue::requeue_dead).
    ///
    /// # Errors
    ///
    /// Those of [`acknowledge`](Self::acknowledge).
    pub fn reject(self) -> Result<()> {
        let this = ManuallyDrop::new(self);
        match this.is_held() {
            true => {
                let party = this.party;
                party.handle.queue().reject(this.number, party.membership.me());
                Ok(())
            }
            false => Err(this.party.lost()),
        }
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

impl<T: Shareable> Drop for Received<'_, T> {
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

impl<T: Shareable> Deref for Received<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

/// The private copy can be changed: the message cannot.
impl<T: Shareable> DerefMut for Received<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for Received<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("value", &self.value)
            .field("priority", &self.priority())
            .field("deliveries", &self.deliveries())
            .finish_non_exhaustive()
    }
}
