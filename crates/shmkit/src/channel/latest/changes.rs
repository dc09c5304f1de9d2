//! Waiting for the next value.

use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::geometry::{HasGeometry, TypeGeometry};
use super::handle::Handle;
use super::receive;
use super::register::{LAST, ReadError};
use crate::channel::deaths::{NewsFlags, RoleDeaths};
use crate::error::{Error, ErrorKind, Peer, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::owner::DeathWatch;
use crate::participant::{Liveness, Role};
use crate::shareable::{Shareable, check_by_value};
use crate::wait::{Checked, Poll, Until, WaitLoop};

/// A reader of one value after the other, whatever their type.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) handle: Arc<Handle>,
    pub(super) reading: Reading,
    /// Lives as long as the reader.
    life: Arc<()>,
}

/// The state that a reader keeps from one value to the next.
#[derive(Debug)]
pub(super) struct Reading {
    place: Place,
    wait_loop: WaitLoop,
    shown: Arc<Shown>,
    /// An error that was found while there were still values to read: reported after these.
    news: Option<Error>,
}

/// What the sources of a reader look at, too.
#[derive(Debug)]
pub(super) struct Shown {
    /// Where the reader is: see [`Place::seen`].
    pub(super) seen: AtomicU64,
    pub(super) flags: NewsFlags,
    deaths: Mutex<Deaths>,
}

/// Where a reader is in the sequence of values.
#[derive(Debug)]
struct Place {
    /// The sequence number of the last value that was returned or skipped.
    seen: u64,
    /// How many values were overwritten before they could be returned.
    missed: u64,
    /// A sequence number that the newest value had. The newest value never has a smaller one later.
    known: u64,
    /// The newest sequence number when garbage was reported. Until a writer moves it, garbage is
    /// not reported again, and no value is taken: it could be an old one.
    garbage: Option<u64>,
}

impl Cursor {
    pub(super) fn new(handle: Arc<Handle>, seen: u64) -> Self {
        let deaths = Deaths::from_now(&handle);
        // No sequence number is larger than `LAST`.
        let seen = seen.min(LAST);
        let known = seen.min(handle.sequence());
        let place = Place { seen, missed: 0, known, garbage: None };
        let wait_loop = handle.object.answer_loop(handle.geometry.value_bytes);
        let (seen, deaths) = (AtomicU64::new(seen), Mutex::new(deaths));
        let shown = Arc::new(Shown { seen, flags: NewsFlags::default(), deaths });
        Self {
            handle,
            reading: Reading { place, wait_loop, shown, news: None },
            life: Arc::new(()),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.reading.place.seen
    }

    pub(super) fn missed(&self) -> u64 {
        self.reading.place.missed
    }

    /// What lives as long as the reader.
    pub(super) fn life(&self) -> &Arc<()> {
        &self.life
    }

    /// What a source needs.
    pub(super) fn shown(&self) -> &Arc<Shown> {
        &self.reading.shown
    }
}

impl Reading {
    /// Copies the next value to `into`. On success all of `into` is initialised.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        handle: &Handle,
        shape: impl HasGeometry,
        into: &mut [MaybeUninit<u8>],
        until: Until,
    ) -> Result<()> {
        handle.object.check_not_forked()?;
        let taken = match self.place.take(handle, shape, into) {
            true => Ok(()),
            false => self.wait(handle, shape, into, until),
        };
        // ORDERING: Relaxed; only sources look at it, and the reader's own look decides.
        self.shown.seen.store(self.place.seen, Ordering::Relaxed);
        taken
    }

