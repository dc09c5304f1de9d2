//! What types get from `#[derive(Shareable)]` in a crate without unsafe code.
#![forbid(unsafe_code)]

mod derive;
mod dynamic;
mod fixed;
mod random;
mod refused;

use shmkit::Shareable;
use shmkit::shareable::bytes_of;

fn encoded<T: Shareable>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    value.encode(&mut bytes);
    assert!(bytes_of(value).is_none_or(|whole| whole == bytes));
    bytes
}
