//! A lock whose value only the object knows: for the command, and for other languages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lock_error::{self, Guard, LockError, LockResult};
use super::raw::mutex::{self, RawMutex};
use super::raw::reentrant::RawReentrantMutex;
use super::raw::rwlock::{self, Hold, RawRwLock};
use super::value::NoData;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Builder, Choices, Counts, Kind, Membership, Name, OpenMode, OpenObject, Options, Part,
    ValueType, parts, size_and_fingerprint, until_not_removed,
};
use crate::participant::Role;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::shareable::{Schema, room_for};
use crate::wait::Until;

/// A handle to a lock of any type: a [`Mutex`](super::Mutex), a
/// [`ReentrantMutex`](super::ReentrantMutex) or an [`RwLock`](super::RwLock), alone in its object
/// or in a group.
///
/// A guard gives the value as bytes, which [`schema`](Self::schema) reads, prints and changes.
///
/// # If a process dies
///
/// The next locker gets [`OwnerDied`](super::LockError::OwnerDied), as with the typed locks.
#[derive(Debug)]
pub struct AnyLock {
    raw: Raw,
    kind: Kind,
    /// Where the value is in the payload, and its type.
    place: usize,
    schema: Schema,
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

    /// Takes over an object, of which the part with this number is a lock.
    fn over(object: OpenObject, number: &str) -> Result<Self> {
        let FoundLock { kind, start, place, schema } = find_lock(&object, number)?;
        let object = Arc::new(object);
        let mut builder = Builder::join(object.clone(), Some(Role::User))?;
        builder.go_to(start);
        let raw = match kind {
            Kind::Mutex => Raw::Mutex(RawMutex::build(&mut builder)?),
            Kind::ReentrantMutex => Raw::Reentrant(RawReentrantMutex::build(&mut builder)?),
            _ => Raw::RwLock(open_rwlock(&mut builder, &schema)?),
        };
        Ok(Self { raw, kind, place: place as usize, schema, object })
    }

    /// Returns the name of the object.
    pub fn name(&self) -> &str {
        self.object.label()
    }

    /// Returns what kind of lock it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the type of the value that it guards, as the object describes it. None for a lock
    /// without a value.
    pub fn schema(&self) -> Option<&Schema> {
        (self.schema != Schema::of::<NoData>()).then_some(&self.schema)
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
        self.acquire_within(Hold::Write, timeout)
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
        self.acquire_within(Hold::Read, timeout)
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

    fn acquire_within(&self, hold: Hold, timeout: Duration) -> LockResult<AnyLockGuard<'_>> {
        match self.acquire(hold, Until::after(timeout)) {
            // There was no time until which it was held.
            Err(LockError::Failed(error)) if timeout.is_zero() && error.peer().is_some() => {
                Err(LockError::Failed(error.because("holds it")))
            }
            answer => answer,
        }
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
        self.open_part(name, "")
    }

    /// Opens one lock of a group, by its number as [`inspect`](crate::inspect) has it: `0`, or
    /// `2.1`. Takes a slot among the participants of the object.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open); `InvalidArgument` if the group has no such part.
    pub fn open_part(&self, name: &str, number: &str) -> Result<AnyLock> {
        let open = |choices: &Choices| {
            let object = OpenObject::open(&Name::new(name)?, choices, OpenMode::WritableIfAllowed)?;
            AnyLock::over(object, number)
        };
        until_not_removed(&self.choices, open).map_err(|error| error.doing("open").on(name))
    }
}

/// Opens a read-write lock, whose shares are behind its value.
fn open_rwlock(builder: &mut Builder, value: &Schema) -> Result<RawRwLock> {
    let (lock, ()) = RawRwLock::build(builder, |builder, _| {
        builder.skip_value(value.size(), value.align(), rwlock::USED)
    })?;
    Ok(lock)
}

/// A lock in an object.
struct FoundLock {
    kind: Kind,
    /// Where it begins in the payload.
    start: u64,
    /// Where its value is in the payload.
    place: u64,
    /// The type of its value.
    schema: Schema,
}

/// Finds the lock with this number. The empty number is that of the only part of an object.
fn find_lock(object: &OpenObject, number: &str) -> Result<FoundLock> {
    let layout = object.layout();
    if layout.kind == Kind::Group && number.is_empty() {
        let why = "it has several parts: open one by its number, with `open_part`";
        return Err(Error::new(ErrorKind::WrongKind, why));
    }
    let schema = Schema::parse(&layout.schema)?;
    if schema.fingerprint() != layout.fingerprint {
        return Err(Error::new(ErrorKind::Corrupt, "its fingerprint is not that of its schema"));
    }
    let parts = parts(object, &schema)?;
    let part = parts.iter().find(|part| part.number == number).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, format!("it has no part {number}"))
    })?;
    check_lock(part, layout.participants_count)?;
    let (place, schema) = part.lock_value().ok_or_else(|| no_lock(part))?;
    Ok(FoundLock { kind: part.kind, start: part.place(), place, schema: schema.clone() })
}

