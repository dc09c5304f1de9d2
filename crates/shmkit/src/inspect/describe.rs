//! What an object is, and who takes part in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{file_names, options};
use crate::channel::observe_latest;
use crate::error::Result;
use crate::memory::{Access, Trust};
use crate::object::{
    Kind, Lifetime, Name, ObjectFile, ParticipantId, RemovalTarget, Role, observe,
};
use crate::shareable::Schema;
use crate::sync::observe_primitives;
pub use crate::sync::{Holder, Holding, PrimitiveContent, PrimitiveState};
use crate::sys::directory;

/// An object at one moment, as seen from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub name: String,
    /// The file that it is.
    pub file: PathBuf,
    /// What kind of object it is.
    pub kind: Kind,
    /// The description of its values; an error if that cannot be read.
    pub schema: Schema,
    /// Bytes of its file.
    pub size: u64,
    /// Who may use it.
    pub access: Access,
    /// The permission bits of its file, where files have such.
    pub mode: Option<u32>,
    /// Whether others than its owner may only read it.
    pub read_only_peers: bool,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// Whether it can be used.
    pub condition: Condition,
    /// The user whose file it is.
    pub owner: u32,
    /// When it was made.
    pub created: SystemTime,
    /// The process that made it, in its own PID namespace.
    pub creator_pid: u32,
    /// A number that no other object has.
    pub object_id: u128,
    /// Who takes part with a slot, the dead who are not swept yet included.
    pub participants: Vec<Participant>,
    /// How many there can be.
    pub max_participants: u32,
    /// How many handles there are that read. Counted up to 4,096.
    pub readers: u32,
    /// What is in it.
    pub content: Content,
    /// Whether its words are such that it can be used: `false` where somebody wrote what no
    /// participant does.
    pub sound: bool,
}

/// What is in an object, by its kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// Of a `Latest`.
    Latest(LatestContent),
    /// Of what is to be in step: each primitive.
    Sync(Vec<PrimitiveContent>),
}

/// What is in a `Latest`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LatestContent {
    /// Bytes of a value.
    pub value_bytes: u64,
    /// Whether several may write, in turn.
    pub shared_writers: bool,
    /// How many values were set: the newest one's sequence number.
    pub sequence: u64,
    /// The value that is being written at this moment, or that a writer left half-written.
    pub half_written: Option<u64>,
    /// How many dead writers were replaced, modulo 2^16.
    pub deaths: u16,
}

impl Description {
    /// What is in it, if it is a `Latest`.
    pub fn latest(&self) -> Option<&LatestContent> {
        match &self.content {
            Content::Latest(latest) => Some(latest),
            Content::Sync(_) => None,
        }
    }

    /// The primitives in it; none, if it is a `Latest`.
    pub fn primitives(&self) -> &[PrimitiveContent] {
        match &self.content {
            Content::Latest(_) => &[],
            Content::Sync(primitives) => primitives,
        }
    }

    /// The permission bits that its file was made with.
    pub fn expected_mode(&self) -> u32 {
        self.access.mode(self.read_only_peers)
    }
}

/// Whether an object can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It can.
    Ready,
    /// It was being removed when the remover died.
    Retired,
    /// It was for use only, and its last user died.
    Abandoned,
    /// It was left by an earlier run of the machine.
    EarlierBoot,
}

impl Condition {
    /// The words for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Retired => "half removed",
            Self::Abandoned => "abandoned",
            Self::EarlierBoot => "of an earlier boot",
        }
    }
}

/// A process that takes part in an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Participant {
    /// Its slot.
    pub slot: u32,
    /// Its process id, in its own PID namespace: for people to read.
    pub pid: u32,
    /// The name of its program, up to 16 bytes.
    pub program: String,
    /// What it joined for.
    pub role: Role,
    /// When it joined.
    pub joined: SystemTime,
    /// The kernel's word: false once it is dead.
    pub alive: bool,
    /// Whether it has the right to write at this moment, or holds a lock or a permit.
    pub is_owner: bool,
    /// How many of its threads wait for others.
    pub waiting: u32,
}

