//! `shm` in a sandbox that refuses system calls, one after the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use crate::every_command::{self, COMMANDS};
use crate::running::skip;
use crate::{TestDir, shm_path};

/// The calls that the library or the command can make.
///
/// Without some more no program can keep to the rule below. Words need `write`, and an end needs
/// `exit_group`. Other libraries end the process without `futex` (glibc), `clock_nanosleep` and
/// `getrandom` (std), `geteuid` and `getpid` (rustix), `recvfrom` (signal-hook).
const CALLS: &[(&str, libc::c_long)] = &[
    ("read", libc::SYS_read),
    ("pread64", libc::SYS_pread64),
    ("pwrite64", libc::SYS_pwrite64),
    ("readv", libc::SYS_readv),
    ("writev", libc::SYS_writev),
    ("close", libc::SYS_close),
    ("fstat", libc::SYS_fstat),
    ("newfstatat", libc::SYS_newfstatat),
    ("statx", libc::SYS_statx),
    ("statfs", libc::SYS_statfs),
    ("fstatfs", libc::SYS_fstatfs),
    ("fallocate", libc::SYS_fallocate),
    ("ftruncate", libc::SYS_ftruncate),
    ("mmap", libc::SYS_mmap),
    ("munmap", libc::SYS_munmap),
    ("mprotect", libc::SYS_mprotect),
    ("madvise", libc::SYS_madvise),
    ("msync", libc::SYS_msync),
    ("mlock", libc::SYS_mlock),
    ("munlock", libc::SYS_munlock),
    ("mremap", libc::SYS_mremap),
    ("fcntl", libc::SYS_fcntl),
    ("clone3", libc::SYS_clone3),
    ("clone", libc::SYS_clone),
    ("linkat", libc::SYS_linkat),
    #[cfg(target_arch = "x86_64")]
    ("unlink", libc::SYS_unlink),
    ("unlinkat", libc::SYS_unlinkat),
    ("renameat2", libc::SYS_renameat2),
    #[cfg(target_arch = "x86_64")]
    ("rename", libc::SYS_rename),
    ("getdents64", libc::SYS_getdents64),
    ("inotify_init1", libc::SYS_inotify_init1),
    ("inotify_add_watch", libc::SYS_inotify_add_watch),
    ("inotify_rm_watch", libc::SYS_inotify_rm_watch),
    #[cfg(target_arch = "x86_64")]
    ("poll", libc::SYS_poll),
    ("ppoll", libc::SYS_ppoll),
    ("memfd_create", libc::SYS_memfd_create),
    ("dup3", libc::SYS_dup3),
    #[cfg(target_arch = "x86_64")]
    ("dup2", libc::SYS_dup2),
    ("pipe2", libc::SYS_pipe2),
    ("getuid", libc::SYS_getuid),
    ("getgid", libc::SYS_getgid),
    ("getegid", libc::SYS_getegid),
    ("getgroups", libc::SYS_getgroups),
    ("gettid", libc::SYS_gettid),
    ("uname", libc::SYS_uname),
    ("sched_getaffinity", libc::SYS_sched_getaffinity),
    ("nanosleep", libc::SYS_nanosleep),
    ("rt_sigaction", libc::SYS_rt_sigaction),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("sigaltstack", libc::SYS_sigaltstack),
    ("prctl", libc::SYS_prctl),
    ("prlimit64", libc::SYS_prlimit64),
    ("readlinkat", libc::SYS_readlinkat),
    #[cfg(target_arch = "x86_64")]
    ("readlink", libc::SYS_readlink),
    ("getcwd", libc::SYS_getcwd),
    ("ioctl", libc::SYS_ioctl),
    ("kill", libc::SYS_kill),
    ("tgkill", libc::SYS_tgkill),
    ("wait4", libc::SYS_wait4),
    ("waitid", libc::SYS_waitid),
    ("socketpair", libc::SYS_socketpair),
    ("sendto", libc::SYS_sendto),
    ("recvmsg", libc::SYS_recvmsg),
    ("sysinfo", libc::SYS_sysinfo),
    ("umask", libc::SYS_umask),
    ("fchmod", libc::SYS_fchmod),
    ("fchmodat", libc::SYS_fchmodat),
    #[cfg(target_arch = "x86_64")]
    ("chmod", libc::SYS_chmod),
    #[cfg(target_arch = "x86_64")]
    ("access", libc::SYS_access),
    ("faccessat", libc::SYS_faccessat),
    ("faccessat2", libc::SYS_faccessat2),
    ("lseek", libc::SYS_lseek),
    ("openat", libc::SYS_openat),
    ("fsync", libc::SYS_fsync),
    ("fdatasync", libc::SYS_fdatasync),
    ("sched_yield", libc::SYS_sched_yield),
    ("utimensat", libc::SYS_utimensat),
    ("sendmsg", libc::SYS_sendmsg),
    ("epoll_create1", libc::SYS_epoll_create1),
    ("timerfd_create", libc::SYS_timerfd_create),
    ("clock_gettime", libc::SYS_clock_gettime),
    #[cfg(target_arch = "x86_64")]
    ("mkdir", libc::SYS_mkdir),
    ("mkdirat", libc::SYS_mkdirat),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("capget", libc::SYS_capget),
    ("sendfile", libc::SYS_sendfile),
    ("copy_file_range", libc::SYS_copy_file_range),
    ("setsid", libc::SYS_setsid),
    ("getppid", libc::SYS_getppid),
];

