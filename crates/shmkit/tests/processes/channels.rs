//! Where other channels fail between processes: each failure is a test here. Those of queues alone
//! are in `queue::known_failures`.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use shmkit::{Call, Error, ErrorKind, Lifetime, Pipe, Queue, Result, Shareable, Topic};

use crate::children::{Child, Link, Role};
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("user of channels", user),
    ("creator of a channel", creator),
    ("program with other names", program_with_other_names),
];

const NAMES: [&str; 4] = ["topic", "queue", "call", "pipe"];
/// As many participants as one child and the test need at a time.
const USERS: u32 = 4;
const SHORT: Duration = Duration::from_millis(20);

/// A channel of each kind.
struct Channels {
    topic: Topic<u64>,
    queue: Queue<u64>,
    call: Call<u64, u64>,
    pipe: Pipe,
}

impl Channels {
    fn open_or_create(here: &Path, lifetime: Lifetime) -> Self {
        let topic = Topic::options().max_participants(USERS).directory(here).lifetime(lifetime);
        let queue = Queue::options().max_users(USERS).directory(here).lifetime(lifetime);
        let call = Call::options().max_users(USERS).directory(here).lifetime(lifetime);
        let pipe = Pipe::options().max_ends(USERS).directory(here).lifetime(lifetime);
        Self {
            topic: topic.open_or_create(NAMES[0]).unwrap(),
            queue: queue.open_or_create(NAMES[1]).unwrap(),
            call: call.open_or_create(NAMES[2]).unwrap(),
            pipe: pipe.open_or_create(NAMES[3]).unwrap(),
        }
    }

    fn were_created(&self) -> [bool; 4] {
        let Self { topic, queue, call, pipe } = self;
        [topic.was_created(), queue.was_created(), call.was_created(), pipe.was_created()]
    }

    /// Passes a message through each of them, behind what the dead left.
    fn pass(&self) {
        let (mut publisher, mut subscriber) =
            (self.topic.publisher().unwrap(), self.topic.subscriber().unwrap());
        assert_eq!(publisher.publish_timeout(&7, TIMEOUT).unwrap(), 1);
        until_told(7, || subscriber.recv_timeout(TIMEOUT));

        let (sender, receiver) = (self.queue.sender().unwrap(), self.queue.receiver().unwrap());
        sender.send_timeout(&7, TIMEOUT).unwrap();
        until_told(7, || receiver.recv_timeout(TIMEOUT).map(|message| message.into_inner()));

        let (client, server) = (self.call.client().unwrap(), self.call.server().unwrap());
        let mut pending = client.send_timeout(&7, TIMEOUT).unwrap();
        until_told(7, || {
            let request = server.recv_timeout(TIMEOUT)?;
            let asked = *request;
            request.respond(&8).map(|()| asked)
        });
        assert_eq!(pending.recv_timeout(TIMEOUT).unwrap(), Some(8));

        let (mut reader, mut writer) = (self.pipe.reader().unwrap(), self.pipe.writer().unwrap());
        writer.write_all(&[7]).unwrap();
        until_told(7, || {
            let mut byte = [0];
            assert_eq!(reader.read_timeout(&mut byte, TIMEOUT)?, 1, "the end of the stream");
            Ok(byte[0].into())
        });
    }
}

/// Receives until the message comes, also what dead processes left, and news of their death.
fn until_told(message: u64, mut receive: impl FnMut() -> Result<u64>) {
    loop {
        match receive() {
            Ok(found) if found == message => return,
            Ok(found) => assert_eq!(found, 1, "what a child sends"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}"),
        }
    }
}

fn default_directory() -> String {
    std::env::var("SHMKIT_DIR").unwrap()
}

/// Takes both sides of each channel, and holds a message of each until it is killed.
fn user(link: &mut Link) {
    let lifetime = match link.task().as_str() {
        "while used" => Lifetime::WhileUsed,
        _ => Lifetime::Persistent,
    };
    let all = Channels::open_or_create(default_directory().as_ref(), lifetime);
    let (mut publisher, mut subscriber) =
        (all.topic.publisher().unwrap(), all.topic.subscriber().unwrap());
    publisher.publish(&1).unwrap();
    let _ = subscriber.try_recv();
    publisher.publish(&1).unwrap();
    let (sender, receiver) = (all.queue.sender().unwrap(), all.queue.receiver().unwrap());
    sender.send(&1).unwrap();
    let _message = receiver.recv().unwrap();
    let (client, server) = (all.call.client().unwrap(), all.call.server().unwrap());
    let _pending = [client.send(&1).unwrap(), client.send(&1).unwrap()];
    let _request = server.recv().unwrap();
    let (_reader, mut writer) = (all.pipe.reader().unwrap(), all.pipe.writer().unwrap());
    writer.write_all(&[1]).unwrap();
    link.send("ready");
    link.receive();
}

/// Others need `rm /dev/shm/*` after some deaths.
#[test]
fn killed_users_leave_room_for_the_next_ones_without_a_cleaning() {
    let dir = TestDir::new();
    let channels = Channels::open_or_create(dir.path(), Lifetime::Persistent);
    for _ in 0..20 {
        Child::start_ready(&dir, "user of channels", "").kill();
        channels.pass();
    }
    dir.repair();
    for name in NAMES {
        assert!(dir.describe(name).participants.is_empty(), "{name}");
    }
}

