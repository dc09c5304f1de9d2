//! Publishers and subscribers in different processes, some of which are killed or stopped.

mod crash;
mod hostile;
mod kills;

use shmkit::{ErrorKind, Options, Topic, WhenFull};

use crate::children::{Child, Link, Role};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("publisher", publisher),
    ("many publishers", many_publishers),
    ("subscriber", subscriber),
    ("topic crash", crash::role),
    ("topic load", kills::role),
    ("topic victim", hostile::victim),
];

const NAME: &str = "messages";

fn options(dir: &TestDir) -> Options<Topic<u64>> {
    Topic::<u64>::options().directory(dir.path())
}

/// Publishes each number that it receives, and answers how many subscribers it reached; then it
/// leaves.
fn publisher(link: &mut Link) {
    let topic = Topic::<u64>::open(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    link.send("ready");
    while let Ok(number) = link.receive().parse() {
        match publisher.publish(&number) {
            Ok(reached) => link.send(reached),
            Err(error) => link.send(format!("{:?}", error.kind())),
        }
    }
    drop(publisher);
    link.send("left");
    link.receive();
}

/// Joins more publishers than one call reports one by one.
fn many_publishers(link: &mut Link) {
    let topic = Topic::<u64>::open(NAME).unwrap();
    let _publishers = [(); 65].map(|()| topic.publisher().unwrap());
    link.send("ready");
    link.receive();
}

/// Receives a message whenever it is told to, and reports it, with the number of messages that it
/// has lost so far.
fn subscriber(link: &mut Link) {
    let topic = Topic::<u64>::open(NAME).unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    link.send("ready");
    loop {
        link.receive();
        match subscriber.recv() {
            Ok(number) => link.send(format!("{number} {}", subscriber.lost())),
            Err(error) => link.send(format!("{:?}", error.kind())),
        }
    }
}

#[test]
fn messages_reach_other_processes_in_order() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "subscriber", "");
    let mut other = Child::start_ready(&dir, "publisher", "");
    let mut publisher = topic.publisher().unwrap();
    let mut mine = topic.subscriber().unwrap();
    for number in 0..200 {
        match number % 2 {
            0 => assert_eq!(publisher.publish(&number).unwrap(), 2),
            _ => assert_eq!(other.ask(number), "2"),
        }
        assert_eq!(mine.recv_timeout(TIMEOUT).unwrap(), number);
        assert_eq!(child.ask("receive"), format!("{number} 0"));
    }
}

#[test]
fn the_death_of_a_publisher_is_told_once_to_each_subscriber_after_its_messages() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut subscribers = [(); 3].map(|()| topic.subscriber().unwrap());
    let mut late = topic.subscriber().unwrap();
    for number in 1..=3 {
        let mut child = Child::start_ready(&dir, "publisher", "");
        assert_eq!(child.ask(number), "4");
        let pid = child.id();
        child.kill();
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.try_recv().unwrap(), Some(number));
            let error = subscriber.try_recv().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            assert!(error.to_string().contains(&format!("process {pid} (")), "{error}");
            assert_eq!(subscriber.try_recv().unwrap(), None, "told twice");
        }
        assert_eq!(kind(subscribers[0].recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    }
    let (mut numbers, mut deaths) = (vec![], 0);
    loop {
        match late.try_recv() {
            Ok(Some(number)) => numbers.push(number),
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
                deaths += 1;
            }
        }
    }
    assert_eq!((numbers, deaths), (vec![1, 2, 3], 3));
}

#[test]
fn a_death_names_the_publisher_that_died_and_no_other_dead_one() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let first = Child::start_ready(&dir, "publisher", "");
    let second = Child::start_ready(&dir, "publisher", "");
    // Nobody joins meanwhile, so the slots of both stay as they are.
    for mut child in [second, first] {
        let pid = child.id();
        child.kill();
        let error = subscriber.try_recv().unwrap_err();
        assert_eq!((error.kind(), error.peer().unwrap().pid), (ErrorKind::PeerDied, Some(pid)));
    }
    assert_eq!(subscriber.try_recv().unwrap(), None, "told twice");
}

#[test]
fn a_death_after_one_report_of_very_many_names_none_of_those() {
    let dir = TestDir::new();
    let topic = options(&dir).max_participants(128).create(NAME).unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let many = Child::start_ready(&dir, "many publishers", "");
    let next = Child::start_ready(&dir, "publisher", "");
    for mut child in [many, next] {
        let pid = child.id();
        child.kill();
        let error = subscriber.try_recv().unwrap_err();
        assert_eq!((error.kind(), error.peer().unwrap().pid), (ErrorKind::PeerDied, Some(pid)));
        assert_eq!(subscriber.try_recv().unwrap(), None, "told one by one");
    }
}

