//! Under Wine a process can also be ended by `SIGKILL` of its Unix process.

use std::process::Command;

use shmkit::{ErrorKind, Latest};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind, skip};
use crate::times::TIMEOUT;

const NAME: &str = "pose";
/// Large, so that a half-written value differs from each whole one.
type Large = [u64; 8192];

/// The id of the Unix process whose command line contains the token, or `None` outside Wine.
fn unix_process(token: &str) -> Option<String> {
    let processes = std::fs::read_dir(r"Z:\proc").ok()?.flatten();
    let names = processes.filter_map(|it| it.file_name().into_string().ok());
    let mut ids = names.filter(|it| it.bytes().all(|digit| digit.is_ascii_digit()));
    ids.find(|id| {
        let line = std::fs::read(format!(r"Z:\proc\{id}\cmdline")).unwrap_or_default();
        line.windows(token.len()).any(|part| part == token.as_bytes())
    })
}

/// Sets a value, and stops half-way.
pub(crate) fn writer(_: &mut Link) {
    let latest = Latest::<Large>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&[2; 8192]).unwrap();
}

#[test]
fn a_writer_whose_unix_process_was_killed_half_way_is_dead_and_replaced() {
    let dir = TestDir::new();
    let latest = dir.latest::<Large>().create(NAME).unwrap();
    latest.writer().unwrap().set(&[1; 8192]).unwrap();
    let mut changes = latest.changes();
    // The token is an argument without effect: it is the name of no test.
    let token = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
    let mut child = Child::start_with(&dir, "writer under Wine", "", |it| {
        it.args(["--skip", &token]).env(shmkit::crash::STOP_VARIABLE, "latest: slot half written")
    });
    child.wait_for_stop();
    let Some(process) = unix_process(&token) else {
        return skip("SIGKILL of the Unix process: this is not Wine");
    };
    assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken, "the writer is stopped, and lives");
    // Wine cannot wait for the end of a Unix program that it started.
    drop(Command::new(r"Z:\bin\kill").args(["-KILL", &process]).spawn().unwrap());
    assert!(child.receive_if_alive().is_none());

    assert_eq!(kind(changes.next_timeout(TIMEOUT)), ErrorKind::PeerDied);
    assert_eq!(*latest.get_boxed().unwrap(), [1; 8192], "the last whole value");
    let mut next = latest.writer().expect("the role of the dead writer");
    next.set(&[3; 8192]).unwrap();
    assert_eq!(changes.next_timeout(TIMEOUT).unwrap(), [3; 8192]);
}
