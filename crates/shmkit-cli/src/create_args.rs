//! The arguments of subcommands that create an object.

use clap::ValueEnum;
use shmkit::{Access, Object, Options, Pipe, Primitive};

use crate::advice;
use crate::global::Global;
use crate::timeout_args::TimeLimit;

/// The users that may use a new object.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AccessArg {
    Owner,
    Group,
    Everyone,
}

impl From<AccessArg> for Access {
    fn from(access: AccessArg) -> Self {
        match access {
            AccessArg::Owner => Self::Owner,
            AccessArg::Group => Self::Group,
            AccessArg::Everyone => Self::Everyone,
        }
    }
}

/// The options of a new object.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Allow these users to use the object
    #[arg(long, value_enum, default_value = "owner")]
    access: AccessArg,
    /// Allow this many processes to have the object open at a time, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PARTICIPANTS)]
    participants: u32,
    /// Succeed if the object exists and was created with the same numbers
    #[arg(long)]
    if_missing: bool,
}

/// As many as there can be, because each command that waits is a participant.
pub(crate) const DEFAULT_PARTICIPANTS: u32 = 1024;

impl CreateArgs {
    /// Creates a primitive and closes it.
    pub(crate) fn create<P: Primitive>(
        &self,
        name: &str,
        initial: P::Initial,
        global: &Global,
    ) -> anyhow::Result<()> {
        self.create_as(Object::<P>::options(), name, initial, global)
    }

    /// The same with options of its kind.
    pub(crate) fn create_as<P: Primitive>(
        &self,
        options: Options<P>,
        name: &str,
        initial: P::Initial,
        global: &Global,
    ) -> anyhow::Result<()> {
        let options = global.apply(options);
        let options = options.access(self.access.into()).max_participants(self.participants);
        let options = options.slot_timeout(TimeLimit::brief().left_for_slot());
        let created = match self.if_missing {
            true => options.open_or_create(name, initial),
            false => options.create(name, initial),
        };
        created.map(drop).map_err(advice::explain)
    }

    /// Adds who may use it, and what all commands have.
    pub(crate) fn apply<P>(&self, options: Options<P>, global: &Global) -> Options<P> {
        global.apply(options).access(self.access.into())
    }

    /// Returns how many participants there can be at a time.
    pub(crate) fn participants(&self) -> u32 {
        self.participants
    }

    /// Returns whether an object that exists is opened instead.
    pub(crate) fn if_missing(&self) -> bool {
        self.if_missing
    }

    /// Creates a pipe and closes it.
    pub(crate) fn create_pipe(
        &self,
        options: Options<Pipe>,
        name: &str,
        global: &Global,
    ) -> anyhow::Result<()> {
        let options = global.apply(options);
        let options = options.access(self.access.into()).max_ends(self.participants);
        let created = match self.if_missing {
            true => options.open_or_create(name),
            false => options.create(name),
        };
        created.map(drop).map_err(advice::explain)
    }
}
