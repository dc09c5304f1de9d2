//! A TCP connection over the loopback interface.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::super::mechanism::{Family, Mechanism, Prepared};
use super::super::stream::Stream;
use super::super::worker::{PATIENCE, Part, Worker};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "tcp",
    title: "TCP over loopback",
    family: Family::Socket,
    keeps_all: true,
    prepare: Prepared::nothing,
    run,
};

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let socket = match worker.part() {
            Part::First => accept(worker)?,
            Part::Second => TcpStream::connect((Ipv4Addr::LOCALHOST, port(worker)?))?,
        };
        // Otherwise a small message waits for others.
        socket.set_nodelay(true)?;
        Ok(Stream::new(socket.try_clone()?, socket, worker.size()))
    })
}

fn accept(worker: &Worker) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port().to_string();
    let (unfinished, path) = (worker.path("new-port"), worker.path("port"));
    fs::write(&unfinished, port)?;
    fs::rename(unfinished, path)?;
    Ok(listener.accept()?.0)
}

/// Waits until the first side has written its port.
fn port(worker: &Worker) -> io::Result<u16> {
    let begun = Instant::now();
    loop {
        match fs::read_to_string(worker.path("port")) {
            Ok(port) => return port.parse().map_err(io::Error::other),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}
