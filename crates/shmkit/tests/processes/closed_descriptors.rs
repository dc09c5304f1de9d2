//! A process that closes descriptors of the library, as `closefrom` does, harms only itself.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use shmkit::memory::{FileMapping, Seal, SharedMemory};
use shmkit::sync::{FileLock, LockError, Mutex};
use shmkit::{Latest, Lifetime, Object, Result};

use crate::children::{Child, Link};
#[cfg(target_os = "linux")]
use crate::test_dir::skip;
use crate::test_dir::{TestDir, primitive_in};

const NAME: &str = "count";

/// Closes all descriptors but the standard ones, and so the lock files that prove liveness.
#[cfg(target_os = "linux")]
pub(crate) fn close_all_descriptors() {
    // SAFETY: the owners of the descriptors check at their next use that these are still theirs.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
}

/// The same where the system has no call for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn close_all_descriptors() {
    // SAFETY: the call takes no pointers.
    for number in 3..unsafe { libc::getdtablesize() } {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

/// Takes the writer's role, closes its descriptors, and sets each number that it receives.
pub(crate) fn writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    close_all_descriptors();
    link.send("ready");
    loop {
        let answer = writer.set(&link.receive().parse().unwrap());
        link.send(answer.map_or_else(|error| error.to_string(), |_| "set".into()));
    }
}

/// Fills a loan, closes its descriptors, and publishes the loan when it is told to.
pub(crate) fn borrower(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut loan = writer.loan().unwrap();
    *loan = 1;
    close_all_descriptors();
    link.send("ready");
    link.receive();
    link.send(loan.publish().expect_err("another writer has the role"));
    link.receive();
}

/// Closes its descriptors, opens other files under the same numbers, and asks for the writer's
/// role.
pub(crate) fn reader(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    close_all_descriptors();
    let directory = shmkit::default_directory();
    let _others: Vec<_> = (0..8)
        .map(|number| std::fs::File::create(directory.join(format!("{number}"))).unwrap())
        .collect();
    link.send(latest.writer().expect_err("its descriptors are closed"));
    link.receive();
    drop(latest);
    link.send("left");
    link.receive();
}

/// Opens the file under some of the numbers that the library had.
fn files_under_all_numbers(path: &Path) -> Vec<File> {
    (0..32).map(|_| File::options().read(true).write(true).open(path).unwrap()).collect()
}

/// How many of the files are not open any more. They are never closed, since their numbers may
/// belong to other files.
fn count_closed(files: Vec<File>) -> usize {
    // SAFETY: the command takes no argument, and any number.
    let is_closed = |file: &File| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) } == -1;
    let closed = files.iter().filter(|file| is_closed(file)).count();
    std::mem::forget(files);
    closed
}

/// The memory in the file of this name.
fn memory_in(directory: &Path) -> SharedMemory {
    let path = directory.join("memory");
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.set_len(1 << 16).unwrap();
    SharedMemory::from_file(file).unwrap()
}

/// An object in a file or in memory, with the memory.
fn reopened(place: &str, directory: &Path) -> (Result<Object<Mutex<u64>>>, Option<SharedMemory>) {
    if place == "file" {
        return (primitive_in::<Mutex<u64>>(directory).open_or_create(NAME, 0), None);
    }
    let memory = memory_in(directory);
    let opened = Object::open_in(&memory, 0);
    (opened.or_else(|_| Object::create_in(&memory, 0, 0)), Some(memory))
}

/// Closes its descriptors, opens as many other files as its task says, opens the object again, and
/// drops the old handle while it holds the lock.
pub(crate) fn reopener(link: &mut Link) {
    let task = link.task();
    let (place, others) = task.split_once(' ').unwrap();
    let directory = shmkit::default_directory();
    let (old, old_memory) = reopened(place, &directory);
    let old = old.unwrap();
    close_all_descriptors();
    let others: usize = others.parse().unwrap();
    let _others: Vec<_> = (0..others).map(|_| File::open("/dev/null").unwrap()).collect();
    let (new, _new_memory) = reopened(place, &directory);
    let new = new.unwrap();
    let guard = new.lock().unwrap();
    let second = old.try_lock().or_else(LockError::into_guard);
    link.send(if matches!(second, Ok(Some(_))) { "two holders" } else { "one holder" });
    drop((second, old_memory));
    drop(old);
    link.send("dropped");
    link.receive();
    drop(guard);
    link.send(new.lock().map_or_else(|error| error.to_string(), |_| "locked again".into()));
    link.receive();
}

