//! Waiting for a permit together with other things.

use super::{Permits, STARVING};
use crate::wait::{CLOSED, Patience, Readiness, SleepTicket};

impl<'a> Permits<'a> {
    /// Returns whether available permits are reserved for threads that slept.
    #[inline]
    pub(crate) fn is_reserved(self) -> bool {
        Self::load(self.given).0 & (STARVING | CLOSED) == STARVING
    }

    /// Returns whether a permit is available that is not left to others, and otherwise what to
    /// sleep on. Takes nothing.
    pub(crate) fn readiness(self, patience: &Patience) -> Readiness<'a> {
        let given = Self::load(self.given).0;
        let sleep = SleepTicket::new(self.wait_word(), given);
        if given & CLOSED != 0 || !self.is_sound() {
            return Readiness::Ready;
        }
        if self.available() == 0 {
            return Readiness::Pending(sleep);
        }
        match given & STARVING {
            0 => patience.forget(),
            _ if patience.is_over() => {}
            _ => return Readiness::Pending(sleep.for_at_most(Patience::LIMIT)),
        }
        Readiness::Ready
    }

    /// Has another waiter woken, which may need the wake that this one received, and the mark that
    /// went with it.
    pub(crate) fn pass_wake_on(self) {
        self.wait_word().mark_asleep_if(|_| true);
        if self.available() > 0 {
            self.wait_word().pass_wake_on();
        }
    }
}
