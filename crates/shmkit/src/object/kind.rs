//! The kinds of object.

/// The bits of the length of an item of a call that are the length of a request. The others are the
/// length of a response.
pub(crate) const REQUEST_LENGTH: u64 = u32::MAX as u64;

/// What an object is. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Kind {
    /// A register that holds the latest value.
    Latest = 1,
    /// A value that one thread at a time may use.
    Mutex = 2,
    /// A mutex that its holder can lock again.
    ReentrantMutex = 3,
    /// A value with many readers at a time, or one writer.
    RwLock = 4,
    /// A condition variable, used together with a lock.
    Condvar = 5,
    /// Permits that are acquired and released.
    Semaphore = 6,
    /// A flag that threads wait for.
    Event = 7,
    /// A point that several parties reach together, again and again.
    Barrier = 8,
    /// A gate that opens once, when all parties have arrived.
    Latch = 9,
    /// An action that is done once.
    Once = 10,
    /// Several primitives in one object.
    Group = 11,
    /// Messages that reach all subscribers.
    Topic = 12,
    /// Messages, each to one receiver.
    Queue = 13,
    /// Requests, each answered by one server.
    Call = 14,
    /// A stream of bytes.
    Pipe = 15,
    /// A counter, for the tests of what a kind needs.
    #[cfg(any(test, feature = "counter-kind"))]
    #[doc(hidden)]
    Counter = 0x7fff_ffff,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Latest,
        Self::Mutex,
        Self::ReentrantMutex,
        Self::RwLock,
        Self::Condvar,
        Self::Semaphore,
        Self::Event,
        Self::Barrier,
        Self::Latch,
        Self::Once,
        Self::Group,
        Self::Topic,
        Self::Queue,
        Self::Call,
        Self::Pipe,
        #[cfg(any(test, feature = "counter-kind"))]
        Self::Counter,
    ];

    /// The name of the kind, as `shm` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Mutex => "mutex",
            Self::ReentrantMutex => "reentrant mutex",
            Self::RwLock => "rwlock",
            Self::Condvar => "condvar",
            Self::Semaphore => "semaphore",
            Self::Event => "event",
            Self::Barrier => "barrier",
            Self::Latch => "latch",
            Self::Once => "once",
            Self::Group => "group",
            Self::Topic => "topic",
            Self::Queue => "queue",
            Self::Call => "call",
            Self::Pipe => "pipe",
            #[cfg(any(test, feature = "counter-kind"))]
            Self::Counter => "counter",
        }
    }

    /// The role of a part of this kind, and its type in the schema.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::ReentrantMutex => "reentrant_mutex",
            other => other.as_str(),
        }
    }

    /// What its options call the number of items.
    pub(crate) const fn name_of_items(self) -> &'static str {
        match self {
            Self::Topic | Self::Queue => "the depth",
            _ => "the number of items",
        }
    }

    /// What its options call the length of an item, and which bits of it that is.
    pub(crate) const fn names_of_lengths(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Topic | Self::Queue => &[("the largest length of a message", u64::MAX)],
            Self::Call => &[
                ("the largest length of a request", REQUEST_LENGTH),
                ("the largest length of a response", !REQUEST_LENGTH),
            ],
            Self::Pipe => &[("the capacity", u64::MAX)],
            _ => &[("the length of an item", u64::MAX)],
        }
    }

    /// The kind of a part with this role.
    pub(crate) fn from_role(role: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.role() == role)
    }

    /// The kind with this number in the format.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}
