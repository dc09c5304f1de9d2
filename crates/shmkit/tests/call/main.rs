//! What `Call` promises within one process. Between processes: `tests/processes`.

#[cfg(not(windows))]
mod allocations;
mod any;
mod lists;

use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{Call, CancelToken, ErrorKind, Message, Options, Queue, Shareable, inspect};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A timeout that is to expire.
const SHORT: Duration = Duration::from_millis(1);

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Padded {
    number: u64,
    flag: bool,
}

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options<Req: Message + ?Sized, Resp: Message + ?Sized>(&self) -> Options<Call<Req, Resp>> {
        Call::<Req, Resp>::options().directory(self.0.path())
    }

    fn describe(&self, name: &str) -> inspect::Description {
        inspect::describe(self.0.path(), name, Trust::Own).unwrap()
    }
}

#[track_caller]
fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

#[test]
fn another_handle_answers_requests_whole() {
    let dir = TestDir::new();
    let options = dir.options::<Padded, [u64; 8]>();
    let client = options.open_or_create("call").unwrap().client().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let call = options.open("call").unwrap();
            let server = call.server().unwrap();
            for number in 0..20_000 {
                let request = server.recv_timeout(TIMEOUT).unwrap();
                assert_eq!(*request, Padded { number, flag: number % 2 == 1 });
                request.respond(&[number; 8]).unwrap();
            }
        });
        for number in 0..20_000 {
            let request = Padded { number, flag: number % 2 == 1 };
            assert_eq!(client.call_timeout(&request, TIMEOUT).unwrap(), [number; 8]);
        }
    });
}

#[test]
fn many_clients_and_servers_answer_each_request_once() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().in_flight(3).create("call").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let server = call.server().unwrap();
                for request in server.iter() {
                    match request {
                        Ok(request) => {
                            let answer = request.wrapping_mul(3);
                            request.respond(&answer).unwrap();
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
                    }
                }
            });
        }
        let clients: Vec<_> = (0..4_u64)
            .map(|number| {
                let call = &call;
                scope.spawn(move || {
                    let client = call.client().unwrap();
                    for round in 0..2_000 {
                        let request = number << 32 | round;
                        let answer = client.call_timeout(&request, TIMEOUT).unwrap();
                        assert_eq!(answer, request.wrapping_mul(3));
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        dir.options::<u64, u64>().remove("call").unwrap();
    });
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn several_requests_of_a_client_are_answered_in_any_order() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending: Vec<_> = (0..10).map(|number| client.send(&number).unwrap()).collect();
    let requests: Vec<_> = (0..10).map(|_| server.recv().unwrap()).collect();
    assert!(requests.is_sorted_by_key(|request| request.number()));
    for (number, request) in (0..).zip(&requests) {
        assert_eq!(**request, number, "the oldest is begun first");
    }
    for request in requests.into_iter().rev() {
        let answer = *request + 100;
        request.respond(&answer).unwrap();
    }
    for (number, pending) in (0..).zip(&mut pending) {
        assert_eq!(pending.recv().unwrap(), Some(number + 100));
        assert!(pending.is_over());
        assert_eq!(pending.recv().unwrap(), None);
    }
}

#[test]
fn a_stream_waits_for_its_client_and_ends() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().parts(2).create("call").unwrap();
    assert_eq!((call.parts(), call.in_flight()), (2, 64));
    let client = call.client().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = call.server().unwrap();
            let mut request = server.recv_timeout(TIMEOUT).unwrap();
            for number in 0..10_000 {
                request.respond_part(&number).unwrap();
            }
            request.finish().unwrap();
        });
        let mut pending = client.send(&0).unwrap();
        let received: Vec<_> = pending.iter().map(Result::unwrap).collect();
        assert_eq!(received, Vec::from_iter(0..10_000));
        assert!(pending.is_over());
    });
    let server = call.server().unwrap();
    let mut pending = client.send(&1).unwrap();
    let mut request = server.recv().unwrap();
    (0..2).for_each(|number| request.respond_part(&number).unwrap());
    let error = request.respond_part_timeout(&2, SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.peer(), request.client().as_ref());
    assert_eq!(kind(request.respond_part_until(&2, Instant::now())), ErrorKind::TimedOut);
    assert_eq!(pending.recv().unwrap(), Some(0));
    request.respond_part_timeout(&2, TIMEOUT).unwrap();
    pending.recv().unwrap();
    request.respond(&3).unwrap();
    assert_eq!([pending.recv().unwrap(), pending.recv().unwrap()], [Some(2), Some(3)]);
    assert_eq!(pending.recv().unwrap(), None);
}

