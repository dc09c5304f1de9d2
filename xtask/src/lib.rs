//! Tasks of the workspace: the [`tidy`] checks, which `cargo test` runs.

pub mod tidy;
