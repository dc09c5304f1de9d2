use std::cell::RefCell;
use std::collections::HashSet;

use super::*;

/// The kernel's locks, with processes that the test can end.
#[derive(Default)]
struct Locks(RefCell<HashSet<u32>>);

impl Locks {
    fn kill_owner_of(&self, slot: u32) {
        assert!(self.0.borrow_mut().remove(&slot));
    }
}

impl SlotLocks for Locks {
    fn try_lock(&self, slot: u32) -> Result<bool> {
        Ok(self.0.borrow_mut().insert(slot))
    }

    fn unlock(&self, slot: u32) {
        self.0.borrow_mut().remove(&slot);
    }

    fn is_locked(&self, slot: u32) -> Result<bool> {
        Ok(self.0.borrow().contains(&slot))
    }
}

fn words(slots: usize) -> Vec<AtomicU64> {
    (0..slots * WORDS).map(|_| AtomicU64::new(0)).collect()
}

fn somebody(pid: u32) -> ParticipantInfo {
    ParticipantInfo {
        pid,
        role: Role::Writer,
        joined_unix_ns: 7,
        program: *b"planner\0\x1b[0m\0\0\0\0",
    }
}

#[test]
fn a_participant_is_dead_once_its_lock_is_free_or_its_generation_is_over() {
    let (words, locks) = (words(2), Locks::default());
    let participants = Participants::new(&words, &locks);
    let first = participants.claim(&somebody(1)).unwrap();
    assert_eq!(first, ParticipantId::new(0, 1));
    assert!(!participants.is_dead(first));
    locks.kill_owner_of(0);
    assert!(participants.is_dead(first));

    let second = participants.claim(&somebody(2)).unwrap();
    assert_eq!(second.slot(), 1, "a free slot comes before a dead participant's");
    let third = participants.claim(&somebody(3)).unwrap();
    assert_eq!(third, ParticipantId::new(0, 2));
    assert!(participants.is_dead(first), "another generation has the slot");
    assert!(!participants.is_dead(third));

    participants.leave(third);
    assert!(participants.is_dead(third));
    assert!(participants.is_dead(ParticipantId::new(99, 1)), "no such slot");
}

#[test]
fn the_last_slot_is_taken_and_the_next_claim_is_refused_with_the_number() {
    let (words, locks) = (words(3), Locks::default());
    let participants = Participants::new(&words, &locks);
    for _ in 0..3 {
        participants.claim(&somebody(1)).unwrap();
    }
    let error = participants.claim(&somebody(4)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("all 3 slots"), "{error}");
}

#[test]
fn a_sweep_frees_only_dead_participants_and_checks_no_more_than_its_limit() {
    let (words, locks) = (words(4), Locks::default());
    let participants = Participants::new(&words, &locks);
    let ids: Vec<_> = (0..4).map(|pid| participants.claim(&somebody(pid)).unwrap()).collect();
    locks.kill_owner_of(1);
    locks.kill_owner_of(3);
    assert_eq!(participants.sweep(0, 1), 0, "checked only slot 0");
    assert_eq!(participants.sweep(3, 1), 1);
    assert_eq!(participants.sweep(0, 4), 1);
    assert_eq!(participants.sweep(0, 4), 0);
    assert!(participants.info(1).is_none());
    assert!(!participants.is_dead(ids[0]) && !participants.is_dead(ids[2]));
}

