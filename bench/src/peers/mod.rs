//! What others have for locking and waiting, each with the little around it that makes it
//! comparable: the traits are in `sync`.

pub(crate) mod bare;
pub(crate) mod boost;
pub(crate) mod pthread;
pub(crate) mod threads;
