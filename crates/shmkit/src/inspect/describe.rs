//! What an object is, and its participants.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::kinds::KindOperations;
use super::{choices, file_names};
use crate::error::Result;
use crate::memory::{Access, Trust};
use crate::object::{
    Holder, Kind, Lifetime, Name, ObjectFile, PartState, RemovalTarget, Storage, observe, parts,
};
use crate::participant::Role;
use crate::shareable::Schema;
use crate::sys::directory;

/// An object at one moment, as a process that does not participate in it sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The name of the object.
    pub name: String,
    /// The path of its file.
    pub file: PathBuf,
    /// What kind of object it is.
    pub kind: Kind,
    /// The schema of its payload.
    pub schema: Schema,
    /// The size of its file in bytes.
    pub size: u64,
    /// Who may use it.
    pub access: Access,
    /// The permission bits of its file, if the system has them.
    pub mode: Option<u32>,
    /// Whether users other than its owner may only read it.
    pub read_only_peers: bool,
    /// When it is removed.
    pub lifetime: Lifetime,
    /// Whether it can be used.
    pub condition: Condition,
    /// The user whose file it is.
    pub owner: u32,
    /// When it was created.
    pub created: SystemTime,
    /// The process that created it, in its own PID namespace.
    pub creator_pid: u32,
    /// A number that no other object has.
    pub object_id: u128,
    /// Its participants, including dead participants whose slots are not freed yet.
    pub participants: Vec<Participant>,
    /// The largest number of participants.
    pub max_participants: u32,
    /// How many participants died since the object was created, and did not leave. In each role up
    /// to 65,535; then it is counted from 0 again.
    pub deaths: u64,
    /// How many open objects have no slot, because they only read. Counted up to 4,096.
    pub readers: u32,
    /// How many bytes its payload can have, if it can grow; otherwise how many it has.
    pub max_payload: u64,
    /// What is in it: one part, or those of a group, of which the first 65,536.
    pub parts: Vec<PartDescription>,
}

/// A part of an object at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartDescription {
    /// Its number in the object, as in `0` or `2.1`. Empty if it is the only part.
    pub number: String,
    /// What kind of part it is.
    pub kind: Kind,
    /// The type of the value that it holds, if it holds one.
    pub value: Option<Schema>,
    /// Its state and its holders.
    pub state: PartState,
    /// How many threads wait for it. All waiting threads of a participant are counted at the part
    /// that one of them waits for.
    pub waiting: u32,
}

impl PartDescription {
    /// Returns how a sentence names it: `the mutex`, or `the mutex in part 2.1`.
    pub(super) fn title(&self) -> String {
        match self.number.as_str() {
            "" => format!("the {}", self.kind.as_str()),
            number => format!("the {} in part {number}", self.kind.as_str()),
        }
    }
}

impl Description {
    /// Returns the only part of the object. None if the object is a group.
    pub fn only_part(&self) -> Option<&PartDescription> {
        self.parts.first().filter(|_| self.kind != Kind::Group)
    }

    /// Returns what participants hold of all parts.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        let holders = self.parts.iter().flat_map(|part| &part.state.holders);
        holders.filter(|holder| !holder.holding.is_waiting)
    }

    /// Returns the processes without a slot that have the object open, with the names of their
    /// programs, as far as the system shows them to this user: Linux shows processes of other users
    /// only to root. None on a system that does not show them.
    pub fn find_readers(&self) -> Option<Vec<(u32, String)>> {
        let mut users = directory::users_of_file(&self.file)?;
        users.retain(|(pid, _)| self.participants.iter().all(|it| it.pid != *pid));
        Some(users)
    }

    /// Returns whether all words have values that participants write.
    pub fn is_sound(&self) -> bool {
        self.parts.iter().all(|part| part.state.is_sound)
    }

    /// Returns how many participants live, and how many dead participants still have a slot.
    pub fn count_participants(&self) -> (usize, usize) {
        let alive = self.participants.iter().filter(|it| it.is_alive).count();
        (alive, self.participants.len() - alive)
    }

    /// Returns the permission bits with which its file was created.
    pub fn expected_mode(&self) -> u32 {
        self.access.mode(self.read_only_peers)
    }
}

/// Whether an object can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It can be used.
    Ready,
    /// A process died while it was removing the object.
    Retired,
    /// Its lifetime is [`Lifetime::WhileUsed`], and its last user died.
    Abandoned,
    /// It is from an earlier boot of the machine.
    EarlierBoot,
}

impl Condition {
    /// Returns the condition in words, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Retired => "half removed: the process that removed it died",
            Self::Abandoned => "abandoned: its lifetime is while used, and its last user died",
            Self::EarlierBoot => "from an earlier boot of the machine",
        }
    }
}

