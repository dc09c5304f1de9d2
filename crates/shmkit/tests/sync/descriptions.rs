//! What a process finds in the file of any object that it knows nothing of: the description of its
//! types, and the words that the end of the object changes.

use std::fs::File;
use std::io::{Read, Seek};

use shmkit::memory::Trust;
use shmkit::shareable::Schema;
use shmkit::sync::{
    Barrier, Condvar, Counter, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{Latest, Object, Primitive, Shareable, inspect};

use crate::test_dir::TestDir;

const NAME: &str = "object";

/// A struct with padding, which is aligned to 16 bytes.
#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Wide {
    number: u128,
    part: u8,
}

/// The bytes of an object's file.
struct Image(Vec<u8>);

impl Image {
    fn read(mut file: &File) -> Self {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        Self(bytes)
    }

    fn number(&self, place: usize) -> u64 {
        u64::from_le_bytes(self.0[place..place + 8].try_into().unwrap())
    }

    /// The fingerprint and the text of the schema: see FORMAT.md.
    fn schema(&self) -> (u64, &str) {
        let [offset, length] = [self.number(112) as u32, (self.number(112) >> 32) as u32];
        let text = &self.0[offset as usize..][..length as usize];
        (self.number(96), std::str::from_utf8(text).unwrap())
    }

    fn payload(&self) -> &[u8] {
        let [offset, size] = [128, 136].map(|place| self.number(place) as usize);
        &self.0[offset..offset + size]
    }
}

/// Checks the description of the object, removes the object, and checks which words of its payload
/// that changed: `closed`.
#[track_caller]
fn check(dir: &TestDir, closed: &[usize]) {
    let file = File::open(dir.path().join(format!("{NAME}.shmkit"))).unwrap();
    let before = Image::read(&file);
    let (fingerprint, text) = before.schema();
    let schema = Schema::parse(text).unwrap();
    assert_eq!(schema.to_string(), text);
    assert_eq!(schema.fingerprint(), fingerprint, "{text}");
    assert_eq!(schema.size() as usize, before.payload().len());
    assert_eq!(inspect::describe(dir.path(), NAME, Trust::Own).unwrap().schema, schema);

    inspect::remove(dir.path(), NAME, Trust::Own).unwrap();
    let after = Image::read(&file);
    let words = before.payload().chunks(8).zip(after.payload().chunks(8)).enumerate();
    let changed: Vec<_> = words.filter(|(_, (before, after))| before != after).collect();
    let places: Vec<_> = changed.iter().map(|(index, _)| 8 * index).collect();
    assert_eq!(places, closed, "{text}");
    assert!(changed.iter().all(|(_, (before, after))| before[0] | 1 == after[0]), "{text}");
}

#[track_caller]
fn check_primitive<P: Primitive>(initial: P::Initial, closed: &[usize]) {
    let dir = TestDir::new();
    let _object = dir.options::<P>().create(NAME, initial).unwrap();
    check(&dir, closed);
}

#[test]
fn any_object_describes_itself_and_its_end_changes_the_words_to_wait_on() {
    let wide = Wide { number: 1, part: 2 };
    check_primitive::<Mutex<u64>>(1, &[0]);
    check_primitive::<Mutex<Wide>>(wide, &[0]);
    check_primitive::<ReentrantMutex<[Wide; 9]>>([wide; 9], &[0]);
    check_primitive::<RwLock<Wide>>(wide, &[0]);
    check_primitive::<Condvar>((), &[0]);
    check_primitive::<Semaphore>(1, &[0]);
    check_primitive::<Event>(Reset::Manual, &[0]);
    check_primitive::<Barrier>(1, &[0]);
    check_primitive::<Latch>(1, &[0]);
    check_primitive::<Once>((), &[0]);
    check_primitive::<Counter>(1, &[0]);
    check_primitive::<(Mutex<[u64; 40]>, [Event; 2])>(
        ([1; 40], [Reset::Manual; 2]),
        &[0, 512, 640],
    );

    let dir = TestDir::new();
    let _latest = Latest::<Wide>::options().directory(dir.path()).create(NAME).unwrap();
    check(&dir, &[0, 128]);
    let slices = Object::<Box<[Event]>>::options().directory(dir.path());
    let _slice = slices.create(NAME, vec![Reset::Manual; 5]).unwrap();
    check(&dir, &[0, 128, 256, 384, 512]);
}
