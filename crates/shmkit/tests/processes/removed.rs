//! Objects whose files were removed by other means than this library (`rm`), and which are used
//! without waiting.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use shmkit::sync::{Event, Mutex, ReentrantMutex, Reset, RwLock, Semaphore};
use shmkit::{Error, ErrorKind, Latest, Object, Result};

use crate::test_dir::TestDir;
use crate::times::TIMEOUT;

const NAME: &str = "shared";

/// Removes the object's file.
fn remove_by_hand(dir: &TestDir) {
    let [file] = &dir.files()[..] else { panic!("one object") };
    fs::remove_file(dir.path().join(file)).unwrap();
}

/// Uses an object, with a pause after each use, until that is refused.
fn refused(what: &str, pause: Duration, mut uses: impl FnMut() -> Result<()>) -> Error {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Err(error) = uses() {
            return error;
        }
        assert!(Instant::now() < end, "{what}: never told");
        thread::sleep(pause);
    }
}

/// Checks that a use is told of the removal, whether uses are frequent or rare, and that then all
/// other handles are told at once.
fn check<H: Send + Sync + 'static>(
    what: &'static str,
    make: impl Fn(&TestDir) -> H + Send + 'static,
    uses: impl Fn(&H) -> Result<()> + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for pause in [Duration::ZERO, Duration::from_millis(20)] {
            let dir = TestDir::new();
            let [handle, other] = [(); 2].map(|()| make(&dir));
            uses(&handle).unwrap();
            remove_by_hand(&dir);
            let told = refused(what, pause, || uses(&handle));
            assert_eq!(told.kind(), ErrorKind::Closed, "{what}: {told}");
            let told = uses(&other).expect_err("the object is retired");
            assert_eq!(told.kind(), ErrorKind::Closed, "{what}: {told}");
        }
    })
}

fn rw_lock(dir: &TestDir) -> Object<RwLock<u64>> {
    dir.primitive::<RwLock<u64>>().open_or_create(NAME, 0).unwrap()
}

#[test]
fn a_removal_by_hand_is_told_to_each_kind_of_use_that_does_not_wait() {
    let all = [
        check(
            "mutex",
            |dir| dir.primitive::<Mutex<u64>>().open_or_create(NAME, 0).unwrap(),
            |it| Ok(it.lock().map(drop)?),
        ),
        check(
            "reentrant mutex",
            |dir| dir.primitive::<ReentrantMutex<u64>>().open_or_create(NAME, 0).unwrap(),
            |it| Ok(it.lock().map(drop)?),
        ),
        check("writing", rw_lock, |it| Ok(it.write().map(drop)?)),
        check("reading", rw_lock, |it| Ok(it.read().map(drop)?)),
        check(
            "semaphore",
            |dir| dir.primitive::<Semaphore>().open_or_create(NAME, 2).unwrap(),
            |it| it.acquire().map(drop),
        ),
        check(
            "event",
            |dir| dir.primitive::<Event>().open_or_create(NAME, Reset::Manual).unwrap(),
            |it| it.set(),
        ),
        check(
            "get",
            |dir| {
                let latest = dir.latest::<u64>().open_or_create(NAME).unwrap();
                latest.writer().unwrap().set(&1).unwrap();
                latest
            },
            |it| it.get().map(drop),
        ),
        check(
            "get of 1 KiB",
            |dir| {
                let latest = dir.latest::<[u64; 128]>().open_or_create(NAME).unwrap();
                latest.writer().unwrap().set(&[1; 128]).unwrap();
                latest
            },
            |it| it.get_boxed().map(drop),
        ),
        check(
            "get of a part",
            |dir| dir.latest::<[u64; 128]>().open_or_create_with(NAME, [1; 128]).unwrap(),
            |it| it.get_part(8, &mut [0; 8]),
        ),
    ];
    all.into_iter().for_each(|case| case.join().unwrap());
}

#[test]
fn a_removal_by_hand_is_told_to_a_writer_and_through_it_to_readers() {
    let dir = TestDir::new();
    let latest: Latest<u64> = dir.latest().create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    remove_by_hand(&dir);
    let told = refused("set", Duration::ZERO, || writer.set(&2).map(drop));
    assert_eq!(told.kind(), ErrorKind::Closed, "{told}");
    let told = latest.get().expect_err("the object is retired");
    assert_eq!(told.kind(), ErrorKind::Closed, "{told}");
}

#[test]
fn a_handle_that_may_only_read_is_told_of_a_removal_by_hand_each_time() {
    let dir = TestDir::new();
    let latest: Latest<u64> = dir.latest().create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    let reader = dir.latest::<u64>().open_read_only(NAME).unwrap();
    reader.get().unwrap();
    remove_by_hand(&dir);
    let told = refused("get", Duration::ZERO, || reader.get().map(drop));
    assert_eq!(told.kind(), ErrorKind::Closed, "{told}");
    for _ in 0..1_000 {
        assert_eq!(reader.get().unwrap_err().kind(), ErrorKind::Closed);
    }
}
