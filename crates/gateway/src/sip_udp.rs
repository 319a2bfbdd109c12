//! The UDP socket for SIP. Unknown sources end here, before a byte is parsed.

use call_core::Peers;
use sip_proto::{Flow, Transport};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Bytes the kernel may hold for us while the switchboard is busy: about a thousand messages.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A bound socket, before the switchboard thread takes it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<mio::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
    // Best effort: the system may allow less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(mio::net::UdpSocket::from_std(socket.into()))
}

/// The socket in the hands of the switchboard thread.
pub(crate) struct UdpSip {
    socket: mio::net::UdpSocket,
    advertised: SocketAddr,
    buffer: Box<[u8]>,
    /// Edge-triggered readiness: there may be more to read.
    readable: bool,
}

/// What one attempt to read gave.
pub(crate) enum Datagram {
    /// From a peer; so many bytes of the buffer.
    Known(Flow, usize),
    /// From a stranger, or a keep-alive: nothing to do.
    Unknown,
    /// A keep-alive (RFC 5626 §3.5.1): nothing to do.
    KeepAlive,
    /// Nothing there now.
    Empty,
}

impl UdpSip {
    pub(crate) fn new(socket: mio::net::UdpSocket, advertised: SocketAddr) -> Self {
        Self { socket, advertised, buffer: vec![0; 65_536].into_boxed_slice(), readable: true }
    }

    pub(crate) fn socket(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.socket
    }

    pub(crate) fn became_readable(&mut self) {
        self.readable = true;
    }

    pub(crate) fn may_have_more(&self) -> bool {
        self.readable
    }

    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        &self.buffer[..len]
    }

    pub(crate) fn receive(&mut self, peers: &Peers) -> Datagram {
        if !self.readable {
            return Datagram::Empty;
        }
        match self.socket.recv_from(&mut self.buffer) {
            Ok((_, from)) if !peers.knows(from.ip()) => Datagram::Unknown,
            Ok((len, _)) if self.buffer[..len].iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) => {
                Datagram::KeepAlive
            }
            Ok((len, from)) => {
                Datagram::Known(Flow { transport: Transport::Udp, local: self.advertised, remote: from }, len)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Datagram::Empty
            }
            Err(error) => {
                // Errors of earlier sends surface here (ICMP); the socket itself is fine.
                tracing::debug!(%error, "receiving SIP over UDP");
                Datagram::KeepAlive
            }
        }
    }

    /// Sends, or drops when the socket buffer is full: SIP over UDP repeats itself.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        self.socket.send_to(bytes, to).map(|_| ())
    }
}
