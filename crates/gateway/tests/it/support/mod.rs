//! Connections to a running gateway, from the addresses of its peers.

use sip_wire::{Framed, Message, StreamFramer};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough for a busy machine; every wait ends as soon as the answer is there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connect_from(ip: &str, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let from: SocketAddr = format!("{ip}:0").parse().expect("an address");
    socket.bind(&from.into()).expect("loopback");
    socket.connect(&to.into()).expect("a listener");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The next message of the stream; `None` when it ended, in good order or not.
pub(crate) fn next(stream: &mut impl Read, framer: &mut StreamFramer) -> Option<Message> {
    let mut buffer = [0; 4096];
    loop {
        match framer.next_frame() {
            Some(Ok(Framed::Message(message))) => return Some(*message),
            Some(Ok(Framed::KeepAlive)) => continue,
            Some(Err(malformed)) => panic!("{malformed}"),
            None => {}
        }
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(len) => framer.push(&buffer[..len]),
            Err(error) if ended(error.kind()) => return None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a refused TLS handshake and a connection that was cut look like.
fn ended(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}
