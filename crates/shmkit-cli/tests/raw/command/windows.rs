//! Memory that disappears when the last process closes it.

use crate::{Unique, create, ended, output_of, raw, shm};

#[test]
fn memory_without_a_holder_disappears_with_its_creator() {
    let name = Unique::new();
    let output = output_of(shm().args(["raw", "create", &name, "--size", "8"]));
    let note = format!("shm: \"{}\" disappears with this command: --hold keeps it\n", &*name);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), note);
    assert!(output.status.success() && output.stdout.is_empty());
    let output = output_of(shm().args(["raw", "read", &name]));
    ended(&output, 3, "cannot open");
}

#[test]
fn held_memory_cannot_be_removed_and_disappears_with_its_holder() {
    let name = Unique::new();
    let memory = create(&name, &["--size", "8", "--fill", "7"]);
    assert_eq!(memory.report, format!("{{\"name\":\"{}\",\"size\":4096}}", &*name));
    assert_eq!(raw(&["read", &name, "--length", "2", "--hex"]), "0707\n");
    let output = output_of(shm().args(["raw", "rm", &name]));
    ended(&output, 10, "Windows keeps the name while any process has the memory open");
    drop(memory);
    ended(&output_of(shm().args(["raw", "rm", &name])), 3, "cannot remove");
}

#[test]
fn the_directory_of_objects_does_not_apply_to_raw_memory() {
    let name = Unique::new();
    let _memory = create(&name, &["--size", "8"]);
    let write = ["raw", "write", &name, "--text", "there"];
    shm().env("SHMKIT_DIR", "/nowhere").args(write).assert().success();
    assert_eq!(raw(&["read", &name, "--text"]), "there\n");
}
