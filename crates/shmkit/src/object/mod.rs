//! Objects: everything that has a name, or a place in a region of memory.
//!
//! ```text
//! Options ──> Object<P> ──> OpenObject ──> ObjectFile ──> Storage
//!  choices     typed open    presence       name, gate     bytes, locks: in a file or a memory
//!                 │             └ Membership: a slot among the participants
//!              Payload: plan, build, describe
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `name` | which names objects can have, and the names of their files |
//! | `kind`, `header`, `layout` | the bytes of an object, and the checks before they are used |
//! | `payload`, `planner`, `builder` | what a kind consists of: planned, created, found again |
//! | `part` | the same as an outsider sees it, through the object's schema |
//! | `attempts` | trying again when other processes interfere |
//! | `options`, `new_object`, `typed` | choices; creating and opening by type |
//! | `new_file`, `object_file` | files: created without a name, opened carefully |
//! | `region_object` | objects in a region of memory |
//! | `storage`, `open_object`, `membership` | an open object; how this process takes part in it |
//! | `presence` | which byte of a file is locked for what |
//! | `removal` | the gate: when a name is removed |
//! | `watched`, `waitable` | a handle that is waited for together with others |
//! | `removal_watch` | when a use asks whether the name was removed by other means |

mod attempts;
mod builder;
mod choices;
mod header;
mod kind;
mod layout;
mod membership;
mod name;
mod named_object;
mod new_file;
mod new_object;
mod object_file;
mod open_object;
mod options;
mod part;
mod payload;
mod planner;
mod presence;
mod region_object;
mod removal;
mod removal_watch;
mod storage;
mod typed;
mod waitable;
mod watched;
mod zeroed;

pub(crate) use attempts::until_not_removed;
pub(crate) use builder::{Builder, LINE_WORDS, Line, Words};
pub use choices::default_directory;
pub(crate) use choices::{Choices, KindFlags, check_option, missing, shown};
pub use header::Lifetime;
pub use kind::Kind;
pub(crate) use kind::REQUEST_LENGTH;
pub(crate) use layout::{NewObject, ObjectLayout};
pub(crate) use membership::{Membership, RecordedWait};
pub(crate) use name::Name;
pub(crate) use named_object::{observe, remove, remove_even_if};
pub(crate) use new_file::{is_left_over, unlink_if_unused};
pub(crate) use new_object::{file_flags, new_object};
pub(crate) use object_file::{ObjectFile, OpenMode};
pub(crate) use open_object::OpenObject;
pub use options::Options;
pub use part::{Column, Holder, Holding, PartState, Value};
pub(crate) use part::{Part, grouped, parts};
pub use payload::{Contents, Payload, Primitive};
pub(crate) use planner::{
    Counts, LINE, Planner, Room, SLEEP, SlotContent, SlotField, ValueType, WAIT, WORDS,
    size_and_fingerprint,
};
pub(crate) use removal::{RemovalTarget, finish_removal};
pub(crate) use removal_watch::RemovalWatch;
pub(crate) use storage::Storage;
pub use typed::Object;
pub(crate) use typed::check_kind;
pub(crate) use watched::Watched;
