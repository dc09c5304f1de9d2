//! Processes whose clocks differ, by days: those of the machine's run in different time namespaces.
//! (A wall clock that jumps is injected in the tests of the library.)

use std::process::Command;

use crate::running::{Running, skip, started};
use crate::{TestDir, shm_path, succeeded};

/// Runs what follows where the clocks of the machine's run are two days ahead.
const AHEAD: [&str; 7] =
    ["--time", "--fork", "--kill-child", "--monotonic", "172800", "--boottime", "172800"];

/// Returns the command in a time namespace.
fn ahead(dir: &TestDir, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(AHEAD).arg(shm_path()).args(arguments);
    command.env("SHMKIT_DIR", dir.path()).env_remove("NO_COLOR");
    command
}

#[test]
fn processes_whose_monotonic_clocks_differ_share_objects_and_keep_to_their_timeouts() {
    let uptime = |text: &str| text.split('.').next().unwrap().parse::<u64>().unwrap();
    let there = Command::new("unshare").args(AHEAD).args(["cat", "/proc/uptime"]).output();
    let Some(there) = there.ok().filter(|it| it.status.success()) else {
        return skip("a time namespace: the system refuses it");
    };
    let here = uptime(&std::fs::read_to_string("/proc/uptime").unwrap());
    assert!(uptime(&String::from_utf8(there.stdout).unwrap()) > here + 172_000);
    // On a disk, ages follow the wall clock.
    let dir = TestDir(tempfile::tempdir_in("/dev/shm").unwrap());
    // Ages are wrong by the difference.
    let level = dir.latest::<f64>().timestamps(true).create_with("level", 0.5).unwrap();
    assert!(succeeded(&mut ahead(&dir, &["info", "level"])).contains(", 2d ago\n"));
    succeeded(&mut ahead(&dir, &["set", "level", "1"]));
    let error = level.age().unwrap_err();
    assert!(error.to_string().contains("its writer is in another time namespace"), "{error}");
    dir.shm(&["sem", "create", "pool", "1"]);
    let here = dir.start_holder(&["sem", "acquire", "pool"]);
    // A timeout is neither over at once nor delayed by the difference.
    let late = started(|| ahead(&dir, &["sem", "consume", "pool", "--timeout", "50ms"]).output());
    assert_eq!(late.status.code(), Some(8), "{late:?}");
    let mut there = Running::new(&mut ahead(&dir, &["sem", "consume", "pool"]));
    dir.await_waiting("pool", 1);
    // Nobody is taken for dead, and nothing for older than the machine's run.
    assert_eq!(succeeded(&mut ahead(&dir, &["doctor", "--json"])), "[]\n");
    assert_eq!(dir.json(&["doctor"]), serde_json::json!([]));
    dir.shm(&["event", "set", "go"]);
    drop(here);
    assert!(there.child.wait().unwrap().success());

    // The handoffs of a contended lock are at moments that both compare.
    let add = "for i in 1 2 3 4 5 6 7 8 9 10; do \"$0\" lock turn -- true || exit 1; done";
    let script = |mut command: Command| {
        command.args(["-c", add, &shm_path()]).env("SHMKIT_DIR", dir.path());
        Running::new(&mut command)
    };
    let mut in_namespace = Command::new("unshare");
    in_namespace.args(AHEAD).arg("sh");
    let mut both = [script(in_namespace), script(Command::new("sh"))];
    assert!(both.iter_mut().all(|it| it.child.wait().unwrap().success()));
}
