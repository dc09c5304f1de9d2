//! The system calls of an attach, and of messages: a traced child stops at each.

use std::any::Any;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::ptr;

use shmkit::{Call, Latest, Pipe, Queue, Topic};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, skip};

const NAME: &str = "count";
/// To attach and to leave takes fewer system calls than this.
const MAX_CALLS: usize = 20;
/// The system calls with a path as second argument, after a directory.
const PATH_SECOND: &[i64] =
    &[libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_readlinkat, libc::SYS_statx];
/// Those with a path as first argument. Newer processors have few of them.
const PATH_FIRST: &[i64] = &[
    libc::SYS_statfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// Attaches, then attaches again and leaves, each time between two marks.
pub(crate) fn traced(link: &mut Link) {
    if !begin_trace(link) {
        return;
    }
    mark();
    let latest = Latest::<u64>::open(NAME).unwrap();
    mark();
    drop(Latest::<u64>::open(NAME).unwrap());
    mark();
    drop(latest);
}

/// What passes messages: one in a call.
const CHANNELS: [&str; 6] =
    ["topic", "loans and samples", "queue", "queue by priority", "call", "pipe"];

/// Passes messages between two marks, through the channel that its task names.
pub(crate) fn traced_messages(link: &mut Link) {
    let task = link.task();
    match task.as_str() {
        "topic" => {
            let topic = Topic::<u64>::options().create(NAME).unwrap();
            let (mut publisher, mut subscriber) =
                (topic.publisher().unwrap(), topic.subscriber().unwrap());
            trace_messages(link, |number| {
                publisher.publish(&number).unwrap();
                subscriber.recv().unwrap()
            });
        }
        "loans and samples" => {
            // More than 4 KiB: in buffers.
            let topic = Topic::<[u64; 600]>::options().create(NAME).unwrap();
            let (mut publisher, mut subscriber) =
                (topic.publisher().unwrap(), topic.subscriber().unwrap());
            let mut pass = |number| {
                let mut loan = publisher.loan().unwrap();
                loan.fill(number);
                loan.send().unwrap();
                subscriber.recv_sample().unwrap()[599]
            };
            // The first loan of a publisher maps the object once more.
            assert_eq!(pass(7), 7);
            trace_messages(link, pass);
        }
        "call" => {
            let call = Call::<u64, u64>::options().create(NAME).unwrap();
            let (client, server) = (call.client().unwrap(), call.server().unwrap());
            trace_messages(link, |number| {
                let mut pending = client.send(&number).unwrap();
                let request = server.recv().unwrap();
                let answer = *request;
                request.respond(&answer).unwrap();
                pending.recv().unwrap().unwrap()
            });
        }
        "pipe" => {
            let pipe = Pipe::options().create(NAME).unwrap();
            let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
            trace_messages(link, |number| {
                let mut bytes = [0; 8];
                writer.write_all(&number.to_le_bytes()).unwrap();
                reader.read_exact(&mut bytes).unwrap();
                u64::from_le_bytes(bytes)
            });
        }
        queue => {
            let options = Queue::<u64>::options().priorities(queue != "queue");
            let queue = options.create(NAME).unwrap();
            let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
            trace_messages(link, |number| {
                assert!(receiver.try_recv().unwrap().is_none());
                sender.send(&number).unwrap();
                receiver.recv().unwrap().into_inner()
            });
        }
    }
}

/// What a participant joins.
const JOINED: [&str; 4] = ["topic", "queue", "call", "pipe"];
const CROWD: usize = 100;

/// Joins the channel that its task names, as a publisher or what corresponds to it: one participant
/// or many, which are returned as one value.
fn join(channel: &str, count: usize) -> Box<dyn Any> {
    match channel {
        "topic" => {
            let options = Topic::<u64>::options().max_participants(512);
            let topic = options.open_or_create(channel).unwrap();
            Box::new((0..count).map(|_| topic.publisher().unwrap()).collect::<Vec<_>>())
        }
        "queue" => {
            let queue = Queue::<u64>::options().max_users(512).open_or_create(channel).unwrap();
            Box::new((0..count).map(|_| queue.receiver().unwrap()).collect::<Vec<_>>())
        }
        "call" => {
            let call = Call::<u64, u64>::options().max_users(512).open_or_create(channel).unwrap();
            Box::new((0..count).map(|_| call.client().unwrap()).collect::<Vec<_>>())
        }
        _ => {
            let pipe = Pipe::options().max_ends(512).open_or_create(channel).unwrap();
            Box::new((0..count).map(|_| pipe.writer().unwrap()).collect::<Vec<_>>())
        }
    }
}

/// Joins many times, and stays.
pub(crate) fn crowd_of_channel(link: &mut Link) {
    let _joined = join(&link.task(), CROWD);
    link.send("ready");
    link.receive();
}

/// Joins between two marks, and leaves.
pub(crate) fn traced_joining(link: &mut Link) {
    let task = link.task();
    if !begin_trace(link) {
        return;
    }
    mark();
    drop(join(&task, 1));
    mark();
}

/// With others, each participant that lives costs the next one, and the dead cost it more.
#[test]
fn joining_a_channel_costs_the_same_whoever_is_there_and_little_more_after_many_deaths() {
    for channel in JOINED {
        let dir = TestDir::new();
        let count = || {
            let mut child = Child::start(&dir, "traced joining", channel);
            let thread = child.receive().parse().unwrap();
            let answer = child.receive();
            if answer != "traced" {
                skip(&format!("counting system calls: {answer}"));
                return None;
            }
            let traced = Traced::new(thread);
            traced.calls();
            Some(traced.calls().len())
        };
        // It creates the object.
        if count().is_none() {
            return;
        }
        let alone = count();
        let mut crowd = Child::start_ready(&dir, "crowd of channel", channel);
        let with_many = count();
        crowd.kill();
        let after_deaths = count();
        println!("{channel}: {alone:?} {with_many:?} {after_deaths:?}");
        let [alone, with_many, after_deaths] = [alone, with_many, after_deaths].map(Option::unwrap);
        // It asks about a few whether they live.
        assert!(with_many <= alone + 8, "{channel}: {with_many} calls, and {alone} alone");
        // It frees a few of the dead.
        assert!(after_deaths <= alone + 40, "{channel}: {after_deaths} calls, and {alone} alone");
    }
}

fn trace_messages(link: &mut Link, mut pass: impl FnMut(u64) -> u64) {
    if !begin_trace(link) {
        return;
    }
    mark();
    for number in 0..1_000 {
        assert_eq!(pass(number), number);
    }
    mark();
}

/// Makes the parent the tracer of this thread. False if it cannot be traced.
fn begin_trace(link: &mut Link) -> bool {
    link.send(rustix::thread::gettid().as_raw_nonzero());
    // SAFETY: makes the parent this thread's tracer; the pointer is not used.
    let code = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<u8>(), 0) };
    if code == -1 {
        link.send(format!("cannot be traced: {}", std::io::Error::last_os_error()));
        return false;
    }
    link.send("traced");
    // SAFETY: stops this thread, until the tracer resumes it.
    unsafe { libc::raise(libc::SIGSTOP) };
    true
}

