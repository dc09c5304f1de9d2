//! Initial states that are too large for the stack.
#![allow(unsafe_code, reason = "zeros that are an initial state")]

use super::payload::Contents;
use super::typed::Object;

impl<P: Contents> Object<P> {
    /// Returns an initial state of zeros on the heap, without a copy of it on the stack: for
    /// objects of any size.
    ///
    /// All values are zeros; numbers, texts and lists of them are 0 or empty. Fill it, then create
    /// the object with it. It does not compile if zeros are not an initial state: for an enum
    /// without a variant 0, for primitives that begin with something else than a value, and for
    /// boxed slices.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::sync::{Condvar, Mutex};
    /// use shmkit::Object;
    ///
    /// type Frames = (Mutex<[[u8; 1 << 20]; 16]>, Condvar);
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Object::<Frames>::options().directory(directory.path());
    /// let mut initial = Object::<Frames>::zeroed_initial();
    /// initial.0[3][7] = 1;
    /// let frames = options.create("frames", initial)?;
    /// assert_eq!(frames.0.lock()?[3][7], 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn zeroed_initial() -> Box<P::Initial> {
        const {
            let why = "zeros are not an initial state of this type: an enum has no variant 0, or a \
                       part begins with something else than a value";
            assert!(P::ZEROS_ARE_INITIAL, "{}", why);
        }
        let zeros = Box::<P::Initial>::new_zeroed();
        // SAFETY: every byte is zero, and `ZEROS_ARE_INITIAL` says that this is a value.
        unsafe { zeros.assume_init() }
    }
}
