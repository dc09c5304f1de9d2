//! What processes can leave behind, and its removal: by this command at its end and at ctrl-c, and
//! by the two processes if the command is killed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::system;

/// How the file of a System V message queue begins: its number follows. Such a queue has no name.
pub(super) const QUEUE_PREFIX: &str = "system-v-queue-";

/// How often the removal of a directory is tried.
const ATTEMPTS: u32 = 100;

/// Removes a directory, and the message queues that are noted in it, as far as the system lets it.
pub(super) fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|it| it.strip_prefix(QUEUE_PREFIX));
        if let Some(number) = number.and_then(|it| it.parse().ok()) {
            system::remove_queue(number);
        } else if entry.file_type().is_ok_and(|it| it.is_dir()) {
            remove(&entry.path());
        }
    }
    // Another process can remove the same at this moment: then each of them misses something.
    for _ in 0..ATTEMPTS {
        let _ = fs::remove_dir_all(directory);
        if fs::symlink_metadata(directory).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}
