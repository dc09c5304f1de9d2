//! What holds between processes, with some of them killed, stopped, forked or hostile.
//!
//! Each test starts this program again, as children in a role: see `children`.

#[cfg(unix)]
mod attach;
mod children;
mod crash;
mod deaths;
mod file_lock;
#[cfg(unix)]
mod fork;
mod gate;
mod hostile;
mod kills;
#[cfg(unix)]
mod namespaces;
mod place;
mod races;
#[cfg(unix)]
mod space;
mod stopped;
#[cfg(unix)]
mod strangers;
mod sync;
mod system;
mod values;
mod wakes;
#[cfg(windows)]
mod wine;
#[cfg(unix)]
mod without_descriptors;