#[test]
fn a_request_without_an_answer_is_refused() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&0).unwrap();
    drop(server.recv().unwrap());
    let error = pending.recv().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = "cannot call \"call\": the server ended the request without an answer";
    assert_eq!(error.to_string(), text);
    assert_eq!(pending.recv().unwrap(), None);

    let mut pending = client.send(&0).unwrap();
    let mut request = server.recv().unwrap();
    request.respond_part(&1).unwrap();
    request.refuse();
    assert_eq!(pending.recv().unwrap(), Some(1));
    assert_eq!(kind(pending.recv()), ErrorKind::Refused);

    // A handler that panics.
    let mut pending = client.send(&0).unwrap();
    std::thread::scope(|scope| {
        let handler = scope.spawn(|| {
            let _request = server.recv().unwrap();
            std::panic::resume_unwind(Box::new("a panic of the handler"));
        });
        handler.join().unwrap_err();
    });
    assert_eq!(kind(pending.recv_timeout(TIMEOUT)), ErrorKind::Refused);

    // An end without a response.
    std::thread::scope(|scope| {
        scope.spawn(|| server.recv_timeout(TIMEOUT).unwrap().finish().unwrap());
        assert_eq!(kind(client.call_timeout(&0, TIMEOUT)), ErrorKind::Refused);
    });
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn time_limits_give_the_request_up_and_say_why() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().create("call").unwrap();
    let client = call.client().unwrap();
    let error = client.call_timeout(&1, SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = "no server began the request before the timeout expired: there is no server";
    assert_eq!(error.reason(), text);
    assert_eq!(kind(client.call_until(&1, Instant::now())), ErrorKind::TimedOut);
    let server = call.server().unwrap();
    assert!(server.try_recv().unwrap().is_none(), "it was taken back");
    assert_eq!(kind(server.recv_timeout(SHORT)), ErrorKind::TimedOut);
    assert_eq!(kind(server.recv_until(Instant::now())), ErrorKind::TimedOut);
    assert_eq!(client.servers().unwrap(), 1);

    let mut pending = client.send(&2).unwrap();
    assert_eq!(pending.try_recv().unwrap(), None);
    assert!(!pending.is_over());
    let request = server.recv().unwrap();
    assert!(!request.is_cancelled());
    let error = pending.recv_timeout(SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.peer().unwrap().pid, Some(std::process::id()));
    // It can be waited for again.
    assert_eq!(kind(pending.recv_until(Instant::now())), ErrorKind::TimedOut);
    pending.cancel();
    assert!(request.is_cancelled());
    assert_eq!(kind(request.respond(&3)), ErrorKind::BrokenPipe);
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_late_answer_reaches_no_other_request() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().in_flight(2).create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let first = client.send(&1).unwrap();
    let late = server.recv().unwrap();
    drop(first);
    let mut second = client.send(&2).unwrap();
    // The slot of the first one is still with its server.
    assert_eq!(kind(client.try_send(&3)), ErrorKind::Full);
    assert_eq!(kind(late.respond(&100)), ErrorKind::BrokenPipe);
    assert_eq!(second.try_recv().unwrap(), None);
    let third = client.try_send(&3).unwrap();
    server.recv().unwrap().respond(&102).unwrap();
    assert_eq!(second.recv().unwrap(), Some(102));
    drop(third);
}

