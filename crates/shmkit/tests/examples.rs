//! The examples do what they say: both sides as processes, of which some are killed.

#[cfg(windows)]
#[path = "skipping/mod.rs"]
mod skipping;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// A program that prints nothing for this long hangs.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Builds the examples, if that was not done yet, and returns the path of one.
#[cfg(not(windows))]
fn path_of(example: &str) -> Option<PathBuf> {
    use std::sync::OnceLock;

    static BUILT: OnceLock<String> = OnceLock::new();
    let messages = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // In the workspace, as `cargo test` builds them: so they are built once.
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        cargo.args(["build", "--quiet", "--message-format=json", "--examples"]);
        let built = cargo.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        String::from_utf8(built.stdout).unwrap()
    });
    let path = messages.split('"').find(|text| text.ends_with(&format!("/examples/{example}")));
    Some(path.expect("its path").into())
}

/// An example is built with the tests, in the folder `examples` beside that of this program.
#[cfg(windows)]
fn path_of(example: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    let path = program.parent()?.parent()?.join(format!(r"examples\{example}.exe"));
    if !path.exists() {
        skipping::skip("the examples are not built");
        return None;
    }
    Some(path)
}

/// An example, and the directory of its objects.
struct Example {
    path: PathBuf,
    dir: tempfile::TempDir,
}

impl Example {
    /// `None` if it is not built.
    fn new(name: &str) -> Option<Self> {
        Some(Self { path: path_of(name)?, dir: tempfile::tempdir().unwrap() })
    }

    /// Starts one side.
    fn start(&self, arguments: &[&str]) -> Side {
        let mut command = Command::new(&self.path);
        command.args(arguments).env("SHMKIT_DIR", self.dir.path());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        send_lines(process.stdout.take().unwrap(), sender.clone());
        send_lines(process.stderr.take().unwrap(), sender);
        Side { process, lines }
    }

    /// Runs one side to its end, and returns what it printed.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Vec<String> {
        self.start(arguments).rest()
    }
}

/// Sends each line of an output, in a thread.
fn send_lines(output: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.map_while(|line| to.send(line).ok()).for_each(drop);
    });
}

/// A running side of an example, which is killed when this is dropped.
struct Side {
    process: Child,
    lines: Receiver<String>,
}

impl Side {
    /// The next line that it prints. `None`: it has ended.
    #[track_caller]
    fn next(&self) -> Option<String> {
        match self.lines.recv_timeout(TIMEOUT) {
            Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
            line => line.ok(),
        }
    }

    /// Reads what it prints, until each of these texts was in a line.
    #[track_caller]
    fn wait_for(&self, texts: &[&str]) {
        let (mut left, mut lines) = (texts.to_vec(), Vec::new());
        while !left.is_empty() {
            let Some(line) = self.next() else { panic!("it ended without {left:?}: {lines:#?}") };
            left.retain(|text| !line.contains(text));
            lines.push(line);
        }
    }

    /// Waits for its end, with this code, and returns what it printed until then.
    #[track_caller]
    fn rest_of(mut self, code: i32) -> Vec<String> {
        let lines: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        assert_eq!(self.process.wait().unwrap().code(), Some(code), "{lines:#?}");
        lines
    }

    #[track_caller]
    fn rest(self) -> Vec<String> {
        self.rest_of(0)
    }

