//! Chores of the workspace. So far one: the [`tidy`] checks, which `cargo test` runs.

pub mod tidy;
