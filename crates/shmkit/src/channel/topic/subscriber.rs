//! Receiving messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::borrower::Borrower;
use super::geometry::{HasShape, TypeShape};
use super::handle::Handle;
use super::ring::{Ended, Intake, ReceiveError, Subscription};
use crate::channel::deaths::{RoleDeaths, WatchedDeaths};
use crate::channel::latest::receive;
use crate::channel::message::{Message, receive_list};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Membership, Watched};
use crate::participant::Role;
use crate::shareable::{Shareable, check_by_value};
use crate::wait::{Until, WaitLoop};

/// A subscriber of values of any type.
#[derive(Debug)]
pub(super) struct UntypedSubscriber {
    handle: Arc<Handle>,
    // Dropped after its record ends, see `drop`.
    membership: Arc<Membership>,
    subscription: Subscription,
    wait_loop: WaitLoop,
    deaths: RoleDeaths,
    /// An error that was found while there were still messages: reported after these.
    news: Option<Error>,
    /// What its samples share, once it has borrowed a message.
    borrower: Option<Arc<Borrower>>,
}

impl UntypedSubscriber {
    pub(super) fn join(handle: &Arc<Handle>, history: u64) -> Result<Self> {
        let until = handle.object.slot_until();
        let membership = Membership::join(&handle.object, Role::Subscriber, until)
            .map_err(|error| error.doing("subscribe to").on(handle.object.label()))?;
        // Before it joins the ring: no publisher whose message it gets died before.
        let deaths = RoleDeaths::from_now(&handle.object, Role::Publisher);
        let ring = handle.ring(handle.shape);
        let subscription = Subscription::join(ring, membership.me(), history);
        let wait_loop = handle.object.answer_loop(handle.shape.value_bytes);
        let (handle, membership) = (handle.clone(), Arc::new(membership));
        let (news, borrower) = (None, None);
        Ok(Self { handle, membership, subscription, wait_loop, deaths, news, borrower })
    }

    /// Refuses a subscriber that cannot act.
    pub(super) fn check_use(&self) -> Result<()> {
        self.membership.check_live()
    }

    /// What the samples share.
    pub(super) fn borrower(&mut self) -> &Arc<Borrower> {
        let Self { handle, membership, borrower, .. } = self;
        borrower.get_or_insert_with(|| Borrower::new(handle, membership).into())
    }

    /// Copies the next message to `into`. On success the room that it gave last is initialised.
    #[inline(always)]
    pub(super) fn receive<I: Intake + ?Sized>(
        &mut self,
        shape: impl HasShape,
        into: &mut I,
        until: Until,
    ) -> Result<()> {
        self.membership.check_live()?;
        if self.handle.ring(shape).try_receive(&mut self.subscription, into) {
            return Ok(());
        }
        self.wait(shape, into, until)
    }

    #[inline(never)]
    fn wait<I: Intake + ?Sized>(
        &mut self,
        shape: impl HasShape,
        into: &mut I,
        until: Until,
    ) -> Result<()> {
        let ring = self.handle.ring(shape);
        if let Some(news) = self.news.take() {
            self.deaths.keeps_news(false);
            return self.messages_before(shape, into, news);
        }
        if until == Until::Now {
            // An attempt may be the subscriber's only look, so it checks for a death at once.
            self.wait_loop.forget_check();
        }
        let news = || next_death(&self.handle, &mut self.deaths);
        let (subscription, membership) = (&mut self.subscription, &*self.membership);
        let ended = ring.receive(subscription, into, &self.wait_loop, until, membership, news);
        let news = match ended {
            Ok(()) => return Ok(()),
            Err(Ended::Failed(error)) => return Err(self.error(error)),
            Err(Ended::News(news)) => news,
        };
        self.messages_before(shape, into, news)
    }

    /// Receives what was published before a death, and then reports the death.
    fn messages_before<I: Intake + ?Sized>(
        &mut self,
        shape: impl HasShape,
        into: &mut I,
        news: Error,
    ) -> Result<()> {
        match self.handle.ring(shape).take(&mut self.subscription, into) {
            Ok(false) => return Err(news),
            Ok(true) => self.keep(news),
            Err(error) => {
                self.keep(news);
                return Err(self.error(error));
            }
        }
        Ok(())
    }

    /// Keeps an error for the next call.
    fn keep(&mut self, news: Error) {
        self.news = Some(news);
        self.deaths.keeps_news(true);
    }

