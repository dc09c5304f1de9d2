//! Which request a server begins: the oldest that it finds.
//!
//! If several wait, the server sorts them once, and remembers them: requests that come later have
//! later numbers. So each request is looked at about once, however many wait. What it remembers is
//! only where to look: a request that another server has begun, or that was given up, is not READY
//! with its number any more.

use std::sync::{Mutex, PoisonError};

use super::protocol::{Begun, CallWords, Failure};
use super::state::NUMBERS;
use crate::memory::atomic::{AtomicBool, Ordering};
use crate::participant::ParticipantId;

/// What a server remembers of the requests that wait.
#[derive(Debug)]
pub(super) struct Order {
    /// Numbers and slots of requests, the oldest last.
    known: Mutex<Vec<(u64, usize)>>,
    /// Whether it remembers any.
    has_known: AtomicBool,
}

impl Order {
    /// Room for so many requests, so that remembering them allocates nothing.
    pub(super) fn for_slots(slots: usize) -> Self {
        let has_known = AtomicBool::new(false);
        Self { known: Mutex::new(Vec::with_capacity(slots)), has_known }
    }

    /// Begins the oldest request, if one waits.
    #[inline(always)]
    pub(super) fn begin(
        &self,
        call: CallWords<'_>,
        me: ParticipantId,
    ) -> Result<Option<Begun>, Failure> {
        // Each time that none is begun although one was there, another process went on.
        for _ in 0..=call.slots.count() {
            // ORDERING: Relaxed; a hint: if it is old, the requests are found again.
            if self.has_known.load(Ordering::Relaxed)
                && let Some(begun) = self.begin_known(call, me)
            {
                return Ok(Some(begun));
            }
            let (mut first, mut count) = (None, 0_u32);
            call.each_waiting(|number, index| {
                first = first.or(Some((number, index)));
                count += 1;
            });
            let Some((number, index)) = first else { return Ok(None) };
            match count {
                1 => {
                    if let Some(begun) = call.begin(me, number, index) {
                        return Ok(Some(begun));
                    }
                }
                _ => self.sort(call),
            }
        }
        Err(Failure::Busy)
    }

    #[cold]
    fn begin_known(&self, call: CallWords<'_>, me: ParticipantId) -> Option<Begun> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = loop {
            match known.pop() {
                None => break None,
                Some((number, index)) => {
                    if let Some(begun) = call.begin(me, number, index) {
                        break Some(begun);
                    }
                }
            }
        };
        // ORDERING: Relaxed; as above.
        self.has_known.store(!known.is_empty(), Ordering::Relaxed);
        begun
    }

    #[cold]
    fn sort(&self, call: CallWords<'_>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        call.each_waiting(|number, index| known.push((number, index)));
        // ORDERING: Relaxed; behind the looks at the slots, so it is later than their numbers.
        let next = call.next.load(Ordering::Relaxed);
        known.sort_unstable_by_key(|(number, _)| next.wrapping_sub(*number) % NUMBERS);
        // ORDERING: Relaxed; as in `begin`.
        self.has_known.store(!known.is_empty(), Ordering::Relaxed);
    }
}
