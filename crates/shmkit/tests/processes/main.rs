//! What holds between processes, with some of them killed, stopped, forked or hostile.
//!
//! Each test starts this program again, as children in a role: see `children`.

mod attach;
mod children;
mod crash;
mod deaths;
mod fork;
mod gate;
mod hostile;
mod kills;
mod namespaces;
mod place;
mod races;
mod space;
mod stopped;
mod strangers;
mod values;
