//! Reading parts of a value.

use std::mem::offset_of;

use shmkit::shareable::{from_bytes, zeroed_box};
use shmkit::{ErrorKind, Latest, Lifetime, Shareable};

use crate::skipping::skip;
use crate::{TestDir, kind};

#[derive(Shareable)]
#[repr(C)]
struct Frame {
    number: u64,
    gain: f32,
    is_last: bool,
    rows: [[u8; 333]; 77],
}

fn filled(number: u64) -> Box<Frame> {
    let mut frame = zeroed_box::<Frame>();
    (frame.number, frame.gain, frame.is_last) = (number, number as f32, true);
    frame.rows.iter_mut().for_each(|row| row.fill(number as u8));
    frame
}

fn row(frames: &Latest<Frame>, index: usize) -> [u8; 333] {
    let mut row = [0xdd; 333];
    frames.get_part(offset_of!(Frame, rows) + index * row.len(), &mut row).unwrap();
    row
}

#[test]
fn a_part_is_that_of_the_newest_value() {
    let dir = TestDir::new();
    let frames = dir.options::<Frame>().create("frames").unwrap();
    assert_eq!(kind(frames.get_part(0, &mut [0; 8])), ErrorKind::Empty);
    let mut writer = frames.writer().unwrap();
    for number in 1..40 {
        writer.set(&filled(number)).unwrap();
        assert_eq!([row(&frames, 0), row(&frames, 76)], [[number as u8; 333]; 2]);
        let mut gain = [0; 4];
        frames.get_part(offset_of!(Frame, gain), &mut gain).unwrap();
        assert_eq!(from_bytes::<f32>(&gain), Some(number as f32));
    }
    let size = size_of::<Frame>();
    frames.get_part(size, &mut []).unwrap();
    for (offset, length) in [(size, 1), (0, size + 1), (usize::MAX, 2), (size + 1, 0)] {
        let error = frames.get_part(offset, &mut vec![0; length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
    }
    dir.options::<Frame>().remove("frames").unwrap();
    assert_eq!(kind(frames.get_part(0, &mut [0; 8])), ErrorKind::Closed);
}

#[test]
fn no_part_is_read_from_a_slot_that_is_being_written() {
    let dir = TestDir::in_memory();
    let frames = dir.options::<Frame>().create_with("frames", filled(7)).unwrap();
    assert_eq!(row(&frames, 76), [7; 333]);
    let path = dir.path().join("frames.shmkit");
    let mut file = std::fs::read(&path).unwrap();
    let value = [&7_u64.to_le_bytes()[..], &7_f32.to_le_bytes()].concat();
    let at = file.windows(12).position(|bytes| bytes == value).expect("value 7");
    // The stamp before it, from "complete" to "being written".
    file[at - 8] ^= 3;
    crate::overwrite(&path, &file);
    let mut into = [0xdd; 8];
    assert_eq!(kind(frames.get_part(0, &mut into)), ErrorKind::Corrupt);
    assert_eq!(into, [0xdd; 8]);
}

#[test]
fn a_part_is_of_one_value_while_others_are_set() {
    const ROWS: usize = 77 * 333;
    let dir = TestDir::in_memory();
    let frames = dir.options::<Frame>().create_with("frames", filled(0)).unwrap();
    std::thread::scope(|scope| {
        // More threads than processors: some are interrupted in a copy, and so overtaken.
        let read = || {
            let mut rows = vec![0; ROWS];
            loop {
                // No rows: a call that leaves them as they are has read nothing.
                rows.fill(0xdd);
                rows[0] = 0xde;
                frames.get_part(offset_of!(Frame, rows), &mut rows).unwrap();
                assert!(rows[1..] == rows[..ROWS - 1], "torn");
                if rows[0] == 255 {
                    return;
                }
            }
        };
        (0..6).for_each(|_| _ = scope.spawn(read));
        let (mut writer, frames) = (frames.writer().unwrap(), [0, 1, 2, 3].map(filled));
        for number in 0..20_000 {
            writer.set(&frames[number % 4]).unwrap();
        }
        writer.set(&filled(255)).unwrap();
    });
}

#[test]
fn a_part_on_a_disk_is_of_a_whole_value() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = Latest::<Frame>::options().directory(dir.path()).lifetime(Lifetime::Durable);
    let frames = options.create("frames").unwrap();
    let mut writer = frames.writer().unwrap();
    (1..=3).for_each(|number| _ = writer.set(&filled(number)).unwrap());
    drop((frames, writer));
    let path = dir.path().join("frames.shmkit");
    let mut file = std::fs::read(&path).unwrap();
    let number = 3_u64.to_le_bytes();
    let newest = [&number[..], &3_f32.to_le_bytes()].concat();
    let found = file.windows(12).position(|bytes| bytes == newest).expect("value 3");
    // As if the file had been copied while value 3 was written.
    file[found + 20_000..found + 25_000].fill(0xee);
    std::fs::write(dir.path().join("copy"), file).unwrap();
    std::fs::rename(dir.path().join("copy"), &path).unwrap();
    let copied = options.open("frames").unwrap();
    if copied.get_boxed().unwrap().number == 3 {
        return skip(&format!("a file on a disk: {} is in memory", dir.path().display()));
    }
    assert_eq!([row(&copied, 0), row(&copied, 76)], [[2; 333]; 2]);
    copied.writer().unwrap().set(&filled(4)).unwrap();
    assert_eq!([row(&copied, 0), row(&copied, 76)], [[4; 333]; 2]);
}
