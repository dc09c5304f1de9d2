//! Who waits sleeps: it uses little of a processor.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::actor::Actor;
use super::stage::{Stage, told};
use crate::children::{Child, Link};

/// How long each wait lasts at the least.
const WAIT: Duration = Duration::from_secs(1);

fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Does what it is told, and says how many milliseconds of a processor each took.
pub(crate) fn sleeper(link: &mut Link) {
    let mut actor = Actor::open();
    link.say("ready");
    loop {
        let word = link.hear();
        let before = processor_time();
        let answer = actor.act(&word, link);
        let used = (processor_time() - before).as_millis();
        link.say(format!("{used} {answer}"));
    }
}

#[test]
fn who_waits_sleeps() {
    let stage = Stage::new(0, 2);
    let mut child = Child::start(&stage.place, "sleeper", "");
    assert_eq!(child.hear(), "ready");
    let mut holder = stage.actor();
    told(&mut holder, "lock, nest, write");
    let mut ask = |word: &str| {
        let begun = Instant::now();
        let answer = child.ask(word);
        let (used, answer) = answer.split_once(' ').unwrap();
        let used = Duration::from_millis(used.parse().unwrap());
        println!("{word}: {used:?} of {:?}: {answer}", begun.elapsed());
        if word.ends_with("000") {
            assert!(answer == "late" || answer.starts_with("TimedOut: "), "{word}: {answer}");
            assert!(begun.elapsed() >= WAIT, "{word}");
            // One that spins has most of a processor.
            assert!(used < WAIT / 4, "{word} took {used:?} of a processor");
        }
    };
    for word in ["lock 1000", "nest 1000", "read 1000", "keep 1000", "write 1000"] {
        ask(word);
    }
    for word in ["acquire 1000", "consume 1000", "await 1000", "pass 1000", "join", "meet 1000"] {
        ask(word);
    }
    told(&mut holder, "drop, drop, drop, read");
    for word in ["write 1000", "keep", "upgrade 1000", "lock", "wait 1000"] {
        ask(word);
    }
}
