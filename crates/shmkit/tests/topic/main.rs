//! What `Topic` promises within one process. Between processes: `tests/processes`.

#[cfg(not(windows))]
mod allocations;
mod any;
mod batches;
mod lists;
mod loans;

use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{ErrorKind, Kind, Message, Options, Shareable, Topic, WhenFull, inspect};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Tick {
    instrument: u64,
    price: f64,
    is_last: bool,
}

const TICK: Tick = Tick { instrument: 7, price: 2.5, is_last: true };

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options<M: Message + ?Sized>(&self) -> Options<Topic<M>> {
        Topic::<M>::options().directory(self.0.path())
    }

    fn number(&self, name: &str) -> u64 {
        let seen = inspect::describe(self.0.path(), "topic", Trust::Own).unwrap();
        seen.only_part().unwrap().state.number(name).unwrap()
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("topic.shmkit")
    }
}

#[track_caller]
fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

#[test]
fn a_message_reaches_every_subscriber_and_says_how_many() {
    let dir = TestDir::new();
    let topic = dir.options::<Tick>().open_or_create("topic").unwrap();
    assert!(topic.was_created());
    let mut publisher = topic.publisher().unwrap();
    assert_eq!(publisher.publish(&TICK).unwrap(), 0, "nobody subscribes");
    let mut subscribers = [(); 3].map(|()| topic.subscriber().unwrap());
    let other = dir.options::<Tick>().open("topic").unwrap();
    assert!(!other.was_created());
    for number in 1..=1_000 {
        let tick = Tick { instrument: number, ..TICK };
        assert_eq!(publisher.publish(&tick).unwrap(), 3);
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.recv().unwrap(), tick);
            assert_eq!(subscriber.sequence(), number + 1);
            assert_eq!(subscriber.try_recv().unwrap(), None);
        }
    }
    assert_eq!(other.sequence(), 1_001);
    let [_first, gone, _last] = subscribers;
    drop(gone);
    assert_eq!(publisher.publish(&TICK).unwrap(), 2);
    assert_eq!(publisher.subscribers().unwrap(), 2);
}

#[test]
fn what_is_published_after_subscribing_reaches_the_subscriber() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(2).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    for number in 1..=100 {
        let mut subscriber = topic.subscriber().unwrap();
        assert_eq!(publisher.publish(&number).unwrap(), 1);
        assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), number);
    }
}

#[test]
fn a_publisher_waits_for_the_slowest_subscriber_and_loses_nothing() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(4).create("topic").unwrap();
    assert_eq!((topic.depth(), topic.when_full()), (4, WhenFull::Block));
    let mut subscribers = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = topic.publisher().unwrap();
            for number in 0..10_000 {
                assert_eq!(publisher.publish(&number).unwrap(), 2);
            }
        });
        for subscriber in &mut subscribers {
            scope.spawn(|| {
                for number in 0..10_000 {
                    assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), number);
                }
            });
        }
    });
    assert_eq!(subscribers.map(|it| it.lost()), [0, 0]);
}

#[test]
fn several_publishers_have_one_order_which_is_the_same_for_all_subscribers() {
    let dir = TestDir::new();
    let topic = dir.options::<[u64; 2]>().create("topic").unwrap();
    let mut subscribers = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    let orders = std::thread::scope(|scope| {
        for publisher in 0..3 {
            let mut to = topic.publisher().unwrap();
            scope.spawn(move || {
                (0..3_000).for_each(|number| _ = to.publish(&[publisher, number]).unwrap());
            });
        }
        let receiving = subscribers.each_mut().map(|subscriber| {
            scope.spawn(|| {
                let next = |_| subscriber.recv_timeout(TIMEOUT).unwrap();
                (0..9_000).map(next).collect::<Vec<_>>()
            })
        });
        receiving.map(|it| it.join().unwrap())
    });
    assert_eq!(orders[0], orders[1]);
    for publisher in 0..3 {
        let of_one = orders[0].iter().filter(|it| it[0] == publisher).map(|it| it[1]);
        assert!(of_one.eq(0..3_000));
    }
}

