use shmkit::Result;
use shmkit::sync::RwLock;

fn upgrade(lock: &RwLock<u64>) -> Result<()> {
    lock.read()?.upgrade()?;
    Ok(())
}

fn main() {}
