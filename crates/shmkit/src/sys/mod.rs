//! The only code that knows an operating system: by capability, then by system (`wait/linux.rs`).
//!
//! Each capability imports only from those above it in this table. One exception: `memory` imports
//! from `directory`, where its files are.
//!
//! | module | capability |
//! |---|---|
//! | `win32` | what all calls of Win32 share: texts, handles, users |
//! | `random` | random bytes |
//! | `pages` | the units of mapping |
//! | `limits` | what this process may have, and the words for a refusal |
//! | `status` | what the system reports about an open file |
//! | `lock` | byte-range locks on files |
//! | `wait` | sleeping until a word changes |
//! | `thread` | threads of this library |
//! | `alarm` | a word on which a thread sleeps that waits for many others |
//! | `sleepers` | the threads of this process that sleep, and how they are woken for other news |
//! | `fork` | handles and pages that a child must not use; files that the program may close |
//! | `pollable` | a flag that event loops can poll |
//! | `process` | the identity of this process and of this run of the machine |
//! | `seconds` | the present second, for frequent uses |
//! | `notices` | what wakes waiters when another process has ended |
//! | `memory` | memory under raw names |
//! | `file` | open files: size, space, rights, seals |
//! | `directory` | named files in a directory |
//! | `mapping` | files in the address space |

pub(crate) mod alarm;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod fork;
#[cfg(unix)]
mod limits;
pub(crate) mod lock;
pub(crate) mod mapping;
pub(crate) mod memory;
pub(crate) mod notices;
mod opening;
mod pages;
#[cfg_attr(loom, allow(dead_code, reason = "no model polls"))]
#[cfg(not(loom))]
pub(crate) mod pollable;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod seconds;
pub(crate) mod sleepers;
mod status;
#[cfg_attr(loom, allow(dead_code, reason = "no model starts a thread of the library"))]
pub(crate) mod thread;
pub(crate) mod wait;
#[cfg(windows)]
mod win32;
