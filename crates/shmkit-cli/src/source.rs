//! The value that a command reads or changes: of a latest, of a lock, or of one lock of a group.

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
    Lock(Box<AnyLock>),
}

/// What a line says about a lock whose holder died.
pub(crate) const OWNER_DIED: &str =
    "a process died while it held the lock, and the data may be half-changed";

impl Source {
    /// Opens the value in an object, to do something with it.
    ///
    /// In a group, each of `paths` begins with the number of the part, as in `2.1.x` or `0=5`, and
    /// all name the same part. Returns the paths inside the value, too.
    pub(crate) fn open<'p>(
        name: &str,
        doing: &str,
        paths: &'p [String],
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
        let refused = |why: String| Failure::WrongKind(format!("cannot {doing} \"{name}\": {why}"));
        let (number, paths) = match found.kind {
            Kind::Group => {
                let chosen = chosen_part(&found, &paths);
                let (part, paths) = chosen
                    .map_err(|why| Failure::Usage(format!("cannot {doing} \"{name}\": {why}")))?;
                check_has_value(part).map_err(refused)?;
                (part.number.clone(), paths)
            }
            _ => {
                let part = found.only_part();
                part.map_or(Ok(()), check_has_value).map_err(refused)?;
                (String::new(), paths)
            }
        };
        let options = global.apply(AnyLock::options()).slot_timeout(limit.left_for_slot());
        let lock = options.open_part(name, &number).map_err(advice::explain)?;
        Ok((Self::Lock(lock.into()), paths))
    }

    /// Returns the type of the value.
    pub(crate) fn schema(&self) -> &Schema {
        match self {
            Self::Latest(latest) => latest.schema(),
            Self::Lock(lock) => lock.schema().expect("a lock without a value is refused"),
        }
    }

    /// Returns the bytes of the value. Of a lock they are read while the lock is held: shared, if
    /// it can be.
    pub(crate) fn get(&self, name: &str, limit: TimeLimit) -> shmkit::Result<Vec<u8>> {
        let lock = match self {
            Self::Latest(latest) => return latest.get(),
            Self::Lock(lock) => lock,
        };
        let (guard, owner_died) =
            limit.attempt(&format!("get \"{name}\""), "holds it", |left| {
                or_dead(match (lock.kind() == Kind::RwLock, left) {
                    (true, None) => lock.shared(),
                    (true, Some(left)) => lock.shared_timeout(left),
                    (false, None) => lock.exclusive(),
                    (false, Some(left)) => lock.exclusive_timeout(left),
                })
            })?;
        if owner_died {
            output::note(format_args!("\"{name}\": {OWNER_DIED}"));
        }
        guard.get()
    }
}

/// Acquires a lock exclusively. Returns also whether a holder died.
pub(crate) fn lock_exclusively(
    lock: &AnyLock,
    left: Option<std::time::Duration>,
) -> shmkit::Result<(AnyLockGuard<'_>, bool)> {
    or_dead(match left {
        None => lock.exclusive(),
        Some(left) => lock.exclusive_timeout(left),
    })
}

fn or_dead<'a>(result: LockResult<AnyLockGuard<'a>>) -> shmkit::Result<(AnyLockGuard<'a>, bool)> {
    match result {
        Ok(guard) => Ok((guard, false)),
        Err(LockError::OwnerDied(guard)) => Ok((guard, true)),
        Err(other) => Err(other.into()),
    }
}

/// Returns the part of a group that all paths begin with, and the rests of the paths.
fn chosen_part<'d, 'p>(
    it: &'d Description,
    paths: &[&'p str],
) -> Result<(&'d PartDescription, Vec<&'p str>), String> {
    let Some(first) = paths.first() else { return Err(parts_to_choose(it)) };
    let part = it.parts.iter().find(|part| inside(part, first).is_some());
    let Some(part) = part else {
        return Err(format!("{first} does not begin with a part: {}", parts_to_choose(it)));
    };
    let rests = paths.iter().map(|path| {
        let number = &part.number;
        inside(part, path).ok_or_else(|| format!("{path} is not in part {number}, as {first} is"))
    });
    let rests: Vec<_> = rests.collect::<Result<_, _>>()?;
    Ok((part, if rests == [""] { Vec::new() } else { rests }))
}

/// Returns the rest of a path that leads into the part: `x` of `2.1.x`, `5` of `2.1=5`.
fn inside<'p>(part: &PartDescription, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(part.number.as_str())?;
    match rest.chars().next() {
        None | Some('[') => Some(rest),
        Some('.' | '=') => Some(&rest[1..]),
        Some(_) => None,
    }
}

/// Says which parts of a group have a value.
fn parts_to_choose(it: &Description) -> String {
    const MOST: usize = 8;
    let with_value: Vec<_> =
        it.parts.iter().filter(|part| description::value(part).is_some()).collect();
    let each =
        with_value.iter().take(MOST).map(|it| format!("{} ({})", it.number, it.kind.as_str()));
    let mut shown = each.collect::<Vec<_>>().join(", ");
    if with_value.len() > MOST {
        shown += ", ...";
    }
    match shown.as_str() {
        "" => "it is a group, and no part of it has a value".into(),
        shown => format!("it is a group, and its parts with a value are {shown}"),
    }
}

fn check_has_value(part: &PartDescription) -> Result<(), String> {
    if description::value(part).is_some() {
        return Ok(());
    }
    let which = match part.number.as_str() {
        "" => "it".to_owned(),
        number => format!("part {number}"),
    };
    let kind = part.kind.as_str();
    Err(format!("{which} is of kind {kind} and has no value: `shm info` shows its state"))
}
