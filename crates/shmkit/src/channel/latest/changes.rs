//! Waiting for the next value.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Handle;
use super::receive;
use super::register::{LAST, Of, ReadError, Shape};
use crate::error::{Error, ErrorKind, Result};
use crate::shareable::Shareable;
use crate::sync::owner::DeathWatch;
use crate::sync::sleepers::Waiter;
use crate::sync::until::Until;

/// A reader of one value after the other, whatever their type.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) handle: Arc<Handle>,
    pub(super) reading: Reading,
}

/// What a reader keeps from one value to the next.
#[derive(Debug)]
pub(super) struct Reading {
    place: Place,
    waiter: Waiter,
    deaths: Deaths,
    /// What was found out while values were left: told once they are handed out.
    news: Option<Error>,
}

/// Where a reader is in the sequence of values.
#[derive(Debug)]
struct Place {
    /// The sequence number of the last value that was handed out, or skipped.
    seen: u64,
    /// How many were gone before they could be handed out.
    missed: u64,
    /// A sequence number that the newest value has had: none comes after a greater one.
    known: u64,
}

impl Cursor {
    pub(super) fn new(handle: Arc<Handle>, seen: u64) -> Self {
        let waiter = Waiter::new(handle.object.is_writable());
        let deaths = Deaths::from_now(&handle);
        // No sequence is beyond the last that can be.
        let place = Place { seen: seen.min(LAST), missed: 0, known: 0 };
        Self { handle, reading: Reading { place, waiter, deaths, news: None } }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.reading.place.seen
    }

    pub(super) fn missed(&self) -> u64 {
        self.reading.place.missed
    }

    pub(super) fn without_spinning(mut self) -> Self {
        self.reading.waiter = self.reading.waiter.without_spinning();
        self
    }
}

impl Reading {
    /// Copies the next value into `into`, which then is initialised; `TimedOut` where `until` is
    /// over.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        handle: &Handle,
        shape: impl Shape,
        into: &mut [MaybeUninit<u8>],
        until: Until,
    ) -> Result<()> {
        handle.object.check_not_forked()?;
        if self.place.take(handle, shape, into) {
            return Ok(());
        }
        self.wait(handle, shape, into, until)
    }

    #[inline(never)]
    fn wait(
        &mut self,
        handle: &Handle,
        shape: impl Shape,
        into: &mut [MaybeUninit<u8>],
        until: Until,
    ) -> Result<()> {
        if let Some(news) = self.news.take() {
            return Err(news);
        }
        let Self { place, waiter, deaths, .. } = self;
        let known = place.known.max(place.seen.min(handle.register().newest().sequence));
        place.known = known;
        let found = match until {
            Until::Now => Some(look_around(handle, known, deaths)).filter(Result::is_err),
            Until::Deadline(_) | Until::Ever => waiter.wait(
                handle.sleepers(),
                until.deadline(),
                || place.take(handle, shape, into).then_some(Ok(())),
                || look_around(handle, known, deaths).err().map(Err),
            ),
        };
        let news = match found {
            Some(Ok(())) => return Ok(()),
            Some(Err(news)) => news,
            None => return Err(handle.timed_out()),
        };
        // What a writer set before it died comes before its death.
        if self.place.take(handle, shape, into) {
            self.news = Some(news);
            return Ok(());
        }
        Err(news)
    }
}

impl Place {
    /// Takes the next value if there is one; or where it is gone, an older one that is not.
    #[inline(always)]
    fn take(&mut self, handle: &Handle, shape: impl Shape, into: &mut [MaybeUninit<u8>]) -> bool {
        match handle.register_of(shape).read(self.seen + 1, into) {
            Ok(()) => {
                self.seen += 1;
                true
            }
            Err(ReadError::Overwritten) => self.catch_up(handle, into),
            Err(_) => false,
        }
    }

    /// Goes to the newer half of the values that are left, so that the writer does not overtake
    /// this reader again at once.
    #[cold]
    fn catch_up(&mut self, handle: &Handle, into: &mut [MaybeUninit<u8>]) -> bool {
        const TRIES: u32 = 64;
        let register = handle.register();
        for _ in 0..TRIES {
            let newest = register.newest().sequence;
            let older = newest.saturating_sub(handle.slots() / 2 - 1).max(self.seen + 1);
            for sequence in [older, newest] {
                if sequence > self.seen && register.read(sequence, into).is_ok() {
                    self.missed += sequence - self.seen - 1;
                    self.seen = sequence;
                    return true;
                }
            }
        }
        false
    }
}

/// What no wake tells: that the object was removed or spoilt, that a writer died.
fn look_around(handle: &Handle, known: u64, deaths: &mut Deaths) -> Result<()> {
    let newest = handle.register().newest();
    if newest.closed {
        return Err(handle.object.closed());
    }
    handle.object.check_not_removed()?;
    if newest.sequence < known || !handle.register().is_sound() {
        let now = newest.sequence;
        let why =
            format!("value {known} was there, and its words now speak of {now}: they are spoilt");
        let error = Error::new(ErrorKind::Corrupt, why);
        return Err(error.doing("wait for").on(handle.object.name()));
    }
    let Some(who) = deaths.news(handle) else { return Ok(()) };
    let why = format!("{who} died; the last whole value stays");
    Err(Error::new(ErrorKind::PeerDied, why).doing("wait for").on(handle.object.name()))
}

