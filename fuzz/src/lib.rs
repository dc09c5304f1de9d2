//! What the targets share: how an input describes an object file, as changes of a valid one.
//!
//! ```text
//! choice      bit 0: the file is the rest of the input
//!             bit 1: the file has the size that follows (u16)
//!             bit 2: the header's checksum is corrected
//!             bit 3: the directory is examined at the end, and all findings are fixed
//! patches     of the valid file: a count, and for each an offset (u16), a length, and bytes
//! patches     in the same form, made while the file is open
//! ```

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use shmkit::{Trust, inspect};
use tempfile::TempDir;

/// The name of the object.
pub const NAME: &str = "fuzz";
const FILE: &str = "fuzz.shmkit";

/// A valid object file, and the directory for the files that inputs describe.
pub struct Template {
    directory: TempDir,
    image: Vec<u8>,
}

impl Template {
    /// With the object that `create` creates in the directory.
    pub fn new(create: impl FnOnce(&Path)) -> Self {
        let in_memory = Path::new("/dev/shm");
        let parent = if in_memory.is_dir() { in_memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("shmkit-fuzz-").tempdir_in(parent);
        let directory = directory.expect("a directory can be created");
        create(directory.path());
        let image = fs::read(directory.path().join(FILE)).expect("the object is a file");
        Self { directory, image }
    }

    /// The directory of the object.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Creates the file that the input describes.
    pub fn create_file<'a>(&self, input: &'a [u8]) -> ObjectFile<'a> {
        let mut input = Input(input);
        let choice = input.byte();
        let (mut image, mut live) = (self.image.clone(), Vec::new());
        if choice & 1 != 0 {
            image = input.0.to_vec();
        } else {
            let size = (choice & 2 != 0).then(|| input.number());
            input.patches().iter().for_each(|patch| patch.apply(&mut image));
            image.resize(size.unwrap_or(image.len()), 0);
            if choice & 4 != 0 {
                correct_checksum(&mut image);
            }
            live = input.patches();
        }
        let path = self.directory().join(FILE);
        let _ = fs::remove_file(&path);
        let file =
            OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path);
        let file = file.expect("the file can be created");
        file.write_all_at(&image, 0).expect("the file can be written");
        ObjectFile { file, size: image.len(), live, fix: choice & 8 != 0 }
    }
}

/// A file that was created, and what the input does with it.
pub struct ObjectFile<'a> {
    file: File,
    size: usize,
    live: Vec<Patch<'a>>,
    fix: bool,
}

impl ObjectFile<'_> {
    /// Changes the file while it is open.
    pub fn patch(&self) {
        for patch in &self.live {
            // Never beyond the end: the file must keep the size that was checked at the open.
            let offset = patch.offset.min(self.size);
            let bytes = &patch.bytes[..patch.bytes.len().min(self.size - offset)];
            self.file.write_all_at(bytes, offset as u64).expect("the file can be written");
        }
    }

    /// Examines the directory and fixes all findings, if the input says so. Not every time: it
    /// takes longer than all the rest, since it looks at all processes of the machine.
    pub fn fix(&self, directory: &Path) {
        if !self.fix {
            return;
        }
        for finding in inspect::examine(directory, Trust::Own).expect("the directory can be read") {
            let _ = (finding.object(), finding.what(), finding.remedy(), finding.can_be_fixed());
            let _ = finding.fix();
        }
    }
}

/// Describes the object, and lists the directory.
pub fn inspect_all(directory: &Path) {
    let _ = inspect::describe(directory, NAME, Trust::Own);
    let entries = inspect::list(directory, Trust::Own).expect("the directory can be read");
    assert!(entries.len() <= 1, "{entries:?}");
}

/// The rest of the input, which is followed by zeros.
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
            let (offset, length) = (self.number(), usize::from(self.byte() % 33));
            Patch { offset, bytes: self.bytes(length) }
        };
        (0..count).map(patch).collect()
    }
}

struct Patch<'a> {
    offset: usize,
    bytes: &'a [u8],
}

impl Patch<'_> {
    fn apply(&self, image: &mut [u8]) {
        let offset = self.offset % image.len().max(1);
        for (to, from) in image[offset..].iter_mut().zip(self.bytes) {
            *to = *from;
        }
    }
}

/// The checksum of FORMAT.md: over the header up to the checksum, the name, and the schema.
fn correct_checksum(image: &mut [u8]) {
    const LENGTHS: [usize; 2] = [108, 116];
    const CHECKSUM: usize = 176;
    const HEADER: usize = 256;
    if image.len() < HEADER {
        return;
    }
    let length = |at| u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"));
    let text: u64 = LENGTHS.iter().map(|&at| u64::from(length(at))).sum();
    let end = (HEADER as u64 + text).min(image.len() as u64) as usize;
    let checksum = crc32fast::hash(&[&image[..CHECKSUM], &image[HEADER..end]].concat());
    image[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
}
