//! Every operation of topics, queues, calls and pipes on any file, which also changes while it is
//! open. Each returns within its timeout, without a panic or a fault. The first byte of the input
//! chooses the object; for the form of the rest see the crate.
#![no_main]

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::{
    AnyCall, AnyQueue, AnyTopic, Call, Maybe, Message, Options, Pipe, Queue, Received, Result,
    Topic, Trust, WhenFull,
};
use shmkit_fuzz::{NAME, ObjectFile, Template, inspect_all};

/// Not all bytes are a value of it.
type Value = Maybe<u32>;

/// No operation waits.
const AT_ONCE: Duration = Duration::ZERO;
const POLICIES: [WhenFull; 3] = [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite];
/// A list of so many values has more than 4 KiB: it is in a buffer.
const LARGE: usize = 600;
const SHORT: usize = 5;

/// What the first byte of an input chooses.
#[derive(Clone, Copy)]
enum Object {
    Topic(WhenFull),
    LargeTopic(WhenFull),
    Queue { priorities: bool },
    ListQueue,
    Call,
    Pipe,
}

const OBJECTS: [Object; 10] = [
    Object::Topic(POLICIES[0]),
    Object::Topic(POLICIES[1]),
    Object::Topic(POLICIES[2]),
    Object::LargeTopic(POLICIES[0]),
    Object::LargeTopic(POLICIES[2]),
    Object::Queue { priorities: false },
    Object::Queue { priorities: true },
    Object::ListQueue,
    Object::Call,
    Object::Pipe,
];

fn topic(directory: &Path, policy: WhenFull) -> Options<Topic<Value>> {
    Topic::options().directory(directory).max_participants(4).depth(4).when_full(policy)
}

fn large_topic(directory: &Path, policy: WhenFull) -> Options<Topic<[Value]>> {
    let options = Topic::options().directory(directory).max_participants(4).depth(2);
    options.when_full(policy).max_len(LARGE).spare_buffers(3)
}

fn queue<M: Message + ?Sized>(directory: &Path) -> Options<Queue<M>> {
    Queue::options().directory(directory).max_users(4).depth(4).delivery_limit(2)
}

fn call(directory: &Path) -> Options<Call<Value, Value>> {
    Call::options().directory(directory).max_users(4).in_flight(2).parts(2)
}

fn pipe(directory: &Path) -> Options<Pipe> {
    Pipe::options().directory(directory).capacity(4_096).max_ends(4)
}

/// Creates an object, and leaves messages in it.
fn create(directory: &Path, object: Object) -> Result<()> {
    match object {
        Object::Topic(policy) => {
            let topic = topic(directory, policy).create(NAME)?;
            let mut publisher = topic.publisher()?;
            (0..3).try_for_each(|n| publisher.publish(&Some(n).into()).map(drop))
        }
        Object::LargeTopic(policy) => {
            let topic = large_topic(directory, policy).create(NAME)?;
            let mut publisher = topic.publisher()?;
            (0..3).try_for_each(|n| publisher.publish(&values(n, LARGE)).map(drop))
        }
        Object::Queue { priorities } => {
            let queue = queue::<Value>(directory).priorities(priorities).create(NAME)?;
            let (sender, receiver) = (queue.sender()?, queue.receiver()?);
            (0..3).try_for_each(|n| sender.send(&Some(n).into()))?;
            receiver.recv()?.reject()
        }
        Object::ListQueue => {
            let queue = queue::<[Value]>(directory).max_len(SHORT).create(NAME)?;
            let sender = queue.sender()?;
            (0..3).try_for_each(|n| sender.send(&values(n, n as usize)))
        }
        // Requests, and the bytes in a pipe, are dropped with the last participant.
        Object::Call => call(directory).create(NAME).map(drop),
        Object::Pipe => pipe(directory).create(NAME).map(drop),
    }
}

fn values(number: u32, length: usize) -> Vec<Value> {
    (0..length as u32).map(|place| Some(number + place).into()).collect()
}

fuzz_target!(|input: &[u8]| {
    static TEMPLATES: [OnceLock<Template>; OBJECTS.len()] =
        [const { OnceLock::new() }; OBJECTS.len()];
    let (choice, input) = input.split_first().unwrap_or((&0, &[]));
    let number = usize::from(*choice) % OBJECTS.len();
    let object = OBJECTS[number];
    let create = |directory: &Path| create(directory, object).expect("an object can be created");
    let template = TEMPLATES[number].get_or_init(|| Template::new(create));
    let (here, file) = (template.directory(), template.create_file(input));
    match object {
        Object::Topic(policy) => {
            use_both(|| topic(here, policy).open(NAME), &file, use_topic);
        }
        Object::LargeTopic(policy) => {
            use_both(|| large_topic(here, policy).open(NAME), &file, use_large_topic);
        }
        Object::Queue { priorities } => {
            use_both(|| queue(here).priorities(priorities).open(NAME), &file, use_queue);
        }
        Object::ListQueue => {
            use_both(|| queue(here).max_len(SHORT).open(NAME), &file, use_list_queue);
        }
        Object::Call => use_both(|| call(here).open(NAME), &file, use_call),
        Object::Pipe => use_both(|| pipe(here).open(NAME), &file, use_pipe),
    }
    match object {
        Object::Topic(_) | Object::LargeTopic(_) => drop(use_any_topic(here)),
        Object::Queue { .. } | Object::ListQueue => drop(use_any_queue(here)),
        Object::Call => drop(use_any_call(here)),
        Object::Pipe => {}
    }
    inspect_all(here);
    file.fix(here);
    let _ = pipe(here).remove(NAME);
});

