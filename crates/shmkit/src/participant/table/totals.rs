//! What is known of all participants together.

use super::{ACTIVE, FREE, IDENTITY, Identity, ParticipantId, Participants, Role, WORDS};
use crate::memory::atomic::Ordering;

impl Participants<'_> {
    /// Returns how many deaths in the role were counted, modulo 2^16.
    pub(crate) fn counted_deaths(self, role: Role) -> u16 {
        let entries = self.words.chunks_exact(WORDS);
        entries.map(|entry| Self::counted(entry).of(role as u32)).fold(0, u16::wrapping_add)
    }

    /// Returns the same plus the dead participants that still have their slots, and calls
    /// `found_dead` for each of these.
    pub(crate) fn deaths(self, role: Role, mut found_dead: impl FnMut(ParticipantId)) -> u16 {
        let mut deaths = 0_u16;
        for (slot, entry) in (0..).zip(self.words.chunks_exact(WORDS)) {
            let identity = self.identity(slot);
            // A participant that has just left, or was just reaped, no longer has its slot at the
            // second look.
            let is_dead =
                identity.is(ACTIVE) && !self.is_locked(slot) && self.identity(slot) == identity;
            // Before the count: a successor stores its role only after this death was counted.
            let number = Self::role_number(entry);
            let counted = Self::counted(entry);
            deaths = deaths.wrapping_add(counted.of(role as u32));
            let generation = identity.generation();
            if is_dead && number == role as u32 {
                deaths = deaths.wrapping_add(counted.lacks(generation).into());
                found_dead(ParticipantId::new(slot, generation));
            }
        }
        deaths
    }

    /// Returns the number of deaths in all roles, those that are not counted yet included.
    pub(crate) fn all_deaths(self) -> u64 {
        let counted: u64 =
            self.words.chunks_exact(WORDS).map(|entry| Self::counted(entry).all()).sum();
        let uncounted = (0..).zip(self.words.chunks_exact(WORDS)).filter(|(slot, entry)| {
            let identity = self.identity(*slot);
            identity.is(ACTIVE)
                && Self::counted(entry).lacks(identity.generation())
                && !self.is_locked(*slot)
                && self.identity(*slot) == identity
        });
        counted + uncounted.count() as u64
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
