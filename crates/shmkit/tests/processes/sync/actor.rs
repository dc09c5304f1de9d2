//! A child that does with one of every primitive what it is told, a word or two at a time, and
//! says what came of it.
//!
//! | it is told | it does |
//! |---|---|
//! | `lock`, `nest`, `read`, `keep`, `write`, `acquire`, `consume` | takes it, waiting |
//! | `try lock` | the same, at once or not at all |
//! | `lock 500` | the same, for so many milliseconds |
//! | `upgrade`, `to read`, `to keep` | turns what it took last into another way to have it |
//! | `wait` | waits for the condition with what it took last |
//! | `join`, `meet`, `enrol`, `come`, `pass` | becomes a party of barrier or latch, comes, waits |
//! | `do` | does what is done once: says `begun`, and ends when it hears another word |
//! | `drop`, `forget` | gives back, or consumes, what it took last |

use std::time::Duration;

use shmkit::sync::named::Named;
use shmkit::sync::{
    BarrierParty, LatchParty, LockError, MutexGuard, NotUpgraded, Permit, ReadGuard,
    ReentrantGuard, UpgradableGuard, WriteGuard,
};
use shmkit::{Error, Result};

use super::stage::{NAME, Plant};
use crate::children::Link;

/// What was taken, and is not given back.
pub(super) enum Held {
    Mutex(MutexGuard<'static, u64>),
    Reentrant(ReentrantGuard<'static, u64>),
    Read(ReadGuard<'static, u64>),
    Upgradable(UpgradableGuard<'static, u64>),
    Write(WriteGuard<'static, u64>),
    Permit(Permit<'static>),
    Party(BarrierParty<'static>),
    Expected(LatchParty<'static>),
}

/// How long it waits.
#[derive(Clone, Copy, Debug)]
enum Patience {
    Try,
    For(Duration),
    Ever,
}

/// What came of it: the thing, with what is to be said of it.
type Came = Result<(Option<Held>, String)>;

pub(crate) struct Actor {
    pub(super) plant: &'static Plant,
    /// In the order in which it was taken.
    pub(super) held: Vec<Held>,
}

/// Does what it is told until the end.
pub(crate) fn role(link: &mut Link) {
    let mut actor = Actor::open();
    link.say("ready");
    loop {
        let word = link.hear();
        let answer = actor.act(&word, link);
        link.say(answer);
    }
}

fn done() -> String {
    "done".into()
}

fn whether(done: bool) -> String {
    if done { "done".into() } else { "refused".into() }
}

fn got<G>(answer: std::result::Result<G, LockError<G>>, held: fn(G) -> Held) -> Came
where
    Error: From<LockError<G>>,
{
    match answer {
        Err(LockError::OwnerDied(guard)) => Ok((Some(held(guard)), "OwnerDied".into())),
        answer => Ok((Some(held(answer?)), done())),
    }
}

fn attempted<G>(
    answer: std::result::Result<Option<G>, LockError<Option<G>>>,
    held: fn(G) -> Held,
) -> Came
where
    Error: From<LockError<Option<G>>>,
{
    match answer {
        Err(LockError::OwnerDied(guard)) => Ok((guard.map(held), "OwnerDied".into())),
        answer => Ok(match answer? {
            Some(guard) => (Some(held(guard)), done()),
            None => (None, "refused".into()),
        }),
    }
}

fn upgraded<G, H>(
    answer: std::result::Result<H, NotUpgraded<G>>,
    stronger: fn(H) -> Held,
    same: fn(G) -> Held,
) -> Came {
    Ok(match answer {
        Ok(guard) => (Some(stronger(guard)), done()),
        Err(NotUpgraded { guard, error }) => {
            let said = error.map_or("refused".into(), |error| said(&error));
            (Some(same(guard)), said)
        }
    })
}

fn said(error: &Error) -> String {
    format!("{:?}: {error}", error.kind())
}

impl Actor {
    /// Opens everything, for as long as the process lives.
    pub(crate) fn open() -> Self {
        let plant = Box::leak(Box::new(Named::<Plant>::open(NAME).unwrap()));
        Self { plant, held: Vec::new() }
    }

    /// Does what the words say, and tells what came of it.
    pub(crate) fn act(&mut self, words: &str, link: &mut Link) -> String {
        let came = match words {
            "do" => self.do_once(link),
            _ => self.came(words),
        };
        match came {
            Ok((held, said)) => {
                self.held.extend(held);
                said
            }
            Err(error) => said(&error),
        }
    }

    fn came(&mut self, words: &str) -> Came {
        let words: Vec<_> = words.split(' ').collect();
        let (verb, patience) = match words[..] {
            ["try", verb] => (verb, Patience::Try),
            [verb, time] if time.parse::<u64>().is_ok() => {
                (verb, Patience::For(Duration::from_millis(time.parse().unwrap())))
            }
            [verb] => (verb, Patience::Ever),
            ["to", way] => return self.transfer(way),
            _ => panic!("{words:?}"),
        };
        match verb {
            "lock" | "nest" | "read" | "keep" | "write" => self.take_lock(verb, patience),
            "upgrade" => self.upgrade(patience),
            "acquire" | "consume" => self.take_permit(verb, patience),
            "join" | "meet" | "enrol" | "come" | "pass" => self.come_together(verb, patience),
            "wait" | "await" => self.wait(verb, patience),
            other => self.change(other),
        }
    }

    fn take_lock(&mut self, verb: &str, patience: Patience) -> Came {
        let (mutex, rwlock, .., (_, _, reentrant)) = self.plant;
        match (verb, patience) {
            ("lock", Patience::Try) => attempted(mutex.try_lock(), Held::Mutex),
            ("lock", Patience::For(time)) => got(mutex.lock_timeout(time), Held::Mutex),
            ("lock", Patience::Ever) => got(mutex.lock(), Held::Mutex),
            ("nest", Patience::Try) => attempted(reentrant.try_lock(), Held::Reentrant),
            ("nest", Patience::For(time)) => got(reentrant.lock_timeout(time), Held::Reentrant),
            ("nest", Patience::Ever) => got(reentrant.lock(), Held::Reentrant),
            ("read", Patience::Try) => attempted(rwlock.try_read(), Held::Read),
            ("read", Patience::For(time)) => got(rwlock.read_timeout(time), Held::Read),
            ("read", Patience::Ever) => got(rwlock.read(), Held::Read),
            ("keep", Patience::Try) => attempted(rwlock.try_upgradable_read(), Held::Upgradable),
            ("keep", Patience::For(time)) => {
                got(rwlock.upgradable_read_timeout(time), Held::Upgradable)
            }
            ("keep", Patience::Ever) => got(rwlock.upgradable_read(), Held::Upgradable),
            ("write", Patience::Try) => attempted(rwlock.try_write(), Held::Write),
            ("write", Patience::For(time)) => got(rwlock.write_timeout(time), Held::Write),
            ("write", Patience::Ever) => got(rwlock.write(), Held::Write),
            other => panic!("{other:?}"),
        }
    }

    fn upgrade(&mut self, patience: Patience) -> Came {
        match (self.held.pop(), patience) {
            (Some(Held::Read(guard)), Patience::Try) => {
                upgraded(guard.try_upgrade(), Held::Write, Held::Read)
            }
            (Some(Held::Upgradable(guard)), patience) => {
                let answer = match patience {
                    Patience::Try => guard.try_upgrade(),
                    Patience::For(time) => guard.upgrade_timeout(time),
                    Patience::Ever => guard.upgrade(),
                };
                upgraded(answer, Held::Write, Held::Upgradable)
            }
            _ => panic!("nothing to upgrade"),
        }
    }

    fn transfer(&mut self, way: &str) -> Came {
        let held = match (self.held.pop(), way) {
            (Some(Held::Read(guard)), "keep") => {
                return upgraded(guard.try_into_upgradable(), Held::Upgradable, Held::Read);
            }
            (Some(Held::Upgradable(guard)), "read") => Held::Read(guard.downgrade()),
            (Some(Held::Write(guard)), "read") => Held::Read(guard.downgrade()),
            (Some(Held::Write(guard)), "keep") => Held::Upgradable(guard.downgrade_to_upgradable()),
            _ => panic!("nothing that becomes one to {way}"),
        };
        Ok((Some(held), done()))
    }

    fn take_permit(&mut self, verb: &str, patience: Patience) -> Came {
        let semaphore = &self.plant.2;
        let permit = |permit| (Some(Held::Permit(permit)), done());
        Ok(match (verb, patience) {
            ("acquire", Patience::Try) => match semaphore.try_acquire()? {
                Some(had) => permit(had),
                None => (None, "refused".into()),
            },
            ("acquire", Patience::For(time)) => permit(semaphore.acquire_timeout(time)?),
            ("acquire", Patience::Ever) => permit(semaphore.acquire()?),
            ("consume", Patience::Try) => (None, whether(semaphore.try_consume()?)),
            ("consume", Patience::For(time)) => {
                (None, semaphore.consume_timeout(time).map(|()| done())?)
            }
            _ => (None, semaphore.consume().map(|()| done())?),
        })
    }

    fn come_together(&mut self, verb: &str, patience: Patience) -> Came {
        let (.., (barrier, latch, _), _) = self.plant;
        Ok(match (verb, patience) {
            ("join", _) => (Some(Held::Party(barrier.join()?)), done()),
            ("enrol", _) => (Some(Held::Expected(latch.join()?)), done()),
            ("come", _) => {
                let Some(Held::Expected(party)) = self.held.pop() else { panic!("no party") };
                (None, party.count_down().map(|()| done())?)
            }
            ("pass", Patience::Try) => (None, whether(latch.try_wait()?)),
            ("pass", Patience::For(time)) => (None, latch.wait_timeout(time).map(|()| done())?),
            ("pass", Patience::Ever) => (None, latch.wait().map(|()| done())?),
            (_, patience) => {
                let Some(Held::Party(party)) = self.held.last_mut() else { panic!("no party") };
                match patience {
                    Patience::For(time) => party.wait_timeout(time)?,
                    _ => party.wait()?,
                };
                (None, done())
            }
        })
    }

    fn wait(&mut self, verb: &str, patience: Patience) -> Came {
        let (.., (condvar, event, _)) = self.plant;
        if verb == "await" {
            return match patience {
                Patience::Try => Ok((None, whether(event.try_wait()?))),
                Patience::For(time) => Ok((None, event.wait_timeout(time).map(|()| done())?)),
                Patience::Ever => Ok((None, event.wait().map(|()| done())?)),
            };
        }
        let Some(Held::Mutex(guard)) = self.held.pop() else { panic!("no lock to wait with") };
        match patience {
            Patience::For(time) => {
                let (guard, ended) = condvar.wait_timeout(guard, time)?;
                let said = if ended.timed_out() { "late".into() } else { done() };
                Ok((Some(Held::Mutex(guard)), said))
            }
            _ => got(condvar.wait(guard), Held::Mutex),
        }
    }

    /// What waits for nobody.
    fn change(&mut self, verb: &str) -> Came {
        let (.., semaphore, (_, _, once), (condvar, event, _)) = self.plant;
        let said = match verb {
            "post" => semaphore.post(1).map(|()| done())?,
            "set" => event.set().map(|()| done())?,
            "reset" => event.reset().map(|()| done())?,
            "notify" => condvar.notify_one().map(|()| done())?,
            "notify-all" => condvar.notify_all().map(|()| done())?,
            "completed" => once.is_completed().to_string(),
            "late-finds" => shmkit::crash::late_finds().to_string(),
            "add" => self.add(),
            "mend" => {
                match self.held.last_mut() {
                    Some(Held::Mutex(guard)) => guard.mark_consistent(),
                    Some(Held::Write(guard)) => guard.mark_consistent(),
                    _ => panic!("nothing to mend"),
                }
                done()
            }
            "forget" => {
                let Some(Held::Permit(permit)) = self.held.pop() else { panic!("no permit") };
                permit.forget();
                done()
            }
            "drop" => self.held.pop().map(|_| done()).expect("something to give back"),
            other => panic!("{other}"),
        };
        Ok((None, said))
    }

    /// Adds 1 to what is locked, and tells the sum.
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
            _ => panic!("nothing to add to"),
        }
    }

    fn do_once(&mut self, link: &mut Link) -> Came {
        let once = &self.plant.3.2;
        let mut said = "done before".to_string();
        once.call_once_force(|again| {
            link.say(if again { "begun again" } else { "begun" });
            link.hear();
            said = done();
        })?;
        Ok((None, said))
    }
}
