//! A pseudo terminal with a process on it, for tests of what fills a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

/// A terminal of 100 columns and 30 rows.
pub(crate) struct PseudoTerminal {
    /// What the user sees and types.
    outside: File,
    /// Kept open, so that its mode can be read.
    inside: File,
    child: Option<Child>,
    /// Everything that was written to it.
    pub(crate) seen: String,
    /// Up to here it was waited for.
    awaited: usize,
}

/// A test that waits for so long has failed.
const WATCHDOG: Duration = Duration::from_secs(60);

impl PseudoTerminal {
    pub(crate) fn new() -> Self {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let name = ptsname(&outside, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&inside, size).unwrap();
        let (outside, inside) = (outside.into(), inside.into());
        Self { outside, inside, child: None, seen: String::new(), awaited: 0 }
    }

    /// Starts a command for which this is the terminal of its session.
    pub(crate) fn start(&mut self, command: &Command) {
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let end = || Stdio::from(self.inside.try_clone().unwrap());
        session.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        self.child = Some(session.spawn().unwrap());
    }

    /// Returns the id of the process: `setsid` has become the command.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Returns the mode of the terminal.
    pub(crate) fn mode(&self) -> String {
        let mode = tcgetattr(&self.inside).unwrap();
        let modes = (mode.input_modes, mode.output_modes, mode.control_modes, mode.local_modes);
        format!("{modes:?}")
    }

    /// Types keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.outside.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the process has written this, after what was waited for before.
    #[track_caller]
    pub(crate) fn await_text(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.seen[self.awaited..].find(text) {
                self.awaited += at + text.len();
                return;
            }
            assert!(begun.elapsed() < WATCHDOG, "no {text:?}: {:?}", self.shown());
            self.look(10);
        }
    }

    /// Waits until the process has ended. Then `seen` has all that it wrote.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            self.look(1);
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                while self.look(0) {}
                return status;
            }
            assert!(begun.elapsed() < WATCHDOG, "it does not end: {:?}", self.shown());
        }
    }

    /// Returns the beginning of what was written, for a message.
    fn shown(&self) -> String {
        self.seen.chars().take(4000).collect()
    }

    /// Reads what was written, for which it waits so long. Returns whether there was something.
    fn look(&mut self, wait_ms: i64) -> bool {
        let wait = Timespec { tv_sec: 0, tv_nsec: wait_ms * 1_000_000 };
        let mut ready = [PollFd::new(&self.outside, PollFlags::IN)];
        if poll(&mut ready, Some(&wait)).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        let count = self.outside.read(&mut bytes).unwrap();
        self.seen += &String::from_utf8_lossy(&bytes[..count]);
        count > 0
    }
}

impl Drop for PseudoTerminal {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
