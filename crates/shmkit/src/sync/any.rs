//! A lock whose value only the object knows: for the command, and for other languages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockResult};
use super::raw::mutex::{self, RawMutex};
use super::raw::reentrant::RawReentrantMutex;
use super::raw::rwlock::{self, Hold, RawRwLock};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Builder, Choices, Kind, Membership, Name, ObjectLayout, OpenMode, OpenObject, Options,
    ValueType, size_and_fingerprint, until_not_removed,
};
use crate::participant::Role;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::shareable::Schema;
use crate::wait::Until;

/// A handle to a lock, without access to its value: a [`Mutex`](super::Mutex), a
/// [`ReentrantMutex`](super::ReentrantMutex) or an [`RwLock`](super::RwLock) that is the only part
/// of its object.
///
/// # If a process dies
///
/// The next locker gets [`OwnerDied`](super::LockError::OwnerDied), as with the typed locks.
#[derive(Debug)]
pub struct AnyLock {
    raw: Raw,
    object: Arc<OpenObject>,
}

#[derive(Debug)]
enum Raw {
    Mutex(RawMutex),
    Reentrant(RawReentrantMutex),
    RwLock(RawRwLock),
}

impl AnyLock {
    /// Opens the lock in `directory`, or in the default directory, and takes a slot among its
    /// participants.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind` for an object that is not a lock,
    /// or that has several parts; `WrongVersion`, `Full`, `Corrupt`, `Busy`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let options = Self::options().trust(trust);
        directory.map_or(options.clone(), |directory| options.directory(directory)).open(name)
    }

    /// Returns options other than the defaults: directory, trust, the timeout for a slot.
    pub fn options() -> Options<Self> {
        Options::new()
    }

    fn over(object: OpenObject) -> Result<Self> {
        let kind = object.layout().kind;
        check_lock(object.layout())?;
        let object = Arc::new(object);
        let mut builder = Builder::join(object.clone(), Some(Role::User))?;
        let raw = match kind {
            Kind::Mutex => Raw::Mutex(RawMutex::build(&mut builder)?),
            Kind::ReentrantMutex => Raw::Reentrant(RawReentrantMutex::build(&mut builder)?),
            _ => Raw::RwLock(open_rwlock(&mut builder)?),
        };
        Ok(Self { raw, object })
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        self.object.label()
    }

    /// Returns what kind of lock it is.
    pub fn kind(&self) -> Kind {
        self.object.layout().kind
    }

    /// Acquires the lock exclusively, and waits while other threads hold it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](super::LockError::OwnerDied), with the lock. Or
    /// [`Failed`](super::LockError::Failed): `Closed`, `Corrupt`, `Forked`, `RoleLost`.
    pub fn exclusive(&self) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Write, Until::Ever)
    }

    /// Acquires the lock exclusively, if no living process holds it.
    ///
    /// # Errors
    ///
    /// Those of [`exclusive`](Self::exclusive).
    pub fn try_exclusive(&self) -> LockResult<Option<AnyLockGuard<'_>>> {
        self.attempt(Hold::Write)
    }

    /// Acquires the lock exclusively, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with a holder as [`peer`](Error::peer); and those of
    /// [`exclusive`](Self::exclusive).
    pub fn exclusive_timeout(&self, timeout: Duration) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Write, Until::after(timeout))
    }

    /// Acquires the lock exclusively, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`exclusive_timeout`](Self::exclusive_timeout).
    pub fn exclusive_until(&self, deadline: Instant) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Write, Until::Deadline(deadline))
    }

    /// Acquires the lock together with other readers, and waits while a thread holds it
    /// exclusively.
    ///
    /// # Errors
    ///
    /// `WrongKind` if it is not a read-write lock; and those of [`exclusive`](Self::exclusive).
    pub fn shared(&self) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Read, Until::Ever)
    }

    /// Acquires the lock together with other readers, if no living process holds it exclusively.
    ///
    /// # Errors
    ///
    /// Those of [`shared`](Self::shared).
    pub fn try_shared(&self) -> LockResult<Option<AnyLockGuard<'_>>> {
        self.attempt(Hold::Read)
    }

    /// Acquires the lock together with other readers, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with a holder as [`peer`](Error::peer); and those of [`shared`](Self::shared).
    pub fn shared_timeout(&self, timeout: Duration) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Read, Until::after(timeout))
    }

    /// Acquires the lock together with other readers, and waits until `deadline` on the monotonic
    /// clock.
    ///
    /// # Errors
    ///
    /// Those of [`shared_timeout`](Self::shared_timeout).
    pub fn shared_until(&self, deadline: Instant) -> LockResult<AnyLockGuard<'_>> {
        self.acquire(Hold::Read, Until::Deadline(deadline))
    }

    fn acquire(&self, hold: Hold, until: Until) -> LockResult<AnyLockGuard<'_>> {
        self.check(hold)?;
        let acquired = self.raw.acquire(hold, until);
        let acquired = acquired.map_err(|error| self.raw.owner().refused(error))?;
        self.locked(hold, acquired)
    }

    fn attempt(&self, hold: Hold) -> LockResult<Option<AnyLockGuard<'_>>> {
        self.check(hold)?;
        let acquired = self.raw.acquire(hold, Until::Now);
        lock_error::attempted(acquired, self.raw.owner(), |acquired| self.locked(hold, acquired))
    }

    /// Refuses to share a mutex.
    fn check(&self, hold: Hold) -> Result<()> {
        if hold == Hold::Write || self.kind() == Kind::RwLock {
            return Ok(());
        }
        let why = "it is a mutex, which has one holder at a time";
        Err(self.raw.owner().membership().error(ErrorKind::WrongKind, "share", why))
    }

    fn locked(&self, hold: Hold, acquired: Acquired) -> LockResult<AnyLockGuard<'_>> {
        lock_error::locked(AnyLockGuard { lock: self, hold }, acquired, true)
    }
}

