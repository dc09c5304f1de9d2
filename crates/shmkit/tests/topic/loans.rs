//! Messages that are filled in place, and borrowed instead of copied.

use std::time::Duration;

use shmkit::{ErrorKind, Shareable, WhenFull};

use super::{TIMEOUT, TestDir, kind, write_at};

/// More than 4 KiB: it is in buffers.
type Large = [u64; 1_000];

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Padded {
    flag: bool,
    number: u32,
}

/// How many buffers are free, lent to publishers, and borrowed.
fn buffers(dir: &TestDir) -> [u64; 3] {
    ["buffers_free", "buffers_lent", "samples"].map(|name| dir.number(name))
}

#[test]
fn a_message_is_filled_in_place_and_borrowed() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().create("topic").unwrap();
    assert_eq!((dir.number("buffers"), topic.depth()), (32 + 8, 32));
    let mut publisher = topic.publisher().unwrap();
    let mut subscribers = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    for number in 1..=100 {
        let mut loan = publisher.loan().unwrap();
        loan.fill(number);
        loan[999] = 7;
        assert_eq!(loan[..2], [number; 2]);
        assert_eq!(loan.send().unwrap(), 2);
        let [first, second] = &mut subscribers;
        let sample = first.recv_sample().unwrap();
        assert_eq!((sample[0], sample[998], sample[999]), (number, number, 7));
        assert_eq!(sample.sequence(), number);
        assert_eq!(second.recv().unwrap(), *sample);
    }
    drop((publisher, subscribers));
    assert_eq!(buffers(&dir), [8, 0, 0]);
}

#[test]
fn a_loan_that_is_dropped_publishes_nothing_and_is_used_again() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    for _ in 0..1_000 {
        publisher.loan().unwrap().fill(7);
    }
    assert_eq!((topic.sequence(), buffers(&dir)), (0, [39, 1, 0]));
    drop(publisher);
    assert_eq!(buffers(&dir), [40, 0, 0]);
}

#[test]
fn a_loan_that_is_held_delays_nobody_and_its_order_is_decided_when_it_is_sent() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().depth(2).create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let (mut slow, mut fast) = (topic.publisher().unwrap(), topic.publisher().unwrap());
    let mut loan = slow.loan().unwrap();
    loan.fill(0);
    for number in 1..=100 {
        fast.publish(&[number; 1_000]).unwrap();
        assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), [number; 1_000]);
    }
    loan.send().unwrap();
    assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), [0; 1_000]);
    assert_eq!(subscriber.sequence(), 101);
}

#[test]
fn a_sample_that_is_held_stays_and_delays_nobody() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        let dir = TestDir::new();
        let options = dir.options::<Large>().depth(2).when_full(when_full);
        let topic = options.create("topic").unwrap();
        let mut publisher = topic.publisher().unwrap();
        let mut holder = topic.subscriber().unwrap();
        publisher.publish(&[1; 1_000]).unwrap();
        let held = holder.recv_sample().unwrap();
        for number in 2..=100 {
            publisher.publish(&[number; 1_000]).unwrap();
            assert_eq!(*holder.recv_sample_timeout(TIMEOUT).unwrap(), [number; 1_000]);
            assert_eq!(*held, [1; 1_000]);
        }
        assert_eq!(buffers(&dir)[2], 1);
        drop((holder, publisher));
        assert_eq!(*held, [1; 1_000], "it outlives its subscriber");
        assert_eq!(buffers(&dir)[2], 1);
        drop(held);
        assert_eq!(buffers(&dir), [8, 0, 0]);
    }
}

#[test]
fn a_subscriber_with_too_many_samples_is_told_and_goes_on_after_one_drop() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    (1..=10).for_each(|number| _ = publisher.publish(&[number; 1_000]).unwrap());
    let mut samples: Vec<_> = (1..=8).map(|_| subscriber.recv_sample().unwrap()).collect();
    for _ in 0..2 {
        let error = subscriber.try_recv_sample().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(error.to_string().contains("holds 8 samples, the most that it can"), "{error}");
    }
    drop(samples.remove(3));
    samples.push(subscriber.recv_sample().unwrap());
    assert_eq!(subscriber.recv().unwrap()[0], 10, "copies need no sample");
    let numbers: Vec<_> = samples.iter().map(|it| it[0]).collect();
    assert_eq!(numbers, [1, 2, 3, 5, 6, 7, 8, 9]);
}

