use shmkit::sync::ReadGuard;

fn change(guard: &mut ReadGuard<'_, u64>) {
    **guard = 1;
}

fn main() {}