/// Refuses a part that is not a lock of some value and nothing else.
fn check_lock(part: &Part<'_>, participants: u32) -> Result<()> {
    let kind = part.kind;
    if !matches!(kind, Kind::Mutex | Kind::ReentrantMutex | Kind::RwLock) {
        let which = match part.number.as_str() {
            "" => "it".to_owned(),
            number => format!("part {number}"),
        };
        let why = format!("{which} is not a lock: its kind is {}", kind.as_str());
        return Err(Error::new(ErrorKind::WrongKind, why));
    }
    let expected = part.lock_value().map(|(_, value)| {
        size_and_fingerprint(kind, Counts::of(participants), &|planner| {
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
    let found = (part.schema.size(), part.schema.fingerprint());
    if expected == Some(found) { Ok(()) } else { Err(no_lock(part)) }
}

fn no_lock(part: &Part<'_>) -> Error {
    let why = format!("its schema is not that of a {}", part.kind.as_str());
    Error::new(ErrorKind::Corrupt, why)
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

    /// Returns the bytes of the value, checked.
    ///
    /// # Errors
    ///
    /// `WrongKind` for a lock without a value; `Corrupt` if the bytes are not a value of its type;
    /// `OutOfSpace` if there is no memory for them.
    pub fn get(&self) -> Result<Vec<u8>> {
        let get = || -> Result<_> {
            let schema = self.value_schema()?;
            let mut bytes = room_for(schema.size(), 0)?;
            self.lock.object.payload().read(self.lock.place, &mut bytes)?;
            schema.check(&bytes)?;
            Ok(bytes)
        };
        get().map_err(|error| error.doing("read").on(self.lock.name()))
    }

    /// Sets the value, with zeros as its padding. It does not mark the lock consistent.
    ///
    /// # If a process dies
    ///
    /// A process that dies in this call may leave the value half-changed: the next locker gets
    /// [`OwnerDied`](super::LockError::OwnerDied).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a value of the type, or if the lock is shared;
    /// `WrongKind` for a lock without a value; `OutOfSpace` if there is no memory for a copy of a
    /// value with padding.
    pub fn set(&mut self, value: &[u8]) -> Result<()> {
        let set = || -> Result<_> {
            let schema = self.value_schema()?;
            if !self.is_exclusive() {
                let why = "it is held together with other readers";
                return Err(Error::new(ErrorKind::InvalidArgument, why));
            }
            let value = schema.to_set(value)?;
            // CRASH: dying here leaves the value half-changed; the next locker gets OwnerDied.
            self.lock.object.payload().write(self.lock.place, &value)
        };
        set().map_err(|error| error.doing("set").on(self.lock.name()))
    }

    /// Returns the type of the value.
    fn value_schema(&self) -> Result<&Schema> {
        let why = || Error::new(ErrorKind::WrongKind, "it is a lock without a value");
        self.lock.schema().ok_or_else(why)
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
    use crate::sync::{LockError, Mutex, RwLock, named};

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
    fn a_guard_reads_and_changes_the_value_of_any_lock() {
        type Group = (Mutex<Large>, [RwLock<u16>; 2], Mutex);
        let place = tempfile::tempdir().unwrap();
        let group = Object::<Group>::options().directory(place.path());
        let group = group.create("group", ([7; 100], [1, 2], NoData::default())).unwrap();
        let options = AnyLock::options().directory(place.path());
        let part = |number| options.open_part("group", number).unwrap();
        let (large, small) = (part("0"), part("1.1"));
        assert_eq!(large.schema().unwrap().to_string(), "[u64;100]");
        assert_eq!(
            (small.kind(), small.schema().unwrap().to_string()),
            (Kind::RwLock, "u16".into())
        );
        let mut guard = large.exclusive().unwrap();
        assert!(group.0.try_lock().unwrap().is_none() && group.1[1].try_write().unwrap().is_some());
        assert_eq!(guard.get().unwrap(), 7_u64.to_le_bytes().repeat(100));
        guard.set(&8_u64.to_le_bytes().repeat(100)).unwrap();
        drop(guard);
        assert_eq!(*group.0.lock().unwrap(), [8; 100]);
        let mut shared = small.shared().unwrap();
        assert_eq!(shared.get().unwrap(), [2, 0]);
        assert_eq!(shared.set(&[3, 0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        drop(shared);
        let mut guard = small.exclusive().unwrap();
        assert_eq!(guard.set(&[3]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        guard.set(&[3, 0]).unwrap();
        // It is the lock of this part, and of no other.
        assert!(group.0.try_lock().unwrap().is_some() && group.1[0].try_write().unwrap().is_some());
        assert!(group.1[1].try_write().unwrap().is_none());
        drop(guard);
        assert_eq!((*group.1[0].read().unwrap(), *group.1[1].read().unwrap()), (1, 3));

        let empty = part("2");
        assert!(empty.schema().is_none());
        let refused = empty.exclusive().unwrap().set(&[0]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WrongKind);
        let error = options.open_part("group", "1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("it has no part 1"), "{error}");
    }

    /// With padding after the first field, and after the last one.
    #[derive(shmkit_derive::Shareable)]
    #[repr(C)]
    struct Padded {
        flag: u8,
        number: u32,
        last: u8,
    }

    #[test]
    fn the_padding_of_a_value_that_is_set_is_zero() {
        let place = tempfile::tempdir().unwrap();
        let options = named::Mutex::<Padded>::options().directory(place.path());
        let mutex = options.create("mutex", Padded { flag: 1, number: 2, last: 3 }).unwrap();
        let any = open(place.path(), "mutex").unwrap();
        let mut guard = any.exclusive().unwrap();
        guard.set(&[4, 0xee, 0xee, 0xee, 5, 0, 0, 0, 6, 0xee, 0xee, 0xee]).unwrap();
        assert_eq!(guard.get().unwrap(), [4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0]);
        drop(guard);
        let guard = mutex.lock().unwrap();
        assert_eq!((guard.flag, guard.number, guard.last), (4, 5, 6));
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
