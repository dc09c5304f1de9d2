//! The processes that notices can be about.

/// The processes that take part in an object.
#[cfg_attr(not(windows), allow(dead_code, reason = "only Windows watches them"))]
pub(crate) trait Processes {
    /// Returns a number that differs after a participant has joined or left.
    fn changes(&self) -> u64;

    /// Returns the ids that the participants recorded, this process among them.
    fn ids(&self) -> Vec<u32>;
}

/// No processes.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Processes for Nobody {
    fn changes(&self) -> u64 {
        0
    }

    fn ids(&self) -> Vec<u32> {
        Vec::new()
    }
}
