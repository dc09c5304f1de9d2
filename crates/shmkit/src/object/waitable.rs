//! Waiting for a named primitive together with other things.

use std::sync::Arc;

use super::typed::Object;
use crate::wait::{Source, Waitable};

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<P: Waitable> Waitable for Object<P> {
    fn source(&self) -> Arc<dyn Source> {
        (**self).source()
    }
}
