//! Writers and readers are killed at random under load, two thousand times, or as often as the
//! system allows in that time.

use std::time::Duration;

use shmkit::{Changes, Error, ErrorKind, Latest, LatestOptions, Lifetime};

use crate::children::{Child, Link};
use crate::place::Place;
use crate::system::KILLS;
use crate::values::{Random, seed_of, value};

const NAME: &str = "load";
const WRITERS: usize = 2;
const CHILDREN: usize = 3;

/// What the children share: values of so many words, in an object of this sort.
#[derive(Clone, Copy, Debug)]
struct Load {
    words: usize,
    shared_writers: bool,
    lifetime: Lifetime,
}

/// Values of 8 bytes to 64 KiB, with one writer or several, for ever or while used.
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
    fn options<const WORDS: usize>(&self) -> LatestOptions<[u64; WORDS]> {
        Latest::options().shared_writers(self.shared_writers).lifetime(self.lifetime)
    }
}

/// Writes or reads flat out, and says when it has begun.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<usize> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [number, writes, seed] = numbers[..] else { panic!("{task}") };
    let (load, random) = (LOADS[number], Random::of(seed as u64));
    match load.words {
        1 => play::<1>(load, writes == 1, random, link),
        8 => play::<8>(load, writes == 1, random, link),
        128 => play::<128>(load, writes == 1, random, link),
        _ => play::<8192>(load, writes == 1, random, link),
    }
}

fn play<const WORDS: usize>(load: Load, writes: bool, mut random: Random, link: &mut Link) {
    let mut begun = false;
    let mut begin = || {
        if !begun {
            begun = true;
            link.say("begun");
        }
    };
    loop {
        // Attaching and leaving are part of the load.
        let latest = load.options::<WORDS>().open_or_create(NAME).unwrap();
        let rounds = 1 + random.below(3_000);
        let ended = if writes {
            write(&latest, rounds, &mut random, &mut begin)
        } else {
            read(&latest, rounds, &mut begin)
        };
        if let Err(error) = ended {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        }
    }
}

fn write<const WORDS: usize>(
    latest: &Latest<[u64; WORDS]>,
    rounds: u64,
    random: &mut Random,
    begin: &mut impl FnMut(),
) -> Result<(), Error> {
    let values = [(); 3].map(|()| Box::new(value::<WORDS>(random.next())));
    let mut writer = match latest.writer() {
        Ok(writer) => writer,
        Err(error) if error.kind() == ErrorKind::RoleTaken => {
            begin();
            std::thread::yield_now();
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for round in 0..rounds {
        writer.set(&values[round as usize % 3])?;
        begin();
    }
    Ok(())
}

fn read<const WORDS: usize>(
    latest: &Latest<[u64; WORDS]>,
    rounds: u64,
    begin: &mut impl FnMut(),
) -> Result<(), Error> {
    const MOMENT: Duration = Duration::from_millis(1);
    let mut changes: Changes<[u64; WORDS]> = latest.changes();
    for round in 0..rounds {
        let before = changes.sequence();
        let seen = if round % 2 == 0 { latest.get() } else { changes.next_timeout(MOMENT) };
        match seen {
            Ok(seen) => {
                seed_of(&seen);
                begin();
                assert!(round % 2 == 0 || changes.sequence() > before, "handed out twice");
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
fn many_kills_under_load_leave_no_torn_value_no_hang_and_nobody_behind() {
    let mut random = Random::new();
    for (number, load) in LOADS.iter().enumerate() {
        println!("{load:?}");
        let place = Place::new();
        let start = |who: usize, random: &mut Random| {
            let writes = usize::from(who < WRITERS);
            Child::start(&place, "load", format!("{number} {writes} {}", random.next() >> 1))
        };
        let mut children: Vec<_> = (0..CHILDREN).map(|who| start(who, &mut random)).collect();
        for _ in 0..KILLS / LOADS.len() {
            let who = random.below(CHILDREN as u64) as usize;
            // One in four is killed while it is starting or attaching for the first time.
            if random.below(4) != 0 {
                assert_eq!(children[who].hear(), "begun");
            }
            // No waiting for anything: where the kill falls is to be left to chance.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[who].kill();
            children[who] = start(who, &mut random);
        }
        for child in &mut children {
            assert_eq!(child.hear(), "begun", "whoever is left goes on");
        }
        children.iter_mut().for_each(Child::kill);
        match load.words {
            1 => check_after::<1>(load, &place),
            8 => check_after::<8>(load, &place),
            128 => check_after::<128>(load, &place),
            _ => check_after::<8192>(load, &place),
        }
    }
}

/// The last value is whole, nobody is left in the object, and it can be used and taken away.
fn check_after<const WORDS: usize>(load: &Load, place: &Place) {
    let options = load.options::<WORDS>().directory(place.path());
    if load.lifetime == Lifetime::Persistent {
        seed_of(&options.open(NAME).unwrap().get().unwrap());
    }
    place.repair();
    let latest = options.open_or_create(NAME).unwrap();
    let description = place.describe(NAME);
    assert!(description.participants.is_empty(), "leaked: {:?}", description.participants);
    assert_eq!(description.readers, 1, "this one");
    let mut writer = latest.writer().unwrap();
    writer.set(&value(7)).unwrap();
    assert_eq!(seed_of(&latest.get().unwrap()), 7);
    drop((writer, latest));
    if load.lifetime == Lifetime::Persistent {
        options.remove(NAME).unwrap();
    }
    assert_eq!(place.files(), [""; 0]);
}
