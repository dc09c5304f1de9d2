//! A child is killed at each crash point of a call, as a client and as a server: then the others
//! are told or go on, no answer is mixed up, and no place is lost.

use std::collections::BTreeSet;

use shmkit::{Call, ErrorKind};

use super::{NAME, options};
use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;

const WAITERS_NOT_WOKEN: &str = "wait: word changed, nobody woken";
/// How many requests there can be.
const IN_FLIGHT: u32 = 2;

/// At which points a child is killed, and what it does.
const CASES: [(&str, &[&str]); 7] = [
    (
        "call",
        &[
            "call: slot in writing",
            "call: request written, not ready",
            "call: ready, not announced",
            "call: announced, nobody told",
            "call: slot free, nobody told",
        ],
    ),
    ("receive a stream", &["call: response copied, room not made"]),
    ("take back", &["call: taken back, still announced"]),
    ("give up", &["call: given up, server not told"]),
    (
        "serve",
        &[
            "call: begun, still announced",
            "call: begun, not handed over",
            "call: part written, not announced",
            "call: part announced",
            "call: response written, not ended",
            "call: ended, client not told",
            WAITERS_NOT_WOKEN,
        ],
    ),
    ("wait for a place", &["call: dead holder found"]),
    ("send to a sleeping server", &["call: announced, nobody told", WAITERS_NOT_WOKEN]),
];

/// The answers to a request: a part, and the last one.
fn answers_to(request: u64) -> [u64; 2] {
    [request * 3 + 1, request * 3 + 2]
}

/// Does what its task says.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let call = Call::<u64, u64>::open(NAME).unwrap();
    if task == "serve" {
        let server = call.server().unwrap();
        loop {
            let mut request = server.recv().unwrap();
            let [part, last] = answers_to(*request);
            // The client sleeps for each response.
            link.send(format!("began {}", *request));
            link.receive();
            let _ = request.respond_part(&part);
            link.send("part");
            link.receive();
            let _ = request.respond(&last);
            link.send("ended");
        }
    }
    let client = call.client().unwrap();
    for request in 1_000.. {
        match task.as_str() {
            "call" => {
                let [part, _] = answers_to(request);
                assert_eq!(client.call(&request).unwrap(), part);
            }
            "receive a stream" => {
                let mut pending = client.send(&request).unwrap();
                for answer in answers_to(request) {
                    assert_eq!(pending.recv().unwrap(), Some(answer));
                }
            }
            "take back" => client.send(&request).unwrap().cancel(),
            "give up" => {
                let mut pending = client.send(&request).unwrap();
                pending.recv().unwrap();
                pending.cancel();
            }
            "wait for a place" => {
                let _pending: Vec<_> = (0..IN_FLIGHT)
                    .map(|_| client.send_timeout(&request, TIMEOUT).unwrap())
                    .collect();
                unreachable!("all places were found");
            }
            _ => {
                let _ = client.send(&request).unwrap().recv();
            }
        }
    }
}

#[test]
fn every_crash_point_of_a_call_has_a_case() {
    let tested = CASES.iter().flat_map(|(_, points)| points.iter().copied());
    let all = shmkit::crash::CALL_POINTS.iter().copied().chain([WAITERS_NOT_WOKEN]);
    assert_eq!(BTreeSet::from_iter(tested), BTreeSet::from_iter(all));
}

#[test]
fn a_process_killed_at_any_point_of_a_call_mixes_up_no_answer_and_stops_nobody() {
    for (operation, points) in CASES {
        for point in points {
            println!("{operation} at {point:?}");
            let dir = TestDir::new();
            let call = options(&dir).in_flight(IN_FLIGHT).create(NAME).unwrap();
            let start = || Child::start_to_die_at(&dir, point, "call crash", operation);
            match operation {
                "serve" => client_of_a_server_that_dies(&dir, &call, start()),
                "wait for a place" => {
                    let mut dead = Child::start_ready(&dir, "client", "");
                    (0..IN_FLIGHT).for_each(|_| assert_eq!(dead.ask("send 1"), "sent"));
                    dead.kill();
                    assert!(start().was_killed(), "the child ended by itself");
                }
                "take back" => assert!(start().was_killed(), "the child ended by itself"),
                _ => server_of_a_client_that_dies(&dir, &call, start),
            }
            check_after(&dir, &call);
        }
    }
}

/// Answers the child until that was killed.
fn server_of_a_client_that_dies(
    dir: &TestDir,
    call: &Call<u64, u64>,
    start: impl FnOnce() -> Child,
) {
    let server = call.server().unwrap();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            loop {
                let Ok(mut request) = server.recv_timeout(TIMEOUT) else { return };
                if *request == 0 {
                    return request.respond(&0).unwrap();
                }
                let [part, last] = answers_to(*request);
                // The child may be dead, or may have given up.
                if request.respond_part(&part).is_ok() {
                    let _ = request.respond(&last);
                }
            }
        });
        dir.wait_for_waiters(NAME, 1);
        sleep_for_certain();
        assert!(start().was_killed(), "the child ended by itself");
        assert_eq!(call.client().unwrap().call_timeout(&0, TIMEOUT).unwrap(), 0);
        serving.join().unwrap();
    });
}

/// Asks the child until that was killed: each call is answered, or its death is told.
fn client_of_a_server_that_dies(dir: &TestDir, call: &Call<u64, u64>, mut child: Child) {
    let client = call.client().unwrap();
    let pid = child.id();
    let request = 7;
    let mut pending = client.send(&request).unwrap();
    let received = std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let mut received = Vec::new();
            loop {
                match pending.recv_timeout(TIMEOUT) {
                    Ok(Some(answer)) => received.push(answer),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                        assert_eq!(error.peer().unwrap().pid, Some(pid));
                        break;
                    }
                }
            }
            received
        });
        while child.receive_if_alive().is_some() {
            if !receiving.is_finished() {
                dir.wait_for_waiters(NAME, 1);
                sleep_for_certain();
            }
            child.send("go on");
        }
        receiving.join().unwrap()
    });
    assert!(child.was_killed(), "the child ended by itself");
    assert!(answers_to(request).starts_with(&received), "{received:?}");
}

/// So that a thread that waits also sleeps: otherwise the child does not reach its point, and the
/// test says so.
fn sleep_for_certain() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// Checks that all places can be used, and that no participant is left.
fn check_after(dir: &TestDir, call: &Call<u64, u64>) {
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    for round in 0..3 {
        let requests = 0..u64::from(IN_FLIGHT);
        let pending = requests.clone().map(|it| client.send_timeout(&(round + it), TIMEOUT));
        let mut pending: Vec<_> = pending.map(Result::unwrap).collect();
        for number in requests {
            let request = server.recv_timeout(TIMEOUT).unwrap();
            assert_eq!(*request, round + number);
            request.respond(&(100 + number)).unwrap();
        }
        for (number, pending) in (0..).zip(&mut pending) {
            assert_eq!(pending.recv_timeout(TIMEOUT).unwrap(), Some(100 + number));
        }
    }
    assert_eq!(call.counts().total(), 0);
    drop((client, server));
    dir.repair();
    let description = dir.describe(NAME);
    assert!(description.is_sound());
    assert!(description.participants.is_empty(), "left: {:?}", description.participants);
}
