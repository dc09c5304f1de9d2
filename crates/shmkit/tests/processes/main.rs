//! What holds between processes, with some of them killed, stopped, forked or hostile.
//!
//! Each test starts this program again, as children in a role: see `children`.

mod children;
mod crash;
mod deaths;
mod fork;
mod kills;
mod place;
mod races;
mod stopped;
mod values;