/// Makes a system call that nothing else makes.
fn mark() {
    // SAFETY: the call takes no pointers.
    unsafe { libc::getpgid(0) };
}

/// A thread of a child that this thread traces.
struct Traced {
    thread: libc::pid_t,
    memory: std::fs::File,
}

/// The entry of a system call.
struct SystemCall {
    number: i64,
    /// Its path argument, if it has one.
    path: String,
}

impl Traced {
    fn new(thread: libc::pid_t) -> Self {
        let memory = std::fs::File::open(format!("/proc/{thread}/mem")).unwrap();
        let traced = Self { thread, memory };
        traced.wait_for_stop();
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
        // SAFETY: the thread is stopped, and this thread traces it; the options are a number.
        let code = unsafe {
            libc::ptrace(libc::PTRACE_SETOPTIONS, thread, ptr::null_mut::<u8>(), options)
        };
        assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
        traced
    }

    fn wait_for_stop(&self) {
        let mut status = 0;
        // SAFETY: waits for the traced thread, and writes to a local.
        let waited = unsafe { libc::waitpid(self.thread, &raw mut status, libc::__WALL) };
        assert!(waited == self.thread && libc::WIFSTOPPED(status), "{status:#x}");
    }

    /// Runs the thread until its next system call begins.
    fn next_call(&self) -> SystemCall {
        loop {
            // SAFETY: the thread is stopped, and this thread traces it; no signal is delivered.
            let code = unsafe {
                libc::ptrace(libc::PTRACE_SYSCALL, self.thread, ptr::null_mut::<u8>(), 0)
            };
            assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
            self.wait_for_stop();
            let mut info = std::mem::MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
            // SAFETY: the thread is stopped; the kernel writes at most `size` bytes.
            let written = unsafe {
                let size = size_of_val(&info);
                libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, self.thread, size, info.as_mut_ptr())
            };
            assert!(written > 0, "{}", std::io::Error::last_os_error());
            // SAFETY: zeros are a value of these numbers, of which the kernel has written some.
            let info = unsafe { info.assume_init() };
            if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
                // SAFETY: `op` says that `entry` is the active field.
                let entry = unsafe { info.u.entry };
                return self.call(entry.nr as i64, &entry.args);
            }
        }
    }

    fn call(&self, number: i64, arguments: &[u64; 6]) -> SystemCall {
        let path = match number {
            _ if PATH_SECOND.contains(&number) => arguments[1],
            _ if PATH_FIRST.contains(&number) => arguments[0],
            _ => return SystemCall { number, path: String::new() },
        };
        let mut bytes = [0; 64];
        let length = self.memory.read_at(&mut bytes, path).unwrap_or(0);
        let text = bytes[..length].split(|&byte| byte == 0).next().unwrap_or(&[]);
        SystemCall { number, path: String::from_utf8_lossy(text).into_owned() }
    }

    /// The system calls up to the next mark.
    fn calls(&self) -> Vec<SystemCall> {
        let calls = std::iter::from_fn(|| Some(self.next_call()));
        calls.take_while(|call| call.number != libc::SYS_getpgid).collect()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Otherwise the end of the thread would wait for this tracer.
        // SAFETY: the thread is stopped, and this thread traces it, or the call fails.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.thread, ptr::null_mut::<u8>(), 0) };
    }
}