    #[inline(never)]
    fn wait(
        &mut self,
        handle: &Handle,
        shape: impl HasGeometry,
        into: &mut [MaybeUninit<u8>],
        until: Until,
    ) -> Result<()> {
        if let Some(news) = self.news.take() {
            self.shown.flags.set_kept(false);
            return Err(news);
        }
        let Self { place, wait_loop, shown, .. } = self;
        if until == Until::Now {
            // An attempt may be the reader's only look, so it checks for a death at once.
            wait_loop.forget_check();
        }
        let found = wait_loop.wait_looking(
            &mut (&mut *place, &mut *into),
            handle.object.notices(),
            until,
            |(place, into)| match place.take(handle, shape, into) {
                true => ControlFlow::Break(Some(Ok(()))),
                false => ControlFlow::Continue(()),
            },
            |(place, into), _| place.poll(handle, shape, into),
            |(place, _), _| Some(Checked::Found(Err(check(handle, place, shown).err()?))),
        );
        let news = match found.found {
            Some(Ok(())) => return Ok(()),
            Some(Err(news)) => news,
            None => return Err(handle.not_in_time(found.stopped)),
        };
        // A value that was set before a death is returned before the death is reported.
        if self.place.take(handle, shape, into) {
            self.news = Some(news);
            self.shown.flags.set_kept(true);
            return Ok(());
        }
        Err(news)
    }
}

impl Place {
    /// Takes the next value if there is one. If it was overwritten, takes a later one.
    #[inline(always)]
    fn take(
        &mut self,
        handle: &Handle,
        shape: impl HasGeometry,
        into: &mut [MaybeUninit<u8>],
    ) -> bool {
        if self.garbage.is_some() && !self.is_past_garbage(handle) {
            return false;
        }
        if self.seen < handle.unproved_until && self.take_proved(handle, into) {
            return true;
        }
        match handle.register_of(shape).read(self.seen + 1, into) {
            Ok(()) => {
                self.seen += 1;
                self.known = self.seen;
                true
            }
            Err(ReadError::Overwritten) => self.catch_up(handle, into),
            Err(_) => false,
        }
    }

    /// Takes the next value if there is one; otherwise returns what to sleep on.
    #[inline(always)]
    fn poll<'a>(
        &mut self,
        handle: &'a Handle,
        shape: impl HasGeometry,
        into: &mut [MaybeUninit<u8>],
    ) -> Poll<'a, Result<()>> {
        let (is_closed, sleep) = handle.register().ticket();
        if self.take(handle, shape, into) {
            return Poll::Ready(Ok(()));
        }
        match is_closed {
            true => Poll::Ready(Err(handle.object.closed())),
            false if handle.object.is_writable() => Poll::Pending(sleep),
            false => Poll::Pending(sleep.unmarked(handle.object.layout().has_read_only_peers())),
        }
    }

    /// Takes the oldest whole value of those that were set before this handle was opened, on a
    /// disk. If there is none, the reader continues behind them.
    #[cold]
    fn take_proved(&mut self, handle: &Handle, into: &mut [MaybeUninit<u8>]) -> bool {
        let until = handle.unproved_until;
        let found = handle.proof().and_then(|proof| proof.read_after(self.seen, until, into));
        let next = found.map_or(until, |sequence| sequence - 1);
        self.missed = self.missed.saturating_add(next - self.seen);
        self.seen = found.unwrap_or(until);
        self.known = self.seen.min(handle.sequence());
        found.is_some()
    }

    /// Continues with the newer half of the values that are still there, so that the writer does
    /// not overtake this reader again at once.
    #[cold]
    fn catch_up(&mut self, handle: &Handle, into: &mut [MaybeUninit<u8>]) -> bool {
        const TRIES: u32 = 64;
        let register = handle.register();
        for _ in 0..TRIES {
            let newest = register.newest().sequence;
            let half = handle.geometry.slots as u64 / 2;
            let older = newest.saturating_sub(half - 1).max(self.seen + 1);
            for sequence in [older, newest] {
                if sequence > self.seen && register.read(sequence, into).is_ok() {
                    self.missed = self.missed.saturating_add(sequence - self.seen - 1);
                    (self.seen, self.known) = (sequence, sequence);
                    return true;
                }
            }
        }
        false
    }

    /// Returns whether a writer has set a value since garbage was reported.
    #[cold]
    fn is_past_garbage(&mut self, handle: &Handle) -> bool {
        let now = handle.register().newest().sequence;
        let is_past = self.garbage != Some(now) && now > self.seen;
        if is_past {
            self.garbage = None;
        }
        is_past
    }

    /// Says why no value can follow the last one, if the words hold garbage: once. Then the reader
    /// continues behind the garbage, where the next writer would.
    fn take_garbage(&mut self, handle: &Handle) -> Option<String> {
        let now = handle.sequence();
        if self.garbage == Some(now) {
            return None;
        }
        let is_sound = || now <= handle.unproved_until || handle.register().is_sound();
        let why = match now < self.known {
            true => format!("value {} was the newest, and now value {now} is", self.known),
            false if is_sound() => {
                self.known = self.known.max(now.min(self.seen));
                return None;
            }
            false => format!("its slots do not hold value {now}, which is marked as the newest"),
        };
        (self.seen, self.known) = (now.min(LAST), now);
        self.garbage = Some(now);
        Some(why)
    }
}

