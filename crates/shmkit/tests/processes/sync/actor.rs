//! A child that runs its test's commands on one of every primitive, and answers each with its
//! outcome.
//!
//! A command is the name of the primitive's method. It waits without a limit, or with the prefix
//! `try_` not at all, or followed by a number of milliseconds.
//!
//! | command | operation |
//! |---|---|
//! | `lock`, `lock_reentrant`, `read`, `upgradable_read`, `write`, `acquire` | keeps the guard |
//! | `upgrade`, `downgrade`, `downgrade_to_upgradable`, `try_into_upgradable` | converts the last guard |
//! | `wait_condvar` | waits with the last guard |
//! | `add`, `mark_consistent` | adds 1 to the value of the last guard, or repairs its lock |
//! | `join_barrier`, `join_latch` | keeps the party |
//! | `wait_barrier`, `count_down` | uses the last party |
//! | `call_once` | answers `running`, and completes at the next message |
//! | `drop`, `forget` | drops the last guard or party, or consumes the last permit |

use std::time::Duration;

use shmkit::sync::{
    BarrierParty, LatchParty, LockError, MutexGuard, NotUpgraded, Permit, ReadGuard,
    ReentrantGuard, UpgradableGuard, WriteGuard,
};
use shmkit::{Error, Result};

use super::fixture::{NAME, Primitives};
use crate::children::Link;
use crate::test_dir::open;

