//! The file of an object, open and mapped.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::header::{Header, Lifetime, RETIRED};
use super::layout::{NewObject, ObjectLayout, compose, recognise};
use super::name::Name;
use super::presence::ObjectLocks;
use super::removal::{GATE_PATIENCE, GateLock, RemovalTarget, acquire_gate};
use super::storage::{Memory, Storage};
use super::{new_file, presence};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Access, Trust};
use crate::sys::directory::{self, Opening, Removable, Status, Support};
use crate::sys::file::commit;
use crate::sys::fork::{LockFile, OwnedFile};
use crate::sys::lock::{self, Mode, Range};
use crate::sys::mapping::{ObjectMapping, Protection};
use crate::sys::notices::Notices;
use crate::sys::process;

/// An object in a file of its own.
pub(crate) struct ObjectFile {
    storage: Storage,
    /// The path of the file when it was opened.
    pub(crate) path: Arc<Path>,
    pub(crate) owner: u32,
    /// Created in an earlier boot of the machine, and not durable.
    is_of_earlier_boot: bool,
}

/// How an object is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// For reading and writing, or only for reading if its access requires that.
    WritableIfAllowed,
    /// For reading only.
    ReadOnly,
}

/// How errors say that an object is gone.
pub(super) const REMOVED: &str = "the object was removed";

/// The file was renamed, replaced or removed meanwhile: the caller tries again.
pub(crate) struct Raced;

impl ObjectFile {
    /// Opens and maps the file with the name.
    pub(crate) fn open(
        directory: &Path,
        name: &Name,
        mode: OpenMode,
        trust: Trust,
    ) -> Result<Result<Self, Raced>> {
        let path = directory.join(name.file_name());
        let opened = open_file(&path, mode);
        let (file, status, opening) = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => not_found(directory),
            ErrorKind::PermissionDenied => without_access(&path, error),
            _ => error,
        })?;
        crash_point!("open: file open");
        let mut object = Self::map(name, path, file, status, opening, trust)?;
        if let Ok(object) = &mut object
            && mode == OpenMode::WritableIfAllowed
            && !object.is_writable()
            && object.layout.has_read_only_peers()
            && object.owner != process::user_id()
        {
            object.storage.only_writer = Some(object.owner);
        }
        Ok(object)
    }

    /// Maps the file that was opened at `path`, if that is still its name.
    fn map(
        name: &Name,
        path: PathBuf,
        file: LockFile,
        status: Status,
        opening: Opening,
        trust: Trust,
    ) -> Result<Result<Self, Raced>> {
        let status = status_once_named(&file, status)?;
        check_file(&status, &path, trust)?;
        if status.links == 0 {
            return Ok(Err(Raced));
        }
        let support = new_file::support_of(&file, &path)?;
        if support == Support::Memory && status.committed < status.size {
            let (size, committed) = (status.size, status.committed);
            let why = format!(
                "only {committed} of its {size} bytes are committed: another program made or \
                 truncated the file; remove it"
            );
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        let layout = read_layout(&file, name, status.size)?;
        crash_point!("open: header read");
        let protection = match opening {
            Opening::ReadOnly => Protection::ReadOnly,
            Opening::ReadWrite => Protection::ReadWrite,
        };
        let (length, shared) = (layout.size as usize, layout.access != Access::Owner);
        let mapping = ObjectMapping::map(&file, length, protection, layout.object_id, shared)?;
        crash_point!("open: mapped");
        let is_of_earlier_boot = support != Support::Memory && is_of_earlier_boot(&layout);
        let path = Arc::from(path);
        let notices = Notices::new(&file, &path);
        let locks = ObjectLocks::new(Removable::new(file, &path, is_retired), None);
        let (label, memory) = (name.as_str().into(), Memory::File(mapping));
        let storage = Storage { label, layout, memory, notices, locks, only_writer: None };
        Ok(Ok(Self { storage, path, owner: status.owner, is_of_earlier_boot }))
    }

    /// Creates an object. Its creator locks the byte `byte` to show its presence, and holds the
    /// gate of a gated object.
    ///
    /// CRASH: dying before the file is named leaves nothing; dying after it leaves a whole object.
    pub(crate) fn create(
        directory: &Path,
        name: &Name,
        new: &NewObject<'_>,
        byte: Range,
    ) -> Result<Result<Self, Raced>> {
        new_file::test_support(directory)?;
        let path = directory.join(name.file_name());
        let (bytes, layout) = compose(Some(name), new)?;
        let mode = new.access.mode(layout.has_read_only_peers());
        let file = new_file::NewFile::make(directory, mode)?;
        crash_point!("create: unnamed file made");
        if new.lifetime != Lifetime::Durable {
            directory::keep_off_disk(&file.file)?;
        }
        commit(&file.file, 0, layout.size)?;
        crash_point!("create: space committed");
        write_contents(&file.file, bytes, layout.payload_offset, new)?;
        crash_point!("create: contents written");
        if !lock::take(&file.file, byte, lock::PRESENCE)? {
            return Ok(Err(Raced));
        }
        let gate_mode = if layout.is_gated() { Mode::Exclusive } else { Mode::Shared };
        acquire_gate(&file.file, gate_mode, GATE_PATIENCE)?;
        crash_point!("create: locked");
        let file = match file.give_name(&path) {
            // Another process swept the file, because this process had no locks on it yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Raced)),
            answer => answer?,
        };
        crash_point!("create: named");
        // If this fails, the complete object stays.
        let status = file.status().map_err(Error::after_creation)?;
        let file = Self::map(name, path, file, status, Opening::ReadWrite, Trust::Own)
            .map_err(Error::after_creation)?;
        crash_point!("create: mapped");
        match &file {
            Ok(file) if !file.layout.is_gated() => file.gate().release_gate(),
            _ => {}
        }
        Ok(file)
    }

    /// Ends the presence that the byte shows, when the file is closed.
    pub(crate) fn unlock_at_close(&mut self, byte: Range) {
        self.storage.locks.file.unlock_at_close(byte);
    }

    /// Opens the file for the locks of slots, unless it is open. `Closed` if the name does not lead
    /// to it.
    pub(crate) fn open_for_slots(&self) -> Result<()> {
        let opened = self.locks.open_for_slots(|| directory::open(&self.path, Opening::ReadWrite));
        opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => error.of_kind(ErrorKind::Closed).because(REMOVED),
            _ => error,
        })
    }

    /// Whether no name leads to the file any more. One system call, or a few.
    pub(crate) fn is_unlinked(&self) -> Result<bool> {
        directory::is_unlinked(&self.locks.file, &self.path)
    }
}