#[test]
fn deaths_are_counted_once_each_by_role_and_a_clean_leave_is_none() {
    let (words, locks) = (words(2), Locks::default());
    let participants = Participants::new(&words, &locks);
    let count = |role| {
        let mut last = None;
        let deaths = participants.deaths(role, |dead| last = Some(dead));
        (participants.counted_deaths(role), deaths, last.map(|id| id.slot()))
    };
    for round in 0..70_000_u32 {
        let role = if round % 3 == 0 { Role::User } else { Role::Writer };
        let id = participants.claim(&ParticipantInfo { role, ..somebody(1) }).unwrap();
        locks.kill_owner_of(id.slot());
        let users = (round / 3 + 1) as u16;
        let writers = (round + 1 - u32::from(users)) as u16;
        let before = if role == Role::User { (users - 1, writers) } else { (users, writers - 1) };
        let last = |of| (role == of).then_some(id.slot());
        assert_eq!(count(Role::User), (before.0, users, last(Role::User)));
        assert_eq!(count(Role::Writer), (before.1, writers, last(Role::Writer)));
        assert_eq!(participants.all_deaths(), u64::from(users) + u64::from(writers));
        assert!(participants.reap_slot(id.slot()) && participants.reap_slot(id.slot()));
        assert_eq!(count(Role::User), (users, users, None));
        assert_eq!(count(Role::Writer), (writers, writers, None));
        assert_eq!(participants.all_deaths(), u64::from(users) + u64::from(writers));
        let id = participants.claim(&somebody(2)).unwrap();
        participants.leave(id);
    }
}

#[test]
fn a_participant_that_lost_its_lock_clears_no_successor() {
    let (words, locks) = (words(1), Locks::default());
    let participants = Participants::new(&words, &locks);
    let first = participants.claim(&somebody(1)).unwrap();
    locks.kill_owner_of(0);
    let second = participants.claim(&somebody(2)).unwrap();
    participants.clear(first);
    assert!(participants.is_held(second) && !participants.is_dead(second));
}

#[test]
fn deaths_are_never_fewer_than_before() {
    /// Checks the deaths whenever a lock is acquired or released.
    struct Watching<'a>(Locks, &'a [AtomicU64], RefCell<u16>);

    impl Watching<'_> {
        fn look(&self) {
            let deaths = Participants::new(self.1, &self.0).deaths(Role::Writer, |_| {});
            assert!(deaths >= self.2.replace(deaths));
        }
    }

    impl SlotLocks for Watching<'_> {
        fn try_lock(&self, slot: u32) -> Result<bool> {
            let taken = self.0.try_lock(slot);
            self.look();
            taken
        }

        fn unlock(&self, slot: u32) {
            self.0.unlock(slot);
            self.look();
        }

        fn is_locked(&self, slot: u32) -> Result<bool> {
            self.0.is_locked(slot)
        }
    }

    let words = words(1);
    let locks = Watching(Locks::default(), &words, RefCell::new(0));
    let participants = Participants::new(&words, &locks);
    for round in 0..3 {
        participants.claim(&somebody(round)).unwrap();
        locks.0.kill_owner_of(0);
        locks.look();
        assert_eq!(*locks.2.borrow(), round as u16 + 1);
    }
}

#[test]
fn participant_info_is_read_back_and_cannot_confuse_a_terminal() {
    let (words, locks) = (words(1), Locks::default());
    let participants = Participants::new(&words, &locks);
    let mut who = somebody(42);
    who.program = *b"\x1b[0mplanner\0\0\0\0\0";
    let id = participants.claim(&who).unwrap();
    let (found, told) = participants.info(0).unwrap();
    assert_eq!(found, id);
    assert_eq!((told.pid, told.joined_unix_ns, told.role), (42, 7, Role::Writer));
    assert_eq!((told.pid, &*told.program()), (42, "?[0mplanner"));
    participants.leave(id);
    assert!(participants.info(0).is_none());
    assert_eq!(participants.info_of(id).map(|who| who.pid), Some(42), "the last word");
    participants.claim(&somebody(43)).unwrap();
    assert!(participants.info_of(id).is_none(), "a successor's");
}

#[test]
fn garbage_in_the_entries_is_survived() {
    let (words, locks) = (words(2), Locks::default());
    for word in &words {
        word.store(u64::MAX, Ordering::Relaxed);
    }
    let participants = Participants::new(&words, &locks);
    assert!(participants.info(0).is_none());
    assert!(participants.is_dead(ParticipantId::new(0, u32::MAX)));
    assert_eq!(participants.sweep(0, 8), 0, "neither free nor taken: left alone");
    let id = participants.claim(&somebody(1)).unwrap();
    assert_eq!(id, ParticipantId::new(0, 0), "nobody has its lock");
}
