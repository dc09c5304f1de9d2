//! What else removes files from the directory of objects, on Linux.

use std::path::Path;

use super::linux::default_path;
use super::place::Flaw;

/// Returns the parts of the system that remove files from the directory unasked.
pub(crate) fn cleaners(directory: &Path) -> Vec<Flaw> {
    let systemd = Path::new("/run/systemd/system").exists();
    let mut found = Vec::new();
    if systemd && directory == default_path() && is_ordinary_user() && removes_ipc() {
        found.push(Flaw {
            what: "logind removes this user's files here when the last session ends".into(),
            remedy: "set RemoveIPC=no in /etc/systemd/logind.conf, or run as a system user".into(),
        });
    }
    if systemd && ["/tmp", "/var/tmp"].iter().any(|cleaned| directory.starts_with(cleaned)) {
        found.push(Flaw {
            what: "systemd-tmpfiles removes files here that were not used for some days".into(),
            remedy: "choose another directory with SHMKIT_DIR, or exempt it in /etc/tmpfiles.d"
                .into(),
        });
    }
    found
}

/// Returns whether logind removes the files of this user: it spares system users.
fn is_ordinary_user() -> bool {
    const FIRST_ORDINARY: u32 = 1000;
    rustix::process::geteuid().as_raw() >= FIRST_ORDINARY
}

/// Returns whether RemoveIPC is on. The last setting counts; the default is on.
fn removes_ipc() -> bool {
    let mut files = vec![Path::new("/etc/systemd/logind.conf").to_path_buf()];
    if let Ok(more) = std::fs::read_dir("/etc/systemd/logind.conf.d") {
        let mut more: Vec<_> = more.flatten().map(|file| file.path()).collect();
        more.sort();
        files.extend(more);
    }
    let text: String = files.iter().flat_map(std::fs::read_to_string).collect();
    let mut settings = text.lines().filter_map(|line| line.trim().strip_prefix("RemoveIPC="));
    settings.next_back().is_none_or(|value| !matches!(value.trim(), "no" | "false" | "0" | "off"))
}
