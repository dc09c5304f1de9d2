//! The value that a command reads or changes: of a latest, of a lock, or of one lock of a group.

use std::time::Duration;

use shmkit::inspect::{Description, PartDescription};
use shmkit::shareable::Schema;
use shmkit::sync::{AnyLock, AnyLockGuard, LockError, LockResult};
use shmkit::{AnyLatest, ErrorKind, Kind};

use crate::exit::Failure;
use crate::global::Global;
use crate::timeout_args::TimeLimit;
use crate::{advice, description, output};

/// An open value.
pub(crate) enum Source {
    Latest(AnyLatest),
    Lock { lock: Box<AnyLock>, schema: Schema },
}

/// What a line says about a lock whose holder died.
pub(crate) const OWNER_DIED: &str =
    "a process died while it held the lock, and the data may be half-changed";

impl Source {
    /// Opens the value in an object, to do something with it.
    ///
    /// In a group, each of `paths` begins with the number of the part and one of `separators`, as
    /// in `2.1.x` or `0=5`, and all name the same part. Returns the paths inside the value, too.
    pub(crate) fn open<'p>(
        name: &str,
        doing: &str,
        (paths, separators): (&'p [String], &[char]),
        limit: TimeLimit,
        global: &Global,
    ) -> anyhow::Result<(Self, Vec<&'p str>)> {
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let directory = global.directory();
        match AnyLatest::open(Some(&directory), name, global.trust) {
            Ok(latest) => return Ok((Self::Latest(latest), paths)),
            Err(error) if error.kind() == ErrorKind::WrongKind => {}
            Err(error) => return Err(advice::explain(error)),
        }
        let found = global.describe(name)?;
        let refused = |why: String| format!("cannot {doing} \"{name}\": {why}");
        let no_value = |number: &str, kind| Failure::WrongKind(refused(no_value(number, kind)));
        let (part, paths) = match found.only_part() {
            Some(part) => (part, paths),
            None => chosen_part(&found, doing, &paths, separators)
                .map_err(|why| Failure::Usage(refused(why)))?,
        };
        if description::value(part).is_none() {
            return Err(no_value(&part.number, part.kind).into());
        }
        let options = global.apply(AnyLock::options()).slot_timeout(limit.left_for_slot());
        let lock = options.open_part(name, &part.number).map_err(advice::explain)?;
        // Another lock can have the name by now.
        let schema = lock.schema().ok_or_else(|| no_value(&part.number, lock.kind()))?.clone();
        Ok((Self::Lock { lock: lock.into(), schema }, paths))
    }

    /// Returns the type of the value.
    pub(crate) fn schema(&self) -> &Schema {
        match self {
            Self::Latest(latest) => latest.schema(),
            Self::Lock { schema, .. } => schema,
        }
    }

    /// Returns the bytes of the value. Of a lock they are read while the lock is held: shared, if
    /// it can be.
    pub(crate) fn get(&self, name: &str, limit: TimeLimit) -> shmkit::Result<Vec<u8>> {
        let lock = match self {
            Self::Latest(latest) => return latest.get(),
            Self::Lock { lock, .. } => lock,
        };
        let (guard, owner_died) =
            limit.attempt(&format!("get \"{name}\""), "holds it", |left| {
                or_dead(acquire(lock, lock.kind() == Kind::RwLock, left))
            })?;
        if owner_died {
            output::note(format_args!("\"{name}\": {OWNER_DIED}"));
        }
        guard.get()
    }
}

/// Acquires a lock, shared or exclusively.
pub(crate) fn acquire(
    lock: &AnyLock,
    shared: bool,
    left: Option<Duration>,
) -> LockResult<AnyLockGuard<'_>> {
    match (shared, left) {
        (false, None) => lock.exclusive(),
        (false, Some(left)) => lock.exclusive_timeout(left),
        (true, None) => lock.shared(),
        (true, Some(left)) => lock.shared_timeout(left),
    }
}

/// Returns the guard, and whether a holder died.
pub(crate) fn or_dead(
    acquired: LockResult<AnyLockGuard<'_>>,
) -> shmkit::Result<(AnyLockGuard<'_>, bool)> {
    match acquired {
        Ok(guard) => Ok((guard, false)),
        Err(LockError::OwnerDied(guard)) => Ok((guard, true)),
        Err(other) => Err(other.into()),
    }
}

/// Returns the part of a group that all paths begin with, and the rests of the paths: none if the
/// only path is the number of the part.
fn chosen_part<'d, 'p>(
    it: &'d Description,
    doing: &str,
    paths: &[&'p str],
    separators: &[char],
) -> Result<(&'d PartDescription, Vec<&'p str>), String> {
    let Some(first) = paths.first() else { return Err(parts_to_choose(it, doing)) };
    let part = it.parts.iter().find(|part| inside(part, first, separators).is_some());
    let Some(part) = part else {
        let parts = parts_to_choose(it, doing);
        return Err(format!("{first} does not begin with a part: {parts}"));
    };
    let number = part.number.as_str();
    if *paths == [number] {
        return Ok((part, Vec::new()));
    }
    let rests = paths.iter().map(|path| {
        let rest = inside(part, path, separators);
        rest.ok_or_else(|| format!("{path} is not in part {number}, as {first} is"))
    });
    Ok((part, rests.collect::<Result<_, _>>()?))
}

/// Returns the rest of a path that leads into the part: `x` of `2.1.x`, `5` of `2.1=5`.
fn inside<'p>(part: &PartDescription, path: &'p str, separators: &[char]) -> Option<&'p str> {
    let rest = path.strip_prefix(part.number.as_str())?;
    match rest.is_empty() || rest.starts_with('[') {
        true => Some(rest),
        false => rest.strip_prefix(separators),
    }
}

/// Says which parts of a group have a value, and how to name one.
fn parts_to_choose(it: &Description, doing: &str) -> String {
    const MOST: usize = 8;
    let with_value: Vec<_> =
        it.parts.iter().filter(|part| description::value(part).is_some()).collect();
    let each =
        with_value.iter().take(MOST).map(|it| format!("{} ({})", it.number, it.kind.as_str()));
    let mut shown = each.collect::<Vec<_>>().join(", ");
    if with_value.len() > MOST {
        shown += ", ...";
    }
    match with_value.first() {
        None => "it is a group, and no part of it has a value".into(),
        Some(first) => {
            let value = if doing == "set" { "=VALUE" } else { "" };
            let example = format!("shm {doing} {} {}{value}", it.name, first.number);
            format!("it is a group, and its parts with a value are {shown}: {example}")
        }
    }
}

fn no_value(number: &str, kind: Kind) -> String {
    let which = if number.is_empty() { "it".to_owned() } else { format!("part {number}") };
    let kind = kind.as_str();
    format!("{which} is of kind {kind} and has no value: `shm info` shows its state")
}
