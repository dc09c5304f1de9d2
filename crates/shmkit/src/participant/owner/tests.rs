use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::state::{Request, TO_READERS};
use super::*;
use crate::participant::id::SLOT_MASK;
use crate::sys::process::unix_time_ns;
use crate::wait::RUN;

fn run_ns() -> u64 {
    RUN.as_nanos() as u64
}

/// The dead participants.
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

const ANNA: ParticipantId = ParticipantId::new(0, 1);
const BERT: ParticipantId = ParticipantId::new(1_023, u32::MAX);

fn acquire(
    word: OwnerWord<'_>,
    me: ParticipantId,
    dead: &Dead,
    until: Until,
) -> Result<Acquired, AcquireError> {
    word.acquire(me, Mode::Exclusive, dead, &WaitLoop::for_answer(0), until)
}

/// Acquires the word at once, with a slow check.
fn attempt(word: OwnerWord<'_>, me: ParticipantId, dead: &Dead) -> Result<Acquired, AcquireError> {
    acquire(word, me, dead, Until::Now)
}

fn with_word(check: impl FnOnce(OwnerWord<'_>, &Dead)) {
    check(OwnerWord::of_role(&AtomicU64::new(0)), &Dead::default());
}

#[test]
fn one_participant_holds_the_word_until_it_releases_it() {
    with_word(|word, dead| {
        assert_eq!(attempt(word, ANNA, dead), Ok(Acquired::Clean));
        assert!(word.is_held_by(ANNA) && !word.is_held_by(BERT));
        assert_eq!(attempt(word, BERT, dead), Err(AcquireError::Held(ANNA)));
        assert!(!word.release(BERT));
        assert!(word.release(ANNA));
        assert_eq!(acquire(word, BERT, dead, Until::Ever), Ok(Acquired::Clean));
        assert_eq!(word.look().holder(), Some(BERT));
        assert_eq!(word.look().deaths(), 0);
    });
}

#[test]
fn the_same_slot_in_another_generation_is_another_participant() {
    with_word(|word, dead| {
        let later = ParticipantId::new(ANNA.slot(), 2);
        attempt(word, ANNA, dead).unwrap();
        assert!(!word.is_held_by(later) && !word.release(later));
        assert_eq!(attempt(word, later, dead), Err(AcquireError::Held(ANNA)));
    });
}

#[test]
fn a_dead_holder_is_replaced_and_counted_and_cannot_come_back() {
    with_word(|word, dead| {
        for turn in 1..=70_000_u32 {
            let (before, now) = if turn % 2 == 0 { (ANNA, BERT) } else { (BERT, ANNA) };
            if turn == 1 {
                attempt(word, before, dead).unwrap();
            }
            *dead.0.borrow_mut() = vec![before];
            assert_eq!(attempt(word, now, dead), Ok(Acquired::Inconsistent));
            assert!(!word.is_held_by(before) && !word.release(before));
            assert_eq!(word.look().deaths(), turn as u16);
        }
    });
}

#[test]
fn waiting_ends_with_the_time_and_names_the_holder() {
    with_word(|word, dead| {
        attempt(word, ANNA, dead).unwrap();
        let until = Instant::now() + Duration::from_millis(1);
        let answer = acquire(word, BERT, dead, Until::after(Duration::from_millis(1)));
        assert_eq!(answer, Err(AcquireError::TimedOut(ANNA)));
        assert!(Instant::now() >= until);
    });
}

#[test]
fn a_waiter_replaces_a_dead_holder_before_its_timeout() {
    with_word(|word, dead| {
        attempt(word, ANNA, dead).unwrap();
        dead.add(ANNA);
        assert_eq!(acquire(word, BERT, dead, Until::Ever), Ok(Acquired::Inconsistent));
    });
}

#[test]
fn a_closed_word_can_be_released_but_not_acquired() {
    with_word(|word, dead| {
        attempt(word, ANNA, dead).unwrap();
        word.close();
        assert_eq!(attempt(word, BERT, dead), Err(AcquireError::Closed));
        assert_eq!(acquire(word, BERT, dead, Until::Ever), Err(AcquireError::Closed));
        assert!(word.release(ANNA));
        assert!(word.look().is_closed());
        assert_eq!(attempt(word, BERT, dead), Err(AcquireError::Closed));
    });
}

#[test]
fn threads_take_turns() {
    const HANDOFFS: u64 = 2_000;
    let (word, value) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for slot in 0..4 {
            let (word, value) = (OwnerWord::of_role(&word), &value);
            scope.spawn(move || {
                let me = ParticipantId::new(slot, 9);
                for _ in 0..HANDOFFS {
                    acquire(word, me, &Dead::default(), Until::Ever).unwrap();
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
        let word = OwnerWord::of_role(&word);
        let _ = (attempt(word, ANNA, &Dead::default()), word.is_held_by(ANNA));
        let _ = acquire(word, BERT, &Dead::default(), Until::after(Duration::ZERO));
        let _ = (word.look().holder(), word.release(ANNA), word.release(BERT));
    }
    let reserved = AtomicU64::new(1 << 29);
    let refused = attempt(OwnerWord::of_role(&reserved), ANNA, &Dead::default());
    assert_eq!(refused, Err(AcquireError::Corrupt));
}

#[test]
fn each_death_is_reported_once() {
    with_word(|word, dead| {
        let mut early = DeathWatch::new(word);
        attempt(word, ANNA, dead).unwrap();
        assert_eq!((early.report_replaced(word), early.report_dead(word, dead)), (false, None));

        // Reported before the dead holder is replaced, and not again after that.
        dead.add(ANNA);
        let mut late = DeathWatch::new(word);
        assert_eq!(
            (early.report_replaced(word), early.report_dead(word, dead)),
            (false, Some(ANNA))
        );
        assert_eq!((early.report_replaced(word), early.report_dead(word, dead)), (false, None));
        attempt(word, BERT, dead).unwrap();
        assert_eq!((early.report_replaced(word), early.report_dead(word, dead)), (false, None));

        // Reported only after the dead holder was replaced.
        assert_eq!((late.report_replaced(word), late.report_dead(word, dead)), (true, None));
        assert!(!late.report_replaced(word));

        // Both report the next death.
        dead.add(BERT);
        attempt(word, ParticipantId::new(5, 5), dead).unwrap();
        assert!(early.report_replaced(word) && late.report_replaced(word));
        assert!(!early.report_replaced(word) && !late.report_replaced(word));
    });
}

#[test]
fn a_holder_that_seemed_dead_and_left_does_not_hide_the_next_death() {
    with_word(|word, dead| {
        let mut watch = DeathWatch::new(word);
        attempt(word, ANNA, dead).unwrap();
        dead.add(ANNA);
        assert_eq!(watch.report_dead(word, dead), Some(ANNA));
        // It only lost its liveness lock, and leaves normally.
        assert!(word.release(ANNA));
        attempt(word, BERT, dead).unwrap();
        assert!(!watch.report_replaced(word));
        dead.add(BERT);
        attempt(word, ParticipantId::new(5, 5), dead).unwrap();
        assert!(watch.report_replaced(word));
    });
}

#[test]
fn a_starving_waiter_requests_a_handoff_only_some_time_after_the_last_one() {
    let (word, handed_ns) = (AtomicU64::new(0), AtomicU64::new(0));
    let owner = OwnerWord::of_lock(&word).with_handed(&handed_ns);
    assert!(owner.acquire_uncontended(ANNA, Mode::Exclusive));
    let starving = Standing { slept: true, starves: true, ..Standing::default() };
    let requests = |last_ns, standing: Standing| {
        handed_ns.store(last_ns, Ordering::Relaxed);
        owner.request(owner.look(), false, &standing).is_some()
    };
    let now_ns = unix_time_ns();
    assert!(!requests(now_ns - run_ns(), Standing { starves: false, ..starving }));
    assert!(requests(now_ns - run_ns(), starving));
    assert!(requests(now_ns + 60_000 * run_ns(), starving), "the clock was set back");
    // Unless this thread was interrupted for the time of a run.
    let handed_ns = unix_time_ns();
    assert!(!requests(handed_ns, starving) || unix_time_ns() >= handed_ns + run_ns());
    let for_long = Standing { starves_for_long: true, ..starving };
    assert!(requests(unix_time_ns(), for_long));
}

#[test]
fn a_handoff_is_recorded_and_subtracted() {
    let (word, handed_ns) = (AtomicU64::new(0), AtomicU64::new(0));
    let owner = OwnerWord::of_lock(&word).with_handed(&handed_ns);
    let waiting = Standing { slept: true, ..Standing::default() };
    word.store(owner.look().with_handoffs(Request::First).word, Ordering::Relaxed);
    let Poll::Reserved(_) = owner.poll_acquire(ANNA, Mode::Exclusive, &Standing::default()) else {
        panic!("it is reserved for a thread that slept")
    };
    let Poll::Ready(Ok(Acquired::Clean)) = owner.poll_acquire(BERT, Mode::Exclusive, &waiting)
    else {
        panic!("it is reserved for this thread")
    };
    assert!(!owner.look().has_handoffs() && handed_ns.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_wait_whose_time_is_over_takes_what_is_reserved_for_readers_that_do_not_come() {
    for until in [Until::Now, Until::after(Duration::from_millis(1))] {
        let word = AtomicU64::new(0);
        let owner = OwnerWord::of_lock(&word);
        // For readers that were killed.
        let reserved = owner.look().with_handoffs(Request::Readers).with(READERS);
        word.store(reserved.word, Ordering::Relaxed);
        assert_eq!(acquire(owner, ANNA, &Dead::default(), until), Ok(Acquired::Clean));
        assert!(!owner.look().is_left_to_readers());
    }
}

/// A free word of a lock with these marks, and the time of its last handoff.
fn with_free_lock(marks: u64, check: impl FnOnce(OwnerWord<'_>, &AtomicU64)) {
    let (word, handed_ns) = (AtomicU64::new(marks), AtomicU64::new(0));
    check(OwnerWord::of_lock(&word).with_handed(&handed_ns), &handed_ns);
}

#[test]
fn a_released_lock_wakes_only_those_to_whom_it_is_left() {
    let released = |marks| {
        let word = AtomicU64::new(marks);
        let owner = OwnerWord::of_lock(&word);
        let (free, wake) = owner.released(owner.look().with_holder(ANNA, 0).with(marks));
        (free.word, wake)
    };
    let one = owner_with(Request::First);
    assert_eq!(released(ASLEEP), (0, Wake::One));
    assert_eq!(released(ASLEEP | READERS), (0, Wake::OneAndSharers));
    assert_eq!(released(ASLEEP | READERS | one), (READERS | one, Wake::One));
    let to_readers = owner_with(Request::Readers);
    let marks = ASLEEP | READERS | to_readers | one;
    assert_eq!(released(marks), (ASLEEP | to_readers | one, Wake::Sharers));
}

/// Returns the marks of a request.
fn owner_with(request: Request) -> u64 {
    OwnerWord::of_lock(&AtomicU64::new(0)).look().with_handoffs(request).word
}

#[test]
fn a_writer_that_leaves_the_lock_to_readers_has_the_next_turn() {
    with_free_lock(owner_with(Request::Readers), |owner, handed_ns| {
        let before = owner.look();
        let new = Standing::default();
        let requested = Standing { requested: true, ..new };
        let poll = |standing| owner.poll_acquire(ANNA, Mode::Exclusive, standing);
        assert!(matches!(poll(&new), Poll::Reserved(_)));
        let request = owner.request(before, false, &new);
        assert_eq!(request, Some(Request::First));
        let asks = before.with_handoffs(Request::First);
        owner.exchange(before, asks, Ordering::Relaxed, Wake::Nobody).unwrap();
        assert!(matches!(poll(&requested), Poll::Reserved(_)), "the readers come first");
        owner.end_handoff_to_readers(asks);
        assert!(handed_ns.load(Ordering::Relaxed) > 0, "a run begins");
        assert!(matches!(poll(&new), Poll::Reserved(_)));
        assert!(matches!(poll(&requested), Poll::Ready(Ok(_))), "it has not slept, but requested");
    });
}

#[test]
fn readers_leave_a_lock_with_handoffs_to_writers_after_their_own_run() {
    with_free_lock(owner_with(Request::First), |owner, handed_ns| {
        let standing = Standing::default();
        let begun_ns = unix_time_ns();
        owner.record_handoff(true);
        let shares = matches!(owner.poll_sharing(&standing), Poll::Ready(Ok(_)));
        // Unless this thread was interrupted for the time of a run.
        assert!(shares || unix_time_ns() - begun_ns >= run_ns());
        owner.record_handoff(false);
        assert!(matches!(owner.poll_sharing(&standing), Poll::Reserved(_)), "a run of writers");
        handed_ns.store(1, Ordering::Relaxed);
        assert!(matches!(owner.poll_sharing(&standing), Poll::Reserved(_)));
        let patience_is_over = Standing { patience_is_over: true, ..standing };
        assert!(matches!(owner.poll_sharing(&patience_is_over), Poll::Ready(Ok(_))));
    });
}

#[test]
fn a_reader_leaves_a_run_to_writers_but_not_for_long() {
    with_free_lock(0, |owner, _| {
        let (standing, left_to_readers) = (Standing::default(), owner.look().with(TO_READERS));
        let for_long = Standing { starves_for_long: true, ..standing };
        owner.record_handoff(true);
        assert_eq!(owner.writers_run(owner.look(), &standing), None, "it is a run of readers");
        let begun_ns = unix_time_ns();
        owner.record_handoff(false);
        let left = owner.writers_run(owner.look(), &standing);
        // Unless this thread was interrupted for the time of a run.
        assert!(left.is_some() || unix_time_ns() - begun_ns >= run_ns());
        assert_eq!(owner.writers_run(owner.look(), &for_long), None);
        assert_eq!(owner.writers_run(left_to_readers, &standing), None);
    });
}

#[test]
fn an_outsider_frees_a_dead_holder_and_refuses_a_word_that_no_participant_writes() {
    with_word(|word, dead| {
        let reap = || {
            let mut finished = None;
            let reaped = word.reap(dead, |holder| finished = Some(holder));
            (reaped.map_err(|error| error.kind()), finished)
        };
        assert_eq!(reap(), (Ok(()), None));
        assert_eq!(attempt(word, ANNA, dead), Ok(Acquired::Clean));
        assert_eq!(reap(), (Ok(()), None), "it lives");
        dead.add(ANNA);
        let undefined = 1 << 30;
        word.word.fetch_or(undefined, Ordering::Relaxed);
        assert_eq!(reap(), (Err(ErrorKind::Corrupt), None));
        assert_eq!(word.replace_dead_holder(None, dead), Some(Err(AcquireError::Corrupt)));
        assert_eq!(word.look().holder(), Some(ANNA));
        word.word.fetch_and(!undefined, Ordering::Relaxed);
        let reaped = word.reap(dead, |_| _ = word.word.fetch_or(undefined, Ordering::Relaxed));
        assert_eq!(reaped.unwrap_err().kind(), ErrorKind::Corrupt, "garbage meanwhile");
        word.word.fetch_and(!undefined, Ordering::Relaxed);
        assert_eq!(reap(), (Ok(()), Some(ANNA)));
        assert_eq!((word.look().holder(), word.look().deaths()), (None, 1));
    });
}
