//! Topics of a type that is known only at run time.

use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::{AnyTopic, ErrorKind, Options, Shareable, WhenFull};

use super::{TICK, TIMEOUT, TestDir, Tick, kind};

fn options(dir: &TestDir) -> Options<AnyTopic> {
    AnyTopic::options().directory(dir.0.path())
}

fn open(dir: &TestDir) -> AnyTopic {
    AnyTopic::open(Some(dir.0.path()), "topic", Trust::Own).unwrap()
}

/// The bytes of a value, with zeros as padding.
fn bytes(tick: Tick) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<Tick>()];
    tick.encode(&mut bytes);
    bytes
}

#[test]
fn a_program_that_does_not_know_the_type_publishes_and_receives_values() {
    let dir = TestDir::new();
    let typed = dir.options::<Tick>().create("topic").unwrap();
    let any = open(&dir);
    assert_eq!(any.schema().to_string(), Schema::of::<Tick>().to_string());
    assert_eq!((any.max_len(), any.depth(), any.when_full()), (None, 256, WhenFull::Block));
    let mut to_typed = typed.subscriber().unwrap();
    let mut to_any = any.subscriber(0).unwrap();
    typed.publisher().unwrap().publish(&TICK).unwrap();
    let mut publisher = any.publisher().unwrap();
    let mut with_garbage = bytes(TICK);
    with_garbage[17..].fill(0xee);
    assert_eq!(publisher.publish(&with_garbage).unwrap(), 2);
    for _ in 0..2 {
        assert_eq!(to_typed.recv().unwrap(), TICK);
        assert_eq!(to_any.recv_timeout(TIMEOUT).unwrap(), bytes(TICK));
    }
    assert_eq!(to_any.try_recv().unwrap(), None);
    assert_eq!(kind(to_any.recv_timeout(Duration::ZERO)), ErrorKind::TimedOut);
    assert_eq!((to_any.sequence(), to_any.lost(), any.sequence()), (2, 0, 2));
    assert_eq!(publisher.subscribers().unwrap(), 2);
    publisher.check_subscribers().unwrap();
}

#[test]
fn a_topic_of_lists_is_created_from_a_declaration() {
    let dir = TestDir::new();
    let declared = Schema::declare("instrument: u64, price: f64, is_last: bool").unwrap();
    let any = options(&dir).max_len(5).depth(4).create("topic", &declared).unwrap();
    assert!(any.was_created());
    assert_eq!((any.max_len(), any.depth(), any.name()), (Some(5), 4, "topic"));
    let typed = dir.options::<[Tick]>().open("topic").unwrap();
    assert_eq!(typed.max_len(), 5);
    let (mut to_typed, mut to_any) = (typed.subscriber().unwrap(), any.subscriber(0).unwrap());
    let mut publisher = any.publisher().unwrap();
    for length in [0, 1, 5, 2] {
        publisher.publish(&bytes(TICK).repeat(length)).unwrap();
        assert_eq!(to_typed.recv().unwrap(), vec![TICK; length]);
        assert_eq!(to_any.recv().unwrap(), bytes(TICK).repeat(length));
    }
    assert_eq!(kind(publisher.publish(&bytes(TICK).repeat(6))), ErrorKind::InvalidArgument);
    assert_eq!(kind(publisher.publish(&bytes(TICK)[1..])), ErrorKind::InvalidArgument);
}

#[test]
fn a_message_that_is_not_of_the_type_is_refused_with_the_field() {
    let dir = TestDir::new();
    drop(dir.options::<Tick>().create("topic").unwrap());
    let mut publisher = open(&dir).publisher().unwrap();
    let mut invalid = bytes(TICK);
    invalid[16] = 7;
    let error = publisher.publish(&invalid).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("field is_last is 7"), "{error}");
    assert!(error.to_string().contains("cannot publish to \"topic\""), "{error}");
    assert_eq!(kind(publisher.publish(&[])), ErrorKind::InvalidArgument);
}

