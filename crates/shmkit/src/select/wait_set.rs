//! A set of handles that a thread waits for together.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::flag::Flag;
use super::reactor::Client;
#[cfg(feature = "async")]
use super::until_ready::{Task, UntilReady};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::fork::ProcessStamp;
use crate::sys::pollable::PollHandle;
use crate::wait::{Group, NotReady, Source, Until, Waitable};

const ACTION: &str = "wait for";

/// Waits for any of many handles, of any kinds: see [`Waitable`] for what makes each of them ready.
///
/// Each handle is added with a key of the program's own, such as an enum. A wait returns the keys
/// of all handles that are ready, and takes nothing from them: the program then calls `try_recv`,
/// `try_next` and so on. The state counts, not its change. So a handle that was ready before, or of
/// which a part is left, is returned at once by the next wait. The keys come in the order in which
/// they were added, and each wait begins behind the key that the last one returned first. So a
/// program that serves only the first of them serves all in turn.
///
/// Another thread, or another process, can be faster: what made a handle ready may be gone when the
/// program takes it.
///
/// What nobody takes keeps its handle ready. So at the end of a stream a
/// [`PipeReader`](crate::PipeReader) is ready until the next writer comes. To sleep until then, the
/// program removes it, and adds another reader, which waits for the next writer.
///
/// A set does not borrow its handles. Threads can add and remove some while others wait. The object
/// of a handle stays open until it is removed from the set. A handle that was dropped is never
/// ready.
///
/// A set that waits costs what one waiter costs, however many handles it has. For more than 127 of
/// them (on Windows, 63), it starts threads, each of which watches so many.
///
/// # If a process dies
///
/// A handle is ready when a call that waits for it would report the death: on a death notice, or
/// else 50 ms after the kernel released the liveness lock. What dead processes left is repaired, as
/// such a call does.
///
/// # Platforms
///
/// A sleeping thread is woken at once on Windows, and on Linux from 5.16 on. Elsewhere, or where a
/// sandbox forbids `futex_waitv`, it looks every 5 ms.
///
/// # Examples
///
/// A dashboard that waits for everything:
///
/// ```
/// use shmkit::sync::{Reset, named};
/// use shmkit::{Latest, Queue, Topic, WaitSet};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum News { Speed, Line, Alarm, Stop }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let here = directory.path();
/// # let speed = Latest::<f64>::options().directory(here).open_or_create("car/speed")?;
/// # let log = Topic::<[u8; 80]>::options().directory(here).open_or_create("car/log")?;
/// # let alarms = Queue::<u32>::options().directory(here).open_or_create("car/alarms")?;
/// # let stop = named::Event::options().directory(here);
/// # let stop = stop.open_or_create("car/stop", Reset::Manual)?;
/// # /*
/// let speed = Latest::<f64>::open_or_create("car/speed")?;
/// let log = Topic::<[u8; 80]>::open_or_create("car/log")?;
/// let alarms = Queue::<u32>::open_or_create("car/alarms")?;
/// let stop = named::Event::open_or_create("car/stop", Reset::Manual)?;
/// # */
/// let (mut speeds, mut lines, alarms) = (speed.changes(), log.subscriber()?, alarms.receiver()?);
/// let set = WaitSet::new();
/// set.add(News::Speed, &speeds)?;
/// set.add(News::Line, &lines)?;
/// set.add(News::Alarm, &alarms)?;
/// set.add(News::Stop, &stop)?;
/// # speed.writer()?.set(&8.5)?;
/// # stop.set()?;
/// 'shown: loop {
///     for news in set.wait()? {
///         match news {
///             News::Speed => println!("speed: {:?}", speeds.try_next()?),
///             News::Line => println!("log: {:?}", lines.try_recv()?),
///             News::Alarm => println!("alarm: {:?}", alarms.try_recv()?.map(|alarm| *alarm)),
///             News::Stop => break 'shown,
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// In the folder `examples` of the source, `dashboard` waits for six kinds of objects, and goes on
/// when one side dies.
pub struct WaitSet<K> {
    group: Group,
    keys: Mutex<Vec<(u64, K)>>,
    /// The id of the handle that was returned first by the last wait, plus 1.
    next: AtomicU64,
    /// What is told when handles are added: tasks that wait, and the flag that is polled.
    told: Mutex<Vec<Weak<dyn Client>>>,
    flag: OnceLock<Arc<Flag>>,
    /// None if the process could get none: then it makes no difference between its children and
    /// itself.
    stamp: Option<ProcessStamp>,
}

