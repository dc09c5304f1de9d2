//! Memory that is a file and stays.

use std::fs;
use std::process::Command;

use crate::{Running, Unique, raw, shm, start};

#[test]
fn memory_is_a_file_until_it_is_removed() {
    let name = Unique::new();
    assert_eq!(raw(&["create", &name, "--size", "100", "--fill", "1"]), "");
    assert_eq!(fs::read(name.memory()).unwrap(), [1; 100]);
    raw(&["rm", &name]);
    assert!(!name.memory().exists());
}

#[cfg(target_os = "linux")]
#[test]
fn named_memory_is_listed_without_objects() {
    let (name, object) = (Unique::new(), format!("{}.shmkit", &*Unique::new()));
    raw(&["create", &name, "--size", "3000", "--access", "group"]);
    let file = std::path::Path::new("/dev/shm").join(&object);
    fs::write(&file, "not listed").unwrap();
    let list = raw(&["ls"]);
    fs::remove_file(&file).unwrap();
    let row = list.lines().find(|it| it.split(' ').next() == Some(&*name)).unwrap();
    assert!(row.contains("2.9 KiB") && row.contains("0660"), "{row}");
    assert!(list.starts_with("NAME ") && !list.contains(&object), "{list}");
    let json: serde_json::Value = serde_json::from_str(&raw(&["ls", &name, "--json"])).unwrap();
    let found = json.as_array().unwrap();
    assert_eq!(found.len(), 1, "only what begins with the name: {json}");
    assert_eq!((found[0]["name"].as_str(), found[0]["size"].as_u64()), (Some(&*name), Some(3000)));
}

#[test]
fn hold_ends_at_ctrl_c_and_the_memory_stays() {
    let name = Unique::new();
    // With default handling of signals also if this test ignores them.
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(assert_cmd::cargo::cargo_bin("shm"));
    command.args(["raw", "create", &name, "--size", "8", "--hold", "--json"]);
    let mut holder = Running::new(&mut command);
    assert_eq!(holder.line(), format!("{{\"name\":\"{}\",\"size\":8}}", &*name));
    let mut kill = Command::new("kill");
    kill.args(["-s", "INT", &holder.child.id().to_string()]);
    assert!(kill.status().unwrap().success());
    assert!(holder.child.wait().unwrap().success());
    assert_eq!(fs::read(name.memory()).unwrap(), [0; 8]);
}

#[test]
fn truncation_ends_a_watch_with_an_error() {
    let name = Unique::new();
    let path = name.file();
    let file = path.to_str().unwrap();
    raw(&["create", "--file", file, "--size", "10000"]);
    let range = ["--offset", "5000", "--length", "16"];
    let read = [&["raw", "read", "--watch", "--file", file], &range[..]].concat();
    let mut watch = start(&read);
    assert_eq!(watch.line(), "0".repeat(32));
    // The rest of the page stays mapped, so no read comes too late.
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5_010).unwrap();
    assert_eq!(watch.child.wait().unwrap().code(), Some(1));
    let error = watch.errors.next().unwrap().unwrap();
    let reason = "it was truncated to 5010 bytes, before the end of 16 bytes at 5000";
    assert!(error.contains(reason), "{error}");
}

#[test]
fn removal_ends_a_watch_with_an_error_also_if_other_memory_has_the_name() {
    for replaced in [false, true] {
        let (name, other) = (Unique::new(), Unique::new());
        let file = other.file();
        let path = file.to_str().unwrap();
        raw(&["create", &name, "--size", "8"]);
        raw(&["create", "--file", path, "--size", "8"]);
        let mut watches = [&[&*name][..], &["--file", path]]
            .map(|target| start(&[&["raw", "read", "--watch"], target].concat()));
        watches.iter_mut().for_each(|watch| assert_eq!(watch.line(), "0".repeat(16)));
        fs::remove_file(name.memory()).unwrap();
        fs::remove_file(&file).unwrap();
        if replaced {
            raw(&["create", &name, "--size", "8", "--fill", "1"]);
            raw(&["create", "--file", path, "--size", "8", "--fill", "1"]);
        }
        for mut watch in watches {
            let error = watch.errors.next().unwrap().unwrap();
            assert!(error.starts_with("shm: cannot read \""), "{error}");
            assert!(error.contains(": it was removed"), "{error}");
            assert_eq!(watch.child.wait().unwrap().code(), Some(9));
        }
    }
}

#[test]
fn the_mode_follows_access_under_any_umask() {
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
fn the_directory_of_objects_does_not_apply_to_raw_memory() {
    let name = Unique::new();
    let create = ["raw", "create", &name, "--size", "1"];
    shm().env("SHMKIT_DIR", "/nowhere").args(create).assert().success();
    assert!(name.memory().exists());
}