#[test]
fn a_sleeping_subscriber_is_told_of_a_death_and_leaving_is_none() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut child = Child::start_ready(&dir, "publisher", "");
    assert_eq!(child.ask("leave"), "left");
    child.kill();
    assert_eq!(kind(subscriber.recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    let mut child = Child::start_ready(&dir, "publisher", "");
    let (told, is_told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            told.send(kind(subscriber.recv_timeout(TIMEOUT))).unwrap();
            subscriber.recv_timeout(TIMEOUT).unwrap()
        });
        child.kill();
        assert_eq!(is_told.recv().unwrap(), ErrorKind::PeerDied);
        let mut next = topic.publisher().unwrap();
        next.publish(&7).unwrap();
        assert_eq!(waiting.join().unwrap(), 7);
    });
}

#[test]
fn a_publisher_continues_when_the_subscriber_that_it_waits_for_is_killed() {
    let dir = TestDir::new();
    let topic = options(&dir).depth(2).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut stays = topic.subscriber().unwrap();
    let mut child = Child::start_ready(&dir, "subscriber", "");
    let pid = child.id();
    for number in 1..=2 {
        assert_eq!(publisher.publish(&number).unwrap(), 2);
        assert_eq!(stays.recv().unwrap(), number);
    }
    let error = publisher.try_publish(&3).unwrap_err();
    assert_eq!(error.peer().unwrap().pid, Some(pid));
    publisher.check_subscribers().unwrap();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| publisher.publish_timeout(&3, TIMEOUT).unwrap());
        dir.wait_for_waiters(NAME, 1);
        child.kill();
        assert_eq!(blocked.join().unwrap(), 1);
    });
    assert_eq!(stays.recv().unwrap(), 3);
    assert_eq!(kind(publisher.check_subscribers()), ErrorKind::PeerDied);
    publisher.check_subscribers().unwrap();
    assert_eq!(publisher.subscribers().unwrap(), 1);
}

#[test]
fn a_stopped_subscriber_stops_publishers_that_wait_and_is_not_robbed() {
    let dir = TestDir::new();
    let topic = options(&dir).depth(4).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut child = Child::start_ready(&dir, "subscriber", "");
    child.stop();
    for number in 1..=4 {
        assert_eq!(publisher.publish(&number).unwrap(), 1);
    }
    assert_eq!(kind(publisher.publish_timeout(&5, SLOW_CHECKS)), ErrorKind::TimedOut);
    dir.assert_all_alive(NAME);
    child.resume();
    assert_eq!(child.ask("receive"), "1 0");
    assert_eq!(publisher.publish_timeout(&5, TIMEOUT).unwrap(), 1);
    for number in 2..=5 {
        assert_eq!(child.ask("receive"), format!("{number} 0"));
    }
}

#[test]
fn a_stopped_subscriber_is_told_how_many_messages_it_missed() {
    let dir = TestDir::new();
    let topic = options(&dir).depth(4).when_full(WhenFull::Overwrite).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut child = Child::start_ready(&dir, "subscriber", "");
    child.stop();
    for number in 1..=1_000_u64 {
        assert_eq!(publisher.publish(&number).unwrap(), 1);
    }
    child.resume();
    let mut received = 0;
    loop {
        let answer = child.ask("receive");
        let (number, lost) = answer.split_once(' ').unwrap();
        let [number, lost] = [number, lost].map(|it| it.parse::<u64>().unwrap());
        received += 1;
        assert_eq!(received + lost, number);
        if number == 1_000 {
            break;
        }
    }
}

#[test]
fn a_killed_subscriber_is_found_by_a_repair() {
    let dir = TestDir::new();
    let topic = options(&dir).depth(2).create(NAME).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut child = Child::start_ready(&dir, "subscriber", "");
    (1..=2).for_each(|number| assert_eq!(publisher.publish(&number).unwrap(), 1));
    child.kill();
    let found = dir.repair();
    assert!(found[0].contains("died as a subscriber, 2 messages behind"), "{found:?}");
    assert_eq!(publisher.try_publish(&3).unwrap(), 0);
}

#[test]
fn users_of_a_removed_topic_are_told() {
    let dir = TestDir::new();
    let topic = options(&dir).create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "publisher", "");
    options(&dir).remove(NAME).unwrap();
    assert_eq!(child.ask(1), "Closed");
    assert_eq!(kind(topic.publisher()), ErrorKind::Closed);
}
