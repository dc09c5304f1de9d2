//! Two POSIX message queues, which the processes inherit: on Linux they are descriptors.

#![allow(unsafe_code, reason = "calls that only libc has")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr;

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::payload::{self, WORD, bytes, bytes_mut};
use super::super::side::Side;
use super::super::system;
use super::super::worker::{Part, Worker};
use crate::sys;

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "posix-queue",
    title: "POSIX message queue",
    family: Family::MessageQueue,
    keeps_all: true,
    prepare,
    run,
};

/// How many messages a queue holds, or less if the system has no room for these.
const DEPTHS: [libc::c_long; 4] = [10, 4, 2, 1];

fn prepare(_directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    for depth in DEPTHS {
        match (create(depth, size), create(depth, size)) {
            (Ok(there), Ok(back)) => {
                let ends = vec![system::inheritable(&there)?, system::inheritable(&back)?];
                return Ok(Prepared { ends, keep: vec![Box::new((there, back))] });
            }
            (Err(error), _) | (_, Err(error)) => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENOMEM) => {}
                Some(libc::EINVAL) => return Err(Cannot(too_large())),
                _ => return Err(error.into()),
            },
        }
    }
    Err(Cannot("two queues of one message exceed RLIMIT_MSGQUEUE (`ulimit -q`)".into()))
}

fn too_large() -> String {
    let path = "/proc/sys/fs/mqueue/msgsize_max";
    let limit = fs::read_to_string(path);
    let limit = limit.map_or_else(|_| "the limit".into(), |it| format!("{} bytes", it.trim()));
    format!("a message can have at most {limit} (fs.mqueue.msgsize_max)")
}

/// Creates a queue whose name is removed at once.
fn create(depth: libc::c_long, size: usize) -> io::Result<OwnedFd> {
    let name = format!("/shm-bench-{}-{:x}", std::process::id(), sys::monotonic_ns());
    let name = CString::new(name)?;
    // SAFETY: zeros are a valid value.
    let mut attributes: libc::mq_attr = unsafe { mem::zeroed() };
    attributes.mq_maxmsg = depth;
    attributes.mq_msgsize = size as libc::c_long;
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the name ends with a zero byte; a mode and the attributes follow, as the flags say.
    let queue =
        unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, &raw mut attributes) };
    if queue < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has opened it for this caller only.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    // SAFETY: the name ends with a zero byte.
    unsafe { libc::mq_unlink(name.as_ptr()) };
    Ok(queue)
}

struct Queues {
    to: OwnedFd,
    from: OwnedFd,
    words: Vec<u64>,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let there = system::inherited(&worker.ends()[0])?.into();
        let back = system::inherited(&worker.ends()[1])?.into();
        let (to, from) = match worker.part() {
            Part::First => (there, back),
            Part::Second => (back, there),
        };
        Ok(Queues { to, from, words: vec![0; worker.size() / WORD] })
    })
}

impl Side for Queues {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut self.words, number);
        let (to, bytes) = (self.to.as_raw_fd(), bytes(&self.words));
        // SAFETY: the descriptor is open, and the bytes are valid for the length.
        retry(|| unsafe { libc::mq_send(to, bytes.as_ptr().cast(), bytes.len(), 0) } as isize)?;
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        let (from, bytes) = (self.from.as_raw_fd(), bytes_mut(&mut self.words));
        let (into, room) = (bytes.as_mut_ptr().cast(), bytes.len());
        // SAFETY: the descriptor is open, and there is room of this length; without a priority.
        let read = retry(|| unsafe { libc::mq_receive(from, into, room, ptr::null_mut()) })?;
        Ok(payload::number(&self.words[..read / WORD]).filter(|_| read == room))
    }
}

/// Repeats a call that a signal has ended.
fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(answer) => return Ok(answer),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}
