//! Clients, servers and requests of a call, and the handles of objects of any type.

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::{AnyCall, AnyQueue, AnyTopic, Call, ErrorKind, Topic, WaitSet, WhenFull};

use super::futures::{block_on, cancel, tokio_runtime, while_waiting};
use super::kinds::check;
use super::{SHORT, TIMEOUT, TestDir, assert_woken, kind, set_of};

type Squares = Call<u32, u64>;

fn squares(dir: &TestDir) -> Squares {
    dir.with(Squares::options()).in_flight(2).parts(1).create("call").unwrap()
}

#[test]
fn a_server_a_client_and_a_request_in_flight() {
    let dir = TestDir::new();
    let call = squares(&dir);
    let (client, mut server) = (call.client().unwrap(), call.server().unwrap());
    let mut sent = None;
    check(
        &mut server,
        |round| sent = Some(client.send(&round).unwrap()),
        |server, round| {
            let request = server.try_recv().unwrap().unwrap();
            assert_eq!(*request, round);
            request.respond(&round.into()).unwrap();
        },
    );
    drop(sent);
    let mut other = call.client().unwrap();
    let fill = || Some([(); 2].map(|()| client.send(&0).unwrap()));
    let held = RefCell::new(fill());
    check(&mut other, |_| drop(held.take()), |_, _| drop(held.replace(fill())));
    drop(held);
    let mut pending = client.send(&3).unwrap();
    let mut request = server.recv().unwrap();
    let set = set_of(&pending);
    check(
        &mut pending,
        |round| request.respond_part(&round.into()).unwrap(),
        |pending, round| assert_eq!(pending.try_recv().unwrap(), Some(round.into())),
    );
    assert!(set.try_wait().unwrap().is_empty());
    assert_woken(&set, &[7], || request.finish().unwrap());
    assert_eq!((pending.recv().unwrap(), pending.is_over()), (None, true));
    assert_eq!(set.try_wait().unwrap(), [7], "it is still over");
    drop(pending);
    assert!(set.try_wait().unwrap().is_empty(), "it was dropped");
}

#[test]
fn a_request_is_ready_when_there_is_room_for_a_response() {
    let dir = TestDir::new();
    let call = squares(&dir);
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&3).unwrap();
    let mut request = server.recv().unwrap();
    assert_eq!(set_of(&request).try_wait().unwrap(), [7]);
    request.respond_part(&0).unwrap();
    check(
        &mut request,
        |_| assert!(pending.try_recv().unwrap().is_some()),
        |request, round| request.try_respond_part(&round.into()).unwrap(),
    );
    let error = request.try_respond_part(&1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(error.peer().unwrap().pid, Some(std::process::id()));
    let set = set_of(&request);
    assert_woken(&set, &[7], || pending.cancel());
    assert_eq!(kind(request.try_respond_part(&1)), ErrorKind::BrokenPipe);
}

/// A server that leaves is told as one that dies.
#[test]
fn what_only_a_check_finds_is_found_by_the_next_attempt() {
    let dir = TestDir::new();
    let call = squares(&dir);
    for _ in 0..3 {
        let (client, server) = (call.client().unwrap(), call.server().unwrap());
        let mut pending = client.send(&3).unwrap();
        let mut stream = client.send(&4).unwrap();
        std::mem::forget(server.recv().unwrap());
        let mut request = server.recv().unwrap();
        request.respond_part(&16).unwrap();
        let (set, streams) = (set_of(&pending), set_of(&request));
        assert!(pending.try_recv().unwrap().is_none() && set.try_wait().unwrap().is_empty());
        std::mem::forget(request);
        drop(server);
        assert_eq!(set.wait_timeout(TIMEOUT).unwrap(), [7]);
        assert_eq!(kind(pending.try_recv()), ErrorKind::PeerDied);
        assert!(pending.is_over());
        assert_eq!(stream.try_recv().unwrap(), Some(16), "what was answered is received");
        assert_eq!(kind(block_on(stream.recv_async())), ErrorKind::PeerDied);
        assert_eq!(streams.try_wait().unwrap(), [7], "its slot is another's by now");
    }
    assert_eq!(call.counts().total(), 0);
}

#[test]
fn a_removed_call_makes_its_handles_ready() {
    let dir = TestDir::new();
    let call = squares(&dir);
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut pending = client.send(&3).unwrap();
    let request = server.recv().unwrap();
    let set = set_of(&pending);
    set.add(8, &server).unwrap();
    dir.with(Squares::options()).remove("call").unwrap();
    assert_eq!(set.wait_timeout(TIMEOUT).unwrap(), [7, 8]);
    assert_eq!(kind(pending.try_recv()), ErrorKind::Closed);
    assert_eq!(kind(server.try_recv()), ErrorKind::Closed);
    drop(request);
}

