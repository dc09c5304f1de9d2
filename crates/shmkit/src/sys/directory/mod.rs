//! Named files in one directory: created complete before they get their name, opened safely,
//! removed.

#[cfg(target_os = "linux")]
mod cleaners;
#[cfg(target_os = "linux")]
mod flaws;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod overlay;
#[cfg(target_os = "linux")]
mod users;
#[cfg(target_os = "linux")]
pub(crate) use flaws::flaws;
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    DEFAULT_IS_MEMORY, default_path, must_escape, name_unnamed, new_unnamed, support, support_of,
};
#[cfg(target_os = "linux")]
pub(crate) use mount::mount;
#[cfg(target_os = "linux")]
pub(crate) use overlay::open_to_follow;
#[cfg(target_os = "linux")]
pub(crate) use users::users_of_file;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{
    DEFAULT_IS_MEMORY, default_path, flaws, must_escape, name_unnamed, new_unnamed, support,
    support_of,
};
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    LEFT_OVER, UNLINKED_FOR_GOOD, is_read_only, is_reserved, is_unlinked, keep_off_disk,
    may_unlink, new_temporary, open, read_at, rename_temporary, status_of_name, unlink,
    write_all_at,
};
#[cfg(unix)]
use unix::{MUST_FINISH_UNLINK, finish_unlink};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    DEFAULT_IS_MEMORY, LEFT_OVER, UNLINKED_FOR_GOOD, default_path, flaws, is_read_only,
    is_reserved, is_unlinked, keep_off_disk, may_unlink, must_escape, name_unnamed, new_temporary,
    new_unnamed, open, read_at, rename_temporary, status_of_name, support, support_of, unlink,
    write_all_at,
};
#[cfg(windows)]
use windows::{MUST_FINISH_UNLINK, finish_unlink};

mod other_name;
mod place;
mod removable;
mod temporary;
mod whole;

pub(crate) use other_name::other_name;
pub use place::Mount;
pub(crate) use place::Support;
pub(crate) use removable::Removable;
pub(crate) use temporary::{is_temporary, temporary_path};
#[cfg(target_os = "linux")]
pub(crate) use whole::create_sparse;
pub(crate) use whole::create_whole;

pub(crate) use super::opening::Opening;
pub(crate) use super::status::{FileType, Identity, Status, status};
#[cfg(not(target_os = "linux"))]
pub(crate) use place::{mount, open_to_follow, users_of_file};
