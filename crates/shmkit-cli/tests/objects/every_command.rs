//! What a user does with a directory of objects and a file, where the system refuses something:
//! each command ends in words and in time.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::inspect::{self, Condition};
use shmkit::memory::Trust;

use crate::running::started;
use crate::{TestDir, shm_path};

/// No command here waits for longer than a fraction of a second.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// What a user does with a directory of objects and a file.
pub(crate) const COMMANDS: &[&str] = &[
    "ls",
    "ls --json",
    "info value",
    "get value",
    "set value 7",
    "watch value --count 1 --timeout 20ms",
    "lock lock -- true",
    "sem create permits 2",
    "sem post permits",
    "sem acquire permits -- true",
    "event create event",
    "event wait event --timeout 20ms",
    "event set event",
    "barrier create barrier 2",
    "barrier wait barrier --timeout 20ms",
    "clock clock --count 2 --every 1ms",
    "top --interval 20ms --times 1",
    "top --interval 1ms --times 2 --json",
    "pipe create pipe",
    "pipe write pipe --timeout 20ms",
    "pipe read pipe --timeout 20ms",
    "topic create topic --type lines",
    "topic pub topic hello",
    "topic sub topic --history 1 --count 1 --timeout 20ms",
    "queue create queue --type lines",
    "queue send queue hello",
    "queue recv queue --count 1 --timeout 20ms -- false",
    "queue recv queue --count 1 --timeout 20ms",
    "queue dead list queue",
    "call create call --request lines --response lines",
    "call send call hello --timeout 20ms",
    "call serve call --timeout 20ms -- cat",
    "bench --only memory-eventfd --sizes 8 --seconds 0.01 --rounds 1",
    "doctor",
    "doctor --fix",
    "raw create --file FILE --size 100",
    "raw write --file FILE --text hello",
    "raw read --file FILE --text",
    "raw dump --file FILE",
    "raw rm no-such-memory-of-this-test",
    "rm clock",
    "rm --force value",
];

/// Returns the command for the objects in the directory, with a file in it.
pub(crate) fn command(dir: &TestDir, arguments: &str) -> Command {
    let arguments = arguments.replace("FILE", dir.path().join("file").to_str().unwrap());
    let mut command = Command::new(shm_path());
    command.env("SHMKIT_DIR", dir.path()).args(arguments.split(' '));
    command
}

/// Creates the object that the commands read and set.
pub(crate) fn leave_value(dir: &TestDir) {
    dir.leave("value", &1_u64);
}

/// Runs the command. Returns its exit code, or what is wrong with how it ended.
pub(crate) fn run(command: &mut Command) -> Result<i32, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    run_with_output(command)
}

/// The same with the standard output that the command has.
pub(crate) fn run_with_output(command: &mut Command) -> Result<i32, String> {
    command.stderr(Stdio::piped());
    let mut child = started(|| command.spawn());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > HANGS_AFTER {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err("it hangs".to_owned());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    match (output.status.code(), output.status.signal()) {
        (_, Some(signal)) => Err(format!("signal {signal}: {errors}")),
        _ if errors.contains("panicked") => Err(format!("panic: {errors}")),
        (Some(code), _) if code != 0 && errors.is_empty() && output.stdout.is_empty() => {
            Err(format!("code {code} without words"))
        }
        (Some(code), _) => Ok(code),
        (None, None) => Err("it ended in no way".to_owned()),
    }
}

/// Returns what is half-made in the directory, as an outsider sees it: a name without a whole
/// object, or a file that was to get a name.
pub(crate) fn half_made(dir: &TestDir) -> Option<String> {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name());
    let mut names = names.map(|it| it.into_string().unwrap());
    if let Some(temporary) = names.find(|it| it.ends_with(".shmkit-new")) {
        return Some(temporary);
    }
    let entries = inspect::list(dir.path(), Trust::Anyone).unwrap();
    entries.into_iter().find_map(|entry| match entry.description {
        Ok(it) if it.condition == Condition::Ready => None,
        Ok(it) => Some(format!("{}: {:?}", entry.name, it.condition)),
        Err(error) => Some(error.to_string()),
    })
}
