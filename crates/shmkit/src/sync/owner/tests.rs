use std::cell::RefCell;
use std::time::Duration;

use super::state::SLOT_MASK;
use super::*;
use crate::sync::spin::Spin;

/// Those who are dead.
#[derive(Default)]
struct Dead(RefCell<Vec<ParticipantId>>);

impl Dead {
    fn add(&self, holder: ParticipantId) {
        self.0.borrow_mut().push(holder);
    }
}

impl Liveness for Dead {
    fn is_dead(&self, holder: ParticipantId) -> bool {
        self.0.borrow().contains(&holder)
    }
}

const ANNA: ParticipantId = ParticipantId { slot: 0, generation: 1 };
const BERT: ParticipantId = ParticipantId { slot: 1_023, generation: u32::MAX };

fn with_word(check: impl FnOnce(OwnerWord<'_>, &Dead)) {
    check(OwnerWord::role(&AtomicU64::new(0)), &Dead::default());
}

#[test]
fn one_has_it_until_he_gives_it_back() {
    with_word(|word, dead| {
        assert_eq!(word.try_acquire(ANNA, Mode::Exclusive, dead), Ok(Acquired::Free));
        assert!(word.is_held_by(ANNA) && !word.is_held_by(BERT));
        assert_eq!(word.try_acquire(BERT, Mode::Exclusive, dead), Err(AcquireError::Held(ANNA)));
        assert!(!word.release(BERT));
        assert!(word.release(ANNA));
        assert_eq!(
            word.acquire(BERT, Mode::Exclusive, dead, &Spin::default(), Until::Ever),
            Ok(Acquired::Free)
        );
        assert_eq!(word.look().holder(), Some(BERT));
        assert_eq!(word.look().deaths(), 0);
    });
}

#[test]
fn the_same_slot_in_another_generation_is_another() {
    with_word(|word, dead| {
        let later = ParticipantId { generation: 2, ..ANNA };
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        assert!(!word.is_held_by(later) && !word.release(later));
        assert_eq!(word.try_acquire(later, Mode::Exclusive, dead), Err(AcquireError::Held(ANNA)));
    });
}

#[test]
fn a_dead_holder_is_replaced_and_counted_and_cannot_come_back() {
    with_word(|word, dead| {
        for turn in 1..=70_000_u32 {
            let (before, now) = if turn % 2 == 0 { (ANNA, BERT) } else { (BERT, ANNA) };
            if turn == 1 {
                word.try_acquire(before, Mode::Exclusive, dead).unwrap();
            }
            *dead.0.borrow_mut() = vec![before];
            assert_eq!(
                word.try_acquire(now, Mode::Exclusive, dead),
                Ok(Acquired::FromDead(before))
            );
            assert!(!word.is_held_by(before) && !word.release(before));
            assert_eq!(word.look().deaths(), turn as u16);
        }
    });
}

#[test]
fn waiting_ends_with_the_time_and_names_the_holder() {
    with_word(|word, dead| {
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        let until = Instant::now() + Duration::from_millis(1);
        let answer = word.acquire(
            BERT,
            Mode::Exclusive,
            dead,
            &Spin::default(),
            Until::after(Duration::from_millis(1)),
        );
        assert_eq!(answer, Err(AcquireError::TimedOut(ANNA)));
        assert!(Instant::now() >= until);
    });
}

#[test]
fn who_waits_for_a_dead_one_gets_it_without_a_time_out() {
    with_word(|word, dead| {
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        dead.add(ANNA);
        assert_eq!(
            word.acquire(BERT, Mode::Exclusive, dead, &Spin::default(), Until::Ever),
            Ok(Acquired::FromDead(ANNA))
        );
    });
}

#[test]
fn a_closed_word_is_left_but_not_taken() {
    with_word(|word, dead| {
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        word.close();
        assert_eq!(word.try_acquire(BERT, Mode::Exclusive, dead), Err(AcquireError::Closed));
        assert_eq!(
            word.acquire(BERT, Mode::Exclusive, dead, &Spin::default(), Until::Ever),
            Err(AcquireError::Closed)
        );
        assert!(word.release(ANNA));
        assert!(word.look().is_closed());
        assert_eq!(word.try_acquire(BERT, Mode::Exclusive, dead), Err(AcquireError::Closed));
    });
}

#[test]
fn threads_take_turns() {
    const HANDOFFS: u64 = 2_000;
    let (word, value) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for slot in 0..4 {
            let (word, value) = (OwnerWord::role(&word), &value);
            scope.spawn(move || {
                let me = ParticipantId { slot, generation: 9 };
                for _ in 0..HANDOFFS {
                    word.acquire(
                        me,
                        Mode::Exclusive,
                        &Dead::default(),
                        &Spin::default(),
                        Until::Ever,
                    )
                    .unwrap();
                    // ORDERING: Relaxed; the word orders it.
                    let before = value.load(Ordering::Relaxed);
                    value.store(before + 1, Ordering::Relaxed);
                    assert!(word.release(me));
                }
            });
        }
    });
    assert_eq!(value.into_inner(), 4 * HANDOFFS);
}