#[test]
fn full_says_what_there_is() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().in_flight(3).create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending: Vec<_> = (0..3).map(|number| client.send(&number).unwrap()).collect();
    let request = server.recv().unwrap();
    server.recv().unwrap().respond(&1).unwrap();
    let error = client.try_send(&3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let text = "cannot call \"call\": it holds 3 requests at the most (1 wait, 1 are being \
                answered, 1 answered, and not yet read), and there is 1 server";
    assert_eq!(error.to_string(), text);
    assert_eq!(kind(client.send_timeout(&3, SHORT)), ErrorKind::TimedOut);
    assert_eq!(kind(client.send_until(&3, Instant::now())), ErrorKind::TimedOut);
    let counts = call.counts();
    assert_eq!((counts.waiting, counts.begun, counts.answered, counts.total()), (1, 1, 1, 3));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| client.send_timeout(&3, TIMEOUT).map(drop));
        assert_eq!(pending[1].recv().unwrap(), Some(1));
        sending.join().unwrap().unwrap();
    });
    drop(request);
    drop(pending);
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_stream_whose_client_goes_tells_its_server() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().parts(1).create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&1).unwrap();
    let mut request = server.recv().unwrap();
    std::thread::scope(|scope| {
        let serving = scope.spawn(move || {
            for number in 0.. {
                if let Err(error) = request.respond_part(&number) {
                    return error.kind();
                }
            }
            unreachable!()
        });
        (0..100).for_each(|number| assert_eq!(pending.recv().unwrap(), Some(number)));
        drop(pending);
        assert_eq!(serving.join().unwrap(), ErrorKind::BrokenPipe);
    });
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_removed_call_tells_those_who_wait() {
    let dir = TestDir::new();
    let options = dir.options::<u64, u64>();
    let call = options.parts(1).create("call").unwrap();
    let (client, server, idle) =
        (call.client().unwrap(), call.server().unwrap(), call.server().unwrap());
    let mut answered = client.send(&0).unwrap();
    server.recv().unwrap().respond(&7).unwrap();
    let mut stream = client.send(&0).unwrap();
    let mut request = server.recv().unwrap();
    request.respond_part(&1).unwrap();
    std::thread::scope(|scope| {
        let waiting =
            [scope.spawn(|| kind(client.call(&1))), scope.spawn(|| kind(request.respond_part(&2)))];
        let served = scope.spawn(|| {
            let mut held = Vec::new();
            loop {
                match idle.recv() {
                    Ok(request) => held.push(request),
                    // What it has is dropped after the client was told.
                    Err(error) => return (error.kind(), held),
                }
            }
        });
        while dir.describe("call").participants.iter().map(|it| it.waiting).sum::<u32>() < 3 {
            std::thread::yield_now();
        }
        dir.options::<u64, u64>().remove("call").unwrap();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
        assert_eq!(served.join().unwrap().0, ErrorKind::Closed);
    });
    // What was answered before is received.
    assert_eq!(answered.recv().unwrap(), Some(7));
    assert_eq!(stream.recv().unwrap(), Some(1));
    assert_eq!(kind(stream.recv()), ErrorKind::Closed);
    assert_eq!(kind(client.send(&1)), ErrorKind::Closed);
    assert_eq!(kind(server.try_recv()), ErrorKind::Closed);
}

#[test]
fn a_cancelled_wait_ends_and_the_request_can_be_waited_for_again() {
    let dir = TestDir::new();
    let call = dir.options::<u64, u64>().create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&1).unwrap();
    let token = CancelToken::new();
    token.cancel();
    assert_eq!(kind(token.run(|| pending.recv())), ErrorKind::Cancelled);
    server.recv().unwrap().respond(&2).unwrap();
    assert_eq!(kind(token.run(|| server.recv())), ErrorKind::Cancelled);
    assert_eq!(pending.recv().unwrap(), Some(2));
}

