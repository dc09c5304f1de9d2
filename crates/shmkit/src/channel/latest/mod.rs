//! The latest value of something.

#[allow(dead_code, reason = "the handle arrives next")]
pub(crate) mod register;
