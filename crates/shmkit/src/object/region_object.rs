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
//! | 0 | no object is here | a creator, to the mark |
//! | mark | in creation, or its creator died | its creator, to the magic; the next one |
//! | the magic | an object | no process |
//!
//! The mark names the creator, whose lock tells whether it lives. Right after the mark, the creator
//! writes how many bytes it is going to write: the next one may replace those, and no others.

use std::path::Path;
use std::ptr::NonNull;

use super::header::{Header, MAGIC};
use super::layout::{NewObject, ObjectLayout, compose, recognise};
use super::presence::{self, ObjectLocks};
use super::storage::{Memory, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering::{self, Relaxed};
use crate::memory::{Region, SharedMemory, View};
use crate::sys::directory::{self, Removable};
use crate::sys::fork::LockFile;
use crate::sys::lock::{self, Mode, Range};
use crate::sys::memory;
use crate::sys::wait::WakeScope;

/// How objects in memory are aligned.
const ALIGN: u64 = 128;

/// Makes a new object at `offset`, where the memory must be zero.
pub(super) fn create(memory: &SharedMemory, offset: u64, new: &NewObject) -> Result<Storage> {
    let (bytes, layout) = compose(None, new)?;
    let region = map(memory, offset, Some(layout.size))?;
    let object = over(memory, offset, region, layout)?;
    let (view, size) = (object.view(), object.layout.size);
    let (first, claimed) = (view.word(0)?, view.word(Header::SIZE_OFFSET)?);
    // ORDERING: Acquire; pairs with the Release below.
    let found = first.load(Ordering::Acquire);
    let left = match creator_in(found) {
        Some(tag) if is_creating(memory, tag, offset)? => return Err(being_created()),
        // ORDERING: Relaxed; its creator's lock is free, so all its stores are visible.
        Some(_) => claimed.load(Relaxed).clamp(8, size),
        None => 0,
    };
    // Where the locks are on the memory's own file, creators whose objects would overlap
    // exclude each other by them.
    let place = Range { length: size, ..presence::region_creation(offset) };
    if !lock::take(&object.locks.lock_file, place, Mode::Exclusive)? {
        return Err(being_created());
    }
    if found != 0 && left == 0 || has_object(view, left)? || !is_zero(view, left.max(8), size)? {
        return Err(in_use("the memory is not zero there"));
    }
    // Of the creators that found the same word, one goes on.
    // ORDERING: Relaxed; the last store publishes.
    let mark = MARK | tag(&object.layout);
    if first.compare_exchange(found, mark, Relaxed, Relaxed).is_err() {
        return Err(being_created());
    }
    // CRASH: dying before the last store leaves the mark, which no opener takes for an object
    // and the next creator replaces.
    crash_point!("region: marked");
    // ORDERING: AcqRel; the writes below stay behind it.
    claimed.swap(size, Ordering::AcqRel);
    crash_point!("region: marked, not written");
    let header = size_of::<Header>();
    view.fill(header, (left as usize).saturating_sub(header), 0)?;
    view.write(object.layout.payload_offset as usize, &new.plan.first_bytes)?;
    view.write(8, &bytes[8..])?;
    let magic = u64::from_le_bytes(*bytes.first_chunk().expect("the magic"));
    // ORDERING: Release; pairs with the Acquire in `open`.
    first.store(magic, Ordering::Release);
    lock::unlock(&object.locks.lock_file, place);
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
    let lock_file = LockFile::open(open)?;
    let label = label(memory, offset);
    let first = NonNull::new(region.as_ptr()).expect("a region is not at 0");
    // Any user may have the memory, and a wake is a hint.
    let (bytes, is_shared) = (layout.size as usize, true);
    let _wake_scope = WakeScope::new(first, bytes, layout.object_id, is_shared);
    let (query_file, _) = presence::open_query_file(open)?;
    let locks = ObjectLocks {
        lock_file,
        // The file never goes with the object, so its path does not matter.
        query_file: Removable::new(query_file, Path::new("")),
        entries: Some(offset + layout.participants_offset),
    };
    Ok(Storage { label, layout, memory: Memory::Region { _wake_scope, region }, locks })
}

/// How messages name an object at byte `offset` of memory.
pub(super) fn label(memory: &SharedMemory, offset: u64) -> String {
    format!("{} at byte {offset}", memory.name().unwrap_or("<anonymous>"))
}

#[cold]
fn in_use(why: &'static str) -> Error {
    Error::new(ErrorKind::AlreadyExists, why)
}

#[cold]
fn being_created() -> Error {
    in_use("another process is creating an object at this place")
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

/// Returns whether an object begins behind a mark and before `end`: one that was created after the
/// process that left the mark had died.
fn has_object(view: View<'_>, end: u64) -> Result<bool> {
    for place in (ALIGN..end).step_by(ALIGN as usize) {
        // ORDERING: Relaxed; no other data is read after it.
        let word = view.word(place as usize)?.load(Relaxed);
        if word.to_le_bytes() == MAGIC || creator_in(word).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
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

fn map(memory: &SharedMemory, offset: u64, bytes: Option<u64>) -> Result<Region> {
    if !offset.is_multiple_of(ALIGN) {
        let why = format!("an object begins at a multiple of {ALIGN} bytes, and not at {offset}");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    if memory.is_read_only() {
        let why = "the memory is open for reading only";
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    let region = memory.region().offset(offset);
    match bytes {
        Some(bytes) => region.length(bytes as usize).map(),
        None => region.map(),
    }
}
