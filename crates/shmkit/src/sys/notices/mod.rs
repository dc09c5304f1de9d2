//! Death notices: what makes sleeping waiters look again when another process has ended.
//!
//! Only a free liveness lock proves a death. A notice says no more than: look now. It comes when
//! the system closes a file of the object, as it does for every process that ends, in whatever way;
//! also when the file loses its name. Until notices are armed, or where they cannot be, waiters
//! look at intervals.
//!
//! A waiter
//!
//! - S1 reads the count of news,
//! - S2 looks, and makes the slow check if there are news since its last one,
//! - S3 enters the list of sleepers, if the count is still that of S1,
//! - S4 sleeps on its word,
//! - S5 leaves the list.
//!
//! The ringer, one thread for each process,
//!
//! - R1 reads an event,
//! - R2 counts one more piece of news,
//! - R3 wakes the words in the list,
//! - R4 repeats R3 until all have left the list that were in it at R2,
//! - R5 repeats all from R2, 0.1, 1, 10 and 100 ms after R1.
//!
//! # Why no notice is lost
//!
//! S3 and R2 hold the same mutex. If R2 comes first, the waiter does not sleep. If S3 comes first,
//! the waiter is in the list, and R4 wakes it again and again until it leaves: also if the first
//! wake came between S3 and S4, or reached a sleeper of another process.
//!
//! Linux reports that a file is closed just before it releases the locks of the closed file. So a
//! waiter that looks at once may find the lock still held: R5.

#[cfg(any(target_os = "linux", loom))]
#[cfg_attr(loom, allow(dead_code, reason = "only models ring"))]
mod sleepers;

#[cfg(all(target_os = "linux", not(loom)))]
mod bell;
#[cfg(all(target_os = "linux", not(loom)))]
mod due;
#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(all(target_os = "linux", not(loom)))]
mod object;
#[cfg(all(target_os = "linux", not(loom)))]
mod ringer;
#[cfg(all(target_os = "linux", not(loom)))]
mod service;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use object::Notices;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use service::obstacle;

#[cfg(loom)]
#[allow(dead_code, reason = "only models ring")]
mod model;
#[cfg(loom)]
pub(crate) use model::{Notices, obstacle};
#[cfg(all(not(target_os = "linux"), not(loom)))]
mod unarmed;
#[cfg(all(not(target_os = "linux"), not(loom)))]
pub(crate) use unarmed::{Notices, obstacle};

/// Why notices cannot be armed, and what to do about it.
pub(crate) struct Obstacle {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Obstacle {
    #[cfg(all(target_os = "linux", not(loom)))]
    fn new(why: String, remedy: String) -> Self {
        Self { what: format!("a death is noticed only after 50 ms: {why}"), remedy }
    }
}
