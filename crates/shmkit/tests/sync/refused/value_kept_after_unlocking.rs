use shmkit::Result;
use shmkit::sync::Mutex;

fn keep(mutex: &Mutex<u64>) -> Result<()> {
    let mut guard = mutex.lock()?;
    let value = &mut *guard;
    drop(guard);
    *value = 1;
    Ok(())
}

fn main() {}
