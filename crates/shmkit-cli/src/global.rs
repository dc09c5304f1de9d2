//! The options that every subcommand has, and opening objects with them.

use std::path::PathBuf;

use shmkit::inspect::{self, Description};
use shmkit::{AnyCall, AnyLatest, AnyQueue, Object, Options, Primitive, Trust};

use crate::advice;
use crate::sys;
use crate::timeout_args::TimeLimit;

/// The options that every subcommand has.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    #[arg(long, global = true, value_name = "DIR", help = help_of_dir())]
    pub(crate) dir: Option<PathBuf>,
    /// Open objects of these users: `own` (yours and root's), `anyone`, or a user's name or number
    ///
    /// The default is `own`. In a directory that all users can write to, another user can create an
    /// object under a name that a program expects.
    #[arg(long, global = true, value_name = "USERS", default_value = "own", value_parser = trust)]
    #[arg(hide_short_help = true, hide_default_value = true)]
    pub(crate) trust: Trust,
}

fn help_of_dir() -> String {
    let default = shmkit::default_directory();
    format!("Use the objects in DIR instead of $SHMKIT_DIR [default: {}]", default.display())
}

fn trust(text: &str) -> Result<Trust, String> {
    match (text, text.parse()) {
        ("own", _) => Ok(Trust::Own),
        ("anyone", _) => Ok(Trust::Anyone),
        (_, Ok(user)) => Ok(Trust::User(user)),
        (name, _) => match sys::user_number(name) {
            Ok(Some(user)) => Ok(Trust::User(user)),
            Ok(None) => Err(format!(
                "no user is called {name}: expected own, anyone, or the name or the number of a \
                 user"
            )),
            Err(error) => Err(format!("the system's table of users cannot be read: {error}")),
        },
    }
}

impl Global {
    /// Returns the directory of the objects.
    pub(crate) fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(shmkit::default_directory)
    }

    /// Adds the directory and the trust to options of the library.
    pub(crate) fn apply<P>(&self, options: Options<P>) -> Options<P> {
        options.directory(self.directory()).trust(self.trust)
    }

    /// Opens a latest value of any type.
    pub(crate) fn open_latest(&self, name: &str) -> anyhow::Result<AnyLatest> {
        let object = AnyLatest::open(Some(&self.directory()), name, self.trust);
        object.map_err(advice::explain)
    }

    /// Opens a queue of any type.
    pub(crate) fn open_queue(&self, name: &str) -> anyhow::Result<AnyQueue> {
        let queue = AnyQueue::open(Some(&self.directory()), name, self.trust);
        queue.map_err(advice::explain)
    }

    /// Opens a call of any types.
    pub(crate) fn open_call(&self, name: &str) -> anyhow::Result<AnyCall> {
        let call = AnyCall::open(Some(&self.directory()), name, self.trust);
        call.map_err(advice::explain)
    }

    /// Opens a primitive, and takes a slot among its participants. Waits for one if all are taken.
    pub(crate) fn open<P: Primitive>(
        &self,
        name: &str,
        limit: TimeLimit,
    ) -> anyhow::Result<Object<P>> {
        let options = self.apply(Object::<P>::options()).slot_timeout(limit.left_for_slot());
        options.open(name).map_err(advice::explain)
    }

    /// Describes an object without taking part in it.
    pub(crate) fn describe(&self, name: &str) -> anyhow::Result<Description> {
        let description = inspect::describe(&self.directory(), name, self.trust);
        description.map_err(advice::explain)
    }
}
