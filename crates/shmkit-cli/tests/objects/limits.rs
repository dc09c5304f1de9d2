//! `shm` under the limits of the system: each command ends in words, and leaves nothing half-made.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::every_command::{self, COMMANDS};
use crate::mounts::{mount, with_own_mounts};
use crate::running::skip;
use crate::{TestDir, shm_path};

/// What succeeds once there is space, whatever happened before.
const AFTERWARDS: &[&str] = &[
    "sem create permits 2 --if-missing",
    "event create event --if-missing",
    "barrier create barrier 2 --if-missing",
    "lock lock -- true",
    "clock clock --count 1 --every 1ms",
    "raw create --file FILE.2 --size 100",
];

/// Limits the command to so much of a resource.
fn limited(command: &mut Command, resource: Resource, most: u64) -> &mut Command {
    let set = move || {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        Ok(setrlimit(resource, limit)?)
    };
    // SAFETY: between fork and exec the closure makes one system call.
    unsafe { command.pre_exec(set) }
}

/// Runs all commands as `run` does, in a new directory. Returns what is wrong: with them, and with
/// what they left.
fn faults(which: &str, run: impl Fn(&mut Command) -> Result<i32, String>) -> String {
    let (dir, mut faults) = (TestDir::new(), String::new());
    every_command::leave_value(&dir);
    for arguments in COMMANDS {
        if let Err(fault) = run(&mut every_command::command(&dir, arguments)) {
            writeln!(faults, "{which}: shm {arguments}: {fault}").unwrap();
        }
        if let Some(half_made) = every_command::half_made(&dir) {
            writeln!(faults, "{which}: shm {arguments} left {half_made}").unwrap();
        }
    }
    faults + &faults_afterwards(&dir, which)
}

fn faults_afterwards(dir: &TestDir, which: &str) -> String {
    let mut faults = String::new();
    for arguments in AFTERWARDS {
        let ended = every_command::run(&mut every_command::command(dir, arguments));
        if ended != Ok(0) {
            writeln!(faults, "after {which}: shm {arguments}: {ended:?}").unwrap();
        }
    }
    faults
}

