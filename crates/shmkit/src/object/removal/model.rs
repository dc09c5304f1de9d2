//! The gate under loom: two processes open, leave, remove and replace one name, for objects that
//! are removed with their last user, and for those that stay.
//!
//! The kernel is modelled: a name that leads to a file, and for each file a gate and a count of
//! the processes present. Each step of the model is one step of the system, under one lock.

use loom::sync::{Arc, Mutex};

use super::*;

#[derive(Default)]
struct File {
    shared: u32,
    exclusive: bool,
    present: u32,
    retired: bool,
    /// Whether its creator held the gate until it had the lock.
    gated: bool,
    locked: bool,
}

#[derive(Default)]
struct Directory {
    /// Whether its objects are removed with their last user. Otherwise they stay until a removal.
    while_used: bool,
    files: Vec<File>,
    name: Option<usize>,
    /// Set when a process uses a live object while its name belongs to another object.
    split: bool,
}

/// One process's view of one file.
#[derive(Clone)]
struct Peer {
    directory: Arc<Mutex<Directory>>,
    file: usize,
    /// As it was when this process opened the file.
    was_retired: bool,
}

impl Peer {
    fn opens(directory: &Arc<Mutex<Directory>>, file: usize) -> Self {
        let was_retired = directory.lock().unwrap().files[file].retired;
        Self { directory: directory.clone(), file, was_retired }
    }

    fn with<R>(&self, step: impl FnOnce(&mut File) -> R) -> R {
        step(&mut self.directory.lock().unwrap().files[self.file])
    }
}

impl GateLock for Peer {
    fn try_gate(&self, mode: Mode) -> Result<bool> {
        Ok(self.with(|file| match mode {
            Mode::Shared if !file.exclusive => {
                file.shared += 1;
                true
            }
            Mode::Exclusive if !file.exclusive && file.shared == 0 => {
                file.exclusive = true;
                true
            }
            _ => false,
        }))
    }

    fn release_gate(&self) {
        self.with(|file| if file.exclusive { file.exclusive = false } else { file.shared -= 1 });
    }

    fn pause(&self, _: u32, _: Duration) -> bool {
        loom::thread::yield_now();
        true
    }
}

impl RemovalTarget for Peer {
    type Gate = Self;

    fn gate(&self) -> &Self {
        self
    }

    fn is_named(&self) -> Result<bool> {
        Ok(self.directory.lock().unwrap().name == Some(self.file))
    }

    fn is_anyone_present(&self) -> Result<bool> {
        Ok(self.with(|file| file.present > 0))
    }

    fn is_retired(&self) -> bool {
        self.with(|file| file.retired)
    }

    fn was_retired(&self) -> bool {
        self.was_retired
    }

    fn is_while_used(&self) -> bool {
        self.directory.lock().unwrap().while_used
    }

    fn is_of_earlier_boot(&self) -> bool {
        false
    }

    fn is_gated(&self) -> bool {
        self.with(|file| file.gated)
    }

    fn retire(&self) {
        self.with(|file| file.retired = true);
    }

    fn check_removable(&self) -> Result<()> {
        Ok(())
    }

    fn unlink(&self) -> Result<()> {
        let mut directory = self.directory.lock().unwrap();
        if let Some(victim) = directory.name.take() {
            let victim = &directory.files[victim];
            if victim.present > 0 && !victim.retired {
                directory.split = true;
            }
        }
        Ok(())
    }
}

/// As `OpenObject::open_or_create` does it.
fn open_or_create(directory: &Arc<Mutex<Directory>>) -> Peer {
    loop {
        let named = directory.lock().unwrap().name;
        let Some(file) = named else {
            let mut inside = directory.lock().unwrap();
            if inside.name.is_none() {
                inside.files.push(File { present: 1, ..File::default() });
                let file = inside.files.len() - 1;
                inside.name = Some(file);
                return Peer { directory: directory.clone(), file, was_retired: false };
            }
            continue;
        };
        let peer = Peer::opens(directory, file);
        let step_in = || {
            peer.with(|file| file.present += 1);
            Ok(())
        };
        match attach(&peer, step_in).unwrap() {
            Attached::Present => return peer,
            Attached::Stale => drop(finish_removal(&peer).unwrap()),
            Attached::Raced => {}
        }
    }
}

