//! Regions of memory and files: each check runs over named memory, a file, and anonymous memory.

#[cfg(unix)]
mod unix;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use shmkit::ErrorKind;
use shmkit::memory::{Advice, FileMapping, Protection, Region, RegionOptions, SharedMemory};

use crate::{Unique, refused, whole};

/// A file that goes with this value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs a check over everything that can be mapped, of `size` bytes; it is told how many there
/// are.
fn everywhere(size: usize, check: impl Fn(&dyn Fn() -> RegionOptions<'static>, usize)) {
    let name = Unique::new();
    let path = Temporary(std::env::temp_dir().join(&*Unique::new()));
    let bytes = size as u64;
    let named: &'static _ = Box::leak(Box::new(SharedMemory::create(&name, bytes).unwrap()));
    let file: &'static _ = Box::leak(Box::new(FileMapping::create(&path.0, bytes).unwrap()));
    let anonymous: &'static _ = Box::leak(Box::new(SharedMemory::anonymous(bytes).unwrap()));
    let memory = whole(bytes) as usize;
    check(&|| named.region(), memory);
    check(&|| file.region(), size);
    check(&|| anonymous.region(), memory);
}

fn bytes(region: &Region) -> Vec<u8> {
    let mut bytes = vec![0; region.len()];
    region.read_at(0, &mut bytes).unwrap();
    bytes
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn two_halves_whose_border_is_on_no_page_are_one_whole() {
    const SIZE: usize = 399_996;
    everywhere(SIZE, |region, size| {
        let pattern = pattern(size);
        let front = region().length(SIZE / 2).map().unwrap();
        let back = region().offset(SIZE as u64 / 2).map().unwrap();
        assert_ne!((SIZE / 2) % Region::page_size(), 0);
        assert_eq!((front.len(), back.len()), (SIZE / 2, size - SIZE / 2));
        front.write_at(0, &pattern[..SIZE / 2]).unwrap();
        back.write_at(0, &pattern[SIZE / 2..]).unwrap();
        front.flush(..).unwrap();
        back.flush(5..=4097).unwrap();
        back.flush_async(SIZE / 2 - 1..).unwrap();

        assert_eq!(bytes(&region().map().unwrap()), pattern);
        let read_only = region().read_only().map().unwrap();
        assert_eq!(bytes(&read_only), pattern);
        assert_eq!(read_only.protection(), Protection::ReadOnly);
        refused(read_only.write_at(0, &[1]), ErrorKind::PermissionDenied, "cannot write to");
    });
}

#[test]
fn shrinking_leaves_exactly_the_rest() {
    const SIZE: usize = 100_001;
    everywhere(SIZE + 77, |options, size| {
        let pattern = pattern(SIZE);
        let mut region = options().offset(77).map().unwrap();
        assert_eq!(region.len(), size - 77);
        if size > SIZE + 77 {
            region.shrink_back(size - 77 - SIZE).unwrap();
        }
        region.write_at(0, &pattern).unwrap();
        let address = region.as_ptr() as usize;
        region.shrink_front(SIZE / 2).unwrap();
        assert_eq!(region.as_ptr() as usize, address + SIZE / 2);
        assert_eq!(bytes(&region), pattern[SIZE / 2..]);
        region.shrink_back(SIZE / 4).unwrap();
        assert_eq!(bytes(&region), pattern[SIZE / 2..SIZE - SIZE / 4]);
        refused(region.read_at(region.len(), &mut [0]), ErrorKind::OutOfRange, "1 bytes at 25001");

        for _ in 0..region.len() - 1 {
            region.shrink_front(1).unwrap();
        }
        assert_eq!(bytes(&region), [pattern[SIZE - SIZE / 4 - 1]]);
        refused(region.shrink_front(1), ErrorKind::OutOfRange, "1 bytes less than 1 leave nothing");
        refused(region.shrink_back(2), ErrorKind::OutOfRange, "2 bytes less than 1 leave nothing");
    });
}

#[test]
fn a_range_outside_the_object_is_refused_with_the_numbers() {
    everywhere(100, |region, size| {
        let (end, far) = (size as u64, size as u64 + 4900);
        for (offset, length) in [(0, size + 1), (end, 1), (u64::MAX, 2), (1, usize::MAX)] {
            let why = format!("{length} bytes at {offset} are not within its {size}");
            let region = region().offset(offset).length(length);
            refused(region.map(), ErrorKind::OutOfRange, &why);
        }
        for offset in [end, far] {
            let why = format!("it has {size} bytes, so that none is left at {offset}");
            refused(region().offset(offset).map(), ErrorKind::OutOfRange, &why);
        }
        let none = "a region of 0 bytes was asked for";
        refused(region().length(0).map(), ErrorKind::InvalidArgument, none);

        let region = region().map().unwrap();
        let (last, behind) = (size - 1, size + 1);
        let is_refused = |answer, why: String| refused(answer, ErrorKind::OutOfRange, &why);
        is_refused(region.read_at(last, &mut [0; 2]), format!("2 bytes at {last} are not"));
        is_refused(region.write_at(behind, &[]), format!("0 bytes at {behind} are not"));
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        let reversed = 3..2;
        refused(region.fill(reversed, 1), ErrorKind::OutOfRange, "bytes 3 to 2 are not");
        let why = format!("bytes 0 to {behind} are not within its {size}");
        is_refused(region.flush(..behind), why);
        is_refused(region.flush_async(behind..), format!("bytes {behind} to {size}"));
        refused(region.advise(..=usize::MAX, Advice::Cold), ErrorKind::OutOfRange, "advise on");
    });
}

#[test]
fn copy_on_write_shows_the_object_and_changes_nothing() {
    everywhere(10_000, |region, size| {
        region().map().unwrap().fill(.., 1).unwrap();
        let own = region().offset(5000).length(5000).copy_on_write().map().unwrap();
        assert_eq!((bytes(&own), own.protection()), (vec![1; 5000], Protection::CopyOnWrite));
        own.fill(.., 2).unwrap();
        own.flush(..).unwrap();
        own.advise(.., Advice::DontNeed).unwrap();
        assert_eq!(bytes(&own), [2; 5000]);
        assert_eq!(bytes(&region().map().unwrap()), vec![1; size]);
    });
}

#[test]
fn advice_prefaulting_and_locking_leave_the_bytes_alone() {
    /// Those that Windows takes of nobody.
    const REFUSED: &[Advice] = match cfg!(windows) {
        true => &[Advice::Sequential, Advice::Random, Advice::DontDump, Advice::Dump],
        false => &[],
    };
    everywhere(20_000, |options, _| {
        let region = options().offset(3).map().unwrap();
        let pattern = pattern(region.len());
        region.write_at(0, &pattern).unwrap();
        for advice in [
            Advice::Sequential,
            Advice::Random,
            Advice::Normal,
            Advice::WillNeed,
            Advice::DontNeed,
            Advice::Cold,
            Advice::DontDump,
            Advice::Dump,
            Advice::DontFork,
            Advice::Fork,
        ] {
            for answer in [region.advise(.., advice), region.advise(4094..4095, advice)] {
                if REFUSED.contains(&advice) {
                    refused(answer, ErrorKind::Unsupported, "takes no such advice");
                } else {
                    answer.unwrap();
                }
            }
        }
        for region in [
            options().map().unwrap(),
            options().read_only().map().unwrap(),
            options().copy_on_write().map().unwrap(),
        ] {
            region.prefault().unwrap();
            region.lock().unwrap();
            region.unlock().unwrap();
            assert_eq!(bytes(&region)[3..], pattern);
        }
    });
}

#[test]
fn a_fixed_address_is_kept_or_refused() {
    everywhere(20_000, |options, _| {
        // Where a mapping begins, and what that is called.
        let page = Region::page_size();
        let (unit, called) = if cfg!(windows) { (64 << 10, "unit") } else { (page, "page") };
        let lead = (page + 100) % unit;
        // Where something was a moment ago there is room, unless another test takes it.
        let placed = (0..100).find_map(|_| {
            let room = SharedMemory::anonymous(1 << 20).unwrap().map().unwrap();
            let address = room.as_ptr() as usize + 5 * unit + lead;
            drop(room);
            let region = options().offset(page as u64 + 100).address(address).map().ok()?;
            assert_eq!(region.as_ptr() as usize, address);
            Some(region)
        });
        let taken = placed.expect("room at one of 100 addresses");
        taken.write_at(0, b"mine").unwrap();
        let address = taken.as_ptr() as usize;
        let why = "something is mapped in the";
        let kind = ErrorKind::InvalidArgument;
        refused(options().offset(lead as u64).address(address).map(), kind, why);
        let misplaced = format!("is not 0 bytes into a {called} of");
        refused(options().address(address).map(), kind, &misplaced);
        refused(options().address(0).map(), kind, "address 0x0 is not");
        assert_eq!(bytes(&taken)[..4], *b"mine");
    });
}

#[test]
fn huge_pages_are_a_wish_whose_outcome_is_told() {
    const HUGE: usize = 2 << 20;
    everywhere(3 * HUGE, |options, _| {
        let region = options().huge_pages().map().unwrap();
        let pattern = pattern(region.len());
        region.write_at(0, &pattern).unwrap();
        let got = region.huge_page_bytes().unwrap();
        eprintln!("{got} of {} bytes are in huge pages", region.len());
        assert!(got <= region.len() as u64 && got.is_multiple_of(HUGE as u64));
        assert_eq!(bytes(&region), pattern);
        assert_eq!(options().map().unwrap().huge_page_bytes().unwrap(), 0);

        let mut part = options().offset(HUGE as u64 - 100).huge_pages().map().unwrap();
        part.shrink_back(HUGE).unwrap();
        assert_eq!(bytes(&part), pattern[HUGE - 100..2 * HUGE]);
    });
}

#[test]
fn words_are_the_bytes_for_all_who_map_them() {
    everywhere(4096 + 24, |options, size| {
        let whole = options().map().unwrap();
        let mut part = options().offset(4096).map().unwrap();
        if size > 4096 + 24 {
            part.shrink_back(size - 4096 - 24).unwrap();
        }
        // ORDERING: Relaxed; one thread.
        part.words(8, 2).unwrap()[1].store(7, Ordering::Relaxed);
        assert_eq!(bytes(&whole)[4096 + 16..4096 + 24], 7_u64.to_le_bytes());
        refused(part.words(0, 4), ErrorKind::OutOfRange, "32 bytes at 0 are not within its 24");
        let odd = options().offset(1).map().unwrap();
        refused(odd.words(0, 1), ErrorKind::OutOfRange, "a word cannot be at 0");
        assert!(odd.words(7, 1).is_ok());
        let read_only = options().read_only().map().unwrap();
        refused(read_only.words(0, 1), ErrorKind::PermissionDenied, "open for reading alone");
    });
}