/// Opens one of each kind, closes the descriptors, opens other files if its task says so, and drops
/// all.
pub(crate) fn dropper(link: &mut Link) {
    let directory = shmkit::default_directory();
    let path = directory.join("file");
    let latest = Latest::<u64>::open(NAME).unwrap();
    let writer = latest.writer().unwrap();
    let mutex = Object::<Mutex<u64>>::open_or_create("mutex", 0).unwrap();
    let options = Object::<Mutex<u64>>::options().lifetime(Lifetime::WhileUsed);
    let while_used = options.open_or_create("while used", 0).unwrap();
    let memory = SharedMemory::anonymous(1 << 16).unwrap();
    let in_memory = Object::<Mutex<u64>>::create_in(&memory, 0, 0).unwrap();
    let region = memory.map().unwrap();
    let mapping = FileMapping::create(&path, 100).unwrap();
    let file_lock = FileLock::open(&path).unwrap();
    close_all_descriptors();
    let others = match link.task().as_str() {
        "other files" => files_under_all_numbers(Path::new("/dev/null")),
        _ => Vec::new(),
    };
    region.write_at(0, b"still mapped").unwrap();
    drop((writer, latest, mutex, while_used));
    drop((in_memory, memory, region, mapping, file_lock));
    link.send(count_closed(others));
    link.receive();
}

/// Closes its descriptors, opens other files under their numbers, and uses its memory.
pub(crate) fn memory(link: &mut Link) {
    let directory = shmkit::default_directory();
    let path = directory.join("other");
    std::fs::write(&path, [7; 100]).unwrap();
    let [memory, into_file] = [(); 2].map(|()| memory_in(&directory));
    let mapping = FileMapping::open(directory.join("memory")).unwrap();
    close_all_descriptors();
    let others = files_under_all_numbers(&path);
    let answers = [
        memory.set_size(50),
        memory.set_size(1 << 20),
        memory.size().map(drop),
        memory.map().map(drop),
        memory.seal(Seal::Size),
        memory.is_sealed(Seal::Size).map(drop),
        Object::<Mutex<u64>>::create_in(&memory, 0, 0).map(drop),
        mapping.set_size(50),
        mapping.map().map(drop),
        into_file.into_file().map(drop),
    ];
    let kinds = answers.map(|answer| format!("{:?}", answer.map_err(|error| error.kind())));
    link.send(kinds.join(" "));
    drop((memory, mapping));
    link.send(format!("{} {}", count_closed(others), std::fs::read(&path).unwrap().len()));
    link.receive();
}

/// Makes a system call fail in this thread, and in threads that it starts; or only those calls
/// whose second argument is `command`.
#[cfg(target_os = "linux")]
pub(crate) fn deny(call: libc::c_long, command: Option<libc::c_int>) -> std::io::Result<()> {
    // The fields of `seccomp_data`. A command is in the low half of its argument.
    const NUMBER: u32 = 0;
    const COMMAND: u32 = 24;
    let statement = |code: u32, k, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |field| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, field, 0, 0);
    let skip_unless =
        |value, count| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, count);
    let answer = |answer| statement(libc::BPF_RET | libc::BPF_K, answer, 0, 0);
    let mut filter = match command {
        None => vec![load(NUMBER), skip_unless(call as u32, 1)],
        Some(command) => vec![
            load(NUMBER),
            skip_unless(call as u32, 3),
            load(COMMAND),
            skip_unless(command as u32, 1),
        ],
    };
    filter.push(answer(libc::SECCOMP_RET_ERRNO | libc::EIO as u32));
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the call takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the call reads a program that lives meanwhile.
    let code =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Uses an object, a file lock and memory while the system does not report the status of files.
#[cfg(target_os = "linux")]
pub(crate) fn without_fstat(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let memory = SharedMemory::anonymous(100).unwrap();
    let mut lock = FileLock::open(shmkit::default_directory().join("lock")).unwrap();
    if let Err(error) = deny(libc::SYS_fstat, None) {
        return link.send(format!("no filter: {error}"));
    }
    link.send("filtered");
    link.send(latest.writer().unwrap_err());
    link.send(memory.size().unwrap_err());
    link.send(lock.try_lock().unwrap_err());
    link.receive();
}

