//! Regions of memory and files: each check runs with named memory, a file, and anonymous memory.

#[cfg(unix)]
mod unix;

use std::sync::atomic::Ordering;

use shmkit::ErrorKind;
use shmkit::memory::{Advice, FileMapping, Protection, Region, RegionOptions, SharedMemory};

use crate::{Unique, actual_size, assert_error};

/// Runs a check with everything that can be mapped, of `size` bytes. It gets the actual size.
fn with_each_kind(size: usize, check: impl Fn(&dyn Fn() -> RegionOptions<'static>, usize)) {
    let name = Unique::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let bytes = size as u64;
    let named: &'static _ = Box::leak(Box::new(SharedMemory::create(&name, bytes).unwrap()));
    let file: &'static _ = Box::leak(Box::new(FileMapping::create(&path, bytes).unwrap()));
    let anonymous: &'static _ = Box::leak(Box::new(SharedMemory::anonymous(bytes).unwrap()));
    let actual = actual_size(bytes) as usize;
    check(&|| named.region(), actual);
    check(&|| file.region(), size);
    check(&|| anonymous.region(), actual);
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
fn two_regions_that_meet_inside_a_page_cover_all_bytes() {
    const SIZE: usize = 399_996;
    with_each_kind(SIZE, |region, size| {
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
        assert_error(read_only.write_at(0, &[1]), ErrorKind::PermissionDenied, "cannot write to");
    });
}

#[test]
fn shrinking_leaves_the_other_bytes() {
    const SIZE: usize = 100_001;
    with_each_kind(SIZE + 77, |options, size| {
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
        assert_error(
            region.read_at(region.len(), &mut [0]),
            ErrorKind::OutOfRange,
            "1 bytes at 25001",
        );

        for _ in 0..region.len() - 1 {
            region.shrink_front(1).unwrap();
        }
        assert_eq!(bytes(&region), [pattern[SIZE - SIZE / 4 - 1]]);
        assert_error(
            region.shrink_front(1),
            ErrorKind::OutOfRange,
            "a mapping of 1 bytes cannot shrink by 1",
        );
        assert_error(
            region.shrink_back(2),
            ErrorKind::OutOfRange,
            "a mapping of 1 bytes cannot shrink by 2",
        );
    });
}

#[test]
fn a_range_outside_the_object_is_refused_with_the_numbers() {
    with_each_kind(100, |region, size| {
        let (end, far) = (size as u64, size as u64 + 4900);
        for (offset, length) in [(0, size + 1), (end, 1), (u64::MAX, 2), (1, usize::MAX)] {
            let why = format!("{length} bytes at {offset} are outside its {size} bytes");
            let region = region().offset(offset).length(length);
            assert_error(region.map(), ErrorKind::OutOfRange, &why);
        }
        for offset in [end, far] {
            let why = format!("its {size} bytes end before the offset {offset}");
            assert_error(region().offset(offset).map(), ErrorKind::OutOfRange, &why);
        }
        let none = "a region needs at least 1 byte";
        assert_error(region().length(0).map(), ErrorKind::InvalidArgument, none);

        let region = region().map().unwrap();
        let (last, beyond) = (size - 1, size + 1);
        let assert_refused =
            |answer, why: String| assert_error(answer, ErrorKind::OutOfRange, &why);
        assert_refused(region.read_at(last, &mut [0; 2]), format!("2 bytes at {last} are outside"));
        assert_refused(region.write_at(beyond, &[]), format!("0 bytes at {beyond} are outside"));
        #[expect(clippy::reversed_empty_ranges, reason = "the region must refuse it")]
        let reversed = 3..2;
        assert_error(region.fill(reversed, 1), ErrorKind::OutOfRange, "bytes 3 to 2 are outside");
        let why = format!("bytes 0 to {beyond} are outside its {size} bytes");
        assert_refused(region.flush(..beyond), why);
        assert_refused(region.flush_async(beyond..), format!("bytes {beyond} to {size}"));
        assert_error(
            region.advise(..=usize::MAX, Advice::Cold),
            ErrorKind::OutOfRange,
            "advise on",
        );
    });
}

#[test]
fn copy_on_write_reads_the_object_and_does_not_change_it() {
    with_each_kind(10_000, |region, size| {
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
fn advice_prefaulting_and_locking_leave_the_bytes_unchanged() {
    /// Advice that Windows does not have.
    const REFUSED: &[Advice] = match cfg!(windows) {
        true => &[Advice::Sequential, Advice::Random, Advice::DontDump, Advice::Dump],
        false => &[],
    };
    with_each_kind(20_000, |options, _| {
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
                    assert_error(answer, ErrorKind::Unsupported, "takes no such advice");
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
fn a_requested_address_is_used_or_refused() {
    with_each_kind(20_000, |options, _| {
        // A mapping begins at a multiple of it.
        let page = Region::page_size();
        let unit = if cfg!(windows) { 64 << 10 } else { page };
        let lead = (page + 100) % unit;
        // Addresses that were just unmapped are free, unless another test uses them first.
        let placed = (0..100).find_map(|_| {
            let room = SharedMemory::anonymous(1 << 20).unwrap().map().unwrap();
            let address = room.as_ptr() as usize + 5 * unit + lead;
            drop(room);
            let region = options().offset(page as u64 + 100).address(address).map().ok()?;
            assert_eq!(region.as_ptr() as usize, address);
            Some(region)
        });
        let taken = placed.expect("one of 100 addresses is free");
        taken.write_at(0, b"mine").unwrap();
        let address = taken.as_ptr() as usize;
        let why = "are in use: choose another address";
        let kind = ErrorKind::InvalidArgument;
        assert_error(options().offset(lead as u64).address(address).map(), kind, why);
        let misplaced = format!("must be 0 bytes after a multiple of {unit}");
        assert_error(options().address(address).map(), kind, &misplaced);
        assert_error(options().address(0).map(), kind, "address 0x0 must be");
        if cfg!(target_os = "linux") {
            for beyond in [1 << 56, 1 << 63] {
                let told = options().offset(unit as u64).address(beyond).map();
                assert_error(told, kind, "are beyond the addresses of a process");
            }
        }
        assert_eq!(bytes(&taken)[..4], *b"mine");
    });
}

#[test]
fn huge_pages_are_a_hint_whose_result_is_reported() {
    const HUGE: usize = 2 << 20;
    with_each_kind(3 * HUGE, |options, _| {
        let region = options().huge_pages().map().unwrap();
        let pattern = pattern(region.len());
        region.write_at(0, &pattern).unwrap();
        let huge = region.huge_page_bytes().unwrap();
        eprintln!("{huge} of {} bytes are in huge pages", region.len());
        assert!(huge <= region.len() as u64 && huge.is_multiple_of(HUGE as u64));
        assert_eq!(bytes(&region), pattern);
        assert_eq!(options().map().unwrap().huge_page_bytes().unwrap(), 0);

        let mut part = options().offset(HUGE as u64 - 100).huge_pages().map().unwrap();
        part.shrink_back(HUGE).unwrap();
        assert_eq!(bytes(&part), pattern[HUGE - 100..2 * HUGE]);
    });
}

#[test]
fn words_are_the_bytes_that_every_mapping_sees() {
    with_each_kind(4096 + 24, |options, size| {
        let whole = options().map().unwrap();
        let mut part = options().offset(4096).map().unwrap();
        if size > 4096 + 24 {
            part.shrink_back(size - 4096 - 24).unwrap();
        }
        // ORDERING: Relaxed; there is one thread.
        part.words(8, 2).unwrap()[1].store(7, Ordering::Relaxed);
        assert_eq!(bytes(&whole)[4096 + 16..4096 + 24], 7_u64.to_le_bytes());
        assert_error(
            part.words(0, 4),
            ErrorKind::OutOfRange,
            "32 bytes at 0 are outside its 24 bytes",
        );
        let odd = options().offset(1).map().unwrap();
        assert_error(
            odd.words(0, 1),
            ErrorKind::OutOfRange,
            "a word must begin at a multiple of 8, not at 0",
        );
        assert!(odd.words(7, 1).is_ok());
        let read_only = options().read_only().map().unwrap();
        assert_error(read_only.words(0, 1), ErrorKind::PermissionDenied, "open read-only");
    });
}
