//! Creating a `Latest` of a type that is known only at run time.

use super::Latest;
use super::any::AnyLatest;
use super::geometry::{Geometry, MAX_VALUE_BYTES};
use super::payload::plan;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Kind, Name, NewObject, ObjectLayout, OpenObject, Options, Payload, Planner, ValueType,
    check_kind, file_flags, new_object,
};
use crate::shareable::Schema;

/// The payload whose constants are those of a `Latest` of any type.
type OfAnyType = Latest<u8>;

impl AnyLatest {
    /// Returns options other than the defaults: directory, access, lifetime, number of writers.
    pub fn options() -> Options<Self> {
        Options::new()
    }
}

impl Options<AnyLatest> {
    /// Creates a latest value of the type. It has no value yet. Programs open it as a
    /// [`Latest`] of the type with the same layout.
    ///
    /// # If a process dies
    ///
    /// A creator that dies leaves a complete object or none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `InvalidArgument` for a
    /// value or a number of writers that is too large; `Unsupported` in a directory on a network.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::AnyLatest;
    /// use shmkit::shareable::Schema;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// let options = AnyLatest::options().directory(directory.path());
    /// let level = options.create("tank/level", &Schema::declare("f64")?)?;
    /// level.set(&7.25_f64.to_le_bytes())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create(&self, name: &str, schema: &Schema) -> Result<AnyLatest> {
        let create = || {
            let new = self.new_object(schema)?;
            let open = OpenObject::create(&Name::new(name)?, &self.choices, &new)?;
            AnyLatest::over(open).map_err(Error::after_creation)
        };
        create().map_err(|error| error.doing("create").on(name))
    }

    /// Opens the latest value of this type, or creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create); `WrongKind`, `WrongType`, `WrongOptions` with the first
    /// difference to the object that exists; `WrongVersion`, `Corrupt`, `Busy`.
    pub fn open_or_create(&self, name: &str, schema: &Schema) -> Result<AnyLatest> {
        let fits = |found: &ObjectLayout| {
            check_kind(found.kind, Kind::Latest)?;
            let found = Schema::parse(&found.schema)?;
            match found.value().and_then(|found| schema.first_difference(found)) {
                Some(why) => Err(Error::new(ErrorKind::WrongType, why)),
                None => Ok(()),
            }
        };
        let open_or_create = || {
            let new = || self.new_object(schema);
            let open = OpenObject::open_or_create(&Name::new(name)?, &self.choices, fits, new)?;
            if open.was_created() {
                return AnyLatest::over(open).map_err(Error::after_creation);
            }
            fits(open.layout())?;
            OfAnyType::check_flags(self.choices.kind_flags, open.layout().flags)?;
            AnyLatest::over(open)
        };
        open_or_create().map_err(|error| error.doing("open or create").on(name))
    }

    fn new_object<'a>(&self, schema: &'a Schema) -> Result<NewObject<'a>> {
        let geometry = usize::try_from(schema.size()).ok().and_then(Geometry::of);
        let geometry = geometry.ok_or_else(|| {
            let bytes = schema.size();
            let why = format!("a value of {bytes} bytes is larger than {MAX_VALUE_BYTES}");
            Error::new(ErrorKind::InvalidArgument, why)
        })?;
        let flags = file_flags::<OfAnyType>(&self.choices)?;
        let plan =
            move |planner: &mut Planner<'_>| plan(planner, ValueType::Schema(schema), geometry);
        Ok(new_object::<OfAnyType>(&self.choices, 0, flags, &plan, plan))
    }
}