impl Deref for ObjectFile {
    type Target = Storage;

    fn deref(&self) -> &Storage {
        &self.storage
    }
}

/// Writes all of a new object that is not zero, in few and large pieces: what it begins with, up to
/// the schema, and what is in the payload at byte `payload`.
fn write_contents(
    file: &OwnedFile,
    mut piece: Vec<u8>,
    payload: u64,
    new: &NewObject<'_>,
) -> Result<()> {
    /// Over as many zeros a piece goes on, until it has that size.
    const MAX_GAP: u64 = 16 << 10;
    const MAX_PIECE: usize = 1 << 20;
    let mut start = 0;
    new.write_first_bytes(|place, bytes| {
        let gap = (payload + place).checked_sub(start + piece.len() as u64);
        match gap.filter(|gap| *gap <= MAX_GAP && piece.len() < MAX_PIECE) {
            Some(gap) => piece.resize(piece.len() + gap as usize, 0),
            None => {
                directory::write_all_at(file, &piece, start)?;
                piece.clear();
                start = payload + place;
            }
        }
        piece.extend_from_slice(bytes);
        Ok(())
    })?;
    directory::write_all_at(file, &piece, start)
}

/// The error for a name that no object has.
fn not_found(directory: &Path) -> Error {
    // The directory may be missing, or unsuitable.
    match new_file::support(directory) {
        Ok(_) => {
            let why = format!("no object of this name in {}", directory.display());
            Error::new(ErrorKind::NotFound, why)
        }
        Err(error) => error,
    }
}

/// The error for a file of user `owner` that this user may not remove.
#[cold]
pub(super) fn not_removable(owner: u32) -> Error {
    let me = process::user_id();
    let why = format!(
        "its file belongs to user {owner}, and user {me} cannot remove it from this directory"
    );
    Error::new(ErrorKind::PermissionDenied, why)
}

/// The error for a file that the system refuses: it names the owner, if that is another user.
#[cold]
fn without_access(path: &Path, error: Error) -> Error {
    let me = process::user_id();
    match directory::status_of_name(path) {
        Ok(Status { owner, .. }) if owner != me => {
            let why = format!(
                "it belongs to user {owner}, who gave user {me} no access: create it with access \
                 for the group or for everyone"
            );
            Error::new(ErrorKind::PermissionDenied, why)
        }
        // The directory itself may be closed to this user.
        _ => error,
    }
}

