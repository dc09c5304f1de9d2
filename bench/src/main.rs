//! Timing side by side: the bare floor, shmkit, and the naive way.
fn main() {}
