//! Both ends of a pipe under loom: sleeping, leaving, dying, joining.
//!
//! The table of participants is modelled by a word for each slot. What dies is reaped by the slow
//! check of the other side.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::Liveness;
use crate::sys::wait::model::{check, let_time_pass};

const FREE: u64 = 0;
const ALIVE: u64 = 1;
const DEAD: u64 = 2;

/// Two writers, then two readers.
const SLOTS: [Role; 4] = [Role::Writer, Role::Writer, Role::Reader, Role::Reader];
const READER: usize = 2;

struct World {
    tail: AtomicU64,
    head: AtomicU64,
    ring: [AtomicU64; 1],
    writers: AtomicU64,
    readers: AtomicU64,
    readers_left: AtomicU64,
    ended: AtomicU64,
    slots: [AtomicU64; 4],
    deaths: AtomicU64,
}

impl Liveness for World {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.slots[id.slot() as usize].load(Ordering::SeqCst) != ALIVE
    }
}

impl Attendance for World {
    fn has_any(&self, role: Role) -> bool {
        let taken = |slot: &AtomicU64| slot.load(Ordering::Acquire) != FREE;
        SLOTS.iter().zip(&self.slots).any(|(of, slot)| *of == role && taken(slot))
    }

    fn deaths(&self, _: Role) -> u16 {
        self.deaths.load(Ordering::Acquire) as u16
    }

    fn reap(&self, role: Role, _: Extent<'_>) -> Option<ParticipantId> {
        let mut dead = None;
        for (number, slot) in (0..).zip(&self.slots) {
            if SLOTS[number as usize] == role && slot.load(Ordering::Acquire) == DEAD {
                if role == Role::Writer {
                    self.deaths.fetch_add(1, Ordering::AcqRel);
                }
                slot.store(FREE, Ordering::Release);
                dead = Some(ParticipantId::new(number, 1));
            }
        }
        dead
    }
}

impl World {
    fn new() -> Arc<Self> {
        let [tail, head, ring, writers, readers, readers_left, ended, deaths] =
            [0; 8].map(AtomicU64::new);
        let (ring, slots) = ([ring], [FREE; 4].map(AtomicU64::new));
        Arc::new(Self { tail, head, ring, writers, readers, readers_left, ended, slots, deaths })
    }

    fn stream(&self) -> Stream<'_> {
        Stream::new(&self.tail, &self.head, &self.ring).expect("a power of two")
    }

    fn ends(&self) -> Ends<'_> {
        let Self { writers, readers, readers_left, ended, .. } = self;
        Ends { writers, readers, readers_left, ended }
    }

    fn join_writer(&self, slot: usize) -> Writing {
        self.slots[slot].swap(ALIVE, Ordering::AcqRel);
        let readers = self.ends().join_writer(self);
        Writing::new(WaitLoop::for_answer(0), self.stream().head(), readers)
    }

    fn leave_writer(&self, slot: usize) {
        self.slots[slot].store(FREE, Ordering::Release);
        self.stream().tell_readers();
    }

    fn join_reader(&self) -> Reading {
        self.join_reader_in(READER)
    }

    fn join_reader_in(&self, slot: usize) -> Reading {
        self.slots[slot].swap(ALIVE, Ordering::AcqRel);
        let told = self.ends().join_reader();
        Reading::new(WaitLoop::for_answer(0), self.stream().tail(), told)
    }

    fn leave_reader(&self) {
        self.leave_reader_in(READER);
    }

    fn leave_reader_in(&self, slot: usize) {
        self.slots[slot].store(FREE, Ordering::Release);
        self.ends().leave_reader();
        self.stream().tell_writers();
    }

    fn die(&self, slot: usize) {
        self.slots[slot].store(DEAD, Ordering::SeqCst);
        // No wake follows a death: the sleepers look again after their slices.
        let_time_pass();
    }

    fn write(&self, writing: &mut Writing, bytes: &[u8]) -> Result<(), Failure> {
        let found = writing.room(self.stream(), self.ends(), self, bytes.len(), Until::Ever);
        let (tail, room) = found?;
        let count = self.stream().put(tail, bytes, room);
        assert_eq!(count, bytes.len());
        self.stream().publish(tail, count).map_err(Failure::from)
    }

    /// Reads up to `N` bytes. None at all: the end.
    fn read_many<const N: usize>(&self, reading: &mut Reading) -> Result<Vec<u8>, Failure> {
        let mut into = [0; N];
        let count = match reading.take(self.stream(), &mut into)? {
            0 => reading.wait(self.stream(), self.ends(), self, &mut into, Until::Ever)?,
            count => count,
        };
        Ok(into[..count].to_vec())
    }

    /// Reads one byte. None: the end.
    fn read(&self, reading: &mut Reading) -> Result<Option<u8>, Failure> {
        self.read_many::<1>(reading).map(|bytes| bytes.first().copied())
    }
}

