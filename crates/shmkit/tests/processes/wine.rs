//! Under Wine a process can also end from beneath: by `SIGKILL` of the Unix process that it is.

use std::process::Command;
use std::time::Duration;

use shmkit::{ErrorKind, Latest};

use crate::children::{Child, Link};
use crate::place::{Place, cannot_be_tried, kind};

const NAME: &str = "pose";
const SOON: Duration = Duration::from_secs(30);
/// Large enough that half of it is not all of it in any way.
type Large = [u64; 8192];

/// The number of the Unix process in whose command line the token is; `None` where there is none.
fn unix_process(token: &str) -> Option<String> {
    let processes = std::fs::read_dir(r"Z:\proc").ok()?.flatten();
    let numbers = processes.filter_map(|it| it.file_name().into_string().ok());
    let mut candidates = numbers.filter(|it| it.bytes().all(|digit| digit.is_ascii_digit()));
    candidates.find(|number| {
        let line = std::fs::read(format!(r"Z:\proc\{number}\cmdline")).unwrap_or_default();
        line.windows(token.len()).any(|part| part == token.as_bytes())
    })
}

/// Writes until it comes to where it stands still.
pub(crate) fn writer_over_unix(_: &mut Link) {
    let latest = Latest::<Large>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&[2; 8192]).unwrap();
}

#[test]
fn a_writer_that_was_killed_from_beneath_half_way_is_dead_and_followed() {
    let place = Place::new();
    let latest = place.of::<Large>().create(NAME).unwrap();
    latest.writer().unwrap().set(&[1; 8192]).unwrap();
    let mut changes = latest.changes();
    // Names a test that is not there.
    let token = place.path().file_name().unwrap().to_str().unwrap().to_owned();
    let mut child = Child::start_with(&place, "writer over unix", "", |it| {
        it.args(["--skip", &token]).env(shmkit::crash::STOP_VARIABLE, "latest: slot half written")
    });
    child.wait_for_stop();
    let Some(process) = unix_process(&token) else {
        return cannot_be_tried("SIGKILL from beneath: this is not Wine");
    };
    assert_eq!(kind(latest.writer()), ErrorKind::RoleTaken, "it stands still, and lives");
    // Wine starts a Unix program, and cannot wait for its end.
    drop(Command::new(r"Z:\bin\kill").args(["-KILL", &process]).spawn().unwrap());
    assert!(child.hear_if_alive().is_none());

    assert_eq!(kind(changes.next_timeout(SOON)), ErrorKind::PeerDied);
    assert_eq!(*latest.get_boxed().unwrap(), [1; 8192], "the last whole value");
    let mut next = latest.writer().expect("a dead one is replaced");
    next.set(&[3; 8192]).unwrap();
    assert_eq!(changes.next_timeout(SOON).unwrap(), [3; 8192]);
}