/// Uses two handles, the second one also as the first left the object. The file changes once
/// participants have joined: `act` calls its last argument then.
fn use_both<P>(
    open: impl Fn() -> Result<P>,
    file: &ObjectFile<'_>,
    act: impl Fn(&P, &dyn Fn()) -> Result<()>,
) {
    let handles = [(); 2].map(|()| open());
    handles.iter().flatten().for_each(|handle| drop(act(handle, &|| file.patch())));
}

fn use_topic(topic: &Topic<Value>, patch: &dyn Fn()) -> Result<()> {
    let _ = (topic.sequence(), topic.depth(), topic.when_full(), topic.attached());
    let (mut late, mut subscriber) = (topic.subscriber_with_history(9)?, topic.subscriber()?);
    let (mut publisher, mut news) = (topic.publisher()?, topic.attendance());
    patch();
    for n in 0..6 {
        let _ = publisher.publish_timeout(&Some(n).into(), AT_ONCE);
        for subscriber in [&mut late, &mut subscriber] {
            let _ = subscriber.try_recv().map(|value| format!("{value:?}"));
            let _ = subscriber.recv_timeout(AT_ONCE);
            let _ = (subscriber.sequence(), subscriber.lost());
        }
    }
    let _ = publisher.try_publish(&None.into());
    let _ = (publisher.subscribers(), publisher.check_subscribers(), publisher.dropped());
    let _ = (subscriber.recv_boxed(AT_ONCE), news.news());
    late.recv_into(&mut Some(7).into(), AT_ONCE)
}

fn use_large_topic(topic: &Topic<[Value]>, patch: &dyn Fn()) -> Result<()> {
    let (mut late, mut subscriber) = (topic.subscriber_with_history(9)?, topic.subscriber()?);
    let (mut publisher, mut other) = (topic.publisher()?, topic.publisher()?);
    patch();
    for length in [LARGE, 0, 7, LARGE] {
        let _ = publisher.publish_timeout(&values(1, length), AT_ONCE);
        if let Ok(mut loan) = other.loan_len(length) {
            loan.fill(Some(length as u32).into());
            let _ = format!("{loan:?}");
            let _ = loan.send_timeout(AT_ONCE);
        }
        drop(other.loan_len(LARGE));
        let samples = [late.try_recv_sample(), subscriber.recv_sample_timeout(AT_ONCE).map(Some)];
        for sample in samples.iter().flatten().flatten() {
            let _ = (format!("{sample:?}"), sample.sequence());
        }
        for subscriber in [&mut late, &mut subscriber] {
            let _ = subscriber.try_recv().map(|message| format!("{message:?}"));
            let _ = (subscriber.sequence(), subscriber.lost());
        }
    }
    // More than there are, so that those that no process has are looked for.
    let _loans = [publisher.loan_len(1), other.loan_len(1)];
    topic.publisher()?.loan_len(1).map(drop)
}

fn use_any_topic(directory: &Path) -> Result<()> {
    let any = AnyTopic::open(Some(directory), NAME, Trust::Own)?;
    let _ = (any.schema().to_string(), any.max_len(), any.depth(), any.sequence());
    let (mut publisher, mut subscriber) = (any.publisher()?, any.subscriber(3)?);
    for length in [0, 8, 16] {
        let _ = publisher.publish_timeout(&[1, 0, 0, 0, 7, 0, 0, 0].repeat(2)[..length], AT_ONCE);
        let _ = (subscriber.try_recv(), subscriber.recv_timeout(AT_ONCE));
    }
    Ok(())
}

fn use_queue(queue: &Queue<Value>, patch: &dyn Fn()) -> Result<()> {
    use_any_message(queue, patch, |n| Value::from(Some(n)))
}

fn use_list_queue(queue: &Queue<[Value]>, patch: &dyn Fn()) -> Result<()> {
    let receiver = queue.receiver()?;
    let _ = receiver.try_recv_into(&mut [Some(7).into(); 1]).map(|it| it.map(Received::reject));
    let _ = receiver.recv_into_timeout(&mut [None.into(); SHORT], AT_ONCE).map(drop);
    use_any_message(queue, patch, |n| values(n, n as usize % (SHORT + 2)))
}