fn spawn(world: &Arc<World>, run: impl FnOnce(&World) + 'static) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || run(&world))
}

#[test]
fn loom_a_reader_gets_what_a_writer_wrote_and_then_the_end() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        let writer = spawn(&world, |world| {
            let mut writing = world.join_writer(0);
            world.write(&mut writing, b"x").unwrap();
            world.leave_writer(0);
        });
        assert_eq!(world.read(&mut reading), Ok(Some(b'x')));
        assert_eq!(world.read(&mut reading), Ok(None));
        writer.join().unwrap();
        // It was told; a reader that joins now waits for the next writer.
        assert_eq!(
            world.ends().look(world.stream(), world.ends().join_reader(), &*world),
            Ok(Found::More)
        );
    });
}

#[test]
fn loom_a_writer_that_wrote_nothing_ends_the_stream_too() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        let writer = spawn(&world, |world| {
            world.join_writer(0);
            world.leave_writer(0);
        });
        assert_eq!(world.read(&mut reading), Ok(None));
        writer.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_joins_as_the_last_one_leaves_is_read_and_ends_a_stream_of_its_own() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        world.join_writer(0);
        let first = spawn(&world, |world| world.leave_writer(0));
        let second = spawn(&world, |world| {
            let mut writing = world.join_writer(1);
            world.write(&mut writing, b"x").unwrap();
            world.leave_writer(1);
        });
        let was_between = world.read(&mut reading) == Ok(None);
        first.join().unwrap();
        second.join().unwrap();
        if was_between {
            assert_eq!(world.read(&mut reading), Ok(Some(b'x')));
            // The second end is not told yet: also a reader that joins now gets it.
            let mut late = world.join_reader();
            assert_eq!(world.read(&mut late), Ok(None));
        }
        assert_eq!(world.read(&mut reading), Ok(None));
    });
}

#[test]
fn loom_no_end_is_found_while_writers_hand_over_to_each_other() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        world.join_writer(1);
        let writers = spawn(&world, |world| {
            // In a slot that a look passes before it comes to that of the other writer.
            let mut writing = world.join_writer(0);
            world.leave_writer(1);
            world.write(&mut writing, b"x").unwrap();
            world.leave_writer(0);
        });
        assert_eq!(world.read(&mut reading), Ok(Some(b'x')));
        assert_eq!(world.read(&mut reading), Ok(None));
        writers.join().unwrap();
    });
}