#[test]
fn samples_go_to_other_threads_and_are_used_again() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().depth(4).create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = topic.publisher().unwrap();
            (1..=2_000).for_each(|number| _ = publisher.publish(&[number; 1_000]).unwrap());
        });
        let (to, from) = std::sync::mpsc::sync_channel::<shmkit::Sample<Large>>(2);
        scope.spawn(move || {
            for (number, sample) in (1..).zip(from) {
                assert_eq!(*sample, [number; 1_000]);
            }
        });
        for _ in 0..2_000 {
            to.send(subscriber.recv_sample_timeout(TIMEOUT).unwrap()).unwrap();
        }
    });
    drop(subscriber);
    assert_eq!(buffers(&dir), [8, 0, 0]);
}

#[test]
fn when_all_buffers_are_in_use_the_error_says_for_what() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().depth(2).spare_buffers(2).create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut samples = vec![];
    for number in 1..=4 {
        publisher.publish(&[number; 1_000]).unwrap();
        samples.push(subscriber.recv_sample().unwrap());
    }
    for error in [publisher.publish(&[5; 1_000]).unwrap_err(), publisher.loan().err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::Full);
        let text = error.to_string();
        assert!(text.contains("all 4 buffers are in use: 2 have messages"), "{text}");
        assert!(text.contains("subscribers hold 4 samples"), "{text}");
    }
    // At 100 % full.
    assert_eq!(subscriber.try_recv().unwrap(), None);
    assert_eq!(samples.remove(0)[0], 1);
    publisher.publish(&[5; 1_000]).unwrap();
    assert_eq!(subscriber.recv().unwrap()[0], 5);
    dir.options::<Large>().remove("topic").unwrap();
    assert_eq!(kind(subscriber.recv()), ErrorKind::Closed);
    assert_eq!(samples[2][999], 4, "what is borrowed stays");
}

/// No slot, no room in the ring, and no buffer is left.
#[test]
fn a_topic_at_100_percent_lets_its_users_receive_release_leave_and_remove_it() {
    let dir = TestDir::new();
    let options = dir.options::<Large>().depth(2).spare_buffers(1).max_participants(3);
    let topic = options.create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let [mut first, mut second] = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    let fill = |publisher: &mut shmkit::Publisher<Large>| {
        while publisher.try_publish(&[7; 1_000]).is_ok() {}
        assert_eq!(kind(publisher.try_publish(&[7; 1_000])), ErrorKind::Full);
    };
    fill(&mut publisher);
    assert_eq!(topic.sequence(), 2);
    assert_eq!(kind(topic.subscriber()), ErrorKind::Full);
    // Received and released.
    let sample = first.recv_sample().unwrap();
    assert_eq!(second.recv().unwrap(), *sample);
    fill(&mut publisher);
    assert_eq!(topic.sequence(), 3);
    let error = publisher.loan().err().unwrap();
    assert!(error.to_string().contains("all 3 buffers are in use"), "{error}");
    drop(sample);
    // Left, and joined.
    drop(second);
    assert_eq!(kind(publisher.try_publish(&[7; 1_000])), ErrorKind::Full, "the first one is there");
    let mut second = topic.subscriber_with_history(2).unwrap();
    assert_eq!(kind(topic.publisher()), ErrorKind::Full);
    for subscriber in [&mut first, &mut second] {
        assert_eq!([(); 2].map(|()| subscriber.recv().unwrap()[0]), [7, 7]);
    }
    fill(&mut publisher);
    assert_eq!(topic.sequence(), 5);
    // Removed, as `shm rm` does.
    shmkit::inspect::remove(dir.0.path(), "topic", shmkit::memory::Trust::Own).unwrap();
    assert_eq!(kind(publisher.try_publish(&[7; 1_000])), ErrorKind::Closed);
    assert_eq!(first.iter().filter(Result::is_ok).count(), 2);
    drop((publisher, first, second));
    assert_eq!(options.create("topic").unwrap().sequence(), 0);
}

