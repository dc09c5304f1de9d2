//! The frame of everything that has a name: one file, made whole, opened warily, removed under a
//! gate, whose users are known to the kernel.
//!
//! | file | what it tells |
//! |---|---|
//! | `name` | what objects may be called, and what their files are called |
//! | `header`, `frame` | the bytes of an object; how they are checked before they are believed |
//! | `options` | what can be chosen |
//! | `place` | the directory |
//! | `presence` | which byte of the file is locked for what |
//! | `participants` | who takes part, and who is dead |
//! | `lifetime` | when the name goes away |
//! | `site`, `attached` | a file with its locks; a handle on it |

mod attached;
mod frame;
mod header;
mod lifetime;
mod name;
mod options;
mod participants;
mod place;
mod presence;
mod site;

pub(crate) use attached::{Attached, check_kind, finish_removal, observe, remove_named};
pub use frame::Kind;
pub(crate) use frame::{Contents, Frame, WAIT_WORD_STRIDE};
pub(crate) use lifetime::Ground;
pub(crate) use name::Name;
pub use options::{Lifetime, default_directory};
pub(crate) use options::{Options, same_option};
pub use participants::Role;
pub(crate) use participants::Seat;
pub(crate) use place::{is_left_over, sweep_temporary};
pub(crate) use site::{Site, Want};
