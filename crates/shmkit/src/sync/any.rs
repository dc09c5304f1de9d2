//! A lock whose value's type only the object knows: for the command.
//!
//! A lock's words come before what it guards, at places that do not depend on the value's type: its
//! line is the first, and the shares of an rwlock are the first data (see `sync::parts`). So a lock
//! of [`NoData`], every byte of which is one, stands for one of any value, which is left alone.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lock_error::{Guard, LockResult, sealed};
use super::membership::Membership;
use super::mutex::{Mutex, MutexGuard};
use super::parts::{Builder, Planner, sealed::Parts};
use super::reentrant::{ReentrantGuard, ReentrantMutex};
use super::rwlock::{ReadGuard, RwLock, WriteGuard};
use super::value::NoData;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Kind, Name, ObjectLayout, OpenMode, OpenObject, Options};
use crate::shareable::schema::Shape;
use crate::shareable::{Schema, Shareable};

const _: () = assert!(NoData::ALWAYS_VALID, "bytes of another type are no `NoData` otherwise");

/// An open lock of a value whose type need not be known, and which is not touched: a
/// [`Mutex`](super::Mutex), a [`ReentrantMutex`](super::ReentrantMutex) or an
/// [`RwLock`](super::RwLock) that stands alone under its name.
///
/// # If a process dies
///
/// As with the lock that it is.
#[derive(Debug)]
pub struct AnyLock {
    lock: Lock,
    membership: Arc<Membership>,
}

#[derive(Debug)]
enum Lock {
    Mutex(Mutex),
    Reentrant(ReentrantMutex),
    RwLock(RwLock),
}

impl AnyLock {
    /// Opens the lock in `directory`, or in the default one, and takes part in it.
    ///
    /// # Errors
    ///
    /// `WrongKind` for what is no lock, or holds others beside it; and as
    /// [`NamedOptions::open`](super::named::NamedOptions::open), but for `WrongType`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let options = Options { directory: directory.map(Into::into), trust, ..Options::new() };
        let open = || finish(OpenObject::open(&Name::new(name)?, &options, OpenMode::Allowed)?);
        open().map_err(|error| error.doing("open").on(name))
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.membership.object().name().as_str()
    }

    /// What kind of lock it is.
    pub fn kind(&self) -> Kind {
        self.membership.object().layout().kind
    }

    /// Takes the lock alone, waiting for as long as others have it.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`](super::Mutex::lock), but for what that says of the value.
    pub fn exclusive(&self) -> LockResult<AnyLockGuard<'_>> {
        match &self.lock {
            Lock::Mutex(lock) => guard(lock.lock()),
            Lock::Reentrant(lock) => guard(lock.lock()),
            Lock::RwLock(lock) => guard(lock.write()),
        }
    }

    /// Takes the lock alone, if nobody who lives has it.
    ///
    /// # Errors
    ///
    /// As [`exclusive`](Self::exclusive).
    pub fn try_exclusive(&self) -> LockResult<Option<AnyLockGuard<'_>>> {
        match &self.lock {
            Lock::Mutex(lock) => maybe_guard(lock.try_lock()),
            Lock::Reentrant(lock) => maybe_guard(lock.try_lock()),
            Lock::RwLock(lock) => maybe_guard(lock.try_write()),
        }
    }

    /// Takes the lock alone, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who has it; and as [`exclusive`](Self::exclusive).
    pub fn exclusive_timeout(&self, timeout: Duration) -> LockResult<AnyLockGuard<'_>> {
        match &self.lock {
            Lock::Mutex(lock) => guard(lock.lock_timeout(timeout)),
            Lock::Reentrant(lock) => guard(lock.lock_timeout(timeout)),
            Lock::RwLock(lock) => guard(lock.write_timeout(timeout)),
        }
    }

    /// Takes the lock alone, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`exclusive_timeout`](Self::exclusive_timeout).
    pub fn exclusive_until(&self, deadline: Instant) -> LockResult<AnyLockGuard<'_>> {
        match &self.lock {
            Lock::Mutex(lock) => guard(lock.lock_until(deadline)),
            Lock::Reentrant(lock) => guard(lock.lock_until(deadline)),
            Lock::RwLock(lock) => guard(lock.write_until(deadline)),
        }
    }

    /// Takes the lock with others who share it, waiting for as long as somebody has it alone.
    ///
    /// # Errors
    ///
    /// `WrongKind` if it is no rwlock; and as [`exclusive`](Self::exclusive).
    pub fn shared(&self) -> LockResult<AnyLockGuard<'_>> {
        guard(self.rwlock()?.read())
    }

    /// Takes the lock with others who share it, if nobody who lives has it alone.
    ///
    /// # Errors
    ///
    /// As [`shared`](Self::shared).
    pub fn try_shared(&self) -> LockResult<Option<AnyLockGuard<'_>>> {
        match self.rwlock() {
            Ok(lock) => maybe_guard(lock.try_read()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the lock with others who share it, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who has it; and as [`shared`](Self::shared).
    pub fn shared_timeout(&self, timeout: Duration) -> LockResult<AnyLockGuard<'_>> {
        guard(self.rwlock()?.read_timeout(timeout))
    }

    /// Takes the lock with others who share it, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`shared_timeout`](Self::shared_timeout).
    pub fn shared_until(&self, deadline: Instant) -> LockResult<AnyLockGuard<'_>> {
        guard(self.rwlock()?.read_until(deadline))
    }

    fn rwlock(&self) -> Result<&RwLock> {
        match &self.lock {
            Lock::RwLock(lock) => Ok(lock),
            _ => {
                let why = format!("it is a {}, which one at a time has", self.kind().as_str());
                Err(self.membership.error(ErrorKind::WrongKind, "share", why))
            }
        }
    }
}