fn use_any_message<M, O>(queue: &Queue<M>, patch: &dyn Fn(), of: impl Fn(u32) -> O) -> Result<()>
where
    M: Message<Owned: std::fmt::Debug> + ?Sized,
    O: std::borrow::Borrow<M>,
{
    let _ = (queue.counts(), queue.counts_by_priority(), queue.count_participants());
    let (sender, receiver) = (queue.sender()?, queue.receiver()?);
    // It holds a message while the file changes.
    let held = receiver.try_recv();
    patch();
    for n in 0..6 {
        let message = of(n);
        let _ = sender.try_send(message.borrow());
        let _ = sender.send_with_priority_timeout(message.borrow(), n % 3, AT_ONCE);
        let Ok(Some(message)) = receiver.try_recv() else { continue };
        let _ = (format!("{:?}", *message), message.priority(), message.deliveries());
        let _ = match n % 4 {
            0 => message.acknowledge(),
            1 => message.requeue(),
            2 => message.reject(),
            _ => Ok(drop(message)),
        };
    }
    drop((held, receiver.recv_timeout(AT_ONCE)));
    for letter in queue.dead_letters()? {
        let _ = (queue.requeue_dead(letter.number), queue.drop_dead(letter.number));
    }
    Ok(())
}

fn use_any_queue(directory: &Path) -> Result<()> {
    let any = AnyQueue::open(Some(directory), NAME, Trust::Own)?;
    let _ = (any.schema().to_string(), any.max_len(), any.counts(), any.dead_letters());
    let (sender, receiver) = (any.sender()?, any.receiver()?);
    for length in [0, 8, 16] {
        let message = &[1, 0, 0, 0, 7, 0, 0, 0].repeat(2)[..length];
        let _ = sender.send(message, 1, Some(AT_ONCE));
        let _ = (receiver.try_recv(), receiver.recv(Some(AT_ONCE)));
    }
    Ok(())
}

fn use_call(call: &Call<Value, Value>, patch: &dyn Fn()) -> Result<()> {
    let _ = (call.counts(), call.count_participants());
    let (client, server) = (call.client()?, call.server()?);
    let before = client.try_send(&Some(1).into());
    let begun = server.try_recv();
    patch();
    for n in 0..6 {
        let asked = [client.try_send(&Some(n).into()), client.send_timeout(&None.into(), AT_ONCE)];
        if let Ok(mut request) = server.recv_timeout(AT_ONCE) {
            let _ = (request.is_cancelled(), request.client(), request.number(), *request);
            // An answer for which there is no room would wait for the client.
            for part in 0..if n % 3 == 2 { 1 } else { 3 } {
                let _ = request.respond_part_timeout(&Some(part).into(), AT_ONCE);
            }
            let _ = match n % 3 {
                0 => request.finish(),
                1 => Ok(request.refuse()),
                _ => request.respond(&Some(n).into()),
            };
        }
        for mut pending in asked.into_iter().flatten() {
            let _ = (pending.try_recv(), pending.recv_timeout(AT_ONCE), pending.is_over());
        }
    }
    if let Ok(Some(request)) = begun {
        let _ = request.respond(&None.into());
    }
    drop(before.map(|mut pending| pending.try_recv()));
    let _ = client.servers();
    client.call_timeout(&None.into(), AT_ONCE).map(drop)
}

fn use_any_call(directory: &Path) -> Result<()> {
    let any = AnyCall::open(Some(directory), NAME, Trust::Own)?;
    let _ = (any.request_schema().to_string(), any.response_schema().to_string(), any.counts());
    let (client, server) = (any.client()?, any.server()?);
    let mut pending = client.send(&[0; 8], Some(AT_ONCE))?;
    if let Ok(mut request) = server.recv(Some(AT_ONCE)) {
        let _ = request.respond_part(&[1, 0, 0, 0, 7, 0, 0, 0], Some(AT_ONCE));
        let _ = request.respond(&[0; 8]);
    }
    let _ = (pending.recv(Some(AT_ONCE)), pending.recv(Some(AT_ONCE)), pending.is_over());
    Ok(())
}

fn use_pipe(pipe: &Pipe, patch: &dyn Fn()) -> Result<()> {
    let _ = (pipe.capacity(), pipe.unread());
    let (mut reader, mut writer) = (pipe.reader()?, pipe.writer()?);
    let mut bytes = [7; 3_000];
    for length in [0, 1, 3_000, 3_000, 13] {
        let _ = writer.try_write(&bytes[..length]);
        if length == 1 {
            patch();
        }
        let _ = writer.write_timeout(&bytes[..length], AT_ONCE);
        let _ = writer.flush();
        let _ = reader.try_read(&mut bytes[..length]);
        let _ = reader.read_timeout(&mut bytes, AT_ONCE);
    }
    writer.close();
    // The end of the stream, unless the words say that no writer came yet.
    reader.read_timeout(&mut bytes, AT_ONCE).map(drop)
}
