//! The mechanisms of the field, in the order in which they are shown.
//!
//! | file | mechanism |
//! |---|---|
//! | `pipe`, `fifo`, `named_pipe` | pipes of the kernel: without a name, and with one |
//! | `unix_socket`, `tcp` | sockets |
//! | `posix_queue`, `system_v_queue`, `mailslot` | message queues of the kernel |
//! | `ring` | slots in shared memory, with what wakes the other side: |
//! | `semaphore`, `signal`, `event_fd`, `event` | semaphores, signals, descriptors, events |
//! | `ours` | the channels of shmkit |

mod ours;
mod pipe;
mod ring;
mod tcp;

#[cfg(target_os = "linux")]
mod event_fd;
#[cfg(unix)]
mod fifo;
#[cfg(target_os = "linux")]
mod posix_queue;
#[cfg(target_os = "linux")]
mod semaphore;
#[cfg(target_os = "linux")]
mod signal;
#[cfg(target_os = "linux")]
mod system_v_queue;
#[cfg(unix)]
mod unix_socket;

#[cfg(windows)]
mod event;
#[cfg(windows)]
mod mailslot;
#[cfg(windows)]
mod named_pipe;

use super::mechanism::Mechanism;

/// Returns all mechanisms of this system.
#[cfg(target_os = "linux")]
pub(super) fn all() -> Vec<Mechanism> {
    let of_the_system = [
        pipe::MECHANISM,
        fifo::MECHANISM,
        unix_socket::STREAM,
        unix_socket::DATAGRAM,
        unix_socket::SEQPACKET,
        tcp::MECHANISM,
        posix_queue::MECHANISM,
        system_v_queue::MECHANISM,
        semaphore::MECHANISM,
        signal::MECHANISM,
        event_fd::MECHANISM,
    ];
    [&of_the_system[..], &ours::MECHANISMS].concat()
}

/// Returns all mechanisms of this system.
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn all() -> Vec<Mechanism> {
    let of_the_system = [
        pipe::MECHANISM,
        fifo::MECHANISM,
        unix_socket::STREAM,
        unix_socket::DATAGRAM,
        tcp::MECHANISM,
    ];
    [&of_the_system[..], &ours::MECHANISMS].concat()
}

/// Returns all mechanisms of this system.
#[cfg(windows)]
pub(super) fn all() -> Vec<Mechanism> {
    let of_the_system = [
        pipe::MECHANISM,
        named_pipe::MECHANISM,
        tcp::MECHANISM,
        mailslot::MECHANISM,
        event::MECHANISM,
    ];
    [&of_the_system[..], &ours::MECHANISMS].concat()
}
