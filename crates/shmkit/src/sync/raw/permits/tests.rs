use super::*;

struct Words {
    given: AtomicU64,
    taken: AtomicU64,
    slots: [AtomicU64; STRIDE],
    handed_ns: AtomicU64,
    asked_ns: AtomicU64,
}

impl Words {
    fn new() -> Self {
        let new = |_| AtomicU64::new(0);
        let slots = [0; STRIDE].map(new);
        let [given, taken, handed_ns, asked_ns] = [0; 4].map(new);
        Self { given, taken, slots, handed_ns, asked_ns }
    }

    fn permits(&self) -> Permits<'_> {
        let [handed, asked] = [&self.handed_ns, &self.asked_ns].map(SharedMoment::in_word);
        let times = Some(Times { handed, asked });
        Permits { given: &self.given, taken: &self.taken, slots: &self.slots, times }
    }
}

#[test]
fn a_starving_waiter_requests_a_handoff_only_some_time_after_the_last_one() {
    let words = Words::new();
    let starving = Standing { slept: true, starves: true, ..Standing::default() };
    let requests = |standing: &Standing| words.permits().may_request(standing);
    assert!(!requests(&Standing { starves: false, ..starving }));
    assert!(requests(&starving));
    let handed = SharedMoment::in_word(&words.handed_ns);
    handed.record();
    // Unless this thread was interrupted for the time of a run.
    assert!(!requests(&starving) || !handed.is_within(RUN));
    assert_eq!(words.asked_ns.load(Ordering::Relaxed), 0);
    handed.record();
    assert!(requests(&Standing { starves_for_long: true, ..starving }));
    assert!(words.asked_ns.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_request_of_a_waiter_that_starved_for_long_ends_with_its_permit_or_after_some_time() {
    let words = Words::new();
    let (permits, asked) = (words.permits(), SharedMoment::in_word(&words.asked_ns));
    let request = || words.given.fetch_or(STARVING, Ordering::Relaxed);
    for (is_asked, requested, ends) in
        [(false, false, true), (false, true, true), (true, false, false), (true, true, true)]
    {
        request();
        asked.forget();
        if is_asked {
            asked.record();
        }
        let ended = permits.conclude_handoff(true, requested);
        // Unless this thread was interrupted.
        let is_over = is_asked && !requested && !asked.is_within(ASKED_FOR);
        assert!(
            ended == ends && permits.is_reserved() != ends || is_over,
            "{is_asked} {requested}"
        );
        assert!(!requested || !asked.is_within(ASKED_FOR));
    }
    request();
    words.asked_ns.store(u64::MAX, Ordering::Relaxed);
    assert!(permits.conclude_handoff(true, false), "a time that no process wrote");
}

#[test]
fn a_handoff_ends_with_the_permit_of_a_waiter_and_is_recorded() {
    let words = Words::new();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let wait_loop = WaitLoop::for_lock();
            words.permits().take(Some(0), None, &wait_loop, Until::Ever, |_| false)
        });
        // It starves once it has slept for a slice.
        while !words.permits().is_reserved() {
            std::thread::yield_now();
        }
        assert_eq!(words.handed_ns.load(Ordering::Relaxed), 0);
        words.permits().post(1, MAX_PERMITS).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(()));
    });
    assert!(!words.permits().is_reserved() && words.handed_ns.load(Ordering::Relaxed) > 0);
    // The wake cleared the mark, and other threads may sleep.
    assert_ne!(words.given.load(Ordering::Relaxed) & ASLEEP, 0);
}
