//! A named pipe of Windows, in both directions.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_PIPE_CONNECTED, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::stream::Stream;
use super::super::worker::{PATIENCE, Part, Worker};
use crate::sys;

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "named-pipe",
    title: "named pipe",
    family: Family::Pipe,
    keeps_all: true,
    prepare,
    run,
};

/// The bytes that the pipe holds in each direction: as many as a pipe of Linux.
const CAPACITY: u32 = 64 << 10;

fn prepare(_directory: &Path, _size: usize) -> Result<Prepared, Cannot> {
    let unique = sys::monotonic_ns();
    let name = format!(r"\\.\pipe\shm-bench-{}-{unique:x}", std::process::id());
    Ok(Prepared { ends: vec![name], keep: Vec::new() })
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let name = &worker.ends()[0];
        let pipe = match worker.part() {
            Part::First => serve(name)?,
            Part::Second => open(|| File::options().read(true).write(true).open(name))?,
        };
        Ok(Stream::new(pipe.try_clone()?, pipe, worker.size()))
    })
}

/// Creates the pipe, and waits until the other side has opened it.
fn serve(name: &str) -> io::Result<File> {
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE;
    let mode = PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    // SAFETY: the name ends with a zero; no other attributes are asked for.
    let pipe = unsafe {
        CreateNamedPipeW(name.as_ptr(), open, mode, 1, CAPACITY, CAPACITY, 0, ptr::null())
    };
    if pipe == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has opened it for this caller only.
    let pipe = unsafe { OwnedHandle::from_raw_handle(pipe) };
    // SAFETY: the handle is open, and the call waits.
    if unsafe { ConnectNamedPipe(pipe.as_raw_handle(), ptr::null_mut()) } == 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(ERROR_PIPE_CONNECTED as i32) {
            return Err(error);
        }
    }
    Ok(pipe.into())
}

/// Opens what the other side creates, when it is there.
pub(super) fn open(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(_) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            answer => return answer,
        }
    }
}
