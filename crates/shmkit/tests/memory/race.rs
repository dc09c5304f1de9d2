//! Processes that race for one name.

use std::sync::atomic::Ordering::SeqCst;

use shmkit::ErrorKind;
use shmkit::memory::{FileMapping, Region, SharedMemory};

use crate::{Unique, actual_size, child, task};

const SIZE: u64 = 5000;

/// Waits for the other process. The word at 0 counts arrivals, the one at 8 successful creations.
fn wait_for_other(region: &Region, arrivals: &mut u64, check_alive: &mut dyn FnMut()) {
    let word = &region.words(0, 1).unwrap()[0];
    // ORDERING: SeqCst; the test is not about orderings.
    word.fetch_add(1, SeqCst);
    *arrivals += 2;
    while word.load(SeqCst) < *arrivals {
        check_alive();
        std::thread::yield_now();
    }
}

/// Creates and opens the memory in each round, as the other process does. `after` gets the round and
/// the number of creations, and runs before the other process begins the next round.
fn race(
    name: &str,
    counters: &str,
    rounds: u64,
    check_alive: &mut dyn FnMut(),
    mut after: impl FnMut(u64, u64),
) {
    let counters = SharedMemory::open(counters).unwrap().map().unwrap();
    let mut arrivals = 0;
    for round in 1..=rounds {
        wait_for_other(&counters, &mut arrivals, check_alive);
        let is_race = round % 2 == 0;
        let created = if is_race {
            SharedMemory::create(name, SIZE)
        } else {
            // Fails with `WrongOptions` if the other process has half-created the memory.
            SharedMemory::open_or_create(name, SIZE)
        };
        match &created {
            // ORDERING: SeqCst; as above.
            Ok(_) => drop(counters.words(8, 1).unwrap()[0].fetch_add(u64::from(is_race), SeqCst)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
        let opened = SharedMemory::open(name).unwrap();
        assert_eq!(opened.size().unwrap(), actual_size(SIZE), "the memory is half-created");
        wait_for_other(&counters, &mut arrivals, check_alive);
        // On Windows this removes the memory before the next round.
        drop(created);
        // ORDERING: SeqCst; as above.
        after(round, counters.words(8, 1).unwrap()[0].load(SeqCst));
    }
}

#[test]
fn one_of_two_creators_succeeds_and_none_sees_half_created_memory() {
    const ROUNDS: u64 = 5000;
    if let Some(names) = task() {
        let (name, counters) = names.split_once(' ').unwrap();
        return race(name, counters, ROUNDS, &mut || (), |_, _| ());
    }
    let (name, counters) = (Unique::new(), Unique::new());
    let _counters = SharedMemory::create(&counters, 16).unwrap();
    let test = "race::one_of_two_creators_succeeds_and_none_sees_half_created_memory";
    let mut other = child(test, &format!("{} {}", &*name, &*counters)).spawn().unwrap();
    let mut check_alive = || assert!(other.try_wait().unwrap().is_none(), "the child failed");
    race(&name, &counters, ROUNDS, &mut check_alive, |round, creations| {
        assert_eq!(creations, round / 2);
        if cfg!(unix) {
            SharedMemory::remove(&name).unwrap();
        }
    });
    assert!(other.wait().unwrap().success());
}

#[test]
fn racing_open_or_create_and_remove_return_only_expected_errors() {
    const ROUNDS: u64 = 10_000;
    let work = |name: &str| {
        for _ in 0..ROUNDS {
            let memory = SharedMemory::open_or_create(name, SIZE).unwrap();
            let region = memory.map().unwrap();
            region.write_at(SIZE as usize - 1, &[1]).unwrap();
            // Windows cannot remove the memory, which lives until its last handle closes.
            let refusal = if cfg!(windows) { ErrorKind::Unsupported } else { ErrorKind::NotFound };
            match SharedMemory::remove(name) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), refusal, "{error}"),
            }
        }
    };
    if let Some(name) = task() {
        return work(&name);
    }
    let name = Unique::new();
    let test = "race::racing_open_or_create_and_remove_return_only_expected_errors";
    let mut other = child(test, &name).spawn().unwrap();
    work(&name);
    assert!(other.wait().unwrap().success());
}

#[test]
fn one_of_two_racing_processes_creates_a_file_and_both_have_all_of_it() {
    const ROUNDS: u64 = 2000;
    /// The word at 0 counts arrivals, the one at 8 creations.
    fn work(directory: &str, check_alive: &mut dyn FnMut()) -> u64 {
        let path = |name: &str| std::path::Path::new(directory).join(name);
        let counters = FileMapping::open(path("counters")).unwrap().map().unwrap();
        let mut arrivals = 0;
        for round in 0..ROUNDS {
            wait_for_other(&counters, &mut arrivals, check_alive);
            // Fails with `WrongOptions` if the other process has half-created the file.
            let file = FileMapping::open_or_create(path(&round.to_string()), SIZE).unwrap();
            let created = &counters.words(8, 1).unwrap()[0];
            // ORDERING: SeqCst; as above.
            created.fetch_add(u64::from(file.was_created()), SeqCst);
            file.map().unwrap().write_at(SIZE as usize - 1, &[1]).unwrap();
        }
        wait_for_other(&counters, &mut arrivals, check_alive);
        // ORDERING: SeqCst; as above.
        counters.words(8, 1).unwrap()[0].load(SeqCst)
    }
    if let Some(directory) = task() {
        work(&directory, &mut || ());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    FileMapping::create(directory.path().join("counters"), 16).unwrap();
    let place = directory.path().to_str().unwrap();
    let test = "race::one_of_two_racing_processes_creates_a_file_and_both_have_all_of_it";
    let mut other = child(test, place).spawn().unwrap();
    let mut check_alive = || assert!(other.try_wait().unwrap().is_none(), "the child failed");
    assert_eq!(work(place, &mut check_alive), ROUNDS);
    assert!(other.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(place).unwrap().count() as u64, ROUNDS + 1);
}
