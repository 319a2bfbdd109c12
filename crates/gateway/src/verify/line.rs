//! The sockets of a test call: one for SIP, one for RTP, on ports of the system's choice.

use crate::sip_streams::Tls;
use call_model::Instant;
use sip_proto::{Endpoint, Flow, Transport};
use sip_wire::{Framed, Message, StreamFramer};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long one look at the sockets may wait. Shorter than a packet's 20 ms, so that RTP keeps its pace.
const LOOK: Duration = Duration::from_millis(4);
/// A telephone that does not take a TCP connection within this is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// TCP, or TLS over it; reading does not wait.
trait Duplex: std::io::Read + std::io::Write {}

impl<T: std::io::Read + std::io::Write> Duplex for T {}

enum Sip {
    Udp(UdpSocket),
    Stream(Box<dyn Duplex>, StreamFramer),
}

/// Open sockets.
pub(super) struct Line {
    sip: Sip,
    rtp: UdpSocket,
    pub(super) flow: Flow,
    pub(super) rtp_port: u16,
}

impl Line {
    /// `sip`: where to bind, and what peers are told. `rtp`: where to bind.
    pub(super) fn open(
        transport: Transport,
        (bind, told): (IpAddr, IpAddr),
        rtp: IpAddr,
        remote: SocketAddr,
        tls: &Tls,
    ) -> std::io::Result<Self> {
        let (sip, port) = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind((bind, 0))?;
                socket.set_nonblocking(true)?;
                let port = socket.local_addr()?.port();
                (Sip::Udp(socket), port)
            }
            Transport::Ws | Transport::Wss => {
                return Err(std::io::Error::other(format!("{transport} cannot be called")));
            }
            Transport::Tcp | Transport::Tls => {
                let stream = TcpStream::connect_timeout(&remote, CONNECT)?;
                stream.set_nodelay(true)?;
                let port = stream.local_addr()?.port();
                let octets = stream.try_clone()?;
                let stream: Box<dyn Duplex> = match transport {
                    Transport::Tls => Box::new(tls.shake_hands(remote, stream, CONNECT)?),
                    _ => Box::new(stream),
                };
                octets.set_nonblocking(true)?;
                (Sip::Stream(stream, StreamFramer::new()), port)
            }
        };
        let rtp = UdpSocket::bind((rtp, 0))?;
        rtp.set_read_timeout(Some(LOOK))?;
        let rtp_port = rtp.local_addr()?.port();
        let flow = Flow { transport, local: SocketAddr::new(told, port), remote };
        Ok(Self { sip, rtp, flow, rtp_port })
    }

    /// Sends a SIP message. What a datagram loses, SIP repeats; a connection that broke is reported.
    pub(super) fn send_sip(&mut self, endpoint: &mut Endpoint, flow: Flow, bytes: &[u8], now: Instant) {
        match &mut self.sip {
            Sip::Udp(socket) => drop(socket.send_to(bytes, flow.remote)),
            Sip::Stream(stream, _) => {
                if stream.write_all(bytes).and_then(|()| stream.flush()).is_err() {
                    endpoint.handle_flow_failed(flow, now);
                }
            }
        }
    }

    /// Sends an RTP packet.
    pub(super) fn send_rtp(&self, to: SocketAddr, bytes: &[u8]) {
        // A packet that cannot be sent is a packet lost.
        let _ = self.rtp.send_to(bytes, to);
    }

    /// Gives what came over SIP to the endpoint.
    pub(super) fn read_sip(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let mut buffer = [0; 65_536];
        match &mut self.sip {
            Sip::Udp(socket) => {
                while let Ok((len, remote)) = socket.recv_from(&mut buffer) {
                    let flow = Flow { remote, ..self.flow };
                    match Message::parse_datagram(&buffer[..len]) {
                        Ok(message) => endpoint.handle_message(flow, message, now),
                        Err(malformed) => endpoint.handle_malformed(flow, malformed, now),
                    }
                }
            }
            Sip::Stream(stream, framer) => {
                let open = loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => break false,
                        Ok(len) => framer.push(&buffer[..len]),
                        Err(error) => break error.kind() == ErrorKind::WouldBlock,
                    }
                };
                // What was said before it was closed counts.
                while let Some(frame) = framer.next_frame() {
                    match frame {
                        Ok(Framed::Message(message)) => endpoint.handle_message(self.flow, *message, now),
                        Ok(Framed::KeepAlive) => {}
                        Err(malformed) => endpoint.handle_malformed(self.flow, malformed, now),
                    }
                }
                if !open {
                    endpoint.handle_flow_failed(self.flow, now);
                }
            }
        }
    }

    /// An RTP packet, or nothing after a short wait.
    pub(super) fn read_rtp(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.rtp.recv_from(buffer).ok()
    }
}
