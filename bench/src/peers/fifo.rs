//! A FIFO: the kernel's pipe under a name.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;

fn path(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(format!("{name}.fifo"));
    match mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) | Err(Errno::EXIST) => path,
        Err(error) => panic!("cannot create a FIFO: {error}"),
    }
}

/// Opens the end that writes. It waits for a reader.
pub(crate) fn writer(directory: &Path, name: &str) -> File {
    File::options().write(true).open(path(directory, name)).expect("the FIFO is there")
}

/// Opens the end that reads. It waits for a writer.
pub(crate) fn reader(directory: &Path, name: &str) -> File {
    File::open(path(directory, name)).expect("the FIFO is there")
}
