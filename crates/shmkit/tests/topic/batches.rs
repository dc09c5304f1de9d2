//! Several messages at a time; who is attached.

use std::time::Duration;

use shmkit::{AttendanceNews, ErrorKind, Role, WhenFull};

use super::{TIMEOUT, TestDir, kind};

#[test]
fn a_batch_is_published_and_received_in_order() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(128).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let sent: Vec<u64> = (0..100).collect();
    assert_eq!(publisher.publish_all(&sent).unwrap(), 100);
    let mut received = vec![7];
    assert_eq!(subscriber.recv_many(&mut received, 0).unwrap(), 0);
    assert_eq!(subscriber.recv_many(&mut received, 30).unwrap(), 30);
    assert_eq!(subscriber.recv_many_timeout(&mut received, 1_000, TIMEOUT).unwrap(), 70);
    assert_eq!((received[0], &received[1..]), (7, &sent[..]));
    let none = subscriber.recv_many_timeout(&mut received, 1, Duration::from_millis(1));
    assert_eq!(kind(none), ErrorKind::TimedOut);
    assert_eq!(received.len(), 101);
}

#[test]
fn a_batch_of_lists_stops_at_the_one_that_is_too_long() {
    let dir = TestDir::new();
    let topic = dir.options::<[u8]>().max_len(2).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let batch = [&[1][..], &[], &[1, 2, 3], &[4]];
    assert_eq!(publisher.publish_all(batch).unwrap(), 2);
    assert_eq!(kind(publisher.publish_all([&[1_u8, 2, 3][..]])), ErrorKind::InvalidArgument);
    let mut received = Vec::new();
    assert_eq!(subscriber.recv_many(&mut received, 10).unwrap(), 2);
    assert_eq!(received, [vec![1], vec![]]);
}

#[test]
fn a_batch_from_a_topic_that_overwrites_has_what_is_left() {
    let dir = TestDir::new();
    let options = dir.options::<u64>().depth(4).when_full(WhenFull::Overwrite);
    let topic = options.create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    topic.publisher().unwrap().publish_all(&(1..=20).collect::<Vec<_>>()).unwrap();
    let mut received = Vec::new();
    subscriber.recv_many(&mut received, 100).unwrap();
    assert_eq!(received.last(), Some(&20));
    assert_eq!(received.len() as u64 + subscriber.lost(), 20);
}

#[test]
fn who_is_attached_and_who_came_and_left_is_told_by_role() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().create("topic").unwrap();
    let mut attendance = topic.attendance();
    assert_eq!(topic.attached().unwrap(), []);
    assert_eq!(attendance.news().unwrap(), []);
    let publisher = topic.publisher().unwrap();
    let subscribers = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    let attached = topic.attached().unwrap();
    let count = |role| attached.iter().filter(|it| it.role == role).count();
    assert_eq!((count(Role::Publisher), count(Role::Subscriber)), (1, 2));
    assert!(attached.iter().all(|it| it.peer.pid == Some(std::process::id())));
    let joined = attached.iter().cloned().map(AttendanceNews::Joined);
    assert_eq!(attendance.news().unwrap(), joined.collect::<Vec<_>>());
    assert_eq!(attendance.news().unwrap(), []);
    drop(publisher);
    let gone = attached.iter().find(|it| it.role == Role::Publisher).unwrap().clone();
    assert_eq!(attendance.news().unwrap(), [AttendanceNews::Gone(gone)]);
    drop(subscribers);
    let news = attendance.news().unwrap();
    assert!(news.iter().all(|it| matches!(it, AttendanceNews::Gone(_))) && news.len() == 2);
    dir.options::<u64>().remove("topic").unwrap();
    assert_eq!(kind(attendance.news()), ErrorKind::Closed);
    assert_eq!(kind(topic.attached()), ErrorKind::Closed);
}
