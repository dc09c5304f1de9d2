//! What the subcommands do where memory goes with the last who has it.

use crate::{Unique, create, ended, output_of, raw, shm};

#[test]
fn memory_that_nobody_holds_is_gone_with_the_command_that_made_it() {
    let name = Unique::new();
    let output = output_of(shm().args(["raw", "create", &name, "--size", "8"]));
    let note = format!("shm: \"{}\" is gone with this command: --hold keeps it\n", &*name);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), note);
    assert!(output.status.success() && output.stdout.is_empty());
    let output = output_of(shm().args(["raw", "read", &name]));
    ended(&output, 3, "cannot open");
}

#[test]
fn held_memory_is_not_removed_but_goes_with_its_holder() {
    let name = Unique::new();
    let made = create(&name, &["--size", "8", "--fill", "7"]);
    assert_eq!(made.told, format!("{{\"name\":\"{}\",\"size\":4096}}", &*name));
    assert_eq!(raw(&["read", &name, "--length", "2", "--hex"]), "0707\n");
    let output = output_of(shm().args(["raw", "rm", &name]));
    ended(&output, 10, "Windows keeps the name for as long as anybody has the memory");
    drop(made);
    ended(&output_of(shm().args(["raw", "rm", &name])), 3, "cannot remove");
}

#[test]
fn the_directory_of_objects_does_not_move_raw_memory() {
    let name = Unique::new();
    let _made = create(&name, &["--size", "8"]);
    let write = ["raw", "write", &name, "--text", "there"];
    shm().env("SHMKIT_DIR", "/nowhere").args(write).assert().success();
    assert_eq!(raw(&["read", &name, "--text"]), "there\n");
}
