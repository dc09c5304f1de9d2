//! Sending the bytes of a message, whatever their type is.

use super::party::Party;
use super::protocol::{Outgoing, Refused};
use crate::error::{Error, ErrorKind, Result};
use crate::wait::Until;

impl Party {
    /// Sends the bytes of a message, not more than a slot has room for. `length`: how many elements
    /// it has, if it is a list.
    #[inline(always)]
    pub(super) fn send(
        &self,
        value: &[u8],
        length: usize,
        priority: u32,
        until: impl FnOnce() -> Until,
    ) -> Result<()> {
        self.membership.check_live()?;
        if priority != 0 && !self.handle.geometry.has_priorities {
            return Err(self.without_priorities(priority));
        }
        let message = Outgoing { value, length: length as u64, priority };
        match self.handle.queue().send_at_once(self.caller(), message) {
            Ok(true) => Ok(()),
            Ok(false) => self.wait_to_send(message, until()),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_to_send(&self, message: Outgoing<'_>, until: Until) -> Result<()> {
        let _recorded = self.record_wait(until);
        let sent = self.handle.queue().send(self.caller(), message, until);
        sent.map_err(|refused| match refused {
            Refused::TimedOut => {
                let kind = if until == Until::Now { ErrorKind::Full } else { ErrorKind::TimedOut };
                self.failed(kind, self.handle.full())
            }
            refused => self.refused(refused),
        })
    }

    #[cold]
    fn without_priorities(&self, priority: u32) -> Error {
        let why = format!(
            "the message has priority {priority}, but the queue was created without priorities: \
             create it with `priorities(true)`"
        );
        self.failed(ErrorKind::Unsupported, why)
    }
}
