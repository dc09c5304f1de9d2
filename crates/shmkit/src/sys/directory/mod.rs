//! Files under names in one directory: made whole before they are named, opened warily, removed.

#[cfg(target_os = "linux")]
mod cleaners;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use cleaners::cleaners;
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    default_path, may_unlink, must_escape, name_unnamed, new_temporary, new_unnamed, open, read_at,
    rename_temporary, reserve, set_mode, status, status_of_name, support, unlink, write_all_at,
};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// For reading alone.
    ReadOnly,
    /// For reading and writing.
    ReadWrite,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) identity: Identity,
    pub(crate) links: u64,
    pub(crate) size: u64,
    /// Bytes for which the file system has set space aside.
    pub(crate) committed: u64,
    pub(crate) owner: u32,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) file_type: FileType,
}

/// Which file it is, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) file: u64,
}

/// What kind of file a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Regular,
    Directory,
    SymbolicLink,
    Fifo,
    Other,
}

/// Where objects can live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// In memory: nothing in it outlives the machine's run.
    Memory,
    /// On a disk: a file may be of an earlier run of the machine.
    Disk,
    /// On a file system that nobody has looked at: to be tried.
    Untried,
}