/// Takes part in an object, if it is a lock.
fn finish(object: OpenObject) -> Result<AnyLock> {
    let object_layout = object.layout();
    let kind = object_layout.kind;
    match kind {
        Kind::Mutex => check_words::<Mutex>(object_layout)?,
        Kind::ReentrantMutex => check_words::<ReentrantMutex>(object_layout)?,
        Kind::RwLock => check_words::<RwLock>(object_layout)?,
        Kind::Group => {
            let why = "it is a group of several: only a program that knows it can lock one of them";
            return Err(Error::new(ErrorKind::WrongKind, why));
        }
        other => {
            let why = format!("it is no lock, but of kind {}", other.as_str());
            return Err(Error::new(ErrorKind::WrongKind, why));
        }
    }
    let lines = object_layout.wait_words;
    let membership = Membership::join(object)?;
    let mut builder = Builder::new(membership.clone(), lines);
    let lock = match kind {
        Kind::Mutex => Lock::Mutex(Parts::build(&mut builder)?),
        Kind::ReentrantMutex => Lock::Reentrant(Parts::build(&mut builder)?),
        _ => Lock::RwLock(Parts::build(&mut builder)?),
    };
    Ok(AnyLock { lock, membership })
}

/// Whether the object has the words of the lock `P` where a `P` of [`NoData`] looks for them.
fn check_words<P: Parts>(object_layout: &ObjectLayout) -> Result<()> {
    let plan = Planner::plan::<P>(object_layout.participants_count, None);
    let (ours, theirs) = (plan.schema(P::KIND), Schema::parse(&object_layout.schema)?);
    let fits = match (ours.shape(), theirs.shape()) {
        (Shape::Struct { fields: ours }, Shape::Struct { fields: theirs }) => {
            let mut words = ours.iter().filter(|it| it.name != "value");
            words.all(|our| {
                theirs.iter().any(|it| {
                    (&it.name, it.offset) == (&our.name, our.offset)
                        && it.schema.fingerprint() == our.schema.fingerprint()
                })
            })
        }
        _ => false,
    };
    if fits && object_layout.wait_words == plan.wait_words() {
        return Ok(());
    }
    let why = format!("its description is not that of a {}", object_layout.kind.as_str());
    Err(Error::new(ErrorKind::Corrupt, why))
}

fn guard<'a, G>(taken: LockResult<G>) -> LockResult<AnyLockGuard<'a>>
where
    AnyLockGuard<'a>: From<G>,
{
    taken.map(Into::into).map_err(|error| error.map(Into::into))
}

fn maybe_guard<'a, G>(taken: LockResult<Option<G>>) -> LockResult<Option<AnyLockGuard<'a>>>
where
    AnyLockGuard<'a>: From<G>,
{
    let any = |it: Option<G>| it.map(Into::into);
    taken.map(any).map_err(|error| error.map(any))
}

/// An [`AnyLock`] that is held, alone or with others, until this is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct AnyLockGuard<'a>(Held<'a>);

enum Held<'a> {
    Mutex(MutexGuard<'a, NoData>),
    Reentrant(ReentrantGuard<'a, NoData>),
    Write(WriteGuard<'a, NoData>),
    Read(ReadGuard<'a, NoData>),
}

impl AnyLockGuard<'_> {
    /// Whether it is held alone.
    pub fn is_exclusive(&self) -> bool {
        !matches!(self.0, Held::Read(_))
    }

    /// Says that what a dead process may have left half-changed is mended. `false`: only who has
    /// the lock alone can say that.
    pub fn mark_consistent(&mut self) -> bool {
        match &mut self.0 {
            Held::Mutex(guard) => guard.mark_consistent(),
            Held::Reentrant(guard) => guard.mark_consistent(),
            Held::Write(guard) => guard.mark_consistent(),
            Held::Read(_) => return false,
        }
        true
    }
}

impl<'a> From<MutexGuard<'a, NoData>> for AnyLockGuard<'a> {
    fn from(guard: MutexGuard<'a, NoData>) -> Self {
        Self(Held::Mutex(guard))
    }
}

impl<'a> From<ReentrantGuard<'a, NoData>> for AnyLockGuard<'a> {
    fn from(guard: ReentrantGuard<'a, NoData>) -> Self {
        Self(Held::Reentrant(guard))
    }
}

