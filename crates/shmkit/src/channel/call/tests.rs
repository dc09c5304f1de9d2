//! The protocol of a call over words on the heap: late answers, deaths, garbage.

use super::geometry::{Geometry, MessageSize};
use super::order::Order;
use super::parts::call_over;
use super::protocol::{Answer, Asked, Begun, CallWords, Failure, Room};
use super::state::{COUNTS, NUMBERS, State};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{CLOSED, Extent};

const CLIENT: ParticipantId = ParticipantId::new(1, 1);
const OTHER: ParticipantId = ParticipantId::new(2, 1);
const SERVER: ParticipantId = ParticipantId::new(3, 1);
const SECOND: ParticipantId = ParticipantId::new(4, 1);

struct DeadAre(&'static [ParticipantId]);

impl Liveness for DeadAre {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.0.contains(&id)
    }
}

/// A call of numbers.
struct Words {
    words: Vec<AtomicU64>,
    geometry: Geometry,
    hint: AtomicU64,
}

impl Words {
    fn new(slots: u32) -> Self {
        let number = MessageSize { element_bytes: 8, max_len: 0 };
        let geometry = Geometry::of(number, number, slots, 2 << 16).unwrap();
        assert_eq!(geometry.parts, 2);
        let words = (0..geometry.words()).map(|_| AtomicU64::new(0)).collect();
        Self { words, geometry, hint: AtomicU64::new(0) }
    }

    fn call(&self) -> CallWords<'_> {
        let words =
            |at: u64, count: u64| Ok::<_, ()>(&self.words[(at / 8) as usize..][..count as usize]);
        call_over(self.geometry, words).unwrap()
    }

    fn ask(&self, client: ParticipantId, request: u64) -> Asked {
        let asked = self.call().ask(client, &self.hint, &request.to_le_bytes()).unwrap();
        asked.expect("a free slot")
    }

    fn begin(&self, server: ParticipantId) -> Option<Begun> {
        Order::for_slots(8).begin(self.call(), server).unwrap()
    }

    fn request(&self, begun: &Begun) -> u64 {
        let slot = self.call().slots.get(begun.slot).unwrap();
        slot.request().words[0].load(Ordering::Relaxed)
    }

    fn respond(&self, server: ParticipantId, begun: &Begun, value: u64) -> Result<(), Failure> {
        self.call().respond(server, begun, &value.to_le_bytes())
    }

    /// Receives a response that is there.
    fn take(&self, asked: &mut Asked) -> u64 {
        let call = self.call();
        let Answer::Response { is_last } = call.look(asked).unwrap() else {
            panic!("no response: {:?}", call.look(asked))
        };
        let slot = call.slots.get(asked.slot).unwrap();
        let value = slot.response(asked.taken).words[0].load(Ordering::Relaxed);
        call.took(asked, is_last).unwrap();
        value
    }

    fn state(&self, slot: usize) -> State {
        self.call().slots.get(slot).unwrap().state().unwrap()
    }

    fn sweep(&self, dead: &'static [ParticipantId]) -> u32 {
        self.call().sweep(Extent::Everything, &DeadAre(dead))
    }

    fn bits(&self) -> u64 {
        self.call().waiting[0].load(Ordering::Relaxed)
    }
}

fn is_pending(call: CallWords<'_>, asked: &Asked) -> bool {
    matches!(call.look(asked), Ok(Answer::Pending(_)))
}

#[test]
fn requests_are_begun_in_their_order_and_answered_in_any() {
    let words = Words::new(8);
    let mut asked: Vec<_> = (0..8).map(|number| words.ask(CLIENT, number)).collect();
    assert!(words.call().ask(CLIENT, &words.hint, &[0; 8]).unwrap().is_none(), "all are taken");
    let order = Order::for_slots(8);
    let begun: Vec<_> = (0..8).map(|_| order.begin(words.call(), SERVER).unwrap()).collect();
    assert!(order.begin(words.call(), SERVER).unwrap().is_none());
    for (number, begun) in (0..8_u64).zip(begun).collect::<Vec<_>>().into_iter().rev() {
        let begun = begun.unwrap();
        assert_eq!(words.request(&begun), number);
        words.respond(SERVER, &begun, 100 + number).unwrap();
    }
    for (number, asked) in (0..).zip(&mut asked) {
        assert_eq!(words.take(asked), 100 + number);
        assert!(asked.is_over);
    }
    assert_eq!((words.call().counts().total(), words.bits()), (0, 0));
}

#[test]
fn the_order_holds_where_numbers_begin_again() {
    let words = Words::new(8);
    words.call().next.store(NUMBERS - 3, Ordering::Relaxed);
    (0..6).for_each(|number| _ = words.ask(CLIENT, number));
    let order = Order::for_slots(8);
    for number in 0..6 {
        let begun = order.begin(words.call(), SERVER).unwrap().unwrap();
        assert_eq!(words.request(&begun), number);
    }
}

