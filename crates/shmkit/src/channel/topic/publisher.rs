//! Publishing messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::geometry::{HasShape, Shape, TypeShape};
use super::handle::Handle;
use super::ring::{Claim, ClaimError, Publishing, Refused, WhenFull};
use crate::channel::deaths::RoleDeaths;
use crate::channel::message::{Message, check_len};
use crate::error::{Error, ErrorKind, Result};
use crate::object::Membership;
use crate::participant::Role;
use crate::shareable::Shareable;
use crate::sys::mapping::PartMapping;
use crate::wait::{Until, WaitLoop};

/// How many slots a publisher asks about once in a second, to find dead subscribers.
const ASKED_EACH_SECOND: u32 = 16;

/// What to do with a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// What the topic says.
    AsTopic,
    /// Wait for room as long as this says.
    Until(Until),
}

/// A publisher of values of any type.
#[derive(Debug)]
pub(super) struct UntypedPublisher {
    pub(super) handle: Arc<Handle>,
    // Dropped after its record ends, see `drop`.
    membership: Membership,
    publishing: Publishing,
    wait_loop: WaitLoop,
    dropped: u64,
    deaths: RoleDeaths,
    /// The slot that is asked about next.
    next_asked: u32,
    /// A buffer that this publisher took, and that nobody borrows.
    spare: Option<u32>,
    /// The buffer at which it begins to search for a free one.
    next_buffer: u32,
    /// The payload once more, once a message was loaned.
    in_place: Option<PartMapping>,
}