fn step_out(peer: &Peer) {
    peer.with(|file| file.present -= 1);
}

fn check_use(peer: &Peer) {
    let directory = peer.directory.lock().unwrap();
    let live = !directory.files[peer.file].retired;
    assert!(!live || directory.name == Some(peer.file), "a live object lost its name");
    assert!(!directory.split, "a live object's name was removed");
}

fn run(while_used: bool, threads: Vec<fn(&Arc<Mutex<Directory>>)>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let directory = Directory { while_used, ..Directory::default() };
        let directory = Arc::new(Mutex::new(directory));
        let running: Vec<_> = threads
            .iter()
            .map(|&thread| {
                let directory = directory.clone();
                loom::thread::spawn(move || thread(&directory))
            })
            .collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!directory.lock().unwrap().split);
    });
}

#[test]
fn loom_no_process_keeps_a_live_object_that_lost_its_name() {
    let uses = |directory: &Arc<Mutex<Directory>>| {
        let peer = open_or_create(directory);
        check_use(&peer);
        leave(&peer, || step_out(&peer)).unwrap();
    };
    run(true, vec![uses, uses]);
}

fn removes(directory: &Arc<Mutex<Directory>>) {
    let peer = open_or_create(directory);
    remove(&peer).unwrap();
    step_out(&peer);
    let again = open_or_create(directory);
    check_use(&again);
}

fn is_killed(directory: &Arc<Mutex<Directory>>) {
    let peer = open_or_create(directory);
    check_use(&peer);
    // The kernel releases its locks, and nothing else happens.
    step_out(&peer);
}

#[test]
fn loom_a_remover_and_a_killed_user_leave_a_name_that_can_be_used() {
    run(true, vec![is_killed, removes]);
}

#[test]
fn loom_a_remover_and_a_killed_user_of_an_object_that_stays_leave_a_name_that_can_be_used() {
    run(false, vec![is_killed, removes]);
}

#[test]
fn loom_two_removers_of_an_object_that_stays_leave_a_name_that_can_be_used() {
    run(false, vec![removes, removes]);
}

fn replaces(directory: &Arc<Mutex<Directory>>) {
    let named = directory.lock().unwrap().name;
    if let Some(file) = named {
        remove_unless_used(&Peer::opens(directory, file)).unwrap();
    }
    let peer = open_or_create(directory);
    check_use(&peer);
    leave(&peer, || step_out(&peer)).unwrap();
}

#[test]
fn loom_an_object_is_replaced_only_if_no_process_uses_it() {
    run(
        true,
        vec![
            |directory| {
                let peer = open_or_create(directory);
                assert!(!peer.is_retired(), "the object of a user was removed");
                check_use(&peer);
                leave(&peer, || step_out(&peer)).unwrap();
            },
            replaces,
        ],
    );
}

#[test]
fn loom_a_user_of_an_object_that_stays_is_told_of_its_replacement() {
    // Its opening does not wait for a removal: so this process may find that it is retired.
    let uses = |directory: &Arc<Mutex<Directory>>| {
        let peer = open_or_create(directory);
        (0..2).for_each(|_| check_use(&peer));
        leave(&peer, || step_out(&peer)).unwrap();
    };
    run(false, vec![uses, replaces]);
}

/// As `Object::create_gated` does it.
fn creates_locked(directory: &Arc<Mutex<Directory>>) {
    let mut inside = directory.lock().unwrap();
    inside.files.push(File { present: 1, exclusive: true, gated: true, ..File::default() });
    inside.name = Some(inside.files.len() - 1);
    drop(inside);
    let peer = Peer::opens(directory, 0);
    peer.with(|file| file.locked = true);
    peer.release_gate();
}

fn opens_what_is_there(directory: &Arc<Mutex<Directory>>) {
    let Some(file) = directory.lock().unwrap().name else { return };
    let peer = Peer::opens(directory, file);
    attach(&peer, || Ok(())).unwrap();
    assert!(peer.with(|file| file.locked), "it is open before its creator has the lock");
}

#[test]
fn loom_an_object_that_is_created_locked_is_opened_only_when_it_is() {
    run(false, vec![creates_locked, opens_what_is_there]);
}