#[test]
fn a_full_topic_names_the_slowest_subscriber() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(2).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    (1..=2).for_each(|number| _ = publisher.publish(&number).unwrap());
    let error = publisher.try_publish(&3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(error.peer().unwrap().pid, Some(std::process::id()));
    assert!(error.to_string().ends_with("has not received the oldest of 2 messages"), "{error}");
    assert_eq!(kind(publisher.publish_timeout(&3, Duration::from_millis(1))), ErrorKind::TimedOut);
    assert_eq!(kind(publisher.publish_until(&3, Instant::now())), ErrorKind::TimedOut);
    assert_eq!(subscriber.recv().unwrap(), 1);
    publisher.try_publish(&3).unwrap();
    assert_eq!(dir.number("lag"), 2);
    assert_eq!([(); 2].map(|()| subscriber.recv().unwrap()), [2, 3]);
}

#[test]
fn new_messages_are_dropped_and_counted_if_the_topic_says_so() {
    let dir = TestDir::new();
    let options = dir.options::<u64>().depth(4).when_full(WhenFull::DropNew);
    let topic = options.create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let reached: Vec<_> = (1..=6).map(|number| publisher.publish(&number).unwrap()).collect();
    assert_eq!(reached, [1, 1, 1, 1, 0, 0]);
    assert_eq!((publisher.dropped(), dir.number("dropped")), (2, 2));
    assert_eq!(subscriber.recv().unwrap(), 1);
    assert_eq!(publisher.publish(&7).unwrap(), 1);
    assert_eq!([(); 4].map(|()| subscriber.recv().unwrap()), [2, 3, 4, 7]);
    assert_eq!(subscriber.lost(), 0);
}

#[test]
fn old_messages_are_overwritten_and_counted_if_the_topic_says_so() {
    let dir = TestDir::new();
    let options = dir.options::<u64>().depth(8).when_full(WhenFull::Overwrite);
    let topic = options.create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    (1..=100).for_each(|number| _ = publisher.publish(&number).unwrap());
    let received: Vec<_> = std::iter::from_fn(|| subscriber.try_recv().unwrap()).collect();
    assert_eq!(received.last(), Some(&100));
    assert_eq!(received.len() as u64 + subscriber.lost(), 100);
    assert_eq!(dir.number("lost"), subscriber.lost());
}

#[test]
fn a_fast_publisher_that_overwrites_tears_no_message_and_the_counts_add_up() {
    let dir = TestDir::new();
    let options = dir.options::<[u64; 32]>().depth(4).when_full(WhenFull::Overwrite);
    let topic = options.create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = topic.publisher().unwrap();
            (1..=100_000).for_each(|number| _ = publisher.publish(&[number; 32]).unwrap());
        });
        let mut received = 0;
        loop {
            let value = subscriber.recv_timeout(TIMEOUT).unwrap();
            assert!(value.iter().all(|word| *word == value[0]), "torn: {value:?}");
            received += 1;
            assert_eq!(received + subscriber.lost(), value[0]);
            assert_eq!(subscriber.sequence(), value[0]);
            if value[0] == 100_000 {
                break;
            }
        }
    });
}

#[test]
fn a_late_subscriber_gets_the_history_that_it_asks_for() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(8).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let all = |history| {
        let mut subscriber = topic.subscriber_with_history(history).unwrap();
        std::iter::from_fn(|| subscriber.try_recv().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(all(8), [0; 0]);
    (1..=20).for_each(|number| _ = publisher.publish(&number).unwrap());
    assert_eq!(all(0), [0; 0]);
    assert_eq!(all(3), [18, 19, 20]);
    assert_eq!(all(u32::MAX), (13..=20).collect::<Vec<_>>());
}

#[test]
fn a_receiver_waits_only_as_long_as_it_says() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().create("topic").unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    assert_eq!(kind(subscriber.recv_timeout(Duration::from_millis(1))), ErrorKind::TimedOut);
    let deadline = Instant::now() + Duration::from_millis(1);
    assert_eq!(kind(subscriber.recv_until(deadline)), ErrorKind::TimedOut);
    assert!(Instant::now() >= deadline);
    topic.publisher().unwrap().publish(&1).unwrap();
    assert_eq!(subscriber.recv_timeout(Duration::ZERO).unwrap(), 1);
}