    /// Kills it. When this returns, the kernel has released all that it held.
    #[track_caller]
    fn kill(mut self) {
        assert_eq!(self.process.try_wait().unwrap(), None, "it has ended");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn viewers_see_whole_frames_and_go_on_with_the_next_camera() {
    let Some(example) = Example::new("camera") else { return };
    let viewer = example.start(&["receive"]);
    let camera = example.start(&["send"]);
    let victim = example.start(&["receive"]);
    victim.wait_for(&["whole: true"]);
    victim.kill();
    let seen = example.run(&["receive", "3"]);
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert!(seen.iter().all(|line| line.contains("whole: true")), "{seen:#?}");
    camera.kill();
    viewer.wait_for(&["what it published stays"]);
    assert_eq!(example.run(&["send", "2"]).len(), 2);
    viewer.wait_for(&["frame 2: whole: true"]);
}

#[test]
fn each_trader_receives_every_tick_also_after_another_one_was_killed() {
    let Some(example) = Example::new("ticks") else { return };
    // The sizes of any 100 ticks in a row add up to this.
    let all = format!("100000 ticks, volume {}, ", 5_050 * 1_000);
    let trader = example.start(&["receive", "100000"]);
    let exchange = example.start(&["send"]);
    let victim = example.start(&["receive"]);
    victim.wait_for(&["volume"]);
    victim.kill();
    trader.wait_for(&[&all]);
    let another = example.start(&["receive"]);
    another.wait_for(&["volume"]);
    exchange.kill();
    another.wait_for(&["what it published stays"]);
}

#[test]
fn a_job_that_crashes_its_workers_is_set_aside_and_the_others_get_done() {
    let Some(example) = Example::new("jobs") else { return };
    example.run(&["send", "1", "600000"]);
    for delivery in 1..=3 {
        let worker = example.start(&["work"]);
        worker.wait_for(&[&format!("job 1, delivery {delivery}")]);
        worker.kill();
    }
    example.run(&["send", "4", "0"]);
    let crashed = example.start(&["work"]).rest_of(1);
    assert_eq!(crashed[..2], ["job 1, delivery 1", "job 1 is done"]);
    assert_eq!(crashed[4..], ["job 3, delivery 1", "job 3 crashes this worker"]);
    let crashed = example.start(&["work"]).rest_of(1);
    assert_eq!(crashed, ["job 3, delivery 2", "job 3 crashes this worker"]);
    let crashed = example.start(&["work"]).rest_of(1);
    assert_eq!(crashed, ["job 3, delivery 3", "job 3 crashes this worker"]);
    assert_eq!(example.run(&["work", "1"]), ["job 4, delivery 1", "job 4 is done"]);
    let dead = [1, 3].map(|job| format!("job {job} was set aside after 3 deliveries"));
    assert_eq!(example.run(&["dead"]), dead);
    assert!(example.run(&["dead"]).is_empty(), "they were dropped");
}

#[test]
fn a_client_goes_on_with_the_next_server_and_a_server_with_the_next_client() {
    let Some(example) = Example::new("calculator") else { return };
    let client = example.start(&["ask", "6 * 7", "1 / 0", "2 ^ 1000000", "1 + 1"]);
    let server = example.start(&["serve"]);
    client.wait_for(&["6 * 7 = 42", "1 / 0: ", "2 ^ 1000000 = 2"]);
    server.kill();
    client.wait_for(&["died before the request was answered"]);
    let server = example.start(&["serve"]);
    assert_eq!(client.rest(), ["1 + 1 = 2"]);
    let client = example.start(&["ask", "3 ^ 1000000"]);
    client.wait_for(&["3 ^ 1000000 = 3"]);
    client.kill();
    server.wait_for(&["the client does not wait for 3 ^ 1000000 any more"]);
    assert_eq!(example.run(&["ask", "1 - 3"]), ["1 - 3 = -2"]);
}

#[test]
fn a_dashboard_shows_everything_and_goes_on_with_the_next_car() {
    let Some(example) = Example::new("dashboard") else { return };
    let dashboard = example.start(&["show"]);
    let car = example.start(&["drive"]);
    dashboard.wait_for(&["speed: ", "log: ", "alarm: ", "console: step", "horn"]);
    car.kill();
    dashboard.wait_for(&["car/speed", "car/log", "car/console", "console: end"]);
    let car = example.start(&["drive", "2"]);
    dashboard.wait_for(&["speed: 1", "console: step 1"]);
    car.rest();
    assert_eq!(dashboard.rest().last().unwrap(), "parked");
    let (dashboard, car) = (example.start(&["show"]), example.start(&["drive", "20"]));
    dashboard.wait_for(&["speed: "]);
    dashboard.kill();
    car.rest();
    example.start(&["show"]).wait_for(&["alarm: ", "parked"]);
}

#[test]
fn a_task_waits_for_objects_timers_and_ctrl_c() {
    let Some(example) = Example::new("with_tokio") else { return };
    let watcher = example.start(&["watch"]);
    watcher.wait_for(&["nothing for 1 s"]);
    #[cfg(unix)]
    {
        // SAFETY: the process is a child, which was not waited for.
        unsafe { libc::kill(watcher.process.id() as libc::pid_t, libc::SIGINT) };
        assert_eq!(watcher.rest().last().unwrap(), "stopped");
    }
    let watcher = example.start(&["watch"]);
    let station = example.start(&["measure"]);
    watcher.wait_for(&["degrees", "log: measured", "warning 5"]);
    station.kill();
    watcher.wait_for(&["station/log", "the station has left"]);
    assert_eq!(watcher.rest().len(), 0);
    let (watcher, station) = (example.start(&["watch"]), example.start(&["measure"]));
    watcher.wait_for(&["log: measured"]);
    watcher.kill();
    let said = station.rest_of(1);
    assert!(said.last().unwrap().contains("BrokenPipe"), "{said:#?}");
}

#[test]
fn the_readme_has_the_commands_at_the_head_of_each_example() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(here.join("README.md")).unwrap();
    for file in std::fs::read_dir(here.join("examples")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "plugin" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let after = format!("--example {name} -- ");
        let sides = text.lines().filter_map(|line| line.split_once(&after)?.1.split(' ').next());
        let sides: Vec<_> = sides.collect();
        assert!(sides.len() >= 2, "{name}: {sides:?}");
        for side in sides {
            assert!(readme.contains(&format!("`{name} -- {side}")), "{name} -- {side}");
        }
        assert!(readme.contains(&format!("(crates/shmkit/examples/{name}.rs)")), "{name}");
    }
}
