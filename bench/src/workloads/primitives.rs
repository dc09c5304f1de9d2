//! What a peer offers.

/// A counter under a mutex.
pub(crate) trait Mutex {
    /// Acquires, adds one, runs `section`, releases.
    fn add(&self, section: impl FnOnce());
}

/// A counter under a lock for readers and writers.
pub(crate) trait RwLock {
    /// Acquires for reading, reads, runs `section`, releases.
    fn read(&self, section: impl FnOnce()) -> u64;
    /// Acquires for writing, adds one, runs `section`, releases.
    fn write(&self, section: impl FnOnce());
}

/// Two sides, 0 and 1, that wait for each other.
pub(crate) trait Turns {
    /// Lets the side `to` continue.
    fn give(&self, to: usize);
    /// Waits until the side `own`, the caller's, may continue.
    fn take(&self, own: usize);
}
