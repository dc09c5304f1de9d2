//! Reading a part of the newest value.
//!
//! No reader gets a reference into a slot: a writer may overwrite it at any time. A part is copied,
//! and the stamps prove that it is of one value, as for the whole.

use super::Latest;
use crate::error::{Error, ErrorKind, Result};
use crate::shareable::Shareable;

impl<T: Shareable> Latest<T> {
    /// Copies a part of the newest value to `into`: as many bytes as it has, from byte `offset` of
    /// the value on. The rest of the value is not copied, except on a disk, as long as the newest
    /// value can be one that was set before this handle was opened: such a value proves that it is
    /// whole.
    ///
    /// It is for a field, or some rows, of a large value. All bytes of one call are of one value;
    /// two calls can read two values. The bytes are those that a writer set, and are not checked:
    /// [`from_bytes`](crate::shareable::from_bytes) makes a checked value of those of a field.
    ///
    /// There is no reference to the value in place: a writer could overwrite it meanwhile.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the value has fewer bytes; `OutOfSpace` if there is no memory for a copy of
    /// all of it; otherwise those of [`get`](Self::get), but no check of the bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::mem::offset_of;
    ///
    /// use shmkit::shareable::zeroed_box;
    /// use shmkit::{Latest, Shareable};
    ///
    /// #[derive(Shareable)]
    /// #[repr(C)]
    /// struct Frame { number: u64, pixels: [[u8; 3 * 1_920]; 1_080] }
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Latest::<Frame>::options().directory(directory.path());
    /// # let frames = options.create_with("camera", zeroed_box::<Frame>())?;
    /// let mut row = [0; 3 * 1_920];
    /// frames.get_part(offset_of!(Frame, pixels) + 539 * row.len(), &mut row)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_part(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        self.handle.check_use()?;
        let size = size_of::<T>();
        if offset.checked_add(into.len()).is_none_or(|end| end > size) {
            let why = format!("{} bytes from {offset} on, of a value of {size} bytes", into.len());
            return Err(Error::new(ErrorKind::OutOfRange, why).doing("read").on(self.name()));
        }
        self.handle.read_part(offset, into)
    }
}
