//! A queue of jobs for workers that crash.
//!
//! Each job goes to one worker, which acknowledges it when it is done. The job of a worker that
//! died goes to the next worker, at its old place. A job that crashes each worker is set aside
//! after three deliveries, so that the others get done. Here that is job 3. In two terminals:
//!
//! ```sh
//! cargo run --example jobs -- send 10   # 10 jobs for workers; in `send 10 500` each takes 500 ms
//! cargo run --example jobs -- work      # crashes at job 3: start it again; `work 5` does 5 jobs
//! cargo run --example jobs -- dead      # shows the jobs that were set aside, and drops them
//! ```
//!
//! Start several workers, and kill them when you like: no job is lost, and none is done twice,
//! except one whose worker died after the work and before the acknowledgement.

use std::time::Duration;
use std::{env, error, process, thread};

use shmkit::{Queue, Shareable};

#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Job {
    number: u64,
    millis: u64,
    is_harmful: bool,
}

fn jobs() -> shmkit::Result<Queue<Job>> {
    Queue::options().delivery_limit(3).open_or_create("example/jobs")
}

fn send(count: u64, millis: u64) -> shmkit::Result<()> {
    let jobs = jobs()?;
    let sender = jobs.sender()?;
    for number in 1..=count {
        sender.send(&Job { number, millis, is_harmful: number == 3 })?; // waits while it is full
    }
    println!("sent {count} jobs: {} wait for workers", jobs.counts().ready);
    Ok(())
}

fn work(count: u64) -> shmkit::Result<()> {
    let jobs = jobs()?;
    let receiver = jobs.receiver()?;
    for _ in 0..count {
        let job = receiver.recv()?;
        println!("job {}, delivery {}", job.number, job.deliveries());
        thread::sleep(Duration::from_millis(job.millis));
        if job.is_harmful {
            println!("job {} crashes this worker", job.number);
            process::exit(1); // as in a crash, nothing is dropped
        }
        println!("job {} is done", job.number);
        job.acknowledge()?; // as dropping it does
    }
    Ok(())
}

fn dead() -> shmkit::Result<()> {
    let jobs = jobs()?;
    for letter in jobs.dead_letters()? {
        let job = letter.value.map_or(0, |job| job.number);
        println!("job {job} was set aside after {} deliveries", letter.deliveries);
        jobs.drop_dead(letter.number)?; // `requeue_dead` would give it to the workers once more
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).map(|number| number.parse()).transpose();
    match arguments.first().map(String::as_str) {
        Some("send") => Ok(send(number(1)?.unwrap_or(10), number(2)?.unwrap_or(100))?),
        Some("work") => Ok(work(number(1)?.unwrap_or(u64::MAX))?),
        Some("dead") => Ok(dead()?),
        _ => Err("which side? `send [COUNT [MILLIS]]`, `work [COUNT]` or `dead`".into()),
    }
}