/// Others leave files that stay for ever.
#[test]
fn channels_that_exist_while_they_are_used_are_gone_after_their_users_were_killed() {
    let dir = TestDir::new();
    Child::start_ready(&dir, "user of channels", "while used").kill();
    let channels = Channels::open_or_create(dir.path(), Lifetime::WhileUsed);
    assert_eq!(channels.were_created(), [true; 4], "not those of the dead");
    channels.pass();
    drop(channels);
    assert_eq!(dir.files(), [""; 0]);
    Child::start_ready(&dir, "user of channels", "while used").kill();
    dir.repair();
    assert_eq!(dir.files(), [""; 0]);
}

/// Creates the channel that its task names.
fn creator(link: &mut Link) {
    match link.task().as_str() {
        "topic" => drop(Topic::<u64>::create("topic").unwrap()),
        "queue" => drop(Queue::<u64>::create("queue").unwrap()),
        "call" => drop(Call::<u64, u64>::create("call").unwrap()),
        _ => drop(Pipe::create("pipe").unwrap()),
    }
}

/// Others leave a name that no process can use any more.
#[test]
fn a_creator_that_is_killed_at_any_point_leaves_a_name_that_can_be_used() {
    for name in NAMES {
        let mut killed = 0;
        for point in shmkit::crash::POINTS.iter().filter(|point| point.starts_with("create: ")) {
            let dir = TestDir::new();
            let child = Child::start_to_die_at(&dir, point, "creator of a channel", name);
            killed += usize::from(child.was_killed());
            let is_there = dir.files().iter().any(|file| *file == format!("{name}.shmkit"));
            if is_there {
                assert!(dir.describe(name).is_sound(), "{name}, {point}");
            }
            // With the options of the child, so that one that is there is opened.
            match name {
                "topic" => drop(Topic::<u64>::options().directory(dir.path()).open_or_create(name)),
                "queue" => drop(Queue::<u64>::options().directory(dir.path()).open_or_create(name)),
                "call" => {
                    drop(Call::<u64, u64>::options().directory(dir.path()).open_or_create(name));
                }
                _ => drop(Pipe::options().directory(dir.path()).open_or_create(name)),
            }
            assert!(dir.describe(name).is_sound(), "{name}, {point}");
            shmkit::inspect::remove(dir.path(), name, shmkit::memory::Trust::Own).unwrap();
            dir.repair();
            assert_eq!(dir.files(), [""; 0], "{name}, {point}");
        }
        assert!(killed >= 4, "{name}: {killed}");
    }
}

/// The same as `Theirs`, in another program.
#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Ours {
    number: u64,
    flag: bool,
}

#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Theirs {
    number: u64,
    flag: bool,
}

fn program_with_other_names(link: &mut Link) {
    let value = Theirs { number: 7, flag: true };
    let topic = Topic::<Theirs>::open("topic").unwrap();
    topic.publisher().unwrap().publish(&value).unwrap();
    Queue::<Theirs>::open("queue").unwrap().sender().unwrap().send(&value).unwrap();
    let call = Call::<Theirs, Theirs>::open("call").unwrap();
    let answer = call.client().unwrap().call_timeout(&value, TIMEOUT).unwrap();
    link.send(answer.number);
}

/// To others a type is a name.
#[test]
fn the_layout_decides_whether_two_programs_have_the_same_type() {
    let (dir, value) = (TestDir::new(), Ours { number: 7, flag: true });
    let topic = Topic::<Ours>::options().directory(dir.path()).create("topic").unwrap();
    let queue = Queue::<Ours>::options().directory(dir.path()).create("queue").unwrap();
    let call = Call::<Ours, Ours>::options().directory(dir.path()).create("call").unwrap();
    let (mut subscriber, server) = (topic.subscriber().unwrap(), call.server().unwrap());
    let mut child = Child::start(&dir, "program with other names", "");
    assert_eq!(subscriber.recv_timeout(TIMEOUT).unwrap(), value);
    assert_eq!(*queue.receiver().unwrap().recv_timeout(TIMEOUT).unwrap(), value);
    let request = server.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(*request, value);
    request.respond(&Ours { number: 8, flag: false }).unwrap();
    assert_eq!(child.receive(), "8");
}

/// A deadline is an `Instant`, and so of the monotonic clock; so is the start of a timeout.
#[test]
fn timeouts_of_channels_use_the_monotonic_clock() {
    let dir = TestDir::new();
    let here = dir.path();
    let topic = Topic::<u64>::options().directory(here).depth(1).create("topic").unwrap();
    let queue = Queue::<u64>::options().directory(here).depth(1).create("queue").unwrap();
    let call = Call::<u64, u64>::options().directory(here).in_flight(1).create("call").unwrap();
    let pipe = Pipe::options().directory(here).capacity(4_096).create("pipe").unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let check = |what: &str, wait: &mut dyn FnMut(Instant) -> Result<()>| {
        let deadline = Instant::now() + SHORT;
        let error: Error = wait(deadline).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{what}: {error}");
        assert!(Instant::now() >= deadline, "{what}");
    };
    check("an empty topic", &mut |until| subscriber.recv_until(until).map(drop));
    check("an empty queue", &mut |until| receiver.recv_until(until).map(drop));
    check("no request", &mut |until| server.recv_until(until).map(drop));
    check("an empty pipe", &mut |until| reader.read_deadline(&mut [0], until).map(drop));
    publisher.publish(&1).unwrap();
    sender.send(&1).unwrap();
    let mut pending = client.send(&1).unwrap();
    writer.write_all(&[1; 4_096]).unwrap();
    check("a full topic", &mut |until| publisher.publish_until(&1, until).map(drop));
    check("a full queue", &mut |until| sender.send_until(&1, until));
    check("too many requests", &mut |until| client.send_until(&1, until).map(drop));
    check("no answer", &mut |until| pending.recv_until(until).map(drop));
    check("a full pipe", &mut |until| writer.write_deadline(&[1], until).map(drop));
}
