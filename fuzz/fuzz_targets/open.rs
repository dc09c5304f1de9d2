//! Every operation of a `Latest` on any file. Each returns a value or an error, without a panic, a
//! fault or a hang. For the form of the input see the crate.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::{AnyLatest, FixedString, Latest, Maybe, Options, Result, Shareable, Trust};
use shmkit_fuzz::{NAME, Template, inspect_all};

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

fn options(directory: &Path) -> Options<Latest<Value>> {
    Latest::<Value>::options().directory(directory)
}

/// Creates the object, and sets three values.
fn create(directory: &Path) {
    let latest = options(directory).create(NAME).expect("an object can be created");
    let mut writer = latest.writer().expect("there is no other writer");
    for count in 0..3 {
        writer.set(&Value::new(count)).expect("the writer can set");
    }
}

fuzz_target!(|input: &[u8]| {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| Template::new(create));
    let (directory, file) = (template.directory(), template.create_file(input));
    inspect_all(directory);
    let typed = options(directory).open(NAME);
    let read_only = options(directory).open_read_only(NAME);
    let any = AnyLatest::open(Some(directory), NAME, Trust::Own);
    file.patch();
    for latest in [&typed, &read_only].into_iter().flatten() {
        let _ = use_latest(latest);
    }
    if let Ok(any) = &any {
        let _ = use_any(any);
    }
    inspect_all(directory);
    drop((typed, read_only, any));
    if let Ok(latest) = options(directory).open_or_create(NAME) {
        let _ = use_latest(&latest);
    }
    file.fix(directory);
    let _ = options(directory).remove(NAME);
});

fn use_latest(latest: &Latest<Value>) -> Result<()> {
    let show = |value: &Value| format!("{value:?}");
    let _ = latest.get().map(|value| show(&value));
    let _ = latest.get_boxed().map(|value| show(&value));
    let mut value = Value::new(0);
    let _ = latest.get_into(&mut value);
    show(&value);
    let _ = (latest.get_part(8, &mut [0; 9]), latest.age(), latest.has_writer());
    latest.sequence();
    let mut changes = latest.changes_since(0);
    for _ in 0..3 {
        let _ = changes.try_next();
        let _ = changes.next_timeout(Duration::ZERO);
        let _ = (changes.sequence(), changes.missed());
    }
    let mut writer = latest.writer()?;
    writer.set(&Value::new(4))?;
    let _ = latest.get();
    writer.set(&Value::new(5))?;
    drop(writer.loan()?);
    let mut loan = writer.loan()?;
    *loan = Value::new(6);
    loan.publish()?;
    Ok(())
}

fn use_any(any: &AnyLatest) -> Result<()> {
    any.schema().to_string();
    if let Ok(bytes) = any.get() {
        any.schema().read(&bytes).expect("a returned value is valid").to_string();
    }
    let _ = (any.sequence(), any.half_written());
    let mut changes = any.changes_since(0);
    for _ in 0..3 {
        let _ = changes.next(Some(Duration::ZERO));
        let _ = (changes.sequence(), changes.missed());
    }
    any.set_with(|old| old.map_or_else(|| any.schema().zeroed(), Ok))?;
    Ok(())
}
