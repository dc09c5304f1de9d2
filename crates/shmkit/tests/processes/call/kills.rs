//! Clients and servers are killed at random under load. Each answer that a client receives follows
//! from its own request, and no request is begun twice.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use shmkit::{Call, CallClient, ErrorKind};

use super::NAME;
use crate::children::{Child, Link};
use crate::system::KILLS;
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;
use crate::values::{Random, TEN_THOUSAND, whole_lines};

const SERVERS: usize = 2;
const CHILDREN: usize = 5;
/// Requests of one client are below this, from its number times this on.
const OF_ONE: u64 = 1 << 32;

/// Words that follow from the request and from the place in the stream.
type Response = [u64; 8];

fn answer_to(request: u64, place: u64) -> Response {
    let mut random = Random::from_seed(request ^ place << 60);
    [(); 8].map(|()| random.next())
}

/// How many responses a request gets.
fn responses_to(request: u64) -> u64 {
    1 + request % 7
}

/// Asks or answers without a pause, and reports its first success.
pub(crate) fn role(link: &mut Link) {
    let task = link.task();
    let (number, path) = task.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let call = Call::<[u64; 8], Response>::open(NAME).unwrap();
    if number.is_multiple_of(2) {
        return serve(&call, path, link);
    }
    let client = call.client().unwrap();
    for request in number * OF_ONE.. {
        ask(&client, request);
        if request == number * OF_ONE + 8 {
            link.send("working");
        }
    }
}

fn serve(call: &Call<[u64; 8], Response>, path: &str, link: &mut Link) {
    let mut log = OpenOptions::new().create_new(true).append(true).open(path).unwrap();
    let server = call.server().unwrap();
    let mut reported = false;
    loop {
        let mut request = match server.recv_timeout(Duration::from_millis(100)) {
            Ok(request) => request,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                continue;
            }
        };
        let [number, copies @ ..] = *request;
        assert_eq!(copies, [number; 7], "a torn request");
        write(&mut log, number);
        let count = responses_to(number);
        let parts = (0..count - 1).map(|place| answer_to(number, place));
        // The client may have given up, or died.
        let written = parts.into_iter().try_for_each(|part| request.respond_part(&part));
        let ended = written.and_then(|()| request.respond(&answer_to(number, count - 1)));
        if let Err(error) = ended {
            let known = [ErrorKind::BrokenPipe, ErrorKind::PeerDied];
            assert!(known.contains(&error.kind()), "{error}");
        }
        if !std::mem::replace(&mut reported, true) {
            link.send("working");
        }
    }
}

fn write(log: &mut File, number: u64) {
    // One write for each line: it is there as a whole, or without its end.
    log.write_all(format!("{number}\n").as_bytes()).unwrap();
}

/// Sends a request, and checks what comes. Gives some of them up.
fn ask(client: &CallClient<[u64; 8], Response>, request: u64) {
    let gives_up_at = if request.is_multiple_of(5) { request % 3 } else { u64::MAX };
    let mut pending = match client.send_timeout(&[request; 8], TIMEOUT) {
        Ok(pending) => pending,
        Err(error) => panic!("{error}"),
    };
    for place in 0.. {
        if place == gives_up_at {
            return;
        }
        match pending.recv_timeout(TIMEOUT) {
            Ok(Some(response)) => {
                assert_eq!(response, answer_to(request, place), "another answer at {place}");
            }
            Ok(None) => return assert_eq!(place, responses_to(request)),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
        }
    }
}

#[test]
fn random_kills_under_load_mix_up_no_answer_and_begin_no_request_twice() {
    kill_at_random(KILLS / 2);
}

#[test]
#[ignore = "it takes minutes: see `TEN_THOUSAND`"]
fn ten_thousand_random_kills_under_load_mix_up_no_answer_and_begin_no_request_twice() {
    kill_at_random(TEN_THOUSAND);
}

fn kill_at_random(kills: usize) {
    let mut random = Random::new();
    let cases = [(1, 1), (4, 2), (64, 4)];
    for (in_flight, parts) in cases {
        println!("{in_flight} in flight, {parts} parts");
        let (dir, logs) = (TestDir::new(), TestDir::new());
        let options = Call::<[u64; 8], Response>::options().directory(dir.path());
        let call = options.in_flight(in_flight).parts(parts).create(NAME).unwrap();
        let mut started = 0_u64;
        let mut start = |index: usize| {
            started += 1;
            let number = 2 * started + u64::from(index >= SERVERS);
            let path = logs.path().join(number.to_string());
            Child::start(&dir, "call load", format!("{number} {}", path.display()))
        };
        let mut children: Vec<_> = (0..CHILDREN).map(&mut start).collect();
        for _ in 0..kills.div_ceil(cases.len()) {
            let index = random.below(CHILDREN as u64) as usize;
            // One in four is killed while it starts.
            if !random.one_in(4) {
                assert_eq!(children[index].receive(), "working");
            }
            // The sleep synchronizes nothing: it makes the moment of the kill random.
            std::thread::sleep(Duration::from_micros(random.below(1_500)));
            children[index].kill();
            children[index] = start(index);
        }
        for child in &mut children {
            assert_eq!(child.receive(), "working", "the survivors continue");
        }
        children.iter_mut().for_each(Child::kill);
        let mut begun = BTreeSet::new();
        for log in std::fs::read_dir(logs.path()).unwrap() {
            let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
            for number in whole_lines(&text) {
                assert!(begun.insert(number.to_string()), "request {number} was begun twice");
            }
        }
        println!("{} begun", begun.len());
        dir.repair();
        assert_eq!(call.counts().total(), 0);
        // Each place can be used.
        let client = call.client().unwrap();
        let send = |_| client.send_timeout(&[0; 8], TIMEOUT).unwrap();
        drop((0..in_flight).map(send).collect::<Vec<_>>());
        drop(client);
        assert_eq!(call.counts().total(), 0);
        assert!(dir.describe(NAME).is_sound());
        assert!(dir.describe(NAME).participants.is_empty());
    }
}
