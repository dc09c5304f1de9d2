//! Long waits: for one holder, for a giver that never gives, and for as many holders as there can
//! be.

use std::mem;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shmkit::sync::{Barrier, Event, Reset, RwLock, Semaphore};
use shmkit::{Latest, Object, Primitive, WaitSet};

use super::primitives::{self, Condvars, Events, Mutex, NO_DEATH, Semaphores, open};
use crate::harness::worker::{Worker, Workload};
use crate::objects::{self, MAX_SLOTS};
use crate::workloads::crowd::wait_in_crowd;
use crate::workloads::primitives::Turns;
use crate::workloads::takeover::HOLDER;

/// How many handles a set has.
const SET: usize = 100;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("idle/shmkit", wait_for_mutex),
    Workload::process("idle-write/shmkit", wait_for_rw_lock),
    Workload::process("idle-permit/shmkit", wait_for_permit),
    Workload::process("idle-party/shmkit", wait_for_party),
    Workload::process("idle-condition/shmkit", |it| wait_for_turn(it, Condvars::open(it))),
    Workload::process("idle-event/shmkit", |it| wait_for_turn(it, Events::open(it))),
    Workload::process("idle-change/shmkit", wait_for_change),
    Workload::process("idle-set/shmkit", wait_for_set),
    Workload::process("holders-write/shmkit", write_beside_readers),
    Workload::process("holders-permit/shmkit", acquire_beside_holders),
];

fn wait_for_mutex(worker: &Worker) {
    let mutex = Mutex::open(worker);
    wait_in_crowd(worker, || mutex.take_over(), || drop(mutex.take_over()));
}

fn wait_for_rw_lock(worker: &Worker) {
    let lock = primitives::RwLock::open(worker);
    wait_in_crowd(worker, || lock.take_over(), || drop(lock.take_over()));
}

fn wait_for_permit(worker: &Worker) {
    let permits = Semaphores::open(worker, 1);
    wait_in_crowd(worker, || permits.acquire(), || drop(permits.acquire()));
}

/// The waiters are parties, and so is the holder, which does not arrive.
fn wait_for_party(worker: &Worker) {
    let barrier: Object<Barrier> = open(worker, MAX_SLOTS);
    let join = || barrier.join().expect("there is room for all parties");
    wait_in_crowd(worker, join, || drop(join().wait()));
}

fn wait_for_turn(worker: &Worker, turns: impl Turns + Sync) {
    wait_in_crowd(worker, || (), || turns.take(0));
}

fn wait_for_change(worker: &Worker) {
    let latest: Latest<[u64; 1]> =
        objects::latest(worker.arena().directory(), &worker.object_name());
    let hold = || latest.writer().expect("a sole writer");
    wait_in_crowd(worker, hold, || drop(latest.changes().next()));
}

fn wait_for_set(worker: &Worker) {
    let (directory, name) = (worker.arena().directory(), worker.object_name());
    let events = (0..SET).map(|number| {
        let name = format!("{name}-{number}");
        objects::primitive_for::<Event>(MAX_SLOTS, directory, &name, Reset::Manual)
    });
    let (events, set) = (events.collect::<Vec<_>>(), WaitSet::new());
    for (number, event) in events.iter().enumerate() {
        set.add(number, event).expect("a new key");
    }
    wait_in_crowd(worker, || (), || drop(set.wait()));
}

fn write_beside_readers(worker: &Worker) {
    let hold = |lock: &RwLock<u64>| mem::forget(lock.read().expect(NO_DEATH));
    wait_beside_holders(worker, 0, hold, |lock| drop(lock.write()));
}

fn acquire_beside_holders(worker: &Worker) {
    let hold = |permits: &Semaphore| permits.acquire().expect(NO_DEATH).forget();
    wait_beside_holders(worker, MAX_SLOTS - 1, hold, |permits| drop(permits.acquire()));
}

/// The process of the holder has a handle for every slot but one, and holds by each of them.
fn wait_beside_holders<P: Primitive + Sync>(
    worker: &Worker,
    initial: P::Initial,
    hold: impl Fn(&P),
    wait: impl Fn(&P) + Sync,
) where
    P::Initial: Clone,
{
    allow_many_files();
    let handles = if worker.number() == HOLDER { MAX_SLOTS - 1 } else { 1 };
    let handles: Vec<_> = (0..handles)
        .map(|_| {
            let (directory, name) = (worker.arena().directory(), worker.object_name());
            objects::primitive_for::<P>(MAX_SLOTS, directory, &name, initial.clone())
        })
        .collect();
    wait_in_crowd(worker, || handles.iter().for_each(|it| hold(it)), || wait(&handles[0]));
}

/// Each handle has open files.
fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("not above maximum");
}
