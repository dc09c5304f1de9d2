//! Calls under loom: each request gets its own answer or none, at whatever step a participant dies.

use loom::sync::Arc;
use loom::thread;

use super::geometry::{Geometry, MessageSize};
use super::order::Order;
use super::protocol::{Answer, Asked, Begun, CallWords, Failure};
use super::state::State;
use super::waiting::Caller;
use crate::crash::ends_at;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::participant::{Liveness, ParticipantId};
use crate::sys::wait::model::{check, let_time_pass};
use crate::wait::{Extent, Until, WaitLoop};

const DEAD_FOUND: DeadIs = DeadIs(Some(DEAD));

/// A call of numbers. Only the words that the models use exist.
struct Words {
    words: Vec<AtomicU64>,
    geometry: Geometry,
}

impl Words {
    fn new(slots: u32) -> Arc<Self> {
        let flags = 1 << 16;
        let number = MessageSize { element_bytes: 8, max_len: 0 };
        let geometry = Geometry::of(number, number, slots, flags).unwrap();
        // Without the room between parts, which would only slow the model down.
        let geometry = Geometry { slots_at: 4 * 8, answer_at: 4 * 8, stride: 6 * 8, ..geometry };
        let words = (0..geometry.words()).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { words, geometry })
    }

    fn call(&self) -> CallWords<'_> {
        let slots_at = (self.geometry.slots_at / 8) as usize;
        let slots = super::slots::Slots::new(&self.words[slots_at..], self.geometry);
        CallWords {
            arrivals: &self.words[0],
            departures: &self.words[1],
            next: &self.words[2],
            waiting: &self.words[3..4],
            slots,
        }
    }

    fn ask(&self, me: ParticipantId, request: u64) -> Option<Asked> {
        self.call().ask(me, &AtomicU64::new(0), &request.to_le_bytes()).unwrap()
    }

    /// Waits for a slot.
    fn ask_within(&self, me: ParticipantId, request: u64, liveness: &impl Liveness) -> Asked {
        let wait_loop = &WaitLoop::for_answer(0);
        let caller = Caller { me, liveness, wait_loop };
        let (hint, request) = (AtomicU64::new(0), request.to_le_bytes());
        self.call().ask_within(caller, &hint, &request, Until::Ever).unwrap()
    }

    fn try_begin(&self, me: ParticipantId) -> Option<(Begun, u64)> {
        let begun = Order::for_slots(2).begin(self.call(), me).unwrap()?;
        Some(self.read(begun))
    }

    fn begin(&self, me: ParticipantId, liveness: &impl Liveness) -> (Begun, u64) {
        let wait_loop = &WaitLoop::for_answer(0);
        let (caller, order) = (Caller { me, liveness, wait_loop }, Order::for_slots(2));
        let begun = self.call().begin_within(caller, &order, Until::Ever, || ()).unwrap();
        self.read(begun)
    }

    fn read(&self, begun: Begun) -> (Begun, u64) {
        let slot = self.call().slots.get(begun.slot).unwrap();
        let request = slot.request().words[0].load(Ordering::Relaxed);
        (begun, request)
    }

    fn respond(&self, me: ParticipantId, begun: &Begun, value: u64) -> Result<(), Failure> {
        self.call().respond(me, begun, &value.to_le_bytes())
    }

    /// Waits for the response.
    fn receive(
        &self,
        me: ParticipantId,
        asked: &mut Asked,
        liveness: &impl Liveness,
    ) -> Result<u64, Failure> {
        let wait_loop = &WaitLoop::for_answer(0);
        let caller = Caller { me, liveness, wait_loop };
        match self.call().answer_within(caller, asked, Until::Ever, || ())? {
            Answer::Response { is_last } => Ok(self.take(asked, is_last)),
            answer => panic!("{answer:?}"),
        }
    }

    fn take(&self, asked: &mut Asked, is_last: bool) -> u64 {
        let slot = self.call().slots.get(asked.slot).unwrap();
        let value = slot.response(asked.taken).words[0].load(Ordering::Relaxed);
        self.call().took(asked, is_last).unwrap();
        value
    }

    fn sweep(&self) {
        self.call().sweep(Extent::Everything, &DEAD_FOUND);
    }

    fn assert_free(&self) {
        assert_eq!(self.call().counts().total(), 0);
    }
}

/// The answer to a request.
fn answer_to(request: u64) -> u64 {
    request + 100
}