fn open_file(path: &Path, mode: OpenMode) -> Result<(LockFile, Status, Opening)> {
    let open = |opening| {
        let open = || {
            presence::with_status(|| match opening {
                Opening::ReadOnly => directory::open_to_follow(path, directory::open),
                Opening::ReadWrite => directory::open(path, opening),
            })
        };
        let (file, status) = LockFile::open_with_status(open)?;
        Ok((file, status, opening))
    };
    match mode {
        OpenMode::ReadOnly => open(Opening::ReadOnly),
        OpenMode::WritableIfAllowed => match open(Opening::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => open(Opening::ReadOnly),
            answer => answer,
        },
    }
}

/// Returns the file's status, once the file has only one name. It has two for a moment if the file
/// system cannot rename without replacing.
fn status_once_named(file: &OwnedFile, mut status: Status) -> Result<Status> {
    for _ in 0..10 {
        if !status.has_other_names() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        status = file.status()?;
    }
    Ok(status)
}

/// Refuses what may be an attack: a file that is not regular, and another user's file.
fn check_file(status: &Status, path: &Path, trust: Trust) -> Result<()> {
    status.file_type.check_regular()?;
    if status.has_other_names() {
        let other = match directory::other_name(path, status.identity) {
            Some(other) => format!("{}, or this one", other.display()),
            None => "the others, or this one".to_owned(),
        };
        let why = format!("its file has {} names (hard links): remove {other}", status.links);
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    trust.check(status.owner)
}

/// Whether the object was created before this boot of the machine, and is not durable.
///
/// Containers may have their own boot ids, and a wall clock can be set: both must indicate it.
fn is_of_earlier_boot(layout: &ObjectLayout) -> bool {
    let (made, now) = (layout.boot_id, process::boot_id());
    layout.lifetime != Lifetime::Durable
        && made != now
        && made != [0; 16]
        && now != [0; 16]
        && layout.created_unix_ns < process::booted_unix_ns()
}

/// Whether the object in the file was retired. Reads the file, so that it also works after the file
/// was unmapped.
fn is_retired(file: &OwnedFile) -> bool {
    let mut state = [0; size_of::<u64>()];
    let read = directory::read_at(file, &mut state, Header::STATE_OFFSET);
    read.is_ok_and(|length| length == state.len()) && u64::from_le_bytes(state) == RETIRED
}

fn read_layout(file: &OwnedFile, name: &Name, file_size: u64) -> Result<ObjectLayout> {
    // Enough for most objects.
    let mut first = [0; 1024];
    let length = directory::read_at(file, &mut first, 0)?;
    let first = &first[..length];
    let recognised = recognise(first)?;
    let described = recognised.described_size()?;
    if described <= length {
        return recognised.check(Some(name), first, file_size);
    }
    let mut bytes = vec![0; described];
    bytes[..length].copy_from_slice(first);
    let more = directory::read_at(file, &mut bytes[length..], length as u64)?;
    recognised.check(Some(name), &bytes[..length + more], file_size)
}

impl GateLock for LockFile {
    fn try_gate(&self, mode: Mode) -> Result<bool> {
        lock::try_lock(self, presence::GATE, mode)
    }

    fn release_gate(&self) {
        lock::unlock(self, presence::GATE);
    }

    fn pause(&self, tries: u32, patience: Duration) -> bool {
        const YIELDS: u32 = 10;
        if tries <= YIELDS {
            std::thread::yield_now();
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
        u128::from(tries - YIELDS) < patience.as_millis()
    }
}

impl RemovalTarget for ObjectFile {
    type Gate = LockFile;

    fn gate(&self) -> &LockFile {
        &self.locks.file
    }

    fn is_named(&self) -> Result<bool> {
        match directory::status_of_name(&self.path) {
            Ok(status) => Ok(status.identity == self.locks.file.identity()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_anyone_present(&self) -> Result<bool> {
        self.locks.is_any_locked(presence::ANYONE)
    }

    fn is_retired(&self) -> bool {
        self.storage.is_retired()
    }

    fn was_retired(&self) -> bool {
        self.layout.was_retired
    }

    fn is_while_used(&self) -> bool {
        self.layout.lifetime == Lifetime::WhileUsed
    }

    fn is_of_earlier_boot(&self) -> bool {
        self.is_of_earlier_boot
    }

    fn is_gated(&self) -> bool {
        self.layout.is_gated()
    }

    fn retire(&self) {
        self.storage.retire();
    }

    fn check_removable(&self) -> Result<()> {
        if self.is_writable() && directory::may_unlink(&self.path, self.owner)? {
            return Ok(());
        }
        Err(not_removable(self.owner))
    }

    fn unlink(&self) -> Result<()> {
        directory::unlink(&self.path)
    }
}