#[test]
fn sleeping_subscribers_and_publishers_are_woken() {
    for when_full in [WhenFull::Block, WhenFull::DropNew] {
        let dir = TestDir::new();
        let options = dir.options::<u64>().depth(1).when_full(when_full);
        let topic = options.spin_for(Duration::ZERO).create("topic").unwrap();
        let mut subscriber = topic.subscriber().unwrap();
        let before = shmkit::crash::late_finds_of_thread();
        let late = std::thread::scope(|scope| {
            let publishing = scope.spawn(|| {
                let mut publisher = topic.publisher().unwrap();
                for number in 0..2_000 {
                    publisher.publish_timeout(&number, TIMEOUT).unwrap();
                }
                shmkit::crash::late_finds_of_thread()
            });
            for number in 0..2_000 {
                assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), number);
            }
            publishing.join().unwrap() + shmkit::crash::late_finds_of_thread() - before
        });
        assert!(late < 50, "{late} of 4,000 waits ended by a slow check");
    }
}

#[test]
fn removing_a_topic_ends_its_users_after_its_messages() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(4).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let [mut subscriber, mut waiting] = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    publisher.publish(&1).unwrap();
    assert_eq!(waiting.recv().unwrap(), 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiting.iter().count());
        let blocked = scope.spawn(|| {
            (2..=4).for_each(|number| _ = publisher.publish(&number).unwrap());
            let error = kind(publisher.publish_timeout(&5, TIMEOUT));
            assert_eq!(kind(publisher.publish(&6)), ErrorKind::Closed);
            error
        });
        while topic.sequence() < 4 {
            std::thread::yield_now();
        }
        dir.options::<u64>().remove("topic").unwrap();
        let received: Vec<_> = subscriber.iter().collect();
        assert_eq!(received.len(), 5);
        assert_eq!(kind(received.into_iter().next_back().unwrap()), ErrorKind::Closed);
        assert_eq!(blocked.join().unwrap(), ErrorKind::Closed);
        assert_eq!(waiting.join().unwrap(), 4, "3 messages and `Closed`");
    });
    assert_eq!(kind(topic.subscriber().unwrap().recv()), ErrorKind::Closed);
}

#[test]
fn options_and_types_are_compared_when_a_topic_is_opened() {
    let dir = TestDir::new();
    let topic = dir.options::<Tick>().depth(100).create("topic").unwrap();
    assert_eq!(topic.depth(), 128, "the next power of two");
    dir.options::<Tick>().depth(65).when_full(WhenFull::Block).open("topic").unwrap();
    let wrong = [
        dir.options::<Tick>().depth(64),
        dir.options::<Tick>().when_full(WhenFull::Overwrite),
        dir.options::<Tick>().when_full(WhenFull::DropNew),
        dir.options::<Tick>().max_participants(7),
    ];
    for options in wrong {
        assert_eq!(kind(options.open("topic")), ErrorKind::WrongOptions);
        assert_eq!(kind(options.open_or_create("topic")), ErrorKind::WrongOptions);
    }
    assert_eq!(kind(dir.options::<u64>().open("topic")), ErrorKind::WrongType);
    let latest = shmkit::Latest::<Tick>::options().directory(dir.0.path());
    assert_eq!(kind(latest.open("topic")), ErrorKind::WrongKind);
    for depth in [0, (1 << 20) + 1, u32::MAX] {
        let answer = dir.options::<Tick>().depth(depth).create("other");
        assert_eq!(kind(answer), ErrorKind::InvalidArgument, "{depth}");
    }
}