impl UntypedPublisher {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let until = handle.object.slot_until();
        let membership = Membership::join(&handle.object, Role::Publisher, until)
            .map_err(|error| error.doing("publish to").on(handle.object.label()))?;
        let publishing = Publishing::join(handle.ring(handle.shape), membership.me());
        let deaths = RoleDeaths::from_now(&handle.object, Role::Subscriber);
        let wait_loop = handle.object.answer_loop(handle.shape.value_bytes);
        Ok(Self {
            handle: handle.clone(),
            membership,
            publishing,
            wait_loop,
            dropped: 0,
            deaths,
            next_asked: 0,
            spare: None,
            next_buffer: 0,
            in_place: None,
        })
    }

    /// Publishes the bytes of a value. Returns how many subscribers it reaches.
    #[inline(always)]
    pub(super) fn publish(
        &mut self,
        shape: impl HasShape,
        value: &[u8],
        patience: Patience,
    ) -> Result<u32> {
        self.check_use()?;
        if shape.shape().is_buffered() {
            return self.publish_copy(shape, value, patience);
        }
        let Some(claim) = self.claim(shape, patience)? else { return Ok(0) };
        let ring = self.handle.ring(shape);
        let audience = claim.audience;
        match ring.publish_claimed(claim, value) {
            Ok(()) => Ok(audience),
            Err(error) => Err(self.error(error, patience)),
        }
    }

    /// Claims the next sequence. `None`: the message is dropped.
    #[inline(always)]
    fn claim(&mut self, shape: impl HasShape, patience: Patience) -> Result<Option<Claim>> {
        let ring = self.handle.ring(shape);
        match ring.claim(&mut self.publishing) {
            Ok(claim) => Ok(Some(claim)),
            Err(Refused::Failed(error)) => Err(self.error(error, patience)),
            Err(Refused::Wait(_)) => self.wait_for_room(patience),
        }
    }

    /// The same for a message that is copied to a buffer.
    #[inline(never)]
    fn publish_copy(
        &mut self,
        shape: impl HasShape,
        value: &[u8],
        patience: Patience,
    ) -> Result<u32> {
        let buffer = self.obtain_buffer()?;
        self.handle.ring(shape).fill(buffer, value);
        self.send_buffer(shape, buffer, value.len(), patience)
    }

    /// Publishes what this publisher has filled in a buffer that it took.
    pub(super) fn send_buffer(
        &mut self,
        shape: impl HasShape,
        buffer: u32,
        bytes: usize,
        patience: Patience,
    ) -> Result<u32> {
        let claim = match self.check_use().and_then(|()| self.claim(shape, patience)) {
            Ok(Some(claim)) => claim,
            not_claimed => {
                self.keep_buffer(buffer);
                return not_claimed.map(|_| 0);
            }
        };
        let audience = claim.audience;
        let ring = self.handle.ring(shape);
        match ring.publish_buffer(claim, self.membership.me(), buffer, bytes) {
            Ok(displaced) => {
                displaced.into_iter().for_each(|buffer| self.keep_buffer(buffer));
                Ok(audience)
            }
            Err(error) => Err(self.error(error, patience)),
        }
    }

    /// Takes a buffer that nobody else uses: the spare one, which is still in the caches, or a free
    /// one.
    pub(super) fn obtain_buffer(&mut self) -> Result<u32> {
        if let Some(spare) = self.spare.take() {
            return Ok(spare);
        }
        let (ring, me) = (self.handle.ring(self.handle.shape), self.membership.me());
        let taken = ring.take_buffer(me, self.next_buffer).or_else(|| {
            ring.reclaim(&self.membership);
            ring.take_buffer(me, self.next_buffer)
        });
        let Some(buffer) = taken else { return Err(self.no_buffer()) };
        self.next_buffer = buffer + 1;
        Ok(buffer)
    }

    /// Keeps a buffer for the next message, or frees it.
    pub(super) fn keep_buffer(&mut self, buffer: u32) {
        if self.spare.is_none() {
            self.spare = Some(buffer);
        } else if self.membership.is_mine() {
            self.handle.ring(self.handle.shape).release_buffer(self.membership.me(), buffer);
        }
    }

    #[cold]
    fn no_buffer(&self) -> Error {
        let ring = self.handle.ring(self.handle.shape);
        let (counts, all) = (ring.buffer_counts(), ring.buffer_count());
        let why = format!(
            "all {all} buffers are in use: {} have messages, {} are lent to publishers, and \
             subscribers hold {} samples: return some, or create the topic with more \
             `spare_buffers`",
            counts.published, counts.lent, counts.samples,
        );
        self.membership.error(ErrorKind::Full, "publish to", why)
    }

    /// The payload once more: where a message is filled in place.
    pub(super) fn map_payload(&mut self) -> Result<*mut u8> {
        if let Some(payload) = &self.in_place {
            return Ok(payload.as_ptr());
        }
        let object = &self.handle.object;
        let mapped = object.map_payload().map_err(|error| error.doing("map").on(object.label()))?;
        Ok(self.in_place.insert(mapped).as_ptr())
    }

    /// Refuses a publisher that cannot act. About once in a second, it does what takes longer.
    #[inline(always)]
    pub(super) fn check_use(&mut self) -> Result<()> {
        if self.membership.is_due() {
            return self.each_second();
        }
        if self.membership.has_slot() { Ok(()) } else { self.membership.check_live() }
    }

    /// Asks whether the object was removed, and about a few subscribers whether they live.
    #[cold]
    fn each_second(&mut self) -> Result<()> {
        self.membership.check_live()?;
        let slots = self.membership.max_participants();
        for _ in 0..ASKED_EACH_SECOND.min(slots) {
            let slot = self.next_asked % slots;
            self.handle.ring(self.handle.shape).reap_subscriber(slot, &self.membership);
            self.next_asked = slot + 1;
        }
        self.publishing.forget_audience();
        Ok(())
    }

    /// Claims the next sequence once there is room. `None`: the message is dropped.
    #[cold]
    #[inline(never)]
    fn wait_for_room(&mut self, patience: Patience) -> Result<Option<Claim>> {
        let drops = self.handle.when_full == WhenFull::DropNew;
        let until = match patience {
            Patience::Until(until) => until,
            Patience::AsTopic if drops => Until::Now,
            Patience::AsTopic => Until::Ever,
        };
        let _recorded = self.membership.record_wait(0, until);
        let ring = self.handle.ring(self.handle.shape);
        let (publishing, membership) = (&mut self.publishing, &self.membership);
        match ring.claim_within(publishing, &self.wait_loop, until, membership) {
            Ok(claim) => Ok(Some(claim)),
            Err(ClaimError::Full(_)) if drops && patience == Patience::AsTopic => {
                ring.count_dropped();
                self.dropped += 1;
                Ok(None)
            }
            Err(error) => Err(self.error(error, patience)),
        }
    }

    #[cold]
    fn error(&self, error: ClaimError, patience: Patience) -> Error {
        let (membership, object) = (&self.membership, &self.handle.object);
        let failed = |kind, why| membership.error(kind, "publish to", why);
        let depth = self.handle.depth();
        match error {
            ClaimError::Closed => object.closed(),
            ClaimError::Stopped(stop) => membership.stopped(stop, "publish to"),
            ClaimError::Busy => failed(
                ErrorKind::Busy,
                "other publishers claimed the next message in each attempt".into(),
            ),
            ClaimError::RoleLost => failed(
                ErrorKind::RoleLost,
                "another process took this publisher for dead: the process closes descriptors"
                    .into(),
            ),
            ClaimError::Corrupt => {
                failed(ErrorKind::Corrupt, "its words hold garbage: remove it".into())
            }
            ClaimError::Full(slot) => {
                let kind = match patience {
                    Patience::Until(Until::Now) => ErrorKind::Full,
                    _ => ErrorKind::TimedOut,
                };
                let ring = self.handle.ring(self.handle.shape);
                match slot.and_then(|slot| ring.subscriber(slot)) {
                    Some(id) => {
                        let why = format!("has not received the oldest of {depth} messages");
                        failed(kind, why).by_peer(object.peer(id))
                    }
                    None => failed(kind, format!("the oldest of {depth} messages stays")),
                }
            }
        }
    }

    /// An error of publishing, with what was being done.
    #[cold]
    pub(super) fn named(&self, error: Error) -> Error {
        error.doing("publish to").on(self.handle.object.label())
    }

    pub(super) fn shape(&self) -> Shape {
        self.handle.shape
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn subscribers(&mut self) -> Result<u32> {
        self.membership.check_live()?;
        let ring = self.handle.ring(self.handle.shape);
        for slot in 0..self.membership.max_participants() {
            ring.reap_subscriber(slot, &self.membership);
        }
        Ok(self.publishing.audience(ring))
    }

    pub(super) fn check_subscribers(&mut self) -> Result<()> {
        self.membership.check_live()?;
        let Some(dead) = self.deaths.next(&self.handle.object) else { return Ok(()) };
        let died = |why| self.membership.error(ErrorKind::PeerDied, "publish to", why);
        Err(match dead {
            Some(peer) => died("was a subscriber and died").by_peer(peer),
            None => died("a subscriber, whose slot was freed meanwhile, died"),
        })
    }
}

