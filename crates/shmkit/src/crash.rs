//! Named points at which a test has its child process killed, or stopped, half-way through a
//! protocol.
//!
//! Without the feature `crash-points` a point is nothing at all.

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
    "open: lock file open",
    "open: gate passed",
    "open: header read",
    "open: mapped",
    "open: present",
    "slot: locked",
    "slot: entered",
    "slot: left but locked",
    "owner: taken",
    "owner: given up",
    "owner: freed, nobody woken",
    "latest: slot in writing",
    "latest: slot half written",
    "latest: slot written, not complete",
    "latest: slot complete, latest not moved",
    "sleepers: word changed, nobody woken",
    "leave: gate held",
    "leave: nobody else present",
    "retire: gate not yet held",
    "retire: marked",
    "retire: waiters told",
    "retire: unlinked",
];

/// Those in locks, conditions, semaphores and so on, besides the ones above that they come to.
#[cfg(feature = "crash-points")]
pub const SYNC_POINTS: &[&str] = &[
    "lock: taken",
    "rwlock: shared, owner not yet seen",
    "rwlock: drained, not yet in",
    "rwlock: taken",
    "rwlock: share given back, nobody woken",
    "condvar: enlisted, not yet seen",
    "condvar: waiting",
    "condvar: notified, lock not yet taken",
    "condvar: leaving",
    "semaphore: taken, not on record",
    "semaphore: given back, not on record",
    "semaphore: permit of a dead one found",
    "barrier: joined",
    "barrier: arrived, not yet seen",
    "barrier: death on record, round not broken",
    "barrier: round broken, record not free",
    "once: begun",
];

/// How often one of this process's sleepers found something that no wake had told it of.
#[cfg(all(feature = "crash-points", not(loom)))]
pub fn late_finds() -> u64 {
    crate::sync::sleepers::late::finds()
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::{Once, OnceLock};

    /// The environment variable that names the point to die at.
    pub const VARIABLE: &str = "SHMKIT_CRASH_POINT";
    /// The one that names the point to stand still at when it is come to first, as by `SIGSTOP`.
    pub const STOP_VARIABLE: &str = "SHMKIT_STOP_POINT";

    pub(crate) const fn is_known(name: &str) -> bool {
        is_in(super::POINTS, name) || is_in(super::SYNC_POINTS, name)
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
        static CHOSEN: OnceLock<[Option<String>; 2]> = OnceLock::new();
        static STOPPED: Once = Once::new();
        let look = || [VARIABLE, STOP_VARIABLE].map(|variable| std::env::var(variable).ok());
        let [death, stop] = CHOSEN.get_or_init(look);
        if stop.as_deref() == Some(name) {
            STOPPED.call_once(crate::sys::process::stop);
        }
        if death.as_deref() == Some(name) {
            crate::sys::process::die();
        }
    }
}

#[cfg(feature = "crash-points")]
pub use armed::{STOP_VARIABLE, VARIABLE};
#[cfg(feature = "crash-points")]
pub(crate) use armed::{is_known, pass};

/// Under loom a thread ends at a point, with what it stored so far.
#[cfg(all(test, loom))]
mod model {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    loom::thread_local! {
        static ENDS_AT: Cell<Option<&'static str>> = Cell::new(None);
    }

    /// Runs `steps`, which end at the crash point `name`. Returns whether they came there.
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