#[test]
fn a_call_in_futures() {
    let dir = TestDir::new();
    let call = squares(&dir);
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    for number in 0..10 {
        cancel(server.recv_async());
        let mut pending = block_on(client.send_async(&number)).unwrap();
        cancel(pending.recv_async());
        let other = client.send(&99).unwrap();
        cancel(client.send_async(&98));
        let mut request = block_on(server.recv_async()).unwrap();
        assert_eq!(*request, number, "what was dropped has taken nothing, and given up nothing");
        let answer = while_waiting(pending.recv_async(), || request.respond_part(&1).unwrap());
        assert_eq!(answer.unwrap(), Some(1));
        request.respond_part(&2).unwrap();
        cancel(request.respond_part_async(&99));
        {
            // Woken, and not polled again.
            let mut received = pin!(pending.recv_async());
            let mut context = Context::from_waker(Waker::noop());
            assert!(received.as_mut().poll(&mut context).is_ready());
        }
        block_on(request.respond_part_async(&3)).unwrap();
        let part = request.respond_part_async(&4);
        let told = while_waiting(part, || assert_eq!(pending.recv().unwrap(), Some(3)));
        told.unwrap();
        request.finish().unwrap();
        assert_eq!(block_on(pending.recv_async()).unwrap(), Some(4));
        assert_eq!(block_on(pending.recv_async()).unwrap(), None);
        drop(other);
        assert!(server.try_recv().unwrap().is_none(), "the dropped future sent nothing");
    }
    let held = [(); 2].map(|()| client.send(&0).unwrap());
    let sent = while_waiting(client.send_async(&5), || drop(held));
    sent.unwrap().cancel();
}

