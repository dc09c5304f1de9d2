//! Child processes: this program again, each in a role, with a link that carries messages both
//! ways.
//!
//! A child ends when its parent's end of the link closes, and never outlives its test.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::system::{self, Stream};
use crate::test_dir::TestDir;
#[cfg(windows)]
use crate::wine;
#[cfg(target_os = "linux")]
use crate::{attach, namespaces, notices, overlay, space, while_used};
use crate::{
    call, channels, copies, crash, deaths, file_lock, gate, hostile, kills, loans, pipe, queue,
    races, regions, replacing, spinning, stopped, sync, topics, updates, wait_sets, wakes,
};
#[cfg(unix)]
use crate::{closed_descriptors, fork, other_users};

pub(crate) type Role = fn(&mut Link);

const ROLES: &[(&str, Role)] = &[
    ("crash", crash::role),
    ("writer of large values", copies::writer),
    ("writer", deaths::writer),
    ("late writer", deaths::late_writer),
    ("file locker", file_lock::locker),
    ("counter", file_lock::counter),
    ("load", kills::role),
    ("racer", races::racer),
    ("user", races::user),
    ("opener", gate::opener),
    ("user of the old type", replacing::user),
    ("replacer", replacing::replacer),
    ("remover", replacing::remover),
    ("victim", hostile::victim),
    ("busy writer", stopped::busy_writer),
    ("listener", stopped::listener),
    ("alternating", wakes::alternating),
    ("cancelled", wakes::cancelled),
    ("aborted", wakes::aborted),
    ("spinning", spinning::spinning),
    ("updater", updates::updater),
    ("borrower", loans::borrower),
    ("pipe", pipe::role),
];

#[cfg(unix)]
const SYSTEM_ROLES: &[(&str, Role)] = &[
    ("writer without descriptors", closed_descriptors::writer),
    ("borrower without descriptors", closed_descriptors::borrower),
    ("reader without descriptors", closed_descriptors::reader),
    ("reopener", closed_descriptors::reopener),
    ("dropper without descriptors", closed_descriptors::dropper),
    ("memory without descriptors", closed_descriptors::memory),
    ("forking file locker", file_lock::unix::forking_locker),
    ("file locker without descriptors", file_lock::unix::locker_without_descriptors),
    ("file locker that opens again", file_lock::unix::locker_that_opens_again),
    ("other user with file locks", file_lock::unix::other_user),
    ("other user", other_users::other_user),
    ("umask", other_users::umask),
    ("last user", other_users::last_user),
    ("forking writer", fork::forking_writer),
    ("forking reader", fork::forking_reader),
    ("forking borrower", fork::forking_borrower),
    ("forking while attaching", fork::forking_while_attaching),
];

#[cfg(target_os = "linux")]
const LINUX_ROLES: &[(&str, Role)] = &[
    ("reader without fstat", closed_descriptors::without_fstat),
    ("small file system", space::small_file_system),
    ("sparse memory", space::sparse_memory),
    ("sparse regions", space::sparse_regions),
    ("memory without memfd", space::without_memfd),
    ("little address space", space::little_address_space),
    ("large slice", space::large_slice),
    ("part with little memory", space::part_with_little_memory),
    ("few descriptors", space::few_descriptors),
    ("many mappings", space::many_mappings),
    ("last user of memory", while_used::user),
    ("forking last user", while_used::forking_user_of_memory),
    ("PID namespace", namespaces::first_in_namespace),
    ("unmapped user", namespaces::unmapped_user),
    ("traced", attach::traced),
    ("traced messages", attach::traced_messages),
    ("traced joining", attach::traced_joining),
    ("crowd of channel", attach::crowd_of_channel),
    ("thread counter", notices::counter),
    ("forking waiter", notices::forking_waiter),
    ("waiter without descriptors", notices::waiter_without_descriptors),
    ("waiter without a call", notices::waiter_without_a_call),
    ("loader", notices::loader),
    ("waiter between objects", notices::waiter_between_objects),
    ("reader that is not woken", notices::reader_that_is_not_woken),
    ("crowd", notices::crowd),
    ("reader on overlayfs", overlay::reader),
];

#[cfg(not(target_os = "linux"))]
const LINUX_ROLES: &[(&str, Role)] = &[];

#[cfg(windows)]
const SYSTEM_ROLES: &[(&str, Role)] = &[("writer under Wine", wine::writer)];

/// The environment variable that holds a child's role.
pub(crate) const ROLE: &str = "SHMKIT_TEST_ROLE";
const TASK: &str = "SHMKIT_TEST_TASK";
/// A child that sends nothing for this long hangs: its test fails, and ends it.
pub(crate) const LINK_TIMEOUT: Duration = Duration::from_secs(120);