/// What an actor holds.
pub(super) enum Held {
    Mutex(MutexGuard<'static, u64>),
    Reentrant(ReentrantGuard<'static, u64>),
    Read(ReadGuard<'static, u64>),
    Upgradable(UpgradableGuard<'static, u64>),
    Write(WriteGuard<'static, u64>),
    Permit(Permit<'static>),
    BarrierParty(BarrierParty<'static>),
    LatchParty(LatchParty<'static>),
}

/// How long an operation may wait.
#[derive(Clone, Copy, Debug)]
enum Timeout {
    Try,
    After(Duration),
    Never,
}

/// What an operation acquired, and the answer to the command.
type Outcome = Result<(Option<Held>, String)>;

pub(crate) struct Actor {
    pub(super) primitives: &'static Primitives,
    /// In the order of acquisition.
    pub(super) held: Vec<Held>,
}

pub(crate) fn role(link: &mut Link) {
    let mut actor = Actor::open();
    link.send("ready");
    actor.run_commands(link);
}

fn done() -> String {
    "done".into()
}

fn done_if(acquired: bool) -> String {
    if acquired { "done".into() } else { "refused".into() }
}

fn locked<G>(answer: std::result::Result<G, LockError<G>>, held: fn(G) -> Held) -> Outcome
where
    Error: From<LockError<G>>,
{
    match answer {
        Err(LockError::OwnerDied(guard)) => Ok((Some(held(guard)), "OwnerDied".into())),
        answer => Ok((Some(held(answer?)), done())),
    }
}

fn try_locked<G>(
    answer: std::result::Result<Option<G>, LockError<Option<G>>>,
    held: fn(G) -> Held,
) -> Outcome
where
    Error: From<LockError<Option<G>>>,
{
    match answer {
        Err(LockError::OwnerDied(guard)) => Ok((guard.map(held), "OwnerDied".into())),
        answer => {
            let guard = answer?;
            let answer = done_if(guard.is_some());
            Ok((guard.map(held), answer))
        }
    }
}

fn upgraded<G, H>(
    answer: std::result::Result<H, NotUpgraded<G>>,
    stronger: fn(H) -> Held,
    same: fn(G) -> Held,
) -> Outcome {
    Ok(match answer {
        Ok(guard) => (Some(stronger(guard)), done()),
        Err(NotUpgraded { guard, error }) => {
            let answer = error.map_or("refused".into(), |error| describe(&error));
            (Some(same(guard)), answer)
        }
    })
}

fn describe(error: &Error) -> String {
    format!("{:?}: {error}", error.kind())
}

impl Actor {
    /// Opens the object for the rest of the process.
    pub(crate) fn open() -> Self {
        let primitives = Box::leak(Box::new(open::<Primitives>(NAME)));
        Self { primitives, held: Vec::new() }
    }

    /// Runs commands until the message `end`.
    pub(crate) fn run_commands(&mut self, link: &mut Link) {
        loop {
            let command = link.receive();
            if command == "end" {
                return;
            }
            let answer = self.run(&command, link);
            link.send(answer);
        }
    }

    /// Runs a command, and returns the answer.
    pub(crate) fn run(&mut self, command: &str, link: &mut Link) -> String {
        let outcome = match command {
            "call_once" => self.call_once(link),
            _ => self.execute(command),
        };
        match outcome {
            Ok((held, answer)) => {
                self.held.extend(held);
                answer
            }
            Err(error) => describe(&error),
        }
    }

    fn execute(&mut self, command: &str) -> Outcome {
        let (verb, timeout) = match (command.strip_prefix("try_"), command.split_once(' ')) {
            (Some(verb), _) => (verb, Timeout::Try),
            (None, Some((verb, ms))) => {
                (verb, Timeout::After(Duration::from_millis(ms.parse().unwrap())))
            }
            (None, None) => (command, Timeout::Never),
        };
        match verb {
            "lock" | "lock_reentrant" | "read" | "upgradable_read" | "write" => {
                self.lock(verb, timeout)
            }
            "upgrade" => self.upgrade(timeout),
            "downgrade" | "downgrade_to_upgradable" | "into_upgradable" => self.convert(verb),
            "acquire" => self.acquire(timeout),
            "consume" | "wait_latch" | "wait_event" | "wait_barrier" => {
                Ok((None, done_if(self.wait(verb, timeout)?)))
            }
            "wait_condvar" => self.wait_condvar(timeout),
            "join_barrier" => Ok((Some(Held::BarrierParty(self.primitives.3.0.join()?)), done())),
            "join_latch" => Ok((Some(Held::LatchParty(self.primitives.3.1.join()?)), done())),
            other => Ok((None, self.act_at_once(other)?)),
        }
    }

    fn lock(&mut self, verb: &str, timeout: Timeout) -> Outcome {
        let (mutex, rwlock, .., (_, _, reentrant)) = self.primitives;
        match (verb, timeout) {
            ("lock", Timeout::Try) => try_locked(mutex.try_lock(), Held::Mutex),
            ("lock", Timeout::After(time)) => locked(mutex.lock_timeout(time), Held::Mutex),
            ("lock", Timeout::Never) => locked(mutex.lock(), Held::Mutex),
            ("lock_reentrant", Timeout::Try) => try_locked(reentrant.try_lock(), Held::Reentrant),
            ("lock_reentrant", Timeout::After(time)) => {
                locked(reentrant.lock_timeout(time), Held::Reentrant)
            }
            ("lock_reentrant", Timeout::Never) => locked(reentrant.lock(), Held::Reentrant),
            ("read", Timeout::Try) => try_locked(rwlock.try_read(), Held::Read),
            ("read", Timeout::After(time)) => locked(rwlock.read_timeout(time), Held::Read),
            ("read", Timeout::Never) => locked(rwlock.read(), Held::Read),
            ("upgradable_read", Timeout::Try) => {
                try_locked(rwlock.try_upgradable_read(), Held::Upgradable)
            }
            ("upgradable_read", Timeout::After(time)) => {
                locked(rwlock.upgradable_read_timeout(time), Held::Upgradable)
            }
            ("upgradable_read", Timeout::Never) => {
                locked(rwlock.upgradable_read(), Held::Upgradable)
            }
            ("write", Timeout::Try) => try_locked(rwlock.try_write(), Held::Write),
            ("write", Timeout::After(time)) => locked(rwlock.write_timeout(time), Held::Write),
            ("write", Timeout::Never) => locked(rwlock.write(), Held::Write),
            other => panic!("{other:?}"),
        }
    }

    fn upgrade(&mut self, timeout: Timeout) -> Outcome {
        match (self.held.pop(), timeout) {
            (Some(Held::Read(guard)), Timeout::Try) => {
                upgraded(guard.try_upgrade(), Held::Write, Held::Read)
            }
            (Some(Held::Upgradable(guard)), timeout) => {
                let answer = match timeout {
                    Timeout::Try => guard.try_upgrade(),
                    Timeout::After(time) => guard.upgrade_timeout(time),
                    Timeout::Never => guard.upgrade(),
                };
                upgraded(answer, Held::Write, Held::Upgradable)
            }
            _ => panic!("no guard to upgrade"),
        }
    }

    fn convert(&mut self, verb: &str) -> Outcome {
        let held = match (self.held.pop(), verb) {
            (Some(Held::Read(guard)), "into_upgradable") => {
                return upgraded(guard.try_into_upgradable(), Held::Upgradable, Held::Read);
            }
            (Some(Held::Upgradable(guard)), "downgrade") => Held::Read(guard.downgrade()),
            (Some(Held::Write(guard)), "downgrade") => Held::Read(guard.downgrade()),
            (Some(Held::Write(guard)), "downgrade_to_upgradable") => {
                Held::Upgradable(guard.downgrade_to_upgradable())
            }
            _ => panic!("no guard for {verb}"),
        };
        Ok((Some(held), done()))
    }

    fn acquire(&mut self, timeout: Timeout) -> Outcome {
        let semaphore = &self.primitives.2;
        let permit = match timeout {
            Timeout::Try => semaphore.try_acquire()?,
            Timeout::After(time) => Some(semaphore.acquire_timeout(time)?),
            Timeout::Never => Some(semaphore.acquire()?),
        };
        let answer = done_if(permit.is_some());
        Ok((permit.map(Held::Permit), answer))
    }

    fn wait(&mut self, verb: &str, timeout: Timeout) -> Result<bool> {
        let (.., semaphore, (_, latch, _), (_, event, _)) = self.primitives;
        match (verb, timeout) {
            ("consume", Timeout::Try) => return semaphore.try_consume(),
            ("consume", Timeout::After(time)) => semaphore.consume_timeout(time)?,
            ("consume", Timeout::Never) => semaphore.consume()?,
            ("wait_latch", Timeout::Try) => return latch.try_wait(),
            ("wait_latch", Timeout::After(time)) => latch.wait_timeout(time)?,
            ("wait_latch", Timeout::Never) => latch.wait()?,
            ("wait_event", Timeout::Try) => return event.try_wait(),
            ("wait_event", Timeout::After(time)) => event.wait_timeout(time)?,
            ("wait_event", Timeout::Never) => event.wait()?,
            ("wait_barrier", Timeout::After(time)) => _ = self.last_party().wait_timeout(time)?,
            ("wait_barrier", Timeout::Never) => _ = self.last_party().wait()?,
            other => panic!("{other:?}"),
        }
        Ok(true)
    }

    fn last_party(&mut self) -> &mut BarrierParty<'static> {
        let Some(Held::BarrierParty(party)) = self.held.last_mut() else { panic!("no party") };
        party
    }

    fn wait_condvar(&mut self, timeout: Timeout) -> Outcome {
        let condvar = &self.primitives.4.0;
        let Some(Held::Mutex(guard)) = self.held.pop() else { panic!("no guard to wait with") };
        match timeout {
            Timeout::After(time) => {
                let (guard, result) = condvar.wait_timeout(guard, time)?;
                let answer = if result.timed_out() { "timed out".into() } else { done() };
                Ok((Some(Held::Mutex(guard)), answer))
            }
            _ => locked(condvar.wait(guard), Held::Mutex),
        }
    }

    /// Operations that never wait.
    fn act_at_once(&mut self, verb: &str) -> Result<String> {
        let (.., semaphore, _, (condvar, event, _)) = self.primitives;
        match verb {
            "post" => _ = semaphore.post(1)?,
            "set" => event.set()?,
            "reset" => event.reset()?,
            "notify_one" => condvar.notify_one()?,
            "notify_all" => condvar.notify_all()?,
            "late_finds" => return Ok(shmkit::crash::late_finds().to_string()),
            "expired_sleeps" => return Ok(shmkit::crash::expired_sleeps().to_string()),
            "announcements" => return Ok(shmkit::crash::announcements().to_string()),
            "woken_sleeps" => return Ok(shmkit::crash::woken_sleeps().to_string()),
            "add" => return Ok(self.add()),
            "mark_consistent" => match self.held.last_mut() {
                Some(Held::Mutex(guard)) => guard.mark_consistent(),
                Some(Held::Write(guard)) => guard.mark_consistent(),
                _ => panic!("no guard that can be marked consistent"),
            },
            "count_down" => {
                let Some(Held::LatchParty(party)) = self.held.pop() else { panic!("no party") };
                party.count_down()?;
            }
            "forget" => {
                let Some(Held::Permit(permit)) = self.held.pop() else { panic!("no permit") };
                permit.forget();
            }
            "drop" => drop(self.held.pop().expect("something to drop")),
            other => panic!("{other}"),
        }
        Ok(done())
    }

    /// Adds 1 to the value of the last guard, and returns the sum.
    fn add(&mut self) -> String {
        let add = |value: &mut u64| {
            *value += 1;
            value.to_string()
        };
        match self.held.last_mut() {
            Some(Held::Mutex(guard)) => add(guard),
            Some(Held::Write(guard)) => add(guard),
            Some(Held::Reentrant(guard)) => {
                guard.set(guard.get() + 1);
                guard.get().to_string()
            }
            _ => panic!("no guard of a value"),
        }
    }

    fn call_once(&mut self, link: &mut Link) -> Outcome {
        let once = &self.primitives.3.2;
        let mut answer = "already called".to_string();
        once.call_once_force(|again| {
            link.send(if again { "running again" } else { "running" });
            link.receive();
            answer = done();
        })?;
        Ok((None, answer))
    }
}