#[test]
fn tasks_of_tokio_ask_and_answer() {
    const EACH: u32 = 50;
    let dir = TestDir::new();
    let call = squares(&dir);
    tokio_runtime().block_on(async {
        let serving: Vec<_> = (0..2)
            .map(|_| {
                let call = call.clone();
                tokio::spawn(async move {
                    let server = call.server().unwrap();
                    loop {
                        match server.recv_async().await {
                            Ok(request) => {
                                let number = u64::from(*request);
                                request.respond(&(number * number)).unwrap();
                            }
                            Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed),
                        }
                    }
                })
            })
            .collect();
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let call = call.clone();
                tokio::spawn(async move {
                    let client = call.client().unwrap();
                    for number in 0..EACH {
                        let square = u64::from(number).pow(2);
                        assert_eq!(client.call_async(&number).await.unwrap(), square);
                    }
                })
            })
            .collect();
        for task in asking {
            task.await.unwrap();
        }
        dir.with(Squares::options()).remove("call").unwrap();
        for task in serving {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_call_of_any_types() {
    let dir = TestDir::new();
    drop(squares(&dir));
    let call = AnyCall::open(Some(dir.0.path()), "call", Trust::Own).unwrap();
    let (client, mut server) = (call.client().unwrap(), call.server().unwrap());
    let answer = |round: u32| u64::from(round).to_le_bytes();
    let sent = RefCell::new(None);
    check(
        &mut server,
        |round| drop(sent.replace(client.send(&round.to_le_bytes(), None).ok())),
        |server, round| {
            let mut request = server.try_recv().unwrap().unwrap();
            assert_eq!(set_of(&request).try_wait().unwrap(), [7]);
            request.respond_part(&answer(round), None).unwrap();
            assert!(set_of(&request).try_wait().unwrap().is_empty());
            let mut pending = sent.take().unwrap();
            assert_eq!(set_of(&pending).try_wait().unwrap(), [7]);
            assert_eq!(pending.try_recv().unwrap(), Some(answer(round).to_vec()));
            assert!(set_of(&pending).try_wait().unwrap().is_empty());
        },
    );
    let mut pending = block_on(client.send_async(&[0; 4])).unwrap();
    cancel(pending.recv_async());
    let mut request = block_on(server.recv_async()).unwrap();
    block_on(request.respond_part_async(&answer(1))).unwrap();
    cancel(request.respond_part_async(&answer(2)));
    assert_eq!(block_on(pending.recv_async()).unwrap(), Some(answer(1).to_vec()));
    block_on(request.respond_part_async(&answer(3))).unwrap();
    assert_eq!(block_on(pending.recv_async()).unwrap(), Some(answer(3).to_vec()));
    let other = client.send(&[0; 4], None).unwrap();
    assert!(set_of(&client).try_wait().unwrap().is_empty());
    cancel(client.send_async(&[0; 4]));
    drop(other);
    assert_eq!(set_of(&client).try_wait().unwrap(), [7]);
}

#[test]
fn a_queue_of_any_type() {
    let dir = TestDir::new();
    let options = AnyQueue::options().directory(dir.0.path()).depth(1).priorities(true);
    let queue = options.create("queue", &Schema::declare("u8").unwrap()).unwrap();
    let (mut sender, mut receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    cancel(receiver.recv_async());
    check(
        &mut receiver,
        |round| sender.send(&[round as u8], 0, None).unwrap(),
        |receiver, round| assert_eq!(**receiver.try_recv().unwrap().unwrap(), [round as u8]),
    );
    block_on(sender.send_async(&[1], 5)).unwrap();
    cancel(sender.send_async(&[2], 0));
    check(
        &mut sender,
        |_| drop(block_on(receiver.recv_async()).unwrap()),
        |sender, _| sender.send(&[3], 0, None).unwrap(),
    );
    assert_eq!(**receiver.recv(None).unwrap(), [3], "the dropped future sent nothing");
    sender.send(&[4], 0, None).unwrap();
    let sent = while_waiting(sender.send_async(&[5], 9), || drop(receiver.recv(None).unwrap()));
    sent.unwrap();
    assert_eq!(receiver.recv(None).unwrap().priority(), 9);
}

#[test]
fn a_topic_of_any_type() {
    let dir = TestDir::new();
    let options = AnyTopic::options().directory(dir.0.path()).depth(2);
    let topic = options.create("topic", &Schema::declare("u8").unwrap()).unwrap();
    let (mut publisher, mut subscriber) =
        (topic.publisher().unwrap(), topic.subscriber(0).unwrap());
    cancel(subscriber.recv_async());
    check(
        &mut subscriber,
        |round| _ = publisher.publish(&[round as u8]).unwrap(),
        |subscriber, round| assert_eq!(subscriber.try_recv().unwrap(), Some(vec![round as u8])),
    );
    for round in 0..2 {
        assert_eq!(block_on(publisher.publish_async(&[round])).unwrap(), 1);
    }
    cancel(publisher.publish_async(&[9]));
    check(
        &mut publisher,
        |_| drop(block_on(subscriber.recv_async()).unwrap()),
        |publisher, round| _ = publisher.publish(&[round as u8]).unwrap(),
    );
}

#[test]
fn a_publisher_waits_for_room() {
    let dir = TestDir::new();
    for (name, when_full) in [("block", WhenFull::Block), ("drop", WhenFull::DropNew)] {
        let options = dir.with(Topic::<u32>::options()).depth(2).when_full(when_full);
        let topic = options.create(name).unwrap();
        let (mut publisher, mut subscriber) =
            (topic.publisher().unwrap(), topic.subscriber().unwrap());
        (0..2).for_each(|number| _ = publisher.publish(&number).unwrap());
        check(
            &mut publisher,
            |_| _ = subscriber.recv().unwrap(),
            |publisher, round| _ = publisher.publish(&round).unwrap(),
        );
        cancel(publisher.publish_async(&99));
        let publish = publisher.publish_async(&10);
        let reached = while_waiting(publish, || assert_eq!(subscriber.recv().unwrap(), 8));
        assert_eq!(reached.unwrap(), 1);
        assert_eq!((subscriber.recv().unwrap(), subscriber.recv().unwrap()), (9, 10));
        (0..2).for_each(|number| _ = publisher.publish(&number).unwrap());
        let set = set_of(&publisher);
        assert_woken(&set, &[7], || drop(subscriber));
    }
    let options = dir.with(Topic::<u32>::options()).depth(2).when_full(WhenFull::Overwrite);
    let topic = options.create("overwrite").unwrap();
    let (mut publisher, _subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    (0..5).for_each(|number| _ = block_on(publisher.publish_async(&number)).unwrap());
    assert_eq!(set_of(&publisher).try_wait().unwrap(), [7], "there always is");
}

/// All buffers in use is an error, and not a reason to wait.
#[test]
fn a_publisher_without_a_buffer_is_told() {
    let dir = TestDir::new();
    let options = dir.with(Topic::<[u64; 1_000]>::options()).depth(2).spare_buffers(1);
    let topic = options.create("frames").unwrap();
    let mut publishers: Vec<_> = (0..4).map(|_| topic.publisher().unwrap()).collect();
    let (last, others) = publishers.split_last_mut().unwrap();
    let loans: Vec<_> = others.iter_mut().map(|it| it.loan().unwrap()).collect();
    assert_eq!(kind(block_on(last.publish_async(&[0; 1_000]))), ErrorKind::Full);
    drop(loans);
    assert_eq!(block_on(others[0].publish_async(&[0; 1_000])).unwrap(), 0);
}

#[test]
fn a_set_waits_for_the_answers_of_many_requests() {
    let dir = TestDir::new();
    let call = dir.with(Squares::options()).create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let (set, mut pending) = (WaitSet::new(), Vec::new());
    for number in 0..20 {
        pending.push(client.send(&number).unwrap());
        set.add(number, &pending[number as usize]).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            let requests: Vec<_> = (0..20).map(|_| server.recv().unwrap()).collect();
            for request in requests.into_iter().rev() {
                let answer = u64::from(*request) + 100;
                request.respond(&answer).unwrap();
            }
        });
        let mut received = 0;
        while received < 20 {
            for number in set.wait_timeout(TIMEOUT).unwrap() {
                let answer = pending[number as usize].try_recv().unwrap();
                assert_eq!(answer, Some(u64::from(number) + 100));
                assert!(set.remove(&number));
                received += 1;
            }
        }
    });
}
