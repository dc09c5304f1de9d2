//! What the subcommands do where memory is a file that stays.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::{Running, Unique, raw, shm};

#[test]
fn memory_is_the_file_of_its_name_until_it_is_removed() {
    let name = Unique::new();
    assert_eq!(raw(&["create", &name, "--size", "100", "--fill", "1"]), "");
    assert_eq!(fs::read(name.memory()).unwrap(), [1; 100]);
    raw(&["rm", &name]);
    assert!(!name.memory().exists());
}

#[test]
fn holding_ends_with_ctrl_c_in_good_order_and_memory_stays() {
    let name = Unique::new();
    let mut holding = Running::shm(&["raw", "create", &name, "--size", "8", "--hold", "--json"]);
    assert_eq!(holding.line(), format!("{{\"name\":\"{}\",\"size\":8}}", &*name));
    let mut kill = Command::new("kill");
    kill.args(["-s", "INT", &holding.child.id().to_string()]);
    assert!(kill.status().unwrap().success());
    assert!(holding.child.wait().unwrap().success());
    assert_eq!(fs::read(name.memory()).unwrap(), [0; 8]);
}

#[test]
fn what_was_cut_ends_a_watch_in_words() {
    let name = Unique::new();
    let path = name.file();
    let file = path.to_str().unwrap();
    raw(&["create", "--file", file, "--size", "10000"]);
    let watching = Command::new(assert_cmd::cargo::cargo_bin!("shm"))
        .args(["raw", "read", "--watch", "--offset", "5000", "--length", "16", "--file", file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watching = watching.unwrap();
    let mut line = String::new();
    let stdout = watching.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "0".repeat(32));
    // What remains of the page stays mapped: no look comes too late.
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5_010).unwrap();
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("it was cut to 5010 bytes: the 16 at 5000 are not there"), "{told}");
}

#[test]
fn permission_is_for_the_owner_alone_under_any_umask_unless_asked_otherwise() {
    use std::os::unix::fs::PermissionsExt;
    for (umask, access, mode) in [
        ("0000", "owner", 0o600),
        ("0777", "owner", 0o600),
        ("0077", "group", 0o660),
        ("0777", "everyone", 0o666),
    ] {
        let name = Unique::new();
        let script = format!("umask {umask} && exec \"$@\"");
        let shm = assert_cmd::cargo::cargo_bin("shm");
        let status = Command::new("sh")
            .args(["-c", &script, "sh", shm.to_str().unwrap()])
            .args(["raw", "create", &name, "--size", "1", "--access", access])
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(fs::metadata(name.memory()).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn the_directory_of_objects_does_not_move_raw_memory() {
    let name = Unique::new();
    let create = ["raw", "create", &name, "--size", "1"];
    shm().env("SHMKIT_DIR", "/nowhere").args(create).assert().success();
    assert!(name.memory().exists());
}
