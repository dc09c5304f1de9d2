//! A child is killed at every point at which one can be, in everything that it can do; then the
//! others must find all as promised.

use std::collections::BTreeSet;
use std::time::Duration;

use shmkit::inspect::{self, Condition};
use shmkit::memory::Trust;
use shmkit::{Changes, ErrorKind, Latest, LatestOptions, Lifetime};

use crate::children::{Child, Link};
use crate::place::{Place, kind};
use crate::system::LEAVES_TEMPORARY_FILES;
use crate::values::{seed_of, value};

const NAME: &str = "robot/pose";
const FILE: &str = "robot%2fpose.shmkit";
const WORDS: usize = 16;
type Value = [u64; WORDS];
/// What was set before the child came, what it sets, and what is set after its death.
const BEFORE: u64 = 1;
const CHILD_S: u64 = 2;
const AFTER: u64 = 3;
/// Where a value is neither there nor not begun.
const UNFINISHED: [&str; 3] =
    ["latest: slot in writing", "latest: slot half written", "latest: slot written, not complete"];
const SOON: Duration = Duration::from_secs(30);

/// What a child does, and what there is before it comes.
struct Deed {
    name: &'static str,
    ground: Ground,
    lifetime: Lifetime,
    shared_writers: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Ground {
    /// Nothing has the name.
    Nothing,
    /// An object with a value, which this test has open.
    Used,
    /// The same, and a thread of this test waits for changes without a pause.
    Awaited,
    /// An object with a value whose last user was killed.
    Abandoned,
}

const fn deed(name: &'static str, ground: Ground, lifetime: Lifetime) -> Deed {
    Deed { name, ground, lifetime, shared_writers: false }
}

const DEEDS: [Deed; 11] = {
    use Ground::*;
    use Lifetime::{Persistent, WhileUsed};
    [
        deed("create", Nothing, Persistent),
        deed("open or create", Nothing, WhileUsed),
        deed("open", Used, Persistent),
        deed("write", Used, Persistent),
        Deed { shared_writers: true, ..deed("write", Used, Persistent) },
        deed("write and write", Awaited, Persistent),
        deed("leave", Used, WhileUsed),
        deed("remove", Used, Persistent),
        deed("open or create", Abandoned, WhileUsed),
        deed("repair", Abandoned, WhileUsed),
        Deed { shared_writers: true, ..deed("contend", Used, Persistent) },
    ]
};

impl Deed {
    fn options(&self) -> LatestOptions<Value> {
        Latest::options().lifetime(self.lifetime).shared_writers(self.shared_writers)
    }

    fn do_it(&self) {
        let open = || Latest::<Value>::open(NAME).unwrap();
        let write = |latest: &Latest<Value>, times| {
            let mut writer = latest.writer().unwrap();
            for _ in 0..times {
                writer.set(&value(CHILD_S)).unwrap();
            }
        };
        match self.name {
            "create" => drop(self.options().create(NAME).unwrap()),
            "open" => drop(open().get().unwrap()),
            "open or create" | "leave" => {
                write(&self.options().open_or_create(NAME).unwrap(), 1);
            }
            "write" => write(&open(), 1),
            "write and write" => write(&open(), 2_000),
            "contend" => std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| write(&open(), 1_000_000));
                }
            }),
            "remove" => Latest::<Value>::remove(NAME).unwrap(),
            "repair" => {
                let found = inspect::examine(&shmkit::default_directory(), Trust::Own).unwrap();
                assert!(found[0].fix().unwrap());
            }
            other => unreachable!("{other}"),
        }
    }

    /// Makes what is there before the child comes.
    fn prepare(&self, place: &Place) -> Option<Latest<Value>> {
        let options = self.options().directory(place.path());
        match self.ground {
            Ground::Nothing => None,
            Ground::Used | Ground::Awaited => {
                let latest = options.create(NAME).unwrap();
                latest.writer().unwrap().set(&value(BEFORE)).unwrap();
                Some(latest)
            }
            Ground::Abandoned => {
                let point = "leave: nobody else present";
                let child = Child::start_to_die_at(place, point, "crash", DEEDS.len());
                assert!(child.was_killed());
                assert_eq!(place.describe(NAME).condition, Condition::Abandoned);
                None
            }
        }
    }
}

/// Does the deed with the number of its task; one beyond them all is to abandon an object.
pub(crate) fn role(link: &mut Link) {
    let number: usize = link.task().parse().unwrap();
    let abandon = deed("open or create", Ground::Nothing, Lifetime::WhileUsed);
    DEEDS.get(number).unwrap_or(&abandon).do_it();
}

