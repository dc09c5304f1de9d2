//! The targets.

use super::target::Bound::{AtLeast, AtMost};
use super::target::Figure::{Median, Minimum, Ratio, RatioTo};
use super::target::Target;

pub(super) const TARGETS: &[Target] = &[
    Target::new("get without a writer, 8 B", ("get", "no set", ""), Ratio, AtMost(2.0)).of(&[8]),
    Target::new("get without a writer, 64 B", ("get", "no set", ""), Ratio, AtMost(1.3)).of(&[64]),
    Target::new("set to sight and back, both awake", ("sight", "", ""), Ratio, AtMost(1.5)),
    Target::new(
        "retries in 1,000 under a writer that never pauses",
        ("get", "retries", ""),
        Median,
        AtMost(1.0),
    ),
    Target::new(
        "wake-up and back, two processors",
        ("asleep", "", "two processors"),
        Ratio,
        AtMost(1.15),
    ),
    Target::new(
        "wake-up and back, one processor",
        ("asleep", "", "one processor"),
        Ratio,
        AtMost(1.3),
    ),
    Target::new("bytes through a pipe / FIFO", ("pipe", "", ""), Ratio, AtMost(1.0)),
    Target::new("lock and unlock / std", ("lock", "shmkit Mutex", ""), Ratio, AtMost(1.15)),
    Target::new(
        "semaphore alone / std mutex",
        ("lock", "shmkit Semaphore", ""),
        Ratio,
        AtMost(2.0),
    ),
    Target::new(
        "contended throughput / robust pthread",
        ("contend", "shmkit", "/ robust"),
        Ratio,
        AtLeast(1.0),
    ),
    Target::new(
        "least share of 8 at a mutex in a second, %",
        ("fair", "shmkit, 8", ": least"),
        Minimum,
        AtLeast(50.0),
    ),
    Target::new(
        "longest wait of 8 at a mutex / robust pthread",
        ("fair", "shmkit, 8", ": longest"),
        RatioTo("robust"),
        AtMost(0.1),
    ),
    Target::new(
        "throughput of 8 at a mutex / robust pthread",
        ("fair", "shmkit, 8", " us"),
        RatioTo("robust"),
        AtLeast(1.0),
    ),
    Target::new(
        "least share of writers in a second, %",
        ("fair-rwlock", "shmkit", ": writers, least"),
        Minimum,
        AtLeast(50.0),
    ),
    Target::new(
        "longest wait of writers / robust pthread",
        ("fair-rwlock", "shmkit", ": writers, longest"),
        RatioTo("robust"),
        AtMost(0.1),
    ),
    Target::new(
        "least share of readers in a second, %",
        ("fair-rwlock", "shmkit", ": readers, least"),
        Minimum,
        AtLeast(50.0),
    ),
    Target::new(
        "longest wait of readers / robust pthread",
        ("fair-rwlock", "shmkit", ": readers, longest"),
        RatioTo("robust"),
        AtMost(0.1),
    ),
    Target::new(
        "throughput of readers and writers / robust pthread",
        ("fair-rwlock", "shmkit", " us"),
        RatioTo("robust"),
        AtLeast(1.0),
    ),
    Target::new(
        "least share of 8 at a semaphore in a second, %",
        ("fair-semaphore", "shmkit", ": least"),
        Minimum,
        AtLeast(50.0),
    ),
    Target::new(
        "longest wait of 8 at a semaphore / sem_t",
        ("fair-semaphore", "shmkit", ": longest"),
        RatioTo("sem_t"),
        AtMost(0.1),
    ),
    Target::new(
        "throughput of 8 at a semaphore / sem_t",
        ("fair-semaphore", "shmkit", " us"),
        RatioTo("sem_t"),
        AtLeast(1.0),
    ),
    Target::new(
        "longest wait of 8 at one permit / robust pthread",
        ("fair-semaphore", "shmkit, 1 permit", ": longest"),
        RatioTo("robust"),
        AtMost(0.1),
    ),
    Target::new(
        "throughput of 8 at one permit / robust pthread",
        ("fair-semaphore", "shmkit, 1 permit", " us"),
        RatioTo("robust"),
        AtLeast(1.0),
    ),
    Target::new(
        "least share of 8 at a condition in a second, %",
        ("fair-condition", "shmkit", ": least"),
        Minimum,
        AtLeast(50.0),
    ),
    Target::new(
        "longest wait of 8 at a condition / robust pthread",
        ("fair-condition", "shmkit", ": longest"),
        RatioTo("robust"),
        AtMost(0.1),
    ),
    Target::new(
        "throughput of 8 at a condition / robust pthread",
        ("fair-condition", "shmkit", " us"),
        RatioTo("robust"),
        AtLeast(1.0),
    ),
    Target::new(
        "take-over after a kill / robust pthread",
        ("takeover", "shmkit", " waiting / robust pthread"),
        Ratio,
        AtMost(5.0),
    ),
    Target::new(
        "p99 of lock() beside attempts, us",
        ("attempts", "shmkit", ": p99"),
        Median,
        AtMost(10_000.0),
    ),
    Target::new(
        "100 that time out every 10 ms / robust pthread",
        ("timeouts", "shmkit", ", 10 ms / robust pthread"),
        Ratio,
        AtMost(1.5),
    ),
    Target::new(
        "an idle waiter, % of a core",
        ("idle", "1 waiter, shmkit", ""),
        Median,
        AtMost(0.02),
    ),
    Target::new(
        "800 idle waiters, % of a core",
        ("idle", "800 waiters, shmkit", ""),
        Median,
        AtMost(5.0),
    ),
    Target::new(
        "a waiter beside 1,023 holders, % of a core",
        ("holders", "shmkit", ""),
        Median,
        AtMost(0.1),
    ),
    Target::new(
        "a message through a queue / bare ring",
        ("queue", "shmkit, as sent", ""),
        Ratio,
        AtMost(2.0),
    ),
    Target::new(
        "a message by priority / Boost",
        ("queue", "shmkit, by", ""),
        RatioTo("Boost"),
        AtMost(1.0),
    ),
    Target::new(
        "open and drop / open, mmap, close",
        ("attach", "Latest / ", ""),
        Ratio,
        AtMost(2.0),
    ),
    Target::new(
        "the same beside 10,000 others",
        ("attach", "Latest, beside 10,000 / ", ""),
        Ratio,
        AtMost(2.0),
    ),
];
