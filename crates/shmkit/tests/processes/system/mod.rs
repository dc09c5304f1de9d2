//! What these tests ask of the system: a link to a child, its end, and standing still.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    KILLS, LEAVES_TEMPORARY_FILES, Stream, end_with_parent, go_on, link_to_parent,
    memory_directory, read_at, start, stop, wait_for_stop, wait_for_waiter, was_killed, write_at,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    KILLS, LEAVES_TEMPORARY_FILES, Stream, end_with_parent, go_on, link_to_parent,
    memory_directory, read_at, start, stop, wait_for_stop, wait_for_waiter, was_killed, write_at,
};
