//! Requests and responses that are lists, each with a length of its own.

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::{AnyCall, ErrorKind};

use super::{Padded, SHORT, TIMEOUT, TestDir, kind, overwrite};

#[test]
fn lists_of_each_length_pass_both_ways() {
    let dir = TestDir::new();
    let options = dir.options::<[u8], [u16]>().max_request_len(300).max_response_len(20);
    let call = options.in_flight(1).parts(2).create("call").unwrap();
    assert_eq!((call.max_request_len(), call.max_response_len()), (300, 20));
    let other = dir.options::<[u8], [u16]>().open("call").unwrap();
    let (client, server) = (call.client().unwrap(), other.server().unwrap());
    let (bytes, numbers) = ([7; 301], [9; 21]);
    for length in (0..=300).rev() {
        let mut pending = client.send(&bytes[..length]).unwrap();
        let mut request = server.recv().unwrap();
        assert_eq!(request[..], bytes[..length], "{length}");
        let answers = [&numbers[..length % 21], &[], &numbers[..20]];
        request.respond_part(answers[0]).unwrap();
        request.try_respond_part(answers[1]).unwrap();
        assert_eq!(pending.recv().unwrap().unwrap(), answers[0]);
        request.respond(answers[2]).unwrap();
        assert_eq!(pending.iter().map(Result::unwrap).collect::<Vec<_>>(), &answers[1..]);
    }
    let refused = client.send(&bytes).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("301 elements, and at most 300"), "{refused}");
    let mut pending = client.send(&[]).unwrap();
    let mut request = server.recv().unwrap();
    assert_eq!(kind(request.respond_part(&numbers)), ErrorKind::InvalidArgument);
    assert_eq!(kind(request.respond(&numbers)), ErrorKind::InvalidArgument);
    assert_eq!(kind(pending.recv()), ErrorKind::Refused);
}

#[test]
fn lists_of_structs_and_lists_on_one_side_only() {
    let dir = TestDir::new();
    let sums = dir.options::<[Padded], u64>().create("sums").unwrap();
    assert_eq!((sums.max_request_len(), sums.max_response_len()), (256, 1));
    let counts = dir.options::<u64, [Padded]>().create("counts").unwrap();
    let (client, server) = (sums.client().unwrap(), sums.server().unwrap());
    let (counting, counter) = (counts.client().unwrap(), counts.server().unwrap());
    let mut into = Vec::with_capacity(9);
    let place = into.as_ptr();
    for length in 0..=9 {
        let list: Vec<_> = (0..length).map(|number| Padded { number, flag: true }).collect();
        let mut sum = client.send(&list).unwrap();
        let request = server.recv().unwrap();
        assert_eq!(*request, list);
        let answer = request.iter().map(|it| it.number).sum();
        request.respond(&answer).unwrap();
        assert_eq!(sum.recv().unwrap(), Some((0..length).sum()));

        let mut counted = counting.send(&length).unwrap();
        counter.recv().unwrap().respond(&list).unwrap();
        assert!(counted.recv_into(&mut into, TIMEOUT).unwrap());
        assert_eq!(into, list);
        assert!(!counted.recv_into(&mut into, SHORT).unwrap());
        assert!(into.is_empty());
    }
    assert_eq!(into.as_ptr(), place, "its memory is used again");
}

