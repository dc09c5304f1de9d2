//! Building a payload over its parts in an open object, and words of an object as pointers.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a lock costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::membership::Membership;
use super::open_object::OpenObject;
use super::planner::{LINE, Room};
use crate::error::Result;
use crate::memory::atomic::AtomicU64;
use crate::participant::Role;
use crate::wait::WaitLoop;

/// Words in a line: the two cache lines with which a primitive begins.
pub(crate) const LINE_WORDS: usize = LINE as usize / 8;

/// Finds the parts of a payload in an open object, in the order in which they were planned.
pub(crate) struct Builder {
    object: Arc<OpenObject>,
    membership: Option<Arc<Membership>>,
    /// Where the next part is.
    end: u64,
}

impl Builder {
    /// Takes a slot in the object, if the payload has a role for which it needs one.
    pub(crate) fn join(object: Arc<OpenObject>, role: Option<Role>) -> Result<Self> {
        let membership = role.map(|role| Membership::join(&object, role, object.slot_until()));
        let membership = membership.transpose()?;
        Ok(Self { object, membership: membership.map(Arc::new), end: 0 })
    }

    pub(crate) fn object(&self) -> &Arc<OpenObject> {
        &self.object
    }

    /// A loop by which threads wait for a word that another process changes.
    pub(crate) fn wait_loop(&self) -> WaitLoop {
        self.object.answer_loop(0)
    }

    /// A loop by which threads wait for a lock.
    pub(crate) fn lock_loop(&self) -> WaitLoop {
        self.object.lock_loop()
    }

    /// The run-time number of items.
    pub(crate) fn items(&self) -> u32 {
        self.object.layout().items
    }

    /// The most elements of an item whose length varies.
    pub(crate) fn item_length(&self) -> u64 {
        self.object.layout().item_length
    }

    /// Continues at this byte of the payload, where a part begins.
    pub(crate) fn go_to(&mut self, place: u64) {
        self.end = place;
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> Result<Line> {
        self.take(LINE_WORDS)
    }

    /// The next words.
    pub(crate) fn words(&mut self, count: usize) -> Result<Words<0>> {
        self.take(count)
    }

    /// The next words: `count` for each participant.
    pub(crate) fn words_for_each(&mut self, count: usize) -> Result<Words<0>> {
        self.take(count * self.object.layout().participants_count as usize)
    }

    /// Where the next value is: in `line`, or behind it.
    pub(crate) fn value<T>(&mut self, line: &Line, room: Room) -> Result<NonNull<T>> {
        match room {
            Room::Line(offset) => Ok(line.at(offset as usize)),
            Room::Behind => Ok(self.words(size_of::<T>().div_ceil(8))?.at(0)),
        }
    }

    /// Passes over a value of this size, whose type is not known.
    pub(crate) fn skip_value(&mut self, size: u64, align: u64, used: u64) -> Result<()> {
        match Room::of(size, align, used) {
            Room::Line(_) => Ok(()),
            Room::Behind => self.words(size.div_ceil(8) as usize).map(|_| ()),
        }
    }

    fn take<const N: usize>(&mut self, count: usize) -> Result<Words<N>> {
        let membership = self.membership.as_ref().expect("its payload has a role");
        let words = Words::new(membership, self.end, count)?;
        self.end += (count as u64 * 8).next_multiple_of(LINE);
        Ok(words)
    }
}

/// Words of a payload, with the membership that keeps them mapped.
pub(crate) struct Words<const N: usize> {
    membership: Arc<Membership>,
    place: u64,
    count: usize,
    /// INVARIANT: points to `count` words (at least `N`) in the mapping that `membership` keeps
    /// alive.
    first: NonNull<AtomicU64>,
}

/// The words of a line.
pub(crate) type Line = Words<LINE_WORDS>;

// SAFETY: the pointer leads to atomics in a mapping that `membership` keeps alive.
unsafe impl<const N: usize> Send for Words<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Words<N> {}

impl<const N: usize> Words<N> {
    fn new(membership: &Arc<Membership>, place: u64, count: usize) -> Result<Self> {
        let words = membership.object().payload().words(place as usize, count.max(N))?;
        // INVARIANT: the view has checked that the words are there.
        let (count, first) = (words.len(), NonNull::from(words).cast());
        Ok(Self { membership: membership.clone(), place, count, first })
    }

    /// The `M` words from `index` on, by themselves.
    pub(crate) fn part<const M: usize>(&self, index: usize) -> Result<Words<M>> {
        Words::new(&self.membership, self.place + (index * size_of::<u64>()) as u64, M)
    }

    #[inline(always)]
    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Where they are in the payload.
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    /// The first ones.
    #[inline(always)]
    pub(crate) fn fixed(&self) -> &[AtomicU64; N] {
        // SAFETY: at least `N` words, aligned, in the mapping that `membership` keeps alive for as
        // long as `self` is borrowed.
        unsafe { self.first.cast().as_ref() }
    }

    /// All of them.
    #[inline]
    pub(crate) fn all(&self) -> &[AtomicU64] {
        // SAFETY: `count` words, aligned, in the mapping that `membership` keeps alive for as long
        // as `self` is borrowed.
        unsafe { NonNull::slice_from_raw_parts(self.first, self.count).as_ref() }
    }

    /// The address of a byte among them.
    fn at<T>(&self, offset: usize) -> NonNull<T> {
        debug_assert!(offset + size_of::<T>() <= self.count * size_of::<u64>());
        // SAFETY: within the words.
        unsafe { self.first.byte_add(offset) }.cast()
    }
}

impl<const N: usize> fmt::Debug for Words<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("place", &self.place).finish_non_exhaustive()
    }
}