/// Tells of each writer's death once.
#[derive(Debug)]
enum Deaths {
    /// Of the one who has the right to write.
    Owner(DeathWatch),
    /// Of each of those who share it: how many deaths were told, or came before, modulo 2^16.
    Participants(u16),
}

impl Deaths {
    /// From now on; who is dead already and was not replaced counts as news.
    fn from_now(handle: &Handle) -> Self {
        if handle.has_shared_writers() {
            Self::Participants(handle.object.participants().counted_deaths())
        } else {
            Self::Owner(DeathWatch::new(handle.owner()))
        }
    }

    /// Who died, if somebody did that was not told of.
    fn news(&mut self, handle: &Handle) -> Option<String> {
        let unnamed = || "a writer, whose place another took since,".to_owned();
        match self {
            Self::Owner(watch) => {
                if watch.replaced(handle.owner()) {
                    return Some(unnamed());
                }
                let dead = watch.died(handle.owner(), handle)?;
                Some(format!("its writer, {}", handle.shown(dead)))
            }
            Self::Participants(told) => {
                let (deaths, last) = handle.object.deaths();
                // Never fewer than before: but what was told is not untold by one look too early.
                if deaths.wrapping_sub(*told).cast_signed() <= 0 {
                    return None;
                }
                *told = told.wrapping_add(1);
                let dead = last.filter(|_| deaths == *told);
                Some(dead.map_or_else(unnamed, |dead| format!("a writer, {}", handle.shown(dead))))
            }
        }
    }
}

/// The values that are set from now on, one after the other.
///
/// Each is handed out once. A reader that falls behind is served older values while they last; what
/// it missed then is counted. Nothing that a reader does or does not do holds the writer up.
///
/// # If a process dies
///
/// Waiting for a writer that died returns `PeerDied`, once for each death, at the latest 50 ms
/// after the system freed its lock; then waiting goes on, for a new writer.
#[derive(Debug)]
pub struct Changes<T: Shareable> {
    cursor: Cursor,
    shape: Of<T>,
}

impl<T: Shareable> Changes<T> {
    pub(super) fn new(cursor: Cursor, shape: Of<T>) -> Self {
        Self { cursor, shape }
    }

    /// Waits for the next value, for as long as it takes.
    ///
    /// # Errors
    ///
    /// `PeerDied` once for each writer that died, `Closed` if the object was removed, `Forked` in
    /// a forked child, `Corrupt` if the bytes are no value of the type; that value is skipped.
    #[expect(clippy::should_implement_trait, reason = "std's verb; `iter` gives the iterator")]
    #[inline]
    pub fn next(&mut self) -> Result<T> {
        self.receive(Until::Ever)
    }

    /// Waits for the next value, for `timeout` at the most, on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and as [`next`](Self::next).
    #[inline]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.receive(Until::after(timeout))
    }

    /// The next value if it is there already.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<T>> {
        match self.receive(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Waits as [`next_timeout`](Self::next_timeout) does, and copies the value to where `into` is:
    /// for values too large for the stack.
    ///
    /// # Errors
    ///
    /// As [`next_timeout`](Self::next_timeout). What `into` then holds is some value of its type.
    pub fn next_into(&mut self, into: &mut T, timeout: Duration) -> Result<()> {
        let Self { cursor: Cursor { handle, reading }, shape } = self;
        let until = Until::after(timeout);
        let fill = |bytes: &mut [_]| reading.next(handle, *shape, bytes, until);
        receive::into_place(into, fill, || handle.invalid())
    }

    #[inline]
    fn receive(&mut self, until: Until) -> Result<T> {
        let Self { cursor: Cursor { handle, reading }, shape } = self;
        let fill = |bytes: &mut [_]| reading.next(handle, *shape, bytes, until);
        receive::value(fill, || handle.invalid())
    }

    /// An iterator that waits for each value without end, and ends when the object is removed.
    /// Every other error is an item.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<T>> + '_ {
        std::iter::from_fn(|| match self.next() {
            Err(error) if error.kind() == ErrorKind::Closed => None,
            answer => Some(answer),
        })
    }

    /// The sequence number of the value that was handed out last: the first ever set is 1.
    pub fn sequence(&self) -> u64 {
        self.cursor.sequence()
    }

    /// How many values were overwritten before this reader came to them, in all.
    pub fn missed(&self) -> u64 {
        self.cursor.missed()
    }

    /// The same, but it never spins before it sleeps: less power, and some microseconds later.
    pub fn without_spinning(self) -> Self {
        Self { cursor: self.cursor.without_spinning(), ..self }
    }
}