    /// Whether the next message is complete.
    fn has_next(&self, shape: impl HasShape) -> bool {
        self.handle.ring(shape).has_next(&self.subscription)
    }

    pub(super) fn sequence(&self) -> u64 {
        self.subscription.sequence()
    }

    pub(super) fn lost(&self) -> u64 {
        self.subscription.lost()
    }

    #[cold]
    fn error(&self, error: ReceiveError) -> Error {
        let membership = &self.membership;
        let failed = |kind, why: &'static str| membership.error(kind, "receive from", why);
        match error {
            ReceiveError::Closed => self.handle.object.closed(),
            ReceiveError::Stopped(stop) => membership.stopped(stop, "receive from"),
            ReceiveError::TimedOut => {
                failed(ErrorKind::TimedOut, "no message was published before the timeout expired")
            }
            ReceiveError::Corrupt => {
                failed(ErrorKind::Corrupt, "its words hold garbage: remove it")
            }
            ReceiveError::NoRoom(bytes) => {
                let why = format!("no memory for a message of {bytes} bytes");
                membership.error(ErrorKind::OutOfSpace, "receive from", why)
            }
        }
    }
}

/// Reports the next death of a publisher.
#[cold]
fn next_death(handle: &Handle, deaths: &mut RoleDeaths) -> Option<Error> {
    let died = |why| Error::new(ErrorKind::PeerDied, why);
    let error = match deaths.next(&handle.object)? {
        Some(peer) => died("was a publisher and died; what it published stays").by_peer(peer),
        None => died("a publisher, whose slot was freed meanwhile, died; what it published stays"),
    };
    Some(error.doing("receive from").on(handle.object.label()))
}

impl Drop for UntypedSubscriber {
    fn drop(&mut self) {
        if self.membership.is_mine() {
            let me = self.membership.me();
            // CRASH: dying after this leaves a slot that holds nothing: a sweep frees it.
            self.handle.ring(self.handle.shape).unsubscribe(me.slot(), me);
        }
    }
}

/// Receives all messages of a [`Topic`](super::Topic) that are published while it lives.
///
/// It has a slot among the participants until it is dropped. For values of more than 64 KiB there
/// are [`recv_into`](Self::recv_into) and [`recv_boxed`](Self::recv_boxed); the other calls do not
/// compile.
///
/// # If a process dies
///
/// Waiting returns `PeerDied` once for each publisher that died since this subscriber joined, or
/// whose death no process had noticed until then: on a death notice, or else 50 ms after the kernel
/// released its liveness lock. First it returns all that was published. A message that its
/// publisher had not completed is skipped. If more than 64 publishers died since the last call, it
/// returns `PeerDied` once for all of them.
#[derive(Debug)]
pub struct Subscriber<M: Message + ?Sized> {
    pub(super) handle: Arc<Handle>,
    pub(super) subscriber: UntypedSubscriber,
    pub(super) shape: TypeShape<M>,
}

impl<M: Message + ?Sized> Subscriber<M> {
    pub(super) fn join(handle: &Arc<Handle>, shape: TypeShape<M>, history: u64) -> Result<Self> {
        let subscriber = UntypedSubscriber::join(handle, history)?;
        Ok(Self { handle: handle.clone(), subscriber, shape })
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched, WatchedDeaths) {
        let UntypedSubscriber { handle, membership, deaths, .. } = &self.subscriber;
        (handle.clone(), membership.watched(), deaths.watched())
    }

    /// Waits for the next message, and returns it: a value, or a list as a `Vec`.
    ///
    /// # Errors
    ///
    /// `PeerDied` once for each publisher that died; `Closed` if the object was removed; `Forked`
    /// in a forked child; `RoleLost` if the process closed the descriptor of its liveness lock;
    /// `Corrupt` once for each message whose bytes are not of the type, and once if the words of
    /// the object hold garbage; `OutOfSpace` if there is no memory for a list, which then stays.
    #[inline]
    pub fn recv(&mut self) -> Result<M::Owned> {
        self.receive(Until::Ever)
    }