#[test]
fn a_value_that_is_none_of_the_type_is_refused() {
    let dir = TestDir::new();
    let bytes = dir.options::<u8, u8>().create("call").unwrap();
    let (client, server) = (bytes.client().unwrap(), bytes.server().unwrap());
    // The layouts of `u8` and `bool` differ: both are tried through the file.
    let flags = dir.options::<bool, bool>();
    assert_eq!(kind(flags.open("call")), ErrorKind::WrongType);
    drop((client, server, bytes));
    let call = flags.create("flags").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&true).unwrap();
    let place = 256 + 128 + 3 * 8;
    let file = dir.0.path().join("flags.shmkit");
    overwrite(&file, place, 2);
    assert_eq!(kind(server.recv()), ErrorKind::Corrupt);
    assert_eq!(kind(pending.recv()), ErrorKind::Refused);

    let mut pending = client.send(&true).unwrap();
    server.recv().unwrap().respond(&true).unwrap();
    overwrite(&file, 256 + 128 + 64 + 8, 2);
    assert_eq!(kind(pending.recv()), ErrorKind::Corrupt);
    assert!(pending.is_over());
    assert_eq!(call.counts().total(), 0);
}

/// Writes a byte into the payload of an object.
fn overwrite(file: &std::path::Path, place: u64, byte: u8) {
    use std::io::{Seek, SeekFrom, Write};
    let bytes = std::fs::read(file).unwrap();
    let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap());
    let mut file = std::fs::File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(payload + place)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[test]
fn options_are_checked_and_compared() {
    let dir = TestDir::new();
    let options = dir.options::<u64, u64>();
    for wrong in [options.clone().in_flight(0), options.clone().in_flight(4_097)] {
        assert_eq!(kind(wrong.create("call")), ErrorKind::InvalidArgument);
    }
    for parts in [0, 1_024] {
        assert_eq!(kind(options.clone().parts(parts).create("call")), ErrorKind::InvalidArgument);
    }
    options.clone().in_flight(100).parts(1).create("call").unwrap();
    assert_eq!(options.open("call").unwrap().in_flight(), 100);
    let wrong = options.clone().in_flight(101);
    assert_eq!(kind(wrong.open("call")), ErrorKind::WrongOptions);
    assert_eq!(kind(options.clone().parts(4).open("call")), ErrorKind::WrongOptions);
    assert_eq!(kind(dir.options::<u64, u32>().open("call")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<u32, u64>().open("call")), ErrorKind::WrongType);
    let queue = Queue::<u64>::options().directory(dir.0.path());
    assert_eq!(kind(queue.open("call")), ErrorKind::WrongKind);
    assert!(!options.open_or_create("call").unwrap().was_created());
}

#[test]
fn a_small_call_is_small_and_is_described() {
    let dir = TestDir::new();
    let call = dir.options::<[u64; 8], [u64; 8]>().create("call").unwrap();
    let file = dir.0.path().join("call.shmkit");
    assert!(std::fs::metadata(file).unwrap().len() <= 64 << 10);
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let _pending = [(); 3].map(|()| client.send(&[0; 8]).unwrap());
    let _request = server.recv().unwrap();
    assert_eq!(call.count_participants(), (1, 1));
    let description = dir.describe("call");
    let state = &description.parts[0].state;
    assert_eq!(state.text, "2 waiting, 1 begun, of 64");
    let numbers = [("waiting", 2), ("begun", 1), ("clients", 1), ("servers", 1), ("requests", 3)];
    for (name, number) in numbers {
        assert_eq!(state.number(name), Some(number), "{name}");
    }
    assert_eq!(state.holders.len(), 1);
    assert_eq!(state.holders[0].text(), "has 1 request");
    assert!(description.is_sound());
}

#[test]
fn large_values_pass() {
    let dir = TestDir::new();
    let options = dir.options::<[u64; 4_000], [u64; 8_000]>().in_flight(2).parts(1);
    let call = options.create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    for number in 0..5 {
        let mut pending = client.send(&[number; 4_000]).unwrap();
        let request = server.recv().unwrap();
        assert_eq!(*request, [number; 4_000]);
        request.respond(&[number + 1; 8_000]).unwrap();
        assert_eq!(pending.recv().unwrap(), Some([number + 1; 8_000]));
    }
}