impl<K: Clone + PartialEq> Default for WaitSet<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + PartialEq> WaitSet<K> {
    /// Returns a set without handles.
    pub fn new() -> Self {
        Self {
            group: Group::new(),
            keys: Mutex::new(Vec::new()),
            next: AtomicU64::new(0),
            told: Mutex::new(Vec::new()),
            flag: OnceLock::new(),
            stamp: ProcessStamp::of_this_process().ok(),
        }
    }

    /// Adds a handle. Threads that wait for the set wait for it, too, from now on.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the key is in the set; `Forked` in a forked child, which makes a set of
    /// its own.
    pub fn add(&self, key: K, handle: &impl Waitable) -> Result<()> {
        self.check_not_forked("add to")?;
        let mut keys = self.keys();
        if keys.iter().any(|(_, other)| *other == key) {
            let why = "the key is already in the set: remove it first";
            return Err(Error::new(ErrorKind::AlreadyExists, why).doing("add to").on("a wait set"));
        }
        // A waiter that finds the id before its key looks for the key under the lock.
        keys.push((self.group.add([handle.source()]), key));
        drop(keys);
        let told = self.told().clone();
        told.iter().filter_map(Weak::upgrade).for_each(|client| client.ready());
        Ok(())
    }

    /// Removes the handle with this key. Returns whether there was one.
    ///
    /// A wait that was in progress can still return the key.
    pub fn remove(&self, key: &K) -> bool {
        if self.check_not_forked("remove from").is_err() {
            return false;
        }
        let mut keys = self.keys();
        let Some(index) = keys.iter().position(|(_, other)| other == key) else { return false };
        let (id, _) = keys.remove(index);
        drop(keys);
        self.group.remove(|other| other == id)
    }

    /// Returns how many handles are in the set.
    pub fn len(&self) -> usize {
        self.group.entries().len()
    }

    /// Returns whether no handle is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until handles are ready, and returns their keys.
    ///
    /// # Errors
    ///
    /// `Forked` in a forked child; `Cancelled` or `Interrupted` if the wait was
    /// [stopped](crate::CancelToken).
    pub fn wait(&self) -> Result<Vec<K>> {
        self.wait_within(Until::Ever)
    }

