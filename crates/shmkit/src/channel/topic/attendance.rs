//! Who is attached to a topic, and news of those that come and go.

use std::sync::Arc;

use super::Topic;
use super::handle::Handle;
use crate::channel::deaths::RoleDeaths;
use crate::channel::message::Message;
use crate::error::{Peer, Result};
use crate::participant::{ParticipantId, Role};

const ROLES: [Role; 2] = [Role::Publisher, Role::Subscriber];

/// A living publisher or subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// Whether it publishes or subscribes.
    pub role: Role,
    /// Its slot and its process.
    pub peer: Peer,
}

/// What happened to the participants of a topic: see [`Attendance::news`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttendanceNews {
    /// A publisher or a subscriber joined.
    Joined(Attached),
    /// It is no longer there: it left, or it died.
    Gone(Attached),
    /// One in this role died: which one, if no other participant has its slot by now.
    Died(Role, Option<Peer>),
}

impl<M: Message + ?Sized> Topic<M> {
    /// Returns the living publishers and subscribers. A system call for each.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Forked` in a forked child.
    pub fn attached(&self) -> Result<Vec<Attached>> {
        check_use(&self.handle)?;
        Ok(living(&self.handle).into_iter().map(|(_, attached)| attached).collect())
    }

    /// Returns a watch over those that join, leave and die. Its first news are those that are
    /// attached.
    pub fn attendance(&self) -> Attendance {
        let handle = self.handle.clone();
        let deaths = ROLES.map(|role| RoleDeaths::from_now(&handle.object, role));
        Attendance { handle, known: Vec::new(), deaths }
    }
}

/// A watch over the participants of a [`Topic`]: see [`Topic::attendance`].
#[derive(Debug)]
pub struct Attendance {
    handle: Arc<Handle>,
    known: Vec<(ParticipantId, Attached)>,
    deaths: [RoleDeaths; 2],
}

impl Attendance {
    /// Returns what happened since the last call: first who is gone, then who died, then who
    /// joined. A system call for each participant.
    ///
    /// A participant that joined and left between two calls is in none of the news. Each death is
    /// reported once, also of such a participant; only if more than 64 in a role died between two
    /// calls, they are reported as one.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Forked` in a forked child.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::{AttendanceNews, Role, Topic};
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// let topic = Topic::<u64>::options().directory(directory.path()).create("ticks")?;
    /// let mut attendance = topic.attendance();
    /// let subscriber = topic.subscriber()?;
    /// let news = attendance.news()?;
    /// assert!(matches!(&news[..], [AttendanceNews::Joined(it)] if it.role == Role::Subscriber));
    /// drop(subscriber);
    /// assert!(matches!(attendance.news()?[..], [AttendanceNews::Gone(_)]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn news(&mut self) -> Result<Vec<AttendanceNews>> {
        check_use(&self.handle)?;
        let living = living(&self.handle);
        let is_in = |all: &[(ParticipantId, Attached)], id| all.iter().any(|it| it.0 == id);
        let gone = self.known.iter().filter(|it| !is_in(&living, it.0));
        let mut news: Vec<_> = gone.map(|it| AttendanceNews::Gone(it.1.clone())).collect();
        for (role, deaths) in ROLES.into_iter().zip(&mut self.deaths) {
            while let Some(peer) = deaths.next(&self.handle.object) {
                news.push(AttendanceNews::Died(role, peer));
            }
        }
        let joined = living.iter().filter(|it| !is_in(&self.known, it.0));
        news.extend(joined.map(|it| AttendanceNews::Joined(it.1.clone())));
        self.known = living;
        Ok(news)
    }
}

fn check_use(handle: &Handle) -> Result<()> {
    handle.object.check_not_forked()?;
    handle.object.check_not_removed()
}

/// The living publishers and subscribers.
fn living(handle: &Handle) -> Vec<(ParticipantId, Attached)> {
    let participants = handle.object.participants();
    let taken = (0..participants.count()).filter_map(|slot| participants.info(slot));
    let living = taken.filter(|(id, who)| ROLES.contains(&who.role) && !participants.is_dead(*id));
    living
        .map(|(id, who)| (id, Attached { role: who.role, peer: handle.object.peer(id) }))
        .collect()
}
