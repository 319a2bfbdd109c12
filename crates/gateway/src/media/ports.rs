//! The two sockets of an RTP leg.

use rtp_proto::SRTP_ROOM;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Room for a second of packets of one leg, as the kernel counts (it doubles the number for its own needs).
const RECEIVE_BUFFER: usize = 128 * 1024;

/// Expedited Forwarding (RFC 3246), the class of voice.
const EXPEDITED: u32 = 46 << 2;

/// Longest datagram: an Ethernet frame holds less.
const DATAGRAM: usize = 2048;

/// What was read last; used again for every datagram of a thread.
pub(crate) struct Inbound(Box<[u8; DATAGRAM + 1 + SRTP_ROOM]>);

impl Inbound {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; DATAGRAM + 1 + SRTP_ROOM]))
    }

    /// Reads one datagram, if there is one: a buffer with room to protect it, its length, and its sender. One that is
    /// too long has none.
    ///
    /// One, although more may wait: a leg has one packet per 20 ms, so asking for a second costs a system call's work for
    /// nothing (8 % of a relayed packet), and epoll reports again what was left.
    pub(crate) fn read(&mut self, socket: &UdpSocket) -> Option<(&mut [u8], usize, SocketAddr)> {
        let (len, from) = socket.recv_from(&mut self.0[..=DATAGRAM]).ok()?;
        let len = if len > DATAGRAM { 0 } else { len };
        // A socket of both families sees IPv4 peers as mapped addresses.
        Some((&mut self.0[..], len, SocketAddr::new(from.ip().to_canonical(), from.port())))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_with_their_length_and_sender() {
        for host in ["127.0.0.1", "::1"] {
            let host: IpAddr = host.parse().expect("an address");
            let Ok(ours) = bind(SocketAddr::new(host, 0)) else { continue };
            let theirs = UdpSocket::bind((host, 0)).expect("bind");
            let (to, from) = (ours.local_addr().expect("bound"), theirs.local_addr().expect("bound"));
            let mut inbound = Inbound::new();
            for (sent, heard) in [(1, 1), (172, 172), (0, 0), (DATAGRAM, DATAGRAM), (DATAGRAM + 1, 0), (9000, 0)] {
                theirs.send_to(&vec![7; sent], to).expect("send");
                let (buffer, length, sender) = inbound.read(&ours).expect("sent");
                assert_eq!((&buffer[..length], sender), (&*vec![7; heard], from));
                assert!(buffer.len() >= length + SRTP_ROOM);
            }
            assert_eq!(inbound.read(&ours), None, "nothing left");
        }
    }
}
