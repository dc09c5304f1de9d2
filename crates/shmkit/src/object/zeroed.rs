//! Initial states that are too large for the stack.
#![allow(unsafe_code, reason = "zeros that are an initial state")]

use super::payload::Contents;
use super::typed::Object;

impl<P: Contents> Object<P> {
    /// Returns an initial state of zeros on the heap, without a copy of it on the stack: for
    /// objects of any size.
    ///
    /// All values are zeros; numbers, texts and lists of them are 0 or empty. A semaphore begins
    /// without permits, an event with manual reset. The maximum of a bounded semaphore, and the
    /// parties of a barrier or latch, are 0, and must be set. Fill it, then create the object with
    /// it. It does not compile if zeros are not an initial state: for an enum without a variant 0,
    /// and for boxed slices.
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
            let why = "zeros are not an initial state of this type: an enum has no variant 0, or \
                       it is a boxed slice";
            assert!(P::ZEROS_ARE_INITIAL, "{}", why);
        }
        let mut zeros = Box::<P::Initial>::new_zeroed();
        // SAFETY: the place is that of a value, and every byte is zero.
        unsafe { P::complete_zeros(zeros.as_mut_ptr()) };
        // SAFETY: `ZEROS_ARE_INITIAL` says that completed zeros are a value.
        unsafe { zeros.assume_init() }
    }
}
