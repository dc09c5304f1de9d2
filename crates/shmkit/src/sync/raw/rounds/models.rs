//! Rendezvous under loom.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::sys::wait::model::check;

struct Words {
    word: AtomicU64,
    records: Vec<AtomicU64>,
    once: bool,
}

impl Words {
    fn new(parties: usize, once: bool) -> Arc<Self> {
        let new = |_| AtomicU64::new(0);
        Arc::new(Self { word: new(0), records: (0..parties).map(new).collect(), once })
    }

    fn rounds(&self) -> Rounds<'_> {
        Rounds { word: &self.word, records: &self.records, once: self.once }
    }

    /// Arrives, and waits until all parties have arrived.
    fn meet(&self, index: usize, me: ParticipantId, liveness: &impl Liveness) -> Ended {
        let round = self.rounds().arrive(index, me).unwrap();
        let wait_loop = WaitLoop::for_answer(0);
        if self.rounds().complete(round, liveness, &wait_loop) {
            return Ended::Complete(true);
        }
        self.rounds().wait(round, liveness, &wait_loop, Until::Ever)
    }
}

fn two_meet(rounds: usize) {
    let words = Words::new(2, false);
    let index = [1, 2].map(|slot| words.rounds().join(living(slot), &NOBODY_DIED).unwrap());
    let meet = move |words: &Words, which: usize| {
        let me = living(which as u32 + 1);
        let one = |_| match words.meet(index[which], me, &NOBODY_DIED) {
            Ended::Complete(leader) => u32::from(leader),
            other => panic!("{other:?}"),
        };
        (0..rounds).map(one).sum::<u32>()
    };
    let other = thread::spawn({
        let words = words.clone();
        move || meet(&words, 1)
    });
    let leaders = meet(&words, 0) + other.join().unwrap();
    assert_eq!(leaders as usize, rounds, "one thread completes each round");
}

#[test]
fn loom_two_meet_and_one_completes_the_round() {
    check(Some(3), || two_meet(1));
}

#[test]
fn loom_two_meet_twice() {
    check(Some(2), || two_meet(2));
}

#[test]
fn loom_the_death_of_a_party_is_reported_to_all_once() {
    check(Some(2), || {
        let words = Words::new(3, false);
        words.rounds().join(DEAD, &NOBODY_DIED).unwrap();
        let index = [1, 2].map(|slot| words.rounds().join(living(slot), &NOBODY_DIED).unwrap());
        // Both have arrived before any process checks for dead parties.
        let round = words.rounds().arrive(index[0], living(1)).unwrap();
        let other = words.rounds().arrive(index[1], living(2)).unwrap();
        let wait = move |words: &Words, round| {
            let (liveness, wait_loop) = (DeadIs(Some(DEAD)), WaitLoop::for_answer(0));
            words.rounds().wait(round, &liveness, &wait_loop, Until::Ever)
        };
        let waiting = thread::spawn({
            let words = words.clone();
            move || wait(&words, other)
        });
        assert_eq!(wait(&words, round), Ended::Broken);
        assert_eq!(waiting.join().unwrap(), Ended::Broken);
        assert_eq!(words.rounds().parties().count(), 2, "the dead party's place is free");
        assert_eq!(words.rounds().round(), 1, "one round was broken");
    });
}

#[test]
fn loom_the_last_party_does_not_go_on_beside_one_that_arrived_and_died() {
    check(Some(2), || {
        let words = Words::new(2, false);
        let dead = words.rounds().join(DEAD, &NOBODY_DIED).unwrap();
        let index = words.rounds().join(living(1), &NOBODY_DIED).unwrap();
        assert!(ends_at("barrier: arrived, not yet seen", || {
            words.rounds().arrive(dead, DEAD);
        }));
        let ended = words.meet(index, living(1), &DeadIs(Some(DEAD)));
        assert_eq!(ended, Ended::Broken);
        assert_eq!((words.rounds().round(), words.rounds().parties().count()), (1, 1));
    });
}

#[test]
fn loom_a_death_that_is_found_while_the_round_completes_breaks_one_round() {
    check(Some(2), || {
        let words = Words::new(3, false);
        let dead = words.rounds().join(DEAD, &NOBODY_DIED).unwrap();
        let index = [1, 2].map(|slot| words.rounds().join(living(slot), &NOBODY_DIED).unwrap());
        words.rounds().arrive(dead, DEAD);
        let unaware = thread::spawn({
            let words = words.clone();
            move || words.meet(index[0], living(1), &NOBODY_DIED)
        });
        let aware = DeadIs(Some(DEAD));
        let ended = words.meet(index[1], living(2), &aware);
        let is_broken = ended == Ended::Broken;
        assert_eq!(unaware.join().unwrap() == Ended::Broken, is_broken, "{ended:?}");
        if !is_broken {
            assert_eq!(words.meet(index[1], living(2), &aware), Ended::Broken);
        }
        assert_eq!(words.rounds().round(), if is_broken { 1 } else { 2 });
        assert_eq!(words.rounds().parties().count(), 2, "the dead party's place is free");
    });
}

/// Another death breaks the first round while a waiter asks whether a party is dead.
struct BreaksRoundWhenAsked<'a>(Rounds<'a>);

impl Liveness for BreaksRoundWhenAsked<'_> {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.0.end(0, BROKEN);
        id == DEAD
    }
}

