//! How messages pass through the words of a queue, and who gives back what the dead held.
//!
//! ```text
//!            sender                                      receiver
//!  FREE ──> WRITING ──> READY, in line or in order ──> TAKEN ──> FREE         acknowledged
//!              │            │ its sender died,           │ ────> RETURNED     given back, died
//!              │            v in no line yet             │ ────> ASIDE    too often, rejected
//!       died ──┴─> FREE   RETURNED ────────────────> TAKEN
//! ```
//!
//! [`slots`](super::slots) has the states, [`line`](super::line) the order without priorities,
//! [`ranks`](super::ranks) the one with priorities, which a lock guards.
//!
//! # Why a message is not lost, and a message that was acknowledged does not come again
//!
//! One word says whose the message is, and each step exchanges that word once. A sender that dies
//! before READY has sent nothing; its slot becomes FREE. After READY the message is in line, or a
//! sweep makes it RETURNED. A receiver that dies after TAKEN has it in its name, and a sweep makes
//! it RETURNED; after FREE it was acknowledged. A sweep only exchanges values that name a dead
//! participant, in its generation, or READY at the position that a dead sender gave it.
//!
//! [`waiting`](super::waiting) says why no thread sleeps beside a message or a free slot, and
//! [`giving_back`](super::giving_back) how receivers find what was given back.

use std::time::Duration;

use super::line::{Line, NotInLine, TRIES};
use super::ranks::{Garbage, Put, Ranks};
use super::slots::{AHEAD, Info, Slot, Slots, State};
use super::tell::tell;
use crate::error::Error;
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::copy_in;
use crate::participant::owner::{AcquireError, Acquired, Mode, OwnerWord};
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{CLOSED, Stop, Until, WaitLoop};

/// The bit of `returned` that says that receivers must scan.
pub(super) const SCAN: u64 = 1;
/// How long a call waits for the lock of a queue with priorities, at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// The words of a queue.
#[derive(Clone, Copy)]
pub(super) struct QueueWords<'a> {
    /// Receivers sleep on it.
    pub(super) arrivals: &'a AtomicU64,
    /// Bit 0: there may be RETURNED messages. Above: how often that was set.
    pub(super) returned: &'a AtomicU64,
    /// Senders sleep on it.
    pub(super) departures: &'a AtomicU64,
    pub(super) order: Order<'a>,
    pub(super) slots: Slots<'a>,
    /// How often a message is handed over before it is set aside. 0: without a limit.
    pub(super) delivery_limit: u32,
}

/// In which order messages are received.
#[derive(Clone, Copy)]
pub(super) enum Order<'a> {
    /// As they were sent.
    Line(Line<'a>),
    /// By priority, under a lock.
    Ranks(OwnerWord<'a>, Ranks<'a>),
}

/// The participant that sends or receives.
pub(super) struct Caller<'c, L> {
    pub(super) me: ParticipantId,
    pub(super) liveness: &'c L,
    /// By which it waits for messages, or for slots.
    pub(super) wait_loop: &'c WaitLoop,
    /// By which it waits for the lock.
    pub(super) lock_loop: &'c WaitLoop,
    /// How far it came: it begins to look there.
    pub(super) came: &'c Came,
}

/// How far a participant came, for itself.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// The position behind the last message that it sent; with priorities, the slot behind.
    pub(super) sent: AtomicU64,
    /// The position behind the last message that it received, or found gone.
    pub(super) received: AtomicU64,
}

impl<L> Clone for Caller<'_, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Caller<'_, L> {}

/// A message that is sent.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'m> {
    /// Not more than a slot has room for.
    pub(super) value: &'m [u8],
    /// How many elements it has, if it is a list.
    pub(super) length: u64,
    pub(super) priority: u32,
}

/// Why nothing was sent or received.
#[derive(Debug)]
pub(super) enum Refused {
    /// The object was retired, and no message is left.
    Closed,
    /// The time is over.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
    /// This participant lost its slot.
    Lost,
    /// The words have values that no participant writes.
    Corrupt,
    /// Other processes were faster each time.
    Busy,
    /// The lock was not acquired.
    Lock(AcquireError),
    /// Something that is not about the queue.
    Other(Error),
}