/// Not a test: a child starts here.
#[test]
fn child_entry_point() {
    let Ok(name) = std::env::var(ROLE) else { return };
    system::end_with_parent();
    let mut link = Link(BufReader::new(system::link_to_parent()));
    let roles = [
        ROLES,
        SYSTEM_ROLES,
        LINUX_ROLES,
        sync::ROLES,
        sync::SYSTEM_ROLES,
        regions::ROLES,
        queue::ROLES,
        topics::ROLES,
        call::ROLES,
        channels::ROLES,
        call::SYSTEM_ROLES,
        wait_sets::ROLES,
        #[cfg(target_os = "linux")]
        wait_sets::linux::ROLES,
    ];
    let mut roles = roles.into_iter().flatten();
    let (_, run) = roles.find(|(known, _)| *known == name).expect("a known role");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut link)));
    // At once: a test that kills its children fails if one has ended by itself.
    std::process::exit(if ended.is_ok() { 0 } else { 101 });
}

/// Messages to and from the other side, one line each.
pub(crate) struct Link(BufReader<Stream>);

impl Link {
    /// The parameter of this child's role.
    pub(crate) fn task(&self) -> String {
        std::env::var(TASK).unwrap()
    }

    pub(crate) fn send(&mut self, message: impl std::fmt::Display) {
        // An error means that the other side has closed the link, which `receive` handles.
        let _ = self.0.get_mut().write_all(format!("{message}\n").as_bytes());
    }

    /// Waits for a message. The child ends if the parent has closed the link.
    pub(crate) fn receive(&mut self) -> String {
        self.read().unwrap_or_else(|| std::process::exit(0))
    }

    fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().into()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no message: {error}"),
        }
    }
}

/// A child process, which is killed when this value is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    link: Link,
}

impl Child {
    /// Starts a child whose default directory is `dir`.
    pub(crate) fn start(dir: &TestDir, role: &str, task: impl std::fmt::Display) -> Self {
        Self::start_with(dir, role, task, |command| command)
    }

    /// Starts a child, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start_ready(dir: &TestDir, role: &str, task: impl std::fmt::Display) -> Self {
        let mut child = Self::start(dir, role, task);
        assert_eq!(child.receive(), "ready");
        child
    }

    /// Starts a child that is killed at a crash point.
    pub(crate) fn start_to_die_at(
        dir: &TestDir,
        point: &str,
        role: &str,
        task: impl std::fmt::Display,
    ) -> Self {
        Self::start_with(dir, role, task, |it| it.env(shmkit::crash::VARIABLE, point))
    }

    /// Starts a child that stops at a crash point when it next reaches it.
    pub(crate) fn start_to_stop_at(
        dir: &TestDir,
        point: &str,
        role: &str,
        task: impl std::fmt::Display,
    ) -> Self {
        Self::start_with(dir, role, task, |it| it.env(shmkit::crash::STOP_VARIABLE, point))
    }

    /// Starts a child, and waits until it has stopped at a crash point.
    pub(crate) fn start_and_stop_at(
        dir: &TestDir,
        point: &str,
        role: &str,
        task: impl std::fmt::Display,
    ) -> Self {
        let child = Self::start_to_stop_at(dir, point, role, task);
        child.wait_for_stop();
        child
    }

    pub(crate) fn start_with(
        dir: &TestDir,
        role: &str,
        task: impl std::fmt::Display,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["children::child_entry_point", "--exact", "--nocapture"])
            .env(ROLE, role)
            .env(TASK, task.to_string())
            .env("SHMKIT_DIR", dir.path())
            // Printing a backtrace takes so long that the child would be killed before it ends.
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null());
        let (process, stream) = system::start(prepare(&mut command), LINK_TIMEOUT);
        Self { process, link: Link(BufReader::new(stream)) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn send(&mut self, message: impl std::fmt::Display) {
        self.link.send(message);
    }

    /// Waits for a message.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> String {
        self.receive_if_alive().expect("a message, but the child ended")
    }

    /// Waits for a message, or for the end of the child.
    pub(crate) fn receive_if_alive(&mut self) -> Option<String> {
        self.link.read()
    }

    /// Sends a message, and waits for the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, message: impl std::fmt::Display) -> String {
        self.send(message);
        self.receive()
    }

    /// Kills the child. When this returns, the kernel has released all that the child held.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert!(system::was_killed(status), "the child had already ended: {status}");
    }

    /// Waits for the end of the child. Returns whether it was killed; otherwise it succeeded.
    #[track_caller]
    pub(crate) fn was_killed(mut self) -> bool {
        // Reading fails if the child hangs; `wait` alone would wait forever.
        while self.link.read().is_some() {}
        let status = self.process.wait().unwrap();
        assert!(status.success() || system::was_killed(status), "{status}");
        !status.success()
    }

    /// Stops the child. When this returns, the child does not run.
    pub(crate) fn stop(&self) {
        system::stop(&self.process);
    }

    pub(crate) fn wait_for_stop(&self) {
        system::wait_for_stop(&self.process);
    }

    pub(crate) fn resume(&self) {
        system::resume(&self.process);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
