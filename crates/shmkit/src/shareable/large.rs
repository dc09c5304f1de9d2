//! Values that are too large for the stack: the limit of calls by value, and room on the heap.
#![allow(unsafe_code, reason = "zeros that are a value")]

use super::Shareable;
use crate::{Error, ErrorKind, Result};

/// The largest value, in bytes, that a function of this library takes or returns by value: 64 KiB.
///
/// The smallest usual stack has 1 MiB (the main thread on Windows), and a program that is compiled
/// without optimisation has up to 14 copies of such a value there at once. A call by value of a
/// larger type does not compile, and the message says which call to use instead: one that takes a
/// reference or a `Box`, or copies to a place that the caller has.
///
/// ```compile_fail,E0080
/// # fn get(frames: shmkit::Latest<[u8; 6_220_800]>) -> shmkit::Result<()> {
/// let frame = frames.get()?;
/// # Ok(())
/// # }
/// # let _ = get as fn(_) -> _;
/// ```
///
/// ```
/// # fn get(frames: shmkit::Latest<[u8; 6_220_800]>) -> shmkit::Result<()> {
/// let frame = frames.get_boxed()?;
/// # Ok(())
/// # }
/// ```
pub const MAX_BY_VALUE: usize = 64 << 10;

/// Refuses a type that is too large to be passed by value, when it is compiled. `instead` says so,
/// and which call to use.
///
/// Each call by value refuses it:
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(latest: shmkit::Latest<Large>) { let _ = latest.get(); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(latest: shmkit::Latest<Large>) { let _ = latest.get_fresh(Default::default()); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(mut next: shmkit::Changes<Large>) { let _ = next.next_timeout(Default::default()); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(mut next: shmkit::Changes<Large>) { let _ = next.try_next(); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(mut to: shmkit::LatestWriter<Large>) { let _ = to.update_or([0; 65_537], |_| ()); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// let _ = shmkit::Latest::<Large>::options().create_with("x", [0; 65_537]);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// let _ = shmkit::Latest::<Large>::options().open_or_create_with("x", [0; 65_537]);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// let _ = shmkit::sync::named::Mutex::<Large>::create("x", [0; 65_537]);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// let _ = shmkit::sync::named::Mutex::<Large>::open_or_create("x", [0; 65_537]);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(lock: shmkit::sync::Mutex<Large>) { let _ = lock.lock_replacing([0; 65_537]); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(lock: shmkit::sync::RwLock<Large>) { let _ = lock.write_replacing([0; 65_537]); }
/// # let _ = it as fn(_);
/// ```
///
/// ```compile_fail,E0080
/// # type Large = [u8; 65_537];
/// fn it(lock: shmkit::sync::ReentrantGuard<Large>) { let _ = lock.get(); }
/// # let _ = it as fn(_);
/// ```
///
/// They compile with one byte less:
///
/// ```
/// fn it(latest: shmkit::Latest<[u8; 65_536]>) { let _ = latest.get(); }
/// # let _ = it as fn(_);
/// ```
pub(crate) const fn check_by_value<T>(instead: &'static str) {
    assert!(size_of::<T>() <= MAX_BY_VALUE, "{}", instead);
}

/// Returns a value of zeros on the heap, without a copy of it on the stack.
///
/// It is for values of any size: fill it, then hand it to a call that takes a reference or a `Box`.
/// Numbers are 0, lists and texts empty, a [`Maybe`](crate::Maybe) is `None`. It does not compile
/// for a type that contains an enum without a variant 0:
///
/// ```compile_fail,E0080
/// #[derive(shmkit::Shareable)]
/// #[repr(u8)]
/// enum Lamp { Off = 1, On = 2 }
///
/// let lamp = shmkit::shareable::zeroed_box::<Lamp>();
/// ```
///
/// # Examples
///
/// ```
/// use shmkit::Shareable;
/// use shmkit::shareable::zeroed_box;
/// use shmkit::sync::named;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Frame { stamp_ns: u64, pixels: [[u8; 3 * 1_920]; 1_080] }
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Mutex::<Frame>::options().directory(directory.path());
/// # let open_or_create = |name, frame: Box<Frame>| options.open_or_create(name, frame);
/// let mut frame = zeroed_box::<Frame>();
/// frame.pixels[0] = [0xff; 3 * 1_920];
/// # /*
/// let frame = named::Mutex::<Frame>::open_or_create("camera/frame", frame)?;
/// # */
/// # let frame = open_or_create("camera/frame", frame)?;
/// assert_eq!(frame.lock()?.pixels[0][7], 0xff);
/// # Ok(())
/// # }
/// ```
pub fn zeroed_box<T: Shareable>() -> Box<T> {
    const {
        let why = "zeros are not a value of this type: one of its enums has no variant 0";
        assert!(T::ZEROS_VALID, "{}", why);
    }
    let zeros = Box::<T>::new_zeroed();
    // SAFETY: every byte is zero, and `ZEROS_VALID` says that this is a value.
    unsafe { zeros.assume_init() }
}

/// Returns `size` bytes on the heap, for a value whose size another process, or a text, chose: so
/// it can be more than there is memory.
///
/// # Errors
///
/// `OutOfSpace`.
pub(crate) fn room_for<B: Clone>(size: u64, byte: B) -> Result<Vec<B>> {
    let (count, mut room) = (usize::try_from(size).unwrap_or(usize::MAX), Vec::new());
    if room.try_reserve_exact(count).is_err() {
        return Err(Error::new(ErrorKind::OutOfSpace, format!("no memory for {size} bytes")));
    }
    room.resize(count, byte);
    Ok(room)
}