    /// Waits for the next message, up to `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<M::Owned> {
        self.receive(Until::after(timeout))
    }

    /// Waits for the next message, until `deadline` on the monotonic clock: for a caller that waits
    /// again after `PeerDied` or `Corrupt`.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[inline]
    pub fn recv_until(&mut self, deadline: Instant) -> Result<M::Owned> {
        self.receive(Until::Deadline(deadline))
    }

    /// Returns the next message if it was already published, without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<M::Owned>> {
        match self.receive(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    #[inline]
    fn receive(&mut self, until: Until) -> Result<M::Owned> {
        const {
            if M::MAX_LEN == 0 {
                let instead = "larger than 64 KiB: use `recv_into` or `recv_boxed`";
                check_by_value::<M::Element>(instead);
            }
        }
        let Self { handle, subscriber, shape } = self;
        M::receive(|place| subscriber.receive(*shape, place, until), || handle.invalid())
    }

    /// Waits for the next message, and appends it to `into`, with those after it that were already
    /// published: up to `most` in all. Returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv). `into` then has the messages that were received before the
    /// error.
    pub fn recv_many(&mut self, into: &mut Vec<M::Owned>, most: usize) -> Result<usize> {
        self.receive_many(into, most, Until::Ever)
    }

    /// The same, but waits up to `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv_many`](Self::recv_many).
    pub fn recv_many_timeout(
        &mut self,
        into: &mut Vec<M::Owned>,
        most: usize,
        timeout: Duration,
    ) -> Result<usize> {
        self.receive_many(into, most, Until::after(timeout))
    }

    fn receive_many(
        &mut self,
        into: &mut Vec<M::Owned>,
        most: usize,
        until: Until,
    ) -> Result<usize> {
        if most == 0 {
            return Ok(0);
        }
        into.push(self.receive(until)?);
        let mut count = 1;
        while count < most && self.subscriber.has_next(self.shape) {
            // Another publisher can overwrite it meanwhile.
            let Some(next) = self.try_recv()? else { break };
            into.push(next);
            count += 1;
        }
        Ok(count)
    }

    /// Returns an iterator that waits for each message. Every error is an item; after `Closed`,
    /// which says that the object was removed, it ends.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<M::Owned>> + '_ {
        let mut is_closed = false;
        std::iter::from_fn(move || {
            let answer = (!is_closed).then(|| self.recv())?;
            is_closed = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            Some(answer)
        })
    }

    /// Returns the sequence number of the message that was received last. The first message of the
    /// topic has 1, and each following one a number that is 1 higher, unless its publisher died.
    pub fn sequence(&self) -> u64 {
        self.subscriber.sequence()
    }

    /// Returns how many messages were overwritten before this subscriber received them. 0 unless
    /// the topic overwrites: see [`WhenFull`](super::WhenFull).
    ///
    /// It counts at the next call that receives. A message whose publisher died in the middle of it
    /// counts, if the messages after it were overwritten, too.
    pub fn lost(&self) -> u64 {
        self.subscriber.lost()
    }

    /// Returns the same subscriber, which spins for `duration` before it sleeps: see
    /// [`Options::spin_for`](crate::Options::spin_for).
    pub fn spin_for(mut self, duration: Duration) -> Self {
        self.subscriber.wait_loop = WaitLoop::spinning_for(duration);
        self
    }
}

impl<T: Shareable> Subscriber<T> {
    /// Waits as [`recv_timeout`](Self::recv_timeout) does, and copies the message to `into`: for
    /// values too large for the stack.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout). `into` then holds some value of its type.
    pub fn recv_into(&mut self, into: &mut T, timeout: Duration) -> Result<()> {
        let until = Until::after(timeout);
        let fill = |bytes: &mut [_]| self.subscriber.receive(self.shape, bytes, until);
        receive::into_place(into, fill, || self.handle.invalid())
    }

    /// Waits as [`recv_timeout`](Self::recv_timeout) does, and returns the message on the heap: for
    /// values too large for the stack.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    pub fn recv_boxed(&mut self, timeout: Duration) -> Result<Box<T>> {
        let until = Until::after(timeout);
        let fill = |bytes: &mut [_]| self.subscriber.receive(self.shape, bytes, until);
        receive::boxed(fill, || self.handle.invalid())
    }
}

impl<T: Shareable> Subscriber<[T]> {
    /// Waits as [`recv_timeout`](Self::recv_timeout) does, and replaces the elements of `into` by
    /// those of the message. It takes memory only if the list has no room for them.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout). `into` is then empty.
    pub fn recv_into(&mut self, into: &mut Vec<T>, timeout: Duration) -> Result<()> {
        let until = Until::after(timeout);
        let Self { handle, subscriber, shape } = self;
        receive_list(into, |place| subscriber.receive(*shape, place, until), || handle.invalid())
    }
}
