//! A process that writes anything into a call harms no other process.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use shmkit::Call;

use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::values::Random;

const NAME: &str = "scribbled";

/// Asks, answers, joins and leaves, whatever the results are, and reports each round.
pub(crate) fn victim(link: &mut Link) {
    let call = Call::<[bool; 64], [bool; 64]>::open(NAME).unwrap();
    link.send("ready");
    loop {
        link.receive();
        let short = Duration::from_millis(1);
        for _ in 0..20 {
            let (Ok(client), Ok(server)) = (call.client(), call.server()) else { continue };
            for round in 0..20 {
                let first = client.send_timeout(&[round % 2 == 0; 64], short);
                let second = client.try_send(&[true; 64]);
                if let Ok(mut request) = server.recv_timeout(short) {
                    let _ = (request.is_cancelled(), request.client());
                    let _ = request.respond_part_timeout(&[true; 64], short);
                    let _ = request.respond_part_timeout(&[true; 64], short);
                    match round % 3 {
                        0 => drop(request.finish()),
                        _ => request.refuse(),
                    }
                }
                if let Ok(Some(request)) = server.try_recv() {
                    let _ = request.respond(&[false; 64]);
                }
                for mut pending in [first, second].into_iter().flatten() {
                    let _ = (pending.recv_timeout(short), pending.try_recv());
                }
                let _ = client.call_timeout(&[false; 64], short);
            }
            let _ = (call.counts(), client.servers());
        }
        link.send("alive");
    }
}

#[test]
fn scribbling_over_a_call_ends_no_other_process() {
    let mut random = Random::new();
    for slots in [2, 100] {
        let dir = TestDir::new();
        let options = Call::<[bool; 64], [bool; 64]>::options().directory(dir.path());
        let _call = options.in_flight(slots).parts(1).max_users(8).create(NAME).unwrap();
        let path = dir.path().join("scribbled.shmkit");
        let bytes = std::fs::read(&path).unwrap();
        let payload = u64::from_le_bytes(bytes[128..136].try_into().unwrap());
        let words = (bytes.len() as u64 - payload) / 8;
        let mut file = File::options().write(true).open(&path).unwrap();
        let mut child = Child::start_ready(&dir, "call victim", "");
        for _ in 0..8 {
            child.send("go on");
            let end = Instant::now() + Duration::from_millis(100);
            while Instant::now() < end {
                let word = match random.below(5) {
                    0 => random.next(),
                    // A state of a call, or of a participant.
                    1 => random.below(100) << 16 | random.below(8) << 13,
                    2 => random.below(4) << 32 | random.below(8) << 13 | random.below(16) << 2,
                    // How far an answer is.
                    3 => random.below(100) << 16 | random.below(16) << 4 | random.below(16),
                    _ => 0,
                };
                // Mostly the first words, and the first slots.
                let place = if random.one_in(4) { random.below(words) } else { random.below(128) };
                file.seek(SeekFrom::Start(payload + place * 8)).unwrap();
                file.write_all(&word.to_le_bytes()).unwrap();
            }
            assert_eq!(child.receive(), "alive");
        }
    }
}