impl Options<AnyLock> {
    /// Opens the lock, and takes a slot among its participants.
    ///
    /// # Errors
    ///
    /// Those of [`AnyLock::open`]; `WrongOptions` with the first difference.
    pub fn open(&self, name: &str) -> Result<AnyLock> {
        let open = |choices: &Choices| {
            let object = OpenObject::open(&Name::new(name)?, choices, OpenMode::WritableIfAllowed)?;
            AnyLock::over(object)
        };
        until_not_removed(&self.choices, open).map_err(|error| error.doing("open").on(name))
    }
}

/// Opens a read-write lock, whose shares are behind its value.
fn open_rwlock(builder: &mut Builder) -> Result<RawRwLock> {
    let value = builder.object().layout().schema.clone();
    let value = Schema::parse(&value)?.value().map(|it| (it.size(), it.align()));
    let (lock, ()) = RawRwLock::build(builder, |builder, _| {
        value.map_or(Ok(()), |(size, align)| builder.skip_value(size, align, rwlock::USED))
    })?;
    Ok(lock)
}

/// Refuses an object that is not a lock of some value and nothing else.
fn check_lock(layout: &ObjectLayout) -> Result<()> {
    let kind = layout.kind;
    match kind {
        Kind::Mutex | Kind::ReentrantMutex | Kind::RwLock => {}
        Kind::Group => {
            let why = "it has several parts: only a program that knows its type can lock one";
            return Err(Error::new(ErrorKind::WrongKind, why));
        }
        other => {
            let why = format!("it is not a lock: its kind is {}", other.as_str());
            return Err(Error::new(ErrorKind::WrongKind, why));
        }
    }
    let schema = Schema::parse(&layout.schema)?;
    let expected = schema.value().map(|value| {
        size_and_fingerprint(kind, layout.participants_count, 0, &|planner| {
            let value = ValueType::Schema(value);
            match kind {
                Kind::RwLock => RawRwLock::plan(planner, |planner| {
                    planner.value(value, rwlock::USED);
                }),
                _ => {
                    RawMutex::plan(planner);
                    planner.value(value, mutex::USED);
                }
            }
        })
    });
    if expected == Some((layout.payload_size, layout.fingerprint)) {
        return Ok(());
    }
    let why = format!("its schema is not that of a {}", kind.as_str());
    Err(Error::new(ErrorKind::Corrupt, why))
}

impl Raw {
    /// The owner word, with the waits for it.
    fn owner(&self) -> &RawMutex {
        match self {
            Self::Mutex(lock) => lock,
            Self::Reentrant(lock) => &lock.mutex,
            Self::RwLock(lock) => &lock.owner,
        }
    }

    fn acquire(&self, hold: Hold, until: Until) -> Result<Acquired, AcquireError> {
        match self {
            Self::Mutex(lock) => lock.acquire(Mode::Exclusive, || until),
            Self::Reentrant(lock) => lock.acquire(until),
            Self::RwLock(lock) => lock.acquire(hold, until),
        }
    }

    fn release(&self, hold: Hold) {
        match self {
            Self::Mutex(lock) => lock.release(),
            Self::Reentrant(lock) => lock.release(),
            Self::RwLock(lock) => lock.release(hold),
        }
    }
}

/// An [`AnyLock`] that is held, exclusively or with other readers, until this guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AnyLockGuard<'a> {
    lock: &'a AnyLock,
    hold: Hold,
}

impl AnyLockGuard<'_> {
    /// Returns whether it is held exclusively.
    pub fn is_exclusive(&self) -> bool {
        self.hold == Hold::Write
    }

    /// Marks the value as consistent. Returns false for a reader, which cannot.
    pub fn mark_consistent(&mut self) -> bool {
        if self.is_exclusive() {
            self.lock.raw.owner().mark_consistent();
        }
        self.is_exclusive()
    }
}

impl Drop for AnyLockGuard<'_> {
    fn drop(&mut self) {
        self.lock.raw.release(self.hold);
    }
}

impl fmt::Debug for AnyLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_exclusive() { "exclusive" } else { "shared" };
        f.debug_tuple("AnyLockGuard").field(&how).finish()
    }
}

impl lock_error::sealed::Sealed for AnyLockGuard<'_> {}

#[allow(private_interfaces, reason = "guards are made by this library only")]
impl Guard for AnyLockGuard<'_> {
    type Value<'v> = ();

    fn check(&mut self, condition: impl FnOnce(Self::Value<'_>) -> bool) -> bool {
        condition(())
    }

    fn membership(&self) -> &Membership {
        self.lock.raw.owner().membership()
    }

    fn holder_is_dead(&self) -> bool {
        self.lock.raw.owner().holder_is_dead()
    }

    fn check_wait(&self) -> Result<()> {
        match &self.lock.raw {
            Raw::Reentrant(lock) => lock.check_wait(),
            _ => Ok(()),
        }
    }

    fn suspend(&mut self) {
        self.lock.raw.release(self.hold);
    }

    fn resume(&mut self) -> Result<Acquired> {
        lock_error::resumed(self.lock.acquire(self.hold, Until::Ever))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::object::Object;
    use crate::sync::{LockError, Mutex, named};

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
        let group = Object::<(Mutex<u8>, Mutex<u8>)>::options().directory(place.path());
        group.create("group", (1, 2)).unwrap();
        named::Semaphore::options().directory(place.path()).create("semaphore", 1).unwrap();
        for (name, why) in [
            ("group", "it has several parts"),
            ("semaphore", "it is not a lock: its kind is semaphore"),
        ] {
            let error = open(place.path(), name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongKind);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
