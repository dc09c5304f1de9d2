//! `shm` as a program that has more rights than the user who started it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::running::{skip, started};
use crate::{TestDir, shm_path};

const NOBODY: u32 = 65_534;

#[test]
fn a_program_that_is_set_user_id_ignores_the_directory_that_its_user_names() {
    let dir = TestDir::new();
    let no_rights = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NOEXEC;
    let place = statvfs(dir.path()).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let keeps_rights = |line: &str| line.starts_with("NoNewPrivs:") && line.ends_with('1');
    if place.f_flag.intersects(no_rights)
        || status.lines().any(keeps_rights)
        || Command::new("true").uid(NOBODY).status().is_err()
    {
        return skip("a set-user-id program: needs root, and TMPDIR where such programs may run");
    }
    let program = dir.path().join("shm");
    // `cp` writes the file, not this process: a child of another test could inherit the descriptor,
    // and a file that is open for writing cannot be executed.
    assert!(Command::new("cp").arg(shm_path()).arg(&program).status().unwrap().success());
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