#[test]
fn an_object_that_is_opened_again_keeps_its_locks_when_the_old_handle_is_dropped() {
    for place in ["file", "memory"] {
        for others in 0..6 {
            let dir = TestDir::new();
            let (object, _memory) = reopened(place, dir.path());
            let object = object.unwrap();
            let mut child = Child::start(&dir, "reopener", format!("{place} {others}"));
            let at = format!("{place}, {others} other files");
            assert_eq!(child.receive(), "one holder", "{at}");
            assert_eq!(child.receive(), "dropped", "{at}");
            let second = object.try_lock().or_else(LockError::into_guard).unwrap();
            assert!(second.is_none(), "{at}: the child holds the lock");
            assert_eq!(child.ask("drop"), "locked again", "{at}");
        }
    }
}

#[test]
fn dropping_what_was_closed_ends_no_process_and_closes_no_other_file() {
    for task in ["nothing", "other files"] {
        let dir = TestDir::new();
        let _latest = dir.latest::<u64>().create(NAME).unwrap();
        let mut child = Child::start(&dir, "dropper without descriptors", task);
        assert_eq!(child.receive(), "0", "{task}: the files that were closed");
    }
}

#[test]
fn memory_whose_descriptor_was_closed_changes_no_other_file() {
    let dir = TestDir::new();
    let mut child = Child::start(&dir, "memory without descriptors", "");
    assert_eq!(child.receive(), ["Err(RoleLost)"; 10].join(" "));
    assert_eq!(child.receive(), "0 100", "the closed files, and the bytes of the other file");
}

#[cfg(target_os = "linux")]
#[test]
fn a_failing_fstat_is_not_reported_as_a_closed_descriptor() {
    let dir = TestDir::new();
    let _latest = dir.latest::<u64>().create(NAME).unwrap();
    File::create(dir.path().join("lock")).unwrap();
    let mut child = Child::start(&dir, "reader without fstat", "");
    let answer = child.receive();
    if answer != "filtered" {
        return skip(&format!("a failing fstat: {answer}"));
    }
    for _ in 0..3 {
        let answer = child.receive();
        assert!(answer.contains("the status of its file cannot be read: "), "{answer}");
    }
}

#[test]
fn a_writer_that_closed_its_descriptors_is_told_that_it_was_replaced() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "writer without descriptors", "");
    assert_eq!(child.ask(2), "set", "no other process has taken the role");
    let mut writer = latest.writer().unwrap();
    writer.set(&3).unwrap();
    let answer = child.ask(4);
    let this_process = format!("process {} (", std::process::id());
    assert!(
        answer.contains(&this_process) && answer.contains("took over the role of the writer"),
        "{answer}"
    );
    assert_eq!(latest.get().unwrap(), 3);
    drop(writer);
    assert!(child.ask(5).contains("this writer lost its slot"), "the role stays lost");
    assert_eq!((latest.get().unwrap(), latest.sequence()), (3, 3));
}

#[test]
fn a_loan_of_a_writer_that_was_replaced_leaves_the_later_value_in_its_slot() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "borrower without descriptors", "");
    let mut writer = latest.writer().unwrap();
    // There are 64 slots, so the last value is in that of the loan, which was to be the first one.
    (1..=65).for_each(|number| _ = writer.set(&number).unwrap());
    let answer = child.ask("publish");
    assert!(answer.contains("took over the role of the writer"), "{answer}");
    assert_eq!((latest.get().unwrap(), latest.sequence()), (65, 65));
}

#[test]
fn a_process_that_closed_its_descriptors_takes_no_other_for_dead() {
    let dir = TestDir::new();
    let options = dir.latest::<u64>().lifetime(Lifetime::WhileUsed);
    let latest = options.create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut child = Child::start(&dir, "reader without descriptors", "");
    let answer = child.receive();
    assert!(answer.contains("closed the descriptor of its file"), "{answer}");
    assert_eq!(dir.describe(NAME).readers, 1, "it still has the object mapped");
    assert_eq!(child.ask("leave"), "left");
    assert_eq!(dir.describe(NAME).readers, 0);
    assert_eq!(writer.set(&1).unwrap(), 1, "the writer kept its role");
    assert_eq!(options.open(NAME).unwrap().get().unwrap(), 1, "the object kept its name");
}
