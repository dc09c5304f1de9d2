//! What holds between processes, some of which are killed, stopped, forked or hostile.
//!
//! Each test starts this program again, as children in a role: see `children`.

#[cfg(target_os = "linux")]
mod attach;
mod call;
mod channels;
mod children;
#[cfg(unix)]
mod closed_descriptors;
mod copies;
mod crash;
mod deaths;
mod file_lock;
mod flag;
#[cfg(unix)]
mod fork;
mod gate;
mod hostile;
mod kills;
mod loans;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod notices;
#[cfg(unix)]
mod other_users;
#[cfg(target_os = "linux")]
mod overlay;
mod pipe;
mod queue;
mod races;
mod regions;
#[cfg(unix)]
mod removed;
mod replacing;
#[path = "../skipping/mod.rs"]
mod skipping;
#[cfg(target_os = "linux")]
mod space;
mod spinning;
mod stopped;
mod sync;
mod system;
mod test_dir;
mod times;
mod topics;
mod updates;
mod values;
mod wait_sets;
mod wakes;
#[cfg(target_os = "linux")]
mod while_used;
#[cfg(windows)]
mod wine;
