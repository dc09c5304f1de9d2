//! The words of an object's payload, read and written past the library.

use std::fs::File;
use std::path::Path;

use crate::system::{read_at, write_at};

/// The words of a payload, through a descriptor of their own.
pub(super) struct Words {
    file: File,
    payload: u64,
    pub(super) count: u64,
}

impl Words {
    pub(super) fn open(directory: &Path, name: &str) -> Self {
        let path = directory.join(format!("{name}.shmkit"));
        let file = File::options().read(true).write(true).open(path).unwrap();
        // The header's fields for the payload's offset and size: FORMAT.md.
        let [payload, bytes] = [128, 136].map(|offset| word_at(&file, offset));
        Self { file, payload, count: bytes / 8 }
    }

    pub(super) fn set(&self, number: u64, word: u64) {
        write_at(&self.file, &word.to_le_bytes(), self.payload + 8 * number);
    }

    pub(super) fn all(&self) -> Vec<u8> {
        let mut bytes = vec![0; 8 * self.count as usize];
        read_at(&self.file, &mut bytes, self.payload);
        bytes
    }

    pub(super) fn set_all(&self, bytes: &[u8]) {
        write_at(&self.file, bytes, self.payload);
    }

    /// Waits until a bit of a word is set.
    pub(super) fn wait_for_bit(&self, number: u64, bit: u64) {
        while word_at(&self.file, self.payload + 8 * number) & 1 << bit == 0 {
            std::thread::yield_now();
        }
    }
}

fn word_at(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    read_at(file, &mut bytes, offset);
    u64::from_le_bytes(bytes)
}