impl Drop for UntypedPublisher {
    fn drop(&mut self) {
        if self.membership.is_mine() {
            let (ring, me) = (self.handle.ring(self.handle.shape), self.membership.me());
            // CRASH: dying before this leaves a dead participant's buffer: see `reclaim`.
            self.spare.take().into_iter().for_each(|spare| ring.release_buffer(me, spare));
            ring.leave_publisher(me);
        }
    }
}

/// Publishes messages to all subscribers of a [`Topic`](super::Topic).
///
/// It has a slot among the participants until it is dropped.
///
/// # If a process dies
///
/// A publisher that dies in the middle of a message leaves none: subscribers continue behind it,
/// and get `PeerDied`. What it published before is received. A subscriber that dies holds
/// publishers up until the kernel has released its liveness lock, and then no longer than to the
/// next death notice, or 50 ms.
#[derive(Debug)]
pub struct Publisher<M: Message + ?Sized> {
    pub(super) publisher: UntypedPublisher,
    /// Where a padded message is encoded, so that its padding is zeros in shared memory.
    pub(super) encoded: Vec<u8>,
    pub(super) shape: TypeShape<M>,
}

impl<M: Message + ?Sized> Publisher<M> {
    pub(super) fn join(handle: &Arc<Handle>, shape: TypeShape<M>) -> Result<Self> {
        let is_encoded = M::Element::PADDED && !shape.shape().is_list();
        let encoded = vec![0; if is_encoded { size_of::<M::Element>() } else { 0 }];
        Ok(Self { publisher: UntypedPublisher::join(handle)?, encoded, shape })
    }

    /// Publishes a message, and returns how many subscribers there were: it reaches all of them.
    ///
    /// It copies the message once, into shared memory; one of a type with padding twice. If there
    /// is no room, because a subscriber has not received the oldest message, it does what the topic
    /// says, see [`WhenFull`]: it waits, it drops the message (then it returns 0, and
    /// [`dropped`](Self::dropped) counts it), or it overwrites the oldest message.
    ///
    /// A subscriber that died is counted until a process finds that out: when a publisher waits for
    /// it, or after some seconds.
    ///
    /// A thread that waits for a subscriber of its own waits for ever. A publisher that is stopped
    /// (SIGSTOP) in the middle of a message holds up the messages after it.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, the message is received whole, or not at all. If a
    /// subscriber dies for which it waits, it continues.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Forked` in a forked child; `RoleLost` if the process
    /// closed the descriptor of its liveness lock; `Busy` if other publishers were faster in each
    /// of 256 attempts; `Corrupt` if another process wrote garbage into the object;
    /// `InvalidArgument` for a list that is longer than [`Topic::max_len`](super::Topic::max_len).
    /// After an error no subscriber gets the message.
    #[inline]
    pub fn publish(&mut self, message: &M) -> Result<u32> {
        self.publish_with(message, Patience::AsTopic)
    }

