//! Programs that do not use shmkit, and read and write the same bytes.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
