//! Regions on systems that can shorten a mapped object, and that list mappings.

use std::fs;

use shmkit::ErrorKind;
use shmkit::memory::{Region, SharedMemory};

use crate::{Unique, assert_error};

#[test]
fn prefaulting_beyond_a_shortened_object_is_an_error() {
    let page = Region::page_size() as u64;
    let memory = SharedMemory::anonymous(2 * page).unwrap();
    let region = memory.map().unwrap();
    memory.set_size(page).unwrap();
    assert_error(region.prefault(), ErrorKind::OutOfSpace, "cannot prefault \"<anonymous>\"");
}

#[test]
fn a_dropped_region_and_the_cut_parts_of_a_shrunk_one_are_unmapped() {
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
