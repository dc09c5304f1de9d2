//! The libraries that are compared.
//!
//! | peer | what of it |
//! |---|---|
//! | shmkit | `Topic`: copied in and out; loaned and borrowed where messages are large |
//! | iceoryx2 | publish and subscribe: loaned, read in place; events to sleep |
//! | crossbar | its bounded bus, which loses nothing; its topics, to lend and to sleep |
//! | shaq | its queue of one sender and one receiver, in place; its broadcast |
//! | cloudtoid | its queue of bytes, in Rust: the package in .NET has the same layout |
//! | ipc-channel | its channel of bytes: sockets |
//! | rtrb | its ring, in place, between two threads of one process |
//! | Boost | its message queue: `bench/src/peers/boost.cpp` |
//!
//! What sleeps is what can sleep at once: shaq looks 2,048 times before it does, and rtrb never.

mod cloudtoid;
mod crossbar;
mod iceoryx;
mod ipc_channel;
mod rtrb;
mod shaq;
mod topic;

use std::io::{self, Write};

use serde_json::{Map, Value, json};

pub(crate) use self::{
    cloudtoid::Cloudtoid,
    crossbar::Crossbar,
    iceoryx::{Iceoryx, IceoryxEvents},
    ipc_channel::IpcChannel,
    rtrb::Rtrb,
    shaq::Shaq,
    topic::Shmkit,
};
use crate::boost;
use crate::fan;
use crate::harness::worker::Workload;
use crate::link::{Peer, serve, serve_bare, serve_heads};

/// The words of a message of 1 MiB.
pub(crate) const LARGE: usize = 131_072;

type Ends<P, const N: usize> = <P as Peer>::Ends<N>;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("echo/bare", serve_bare),
    Workload::process("echo/shmkit", serve::<Shmkit>),
    Workload::process("echo/iceoryx2", serve::<Iceoryx>),
    Workload::process("echo/iceoryx2 events", serve::<IceoryxEvents>),
    Workload::process("echo/crossbar", serve::<Crossbar>),
    Workload::process("echo/shaq", serve::<Shaq>),
    Workload::process("echo/cloudtoid", serve::<Cloudtoid>),
    Workload::process("echo/ipc-channel", serve::<IpcChannel>),
    Workload::thread("echo/rtrb", serve::<Rtrb>),
    Workload::process("heads/shmkit", serve_heads::<LARGE, Ends<Shmkit, LARGE>>),
    Workload::process("heads/iceoryx2", serve_heads::<LARGE, Ends<Iceoryx, LARGE>>),
    Workload::process("heads/crossbar", serve_heads::<LARGE, Ends<Crossbar, LARGE>>),
    Workload::process("heads/shaq", serve_heads::<LARGE, Ends<Shaq, LARGE>>),
    Workload::process("fan/shmkit", fan::serve::<Shmkit>),
    Workload::process("fan/iceoryx2", fan::serve::<Iceoryx>),
    Workload::process("fan/crossbar", fan::serve::<Crossbar>),
    Workload::process("fan/shaq", fan::serve::<Shaq>),
];

/// The peers that are crates.
const CRATES: [&str; 7] =
    ["shmkit", "iceoryx2", "crossbar", "shaq", "cloudtoid-interprocess", "ipc-channel", "rtrb"];

/// What is left out, and why.
const LEFT_OUT: [(&str, &str); 2] = [
    ("tachyon-ipc 0.5.1", "compiles only with GCC 14 or Clang 17, which Debian 12 has not"),
    ("shaq 4.4 and later", "compiles only with a Rust later than 1.95"),
];

/// Prints the name and the version of each library, as the lock file has them, and what is left
/// out.
pub(crate) fn tell(as_json: bool) -> io::Result<()> {
    let of_crate = |name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let after = include_str!("../../Cargo.lock").split_once(&entry);
        let version = after.and_then(|(_, after)| after.split('"').next());
        version.expect("the lock file has each dependency").to_owned()
    };
    let mut versions: Vec<_> = CRATES.iter().map(|name| (*name, of_crate(name))).collect();
    versions.extend(boost::version().map(|version| ("Boost", version)));
    let mut output = io::stdout();
    if as_json {
        let versions = versions.into_iter().map(|(name, it)| (name.to_owned(), it.into()));
        let versions: Map<_, Value> = versions.collect();
        let left_out = LEFT_OUT.map(|(name, why)| (name.to_owned(), why.into()));
        let left_out = Map::from_iter(left_out);
        return writeln!(output, "{}", json!({ "versions": versions, "left_out": left_out }));
    }
    let versions: Vec<_> = versions.into_iter().map(|(name, it)| format!("{name} {it}")).collect();
    writeln!(output, "{}", versions.join(", "))?;
    LEFT_OUT.iter().try_for_each(|(name, why)| writeln!(output, "left out: {name}: {why}"))
}
