//! The UDP socket for SIP. Unknown sources end here, before a byte is parsed.

use crate::undelivered;
use call_core::Peers;
use sip_proto::{Flow, Transport};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// Bytes the kernel may hold for us while the switchboard is busy: about a thousand messages.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A bound socket, before the switchboard thread takes it.
pub(crate) fn bind(address: SocketAddr) -> io::Result<mio::net::UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
    // Best effort: the system may allow less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    // Without it a closed port is noticed when the transaction times out.
    if let Err(error) = undelivered::keep(socket.as_fd(), address.is_ipv6()) {
        tracing::warn!(%error, "this system does not tell which SIP datagrams over UDP came back");
    }
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
    /// The same for datagrams that came back.
    came_back: bool,
}

/// What one attempt to read gave.
pub(crate) enum Datagram {
    /// From a peer; so many bytes of the buffer.
    Known(Flow, usize),
    /// From a stranger, or a keep-alive: nothing to do.
    Unknown,
    /// A keep-alive (RFC 5626 §3.5.1): nothing to do.
    KeepAlive,
    /// Nobody listens where we sent to.
    Unreachable(Flow),
    /// Nothing there now.
    Empty,
}

impl UdpSip {
    pub(crate) fn new(socket: mio::net::UdpSocket, advertised: SocketAddr) -> Self {
        Self { socket, advertised, buffer: vec![0; 65_536].into_boxed_slice(), readable: true, came_back: true }
    }

    pub(crate) fn socket(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.socket
    }

    /// Whether peers know it by this address.
    pub(crate) fn is_at(&self, local: SocketAddr) -> bool {
        self.advertised == local
    }

    pub(crate) fn became_readable(&mut self) {
        self.readable = true;
        self.came_back = true;
    }

    pub(crate) fn may_have_more(&self) -> bool {
        self.readable
    }

    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        &self.buffer[..len]
    }

    pub(crate) fn receive(&mut self, peers: &Peers) -> Datagram {
        while self.came_back {
            match undelivered::next(self.socket.as_fd()) {
                Some(one) if one.unreachable && peers.knows(one.to.ip()) => {
                    return Datagram::Unreachable(self.flow(one.to));
                }
                Some(_) => {}
                None => self.came_back = false,
            }
        }
        if !self.readable {
            return Datagram::Empty;
        }
        match self.socket.recv_from(&mut self.buffer) {
            Ok((_, from)) if !peers.knows(from.ip()) => Datagram::Unknown,
            Ok((len, _)) if self.buffer[..len].iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) => {
                Datagram::KeepAlive
            }
            Ok((len, from)) => Datagram::Known(self.flow(from), len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Datagram::Empty
            }
            Err(error) => {
                // Errors of earlier sends surface here (ICMP), and in the queue that says whose; the socket is fine.
                tracing::debug!(%error, "receiving SIP over UDP");
                Datagram::KeepAlive
            }
        }
    }

    const fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, local: self.advertised, remote }
    }

    /// Sends, or drops when the socket buffer [`is_full`].
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let sent = self.socket.send_to(bytes, to).or_else(|error| match error.kind() {
            // Said of an earlier datagram, perhaps to somebody else; this one was not sent.
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                self.socket.send_to(bytes, to)
            }
            _ => Err(error),
        });
        sent.map(|_| ())
    }
}

/// Whether a datagram was dropped for want of room here: SIP over UDP repeats itself. Any other error is of its way there.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What the socket has to say next, within a second or so.
    fn next(poll: &mut mio::Poll, udp: &mut UdpSip, peers: &Peers) -> Datagram {
        let mut events = mio::Events::with_capacity(4);
        for _ in 0..20 {
            match udp.receive(peers) {
                Datagram::Empty | Datagram::KeepAlive => {}
                other => return other,
            }
            poll.poll(&mut events, Some(Duration::from_millis(50))).expect("polled");
            if !events.is_empty() {
                udp.became_readable();
            }
        }
        Datagram::Empty
    }

    #[test]
    fn a_closed_port_is_known_at_once_and_keeps_nobody_else_from_being_reached() {
        let localhost = SocketAddr::from(([127, 0, 0, 1], 0));
        let closed = std::net::UdpSocket::bind(localhost).and_then(|socket| socket.local_addr()).expect("a port");
        let open = std::net::UdpSocket::bind(localhost).expect("a peer");
        let socket = bind(localhost).expect("bound");
        let ours = socket.local_addr().expect("an address");
        let mut udp = UdpSip::new(socket, ours);
        let mut poll = mio::Poll::new().expect("a poll");
        poll.registry().register(udp.socket(), mio::Token(0), mio::Interest::READABLE).expect("registered");
        let config = "[[trunks]]\nname = \"t\"\naddresses = [\"127.0.0.1\"]\n[[bots]]\nname = \"b\"\n\
                      sip = \"sip:b@127.0.0.1:5070\"\n[[routes]]\ndialled = \"*\"\nbot = \"b\"";
        let settings = crate::config::parse(config, "test", std::path::Path::new(".")).expect("valid");
        let peers = Peers::from_config(&settings.switchboard);
        for _ in 0..3 {
            udp.send(closed, b"INVITE").expect("sent");
            udp.send(open.local_addr().expect("an address"), b"OPTIONS").expect("sent to the other one");
            let Datagram::Unreachable(flow) = next(&mut poll, &mut udp, &peers) else { panic!("not noticed") };
            assert_eq!((flow.transport, flow.local, flow.remote), (Transport::Udp, ours, closed));
            let mut buffer = [0; 16];
            assert_eq!(open.recv(&mut buffer).expect("arrived"), 7);
        }
        open.send_to(b"SIP", ours).expect("sent");
        assert!(matches!(next(&mut poll, &mut udp, &peers), Datagram::Known(_, 3)), "the socket goes on");
    }
}