#[test]
fn loom_a_request_is_answered_and_nobody_sleeps_on() {
    check(Some(2), || {
        let words = Words::new(1);
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                let (begun, request) = words.begin(living(2), &NOBODY_DIED);
                words.respond(living(2), &begun, answer_to(request)).unwrap();
            }
        });
        let mut asked = words.ask(living(1), 7).unwrap();
        let received = words.receive(living(1), &mut asked, &NOBODY_DIED);
        assert_eq!(received.unwrap(), answer_to(7));
        serving.join().unwrap();
        words.assert_free();
    });
}

#[test]
fn loom_two_servers_begin_a_request_once() {
    check(Some(2), || {
        let words = Words::new(2);
        words.ask(living(1), 7).unwrap();
        let other = thread::spawn({
            let words = words.clone();
            move || words.try_begin(living(2)).is_some()
        });
        let mine = words.try_begin(living(3)).is_some();
        assert!(mine != other.join().unwrap());
    });
}

#[test]
fn loom_two_clients_get_their_own_answers_through_one_slot() {
    check(Some(2), || {
        let words = Words::new(1);
        let asking = thread::spawn({
            let words = words.clone();
            move || {
                let mut asked = words.ask_within(living(1), 1, &NOBODY_DIED);
                words.receive(living(1), &mut asked, &NOBODY_DIED).unwrap()
            }
        });
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                for _ in 0..2 {
                    let (begun, request) = words.begin(living(3), &NOBODY_DIED);
                    words.respond(living(3), &begun, answer_to(request)).unwrap();
                }
            }
        });
        let mut asked = words.ask_within(living(2), 2, &NOBODY_DIED);
        let received = words.receive(living(2), &mut asked, &NOBODY_DIED);
        assert_eq!(received.unwrap(), answer_to(2));
        assert_eq!(asking.join().unwrap(), answer_to(1));
        serving.join().unwrap();
        words.assert_free();
    });
}

#[test]
fn loom_a_late_answer_reaches_no_other_request() {
    check(Some(3), || {
        let words = Words::new(2);
        let mut first = words.ask(living(1), 1).unwrap();
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                while let Some((begun, request)) = words.try_begin(living(2)) {
                    // The first one may be given up meanwhile.
                    let _ = words.respond(living(2), &begun, answer_to(request));
                }
            }
        });
        words.call().give_up(living(1), &mut first);
        let mut second = words.ask(living(1), 2).unwrap();
        serving.join().unwrap();
        while let Some((begun, request)) = words.try_begin(living(3)) {
            words.respond(living(3), &begun, answer_to(request)).unwrap();
        }
        let received = words.receive(living(1), &mut second, &NOBODY_DIED);
        assert_eq!(received.unwrap(), answer_to(2));
        words.assert_free();
    });
}

#[test]
fn loom_of_giving_up_and_answering_one_frees_the_slot() {
    check(None, || {
        let words = Words::new(1);
        let mut asked = words.ask(living(1), 1).unwrap();
        let (begun, _) = words.try_begin(living(2)).unwrap();
        let serving = thread::spawn({
            let words = words.clone();
            move || _ = words.respond(living(2), &begun, 9)
        });
        words.call().give_up(living(1), &mut asked);
        serving.join().unwrap();
        words.assert_free();
    });
}

#[test]
fn loom_a_server_that_waits_for_room_goes_on_or_learns_that_nobody_waits() {
    check(Some(2), || {
        let words = Words::new(1);
        let mut asked = words.ask(living(1), 1).unwrap();
        let (mut begun, _) = words.try_begin(living(2)).unwrap();
        words.call().respond_part(&mut begun, &[1; 8]).unwrap();
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                let wait_loop = &WaitLoop::for_answer(0);
                let caller = Caller { me: living(2), liveness: &NOBODY_DIED, wait_loop };
                let ended = match words.call().room_within(caller, &begun, None, Until::Ever) {
                    Ok(()) => words.call().respond(living(2), &begun, &[2; 8]),
                    Err(Failure::GivenUp) => {
                        words.call().end(living(2), &begun, State::Finished(begun.number))
                    }
                    Err(failure) => panic!("{failure:?}"),
                };
                assert!(matches!(ended, Ok(()) | Err(Failure::GivenUp)));
            }
        });
        words.take(&mut asked, false);
        words.call().give_up(living(1), &mut asked);
        serving.join().unwrap();
        words.assert_free();
    });
}

