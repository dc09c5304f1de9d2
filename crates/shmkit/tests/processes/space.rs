//! Too little space: in a file system, in memory, or by a limit of the process.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Resource, Rlimit};
use shmkit::memory::{FileMapping, Seal, SharedMemory, Trust};
use shmkit::shareable::zeroed_box;
use shmkit::sync::Semaphore;
use shmkit::{Error, ErrorKind, Latest, Object};

use crate::children::{Child, Link};
use crate::closed_descriptors::deny;
use crate::test_dir::{TestDir, kind, skip};

const NAME: &str = "level";
const KIB: usize = 1024;

/// Mounts a small file system in memory over the directory, for this thread alone.
fn mount_small(directory: &Path) -> std::io::Result<()> {
    let directory = CString::new(directory.as_os_str().as_bytes()).unwrap();
    let mount =
        |kind: &std::ffi::CStr, target: &std::ffi::CStr, flags, options: &std::ffi::CStr| {
            let options = options.as_ptr().cast();
            // SAFETY: the strings end in 0, and live during the call.
            let code = unsafe {
                libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options)
            };
            if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
    // SAFETY: gives this thread its own mount namespace; no memory is involved.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // Keeps the mount that follows from other namespaces.
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE, c"")?;
    mount(c"tmpfs", &directory, 0, c"size=64k")
}

/// Runs a child in a role that mounts a small file system.
fn check_on_small_file_system(role: &str) {
    let dir = TestDir::new();
    let answer = Child::start(&dir, role, "").receive();
    if answer.starts_with("cannot mount") {
        return skip(&format!("a small file system: {answer}"));
    }
    assert_eq!(answer, "done");
}

