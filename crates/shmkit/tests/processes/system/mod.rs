//! What the tests ask of the system: a link to a child, and its end, stop and resumption.

#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
pub(crate) use unix::{ANNOUNCES_EVERY_DEATH, notices_threads_of};
#[cfg(unix)]
pub(crate) use unix::{
    EXCLUDES_OVERLAPPING_CREATORS, KILLS, LEAVES_TEMPORARY_FILES, Stream, end_with_parent,
    inherited_memory, link_to_parent, memory_directory, memory_for_children, pass_memory, read_at,
    resume, start, stop, wait_for_file_lock_waiter, wait_for_stop, was_killed, write_at,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    ANNOUNCES_EVERY_DEATH, EXCLUDES_OVERLAPPING_CREATORS, KILLS, LEAVES_TEMPORARY_FILES, Stream,
    end_with_parent, inherited_memory, link_to_parent, memory_directory, memory_for_children,
    notices_threads_of, pass_memory, read_at, resume, start, stop, wait_for_file_lock_waiter,
    wait_for_stop, was_killed, write_at,
};
