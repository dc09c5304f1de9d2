//! Queues of lists, where each message has a length of its own.

use shmkit::{ErrorKind, Shareable};

use super::{Job, SHORT, TIMEOUT, TestDir, job, kind};

#[test]
fn lists_of_each_length_are_received_as_they_were_sent() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.options::<[u8]>().max_len(300).depth(3).priorities(priorities);
        let queue = options.create("lines").unwrap();
        assert_eq!((queue.max_len(), queue.depth()), (300, 3));
        let other = dir.options::<[u8]>().open("lines").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), other.receiver().unwrap());
        let bytes: Vec<u8> = (0..300_u32).map(|it| it as u8).collect();
        for length in (0..=300).rev() {
            sender
                .send_with_priority(&bytes[..length], length as u32 * u32::from(priorities))
                .unwrap();
            let received = receiver.recv().unwrap();
            assert_eq!(**received, bytes[..length], "{length}");
        }
        let refused = sender.send(&[0; 301]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert!(refused.to_string().contains("301 elements, and at most 300"), "{refused}");
        assert_eq!(queue.counts().total(), 0);
    }
}

#[test]
fn lists_of_structs_are_checked_and_their_padding_is_zeros() {
    let dir = TestDir::new();
    let queue = dir.options::<[Job]>().max_len(9).create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for length in 0..=9 {
        let jobs: Vec<_> = (0..length).map(job).collect();
        sender.send(&jobs).unwrap();
        sender.try_send(&jobs).unwrap();
        assert_eq!(receiver.recv().unwrap().into_inner(), jobs);
        let mut buffer = [job(100); 9];
        let received = receiver.recv_into(&mut buffer).unwrap();
        assert_eq!(**received, jobs[..]);
        assert_eq!(received.into_inner().len(), jobs.len());
        assert!(buffer[jobs.len()..].iter().all(|it| *it == job(100)));
    }
}

#[test]
fn a_message_of_length_0_is_a_message() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = dir.options::<[u64]>().depth(2).priorities(priorities).create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        (0..2).for_each(|_| sender.send(&[]).unwrap());
        assert_eq!(kind(sender.try_send(&[])), ErrorKind::Full);
        assert_eq!(queue.counts().ready, 2);
        let first = receiver.recv().unwrap();
        assert!(first.is_empty() && first.deliveries() == 1);
        first.requeue().unwrap();
        assert_eq!(receiver.recv_into(&mut []).unwrap().deliveries(), 2);
        assert!(receiver.try_recv().unwrap().unwrap().is_empty());
        assert!(receiver.try_recv().unwrap().is_none());
    }
}

#[test]
fn a_message_that_is_longer_than_the_buffer_stays_and_its_length_is_told() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.options::<[u32]>().max_len(8).priorities(priorities).delivery_limit(1);
        let queue = options.create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        sender.send(&[1, 2, 3, 4, 5]).unwrap();
        sender.send(&[6]).unwrap();
        let mut buffer = [0; 4];
        for _ in 0..3 {
            let error = receiver.recv_into_timeout(&mut buffer, TIMEOUT).unwrap_err();
            assert_eq!((error.kind(), error.needed_len()), (ErrorKind::BufferTooSmall, Some(5)));
            let text = "5 elements, and there is room for 4: it stays in the queue";
            assert!(error.to_string().ends_with(text), "{error}");
        }
        assert_eq!(kind(receiver.try_recv_into(&mut [])), ErrorKind::BufferTooSmall);
        assert_eq!(queue.counts().ready, 2, "none was set aside");
        let mut buffer = [0; 5];
        let received = receiver.try_recv_into(&mut buffer).unwrap().unwrap();
        assert_eq!((&**received, received.deliveries()), (&[1, 2, 3, 4, 5][..], 1));
        drop(received);
        assert_eq!(**receiver.recv_into(&mut buffer).unwrap(), [6]);
        assert!(receiver.try_recv_into(&mut buffer).unwrap().is_none());
        assert_eq!(kind(receiver.recv_into_timeout(&mut buffer, SHORT)), ErrorKind::TimedOut);
        let now = std::time::Instant::now();
        assert_eq!(kind(receiver.recv_into_until(&mut buffer, now)), ErrorKind::TimedOut);
    }
}

#[test]
fn lists_that_are_set_aside_are_listed_with_their_lengths() {
    let dir = TestDir::new();
    let queue = dir.options::<[u16]>().create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for list in [&[1, 2, 3][..], &[], &[4]] {
        sender.send(list).unwrap();
        receiver.recv().unwrap().reject().unwrap();
    }
    let letters = queue.dead_letters().unwrap();
    let values: Vec<_> = letters.iter().map(|it| it.value.clone().unwrap()).collect();
    assert_eq!(values, [vec![1, 2, 3], vec![], vec![4]]);
    assert!(queue.requeue_dead(letters[1].number).unwrap());
    assert!(receiver.recv().unwrap().is_empty());
}

#[test]
fn a_queue_of_lists_is_not_one_of_values_and_lengths_are_compared() {
    #[derive(Shareable)]
    #[repr(C)]
    struct Empty {
        it: u8,
    }
    let dir = TestDir::new();
    dir.options::<[u8]>().max_len(16).create("lists").unwrap();
    dir.options::<[u8; 16]>().create("values").unwrap();
    assert_eq!(kind(dir.options::<[u8; 16]>().open("lists")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<[u8]>().open("values")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<[u16]>().open("lists")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<[u8]>().max_len(17).open("lists")), ErrorKind::WrongOptions);
    assert_eq!(dir.options::<[u8]>().open("lists").unwrap().max_len(), 16);
    assert_eq!(kind(dir.options::<[u8]>().max_len(0).create("no")), ErrorKind::InvalidArgument);
    let too_long = dir.options::<[Empty]>().max_len((1 << 40) + 1).create("no");
    assert_eq!(kind(too_long), ErrorKind::InvalidArgument);
    // Long lists do not make a default queue large.
    let long = dir.options::<[u8]>().max_len(1 << 17).create("long").unwrap();
    assert_eq!(long.depth(), 8);
    let part = dir.describe("lists");
    assert_eq!(part.only_part().unwrap().state.number("max_len"), Some(16));
}
