use shmkit::sync::Mutex;

fn unlock(mutex: &Mutex<u64>) {
    mutex.unlock();
}

fn main() {}
