//! Programs that know nothing of shmkit share raw memory with it, byte for byte.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
