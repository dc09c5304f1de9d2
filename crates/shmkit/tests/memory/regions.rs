//! Regions of memory and files: each check runs over named memory, a file, and anonymous memory.

use std::fs;
use std::sync::atomic::Ordering;

use shmkit::ErrorKind;
use shmkit::memory::{Advice, FileMapping, Protection, Region, RegionOptions, SharedMemory};

use crate::{Unique, refused};

/// Runs a check over everything that can be mapped, of `size` bytes.
fn everywhere(size: u64, check: impl Fn(&dyn Fn() -> RegionOptions<'static>)) {
    let name = Unique::new();
    let path = std::env::temp_dir().join(&*Unique::new());
    let named: &'static _ = Box::leak(Box::new(SharedMemory::create(&name, size).unwrap()));
    let file: &'static _ = Box::leak(Box::new(FileMapping::create(&path, size).unwrap()));
    let anonymous: &'static _ = Box::leak(Box::new(SharedMemory::anonymous(size).unwrap()));
    fs::remove_file(&path).unwrap();
    check(&|| named.region());
    check(&|| file.region());
    check(&|| anonymous.region());
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
    everywhere(SIZE as u64, |region| {
        let pattern = pattern(SIZE);
        let front = region().length(SIZE / 2).map().unwrap();
        let back = region().offset(SIZE as u64 / 2).map().unwrap();
        assert_ne!((SIZE / 2) % Region::page_size(), 0);
        assert_eq!((front.len(), back.len()), (SIZE / 2, SIZE / 2));
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
    everywhere(SIZE as u64 + 77, |options| {
        let pattern = pattern(SIZE);
        let mut region = options().offset(77).map().unwrap();
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
    everywhere(100, |region| {
        for (offset, length, why) in [
            (0, Some(101), "101 bytes at 0 are not within its 100"),
            (100, Some(1), "1 bytes at 100 are not within its 100"),
            (u64::MAX, Some(2), "2 bytes at 18446744073709551615 are not within its 100"),
            (1, Some(usize::MAX), "18446744073709551615 bytes at 1 are not within its 100"),
            (100, None, "it has 100 bytes, so that none is left at 100"),
            (5000, None, "it has 100 bytes, so that none is left at 5000"),
        ] {
            let region = region().offset(offset);
            let region = length.into_iter().fold(region, RegionOptions::length);
            refused(region.map(), ErrorKind::OutOfRange, why);
        }
        let none = "a region of 0 bytes was asked for";
        refused(region().length(0).map(), ErrorKind::InvalidArgument, none);

        let region = region().map().unwrap();
        refused(region.read_at(99, &mut [0; 2]), ErrorKind::OutOfRange, "2 bytes at 99 are not");
        refused(region.write_at(101, &[]), ErrorKind::OutOfRange, "0 bytes at 101 are not");
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        let reversed = 3..2;
        refused(region.fill(reversed, 1), ErrorKind::OutOfRange, "bytes 3 to 2 are not");
        refused(
            region.flush(..101),
            ErrorKind::OutOfRange,
            "bytes 0 to 101 are not within its 100",
        );
        refused(region.flush_async(101..), ErrorKind::OutOfRange, "bytes 101 to 100");
        refused(region.advise(..=usize::MAX, Advice::Cold), ErrorKind::OutOfRange, "advise on");
    });
}

#[test]
fn copy_on_write_shows_the_object_and_changes_nothing() {
    everywhere(10_000, |region| {
        region().map().unwrap().fill(.., 1).unwrap();
        let own = region().offset(5000).length(5000).copy_on_write().map().unwrap();
        assert_eq!((bytes(&own), own.protection()), (vec![1; 5000], Protection::CopyOnWrite));
        own.fill(.., 2).unwrap();
        own.flush(..).unwrap();
        own.advise(.., Advice::DontNeed).unwrap();
        assert_eq!(bytes(&own), [2; 5000]);
        assert_eq!(bytes(&region().map().unwrap()), [1; 10_000]);
    });
}

#[test]
fn advice_prefaulting_and_locking_leave_the_bytes_alone() {
    everywhere(20_000, |options| {
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
            region.advise(.., advice).unwrap();
            region.advise(4094..4095, advice).unwrap();
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
    everywhere(20_000, |options| {
        let page = Region::page_size();
        // Where something was a moment ago there is room, unless another test takes it.
        let placed = (0..100).find_map(|_| {
            let room = SharedMemory::anonymous(1 << 20).unwrap().map().unwrap();
            let address = room.as_ptr() as usize + 5 * page + 100;
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
        refused(options().offset(100).address(address).map(), kind, why);
        refused(options().address(address).map(), kind, "is not 0 bytes into a page of");
        refused(options().address(0).map(), kind, "address 0x0 is not");
        assert_eq!(bytes(&taken)[..4], *b"mine");
    });
}

#[test]
fn huge_pages_are_a_wish_whose_outcome_is_told() {
    const HUGE: usize = 2 << 20;
    everywhere(3 * HUGE as u64, |options| {
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
    everywhere(4096 + 24, |options| {
        let whole = options().map().unwrap();
        let part = options().offset(4096).map().unwrap();
        // ORDERING: Relaxed; one thread.
        part.words(8, 2).unwrap()[1].store(7, Ordering::Relaxed);
        assert_eq!(bytes(&whole)[4096 + 16..], 7_u64.to_le_bytes());
        refused(part.words(0, 4), ErrorKind::OutOfRange, "32 bytes at 0 are not within its 24");
        let odd = options().offset(1).map().unwrap();
        refused(odd.words(0, 1), ErrorKind::OutOfRange, "a word cannot be at 0");
        assert!(odd.words(7, 1).is_ok());
        let read_only = options().read_only().map().unwrap();
        refused(read_only.words(0, 1), ErrorKind::PermissionDenied, "open for reading alone");
    });
}

#[test]
fn prefaulting_what_was_cut_off_is_an_error() {
    let page = Region::page_size() as u64;
    let memory = SharedMemory::anonymous(2 * page).unwrap();
    let region = memory.map().unwrap();
    memory.set_size(page).unwrap();
    refused(region.prefault(), ErrorKind::OutOfSpace, "cannot prefault \"<anonymous>\"");
}

#[test]
fn a_dropped_region_and_what_was_shrunk_off_are_unmapped() {
    let name = Unique::new();
    let page = Region::page_size();
    let memory = SharedMemory::create(&name, 10 * page as u64).unwrap();
    let mapped_pages = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps.lines().filter(|line| line.ends_with(&*name)).map(|line| {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            (number(end) - number(start)) / page
        });
        mapped.sum::<usize>()
    };
    let mut region = memory.region().offset(1).length(8 * page).map().unwrap();
    assert_eq!(mapped_pages(), 9);
    region.shrink_front(page - 1).unwrap();
    assert_eq!(mapped_pages(), 8);
    region.shrink_back(1).unwrap();
    assert_eq!(mapped_pages(), 7);
    region.shrink_back(page + 1).unwrap();
    assert_eq!(mapped_pages(), 6);
    drop(memory);
    region.fill(.., 1).unwrap();
    drop(region);
    assert_eq!(mapped_pages(), 0);
}
