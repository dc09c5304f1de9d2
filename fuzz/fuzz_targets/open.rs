//! Files from anybody under an object's name: everything that can be asked of an object, asked of
//! them. Whatever they hold, the answer is a value or an error: no panic, no fault, no hang.
//! (How the input makes the file: see the crate.)
#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::{AnyLatest, FixedString, Latest, LatestOptions, Maybe, Result, Shareable, Trust};
use shmkit_fuzz::{NAME, World, look_from_outside};

#[derive(Shareable, Debug)]
#[repr(C)]
struct Value {
    flag: bool,
    letter: char,
    count: u64,
    name: FixedString<11>,
    maybe: Maybe<u16>,
}

impl Value {
    fn new(count: u64) -> Self {
        let name = "abc".parse().expect("short enough");
        Self { flag: true, letter: 'x', count, name, maybe: Some(7).into() }
    }
}

fn options(directory: &Path) -> LatestOptions<Value> {
    Latest::<Value>::options().directory(directory)
}

/// An object of three values.
fn make(directory: &Path) {
    let latest = options(directory).create(NAME).expect("an object can be made");
    let mut writer = latest.writer().expect("nobody else writes");
    for count in 0..3 {
        writer.set(&Value::new(count)).expect("the writer writes");
    }
}

fuzz_target!(|input: &[u8]| {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(|| World::new(make));
    let (directory, made) = (world.directory(), world.make_file(input));
    look_from_outside(directory);
    let typed = options(directory).open(NAME);
    let reading = options(directory).open_read_only(NAME);
    let any = AnyLatest::open(Some(directory), NAME, Trust::Own);
    made.patch();
    for latest in [&typed, &reading].into_iter().flatten() {
        let _ = ask(latest);
    }
    if let Ok(any) = &any {
        let _ = ask_any(any);
    }
    look_from_outside(directory);
    drop((typed, reading, any));
    if let Ok(latest) = options(directory).open_or_create(NAME) {
        let _ = ask(&latest);
    }
    made.repair(directory);
    let _ = options(directory).remove(NAME);
});

fn ask(latest: &Latest<Value>) -> Result<()> {
    let show = |value: &Value| format!("{value:?}");
    let _ = latest.get().map(|value| show(&value));
    let _ = latest.get_boxed().map(|value| show(&value));
    let mut value = Value::new(0);
    let _ = latest.get_into(&mut value);
    show(&value);
    latest.sequence();
    let mut changes = latest.changes_since(0);
    for _ in 0..3 {
        let _ = changes.try_next();
        let _ = changes.next_timeout(Duration::ZERO);
        (changes.sequence(), changes.missed());
    }
    let mut writer = latest.writer()?;
    writer.set(&Value::new(4))?;
    let _ = latest.get();
    writer.set(&Value::new(5))?;
    Ok(())
}

fn ask_any(any: &AnyLatest) -> Result<()> {
    any.schema().to_string();
    if let Ok(bytes) = any.get() {
        any.schema().read(&bytes).expect("what is handed out was checked").to_string();
    }
    (any.sequence(), any.half_written());
    let mut changes = any.changes_since(0);
    for _ in 0..3 {
        let _ = changes.next(Some(Duration::ZERO));
        (changes.sequence(), changes.missed());
    }
    any.set_with(|old| old.map_or_else(|| any.schema().zeroed(), Ok))?;
    Ok(())
}
