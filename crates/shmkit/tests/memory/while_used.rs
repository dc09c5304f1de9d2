//! Named memory that goes with its last user.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;

use shmkit::ErrorKind;
use shmkit::memory::{SharedMemory, SharedMemoryOptions};

use crate::{Unique, actual_size, assert_error, child, task};

const SIZE: u64 = 100;

fn while_used() -> SharedMemoryOptions {
    SharedMemory::options().while_used()
}

/// Runs the body of a test in a process of its own, in which no other test starts programs: one that
/// is being started has a copy of each descriptor, and is a user.
fn alone(test: &str, body: impl FnOnce()) {
    match task() {
        Some(_) => body(),
        None => assert!(child(&format!("while_used::{test}"), "alone").status().unwrap().success()),
    }
}

/// The last user has removed the name.
#[track_caller]
fn assert_gone(name: &Unique) {
    #[cfg(unix)]
    assert!(!name.path().exists());
    assert_error(SharedMemory::open(name), ErrorKind::NotFound, "cannot open");
}

/// The last user has left the name, and the next process that asks for it removes it.
#[track_caller]
fn assert_abandoned(name: &Unique) {
    #[cfg(unix)]
    assert!(name.path().exists());
    assert_error(SharedMemory::open(name), ErrorKind::NotFound, "cannot open");
    assert_gone(name);
}

#[test]
fn the_name_goes_with_the_last_handle_or_region() {
    alone("the_name_goes_with_the_last_handle_or_region", || {
        let name = Unique::new();
        let created = while_used().create(&name, SIZE).unwrap();
        assert_error(while_used().create(&name, SIZE), ErrorKind::AlreadyExists, "cannot create");
        let region = created.map().unwrap();
        region.write_at(0, &[7]).unwrap();
        drop(created);
        let opened = SharedMemory::open(&name).expect("the region is a user");
        drop(region);
        let again = SharedMemory::options().read_only().open(&name).expect("the handle is a user");
        let region = again.map().unwrap();
        drop((opened, again));
        let mut byte = [0];
        region.read_at(0, &mut byte).unwrap();
        assert_eq!(byte, [7]);
        drop(SharedMemory::open(&name).expect("the read-only region is a user"));
        drop(region);
        assert_gone(&name);
    });
}

#[test]
fn each_way_to_create_it_makes_a_user() {
    alone("each_way_to_create_it_makes_a_user", || {
        let name = Unique::new();
        for options in [while_used(), while_used().sparse(), while_used().read_only()] {
            let created = options.create(&name, SIZE).unwrap();
            assert!(created.was_created());
            drop(SharedMemory::open(&name).unwrap());
            assert_eq!(SharedMemory::open(&name).unwrap().size().unwrap(), actual_size(SIZE));
            drop(created);
            assert_gone(&name);
            let created = options.open_or_create(&name, SIZE).unwrap();
            let opened = options.open_or_create(&name, SIZE).unwrap();
            assert!(created.was_created() && !opened.was_created());
            drop(created);
            drop(SharedMemory::open(&name).unwrap());
            drop(opened);
            assert_gone(&name);
        }
        let unique = while_used().create_unique(SIZE).unwrap();
        let name = Unique::of(unique.name().unwrap());
        drop(SharedMemory::open(&name).unwrap());
        drop(unique);
        assert_gone(&name);
    });
}

#[cfg(unix)]
#[test]
fn memory_without_the_option_stays_and_a_removed_name_is_left_alone() {
    let name = Unique::new();
    drop(SharedMemory::create(&name, SIZE).unwrap());
    drop(while_used().open_or_create(&name, SIZE).unwrap());
    drop(SharedMemory::open(&name).expect("it was created to stay"));
    SharedMemory::remove(&name).unwrap();

    let removed = while_used().create(&name, SIZE).unwrap();
    SharedMemory::remove(&name).unwrap();
    drop(SharedMemory::create(&name, SIZE).unwrap());
    drop(removed);
    SharedMemory::open(&name).expect("the name leads to other memory, which stays");
}

/// A process that has a descriptor is a user. It does not remove the name: the next one that asks
/// for it does.
#[cfg(unix)]
#[test]
fn a_descriptor_is_a_user() {
    alone("a_descriptor_is_a_user", || {
        let name = Unique::new();
        let created = while_used().create(&name, SIZE).unwrap();
        let descriptor = created.file().try_clone().unwrap();
        let taken = created.into_file().unwrap();
        drop(descriptor);
        drop(SharedMemory::open(&name).expect("the descriptor that was taken is a user"));
        drop(taken);
        assert_abandoned(&name);
    });
}

#[test]
fn memory_whose_last_user_was_killed_is_gone_for_the_next_process() {
    if let Some(name) = task() {
        let memory = while_used().create(&name, SIZE).unwrap();
        eprintln!("created");
        std::thread::sleep(std::time::Duration::from_secs(600));
        drop(memory);
        return;
    }
    let test = "while_used::memory_whose_last_user_was_killed_is_gone_for_the_next_process";
    let name = Unique::new();
    let abandon = |name: &Unique| {
        let mut child = child(test, name).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(told.into_iter().any(|line| line == "created"), "the child failed");
        child.kill().unwrap();
        child.wait().unwrap();
    };
    abandon(&name);
    assert_abandoned(&name);
    abandon(&name);
    let created = SharedMemory::create(&name, SIZE).unwrap();
    assert!(created.was_created());
    let _ = SharedMemory::remove(&name);
    drop(created);
    abandon(&name);
    assert!(while_used().open_or_create(&name, 2 * SIZE).unwrap().was_created());
}

/// The users at a time, and the number of the memory that they have.
static USERS: Mutex<(u32, u64)> = Mutex::new((0, 0));

#[test]
fn all_users_at_a_time_have_one_memory() {
    alone("all_users_at_a_time_have_one_memory", || {
        const ROUNDS: u64 = 2_000;
        let name = Unique::new();
        let work = |thread: u64| {
            for round in 1..=ROUNDS {
                let memory = while_used().open_or_create(&name, SIZE).unwrap();
                let region = memory.map().unwrap();
                let number = &region.words(0, 1).unwrap()[0];
                {
                    let mut users = USERS.lock().unwrap();
                    // ORDERING: SeqCst; the test is not about orderings.
                    let order = std::sync::atomic::Ordering::SeqCst;
                    let mine = thread * ROUNDS + round;
                    let number =
                        number.compare_exchange(0, mine, order, order).err().unwrap_or(mine);
                    assert!(users.0 == 0 || users.1 == number, "two memories at a time");
                    *users = (users.0 + 1, number);
                }
                (0..10).for_each(|_| std::thread::yield_now());
                USERS.lock().unwrap().0 -= 1;
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || work(thread));
            }
        });
        assert_gone(&name);
    });
}