/// A participant of an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Participant {
    /// Its slot.
    pub slot: u32,
    /// Its process id, in its own PID namespace: for people to read.
    pub pid: u32,
    /// The name of its program, up to 16 bytes.
    pub program: String,
    /// The role in which it joined.
    pub role: Role,
    /// When it joined.
    pub joined: SystemTime,
    /// Whether it lives, by its liveness lock.
    pub is_alive: bool,
    /// Whether it holds something: the right to write, a lock, a permit.
    pub is_holder: bool,
    /// How many of its threads wait.
    pub waiting: u32,
}

/// A name in a directory, with the object or the reason why it is not an object.
#[derive(Debug)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The object, or what is wrong with it.
    pub description: Result<Description>,
}

/// Describes the object with the name, without participating in it.
///
/// # Errors
///
/// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongVersion`, `Corrupt`, `Busy`; `WrongKind`
/// for a file that is not an object.
pub fn describe(directory: &Path, name: &str, trust: Trust) -> Result<Description> {
    let describe = || description(&observe(&Name::new(name)?, &choices(directory, trust))?);
    describe().map_err(|error| error.doing("open").on(name))
}

/// Describes every object in the directory, in the order of their names.
///
/// # Errors
///
/// Those of reading the directory: `NotFound`, `PermissionDenied`, `Os`. An error about one object
/// is in its entry.
pub fn list(directory: &Path, trust: Trust) -> Result<Vec<Entry>> {
    list_with_prefix(directory, "", trust)
}

/// Describes every object whose name begins with `prefix`, and opens no other one.
///
/// # Errors
///
/// Those of [`list`].
pub fn list_with_prefix(directory: &Path, prefix: &str, trust: Trust) -> Result<Vec<Entry>> {
    let entries = names_with_prefix(directory, prefix)?.into_iter().map(|name| {
        let description = describe(directory, &name, trust);
        Entry { name, description }
    });
    Ok(entries.collect())
}

/// Returns every name in the directory that begins with `prefix`, in order, and opens nothing. A
/// listed name need not belong to an object.
///
/// # Errors
///
/// Those of [`list`].
pub fn names_with_prefix(directory: &Path, prefix: &str) -> Result<Vec<String>> {
    let names = file_names(directory)?.into_iter().filter_map(|file| Name::of_file(&file));
    let names = names.filter(|name| name.as_str().starts_with(prefix));
    Ok(names.map(|name| name.to_string()).collect())
}

/// Returns whether an object can be used, or why not.
pub(super) fn condition(file: &ObjectFile) -> Result<Condition> {
    if file.is_retired() {
        return Ok(Condition::Retired);
    }
    if file.is_anyone_present()? {
        return Ok(Condition::Ready);
    }
    Ok(match (file.is_while_used(), file.is_of_earlier_boot()) {
        (_, true) => Condition::EarlierBoot,
        (true, false) => Condition::Abandoned,
        (false, false) => Condition::Ready,
    })
}

pub(super) fn description(file: &ObjectFile) -> Result<Description> {
    let (condition, readers) = (condition(file)?, file.locks.count_handles()?);
    let (layout, mode) = (file.layout(), directory::status_of_name(&file.path)?.mode);
    let schema = Schema::parse(&layout.schema)?;
    let parts: Vec<_> = parts(file, &schema)?
        .iter()
        .map(|part| {
            Ok(PartDescription {
                number: part.number.clone(),
                kind: part.kind,
                value: part.value().cloned(),
                state: (KindOperations::of_kind(part.kind).describe)(part)?,
                waiting: part.waiting(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Description {
        name: file.label().to_string(),
        file: file.path.to_path_buf(),
        kind: layout.kind,
        size: layout.size,
        access: layout.access,
        mode,
        read_only_peers: layout.has_read_only_peers(),
        lifetime: layout.lifetime,
        condition,
        owner: file.owner,
        created: time(layout.created_unix_ns),
        creator_pid: layout.creator_pid,
        object_id: u128::from_le_bytes(layout.object_id),
        participants: participants(file, &parts),
        deaths: file.participants().all_deaths(),
        max_participants: layout.participants_count,
        max_payload: layout.payload_max,
        readers,
        parts,
        schema,
    })
}

fn participants(storage: &Storage, parts: &[PartDescription]) -> Vec<Participant> {
    let holders = || parts.iter().flat_map(|part| &part.state.holders);
    let table = storage.participants();
    let participants = (0..storage.layout().participants_count).filter_map(|slot| {
        let (id, info) = table.info(slot)?;
        let is_alive = !table.is_dead(id);
        let (waiting, _) = table.threads_waiting(slot);
        Some(Participant {
            slot,
            pid: info.pid,
            program: info.program().to_string(),
            role: info.role,
            joined: time(info.joined_unix_ns),
            is_alive,
            is_holder: holders().any(|it| it.id == Some(id) && !it.holding.is_waiting),
            waiting: if is_alive { waiting } else { 0 },
        })
    });
    participants.collect()
}

fn time(unix_ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_ns)
}
