//! Trying again when other processes replace or remove the object meanwhile.

use std::time::{Duration, Instant};

use super::choices::{Choices, shown};
use super::object_file::Raced;
use crate::error::{Error, ErrorKind, Result};

/// How many times other processes may replace the object before `Busy`.
const MAX_TRIES: u32 = 1000;

/// Opens an object, again if it was removed before this process had taken a slot in it.
pub(crate) fn until_not_removed<T>(
    choices: &Choices,
    mut open: impl FnMut(&Choices) -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    let mut opened = open(choices);
    for _ in 0..MAX_TRIES {
        match &opened {
            Err(error) if error.kind() == ErrorKind::Closed => {}
            _ => break,
        }
        // The time that is left.
        let slot_timeout = choices.slot_timeout.saturating_sub(start.elapsed());
        opened = open(&Choices { slot_timeout, ..choices.clone() });
    }
    opened
}

/// Tries until no other process interferes, with pauses after the first tries.
pub(super) fn until_not_raced<T>(
    choices: &Choices,
    mut attempt: impl FnMut() -> Result<Result<T, Raced>>,
) -> Result<T> {
    let locate = |error: Error| error.or_because(|| format!("in {}", shown(&choices.directory())));
    for tries in 0..MAX_TRIES {
        if let Ok(done) = attempt().map_err(locate)? {
            return Ok(done);
        }
        if tries > 10 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Err(Error::new(ErrorKind::Busy, "other processes keep replacing it: try again"))
}
