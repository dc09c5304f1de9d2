//! Named points at which a test kills or stops its child process in the middle of a protocol.
//!
//! Without the feature `crash-points` a point compiles to nothing.

/// Dies here by `SIGKILL` if the environment's `SHMKIT_CRASH_POINT` names this point.
#[cfg(not(any(feature = "crash-points", all(test, loom))))]
macro_rules! crash_point {
    ($name:literal) => {};
}

/// Dies here by `SIGKILL` if the environment's `SHMKIT_CRASH_POINT` names this point.
#[cfg(all(feature = "crash-points", not(all(test, loom))))]
macro_rules! crash_point {
    ($name:literal) => {{
        const { assert!($crate::crash::is_known($name), "name it in crash::POINTS") };
        $crate::crash::pass($name);
    }};
}

/// Ends a thread of a model here if [`ends_at`] names this point.
#[cfg(all(test, loom))]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::reached($name)
    };
}

/// Every point in objects and in `Latest`: tests go through all of them.
#[cfg(feature = "crash-points")]
pub const POINTS: &[&str] = &[
    "create: unnamed file made",
    "create: space committed",
    "create: contents written",
    "create: locked",
    "create: named",
    "create: mapped",
    "open: file open",
    "open: gate passed",
    "open: header read",
    "open: mapped",
    "open: present",
    "slot: locked",
    "slot: entered",
    "slot: left but locked",
    "slot: death counted, not freed",
    "owner: taken",
    "owner: given up",
    "latest: changed, not set",
    "latest: slot in writing",
    "latest: slot half written",
    "latest: slot written, not complete",
    "latest: slot complete, latest not moved",
    "wait: word changed, nobody woken",
    "leave: still mapped",
    "leave: checked whether removed",
    "leave: gate held",
    "leave: nobody else present",
    "retire: gate not yet held",
    "retire: marked",
    "retire: waiters told",
    "retire: unlinked",
];

/// The points in locks, conditions, semaphores and so on, in addition to the ones above.
#[cfg(feature = "crash-points")]
pub const SYNC_POINTS: &[&str] = &[
    "lock: taken",
    "rwlock: shared, owner not yet seen",
    "rwlock: drained, not yet in",
    "rwlock: taken",
    "condvar: registered, not yet seen",
    "condvar: waiting",
    "condvar: notified, lock not yet taken",
    "condvar: leaving",
    "condvar: notified, nobody woken",
    "semaphore: permit taken, not recorded",
    "semaphore: permit given back, not recorded",
    "semaphore: dead participant's permit found",
    "barrier: joined",
    "barrier: arrived, not yet seen",
    "barrier: death recorded, round not broken",
    "barrier: round broken, record not free",
    "once: begun",
];

/// The points in queues, in addition to those in objects.
#[cfg(feature = "crash-points")]
pub const QUEUE_POINTS: &[&str] = &[
    "queue: slot in writing",
    "queue: slot written, not ready",
    "queue: ready, not in line",
    "queue: in line, tail not moved",
    "queue: sent, nobody told",
    "queue: taken, head not moved",
    "queue: taken, not counted",
    "queue: counted, not handed over",
    "queue: acknowledged, nobody told",
    "queue: returned, not announced",
    "queue: dead holder found",
    "queue: lock taken",
    "queue: ready, not in order",
    "queue: out of order, not taken",
    "queue: order half built",
];

/// The points in topics, in addition to those of objects.
#[cfg(feature = "crash-points")]
pub const TOPIC_POINTS: &[&str] = &[
    "topic: subscribed, not counted",
    "topic: unsubscribed, not counted",
    "topic: about to claim",
    "topic: claimed, not written",
    "topic: being written",
    "topic: half written",
    "topic: written, not complete",
    "topic: claim found abandoned, not skipped",
];

/// The points in topics with large messages, in addition to the ones above.
#[cfg(feature = "crash-points")]
pub const TOPIC_BUFFER_POINTS: &[&str] = &[
    "topic: buffer taken",
    "topic: buffer names its message, not in the entry",
    "topic: buffer in the entry, not complete",
    "topic: complete, old buffer not taken",
    "topic: sample announced",
    "topic: lost buffer found, not freed",
];

/// The points in calls, in addition to those of objects.
#[cfg(feature = "crash-points")]
pub const CALL_POINTS: &[&str] = &[
    "call: slot in writing",
    "call: request written, not ready",
    "call: ready, not announced",
    "call: announced, nobody told",
    "call: begun, still announced",
    "call: begun, not handed over",
    "call: part written, not announced",
    "call: part announced",
    "call: response written, not ended",
    "call: ended, client not told",
    "call: response copied, room not made",
    "call: slot free, nobody told",
    "call: taken back, still announced",
    "call: given up, server not told",
    "call: dead holder found",
];

/// The points in objects in a region of memory, in addition to the ones above.
#[cfg(feature = "crash-points")]
pub const REGION_POINTS: &[&str] = &[
    "region: marked",
    "region: marked, not written",
    "region: cleared, not written",
    "region: payload written",
];

