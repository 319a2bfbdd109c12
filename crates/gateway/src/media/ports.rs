//! The two sockets of an RTP leg.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Room for a second of packets of one leg, as the kernel counts (it doubles the number for its own needs).
const RECEIVE_BUFFER: usize = 128 * 1024;

/// Expedited Forwarding (RFC 3246), the class of voice.
const EXPEDITED: u32 = 46 << 2;

/// RTP and RTCP sockets, bound and non-blocking.
pub(crate) struct Ports {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    v6: bool,
}

impl Ports {
    /// Binds `port` and the next one.
    ///
    /// # Errors
    /// When either is taken, or the process has no more files.
    pub(crate) fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let next = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        let rtp = bind(SocketAddr::new(address, port))?;
        let rtcp = bind(SocketAddr::new(address, next))?;
        Ok(Self { rtp, rtcp, v6: address.is_ipv6() })
    }

    /// Sends from the RTP or the RTCP socket, without waiting.
    ///
    /// # Errors
    /// What the system says; a full buffer is `WouldBlock`.
    pub(crate) fn send(&self, rtcp: bool, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let socket = if rtcp { &self.rtcp } else { &self.rtp };
        match to.ip() {
            // A socket of both families knows IPv4 peers by their mapped addresses.
            IpAddr::V4(v4) if self.v6 => socket.send_to(bytes, SocketAddr::new(v4.to_ipv6_mapped().into(), to.port())),
            _ => socket.send_to(bytes, to),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Both are wishes: a system that does not grant them still carries calls.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.is_ipv4() {
        let _ = socket.set_tos_v4(EXPEDITED);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}
