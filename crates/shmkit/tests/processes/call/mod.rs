//! Clients and servers in different processes, some of which are killed or stopped.

mod crash;
#[cfg(unix)]
mod fork;
mod hostile;
mod kills;

use shmkit::{Call, CallServer, ErrorKind, Options, Pending, Request};

use crate::children::{Child, Link, Role};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("client", client),
    ("server", server),
    ("call crash", crash::role),
    ("call load", kills::role),
    ("call victim", hostile::victim),
];
#[cfg(unix)]
pub(crate) const SYSTEM_ROLES: &[(&str, Role)] = &[("forking caller", fork::forking_caller)];
#[cfg(not(unix))]
pub(crate) const SYSTEM_ROLES: &[(&str, Role)] = &[];

const NAME: &str = "call";

fn options(dir: &TestDir) -> Options<Call<u64, u64>> {
    Call::options().directory(dir.path())
}

/// Does with requests what it is told, and answers with the outcome.
fn client(link: &mut Link) {
    let call = Call::<u64, u64>::open(NAME).unwrap();
    let client = call.client().unwrap();
    let mut pending: Vec<Pending<'_, u64>> = Vec::new();
    link.send("ready");
    loop {
        let task = link.receive();
        let (what, number) = task.split_once(' ').unwrap_or((&task, "0"));
        let number: u64 = number.parse().unwrap();
        let answer = match what {
            "send" => client.send(&number).map(|it| {
                pending.push(it);
                "sent".into()
            }),
            "receive" => pending.last_mut().unwrap().recv().map(|it| format!("{it:?}")),
            "call" => client.call(&number).map(|it| it.to_string()),
            _ => {
                pending.clear();
                Ok("dropped".into())
            }
        };
        link.send(answer.unwrap_or_else(|error| format!("{:?}", error.kind())));
    }
}

/// Does with requests what it is told, and answers with the outcome.
fn server(link: &mut Link) {
    let call = Call::<u64, u64>::open(NAME).unwrap();
    let server = call.server().unwrap();
    let mut begun: Vec<Request<'_, u64, u64>> = Vec::new();
    link.send("ready");
    loop {
        let task = link.receive();
        let (what, number) = task.split_once(' ').unwrap_or((&task, "0"));
        let number: u64 = number.parse().unwrap();
        let answer = match what {
            "begin" => server.recv().map(|it| {
                let request = it.to_string();
                begun.push(it);
                request
            }),
            "part" => begun.last_mut().unwrap().respond_part(&number).map(|()| "done".into()),
            "respond" => begun.remove(0).respond(&number).map(|()| "done".into()),
            "is_cancelled" => Ok(begun[0].is_cancelled().to_string()),
            other => unreachable!("{other}"),
        };
        link.send(answer.unwrap_or_else(|error| format!("{:?}", error.kind())));
    }
}

/// Answers a request that is there.
#[track_caller]
fn answer(server: &CallServer<u64, u64>, request: u64, response: u64) {
    let found = server.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(*found, request);
    found.respond(&response).unwrap();
}

#[test]
fn requests_are_answered_by_other_processes() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut other_server = Child::start_ready(&dir, "server", "");
    let mut other_client = Child::start_ready(&dir, "client", "");
    for number in 0..100 {
        other_server.send("begin");
        let mut pending = client.send(&number).unwrap();
        assert_eq!(other_server.receive(), number.to_string());
        assert_eq!(other_server.ask(format!("part {number}")), "done");
        assert_eq!(pending.recv_timeout(TIMEOUT).unwrap(), Some(number));
        assert_eq!(other_server.ask(format!("respond {}", number + 1)), "done");
        assert_eq!(pending.recv_timeout(TIMEOUT).unwrap(), Some(number + 1));
        assert_eq!(pending.recv_timeout(TIMEOUT).unwrap(), None);

        other_client.send(format!("call {number}"));
        let request = server.recv_timeout(TIMEOUT).unwrap();
        assert_eq!(request.client().unwrap().pid, Some(other_client.id()));
        request.respond(&(number + 7)).unwrap();
        assert_eq!(other_client.receive(), (number + 7).to_string());
    }
}

