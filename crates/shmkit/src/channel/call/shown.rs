//! What the sources of a request see of it, which its client, or its server, has in its hands.

use std::sync::{Arc, OnceLock, Weak};

use super::protocol::{Asked, Begun};
use crate::memory::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::object::{OpenObject, Watched};
use crate::participant::ParticipantId;

/// What is shown to sources, from the first one on. So a request without one allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Showing(OnceLock<Arc<Shown>>);

/// What sources see, as long as the request is in these hands.
#[derive(Debug)]
pub(super) struct Shown {
    slot: usize,
    number: u64,
    /// How many responses the client has copied, or the server written.
    count: AtomicU64,
    is_over: AtomicBool,
    /// A source found what only the slow check sees: that the other side died, or that the object
    /// was removed. From then on each attempt checks.
    is_found: AtomicBool,
}

impl Showing {
    /// What is shown of this request.
    pub(super) fn of(&self, slot: usize, number: u64) -> Arc<Shown> {
        let new = || {
            let [is_over, is_found] = [false; 2].map(AtomicBool::new);
            Arc::new(Shown { slot, number, count: AtomicU64::new(0), is_over, is_found })
        };
        self.0.get_or_init(new).clone()
    }

    /// Shows how far the request is, if it has sources.
    #[inline(always)]
    pub(super) fn show(&self, count: u64, is_over: bool) {
        if let Some(shown) = self.0.get() {
            shown.show(count, is_over);
        }
    }

    /// Whether a source found what an attempt finds by a check.
    pub(super) fn was_found(&self) -> bool {
        self.0.get().is_some_and(|shown| shown.was_found())
    }
}

impl Shown {
    /// Shows how far the request is.
    pub(super) fn show(&self, count: u64, is_over: bool) {
        // ORDERING: Relaxed; the look of the client, or of the server, decides.
        self.count.store(count, Ordering::Relaxed);
        // ORDERING: Relaxed; as above.
        self.is_over.store(is_over, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        // ORDERING: Relaxed; as above.
        self.count.load(Ordering::Relaxed)
    }

    /// The request, as its client knows it.
    pub(super) fn asked(&self) -> Asked {
        // ORDERING: Relaxed; as above.
        let is_over = self.is_over.load(Ordering::Relaxed);
        Asked { slot: self.slot, number: self.number, taken: self.count(), is_over }
    }

    /// The request, as its server knows it.
    pub(super) fn begun(&self) -> Begun {
        Begun { slot: self.slot, number: self.number, sent: self.count() }
    }

    /// A source found what each attempt then finds by a check.
    pub(super) fn is_found(&self) {
        // ORDERING: Relaxed; as above.
        self.is_found.store(true, Ordering::Relaxed);
    }

    /// Whether a source did.
    pub(super) fn was_found(&self) -> bool {
        // ORDERING: Relaxed; as above.
        self.is_found.load(Ordering::Relaxed)
    }

    /// What a source knows of the participant `me` that has the request in its hands.
    pub(super) fn watched(
        self: &Arc<Self>,
        object: &Arc<OpenObject>,
        me: ParticipantId,
    ) -> Watched {
        let life: Weak<Self> = Arc::downgrade(self);
        Watched::new(object, Some(me), life)
    }
}
