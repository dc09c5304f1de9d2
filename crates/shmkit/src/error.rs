//! One error type. Its kind is for the program, its message for the person who reads it.
//!
//! A message is `cannot <action> "<object>": <reason, with the numbers>`. Each part of it has an
//! accessor, so that no program has to parse it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// What every fallible operation here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
///
/// The numbers are part of the interface: they are the codes that C and Python see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum ErrorKind {
    /// No object has this name.
    NotFound = 1,
    /// An object has this name already.
    AlreadyExists = 2,
    /// The system forbids it, or the object belongs to a user who is not trusted.
    PermissionDenied = 3,
    /// The name breaks the rules for names.
    InvalidName = 4,
    /// An argument is out of its range: a size of 0, a value that does not fit its field.
    InvalidArgument = 5,
    /// An offset or a length is outside the object.
    OutOfRange = 6,
    /// The file system, the quota or the address space is full. Nothing was created, unless the
    /// message says that it was.
    OutOfSpace = 7,
    /// The object is of another kind, or the file is not a shmkit object.
    WrongKind = 8,
    /// The object holds another type: the message names the first field that differs.
    WrongType = 9,
    /// The object has a version of the format that this program does not read.
    WrongVersion = 10,
    /// The object exists with other options: the message names the first that differs.
    WrongOptions = 11,
    /// The bytes break the format. They were not used.
    Corrupt = 12,
    /// Other processes were in the way for longer than the limit. Trying again can succeed.
    Busy = 13,
    /// The timeout expired.
    TimedOut = 14,
    /// No value has been set yet.
    Empty = 15,
    /// Every slot is taken.
    Full = 16,
    /// A living process has the role that only one can have: see [`Error::peer`].
    RoleTaken = 17,
    /// This process closed a descriptor of the handle, and so lost its role, its slot or its file.
    RoleLost = 18,
    /// A process on the other side died: see [`Error::peer`].
    PeerDied = 19,
    /// A process died while it held the lock, and the data may be half-changed.
    OwnerDied = 20,
    /// The object was removed. Another object may have the name by now.
    Closed = 21,
    /// The object was opened by the parent process: a forked child must open it again.
    Forked = 22,
    /// This system or this file system cannot do it.
    Unsupported = 23,
    /// Another error of the operating system: see [`Error::os_error`].
    Os = 24,
    /// A process aborted or reset the barrier. After an abort, a reset makes it usable again.
    Aborted = 25,
    /// A thread of this process cancelled the wait: see [`CancelToken`](crate::CancelToken).
    Cancelled = 26,
    /// A signal ended the wait, in a call of [`interruptible`](crate::interruptible).
    Interrupted = 27,
    /// No reader is left of those that were there: what is written would not be read.
    BrokenPipe = 28,
    /// The message does not fit in the buffer, and stays in the queue: see [`Error::needed_len`].
    BufferTooSmall = 29,
    /// The other side ended the request without a complete answer.
    Refused = 30,
}

/// Why an operation failed. One pointer wide, so that results stay small on fast paths.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Body>);

#[derive(Debug, thiserror::Error)]
#[error("{}", Message(self))]
struct Body {
    kind: ErrorKind,
    action: Cow<'static, str>,
    object: Option<Arc<str>>,
    /// Completes a sentence that begins with the peer, if there is one.
    why: Cow<'static, str>,
    peer: Option<Peer>,
    untrusted_user: Option<u32>,
    needed_len: Option<usize>,
    source: Option<io::Error>,
}

/// A participant of an object, as messages name it: it may be dead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its slot.
    pub slot: u32,
    /// Its process id, in its own PID namespace, to show to people. None once another participant
    /// has the slot.
    pub pid: Option<u32>,
    /// The name of its program.
    pub program: Option<ProgramName>,
}

/// The name of a program: at most its first 16 bytes.
///
/// Bytes that are not UTF-8, and characters on which a terminal may act instead of showing them,
/// are replaced by `?`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgramName {
    /// INVARIANT: the first `length` bytes, at most 16, are UTF-8.
    bytes: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl ProgramName {
    const MAX_LENGTH: usize = 16;

    /// Takes the name up to the first zero.
    pub(crate) fn new(name: [u8; Self::MAX_LENGTH]) -> Self {
        let mut new = Self { bytes: [0; Self::MAX_LENGTH], length: 0 };
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        for chunk in name.utf8_chunks() {
            let replaced = chunk.valid().chars().map(|c| if is_acted_on(c) { '?' } else { c });
            let invalid = (!chunk.invalid().is_empty()).then_some('?');
            for character in replaced.chain(invalid) {
                let (start, size) = (usize::from(new.length), character.len_utf8());
                // INVARIANT: what replaces is not longer than what it replaces, so all of it fits.
                character.encode_utf8(&mut new.bytes[start..start + size]);
                new.length += size as u8;
            }
        }
        new
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length.into()]).unwrap_or_default()
    }
}

