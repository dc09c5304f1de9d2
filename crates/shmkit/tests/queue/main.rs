//! What `Queue` promises within one process. Between processes: `tests/processes`.

#[cfg(not(windows))]
mod allocations;
mod any;
mod lists;

use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{ErrorKind, Latest, Message, Options, Queue, Shareable, inspect};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A timeout that is to expire.
const SHORT: Duration = Duration::from_millis(1);

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Job {
    number: u64,
    urgent: bool,
    size: u32,
}

const fn job(number: u64) -> Job {
    Job { number, urgent: number % 2 == 1, size: 7 }
}

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options<M: Message + ?Sized>(&self) -> Options<Queue<M>> {
        Queue::<M>::options().directory(self.0.path())
    }

    fn describe(&self, name: &str) -> inspect::Description {
        inspect::describe(self.0.path(), name, Trust::Own).unwrap()
    }
}

fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

#[test]
fn another_handle_receives_messages_whole_and_in_order() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.options::<Job>().priorities(priorities);
        let sender = options.open_or_create("jobs").unwrap().sender().unwrap();
        let queue = options.open("jobs").unwrap();
        let receiver = queue.receiver().unwrap();
        (0..1_000).for_each(|round| {
            (0..10).for_each(|number| sender.send(&job(10 * round + number)).unwrap());
            for number in 0..10 {
                assert_eq!(*receiver.recv().unwrap(), job(10 * round + number));
            }
        });
        assert!(receiver.try_recv().unwrap().is_none());
        assert_eq!(kind(receiver.recv_timeout(SHORT)), ErrorKind::TimedOut);
        assert_eq!(kind(receiver.recv_until(Instant::now())), ErrorKind::TimedOut);
        assert_eq!((queue.depth(), queue.has_priorities()), (256, priorities));
        assert_eq!(queue.count_participants(), (1, 1));
    }
}

#[test]
fn full_says_how_many_messages_there_are_and_whether_any_process_receives() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().depth(3).create("jobs").unwrap();
    let sender = queue.sender().unwrap();
    (0..3).for_each(|number| sender.try_send(&number).unwrap());
    let full = sender.try_send(&3).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    let text = "cannot send to \"jobs\": it holds 3 messages at the most (3 ready, 0 taken), and no \
                process receives";
    assert_eq!(full.to_string(), text);
    let receiver = queue.receiver().unwrap();
    let taken = receiver.recv().unwrap();
    receiver.recv().unwrap().reject().unwrap();
    let full = sender.send_timeout(&3, SHORT).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    assert!(
        full.to_string().ends_with("(1 ready, 1 taken, 1 set aside), and 1 receiver"),
        "{full}"
    );
    assert_eq!(kind(sender.send_until(&3, Instant::now())), ErrorKind::TimedOut);
    let counts = queue.counts();
    assert_eq!((counts.ready, counts.taken, counts.dead, counts.total()), (1, 1, 1, 3));
    drop(taken);
    sender.try_send(&3).unwrap();
}

#[test]
fn a_sender_waits_for_a_free_place_and_a_receiver_for_a_message() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = dir.options::<u64>().depth(2).priorities(priorities).create("jobs").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let sender = queue.sender().unwrap();
                (0..20_000).for_each(|number| sender.send_timeout(&number, TIMEOUT).unwrap());
            });
            let receiver = queue.receiver().unwrap();
            for number in 0..20_000 {
                assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), number);
            }
        });
    }
}

#[test]
fn a_message_is_acknowledged_when_it_is_dropped_or_else_given_back() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    (0..4).for_each(|number| sender.send(&number).unwrap());
    let first = receiver.recv().unwrap();
    assert_eq!((*first, first.deliveries()), (0, 1));
    drop(receiver.recv().unwrap());
    first.requeue().unwrap();
    let again = receiver.recv().unwrap();
    assert_eq!((*again, again.deliveries()), (0, 2));
    again.acknowledge().unwrap();
    assert_eq!(receiver.recv().unwrap().into_inner(), 2);
    // A thread that panics gives its message back.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _message = receiver.recv().unwrap();
        panic!("as it should");
    }));
    assert!(panicked.is_err());
    let again = receiver.try_recv().unwrap().unwrap();
    assert_eq!((*again, again.deliveries()), (3, 2));
    drop(again);
    // A message that is leaked goes to the next receiver once its receiver is gone.
    sender.send(&4).unwrap();
    std::mem::forget(receiver.recv().unwrap());
    drop(receiver);
    let receiver = queue.receiver().unwrap();
    assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), 4);
}

#[test]
fn a_message_is_set_aside_after_its_last_delivery_and_can_be_listed_given_back_and_dropped() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.options::<u64>().delivery_limit(2).priorities(priorities);
        let queue = options.create("jobs").unwrap();
        assert_eq!(queue.delivery_limit(), Some(2));
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        (0..3).for_each(|number| sender.send(&number).unwrap());
        (0..2).for_each(|_| receiver.recv().unwrap().requeue().unwrap());
        receiver.recv().unwrap().reject().unwrap();
        let letters = queue.dead_letters().unwrap();
        let found: Vec<_> = letters.iter().map(|it| (it.value, it.deliveries)).collect();
        assert_eq!(found, [(Some(0), 2), (Some(1), 1)]);
        assert!(queue.requeue_dead(letters[0].number).unwrap());
        assert!(!queue.requeue_dead(letters[0].number).unwrap(), "it is not set aside any more");
        let again = receiver.recv().unwrap();
        assert_eq!((*again, again.deliveries()), (0, 3), "at its old place");
        again.requeue().unwrap();
        assert_eq!(queue.counts().dead, 2, "it was handed over once more only");
        for letter in letters {
            assert!(queue.drop_dead(letter.number).unwrap());
        }
        assert!(queue.dead_letters().unwrap().is_empty());
        assert_eq!(receiver.recv().unwrap().into_inner(), 2);
    }
}