/// Creates and uses objects in a file system of 64 KiB.
pub(crate) fn small_file_system(link: &mut Link) {
    let directory = shmkit::default_directory();
    if let Err(error) = mount_small(&directory) {
        return link.send(format!("cannot mount: {error}"));
    }
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let large = Latest::<[u8; 100 * KIB]>::create(NAME).err().unwrap();
    assert_eq!(large.kind(), ErrorKind::OutOfSpace, "{large}");
    assert!(large.to_string().starts_with(r#"cannot create "level": "#), "{large}");
    assert_eq!(files(), 0, "a file was left");
    assert_eq!(kind(Latest::<[u8; 100 * KIB]>::open_or_create(NAME)), ErrorKind::OutOfSpace);

    let small = Latest::<[u64; 8]>::create(NAME).expect("an object that fits");
    let mut fillers = Vec::new();
    let full = loop {
        match Latest::<u64>::create(&format!("filler {}", fillers.len())) {
            Ok(filler) => fillers.push(filler),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::OutOfSpace, "{full}");
    assert_eq!(files(), 1 + fillers.len());
    // All space was committed at creation, so that writing never lacks a page.
    let mut writer = small.writer().unwrap();
    for number in 0..1_000 {
        writer.set(&[number; 8]).unwrap();
        for filler in &fillers {
            filler.writer().unwrap().set(&number).unwrap();
        }
    }
    Latest::<u64>::remove("filler 0").unwrap();
    drop(fillers);
    Latest::<u64>::create("another").expect("space was freed");
    link.send("done");
}

#[test]
fn a_full_file_system_is_out_of_space_at_creation_and_never_later() {
    check_on_small_file_system("small file system");
}

/// Creates objects in memory that other programs made, without space for its bytes.
pub(crate) fn sparse_memory(link: &mut Link) {
    const OFFSET: u64 = 33 * 128;
    let directory = shmkit::default_directory();
    if let Err(error) = mount_small(&directory) {
        return link.send(format!("cannot mount: {error}"));
    }
    let sparse = |name: &str| {
        let path = directory.join(name);
        let file = File::options().create_new(true).read(true).write(true).open(path).unwrap();
        file.set_len(1 << 20).unwrap();
        SharedMemory::from_file(file).unwrap()
    };
    let memory = sparse("memory");
    let options = Object::<Semaphore>::options();
    let size = options.size_in_memory(&1).unwrap();
    let too_large = Object::<Box<[Semaphore]>>::create_in(&memory, 0, vec![1; 100]).err().unwrap();
    assert_eq!(too_large.kind(), ErrorKind::OutOfSpace);
    assert!(too_large.to_string().contains("no space for 4"), "{too_large}");
    let object = options.create_in(&memory, OFFSET, 1).expect("there is space for this one");
    let filler = sparse("filler").into_file().unwrap();
    let bytes = |place| std::os::unix::fs::FileExt::write_at(&filler, &[1; 4096], place);
    while bytes(filler.metadata().unwrap().blocks() * 512).is_ok_and(|count| count > 0) {}
    let place = OFFSET + 100 * 4096;
    let error = options.create_in(&memory, place, 1).err().unwrap();
    let why = format!("no space for bytes {place} to {}: ", place + size);
    assert!(error.kind() == ErrorKind::OutOfSpace && error.reason().contains(&why), "{error}");
    assert_eq!(kind(Object::<Semaphore>::open_in(&memory, place)), ErrorKind::OutOfSpace);
    object.post(1).unwrap();
    assert_eq!(Object::<Semaphore>::open_in(&memory, OFFSET).unwrap().available(), 2);
    filler.set_len(0).unwrap();
    options.create_in(&memory, place, 1).expect("space was freed");

    let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
    let sealed = File::from(rustix::fs::memfd_create("sparse", flags).unwrap());
    sealed.set_len(1 << 20).unwrap();
    let sealed = SharedMemory::from_file(sealed).unwrap();
    sealed.seal(Seal::Size).unwrap();
    set_limit(Resource::Fsize, 0);
    options.create_in(&sealed, OFFSET, 1).expect("its size does not change");
    link.send("done");
}

#[test]
fn sparse_memory_without_space_is_out_of_space_at_creation() {
    check_on_small_file_system("sparse memory");
}

/// Copies in and out of a region of bytes that another program did not commit.
pub(crate) fn sparse_regions(link: &mut Link) {
    const PAGE: usize = 4096;
    let directory = shmkit::default_directory();
    if let Err(error) = mount_small(&directory) {
        return link.send(format!("cannot mount: {error}"));
    }
    File::create(directory.join("sparse")).unwrap().set_len(1 << 20).unwrap();
    let region = FileMapping::open(directory.join("sparse")).unwrap().map().unwrap();
    region.write_at(PAGE - 1, &[1, 2]).expect("there is space for two pages");
    let filler = SharedMemory::from_file(File::create_new(directory.join("filler")).unwrap());
    let filler = filler.unwrap().into_file().unwrap();
    let fills = |place| std::os::unix::fs::FileExt::write_at(&filler, &[1; PAGE], place);
    while fills(filler.metadata().unwrap().blocks() * 512).is_ok_and(|count| count > 0) {}

    let end = 2 * PAGE;
    let refused = [
        region.read_at(end - 8, &mut [0; 16]),
        region.write_at(end - 8, &[3; 16]),
        region.fill(end - 8.., 3),
        region.words(end - 8, 2).map(drop),
    ];
    for error in refused.map(|answer| answer.expect_err("no space for the third page")) {
        let why = "the file system has no space for a page, or the file was shrunk";
        assert!(error.kind() == ErrorKind::OutOfSpace && error.reason().contains(why), "{error}");
    }
    let outside = region.read_at((1 << 20) - 1, &mut [0; 2]).unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::OutOfRange);
    let mut bytes = [9; 4];
    region.read_at(PAGE - 2, &mut bytes).expect("these pages are there");
    region.read_at(end - 8, &mut [9; 8]).expect("nothing was copied to the last one");
    assert_eq!(bytes, [0, 1, 2, 0]);
    filler.set_len(0).unwrap();
    region.write_at(end - 8, &[3; 16]).expect("space was freed");
    link.send("done");
}

#[test]
fn copies_of_bytes_that_the_file_system_has_no_space_for_are_refused() {
    check_on_small_file_system("sparse regions");
}

/// Sets a limit of this process, below the one that it can have.
fn set_limit(resource: Resource, current: u64) {
    let limit = rustix::process::getrlimit(resource);
    let current = limit.maximum.map_or(current, |maximum| current.min(maximum));
    let limit = Rlimit { current: Some(current), ..limit };
    rustix::process::setrlimit(resource, limit).unwrap();
}

/// Creates objects in memory with more and more address space, until there is enough.
pub(crate) fn little_address_space(link: &mut Link) {
    const PAGE: u64 = 4096;
    let memory = SharedMemory::anonymous(1 << 20).unwrap();
    let (mut room, mut says_why) = (0, false);
    loop {
        set_limit(Resource::As, mapped(0) + room);
        let created = Object::<Semaphore>::create_in(&memory, 0, 1);
        set_limit(Resource::As, u64::MAX);
        let Err(error) = created else { break };
        let opened = Object::<Semaphore>::open_in(&memory, 0);
        assert_eq!(opened.is_ok(), says_created(&error), "{error}");
        let why = "raise the limit with `ulimit -v`";
        says_why |= error.kind() == ErrorKind::OutOfSpace && error.reason().contains(why);
        room += PAGE;
    }
    assert!(room > 0 && says_why);
    link.send("done");
}

const LARGE: usize = 8 << 20;

/// Reads a part of a large value that has to prove itself, with too little memory for all of it.
pub(crate) fn part_with_little_memory(link: &mut Link) {
    let latest = Latest::<[u8; LARGE]>::open(NAME).unwrap();
    let (mut part, mut whole) = ([0; 8], zeroed_box::<[u8; LARGE]>());
    // The heap of a thread has its address space already.
    set_limit(Resource::Data, mapped(5) + (1 << 20));
    let read = latest.get_part(LARGE - 8, &mut part);
    set_limit(Resource::Data, u64::MAX);
    link.send(read.map_or_else(|error| format!("{:?}", error.kind()), |()| "read".into()));
    latest.get_part(LARGE - 8, &mut part).unwrap();
    latest.get_into(&mut whole).unwrap();
    link.send(format!("{part:?}"));
}

/// How many bytes of this kind this process has mapped: 0 all, 5 those that only it can write.
fn mapped(kind: usize) -> u64 {
    const PAGE: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(kind).unwrap().parse::<u64>().unwrap() * PAGE
}

#[test]
fn a_part_of_a_value_on_a_disk_without_memory_for_all_of_it_is_out_of_space() {
    let dir = TestDir::on_disk();
    let latest = dir.latest::<[u8; LARGE]>().create(NAME).unwrap();
    let mut value: Box<[u8; LARGE]> = zeroed_box();
    value[LARGE - 8..].fill(7);
    latest.writer().unwrap().set(&value).unwrap();
    let mut child = Child::start(&dir, "part with little memory", "");
    match child.receive().as_str() {
        "read" => skip("a file on a disk: the sources are in memory"),
        refused => assert_eq!(refused, "OutOfSpace"),
    }
    assert_eq!(child.receive(), "[7, 7, 7, 7, 7, 7, 7, 7]");
}

/// Creates an object of 8 GiB with too little space for it, and too little memory for its bytes.
pub(crate) fn large_slice(link: &mut Link) {
    let memory = SharedMemory::anonymous(1 << 20).unwrap();
    set_limit(Resource::As, 1 << 30);
    set_limit(Resource::Fsize, 1 << 30);
    let permits = vec![1; 1 << 20];
    let options = Object::<Box<[Semaphore]>>::options().max_participants(1024);
    let size = options.size_in_memory(&permits).unwrap();
    assert!(size > 8 << 30);
    let error = options.create(NAME, permits.clone()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::OutOfSpace);
    let why = "bytes exceed the size limit for files (RLIMIT_FSIZE), 1073741824";
    assert!(error.reason().ends_with(why), "{error}");
    assert_eq!(kind(options.open_or_create(NAME, permits.clone())), ErrorKind::OutOfSpace);
    assert_eq!(kind(options.create_in(&memory, 1 << 16, permits)), ErrorKind::OutOfRange);
    link.send("done");
}

fn says_created(error: &Error) -> bool {
    error.reason().starts_with("it was created, but this process cannot open it: ")
}

/// Creates objects with more and more descriptors, until there are enough.
pub(crate) fn few_descriptors(link: &mut Link) {
    let (mut answers, mut says_why) = (Vec::new(), false);
    for descriptors in 3.. {
        let name = format!("with {descriptors}");
        set_limit(Resource::Nofile, descriptors);
        let created = Object::<Semaphore>::create(&name, 1).map(drop);
        set_limit(Resource::Nofile, 100);
        let exists = Object::<Semaphore>::open(&name).is_ok();
        let Err(error) = created else { break };
        assert_eq!(error.kind(), ErrorKind::Os, "{error}");
        assert_eq!(exists, says_created(&error), "{error}");
        let why = format!("it may have (RLIMIT_NOFILE, {descriptors}): close some, or raise");
        says_why |= error.reason().contains(&why);
        answers.push(exists);
    }
    assert!(answers.contains(&true) && answers.contains(&false), "{answers:?}");
    assert!(says_why);
    link.send("done");
}

/// Creates an object where the process has as many mappings as it may have.
pub(crate) fn many_mappings(link: &mut Link) {
    let created = Object::<Semaphore>::create(NAME, 1).unwrap();
    let memory = SharedMemory::anonymous(8192).unwrap();
    // Neighbours of different rights do not become one mapping.
    let map = |number: usize| match number % 2 {
        0 => memory.region().length(4096).map(),
        _ => memory.region().length(4096).read_only().map(),
    };
    let mut regions = Vec::with_capacity(1 << 20);
    let full = loop {
        match map(regions.len()) {
            Ok(region) if regions.len() < regions.capacity() => regions.push(region),
            Ok(_) => return link.send("no limit"),
            Err(error) => break error,
        }
    };
    let refused = Object::<Semaphore>::open(NAME).err().unwrap();
    let found = shmkit::inspect::examine(&shmkit::default_directory(), Trust::Own).unwrap();
    drop(regions);
    for error in [full, refused] {
        let why = "are allowed (vm.max_map_count); close objects, or raise that with `sysctl -w ";
        assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
        assert!(error.reason().contains(why), "{error}");
    }
    let me = format!("process {} (", std::process::id());
    let about_me = found.iter().find(|it| it.what().starts_with(&me)).expect("a finding");
    assert!(about_me.remedy().to_string().contains("sysctl -w vm.max_map_count="), "{about_me}");
    drop(created);
    link.send("done");
}

#[test]
fn a_process_with_too_many_mappings_is_told_so_and_the_doctor_names_it() {
    let answer = Child::start(&TestDir::new(), "many mappings", "").receive();
    if answer == "no limit" {
        return skip("a limit of mappings: the system has none, or a very large one");
    }
    assert_eq!(answer, "done");
}

#[test]
fn creation_under_limits_says_whether_the_object_exists() {
    for role in ["few descriptors", "little address space"] {
        assert_eq!(Child::start(&TestDir::new(), role, "").receive(), "done", "{role}");
    }
}

#[test]
fn the_bytes_of_a_slice_that_is_too_large_are_not_allocated() {
    assert_eq!(Child::start(&TestDir::new(), "large slice", "").receive(), "done");
}

/// Uses memory without a name where the system refuses `memfd_create`.
pub(crate) fn without_memfd(link: &mut Link) {
    if let Err(error) = deny(libc::SYS_memfd_create, None) {
        return link.send(format!("no filter: {error}"));
    }
    let memory = SharedMemory::anonymous(100).unwrap();
    memory.map().unwrap().write_at(90, &[7; 10]).unwrap();
    assert_eq!((memory.name(), memory.size().unwrap()), (None, 100));
    assert_eq!(kind(memory.seal(Seal::Size)), ErrorKind::Unsupported);
    let object = Object::<Semaphore>::create_in(&SharedMemory::anonymous(1 << 20).unwrap(), 0, 1);
    drop(object.unwrap().acquire().unwrap());
    link.send("done");
}

#[test]
fn memory_without_a_name_needs_no_memfd() {
    let dir = TestDir::new();
    let answer = Child::start(&dir, "memory without memfd", "").receive();
    if answer.starts_with("no filter") {
        return skip(&format!("a refused system call: {answer}"));
    }
    assert_eq!(answer, "done");
}