impl From<NotInLine> for Refused {
    fn from(why: NotInLine) -> Self {
        match why {
            NotInLine::Lost => Self::Lost,
            NotInLine::Corrupt => Self::Corrupt,
            NotInLine::Full | NotInLine::Busy => Self::Busy,
        }
    }
}

impl<'a> QueueWords<'a> {
    /// Sends a message, if a slot is free.
    #[inline(always)]
    pub(super) fn send_at_once(
        self,
        caller: Caller<'_, impl Liveness>,
        message: Outgoing<'_>,
    ) -> Result<bool, Refused> {
        if self.is_closed() {
            return Err(Refused::Closed);
        }
        self.try_send(caller, message, self.slots.count())
    }

    /// Sends a message, if one of the next `looked_at` slots is free.
    #[inline(always)]
    pub(super) fn try_send(
        self,
        caller: Caller<'_, impl Liveness>,
        message: Outgoing<'_>,
        looked_at: usize,
    ) -> Result<bool, Refused> {
        let Some((number, slot)) = self.claim(caller, looked_at) else { return Ok(false) };
        // CRASH: dying from here on leaves the slot WRITING: a sweep frees it.
        crash_point!("queue: slot in writing");
        slot.begin(caller.me, message.priority, message.length);
        copy_in(message.value, slot.value());
        crash_point!("queue: slot written, not ready");
        let sent = &caller.came.sent;
        match self.order {
            Order::Line(line) => match line.put(self.slots, number, slot, caller.me, sent) {
                Ok(()) => self.slots.own_early(number + AHEAD),
                Err((why, state)) => {
                    let freed = slot.exchange(state, State::Free);
                    if why == NotInLine::Full && freed.is_ok() {
                        // Nobody is told: a sender that is waiting would clear its own mark, and
                        // not sleep. The receiver that makes room in the line tells.
                        return Ok(false);
                    }
                    tell(self.departures);
                    return Err(why.into());
                }
            },
            Order::Ranks(lock, ranks) => {
                let put = self.in_lock(lock, ranks, caller, || {
                    let put = ranks.put(number, slot, caller.me, message.priority);
                    if put == Put::InNoOrder {
                        // In the lock: dying before this leaves the lock inconsistent.
                        self.announce();
                    }
                    Ok(put)
                });
                match put {
                    Ok(Put::InOrder | Put::InNoOrder) => {
                        // ORDERING: Relaxed; a hint.
                        sent.store(number as u64 + 1, Ordering::Relaxed);
                    }
                    Ok(Put::Lost) => return Err(Refused::Lost),
                    Err(refused) => {
                        let _ = slot.exchange(State::Writing(caller.me), State::Free);
                        tell(self.departures);
                        return Err(refused);
                    }
                }
            }
        }
        // CRASH: dying here wakes nobody: sleeping receivers look again on the death notice.
        crash_point!("queue: sent, nobody told");
        tell(self.arrivals);
        Ok(true)
    }

    /// Claims a free slot for `me`, among the next `looked_at`.
    #[inline(always)]
    fn claim(
        self,
        caller: Caller<'_, impl Liveness>,
        looked_at: usize,
    ) -> Option<(usize, Slot<'a>)> {
        let (me, count) = (caller.me, self.slots.count());
        // It is not looked at before: that would fetch its line twice.
        let mut number = self.next_slot(caller);
        for turn in 0..count.min(looked_at) {
            let slot = self.slots.get(number)?;
            let may_be_free = turn == 0 || slot.word() == State::Free.to_bits();
            if may_be_free && slot.exchange(State::Free, State::Writing(me)).is_ok() {
                return Some((number, slot));
            }
            number = if number + 1 == count { 0 } else { number + 1 };
        }
        None
    }

    /// The slot that a sender tries first.
    ///
    /// Slots become free in the order of their messages, mostly: it is the one that was used
    /// longest ago.
    #[inline(always)]
    pub(super) fn next_slot(self, caller: Caller<'_, impl Liveness>) -> usize {
        let hint = match self.order {
            Order::Line(line) => line.tail(&caller.came.sent),
            // The next position is in the line of the lock, which others use.
            // ORDERING: Relaxed; a hint.
            Order::Ranks(..) => caller.came.sent.load(Ordering::Relaxed),
        };
        (hint as u32 % self.slots.count() as u32) as usize
    }

