//! What a user's types get from `#[derive(Shareable)]`, as a user's crate sees it: without unsafe
//! code of its own.
#![forbid(unsafe_code)]

mod derive;
mod dynamic;
mod fixed;
mod random;
mod refused;