#[test]
fn a_topic_of_64_bytes_takes_at_most_64_kib() {
    let dir = TestDir::new();
    dir.options::<[u8; 64]>().create("topic").unwrap();
    let size = std::fs::metadata(dir.file()).unwrap().len();
    assert!(size <= 64 << 10, "{size} bytes");
}

#[test]
fn there_can_be_256_publishers_and_256_subscribers() {
    let dir = TestDir::new();
    let topic = dir.options::<u64>().depth(512).max_participants(512).create("topic").unwrap();
    let mut subscribers: Vec<_> = (0..256).map(|_| topic.subscriber().unwrap()).collect();
    let mut publishers: Vec<_> = (0..256).map(|_| topic.publisher().unwrap()).collect();
    assert_eq!(kind(topic.subscriber()), ErrorKind::Full);
    for (number, publisher) in (0..).zip(&mut publishers) {
        assert_eq!(publisher.publish(&number).unwrap(), 256);
    }
    for subscriber in &mut subscribers {
        (0..256).for_each(|number| assert_eq!(subscriber.recv().unwrap(), number));
    }
    assert_eq!((dir.number("publishers"), dir.number("subscribers")), (256, 256));
}

#[test]
fn values_that_are_larger_than_the_stack_are_received_on_the_heap() {
    type Large = [u64; 1 << 17];
    let dir = TestDir::new();
    let topic = dir.options::<Large>().create("topic").unwrap();
    assert_eq!(topic.depth(), 4);
    let mut subscriber = topic.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut value = shmkit::shareable::zeroed_box::<Large>();
    for number in 1..=20 {
        value.fill(number);
        publisher.publish(&value).unwrap();
        let received = match number % 2 {
            0 => subscriber.recv_boxed(TIMEOUT).unwrap(),
            _ => {
                let mut into = shmkit::shareable::zeroed_box::<Large>();
                subscriber.recv_into(&mut into, TIMEOUT).unwrap();
                into
            }
        };
        assert!(received.iter().all(|word| *word == number));
    }
}

#[test]
fn bytes_that_are_no_value_are_corrupt_and_the_next_message_is_received() {
    let dir = TestDir::new();
    let topic = dir.options::<bool>().depth(2).create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    (0..2).for_each(|_| _ = publisher.publish(&true).unwrap());
    let bytes = std::fs::read(dir.file()).unwrap();
    let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap());
    // The value of message 1, in the second entry.
    let place = payload + 128 + 64 * 128 + 16 + 8;
    write_at(&dir.file(), &[2], place);
    assert_eq!(kind(subscriber.recv()), ErrorKind::Corrupt);
    assert!(subscriber.recv().unwrap());
}

fn write_at(path: &std::path::Path, bytes: &[u8], place: u64) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_topic_is_described_with_its_users() {
    let dir = TestDir::new();
    let topic = dir.options::<Tick>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let _subscriber = topic.subscriber().unwrap();
    (0..3).for_each(|_| _ = publisher.publish(&TICK).unwrap());
    let seen = inspect::describe(dir.0.path(), "topic", Trust::Own).unwrap();
    let part = seen.only_part().unwrap();
    assert_eq!((seen.kind, part.kind), (Kind::Topic, Kind::Topic));
    assert!(seen.is_sound());
    assert_eq!(part.state.text, "3 were published; at most 3 behind");
    assert_eq!(part.state.changes, Some(3));
    assert_eq!(part.value.as_ref().unwrap().size(), size_of::<Tick>() as u64);
    let holders: Vec<_> = seen.holders().map(|it| it.text()).collect();
    assert_eq!(holders, ["is 3 messages behind"]);
    let roles: Vec<_> = seen.participants.iter().map(|it| it.role.as_str()).collect();
    assert_eq!(roles, ["publisher", "subscriber"]);
    let mut found = inspect::examine(dir.0.path(), Trust::Own).unwrap();
    found.retain(|it| !it.is_about_directory());
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
}
