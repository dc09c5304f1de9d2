//! Opens shmkit's objects in a directory. Only this file knows how the library names and opens
//! them.

use std::path::Path;

use shmkit::{Latest, Object, Options, Primitive};

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

/// Opens or creates a primitive.
pub(crate) fn primitive<P: Primitive>(
    directory: &Path,
    name: &str,
    initial: P::Initial,
) -> Object<P> {
    Object::<P>::options().directory(directory).open_or_create(name, initial).expect(OWN_DIRECTORY)
}
