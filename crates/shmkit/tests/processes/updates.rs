//! Updates of a `Latest` by several processes, some of which are killed: none is lost.

use std::time::Duration;

use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::Random;
use shmkit::Latest;

const NAME: &str = "counts";
const UPDATERS: usize = 3;
const KILLS: usize = 60;
/// The count of each updater, and of all together.
type Counts = [u64; UPDATERS + 1];
const ALL: usize = UPDATERS;

/// Adds 1 to its own count and to that of all, again and again.
pub(crate) fn updater(link: &mut Link) {
    let me: usize = link.task().parse().unwrap();
    let counts = Latest::<Counts>::open(NAME).unwrap();
    let mut writer = counts.writer().unwrap();
    let mut mine = None;
    loop {
        let mut now = 0;
        let update = writer.update(|counts| {
            assert!(mine.is_none_or(|mine| mine == counts[me]), "an update was lost");
            counts[me] += 1;
            counts[ALL] += 1;
            now = counts[me];
        });
        update.unwrap();
        if mine.replace(now).is_none() {
            link.send("ready");
        }
    }
}

#[test]
fn a_killed_updater_loses_no_update_of_others() {
    let dir = TestDir::new();
    let counts = dir.latest::<Counts>().shared_writers(true).create(NAME).unwrap();
    counts.writer().unwrap().set(&[0; UPDATERS + 1]).unwrap();
    let start = |me: usize| Child::start_ready(&dir, "updater", me);
    let mut updaters: Vec<_> = (0..UPDATERS).map(start).collect();
    let mut random = Random::new();
    let mut before = counts.get().unwrap();
    for _ in 0..KILLS {
        let me = random.below(UPDATERS as u64) as usize;
        // The sleep synchronizes nothing: it makes the moment of the kill random.
        std::thread::sleep(Duration::from_micros(random.below(1_500)));
        updaters[me].kill();
        updaters[me] = start(me);
        let now = counts.get().unwrap();
        assert!(now.iter().zip(&before).all(|(now, before)| now >= before), "{before:?}, {now:?}");
        before = now;
    }
    // The survivors have asserted that none of their updates was lost.
    updaters.iter_mut().for_each(Child::kill);
    let counts = counts.get().unwrap();
    assert_eq!(counts[..ALL].iter().sum::<u64>(), counts[ALL], "{counts:?}");
}

#[test]
fn a_waiting_writer_takes_over_from_a_killed_one() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().create("count").unwrap();
    let mut writer = Child::start_ready(&dir, "writer", "");
    assert_eq!(writer.ask(1), "set");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| count.writer_timeout(TIMEOUT).unwrap().update(|it| *it += 1));
        dir.wait_for_waiters("count", 1);
        writer.kill();
        assert_eq!(next.join().unwrap().unwrap(), 2);
    });
    assert_eq!(count.get().unwrap(), 2);
}

#[test]
fn the_slot_of_a_killed_participant_goes_to_one_that_waits() {
    let dir = TestDir::new();
    let options = dir.latest::<u64>().shared_writers(true).max_writers(1);
    let count = options.create("count").unwrap();
    let mut writer = Child::start_ready(&dir, "writer", "");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| count.writer_timeout(TIMEOUT).unwrap().set(&1));
        writer.kill();
        assert_eq!(next.join().unwrap().unwrap(), 1);
    });
}
