//! An object's file, open and mapped, with its lock file beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::header::{FLAG_READ_ONLY_PEERS, Header, RETIRED};
use super::layout::{CLOSED, NewObject, ObjectLayout, WAIT_WORD_STRIDE, compose, recognise};
use super::lifetime::{GATE_PATIENCE, GateLock, RemovalTarget, pass_gate};
use super::name::Name;
use super::options::{Lifetime, Options};
use super::participants::{Participant, Participants, SlotLocks};
use super::{new_file, presence};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::memory::{Access, Trust, View};
use crate::sys::directory::{self, FileType, Identity, Opening, Removable, Status, Support};
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode, Range};
use crate::sys::mapping::{ObjectMapping, Protection};
use crate::sys::{process, wait};

/// An object as this process has it: three views of one file that must not be mixed.
///
/// INVARIANT 1: `mapping` covers `layout.file_size` bytes, and is writable if `opening` says so.
/// INVARIANT 2: `lock_file` is a description of its own. It is never asked, and never mapped:
/// asked through it, its locks look free; mapped, they would outlive it.
pub(crate) struct ObjectFile {
    pub(crate) name: Name,
    path: PathBuf,
    identity: Identity,
    pub(crate) opening: Opening,
    pub(crate) layout: ObjectLayout,
    pub(crate) owner: u32,
    /// Of the run of the machine before this one, and not meant to last.
    earlier_boot: bool,
    // Before the file, see `drop`.
    mapping: ObjectMapping,
    /// To ask about locks, and about the file.
    main: Removable,
    pub(crate) lock_file: LockFile,
}

/// How an object is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// For reading and writing, or for reading where that is all that is allowed.
    Allowed,
    /// For reading alone.
    ReadOnly,
}

/// The file was renamed, replaced or removed between two looks.
pub(crate) struct Raced;

