//! An object in a region of memory that processes share: without a name, at a place that its users
//! agree on.
//!
//! ```text
//! SharedMemory  | ... | header | schema | participants | payload | ...
//!                     offset, a multiple of 128
//! ```
//!
//! As in an object file, each participant proves by a byte-range lock that it lives. The locks are
//! on the memory's own file if the system can open that a second time, and otherwise on a file
//! beside it (see `sys::memory`). The byte of a slot follows from the place of its entry, so any
//! number of objects can be in one memory.
//!
//! A creator writes the first word of the header last:
//!
//! | first word | meaning | who may leave it |
//! |---|---|---|
//! | 0 | no object is here | a creator, to its mark |
//! | mark | in creation, or its creator died | its creator, to the magic; the next, to its mark |
//! | the magic | an object | no process |
//!
//! The mark names the creator, whose lock tells whether it lives. While there is a mark, `size` of
//! the header is the *claim*: as many bytes, from the mark on, can have been written by creators
//! that died. So a creator
//!
//! 1. takes its lock, puts its mark in place of 0 or of a dead creator's mark, and makes the claim
//!    as large as its object, if it is not larger already;
//! 2. sets to zero what was claimed before, up to the next object or mark;
//! 3. makes the claim as small as its object: only now, so that its own death loses nothing;
//! 4. writes its object, with the magic last.
//!
//! A claim can be any number, since any process can write it. It is cut at the end of the memory.

use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use super::header::{Header, MAGIC};
use super::layout::{NewObject, ObjectLayout, compose, recognise};
use super::presence::{self, ObjectLocks};
use super::storage::{Memory, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering::{self, Relaxed};
use crate::memory::{Region, SharedMemory, View};
use crate::sys::directory::{self, Removable};
use crate::sys::file::fill_holes;
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode, Range};
use crate::sys::memory;
use crate::sys::notices::Notices;
use crate::sys::wait::WakeScope;

/// How objects in memory are aligned.
const ALIGN: u64 = 128;
/// Where an object ends at the most: its participants lock bytes below those of creators.
const MAX_END: u64 = 1 << 60;

/// Makes a new object at `offset`, where the memory must be zero.
pub(super) fn create(memory: &SharedMemory, offset: u64, new: &NewObject<'_>) -> Result<Storage> {
    let (bytes, layout) = compose(None, new)?;
    let size = layout.size;
    let region = map(memory, offset, Some(size))?;
    let object = over(memory, offset, region, layout)?;
    let (first, claim) = (object.view().word(0)?, object.view().word(Header::SIZE_OFFSET)?);
    // ORDERING: Acquire; pairs with the Release below.
    let found = first.load(Ordering::Acquire);
    let claimed = match creator_in(found) {
        Some(tag) if is_creating(memory, tag, offset)? => return Err(being_created()),
        // ORDERING: Relaxed; its creator's lock is free, so all its stores are visible.
        Some(_) => claim.load(Relaxed).min(memory.size()?.saturating_sub(offset)),
        None if found == 0 => 0,
        None => return Err(in_use()),
    };
    let reach = size.max(claimed);
    let region = map(memory, offset, Some(reach))?;
    let view = region.view();
    // Where the locks are on the memory's own file, creators exclude each other by them if their
    // objects would overlap, or one would be among what the other one clears.
    let place = Range { length: reach, ..presence::region_creation(offset) };
    if !lock::take(object.locks.slots(), place, Mode::Exclusive)? {
        return Err(being_created());
    }
    let left = next_object(view, claimed)?;
    if !is_zero(view, left.max(8), size)? {
        return Err(in_use());
    }
    // Of the creators that found the same word, one goes on.
    // ORDERING: Relaxed; the last store publishes.
    let mark = MARK | tag(&object.layout);
    if first.compare_exchange(found, mark, Relaxed, Relaxed).is_err() {
        return Err(being_created());
    }
    // CRASH: dying before the last store leaves the mark, which no opener takes for an object and
    // the next creator replaces. All that is not zero behind it is within the claim.
    crash_point!("region: marked");
    // ORDERING: AcqRel; the writes below stay behind it.
    claim.fetch_max(size, Ordering::AcqRel);
    crash_point!("region: marked, not written");
    let header = size_of::<Header>();
    view.fill(header, (left as usize).saturating_sub(header), 0)?;
    crash_point!("region: cleared, not written");
    // ORDERING: Release; the writes above stay before it.
    claim.store(size, Ordering::Release);
    let payload = object.payload();
    new.write_first_bytes(|place, bytes| payload.write(place as usize, bytes))?;
    crash_point!("region: payload written");
    view.write(8, &bytes[8..])?;
    let magic = u64::from_le_bytes(*bytes.first_chunk().expect("the magic"));
    // ORDERING: Release; pairs with the Acquire in `open`.
    first.store(magic, Ordering::Release);
    lock::unlock(object.locks.slots(), place);
    Ok(object)
}