#[test]
fn messages_are_received_by_priority_and_counted_by_it() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().priorities(true).create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for (number, priority) in (0..).zip([3, 0, u32::MAX, 3, 7]) {
        sender.send_with_priority(&number, priority).unwrap();
    }
    sender.try_send_with_priority(&5, 7).unwrap();
    sender.send_with_priority_timeout(&6, 7, SHORT).unwrap();
    let counts = queue.counts_by_priority();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(0, 1), (3, 2), (7, 3), (u32::MAX, 1)]);
    let received: Vec<_> = (0..7)
        .map(|_| {
            let message = receiver.recv().unwrap();
            (message.priority(), *message)
        })
        .collect();
    assert_eq!(received, [(u32::MAX, 2), (7, 4), (7, 5), (7, 6), (3, 0), (3, 3), (0, 1)]);
}

#[test]
fn a_queue_without_priorities_refuses_a_message_that_has_one() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().create("jobs").unwrap();
    let sender = queue.sender().unwrap();
    sender.send_with_priority(&1, 0).unwrap();
    let refused = sender.send_with_priority(&1, 5).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("priority 5"), "{refused}");
}

#[test]
fn a_queue_that_exists_with_other_options_or_another_type_is_refused() {
    let dir = TestDir::new();
    let options = || dir.options::<u64>();
    let queue = options().depth(5).priorities(true).delivery_limit(3).create("jobs").unwrap();
    for refused in [
        options().depth(6).open_or_create("jobs"),
        options().priorities(false).open("jobs"),
        options().delivery_limit(4).open("jobs"),
        options().delivery_limit(0).open("jobs"),
        options().max_users(3).open("jobs"),
    ] {
        assert_eq!(kind(refused), ErrorKind::WrongOptions);
    }
    let refused = options().depth(6).open("jobs").unwrap_err();
    assert!(refused.to_string().contains("is 6 here and 5 in the object"), "{refused}");
    let same = options().open_or_create("jobs").expect("what is not chosen is not compared");
    assert_eq!((same.depth(), same.was_created(), queue.was_created()), (5, false, true));
    assert_eq!(kind(dir.options::<i64>().open("jobs")), ErrorKind::WrongType);
    let latest = Latest::<u64>::options().directory(dir.0.path());
    assert_eq!(kind(latest.open("jobs")), ErrorKind::WrongKind);
    latest.create("level").unwrap();
    assert_eq!(kind(options().open("level")), ErrorKind::WrongKind);
    for depth in [0, (1 << 20) + 1] {
        assert_eq!(kind(options().depth(depth).create("other")), ErrorKind::InvalidArgument);
    }
}

#[test]
fn what_was_sent_before_a_removal_is_received_and_then_closed_is_reported() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.options::<u64>().priorities(priorities);
        let queue = options.create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        sender.send(&1).unwrap();
        options.remove("jobs").unwrap();
        assert_eq!(kind(sender.send(&2)), ErrorKind::Closed);
        let received: Vec<_> =
            receiver.iter().map(|it| it.map(|it| *it).map_err(|error| error.kind())).collect();
        assert_eq!(received, [Ok(1), Err(ErrorKind::Closed)]);
    }
}

#[test]
fn a_removal_wakes_receivers_and_senders_that_sleep() {
    let dir = TestDir::new();
    let options = dir.options::<u64>().depth(1);
    for is_full in [false, true] {
        let queue = options.create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        if is_full {
            sender.send(&1).unwrap();
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| match is_full {
                true => kind(sender.send(&2)),
                false => kind(receiver.recv()),
            });
            let start = Instant::now();
            while dir.describe("jobs").participants.iter().all(|it| it.waiting == 0) {
                assert!(start.elapsed() < TIMEOUT);
                std::thread::yield_now();
            }
            options.remove("jobs").unwrap();
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        });
    }
}

#[test]
fn a_description_says_how_many_messages_there_are_and_who_has_them() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().depth(4).priorities(true).create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    (0..3).for_each(|number| sender.send_with_priority(&number, 7).unwrap());
    let taken = receiver.recv().unwrap();
    let description = dir.describe("jobs");
    assert!(description.is_sound());
    let part = description.only_part().unwrap();
    assert_eq!(part.state.text, "2 ready, 1 taken, of 4");
    assert_eq!(part.state.number("ready"), Some(2));
    assert_eq!(part.state.number("depth"), Some(4));
    assert_eq!(part.state.flag("priorities"), Some(true));
    let holder = &part.state.holders[0];
    assert_eq!((holder.text(), holder.pid), ("has 1 message".into(), Some(std::process::id())));
    drop(taken);
    assert!(dir.describe("jobs").only_part().unwrap().state.holders.is_empty());
}

#[test]
fn a_receiver_that_stays_busy_still_finds_what_was_left() {
    let dir = TestDir::new();
    let queue = dir.options::<u64>().depth(8).create("jobs").unwrap();
    let sender = queue.sender().unwrap();
    sender.send(&u64::MAX).unwrap();
    let left = queue.receiver().unwrap();
    std::mem::forget(left.recv().unwrap());
    drop(left);
    let receiver = queue.receiver().unwrap();
    let start = Instant::now();
    loop {
        // There is always a message, so that the receiver never waits.
        sender.send(&0).unwrap();
        if *receiver.recv().unwrap() == u64::MAX {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "a busy receiver never looks for the dead");
    }
}