impl ObjectFile {
    /// Opens and maps what has the name, and holds its gate in shared mode when it returns.
    ///
    /// `Ok(Err(Raced))` asks to try again.
    pub(crate) fn meet(
        directory: &Path,
        name: &Name,
        want: OpenMode,
        trust: Trust,
    ) -> Result<Result<Self, Raced>> {
        let support = new_file::support(directory)?;
        let path = directory.join(name.file_name());
        let (lock_file, opening) =
            open_lock_file(&path, want).map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    let why = format!("no object of this name in {}", directory.display());
                    Error::new(ErrorKind::NotFound, why)
                }
                _ => error,
            })?;
        crash_point!("open: lock file open");
        pass_gate(&lock_file, Mode::Shared, GATE_PATIENCE)?;
        crash_point!("open: gate passed");
        let main = match directory::open(&path, opening) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Raced)),
            answer => answer?,
        };
        let status = single_name(&main)?;
        check_file(&status, trust)?;
        if status.links == 0 || status.identity != directory::status(&lock_file)?.identity {
            return Ok(Err(Raced));
        }
        if support == Support::Memory && status.committed < status.size {
            let (size, committed) = (status.size, status.committed);
            let why = format!("only {committed} of its {size} bytes are there");
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        let layout = read_frame(&main, name, status.size)?;
        crash_point!("open: header read");
        let mapping = map(&main, &layout, opening)?;
        crash_point!("open: mapped");
        let earlier_boot = support != Support::Memory && is_of_earlier_boot(&layout);
        Ok(Ok(Self {
            name: name.clone(),
            main: Removable::new(main, &path),
            path,
            identity: status.identity,
            opening,
            layout,
            owner: status.owner,
            earlier_boot,
            mapping,
            lock_file,
        }))
    }

    /// Makes a new object, present as `handle`, and holds its gate in shared mode when it returns.
    ///
    /// CRASH: dying before it is named leaves nothing; dying after it leaves a whole object.
    pub(crate) fn create(
        directory: &Path,
        name: &Name,
        options: &Options,
        contents: &NewObject,
        handle: Range,
    ) -> Result<Result<Self, Raced>> {
        new_file::try_once(directory)?;
        let path = directory.join(name.file_name());
        let access = options.access.unwrap_or(Access::Owner);
        let lifetime = options.lifetime.unwrap_or(Lifetime::Persistent);
        let read_only_peers = options.read_only_peers.unwrap_or(false);
        let flags = contents.flags | if read_only_peers { FLAG_READ_ONLY_PEERS } else { 0 };
        let participants = options.participants.unwrap_or(contents.participants);
        let (bytes, size) = compose(name, contents, flags, access, lifetime, participants)?;

        let new = new_file::NewFile::make(directory, access.mode(read_only_peers))?;
        crash_point!("create: unnamed file made");
        if lifetime != Lifetime::Durable {
            directory::spare_the_disk(&new.file)?;
        }
        directory::reserve(&new.file, size)?;
        crash_point!("create: space committed");
        directory::write_all_at(&new.file, &bytes, 0)?;
        let payload_offset = recognise(&bytes)?.payload_offset();
        directory::write_all_at(&new.file, &contents.payload, payload_offset)?;
        crash_point!("create: contents written");
        if !lock::take(&new.file, handle, lock::PRESENCE)? {
            return Ok(Err(Raced));
        }
        pass_gate(&new.file, Mode::Shared, GATE_PATIENCE)?;
        crash_point!("create: locked");
        let lock_file = match new.give_name(&path) {
            // Swept by one who looked before its maker's locks were there: made once more.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Raced)),
            answer => answer?,
        };
        crash_point!("create: named");

        Self::over_new(name, path, &bytes, size, lock_file)
    }

    /// The object that was just given its name, through a fresh open. Where that fails, it stays as
    /// it would if its maker had died: whole.
    fn over_new(
        name: &Name,
        path: PathBuf,
        bytes: &[u8],
        size: u64,
        lock_file: LockFile,
    ) -> Result<Result<Self, Raced>> {
        let main = match directory::open(&path, Opening::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Raced)),
            answer => answer?,
        };
        let status = directory::status(&main)?;
        if status.identity != directory::status(&lock_file)?.identity {
            return Ok(Err(Raced));
        }
        let layout = recognise(bytes)?.check(name, bytes, size)?;
        let mapping = map(&main, &layout, Opening::ReadWrite)?;
        crash_point!("create: mapped");
        Ok(Ok(Self {
            name: name.clone(),
            main: Removable::new(main, &path),
            path,
            identity: status.identity,
            opening: Opening::ReadWrite,
            layout,
            owner: status.owner,
            earlier_boot: false,
            mapping,
            lock_file,
        }))
    }

    pub(crate) fn view(&self) -> View<'_> {
        View::of_mapping(&self.mapping)
    }

    /// A word of the layout. Its place was checked when the object was opened.
    fn word(&self, offset: u64) -> &AtomicU64 {
        self.view().word(offset as usize).expect("a part of a checked layout")
    }

    fn state(&self) -> &AtomicU64 {
        self.word(Header::STATE_OFFSET)
    }

    pub(crate) fn participants(&self) -> Participants<'_> {
        let words = self.layout.participants_count as usize * size_of::<Participant>() / 8;
        let offset = self.layout.participants_offset as usize;
        Participants::new(self.view().words(offset, words).expect("a part of a checked layout"))
    }

    pub(crate) fn payload(&self) -> View<'_> {
        let ObjectLayout { payload_offset, payload_size, .. } = self.layout;
        let payload = self.view().sub(payload_offset as usize, payload_size as usize);
        payload.expect("a part of a checked layout")
    }

    /// Where its file was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn count_handles(&self) -> Result<u32> {
        presence::count_handles(&self.main)
    }

    /// Refuses a handle that is open for reading alone.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.opening {
            Opening::ReadWrite => Ok(()),
            Opening::ReadOnly => {
                let why = "the object is open for reading alone";
                Err(Error::new(ErrorKind::PermissionDenied, why))
            }
        }
    }

    /// Refuses where the process closed descriptors that were not its own (`closefrom`), and what
    /// has their numbers now says "nobody" of another file. `false` otherwise.
    #[cold]
    fn not_sure(&self) -> Result<bool> {
        let known = directory::status(&self.main).is_ok_and(|it| it.identity == self.identity);
        if known && self.lock_file.is_there() {
            return Ok(false);
        }
        let why = "the process closed the object's descriptors: open it again";
        Err(Error::new(ErrorKind::RoleLost, why))
    }

    /// Whether no name leads to the file any more.
    pub(crate) fn is_unlinked(&self) -> Result<bool> {
        directory::is_unlinked(&self.main, &self.path)
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        // It is unmapped first, and then goes.
        self.main.removed = self.is_retired();
    }
}

fn open_lock_file(path: &Path, want: OpenMode) -> Result<(LockFile, Opening)> {
    let open = |opening| Ok((LockFile::open(|| directory::open(path, opening))?, opening));
    match want {
        OpenMode::ReadOnly => open(Opening::ReadOnly),
        OpenMode::Allowed => match open(Opening::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => open(Opening::ReadOnly),
            answer => answer,
        },
    }
}