#[test]
fn loom_a_death_is_told_once_after_the_bytes_and_before_the_end() {
    for (counted, writes) in [(false, false), (true, false), (true, true)] {
        check(Some(2), move || {
            let world = World::new();
            let mut reading = world.join_reader();
            let writer = spawn(&world, move |world| {
                if counted {
                    let mut writing = world.join_writer(0);
                    if writes {
                        world.write(&mut writing, b"x").unwrap();
                    }
                } else {
                    world.slots[0].swap(ALIVE, Ordering::AcqRel);
                }
                world.die(0);
            });
            if writes {
                assert_eq!(world.read(&mut reading), Ok(Some(b'x')));
            }
            assert!(matches!(world.read(&mut reading), Err(Failure::Died(_))));
            writer.join().unwrap();
            if counted {
                assert_eq!(world.read(&mut reading), Ok(None));
            }
            assert_eq!(world.deaths(Role::Writer), 1);
            let told = world.ends().join_reader();
            assert_eq!(world.ends().look(world.stream(), told, &*world), Ok(Found::More));
        });
    }
}

#[test]
fn loom_a_death_beside_a_writer_that_leaves_is_told_and_the_end_is_told_after_it() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        [0, 1].map(|slot| world.join_writer(slot));
        let leaving = spawn(&world, |world| world.leave_writer(0));
        let dying = spawn(&world, |world| world.die(1));
        assert!(matches!(world.read(&mut reading), Err(Failure::Died(_))));
        assert_eq!(world.read(&mut reading), Ok(None));
        leaving.join().unwrap();
        dying.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_for_room_goes_on() {
    check(Some(2), || {
        let world = World::new();
        let mut reading = world.join_reader();
        let mut writing = world.join_writer(0);
        world.write(&mut writing, &[1; 8]).unwrap();
        let writer = spawn(&world, move |world| {
            world.write(&mut writing, &[2; 2]).unwrap();
            world.leave_writer(0);
        });
        // After the first read there is too little room to wake the writer.
        assert_eq!(world.read_many::<3>(&mut reading).unwrap(), [1; 3]);
        assert_eq!(world.read_many::<5>(&mut reading).unwrap(), [1; 5]);
        assert_eq!(world.read_many::<3>(&mut reading).unwrap(), [2; 2]);
        assert_eq!(world.read(&mut reading), Ok(None));
        writer.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_waits_for_room_is_told_that_the_last_reader_left_or_died() {
    for dies in [false, true] {
        check(Some(2), move || {
            let world = World::new();
            let mut writing = world.join_writer(0);
            world.write(&mut writing, &[1; 8]).unwrap();
            world.join_reader();
            let reader = spawn(&world, move |world| match dies {
                true => world.die(READER),
                false => world.leave_reader(),
            });
            assert_eq!(world.write(&mut writing, &[2]), Err(Failure::NoReaders));
            reader.join().unwrap();
        });
    }
}

#[test]
fn loom_readers_that_hand_over_to_each_other_are_not_taken_for_gone() {
    for sleeps in [false, true] {
        check(Some(2), move || {
            let world = World::new();
            world.join_reader_in(READER + 1);
            let mut writing = world.join_writer(0);
            if sleeps {
                world.write(&mut writing, &[1; 8]).unwrap();
            }
            let readers = spawn(&world, move |world| {
                // In a slot that a look passes before it comes to that of the other reader.
                let mut reading = world.join_reader_in(READER);
                world.leave_reader_in(READER + 1);
                if sleeps {
                    assert_eq!(world.read_many::<8>(&mut reading).unwrap(), [1; 8]);
                }
            });
            if sleeps {
                assert_eq!(world.write(&mut writing, &[2]), Ok(()));
            } else {
                assert_eq!(writing.check_readers(world.ends(), &*world), Ok(()));
            }
            readers.join().unwrap();
        });
    }
}

#[test]
fn loom_the_first_reader_that_joins_is_never_taken_for_one_that_left() {
    check(Some(2), || {
        let world = World::new();
        let mut writing = world.join_writer(0);
        let reader = spawn(&world, |world| {
            world.join_reader();
        });
        assert_eq!(writing.check_readers(world.ends(), &*world), Ok(()));
        reader.join().unwrap();
        assert_eq!(writing.check_readers(world.ends(), &*world), Ok(()));
    });
}
