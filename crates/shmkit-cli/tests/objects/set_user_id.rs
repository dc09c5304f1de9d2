//! `shm` as a program that has more rights than the user who started it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::running::started;
use crate::{TestDir, shm_path, skip};

const NOBODY: u32 = 65_534;

#[test]
fn a_program_that_is_set_user_id_ignores_the_directory_that_its_user_names() {
    let dir = TestDir::new();
    let place = statvfs(dir.path()).unwrap();
    if !rustix::process::geteuid().is_root() || place.f_flag.contains(StatVfsMountFlags::NOSUID) {
        return skip("a set-user-id program: needs root, and a file system that allows it");
    }
    let program = dir.path().join("shm");
    fs::copy(shm_path(), &program).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    for (mode, is_obeyed) in [(0o755, true), (0o4755, false)] {
        fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&program);
        command.args(["get", "nothing here"]).env("SHMKIT_DIR", dir.path()).uid(NOBODY);
        let output = started(|| command.output());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("no object of this name in "), "{told}");
        let names_directory = told.contains(dir.path().to_str().unwrap());
        assert_eq!(names_directory, is_obeyed, "mode {mode:o}: {told}");
    }
}