/// A name in the directory, with the object or the reason why it is none.
#[derive(Debug)]
pub struct Entry {
    /// The object's name.
    pub name: String,
    /// What it is.
    pub description: Result<Description>,
}

/// Describes the object that has the name, without being present in it.
///
/// # Errors
///
/// As opening it, but for its type.
pub fn describe(directory: &Path, name: &str, trust: Trust) -> Result<Description> {
    let parsed = Name::new(name)?;
    let object_file = observe(&parsed, &options(directory, trust));
    object_file
        .and_then(|object_file| description(&object_file))
        .map_err(|error| error.doing("open").on(name))
}

/// Describes every object in the directory, in the order of their names.
///
/// # Errors
///
/// Those of reading the directory. What is wrong with one object is in its entry.
pub fn list(directory: &Path, trust: Trust) -> Result<Vec<Entry>> {
    let names = file_names(directory)?.into_iter().filter_map(|file| Name::of_file(&file));
    let entries = names.map(|name| {
        let description = describe(directory, name.as_str(), trust);
        Entry { name: name.to_string(), description }
    });
    Ok(entries.collect())
}

/// What stands in the way of using an object.
pub(super) fn condition(object_file: &ObjectFile) -> Result<Condition> {
    if object_file.is_retired() {
        return Ok(Condition::Retired);
    }
    if object_file.anyone_present()? {
        return Ok(Condition::Ready);
    }
    Ok(match (object_file.is_while_used(), object_file.is_of_earlier_boot()) {
        (_, true) => Condition::EarlierBoot,
        (true, false) => Condition::Abandoned,
        (false, false) => Condition::Ready,
    })
}

pub(super) fn description(object_file: &ObjectFile) -> Result<Description> {
    let layout = &object_file.layout;
    let schema = Schema::parse(&layout.schema)?;
    let (content, owners, sound) = content(object_file, &schema)?;
    let participants = (0..layout.participants_count).filter_map(|slot| {
        let (id, who) = object_file.participants().info(slot)?;
        let alive = !object_file.participants().is_dead(object_file, id);
        let (waiting, _) = object_file.participants().threads_waiting(slot);
        Some(Participant {
            slot,
            pid: who.pid,
            program: who.program(),
            role: who.role,
            joined: time(who.joined_unix_ns),
            alive,
            is_owner: owners.contains(&id),
            waiting: if alive { waiting } else { 0 },
        })
    });
    Ok(Description {
        name: object_file.name.to_string(),
        file: object_file.path().into(),
        kind: layout.kind,
        schema,
        size: layout.file_size,
        access: layout.access,
        mode: directory::status_of_name(object_file.path())?.mode,
        read_only_peers: layout.admits_read_only_peers(),
        lifetime: layout.lifetime,
        condition: condition(object_file)?,
        owner: object_file.owner,
        created: time(layout.created_unix_ns),
        creator_pid: layout.creator_pid,
        object_id: u128::from_le_bytes(layout.object_id),
        participants: participants.collect(),
        max_participants: layout.participants_count,
        readers: object_file.count_handles()?,
        content,
        sound,
    })
}

/// What is in an object, who has what of it, and whether its words are sound.
fn content(
    object_file: &ObjectFile,
    schema: &Schema,
) -> Result<(Content, Vec<ParticipantId>, bool)> {
    if object_file.layout.kind != Kind::Latest {
        let (primitives, sound) = observe_primitives(object_file, schema)?;
        let holders = primitives.iter().flat_map(|it| it.ids()).collect();
        return Ok((Content::Sync(primitives), holders, sound));
    }
    let latest = observe_latest(object_file)?;
    let content = LatestContent {
        value_bytes: latest.value_bytes as u64,
        shared_writers: latest.shared_writers,
        sequence: latest.sequence,
        half_written: latest.half_written,
        deaths: latest.deaths,
    };
    Ok((Content::Latest(content), latest.owner.into_iter().collect(), latest.sound))
}

fn time(unix_ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_ns)
}