    /// Receives the next message, if there is one.
    #[inline(always)]
    pub(super) fn try_receive(
        self,
        caller: Caller<'_, impl Liveness>,
    ) -> Result<Option<usize>, Refused> {
        let taken = match self.order {
            Order::Line(line) => self.take_from_line(line, caller.me, &caller.came.received)?,
            Order::Ranks(..) if !self.may_have_message() => None,
            Order::Ranks(lock, ranks) => {
                self.in_lock(lock, ranks, caller, || ranks.take(self.slots, caller.me))?
            }
        };
        let Some(number) = taken else { return Ok(None) };
        let slot = self.slots.get(number).ok_or(Refused::Corrupt)?;
        // CRASH: dying before this leaves a message that no one has seen: it counts as never
        // handed over.
        crash_point!("queue: taken, not counted");
        let info = slot.info();
        slot.set_info(Info { deliveries: info.deliveries.saturating_add(1), ..info });
        crash_point!("queue: counted, not handed over");
        Ok(Some(number))
    }

    #[inline(always)]
    fn take_from_line(
        self,
        line: Line<'a>,
        me: ParticipantId,
        received: &AtomicU64,
    ) -> Result<Option<usize>, Refused> {
        let began = line.head(received);
        let mut from = began;
        for _ in 0..TRIES {
            // Each time: a message that was given back can be before the next one in line.
            if self.must_scan()
                && let Some(number) = self.take_returned(line, me, received)?
            {
                return Ok(Some(number));
            }
            let looks = from != began;
            let Some((position, number)) = line.first(self.slots, received, from, looks)? else {
                return Ok(None);
            };
            let slot = self.slots.get(number).ok_or(Refused::Corrupt)?;
            let taken = slot.exchange(State::Ready(position), State::Taken(me));
            // CRASH: dying here leaves the head to the next process that looks further.
            crash_point!("queue: taken, head not moved");
            from = position.wrapping_add(1);
            line.passed(received, began, from);
            // Otherwise another receiver took it, or it was given back.
            if taken.is_ok() {
                if let Some(next) = line.ahead(position, AHEAD as u64) {
                    self.slots.own_early(next);
                }
                return Ok(Some(number));
            }
        }
        Err(Refused::Busy)
    }

    /// Takes the RETURNED message with the first position, unless the head of the line is before
    /// it. Without one, clears the bit.
    #[cold]
    fn take_returned(
        self,
        line: Line<'a>,
        me: ParticipantId,
        received: &AtomicU64,
    ) -> Result<Option<usize>, Refused> {
        for _ in 0..TRIES {
            // ORDERING: SeqCst; as Acquire it pairs with `announce`. It is before the scan.
            let before = self.returned.load(Ordering::SeqCst);
            let Some((position, number)) = self.first_returned() else {
                // CRASH: nothing is half-done.
                // ORDERING: SeqCst; it fails if a message was announced since the load.
                let order = Ordering::SeqCst;
                let _ = self.returned.compare_exchange(before, before & !SCAN, order, order);
                return Ok(None);
            };
            let first = line.first(self.slots, received, line.head(received), true)?;
            if first.is_some_and(|(head, _)| head < position) {
                return Ok(None);
            }
            let slot = self.slots.get(number).ok_or(Refused::Corrupt)?;
            if slot.exchange(State::Returned(position), State::Taken(me)).is_ok() {
                // A sender that died before it had a place in line may have left a later one.
                // CRASH: dying before this gives the message back at that place.
                slot.set_position(position);
                return Ok(Some(number));
            }
        }
        Err(Refused::Busy)
    }

    /// The RETURNED message with the first position, and its slot.
    fn first_returned(self) -> Option<(u64, usize)> {
        let returned = self.slots.all().filter_map(|(number, slot)| match slot.state() {
            Some(State::Returned(position)) => Some((position, number)),
            _ => None,
        });
        returned.min()
    }

