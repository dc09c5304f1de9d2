//! A forked child neither answers nor asks for its parent.

use shmkit::Call;

use super::{NAME, answer, options};
use crate::children::{Child, Link};
use crate::fork::{fork, outcome};
use crate::test_dir::TestDir;

/// Has a request in flight, and has begun one, and forks. The child uses both, and drops them.
pub(crate) fn forking_caller(link: &mut Link) {
    let call = Call::<u64, u64>::open(NAME).unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let mut asked = Some(client.send(&1).unwrap());
    let mut begun = Some(server.recv().unwrap());
    let mut pending = Some(client.send(&2).unwrap());
    let child = fork(|| {
        link.send(format!(
            "call {} send {} receive {} begin {} respond {}",
            outcome(client.call(&3)),
            outcome(client.try_send(&3).map(drop)),
            outcome(asked.as_mut().unwrap().recv()),
            outcome(server.try_recv().map(drop)),
            outcome(begun.take().unwrap().respond(&9)),
        ));
        drop((asked.take(), pending.take()));
    });
    let child = rustix::process::Pid::from_raw(child).unwrap();
    rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).unwrap();
    assert!(!begun.as_ref().unwrap().is_cancelled());
    begun.take().unwrap().respond(&10).unwrap();
    assert_eq!(asked.as_mut().unwrap().recv().unwrap(), Some(10));
    link.send("parent answered");
    let received = pending.as_mut().unwrap().recv();
    link.send(outcome(received));
    link.receive();
}

#[test]
fn a_forked_child_neither_answers_nor_gives_up_what_its_parent_has() {
    let dir = TestDir::new();
    let call = options(&dir).create(NAME).unwrap();
    let mut child = Child::start(&dir, "forking caller", "");
    let forked = "call Forked send Forked receive Forked begin Forked respond Forked";
    assert_eq!(child.receive(), forked);
    assert_eq!(child.receive(), "parent answered");
    answer(&call.server().unwrap(), 2, 20);
    assert_eq!(child.receive(), "Some(20)");
}
