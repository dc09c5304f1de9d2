//! What attaching costs, call by call: the child asks to be traced, and stops at each call.

use std::os::unix::fs::FileExt;
use std::ptr;

use shmkit::Latest;

use crate::children::{Child, Link};
use crate::place::{Place, cannot_be_tried};

const NAME: &str = "count";
/// Below this, as promised.
const CALLS: usize = 20;

/// Attaches between two system calls that nothing else makes.
pub(crate) fn traced(link: &mut Link) {
    link.say(rustix::thread::gettid().as_raw_nonzero());
    // SAFETY: stops this thread at its next signal; nothing is passed.
    let code = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<u8>(), 0) };
    if code == -1 {
        return link.say(format!("cannot be traced: {}", std::io::Error::last_os_error()));
    }
    link.say("traced");
    // SAFETY: stops this thread, for the tracer to take over.
    unsafe { libc::raise(libc::SIGSTOP) };
    mark();
    let latest = Latest::<u64>::open(NAME).unwrap();
    mark();
    let again = Latest::<u64>::open(NAME).unwrap();
    mark();
    drop((latest, again));
}

fn mark() {
    // SAFETY: asks for a number.
    unsafe { libc::getpgid(0) };
}

/// A thread of a child, of which this thread is the tracer.
struct Traced {
    thread: libc::pid_t,
    memory: std::fs::File,
}

/// A system call that begins.
struct Call {
    number: i64,
    /// What it names, where it takes a path.
    path: String,
}

impl Traced {
    fn new(thread: libc::pid_t) -> Self {
        let memory = std::fs::File::open(format!("/proc/{thread}/mem")).unwrap();
        let traced = Self { thread, memory };
        traced.wait_for_stop();
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
        // SAFETY: the thread is stopped and traced by this one; the number is a set of options.
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

    /// Lets it run to where its next system call begins.
    fn next_call(&self) -> Call {
        loop {
            // SAFETY: the thread is stopped and traced by this one; no signal is passed on.
            let code = unsafe {
                libc::ptrace(libc::PTRACE_SYSCALL, self.thread, ptr::null_mut::<u8>(), 0)
            };
            assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
            self.wait_for_stop();
            let mut info = std::mem::MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
            // SAFETY: the thread is stopped; the kernel writes at most as many bytes as are said.
            let written = unsafe {
                let size = size_of_val(&info);
                libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, self.thread, size, info.as_mut_ptr())
            };
            assert!(written > 0, "{}", std::io::Error::last_os_error());
            // SAFETY: zeroed, and partly written by the kernel: plain numbers.
            let info = unsafe { info.assume_init() };
            if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
                // SAFETY: this is the form of an entry.
                let entry = unsafe { info.u.entry };
                return self.call(entry.nr as i64, &entry.args);
            }
        }
    }

    fn call(&self, number: i64, arguments: &[u64; 6]) -> Call {
        let path = match number {
            libc::SYS_openat | libc::SYS_newfstatat | libc::SYS_readlinkat => arguments[1],
            libc::SYS_open | libc::SYS_stat | libc::SYS_statfs | libc::SYS_readlink => arguments[0],
            _ => return Call { number, path: String::new() },
        };
        let mut bytes = [0; 64];
        let length = self.memory.read_at(&mut bytes, path).unwrap_or(0);
        let text = bytes[..length].split(|&byte| byte == 0).next().unwrap_or(&[]);
        Call { number, path: String::from_utf8_lossy(text).into_owned() }
    }

    /// The calls up to the next mark.
    fn calls(&self) -> Vec<Call> {
        let calls = std::iter::from_fn(|| Some(self.next_call()));
        calls.take_while(|call| call.number != libc::SYS_getpgid).collect()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // A traced thread's end would wait for its tracer.
        // SAFETY: the thread is stopped and traced by this one, or the call fails.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.thread, ptr::null_mut::<u8>(), 0) };
    }
}

#[test]
fn attaching_takes_few_system_calls_and_reads_nothing_from_proc() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    let mut child = Child::start(&place, "traced", "");
    let thread = child.hear().parse().unwrap();
    let answer = child.hear();
    if answer != "traced" {
        return cannot_be_tried(&format!("counting system calls: {answer}"));
    }
    let traced = Traced::new(thread);
    traced.calls();
    for which in ["the first in its process", "the next"] {
        let calls = traced.calls();
        let shown: Vec<_> =
            calls.iter().map(|call| format!("{} {}", call.number, call.path)).collect();
        println!("{which}: {} system calls: {shown:?}", calls.len());
        assert!((1..CALLS).contains(&calls.len()), "{which}: {shown:?}");
        let in_proc = calls.iter().find(|call| call.path.starts_with("/proc"));
        assert!(in_proc.is_none(), "{which}: {shown:?}");
    }
}