#[test]
fn whoever_is_killed_at_any_point_harms_nobody() {
    let mut reached = BTreeSet::new();
    for (number, deed) in DEEDS.iter().enumerate() {
        for point in shmkit::crash::POINTS {
            if deed.name == "contend" && reached.contains(point) {
                // What nothing else comes to is left to this one, which takes its time.
                continue;
            }
            let place = Place::new();
            let witness = deed.prepare(&place);
            let killed = std::thread::scope(|scope| {
                let awaited = witness.as_ref().filter(|_| deed.ground == Ground::Awaited);
                let changes = awaited.map(|it| it.changes().without_spinning());
                let waiting = changes.map(|it| scope.spawn(|| wait_for_last_value(it)));
                let killed = Child::start_to_die_at(&place, point, "crash", number).was_killed();
                let case = format!("killed ({killed}) at {point:?} in {:?}", deed.name);
                println!("{case}");
                if killed {
                    reached.insert(*point);
                    check_whole_after(point, deed, &place, witness.as_ref());
                }
                go_on(deed, &place, witness.as_ref());
                if let Some(waiting) = waiting {
                    waiting.join().unwrap();
                }
                killed
            });
            if killed {
                end(deed, &place, witness);
            }
        }
    }
    let all = BTreeSet::from_iter(shmkit::crash::POINTS.iter().copied());
    assert_eq!(reached, all, "no child came to the points that are missing on the left");
}

/// Waits as a reader does until the last value of all is there.
fn wait_for_last_value(mut changes: Changes<Value>) {
    loop {
        match changes.next_timeout(SOON) {
            Ok(seen) if seed_of(&seen) == AFTER => return,
            Ok(seen) => assert_eq!(seed_of(&seen), CHILD_S),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
        }
    }
}

/// What can be seen of the object before anybody has repaired anything.
fn check_whole_after(point: &str, deed: &Deed, place: &Place, witness: Option<&Latest<Value>>) {
    let mut files = place.files();
    if LEAVES_TEMPORARY_FILES {
        files.retain(|file| !file.ends_with(".shmkit-new"));
    }
    assert!(files.is_empty() || files == [FILE], "left behind: {files:?}");
    let entries = inspect::list(place.path(), Trust::Own).unwrap();
    assert_eq!(entries.len(), files.len());
    for entry in entries {
        assert_eq!(entry.name, NAME);
        let description = entry.description.unwrap();
        let members = &description.participants;
        assert!(members.iter().all(|it| !it.alive), "taken for alive: {members:?}");
        assert_eq!(description.readers, u32::from(witness.is_some()));
        // Of several threads any may be half-way when one of them dies.
        if deed.name != "contend" {
            let half_written = description.latest().unwrap().half_written;
            assert_eq!(half_written.is_some(), UNFINISHED.contains(&point), "{point}");
        }
        if deed.ground == Ground::Used && deed.lifetime == Lifetime::WhileUsed {
            assert_eq!(description.condition, Condition::Ready, "somebody uses it");
        }
    }
    let Some(witness) = witness else { return };
    match witness.get() {
        Ok(seen) => {
            let seed = seed_of(&seen);
            match point {
                _ if UNFINISHED.contains(&point) && deed.name == "write" => {
                    assert_eq!(seed, BEFORE);
                }
                "latest: slot complete, latest not moved" => assert_eq!(seed, CHILD_S),
                _ => assert!([BEFORE, CHILD_S].contains(&seed), "{seed}"),
            }
        }
        Err(error) => {
            assert_eq!((error.kind(), deed.name), (ErrorKind::Closed, "remove"), "{error}");
        }
    }
}

/// The survivors find, repair, open, write, and hear of each other.
fn go_on(deed: &Deed, place: &Place, witness: Option<&Latest<Value>>) {
    let options = deed.options().directory(place.path());
    match options.open(NAME) {
        Ok(latest) => match latest.get() {
            Ok(seen) => assert!([BEFORE, CHILD_S].contains(&seed_of(&seen))),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Empty, "{error}"),
        },
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
    place.repair();
    let latest = options.open_or_create(NAME).unwrap();
    assert_eq!(kind(options.create(NAME)), ErrorKind::AlreadyExists);
    let mut changes = latest.changes();
    latest.writer().unwrap().set(&value(AFTER)).unwrap();
    assert_eq!(seed_of(&latest.get().unwrap()), AFTER);
    assert_eq!(seed_of(&changes.next_timeout(SOON).unwrap()), AFTER);
    let description = place.describe(NAME);
    assert!(description.participants.is_empty(), "leaked: {:?}", description.participants);
    assert_eq!(description.condition, Condition::Ready);
    if let Some(witness) = witness {
        match witness.get() {
            Ok(seen) => assert_eq!(seed_of(&seen), AFTER, "the name was split"),
            Err(error) => {
                assert_eq!((error.kind(), deed.name), (ErrorKind::Closed, "remove"), "{error}");
            }
        }
    }
}

/// The object can be taken away, and nothing stays.
fn end(deed: &Deed, place: &Place, witness: Option<Latest<Value>>) {
    if deed.lifetime == Lifetime::WhileUsed {
        drop(witness);
    } else {
        let options = deed.options().directory(place.path());
        options.remove(NAME).unwrap();
        let closed = witness.map(|it| kind(it.get()));
        assert!(closed.is_none_or(|kind| kind == ErrorKind::Closed), "{closed:?}");
    }
    assert_eq!(place.files(), [""; 0]);
}