/// Without these, the C library or the standard library ends a program before it begins.
const NEEDED_TO_START: [&str; 10] = [
    "read",
    "pread64",
    "close",
    "openat",
    "newfstatat",
    "mmap",
    "mprotect",
    "poll",
    "ppoll",
    "rt_sigaction",
];

/// What a sandbox answers.
const ANSWERS: [i32; 4] = [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EINVAL];

/// A refusal of one call.
pub(crate) fn filter(call: libc::c_long, answer: i32) -> BpfProgram {
    let rules = BTreeMap::from([(call, Vec::new())]);
    let refuse = SeccompAction::Errno(answer.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap().try_into().unwrap()
}

/// Has the command run under a filter.
pub(crate) fn confine<'a>(command: &'a mut Command, filter: &BpfProgram) -> &'a mut Command {
    let filter = filter.clone();
    // SAFETY: the filter exists already, and it is set by system calls alone.
    unsafe {
        command.pre_exec(move || {
            apply_filter(&filter).map_err(|_| io::Error::from(io::ErrorKind::Other))
        })
    }
}

/// Runs the command under a filter. Returns what is wrong with how it ended.
fn run(command: &mut Command, filter: &BpfProgram) -> Result<i32, String> {
    every_command::run(confine(command, filter))
}

/// Runs all commands without one call. Each gets another answer to it. Returns what is wrong.
fn faults_without(number: usize, name: &str, call: libc::c_long) -> String {
    let filters = ANSWERS.map(|answer| filter(call, answer));
    let mut faults = String::new();
    let dir = TestDir::new();
    let shm = |arguments: &str| every_command::command(&dir, arguments);
    every_command::leave_value(&dir);
    // Without some calls no program starts.
    let starts = filters.each_ref().map(|filter| run(&mut shm("--version"), filter) == Ok(0));
    if starts.contains(&false) && !NEEDED_TO_START.contains(&name) {
        writeln!(faults, "{name}: shm --version fails").unwrap();
    }
    for (at, command) in COMMANDS.iter().enumerate() {
        let which = (number + at) % ANSWERS.len();
        if !starts[which] {
            continue;
        }
        if let Err(fault) = run(&mut shm(command), &filters[which]) {
            writeln!(faults, "{name}, errno {}: shm {command}: {fault}", ANSWERS[which]).unwrap();
        }
    }
    faults
}

#[test]
fn where_a_sandbox_refuses_a_system_call_each_command_ends_in_words_and_in_time() {
    let dir = TestDir::new();
    let mut probe = Command::new(shm_path());
    probe.arg("--version").env("SHMKIT_DIR", dir.path());
    if let Err(fault) = run(&mut probe, &filter(libc::SYS_kexec_load, libc::EPERM)) {
        return skip(&format!("a sandbox: {fault}"));
    }
    let next = AtomicUsize::new(0);
    let faults = thread::scope(|scope| {
        let work = || {
            let mut faults = String::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((name, call)) = CALLS.get(number) else { return faults };
                faults += &faults_without(number, name, *call);
            }
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|it| it.join().unwrap()).collect::<String>()
    });
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn where_a_sandbox_refuses_memory_without_a_name_each_command_succeeds() {
    let dir = TestDir::new();
    let shm = |arguments: &str| every_command::command(&dir, arguments);
    every_command::leave_value(&dir);
    for answer in ANSWERS {
        let filter = filter(libc::SYS_memfd_create, answer);
        for arguments in [
            "sem create permits 2",
            "sem acquire permits -- true",
            "lock lock -- true",
            "get value",
            "set value 7",
            "ls",
            "info value",
            "doctor",
            "rm permits",
            "rm lock",
        ] {
            assert_eq!(run(&mut shm(arguments), &filter), Ok(0), "errno {answer}: {arguments}");
        }
    }
}

#[test]
fn a_used_up_quota_is_told_by_each_command_that_needs_space() {
    let dir = TestDir::new();
    every_command::leave_value(&dir);
    let filter = filter(libc::SYS_fallocate, libc::EDQUOT);
    for (arguments, code) in [
        ("sem create permits 2", 6),
        ("clock clock --count 1", 6),
        ("raw create --file FILE --size 100", 6),
        ("lock lock -- true", 125),
        ("doctor", 0),
        ("get value", 0),
    ] {
        let output = confine(&mut every_command::command(&dir, arguments), &filter).output();
        let output = output.unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let why = "the quota of this user is used up; remove files, or raise it";
        assert_eq!(told.contains(why), arguments != "get value", "{arguments}: {told}");
        assert_eq!(output.status.code(), Some(code), "{arguments}: {told}");
        assert_eq!(every_command::half_made(&dir), None);
    }
}
