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
}

impl Transport {
    /// The token of the `Via` header (RFC 3261 §20.42).
    pub const fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// The value of the `transport` URI parameter (RFC 3261 §19.1.1).
    pub const fn param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// Whether lost messages are the transport's business, so that SIP does not retransmit (RFC 3261 §17).
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.param())
    }
}

/// A transport association: where messages leave from and where they go.
///
/// `local` is the *advertised* address: it appears in our `Via` and `Contact`. For TCP, `remote` names the connection;
/// the gateway dials when none is open to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// UDP or TCP.
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
