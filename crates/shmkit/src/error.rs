//! One error type. Its kind is for the program, its message for the person who reads it.
//!
//! A message is `cannot <what was being done> "<object>": <why, with the numbers>`.

use std::borrow::Cow;
use std::{fmt, io};

/// What every fallible operation here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
///
/// The numbers are part of the interface: they are the codes that C and Python see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum ErrorKind {
    /// Nothing has this name.
    NotFound = 1,
    /// The name is taken.
    AlreadyExists = 2,
    /// The system, or the rule about whose objects are accepted, forbids it.
    PermissionDenied = 3,
    /// The name breaks the rules for names.
    InvalidName = 4,
    /// An argument makes no sense: a size of 0, a value that does not fit its field.
    InvalidArgument = 5,
    /// An offset or a length lies outside the object.
    OutOfRange = 6,
    /// The file system or the quota is full. Nothing was made.
    OutOfSpace = 7,
    /// The object is of another kind, or no object of `shmkit` at all.
    WrongKind = 8,
    /// The object holds another type: the message names the first field that differs.
    WrongType = 9,
    /// The object was made by a version whose format this one does not read.
    WrongVersion = 10,
    /// The object exists with other options: the message names the first that differs.
    WrongOptions = 11,
    /// The bytes break the format. They were not used.
    Corrupt = 12,
    /// Others were in the way for longer than the bounded patience. Trying again is sound.
    Busy = 13,
    /// The time given for waiting is over.
    TimedOut = 14,
    /// There is no value yet.
    Empty = 15,
    /// Every place is taken.
    Full = 16,
    /// A living process has the role that only one may have: the message says which.
    RoleTaken = 17,
    /// This handle lost its role to another process, because its own proof of life was gone.
    RoleLost = 18,
    /// A process on the other side died.
    PeerDied = 19,
    /// A process died while it held this, and the data may be half-changed.
    OwnerDied = 20,
    /// The object was removed. A new one may have the name.
    Closed = 21,
    /// The handle was inherited through `fork`, and refuses to act for its parent.
    Forked = 22,
    /// This system, or this file system, cannot do it.
    Unsupported = 23,
    /// Another error of the operating system: see the source.
    Os = 24,
}

/// Why an operation failed. One pointer wide, so that results stay small on fast paths.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Body>);

#[derive(Debug, thiserror::Error)]
#[error("{}", Message(self))]
struct Body {
    kind: ErrorKind,
    doing: Cow<'static, str>,
    object: Option<String>,
    why: Cow<'static, str>,
    source: Option<io::Error>,
}

impl Error {
    /// An error of `kind`; `why` completes the sentence "cannot ...: why".
    #[cold]
    pub(crate) fn new(kind: ErrorKind, why: impl Into<Cow<'static, str>>) -> Self {
        let doing = Cow::Borrowed("");
        Self(Box::new(Body { kind, doing, object: None, why: why.into(), source: None }))
    }

    /// The error that the system gave, sorted into the kinds that callers act on.
    #[cold]
    pub(crate) fn from_os(source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::OutOfSpace,
            io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Os,
        };
        let mut error = Self::new(kind, "");
        error.0.source = Some(source);
        error
    }

    /// Says what was being done: a verb, as in "open" or "set the size of". The innermost stays.
    #[cold]
    pub(crate) fn doing(mut self, verb: impl Into<Cow<'static, str>>) -> Self {
        if self.0.doing.is_empty() {
            self.0.doing = verb.into();
        }
        self
    }

    /// Says to which object. The innermost stays.
    #[cold]
    pub(crate) fn on(mut self, object: impl fmt::Display) -> Self {
        self.0.object.get_or_insert_with(|| object.to_string());
        self
    }

    /// Gives the reason in our words, before those of the system.
    #[cold]
    pub(crate) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.0.why = why.into();
        self
    }

    /// The same error under a kind that fits better than the one derived from the system's.
    #[cold]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What went wrong, as far as a caller can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the object that it happened to, where there is one.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

struct Message<'a>(&'a Body);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Body { doing, object, why, source, .. } = self.0;
        let mut separator = "";
        if !doing.is_empty() {
            write!(f, "cannot {doing}")?;
            separator = ": ";
        }
        if let Some(object) = object {
            write!(f, "{}\"{object}\"", if doing.is_empty() { "" } else { " " })?;
            separator = ": ";
        }
        if !why.is_empty() {
            write!(f, "{separator}{why}")?;
            separator = ": ";
        }
        if let Some(source) = source {
            write!(f, "{separator}{source}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_action_the_object_and_the_reason() {
        let error = Error::new(ErrorKind::WrongType, "field Tick.size is u32 here").doing("open");
        let error = error.on("prices").doing("attach to").on("other");
        assert_eq!(error.to_string(), r#"cannot open "prices": field Tick.size is u32 here"#);
        assert_eq!((error.kind(), error.object()), (ErrorKind::WrongType, Some("prices")));
    }

    #[test]
    fn the_system_s_error_is_sorted_shown_and_kept_as_the_source() {
        // ENOSPC, ERROR_DISK_FULL
        let code = if cfg!(windows) { 112 } else { 28 };
        let told = io::Error::from_raw_os_error(code).to_string();
        let error = Error::from_os(io::Error::from_raw_os_error(code)).doing("create").on("big");
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert_eq!(error.to_string(), format!(r#"cannot create "big": {told}"#));
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }
}