#[test]
fn the_death_of_a_server_is_told_at_once_to_a_client_that_waits() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let client = call.client().unwrap();
    for sleeps in [false, true] {
        let mut child = Child::start_ready(&dir, "server", "");
        let mut pending = client.send(&1).unwrap();
        assert_eq!(child.ask("begin"), "1");
        assert_eq!(child.ask("part 5"), "done");
        let pid = child.id();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let first = pending.recv().unwrap();
                (first, pending.recv().unwrap_err())
            });
            if sleeps {
                dir.wait_for_waiters(NAME, 1);
            }
            child.kill();
            let (first, error) = waiting.join().unwrap();
            assert_eq!(first, Some(5), "what it answered before is received");
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            assert_eq!(error.peer().unwrap().pid, Some(pid), "{error}");
        });
        assert!(pending.is_over());
    }
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_request_that_no_server_began_goes_to_the_next_one() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let mut client = Child::start_ready(&dir, "client", "");
    let mut server = Child::start_ready(&dir, "server", "");
    client.send("send 1");
    assert_eq!(client.receive(), "sent");
    assert_eq!(server.ask("begin"), "1");
    assert_eq!(client.ask("send 2"), "sent");
    client.send("receive");
    dir.wait_for_waiters(NAME, 1);
    server.kill();
    answer(&call.server().unwrap(), 2, 20);
    assert_eq!(client.receive(), "Some(20)");
}

#[test]
fn a_request_whose_client_died_is_dropped() {
    let dir = TestDir::new();
    let call = options(&dir).in_flight(3).create(NAME).unwrap();
    let mut first = Child::start_ready(&dir, "server", "");
    let mut child = Child::start_ready(&dir, "client", "");
    (0..3).for_each(|number| assert_eq!(child.ask(format!("send {number}")), "sent"));
    assert_eq!(first.ask("begin"), "0");
    assert_eq!(first.ask("is_cancelled"), "false");
    child.kill();
    let server = call.server().unwrap();
    assert!(server.try_recv().unwrap().is_none(), "its client is dead");
    assert_eq!(first.ask("is_cancelled"), "true");
    assert_eq!(first.ask("respond 9"), "done");
    // All places can be used.
    let client = call.client().unwrap();
    let pending: Vec<_> = (0..3).map(|it| client.send_timeout(&it, TIMEOUT).unwrap()).collect();
    assert_eq!(*server.recv().unwrap(), 0);
    drop(pending);
}

#[test]
fn a_stopped_server_is_only_a_time_out() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let client = call.client().unwrap();
    let mut child = Child::start_ready(&dir, "server", "");
    let mut pending = client.send(&1).unwrap();
    assert_eq!(child.ask("begin"), "1");
    child.stop();
    let error = pending.recv_timeout(SLOW_CHECKS).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(error.peer().unwrap().pid, Some(child.id()));
    dir.assert_all_alive(NAME);
    drop(pending);
    // Another server answers other requests meanwhile, and the late answer reaches none of them.
    let server = call.server().unwrap();
    let mut second = client.send(&2).unwrap();
    let mut third = client.send(&3).unwrap();
    answer(&server, 2, 20);
    assert_eq!(second.recv().unwrap(), Some(20));
    child.resume();
    assert_eq!(child.ask("respond 10"), "BrokenPipe");
    assert_eq!(kind(third.recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    answer(&server, 3, 30);
    assert_eq!(third.recv().unwrap(), Some(30));
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_stopped_client_delays_no_other_and_is_not_robbed() {
    let dir = TestDir::new();
    let call = options(&dir).in_flight(2).create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "client", "");
    assert_eq!(child.ask("send 1"), "sent");
    child.stop();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    answer(&server, 1, 10);
    for number in 2..100 {
        let mut pending = client.send(&number).unwrap();
        answer(&server, number, number + 1);
        assert_eq!(pending.recv().unwrap(), Some(number + 1));
    }
    dir.assert_all_alive(NAME);
    child.resume();
    assert_eq!(child.ask("receive"), "Some(10)");
}

#[test]
fn users_of_a_removed_call_are_told() {
    let dir = TestDir::new();
    let _call = options(&dir).create(NAME).unwrap();
    let mut client = Child::start_ready(&dir, "client", "");
    let mut server = Child::start_ready(&dir, "server", "");
    assert_eq!(client.ask("send 1"), "sent");
    assert_eq!(server.ask("begin"), "1");
    client.send("receive");
    server.send("begin");
    dir.wait_for_waiters(NAME, 2);
    options(&dir).remove(NAME).unwrap();
    assert_eq!(client.receive(), "Closed");
    assert_eq!(server.receive(), "Closed");
}

#[test]
fn doctor_frees_what_the_dead_hold() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let mut client = Child::start_ready(&dir, "client", "");
    let mut server = Child::start_ready(&dir, "server", "");
    (0..3).for_each(|number| assert_eq!(client.ask(format!("send {number}")), "sent"));
    assert_eq!(server.ask("begin"), "0");
    server.kill();
    client.kill();
    let found = dir.repair();
    assert!(found.iter().any(|it| it.contains("with 1 of the requests")), "{found:?}");
    assert_eq!(call.counts().total(), 0);
    assert!(dir.describe(NAME).is_sound());
}