#[test]
fn attaching_takes_few_system_calls_and_reads_nothing_from_proc() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    let mut child = Child::start(&dir, "traced", "");
    let thread = child.receive().parse().unwrap();
    let answer = child.receive();
    if answer != "traced" {
        return skip(&format!("counting system calls: {answer}"));
    }
    let traced = Traced::new(thread);
    traced.calls();
    for which in ["first in the process", "second, with its end"] {
        let calls = traced.calls();
        let shown: Vec<_> =
            calls.iter().map(|call| format!("{} {}", call.number, call.path)).collect();
        println!("{which}: {} system calls: {shown:?}", calls.len());
        assert!((1..MAX_CALLS).contains(&calls.len()), "{which}: {shown:?}");
        let in_proc = calls.iter().find(|call| call.path.starts_with("/proc"));
        assert!(in_proc.is_none(), "{which}: {shown:?}");
    }
}

#[test]
fn messages_take_no_system_call() {
    for channel in CHANNELS {
        let dir = TestDir::new();
        let mut child = Child::start(&dir, "traced messages", channel);
        let thread = child.receive().parse().unwrap();
        let answer = child.receive();
        if answer != "traced" {
            return skip(&format!("counting system calls: {answer}"));
        }
        let traced = Traced::new(thread);
        traced.calls();
        let calls = traced.calls();
        // At times, each side asks whether the file was removed, and who of the other side lives.
        let count = calls.len();
        println!("{channel}: {count} system calls");
        assert!(count <= 9, "{channel}: {count} system calls for 1,000 messages");
    }
}
