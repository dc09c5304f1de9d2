//! What can be chosen for what is made.

use clap::ValueEnum;
use shmkit::Access;
use shmkit::sync::Primitive;
use shmkit::sync::named::{Named, NamedOptions};

use crate::Global;

/// Who may use what is made.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Who {
    Owner,
    Group,
    Everyone,
}

impl From<Who> for Access {
    fn from(who: Who) -> Self {
        match who {
            Who::Owner => Self::Owner,
            Who::Group => Self::Group,
            Who::Everyone => Self::Everyone,
        }
    }
}

/// What `create` is told beside the name.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Who may use it
    #[arg(long, value_enum, default_value = "owner")]
    access: Who,
    /// How many processes can have it open at a time, those that wait included: 1 to 1024
    #[arg(long, value_name = "N", default_value_t = PARTICIPANTS)]
    participants: u32,
    /// Also where it is there already, if it began in the same way
    #[arg(long)]
    if_missing: bool,
}

/// Each command that waits is a participant, so that there may be many.
pub(crate) const PARTICIPANTS: u32 = 256;

impl CreateArgs {
    /// Makes a primitive, and leaves it.
    pub(crate) fn make<P: Primitive>(
        &self,
        name: &str,
        initial: P::Initial,
        global: &Global,
    ) -> anyhow::Result<()> {
        let options = Named::<P>::options().directory(global.directory()).trust(global.trust);
        let options: NamedOptions<P> =
            options.access(self.access.into()).max_participants(self.participants);
        let made = match self.if_missing {
            true => options.open_or_create(name, initial),
            false => options.create(name, initial),
        };
        made.map(drop).map_err(|error| crate::advice::explained(error, &global.directory()))
    }
}