/// Whether a terminal may act on a character instead of showing it: control characters, those that
/// change the direction of text, and those without a width.
fn is_acted_on(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

impl Deref for ProgramName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot;
        match (self.pid, &self.program) {
            (Some(pid), Some(program)) => write!(f, "process {pid} ({program}) in slot {slot}"),
            _ => write!(f, "a process that was in slot {slot}"),
        }
    }
}

impl Error {
    /// Returns an error of `kind`. `why` completes the sentence "cannot ...: why".
    #[cold]
    pub(crate) fn new(kind: ErrorKind, why: impl Into<Cow<'static, str>>) -> Self {
        let (action, why) = (Cow::Borrowed(""), why.into());
        let (object, peer, untrusted_user, source) = (None, None, None, None);
        let needed_len = None;
        let body = Body { kind, action, object, why, peer, untrusted_user, needed_len, source };
        Self(Box::new(body))
    }

    /// Returns the error of the system, sorted into the kinds that callers act on.
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

    /// Adds what was being done: a verb, as in "open" or "set the size of". The innermost stays.
    #[cold]
    pub(crate) fn doing(mut self, verb: impl Into<Cow<'static, str>>) -> Self {
        if self.0.action.is_empty() {
            self.0.action = verb.into();
        }
        self
    }

    /// Adds the name of the object. The innermost stays.
    #[cold]
    pub(crate) fn on(mut self, object: impl fmt::Display) -> Self {
        self.0.object.get_or_insert_with(|| object.to_string().into());
        self
    }

    /// The same without a copy of the name, for frequent errors.
    #[cold]
    pub(crate) fn on_shared(mut self, object: &Arc<str>) -> Self {
        self.0.object.get_or_insert_with(|| object.clone());
        self
    }

    /// Adds the reason in our words, before those of the system.
    #[cold]
    pub(crate) fn because(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.0.why = why.into();
        self
    }

    /// The same, if it is an error of the system without words of ours.
    #[cold]
    pub(crate) fn or_because(self, why: impl FnOnce() -> String) -> Self {
        let is_bare = self.0.source.is_some() && self.0.why.is_empty();
        if is_bare { self.because(why()) } else { self }
    }

    /// Adds that the object exists in spite of the error.
    #[cold]
    pub(crate) fn after_creation(self) -> Self {
        let colon = if self.0.why.is_empty() { "" } else { ": " };
        let created = "it was created, but this process cannot open it";
        let why = format!("{created}{colon}{}", self.0.why);
        self.because(why)
    }

    /// Adds the participant that is the reason: the message then says "<peer> <why>". The text is
    /// built only when it is shown: timeouts are frequent, and building it allocates.
    #[cold]
    pub(crate) fn by_peer(mut self, peer: Peer) -> Self {
        self.0.peer = Some(peer);
        self
    }

    /// Adds the user that owns the file, whom the caller does not trust.
    #[cold]
    pub(crate) fn of_untrusted_user(mut self, user: u32) -> Self {
        self.0.untrusted_user = Some(user);
        self
    }

    /// Adds how many elements a buffer must have room for.
    #[cold]
    pub(crate) fn needing(mut self, len: usize) -> Self {
        self.0.needed_len = Some(len);
        self
    }

    /// Replaces the kind that was derived from the system's error.
    #[cold]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns what went wrong, as far as a caller can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns what was being done, as a verb: `open`. None if it is not known.
    pub fn action(&self) -> Option<&str> {
        Some(&*self.0.action).filter(|action| !action.is_empty())
    }

    /// Returns the name of the object on which the operation failed, if there is one.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// Returns the reason: the message without the action and the object.
    pub fn reason(&self) -> String {
        Reason(&self.0).to_string()
    }

    /// Returns the participant that is the reason: the holder of a lock, the only writer, the
    /// process that died.
    pub fn peer(&self) -> Option<&Peer> {
        self.0.peer.as_ref()
    }

    /// Returns the user that owns the object, if the reason is that the caller does not trust it:
    /// see [`Trust`](crate::Trust).
    pub fn untrusted_user(&self) -> Option<u32> {
        self.0.untrusted_user
    }

    /// Returns how many elements the buffer must have room for, if it is too small.
    pub fn needed_len(&self) -> Option<usize> {
        self.0.needed_len
    }

    /// Returns the error of the operating system, if it was the cause.
    pub fn os_error(&self) -> Option<&io::Error> {
        self.0.source.as_ref()
    }
}

