//! One `Via` value (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::error::ParseError;
use crate::params::Params;
use crate::text;
use crate::uri::{Host, parse_host_port};

/// Transport named in a Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViaTransport {
    /// UDP
    Udp,
    /// TCP
    Tcp,
    /// TLS over TCP
    Tls,
    /// Anything else, as received.
    Other(String),
}

impl ViaTransport {
    /// The name as it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            ViaTransport::Udp => "UDP",
            ViaTransport::Tcp => "TCP",
            ViaTransport::Tls => "TLS",
            ViaTransport::Other(name) => name,
        }
    }

    fn parse(name: &str) -> ViaTransport {
        match name {
            _ if name.eq_ignore_ascii_case("UDP") => ViaTransport::Udp,
            _ if name.eq_ignore_ascii_case("TCP") => ViaTransport::Tcp,
            _ if name.eq_ignore_ascii_case("TLS") => ViaTransport::Tls,
            _ => ViaTransport::Other(name.to_owned()),
        }
    }
}

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Protocol version, normally `2.0`.
    pub version: String,
    /// Transport.
    pub transport: ViaTransport,
    /// sent-by host.
    pub host: Host,
    /// sent-by port.
    pub port: Option<u16>,
    /// Parameters.
    pub params: Params,
}

impl Via {
    /// A Via of our own, asking for `rport` (RFC 3581).
    pub fn new(transport: ViaTransport, sent_by: SocketAddr, branch: &str) -> Via {
        let mut params = Params::new();
        params.set("rport", None);
        params.set("branch", Some(branch));
        Via { version: "2.0".into(), transport, host: sent_by.ip().into(), port: Some(sent_by.port()), params }
    }

    /// Reads one value; white space may stand around every `/`, `:` and `;`.
    pub fn parse(text: &str) -> Result<Via, ParseError> {
        let lws = text::is_lws;
        let mut parts = text.trim_matches(lws).splitn(3, '/');
        let protocol = parts.next().unwrap_or("").trim_matches(lws);
        let version = parts.next().unwrap_or("").trim_matches(lws);
        let rest =
            parts.next().ok_or(ParseError("Via without protocol, version and transport"))?.trim_start_matches(lws);
        if !protocol.eq_ignore_ascii_case("SIP") || !text::is_token(version) {
            return Err(ParseError("Via protocol is not SIP"));
        }
        let (transport, rest) = rest.split_once(lws).ok_or(ParseError("Via without sent-by"))?;
        if !text::is_token(transport) {
            return Err(ParseError("Via transport is not a token"));
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = parse_host_port(sent_by.trim_matches(lws))?;
        Ok(Via {
            version: version.to_owned(),
            transport: ViaTransport::parse(transport),
            host,
            port,
            params: Params::parse(params)?,
        })
    }

    /// The transaction's branch; an empty one counts as none.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// True when the branch follows RFC 3261 §8.1.1.7: the cookie and something after it.
    pub fn has_rfc3261_branch(&self) -> bool {
        self.branch().is_some_and(|branch| branch.len() > COOKIE.len() && branch.starts_with(COOKIE))
    }

    /// True when the client asked for `rport`.
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The `rport` value.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport").and_then(|port| port.parse().ok())
    }

    /// The `received` address, with or without IPv6 brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received")?.trim_matches(['[', ']']).parse().ok()
    }

    /// Notes where the request came from: `received` when it differs from sent-by or when `rport` is asked for, and
    /// the `rport` value when asked for (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn set_received(&mut self, source: SocketAddr) {
        let ip = source.ip().to_canonical();
        if self.wants_rport() {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if self.wants_rport() || self.host.ip().map(|host| host.to_canonical()) != Some(ip) {
            self.params.set("received", Some(&ip.to_string()));
        }
    }

    /// Where a response goes when the request came from `source` over an unreliable transport (RFC 3261 §18.2.2,
    /// RFC 3581 §4): the source address, at `rport` when asked for, else at the sent-by port. `maddr` is ignored:
    /// a peer must not choose an address we send to.
    pub fn response_address(&self, source: SocketAddr) -> SocketAddr {
        let port = if self.wants_rport() { source.port() } else { self.port.unwrap_or(5060) };
        SocketAddr::new(source.ip(), port)
    }
}

/// First characters of every RFC 3261 branch.
pub const COOKIE: &str = "z9hG4bK";

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} {}", self.version, self.transport.as_str(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}