/// The slow check: refuses to wait if the object was removed, its words hold garbage, or a writer
/// died.
fn check(handle: &Handle, place: &mut Place, shown: &Shown) -> Result<()> {
    if handle.register().newest().closed {
        return Err(handle.object.closed());
    }
    handle.object.check_not_removed()?;
    if let Some(why) = place.take_garbage(handle) {
        let why = format!("{why}: its words hold garbage");
        let error = Error::new(ErrorKind::Corrupt, why);
        return Err(error.doing("wait for").on(handle.object.label()));
    }
    let Some(dead) = shown.next_death(handle) else { return Ok(()) };
    let died = |why| Error::new(ErrorKind::PeerDied, why);
    let error = match dead {
        Some(peer) => died("was its writer and died; the last whole value stays").by_peer(peer),
        None => died("a writer, whose slot was freed meanwhile, died; the last whole value stays"),
    };
    Err(error.doing("wait for").on(handle.object.label()))
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Deaths> {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_death(&self, handle: &Handle) -> Option<Option<Peer>> {
        self.flags.are_looked_for();
        self.lock().next(handle)
    }

    /// The slow check of a source: returns whether the reader would report an error.
    pub(super) fn check(&self, handle: &Handle) -> bool {
        if self.lock().has_next(handle) {
            self.flags.are_found();
        }
        // ORDERING: Relaxed; as in `Reading::next`.
        let is_behind = || handle.sequence() < self.seen.load(Ordering::Relaxed);
        self.flags.are_set() || is_behind()
    }
}

/// Reports each writer's death once.
#[derive(Debug)]
enum Deaths {
    /// For an object with one writer: of the holder of the right to write.
    Owner(DeathWatch),
    /// For shared writers: of each of them.
    All(RoleDeaths),
}

impl Deaths {
    /// Watches from now on. A writer that is already dead, but not yet replaced, is reported.
    fn from_now(handle: &Handle) -> Self {
        if handle.has_shared_writers() {
            Self::All(RoleDeaths::from_now(&handle.object, Role::Writer))
        } else {
            Self::Owner(DeathWatch::new(handle.owner()))
        }
    }

    /// Whether there is a death that was not reported.
    fn has_next(&self, handle: &Handle) -> bool {
        match self {
            Self::Owner(watch) => {
                let mut watch = *watch;
                watch.report_replaced(handle.owner())
                    || watch.report_dead(handle.owner(), &*handle.object).is_some()
            }
            Self::All(deaths) => deaths.watched().check(&handle.object),
        }
    }

    /// Reports the next death, if there is one: with the writer, if its slot is not reused yet.
    fn next(&mut self, handle: &Handle) -> Option<Option<Peer>> {
        match self {
            Self::Owner(watch) => {
                if watch.report_replaced(handle.owner()) {
                    return Some(None);
                }
                let dead = watch.report_dead(handle.owner(), &*handle.object)?;
                Some(Some(handle.object.peer(dead)))
            }
            Self::All(deaths) => deaths.next(&handle.object),
        }
    }
}

/// The values that are set from now on, one after the other.
///
/// For values of more than 64 KiB there are [`next_into`](Self::next_into) and
/// [`next_boxed`](Self::next_boxed); the other calls do not compile.
///
/// Each value is returned once. A reader that falls behind gets older values as long as they are
/// not overwritten; the values that it missed are counted. No reader delays the writer.
///
/// # If a process dies
///
/// Waiting for a writer that died returns `PeerDied`, once for each death: on a death notice, or
/// else 50 ms after the kernel released its liveness lock. Further calls wait for a new writer.
/// If more than 64 writers died since the last call, it returns `PeerDied` once for all of them.
#[derive(Debug)]
pub struct Changes<T: Shareable> {
    cursor: Cursor,
    shape: TypeGeometry<T>,
}

impl<T: Shareable> Changes<T> {
    pub(super) fn new(cursor: Cursor, shape: TypeGeometry<T>) -> Self {
        Self { cursor, shape }
    }

    /// Waits for the next value.
    ///
    /// # Errors
    ///
    /// `PeerDied` once for each writer that died; `Closed` if the object was removed; `Forked` in a
    /// forked child; `Corrupt` once for bytes that are not a value of the type, and once if the
    /// words of the object hold garbage: the next call waits for a value behind them.
    #[expect(clippy::should_implement_trait, reason = "std's verb; `iter` gives the iterator")]
    #[inline]
    pub fn next(&mut self) -> Result<T> {
        self.receive(Until::Ever)
    }

    /// Waits for the next value, up to `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`next`](Self::next).
    #[inline]
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.receive(Until::after(timeout))
    }

    /// Waits for the next value, until `deadline` on the monotonic clock: for a caller that waits
    /// again after `PeerDied` or `Corrupt`.
    ///
    /// # Errors
    ///
    /// Those of [`next_timeout`](Self::next_timeout).
    #[inline]
    pub fn next_until(&mut self, deadline: Instant) -> Result<T> {
        self.receive(Until::Deadline(deadline))
    }

    /// Returns the next value if it was already set, without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<T>> {
        match self.receive(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Waits as [`next_timeout`](Self::next_timeout) does, and copies the value to `into`: for
    /// values too large for the stack.
    ///
    /// # Errors
    ///
    /// Those of [`next_timeout`](Self::next_timeout). `into` then holds some value of its type.
    pub fn next_into(&mut self, into: &mut T, timeout: Duration) -> Result<()> {
        let Self { cursor: Cursor { handle, reading, .. }, shape } = self;
        let until = Until::after(timeout);
        let fill = |bytes: &mut [_]| reading.next(handle, *shape, bytes, until);
        receive::into_place(into, fill, || handle.invalid())
    }

    /// Waits as [`next_timeout`](Self::next_timeout) does, and returns the value on the heap: for
    /// values too large for the stack.
    ///
    /// # Errors
    ///
    /// Those of [`next_timeout`](Self::next_timeout).
    pub fn next_boxed(&mut self, timeout: Duration) -> Result<Box<T>> {
        let Self { cursor: Cursor { handle, reading, .. }, shape } = self;
        let until = Until::after(timeout);
        let fill = |bytes: &mut [_]| reading.next(handle, *shape, bytes, until);
        receive::boxed(fill, || handle.invalid())
    }

    #[inline]
    fn receive(&mut self, until: Until) -> Result<T> {
        const { check_by_value::<T>("larger than 64 KiB: use `next_into` or `next_boxed`") };
        let Self { cursor: Cursor { handle, reading, .. }, shape } = self;
        let fill = |bytes: &mut [_]| reading.next(handle, *shape, bytes, until);
        receive::value(fill, || handle.invalid())
    }

    /// Returns an iterator that waits for each value. Every error is an item; after `Closed`, which
    /// says that the object was removed, it ends.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<T>> + '_ {
        let mut is_closed = false;
        std::iter::from_fn(move || {
            let answer = (!is_closed).then(|| self.next())?;
            is_closed = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            Some(answer)
        })
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Returns the sequence number of the value that was returned last. The first value has 1.
    pub fn sequence(&self) -> u64 {
        self.cursor.sequence()
    }

    /// Returns how many values were overwritten before this reader read them.
    pub fn missed(&self) -> u64 {
        self.cursor.missed()
    }

    /// Returns the same reader, which spins for `duration` before it sleeps: see
    /// [`Options::spin_for`](crate::Options::spin_for).
    pub fn spin_for(mut self, duration: Duration) -> Self {
        self.cursor.reading.wait_loop = WaitLoop::spinning_for(duration);
        self
    }
}
