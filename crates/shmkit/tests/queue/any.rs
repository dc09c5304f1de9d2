//! Queues whose type only the object knows.

use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::{AnyQueue, ErrorKind, Latest, Options};

use super::{Job, TIMEOUT, TestDir, job, kind};

impl TestDir {
    fn any(&self) -> Options<AnyQueue> {
        AnyQueue::options().directory(self.0.path())
    }

    fn open_any(&self, name: &str) -> shmkit::Result<AnyQueue> {
        AnyQueue::open(Some(self.0.path()), name, Trust::Own)
    }
}

const JOB: &str = "{ number: u64, urgent: bool, size: u32 }";

/// The bytes of a job.
fn bytes_of(job: &Job) -> Vec<u8> {
    let Job { number, urgent, size } = *job;
    [&number.to_le_bytes()[..], &[urgent.into(), 0, 0, 0], &size.to_le_bytes()].concat()
}

#[test]
fn a_program_and_a_process_that_does_not_know_the_type_use_one_queue() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let options = dir.any().depth(5).delivery_limit(2).priorities(priorities).max_users(7);
        let any = options.create("jobs", &Schema::declare(JOB).unwrap()).unwrap();
        assert!(any.was_created());
        let typed = dir.options::<Job>().depth(5).delivery_limit(2).open("jobs").unwrap();
        assert_eq!((any.depth(), any.delivery_limit(), any.max_len()), (5, Some(2), None));
        assert_eq!((any.has_priorities(), any.name()), (priorities, "jobs"));

        typed.sender().unwrap().send(&job(1)).unwrap();
        let (sender, receiver) = (any.sender().unwrap(), any.receiver().unwrap());
        assert_eq!(any.count_participants(), (1, 1));
        let received = receiver.recv(None).unwrap();
        assert_eq!((&*received, received.deliveries()), (&bytes_of(&job(1)), 1));
        received.acknowledge().unwrap();
        assert!(receiver.try_recv().unwrap().is_none());
        let waited = receiver.recv(Some(Duration::ZERO));
        assert_eq!(kind(waited), ErrorKind::TimedOut);

        let priority = 3 * u32::from(priorities);
        let mut padded = bytes_of(&job(3));
        padded[9] = 0xee;
        sender.send(&padded, priority, Some(TIMEOUT)).unwrap();
        assert_eq!(any.counts_by_priority().into_iter().collect::<Vec<_>>(), [(priority, 1)]);
        let received = typed.receiver().unwrap();
        let received = received.recv().unwrap();
        assert_eq!((*received, received.priority()), (job(3), priority));
        drop(received);
        sender.send(&padded, priority, None).unwrap();
        assert_eq!(**receiver.recv(None).unwrap(), bytes_of(&job(3)), "padding is zeros");

        padded[8] = 2;
        assert_eq!(kind(sender.send(&padded, 0, None)), ErrorKind::InvalidArgument);
        assert_eq!(kind(sender.send(&[0; 8], 0, None)), ErrorKind::InvalidArgument);
        for number in 0..5 {
            sender.send(&bytes_of(&job(number)), 0, Some(Duration::ZERO)).unwrap();
        }
        let full = sender.send(&bytes_of(&job(5)), 0, Some(Duration::ZERO));
        assert_eq!(kind(full), ErrorKind::Full);
        assert_eq!(any.counts().ready, 5);
    }
}

#[test]
fn dead_letters_are_listed_given_back_and_dropped_without_the_type() {
    let dir = TestDir::new();
    let queue = dir.options::<Job>().create("jobs").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for number in 0..3 {
        sender.send(&job(number)).unwrap();
        receiver.recv().unwrap().reject().unwrap();
    }
    let any = dir.open_any("jobs").unwrap();
    let letters = any.dead_letters().unwrap();
    let values: Vec<_> = letters.iter().map(|it| it.value.clone().unwrap()).collect();
    assert_eq!(values, [0, 1, 2].map(|number| bytes_of(&job(number))));
    assert!(any.drop_dead(letters[0].number).unwrap());
    assert!(!any.drop_dead(letters[0].number).unwrap());
    assert!(any.requeue_dead(letters[2].number).unwrap());
    assert_eq!(*receiver.recv().unwrap(), job(2));
    assert_eq!((any.counts().dead, any.counts().total()), (1, 1));
    assert_eq!(any.schema().to_string(), Schema::of::<Job>().to_string());
}

#[test]
fn lists_are_bytes_of_any_number_of_elements() {
    let dir = TestDir::new();
    let schema = Schema::declare(JOB).unwrap();
    let any = dir.any().max_len(4).create("jobs", &schema).unwrap();
    let typed = dir.options::<[Job]>().max_len(4).open("jobs").unwrap();
    assert_eq!((any.max_len(), any.schema().size()), (Some(4), 16));
    let (sender, receiver) = (any.sender().unwrap(), typed.receiver().unwrap());
    for length in 0..=4 {
        let jobs: Vec<_> = (0..length).map(job).collect();
        sender.send(&jobs.iter().flat_map(bytes_of).collect::<Vec<_>>(), 0, None).unwrap();
        assert_eq!(receiver.recv().unwrap().into_inner(), jobs);
    }
    for (bytes, why) in [(15, "no whole number"), (80, "at most 4")] {
        let refused = sender.send(&vec![0; bytes], 0, None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let mut invalid = [bytes_of(&job(1)), bytes_of(&job(2))].concat();
    invalid[24] = 7;
    assert_eq!(kind(sender.send(&invalid, 0, None)), ErrorKind::InvalidArgument);

    typed.sender().unwrap().send(&[job(7), job(8)]).unwrap();
    let receiver = any.receiver().unwrap();
    let received = receiver.recv(Some(TIMEOUT)).unwrap();
    assert_eq!(**received, [bytes_of(&job(7)), bytes_of(&job(8))].concat());
    received.reject().unwrap();
    assert_eq!(any.dead_letters().unwrap()[0].value.as_ref().unwrap().len(), 32);
}

#[test]
fn opening_or_creating_compares_type_lists_and_options() {
    let dir = TestDir::new();
    let schema = |text| Schema::declare(text).unwrap();
    let options = || dir.any().depth(5);
    options().max_len(8).open_or_create("lists", &schema("u32")).unwrap();
    let same = options().max_len(8).open_or_create("lists", &schema("u32")).unwrap();
    assert!(!same.was_created());
    let refused = options().max_len(9).open_or_create("lists", &schema("u32"));
    assert_eq!(kind(refused), ErrorKind::WrongOptions);
    let refused = options().open_or_create("lists", &schema("u32"));
    assert_eq!(kind(refused), ErrorKind::WrongType);
    let refused = options().max_len(8).open_or_create("lists", &schema("i32"));
    assert_eq!(kind(refused), ErrorKind::WrongType);
    let refused = options().max_len(8).depth(6).open_or_create("lists", &schema("u32"));
    assert_eq!(kind(refused), ErrorKind::WrongOptions);
    let refused = options().max_len(8).priorities(true).open_or_create("lists", &schema("u32"));
    assert_eq!(kind(refused), ErrorKind::WrongOptions);
    assert_eq!(kind(options().depth(0).create("no", &schema("u32"))), ErrorKind::InvalidArgument);
    Latest::<u32>::options().directory(dir.0.path()).create("level").unwrap();
    assert_eq!(kind(dir.open_any("level")), ErrorKind::WrongKind);
    assert_eq!(kind(dir.open_any("nothing")), ErrorKind::NotFound);
}
