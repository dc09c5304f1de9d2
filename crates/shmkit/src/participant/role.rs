//! What participants are, by their roles.

/// What a participant joined as.
///
/// A kind of object uses one odd and one even number at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Role {
    /// It writes.
    Writer = 1,
    /// It acquires, waits, releases and notifies.
    User = 2,
    /// It publishes messages to all subscribers.
    Publisher = 3,
    /// It receives each message that is published.
    Subscriber = 4,
    /// It answers requests.
    Server = 5,
    /// It sends requests.
    Client = 6,
    /// It sends messages to one receiver each.
    Sender = 7,
    /// It receives messages that no other one receives.
    Receiver = 8,
    /// It reads a stream of bytes.
    Reader = 10,
}

impl Role {
    const ALL: [Self; 9] = [
        Self::Writer,
        Self::User,
        Self::Publisher,
        Self::Subscriber,
        Self::Server,
        Self::Client,
        Self::Sender,
        Self::Receiver,
        Self::Reader,
    ];

    pub(super) fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u32 == number)
    }

    /// Returns the word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::User => "user",
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
            Self::Server => "server",
            Self::Client => "client",
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Reader => "reader",
        }
    }
}
