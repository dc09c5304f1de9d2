//! Initialises primitives that processes share.

use std::mem::MaybeUninit;

use libc::{PTHREAD_PROCESS_SHARED, c_int};

/// Panics unless a call succeeded.
pub(super) fn check(code: c_int) {
    assert_eq!(code, 0, "POSIX refused a call: {}", std::io::Error::from_raw_os_error(code));
}

/// The functions that make the attributes `A`, and with them a primitive `T`.
pub(super) struct Initialiser<T, A> {
    pub(super) init_attributes: unsafe extern "C" fn(*mut A) -> c_int,
    pub(super) set_shared: unsafe extern "C" fn(*mut A, c_int) -> c_int,
    pub(super) init: unsafe extern "C" fn(*mut T, *const A) -> c_int,
}

impl<T, A> Initialiser<T, A> {
    /// Initialises a primitive that processes share, after `adapt` completed its attributes.
    ///
    /// # Safety
    ///
    /// The functions belong together, `raw` has room for a `T`, and no process uses it yet.
    pub(super) unsafe fn run(&self, raw: *mut T, adapt: impl FnOnce(*mut A)) {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for attributes, which are not in use.
        check(unsafe { (self.init_attributes)(attributes) });
        // SAFETY: initialised above.
        check(unsafe { (self.set_shared)(attributes, PTHREAD_PROCESS_SHARED) });
        adapt(attributes);
        // SAFETY: the attributes are initialised, and the caller answers for `raw`.
        check(unsafe { (self.init)(raw, attributes) });
    }
}
