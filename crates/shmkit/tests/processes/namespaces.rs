//! Processes that have different numbers for each other share all the same.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use crate::children::{Child, Link, ROLE};
use crate::place::{Place, cannot_be_tried};

const NAME: &str = "count";

/// Has the role of its task played by a child that is the first process of a PID namespace of its
/// own, and says the child's number out here.
pub(crate) fn first_in_a_namespace(link: &mut Link) {
    // SAFETY: says where the next child's number is; no memory is involved.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return link.say(format!("cannot unshare: {}", std::io::Error::last_os_error()));
    }
    let mut first = Command::new(std::env::current_exe().unwrap());
    first.args(std::env::args_os().skip(1)).env(ROLE, link.task()).stdout(Stdio::null());
    let mut first = first.spawn().unwrap();
    link.say(format!("number {}", first.id()));
    // The link is the other's from here on.
    first.wait().unwrap();
}

/// The child in the namespace, with the number by which it can be killed.
pub(crate) fn start(place: &Place, role: &str) -> Option<(Child, Pid)> {
    let mut child = Child::start(place, "first in a namespace", role);
    // Two speak at once, in any order.
    let mut answers = [child.hear(), String::new()];
    if answers[0].starts_with("cannot") {
        cannot_be_tried(&format!("a PID namespace: {}", answers[0]));
        return None;
    }
    answers[1] = child.hear();
    let number = answers.iter().find_map(|answer| answer.strip_prefix("number ")).unwrap();
    assert!(answers.iter().any(|answer| answer == "ready"), "{answers:?}");
    let number = number.parse().unwrap();
    Some((child, Pid::from_raw(number).unwrap()))
}

#[test]
fn processes_of_different_pid_namespaces_share_and_see_each_other_die() {
    let place = Place::new();
    let latest = place.of::<u64>().create(NAME).unwrap();
    let Some((mut writer, writer_s_number)) = start(&place, "writer") else { return };
    let (mut listener, _) = start(&place, "listener").unwrap();
    let members = place.describe(NAME).participants;
    assert!(members.len() == 1 && members[0].pid == 1 && members[0].alive, "{members:?}");

    assert_eq!(writer.ask(7), "set");
    assert_eq!(listener.hear(), "7");
    let refused = latest.writer().err().unwrap().to_string();
    assert!(refused.contains("process 1 ("), "{refused}");

    rustix::process::kill_process(writer_s_number, Signal::KILL).unwrap();
    assert_eq!(listener.hear(), "PeerDied");
    assert!(!place.describe(NAME).participants[0].alive);
    assert_eq!(latest.writer().unwrap().set(&8).unwrap(), 2);
    assert_eq!(listener.hear(), "8");
    let (mut next, _) = start(&place, "writer").unwrap();
    assert_eq!(next.ask(9), "set");
    assert_eq!(listener.hear(), "9");
    assert_eq!(latest.get().unwrap(), 9);
}
