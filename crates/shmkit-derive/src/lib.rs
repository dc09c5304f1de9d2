//! The derive of `shmkit`: `#[derive(Shareable)]`.
