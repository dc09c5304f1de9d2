//! A semaphore with a maximum: what counts, and what a post beyond it does.

use std::sync::atomic::{AtomicU64, Ordering};

use shmkit::sync::{BoundedSemaphore, Mutex, Permits, Semaphore};
use shmkit::{ErrorKind, Object};

use crate::test_dir::{TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "pool";

#[test]
fn a_post_beyond_the_maximum_names_the_numbers_and_changes_nothing() {
    let (_dir, [pool, other]) = two_handles::<BoundedSemaphore>(NAME, permits(1, 4));
    assert_eq!((pool.max_permits(), other.max_permits()), (Some(4), Some(4)));
    let told = "cannot post to \"pool\": 4 more were asked for, but 1 permits are available, and \
                4 are the maximum";
    assert_error(other.post(4), ErrorKind::Full, told);
    assert_eq!(pool.available(), 1);
    assert_eq!(other.post(3).unwrap(), 1, "the number before");
    assert_eq!(kind(pool.post(1)), ErrorKind::Full);
    assert_eq!(kind(pool.post(u32::MAX)), ErrorKind::Full);
    assert_eq!(pool.post(0).unwrap(), 4);
    assert_eq!(other.available(), 4);
}

#[test]
fn held_permits_count_and_consumed_ones_do_not() {
    let (_dir, [pool, other]) = two_handles::<BoundedSemaphore>(NAME, permits(3, 3));
    let held = [pool.acquire().unwrap(), other.acquire().unwrap()];
    let told = "1 permits are available and 2 are held, and 3 are the maximum";
    assert_error(other.post(1), ErrorKind::Full, told);
    let [first, second] = held;
    first.forget();
    assert_eq!(other.post(1).unwrap(), 1);
    assert_eq!(kind(other.post(1)), ErrorKind::Full);
    drop(second);
    assert_eq!((pool.available(), kind(pool.post(1))), (3, ErrorKind::Full));
    other.consume().unwrap();
    assert_eq!(pool.post(1).unwrap(), 2);
}

#[test]
fn permits_of_a_dead_handle_count_until_they_are_released() {
    let dir = TestDir::new();
    let pool = dir.options::<BoundedSemaphore>().create(NAME, permits(2, 2)).unwrap();
    let dying = dir.options::<BoundedSemaphore>().open(NAME).unwrap();
    std::mem::forget(dying.acquire().unwrap());
    drop(dying);
    assert_error(pool.post(1), ErrorKind::Full, "1 permits are available and 1 are held");
    let all = [pool.acquire_timeout(TIMEOUT).unwrap(), pool.acquire_timeout(TIMEOUT).unwrap()];
    assert_error(pool.post(1), ErrorKind::Full, "0 permits are available and 2 are held");
    drop(all);
    assert_eq!(pool.available(), 2);
}

#[test]
fn the_maximum_is_in_the_object_and_all_must_agree_on_it() {
    let dir = TestDir::new();
    let options = dir.options::<BoundedSemaphore>();
    let _pool = options.create(NAME, permits(1, 4)).unwrap();
    options.open_or_create(NAME, permits(1, 4)).unwrap();
    let told = "the maximum of permits is 5 here and 4 in the object";
    assert_error(options.open_or_create(NAME, permits(1, 5)), ErrorKind::WrongOptions, told);
    let told = "the initial number of permits is 2 here and 1 in the object";
    assert_error(options.open_or_create(NAME, permits(2, 4)), ErrorKind::WrongOptions, told);

    let unaware = dir.options::<Semaphore>().open(NAME).unwrap();
    assert_eq!((unaware.max_permits(), unaware.post(3).unwrap()), (Some(4), 1));
    assert_eq!(kind(unaware.post(1)), ErrorKind::Full);

    let without = dir.options::<Semaphore>().create("without", 1).unwrap();
    assert_eq!(without.max_permits(), None);
    let told = "a maximum was asked for, and the semaphore in the object has none";
    assert_error(options.open("without"), ErrorKind::WrongOptions, told);
}

#[test]
fn an_invalid_maximum_is_refused() {
    let dir = TestDir::new();
    let options = dir.options::<BoundedSemaphore>();
    let told = "3 permits and a maximum of 2 were asked for";
    assert_error(options.create(NAME, permits(3, 2)), ErrorKind::InvalidArgument, told);
    assert_eq!(kind(options.create(NAME, permits(0, 0))), ErrorKind::InvalidArgument);
    let max = 0x5a6b_7c8d;
    options.create(NAME, permits(1, max)).unwrap();
    dir.overwrite(NAME, &max.to_le_bytes(), 4, 1);
    let told = "the maximum of a semaphore cannot be 5811960973";
    assert_error(options.open(NAME), ErrorKind::Corrupt, told);
    assert_error(dir.options::<Semaphore>().open(NAME), ErrorKind::Corrupt, told);
}

#[test]
fn the_maximum_holds_while_threads_acquire_release_consume_and_post() {
    const MAX: u64 = 3;
    const STEPS: u32 = if cfg!(windows) { 300 } else { 3_000 };
    let (_dir, handles) = two_handles::<BoundedSemaphore>(NAME, permits(0, MAX as u32));
    let (posted, consumed, held) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for pool in &handles {
            scope.spawn(|| {
                for _ in 0..STEPS {
                    if let Ok(before) = pool.post(1) {
                        assert!(before < MAX, "{before} were available");
                        // ORDERING: Relaxed; only counted.
                        posted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            scope.spawn(|| {
                for _ in 0..STEPS {
                    let all: Vec<_> = (0..=MAX)
                        .map_while(|_| pool.try_acquire().unwrap())
                        // ORDERING: Relaxed; only counted.
                        .inspect(|_| assert!(held.fetch_add(1, Ordering::Relaxed) < MAX))
                        .collect();
                    // Before they are released: so never more are counted than are held.
                    held.fetch_sub(all.len() as u64, Ordering::Relaxed);
                    drop(all);
                }
            });
            scope.spawn(|| {
                for _ in 0..STEPS {
                    // ORDERING: Relaxed; only counted.
                    consumed.fetch_add(pool.try_consume().unwrap().into(), Ordering::Relaxed);
                }
            });
        }
    });
    let left = posted.into_inner() - consumed.into_inner();
    assert_eq!(handles[0].available(), left);
    assert!(left <= MAX);
}

#[test]
fn a_group_and_memory_can_have_semaphores_with_a_maximum() {
    type Group = (Mutex<u64>, [BoundedSemaphore; 2]);
    let options = Object::<Group>::options();
    let initial = (7, [permits(1, 1), permits(0, 2)]);
    let size = options.size_in_memory(&initial).unwrap();
    let memory = shmkit::SharedMemory::anonymous(size).unwrap();
    let group = options.create_in(&memory, 0, initial).unwrap();
    let other = Object::<Group>::open_in(&memory, 0).unwrap();
    assert_eq!(kind(other.1[0].post(1)), ErrorKind::Full);
    assert_eq!(other.1[1].post(2).unwrap(), 0);
    assert_eq!(kind(group.1[1].post(1)), ErrorKind::Full);
}

fn permits(initial: u32, max: u32) -> Permits {
    Permits { initial, max }
}
