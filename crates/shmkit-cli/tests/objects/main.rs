//! `shm` on objects, as a command beside programs that use the library.

mod bench;
mod calls;
mod clock;
#[cfg(target_os = "linux")]
mod clocks;
#[cfg(unix)]
mod completions;
#[cfg(windows)]
mod console;
mod counter;
mod created;
mod demo;
mod events_and_barriers;
#[cfg(target_os = "linux")]
mod every_command;
#[cfg(target_os = "linux")]
mod guides;
mod help;
#[cfg(target_os = "linux")]
mod limits;
mod listing;
mod locks;
#[cfg(target_os = "linux")]
mod mounts;
mod pipes;
#[cfg(target_os = "linux")]
#[path = "../running/pseudo_terminal.rs"]
mod pseudo_terminal;
mod queues;
mod repairs;
#[path = "../running/mod.rs"]
mod running;
#[cfg(target_os = "linux")]
mod sandbox;
mod semaphores;
#[cfg(target_os = "linux")]
mod set_user_id;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod surroundings;
mod top;
mod topics;
mod values;
mod values_in_locks;
mod waiting;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;
use shmkit::inspect::{self, Description};
use shmkit::{FixedString, FixedVec, Latest, Options, Shareable};

use running::{Running, started};

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Mode {
    Parked = 0,
    Driving = 1,
}

#[derive(Shareable, Clone, Debug, PartialEq)]
#[repr(C)]
struct Goal {
    at: Point,
    path: [Point; 2],
    mode: Mode,
    label: FixedString<16>,
    loads: FixedVec<i16, 4>,
}

fn goal() -> Goal {
    Goal {
        at: Point { x: 1.5, y: -0.5 },
        path: [Point { x: 0.0, y: 1.0 }, Point { x: 2.0, y: 3.0 }],
        mode: Mode::Driving,
        label: "dock".parse().unwrap(),
        loads: FixedVec::new(),
    }
}

const GOAL: &str = "Goal { at: Point { x: 1.5, y: -0.5 }, path: [Point { x: 0.0, y: 1.0 }, \
                    Point { x: 2.0, y: 3.0 }], mode: Driving, label: \"dock\", loads: [] }";

/// The value of `shm clock`.
#[derive(Shareable)]
#[repr(C)]
struct Time {
    unix_ns: u64,
    text: FixedString<32>,
}

/// The columns of primitives in `ls`.
const PRIMITIVE_HEADINGS: [&str; 9] =
    ["NAME", "KIND", "TYPE", "SIZE", "USERS", "WAITING", "STATE", "HELD BY", "AGE"];

/// The name of the command's process.
const PROGRAM: &str = if cfg!(windows) { "shm.exe" } else { "shm" };

/// In the line of `doctor` that says where the directory is.
const MOUNTED_AT: &str = " mounted at ";

/// Returns the path of the command, to be run by a command.
fn shm_path() -> String {
    assert_cmd::cargo::cargo_bin("shm").to_str().unwrap().into()
}

/// Returns a path as it stands in a command line for a shell.
fn as_argument(path: &Path) -> String {
    if cfg!(windows) { format!("'{}'", path.display()) } else { path.display().to_string() }
}

/// Runs a command, which must succeed without messages. Returns its standard output.
#[track_caller]
fn succeeded(command: &mut Command) -> String {
    let output = started(|| command.output());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A directory for the objects of one test.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        if cfg!(unix) {
            return Self(tempfile::tempdir().unwrap());
        }
        // Windows cleans the directory for temporary files, of which the doctor warns.
        let parent = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self(tempfile::tempdir_in(parent).unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn latest<T: Shareable>(&self) -> Options<Latest<T>> {
        Latest::<T>::options().directory(self.path())
    }

    /// Creates an object, sets it and closes it.
    fn leave<T: Shareable>(&self, name: &str, value: &T) {
        self.latest::<T>().create(name).unwrap().writer().unwrap().set(value).unwrap();
    }

    /// Returns the command, without variables of this process that it uses.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("shm"));
        command.args(arguments).env("SHMKIT_DIR", self.path()).env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        started(|| self.command(arguments).output())
    }

    /// Runs the command, which must succeed without messages. Returns its standard output.
    #[track_caller]
    fn shm(&self, arguments: &[&str]) -> String {
        succeeded(&mut self.command(arguments))
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.shm(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs the command as [`shm`](Self::shm) does. Returns the columns of each line.
    #[track_caller]
    fn table(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let columns = |line: &str| {
            let columns = line.split("  ").map(str::trim).filter(|it| !it.is_empty());
            columns.map(Into::into).collect()
        };
        self.shm(arguments).lines().map(columns).collect()
    }

    /// Runs the command, which must fail with this exit code and message.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, message: &str) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{errors}\nmust contain: {message}");
        assert!(errors.starts_with("shm: ") || errors.starts_with("error: "), "{errors}");
    }

    /// Runs `doctor`. Returns its findings and its exit code.
    fn doctor(&self, options: &[&str]) -> (String, Option<i32>) {
        let output = self.run(&[&["doctor"], options].concat());
        let report = String::from_utf8(output.stdout).unwrap();
        let lines = report.split_inclusive('\n');
        let findings = lines.filter(|line| !line.contains(MOUNTED_AT)).collect();
        (findings, output.status.code())
    }

    /// Runs the command where the directory is not the default one. Returns its standard output and
    /// its exit code.
    fn elsewhere(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let path = self.path().to_str().unwrap();
        let mut command = self.command(&[arguments, &["--dir", path]].concat());
        let output = started(|| command.env("SHMKIT_DIR", "/tmp").output());
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }

    /// Starts the command in the background.
    fn start(&self, arguments: &[&str]) -> Running {
        Running::new(&mut self.command(arguments))
    }

    /// Waits until an object is ready.
    fn await_object(&self, name: &str, is_ready: impl Fn(&Description) -> bool) -> Description {
        loop {
            match inspect::describe(self.path(), name, Default::default()) {
                Ok(it) if is_ready(&it) => return it,
                _ => std::thread::yield_now(),
            }
        }
    }

    /// Waits until `threads` threads wait for an object.
    fn await_waiting(&self, name: &str, threads: u32) {
        self.await_object(name, |it| it.parts[0].waiting == threads);
    }

    /// Starts a process that holds what `acquire` acquires until it is killed, or the event `go` is
    /// set.
    fn start_holder(&self, acquire: &[&str]) -> Running {
        self.shm(&["event", "create", "go", "--if-missing"]);
        let holder = self.start(&[acquire, &["--", &shm_path(), "event", "wait", "go"]].concat());
        self.await_waiting("go", 1);
        holder
    }

    /// Starts a writer that runs until it is killed, and waits for its first value.
    fn start_clock(&self, name: &str) -> Running {
        let clock = self.start(&["clock", name, "--every", "1ms"]);
        self.await_clock(name);
        clock
    }

    /// Waits until a clock has set its first value.
    fn await_clock(&self, name: &str) {
        let options = self.latest::<Time>();
        while options.open(name).and_then(|it| it.get()).is_err() {
            std::thread::yield_now();
        }
    }
}

impl Running {
    /// Returns its next message, except those about missed values: any machine can be slow.
    fn note(&mut self) -> Option<String> {
        let mut errors = self.errors.by_ref().map(Result::unwrap);
        errors.find(|it| !it.starts_with("shm: missed "))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