#[test]
fn a_full_topic_is_told_in_time() {
    let dir = TestDir::new();
    let byte = Schema::declare("u8").unwrap();
    let any = options(&dir).depth(1).create("topic", &byte).unwrap();
    let _subscriber = any.subscriber(0).unwrap();
    let mut publisher = any.publisher().unwrap();
    publisher.publish(&[1]).unwrap();
    assert_eq!(kind(publisher.publish_timeout(&[2], Duration::ZERO)), ErrorKind::Full);
    let timeout = Duration::from_millis(1);
    assert_eq!(kind(publisher.publish_timeout(&[2], timeout)), ErrorKind::TimedOut);
    let dropping = options(&dir).depth(1).when_full(WhenFull::DropNew);
    let any = dropping.create("dropping", &byte).unwrap();
    let (_subscriber, mut publisher) = (any.subscriber(0).unwrap(), any.publisher().unwrap());
    assert_eq!([1, 2, 3].map(|it| publisher.publish(&[it]).unwrap()), [1, 0, 0]);
    assert_eq!(publisher.dropped(), 2);
}

#[test]
fn opening_or_creating_compares_type_and_options() {
    let dir = TestDir::new();
    let byte = Schema::declare("u8").unwrap();
    let lists = options(&dir).max_len(8);
    assert!(lists.open_or_create("topic", &byte).unwrap().was_created());
    assert!(!lists.open_or_create("topic", &byte).unwrap().was_created());
    let number = Schema::declare("u32").unwrap();
    assert_eq!(kind(lists.open_or_create("topic", &number)), ErrorKind::WrongType);
    assert_eq!(kind(options(&dir).open_or_create("topic", &byte)), ErrorKind::WrongType);
    let longer = options(&dir).max_len(9);
    assert_eq!(kind(longer.open_or_create("topic", &byte)), ErrorKind::WrongOptions);
    let overwriting = lists.clone().when_full(WhenFull::Overwrite);
    assert_eq!(kind(overwriting.open_or_create("topic", &byte)), ErrorKind::WrongOptions);
    assert_eq!(kind(options(&dir).max_len(0).create("none", &byte)), ErrorKind::InvalidArgument);
    assert_eq!(kind(options(&dir).depth(0).create("none", &byte)), ErrorKind::InvalidArgument);
}

#[test]
fn an_object_of_another_kind_is_refused() {
    let dir = TestDir::new();
    drop(shmkit::Latest::<u8>::options().directory(dir.0.path()).create("topic").unwrap());
    let opened = AnyTopic::open(Some(dir.0.path()), "topic", Trust::Own);
    assert_eq!(kind(opened), ErrorKind::WrongKind);
}

#[test]
fn large_messages_are_in_buffers_for_all() {
    let dir = TestDir::new();
    let byte = Schema::declare("u8").unwrap();
    let any = options(&dir).max_len(100_000).depth(2).create("topic", &byte).unwrap();
    let typed = dir.options::<[u8]>().open("topic").unwrap();
    let (mut from_any, mut from_typed) = (any.subscriber(0).unwrap(), typed.subscriber().unwrap());
    let (mut to_any, mut to_typed) = (any.publisher().unwrap(), typed.publisher().unwrap());
    for length in [0, 1, 100_000, 5_000] {
        let message = vec![7; length];
        to_any.publish(&message).unwrap();
        let mut loan = to_typed.loan_len(length).unwrap();
        loan.fill(8);
        loan.send().unwrap();
        assert_eq!([(); 2].map(|()| from_any.recv().unwrap()), [message.clone(), vec![8; length]]);
        assert_eq!(*from_typed.recv_sample().unwrap(), *message);
        assert_eq!(from_typed.recv().unwrap(), vec![8; length]);
    }
    assert_eq!(dir.number("buffers"), 2 + 8);
}

#[test]
fn history_comes_first() {
    let dir = TestDir::new();
    let any = options(&dir).max_len(4).create("topic", &Schema::declare("u8").unwrap()).unwrap();
    let mut publisher = any.publisher().unwrap();
    (1..=3).for_each(|length| _ = publisher.publish(&vec![7; length]).unwrap());
    let mut subscriber = any.subscriber(2).unwrap();
    assert_eq!([(); 2].map(|()| subscriber.recv().unwrap().len()), [2, 3]);
}
