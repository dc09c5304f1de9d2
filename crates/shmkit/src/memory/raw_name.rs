//! Names of raw shared memory, with the rules of the system.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::memory;

/// The name of raw shared memory.
///
/// INVARIANT: [`memory::plain_name`] returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawName(String);

impl RawName {
    /// Checks `name`.
    pub(super) fn new(name: &str) -> Result<Self> {
        /// Of an invalid name, which can have any length.
        const MAX_SHOWN: usize = 255;
        memory::plain_name(name).map(|plain| Self(plain.to_owned())).map_err(|why| {
            let shown: String = name.chars().take(MAX_SHOWN).collect();
            let error = Error::new(ErrorKind::InvalidName, why);
            error.doing("use the name").on(shown.escape_debug())
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_system_has_is_refused_with_the_reason() {
        let long = "x".repeat(300);
        for (name, why) in
            [("", "it is empty"), ("a\0b", "it has a zero byte"), (&long, "than the limit of")]
        {
            let error = RawName::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            assert!(error.reason().contains(why), "{error}");
        }
        assert_eq!(RawName::new("with space").unwrap().as_str(), "with space");
    }
}
