//! Where the comparison runs.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::system;

/// The machine, the system, and what the processes may use.
pub(super) struct Machine {
    processor: Option<String>,
    count: usize,
    kernel: String,
    /// Where both processes run, if the system lets this command choose.
    pub(super) processors: Option<[usize; 2]>,
    directory: String,
    /// What a look at the clock takes, in nanoseconds.
    pub(super) clock_ns: u64,
}

impl Machine {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            processor: system::processor_name(),
            count: std::thread::available_parallelism().map_or(1, Into::into),
            kernel: system::kernel(),
            processors: system::processors(),
            directory: directory.display().to_string(),
            clock_ns: clock_ns(),
        }
    }

    /// Returns whether two processes can run at the same time.
    pub(super) fn has_two_processors(&self) -> bool {
        self.count > 1
    }

    /// Returns what it is, in a line.
    pub(super) fn text(&self) -> String {
        let processor = self.processor.as_deref().unwrap_or(std::env::consts::ARCH);
        let number = match self.count {
            1 => "1 processor".into(),
            count => format!("{count} processors"),
        };
        let version = env!("CARGO_PKG_VERSION");
        format!("{processor}, {number}; {}; shmkit {version}", self.kernel)
    }

    /// Returns how the processes run, in a line.
    pub(super) fn place(&self) -> String {
        match self.processors {
            Some([first, second]) => format!("two processes, on processors {first} and {second}"),
            None => "two processes, on any processor: the system does not let shm choose".into(),
        }
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "processor": self.processor,
            "processors": self.count,
            "pinned_to": self.processors,
            "system": self.kernel,
            "directory": self.directory,
            "clock_ns": self.clock_ns,
        })
    }
}

fn clock_ns() -> u64 {
    const LOOKS: u32 = 10_000;
    let start = Instant::now();
    for _ in 0..LOOKS {
        std::hint::black_box(Instant::now());
    }
    (start.elapsed() / LOOKS).as_nanos() as u64
}
