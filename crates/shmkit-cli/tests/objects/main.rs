//! `shm` on objects, run as a command, beside programs that use the library.

mod clock;
#[cfg(windows)]
mod console;
mod demo;
mod help;
mod listing;
mod locks;
mod meetings;
mod permits;
mod repairs;
mod values;

use std::io::{self, BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use serde_json::Value as Json;
use shmkit::inspect::{self, Description};
use shmkit::{FixedString, FixedVec, Latest, LatestOptions, Shareable};

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

/// A directory of its own for the objects of one test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        if cfg!(unix) {
            return Self(tempfile::tempdir().unwrap());
        }
        // The doctor warns of the directory for temporary files, which Windows cleans.
        let parent = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self(tempfile::tempdir_in(parent).unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn of<T: Shareable>(&self) -> LatestOptions<T> {
        Latest::<T>::options().directory(self.path())
    }

    /// An object that some program has made, set and left.
    fn leave<T: Shareable>(&self, name: &str, value: &T) {
        self.of::<T>().create(name).unwrap().writer().unwrap().set(value).unwrap();
    }

    /// The command, with nothing of this process's environment that it heeds.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("shm"));
        command.args(arguments).env("SHMKIT_DIR", self.path()).env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        started(|| self.command(arguments).output())
    }

    /// Runs it; it must succeed in silence. Gives its standard output.
    #[track_caller]
    fn shm(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.shm(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs it; it must end with this code and say why.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, message: &str) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{errors}\nwas to contain: {message}");
        assert!(errors.starts_with("shm: ") || errors.starts_with("error: "), "{errors}");
    }

    #[track_caller]
    fn fails_with_usage(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains("Usage: shm "), "{errors}");
    }

    /// Starts it in the background.
    fn start(&self, arguments: &[&str]) -> Running {
        Running::new(&mut self.command(arguments))
    }

    /// Looks at an object until it is as wanted.
    fn await_object(&self, name: &str, is_ready: impl Fn(&Description) -> bool) -> Description {
        loop {
            match inspect::describe(self.path(), name, Default::default()) {
                Ok(it) if is_ready(&it) => return it,
                _ => std::thread::yield_now(),
            }
        }
    }

    /// Until somebody has something of it.
    fn await_holder(&self, name: &str) -> Description {
        self.await_object(name, |it| it.primitives().iter().any(|it| !it.holders.is_empty()))
    }

    /// Until so many threads wait for it.
    fn await_waiting(&self, name: &str, threads: u32) {
        self.await_object(name, |it| it.primitives()[0].waiting == threads);
    }

    /// A writer that has set its first value; it goes on until it is killed.
    fn start_clock(&self, name: &str) -> Running {
        let clock = self.start(&["clock", name, "--every", "1ms"]);
        self.wait_for_clock(name);
        clock
    }

    /// Until it has set its first value.
    fn wait_for_clock(&self, name: &str) {
        let watch = self.of::<Time>();
        while watch.open(name).and_then(|it| it.get()).is_err() {
            std::thread::yield_now();
        }
    }
}

/// The command, as a command that another one runs.
fn shm_itself() -> String {
    assert_cmd::cargo::cargo_bin("shm").to_str().unwrap().into()
}

/// Starts a process. Wine fails to now and then, with this error of its own, and can the next time.
fn started<T>(mut start: impl FnMut() -> io::Result<T>) -> T {
    const INTERNAL_ERROR: i32 = 1359;
    loop {
        match start() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(INTERNAL_ERROR) => {}
            answer => return answer.unwrap(),
        }
    }
}

/// A path as it stands in a command line that somebody is told to run.
fn as_argument(path: &Path) -> String {
    if cfg!(windows) { format!("'{}'", path.display()) } else { path.display().to_string() }
}

/// What the command's process is called.
const PROGRAM: &str = if cfg!(windows) { "shm.exe" } else { "shm" };

/// As `shm clock` writes it.
#[derive(Shareable)]
#[repr(C)]
struct Time {
    unix_ns: u64,
    text: FixedString<32>,
}

/// A command in the background, which ends at the latest with this value.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    notes: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let notes = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, notes }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").unwrap()
    }

    /// What it says on standard error, but for what it missed: any machine can be slow.
    fn note(&mut self) -> Option<String> {
        let mut notes = self.notes.by_ref().map(Result::unwrap);
        notes.find(|it| !it.starts_with("shm: missed "))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