#[test]
fn a_length_or_an_element_that_no_participant_writes_is_refused() {
    let dir = TestDir::new();
    let options = dir.options::<[bool], [bool]>().max_request_len(8).max_response_len(8);
    let call = options.in_flight(1).create("call").unwrap();
    let any = AnyCall::open(Some(dir.0.path()), "call", Trust::Own).unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let (asking, answering) = (any.client().unwrap(), any.server().unwrap());
    let file = dir.0.path().join("call.shmkit");
    // The slot, and the request and the first response in it.
    let (slot, request_at, response_at) = (384, 24, 72);
    for (place, byte) in [(0, 9), (7, 0x80), (8, 2)] {
        let mut pending = client.send(&[true; 8]).unwrap();
        overwrite(&file, slot + request_at + place, byte);
        assert_eq!(kind(server.try_recv()), ErrorKind::Corrupt, "{place}");
        assert_eq!(kind(pending.recv()), ErrorKind::Refused);
        let mut pending = client.send(&[true; 8]).unwrap();
        overwrite(&file, slot + request_at + place, byte);
        assert_eq!(kind(answering.try_recv()), ErrorKind::Corrupt, "{place}");
        assert_eq!(kind(pending.recv()), ErrorKind::Refused);

        let mut pending = client.send(&[true; 8]).unwrap();
        server.recv().unwrap().respond(&[true; 8]).unwrap();
        overwrite(&file, slot + response_at + place, byte);
        assert_eq!(kind(pending.recv()), ErrorKind::Corrupt, "{place}");
        let mut pending = asking.send(&[1; 8], None).unwrap();
        server.recv().unwrap().respond(&[true; 8]).unwrap();
        overwrite(&file, slot + response_at + place, byte);
        assert_eq!(kind(pending.recv(None)), ErrorKind::Corrupt, "{place}");
    }
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_call_of_lists_is_not_one_of_values_and_lengths_are_compared() {
    let dir = TestDir::new();
    let options = dir.options::<[u8], [u8]>();
    let lists = options.clone().max_request_len(16).max_response_len(32);
    assert!(lists.open_or_create("lists").unwrap().was_created());
    dir.options::<[u8; 16], [u8; 32]>().create("values").unwrap();
    assert_eq!(kind(dir.options::<[u8; 16], [u8]>().open("lists")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<[u8], [u8; 32]>().open("lists")), ErrorKind::WrongType);
    assert_eq!(kind(options.open("values")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<[u8], [u16]>().open("lists")), ErrorKind::WrongType);
    for wrong in [options.clone().max_request_len(17), options.clone().max_response_len(16)] {
        assert_eq!(kind(wrong.open("lists")), ErrorKind::WrongOptions);
    }
    assert!(!lists.open_or_create("lists").unwrap().was_created());
    let found = options.clone().max_response_len(32).open("lists").unwrap();
    assert_eq!((found.max_request_len(), found.max_response_len()), (16, 32));
    for wrong in [
        options.clone().max_request_len(0).max_response_len(1),
        options.clone().max_response_len(1 << 32),
        options.clone().parts(0).in_flight(1),
        options.clone().max_request_len(u32::MAX as usize).in_flight(0),
    ] {
        assert_eq!(kind(wrong.create("no")), ErrorKind::InvalidArgument);
    }
    let large = dir.options::<[[u64; 64]], u8>().max_request_len(u32::MAX as usize);
    assert_eq!(kind(large.create("no")), ErrorKind::InvalidArgument);
    let part = dir.describe("lists");
    let state = &part.only_part().unwrap().state;
    let lengths = ["max_request_len", "max_response_len"].map(|name| state.number(name).unwrap());
    assert_eq!(lengths, [16, 32]);
    assert!(part.is_sound());
}

#[test]
fn a_program_without_the_types_passes_lists() {
    let dir = TestDir::new();
    let [byte, flag] = ["u8", "bool"].map(|text| Schema::declare(text).unwrap());
    let options = AnyCall::options().directory(dir.0.path());
    let lists = options.clone().max_request_len(5).max_response_len(3);
    let any = lists.create("call", &byte, &flag).unwrap();
    assert_eq!((any.max_request_len(), any.max_response_len()), (Some(5), Some(3)));
    assert_eq!((any.request_schema(), any.response_schema()), (&byte, &flag));
    assert!(options.create("other", &byte, &flag).unwrap().max_request_len().is_none());
    let wrong = options.open_or_create("call", &byte, &flag);
    assert_eq!(kind(wrong), ErrorKind::WrongType);
    assert!(!lists.open_or_create("call", &byte, &flag).unwrap().was_created());
    let wrong = lists.clone().max_response_len(4).open_or_create("call", &byte, &flag);
    assert_eq!(kind(wrong), ErrorKind::WrongOptions);

    let typed = dir.options::<[u8], [bool]>().open("call").unwrap();
    let (client, server) = (typed.client().unwrap(), any.server().unwrap());
    let (asking, answering) = (any.client().unwrap(), typed.server().unwrap());
    for length in 0..=5 {
        let list = &[1, 2, 3, 4, 5][..length];
        let mut pending = client.send(list).unwrap();
        let request = server.recv(None).unwrap();
        assert_eq!(request.bytes(), list);
        request.respond(&[1; 3][..length.min(3)]).unwrap();
        assert_eq!(pending.recv().unwrap(), Some(vec![true; length.min(3)]));
        let mut pending = asking.send(list, None).unwrap();
        let request = answering.recv().unwrap();
        assert_eq!(*request, list);
        request.respond(&[true; 3][..length.min(3)]).unwrap();
        assert_eq!(pending.recv(None).unwrap(), Some(vec![1; length.min(3)]));
    }
    assert_eq!(kind(asking.send(&[0; 6], None)), ErrorKind::InvalidArgument);
    let _pending = asking.send(&[], None).unwrap();
    let mut request = server.recv(None).unwrap();
    for wrong in [&[1; 4][..], &[2]] {
        assert_eq!(kind(request.respond_part(wrong, None)), ErrorKind::InvalidArgument);
    }
}
