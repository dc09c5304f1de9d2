//! Pairs of connected Unix sockets, which the processes inherit.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, ioctl_fionbio, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::stream::{Records, Stream};
use super::super::system;
use super::super::worker::{Part, Worker};

pub(super) const STREAM: Mechanism = Mechanism {
    name: "unix-stream",
    title: "Unix socket, stream",
    family: Family::Socket,
    keeps_all: true,
    prepare: |_, size| prepare(SocketType::STREAM, size),
    run: |worker| {
        worker.run(|worker| {
            let socket = own(worker)?;
            Ok(Stream::new(socket.try_clone()?, socket, worker.size()))
        })
    },
};

pub(super) const DATAGRAM: Mechanism = Mechanism {
    name: "unix-datagram",
    title: "Unix socket, datagrams",
    prepare: |_, size| prepare(SocketType::DGRAM, size),
    run: run_records,
    ..STREAM
};

#[cfg(target_os = "linux")]
pub(super) const SEQPACKET: Mechanism = Mechanism {
    name: "unix-seqpacket",
    title: "Unix socket, seqpacket",
    prepare: |_, size| prepare(SocketType::SEQPACKET, size),
    run: run_records,
    ..STREAM
};

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?)
}

fn prepare(kind: SocketType, size: usize) -> Result<Prepared, Cannot> {
    check(kind, size)?;
    let (first, second) = pair(kind)?;
    let ends = vec![system::inheritable(&first)?, system::inheritable(&second)?];
    Ok(Prepared { ends, keep: vec![Box::new((first, second))] })
}

/// Tries to send a record of this size.
fn check(kind: SocketType, size: usize) -> Result<(), Cannot> {
    if kind == SocketType::STREAM {
        return Ok(());
    }
    let (first, _second) = pair(kind)?;
    ioctl_fionbio(&first, true).map_err(io::Error::from)?;
    match write(&first, &vec![0; size]) {
        Err(Errno::MSGSIZE | Errno::NOBUFS) => {
            let buffer = sockopt::socket_send_buffer_size(&first).map_err(io::Error::from)?;
            Err(Cannot(format!(
                "a record must fit in the send buffer of a socket, {buffer} bytes (SO_SNDBUF)"
            )))
        }
        Err(error) => Err(io::Error::from(error).into()),
        Ok(_) => Ok(()),
    }
}

/// Returns the socket of this process. The other one is closed here.
fn own(worker: &Worker) -> anyhow::Result<std::fs::File> {
    let own = match worker.part() {
        Part::First => 0,
        Part::Second => 1,
    };
    drop(system::inherited(&worker.ends()[1 - own])?);
    system::inherited(&worker.ends()[own])
}

fn run_records(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let socket = own(worker)?;
        Ok(Records::new(socket.try_clone()?, socket, worker.size()))
    })
}
