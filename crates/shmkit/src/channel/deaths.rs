//! Reporting the death of each participant in a role once.

use std::sync::Arc;

use crate::error::Peer;
use crate::memory::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::object::OpenObject;
use crate::participant::owner::after_report;
use crate::participant::{ParticipantId, Role};

/// Reports the death of each participant in a role once, to one handle.
#[derive(Debug)]
pub(in crate::channel) struct RoleDeaths {
    role: Role,
    news: Arc<RoleNews>,
    /// The dead participants that were named and still have their slots. They are few: a slot that
    /// another participant wants is freed.
    named: Vec<ParticipantId>,
}

/// What is reported to the handle: its sources look at it, too.
#[derive(Debug)]
pub(in crate::channel) struct RoleNews {
    /// How many deaths were reported, or happened before the watch began, modulo 2^16.
    reported: AtomicU64,
    pub(in crate::channel) flags: NewsFlags,
}

impl RoleDeaths {
    /// Watches from now on. A participant that is already dead, but whose death is not yet counted,
    /// is reported.
    pub(in crate::channel) fn from_now(object: &OpenObject, role: Role) -> Self {
        let reported = AtomicU64::new(object.participants().counted_deaths(role).into());
        let news = Arc::new(RoleNews { reported, flags: NewsFlags::default() });
        Self { role, news, named: Vec::new() }
    }

    /// Reports the next death, if there is one: with a participant that was not named yet, if one
    /// still has its slot. A system call for each participant.
    pub(in crate::channel) fn next(&mut self, object: &OpenObject) -> Option<Option<Peer>> {
        self.news.flags.are_looked_for();
        let mut dead = Vec::new();
        let deaths = object.participants().deaths(self.role, |id| dead.push(id));
        let reported = self.news.reported();
        if !is_another(reported, deaths) {
            return None;
        }
        let reported = after_report(reported, deaths);
        // ORDERING: Relaxed; a source that finds the old count reports one death twice to a program
        // that then finds none.
        self.news.reported.store(reported.into(), Ordering::Relaxed);
        self.named.retain(|id| dead.contains(id));
        let next = dead.into_iter().find(|id| !self.named.contains(id));
        self.named.extend(next);
        Some(next.map(|id| object.peer(id)))
    }

    /// Says whether the handle keeps a death, which it returns behind what came before.
    pub(in crate::channel) fn keeps_news(&self, keeps: bool) {
        self.news.flags.set_kept(keeps);
    }

    /// What a source looks at.
    pub(in crate::channel) fn watched(&self) -> WatchedDeaths {
        WatchedDeaths { role: self.role, news: self.news.clone() }
    }
}

impl RoleNews {
    fn reported(&self) -> u16 {
        // ORDERING: Relaxed; as above.
        self.reported.load(Ordering::Relaxed) as u16
    }
}

/// Whether there is a death that was not reported. A count that was loaded too early is one
/// smaller: then no death is reported twice.
fn is_another(reported: u16, deaths: u16) -> bool {
    deaths != reported && deaths != reported.wrapping_sub(1)
}

/// The deaths that a handle has not reported yet.
#[derive(Debug)]
pub(in crate::channel) struct WatchedDeaths {
    role: Role,
    news: Arc<RoleNews>,
}

impl WatchedDeaths {
    /// Whether the handle would report one, as far as the last check knows.
    pub(in crate::channel) fn are_found(&self) -> bool {
        self.news.flags.are_set()
    }

    /// The slow check: returns whether the handle would report one.
    pub(in crate::channel) fn check(&self, object: &OpenObject) -> bool {
        let deaths = object.participants().deaths(self.role, |_| {});
        if is_another(self.news.reported(), deaths) {
            self.news.flags.are_found();
        }
        self.news.flags.are_set()
    }
}

/// Whether a handle has something to report beside what its words say.
#[derive(Debug, Default)]
pub(in crate::channel) struct NewsFlags {
    /// It found something, and returns it at its next call.
    is_kept: AtomicBool,
    /// A source found something that the handle has not looked for since.
    is_found: AtomicBool,
}

impl NewsFlags {
    pub(in crate::channel) fn are_set(&self) -> bool {
        // ORDERING: Relaxed; the handle's own look decides.
        self.is_kept.load(Ordering::Relaxed) || self.is_found.load(Ordering::Relaxed)
    }

    pub(in crate::channel) fn set_kept(&self, is_kept: bool) {
        // ORDERING: Relaxed; as above.
        self.is_kept.store(is_kept, Ordering::Relaxed);
    }

    pub(in crate::channel) fn are_found(&self) {
        // ORDERING: Relaxed; as above.
        self.is_found.store(true, Ordering::Relaxed);
    }

    pub(in crate::channel) fn are_looked_for(&self) {
        // ORDERING: Relaxed; as above.
        self.is_found.store(false, Ordering::Relaxed);
    }
}
