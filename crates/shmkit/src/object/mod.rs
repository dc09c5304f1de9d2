//! The layout of everything that has a name: one file, made whole, opened warily, removed under a
//! gate, whose users are known to the kernel.
//!
//! | file | what it tells |
//! |---|---|
//! | `name` | what objects may be called, and what their files are called |
//! | `header`, `layout` | the bytes of an object; how they are checked before they are believed |
//! | `options` | what can be chosen |
//! | `new_file` | the directory |
//! | `presence` | which byte of the file is locked for what |
//! | `participants` | who takes part, and who is dead |
//! | `lifetime` | when the name goes away |
//! | `object_file`, `object` | a file with its locks; a handle on it |

mod header;
mod layout;
mod lifetime;
mod name;
mod new_file;
mod object_file;
mod open_object;
mod options;
mod participants;
mod presence;

pub use layout::Kind;
pub(crate) use layout::{NewObject, ObjectLayout, WAIT_WORD_STRIDE};
pub(crate) use lifetime::RemovalTarget;
pub(crate) use name::Name;
pub(crate) use new_file::{is_left_over, sweep_temporary};
pub(crate) use object_file::{ObjectFile, OpenMode};
pub(crate) use open_object::{OpenObject, check_kind, finish_removal, observe, remove_named};
pub use options::{Lifetime, default_directory};
pub(crate) use options::{Options, same_option};
pub(crate) use participants::ParticipantId;
pub use participants::Role;
