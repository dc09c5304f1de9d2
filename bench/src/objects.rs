//! Opens shmkit's objects in a directory. Only this file knows how the library names and opens
//! them.

use std::path::Path;
use std::time::Duration;

use shmkit::{Call, Latest, Object, Options, Pipe, Primitive, Queue, Shareable, Topic};

/// More than there are workers, since a killed one is replaced.
const MAX_PARTICIPANTS: u32 = 128;
/// The most slots that an object can have.
pub(crate) const MAX_SLOTS: u32 = 1_024;
const OWN_DIRECTORY: &str = "cannot open an object in a directory that this run created";

/// Returns the options for a `Latest` of `N` words.
pub(crate) fn latest_options<const N: usize>(directory: &Path) -> Options<Latest<[u64; N]>> {
    Latest::options().directory(directory)
}

/// Opens or creates a `Latest` of `N` words, whose name also has its size.
pub(crate) fn latest<const N: usize>(directory: &Path, name: &str) -> Latest<[u64; N]> {
    let name = format!("{name}-{}", N * 8);
    latest_options(directory).open_or_create(&name).expect(OWN_DIRECTORY)
}

/// Opens or creates a pipe of the default capacity.
pub(crate) fn pipe(directory: &Path, name: &str) -> Pipe {
    Pipe::options().directory(directory).open_or_create(name).expect(OWN_DIRECTORY)
}

/// Opens or creates a topic.
pub(crate) fn topic<T: Shareable>(directory: &Path, name: &str) -> Topic<T> {
    let options = Topic::options().directory(directory).max_participants(MAX_PARTICIPANTS);
    options.open_or_create(name).expect(OWN_DIRECTORY)
}

/// Opens or creates a call, whose waits spin for as long as the program says, if it does.
pub(crate) fn call<Req: Shareable, Resp: Shareable>(
    directory: &Path,
    name: &str,
    spin_for: Option<Duration>,
) -> Call<Req, Resp> {
    let options = Call::options().directory(directory);
    let options = match spin_for {
        Some(duration) => options.spin_for(duration),
        None => options,
    };
    options.open_or_create(name).expect(OWN_DIRECTORY)
}

/// Opens or creates a primitive, with room for as many workers as there can be.
pub(crate) fn primitive<P: Primitive>(
    directory: &Path,
    name: &str,
    initial: P::Initial,
) -> Object<P> {
    primitive_for(MAX_PARTICIPANTS, directory, name, initial)
}

/// Opens or creates a primitive, with as many slots.
pub(crate) fn primitive_for<P: Primitive>(
    slots: u32,
    directory: &Path,
    name: &str,
    initial: P::Initial,
) -> Object<P> {
    let options = Object::<P>::options().directory(directory).max_participants(slots);
    options.open_or_create(name, initial).expect(OWN_DIRECTORY)
}

/// Opens or creates a queue.
pub(crate) fn queue<T: Shareable>(
    directory: &Path,
    name: &str,
    depth: u32,
    priorities: bool,
) -> Queue<T> {
    let options = Queue::options().directory(directory).depth(depth).priorities(priorities);
    options.open_or_create(name).expect(OWN_DIRECTORY)
}
