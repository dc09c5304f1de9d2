//! Tasks of the workspace: the [`tidy`] checks, which `cargo test` runs.

pub mod tidy;

/// Runs the examples of the guides. Here, since a published crate does not have the guides.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/choosing.md")]
    mod choosing {}
    #[doc = include_str!("../../docs/guides/changed-struct.md")]
    mod changed_struct {}
    #[doc = include_str!("../../docs/guides/containers.md")]
    mod containers {}
    #[doc = include_str!("../../docs/guides/other-users.md")]
    mod other_users {}
    #[doc = include_str!("../../docs/guides/removed-files.md")]
    mod removed_files {}
    #[doc = include_str!("../../docs/guides/scripts.md")]
    mod scripts {}
    #[doc = include_str!("../../docs/guides/stopping.md")]
    mod stopping {}
}
