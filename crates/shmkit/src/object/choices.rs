//! The options of an object of any kind, as they were chosen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::header::{FLAG_GATED, FLAG_READ_ONLY_PEERS, Lifetime};
use super::layout::ObjectLayout;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Access, Trust};
use crate::sys::{directory, process};

/// The options of an object of any kind. One that is not chosen is not compared at opening.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) access: Option<Access>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) read_only_peers: Option<bool>,
    pub(crate) participants: Option<u32>,
    /// How many items the payload has, if their number is chosen.
    pub(crate) items: Option<u32>,
    /// The most elements of an item, if its length varies.
    pub(crate) item_length: Option<u64>,
    pub(crate) trust: Trust,
    pub(crate) death_notices: bool,
    /// How long a wait spins before it sleeps, if the program decided it.
    pub(crate) spin_for: Option<Duration>,
    /// How long to wait for a slot if all are taken.
    pub(crate) slot_timeout: Duration,
    /// Whether an object of another type that no process uses is replaced.
    pub(crate) replace_unused: bool,
    /// Whether a new object is closed to others until its creator opens the gate.
    pub(crate) is_gated: bool,
    /// The flags of its kind, from bit 16 on.
    pub(crate) kind_flags: KindFlags,
    /// Why an option that was chosen is refused.
    pub(crate) refused: Option<String>,
}

impl Choices {
    pub(crate) const fn new() -> Self {
        Self {
            directory: None,
            access: None,
            lifetime: None,
            read_only_peers: None,
            participants: None,
            items: None,
            item_length: None,
            trust: Trust::Own,
            death_notices: true,
            spin_for: None,
            slot_timeout: Duration::ZERO,
            replace_unused: false,
            is_gated: false,
            kind_flags: KindFlags { chosen: 0, on: 0 },
            refused: None,
        }
    }

    /// Where the object is: as chosen, else the default directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(default_directory)
    }

    /// The flags of a new object.
    pub(crate) fn flags(&self) -> u32 {
        let read_only_peers = self.read_only_peers.unwrap_or(false);
        let common = [(read_only_peers, FLAG_READ_ONLY_PEERS), (self.is_gated, FLAG_GATED)];
        common.iter().filter(|it| it.0).fold(self.kind_flags.on, |flags, it| flags | it.1)
    }

    /// Refuses an object that differs from the options that were chosen.
    pub(crate) fn check(&self, found: &ObjectLayout) -> Result<()> {
        check_option("access", self.access, found.access, |it| it.as_str().into())?;
        check_option("lifetime", self.lifetime, found.lifetime, |it| it.as_str().into())?;
        let read_only_peers = found.has_read_only_peers();
        check_option("read-only peers", self.read_only_peers, read_only_peers, on_or_off)?;
        let most = found.participants_count;
        check_option("max participants", self.participants, most, |it| it.to_string())?;
        let number = |it: u64| it.to_string();
        let items = self.items.map(u64::from);
        check_option(found.kind.name_of_items(), items, found.items.into(), number)?;
        let lengths = found.kind.names_of_lengths();
        lengths.iter().try_for_each(|(name, bits)| {
            let part = |length: u64| (length & bits) >> bits.trailing_zeros();
            // Of several lengths, 0 is one that was not chosen.
            let asked = self.item_length.map(part).filter(|it| *it > 0 || lengths.len() == 1);
            check_option(name, asked, part(found.item_length), number)
        })
    }
}

/// The flags of a kind that were chosen, from bit 16 on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindFlags {
    /// Those that were chosen, to be on or off.
    chosen: u32,
    on: u32,
}

impl KindFlags {
    /// Chooses that `flag` is on or off.
    pub(crate) fn choose(&mut self, flag: u32, is_on: bool) {
        self.chosen |= flag;
        self.on = if is_on { self.on | flag } else { self.on & !flag };
    }

    /// Chooses a number, which is in the bits of `mask`.
    pub(crate) fn choose_number(&mut self, mask: u32, number: u32) {
        self.chosen |= mask;
        self.on = self.on & !mask | number << mask.trailing_zeros() & mask;
    }

    /// Refuses an object whose number in the bits of `mask` is not as it was chosen.
    pub(crate) fn check_number(self, what: &str, mask: u32, found: u32) -> Result<()> {
        let number = |flags: u32| (flags & mask) >> mask.trailing_zeros();
        let asked = (self.chosen & mask != 0).then(|| number(self.on));
        check_option(what, asked, number(found), |it| it.to_string())
    }

    /// Refuses an object whose `flag` is not as it was chosen.
    pub(crate) fn check(self, what: &str, flag: u32, found: u32) -> Result<()> {
        let asked = (self.chosen & flag != 0).then_some(self.on & flag != 0);
        check_option(what, asked, found & flag != 0, on_or_off)
    }
}

/// The default directory of objects: the one that `SHMKIT_DIR` names; otherwise `/dev/shm` on
/// Linux, `shmkit` in the user's temporary directory on macOS, `%LOCALAPPDATA%\shmkit` on Windows.
///
/// A program that has more rights than the user who started it (set-user-id, set-group-id, file
/// capabilities) ignores the variable.
pub fn default_directory() -> PathBuf {
    match process::variable(VARIABLE) {
        Some(directory) if !directory.is_empty() => directory.into(),
        _ => directory::default_path().into(),
    }
}

/// The environment variable that names the default directory.
const VARIABLE: &str = "SHMKIT_DIR";

/// How errors name a directory of objects: with the variable, if that names it.
pub(crate) fn shown(directory: &Path) -> String {
    let is_named =
        process::variable(VARIABLE).is_some_and(|named| *named == *directory.as_os_str());
    format!("{}{}", directory.display(), if is_named { " ($SHMKIT_DIR)" } else { "" })
}

/// Says that a directory is missing, and what to do if it is the default one.
pub(crate) fn missing(path: &Path) -> String {
    let missing = format!("no directory {}", shown(path));
    if !directory::DEFAULT_IS_MEMORY || path != directory::default_path() {
        return format!("{missing}: create it first");
    }
    let path = path.display();
    format!(
        "{missing}: mount a file system in memory there (mount -t tmpfs tmpfs {path}), or choose \
         another directory with SHMKIT_DIR"
    )
}

/// How errors show an option that is on or off.
fn on_or_off(is_on: bool) -> String {
    if is_on { "on".into() } else { "off".into() }
}

/// Refuses an object one of whose options differs from the one that was asked for.
pub(crate) fn check_option<V: PartialEq>(
    what: &str,
    asked: Option<V>,
    found: V,
    show: impl Fn(V) -> String,
) -> Result<()> {
    match asked {
        Some(asked) if asked != found => {
            let why = format!("{what} is {} here and {} in the object", show(asked), show(found));
            Err(Error::new(ErrorKind::WrongOptions, why))
        }
        _ => Ok(()),
    }
}