impl<'a> From<WriteGuard<'a, NoData>> for AnyLockGuard<'a> {
    fn from(guard: WriteGuard<'a, NoData>) -> Self {
        Self(Held::Write(guard))
    }
}

impl<'a> From<ReadGuard<'a, NoData>> for AnyLockGuard<'a> {
    fn from(guard: ReadGuard<'a, NoData>) -> Self {
        Self(Held::Read(guard))
    }
}

impl fmt::Debug for AnyLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_exclusive() { "exclusive" } else { "shared" };
        f.debug_tuple("AnyLockGuard").field(&how).finish()
    }
}

impl sealed::Sealed for AnyLockGuard<'_> {}

#[allow(private_interfaces, reason = "nobody else makes guards")]
impl Guard for AnyLockGuard<'_> {
    fn membership(&self) -> &Membership {
        self.held().membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.held().holder_is_dead()
    }

    fn check_wait(&self) -> Result<()> {
        self.held().check_wait()
    }

    fn suspend(&mut self) {
        self.held_mut().suspend();
    }

    fn resume(&mut self) -> Result<bool> {
        self.held_mut().resume()
    }
}

impl<'a> AnyLockGuard<'a> {
    fn held(&self) -> &(dyn Guard + 'a) {
        match &self.0 {
            Held::Mutex(guard) => guard,
            Held::Reentrant(guard) => guard,
            Held::Write(guard) => guard,
            Held::Read(guard) => guard,
        }
    }

    fn held_mut(&mut self) -> &mut (dyn Guard + 'a) {
        match &mut self.0 {
            Held::Mutex(guard) => guard,
            Held::Reentrant(guard) => guard,
            Held::Write(guard) => guard,
            Held::Read(guard) => guard,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::{LockError, named};

    /// A value that has no room in the lock's line.
    type Large = [u64; 100];

    fn open(directory: &Path, name: &str) -> Result<AnyLock> {
        AnyLock::open(Some(directory), name, Trust::Own)
    }

    #[test]
    fn each_kind_of_lock_is_the_same_lock_whatever_it_guards() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path();
        let value = std::array::from_fn(|index| index as u64);
        let mutex = named::Mutex::<Large>::options().directory(directory);
        let mutex = mutex.create("mutex", value).unwrap();
        let reentrant = named::ReentrantMutex::<Large>::options().directory(directory);
        let reentrant = reentrant.create("reentrant", value).unwrap();
        let rwlock = named::RwLock::<Large>::options().directory(directory);
        let rwlock = rwlock.max_participants(7).create("rwlock", value).unwrap();
        let small =
            named::RwLock::<u16>::options().directory(directory).create("small", 3).unwrap();
        let any = ["mutex", "reentrant", "rwlock", "small"].map(|it| open(directory, it).unwrap());

        let guards: Vec<_> = any.iter().map(|it| it.try_exclusive().unwrap().unwrap()).collect();
        assert!(guards.iter().all(AnyLockGuard::is_exclusive));
        assert!(mutex.try_lock().unwrap().is_none());
        assert!(reentrant.try_lock().unwrap().is_none());
        assert!(rwlock.try_read().unwrap().is_none());
        assert!(small.try_write().unwrap().is_none());
        drop(guards);
        let held = (mutex.lock().unwrap(), reentrant.lock().unwrap(), rwlock.write().unwrap());
        let _small = small.write().unwrap();
        assert!(any.iter().all(|it| it.try_exclusive().unwrap().is_none()));
        assert_eq!((*held.0, held.1.get(), *held.2), (value, value, value));
    }

    #[test]
    fn only_an_rwlock_is_shared() {
        let place = tempfile::tempdir().unwrap();
        let options = named::RwLock::<Large>::options().directory(place.path());
        let rwlock = options.create("rwlock", [1; 100]).unwrap();
        let any = open(place.path(), "rwlock").unwrap();
        let shared = any.shared().unwrap();
        assert!(!shared.is_exclusive());
        assert!(any.try_shared().unwrap().is_some() && rwlock.try_read().unwrap().is_some());
        assert!(rwlock.try_write().unwrap().is_none());
        let error = Error::from(any.exclusive_timeout(Duration::ZERO).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(shared);
        assert!(rwlock.try_write().unwrap().is_some());

        named::Mutex::<u8>::options().directory(place.path()).create("mutex", 1).unwrap();
        let mutex = open(place.path(), "mutex").unwrap();
        match mutex.try_shared() {
            Err(LockError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::WrongKind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_lock_alone_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let group = named::Named::<(Mutex<u8>, Mutex<u8>)>::options().directory(place.path());
        group.create("group", (1, 2)).unwrap();
        named::Semaphore::options().directory(place.path()).create("semaphore", 1).unwrap();
        for (name, why) in
            [("group", "it is a group"), ("semaphore", "it is no lock, but of kind semaphore")]
        {
            let error = open(place.path(), name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongKind);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