#[test]
fn loom_a_waiter_breaks_no_round_for_which_it_does_not_wait() {
    check(None, || {
        let words = Words::new(3, false);
        let rounds = words.rounds();
        rounds.join(DEAD, &NOBODY_DIED).unwrap();
        let index = [1, 2].map(|slot| rounds.join(living(slot), &NOBODY_DIED).unwrap());
        let ended = words.meet(index[1], living(2), &BreaksRoundWhenAsked(rounds));
        assert_eq!(ended, Ended::Broken);
        assert_eq!(rounds.round(), 1, "nobody waited in round 1, so nobody broke it");
        assert_eq!(words.meet(index[0], living(1), &DeadIs(Some(DEAD))), Ended::Broken);
    });
}

#[test]
fn loom_a_waiter_asks_only_about_parties_that_have_not_arrived() {
    struct Asked(core::cell::RefCell<Vec<ParticipantId>>);
    impl Liveness for Asked {
        fn is_dead(&self, id: ParticipantId) -> bool {
            self.0.borrow_mut().push(id);
            false
        }
    }
    check(None, || {
        let words = Words::new(4, false);
        let index = [1, 2, 3].map(|it| words.rounds().join(living(it), &NOBODY_DIED).unwrap());
        words.rounds().arrive(index[0], living(1)).unwrap();
        words.rounds().arrive(index[2], living(3)).unwrap();
        let asked = Asked(Default::default());
        assert!(!words.rounds().repair(0, &asked, Extent::Everything));
        assert_eq!(*asked.0.borrow(), [living(2)]);
    });
}

#[test]
fn loom_of_two_that_break_a_round_for_one_death_one_does() {
    for point in
        ["barrier: death recorded, round not broken", "barrier: round broken, record not free"]
    {
        check(Some(2), move || {
            let words = Words::new(2, false);
            words.rounds().join(DEAD, &NOBODY_DIED).unwrap();
            let repairing = thread::spawn({
                let words = words.clone();
                move || _ = words.rounds().repair(0, &DeadIs(Some(DEAD)), Extent::Everything)
            });
            ends_at(point, || {
                _ = words.rounds().repair(0, &DeadIs(Some(DEAD)), Extent::Everything)
            });
            repairing.join().unwrap();
            words.rounds().repair(words.rounds().round(), &DeadIs(Some(DEAD)), Extent::Everything);
            assert_eq!((words.rounds().round(), words.rounds().parties().count()), (1, 0));
        });
    }
}

#[test]
fn loom_a_latch_opens_when_the_last_party_arrived() {
    check(Some(2), || {
        let words = Words::new(2, true);
        let index = [1, 2].map(|slot| words.rounds().join(living(slot), &NOBODY_DIED).unwrap());
        let coming = thread::spawn({
            let words = words.clone();
            move || {
                let round = words.rounds().arrive(index[1], living(2)).unwrap();
                words.rounds().end_if_all_arrived(round);
            }
        });
        let round = words.rounds().arrive(index[0], living(1)).unwrap();
        words.rounds().end_if_all_arrived(round);
        let ended = words.rounds().wait(round, &NOBODY_DIED, &WaitLoop::for_answer(0), Until::Ever);
        assert_eq!(ended, Ended::Complete(false));
        coming.join().unwrap();
    });
}

#[test]
fn loom_an_abort_ends_a_wait_unless_the_round_is_complete() {
    check(Some(2), || {
        let words = Words::new(2, false);
        let index = [1, 2].map(|slot| words.rounds().join(living(slot), &NOBODY_DIED).unwrap());
        let meeting = [0, 1].map(|which| {
            let words = words.clone();
            thread::spawn(move || words.meet(index[which], living(which as u32 + 1), &NOBODY_DIED))
        });
        assert!(words.rounds().abort());
        let ended = meeting.map(|it| it.join().unwrap());
        let is_complete = |ended: &Ended| matches!(ended, Ended::Complete(_));
        match words.rounds().round() {
            0 => assert_eq!(ended, [Ended::Aborted; 2]),
            _ => assert!(ended.iter().all(is_complete), "{ended:?}"),
        }
        assert!(words.rounds().is_aborted());
        let wait_loop = WaitLoop::for_answer(0);
        let round = words.rounds().round();
        let later = words.rounds().wait(round, &NOBODY_DIED, &wait_loop, Until::Ever);
        assert_eq!(later, Ended::Aborted);
    });
}

#[test]
fn loom_a_waiter_that_looks_only_after_the_reset_learns_of_the_abort() {
    check(Some(2), || {
        let words = Words::new(2, false);
        let index = words.rounds().join(living(1), &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.meet(index, living(1), &NOBODY_DIED)
        });
        // An arrival after the reset is one of the next round.
        while words.rounds().count().0 == 0 {
            loom::thread::yield_now();
        }
        assert!(words.rounds().abort() && words.rounds().reset());
        assert_eq!(waiting.join().unwrap(), Ended::Aborted);
        assert!(!words.rounds().is_aborted());
        assert_eq!((words.rounds().round(), words.rounds().count()), (1, (0, 1)));
    });
}

#[test]
fn loom_a_death_during_an_abort_breaks_no_round_and_frees_the_place() {
    check(Some(2), || {
        let words = Words::new(2, false);
        words.rounds().join(DEAD, &NOBODY_DIED).unwrap();
        let index = words.rounds().join(living(1), &NOBODY_DIED).unwrap();
        let waiting = thread::spawn({
            let words = words.clone();
            move || words.meet(index, living(1), &DeadIs(Some(DEAD)))
        });
        assert!(words.rounds().abort());
        let ended = waiting.join().unwrap();
        assert!(matches!(ended, Ended::Aborted | Ended::Broken), "{ended:?}");
        let round = words.rounds().round();
        assert_eq!(round, u64::from(ended == Ended::Broken));
        words.rounds().repair(round, &DeadIs(Some(DEAD)), Extent::Everything);
        assert_eq!((words.rounds().round(), words.rounds().parties().count()), (round, 1));
    });
}