#[test]
fn a_request_that_was_remembered_and_given_up_is_not_begun() {
    let words = Words::new(3);
    let mut asked: Vec<_> = (0..3).map(|number| words.ask(CLIENT, number)).collect();
    let order = Order::for_slots(8);
    assert_eq!(words.request(&order.begin(words.call(), SERVER).unwrap().unwrap()), 0);
    words.call().give_up(CLIENT, &mut asked[1]);
    // The same slot again.
    let again = words.ask(CLIENT, 9);
    assert_eq!(again.slot, asked[1].slot);
    assert_eq!(words.request(&order.begin(words.call(), SERVER).unwrap().unwrap()), 2);
    assert_eq!(words.request(&order.begin(words.call(), SERVER).unwrap().unwrap()), 9);
}

#[test]
fn a_stream_passes_through_a_ring_and_ends() {
    let words = Words::new(1);
    let mut asked = words.ask(CLIENT, 0);
    let mut begun = words.begin(SERVER).unwrap();
    let call = words.call();
    for number in 0..2 * COUNTS {
        assert_eq!(call.room(&begun).unwrap(), Room::There);
        call.respond_part(&mut begun, &number.to_le_bytes()).unwrap();
        if number > 0 {
            assert!(matches!(call.room(&begun), Ok(Room::Pending(_))), "{number}");
            assert_eq!(words.take(&mut asked), number - 1);
        }
    }
    call.end(SERVER, &begun, State::Finished(begun.number)).unwrap();
    assert_eq!(words.take(&mut asked), 2 * COUNTS - 1);
    assert!(asked.is_over);
    assert_eq!(words.state(0), State::Free);
}

#[test]
fn an_end_without_a_response_is_told() {
    let words = Words::new(2);
    for (state, expected) in [
        (State::Finished as fn(u64) -> State, Answer::Ended),
        (State::Refused as fn(u64) -> State, Answer::Refused),
    ] {
        let mut asked = words.ask(CLIENT, 0);
        let mut begun = words.begin(SERVER).unwrap();
        words.call().respond_part(&mut begun, &[7; 8]).unwrap();
        assert_eq!(words.take(&mut asked), u64::from_le_bytes([7; 8]));
        words.call().end(SERVER, &begun, state(begun.number)).unwrap();
        assert_eq!(words.call().look(&asked).unwrap(), expected);
        words.call().release(&mut asked).unwrap();
        assert_eq!(words.state(asked.slot), State::Free);
    }
}

#[test]
fn a_refusal_behind_responses_is_told_after_them() {
    let words = Words::new(1);
    let mut asked = words.ask(CLIENT, 0);
    let mut begun = words.begin(SERVER).unwrap();
    words.call().respond_part(&mut begun, &[1; 8]).unwrap();
    words.call().end(SERVER, &begun, State::Refused(begun.number)).unwrap();
    words.take(&mut asked);
    assert!(!asked.is_over);
    assert_eq!(words.call().look(&asked).unwrap(), Answer::Refused);
}

#[test]
fn a_late_answer_reaches_no_other_request() {
    let words = Words::new(2);
    let mut first = words.ask(CLIENT, 1);
    let begun = words.begin(SERVER).unwrap();
    words.call().give_up(CLIENT, &mut first);
    assert_eq!(words.state(first.slot), State::GivenUp(SERVER));
    // The slot is the server's until it lets go.
    let second = words.ask(CLIENT, 2);
    assert_ne!(second.slot, first.slot);
    assert!(words.call().ask(CLIENT, &words.hint, &[0; 8]).unwrap().is_none());
    assert!(matches!(words.respond(SERVER, &begun, 100), Err(Failure::GivenUp)));
    assert!(is_pending(words.call(), &second));
    assert_eq!(words.ask(CLIENT, 3).slot, first.slot);
}

#[test]
fn what_a_server_tells_late_reaches_no_other_call_in_the_slot() {
    let words = Words::new(1);
    let call = words.call();
    let mut first = words.ask(CLIENT, 1);
    let begun = words.begin(SERVER).unwrap();
    // The server stops between its last exchange of the state and telling.
    let slot = call.slots.get(0).unwrap();
    slot.response(0).write(&[9; 8]);
    slot.exchange(State::Begun(SERVER), State::Answered(begun.number)).unwrap();
    assert!(is_pending(call, &first));
    assert_eq!(call.check_server(&first, &DeadAre(&[])), None);
    assert_eq!(words.take(&mut first), u64::from_le_bytes([9; 8]));
    let second = words.ask(OTHER, 2);
    // It goes on.
    assert!(!super::slots::advance(slot.answer(), begun.number, |said| {
        Some(super::state::Progress { is_end: true, ..said })
    }));
    assert!(is_pending(call, &second));
}

