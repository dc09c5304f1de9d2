//! Camera frames of 6 MB for any number of viewers, without a copy.
//!
//! The camera takes a buffer in shared memory as a loan, draws the frame there, and sends it. A
//! viewer borrows the frame as a sample, and reads it where it is. A slow viewer loses frames, and
//! knows how many; the camera waits for nobody. In two terminals, or more:
//!
//! ```sh
//! cargo run --release --example camera -- send      # 30 a second; `send 100` ends after 100
//! cargo run --release --example camera -- receive   # shows them; `receive 100` ends after 100
//! ```
//!
//! Kill a viewer: the others and the camera go on. Kill the camera, also in the middle of a frame:
//! the viewers are told at once, never see half a frame, and go on with the next camera.

use std::time::{Duration, SystemTime};
use std::{env, error, thread};

use shmkit::{ErrorKind, Lifetime, Shareable, Topic, WhenFull};

const WIDTH: usize = 2_000;
const HEIGHT: usize = 1_000;

#[derive(Shareable)]
#[repr(C)]
struct Frame {
    number: u64,
    sent_us: u64,
    rows: [[u8; 3 * WIDTH]; HEIGHT],
}

fn frames() -> shmkit::Result<Topic<Frame>> {
    Topic::options()
        .depth(4) // four frames, and four more that viewers still look at: 48 MB
        .spare_buffers(4)
        .when_full(WhenFull::Overwrite)
        .lifetime(Lifetime::WhileUsed) // the last process removes it
        .open_or_create("example/camera")
}

fn send(count: u64) -> shmkit::Result<()> {
    let frames = frames()?;
    let mut camera = frames.publisher()?;
    for number in 1..=count {
        let mut frame = camera.loan()?; // an older frame, or zeros: all of it is overwritten
        for row in &mut frame.rows {
            row.fill(number as u8);
        }
        frame.number = number;
        frame.sent_us = now_us();
        let viewers = frame.send()?;
        println!("frame {number}: {viewers} viewers");
        thread::sleep(Duration::from_millis(33));
    }
    Ok(())
}

fn receive(count: u64) -> shmkit::Result<()> {
    let frames = frames()?;
    let mut viewer = frames.subscriber()?;
    let mut seen = 0;
    while seen < count {
        let frame = match viewer.recv_sample() {
            Ok(frame) => frame,
            Err(error) if error.kind() == ErrorKind::PeerDied => {
                println!("{error}");
                continue;
            }
            Err(error) => return Err(error),
        };
        let age_us = now_us().saturating_sub(frame.sent_us);
        let is_whole = frame.rows.iter().all(|row| *row == [frame.number as u8; 3 * WIDTH]);
        let (number, lost) = (frame.number, viewer.lost());
        println!("frame {number}: whole: {is_whole}, {age_us} us old, lost {lost}");
        seen += 1;
    }
    Ok(())
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let count = arguments.get(1).map_or(Ok(u64::MAX), |count| count.parse())?;
    match arguments.first().map(String::as_str) {
        Some("send") => Ok(send(count)?),
        Some("receive") => Ok(receive(count)?),
        _ => Err("which side? `send [COUNT]` or `receive [COUNT]`".into()),
    }
}
