//! Calls whose types are known at run time.

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::{AnyCall, ErrorKind, Options};

use super::{Padded, SHORT, TIMEOUT, TestDir, kind};

fn options(dir: &TestDir) -> Options<AnyCall> {
    AnyCall::options().directory(dir.0.path())
}

#[test]
fn a_program_without_the_types_asks_and_answers() {
    let dir = TestDir::new();
    let typed = dir.options::<Padded, u64>().create("call").unwrap();
    let any = AnyCall::open(Some(dir.0.path()), "call", Trust::Own).unwrap();
    assert_eq!(any.request_schema(), &Schema::of::<Padded>());
    assert_eq!(any.response_schema(), &Schema::of::<u64>());

    let (client, server) = (typed.client().unwrap(), any.server().unwrap());
    let mut pending = client.send(&Padded { number: 7, flag: true }).unwrap();
    let mut request = server.recv(None).unwrap();
    assert_eq!(request.bytes()[..9], [7, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(kind(request.respond_part(&[1; 7], None)), ErrorKind::InvalidArgument);
    request.respond_part(&1_u64.to_le_bytes(), Some(TIMEOUT)).unwrap();
    assert!(!request.is_cancelled());
    assert_eq!(request.client().unwrap().pid, Some(std::process::id()));
    request.finish().unwrap();
    assert_eq!((pending.recv().unwrap(), pending.recv().unwrap()), (Some(1), None));

    let (client, server) = (any.client().unwrap(), typed.server().unwrap());
    let mut bytes = [0xee; 16];
    bytes[8] = 2;
    assert_eq!(kind(client.send(&bytes, None)), ErrorKind::InvalidArgument, "no bool");
    bytes[8] = 1;
    let mut pending = client.send(&bytes, None).unwrap();
    assert_eq!(kind(pending.recv(Some(SHORT))), ErrorKind::TimedOut);
    let request = server.recv().unwrap();
    assert_eq!(request.number, u64::from_le_bytes([0xee; 8]));
    request.respond(&9).unwrap();
    assert_eq!(pending.recv(None).unwrap(), Some(9_u64.to_le_bytes().to_vec()));
    assert_eq!(pending.recv(None).unwrap(), None);
    assert!(pending.is_over());
    assert_eq!(any.counts().total(), 0);
    assert_eq!(any.count_participants(), (2, 2));
}

#[test]
fn a_call_is_created_from_two_declarations() {
    let dir = TestDir::new();
    let [number, flag] = ["u64", "bool"].map(|text| Schema::declare(text).unwrap());
    let any = options(&dir).in_flight(5).parts(2).create("call", &number, &flag).unwrap();
    assert!(any.was_created());
    let typed = dir.options::<u64, bool>().open("call").unwrap();
    assert_eq!((typed.in_flight(), typed.parts()), (5, 2));
    let again = options(&dir).open_or_create("call", &number, &flag).unwrap();
    assert!(!again.was_created());
    let wrong = options(&dir).open_or_create("call", &flag, &flag);
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    let wrong = options(&dir).open_or_create("call", &number, &number);
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    let wrong = options(&dir).parts(3).open_or_create("call", &number, &flag);
    assert_eq!(kind(wrong), ErrorKind::WrongOptions);
    let wrong = options(&dir).parts(0).create("other", &number, &flag);
    assert_eq!(kind(wrong), ErrorKind::InvalidArgument);
    assert_eq!(kind(AnyCall::open(Some(dir.0.path()), "none", Trust::Own)), ErrorKind::NotFound);
}