#[test]
fn the_death_of_a_server_is_told_after_what_it_answered() {
    let words = Words::new(2);
    let mut asked = words.ask(CLIENT, 1);
    let mut begun = words.begin(SERVER).unwrap();
    words.call().respond_part(&mut begun, &[5; 8]).unwrap();
    let dead = DeadAre(&[SERVER]);
    assert_eq!(words.call().check_server(&asked, &dead), None, "there is a response");
    words.take(&mut asked);
    assert_eq!(words.sweep(&[SERVER]), 0, "its client must be told");
    assert_eq!(words.call().check_server(&asked, &DeadAre(&[])), None);
    assert_eq!(words.call().check_server(&asked, &dead), Some(SERVER));
    assert_eq!(words.state(asked.slot), State::Free);
}

#[test]
fn a_sweep_frees_what_the_dead_held_and_nothing_else() {
    let words = Words::new(8);
    let call = words.call();
    let [mut begun, mut given_up, mut answered] = [1, 2, 3].map(|it| words.ask(CLIENT, it));
    let taken: Vec<_> = (0..3).map(|_| words.begin(SERVER).unwrap()).collect();
    call.give_up(CLIENT, &mut given_up);
    words.respond(SERVER, &taken[2], 100).unwrap();
    let ready = words.ask(CLIENT, 4);
    let writing = call.slots.get(6).unwrap();
    writing.exchange(State::Free, State::Writing(CLIENT)).unwrap();
    let other = words.ask(OTHER, 5);

    assert_eq!(words.sweep(&[]), 0);
    assert_eq!(words.sweep(&[OTHER, SECOND]), 1);
    assert_eq!(words.state(other.slot), State::Free);
    assert_eq!(words.sweep(&[SERVER]), 1, "the one that was given up");
    assert_eq!(words.sweep(&[CLIENT]), 3, "ready, writing, answered; its server has the other");
    assert_eq!(words.state(begun.slot), State::Begun(SERVER));
    assert_eq!(words.sweep(&[CLIENT, SERVER]), 1);
    assert_eq!(call.counts().total(), 0);
    let _ = (&mut begun, &mut answered, ready);
}

#[test]
fn a_request_that_a_client_took_back_is_not_begun() {
    let words = Words::new(1);
    let mut asked = words.ask(CLIENT, 1);
    words.call().give_up(CLIENT, &mut asked);
    assert_eq!((words.state(0), words.bits()), (State::Free, 0));
    assert!(words.begin(SERVER).is_none());
    // A bit that a dead process left harms nothing.
    words.call().waiting[0].store(u64::MAX, Ordering::Relaxed);
    assert!(words.begin(SERVER).is_none());
    words.ask(CLIENT, 2);
    assert_eq!(words.request(&words.begin(SERVER).unwrap()), 2);
}

#[test]
fn giving_up_tells_a_server_that_waits_for_room() {
    let words = Words::new(1);
    let mut asked = words.ask(CLIENT, 1);
    let mut begun = words.begin(SERVER).unwrap();
    (0..2).for_each(|_| words.call().respond_part(&mut begun, &[1; 8]).unwrap());
    words.call().give_up(CLIENT, &mut asked);
    assert_eq!(words.call().room(&begun).unwrap(), Room::GivenUp);
    assert!(words.call().is_given_up(SERVER, &begun));
    assert!(matches!(
        words.call().end(SERVER, &begun, State::Finished(begun.number)),
        Err(Failure::GivenUp)
    ));
    assert_eq!(words.state(0), State::Free);
}

#[test]
fn garbage_in_any_word_gives_errors_and_no_panic() {
    for garbage in [1, 3, CLOSED, u64::MAX, 1 << 63, 0b111 << 13, 5 << 16] {
        for place in 0..Words::new(2).words.len() {
            let words = Words::new(2);
            let mut asked = words.ask(CLIENT, 1);
            let mut begun = words.begin(SERVER).unwrap();
            let mut other = words.ask(OTHER, 2);
            words.words[place].store(garbage, Ordering::Relaxed);
            let call = words.call();
            let _ = (call.look(&asked), call.room(&begun), call.counts(), call.is_sound());
            let _ = call.respond_part(&mut begun, &[1; 8]);
            let _ = call.check_server(&asked, &DeadAre(&[SERVER]));
            let _ = call.took(&mut asked, false);
            let _ = call.ask(CLIENT, &words.hint, &[1; 8]);
            let _ = Order::for_slots(2).begin(call, SECOND);
            let _ = call.respond(SERVER, &begun, &[2; 8]);
            let _ = call.release(&mut asked);
            call.give_up(OTHER, &mut other);
            words.sweep(&[CLIENT, OTHER, SERVER]);
        }
    }
}

#[test]
fn a_retired_call_takes_no_request() {
    let words = Words::new(1);
    let mut asked = words.ask(CLIENT, 1);
    let begun = words.begin(SERVER).unwrap();
    let call = words.call();
    call.arrivals.fetch_or(CLOSED, Ordering::Relaxed);
    call.slots.get(0).unwrap().answer().close();
    assert!(matches!(call.ask(OTHER, &words.hint, &[0; 8]), Err(Failure::Closed)));
    assert_eq!(call.look(&asked).unwrap(), Answer::Closed);
    // What was answered is still received.
    words.respond(SERVER, &begun, 9).unwrap();
    assert_eq!(words.take(&mut asked), 9);
}