/// For implementations of [`std::io::Read`] and [`std::io::Write`]: the error is the inner one.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidName
            | ErrorKind::InvalidArgument
            | ErrorKind::OutOfRange
            | ErrorKind::BufferTooSmall => io::ErrorKind::InvalidInput,
            ErrorKind::OutOfSpace => io::ErrorKind::StorageFull,
            ErrorKind::Corrupt => io::ErrorKind::InvalidData,
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::PeerDied => io::ErrorKind::ConnectionReset,
            ErrorKind::Closed => io::ErrorKind::ConnectionAborted,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::BrokenPipe => io::ErrorKind::BrokenPipe,
            // Not `Interrupted`, after which callers try again: the program wants the wait to end.
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
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
        let Body { action, object, why, source, .. } = self.0;
        if !action.is_empty() {
            write!(f, "cannot {action}")?;
        }
        if let Some(object) = object {
            write!(Shown(f), "{}\"{object}\"", if action.is_empty() { "" } else { " " })?;
        }
        let has_reason = !why.is_empty() || source.is_some();
        if has_reason && (!action.is_empty() || object.is_some()) {
            f.write_str(": ")?;
        }
        Reason(self.0).fmt(f)
    }
}

struct Reason<'a>(&'a Body);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Body { why, peer, source, .. } = self.0;
        let mut f = Shown(f);
        match peer {
            Some(peer) => write!(f, "{peer} {why}")?,
            None => f.write_str(why)?,
        }
        match source {
            Some(source) if why.is_empty() => write!(f, "{source}"),
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

/// Escapes what a terminal would act on, except a line feed: names and paths may come from other
/// users.
struct Shown<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(|c| is_acted_on(c) && c != '\n') {
            match part.chars().next_back() {
                Some(last) if is_acted_on(last) && last != '\n' => {
                    let plain = &part[..part.len() - last.len_utf8()];
                    write!(self.0, "{plain}{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_contains_nothing_that_a_terminal_acts_on() {
        let error = Error::new(ErrorKind::NotFound, "no \u{202e}object\nin \u{9b}31m");
        let shown = error.doing("open").on("a\x1b[31m ö").to_string();
        assert_eq!(shown, "cannot open \"a\\u{1b}[31m ö\": no \\u{202e}object\nin \\u{9b}31m");
    }

    #[test]
    fn a_message_names_the_action_the_object_and_the_reason() {
        let error = Error::new(ErrorKind::WrongType, "field Tick.size is u32 here").doing("open");
        let error = error.on("prices").doing("attach to").on("other");
        assert_eq!(error.to_string(), r#"cannot open "prices": field Tick.size is u32 here"#);
        assert_eq!((error.kind(), error.object()), (ErrorKind::WrongType, Some("prices")));
        assert_eq!(
            (error.action(), error.reason()),
            (Some("open"), "field Tick.size is u32 here".into())
        );
        assert!(error.peer().is_none() && error.os_error().is_none());
    }

    fn named(name: &[u8]) -> ProgramName {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name);
        ProgramName::new(bytes)
    }

    #[test]
    fn any_bytes_make_a_name_that_cannot_confuse_a_terminal() {
        for (bytes, shown) in [
            (&b"planner"[..], "planner"),
            (b"\x1b[0mplanner", "?[0mplanner"),
            ("\u{9b}0mpl\u{e4}ner".as_bytes(), "?0mpl\u{e4}ner"),
            ("fourteen bytes\u{e4}".as_bytes(), "fourteen bytes\u{e4}"),
            ("\u{202e}abc\u{200b}".as_bytes(), "?abc?"),
            (&[0xff; 16], "????????????????"),
            (b"cut here\xe2\x82", "cut here?"),
            (b"", ""),
        ] {
            assert_eq!((&*named(bytes), &*named(bytes).to_string()), (shown, shown));
        }
        let name = named(b"planner");
        assert_eq!(format!("{name:9}|{name:?}"), "planner  |\"planner\"");
    }

    #[test]
    fn a_peer_is_named_by_what_is_known_of_it() {
        let mut peer = Peer { slot: 3, pid: Some(42), program: Some(named(b"planner")) };
        assert_eq!(peer.to_string(), "process 42 (planner) in slot 3");
        let error = Error::new(ErrorKind::RoleTaken, "writes").by_peer(peer.clone());
        assert_eq!(error.peer(), Some(&peer));
        assert_eq!(error.reason(), "process 42 (planner) in slot 3 writes");
        assert_eq!(error.to_string(), error.reason());
        peer.pid = None;
        assert_eq!(peer.to_string(), "a process that was in slot 3");
    }

    #[test]
    fn the_system_s_error_is_sorted_shown_and_kept_as_the_source() {
        // ENOSPC, ERROR_DISK_FULL
        let code = if cfg!(windows) { 112 } else { 28 };
        let told = io::Error::from_raw_os_error(code).to_string();
        let error = Error::from_os(io::Error::from_raw_os_error(code)).doing("create").on("big");
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert_eq!(error.to_string(), format!(r#"cannot create "big": {told}"#));
        assert_eq!(error.reason(), told);
        let error = error.after_creation();
        let reason = format!("it was created, but this process cannot open it: {told}");
        assert_eq!((error.kind(), error.reason()), (ErrorKind::OutOfSpace, reason.clone()));
        let error = error.because("no room").after_creation();
        assert_eq!(error.reason(), reason.replace(": ", ": no room: "));
        assert_eq!(error.os_error().and_then(io::Error::raw_os_error), Some(code));
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }
}
