//! Who may use what was made, and whose is opened.

/// Who may use something shared, besides the machine's administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Access {
    /// The user who made it. The default.
    Owner = 1,
    /// The user who made it, and the members of that user's group.
    Group = 2,
    /// Every user of the machine.
    Everyone = 3,
}

impl Access {
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        [Self::Owner, Self::Group, Self::Everyone].into_iter().find(|it| *it as u32 == number)
    }

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Everyone => "everyone",
        }
    }

    /// Permission bits, in which the owner's peers can only read if `read_only_peers`.
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

/// Whose objects are opened.
///
/// In a directory that all may write to, anybody can lie in wait under a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// This user's and the administrator's (root). The default.
    #[default]
    Own,
    /// Also those of the user with this number.
    User(u32),
    /// Whoever's.
    Anyone,
}

impl Trust {
    pub(crate) fn accepts(self, owner: u32, me: u32) -> bool {
        match self {
            Self::Own => owner == me || owner == 0,
            Self::User(user) => owner == me || owner == 0 || owner == user,
            Self::Anyone => true,
        }
    }
}