#[test]
fn a_loan_for_which_there_is_no_room_is_returned() {
    let dir = TestDir::new();
    let topic = dir.options::<Large>().depth(1).create("topic").unwrap();
    let _subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    publisher.loan().unwrap().send().unwrap();
    let loan = publisher.loan().unwrap();
    assert_eq!(kind(loan.send_timeout(Duration::from_millis(1))), ErrorKind::TimedOut);
    assert_eq!(buffers(&dir)[1], 1);
    assert_eq!(topic.sequence(), 1);
}

#[test]
fn lists_are_loaned_with_their_length() {
    let dir = TestDir::new();
    for most in [10, 10_000] {
        let topic = dir.options::<[u16]>().max_len(most).create("topic").unwrap();
        let mut publisher = topic.publisher().unwrap();
        let mut subscriber = topic.subscriber().unwrap();
        for length in [0, 1, 7, 10] {
            let mut loan = publisher.loan_len(length).unwrap();
            loan.iter_mut().zip(100..).for_each(|(element, number)| *element = number);
            assert_eq!(loan.len(), length);
            loan.send().unwrap();
            let sample = subscriber.recv_sample().unwrap();
            let expected: Vec<_> = (100..).take(length).collect();
            assert_eq!(*sample, expected);
            publisher.publish(&expected).unwrap();
            assert_eq!(subscriber.recv().unwrap(), expected);
        }
        let error = publisher.loan_len(most + 1).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        dir.options::<[u16]>().remove("topic").unwrap();
    }
}

#[test]
fn small_messages_are_loaned_and_borrowed_as_copies() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut loan = publisher.loan().unwrap();
    *loan = 7;
    loan.send().unwrap();
    let samples: Vec<_> = (0..20)
        .map(|_| {
            let sample = subscriber.recv_sample().unwrap();
            publisher.publish(&(*sample + 1)).unwrap();
            sample
        })
        .collect();
    assert!(samples.iter().map(|it| **it).eq(7..27));
    assert_eq!(dir.number("buffers"), 0);
}

#[test]
fn padding_of_a_loan_is_shared_as_zeros_and_what_is_no_value_is_refused() {
    let dir = TestDir::new();
    let topic = dir.options::<[Padded; 1_000]>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut loan = publisher.loan().unwrap();
    *loan = [Padded { flag: true, number: 0x5a5a_5a5a }; 1_000];
    loan.send().unwrap();
    let bytes = std::fs::read(dir.file()).unwrap();
    let encoded = [1, 0, 0, 0, 0x5a, 0x5a, 0x5a, 0x5a];
    let place = bytes.windows(8).position(|window| window == encoded).unwrap();
    assert_eq!(bytes[place..place + 8_000], encoded.repeat(1_000));
    publisher.publish(&subscriber.recv().unwrap()).unwrap();
    let bytes = std::fs::read(dir.file()).unwrap();
    let places = (0..bytes.len() - 8).step_by(8).filter(|at| bytes[*at..*at + 8] == encoded);
    for place in places {
        write_at(&dir.file(), &[2], place as u64);
    }
    assert_eq!(kind(subscriber.recv_sample()), ErrorKind::Corrupt);
    assert_eq!(buffers(&dir)[2], 0);
    drop(publisher.loan().unwrap());
}

#[test]
fn a_topic_that_does_not_fit_says_the_sum() {
    let dir = TestDir::new();
    let error = dir.options::<[u8; 1 << 30]>().depth(1 << 20).create("topic").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("a payload of 1125908521951488 bytes"), "{error}");
}

#[test]
fn spare_buffers_are_compared() {
    let dir = TestDir::new();
    let _topic = dir.options::<Large>().spare_buffers(3).create("topic").unwrap();
    assert_eq!(dir.number("buffers"), 32 + 3);
    dir.options::<Large>().open("topic").unwrap();
    dir.options::<Large>().spare_buffers(3).open("topic").unwrap();
    assert_eq!(
        kind(dir.options::<Large>().spare_buffers(4).open("topic")),
        ErrorKind::WrongOptions
    );
}