#[test]
fn any_word_is_answered_in_time() {
    let bits = (0..64).map(|bit| 1_u64 << bit);
    let garbage = bits.flat_map(|bit| [bit, !bit, bit - 1, bit | SLOT_MASK, bit | 2]);
    for garbage in garbage {
        let word = AtomicU64::new(garbage);
        let word = OwnerWord::role(&word);
        let _ = (word.try_acquire(ANNA, Mode::Exclusive, &Dead::default()), word.is_held_by(ANNA));
        let _ = word.acquire(
            BERT,
            Mode::Exclusive,
            &Dead::default(),
            &Spin::default(),
            Until::after(Duration::ZERO),
        );
        let _ = (word.look().holder(), word.release(ANNA), word.release(BERT));
    }
    let reserved = AtomicU64::new(1 << 29);
    let refused = OwnerWord::role(&reserved).try_acquire(ANNA, Mode::Exclusive, &Dead::default());
    assert_eq!(refused, Err(AcquireError::Corrupt));
}

#[test]
fn each_death_is_told_once() {
    with_word(|word, dead| {
        let mut early = DeathWatch::new(word);
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        assert_eq!((early.replaced(word), early.died(word, dead)), (false, None));

        // Seen before anybody replaces the dead one, and not again behind that.
        dead.add(ANNA);
        let mut late = DeathWatch::new(word);
        assert_eq!((early.replaced(word), early.died(word, dead)), (false, Some(ANNA)));
        assert_eq!((early.replaced(word), early.died(word, dead)), (false, None));
        word.try_acquire(BERT, Mode::Exclusive, dead).unwrap();
        assert_eq!((early.replaced(word), early.died(word, dead)), (false, None));

        // Seen only behind that.
        assert_eq!((late.replaced(word), late.died(word, dead)), (true, None));
        assert!(!late.replaced(word));

        // The next one is news to both.
        dead.add(BERT);
        word.try_acquire(ParticipantId { slot: 5, generation: 5 }, Mode::Exclusive, dead).unwrap();
        assert!(early.replaced(word) && late.replaced(word));
        assert!(!early.replaced(word) && !late.replaced(word));
    });
}

#[test]
fn one_that_seemed_dead_and_left_does_not_hide_the_next_death() {
    with_word(|word, dead| {
        let mut watch = DeathWatch::new(word);
        word.try_acquire(ANNA, Mode::Exclusive, dead).unwrap();
        dead.add(ANNA);
        assert_eq!(watch.died(word, dead), Some(ANNA));
        // It lost its proof of life only, and leaves in good order.
        assert!(word.release(ANNA));
        word.try_acquire(BERT, Mode::Exclusive, dead).unwrap();
        assert!(!watch.replaced(word));
        dead.add(BERT);
        word.try_acquire(ParticipantId { slot: 5, generation: 5 }, Mode::Exclusive, dead).unwrap();
        assert!(watch.replaced(word));
    });
}
