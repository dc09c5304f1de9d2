//! Writers and readers are killed at random under load, two thousand times, or as often as the
//! system allows in that time.

use std::time::Duration;

use shmkit::{Changes, ErrorKind, Latest, Lifetime, Result};

use crate::children::{Child, Link};
use crate::system::KILLS;
use crate::test_dir::{LatestOptions, TestDir};
use crate::values::{Random, seed_of, value};

const NAME: &str = "load";
const WRITERS: usize = 2;
const CHILDREN: usize = 3;

/// The object that the children share, and the size of its values.
#[derive(Clone, Copy, Debug)]
struct Load {
    words: usize,
    shared_writers: bool,
    lifetime: Lifetime,
}

/// Each combination of a size from 8 bytes to 64 KiB, one or several writers, and a lifetime.
const LOADS: [Load; 16] = {
    let mut loads = [Load { words: 0, shared_writers: false, lifetime: Lifetime::Persistent }; 16];
    let mut number = 0;
    while number < 16 {
        loads[number].words = [1, 8, 128, 8192][number / 4];
        loads[number].shared_writers = number % 2 == 1;
        if number % 4 >= 2 {
            loads[number].lifetime = Lifetime::WhileUsed;
        }
        number += 1;
    }
    loads
};

impl Load {
    fn apply<T>(&self, options: LatestOptions<T>) -> LatestOptions<T>
    where
        T: shmkit::Shareable,
    {
        options.shared_writers(self.shared_writers).lifetime(self.lifetime)
    }
}

/// Writes or reads without a pause, and reports its first success.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<usize> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [number, writes, seed] = numbers[..] else { panic!("{task}") };
    let (load, random) = (LOADS[number], Random::from_seed(seed as u64));
    match load.words {
        1 => run::<1>(load, writes == 1, random, link),
        8 => run::<8>(load, writes == 1, random, link),
        128 => run::<128>(load, writes == 1, random, link),
        _ => run::<8192>(load, writes == 1, random, link),
    }
}

fn run<const WORDS: usize>(load: Load, writes: bool, mut random: Random, link: &mut Link) {
    let mut reported = false;
    let mut report = || {
        if !reported {
            reported = true;
            link.send("working");
        }
    };
    loop {
        // Attaching and leaving are part of the load.
        let latest = load.apply(Latest::<[u64; WORDS]>::options()).open_or_create(NAME).unwrap();
        let rounds = 1 + random.below(3_000);
        let answer = if writes {
            write(&latest, rounds, &mut random, &mut report)
        } else {
            read(&latest, rounds, &mut report)
        };
        if let Err(error) = answer {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        }
    }
}

fn write<const WORDS: usize>(
    latest: &Latest<[u64; WORDS]>,
    rounds: u64,
    random: &mut Random,
    report: &mut impl FnMut(),
) -> Result<()> {
    let values = [(); 3].map(|()| Box::new(value::<WORDS>(random.next())));
    let mut writer = match latest.writer() {
        Ok(writer) => writer,
        Err(error) if error.kind() == ErrorKind::RoleTaken => {
            report();
            std::thread::yield_now();
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for round in 0..rounds {
        writer.set(&values[round as usize % 3])?;
        report();
    }
    Ok(())
}

fn read<const WORDS: usize>(
    latest: &Latest<[u64; WORDS]>,
    rounds: u64,
    report: &mut impl FnMut(),
) -> Result<()> {
    const SHORT: Duration = Duration::from_millis(1);
    let mut changes: Changes<[u64; WORDS]> = latest.changes();
    for round in 0..rounds {
        let before = changes.sequence();
        let value = if round % 2 == 0 { latest.get() } else { changes.next_timeout(SHORT) };
        match value {
            Ok(value) => {
                seed_of(&value);
                report();
                assert!(round % 2 == 0 || changes.sequence() > before, "returned twice");
            }
            Err(error) => match error.kind() {
                ErrorKind::Closed => return Err(error),
                ErrorKind::Empty | ErrorKind::TimedOut | ErrorKind::PeerDied => {}
                _ => panic!("{error}"),
            },
        }
    }
    Ok(())
}

#[test]
fn random_kills_under_load_leave_no_torn_value_no_hang_and_no_participant() {
    let mut random = Random::new();
    for (number, load) in LOADS.iter().enumerate() {
        println!("{load:?}");
        let dir = TestDir::new();
        let start = |index: usize, random: &mut Random| {
            let writes = usize::from(index < WRITERS);
            Child::start(&dir, "load", format!("{number} {writes} {}", random.next() >> 1))
        };
        let mut children: Vec<_> = (0..CHILDREN).map(|it| start(it, &mut random)).collect();
        for _ in 0..KILLS / LOADS.len() {
            let index = random.below(CHILDREN as u64) as usize;
            // One in four is killed while it starts or attaches for the first time.
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start(index, &mut random);
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
        }
        children.iter_mut().for_each(Child::kill);
        match load.words {
            1 => check_after::<1>(load, &dir),
            8 => check_after::<8>(load, &dir),
            128 => check_after::<128>(load, &dir),
            _ => check_after::<8192>(load, &dir),
        }
    }
}

/// Checks that the last value is whole, that no participant is left, and that the object can be
/// used and removed.
fn check_after<const WORDS: usize>(load: &Load, dir: &TestDir) {
    let options = load.apply(dir.latest::<[u64; WORDS]>());
    if load.lifetime == Lifetime::Persistent {
        seed_of(&options.open(NAME).unwrap().get().unwrap());
    }
    dir.repair();
    let latest = options.open_or_create(NAME).unwrap();
    let description = dir.describe(NAME);
    assert!(description.participants.is_empty(), "left: {:?}", description.participants);
    assert_eq!(description.readers, 1, "this test");
    let mut writer = latest.writer().unwrap();
    writer.set(&value(7)).unwrap();
    assert_eq!(seed_of(&latest.get().unwrap()), 7);
    drop((writer, latest));
    if load.lifetime == Lifetime::Persistent {
        options.remove(NAME).unwrap();
    }
    assert_eq!(dir.files(), [""; 0]);
}
