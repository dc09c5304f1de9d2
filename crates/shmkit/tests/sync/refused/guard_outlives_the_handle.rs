use shmkit::Result;
use shmkit::sync::{MutexGuard, named};

fn leak() -> Result<MutexGuard<'static, u64>> {
    let mutex = named::Mutex::<u64>::open("lock")?;
    Ok(mutex.lock()?)
}

fn main() {}
