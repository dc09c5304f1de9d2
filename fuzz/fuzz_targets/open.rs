//! Files from anybody under an object's name: everything that can be asked of an object, asked of
//! them. Whatever they hold, the answer is a value or an error: no panic, no fault, no hang.
//!
//! The input is taken byte by byte:
//!
//! ```text
//! choice      bit 0: the file is the rest of the input, as it is
//!             bit 1: the file is cut or grown to the size that follows (u16)
//!             bit 2: the header's checksum is made right again
//!             bit 3: what is wrong is put right at the end
//! patches     of a good image: a number, and for each a place (u16), a length, and bytes
//! patches     again, made in the file while it is open
//! ```
#![no_main]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use shmkit::{
    AnyLatest, FixedString, Latest, LatestOptions, Maybe, Result, Shareable, Trust, inspect,
};
use tempfile::TempDir;

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

const NAME: &str = "fuzz";

/// An object of three values, as it stands in its file; and where it is made.
struct World {
    directory: TempDir,
    image: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let in_memory = Path::new("/dev/shm");
        let parent = if in_memory.is_dir() { in_memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("shmkit-fuzz-").tempdir_in(parent);
        let directory = directory.expect("a directory can be made");
        let latest = options(directory.path()).create(NAME).expect("an object can be made");
        let mut writer = latest.writer().expect("nobody else writes");
        for count in 0..3 {
            writer.set(&Value::new(count)).expect("the writer writes");
        }
        let image = fs::read(directory.path().join("fuzz.shmkit")).expect("the object is a file");
        Self { directory, image }
    }
}

fn options(directory: &Path) -> LatestOptions<Value> {
    Latest::<Value>::options().directory(directory)
}

fuzz_target!(|input: &[u8]| {
    static WORLD: OnceLock<World> = OnceLock::new();
    let World { directory, image } = WORLD.get_or_init(World::new);
    let mut input = Input(input);
    let choice = input.byte();
    let (mut image, mut live) = (image.clone(), Vec::new());
    if choice & 1 != 0 {
        image = input.0.to_vec();
    } else {
        let size = (choice & 2 != 0).then(|| input.number());
        input.patches().iter().for_each(|patch| patch.apply(&mut image));
        image.resize(size.unwrap_or(image.len()), 0);
        if choice & 4 != 0 {
            mend_checksum(&mut image);
        }
        live = input.patches();
    }
    let directory = directory.path();
    let path = directory.join("fuzz.shmkit");
    let _ = fs::remove_file(&path);
    let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path);
    let file = file.expect("the file can be made");
    file.write_all_at(&image, 0).expect("the file can be written");

    look_from_outside(directory);
    let typed = options(directory).open(NAME);
    let reading = options(directory).open_read_only(NAME);
    let any = AnyLatest::open(Some(directory), NAME, Trust::Own);
    for patch in live {
        // Never past the end: that would be a truthful file of another size.
        let place = patch.place.min(image.len());
        let bytes = &patch.bytes[..patch.bytes.len().min(image.len() - place)];
        file.write_all_at(bytes, place as u64).expect("the file can be written");
    }
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
    if choice & 8 != 0 {
        let findings = inspect::examine(directory, Trust::Own).expect("the directory can be read");
        findings.iter().for_each(|finding| drop(finding.fix()));
    }
    let _ = options(directory).remove(NAME);
});

fn look_from_outside(directory: &Path) {
    let _ = inspect::describe(directory, NAME, Trust::Own);
    let entries = inspect::list(directory, Trust::Own).expect("the directory can be read");
    assert!(entries.len() <= 1, "{entries:?}");
    for finding in inspect::examine(directory, Trust::Own).expect("the directory can be read") {
        (finding.object(), finding.what(), finding.remedy(), finding.can_be_fixed());
    }
}

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

/// What is left of the input; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn patches(&mut self) -> Vec<Patch<'a>> {
        let count = self.byte() % 8;
        let patch = |_| {
            let (place, length) = (self.number(), usize::from(self.byte() % 33));
            Patch { place, bytes: self.bytes(length) }
        };
        (0..count).map(patch).collect()
    }
}

struct Patch<'a> {
    place: usize,
    bytes: &'a [u8],
}

impl Patch<'_> {
    fn apply(&self, image: &mut [u8]) {
        let place = self.place % image.len().max(1);
        for (to, from) in image[place..].iter_mut().zip(self.bytes) {
            *to = *from;
        }
    }
}

/// As FORMAT.md says: over the header up to the checksum, the name, and the schema text.
fn mend_checksum(image: &mut [u8]) {
    const LENGTHS: [usize; 2] = [108, 116];
    const CHECKSUM: usize = 176;
    const HEADER: usize = 256;
    if image.len() < HEADER {
        return;
    }
    let length = |at| u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"));
    let text: u64 = LENGTHS.iter().map(|&at| u64::from(length(at))).sum();
    let end = (HEADER as u64 + text).min(image.len() as u64) as usize;
    let covered = image[..CHECKSUM].iter().chain(&image[HEADER..end]);
    let checksum = covered.fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    image[CHECKSUM..CHECKSUM + 8].copy_from_slice(&checksum.to_le_bytes());
}
