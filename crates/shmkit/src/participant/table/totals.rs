//! What is known of all participants together.

use super::{FREE, IDENTITY, Identity, Participants, Role, WORDS};
use crate::memory::atomic::Ordering;

impl Participants<'_> {
    /// Returns how many deaths in the role were counted, modulo 2^16.
    pub(crate) fn counted_deaths(self, role: Role) -> u16 {
        let entries = self.words.chunks_exact(WORDS);
        entries.map(|entry| Self::counted(entry).of(role as u32)).fold(0, u16::wrapping_add)
    }

    /// Returns how often participants have joined and left, modulo 2^64.
    pub(crate) fn changes(self) -> u64 {
        let entries = self.words.chunks_exact(WORDS);
        // ORDERING: Acquire; pairs with the exchange in `enter`: the process id is that of the
        // participant, or of a later one.
        let identities = entries.map(|entry| Identity(entry[IDENTITY].load(Ordering::Acquire)));
        let changes = identities.map(|it| 2 * u64::from(it.generation()) + u64::from(it.is(FREE)));
        changes.fold(0, u64::wrapping_add)
    }

    /// Returns the process ids that the participants recorded.
    pub(crate) fn process_ids(self) -> Vec<u32> {
        (0..self.count()).filter_map(|slot| self.info(slot)).map(|(_, who)| who.pid).collect()
    }
}
