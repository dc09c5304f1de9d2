//! ipc-channel: its channel of bytes.

use std::hint::spin_loop;
use std::path::PathBuf;

use ipc_channel::TryRecvError;
use ipc_channel::ipc::{
    IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel,
};

use super::crossbar::{bytes_of, bytes_of_mut};
use crate::link::{Ends, Peer, Place};

const WORKS: &str = "ipc-channel works here";

pub(crate) struct IpcChannel;

impl Peer for IpcChannel {
    type Ends<const N: usize> = Side;
}

type Pair = (IpcBytesSender, IpcBytesReceiver);

pub(crate) struct Side {
    pair: Pair,
    asleep: bool,
}

/// Returns the file that has the name of the controller's server.
fn server_file(place: &Place<'_>) -> PathBuf {
    place.directory.join(place.local("server")).with_extension("ipc-channel")
}

impl<const N: usize> Ends<N> for Side {
    type Begun = IpcOneShotServer<Pair>;

    fn begin(place: &Place<'_>) -> Self::Begun {
        let (server, name) = IpcOneShotServer::new().expect(WORKS);
        std::fs::write(server_file(place), name).expect("cannot write the name of a server");
        server
    }

    fn finish(server: Self::Begun, place: &Place<'_>) -> Self {
        let (_, pair) = server.accept().expect(WORKS);
        Self { pair, asleep: place.asleep }
    }

    fn join(place: &Place<'_>) -> Self {
        let name = std::fs::read_to_string(server_file(place));
        let name = name.expect("the controller has written the name of its server");
        let server = IpcSender::<Pair>::connect(name).expect(WORKS);
        let (send_there, receive_there) = bytes_channel().expect(WORKS);
        let (send_back, receive_back) = bytes_channel().expect(WORKS);
        server.send((send_there, receive_back)).expect(WORKS);
        Self { pair: (send_back, receive_there), asleep: place.asleep }
    }

    #[inline(always)]
    fn send(&mut self, message: &[u64; N]) {
        self.pair.0.send(bytes_of(message)).expect(WORKS);
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        let received = match self.asleep {
            true => self.pair.1.recv().expect(WORKS),
            false => loop {
                match self.pair.1.try_recv() {
                    Ok(received) => break received,
                    Err(TryRecvError::Empty) => spin_loop(),
                    Err(error) => panic!("cannot receive: {error}"),
                }
            },
        };
        bytes_of_mut(message).copy_from_slice(&received);
    }
}
