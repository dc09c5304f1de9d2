//! When which bell is rung, and how often at the most.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::bell::{Bell, Ring};

/// How long after an event the first few processes announce it: see R5.
const AT_ONCE: &[Duration] = &[
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
];
/// How many processes are the first few.
const FIRST_PLACES: u64 = 4;
/// How long after an event the other processes announce it. By the first time, the dying process
/// has released its locks, if it had a processor to itself.
const LATER: &[Duration] = &[
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
];
/// How often the sleepers are woken that did not leave the list: see R4.
pub(super) const RING_AGAIN: Duration = Duration::from_millis(10);
/// How many times that is done without a pause.
const BURST: u32 = 64;
/// From then on it is done once in this time.
const PAUSE: Duration = Duration::from_millis(5);

/// The bells that are rung at given times.
#[derive(Default)]
pub(super) struct Due(Vec<Rings>);

struct Rings {
    bell: Arc<Bell>,
    /// When the last event came.
    event: Instant,
    /// How long after the event the announcements follow that are left.
    left: &'static [Duration],
    next: Instant,
}

impl Due {
    /// An event happened to what is watched for this bell.
    pub(super) fn add(&mut self, bell: &Arc<Bell>) {
        let (bell, event) = (bell.clone(), Instant::now());
        let left = if bell.place() < FIRST_PLACES { AT_ONCE } else { LATER };
        self.0.retain(|rings| !Arc::ptr_eq(&rings.bell, &bell));
        self.0.push(Rings { bell, event, left, next: event + left[0] });
    }

    /// Returns the time until the next bell is rung.
    pub(super) fn timeout(&self) -> Duration {
        let next = self.0.iter().map(|rings| rings.next).min();
        next.map_or(Duration::MAX, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Rings the bells whose time has come.
    pub(super) fn ring(&mut self) {
        let now = Instant::now();
        self.0.retain_mut(|rings| rings.next > now || rings.ring());
    }
}

impl Rings {
    /// R2 to R5. Returns whether the bell is rung again.
    fn ring(&mut self) -> bool {
        let bell = &self.bell;
        // Those that slept through the last ring.
        let mut again = bell.ring(Ring::All);
        if self.repeat().is_some_and(|at| at <= Instant::now()) {
            bell.announce();
            again = bell.ring(Ring::One);
            self.left = &self.left[1..];
        }
        let again = again.then(|| Instant::now() + RING_AGAIN);
        match self.repeat().into_iter().chain(again).min() {
            Some(next) => self.next = next,
            None => return false,
        }
        true
    }

    /// Returns when the event is announced again.
    fn repeat(&self) -> Option<Instant> {
        self.left.first().map(|after| self.event + *after)
    }
}

/// How many times something may be done now that other processes cause.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    since: Instant,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: BURST, since: Instant::now() }
    }

    /// Takes one, and waits for it if there is none.
    pub(super) fn spend(&mut self) {
        if !self.try_spend() {
            thread::sleep(PAUSE);
        }
    }

    /// Takes one if there is one. Returns whether there was.
    pub(super) fn try_spend(&mut self) -> bool {
        let earned = self.since.elapsed().as_millis() / PAUSE.as_millis();
        if earned > 0 {
            self.left = BURST.min(self.left + earned.min(BURST.into()) as u32);
            self.since = Instant::now();
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processes_announce_an_event_at_once_and_the_others_later() {
        for (place, schedule) in [(0, AT_ONCE), (3, AT_ONCE), (4, LATER), (1_023, LATER)] {
            let (bell, mut due) = (Arc::new(Bell::default()), Due::default());
            bell.set_place(place);
            due.add(&bell);
            let begun = due.0[0].event;
            for after in schedule {
                assert_eq!(due.0[0].next, begun + *after, "place {place}");
                let news = bell.news();
                thread::sleep(due.timeout());
                due.ring();
                assert_eq!(bell.news(), news + 1, "place {place}");
            }
            assert!(due.0.is_empty(), "nobody sleeps");
        }
    }
}
