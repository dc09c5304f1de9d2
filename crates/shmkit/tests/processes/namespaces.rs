//! Processes in different PID namespaces, which know each other by different process ids, share
//! objects. In a user namespace, users that it does not map are strangers.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};
use shmkit::memory::Trust;
use shmkit::{Latest, SharedMemory};

use crate::children::{Child, Link, ROLE};
use crate::test_dir::{TestDir, skip};

const NAME: &str = "count";

/// Starts a child in the role of its task as the first process of a new PID namespace, and reports
/// the child's process id outside.
pub(crate) fn first_in_namespace(link: &mut Link) {
    // SAFETY: chooses the namespace of the next child; no memory is involved.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return link.send(format!("cannot unshare: {}", std::io::Error::last_os_error()));
    }
    let mut first = Command::new(std::env::current_exe().unwrap());
    first.args(std::env::args_os().skip(1)).env(ROLE, link.task()).stdout(Stdio::null());
    let mut first = first.spawn().unwrap();
    link.send(format!("pid {}", first.id()));
    // From here on the child uses the link.
    first.wait().unwrap();
}

/// A child in a PID namespace of its own, and its process id outside.
pub(crate) fn start_in_namespace(dir: &TestDir, role: &str) -> Option<(Child, Pid)> {
    let mut child = Child::start(dir, "PID namespace", role);
    // The message of the child and that of its parent come in any order.
    let mut answers = [child.receive(), String::new()];
    if answers[0].starts_with("cannot") {
        skip(&format!("a PID namespace: {}", answers[0]));
        return None;
    }
    answers[1] = child.receive();
    let pid = answers.iter().find_map(|answer| answer.strip_prefix("pid ")).unwrap();
    assert!(answers.iter().any(|answer| answer == "ready"), "{answers:?}");
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    Some((child, pid))
}

#[test]
fn processes_of_different_pid_namespaces_share_and_see_each_other_die() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let Some((mut writer, outer_pid)) = start_in_namespace(&dir, "writer") else { return };
    let (mut listener, _) = start_in_namespace(&dir, "listener").unwrap();
    let participants = dir.describe(NAME).participants;
    let [participant] = &participants[..] else { panic!("{participants:?}") };
    assert!(participant.pid == 1 && participant.is_alive, "{participants:?}");

    assert_eq!(writer.ask(7), "set");
    assert_eq!(listener.receive(), "7");
    let error = latest.writer().err().unwrap().to_string();
    assert!(error.contains("process 1 ("), "{error}");

    rustix::process::kill_process(outer_pid, Signal::KILL).unwrap();
    assert_eq!(listener.receive(), "PeerDied");
    assert!(!dir.describe(NAME).participants[0].is_alive);
    assert_eq!(latest.writer().unwrap().set(&8).unwrap(), 2);
    assert_eq!(listener.receive(), "8");
    let (mut next, _) = start_in_namespace(&dir, "writer").unwrap();
    assert_eq!(next.ask(9), "set");
    assert_eq!(listener.receive(), "9");
    assert_eq!(latest.get().unwrap(), 9);
}

/// Opens an object and memory in a user namespace that maps no user, and reports the errors.
pub(crate) fn unmapped_user(link: &mut Link) {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    link.send(if map.is_empty() { "ready" } else { "no user namespace" });
    let memory = link.receive();
    for trust in [Trust::Own, Trust::User(65_534), Trust::Anyone] {
        let opened = Latest::<u64>::options().trust(trust).open(NAME);
        link.send(opened.map_or_else(|error| error.reason(), |_| "open".into()));
        let opened = SharedMemory::options().trust(trust).open(&memory);
        link.send(opened.map_or_else(|error| error.reason(), |_| "open".into()));
    }
}

/// Memory that is removed at the end of a test.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = SharedMemory::remove(&self.0);
    }
}

#[test]
fn what_belongs_to_a_user_whom_the_namespace_does_not_map_belongs_to_a_stranger() {
    let (dir, memory) = (TestDir::new(), format!("unmapped-{}", std::process::id()));
    let _latest = dir.latest::<u64>().create(NAME).unwrap();
    SharedMemory::create(&memory, 4_096).unwrap();
    let _removed = Removed(memory.clone());
    let mut child = Child::start_with(&dir, "unmapped user", "", |command| {
        let unshare = || {
            // SAFETY: chooses the user namespace of the child. If it fails, the child says so.
            let _ = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
            Ok(())
        };
        // SAFETY: the one call is allowed between fork and exec.
        unsafe { command.pre_exec(unshare) }
    });
    if child.receive() != "ready" {
        return skip("a user namespace: the system refuses it");
    }
    child.send(&memory);
    let answers: [String; 6] = std::array::from_fn(|_| child.receive());
    for answer in &answers[..4] {
        assert!(answer.contains("can stand for users whom this user namespace"), "{answer}");
    }
    assert_eq!(answers[4..], ["open", "open"]);
}
