//! One transport association, as a value.

use core::fmt;
use core::net::SocketAddr;

/// How SIP travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// Datagrams: SIP retransmits.
    Udp,
    /// A stream: the transport retransmits.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118). Only the peer can open one: a browser has no address.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// All of them, the plainest first.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The token of the `Via` header (RFC 3261 §20.42, RFC 7118 §5.2).
    pub const fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The word in configuration and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The transport of that name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.as_str().eq_ignore_ascii_case(name))
    }

    /// The value of the `transport` URI parameter (RFC 3261 §19.1.1). RFC 7118 §5.3 has one for both WebSockets; `tls` is
    /// deprecated and what everybody writes.
    pub const fn param(self) -> &'static str {
        match self {
            Self::Ws | Self::Wss => "ws",
            other => other.as_str(),
        }
    }

    /// Whether lost messages are the transport's business, so that SIP does not retransmit (RFC 3261 §17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether others on the way cannot read it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether we can open a connection.
    pub const fn is_dialable(self) -> bool {
        !matches!(self, Self::Ws | Self::Wss)
    }

    /// Where it is spoken when a URI names no port (RFC 3261 §19.1.2, RFC 7118 §5.3).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transport association: where messages leave from and where they go.
///
/// `local` is the *advertised* address: it appears in our `Via` and `Contact`. For streams, `remote` names the
/// connection; the gateway dials when none is open to it, except over WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// Over what.
    pub transport: Transport,
    /// Our advertised address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.transport, self.local, self.remote)
    }
}