/// Opens the object at `offset`.
pub(super) fn open(memory: &SharedMemory, offset: u64) -> Result<Storage> {
    let region = map(memory, offset, None)?;
    let view = region.view();
    // ORDERING: Acquire; pairs with the Release in `create`.
    let found = view.word(0)?.load(Ordering::Acquire);
    if found == 0 || creator_in(found).is_some() {
        let why = format!("no object is at byte {offset} of the memory");
        return Err(Error::new(ErrorKind::NotFound, why));
    }
    let mut bytes = vec![0; region.len().min(size_of::<Header>())];
    view.read(0, &mut bytes)?;
    let recognised = recognise(&bytes)?;
    bytes.resize(recognised.described_size()?.min(region.len()), 0);
    view.read(0, &mut bytes)?;
    let layout = recognise(&bytes)?.check(None, &bytes, region.len() as u64)?;
    over(memory, offset, region, layout)
}

fn over(
    memory: &SharedMemory,
    offset: u64,
    region: Region,
    layout: ObjectLayout,
) -> Result<Storage> {
    // Now, since no such value can be made while a file of the library is being opened.
    directory::default_path();
    let open = || memory::liveness_file(memory.file(), tag(&layout));
    let label = label(memory, offset).into();
    let first = NonNull::new(region.as_ptr()).expect("a region is not at 0");
    // Any user may have the memory, and a wake is a hint.
    let (bytes, is_shared) = (layout.size as usize, true);
    let _wake_scope = WakeScope::new(first, bytes, layout.object_id, is_shared);
    let file = LockFile::open(open)?;
    // The file never goes with the object, so its path does not matter.
    let path = Arc::from(Path::new(""));
    let notices = Notices::new(&file, &path);
    let entries = offset + layout.participants_offset;
    let locks = ObjectLocks::new(Removable::new(file, &path, |_| false), Some(entries));
    locks.open_for_slots(open)?;
    let memory = Memory::Region { _wake_scope, region };
    Ok(Storage { label, layout, memory, notices, locks, only_writer: None })
}

/// How messages name an object at byte `offset` of memory.
pub(super) fn label(memory: &SharedMemory, offset: u64) -> String {
    format!("{} at byte {offset}", memory.name().unwrap_or("<anonymous>"))
}

#[cold]
fn in_use() -> Error {
    Error::new(ErrorKind::AlreadyExists, "the memory is not zero there")
}

#[cold]
fn being_created() -> Error {
    let why = "another process is creating an object at this place";
    Error::new(ErrorKind::AlreadyExists, why)
}

/// The first word of an object that is being created, with the tag of its creator in the lower
/// bits. The magic differs.
const MARK: u64 = 0x6b6d << 48;
const MARK_BITS: u64 = 0xffff << 48;

/// Returns as many bits of an object's id as a mark has room for. They name the file of its locks.
fn tag(layout: &ObjectLayout) -> u64 {
    u128::from_le_bytes(layout.object_id) as u64 & !MARK_BITS
}

/// Returns the tag in a mark, or `None` if the word is not a mark.
fn creator_in(word: u64) -> Option<u64> {
    (word & MARK_BITS == MARK).then_some(word & !MARK_BITS)
}

/// Returns whether the creator that left this tag at `offset` lives.
fn is_creating(memory: &SharedMemory, tag: u64, offset: u64) -> Result<bool> {
    let open = || memory::liveness_file(memory.file(), tag);
    let (file, _) = presence::open_query_file(open)?;
    lock::is_locked(&file, presence::region_creation(offset))
}

/// Returns where the first object or mark is behind the first byte, up to `end`: it was put there
/// after the process had died that claimed the bytes.
fn next_object(view: View<'_>, end: u64) -> Result<u64> {
    // Not in the last bytes, which are no whole word.
    for place in (ALIGN..end & !7).step_by(ALIGN as usize) {
        // ORDERING: Relaxed; no other data is read after it.
        let word = view.word(place as usize)?.load(Relaxed);
        if word.to_le_bytes() == MAGIC || creator_in(word).is_some() {
            return Ok(place);
        }
    }
    Ok(end)
}

/// Returns whether all bytes from `start` to `end` are zero.
fn is_zero(view: View<'_>, start: u64, end: u64) -> Result<bool> {
    const BLOCK: usize = 4096;
    let mut block = [0; BLOCK];
    for start in (start..end).step_by(BLOCK) {
        let length = BLOCK.min((end - start) as usize);
        view.read(start as usize, &mut block[..length])?;
        if block[..length].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Maps `bytes` bytes, or all up to the end. Allocates space for these bytes, or for a header:
/// without space, an access to sparse memory would end the process.
fn map(memory: &SharedMemory, offset: u64, bytes: Option<u64>) -> Result<Region> {
    if !offset.is_multiple_of(ALIGN) {
        let why = format!("an object begins at a multiple of {ALIGN} bytes, and not at {offset}");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    let needed = bytes.unwrap_or(size_of::<Header>() as u64);
    if offset.checked_add(needed).is_none_or(|end| end > MAX_END) {
        let why =
            format!("{needed} bytes at {offset} end after byte {MAX_END}, the last with locks");
        return Err(Error::new(ErrorKind::OutOfRange, why));
    }
    if memory.is_read_only() {
        let why = "the memory is open for reading only";
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    let region = memory.region().offset(offset);
    let region = match bytes {
        Some(bytes) => region.length(bytes as usize).map().map_err(|error| match error.kind() {
            kind @ ErrorKind::OutOfRange => {
                let why = format!("{}: `size_in_memory` returns what it needs", error.reason());
                Error::new(kind, why)
            }
            _ => error,
        })?,
        None => region.map()?,
    };
    fill_holes(memory.file(), offset, offset + needed.min(region.len() as u64))?;
    Ok(region)
}
