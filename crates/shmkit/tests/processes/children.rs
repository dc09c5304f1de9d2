//! Children: this program again, each in a role, with a link for words both ways.
//!
//! A child ends when its parent's end of the link closes, and never outlives its test.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::place::Place;
use crate::system::{self, Stream};
#[cfg(windows)]
use crate::wine;
#[cfg(unix)]
use crate::{attach, fork, namespaces, space, strangers, without_descriptors};
use crate::{crash, deaths, file_lock, gate, hostile, kills, races, stopped, sync, wakes};

pub(crate) type Role = fn(&mut Link);

/// What children can be told to be.
const ROLES: &[(&str, Role)] = &[
    ("crash", crash::role),
    ("writer", deaths::writer),
    ("writer in turn", deaths::writer_in_turn),
    ("late writer", deaths::late_writer),
    #[cfg(unix)]
    ("writer without descriptors", without_descriptors::writer),
    #[cfg(unix)]
    ("reader without descriptors", without_descriptors::reader),
    ("locker", file_lock::locker),
    ("counter", file_lock::counter),
    #[cfg(unix)]
    ("forker with a lock", file_lock::unix::forker_with_a_lock),
    #[cfg(unix)]
    ("locker without descriptors", file_lock::unix::locker_without_descriptors),
    #[cfg(unix)]
    ("stranger with locks", file_lock::unix::stranger_with_locks),
    ("load", kills::role),
    ("racer", races::racer),
    ("user", races::user),
    ("passer-by", gate::passer_by),
    #[cfg(unix)]
    ("in little space", space::in_little_space),
    #[cfg(unix)]
    ("masked", space::masked),
    #[cfg(unix)]
    ("stranger", strangers::stranger),
    #[cfg(unix)]
    ("abandoner", strangers::abandoner),
    #[cfg(unix)]
    ("first in a namespace", namespaces::first_in_a_namespace),
    #[cfg(unix)]
    ("traced", attach::traced),
    ("prey", hostile::prey),
    ("flat out", stopped::flat_out),
    ("listener", stopped::listener),
    ("taking turns", wakes::taking_turns),
    #[cfg(windows)]
    ("writer over unix", wine::writer_over_unix),
    #[cfg(unix)]
    ("forker", fork::forker),
    #[cfg(unix)]
    ("forker of readers", fork::forker_of_readers),
    #[cfg(unix)]
    ("forker while attaching", fork::forker_while_attaching),
];

/// Names the role in a child's environment.
pub(crate) const ROLE: &str = "SHMKIT_TEST_ROLE";
const TASK: &str = "SHMKIT_TEST_TASK";
/// A child that says nothing for so long hangs: its test fails, and ends it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Not a test: where a child begins.
#[test]
fn role() {
    let Ok(name) = std::env::var(ROLE) else { return };
    system::end_with_parent();
    let mut link = Link(BufReader::new(system::link_to_parent()));
    let (_, play) =
        ROLES.iter().chain(sync::ROLES).find(|(known, _)| *known == name).expect("a known role");
    play(&mut link);
    std::process::exit(0);
}

/// Words to and from the other side, a line each.
pub(crate) struct Link(BufReader<Stream>);

impl Link {
    /// What this child is to do in its role.
    pub(crate) fn task(&self) -> String {
        std::env::var(TASK).unwrap()
    }

    pub(crate) fn say(&mut self, word: impl std::fmt::Display) {
        // Nobody listens any more: then the end is near.
        let _ = self.0.get_mut().write_all(format!("{word}\n").as_bytes());
    }

    /// Waits for a word; without anybody to say one, the child ends.
    pub(crate) fn hear(&mut self) -> String {
        self.read().unwrap_or_else(|| std::process::exit(0))
    }

    fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().into()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing heard: {error}"),
        }
    }
}

/// A child, which goes with this value.
pub(crate) struct Child {
    process: std::process::Child,
    link: Link,
}

impl Child {
    /// Starts a child whose default directory is the place.
    pub(crate) fn start(place: &Place, role: &str, task: impl std::fmt::Display) -> Self {
        Self::start_with(place, role, task, |command| command)
    }

    /// The same, killed when it comes to this point.
    pub(crate) fn start_to_die_at(
        place: &Place,
        point: &str,
        role: &str,
        task: impl std::fmt::Display,
    ) -> Self {
        Self::start_with(place, role, task, |it| it.env(shmkit::crash::VARIABLE, point))
    }

    /// The same, standing still at this point when this returns.
    pub(crate) fn start_to_stop_at(
        place: &Place,
        point: &str,
        role: &str,
        task: impl std::fmt::Display,
    ) -> Self {
        let child =
            Self::start_with(place, role, task, |it| it.env(shmkit::crash::STOP_VARIABLE, point));
        child.wait_for_stop();
        child
    }

    pub(crate) fn start_with(
        place: &Place,
        role: &str,
        task: impl std::fmt::Display,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["children::role", "--exact", "--nocapture"])
            .env(ROLE, role)
            .env(TASK, task.to_string())
            .env("SHMKIT_DIR", place.path())
            .stdout(Stdio::null());
        let (process, stream) = system::start(prepare(&mut command), PATIENCE);
        Self { process, link: Link(BufReader::new(stream)) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn say(&mut self, word: impl std::fmt::Display) {
        self.link.say(word);
    }

    /// Waits for a word.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.hear_if_alive().expect("a word from the child, which ended")
    }

    /// Waits for a word, or for its end.
    pub(crate) fn hear_if_alive(&mut self) -> Option<String> {
        self.link.read()
    }

    /// Says a word and waits for the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, word: impl std::fmt::Display) -> String {
        self.say(word);
        self.hear()
    }

    /// Kills it. When this returns, the kernel has freed all that it had.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert!(system::was_killed(status), "it ended by itself before: {status}");
    }

    /// Waits for its end. True if it was killed; else it ended well.
    #[track_caller]
    pub(crate) fn was_killed(mut self) -> bool {
        let status = self.ended();
        assert!(status.success() || system::was_killed(status), "{status}");
        !status.success()
    }

    /// Waits for its end, for as long as it is not found to hang.
    fn ended(&mut self) -> ExitStatus {
        while self.link.read().is_some() {}
        self.process.wait().unwrap()
    }

    /// Stops it. When this returns it stands still.
    pub(crate) fn stop(&self) {
        system::stop(&self.process);
    }

    /// Waits until it stands still.
    pub(crate) fn wait_for_stop(&self) {
        system::wait_for_stop(&self.process);
    }

    pub(crate) fn go_on(&self) {
        system::go_on(&self.process);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