/// The file's status, once it has one name. For a moment it has two where a file system cannot
/// rename without replacing.
fn single_name(file: &File) -> Result<Status> {
    let mut status = directory::status(file)?;
    for _ in 0..10 {
        if status.links <= 1 || status.file_type != FileType::Regular {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        status = directory::status(file)?;
    }
    Ok(status)
}

/// Refuses what may be a trap: what is no plain file, and what is somebody else's.
fn check_file(status: &Status, trust: Trust) -> Result<()> {
    status.file_type.check_regular()?;
    if status.links > 1 {
        let why = format!("its file has {} names: somebody linked it elsewhere", status.links);
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    let (owner, me) = (status.owner, process::user_id());
    if !trust.accepts(owner, me) {
        let why = format!("it belongs to user {owner}, and user {me} did not ask to trust them");
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// Whether the layout was made before this run of the machine, and is not meant to last.
///
/// Containers may have boot ids of their own, and a wall clock can be set: both must say so.
fn is_of_earlier_boot(layout: &ObjectLayout) -> bool {
    let (made, now) = (layout.boot_id, process::boot_id());
    layout.lifetime != Lifetime::Durable
        && made != now
        && made != [0; 16]
        && now != [0; 16]
        && layout.created_unix_ns < process::booted_unix_ns()
}

fn read_frame(file: &File, name: &Name, file_size: u64) -> Result<ObjectLayout> {
    let mut bytes = vec![0; 4096];
    let length = directory::read_at(file, &mut bytes, 0)?;
    bytes.truncate(length);
    let recognised = recognise(&bytes)?;
    let described = recognised.described_size()?;
    if described > length && length == 4096 {
        bytes.resize(described, 0);
        let more = directory::read_at(file, &mut bytes[4096..], 4096)?;
        bytes.truncate(4096 + more);
    }
    recognised.check(name, &bytes, file_size)
}

fn map(file: &File, layout: &ObjectLayout, opening: Opening) -> Result<ObjectMapping> {
    let protection = match opening {
        Opening::ReadOnly => Protection::ReadOnly,
        Opening::ReadWrite => Protection::ReadWrite,
    };
    let shared = layout.access != Access::Owner;
    ObjectMapping::map(file, layout.file_size as usize, protection, layout.object_id, shared)
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
        &self.lock_file
    }

    fn is_named(&self) -> Result<bool> {
        match directory::status_of_name(&self.path) {
            Ok(status) => Ok(status.identity == self.identity),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn anyone_present(&self) -> Result<bool> {
        Ok(presence::anyone(&self.main)? || self.not_sure()?)
    }

    fn is_retired(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in `retire`.
        self.state().load(Ordering::Acquire) == RETIRED
    }

    fn is_while_used(&self) -> bool {
        self.layout.lifetime == Lifetime::WhileUsed
    }

    fn is_of_earlier_boot(&self) -> bool {
        self.earlier_boot
    }

    fn retire(&self) -> Result<()> {
        // ORDERING: Release; pairs with the Acquire in `is_retired`.
        self.state().store(RETIRED, Ordering::Release);
        crash_point!("retire: marked");
        for index in 0..u64::from(self.layout.wait_words) {
            let word = self.word(self.layout.payload_offset + index * WAIT_WORD_STRIDE);
            // ORDERING: AcqRel; whoever sees the bit also sees the state.
            let had = word.fetch_or(CLOSED, Ordering::AcqRel);
            wait::wake_all(word, had);
        }
        crash_point!("retire: waiters told");
        Ok(())
    }

    fn check_removable(&self) -> Result<()> {
        let removable =
            self.opening == Opening::ReadWrite && directory::may_unlink(&self.path, self.owner)?;
        if removable {
            return Ok(());
        }
        let why = format!(
            "its file is user {}'s, and user {} may not remove it from here",
            self.owner,
            process::user_id()
        );
        Err(Error::new(ErrorKind::PermissionDenied, why))
    }

    fn unlink(&self) -> Result<()> {
        directory::unlink(&self.path)
    }
}

impl SlotLocks for ObjectFile {
    fn try_lock(&self, slot: u32) -> Result<bool> {
        lock::take(&self.lock_file, presence::slot(slot), Mode::Exclusive)
    }

    fn unlock(&self, slot: u32) {
        lock::unlock(&self.lock_file, presence::slot(slot));
    }

    fn is_locked(&self, slot: u32) -> Result<bool> {
        Ok(lock::is_locked(&self.main, presence::slot(slot))? || self.not_sure()?)
    }
}
