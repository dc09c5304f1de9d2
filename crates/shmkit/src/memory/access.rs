//! Which users may use what this process creates, and whose objects it opens.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::process;

/// The users that may use something shared, besides the administrator of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Access {
    /// The user who created it. The default.
    Owner = 1,
    /// The user who created it, and the members of that user's group.
    Group = 2,
    /// Every user of the machine. Each of them must also trust the owner, by [`Trust`]: by default
    /// a process opens only objects of its own user and of the administrator.
    Everyone = 3,
}

impl Access {
    /// Returns the access with this number, if there is one.
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        [Self::Owner, Self::Group, Self::Everyone].into_iter().find(|it| *it as u32 == number)
    }

    /// Returns the word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Everyone => "everyone",
        }
    }

    /// Returns the permission bits. With `read_only_peers` only the owner may write.
    pub(crate) fn mode(self, read_only_peers: bool) -> u32 {
        match (self, read_only_peers) {
            (Self::Owner, _) => 0o600,
            (Self::Group, false) => 0o660,
            (Self::Group, true) => 0o640,
            (Self::Everyone, false) => 0o666,
            (Self::Everyone, true) => 0o644,
        }
    }
}

/// The users whose objects this process opens.
///
/// In a directory that every user may write to, any user can create an object under the name that a
/// program expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// This user and the administrator (root). The default.
    #[default]
    Own,
    /// This user, the administrator, and the user with this number.
    User(u32),
    /// Every user.
    Anyone,
}

impl Trust {
    /// Refuses what belongs to a user whom this choice does not trust.
    pub(crate) fn check(self, owner: u32) -> Result<()> {
        let (me, is_nobody) = (process::user_id(), process::is_nobody(owner));
        if self.accepts(owner, me, is_nobody) {
            return Ok(());
        }
        if is_nobody {
            let why = format!(
                "it belongs to user {owner}, which can stand for users whom this user namespace \
                 does not map"
            );
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        let why = format!("it belongs to user {owner}, and user {me} did not ask to trust them");
        Err(Error::new(ErrorKind::PermissionDenied, why).of_untrusted_user(owner))
    }

    /// Returns whether user `me` opens an object of user `owner`, whose number may stand for users
    /// that are not known.
    fn accepts(self, owner: u32, me: u32, is_nobody: bool) -> bool {
        match self {
            Self::Anyone => true,
            _ if is_nobody => false,
            Self::Own => owner == me || owner == 0,
            Self::User(user) => owner == me || owner == 0 || owner == user,
        }
    }
}