    /// Whether there may be RETURNED messages.
    #[inline(always)]
    pub(super) fn must_scan(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange in `announce`.
        self.returned.load(Ordering::Acquire) & SCAN != 0
    }

    /// Whether a receiver may find a message.
    #[inline(always)]
    pub(super) fn may_have_message(self) -> bool {
        self.must_scan()
            || match self.order {
                Order::Line(line) => {
                    let received = &AtomicU64::new(0);
                    let first = line.first(self.slots, received, line.head(received), true);
                    !matches!(first, Ok(None))
                }
                Order::Ranks(_, ranks) => ranks.is_any_waiting(),
            }
    }

    /// Acts on the order by priority while it holds the lock. First builds the order again if a
    /// holder died in it, if messages were given back, or if `act` finds garbage.
    ///
    /// After garbage it acts a second time: so `act` finds it before it changes a slot.
    #[inline(always)]
    pub(super) fn in_lock<T>(
        self,
        lock: OwnerWord<'a>,
        ranks: Ranks<'a>,
        caller: Caller<'_, impl Liveness>,
        act: impl Fn() -> Result<T, Garbage>,
    ) -> Result<T, Refused> {
        let acquired = match lock.acquire_uncontended(caller.me, Mode::Exclusive) {
            true => Acquired::Clean,
            false => self.wait_for_lock(lock, caller)?,
        };
        let mut held = Held { queue: self, lock, me: caller.me, is_in_order: false };
        crash_point!("queue: lock taken");
        let must_rebuild = acquired == Acquired::Inconsistent || self.must_scan();
        let acted = match (!must_rebuild).then(&act) {
            Some(Ok(acted)) => Ok(acted),
            _ => self
                .rebuild(lock, ranks, caller.me)
                .and_then(|()| act().map_err(|Garbage| Refused::Corrupt)),
        };
        held.is_in_order = acted.is_ok();
        drop(held);
        // ORDERING: SeqCst; between C1, which is in `act`, and C2.
        fence(Ordering::SeqCst);
        acted
    }

    #[cold]
    #[inline(never)]
    fn wait_for_lock(
        self,
        lock: OwnerWord<'a>,
        caller: Caller<'_, impl Liveness>,
    ) -> Result<Acquired, Refused> {
        let until = if cfg!(loom) { Until::Ever } else { Until::after(PATIENCE) };
        let acquired =
            lock.acquire(caller.me, Mode::Exclusive, caller.liveness, caller.lock_loop, until);
        acquired.map_err(|error| match error {
            AcquireError::Closed => Refused::Closed,
            error => Refused::Lock(error),
        })
    }

    /// Builds the order again, for the holder of the lock.
    #[cold]
    #[inline(never)]
    fn rebuild(
        self,
        lock: OwnerWord<'a>,
        ranks: Ranks<'a>,
        me: ParticipantId,
    ) -> Result<(), Refused> {
        // ORDERING: SeqCst; as in `take_returned`.
        let before = self.returned.load(Ordering::SeqCst);
        ranks.rebuild(self.slots).map_err(Refused::Other)?;
        // ORDERING: SeqCst; as in `take_returned`.
        let order = Ordering::SeqCst;
        let _ = self.returned.compare_exchange(before, before & !SCAN, order, order);
        lock.mark_consistent(me);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn is_closed(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange that closes the word.
        self.arrivals.load(Ordering::Acquire) & CLOSED != 0
    }
}

/// The lock of a queue with priorities, which is released when this is dropped: by a panic, too, so
/// that no living process holds it for ever.
struct Held<'a> {
    queue: QueueWords<'a>,
    lock: OwnerWord<'a>,
    me: ParticipantId,
    /// False: the order must be built again.
    is_in_order: bool,
}

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_in_order {
            self.lock.release(self.me);
        } else {
            self.release_out_of_order();
        }
    }
}

impl Held<'_> {
    #[cold]
    #[inline(never)]
    fn release_out_of_order(&self) {
        // Receivers look at the bit before they acquire the lock.
        self.queue.announce();
        self.lock.release_inconsistent(self.me);
    }
}