/// A server dies at this point; its client waits for the answer.
fn server_dies_at(point: &'static str) {
    check(Some(2), move || {
        let words = Words::new(1);
        let mut asked = words.ask(living(1), 7).unwrap();
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                let died = ends_at(point, || {
                    let (begun, request) = words.try_begin(DEAD).unwrap();
                    words.respond(DEAD, &begun, answer_to(request)).unwrap();
                });
                assert!(died, "{point}");
                let_time_pass();
            }
        });
        // The kernel tells that it is dead only after its last step.
        serving.join().unwrap();
        match words.receive(living(1), &mut asked, &DEAD_FOUND) {
            Ok(value) => assert_eq!(value, answer_to(7)),
            Err(Failure::Died(id)) => assert_eq!(id, DEAD),
            Err(failure) => panic!("{failure:?}"),
        }
        words.assert_free();
        // The slot can be used again.
        words.ask(living(1), 8).unwrap();
        assert_eq!(words.try_begin(living(2)).unwrap().1, 8);
    });
}

#[test]
fn loom_a_server_that_dies_is_reported_or_its_answer_received() {
    for point in [
        "call: begun, still announced",
        "call: begun, not handed over",
        "call: response written, not ended",
        "call: ended, client not told",
    ] {
        server_dies_at(point);
    }
}

#[test]
fn loom_a_sleeping_client_is_told_of_a_dead_server() {
    check(Some(2), || {
        let words = Words::new(1);
        let mut asked = words.ask(living(1), 7).unwrap();
        let serving = thread::spawn({
            let words = words.clone();
            move || {
                assert!(ends_at("call: ended, client not told", || {
                    let (begun, request) = words.try_begin(DEAD).unwrap();
                    words.respond(DEAD, &begun, answer_to(request)).unwrap();
                }));
                let_time_pass();
            }
        });
        let received = words.receive(living(1), &mut asked, &NOBODY_DIED);
        assert_eq!(received.unwrap(), answer_to(7));
        serving.join().unwrap();
        words.assert_free();
    });
}

#[test]
fn loom_a_client_that_dies_leaves_no_slot() {
    for point in [
        "call: slot in writing",
        "call: request written, not ready",
        "call: ready, not announced",
        "call: announced, nobody told",
        "call: taken back, still announced",
        "call: given up, server not told",
        "call: slot free, nobody told",
    ] {
        check(Some(2), move || {
            let words = Words::new(1);
            let asking = thread::spawn({
                let words = words.clone();
                move || {
                    // Not each point is reached in each execution.
                    ends_at(point, || {
                        let mut asked = words.ask(DEAD, 7).unwrap();
                        words.call().give_up(DEAD, &mut asked);
                    });
                }
            });
            let begun = words.try_begin(living(2));
            asking.join().unwrap();
            if let Some((begun, request)) = begun {
                assert_eq!(request, 7);
                let _ = words.respond(living(2), &begun, 1);
            }
            words.sweep();
            words.assert_free();
            words.ask(living(1), 8).unwrap();
            assert_eq!(words.try_begin(living(2)).unwrap().1, 8);
        });
    }
}

#[test]
fn loom_a_sweep_beside_a_new_call_frees_only_what_the_dead_held() {
    check(Some(3), || {
        let words = Words::new(1);
        words.ask(DEAD, 1).unwrap();
        let (begun, _) = words.try_begin(living(2)).unwrap();
        let sweeping = thread::spawn({
            let words = words.clone();
            move || words.sweep()
        });
        // Ended after the client died: one of the sweeps frees it, and it is used again.
        words.respond(living(2), &begun, 1).unwrap();
        words.sweep();
        let mut asked = words.ask(living(3), 5).expect("it is free");
        let (begun, request) = words.try_begin(living(2)).expect("it is there");
        assert_eq!(request, 5);
        words.respond(living(2), &begun, answer_to(5)).unwrap();
        sweeping.join().unwrap();
        assert_eq!(words.call().look(&asked).unwrap(), Answer::Response { is_last: true });
        assert_eq!(words.take(&mut asked, true), answer_to(5));
        words.assert_free();
    });
}

#[test]
fn loom_two_sweeps_of_a_dead_pair_free_its_slot_once() {
    check(Some(3), || {
        let words = Words::new(1);
        words.ask(DEAD, 1).unwrap();
        let slot = words.call().slots.get(0).unwrap();
        // Its server died, too.
        slot.exchange(State::Ready(0), State::Begun(DEAD)).unwrap();
        let sweeping = thread::spawn({
            let words = words.clone();
            move || words.sweep()
        });
        words.sweep();
        if let Some(asked) = words.ask(living(3), 5) {
            sweeping.join().unwrap();
            assert!(matches!(words.call().look(&asked), Ok(Answer::Pending(_))));
            assert_eq!(words.try_begin(living(2)).expect("it is there").1, 5);
        }
    });
}