    /// Waits until handles are ready, up to `timeout`, and returns their keys.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Vec<K>> {
        self.wait_within(Until::after(timeout))
    }

    /// Waits until handles are ready, until `deadline` on the monotonic clock, and returns their
    /// keys.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&self, deadline: Instant) -> Result<Vec<K>> {
        self.wait_within(Until::Deadline(deadline))
    }

    /// Returns the keys of the handles that are ready now, without waiting. There may be none.
    ///
    /// # Errors
    ///
    /// `Forked` in a forked child.
    pub fn try_wait(&self) -> Result<Vec<K>> {
        match self.wait_within(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// Waits until handles are ready, without blocking the thread, and returns their keys.
    ///
    /// Dropping the future changes nothing. Each time it has to wait, the handles are listed for
    /// the thread that watches for all futures of the process: some microseconds for a hundred.
    ///
    /// # Errors
    ///
    /// `Forked` in a forked child; `Os` if the system refuses the thread that watches.
    #[cfg(feature = "async")]
    pub async fn wait_async(&self) -> Result<Vec<K>> {
        loop {
            let ready = self.try_wait()?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            let task = Arc::<Task>::default();
            // Before the list is made: what is added later tells the task.
            let client: Arc<dyn Client> = task.clone();
            self.tell(&client);
            drop(client);
            UntilReady::of_any(self.sources(), task).await?;
        }
    }

    /// Returns a handle that an event loop can poll for this set: on Unix a descriptor, which is
    /// readable while handles may be ready, on Windows an event, which is signalled then.
    ///
    /// When it is, the program calls [`try_wait`](Self::try_wait), and takes what is ready. The
    /// call that finds nothing makes the handle unreadable again. So the program polls again when
    /// it likes: the handle stays readable until everything was taken and such a call has seen it.
    /// The program must not read from the descriptor.
    ///
    /// It needs a thread, one for all such handles and all futures of the process, which ends 2 s
    /// after the last of them. On Unix each set needs two descriptors.
    ///
    /// # Errors
    ///
    /// `Forked` in a forked child; `Os` if the system refuses descriptors or the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::WaitSet;
    /// use shmkit::sync::{Reset, named};
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = named::Event::options().directory(directory.path());
    /// # let open_or_create = |name, reset| options.open_or_create(name, reset);
    /// # /*
    /// let ready = named::Event::open_or_create("camera/ready", Reset::Manual)?;
    /// # */
    /// # let ready = open_or_create("camera/ready", Reset::Manual)?;
    /// let set = WaitSet::new();
    /// set.add("ready", &ready)?;
    /// let handle = set.poll_handle()?;
    /// // Register `handle` with the event loop. Each time it is readable:
    /// for key in set.try_wait()? {
    ///     println!("{key}");
    /// }
    /// # let _ = handle;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "as_fd")]
    pub fn poll_handle(&self) -> Result<PollHandle> {
        self.check_not_forked(ACTION)?;
        if let Some(flag) = self.flag.get() {
            return Ok(flag.handle());
        }
        let made = Arc::new(Flag::new().map_err(|error| error.doing("poll").on("a wait set"))?);
        let flag = self.flag.get_or_init(|| made);
        let client: Arc<dyn Client> = flag.clone();
        self.tell(&client);
        self.look_again()?;
        Ok(flag.handle())
    }

    /// Has the sources watched for the flag that is polled, if there is one: nothing is ready.
    fn look_again(&self) -> Result<()> {
        let watch = |flag: &Arc<Flag>| flag.watch(|| self.sources());
        let watched = self.flag.get().map_or(Ok(()), watch);
        watched.map_err(|error| error.doing("poll").on("a wait set"))
    }

    fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.group.entries().iter().map(|entry| entry.source().clone()).collect()
    }

    fn told(&self) -> MutexGuard<'_, Vec<Weak<dyn Client>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the client is told when handles are added, while it lives.
    fn tell(&self, client: &Arc<dyn Client>) {
        let mut told = self.told();
        told.retain(|client| client.strong_count() > 0);
        told.push(Arc::downgrade(client));
    }

    fn wait_within(&self, until: Until) -> Result<Vec<K>> {
        let mut ids = Vec::new();
        loop {
            self.check_not_forked(ACTION)?;
            if let Err(why) = self.group.wait(until, &mut ids) {
                self.look_again()?;
                return Err(not_ready(why));
            }
            let keys = self.keys_of(&mut ids);
            // Others were removed meanwhile.
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
    }

    /// Returns the keys of those handles that are still in the set, in turn.
    fn keys_of(&self, ids: &mut Vec<u64>) -> Vec<K> {
        // ORDERING: Relaxed; it only decides the order.
        let next = self.next.load(Ordering::Relaxed);
        // Those of slow checks come behind the others.
        ids.sort_unstable();
        ids.dedup();
        let behind = ids.partition_point(|id| *id < next);
        ids.rotate_left(behind);
        if let Some(first) = ids.first() {
            // ORDERING: Relaxed; as above.
            self.next.store(first + 1, Ordering::Relaxed);
        }
        let keys = self.keys();
        let key_of = |id: u64| {
            let index = keys.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            Some(keys[index].1.clone())
        };
        ids.drain(..).filter_map(key_of).collect()
    }

    fn keys(&self) -> MutexGuard<'_, Vec<(u64, K)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_not_forked(&self, action: &'static str) -> Result<()> {
        if self.stamp.is_none_or(ProcessStamp::is_mine) {
            return Ok(());
        }
        let why = "it belongs to the parent process: make another one after fork";
        Err(Error::new(ErrorKind::Forked, why).doing(action).on("a wait set"))
    }
}

#[cold]
fn not_ready(why: NotReady) -> Error {
    let error = match why {
        NotReady::TimedOut => {
            Error::new(ErrorKind::TimedOut, "nothing was ready before the timeout expired")
        }
        NotReady::Stopped(stop) => stop.error(),
    };
    error.doing(ACTION).on("a wait set")
}

impl<K> fmt::Debug for WaitSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handles = self.group.entries().len();
        f.debug_struct("WaitSet").field("handles", &handles).finish_non_exhaustive()
    }
}
