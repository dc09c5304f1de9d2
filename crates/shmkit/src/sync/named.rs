//! Names for objects that hold one primitive.
//!
//! # Examples
//!
//! ```
//! use shmkit::sync::named;
//!
//! # fn main() -> shmkit::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let options = named::Mutex::<u64>::options().directory(directory.path());
//! # let open_or_create = |name, value| options.open_or_create(name, value);
//! # /*
//! let total = named::Mutex::<u64>::open_or_create("total", 0)?;
//! # */
//! # let total = open_or_create("total", 0)?;
//! *total.lock()? += 1;
//! # Ok(())
//! # }
//! ```

use crate::object::Object;

/// A [`Mutex`](super::Mutex) under a name.
pub type Mutex<T = super::NoData> = Object<super::Mutex<T>>;
/// A [`ReentrantMutex`](super::ReentrantMutex) under a name.
pub type ReentrantMutex<T = super::NoData> = Object<super::ReentrantMutex<T>>;
/// An [`RwLock`](super::RwLock) under a name.
pub type RwLock<T = super::NoData> = Object<super::RwLock<T>>;
/// A [`Condvar`](super::Condvar) under a name.
pub type Condvar = Object<super::Condvar>;
/// A [`Semaphore`](super::Semaphore) under a name.
pub type Semaphore = Object<super::Semaphore>;
/// A [`BoundedSemaphore`](super::BoundedSemaphore) under a name.
pub type BoundedSemaphore = Object<super::BoundedSemaphore>;
/// An [`Event`](super::Event) under a name.
pub type Event = Object<super::Event>;
/// A [`Barrier`](super::Barrier) under a name.
pub type Barrier = Object<super::Barrier>;
/// A [`Latch`](super::Latch) under a name.
pub type Latch = Object<super::Latch>;
/// A [`Once`](super::Once) under a name.
pub type Once = Object<super::Once>;
