//! Messages that are lists, each with a length of its own.

use shmkit::{ErrorKind, Shareable, Topic, WhenFull};

use super::{TICK, TIMEOUT, TestDir, Tick, kind, write_at};

#[test]
fn each_message_has_its_own_length_also_none() {
    let dir = TestDir::new();
    let topic = dir.options::<[u8]>().max_len(100).create("topic").unwrap();
    assert_eq!(topic.max_len(), 100);
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut into = Vec::new();
    for length in (0..=100).chain((0..100).rev()) {
        let message: Vec<u8> = (0..length).map(|at| at + length).collect();
        assert_eq!(publisher.publish(&message).unwrap(), 1);
        assert_eq!(subscriber.recv().unwrap(), message);
        assert_eq!(publisher.publish(&message[..]).unwrap(), 1);
        subscriber.recv_into(&mut into, TIMEOUT).unwrap();
        assert_eq!(into, message);
        assert_eq!(subscriber.try_recv().unwrap(), None);
    }
    assert_eq!(dir.number("max_len"), 100);
    assert_eq!(dir.number("value_bytes"), 100);
}

#[test]
fn a_message_that_is_too_long_says_both_numbers_and_reaches_nobody() {
    let dir = TestDir::new();
    let topic = dir.options::<[u32]>().max_len(4).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let error = publisher.publish(&[1, 2, 3, 4, 5][..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let text = error.to_string();
    assert!(text.contains("cannot publish to \"topic\": "), "{text}");
    assert!(text.contains("5 elements, and at most 4 are allowed"), "{text}");
    assert_eq!(topic.sequence(), 0);
    publisher.publish(&[1, 2, 3, 4][..]).unwrap();
    assert_eq!(subscriber.recv().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn padding_in_the_elements_is_shared_as_zeros() {
    let dir = TestDir::new();
    let topic = dir.options::<[Tick]>().max_len(3).create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    publisher.publish(&[TICK; 3][..]).unwrap();
    publisher.publish(&[TICK; 1][..]).unwrap();
    assert_eq!(subscriber.recv().unwrap(), [TICK; 3]);
    assert_eq!(subscriber.recv().unwrap(), [TICK; 1]);
    let bytes = std::fs::read(dir.file()).unwrap();
    let encoded = [7_u64.to_le_bytes(), 2.5_f64.to_le_bytes(), [1, 0, 0, 0, 0, 0, 0, 0]].concat();
    let found = bytes.windows(24).filter(|window| **window == encoded[..]).count();
    assert_eq!(found, 4, "padding is not zeros");
}

#[test]
fn opening_compares_the_length_if_one_is_chosen() {
    let dir = TestDir::new();
    let _topic = dir.options::<[u16]>().max_len(10).create("topic").unwrap();
    assert_eq!(dir.options::<[u16]>().open("topic").unwrap().max_len(), 10);
    assert_eq!(dir.options::<[u16]>().open_or_create("topic").unwrap().max_len(), 10);
    let other = dir.options::<[u16]>().max_len(11);
    assert_eq!(kind(other.open("topic")), ErrorKind::WrongOptions);
    assert_eq!(kind(other.open_or_create("topic")), ErrorKind::WrongOptions);
}

#[test]
fn a_list_is_not_one_value_and_the_error_says_so() {
    let dir = TestDir::new();
    drop(dir.options::<[u16]>().max_len(4).create("topic").unwrap());
    drop(dir.options::<[u16; 4]>().create("values").unwrap());
    let error = dir.options::<[u16; 4]>().open("topic").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().contains("a list of up to 4 elements in the object"), "{error}");
    let error = dir.options::<[u16]>().open("values").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().contains("one value in the object"), "{error}");
    let error = dir.options::<[i16]>().open("topic").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().contains("[i16; 4] here and [u16; 4] in the object"), "{error}");
}

#[test]
fn lengths_that_no_topic_can_have_are_refused() {
    let dir = TestDir::new();
    for len in [0, usize::MAX / 2, usize::MAX] {
        let options = dir.options::<[u64]>().max_len(len);
        assert_eq!(kind(options.create("topic")), ErrorKind::InvalidArgument, "{len}");
        assert_eq!(kind(options.open_or_create("topic")), ErrorKind::InvalidArgument, "{len}");
    }
}

#[test]
fn the_default_has_room_for_lists_of_4_kib() {
    let dir = TestDir::new();
    let options = dir.options::<[u64]>();
    let topic = options.create("topic").unwrap();
    assert_eq!((topic.max_len(), topic.depth()), (512, 32));
    options.remove("topic").unwrap();
    let large = dir.options::<[[u8; 5_000]]>().create("topic").unwrap();
    assert_eq!(large.max_len(), 1);
}

#[test]
fn lists_are_whole_while_they_are_overwritten() {
    let dir = TestDir::new();
    let options = dir.options::<[u64]>().max_len(64).depth(2).when_full(WhenFull::Overwrite);
    let topic = options.create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = topic.publisher().unwrap();
            for number in 1..=50_000_u64 {
                let list = vec![number; (number % 65) as usize];
                publisher.publish(&list).unwrap();
            }
        });
        let mut received = 0;
        while subscriber.sequence() < 50_000 {
            let list = subscriber.recv_timeout(TIMEOUT).unwrap();
            let number = subscriber.sequence();
            assert_eq!(list, vec![number; (number % 65) as usize], "torn");
            received += 1;
        }
        assert_eq!(received + subscriber.lost(), 50_000);
    });
}

#[test]
fn an_element_that_is_no_value_is_an_error_once() {
    #[derive(Shareable, Clone, Copy, Debug, PartialEq)]
    #[repr(u8)]
    enum Color {
        Red = 0x51,
        Blue = 0x52,
    }
    let dir = TestDir::new();
    let topic = dir.options::<[Color]>().max_len(8).create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    publisher.publish(&[Color::Red; 8][..]).unwrap();
    publisher.publish(&[Color::Blue; 2][..]).unwrap();
    let bytes = std::fs::read(dir.file()).unwrap();
    let place = bytes.windows(8).position(|window| window == [0x51; 8]).unwrap();
    write_at(&dir.file(), &[0x53], place as u64 + 7);
    assert_eq!(kind(subscriber.recv()), ErrorKind::Corrupt);
    assert_eq!(subscriber.recv().unwrap(), [Color::Blue; 2]);
}

#[test]
fn lists_that_fit_take_no_memory() {
    let dir = TestDir::new();
    let topic: Topic<[u64]> = dir.options::<[u64]>().max_len(64).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut into = Vec::with_capacity(64);
    let place = into.as_ptr();
    for length in 0..=64 {
        publisher.publish(&vec![length; length as usize]).unwrap();
        subscriber.recv_into(&mut into, TIMEOUT).unwrap();
        assert_eq!(into, vec![length; length as usize]);
        assert_eq!(into.as_ptr(), place);
    }
}