#[test]
fn with_few_descriptors_each_command_ends_in_words() {
    let limits = 3..=20;
    let faults: String = limits
        .map(|most| {
            let run = |it: &mut Command| every_command::run(limited(it, Resource::Nofile, most));
            faults(&format!("{most} descriptors"), run)
        })
        .collect();
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn with_little_address_space_each_command_ends_in_words() {
    const STEP: u64 = 192 << 10;
    const STEPS: u64 = 32;
    let starts = |most: &u64| {
        let mut command = Command::new(shm_path());
        every_command::run(limited(command.arg("--version"), Resource::As, *most)) == Ok(0)
    };
    // Below that, no program gets to its first instruction.
    let least = (1..).map(|step| step * STEP).find(starts).unwrap();
    let faults: String = (0..STEPS)
        .map(|step| {
            let most = least + step * STEP;
            let run = |it: &mut Command| every_command::run(limited(it, Resource::As, most));
            faults(&format!("{most} bytes of address space"), run)
        })
        .collect();
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn bytes_that_there_is_no_memory_for_are_refused_with_the_way_out() {
    const SIZE: u64 = 64 << 20;
    let dir = TestDir::new();
    let path = dir.path().join("large");
    File::create(&path).unwrap().set_len(SIZE).unwrap();
    let mut read = dir.command(&["raw", "read", "--hex", "--file", path.to_str().unwrap()]);
    // The file can be mapped, and its bytes cannot be copied twice.
    let output = limited(&mut read, Resource::As, 2 * SIZE + SIZE / 2).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let why =
        format!("no memory for {SIZE} bytes: read fewer at a time with --offset and --length");
    assert_eq!((errors, output.status.code()), (format!("shm: {why}\n"), Some(1)));
}

#[test]
fn where_no_file_may_grow_each_command_ends_in_words() {
    let mut faults_ = String::new();
    for most in [0, 1, 100, 4_096, 8_192, 16_384, 65_536, 140_000] {
        let limit = |it: &mut Command| every_command::run(limited(it, Resource::Fsize, most));
        faults_ += &faults(&format!("files of {most} bytes"), limit);
        // The standard output is a file, too.
        let output = tempfile::NamedTempFile::new().unwrap();
        let to_file = |it: &mut Command| {
            it.stdin(Stdio::null()).stdout(File::create(output.path()).unwrap());
            every_command::run_with_output(limited(it, Resource::Fsize, most))
        };
        faults_ += &faults(&format!("an output of {most} bytes"), to_file);
    }
    assert!(faults_.is_empty(), "\n{faults_}");
}

#[test]
fn a_command_that_runs_under_a_lock_is_ended_by_its_own_limit_as_usual() {
    let dir = TestDir::new();
    let script = "ulimit -f 0; echo too much > \"$SHMKIT_DIR/output\"; echo survived";
    let output = dir.run(&["lock", "lock", "--", "bash", "-c", script]);
    assert_eq!(output.status.code(), Some(128 + libc::SIGXFSZ), "{output:?}");
}

/// The user of a quota: root has none.
const USER: u32 = 12_345;

/// Runs all commands in a file system with each of these options, as a user. Then it gets `enough`.
fn check_full(sizes: impl Iterator<Item = String>, user: Option<u32>, enough: &str) {
    match with_own_mounts_over(sizes.collect(), user, enough) {
        Ok(faults) => assert!(faults.is_empty(), "\n{faults}"),
        // Also under CI: the kernel decides that.
        Err(error) if user.is_some() && error.raw_os_error() == Some(libc::EINVAL) => {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"NOT TESTED: the kernel has no quotas for tmpfs (CONFIG_TMPFS_QUOTA)\n",
            );
        }
        Err(error) => skip(&format!("a full file system: {error}")),
    }
}

fn with_own_mounts_over(
    sizes: Vec<String>,
    user: Option<u32>,
    enough: &str,
) -> std::io::Result<String> {
    with_own_mounts(|| {
        let mut faults = String::new();
        for options in sizes {
            let dir = TestDir::new();
            mount(dir.path(), 0, &format!("mode=777,{options}"))?;
            // There may be no space for it.
            let value = dir.latest::<u64>().access(shmkit::Access::Everyone).create("value");
            let _ = value.and_then(|it| it.writer()?.set(&1));
            for arguments in COMMANDS {
                let trusting = format!("--trust anyone {arguments}");
                let mut command = every_command::command(&dir, &trusting);
                if let Some(user) = user {
                    command.uid(user);
                }
                if let Err(fault) = every_command::run(&mut command) {
                    writeln!(faults, "{options}: shm {arguments}: {fault}").unwrap();
                }
                if let Some(half_made) = every_command::half_made(&dir) {
                    writeln!(faults, "{options}: shm {arguments} left {half_made}").unwrap();
                }
            }
            if user.is_none() {
                mount(dir.path(), libc::MS_REMOUNT, enough)?;
                faults += &faults_afterwards(&dir, &options);
            }
        }
        Ok(faults)
    })
}

#[test]
fn on_a_full_file_system_each_command_ends_in_words() {
    let sizes = (1..=180).step_by(4).map(|pages| format!("size={}", pages * 4096));
    check_full(sizes, None, "size=64m");
}

#[test]
fn without_inodes_each_command_ends_in_words() {
    check_full((1..=12).map(|inodes| format!("nr_inodes={inodes}")), None, "nr_inodes=1000");
}

#[test]
fn with_a_used_up_quota_each_command_ends_in_words() {
    let bytes = (1..=180)
        .step_by(9)
        .map(|pages| format!("usrquota,usrquota_block_hardlimit={}", pages * 4096));
    let inodes = (1..=8).map(|inodes| format!("usrquota,usrquota_inode_hardlimit={inodes}"));
    check_full(bytes.chain(inodes), Some(USER), "");
}