/// The points in raw memory that goes with its last user.
#[cfg(feature = "crash-points")]
pub const MEMORY_POINTS: &[&str] =
    &["memory: not yet used", "memory: gate passed", "memory: found unused"];

/// The points in creating a mutex locked, in addition to those in creating an object.
#[cfg(feature = "crash-points")]
pub const LOCKED_POINTS: &[&str] = &["create: gate still closed"];

/// The points in pipes, in addition to those of objects.
#[cfg(feature = "crash-points")]
pub const PIPE_POINTS: &[&str] = &[
    "pipe: writer joined, not counted",
    "pipe: turn acquired",
    "pipe: bytes half written",
    "pipe: bytes written, not published",
    "pipe: bytes published, turn kept",
    "pipe: writer left, not told",
    "pipe: reader joined, not counted",
    "pipe: bytes read, not taken",
    "pipe: end found, not recorded",
    "pipe: reader left, not told",
];

/// The points at which a test stops a process, and does not kill it.
#[cfg(feature = "crash-points")]
pub const STOP_POINTS: &[&str] = &["wait: not ready, not checked"];

/// How many times a waiter of this process found a change after its slice, without a wake.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn late_finds() -> u64 {
    crate::wait::figures::late_finds()
}

/// How many times this thread found a change after its slice, without a wake. For a test beside
/// others.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn late_finds_of_thread() -> u64 {
    crate::wait::figures::late_finds_of_thread()
}

/// How many sleeps of waiters of this process ended by time, not by a wake.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn expired_sleeps() -> u64 {
    crate::wait::figures::expired_sleeps()
}

/// How many sleeps of waiters of this process ended by a wake.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn woken_sleeps() -> u64 {
    crate::wait::figures::woken_sleeps()
}

/// How many pieces of news death notices have announced to the waiters of this process.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn announcements() -> u64 {
    crate::sys::notices::figures::announcements()
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::Once;

    /// The environment variable that names the point to die at.
    pub const VARIABLE: &str = "SHMKIT_CRASH_POINT";
    /// The environment variable that names the point to stop at, the first time that it is reached,
    /// as after `SIGSTOP`.
    pub const STOP_VARIABLE: &str = "SHMKIT_STOP_POINT";

    pub(crate) const fn is_known(name: &str) -> bool {
        is_in(super::POINTS, name)
            || is_in(super::SYNC_POINTS, name)
            || is_in(super::QUEUE_POINTS, name)
            || is_in(super::TOPIC_POINTS, name)
            || is_in(super::TOPIC_BUFFER_POINTS, name)
            || is_in(super::CALL_POINTS, name)
            || is_in(super::REGION_POINTS, name)
            || is_in(super::MEMORY_POINTS, name)
            || is_in(super::LOCKED_POINTS, name)
            || is_in(super::PIPE_POINTS, name)
            || is_in(super::STOP_POINTS, name)
    }

    const fn is_in(points: &[&str], name: &str) -> bool {
        let mut index = 0;
        while index < points.len() {
            if equal(points[index].as_bytes(), name.as_bytes()) {
                return true;
            }
            index += 1;
        }
        false
    }

    const fn equal(left: &[u8], right: &[u8]) -> bool {
        let mut index = 0;
        while index < left.len() && index < right.len() {
            if left[index] != right[index] {
                return false;
            }
            index += 1;
        }
        left.len() == right.len()
    }

    pub(crate) fn pass(name: &str) {
        static STOPPED: Once = Once::new();
        // Read at each point, without a lock that a fork could leave locked.
        let names = |variable| std::env::var_os(variable).is_some_and(|chosen| chosen == name);
        if names(STOP_VARIABLE) {
            STOPPED.call_once(crate::sys::process::stop);
        }
        if names(VARIABLE) {
            crate::sys::process::die();
        }
    }
}

#[cfg(feature = "crash-points")]
pub use armed::{STOP_VARIABLE, VARIABLE};
#[cfg(all(feature = "crash-points", not(all(test, loom))))]
pub(crate) use armed::{is_known, pass};

/// Under loom a thread ends at a point; what it stored until then stays.
#[cfg(all(test, loom))]
mod model {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    loom::thread_local! {
        static ENDS_AT: Cell<Option<&'static str>> = Cell::new(None);
    }

    /// Runs `steps`, which end at the crash point `name`. Returns whether they reached it.
    pub(crate) fn ends_at(name: &'static str, steps: impl FnOnce()) -> bool {
        ENDS_AT.with(|ends| ends.set(Some(name)));
        let ended = catch_unwind(AssertUnwindSafe(steps)).is_err();
        ENDS_AT.with(|ends| ends.set(None));
        ended
    }

    pub(crate) fn reached(name: &'static str) {
        if ENDS_AT.with(Cell::get) == Some(name) {
            resume_unwind(Box::new(name));
        }
    }
}

#[cfg(all(test, loom))]
pub(crate) use model::{ends_at, reached};