    /// Publishes a message if there is room, without waiting, whatever the topic says.
    ///
    /// # Errors
    ///
    /// `Full` if there is no room, with the subscriber that is the furthest behind as
    /// [`peer`](Error::peer); and those of [`publish`](Self::publish).
    #[inline]
    pub fn try_publish(&mut self, message: &M) -> Result<u32> {
        self.publish_with(message, Patience::Until(Until::Now))
    }

    /// Publishes a message, and waits up to `timeout` for room, whatever the topic says.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the subscriber that is the furthest behind as [`peer`](Error::peer); and
    /// those of [`publish`](Self::publish).
    #[inline]
    pub fn publish_timeout(&mut self, message: &M, timeout: Duration) -> Result<u32> {
        self.publish_with(message, Patience::Until(Until::after(timeout)))
    }

    /// Publishes a message, and waits until `deadline` on the monotonic clock for room.
    ///
    /// # Errors
    ///
    /// Those of [`publish_timeout`](Self::publish_timeout).
    #[inline]
    pub fn publish_until(&mut self, message: &M, deadline: Instant) -> Result<u32> {
        self.publish_with(message, Patience::Until(Until::Deadline(deadline)))
    }

    /// Publishes messages one after the other, as [`publish`](Self::publish) does. Returns how many
    /// it has taken from `messages`: published, or dropped if the topic says so.
    ///
    /// Subscribers receive each message once it is complete, and not all of them at once.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish), if the first message fails. If a later one fails, it
    /// returns how many were taken before that; the error comes again with that message.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Topic;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let ticks = Topic::<u64>::options().directory(directory.path()).create("ticks")?;
    /// let mut subscriber = ticks.subscriber()?;
    /// ticks.publisher()?.publish_all(&[1, 2, 3])?;
    ///
    /// let mut received = Vec::new();
    /// subscriber.recv_many(&mut received, 100)?;
    /// assert_eq!(received, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_all<'m>(&mut self, messages: impl IntoIterator<Item = &'m M>) -> Result<usize>
    where
        M: 'm,
    {
        let mut taken = 0;
        for message in messages {
            match self.publish(message) {
                Ok(_) => taken += 1,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    #[inline(always)]
    pub(super) fn publish_with(&mut self, message: &M, patience: Patience) -> Result<u32> {
        let shape = self.shape.shape();
        if shape.is_list() {
            let checked = check_len(message.elements().len(), shape.max_len());
            checked.map_err(|error| self.publisher.named(error))?;
        }
        let bytes = message.bytes(&mut self.encoded);
        self.publisher.publish(self.shape, bytes, patience)
    }

    /// Returns how many messages this publisher dropped, because a subscriber did not keep up.
    pub fn dropped(&self) -> u64 {
        self.publisher.dropped()
    }

    /// Returns how many living subscribers there are. A system call for each.
    ///
    /// # Errors
    ///
    /// `Closed`, `Forked`, `RoleLost`.
    pub fn subscribers(&mut self) -> Result<u32> {
        self.publisher.subscribers()
    }

    /// Reports the death of a subscriber: once for each that died since this publisher joined. A
    /// system call for each participant.
    ///
    /// # Errors
    ///
    /// `PeerDied`, with the subscriber as [`peer`](Error::peer) if no process has freed its
    /// slot yet; `Closed`, `Forked`, `RoleLost`.
    pub fn check_subscribers(&mut self) -> Result<()> {
        self.publisher.check_subscribers()
    }

    /// Returns the same publisher, which spins for `duration` before it sleeps: see
    /// [`Options::spin_for`](crate::Options::spin_for).
    pub fn spin_for(mut self, duration: Duration) -> Self {
        self.publisher.wait_loop = WaitLoop::spinning_for(duration);
        self
    }
}
